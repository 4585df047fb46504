package connectors_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/seeding"
)

const service002 = "https://central.example.org/v1/projects/1/forms/registration.svc"

// withODK is the smallest valid configuration of ODK, with changes as of with.
func withODK(changes ...any) string {
	return with(append([]any{"input_type", "odk", "odk.base_url", "https://central.example.org", "odk.odata_url", service002,
		"odk.email", "reader@example.org", "odk.password", password + "2"}, changes...)...)
}

// What is read of a connector of ODK can be sent back as it is, and changes nothing.
func TestConnectorOfODKIsSavedAndRead(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK("odk.base_url", "https://CENTRAL.example.org/v1/", "odk.received_from", "2026-01-02T03:04:05.6789+08:00",
		"mapping.name", []string{"person.name"})).Header().Get("Location")
	id := idOf(path)
	stored := s.store.connectors[id]
	want := seeding.ODKSource{BaseURL: "https://central.example.org:443", ODataURL: "https://central.example.org:443/v1/projects/1/forms/registration.svc/Submissions",
		Email: "reader@example.org", Received: time.Date(2026, 1, 1, 19, 4, 5, 678_000_000, time.UTC)}
	if stored.ODK.BaseURL = strings.Replace(stored.ODK.BaseURL, "org:443", "org", 1); stored.ODK.BaseURL != "https://central.example.org" {
		t.Errorf("%+v", stored.ODK)
	}
	if !stored.ODK.Received.Equal(want.Received) || !strings.HasSuffix(stored.ODK.ODataURL, ".svc/Submissions") || stored.Registry.SubmissionType != "ODK SUBMISSION" || stored.Source.Domain != "" || stored.Source.Fields != nil {
		t.Errorf("%+v %+v", stored.ODK, stored.Source)
	}
	if s.secrets.values[id+"/"+seeding.ODKPassword] == nil && len(s.secrets.values) != 2 {
		t.Errorf("%d secrets", len(s.secrets.values))
	}
	read := s.want(200, "GET", path, "")
	form := read.body["odk"].(map[string]any)
	if form["password_set"] != true || form["submission_type"] != "ODK SUBMISSION" || form["received_from"] != "2026-01-01T19:04:05.678Z" || form["done_until"] != nil || read.body["input_type"] != "odk" {
		t.Errorf("%v", form)
	}
	if listed := s.want(200, "GET", "/connectors", "").body["connectors"].([]any)[0].(map[string]any); listed["odk_host"] != "https://central.example.org:443" || listed["odk_form"] != "registration" {
		t.Errorf("%v", listed)
	}
	before := s.store.connectors[id]
	s.want(200, "PUT", path, read.Body.String(), "If-Match", `"1"`)
	after := s.store.connectors[id]
	before.Version, before.Updated = after.Version, after.Updated
	if !reflect.DeepEqual(before, after) {
		t.Errorf("%+v\n%+v", before, after)
	}
	if changes := s.store.changes; len(changes[len(changes)-1].Fields) != 0 {
		t.Errorf("%+v", changes[len(changes)-1].Fields)
	}
	// With other identifier types too: the domain that was shown does not count.
	other := read.body
	other["registry"].(map[string]any)["vid_type"] = "VID"
	s.want(200, "PUT", path, inJSON(other), "If-Match", `"2"`)
}

// A time to come is accepted, and said beside what was saved.
func TestReceivedFromTheFutureIsWarnedOf(t *testing.T) {
	s := newService(t)
	for at, want := range map[time.Duration]string{-time.Hour: "<nil>", time.Hour: "[map[code:received_future detail:is in the future; until then no submission is taken pointer:/odk/received_from]]"} {
		saved := s.want(201, "POST", "/connectors", withODK("odk.received_from", s.now.Add(at).Format(time.RFC3339)))
		if got := fmt.Sprint(saved.body["warnings"]); got != want {
			t.Errorf("%s: %s", at, got)
		}
	}
}

// A preview of submissions shows no registrants that somebody chooses.
func TestPreviewOfSubmissionsTakesNoRegistrants(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	for at, body := range map[string]string{
		path + "/preview": `{"registrants":[7]}`,
		"/previews":       `{"connector":"` + idOf(path) + `","registrants":[7]}`,
		"/previews?":      `{"configuration":` + withODK() + `,"registrants":[7]}`,
	} {
		if found := s.want(422, "POST", strings.TrimSuffix(at, "?"), body).fieldErrors(); len(found) != 1 || !strings.Contains(found["/registrants"], "other_source") && !strings.Contains(found["/registrants"], "input_type odk") {
			t.Errorf("%s: %v", at, found)
		}
	}
	s.want(202, "POST", path+"/preview", `{"count":3}`)
}

