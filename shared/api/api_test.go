package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

const password = "correct horse battery staple"

// service is the API on fakes. Whatever it answers or logs is searched for the
// passwords that were sent to it.
type service struct {
	t       *testing.T
	handler http.Handler
	store   *store
	vault   *vault
	invoker *invoker
	now     time.Time
	log     bytes.Buffer
}

func newService(t *testing.T) *service {
	s := &service{t: t, store: newStore(), vault: &vault{values: map[string][]string{}, fail: map[string]error{}}, invoker: &invoker{},
		now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	serial := 0
	s.handler = api.New(api.Options{
		Store: s.store, Secrets: s.vault, Mappings: jq.Mappings{}, Invoker: s.invoker,
		CheckDomain: func(domain string) error {
			if strings.Contains(domain, "child_of") {
				return errors.New("child_of is not supported")
			}
			return nil
		},
		Now:   func() time.Time { return s.now },
		NewID: func() string { serial++; return fmt.Sprintf("C%025d", serial) },
		Log:   slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(func() {
		if strings.Contains(s.log.String(), password) {
			t.Errorf("a password was logged: %s", s.log.String())
		}
	})
	return s
}

type answer struct {
	*httptest.ResponseRecorder
	body map[string]any
}

func (s *service) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if text := w.Body.String(); strings.Contains(text, password) || strings.Contains(text, "hunter2") {
		s.t.Errorf("a secret was answered: %s", text)
	}
	a := answer{ResponseRecorder: w}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	if w.Code >= 400 {
		if w.Header().Get("Content-Type") != "application/problem+json" || a.body["title"] == "" || a.body["status"] != float64(w.Code) ||
			len(fmt.Sprint(a.body["detail"])) < 10 {
			s.t.Errorf("%s %s: no problem: %v %s", method, path, w.Header(), w.Body)
		}
	}
	return a
}

func (s *service) want(status int, method, path, body string, header ...string) answer {
	s.t.Helper()
	a := s.do(method, path, body, header...)
	if a.Code != status {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Code, status, a.Body)
	}
	return a
}

// faults by pointer, or by parameter.
func (a answer) faults() map[string]string {
	found := map[string]string{}
	list, _ := a.body["errors"].([]any)
	for _, one := range list {
		f := one.(map[string]any)
		at, is := f["pointer"].(string)
		if !is {
			at = fmt.Sprint("?", f["parameter"])
		}
		found[at] = fmt.Sprint(f["detail"])
	}
	return found
}

// with returns the smallest good configuration, changed: "registry.url", value
// and so on; a nil value takes the member out.
func with(changes ...any) string {
	c := map[string]any{
		"name": "Registry of Laguna", "mts_url": "https://mts.example.org",
		"registry": map[string]any{"url": "https://registry.example.org", "database": "g2p", "username": "connector", "password": password},
	}
	for i := 0; i < len(changes); i += 2 {
		at := c
		path := strings.Split(changes[i].(string), ".")
		for _, name := range path[:len(path)-1] {
			deeper, is := at[name].(map[string]any)
			if !is {
				deeper = map[string]any{}
				at[name] = deeper
			}
			at = deeper
		}
		if changes[i+1] == nil {
			delete(at, path[len(path)-1])
		} else {
			at[path[len(path)-1]] = changes[i+1]
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

type null struct{}

func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// create returns the path of a new connector.
func (s *service) create(changes ...any) string {
	s.t.Helper()
	return s.want(201, "POST", "/connectors", with(changes...)).Header().Get("Location")
}

func idOf(path string) string { return strings.TrimPrefix(path, "/connectors/") }

func TestCreateFillsInWhatFits(t *testing.T) {
	s := newService(t)
	a := s.want(201, "POST", "/connectors", with())
	if a.Header().Get("ETag") != `"1"` || a.Header().Get("Location") != "/connectors/C0000000000000000000000001" {
		t.Errorf("%v", a.Header())
	}
	want := `{
		"id": "C0000000000000000000000001", "version": 1, "status": "stopped", "problems": {},
		"name": "Registry of Laguna", "mts_url": "https://mts.example.org", "input_type": "registry",
		"mapping": {"vid": "vid", "name": ["given_name", "family_name"], "gender": "gender", "dob": "birthdate",
			"phoneNumber": "phone", "emailId": "email", "fullAddress": ["address"]},
		"output_type": "json", "output_format": "", "delivery_type": "callback", "job_type": "recurring", "language": "eng",
		"interval_minutes": 60,
		"domain": "[[\"is_registrant\",\"=\",true],[\"reg_ids.id_type\",\"=like\",\"MOSIP VID\"],\"!\",[\"reg_ids.id_type\",\"=like\",\"MOSIP UIN TOKEN\"]]",
		"fields": ["id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"],
		"callback": {"url": "", "http_method": "POST", "timeout_seconds": 30, "auth_type": "static_bearer",
			"auth_database": "", "auth_username": "", "auth_password_set": false},
		"registry": {"url": "https://registry.example.org", "database": "g2p", "username": "connector",
			"vid_type": "MOSIP VID", "token_type": "MOSIP UIN TOKEN", "password_set": true},
		"mandatory_fields": ["name", "gender", "dob", "fullAddress"], "batch_maximum": 1000, "remove_vids": true,
		"created": "2026-11-21T09:00:00Z", "updated": "2026-11-21T09:00:00Z"}`
	var expected map[string]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	for name := range maps.Keys(expected) {
		if fmt.Sprint(a.body[name]) != fmt.Sprint(expected[name]) {
			t.Errorf("%s:\n got %v\nwant %v", name, a.body[name], expected[name])
		}
	}
	for name := range maps.Keys(a.body) {
		if _, known := expected[name]; !known {
			t.Errorf("%s was not expected", name)
		}
	}
	id := idOf(a.Header().Get("Location"))
	if got := s.vault.stored(id); !slices.Equal(got, []string{password}) {
		t.Errorf("stored %d passwords", len(got))
	}
	if v := s.store.connectors[id].Secrets[seeding.RegistryPassword]; v != "version-1" {
		t.Errorf("the configuration names %q", v)
	}
}

func TestAcceptedForms(t *testing.T) {
	for name, c := range map[string]struct {
		changes []any
		check   func(seeding.Connector) bool
	}{
		"slashes at the end": {[]any{"mts_url", "https://MTS.example.org/seeder//", "registry.url", "http://10.0.0.7:8069/"}, func(c seeding.Connector) bool {
			return c.MTS.URL == "https://MTS.example.org/seeder" && c.Registry.URL == "http://10.0.0.7:8069"
		}},
		"domain as JSON": {[]any{"domain", []any{[]any{"age", ">=", 18}}}, func(c seeding.Connector) bool { return c.Source.Domain == `[["age",">=",18]]` }},
		"domain as text": {[]any{"domain", ` [ ["age", ">=", 18.50] ] `}, func(c seeding.Connector) bool { return c.Source.Domain == `[["age",">=",18.50]]` }},
		"domain of the types": {[]any{"registry.vid_type", "VID", "registry.token_type", "Token <1>"}, func(c seeding.Connector) bool {
			return strings.Contains(c.Source.Domain, `"=like","VID"`) && strings.Contains(c.Source.Domain, `"Token <1>"`)
		}},
		"nothing mandatory": {[]any{"mandatory_fields", []any{}, "fields", []any{"name"}}, func(c seeding.Connector) bool { return c.Source.Mandatory != nil && len(c.Source.Mandatory) == 0 }},
		"null is the default": {[]any{"interval_minutes", null{}, "mapping", null{}, "callback", null{}, "output_format", null{}, "domain", null{}}, func(c seeding.Connector) bool {
			return c.Schedule.Interval == time.Hour && c.Source.Mapping.DOB == "birthdate"
		}},
		"empty callback texts": {[]any{"callback.url", "", "callback.auth_password", "", "output_format", ""}, func(seeding.Connector) bool { return true }},
		"limits": {[]any{"interval_minutes", 10080, "batch_maximum", 1, "callback.timeout_seconds", 300, "remove_vids", false, "language", "ara"}, func(c seeding.Connector) bool {
			return c.MTS.BatchMaximum == 1 && !c.Output.RemoveVIDs && c.MTS.Language == "ara"
		}},
		"relation":            {[]any{"fields", []any{"name", "gender", "birthdate", "state_id"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{"state_id[1]"}}, func(seeding.Connector) bool { return true }},
		"text and relation":   {[]any{"fields", []any{"name", "gender", "birthdate", "street", "state_id"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{`street + ", " + .state_id[1]`}}, func(seeding.Connector) bool { return true }},
		"date":                {[]any{"mapping.dob", `birthdate | strptime("%Y-%m-%d") | strftime("%Y/%m/%d")`}, func(seeding.Connector) bool { return true }},
		"a country's words":   {[]any{"mapping.gender", `gender | if . == "Babae" then "Female" else null end`}, func(seeding.Connector) bool { return true }},
		"one name is enough":  {[]any{"mapping.name", []any{"missing", "family_name"}}, func(seeding.Connector) bool { return true }},
		"number as text":      {[]any{"fields", []any{"id", "name", "gender", "birthdate", "zip"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{"zip|tostring"}}, func(seeding.Connector) bool { return true }},
		"four fields at once": {[]any{"fields", []any{"a", "b", "c", "d", "e"}, "mandatory_fields", []any{"name"}, "mapping.name", []any{`a[1] + .b[1] + .c + .d`}}, func(seeding.Connector) bool { return true }},
		"phone as number":     {[]any{"mandatory_fields", []any{"phoneNumber"}, "mapping.phoneNumber", `phone|tonumber`}, func(seeding.Connector) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			if c2 := s.store.connectors[idOf(s.create(c.changes...))]; !c.check(c2) {
				t.Errorf("%+v", c2)
			}
		})
	}
}

// Every wrong field is named, and nothing is saved (facts/mts.md D11, D12, D20
// to D23, D30).
func TestWrongFields(t *testing.T) {
	for name, c := range map[string]struct {
		changes []any
		want    map[string]string // pointer to a part of the detail
	}{
		"nothing given": {[]any{"name", nil, "mts_url", nil, "registry", nil}, map[string]string{
			"/name": "required", "/mts_url": "required", "/registry/url": "required", "/registry/database": "required",
			"/registry/username": "required", "/registry/password": "required"}},
		"wrong types": {[]any{"name", 7, "mts_url", true, "interval_minutes", "60", "batch_maximum", 1.5, "remove_vids", "yes",
			"fields", "id", "mandatory_fields", map[string]any{}, "language", []any{}, "domain", 5, "mapping.vid", 1, "mapping.name", "given_name",
			"callback.timeout_seconds", "30", "registry.url", 1, "registry.password", 12345, "registry.vid_type", []any{"x"}}, map[string]string{
			"/name": "text", "/mts_url": "text", "/interval_minutes": "number", "/batch_maximum": "whole", "/remove_vids": "true or false",
			"/fields": "list", "/mandatory_fields": "list", "/language": "text", "/domain": "list", "/mapping/vid": "text", "/mapping/name": "list",
			"/callback/timeout_seconds": "number", "/registry/url": "text", "/registry/password": "text", "/registry/vid_type": "text"}},
		"no objects": {[]any{"mapping", []any{}, "callback", "x", "registry", 1}, map[string]string{
			"/mapping": "object", "/callback": "object", "/registry": "object"}},
		"unknown fields": {[]any{"url", "x", "a/b~c", 1, "registry.passwort", "hunter2", "callback.bulk", true, "mapping.phone", "phone", "id", "x", "status", "running"}, map[string]string{
			"/url": "not a field", "/a~1b~0c": "not a field", "/registry/passwort": "not a field", "/callback/bulk": "not a field",
			"/mapping/phone": "not a field", "/id": "not a field", "/status": "not a field"}},
		"numbers out of range": {[]any{"interval_minutes", 0, "batch_maximum", 1001, "callback.timeout_seconds", 1e99}, map[string]string{
			"/interval_minutes": "from 1 to 10080", "/batch_maximum": "from 1 to 1000", "/callback/timeout_seconds": "whole"}},
		"what comes later": {[]any{"input_type", "odk", "output_format", ".output", "job_type", "onetime", "callback.url", "https://registry.example.org/cb",
			"callback.http_method", "PUT", "callback.auth_type", "odoo", "callback.auth_database", "g2p", "callback.auth_username", "u", "callback.auth_password", "hunter2"}, map[string]string{
			"/input_type": "comes later", "/output_format": "comes later", "/job_type": "come later", "/callback/url": "comes later",
			"/callback/http_method": "comes later", "/callback/auth_type": "comes later", "/callback/auth_database": "comes later",
			"/callback/auth_username": "comes later", "/callback/auth_password": "comes later"}},
		"no such choice": {[]any{"input_type", "csv", "output_type", "xml", "delivery_type", "download", "callback.auth_type", "basic"}, map[string]string{
			"/input_type": `"registry"`, "/output_type": `"json"`, "/delivery_type": "callback", "/callback/auth_type": "static_bearer"}},
		"addresses": {[]any{"mts_url", "mts.example.org", "registry.url", "https://user:hunter2@registry.example.org"}, map[string]string{
			"/mts_url": "such as", "/registry/url": "user name"}},
		"more addresses":  {[]any{"mts_url", "https://mts.example.org/authtoken/json", "registry.url", "https://registry.example.org?db=g2p"}, map[string]string{"/mts_url": "without /authtoken", "/registry/url": "before ?"}},
		"and more":        {[]any{"mts_url", "ftp://mts.example.org", "registry.url", "https://registry.example.org/#"}, map[string]string{"/mts_url": "such as", "/registry/url": "before ?"}},
		"ports":           {[]any{"mts_url", "http://mts.example.org:70000", "registry.url", "http://"}, map[string]string{"/mts_url": "port", "/registry/url": "such as"}},
		"texts":           {[]any{"name", " x", "registry.database", "a\nb", "registry.username", "", "language", "english"}, map[string]string{"/name": "space", "/registry/database": "control", "/registry/username": "empty", "/language": "three letters"}},
		"too long":        {[]any{"name", strings.Repeat("x", 101), "registry.password", strings.Repeat("x", 4001)}, map[string]string{"/name": "100", "/registry/password": "4000"}},
		"empty password":  {[]any{"registry.password", ""}, map[string]string{"/registry/password": "empty"}},
		"same types":      {[]any{"registry.vid_type", "X", "registry.token_type", "X"}, map[string]string{"/registry/token_type": "another"}},
		"lists":           {[]any{"fields", []any{"id", "id", "", "a.b", "vid", 5, "address"}, "mandatory_fields", []any{"name", "name", "vid", "phone"}}, map[string]string{"/fields/1": "twice", "/fields/2": "empty", "/fields/3": "letters", "/fields/4": "by the connector", "/fields/5": "text", "/mandatory_fields/1": "twice", "/mandatory_fields/2": "in any case", "/mandatory_fields/3": "one of"}},
		"no fields":       {[]any{"fields", []any{}, "mandatory_fields", []any{}}, map[string]string{"/fields": "one field"}},
		"mapping":         {[]any{"mapping.vid", ".vid", "mapping.name", []any{"given-name", "family_name |"}, "mapping.gender", "input", "mapping.dob", "x | input", "mapping.emailId", ""}, map[string]string{"/mapping/emailId": "empty", "/mapping/vid": "dot", "/mapping/name/0": "quotes", "/mapping/name/1": "jq", "/mapping/dob": "input"}},
		"jq":              {[]any{"mapping.vid", ".vid", "mapping.name", []any{"given-name", "family_name |"}, "mapping.dob", "x | input"}, map[string]string{"/mapping/vid": "leave it out", "/mapping/name/0": "quotes", "/mapping/name/1": "jq", "/mapping/dob": "input is not available"}},
		"D11":             {[]any{"mapping.name", []any{"name"}, "mapping.dob", "dob", "mapping.fullAddress", []any{"fullAddress"}}, map[string]string{"/mapping/name": "selected fields", "/mapping/dob": "selected fields", "/mapping/fullAddress": "selected fields"}},
		"D11, fields":     {[]any{"fields", []any{"id", "email"}}, map[string]string{"/mapping/name": "selected", "/mapping/gender": "selected", "/mapping/dob": "selected", "/mapping/fullAddress": "selected"}},
		"D11, vid":        {[]any{"mapping.vid", "uin"}, map[string]string{"/mapping/vid": "selected"}},
		"never a text":    {[]any{"mapping.gender", "gender|length", "mapping.name", []any{}, "mapping.fullAddress", []any{"id"}}, map[string]string{"/mapping/gender": "no text", "/mapping/name": "no text", "/mapping/fullAddress": "no text"}},
		"mandatory phone": {[]any{"mandatory_fields", []any{"phoneNumber", "emailId"}, "fields", []any{"id"}}, map[string]string{"/mapping/phoneNumber": "selected", "/mapping/emailId": "selected"}},
		"blank domain":    {[]any{"domain", "  "}, map[string]string{"/domain": "blank"}},
		"python domain":   {[]any{"domain", "[('is_registrant', '=', True)]"}, map[string]string{"/domain": "double quotes"}},
		"domain and more": {[]any{"domain", `[] []`}, map[string]string{"/domain": "JSON"}},
		"domain object":   {[]any{"domain", `{"a":1}`}, map[string]string{"/domain": "list"}},
		"domain refused":  {[]any{"domain", `[["id","child_of",1]]`}, map[string]string{"/domain": "child_of is not supported"}},
		"D12":             {[]any{"registry.vid_type", "VID", "domain", `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`}, map[string]string{"/domain": "other identifier types"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := s.want(422, "POST", "/connectors", with(c.changes...))
			found := a.faults()
			for at, part := range c.want {
				if !strings.Contains(found[at], part) {
					t.Errorf("%s: %q, want %q", at, found[at], part)
				}
			}
			for at, detail := range found {
				if _, expected := c.want[at]; !expected {
					t.Errorf("not expected: %s %s", at, detail)
				}
			}
			if len(s.store.connectors)+len(s.vault.values) > 0 {
				t.Error("something was saved")
			}
		})
	}
}

func TestBodies(t *testing.T) {
	s := newService(t)
	for name, c := range map[string]struct {
		body, kind string
		status     int
		detail     string
	}{
		"no JSON":       {`{"name": "x",` + "\n" + ` "mts_url": hunter2}`, "application/json", 400, "line 2, column 13"},
		"cut off":       {`{"name": "é`, "application/json", 400, "line 1"},
		"two values":    {`{} {}`, "application/json", 400, "line 1, column 4"},
		"empty":         {``, "application/json", 400, "not JSON"},
		"no UTF-8":      {"{\"name\": \"\xff\"}", "application/json", 400, "UTF-8"},
		"form":          {`name=x`, "application/x-www-form-urlencoded", 415, "application/json"},
		"no type":       {`{}`, "", 415, "application/json"},
		"too large":     {`{"name":"` + strings.Repeat("x", 256<<10) + `"}`, "application/json", 413, "262144"},
		"a list":        {`[]`, "application/json; charset=utf-8", 422, "One field"},
		"nothing in it": {`null`, "application/json", 422, "6 fields"},
	} {
		r := httptest.NewRequest("POST", "/connectors", strings.NewReader(c.body))
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.detail) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"DELETE", "/connectors", 405, "GET, POST"},
		{"PATCH", path, 405, "DELETE, GET, PUT"},
		{"GET", path + "/start", 405, "POST"},
		{"POST", path + "/runs", 405, "GET"},
		{"GET", "/", 404, ""},
		{"GET", "/connectors/", 404, ""},
		{"GET", path + "/nothing", 404, ""},
		{"GET", "/connectors/short", 404, ""},
		{"GET", "/connectors/C0000000000000000000000099", 404, ""},
		{"POST", "/connectors/C0000000000000000000000099/start", 404, ""},
		{"GET", "/connectors/" + strings.Repeat("%23", 26), 404, ""},
		{"GET", path + "/runs/none", 404, ""},
		{"GET", path + "/runs/a%23b/batches", 404, ""},
	} {
		a := s.do(c.method, c.path, "")
		if a.Code != c.status || a.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q", c.method, c.path, a.Code, a.Header().Get("Allow"))
		}
	}
}

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
	if len(s.vault.stored(id)) != 1 || s.store.connectors[id].Secrets[seeding.RegistryPassword] != "version-1" {
		t.Errorf("the password was not kept: %v", s.store.connectors[id].Secrets)
	}
	// What was left out is the default again, as in every replacement.
	s.want(200, "PUT", path, with("registry.password", nil, "language", "ara"), "If-Match", `"2"`)
	if c := s.store.connectors[id]; c.MTS.Language != "ara" || c.Name != "Registry of Laguna" || c.Version != 3 {
		t.Errorf("%+v", c)
	}
	s.want(200, "PUT", path, with("registry.password", "hunter2"), "If-Match", `W/"9", "3"`)
	if c := s.store.connectors[id]; c.Secrets[seeding.RegistryPassword] != "version-2" || !slices.Equal(s.vault.stored(id), []string{password, "hunter2"}) {
		t.Errorf("%+v", c.Secrets)
	}
	s.want(200, "PUT", path, with("registry.password", nil), "If-Match", `*`)
}

func TestPreconditions(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, method := range []string{"PUT", "DELETE"} {
		s.want(428, method, path, with())
		for _, tag := range []string{`"2"`, `1`, `W/"1"`, `"x"`} {
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

// An editor must not be able to send the stored password to another host.
func TestAnotherHostAsksForThePassword(t *testing.T) {
	for address, asks := range map[string]bool{
		"https://registry.example.org":          false,
		"https://REGISTRY.example.org:443/":     false,
		"https://registry.example.org/odoo":     false,
		"https://evil.example.org":              true,
		"http://registry.example.org":           true,
		"https://registry.example.org:8443":     true,
		"https://registry.example.org.evil.com": true,
	} {
		s := newService(t)
		path := s.create()
		a := s.do("PUT", path, with("registry.password", nil, "registry.url", address), "If-Match", `"1"`)
		if asks && (a.Code != 422 || !strings.Contains(a.faults()["/registry/password"], "another host")) || !asks && a.Code != 200 {
			t.Errorf("%s: %d %s", address, a.Code, a.Body)
		}
		s.want(200, "PUT", path, with("registry.password", "hunter2", "registry.url", address), "If-Match", "*")
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
		{"registry.database", "other", "registry.password", nil},
		{"registry.url", "https://other.example.org"},
	} {
		a := s.want(409, "PUT", path, with(changes...), "If-Match", `"1"`)
		if !strings.Contains(fmt.Sprint(a.body["detail"]), "Stop the connector") {
			t.Errorf("%v", a.body)
		}
	}
	if len(s.vault.stored(id)) != 1 {
		t.Error("each refusal pushed a password out")
	}
	s.want(200, "PUT", path, with("interval_minutes", 5), "If-Match", `"1"`) // anything else may change
	s.want(409, "DELETE", path, "", "If-Match", `"2"`)

	s.store.batches[0].State = seeding.Patched
	s.want(200, "PUT", path, with("registry.database", "other"), "If-Match", `"2"`)
	s.want(204, "DELETE", path, "", "If-Match", `"3"`)
}

func TestDeleteTakesTheSecretAlong(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.want(204, "DELETE", path, "", "If-Match", `"1"`)
	if len(s.vault.values)+len(s.store.connectors) > 0 {
		t.Error("something is left")
	}
	s.want(404, "GET", path, "")

	path = s.create()
	s.vault.fail["Delete"] = errors.New("no answer")
	a := s.want(500, "DELETE", path, "", "If-Match", `"1"`)
	if !strings.Contains(fmt.Sprint(a.body["detail"]), "same request again") || len(s.vault.values) != 1 {
		t.Errorf("%v", a.body)
	}
	s.want(404, "DELETE", path, "", "If-Match", `"1"`)
	if len(s.vault.values) > 0 {
		t.Error("the secret is left")
	}
}

// A create that fails leaves no secret; one that took effect, though it seemed
// to fail, is a success.
func TestCreateThatFails(t *testing.T) {
	broken := errors.New(password) // whatever an error says, nobody sees it
	for name, c := range map[string]struct {
		method  string
		failure failure
		status  int
		secrets int
	}{
		"not stored":          {"CreateConnector", failure{broken, false}, 500, 0},
		"stored all the same": {"CreateConnector", failure{broken, true}, 201, 1},
		"conflict":            {"CreateConnector", failure{seeding.ErrConflict, false}, 409, 0},
		"told badly":          {"State", failure{broken, false}, 500, 1},
	} {
		s := newService(t)
		s.store.fail[c.method] = c.failure
		s.want(c.status, "POST", "/connectors", with())
		if len(s.vault.values) != c.secrets || len(s.store.connectors) != c.secrets {
			t.Errorf("%s: %d secrets, %d connectors", name, len(s.vault.values), len(s.store.connectors))
		}
		if c.status == 500 && !strings.Contains(s.log.String(), "errors.errorString") {
			t.Errorf("%s: the kind is not logged: %s", name, s.log.String())
		}
	}
	s := newService(t)
	s.vault.fail["Put"] = broken
	s.want(500, "POST", "/connectors", with())
	if len(s.store.connectors) > 0 {
		t.Error("a connector without password")
	}
}

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{seeding.ErrNotFound, 404}, {seeding.ErrConflict, 409}, {seeding.ErrHeld, 409}, {seeding.ErrOpenBatches, 409},
		{fmt.Errorf("wrapped: %w", seeding.ErrHeld), 409}, {errors.New(password), 500},
	} {
		s := newService(t)
		path := s.create()
		s.store.fail["SetStatus"] = failure{err: c.err}
		s.want(c.status, "POST", path+"/stop", "")
		if logged := strings.Contains(s.log.String(), "request failed"); logged != (c.status == 500) {
			t.Errorf("%v: %s", c.err, s.log.String())
		}
		if c.status == 500 && !strings.Contains(s.log.String(), `"route":"/connectors/{id}/stop"`) {
			t.Errorf("%s", s.log.String())
		}
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
		seeding.ProblemSignIn: {Text: "The registry refuses the sign-in.", Remedy: "Check the password.", Since: s.now, Tries: 2, Next: s.now.Add(2 * time.Minute)},
		seeding.ProblemUnlink: {Text: "VIDs stay.", Remedy: "Give the right.", Since: s.now},
	}
	s.store.states[idOf(path)] = state
	want := map[string]any{
		"sign_in": map[string]any{"text": "The registry refuses the sign-in.", "remedy": "Check the password.",
			"since": "2026-11-21T09:00:00Z", "next_probe": "2026-11-21T09:02:00Z"},
		"unlink": map[string]any{"text": "VIDs stay.", "remedy": "Give the right.", "since": "2026-11-21T09:00:00Z"},
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

// pages walks through a list and returns the given member of every entry.
func (s *service) pages(path, list, member string, limit int) (found []string) {
	s.t.Helper()
	cursor := ""
	for range 100 {
		a := s.want(200, "GET", fmt.Sprintf("%s?limit=%d&cursor=%s", path, limit, cursor), "")
		entries := a.body[list].([]any)
		if len(entries) > limit {
			s.t.Errorf("%d entries on a page of %d", len(entries), limit)
		}
		for _, e := range entries {
			found = append(found, fmt.Sprint(e.(map[string]any)[member]))
		}
		next, more := a.body["next"].(string)
		if !more {
			return found
		}
		cursor = next
	}
	s.t.Fatal("the pages have no end")
	return nil
}

func TestPages(t *testing.T) {
	s := newService(t)
	for range 7 {
		s.create()
	}
	path := s.create()
	id, key := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	for i := range 5 {
		run := fmt.Sprint("run", i)
		s.store.runs[run] = seeding.Run{ID: run, Connector: id, Completed: s.now}
		s.store.batches = append(s.store.batches, seeding.Batch{Ref: seeding.BatchRef{Registry: key, Connector: id, Run: "run0", Batch: fmt.Sprint("b", i)}, State: seeding.Patched})
		s.store.rejections = append(s.store.rejections, seeding.Rejection{Registry: key, Connector: id, Identifier: int64(100 - i), Registrant: int64(i)})
	}
	for _, c := range []struct {
		path, list, member string
		want               []string
	}{
		{path + "/runs", "runs", "id", []string{"run4", "run3", "run2", "run1", "run0"}},
		{path + "/runs/run0/batches", "batches", "id", []string{"b0", "b1", "b2", "b3", "b4"}},
		{path + "/rejections", "rejections", "identifier", []string{"96", "97", "98", "99", "100"}},
	} {
		for _, limit := range []int{1, 2, 5, 6} {
			if got := s.pages(c.path, c.list, c.member, limit); !slices.Equal(got, c.want) {
				t.Errorf("%s by %d: %v", c.path, limit, got)
			}
		}
	}
	if got := s.pages("/connectors", "connectors", "name", 3); len(got) != 8 {
		t.Errorf("%v", got)
	}
	runs := s.want(200, "GET", path+"/runs?limit=2", "").body["next"].(string)
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "limit=", "cursor=%25%25", "cursor=" + runs, "cursor=eDp5"} {
		if a := s.want(400, "GET", "/connectors?"+query, ""); len(a.faults()) != 1 {
			t.Errorf("%s: %s", query, a.Body)
		}
	}
	s.want(200, "GET", path+"/rejections?limit=500", "")
	s.want(400, "GET", path+"/rejections?limit=501", "")
	s.want(400, "GET", path+"/runs/run0/batches?cursor=YmF0Y2hlczpnb25l", "")
}

func TestRunsAndBatches(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, key := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	s.store.runs["old"] = seeding.Run{ID: "old", Connector: id, Version: 1, Started: s.now, Completed: s.now.Add(time.Minute), Passes: 2,
		Tally: seeding.Tally{Looked: 12, Invalid: 1, Removed: 1}, Totals: seeding.Totals{Sent: 10, Tokenised: 7, Refused: 1, Duplicate: 1}}
	s.store.runs["now"] = seeding.Run{ID: "now", Connector: id, Started: s.now, Passes: 1}
	ref := func(b string) seeding.BatchRef {
		return seeding.BatchRef{Registry: key, Connector: id, Run: "now", Batch: b}
	}
	s.store.batches = []seeding.Batch{
		{Ref: ref("b1"), State: seeding.Patched, Count: 50, Totals: seeding.Totals{Sent: 50, Tokenised: 48, Conflict: 1, NoToken: 1}, Claimed: s.now, Deadline: s.now.Add(time.Minute), Closed: s.now},
		{Ref: ref("b2"), State: seeding.Submitted, Count: 100, RequestID: "hunter2", Claimed: s.now, Deadline: s.now.Add(time.Minute), Members: []seeding.Member{{Registrant: 1, Identifier: 2}}},
	}
	same := func(got any, want string) {
		t.Helper()
		var expected any
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(expected) {
			t.Errorf("\n got %v\nwant %v", got, expected)
		}
	}
	same(s.want(200, "GET", path+"/runs/old", "").body, `{"id":"old","state":"completed","version":1,"started":"2026-11-21T09:00:00Z",
		"completed":"2026-11-21T09:01:00Z","passes":2,"tally":{"looked":12,"invalid":1,"removed":1},"open_batches":0,
		"totals":{"sent":10,"tokenised":7,"refused":1,"duplicate":1,"conflict":0,"no_token":0,"pending":1}}`)
	running := `{"id":"now","state":"open","version":0,"started":"2026-11-21T09:00:00Z","passes":1,"tally":{"looked":0,"invalid":0,"removed":0},
		"open_batches":1,"totals":{"sent":150,"tokenised":48,"refused":0,"duplicate":0,"conflict":1,"no_token":1,"pending":100}}`
	same(s.want(200, "GET", path+"/runs/now", "").body, running)
	same(s.want(200, "GET", path+"/runs", "").body["runs"].([]any)[1], running)
	same(s.want(200, "GET", path+"/runs/now/batches", "").body, `{"batches":[
		{"id":"b1","state":"patched","count":50,"claimed":"2026-11-21T09:00:00Z","deadline":"2026-11-21T09:01:00Z","closed":"2026-11-21T09:00:00Z",
			"totals":{"sent":50,"tokenised":48,"refused":0,"duplicate":0,"conflict":1,"no_token":1,"pending":0}},
		{"id":"b2","state":"submitted","count":100,"claimed":"2026-11-21T09:00:00Z","deadline":"2026-11-21T09:01:00Z",
			"totals":{"sent":100,"tokenised":0,"refused":0,"duplicate":0,"conflict":0,"no_token":0,"pending":100}}]}`)

	other := s.create()
	s.want(404, "GET", other+"/runs/now", "") // a run of somebody else
	s.want(404, "GET", other+"/runs/now/batches", "")
}

func TestRejections(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, key := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	s.store.rejections = []seeding.Rejection{
		{Registry: key, Connector: id, Identifier: 5, Registrant: 50, Kind: seeding.Invalid, Code: "ATS-REQ-012", Attempts: 1, Next: s.now.Add(24 * time.Hour), Since: s.now, Print: seeding.Print{1}, PrintKey: "k"},
		{Registry: key, Connector: id, Identifier: 6, Registrant: 60, Kind: seeding.Duplicate, Code: seeding.CodeHeldByOther, Holder: 61, Attempts: 2, Next: s.now, Since: s.now},
		{Registry: key, Connector: "somebody else", Identifier: 7},
	}
	got := s.want(200, "GET", path+"/rejections", "").body["rejections"].([]any)
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
	var want any
	if err := json.Unmarshal([]byte(`{"identifier":5,"registrant":50,"kind":"invalid","code":"ATS-REQ-012","reason":"The date of birth is missing.",
		"attempts":1,"next_attempt":"2026-11-22T09:00:00Z","since":"2026-11-21T09:00:00Z"}`), &want); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got[0], want)
	}
	if got[1].(map[string]any)["holder"] != 61.0 {
		t.Errorf("%v", got[1])
	}
}

func TestIDsThatNobodyCanGuess(t *testing.T) {
	s := newStore()
	h := api.New(api.Options{Store: s, Secrets: &vault{values: map[string][]string{}}, Mappings: jq.Mappings{}, Invoker: &invoker{}, CheckDomain: func(string) error { return nil }})
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

// A mapping with a field of the wrong form is told all the same where it does
// not compile.
func TestEveryFaultOfAMappingIsTold(t *testing.T) {
	s := newService(t)
	a := s.want(http.StatusUnprocessableEntity, "POST", "/connectors", with("mapping", map[string]any{
		"gender": "[unclosed", "name": "no list", "colour": "x"}))
	if got := strings.Join(slices.Sorted(maps.Keys(a.faults())), " "); got != "/mapping/colour /mapping/gender /mapping/name" {
		t.Errorf("%s", got)
	}
}
