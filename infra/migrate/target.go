package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// target is the API of this connector, which is moved into.
type target struct {
	api deployed.Client
	// pause waits before a check is looked at again.
	pause func(context.Context) error
}

// shown is a connector of the API, as far as it tells which one it is.
type shown struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	Registry struct {
		URL      string `json:"url"`
		Database string `json:"database"`
	} `json:"registry"`
}

// list are all connectors, without their registries.
func (t target) list(ctx context.Context) ([]shown, error) {
	return deployed.Pages[shown](ctx, t.api, "/connectors", "connectors", 100)
}

// existing finds the connector that a plan would create once more: it has the same name
// and the same registry. "" is none.
func (t target) existing(ctx context.Context, all []shown, body map[string]any) (id string, err error) {
	wanted, _ := body["registry"].(map[string]any)
	for _, one := range all {
		if name, _ := body["name"].(string); one.Name != name {
			continue
		}
		var whole shown
		if err := t.api.Call(ctx, http.MethodGet, "/connectors/"+one.ID, nil, &whole); err != nil {
			return "", err
		}
		if whole.Registry.Database == fmt.Sprint(wanted["database"]) && normal(whole.Registry.URL) == normal(fmt.Sprint(wanted["url"])) {
			return whole.ID, nil
		}
	}
	return "", nil
}

// normal is the form in which the API keeps the address of a registry.
func normal(address string) string {
	return setup.Normalise(seeding.Connector{Registry: seeding.RegistryAccess{URL: address}}).Registry.URL
}

// finding is what the API says about a member of a configuration.
type finding struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// validate is what saving a configuration would say.
func (t target) validate(ctx context.Context, body map[string]any) (wrong, doubtful []finding, err error) {
	var said struct {
		Errors   []finding `json:"errors"`
		Warnings []finding `json:"warnings"`
	}
	err = t.api.Call(ctx, http.MethodPost, "/connectors/validate", map[string]any{"configuration": body}, &said)
	return said.Errors, said.Warnings, err
}

// create creates the connector of a plan. Where no reply tells whether it did, it looks.
func (t target) create(ctx context.Context, body map[string]any) (id string, err error) {
	reply, err := t.api.Ask(ctx, http.MethodPost, "/connectors", body)
	if err == nil && reply.Status < http.StatusInternalServerError {
		var made shown
		if reply.Status == http.StatusCreated && json.Unmarshal(reply.Body, &made) == nil && made.ID != "" {
			return made.ID, nil
		}
		return "", refusal(reply)
	}
	all, failed := t.list(ctx)
	if failed == nil {
		if id, failed = t.existing(ctx, all, body); failed == nil && id != "" {
			return id, nil
		}
	}
	if err == nil {
		err = refusal(reply)
	}
	return "", errors.Join(err, failed)
}

// refusal is what the API says about a request that it refused.
func refusal(reply deployed.Reply) error {
	var problem struct {
		Detail string    `json:"detail"`
		Errors []finding `json:"errors"`
	}
	_ = json.Unmarshal(reply.Body, &problem)
	text := fmt.Sprintf("the API answers with %d %s", reply.Status, problem.Detail)
	for _, e := range problem.Errors {
		text += fmt.Sprintf(" %s %s.", e.Pointer, e.Detail)
	}
	return errors.New(strings.TrimSpace(text))
}

// line is one of a check.
type line struct {
	Line   string `json:"line"`
	Result string `json:"result"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// mostLooks is how often a check is looked at. It takes some seconds.
const mostLooks = 300

// check returns the lines of a check that are no success and no warning; none is green.
func (t target) check(ctx context.Context, id string) (bad []line, err error) {
	var inquiry struct {
		ID    string `json:"id"`
		State string `json:"state"`
		Lines []line `json:"lines"`
	}
	err = t.api.Call(ctx, http.MethodPost, "/connectors/"+id+"/check", nil, &inquiry)
	for looks := 0; err == nil && looks < mostLooks && (inquiry.State == "waiting" || inquiry.State == "working"); looks++ {
		if err = t.pause(ctx); err == nil {
			err = t.api.Call(ctx, http.MethodGet, "/checks/"+inquiry.ID, nil, &inquiry)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the check: %w", err)
	case inquiry.State != "answered" || len(inquiry.Lines) == 0:
		return nil, errors.New("the check did not come to its end; ask for another one")
	}
	return slices.DeleteFunc(inquiry.Lines, func(l line) bool { return l.Result == "ok" || l.Result == "warning" }), nil
}

func (t target) start(ctx context.Context, id string) error {
	return t.api.Call(ctx, http.MethodPost, "/connectors/"+id+"/start", nil, nil)
}
