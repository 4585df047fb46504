package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/world/invariants"
)

// client speaks JSON with one server.
type client struct {
	name    string // in errors
	address string
	token   func() string // nil: none is needed
}

var web = &http.Client{Timeout: time.Minute}

// call sends body unless it is nil, and reads the reply into answer unless that
// is nil. Its errors contain the API's own text about a request, but no text of a
// simulator, because that may be about registrants.
func (c client) call(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != nil {
		request.Header.Set("Authorization", "Bearer "+c.token())
	}
	response, err := web.Do(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", c.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s %s with %s%s", c.name, method, path, response.Status, refusal(response))
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s answers %s %s without JSON: %w", c.name, method, path, err)
	}
	return nil
}

// refusal is the text of a problem (RFC 9457) behind a colon, or "".
func refusal(response *http.Response) string {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Pointer   string `json:"pointer"`
			Parameter string `json:"parameter"`
			Detail    string `json:"detail"`
		} `json:"errors"`
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") ||
		json.NewDecoder(response.Body).Decode(&problem) != nil {
		return ""
	}
	text := ": " + problem.Detail
	for _, e := range problem.Errors {
		text += fmt.Sprintf(" %s%s %s.", e.Pointer, e.Parameter, e.Detail)
	}
	return text
}

// The parts of the API's replies that the demo reads.
type (
	connector struct {
		ID       string           `json:"id"`
		Problems map[string]issue `json:"problems"`
	}
	issue struct {
		Text   string `json:"text"`
		Remedy string `json:"remedy"`
	}
	seedingRun struct {
		ID          string `json:"id"`
		State       string `json:"state"`
		Passes      int    `json:"passes"`
		Tally       tally  `json:"tally"`
		Totals      totals `json:"totals"`
		OpenBatches int    `json:"open_batches"`
	}
	tally struct {
		Looked  int `json:"looked"`
		Invalid int `json:"invalid"`
		Removed int `json:"removed"`
	}
	totals struct {
		Sent      int `json:"sent"`
		Tokenised int `json:"tokenised"`
		Refused   int `json:"refused"`
		Duplicate int `json:"duplicate"`
		Conflict  int `json:"conflict"`
		NoToken   int `json:"no_token"`
		Pending   int `json:"pending"`
	}
	batch struct {
		State string `json:"state"`
	}
	rejection struct {
		Registrant int64  `json:"registrant"`
		Kind       string `json:"kind"`
		Code       string `json:"code"`
		Reason     string `json:"reason"`
	}
)

// rejected is how many were rejected after they were sent, of all kinds.
func (t totals) rejected() int { return t.Refused + t.Duplicate + t.Conflict + t.NoToken }

// outcome is what the run says became of its registrants.
func (r seedingRun) outcome() invariants.Outcome {
	return invariants.Outcome{
		Sent: r.Totals.Sent, Pending: r.Totals.Pending, Tokenised: r.Totals.Tokenised, Refused: r.Totals.Refused,
		Duplicate: r.Totals.Duplicate, Conflict: r.Totals.Conflict, NoToken: r.Totals.NoToken,
		Invalid: r.Tally.Invalid, Removed: r.Tally.Removed,
	}
}

// pages reads all pages of a list of the API; each page has the list in its
// member name.
func pages[T any](ctx context.Context, api client, path, name string, limit int) ([]T, error) {
	var all []T
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	for {
		var page map[string]json.RawMessage
		if err := api.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		var list []T
		if err := json.Unmarshal(page[name], &list); err != nil {
			return nil, fmt.Errorf("%s: %s is no list: %w", path, name, err)
		}
		all = append(all, list...)
		var next string
		if len(page["next"]) > 0 {
			if err := json.Unmarshal(page["next"], &next); err != nil {
				return nil, fmt.Errorf("%s: next is no text: %w", path, err)
			}
		}
		if next == "" {
			return all, nil
		}
		query.Set("cursor", next)
	}
}
