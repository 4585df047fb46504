package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// draft is the body of a check of a configuration.
func draft(connector, configuration string) string {
	body := map[string]any{"configuration": json.RawMessage(configuration)}
	if connector != "" {
		body["connector"] = connector
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// What validate says of a configuration is what saving it would say.
func TestValidateSaysWhatSavingWouldSay(t *testing.T) {
	s := newService(t)
	path := s.create()
	for name, configuration := range map[string]string{
		"right":               with(),
		"a warning":           with("mapping.fullAddress", []any{`address + (.quarter // "")`}),
		"nothing":             `{}`,
		"form and meaning":    with("name", 7, "mapping.gender", "[unclosed", "registry.token_type", "MOSIP VID", "domain", `[["id","child_of",1]]`),
		"no password":         with("registry.password", nil),
		"an unknown member":   with("interval", 5),
		"members of a reply":  with("id", "x", "status", "running"),
		"another host":        with("registry.url", "https://evil.example.org", "registry.password", nil),
		"null":                with("domain", null{}, "name", null{}),
		"a secret in a wrong": with("registry.password", []any{"hunter2"}),
	} {
		for _, connector := range []string{"", idOf(path)} {
			checked := s.want(200, "POST", "/connectors/validate", draft(connector, configuration))
			saved := s.do("POST", "/connectors", configuration)
			if connector != "" {
				saved = s.do("PUT", path, configuration, "If-Match", "*")
			}
			if want, got := fmt.Sprint(saved.fieldErrors()), fmt.Sprint(checked.fieldErrors()); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			want := saved.body["warnings"]
			if want == nil {
				want = []any{}
			}
			if got := checked.body["warnings"]; saved.Code < 300 && fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}

func TestValidateSavesNothing(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.changes()
	before, secrets := s.store.connectors[idOf(path)], len(s.secrets.values)
	s.want(200, "POST", "/connectors/validate", draft(idOf(path), with("name", "another", "registry.password", "hunter2")))
	s.want(200, "POST", "/connectors/validate", draft("", with()))
	if after := s.store.connectors[idOf(path)]; after.Version != before.Version || after.Name != before.Name || len(s.store.connectors) != 1 || len(s.secrets.values) != secrets {
		t.Errorf("%+v", after)
	}
	if lines := s.changes(); len(lines) > 0 || len(s.invoker.invoked) > 0 {
		t.Errorf("%v", lines)
	}
}

// Batches that are open keep the registry, also those of a run that has ended: what
// validate lets pass, PUT must not refuse.
func TestValidateSaysOfOpenBatchesWhatSavingSays(t *testing.T) {
	for _, run := range []string{"r1", "r2", ""} { // that is open now
		s := newService(t)
		path := s.create()
		id := idOf(path)
		s.store.batches = []seeding.Batch{{Ref: seeding.BatchRef{Registry: s.store.connectors[id].RegistryKey(), Connector: id, Run: "r1", Batch: "b1"}, State: seeding.Submitted}}
		state := s.store.states[id]
		state.Run = run
		s.store.states[id] = state
		for _, change := range [][]any{{"registry.database", "other"}, {"registry.url", "https://other.example.org"}} {
			a := s.want(200, "POST", "/connectors/validate", draft(id, with(change...)))
			if found := a.fieldErrors(); len(found) != 1 || !strings.Contains(found["/registry"], "under way") {
				t.Errorf("run %q: %s", run, a.Body)
			}
			s.want(409, "PUT", path, with(change...), "If-Match", `"1"`)
		}
		if len(s.secrets.stored(id)) != 1 {
			t.Errorf("run %q: a refused request stored a password", run)
		}
		s.store.batches[0].Ref.Connector = "another"
		if found := s.want(200, "POST", "/connectors/validate", draft(id, with("registry.database", "other"))).fieldErrors(); len(found) > 0 {
			t.Errorf("%v", found)
		}
		s.want(200, "PUT", path, with("registry.database", "other"), "If-Match", `"1"`)
	}
}

func TestValidateOfAnotherRegistryWhileBatchesAreOpen(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	s.store.batches = []seeding.Batch{{Ref: seeding.BatchRef{Registry: s.store.connectors[id].RegistryKey(), Connector: id, Run: "r1", Batch: "b1"}, State: seeding.Submitted}}
	state := s.store.states[id]
	state.Run = "r1"
	s.store.states[id] = state
	a := s.want(200, "POST", "/connectors/validate", draft(id, with("registry.database", "other")))
	if found := a.fieldErrors(); len(found) != 1 || !strings.Contains(found["/registry"], "under way") {
		t.Errorf("%s", a.Body)
	}
	direct := s.want(200, "POST", "/connectors/validate", draft(id, with("callback.url", "https://registry.example/api", "callback.auth_type", "none")))
	if found := direct.fieldErrors(); !strings.Contains(found["/callback/url"], "under way") {
		t.Errorf("%s", direct.Body)
	}
	if found := s.want(200, "POST", "/connectors/validate", draft(id, with("name", "x"))).fieldErrors(); len(found) > 0 {
		t.Errorf("%v", found)
	}
	s.store.fail["OpenBatches"] = failure{err: errors.New("storage")}
	s.want(500, "POST", "/connectors/validate", draft(id, with("registry.database", "other")))
}

func TestValidateOfWhatIsNoDraft(t *testing.T) {
	s := newService(t)
	for body, want := range map[string]string{
		`{}`:                    "/configuration",
		`{"configuration": []}`: "/configuration",
		`{"configuration": {}, "connector": "x"}`:                                      "/connector",
		`{"configuration": {}, "conector": "` + "C000" + `"}`:                          "/conector",
		`{"configuration": {"name": "a", "name": "b"}}`:                                "/configuration/name",
		`{"configuration": ` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`: "/configuration" + strings.Repeat("/0", 31),
	} {
		a := s.want(422, "POST", "/connectors/validate", body)
		if found := a.fieldErrors(); len(found) != 1 || found[want] == "" {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
	s.want(404, "POST", "/connectors/validate", draft("C0000000000000000000000099", with()))
	s.want(405, "GET", "/connectors/validate", "")
}
