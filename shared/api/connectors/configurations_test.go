package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

func TestReadChangeAndSendBack(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	read := s.want(200, "GET", path, "")
	read.body["name"] = "Laguna, second"
	body, _ := json.Marshal(read.body)
	s.now = s.now.Add(time.Hour)

	changed := s.want(200, "PUT", path, string(body), "If-Match", read.Header().Get("ETag"))
	if changed.Header().Get("ETag") != `"2"` || changed.body["name"] != "Laguna, second" || changed.body["version"] != 2.0 ||
		changed.body["created"] != "2026-11-21T09:00:00Z" || changed.body["updated"] != "2026-11-21T10:00:00Z" {
		t.Errorf("%v", changed.body)
	}
	if len(s.secrets.stored(id)) != 1 || s.store.connectors[id].Secrets[seeding.RegistryPassword] != "version-1" {
		t.Errorf("the password was not kept: %v", s.store.connectors[id].Secrets)
	}
	// A member that is left out gets its default, as in a new configuration.
	s.want(200, "PUT", path, with("registry.password", nil, "language", "ara"), "If-Match", `"2"`)
	if c := s.store.connectors[id]; c.MTS.Language != "ara" || c.Name != "Registry of Laguna" || c.Version != 3 {
		t.Errorf("%+v", c)
	}
	s.want(200, "PUT", path, with("registry.password", "hunter2"), "If-Match", `W/"9", "3"`)
	if c := s.store.connectors[id]; c.Secrets[seeding.RegistryPassword] != "version-2" || !slices.Equal(s.secrets.stored(id), []string{password, "hunter2"}) {
		t.Errorf("%+v", c.Secrets)
	}
	s.want(200, "PUT", path, with("registry.password", nil), "If-Match", `*`)
}

func TestPreconditions(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, method := range []string{"PUT", "DELETE"} {
		s.want(428, method, path, with())
		for _, tag := range []string{`"2"`, `2`, `W/"2"`, `"x"`} {
			s.want(412, method, path, with(), "If-Match", tag)
		}
	}
	// Changed between our read and our write.
	for _, method := range []string{"PUT", "DELETE"} {
		s.store.fail[map[string]string{"PUT": "ReplaceConnector", "DELETE": "DeleteConnector"}[method]] = failure{err: fmt.Errorf("item: %w", seeding.ErrConflict)}
		s.want(412, method, path, with(), "If-Match", `"1"`)
	}
	if c := s.store.connectors[idOf(path)]; c.Version != 1 || c.Secrets[seeding.RegistryPassword] != "version-1" {
		t.Errorf("%+v", c)
	}
}

// What is polled is sent again only if it has changed, and the tag of what GET showed
// serves for a change, whatever its state is by then.
func TestWhatIsPolledHasATag(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, key := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	s.store.runs["r1"] = seeding.Run{ID: "r1", Connector: id, Version: 1, Started: s.now}
	check := s.want(202, "POST", path+"/check", "").Header().Get("Location")
	s.store.rejections = append(s.store.rejections, seeding.Rejection{Registry: key, Connector: id, Subject: seeding.Member{Registrant: 4, Identifier: 5}.Subject(), Kind: seeding.Refused})
	for _, at := range []string{path, "/connectors", path + "/runs", path + "/runs/r1", path + "/runs/r1/batches", path + "/rejections", path + "/imports", path + "/runs/r1/registrants", check, "/me"} {
		a := s.want(200, "GET", at, "")
		tag := a.Header().Get("ETag")
		if again := s.want(200, "GET", at, ""); tag == "" || again.Header().Get("ETag") != tag {
			t.Errorf("%s: %q, then %q", at, tag, again.Header().Get("ETag"))
		}
		for _, known := range []string{tag, `"x", ` + tag, "W/" + tag, "*", strings.TrimSuffix(tag, `"`) + `-gzip"`} {
			if unchanged := s.want(304, "GET", at, "", "If-None-Match", known); unchanged.Body.Len() > 0 || unchanged.Header().Get("ETag") != tag {
				t.Errorf("%s: %v %s", at, unchanged.Header(), unchanged.Body)
			}
		}
		s.want(200, "GET", at, "", "If-None-Match", `"1"`)
	}
	before := s.want(200, "GET", path, "").Header().Get("ETag")
	s.want(200, "POST", path+"/start", "")
	a := s.want(200, "GET", path, "", "If-None-Match", before)
	if a.Header().Get("ETag") == before || !strings.HasPrefix(before, `"1.`) {
		t.Errorf("%s after a start: %s", before, a.Header().Get("ETag"))
	}
	s.want(200, "PUT", path, with("registry.password", nil), "If-Match", before)
	s.want(412, "PUT", path, with("registry.password", nil), "If-Match", before)
	s.want(412, "PUT", path, with("registry.password", nil), "If-Match", `"2.x"`)
	s.want(412, "DELETE", path, "", "If-Match", `"2.0123456789abcdef.0"`)
	s.want(204, "DELETE", path, "", "If-Match", `W/"2.0123456789abcdef-gzip"`)
}

