package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// lines are those of the log about changes.
func (s *service) changes() (lines []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			s.t.Fatalf("%v: %s", err, line)
		}
		if members["change"] != nil {
			lines = append(lines, members)
		}
	}
	s.log.Reset()
	return lines
}

func TestEveryChangeIsOneLineThatSaysWhoAndWhat(t *testing.T) {
	s := newService(t)
	s.caller = connectors.Caller{Name: "f:1234:user-1", Claim: "sub", Role: connectors.Administrator}
	path := s.create()
	id := idOf(path)
	expect := func(what string, want map[string]any) {
		t.Helper()
		lines := s.changes()
		if len(lines) != 1 {
			t.Errorf("%s: %d lines: %v", what, len(lines), lines)
			return
		}
		got := lines[0]
		delete(got, "time")
		for name, value := range map[string]any{"level": "INFO", "msg": "connector changed", "connector": id, "caller": "f:1234:user-1", "caller_claim": "sub"} {
			want[name] = value
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", what, got, want)
		}
	}
	hosts := map[string]any{"mts_host": "https://mts.example.org:443", "registry_host": "https://registry.example.org:443"}
	expect("create", map[string]any{"change": "create", "version": 1., "mts_host": hosts["mts_host"], "registry_host": hosts["registry_host"]})

	s.want(200, "GET", path, "")
	s.want(200, "GET", "/connectors", "")
	s.want(200, "GET", path+"/rejections", "")
	if lines := s.changes(); len(lines) > 0 {
		t.Errorf("reading is a change: %v", lines)
	}
	s.want(200, "PUT", path, with("registry.password", nil), "If-Match", `"1"`)
	expect("replaced by the same", map[string]any{"change": "replace", "version": 2., "fields": nil})
	s.want(200, "PUT", path, with("registry.password", nil, "name", "Maria Cruz", "language", "ara", "interval_minutes", 7, "width_maximum", 3), "If-Match", "*")
	expect("four fields", map[string]any{"change": "replace", "version": 3., "fields": []any{"interval_minutes", "language", "name", "width_maximum"}})
	s.want(200, "PUT", path, with("mts_url", "https://evil.example.net/mts", "registry.username", "other", "registry.password", password), "If-Match", "*")
	expect("another MTS", map[string]any{"change": "replace", "version": 4., "mts_host": "https://evil.example.net:443",
		"fields": []any{"interval_minutes", "language", "mts_url", "name", "registry.password", "registry.username", "width_maximum"}})
	s.want(200, "PUT", path, with("mts_url", "https://evil.example.net/other", "registry.username", "other", "registry.password", nil), "If-Match", "*")
	expect("another path of the MTS", map[string]any{"change": "replace", "version": 5., "fields": []any{"mts_url"}})

	s.want(200, "POST", path+"/start", "")
	expect("start", map[string]any{"change": "start", "version": 5.})
	s.want(200, "POST", path+"/stop", "")
	expect("stop", map[string]any{"change": "stop", "version": 5.})
	s.want(202, "POST", path+"/rejections/retry", `{}`)
	expect("retry all", map[string]any{"change": "retry", "version": 5., "rejections": "all"})
	s.want(202, "POST", path+"/rejections/retry", `{"kind":"conflict"}`)
	expect("retry a kind", map[string]any{"change": "retry", "version": 5., "rejections": "conflict"})
	s.want(202, "POST", path+"/rejections/retry", `{"identifiers":[9,7]}`)
	expect("retry some", map[string]any{"change": "retry", "version": 5., "rejections": "some", "count": 0.})
	s.want(204, "DELETE", path, "", "If-Match", `"5"`)
	expect("delete", map[string]any{"change": "delete", "version": 5.})
}

// Names of fields are in the log, values never.
func TestValuesOfAChangeAreNotLogged(t *testing.T) {
	s := newService(t)
	path := s.create()
	secret := "Zanzibar"
	s.want(200, "PUT", path, with("name", secret, "registry.database", secret, "registry.username", secret, "registry.vid_type", secret,
		"domain", `[["name","=","`+secret+`"]]`), "If-Match", "*")
	if text := s.log.String(); strings.Contains(text, secret) || !strings.Contains(text, "registry.database") {
		t.Error(text)
	}
}

