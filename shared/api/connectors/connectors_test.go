package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

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
		"nothing in it": {`null`, "application/json", 422, "must be an object"},
		"blank":         {" \r\n", "application/json", 400, "empty"},
		"a text":        {`"x"`, "application/json", 422, "must be an object"},
		"a mark only":   {"\ufeff", "application/json", 400, "empty"},
		"two marks":     {"\ufeff\ufeff{}", "application/json", 400, "line 1, column 1"},
		"UTF-16":        {"\xff\xfe{\x00}\x00", "application/json", 400, "UTF-8"},
		"nested":        {strings.Repeat("[", 100_000), "application/json", 400, "not JSON"},
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

// Editors on Windows write a byte order mark before a text.
func TestByteOrderMarkBeforeABodyIsAccepted(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", "\ufeff"+with()).Header().Get("Location")
	s.want(200, "PUT", path, "\ufeff"+with("registry.password", nil), "If-Match", `W/"1"`)
	s.want(202, "POST", path+"/rejections/retry", "\ufeff{}")
}

// Whoever narrows a request by a variable that was never set sends null. It is refused
// wherever leaving the member out would mean more: everybody, or in earnest.
func TestNullIsNotEverybody(t *testing.T) {
	s := newService(t)
	path := s.create()
	before := fmt.Sprint(s.store.states[idOf(path)])
	for _, c := range [][3]string{
		{path + "/imports", `{"registrants":null}`, "/registrants"},
		{path + "/imports", `{"domain":null}`, "/domain"},
		{path + "/imports", `{"registrants":[7],"domain":null}`, "/domain"},
		{path + "/rejections/retry", `{"kind":null}`, "/kind"},
		{path + "/rejections/retry", `{"kind":"refused","code":null}`, "/code"},
		{path + "/rejections/retry", `{"identifiers":null}`, "/identifiers"},
		{path + "/rejections/retry", `{"registrants":null}`, "/registrants"},
		{path + "/rejections/retry", `{"dry_run":null}`, "/dry_run"},
		{path + "/preview", `{"registrants":null}`, "/registrants"},
		{"/previews", `{"connector":"` + idOf(path) + `","registrants":null}`, "/registrants"},
		{"/previews", `{"connector":"` + idOf(path) + `","configuration":null}`, "/configuration"},
		{"/checks", `{"connector":"` + idOf(path) + `","configuration":null}`, "/configuration"},
		{"/checks", `{"configuration":{"domain":null}}`, "/configuration/domain"},
		{"/connectors", with("domain", null{}), "/domain"},
	} {
		reply := s.want(422, "POST", c[0], c[1])
		if got := reply.fieldErrors(); len(got) != 1 || got[c[2]] != "must not be null; leave it out if you mean it so" {
			t.Errorf("%s %s: %v", c[0], c[1], got)
		}
	}
	s.want(422, "PUT", path, with("domain", null{}), "If-Match", "*")
	if after := fmt.Sprint(s.store.states[idOf(path)]); after != before || len(s.invoker.invoked) != 0 || len(s.store.connectors) != 1 {
		t.Errorf("%s became %s, invoked %v", before, after, s.invoker.invoked)
	}
}

// A configuration whose null would remove VIDs, write elsewhere, or work sooner, longer
// or faster is refused; what GET shows can be sent back.
func TestNullIsNoDefaultThatGoesFurther(t *testing.T) {
	s := newService(t)
	path := s.create("remove_vids", false)
	for _, member := range []string{
		"remove_vids", "job_type", "daily_at", "starts", "ends", "mandatory_fields", "batch_maximum", "width_maximum", "callback", "callback.url",
		"registry.read_one_by_one", "token_shape", "token_shape.alphabet", "token_shape.shortest", "token_shape.longest",
	} {
		configuration := with(member, null{})
		pointer := "/" + strings.ReplaceAll(member, ".", "/")
		for at, reply := range map[string]response{
			pointer:                    s.want(422, "PUT", path, configuration, "If-Match", "*"),
			"/configuration" + pointer: s.want(422, "POST", "/checks", `{"configuration":`+configuration+`}`),
		} {
			if got := reply.fieldErrors(); len(got) != 1 || got[at] != "must not be null; leave it out if you mean it so" {
				t.Errorf("%s: %v", at, got)
			}
		}
		s.want(422, "POST", "/connectors", configuration)
	}
	shown := s.want(200, "GET", path, "")
	if again := s.want(200, "PUT", path, shown.Body.String(), "If-Match", "*"); again.body["remove_vids"] != false {
		t.Errorf("%v", again.body)
	}
}

