package connectors_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// rejected gives a connector rejections of three groups, in turn.
func (s *service) rejected(path string, n int) {
	id, registry := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	for i := range int64(n) {
		s.store.rejections = append(s.store.rejections, seeding.Rejection{
			Registry: registry, Connector: id, Subject: seeding.Member{Registrant: 1000 + i, Identifier: i + 1}.Subject(), Configured: 1, Attempts: 1,
			Kind: []seeding.RejectionKind{seeding.Invalid, seeding.Refused, seeding.Duplicate}[i%3], Code: []string{"ATS-REQ-012", "IDA-DEA-001:dob", seeding.CodeHeldByOther}[i%3],
			Since: s.now.Add(-time.Duration(n-int(i)) * time.Minute), LastAttempt: s.now.Add(-time.Second), Holder: []int64{0, 0, 7}[i%3],
		})
	}
}

func TestRejectionsAreFiltered(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.rejected(path, 30)
	at := s.now.Add(-5 * time.Minute).Format(time.RFC3339)
	for query, want := range map[string]int{
		"kind=refused":                  10,
		"code=IDA-DEA-001":              10,
		"kind=invalid&code=IDA-DEA-001": 0,
		"since=" + at:                   5,
		"since=" + strings.Replace(at, "Z", "%2B00:00", 1): 5,
		"since=2026-11-21T23:59:60Z":                       0, // a leap second
		"registrant=1003":                                  1,
		"registrant=4711":                                  0,
		"kind=invalid&registrant=1003&since=" + at:         0,
	} {
		for _, most := range []int{0, 4} { // as if the store read little at once
			s.store.mostRead = most
			found, cursor := 0, ""
			for range 100 {
				at := path + "/rejections?limit=3&" + query
				if cursor != "" {
					at = path + "/rejections?limit=3&cursor=" + cursor // which holds the filter
				}
				a := s.want(200, "GET", at, "")
				found += len(a.body["rejections"].([]any))
				if cursor, _ = a.body["next"].(string); cursor == "" {
					break
				}
			}
			if found != want {
				t.Errorf("%s: %d, want %d", query, found, want)
			}
		}
	}
	s.store.mostRead = 0
	next := s.want(200, "GET", path+"/rejections?limit=3&kind=refused", "").body["next"].(string)
	s.want(200, "GET", path+"/rejections?limit=3&kind=refused&cursor="+next, "")
	s.want(400, "GET", path+"/rejections?limit=3&kind=invalid&cursor="+next, "")
	s.want(400, "GET", s.create()+"/rejections?cursor="+next, "")
}

// Submissions of a connector of ODK are found by their ids, also as CSV, and those of the
// other source are not asked for.
func TestRejectionsOfASubmission(t *testing.T) {
	s := newService(t)
	path := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	id, registry := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	for i, submission := range []string{"uuid:1", "uuid:10", "4711", "s:a&b\n c"} {
		s.store.rejections = append(s.store.rejections, seeding.Rejection{
			Registry: registry, Connector: id, Subject: seeding.Subject{Submission: submission}, Kind: []seeding.RejectionKind{seeding.Refused, seeding.Duplicate}[i%2]})
	}
	for query, want := range map[string]string{
		"submission=uuid:1":                   "uuid:1",
		"submission=uuid:1&kind=refused":      "uuid:1",
		"submission=uuid:1&kind=duplicate":    "",
		"submission=4711":                     "4711",
		"submission=s%3Aa%26b%0A%20c":         "s:a&b\n c",
		"submission=uuid:2":                   "",
		"submission=" + url.QueryEscape("ü'"): "",
	} {
		list := s.want(200, "GET", path+"/rejections?"+query, "").body["rejections"].([]any)
		rows, _ := s.csvPages(path, "?"+query)
		if want == "" && len(list)+len(rows) == 0 {
			continue
		}
		if len(list) != 1 || len(rows) != 1 || list[0].(map[string]any)["submission"] != want || rows[0][11] != want {
			t.Errorf("%s: %v %q, want %q", query, list, rows, want)
		}
	}
	s.want(400, "GET", path+"/rejections?submission=", "")
	ofRegistry := s.create()
	for at, parameter := range map[string]string{path + "/rejections?registrant=1": "registrant", ofRegistry + "/rejections?submission=uuid:1": "submission"} {
		wrong := s.want(400, "GET", at, "").body["errors"].([]any)[0].(map[string]any)
		if wrong["parameter"] != parameter || wrong["code"] != "other_source" {
			t.Errorf("%s: %v", at, wrong)
		}
	}
}