type throttled struct{ error }

func (throttled) Throttled() bool { return true }

// Whoever meets busy tables is told when to come again.
func TestBusyTablesAskToComeAgain(t *testing.T) {
	s := newService(t)
	path := s.create()
	for method, c := range map[string][2]string{"State": {"GET", path}, "SetStatus": {"POST", path + "/stop"}} {
		s.store.fail[method] = failure{err: fmt.Errorf("wrapped: %w", throttled{errors.New(password)})}
		if a := s.want(503, c[0], c[1], ""); a.Header().Get("Retry-After") != "5" || a.body["type"] != "/openapi.json#/x-problems/busy" {
			t.Errorf("%v %s", a.Header(), a.Body)
		}
	}
}

// An editor must not be able to send the stored password to another registry: to
// another host, or to another tenant of the same one.
func TestAnotherRegistryAsksForThePassword(t *testing.T) {
	for address, asks := range map[string]bool{
		"https://registry.example.org":             false,
		"https://REGISTRY.example.org:443/":        false,
		"https://registry.example.org/web/login":   false, // a page of it
		"https://registry.example.org/evil/tenant": true,
		"https://registry.example.org/evil/web":    true,
		"https://evil.example.org":                 true,
		"http://registry.example.org":              true,
		"https://registry.example.org:8443":        true,
		"https://registry.example.org.evil.com":    true,
	} {
		s := newService(t)
		path := s.create()
		a := s.do("PUT", path, with("registry.password", nil, "registry.url", address), "If-Match", `"1"`)
		if asks && (a.Code != 422 || !strings.Contains(a.fieldErrors()["/registry/password"], "another address or database")) || !asks && a.Code != 200 {
			t.Errorf("%s: %d %s", address, a.Code, a.Body)
		}
		s.want(200, "PUT", path, with("registry.password", "hunter2", "registry.url", address), "If-Match", "*")
	}
	s := newService(t)
	path := s.create()
	a := s.want(422, "PUT", path, with("registry.password", nil, "registry.database", "evil"), "If-Match", `"1"`)
	if !strings.Contains(a.fieldErrors()["/registry/password"], "another address or database") {
		t.Errorf("database: %s", a.Body)
	}
}

// One normalisation compares and calls: the small letter of U+0130 is "i", and
// the stored password would go to a host that only looks like the registry's.
func TestLookAlikeHostIsRefused(t *testing.T) {
	s := newService(t)
	path := s.create("registry.url", "https://registry.ministry.example")
	for pointer, change := range map[string]string{"/registry/url": "registry.url", "/mts_url": "mts_url"} {
		for host, punycode := range map[string]string{
			"reg\u0130stry.ministry.example":        "xn--",
			"registry.m\u0131nistry.example":        "registry.xn--",
			"r\u0435gistry.ministry.example":        "xn--", // a Cyrillic letter
			"registry.ministry\u200b.example":       "U+200B",
			"registry\u3002ministry.example":        "registry.ministry.example",
			"\uff52egistry.ministry.example":        "registry.ministry.example",
			"registry.\u202eyrtsinim\u202c.example": "U+202E",
		} {
			a := s.want(422, "PUT", path, with("registry.password", nil, change, "https://"+host), "If-Match", `"1"`)
			if detail := a.fieldErrors()[pointer]; !strings.Contains(detail, "punycode it is "+punycode) && !strings.Contains(detail, "cannot be seen ("+punycode) {
				t.Errorf("%s: %s", pointer, detail)
			}
			if strings.ContainsFunc(a.Body.String(), func(r rune) bool { return r > '~' }) {
				t.Errorf("%s is shown as it was written: %s", pointer, a.Body)
			}
		}
	}
	if c := s.store.connectors[idOf(path)]; c.Version != 1 {
		t.Errorf("saved: %+v", c)
	}
	// The host of the punycode is another one.
	a := s.want(422, "PUT", path, with("registry.password", nil, "registry.url", "https://xn--registry-h4e.ministry.example"), "If-Match", `"1"`)
	if !strings.Contains(a.fieldErrors()["/registry/password"], "another address or database") {
		t.Errorf("%s", a.Body)
	}
}