// What people are told of runs and rejections of both sources speaks of no registrant
// where it may be a submission.
func TestSentencesOfBothSourcesAreTrueOfSubmissions(t *testing.T) {
	all := connectors.Notes()
	for code, text := range connectors.Reasons() {
		all[code] = text
	}
	for _, code := range []string{
		string(seeding.NothingNew), string(seeding.NoneReceived), string(seeding.InBatch), string(seeding.Holding), string(seeding.Rejected), string(seeding.PassedOver), string(seeding.EndedEarly),
		string(seeding.ResentNow), string(seeding.ResentInRun), string(seeding.ResentLater), string(seeding.ResentUnblock), string(seeding.ResentNoRun), string(seeding.ResentStarted),
		string(seeding.Duplicate), string(seeding.Refused), string(seeding.NoToken), string(seeding.SetAside), seeding.CodeHeldByOther, seeding.CodeNoAnswer, seeding.CodeSetAside,
	} {
		if text := all[code]; text == "" || strings.Contains(strings.ToLower(text), "registrant") {
			t.Errorf("%s: %q", code, text)
		}
	}
	if text := seeding.ReasonOf(seeding.CodeOutputEmpty, nil); text == "" || strings.Contains(text, "registrant") {
		t.Errorf("%q", text)
	}
	if text := all[string(seeding.PassedOver)]; strings.Contains(text, "domain") || strings.Contains(text, "not_selected") {
		t.Errorf("%q", text)
	}
	if d := seeding.RefusedAlike.SaidBy("IDA-MLC-018"); strings.Contains(d.Text+d.Remedy, "registrant") || d.Remedy == "" {
		t.Errorf("%+v", d)
	}
}

func inJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestWhatAConnectorOfODKMayNotBe(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want map[string]string // beginnings of sentences by pointer
	}{
		"without the form":         {with("input_type", "odk"), map[string]string{"/odk": "is required with"}},
		"form of the registry":     {withODK("input_type", "registry"), map[string]string{"/odk": "belongs to input_type odk"}},
		"without a password":       {withODK("odk.password", nil), map[string]string{"/odk/password": "is required"}},
		"without an account":       {withODK("odk.email", nil), map[string]string{"/odk/email": "is required"}},
		"another Central":          {withODK("odk.odata_url", "https://evil.example/v1/projects/1/forms/a.svc"), map[string]string{"/odk/odata_url": "must lie below the base URL"}},
		"a page of Central":        {withODK("odk.odata_url", "https://central.example.org/#/projects/1"), map[string]string{"/odk/odata_url": "is that of a page of Central"}},
		"no address":               {withODK("odk.base_url", "central"), map[string]string{"/odk/base_url": "must be"}},
		"the type of tokens":       {withODK("odk.submission_type", "MOSIP UIN TOKEN"), map[string]string{"/odk/submission_type": "must be another identifier type than registry.token_type"}},
		"the type of VIDs":         {withODK("odk.submission_type", "MOSIP VID"), map[string]string{"/odk/submission_type": "must be another identifier type than registry.vid_type"}},
		"a direct callback":        {withODK("callback.url", "https://x.example/a", "callback.auth_type", "none"), map[string]string{"/callback/url": "must be left out with input_type odk"}},
		"a domain":                 {withODK("domain", []any{}), map[string]string{"/domain": "does not count with input_type odk"}},
		"fields":                   {withODK("fields", []string{"name"}), map[string]string{"/fields": "does not count with input_type odk"}},
		"one by one":               {withODK("registry.read_one_by_one", true), map[string]string{"/registry/read_one_by_one": "does not count with input_type odk"}},
		"no such day":              {withODK("odk.received_from", "2026-02-31T00:00:00Z"), map[string]string{"/odk/received_from": "must be a date and time"}},
		"a year before 1970":       {withODK("odk.received_from", "1969-12-31T23:59:59Z"), map[string]string{"/odk/received_from": "must be a date and time with its offset, in the years 1970 to 9999"}},
		"a mapping that is no jq":  {withODK("mapping.gender", "person..x)"), map[string]string{"/mapping/gender": ""}},
		"a mapping of nothing":     {withODK("mapping.gender", "|\"M\""), map[string]string{"/mapping/gender": "reads no field"}},
		"an update of nobody":      {withODK("output_format", `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`), map[string]string{"/output_format": "names a registrant"}},
		"an output without token":  {withODK("output_format", `{name: .input.person.name}`), map[string]string{"/output_format": "does not give the token"}},
		"a member that is unknown": {withODK("odk.url", "x"), map[string]string{"/odk/url": ""}},
	} {
		got := newService(t).want(422, "POST", "/connectors", c.body).fieldErrors()
		for at, text := range c.want {
			if detail, found := got[at]; !found || !strings.HasPrefix(detail, text) {
				t.Errorf("%s: %s: %q, want %q", name, at, detail, text)
			}
		}
		if len(got) > len(c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The stored password is not sent to whom somebody else names.
func TestPasswordOfODKIsAskedAgain(t *testing.T) {
	again := map[string]string{
		"odk.email": "other@example.org", "mts_url": "https://other.example",
	}
	for member, value := range again {
		s := newService(t)
		path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
		got := s.want(422, "PUT", path, withODK("odk.password", nil, member, value), "If-Match", `"1"`).fieldErrors()
		if !strings.HasPrefix(got["/odk/password"], "is required again") || len(got) != 1 {
			t.Errorf("%s: %v", member, got)
		}
		s.want(200, "PUT", path, withODK(member, value), "If-Match", `"1"`)
	}
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	moved := []any{"odk.base_url", "https://other.example", "odk.odata_url", strings.Replace(service002, "central.example.org", "other.example", 1)}
	if got := s.want(422, "PUT", path, withODK(append(moved, "odk.password", nil)...), "If-Match", `"1"`).fieldErrors(); !strings.HasPrefix(got["/odk/password"], "is required again") {
		t.Errorf("%v", got)
	}
	// The same account reads another form.
	s.want(200, "PUT", path, withODK("odk.password", nil, "odk.odata_url", strings.Replace(service002, "registration", "other", 1)), "If-Match", `"1"`)
	// A connector that takes registrants of the registry keeps no password of Central.
	s.want(200, "PUT", path, with("registry.password", nil), "If-Match", `"2"`)
	if kept := s.store.connectors[idOf(path)].Secrets[seeding.ODKPassword]; kept != "" {
		t.Errorf("kept: %s", kept)
	}
	if got := s.want(422, "PUT", path, withODK("odk.password", nil), "If-Match", `"3"`).fieldErrors(); got["/odk/password"] != "is required" {
		t.Errorf("%v", got)
	}
}

// What open batches are answered with belongs to the form that they came of.
func TestFormStaysWhileBatchesAreOpen(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	id := idOf(path)
	c := s.store.connectors[id]
	state := s.store.states[id]
	state.Run = "r"
	s.store.states[id] = state
	s.store.batches = append(s.store.batches, seeding.Batch{Ref: seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "r", Batch: "b"}, State: seeding.Claimed})
	for name, change := range map[string]struct{ body, pointer string }{
		"another form": {withODK("odk.password", nil, "odk.odata_url", strings.Replace(service002, "registration", "other", 1)), "/odk/odata_url"},
		"the registry": {with("registry.password", nil), "/input_type"},
	} {
		got := s.want(200, "POST", "/connectors/validate", `{"connector":"`+id+`","configuration":`+change.body+`}`)
		errors, _ := got.body["errors"].([]any)
		if len(errors) != 1 || errors[0].(map[string]any)["pointer"] != change.pointer || errors[0].(map[string]any)["code"] != "open_batches" {
			t.Errorf("%s: %v", name, errors)
		}
	}
	same := s.want(200, "POST", "/connectors/validate", `{"connector":"`+id+`","configuration":`+withODK("odk.password", nil, "odk.odata_url", service002+"/Submissions", "name", "n")+`}`)
	if errors, _ := same.body["errors"].([]any); len(errors) != 0 {
		t.Errorf("%v", errors)
	}
}

func TestChangesOfODKAreToldWithoutValues(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	created := s.store.changes[0].Fields
	if !slices.ContainsFunc(created, func(f seeding.FieldChange) bool {
		return f.Name == "odk.base_url" && f.After == `"https://central.example.org:443"`
	}) {
		t.Errorf("%+v", created)
	}
	s.want(200, "PUT", path, withODK("odk.email", "other@example.org", "odk.submission_type", "SECOND", "odk.received_from", "2026-01-01T00:00:00Z"), "If-Match", `"1"`)
	told := map[string]seeding.FieldChange{}
	for _, f := range s.store.changes[1].Fields {
		told[f.Name] = f
	}
	for _, name := range []string{"odk.email", "odk.submission_type", "odk.password"} {
		if f, there := told[name]; !there || f.Before+f.After != "" {
			t.Errorf("%s: %+v", name, told)
		}
	}
	if told["odk.received_from"].After != `"2026-01-01T00:00:00Z"` {
		t.Errorf("%+v", told)
	}
	if text := s.log.String(); strings.Contains(text, "reader@") || !strings.Contains(text, "odk_host") {
		t.Errorf("%s", text)
	}
}

// What is done of a form is told, of this form only.
func TestDoneUntilIsOfTheForm(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	c := s.store.connectors[idOf(path)]
	until := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for form, want := range map[string]any{c.FormKey(): "2026-11-20T08:00:00Z", "another": nil} {
		s.store.coverages = map[string]seeding.Coverage{c.ID: {Connector: c.ID, Form: form, Spans: []seeding.Span{{Window: seeding.Window{To: until}}}}}
		if got := s.want(200, "GET", path, "").body["odk"].(map[string]any)["done_until"]; got != want {
			t.Errorf("%s: %v", form, got)
		}
	}
}

// A draft of ODK may be incomplete, and its passwords go to submit by the secrets.
func TestDraftOfODKIsAskedAbout(t *testing.T) {
	s := newService(t)
	asked := func(configuration string) seeding.Inquiry {
		id := strings.TrimPrefix(s.want(202, "POST", "/checks", `{"configuration":`+configuration+`}`).Header().Get("Location"), "/checks/")
		return s.store.inquiries[id]
	}
	q := asked(withODK("registry.password", nil))
	given, err := s.asked.Given(t.Context(), q.ID)
	if err != nil || !q.Given || len(given) != 1 || given[seeding.ODKPassword] != password+"2" || q.Draft.ODK.Email != "reader@example.org" || q.Draft.Secrets != nil {
		t.Errorf("%v %+v", err, q)
	}
	if q := asked(with("input_type", "odk")); !q.Draft.FromODK() || q.Draft.ODK.BaseURL != "" {
		t.Errorf("%+v", q.Draft)
	}
	if q := asked(withODK("odk.odata_url", nil)); !q.Draft.FromODK() || q.Draft.ODK.BaseURL != "" {
		t.Errorf("%+v", q.Draft)
	}
}

// An import of a connector of ODK takes a window, and no list and no domain.
func TestImportOfAWindow(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location") + "/imports"
	run := s.want(202, "POST", path, `{"window":{"from":"2026-11-21T00:00:00.0004+08:00","to":"2026-11-20T16:00:00.001Z"}}`, "Idempotency-Key", "k").body
	want := map[string]any{"from": "2026-11-20T16:00:00Z", "to": "2026-11-20T16:00:00.001Z"}
	if got := run["selection"].(map[string]any)["window"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	s.want(409, "POST", path, `{"window":{"from":"2026-11-20T16:00:00Z","to":"2026-11-21T16:00:00Z"}}`, "Idempotency-Key", "k")
	if whole := s.want(202, "POST", path, `{}`).body["selection"].(map[string]any); len(whole) != 0 {
		t.Errorf("%v", whole)
	}
	for body, at := range map[string]string{
		`{"window":{"from":"2026-11-20T16:00:00Z","to":"2026-11-20T16:00:00Z"}}`: "/window/to",
		`{"window":{"from":"2026-11-20T16:00:00Z"}}`:                             "/window/to",
		`{"window":{"from":"2026-11-31T16:00:00Z","to":"2026-12-20T16:00:00Z"}}`: "/window/from",
		`{"window":null}`:        "/window",
		`{"registrants":[4711]}`: "/registrants",
		`{"domain":[]}`:          "/domain",
	} {
		if got := s.want(422, "POST", path, body).fieldErrors(); len(got) != 1 || got[at] == "" {
			t.Errorf("%s: %v", body, got)
		}
	}
	of := s.create() + "/imports"
	if got := s.want(422, "POST", of, `{"window":{"from":"2026-11-20T16:00:00Z","to":"2026-11-21T16:00:00Z"}}`).fieldErrors(); got["/window"] == "" {
		t.Errorf("%v", got)
	}
}

// The window may be anything from 1970 on, and end in the future.
func TestImportOfAWindowTakesTheYears1970To9999(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK("odk.received_from", "1970-01-01T00:00:00Z")).Header().Get("Location")
	if got := s.want(200, "GET", path, "").body["odk"].(map[string]any)["received_from"]; got != "1970-01-01T00:00:00Z" {
		t.Errorf("received_from is %v", got)
	}
	for _, w := range [][2]string{{"1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"}, {"1970-01-01T03:00:00+03:00", "9999-12-31T23:59:59.999Z"}} {
		run := s.want(202, "POST", path+"/imports", fmt.Sprintf(`{"window":{"from":%q,"to":%q}}`, w[0], w[1])).body
		if got, want := run["selection"].(map[string]any)["window"], (map[string]any{"from": "1970-01-01T00:00:00Z", "to": w[1]}); !reflect.DeepEqual(got, want) {
			t.Errorf("%v, not %v", got, want)
		}
	}
	for _, w := range []struct{ from, to, at string }{
		{"0001-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "/window/from"},
		{"1969-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z", "/window/from"},
		{"1970-01-01T00:00:00+03:00", "2026-01-01T00:00:00Z", "/window/from"},
		{"2026-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "/window/to"},
	} {
		wrong := s.want(422, "POST", path+"/imports", fmt.Sprintf(`{"window":{"from":%q,"to":%q}}`, w.from, w.to)).fieldErrors()
		if len(wrong) != 1 || !strings.Contains(wrong[w.at], "in the years 1970 to 9999") {
			t.Errorf("%+v: %v", w, wrong)
		}
	}
}

// Runs, batches and rejections of ODK tell what they are about.
func TestRunsAndRejectionsOfODK(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	id := idOf(path)
	c := s.store.connectors[id]
	at := func(minute int) time.Time { return time.Date(2026, 11, 20, 8, minute, 0, 1e6, time.UTC) }
	window := seeding.Window{From: at(1), To: at(2)}
	s.store.runs["r"] = seeding.Run{ID: "r", Connector: id, Registry: c.RegistryKey(), Started: s.now, Passes: 1,
		Looks: seeding.Looks{Planned: true, Until: at(3), Spans: []seeding.Span{{Window: window, Mark: "m", Count: 7}}}}
	s.store.batches = []seeding.Batch{
		{Ref: seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "r", Batch: "a"}, State: seeding.Submitted, Count: 7, Window: window},
		{Ref: seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "r", Batch: "b"}, State: seeding.Submitted, Count: 2, Submissions: []string{"uuid:1", "uuid:2"}},
	}
	s.store.rejections = []seeding.Rejection{
		{Registry: c.RegistryKey(), Connector: id, Subject: seeding.Subject{Submission: "uuid:3"}, Received: at(1), Kind: seeding.Duplicate, Holder: 12, Since: s.now, LastAttempt: s.now},
	}
	shown := map[string]any{"from": "2026-11-20T08:01:00.001Z", "to": "2026-11-20T08:02:00.001Z"}
	run := s.want(200, "GET", path+"/runs/r", "").body
	want := map[string]any{"until": "2026-11-20T08:03:00.001Z", "spans": []any{map[string]any{"from": shown["from"], "to": shown["to"], "count": 7.0}}}
	if got := run["looks"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	batches := s.want(200, "GET", path+"/runs/r/batches", "").body["batches"].([]any)
	first, second := batches[0].(map[string]any), batches[1].(map[string]any)
	if !reflect.DeepEqual(first["window"], any(shown)) || first["submissions"] != nil || second["submissions"] != 2.0 || second["window"] != nil {
		t.Errorf("%v", batches)
	}
	rejections := s.want(200, "GET", path+"/rejections", "")
	one := rejections.body["rejections"].([]any)[0].(map[string]any)
	if one["submission"] != "uuid:3" || one["received"] != "2026-11-20T08:01:00.001Z" || one["identifier"] != nil || one["registrant"] != nil {
		t.Errorf("%v", one)
	}
	duplicate := s.want(200, "GET", path+"/duplicates", "").body["duplicates"].([]any)[0].(map[string]any)
	if duplicate["submission"] != "uuid:3" || !reflect.DeepEqual(duplicate["registrants"], []any{12.0}) || duplicate["identifier"] != nil {
		t.Errorf("%v", duplicate)
	}
	r := httptest.NewRequest("GET", path+"/rejections", nil)
	r.Header.Set("Accept", "text/csv")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if rows := strings.Split(w.Body.String(), "\r\n"); !strings.HasSuffix(rows[0], ",holder,submission,received") || !strings.HasPrefix(rows[1], ",,duplicate,") || !strings.HasSuffix(rows[1], ",12,uuid:3,2026-11-20T08:01:00.001Z") {
		t.Errorf("%q", rows)
	}
	groups := s.want(200, "GET", path+"/rejections/groups", "").body["groups"].([]any)
	group := groups[0].(map[string]any)
	if !reflect.DeepEqual(group["registrants"], []any{}) || !reflect.DeepEqual(group["submissions"], []any{"uuid:3"}) {
		t.Errorf("%v", group)
	}
}