// null is not {}: a retry of everybody must be asked for.
func TestBodyMustBeAnObject(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, body := range []string{"null", "[]", `""`, "0", "false"} {
		for _, at := range []string{"/connectors", path + "/rejections/retry"} {
			a := s.want(422, "POST", at, body)
			if found := a.fieldErrors(); len(found) != 1 || !strings.Contains(found[""], "must be an object") {
				t.Errorf("%s %s: %s", at, body, a.Body)
			}
		}
	}
}

// Programs disagree which of two members counts, so neither does.
func TestMemberThatIsThereTwiceIsRefused(t *testing.T) {
	s := newService(t)
	body := with("mapping", map[string]any{"gender": "gender"})
	for pointer, twice := range map[string]string{
		"/name":           strings.Replace(body, `{`, `{"name":"x",`, 1),
		"/registry/url":   strings.Replace(body, `"registry":{`, `"registry":{"url":"https://evil.example",`, 1),
		"/mapping/gender": strings.Replace(body, `"mapping":{`, `"mapping":{"gender":null,`, 1),
		"/a~1b\\u202e":    strings.Replace(body, `{`, `{"a/b\u202e":1,"a/b\u202e":1,`, 1),
	} {
		a := s.want(422, "POST", "/connectors", twice)
		if found := a.fieldErrors(); len(found) != 1 || found[pointer] != "is there twice" {
			t.Errorf("%s: %s", pointer, a.Body)
		}
	}
	if len(s.store.connectors) > 0 {
		t.Error("something was saved")
	}
}

// A member that is misspelt, or in the wrong place, would otherwise be searched for.
func TestUnknownMemberNamesTheLikelyOne(t *testing.T) {
	s := newService(t)
	for member, c := range map[string]struct{ pointer, hint string }{
		"interval":             {"/interval", `do you mean "interval_minutes"?`},
		"intervalMinutes":      {"/intervalMinutes", `do you mean "interval_minutes"?`},
		"inteval_minutes":      {"/inteval_minutes", `do you mean "interval_minutes"?`},
		"url":                  {"/url", `it belongs into "registry"`},
		"token_type":           {"/token_type", `it belongs into "registry"`},
		"username":             {"/username", `it belongs into "registry"`},
		"userName":             {"/userName", `it belongs into "registry"`},
		"database":             {"/database", `it belongs into "registry"`},
		"shortest":             {"/shortest", `it belongs into "token_shape"`},
		"gender":               {"/gender", `it belongs into "mapping"`},
		"mtsurl":               {"/mtsurl", `do you mean "mts_url"?`},
		"mandatory":            {"/mandatory", `do you mean "mandatory_fields"?`},
		"batch_size":           {"/batch_size", `do you mean "batch_maximum"?`},
		"remove_vid":           {"/remove_vid", `do you mean "remove_vids"?`},
		"field":                {"/field", `do you mean "fields"?`},
		"vid_type":             {"/vid_type", `it belongs into "registry"`},
		"password":             {"/password", `it belongs into "registry"`},
		"timeout_seconds":      {"/timeout_seconds", `it belongs into "callback"`},
		"fullAddress":          {"/fullAddress", `it belongs into "mapping"`},
		"registry.passwort":    {"/registry/passwort", `do you mean "password"?`},
		"registry.user":        {"/registry/user", `do you mean "username"?`},
		"registry.vidType":     {"/registry/vidType", `do you mean "vid_type"?`},
		"mapping.phone":        {"/mapping/phone", `do you mean "phoneNumber"?`},
		"mapping.email":        {"/mapping/email", `do you mean "emailId"?`},
		"mapping.full_address": {"/mapping/full_address", `do you mean "fullAddress"?`},
		"intervall":            {"/intervall", `do you mean "interval_minutes"?`},
		"lang_code":            {"/lang_code", `do you mean "language"?`},
		"max_batch":            {"/max_batch", `do you mean "batch_maximum"?`},
		"batchsize":            {"/batchsize", `do you mean "batch_maximum"?`},
		"timeout":              {"/timeout", `do you mean "timeout_seconds" in "callback"?`},
		"token_shape.min":      {"/token_shape/min", `do you mean "shortest"?`},
		"token_shape.max":      {"/token_shape/max", `do you mean "longest"?`},
		"callback.timeout":     {"/callback/timeout", `do you mean "timeout_seconds"?`},
		"colour":               {"/colour", ""},
		"x":                    {"/x", ""},
	} {
		a := s.want(422, "POST", "/connectors", with(member, "x"))
		detail, named := a.fieldErrors()[c.pointer]
		if !named || !strings.HasPrefix(detail, "is not a field of this request") || c.hint == "" && detail != "is not a field of this request" ||
			!strings.HasSuffix(detail, c.hint) {
			t.Errorf("%s: %s", member, a.Body)
		}
	}
	a := s.want(422, "POST", s.create()+"/rejections/retry", `{"identifier": [1]}`)
	if detail := a.fieldErrors()["/identifier"]; !strings.Contains(detail, `do you mean "identifiers"?`) {
		t.Errorf("%s", a.Body)
	}
}