func TestOpenBatches(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	c := s.store.connectors[id]
	s.store.batches = []seeding.Batch{{Ref: seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "r1", Batch: "b1"}, State: seeding.Submitted}}
	state := s.store.states[id]
	state.Run = "r1"
	s.store.states[id] = state

	for _, changes := range [][]any{
		{"registry.database", "other"},
		{"registry.url", "https://registry.example.org/odoo16"},
		{"registry.url", "https://other.example.org"},
	} {
		a := s.want(409, "PUT", path, with(changes...), "If-Match", `"1"`)
		if !strings.Contains(fmt.Sprint(a.body["detail"]), "Stop the connector") {
			t.Errorf("%v", a.body)
		}
	}
	if len(s.secrets.stored(id)) != 1 {
		t.Error("a refused request stored a password")
	}
	s.want(200, "PUT", path, with("interval_minutes", 5), "If-Match", `"1"`) // anything else may change
	s.want(409, "DELETE", path, "", "If-Match", `"2"`)

	s.store.batches[0].State = seeding.Patched
	s.want(200, "PUT", path, with("registry.database", "other"), "If-Match", `"2"`)
	s.want(204, "DELETE", path, "", "If-Match", `"3"`)
}

func TestDeleteDeletesTheSecret(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.want(204, "DELETE", path, "", "If-Match", `"1"`)
	if len(s.secrets.values)+len(s.store.connectors) > 0 {
		t.Error("something is left")
	}
	s.want(404, "GET", path, "")

	path = s.create()
	s.secrets.fail["Delete"] = errors.New("no answer")
	a := s.want(500, "DELETE", path, "", "If-Match", `"1"`)
	if !strings.Contains(fmt.Sprint(a.body["detail"]), "same request again") || len(s.secrets.values) != 1 {
		t.Errorf("%v", a.body)
	}
	s.want(404, "DELETE", path, "", "If-Match", `"1"`)
	if len(s.secrets.values) > 0 {
		t.Error("the secret is left")
	}
}

// A create that fails leaves no secret; one that took effect, though it seemed
// to fail, is a success.
func TestCreateThatFails(t *testing.T) {
	broken := errors.New(password) // the text of an error is not shown
	for name, c := range map[string]struct {
		method  string
		failure failure
		status  int
		secrets int
	}{
		"not stored":          {"CreateConnector", failure{broken, false}, 500, 0},
		"stored nevertheless": {"CreateConnector", failure{broken, true}, 201, 1},
		"conflict":            {"CreateConnector", failure{seeding.ErrConflict, false}, 409, 0},
		"stored, not read":    {"State", failure{broken, false}, 500, 1},
	} {
		s := newService(t)
		s.store.fail[c.method] = c.failure
		s.want(c.status, "POST", "/connectors", with())
		if len(s.secrets.values) != c.secrets || len(s.store.connectors) != c.secrets {
			t.Errorf("%s: %d secrets, %d connectors", name, len(s.secrets.values), len(s.store.connectors))
		}
		if c.status == 500 && !strings.Contains(s.log.String(), "errors.errorString") {
			t.Errorf("%s: the kind is not logged: %s", name, s.log.String())
		}
	}
	s := newService(t)
	s.secrets.fail["Put"] = broken
	s.want(500, "POST", "/connectors", with())
	if len(s.store.connectors) > 0 {
		t.Error("a connector without password")
	}
}

func TestStartAndStop(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	a := s.want(200, "POST", path+"/start", "")
	if a.body["status"] != "running" || a.body["due"] != "2026-11-21T09:00:00Z" || !slices.Equal(s.invoker.invoked, []string{id}) {
		t.Errorf("%v %v", a.body, s.invoker.invoked)
	}
	s.invoker.err = errors.New(password)
	s.want(200, "POST", path+"/start", "") // an invocation may be lost
	a = s.want(200, "POST", path+"/stop", "")
	if a.body["status"] != "stopped" || a.body["due"] != nil || len(s.invoker.invoked) != 2 {
		t.Errorf("%v %v", a.body, s.invoker.invoked)
	}
}

func TestProblemsAreShown(t *testing.T) {
	s := newService(t)
	path := s.create()
	state := s.store.states[idOf(path)]
	state.Status, state.Run, state.Due = seeding.Running, "run1", s.now.Add(time.Minute)
	state.Problems = map[seeding.Source]seeding.Problem{
		seeding.ProblemSignIn: {Code: "access_denied", Named: seeding.Named{Fault: "AccessDenied", Field: "f", Server: "registry", Address: "https://a", Count: 2}, Text: "The registry refuses the sign-in.", Remedy: "Check the password.", Since: s.now, Attempts: 2, Next: s.now.Add(2 * time.Minute)},
		seeding.ProblemUnlink: {Text: "VIDs stay.", Remedy: "Give the right.", Since: s.now},
	}
	s.store.states[idOf(path)] = state
	want := map[string]any{
		"sign_in": map[string]any{"source": "sign_in", "code": "access_denied", "params": map[string]any{"count": 2, "fault": "AccessDenied", "field": "f", "server": "registry", "address": "https://a"}, "text": "The registry refuses the sign-in.", "remedy": "Check the password.",
			"since": "2026-11-21T09:00:00Z", "next_probe": "2026-11-21T09:02:00Z"},
		"unlink": map[string]any{"source": "unlink", "code": "unlink", "text": "VIDs stay.", "remedy": "Give the right.", "since": "2026-11-21T09:00:00Z",
			"next_probe": "2026-11-21T09:02:00Z"}, // with the probe of the other, which blocks
	}
	for _, body := range []map[string]any{
		s.want(200, "GET", path, "").body,
		s.want(200, "GET", "/connectors", "").body["connectors"].([]any)[0].(map[string]any),
	} {
		if fmt.Sprint(body["problems"]) != fmt.Sprint(want) || body["run"] != "run1" || body["due"] != "2026-11-21T09:01:00Z" {
			t.Errorf("%v", body)
		}
	}
}