// csvPages reads all pages as CSV, the heads left out.
func (s *service) csvPages(path string, limit string) (rows [][]string, pages int) {
	s.t.Helper()
	for at := path + "/rejections" + limit; at != ""; pages++ {
		r := httptest.NewRequest("GET", at, nil)
		r.Header.Set("Accept", "text/html;q=0.5, text/csv")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
			s.t.Fatalf("%s: %d %s", at, w.Code, w.Body)
		}
		if w.Body.Len() > 5<<20 {
			s.t.Errorf("a page of %d bytes", w.Body.Len())
		}
		read, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || read[0][0] != "identifier" {
			s.t.Fatalf("%v %q", err, read)
		}
		rows = append(rows, read[1:]...)
		link := w.Header().Get("Link")
		at, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if link != "" && !strings.HasSuffix(link, `>; rel="next"`) {
			s.t.Errorf("%q", link)
		}
	}
	return rows, pages
}

func TestRejectionsAsCSV(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.rejected(path, 25_000)
	s.store.rejections[1].Code = "=HYPERLINK(1)"
	rows, pages := s.csvPages(path, "")
	if len(rows) != 25_000 || pages != 3 {
		t.Errorf("%d rows on %d pages", len(rows), pages)
	}
	at := s.now.Add(-25_000 * time.Minute).Format(time.RFC3339)
	if want := []string{"1", "1000", "invalid", "ATS-REQ-012", "", "The date of birth is missing. The mapping reads it from: birthdate.", "1", "", at, s.now.Add(-time.Second).Format(time.RFC3339), "", "", ""}; !slices.Equal(rows[0], want) {
		t.Errorf("%q", rows[0])
	}
	if rows[1][3] != "'=HYPERLINK(1)" || rows[2][10] != "7" || rows[4][4] != "dob" {
		t.Errorf("%q", rows[:5])
	}
	if rows, pages := s.csvPages(path, "?kind=duplicate&limit=5000"); len(rows) != 8333 || pages != 2 {
		t.Errorf("%d rows on %d pages", len(rows), pages)
	}
	for i := range s.store.rejections { // whose reasons are long
		s.store.rejections[i].Code = "ATS-REQ-003,ATS-REQ-004,ATS-REQ-006,ATS-REQ-008,ATS-REQ-009,ATS-REQ-010,ATS-REQ-012,ATS-REQ-015"
	}
	if rows, pages := s.csvPages(path, ""); len(rows) != 25_000 || pages < 4 {
		t.Errorf("%d rows on %d pages", len(rows), pages)
	}
	for accept, isCSV := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/csv": true, "TEXT/CSV; charset=utf-8": true,
		"text/csv;q=0.1, application/json": false, "application/json;q=0.9,text/csv": true, "text/csv;q=0": false,
	} {
		r := httptest.NewRequest("GET", path+"/rejections?limit=1", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if got := strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv"); got != isCSV || w.Header().Get("Vary") != "Accept" {
			t.Errorf("%q: %v", accept, w.Header())
		}
	}
}