// Lambda sends 6 MB, and a body can have tens of thousands of wrong members.
func TestReplyToManyMistakesIsBounded(t *testing.T) {
	s := newService(t)
	var body strings.Builder
	body.WriteString(`{"name":"x"`)
	for i := range 20_000 {
		fmt.Fprintf(&body, `,"%d":1`, i)
	}
	a := s.want(422, "POST", "/connectors", body.String()+"}")
	if found := a.fieldErrors(); len(found) != 200 || a.Body.Len() > 100_000 || !strings.HasPrefix(fmt.Sprint(a.body["detail"]), "2000") {
		t.Errorf("%d errors in %d bytes: %v", len(found), a.Body.Len(), a.body["detail"])
	}
}

// Left aside, a misspelt parameter would seem to work.
func TestUnknownParameterIsRefused(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, c := range []struct{ method, path, query, at, detail string }{
		{"GET", "/connectors", "Limit=5", "?Limit", `do you mean "limit"?`},
		{"GET", "/connectors", "limits=5", "?limits", `do you mean "limit"?`},
		{"GET", path + "/runs", "cursors=x", "?cursors", `do you mean "cursor"?`},
		{"GET", path + "/rejections", "kinds=refused", "?kinds", `do you mean "kind"?`},
		{"GET", path + "/rejections", "kind=sad", "?kind", "must be "},
		{"GET", path + "/rejections", "code=a%20b", "?code", "must be a code"},
		{"GET", path + "/rejections", "code=", "?code", "empty"},
		{"GET", path + "/rejections", "since=yesterday", "?since", ""},
		{"GET", path + "/rejections", "since=2026-11-28", "?since", ""},
		{"GET", path + "/rejections", "registrant=0", "?registrant", "must be"},
		{"GET", path + "/rejections", "registrant=x", "?registrant", "must be"},
		{"GET", path + "/rejections", "limit=501", "?limit", "must be from 1 to 500"},
		{"GET", path + "/rejections/groups", "limit=1", "?limit", "is not a parameter"},
		{"GET", path + "/rejections", "limit=5&limit=6", "?limit", "is given twice"},
		{"GET", path + "/rejections", "page%E2%80%AE=1", `?page\u202e`, "is not a parameter"},
		{"GET", path, "verbose", "?verbose", "is not a parameter"},
		{"POST", path + "/start", "limit=1", "?limit", "is not a parameter"},
		{"POST", path + "/stop", "now=1", "?now", "is not a parameter"},
		{"DELETE", path, "force=true", "?force", "is not a parameter"},
	} {
		a := s.want(400, c.method, c.path+"?"+c.query, "")
		if found := a.fieldErrors(); len(found) != 1 || !strings.Contains(found[c.at], c.detail) {
			t.Errorf("%s %s?%s: %s", c.method, c.path, c.query, a.Body)
		}
	}
	s.want(400, "GET", "/connectors?limit=%zz", "")
	s.want(400, "GET", "/connectors?a;b", "")
	s.want(200, "GET", "/connectors?", "")
	s.want(200, "GET", "/connectors?limit=5&cursor=", "")
}