func TestARefusedChangeIsNoChange(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.changes()
	s.want(412, "PUT", path, with(), "If-Match", `"9"`)
	s.want(428, "DELETE", path, "")
	s.want(422, "PUT", path, with("mts_url", "nonsense"), "If-Match", "*")
	s.want(404, "POST", strings.Replace(path, "C", "D", 1)+"/start", "")
	for _, method := range []string{"ReplaceConnector", "DeleteConnector"} {
		s.store.fail[method] = failure{err: fmt.Errorf("item: %w", seeding.ErrConflict)}
	}
	s.want(412, "PUT", path, with(), "If-Match", "*")
	s.want(412, "DELETE", path, "", "If-Match", "*")
	if lines := s.changes(); len(lines) > 0 {
		t.Errorf("%v", lines)
	}
}

// A storage that fails may have written before. Somebody must be able to find out.
func TestAChangeOfUnknownOutcomeIsLogged(t *testing.T) {
	broken := errors.New(password)
	for _, c := range []struct {
		method, change, verb, path, body string
		applied                          bool
	}{
		{"ReplaceConnector", "replace", "PUT", "", with("name", "x"), true},
		{"DeleteConnector", "delete", "DELETE", "", "", false},
		{"SetStatus", "start", "POST", "/start", "", true},
		{"Retry", "retry", "POST", "/rejections/retry", "{}", false},
	} {
		s := newService(t)
		path := s.create()
		s.changes()
		s.store.fail[c.method] = failure{broken, c.applied}
		s.want(500, c.verb, path+c.path, c.body, "If-Match", "*")
		lines := s.changes()
		if len(lines) != 1 || lines[0]["msg"] != "connector perhaps changed" || lines[0]["change"] != c.change || lines[0]["level"] != "WARN" {
			t.Errorf("%s: %v", c.method, lines)
		}
	}
	s := newService(t)
	s.store.fail["CreateConnector"] = failure{broken, false}
	s.want(500, "POST", "/connectors", with())
	if lines := s.changes(); len(lines) != 1 || lines[0]["msg"] != "connector perhaps changed" || lines[0]["caller"] != "amina" {
		t.Errorf("%v", lines)
	}
	// It took effect, although it seemed to fail: that is a change like others.
	s.store.fail["CreateConnector"] = failure{broken, true}
	s.want(201, "POST", "/connectors", with())
	if lines := s.changes(); len(lines) != 1 || lines[0]["msg"] != "connector changed" {
		t.Errorf("%v", lines)
	}
}

// A subject is whatever the issuer says.
func TestAHostileSubjectNeitherBreaksNorForgesALine(t *testing.T) {
	for name, want := range map[string]string{
		"":                       "",
		"user-1":                 "user-1",
		"a\nb":                   `a\nb`,
		`x","caller":"admin`:     `x\",\"caller\":\"admin`,
		"x\r\n{\"change\":1}":    `x\r\n{\"change\":1}`,
		"admin\u202e\u200b":      `admin\u202e\u200b`,
		"\u0430dmin":             `\u0430dmin`, // a Cyrillic letter that looks like a
		"nul\x00\x1b[2Jl":        `nul\x00\x1b[2Jl`,
		"broken\xff":             `broken\xff`,
		`back\slash`:             `back\\slash`,
		strings.Repeat("x", 255): strings.Repeat("x", 255),
		strings.Repeat("x", 256): strings.Repeat("x", 255) + "...",
		strings.Repeat("é", 1e5): strings.Repeat(`\u00e9`, 43)[:255] + "...",
	} {
		s := newService(t)
		s.caller = connectors.Caller{Name: name, Claim: "sub", Role: connectors.Administrator}
		s.create()
		if n := strings.Count(s.log.String(), "\n"); n != 1 {
			t.Errorf("%q: %d lines", name, n)
		}
		if lines := s.changes(); len(lines) != 1 || lines[0]["caller"] != want || lines[0]["change"] != "create" {
			t.Errorf("%q: %v", name, lines)
		}
	}
}

