package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

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
		s.store.rejections = append(s.store.rejections, seeding.Rejection{Registry: key, Connector: id, Subject: seeding.Member{Registrant: int64(i), Identifier: int64(100 - i)}.Subject(), Kind: seeding.Refused})
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
		if a := s.want(400, "GET", "/connectors?"+query, ""); len(a.fieldErrors()) != 1 {
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
	s.store.runs["now"] = s.store.runs["now"].CountedBy(s.store.batches) // as the real store does with each
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
	same(s.want(200, "GET", path+"/runs/old", "").body, `{"id":"old","kind":"recurring","state":"completed","version":1,"started":"2026-11-21T09:00:00Z",
		"completed":"2026-11-21T09:01:00Z","passes":2,"tally":{"looked":12,"invalid":1,"removed":1},"open_batches":0,
		"totals":{"sent":10,"tokenised":7,"refused":1,"duplicate":1,"conflict":0,"no_token":0,"pending":1}}`)
	old := s.store.runs["old"]
	for why, word := range map[seeding.Nobody]string{
		seeding.NotSelected: "domain", seeding.Archived: "archived", seeding.NotVisible: "companies", seeding.UnseenCause: "did not say why",
	} {
		old.Tally.NotSelected, old.Unseen = 12, why
		s.store.runs["old"] = old
		note, _ := s.want(200, "GET", path+"/runs/old", "").body["note"].(map[string]any)
		if text, _ := note["text"].(string); note["code"] != string(why) || !strings.Contains(text, word) {
			t.Errorf("%s: %v", why, note)
		}
	}
	delete(s.store.runs, "old")
	silent := seeding.Run{ID: "old", Connector: id, Version: 1, Started: s.now, Completed: s.now, Passes: 1, PassOver: true,
		Tally: seeding.Tally{Looked: 9, InBatch: 2, Holding: 3, Rejected: 4}}
	s.store.runs["old"] = silent
	same(s.want(200, "GET", path+"/runs/old", "").body["tally"], `{"looked":9,"in_batch":2,"holding":3,"rejected":4,"invalid":0,"removed":0}`)
	for _, c := range []struct {
		tally seeding.Tally
		word  string
	}{
		{silent.Tally, "tally"}, {seeding.Tally{}, "vid_type"}, {seeding.Tally{Looked: 9, InBatch: 9}, "next run"},
		{seeding.Tally{Looked: 9, Holding: 9}, "have a token"}, {seeding.Tally{Looked: 9, Rejected: 9}, "retry"}, {seeding.Tally{Looked: 9, Invalid: 9}, "mapping"},
		{seeding.Tally{Looked: 9, NotFound: 9}, "listed"}, {seeding.Tally{Looked: 9, NoVID: 9}, "listed"},
	} {
		silent.Tally = c.tally
		s.store.runs["old"] = silent
		if note, _ := s.want(200, "GET", path+"/runs/old", "").body["note"].(map[string]any); !strings.Contains(fmt.Sprint(note["text"]), c.word) {
			t.Errorf("%+v: %v", c.tally, note)
		}
	}
	silent.Tally, silent.Looks.Planned = seeding.Tally{}, true
	for kind, code := range map[seeding.RunKind]string{seeding.Recurring: "nothing_new", seeding.Import: "none_received"} {
		silent.Kind = kind
		s.store.runs["old"] = silent
		if note, _ := s.want(200, "GET", path+"/runs/old", "").body["note"].(map[string]any); note["code"] != code || !strings.Contains(fmt.Sprint(note["text"]), "ODK Central has no submission") {
			t.Errorf("%s: %v", kind, note)
		}
	}
	silent.Kind, silent.Looks.Planned = seeding.Recurring, false
	silent.PassOver = false
	s.store.runs["old"] = silent
	if note, _ := s.want(200, "GET", path+"/runs/old", "").body["note"].(map[string]any); note["code"] != "ended_early" || !strings.Contains(fmt.Sprint(note["text"]), "stopped or changed") {
		t.Errorf("%v", note)
	}
	running := `{"id":"now","kind":"recurring","state":"open","version":0,"started":"2026-11-21T09:00:00Z","passes":1,"tally":{"looked":0,"invalid":0,"removed":0},
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

// A run tells its rate and when it should end, as long as it goes on.
func TestProgressOfARun(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, c := idOf(path), s.store.connectors[idOf(path)]
	s.want(200, "POST", path+"/start", "")
	s.store.runs["now"] = seeding.Run{ID: "now", Connector: id, Version: 1, Started: s.now, PassStarted: s.now, Passes: 1, Expected: 1000, Tally: seeding.Tally{Looked: 250}}
	ref := func(b string) seeding.BatchRef {
		return seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "now", Batch: b}
	}
	s.store.batches = []seeding.Batch{
		{Ref: ref("b1"), State: seeding.Patched, Count: 150, Totals: seeding.Totals{Sent: 150, Tokenised: 150}, Claimed: s.now, Closed: s.now.Add(20 * time.Second)},
		{Ref: ref("b2"), State: seeding.Claimed, Count: 100, Claimed: s.now.Add(time.Second)},
	}
	s.store.runs["now"] = s.store.runs["now"].CountedBy(s.store.batches)
	s.now = s.now.Add(time.Minute)
	blocked := map[seeding.Source]seeding.Problem{seeding.ProblemMTS: {Text: "MTS is away.", Since: s.now, Next: s.now.Add(time.Minute)}}
	for name, c := range map[string]struct {
		change func(*seeding.State, *seeding.Run)
		end    any // 850 records, at 2.5 per second
		left   any
	}{
		"it goes on":                {func(*seeding.State, *seeding.Run) {}, "2026-11-21T09:06:40Z", 750.0},
		"a problem blocks it":       {func(s *seeding.State, _ *seeding.Run) { s.Problems = blocked }, nil, 750.0},
		"the connector is stopped":  {func(s *seeding.State, _ *seeding.Run) { s.Status = seeding.Stopped }, nil, 750.0},
		"the connector was changed": {func(_ *seeding.State, r *seeding.Run) { r.Version = 0 }, nil, 750.0},
		"a version before opened it": {func(_ *seeding.State, r *seeding.Run) {
			r.Uncounted, r.Totals, r.Batches, r.Closed, r.Lately = true, seeding.Totals{}, 0, 0, nil
		}, "2026-11-21T09:06:40Z", 750.0},
		"VIDs were not counted": {func(_ *seeding.State, r *seeding.Run) { r.Expected = 0 }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			state, run := s.store.states[id], s.store.runs["now"]
			defer func() { s.store.states[id], s.store.runs["now"] = state, run }()
			changed, changedRun := state, run
			c.change(&changed, &changedRun)
			s.store.states[id], s.store.runs["now"] = changed, changedRun
			got := s.want(200, "GET", path+"/runs/now", "").body
			if got["records_per_second"] != 2.5 || got["expected_end"] != c.end {
				t.Errorf("%v per second until %v, want 2.5 until %v", got["records_per_second"], got["expected_end"], c.end)
			}
			if got["left"] != c.left {
				t.Errorf("%v left, want %v", got["left"], c.left)
			}
		})
	}
	completed := s.store.runs["now"]
	completed.Completed = s.now
	s.store.runs["now"] = completed
	if got := s.want(200, "GET", path+"/runs/now", "").body; got["records_per_second"] != nil || got["expected_end"] != nil {
		t.Errorf("a run that is over: %v", got)
	}
}

// A connector tells how many batches are under way at its MTS, its own and those
// of others, and how many may be.
func TestBatchesUnderWay(t *testing.T) {
	s := newService(t)
	path, sibling := s.create(), s.create()
	elsewhere := s.create("mts_url", "https://other.example.org")
	key := s.store.connectors[idOf(path)].MTSKey()
	slot := func(batch, of string, overdue time.Duration) seeding.Slot {
		return seeding.Slot{Batch: batch, Connector: of, Count: 10, Claimed: s.now, Overdue: s.now.Add(overdue), Ends: s.now.Add(time.Hour)}
	}
	mts := seeding.MTSState{Heard: s.now, Pace: seeding.Pace{Limit: 5}, Slots: []seeding.Slot{
		slot("b1", idOf(path), time.Minute), slot("b2", idOf(sibling), time.Minute), slot("b3", idOf(sibling), time.Minute), slot("b4", idOf(path), 0),
	}}
	s.store.mts = map[string]seeding.MTSState{key: mts}
	width, free := mts.WidthNow(s.now, seeding.DefaultWidth), seeding.MTSState{}.WidthNow(s.now, seeding.DefaultWidth)
	want := map[string][3]float64{path: {float64(width), 3, 1}, sibling: {float64(width), 3, 2}, elsewhere: {float64(free), 0, 0}}
	check := func(got map[string]any) {
		t.Helper()
		underWay := got["under_way"].(map[string]any)
		path := "/connectors/" + got["id"].(string)
		if shown := [3]float64{got["width"].(float64), underWay["all"].(float64), underWay["own"].(float64)}; shown != want[path] {
			t.Errorf("%s: %v, want %v", path, shown, want[path])
		}
	}
	for path := range want {
		check(s.want(200, "GET", path, "").body)
	}
	s.store.fail["MTSState"] = failure{err: errors.New("storage")}
	s.want(500, "GET", path, "")
}

func TestRejections(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, key := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	s.store.rejections = []seeding.Rejection{
		{Registry: key, Connector: id, Subject: seeding.Member{Registrant: 50, Identifier: 5}.Subject(), Kind: seeding.Invalid, Code: "ATS-REQ-012", Attempts: 1, Configured: 1, Next: s.now.Add(24 * time.Hour), Since: s.now.Add(-time.Hour), LastAttempt: s.now, Fingerprint: seeding.Fingerprint{1}, FingerprintKey: "k"},
		{Registry: key, Connector: id, Subject: seeding.Member{Registrant: 60, Identifier: 6}.Subject(), Kind: seeding.Duplicate, Code: seeding.CodeHeldByOther, Holder: 61, Attempts: 2, Next: s.now, Since: s.now.Add(-time.Hour), LastAttempt: s.now},
		{Registry: key, Connector: "somebody else", Subject: seeding.Member{Identifier: 7}.Subject()},
	}
	got := s.want(200, "GET", path+"/rejections", "").body["rejections"].([]any)
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
	var want any
	if err := json.Unmarshal([]byte(`{"identifier":5,"registrant":50,"kind":"invalid","code":"ATS-REQ-012","reason":"The date of birth is missing. The mapping reads it from: birthdate.",
		"reasons":[{"code":"ATS-REQ-012","text":"The date of birth is missing."},{"code":"mapping_reads","params":{"expressions":["birthdate"]},"text":"The mapping reads it from: birthdate."}],
		"attempts":1,"next_attempt":"2026-11-22T09:00:00Z","since":"2026-11-21T08:00:00Z","last_attempt":"2026-11-21T09:00:00Z"}`), &want); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got[0], want)
	}
	if got[1].(map[string]any)["holder"] != 61.0 {
		t.Errorf("%v", got[1])
	}
}