// A made-up cursor, or that of another list, is not the beginning or the end.
func TestForgedCursorIsRefused(t *testing.T) {
	s := newService(t)
	path, other := s.create(), s.create()
	next, _ := s.want(200, "GET", "/connectors?limit=1", "").body["next"].(string)
	if next == "" {
		t.Fatal("no second page")
	}
	s.want(200, "GET", "/connectors?cursor="+next, "")
	for _, list := range []string{"/connectors", path + "/runs", path + "/rejections", other + "/rejections"} {
		for _, cursor := range []string{"x", "Y29ubmVjdG9yczp6eno", "cnVuczp6eno", "cmVqZWN0aW9uczp6eno", "AAAAAAAAenp6", next + "A", next + next} {
			a := s.want(400, "GET", list+"?cursor="+cursor, "")
			if found := a.fieldErrors(); len(found) != 1 || found["?cursor"] == "" {
				t.Errorf("%s %s: %s", list, cursor, a.Body)
			}
		}
		if list != "/connectors" {
			s.want(400, "GET", list+"?cursor="+next, "")
		}
	}
	for list, name := range map[string]string{"/connectors": "connectors", path + "/runs": "runs of " + idOf(path)} { // with the right checksum
		cursor := api.Page{List: name}.Cursor(strings.Repeat("\xff", 900))
		if a := s.want(400, "GET", list+"?cursor="+cursor, ""); a.fieldErrors()["?cursor"] == "" {
			t.Errorf("%s: %s", list, a.Body)
		}
	}
}

// A text must not show itself as another one, in a list or in a log.
func TestInvisibleCharactersAreRefused(t *testing.T) {
	s := newService(t)
	for _, text := range []string{"a\u200bb", "a\u202eb", "a\u2066b", "a\ufeffb", "a\u0085b", "a\u2028b", "a\u00adb"} {
		a := s.want(422, "POST", "/connectors", with("name", text, "registry.token_type", text))
		found := a.fieldErrors()
		for _, at := range []string{"/name", "/registry/token_type"} {
			if !strings.Contains(found[at], fmt.Sprintf("%U", []rune(text)[1])) && !strings.Contains(found[at], "control character") {
				t.Errorf("%q: %s", text, a.Body)
			}
		}
	}
	for _, text := range []string{"Registro de España", "ทะเบียน", "می\u200cخواهم", "ශ්\u200dරී ලංකා", "Ο'Κόνορ–2"} {
		s.create("name", text)
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

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{seeding.ErrNotFound, 404}, {seeding.ErrConflict, 409}, {seeding.ErrLeaseHeld, 409}, {seeding.ErrOpenBatches, 409},
		{fmt.Errorf("wrapped: %w", seeding.ErrLeaseHeld), 409}, {errors.New(password), 500},
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

// What a check found out about the registry is shown, of the registry that the connector
// has now, and is no part of the configuration.
func TestVersionOfTheRegistryIsShown(t *testing.T) {
	s := newService(t)
	path := s.create()
	if a := s.want(200, "GET", path, ""); a.body["registry_version"] != nil {
		t.Errorf("before a check: %v", a.body["registry_version"])
	}
	c := s.store.connectors[idOf(path)]
	s.store.found = map[string]seeding.RegistryFound{c.RegistryKey(): {Registry: c.RegistryKey(), Odoo: "17.0", Line: "15.0", Identity: "0123456789abcdef", Checked: s.now}}
	a := s.want(200, "GET", path, "")
	if got := fmt.Sprint(a.body["registry_version"]); got != "map[checked:2026-11-21T09:00:00Z odoo:17.0 openg2p:15.0]" {
		t.Error(got)
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		t.Fatal(err)
	}
	s.want(200, "PUT", path, string(body), "If-Match", "*")
	if a := s.want(200, "PUT", path, with("registry.url", "https://other.example.org"), "If-Match", "*"); a.body["registry_version"] != nil {
		t.Errorf("of another registry: %v", a.body["registry_version"])
	}
	s.store.found = map[string]seeding.RegistryFound{c.RegistryKey(): {Registry: c.RegistryKey(), Identity: "0123456789abcdef"}}
	s.want(200, "PUT", path, with("registry.password", "hunter2"), "If-Match", "*")
	if a := s.want(200, "GET", path, ""); a.body["registry_version"] != nil {
		t.Errorf("of one that does not say: %v", a.body["registry_version"])
	}
}

// What only replies have is ignored in a request, of whatever type it is.
func TestMembersOfRepliesAreIgnoredOfWhateverType(t *testing.T) {
	for _, name := range []string{"auth_password_set", "auth_client_secret_set", "auth_token_set", "extra_headers_set"} {
		s := newService(t)
		path := s.create()
		s.want(200, "PUT", path, with("callback", map[string]any{name: map[string]any{"a": "b"}}), "If-Match", "*")
	}
	s := newService(t)
	s.want(200, "PUT", s.create(), with("registry.password_set", "yes"), "If-Match", "*")
}
