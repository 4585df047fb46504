package connectors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/seeding"
)

// inquiry returns what is stored of the inquiry at a path.
func (s *service) inquiry(path string) seeding.Inquiry {
	s.t.Helper()
	q, there := s.store.inquiries[path[strings.LastIndex(path, "/")+1:]]
	if !there {
		s.t.Fatalf("there is no inquiry at %s", path)
	}
	return q
}

// answer answers the inquiry at a path, as submit does.
func (s *service) answer(path string, a *seeding.PreviewAnswer, lines ...seeding.Line) {
	s.t.Helper()
	q := s.inquiry(path)
	q.State, q.Ended, q.Lines = seeding.InquiryAnswered, s.now, lines
	if a != nil {
		text, err := json.Marshal(a)
		if err != nil {
			s.t.Fatal(err)
		}
		key, err := s.asked.Key(s.t.Context(), q.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		if q.Sealed, err = seeding.SealAnswer(key, q.ID, text); err != nil {
			s.t.Fatal(err)
		}
		q.FetchUpTo = s.now.Add(seeding.PreviewLife)
	}
	s.store.inquiries[q.ID] = q
}

func about(connector, configuration string) string {
	members := []string{}
	if connector != "" {
		members = append(members, fmt.Sprintf("%q:%q", "connector", connector))
	}
	if configuration != "" {
		members = append(members, fmt.Sprintf("%q:%s", "configuration", configuration))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestCheckOfAStoredConnector(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.caller.Role = connectors.Operator
	for _, request := range [][2]string{{path + "/check", ""}, {"/checks", about(idOf(path), "")}} {
		a := s.want(202, "POST", request[0], request[1])
		at := a.Header().Get("Location")
		q := s.inquiry(at)
		if !strings.HasPrefix(at, "/checks/") || q.Kind != seeding.CheckInquiry || q.Connector != idOf(path) || q.Draft != nil || q.Given || a.body["state"] != "waiting" || a.body["draft"] != false {
			t.Errorf("%s: %+v %v", at, q, a.body)
		}
		if s.invoker.asked[len(s.invoker.asked)-1] != q.ID {
			t.Errorf("invoked for %v", s.invoker.asked)
		}
	}
	if left := s.manager.Names(); len(left) > 0 {
		t.Errorf("secrets of a check without any: %v", left)
	}
}

// What the registry says of a registrant is asked by a check of its own, which is read
// like any other.
func TestCheckOfARegistrant(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.caller.Role = connectors.Viewer
	s.want(403, "POST", path+"/registrants/4711/check", "")
	s.caller.Role = connectors.Operator
	a := s.want(202, "POST", path+"/registrants/4711/check", "")
	at := a.Header().Get("Location")
	q := s.inquiry(at)
	if !strings.HasPrefix(at, "/checks/") || q.Kind != seeding.RegistrantInquiry || q.Connector != idOf(path) || q.Draft != nil || q.Given || !slices.Equal(q.Registrants, []int64{4711}) ||
		a.body["registrant"] != 4711. || a.body["state"] != "waiting" || s.invoker.asked[len(s.invoker.asked)-1] != q.ID {
		t.Errorf("%s: %+v %v", at, q, a.body)
	}
	q.State = seeding.InquiryAnswered
	for _, name := range []string{"registrant", "selected", "vid", "token", "data", "next_pass"} {
		q.Lines = append(q.Lines, seeding.Line{Name: name, Result: seeding.LineOK, Code: map[string]string{"registrant": "found", "selected": "selected", "vid": "valid", "token": "none", "data": "complete", "next_pass": "sent"}[name], Description: seeding.Description{Text: "Fine."}})
	}
	s.store.inquiries[q.ID] = q
	s.caller.Role = connectors.Viewer
	if a := s.want(200, "GET", at, ""); a.body["registrant"] != 4711. || len(a.body["lines"].([]any)) != 6 {
		t.Errorf("%v", a.body)
	}
	s.want(404, "GET", "/previews/"+q.ID, "")
	s.caller.Role = connectors.Operator
	for _, wrong := range []string{"0", "-1", "x", "04711", "1e3", "2147483648", "99999999999999999999"} {
		s.want(404, "POST", path+"/registrants/"+wrong+"/check", "")
	}
	s.want(404, "POST", "/connectors/C0000000000000000000000099/registrants/4711/check", "")
	for range seeding.InquiryPlaces { // it takes a place like others; the first is answered
		s.want(202, "POST", path+"/registrants/4711/check", "")
	}
	s.want(409, "POST", path+"/registrants/4711/check", "")
	if left := s.manager.Names(); len(left) > 0 {
		t.Errorf("secrets of a check without any: %v", left)
	}
}

// Whoever may not configure may not have the deployment call addresses of their own.
func TestDraftsNeedAnAdministrator(t *testing.T) {
	s := newService(t)
	id := idOf(s.create())
	for _, path := range []string{"/checks", "/previews"} {
		for _, body := range []string{about("", with()), about(id, with("mts_url", "https://other.example"))} {
			s.caller.Role = connectors.Operator
			s.want(403, "POST", path, body)
			if len(s.store.inquiries) > 0 || len(s.manager.Names()) > 0 {
				t.Fatalf("%v, %v", s.store.inquiries, s.manager.Names())
			}
		}
	}
	s.caller.Role = connectors.Administrator
	s.want(202, "POST", "/checks", about("", with()))
	s.caller.Role = connectors.Viewer
	s.want(403, "POST", "/checks", about(id, ""))
}

// The password of a draft is in no table, and never the connector's.
func TestSecretsOfADraft(t *testing.T) {
	s := newService(t)
	path := s.create()
	stored := slices.Clone(s.secrets.stored(idOf(path)))
	a := s.want(202, "POST", "/checks", about(idOf(path), with("registry.password", "hunter2", "registry.url", "https://OTHER.example:443/web/login", "interval_minutes", 5)))
	q := s.inquiry(a.Header().Get("Location"))
	if q.Draft == nil || q.Draft.Registry.URL != "https://other.example" || q.Draft.Schedule.Interval != 5*time.Minute || !q.Given || q.Draft.Secrets != nil {
		t.Errorf("%+v", q)
	}
	if text, _ := json.Marshal(q); strings.Contains(string(text), "hunter2") {
		t.Errorf("the item holds the password: %s", text)
	}
	given, err := s.asked.Given(t.Context(), q.ID)
	if err != nil || given[seeding.RegistryPassword] != "hunter2" || !slices.Equal(stored, s.secrets.stored(idOf(path))) {
		t.Errorf("%v, %v, %v", given, err, s.secrets.stored(idOf(path)))
	}
	q = s.inquiry(s.want(202, "POST", "/checks", about(idOf(path), with("registry.password", nil))).Header().Get("Location"))
	if q.Given || len(s.manager.Names()) != 1 {
		t.Errorf("without a password: %+v, %v", q, s.manager.Names())
	}
}

// A form can be checked while it is filled in; what is wrong in it must be mended.
func TestIncompleteDrafts(t *testing.T) {
	s := newService(t)
	for body, want := range map[string][2]string{ // addresses that are looked at
		`{}`:                                {"", ""},
		`{"mts_url":"https://mts.example"}`: {"https://mts.example", ""},
		`{"registry":{"url":"https://r.example","database":"d"}}`:                                    {"", ""}, // nobody to sign in as
		`{"registry":{"url":"https://r.example","database":"d","username":"u"}}`:                     {"", "https://r.example"},
		`{"registry":{"url":"https://r.example","database":"d","username":"u","password":"p"}}`:      {"", "https://r.example"},
		`{"name":"n","mts_url":"https://m.example","registry":{"url":"https://r.example"},"x":null}`: {"https://m.example", ""},
	} {
		q := s.inquiry(s.want(202, "POST", "/checks", about("", body)).Header().Get("Location"))
		if q.Draft == nil || q.Draft.MTS.URL != want[0] || q.Draft.Registry.URL != want[1] {
			t.Errorf("%s: %+v", body, q.Draft)
		}
		s.store.inquiries = map[string]seeding.Inquiry{}
	}
	a := s.want(422, "POST", "/checks", about("", `{"mts_url":"no address","interval_minutes":0,"registry":{"url":"https://r.example"},"mapping":{"gender":"(("},"colour":1}`))
	found := a.fieldErrors()
	for _, pointer := range []string{"/configuration/mts_url", "/configuration/interval_minutes", "/configuration/mapping/gender", "/configuration/colour"} {
		if found[pointer] == "" {
			t.Errorf("nothing at %s: %v", pointer, found)
		}
	}
	if len(found) != 4 || len(s.store.inquiries) > 0 {
		t.Errorf("%v", found)
	}
}

// Callers whom no claim tells apart would be one asker, so each would get what another
// asked for.
func TestPreviewsNeedAName(t *testing.T) {
	s := newService(t)
	path := s.create()
	asked := s.want(202, "POST", path+"/preview", `{}`).Header().Get("Location")
	s.caller.Name, s.caller.Claim = "", ""
	for at, body := range map[string]string{path + "/preview": `{}`, "/previews": about(idOf(path), ""), "/previews?": about("", with())} {
		a := s.want(403, "POST", strings.TrimSuffix(at, "?"), body)
		if a.body["type"] != "/openapi.json#/x-problems/no_name" || !strings.Contains(fmt.Sprint(a.body["detail"]), "azp") {
			t.Errorf("%s", a.Body)
		}
	}
	q := s.store.inquiries[strings.TrimPrefix(asked, "/previews/")]
	for _, asker := range []string{"", " ", "sub amina"} { // the second one by a version before
		q.Asker = asker
		s.store.inquiries[q.ID] = q
		s.want(404, "GET", asked, "")
	}
	if len(s.store.inquiries) != 1 {
		t.Errorf("%v", s.store.inquiries)
	}
	s.want(202, "POST", path+"/check", "") // has nothing that only one may see
}

// What takes the places is said as it is: of a connector, or of all drafts.
func TestWhatTakesThePlaces(t *testing.T) {
	s := newService(t)
	path := s.create()
	for at, want := range map[string]string{path + "/preview": "4 checks and previews of this connector are open", "/checks": "4 checks and previews of new connectors, of all administrators together, are open"} {
		s.store.inquiries = map[string]seeding.Inquiry{}
		body := `{}`
		if at == "/checks" {
			body = about("", with())
		}
		for range seeding.InquiryPlaces {
			s.want(202, "POST", at, body)
		}
		a := s.want(409, "POST", at, body)
		if detail := fmt.Sprint(a.body["detail"]); !strings.HasPrefix(detail, want) || !strings.Contains(detail, "Fetch yours") || !strings.Contains(detail, "10 minutes") {
			t.Errorf("%s", detail)
		}
	}
}

func TestWrongInquiries(t *testing.T) {
	s := newService(t)
	id := idOf(s.create())
	for body, want := range map[string]string{
		`{}`:                                                "/connector",
		`{"connector":"x"}`:                                 "/connector",
		`{"connector":"` + id + `","count":21}`:             "/count",
		`{"connector":"` + id + `","count":0}`:              "/count",
		`{"connector":"` + id + `","registrants":[]}`:       "/registrants",
		`{"connector":"` + id + `","registrants":[0]}`:      "/registrants/0",
		`{"connector":"` + id + `","registrants":[7,7]}`:    "/registrants",
		`{"connector":"` + id + `","registrants":["4711"]}`: "/registrants/0",
		`{"connector":"` + id + `","configuration":[]}`:     "/configuration",
	} {
		if found := s.want(422, "POST", "/previews", body).fieldErrors(); found[want] == "" && !slices.ContainsFunc(keysOf(found), func(at string) bool { return strings.HasPrefix(at, want) }) {
			t.Errorf("%s: %v", body, found)
		}
	}
	s.want(422, "POST", "/checks", `{"connector":"`+id+`","count":5}`)
	s.want(404, "POST", "/checks", about("C0000000000000000000000099", ""))
	s.want(404, "POST", "/connectors/C0000000000000000000000099/check", "")
	s.want(404, "POST", "/connectors/C0000000000000000000000099/preview", "{}")
	for _, path := range []string{"/checks/C0000000000000000000000099", "/previews/C0000000000000000000000099"} {
		if a := s.do("GET", path, ""); a.Code != 404 {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
	if len(s.manager.Names()) > 0 {
		t.Errorf("left over: %v", s.manager.Names())
	}
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// The lines of a check are shown as they come, to every viewer.
func TestShowCheck(t *testing.T) {
	s := newService(t)
	path := s.create()
	at := s.want(202, "POST", path+"/check", "").Header().Get("Location")
	q := s.inquiry(at)
	q.State = seeding.InquiryWorking
	q.Lines = []seeding.Line{
		{Name: "mts", Result: seeding.LineOK, Code: "reached", Description: seeding.Description{Text: "There."}},
		{Name: "sign_in", Result: seeding.LineFailure, Code: "no_database", Params: map[string]any{"database": "g2p"}, Description: seeding.Description{Text: "No.", Remedy: "Do."}, Field: "registry_database"},
		{Name: "types", Result: seeding.LineFailure, Code: "no_such_type", Description: seeding.Description{Text: "No.", Remedy: "Do."}, Field: "vid_type"},
		{Name: "read", Result: seeding.LineNotTried, Code: "no_types", Description: seeding.Description{Text: "Not tried.", Remedy: "See above."}},
	}
	s.store.inquiries[q.ID] = q
	s.caller.Role = connectors.Viewer
	a := s.want(200, "GET", at, "")
	lines := a.body["lines"].([]any)
	if a.body["state"] != "working" || len(lines) != 4 || lines[1].(map[string]any)["pointer"] != "/registry/database" || lines[2].(map[string]any)["pointer"] != "/registry/vid_type" {
		t.Errorf("%s", a.Body)
	}
	for state, shown := range map[seeding.InquiryState]string{seeding.InquiryAnswered: "answered", seeding.InquiryDropped: "failed", seeding.InquiryWaiting: "waiting"} {
		q.State = state
		s.store.inquiries[q.ID] = q
		if a := s.want(200, "GET", at, ""); a.body["state"] != shown {
			t.Errorf("%s is shown as %v", state, a.body["state"])
		}
	}
	s.want(404, "GET", "/previews/"+q.ID, "")
	s.now = s.now.Add(seeding.InquiryLife)
	s.want(404, "GET", at, "")
}

var anAnswer = seeding.PreviewAnswer{
	VIDs: 3, Sampled: 2, Fates: map[seeding.Fate]int{seeding.WouldBeSent: 1, seeding.WouldBeInvalid: 1, seeding.NotSelectedNow: 1},
	Rows: []seeding.PreviewRow{
		{Registrant: 7, Identifier: 70, Fate: seeding.WouldBeSent, VID: "••••••1938", Fields: map[string]seeding.PreviewField{"name": {Text: "Ana Reyes", Present: true}, "dob": {}, "gender": {Present: true, NotText: true}}},
		{Registrant: 8, Identifier: 80, Fate: seeding.WouldBeInvalid, Kind: seeding.Invalid, Code: "ATS-REQ-012", VID: "••••••1946", Fields: map[string]seeding.PreviewField{}},
		{Registrant: 9, Fate: seeding.HasNoVID},
	},
	Parts: []seeding.PartEmpty{{Part: "name/0", Empty: 1}},
}

// A preview is delivered once, to who asked for it, and then it is nowhere.
func TestPreviewIsDeliveredOnce(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.caller = connectors.Caller{Name: "amina", Claim: "sub", Role: connectors.Operator}
	at := s.want(202, "POST", path+"/preview", `{"registrants":[7,8,9]}`).Header().Get("Location")
	if q := s.inquiry(at); !slices.Equal(q.Registrants, []int64{7, 8, 9}) || q.Count != 10 {
		t.Errorf("%+v", q)
	}
	if a := s.want(200, "GET", at, ""); a.body["state"] != "waiting" || a.body["preview"] != nil {
		t.Errorf("%s", a.Body)
	}
	s.answer(at, &anAnswer)
	for _, other := range []connectors.Caller{{Name: "pooja", Claim: "sub", Role: connectors.Administrator}, {Name: "amina", Claim: "client_id", Role: connectors.Administrator}, {Role: connectors.Viewer}} {
		s.caller = other
		if a := s.want(404, "GET", at, ""); strings.Contains(a.Body.String(), "Reyes") {
			t.Error("delivered to somebody else")
		}
	}
	s.caller = connectors.Caller{Name: "amina", Claim: "sub", Role: connectors.Operator}
	a := s.want(200, "GET", at, "", "If-None-Match", "*")
	preview, _ := a.body["preview"].(map[string]any)
	rows, _ := preview["registrants"].([]any)
	if a.body["state"] != "delivered_now" || len(rows) != 3 || a.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%v %s", a.Header(), a.Body)
	}
	first, second := rows[0].(map[string]any), rows[1].(map[string]any)
	record := first["record"].(map[string]any)
	if record["name"] != "Ana Reyes" || record["vid"] != "••••••1938" || record["dob"] != nil || fmt.Sprint(first["unusable"]) != "[gender]" {
		t.Errorf("%v", first)
	}
	if second["reason"] != "The date of birth is missing. The mapping reads it from: birthdate." || preview["looked"] != 3.0 {
		t.Errorf("%v", second)
	}
	if part := preview["mapping"].([]any)[0].(map[string]any); part["pointer"] != "/mapping/name/0" || part["empty"] != 1.0 {
		t.Errorf("%v", part)
	}
	again := s.want(200, "GET", at, "")
	if again.body["state"] != "delivered" || again.body["preview"] != nil || again.body["delivered"] == nil {
		t.Errorf("%s", again.Body)
	}
	if q := s.inquiry(at); q.Sealed != nil || len(s.manager.Names()) > 0 {
		t.Errorf("left over: %d bytes, %v", len(q.Sealed), s.manager.Names())
	}
	if strings.Contains(s.log.String(), "Reyes") {
		t.Error("a name was logged")
	}
}

// Whatever fails on the way, a preview is delivered at most once.
func TestPreviewWhoseDeliveryFails(t *testing.T) {
	for name, test := range map[string]struct {
		fails func(s *service)
		first int
		then  string // state with the next GET
	}{
		"the key cannot be read":      {func(s *service) { s.manager.Fail(errors.New("away")) }, 500, "delivered_now"},
		"the answer stays":            {func(s *service) { s.store.fail["FetchInquiry"] = failure{err: errors.New("away")} }, 500, "delivered"},
		"the answer went, unknown":    {func(s *service) { s.store.fail["FetchInquiry"] = failure{err: errors.New("away"), applied: true} }, 500, "delivered"},
		"somebody else fetched first": {func(s *service) { s.store.fail["FetchInquiry"] = failure{err: seeding.ErrConflict} }, 200, "delivered"},
	} {
		s := newService(t)
		at := s.want(202, "POST", s.create()+"/preview", `{}`).Header().Get("Location")
		s.answer(at, &anAnswer)
		test.fails(s)
		if a := s.do("GET", at, ""); a.Code != test.first || strings.Contains(a.Body.String(), "Reyes") {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
		s.manager.Fail(nil)
		if a := s.want(200, "GET", at, ""); a.body["state"] != test.then {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
}

// A preview that is not fetched in time is not delivered, whether or not it is deleted.
func TestPreviewThatIsTooLate(t *testing.T) {
	s := newService(t)
	at := s.want(202, "POST", s.create()+"/preview", `{}`).Header().Get("Location")
	s.answer(at, &anAnswer)
	s.now = s.now.Add(seeding.PreviewLife)
	if a := s.want(200, "GET", at, ""); a.body["state"] != "not_fetched" || strings.Contains(a.Body.String(), "Reyes") {
		t.Errorf("%s", a.Body)
	}
	failed := s.want(202, "POST", s.create()+"/preview", `{}`).Header().Get("Location")
	s.answer(failed, nil, seeding.Line{Name: "read", Result: seeding.LineFailure, Code: "reading_denied", Description: seeding.Description{Text: "No.", Remedy: "Do."}})
	if a := s.want(200, "GET", failed, ""); a.body["state"] != "failed" || len(a.body["lines"].([]any)) != 1 {
		t.Errorf("%s", a.Body)
	}
}

// The number of open inquiries of a connector is bounded, with a clear refusal, and
// what was made for a refused one is deleted.
func TestManyInquiries(t *testing.T) {
	s := newService(t)
	path := s.create()
	for range seeding.InquiryPlaces {
		s.want(202, "POST", path+"/check", "")
	}
	a := s.want(409, "POST", path+"/preview", "{}")
	if a.body["type"] != "/openapi.json#/x-problems/many_inquiries" {
		t.Errorf("%s", a.Body)
	}
	s.want(409, "POST", "/checks", about(idOf(path), with("registry.password", "hunter2")))
	if left := s.manager.Names(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	s.want(202, "POST", s.create()+"/check", "")
	s.want(202, "POST", "/checks", about("", with()))
}

// Whatever fails while an inquiry is asked for, no secret is left without one: submit
// ends an inquiry that lacks its secrets.
func TestStorageFailsWhileAsking(t *testing.T) {
	for _, applied := range []bool{false, true} {
		s := newService(t)
		s.store.fail["Ask"] = failure{err: errors.New("away"), applied: applied}
		s.want(500, "POST", "/checks", about("", with("registry.password", "hunter2")))
		if left := s.manager.Names(); len(left) > 0 {
			t.Errorf("stored %t: %v", applied, left)
		}
	}
	s := newService(t)
	path := s.create()
	s.manager.Fail(errors.New("away"))
	s.want(500, "POST", path+"/preview", "{}")
	if len(s.invoker.asked) > 0 {
		t.Error("submit is invoked for an inquiry without its key")
	}
	s.manager.Fail(nil)
	s.invoker.err = errors.New("lost") // the tick finds it
	if a := s.do("POST", path+"/check", ""); a.Code != http.StatusAccepted {
		t.Errorf("%d", a.Code)
	}
}

// slowSecrets store late: what happens meanwhile comes before.
type slowSecrets struct {
	connectors.InquirySecrets
	meanwhile func(ctx context.Context, inquiry string)
}

func (s slowSecrets) KeepGiven(ctx context.Context, inquiry string, values map[string]string) error {
	s.meanwhile(ctx, inquiry)
	return s.InquirySecrets.KeepGiven(ctx, inquiry, values)
}

func (s slowSecrets) MakeKey(ctx context.Context, inquiry string) error {
	s.meanwhile(ctx, inquiry)
	return s.InquirySecrets.MakeKey(ctx, inquiry)
}

// An inquiry that ended because its secrets were not there leaves none when they come
// after all, and they are not stored later than submit waits for them.
func TestSecretsOfAnInquiryThatIsOverAreDeleted(t *testing.T) {
	for _, kind := range []string{"/checks", "/previews"} {
		for _, over := range []bool{false, true} {
			s := newService(t)
			s.options.InquirySecrets = slowSecrets{s.asked, func(ctx context.Context, inquiry string) {
				if end, bound := ctx.Deadline(); !bound || end.After(time.Now().Add(20*time.Second)) {
					t.Errorf("%s: stored whenever it may be", kind)
				}
				q := s.inquiry("/" + inquiry)
				if !over || q.Over() {
					return
				}
				s.now = s.now.Add(21 * time.Second)
				q.State, q.Ended = seeding.InquiryDropped, s.now
				s.store.inquiries[inquiry] = q
			}}
			s.handler = contract().Handler(t, connectors.New(s.options))
			a := s.want(202, "POST", kind, about("", with()))
			if left := len(s.manager.Names()) > 0; left == over {
				t.Errorf("%s: over: %t, secrets: %v", kind, over, s.manager.Names())
			}
			if (a.body["state"] == "waiting") == over {
				t.Errorf("%s: over: %t: %v", kind, over, a.body["state"])
			}
		}
	}
}