func TestGroupsOfRejections(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	s.rejected(path, 31)
	groups := func() []map[string]any {
		t.Helper()
		var list []map[string]any
		for _, g := range s.want(200, "GET", path+"/rejections/groups", "").body["groups"].([]any) {
			list = append(list, g.(map[string]any))
		}
		return list
	}
	got := groups()
	if len(got) != 3 || got[0]["kind"] != "invalid" || got[0]["count"] != 11.0 || got[0]["reason"] != "The date of birth is missing." ||
		got[0]["oldest"] != "2026-11-21T08:29:00Z" || got[0]["newest"] != "2026-11-21T08:59:00Z" || fmt.Sprint(got[0]["registrants"]) != "[1000 1003 1006 1009 1012]" {
		t.Errorf("%v", got)
	}
	s.want(202, "POST", path+"/rejections/retry", `{"kind": "invalid", "code": "ATS-REQ-012"}`)
	for i, asked := range []any{"2026-11-21T09:00:00Z", nil, nil} {
		if got := groups(); got[i]["asked_again"] != asked {
			t.Errorf("%v", got[i])
		}
	}
	for i := range s.store.rejections { // they were tried again since, and are rejected as before
		s.store.rejections[i].LastAttempt = s.now.Add(time.Second)
	}
	if again := groups(); again[0]["asked_again"] != nil || again[0]["oldest"] != got[0]["oldest"] {
		t.Errorf("%v", again[0])
	}
	for i := range s.store.rejections {
		s.store.rejections[i].LastAttempt = s.now.Add(-time.Second)
	}

	// Many are counted by submit, and read as it wrote them.
	counted := seeding.CountOf(s.now.Add(-time.Hour), 300_000, []seeding.GroupCount{{Group: seeding.Group{Kind: seeding.Refused, Code: "X"}, Count: 300_000, Oldest: s.now, Newest: s.now}})
	s.store.counted = map[string]seeding.RejectionCount{id: counted}
	state := s.store.states[id]
	state.Figures = seeding.Figures{Rejected: 300_000, Counted: counted.At}
	s.store.states[id] = state
	s.store.fail["ListRejections"] = failure{err: fmt.Errorf("nobody reads them")}
	a := s.want(200, "GET", path+"/rejections/groups", "")
	if a.body["total"] != 300_000.0 || a.body["counted"] != "2026-11-21T08:00:00Z" || a.body["complete"] != true {
		t.Errorf("%s", a.Body)
	}
	// There are more than a reply counts, and nobody has counted them yet.
	delete(s.store.fail, "ListRejections")
	other := s.create()
	s.rejected(other, 2500)
	if a := s.want(200, "GET", other+"/rejections/groups", ""); a.body["total"] != 2000.0 || a.body["complete"] != false {
		t.Errorf("%s", a.Body)
	}
	// A few of them among many of others.
	s.store.mostRead = 100
	if a := s.want(200, "GET", path+"/rejections/groups", ""); a.body["total"] != 300_000.0 {
		t.Errorf("%s", a.Body)
	}
	s.store.mostRead = 1300
	state.Figures = seeding.Figures{}
	s.store.states[id] = state
	if a := s.want(200, "GET", path+"/rejections/groups", ""); a.body["total"] != 31.0 || a.body["complete"] != true {
		t.Errorf("%s", a.Body)
	}
	s.store.mostRead = 0

	// A run ends between the two reads.
	state.Figures = seeding.Figures{Rejected: 300_000, Counted: counted.At.Add(-time.Hour)}
	s.store.states[id] = state
	if a := s.want(200, "GET", path+"/rejections/groups", ""); a.body["total"] != 300_000.0 || a.body["counted"] != "2026-11-21T08:00:00Z" || a.body["complete"] != true {
		t.Errorf("%s", a.Body)
	}
	// What was counted in the registry of before is not shown.
	state.Figures = seeding.Figures{}
	s.store.states[id] = state
	s.rejected(path, 2500)
	if a := s.want(200, "GET", path+"/rejections/groups", ""); a.body["total"] != 2000.0 || a.body["complete"] != false {
		t.Errorf("%s", a.Body)
	}
	s.want(404, "GET", "/connectors/C0000000000000000000000099/rejections/groups", "")
}