// Without a function that tells who it is, nobody may anything.
func TestUnknownCallersMayNothing(t *testing.T) {
	h := connectors.New(connectors.Options{Store: newStore(), Secrets: &secretStore{values: map[string][]string{}}, Mappings: jq.Mappings{}, Invoker: &invoker{}, CheckDomain: func(string) error { return nil }})
	for _, request := range []string{"POST /connectors", "GET /connectors"} {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequest(method, path, strings.NewReader(with()))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 403 || !strings.Contains(w.Body.String(), "You have none.") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// Each method that changes something is one of those above.
func TestNoOtherMethodChangesAnything(t *testing.T) {
	s := newService(t)
	path := s.create()
	var taken []string
	for _, below := range []string{"/connectors", path, path + "/start", path + "/stop", path + "/runs", path + "/runs/x", path + "/runs/x/batches", path + "/rejections", path + "/rejections/retry",
		path + "/rejections/groups", path + "/duplicates", path + "/changes", path + "/registrants/7"} {
		for method := range strings.SplitSeq(s.want(405, "PATCH", below, "").Header().Get("Allow"), ", ") {
			if method != "GET" {
				taken = append(taken, method+" "+strings.TrimPrefix(below, path))
			}
		}
	}
	slices.Sort(taken)
	if got := strings.Join(taken, ", "); got != "DELETE , POST /connectors, POST /rejections/retry, POST /start, POST /stop, PUT " {
		t.Errorf("%s", got)
	}
}

// What is logged is stored, too, with the change itself: who, what and which values.
func TestChangesAreStoredAndRead(t *testing.T) {
	s := newService(t)
	s.caller = connectors.Caller{Name: "f:1234:user-1\n", Claim: "sub", Role: connectors.Administrator, Shown: " Amina \u202eDiallo\u00e9\n"}
	path := s.create()
	id := idOf(path)
	s.want(200, "PUT", path, with("registry.password", nil, "name", "Maria Cruz", "language", "ara", "interval_minutes", 7, "remove_vids", false,
		"domain", `[["name","=","Zanzibar"]]`, "mapping.name", []string{"x"}, "fields", []string{"x", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"}), "If-Match", "*")
	s.want(200, "PUT", path, with("mts_url", "https://evil.example.net/zanzibar", "registry.username", "Zanzibar", "registry.password", password), "If-Match", "*")
	s.want(200, "POST", path+"/start", "")
	s.want(200, "POST", path+"/stop", "")
	s.want(202, "POST", path+"/rejections/retry", `{"kind":"invalid","code":"ATS-REQ-010"}`)
	s.want(202, "POST", path+"/rejections/retry", `{"identifiers":[9]}`) // which is not there: no change
	s.want(204, "DELETE", path, "", "If-Match", "*")
	s.want(404, "GET", path, "")

	a := s.want(200, "GET", path+"/changes", "")
	var list []map[string]any
	for _, one := range a.body["changes"].([]any) {
		list = append(list, one.(map[string]any))
	}
	kinds := []string{"delete", "retry", "stop", "start", "replace", "replace", "create"}
	for i, kind := range kinds {
		if i >= len(list) || list[i]["change"] != kind {
			t.Fatalf("%d is no %s: %s", i, kind, a.Body)
		}
		if by := fmt.Sprint(list[i]["by"]); by != `map[claim:sub name:Amina Dialloé subject:f:1234:user-1\n]` {
			t.Errorf("%s", by)
		}
	}
	if strings.Contains(a.Body.String(), "anzibar") || strings.Contains(a.Body.String(), "Maria") || strings.Contains(a.Body.String(), password) {
		t.Errorf("values that may name a person: %s", a.Body)
	}
	fields := func(of map[string]any) string {
		var texts []string
		for _, f := range of["fields"].([]any) {
			f := f.(map[string]any)
			texts = append(texts, fmt.Sprintf("%v:%v>%v", f["name"], f["before"], f["after"]))
		}
		return strings.Join(texts, " ")
	}
	const none = "<nil>"
	if got := fields(list[6]); got != "mts_url:"+none+">https://mts.example.org:443 registry.url:"+none+">https://registry.example.org:443" {
		t.Errorf("create: %s", got)
	}
	if got := fields(list[5]); got != "domain:<nil>><nil> fields:<nil>><nil> interval_minutes:60>7 language:eng>ara mapping.name:<nil>><nil> name:<nil>><nil> remove_vids:true>false" {
		t.Errorf("replace: %s", got)
	}
	if got := fields(list[4]); !strings.Contains(got, "mts_url:https://mts.example.org:443>https://evil.example.net:443") || !strings.Contains(got, "registry.password:<nil>><nil>") {
		t.Errorf("replace: %s", got)
	}
	if got := fmt.Sprint(list[1]["rejections"]); got != "map[code:ATS-REQ-010 kind:invalid]" {
		t.Errorf("retry: %s", got)
	}
	for _, limit := range []int{1, 3, 7, 8} {
		if got := s.pages(path+"/changes", "changes", "change", limit); !slices.Equal(got, kinds) {
			t.Errorf("by %d: %q", limit, got)
		}
	}
	if got := s.store.changes; len(got) != len(kinds) || got[0].Connector != id {
		t.Errorf("%d changes are stored", len(got))
	}
	s.want(404, "GET", "/connectors/C0000000000000000000000099/changes", "")
	s.want(404, "GET", "/connectors/x/changes", "")
}

// The stored change and the line of the log tell the same of every address, also of
// one of a callback, which may have a query. What is in the query is told by neither.
func TestChangeAndLogNameTheSameOrigins(t *testing.T) {
	s := newService(t)
	const query = "?id_type=MOSIP%20VID&key=topaz"
	callback := map[string]any{
		"url": "https://Receiver.example.org/api/v1/" + query, "http_method": "PUT", "auth_type": "odoo",
		"auth_url": "https://sign.example.org:8443/in" + query, "auth_database": "g2p", "auth_username": "mts", "auth_password": "hunter3",
	}
	path := s.create()
	s.changes()
	s.want(200, "PUT", path, with("callback", callback, "mts_url", "https://mts.example.net/mts", "registry.url", "https://other.example.org/web/login"), "If-Match", "*")
	logged := s.changes()[0]
	last := s.store.changes[len(s.store.changes)-1]
	stored := map[string]string{}
	for _, f := range last.Fields {
		stored[f.Name] = f.After
	}
	for field, attribute := range map[string]string{
		"mts_url": "mts_host", "registry.url": "registry_host", "callback.url": "callback_host", "callback.auth_url": "callback_auth_host",
	} {
		if origin, _ := logged[attribute].(string); origin == "" || stored[field] != `"`+origin+`"` {
			t.Errorf("%s: the log has %q, the change %s", field, origin, stored[field])
		}
	}
	if stored["callback.url"] != `"https://receiver.example.org:443"` || stored["callback.auth_url"] != `"https://sign.example.org:8443"` {
		t.Errorf("%v", stored)
	}
	if text := fmt.Sprint(logged, last); strings.Contains(text, "topaz") || strings.Contains(text, "hunter") || strings.Contains(text, "id_type") {
		t.Error(text)
	}
	// Another query at the same host is a change without values.
	callback["url"] = "https://receiver.example.org/api/v1/?id_type=X"
	s.want(200, "PUT", path, with("callback", callback, "mts_url", "https://mts.example.net/mts", "registry.url", "https://other.example.org"), "If-Match", "*")
	for _, f := range s.store.changes[len(s.store.changes)-1].Fields {
		if f.Name == "callback.url" && (f.Before != "" || f.After != "") {
			t.Errorf("%+v", f)
		}
	}
}