// What each server's problems are made of is what the API says of them: each reply is
// held against the contract.
func TestProblemsOfEachServerAreShown(t *testing.T) {
	fault := &seeding.Fault{Kind: seeding.Unreachable, Code: "NotCentral", Field: "x_field"}
	source, ofRegistry := seeding.RegistryProblem(fault, seeding.ProblemRead)
	for source, d := range map[seeding.Source]seeding.Description{
		source: ofRegistry, seeding.ProblemMTS: seeding.MTSProblem(fault), seeding.ProblemReply: seeding.ReplyProblem(fault, false), seeding.ProblemODK: seeding.ODKProblem(fault),
	} {
		s := newService(t)
		path := s.create()
		state := s.store.states[idOf(path)]
		state.Problems = map[seeding.Source]seeding.Problem{source: {Code: d.Code, Named: d.Named, Text: d.Text, Remedy: d.Remedy, Since: s.now}}
		s.store.states[idOf(path)] = state
		shown := s.want(200, "GET", path, "").body["problems"].(map[string]any)[string(source)].(map[string]any)
		if params := shown["params"].(map[string]any); params["server"] != d.Named.Server || d.Named.Server == "" {
			t.Errorf("%s: %v", source, shown)
		}
		s.want(200, "GET", "/connectors", "")
	}
}

// While the registry is away the next probe is at the end of its outage, which
// others may have moved since the problem was raised; and no time is in the past.
func TestNextProbeFollowsTheOutageOfTheRegistry(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	state := s.store.states[id]
	state.Status, state.Run, state.Due = seeding.Running, "run1", s.now.Add(-time.Minute)
	state.Problems = map[seeding.Source]seeding.Problem{seeding.ProblemRegistry: {Since: s.now.Add(-2 * time.Minute), Next: s.now.Add(-time.Minute)}}
	s.store.states[id] = state
	for until, want := range map[time.Duration]string{-time.Minute: "2026-11-21T09:00:00Z", 2 * time.Minute: "2026-11-21T09:02:00Z"} {
		key := s.store.connectors[id].RegistryKey()
		s.store.registries = map[string]seeding.RegistryState{key: {OutageUntil: s.now.Add(until)}}
		for _, body := range []map[string]any{
			s.want(200, "GET", path, "").body,
			s.want(200, "GET", "/connectors", "").body["connectors"].([]any)[0].(map[string]any),
		} {
			problem := body["problems"].(map[string]any)["registry"].(map[string]any)
			if problem["next_probe"] != want || body["due"] != want {
				t.Errorf("next probe %v, due %v, want %v", problem["next_probe"], body["due"], want)
			}
		}
		// A start clears the problem, and not the outage.
		s.store.states[id] = seeding.State{Connector: id, Registry: key, Status: seeding.Running, Run: "run1", Due: s.now}
		if body := s.want(200, "POST", path+"/start", "").body; len(body["problems"].(map[string]any)) > 0 || body["due"] != want {
			t.Errorf("started: %v, due %v, want %v", body["problems"], body["due"], want)
		}
		s.store.states[id] = state
	}
}

func TestDefaultIDs(t *testing.T) {
	s := newStore()
	h := connectors.New(connectors.Options{Store: s, Secrets: &secretStore{values: map[string][]string{}}, Mappings: jq.Mappings{}, Invoker: &invoker{}, CheckDomain: func(string) error { return nil },
		Caller: func(*http.Request) connectors.Caller { return connectors.Caller{Role: connectors.Administrator} }})
	for range 3 {
		r := httptest.NewRequest("POST", "/connectors", strings.NewReader(with()))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		get := httptest.NewRecorder()
		h.ServeHTTP(get, httptest.NewRequest("GET", w.Header().Get("Location"), nil))
		if w.Code != 201 || get.Code != 200 {
			t.Fatalf("%d %s %d", w.Code, w.Body, get.Code)
		}
	}
	if len(s.connectors) != 3 {
		t.Errorf("%d connectors", len(s.connectors))
	}
}