// However many rejections other connectors of the registry have, a request reads some of
// them and no more, and says so.
func TestManyRejectionsOfOthers(t *testing.T) {
	s := newService(t)
	other, path := s.create(), s.create()
	s.rejected(other, 5000)
	s.rejected(path, 3)
	for i := range int64(3) { // behind those of the other one
		r := &s.store.rejections[5000+i]
		r.Identifier, r.Registrant = 6000+i, 4711+i
	}
	s.store.mostRead = 100
	bounded := func(status int, method, path, body string, header ...string) response {
		t.Helper()
		before := s.store.calls
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if len(header) > 0 {
			r.Header.Set(header[0], header[1])
		}
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code != status {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if calls := s.store.calls - before; calls > 15 {
			t.Errorf("%s %s: %d calls of the store", method, path, calls)
		}
		a := response{ResponseRecorder: w}
		_ = json.Unmarshal(w.Body.Bytes(), &a.body) // unless it is CSV
		return a
	}

	a := bounded(200, "GET", path+"/rejections/groups", "")
	if a.body["complete"] != false || a.body["total"] != 0.0 {
		t.Errorf("%s", a.Body)
	}
	a = bounded(200, "POST", path+"/rejections/retry", `{"dry_run":true,"kind":"refused"}`)
	if a.body["complete"] != false || a.body["count"] != 0.0 {
		t.Errorf("%s", a.Body)
	}
	a = bounded(200, "POST", path+"/rejections/retry", `{"dry_run":true,"registrants":[4711]}`)
	if a.body["complete"] != false || a.body["count"] != 0.0 {
		t.Errorf("%s", a.Body)
	}
	a = bounded(409, "POST", path+"/rejections/retry", `{"registrants":[4711]}`)
	if detail := fmt.Sprint(a.body["detail"]); a.body["type"] != "/openapi.json#/x-problems/too_many_to_find" || !strings.Contains(detail, "as identifiers") {
		t.Errorf("%s", a.Body)
	}
	if a = bounded(202, "POST", path+"/rejections/retry", `{"identifiers":[6000]}`); a.body["identifiers"] != 1.0 {
		t.Errorf("%s", a.Body)
	}

	// The pages of each of these come to what is there.
	for at, list := range map[string]string{
		"/rejections?registrant=4712": "rejections", "/rejections?kind=refused": "rejections", "/duplicates": "duplicates", "/registrants/4712": "rejections",
	} {
		var found []any
		var said []any // complete, on each page
		for next, pages := "", 0; ; pages++ {
			path := path + at
			if next != "" {
				address, _, _ := strings.Cut(path, "?")
				path = address + "?cursor=" + next
			}
			a := bounded(200, "GET", path, "")
			some, _ := a.body[list].([]any)
			found, said = append(found, some...), append(said, a.body["complete"])
			if next, _ = a.body["next"].(string); next == "" || pages > 100 {
				break
			}
		}
		if len(found) != 1 {
			t.Errorf("%s: %v", at, found)
		}
		if at == "/registrants/4712" && (said[0] != false || said[len(said)-2] != true || said[len(said)-1] != nil) {
			t.Errorf("%v", said) // the last page is one of the past
		}
	}
	rows := 0
	for at, pages := path+"/rejections?kind=invalid", 0; at != "" && pages < 100; pages++ {
		a := bounded(200, "GET", at, "", "Accept", "text/csv")
		rows += strings.Count(a.Body.String(), "\r\n") - 1
		at, _, _ = strings.Cut(strings.TrimPrefix(a.Header().Get("Link"), "<"), ">")
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}

	// The count of the last run is given where there is one.
	counted := s.now.Add(-time.Hour)
	s.store.counted = map[string]seeding.RejectionCount{idOf(path): seeding.CountOf(counted, 3, []seeding.GroupCount{{Group: seeding.Group{Kind: seeding.Refused, Code: "X"}, Count: 3}})}
	state := s.store.states[idOf(path)]
	state.Figures = seeding.Figures{Rejected: 3, Counted: counted}
	s.store.states[idOf(path)] = state
	if a = bounded(200, "GET", path+"/rejections/groups", ""); a.body["total"] != 3.0 || a.body["counted"] != "2026-11-21T08:00:00Z" || a.body["complete"] != true {
		t.Errorf("%s", a.Body)
	}
}

func TestDuplicatesArePairs(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.rejected(path, 30)
	a := s.want(200, "GET", path+"/duplicates", "")
	list := a.body["duplicates"].([]any)
	if len(list) != 10 || fmt.Sprint(list[0]) != "map[identifier:3 registrants:[1002 7] since:2026-11-21T08:32:00Z]" {
		t.Errorf("%s", a.Body)
	}
	if got := s.pages(path+"/duplicates", "duplicates", "identifier", 3); len(got) != 10 {
		t.Errorf("%v", got)
	}
}

func TestWhatHappenedToARegistrant(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, registry := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	s.rejected(path, 3)
	batch := func(run, batch string, state seeding.BatchState, registrants ...int64) seeding.Batch {
		b := seeding.Batch{Ref: seeding.BatchRef{Registry: registry, Connector: id, Run: run, Batch: batch}, State: state, Claimed: s.now, Deadline: s.now, Closed: s.now, Count: len(registrants)}
		for _, r := range registrants {
			b.Members = append(b.Members, seeding.Member{Registrant: r, Identifier: 10 * r})
		}
		if state == seeding.Patched {
			b.Totals = seeding.Totals{Sent: b.Count, Tokenised: b.Count}
		}
		return b
	}
	another := batch("x", "b0", seeding.Claimed, 1001, 5)
	another.Ref.Connector = "D0000000000000000000000001"
	s.store.batches = []seeding.Batch{batch("r9", "b9", seeding.Submitted, 4711, 4712), another}
	for i := range 8 { // runs of which every other one had batches
		run := seeding.Run{ID: fmt.Sprint("r", i), Connector: id, Started: s.now, Completed: s.now}
		if i%2 == 0 {
			for n := range 120 {
				member := int64(9)
				if n == 7*i {
					member = 4711
				}
				s.store.batches = append(s.store.batches, batch(run.ID, fmt.Sprintf("%s-%03d", run.ID, n), seeding.Patched, member))
			}
			run.Batches = 120
		}
		s.store.runs[run.ID] = run
	}
	former := batch("r2", "r2-former", seeding.Patched, 4711) // before the connector was moved
	former.Ref.Registry = "former"
	s.store.batches = append(s.store.batches, former)
	a := s.want(200, "GET", path+"/registrants/4711", "")
	if open := a.body["open_batches"].([]any); len(open) != 1 || open[0].(map[string]any)["batch"] != "b9" || open[0].(map[string]any)["identifier"] != 47110.0 || len(a.body["rejections"].([]any)) != 0 {
		t.Errorf("%s", a.Body)
	}
	var found []string
	requests := 0
	for cursor, more := a.body["next"].(string); more; requests++ {
		a := s.want(200, "GET", path+"/registrants/4711?cursor="+cursor, "")
		for _, b := range a.body["batches"].([]any) {
			found = append(found, b.(map[string]any)["batch"].(string))
			if b.(map[string]any)["outcome"] != "tokenised" {
				t.Errorf("%v", b)
			}
		}
		cursor, more = a.body["next"].(string)
	}
	if !slices.Equal(found, []string{"r6-042", "r4-028", "r2-014", "r0-000"}) || requests < 2 || requests > 4 {
		t.Errorf("%q in %d requests", found, requests)
	}
	a = s.want(200, "GET", path+"/registrants/1001", "")
	if len(a.body["rejections"].([]any)) != 1 || len(a.body["open_batches"].([]any)) != 1 || a.body["registry"] != "not_asked" {
		t.Errorf("%s", a.Body)
	}
	s.want(400, "GET", path+"/registrants/1001?cursor="+a.body["next"].(string)+"x", "")
	s.want(400, "GET", path+"/registrants/1002?cursor="+a.body["next"].(string), "")
	for _, wrong := range []string{"0", "-1", "01", "x", "99999999999999999999", "4711.0"} {
		s.want(404, "GET", path+"/registrants/"+wrong, "")
	}
	s.want(404, "GET", "/connectors/C0000000000000000000000099/registrants/1", "")
}

// The list shows each connector at a glance, without reading what it is configured
// with.
func TestTheListShowsFigures(t *testing.T) {
	s := newService(t)
	path, other := s.create(), s.create("mts_url", "https://other.example.org/mts")
	state := s.store.states[idOf(path)]
	state.Status, state.Due, state.Run = seeding.Running, s.now.Add(time.Hour), "run"
	state.Figures = seeding.Figures{Tokenised: 70, Rejected: 0, Counted: s.now, Last: seeding.LastRun{
		ID: "last", Started: s.now, Completed: s.now, Totals: seeding.Totals{Sent: 30, Tokenised: 10, Refused: 5}, Again: 12,
	}}
	state.Open = seeding.OpenRun{ID: "run", At: s.now.Add(-time.Second), Looked: 412, Expected: 1650, Totals: seeding.Totals{Sent: 400, Tokenised: 388, Refused: 8, Conflict: 1},
		Progress: seeding.Progress{PerSecond: 17.75, End: s.now.Add(1500 * time.Millisecond)}}
	s.store.states[idOf(path)] = state
	s.store.runs["run"] = seeding.Run{ID: "run", Connector: idOf(path), Version: 1, Started: s.now.Add(-time.Minute), PassStarted: s.now.Add(-time.Minute), Batches: 3, Closed: 1,
		Totals: seeding.Totals{Sent: 30, Tokenised: 10}, Lately: map[int64]seeding.Patches{seeding.Period(s.now): {Records: 10, Claimed: s.now.Add(-10 * time.Second), Closed: s.now}}}
	for _, method := range []string{"Connector", "MTSState", "RegistryState", "Run"} {
		s.store.fail[method] = failure{err: fmt.Errorf("nobody reads it")}
	}
	list := s.want(200, "GET", "/connectors", "").body["connectors"].([]any)
	clear(s.store.fail)
	got := list[0].(map[string]any)
	figures := fmt.Sprint(got["figures"])
	if len(list) != 2 || got["name"] != "Registry of Laguna" || got["due"] != "2026-11-21T10:00:00Z" || got["run"] != "run" ||
		figures != "map[counted:2026-11-21T09:00:00Z last_run:map[completed:2026-11-21T09:00:00Z id:last started:2026-11-21T09:00:00Z totals:map[conflict:0 duplicate:0 no_token:0 pending:3 refused:5 sent:30 sent_again:12 tokenised:10]] rejected:0 tokenised:70]" {
		t.Errorf("%v", got)
	}
	const far = "as_of:2026-11-21T08:59:59Z expected:1650"
	if open := fmt.Sprint(got["open_run"]); open != "map["+far+" expected_end:2026-11-21T09:00:02Z looked:412 records_per_second:17.75 rejected:9 tokenised:388]" {
		t.Errorf("%s", open)
	}
	if got := list[1].(map[string]any); got["open_run"] != nil || got["mts_host"] != "https://other.example.org:443" || fmt.Sprint(got["figures"]) != "map[tokenised:0]" || got["due"] != nil {
		t.Errorf("%v", got)
	}
	one := s.want(200, "GET", path, "").body
	if fmt.Sprint(one["figures"]) != figures {
		t.Errorf("%v", one["figures"])
	}
	if run := one["open_run"].(map[string]any); run["open_batches"] != 2.0 || run["records_per_second"] != 1.0 || run["totals"].(map[string]any)["pending"] != 20.0 {
		t.Errorf("%v", run)
	}
	if s.want(200, "GET", other, "").body["open_run"] != nil {
		t.Error("a run that is not open")
	}

	// One that a version before saved.
	state = s.store.states[idOf(other)]
	state.Name, state.MTSHost, state.RegistryHost = "", "", ""
	s.store.states[idOf(other)] = state
	if got := s.want(200, "GET", "/connectors", "").body["connectors"].([]any)[1].(map[string]any); got["name"] != "Registry of Laguna" || got["mts_host"] != "https://other.example.org:443" {
		t.Errorf("%v", got)
	}

	// What goes no further tells no pace, and what is over nothing.
	running := s.store.states[idOf(path)]
	shown := func(change func(*seeding.State)) string {
		altered := running
		change(&altered)
		s.store.states[idOf(path)] = altered
		return fmt.Sprint(s.want(200, "GET", "/connectors", "").body["connectors"].([]any)[0].(map[string]any)["open_run"])
	}
	for name, change := range map[string]func(*seeding.State){
		"stopped":   func(x *seeding.State) { x.Status = seeding.Stopped },
		"cancelled": func(x *seeding.State) { x.Cancelled = []string{"run"} },
		"blocked": func(x *seeding.State) {
			x.Problems = map[seeding.Source]seeding.Problem{seeding.ProblemSignIn: {Since: s.now, Text: "x"}}
		},
	} {
		if open := shown(change); open != "map["+far+" looked:412 rejected:9 tokenised:388]" {
			t.Errorf("%s: %s", name, open)
		}
	}
	if open := shown(func(x *seeding.State) { x.Run = "another" }); open != "<nil>" {
		t.Errorf("of a run before: %s", open)
	}
}

// Rejections of the source that a connector had before are of nobody whom it sends: they
// are not shown, and a retry does not count them.
func TestRejectionsOfTheSourceBeforeAreNotShown(t *testing.T) {
	s := newService(t)
	ofODK := s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	for path, own := range map[string]string{s.create(): "registrants", ofODK: "submissions"} {
		c := s.store.connectors[idOf(path)]
		for i, subject := range []seeding.Subject{seeding.Member{Registrant: 7, Identifier: 21}.Subject(), {Submission: "uuid:1"}} {
			s.store.rejections = append(s.store.rejections, seeding.Rejection{
				Registry: c.RegistryKey(), Connector: c.ID, Subject: subject, Kind: seeding.Duplicate, Holder: int64(30 + i), Since: s.now, LastAttempt: s.now, Version: 1,
			})
		}
		list := s.want(200, "GET", path+"/rejections", "").body["rejections"].([]any)
		rows, _ := s.csvPages(path, "")
		if len(list) != 1 || len(rows) != 1 || (list[0].(map[string]any)["submission"] != nil) != (own == "submissions") || (rows[0][11] != "") != (own == "submissions") {
			t.Errorf("%s: %v %q", own, list, rows)
		}
		if filtered := s.want(200, "GET", path+"/rejections?kind=duplicate&limit=1", "").body; len(filtered["rejections"].([]any)) != 1 {
			t.Errorf("%s: %v", own, filtered)
		}
		if pairs := s.want(200, "GET", path+"/duplicates", "").body["duplicates"].([]any); len(pairs) != 1 {
			t.Errorf("%s: %v", own, pairs)
		}
		if groups := s.want(200, "GET", path+"/rejections/groups", "").body; groups["total"] != 1.0 {
			t.Errorf("%s: %v", own, groups)
		}
		if again := s.want(200, "POST", path+"/rejections/retry", `{"dry_run": true}`).body; again["count"] != 1.0 {
			t.Errorf("%s: %v", own, again)
		}
		if one := s.want(200, "GET", path+"/registrants/7", "").body["rejections"].([]any); len(one) != map[string]int{"registrants": 1}[own] {
			t.Errorf("%s: %v", own, one)
		}
	}
}
