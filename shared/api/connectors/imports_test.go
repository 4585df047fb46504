package connectors_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// idsAsJSON are numbers from 1 to n.
func idsAsJSON(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, ",%d", i+1)
	}
	return "[" + text.String()[1:] + "]"
}

// Each way to say whom an import takes opens a run, also of a connector that is
// stopped, and submit is invoked.
func TestOpeningImports(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		want  seeding.Selection
		first []int64 // of the list
		shown string
	}{
		"everybody":              {`{}`, seeding.Selection{}, nil, "map[]"},
		"some, sorted, once":     {`{"registrants":[9,7,9,8]}`, seeding.Selection{Listed: 3}, []int64{7, 8, 9}, "map[registrants:3]"},
		"as many as may be":      {`{"registrants":` + idsAsJSON(seeding.MaxListed) + `}`, seeding.Selection{Listed: seeding.MaxListed}, []int64{1, 2, 3}, "map[registrants:10000]"},
		"a domain":               {`{"domain":[["age",">=",18]]}`, seeding.Selection{Domain: `[["age",">=",18]]`}, nil, `map[domain:[["age",">=",18]]]`},
		"a domain as text":       {`{"domain":" [('age', '>=', 18)] "}`, seeding.Selection{Domain: `[('age', '>=', 18)]`}, nil, `map[domain:[('age', '>=', 18)]]`},
		"a domain for everybody": {`{"domain":[]}`, seeding.Selection{Domain: `[]`}, nil, "map[domain:[]]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			path := s.create()
			reply := s.want(202, "POST", path+"/imports", c.body)
			id, _ := reply.body["id"].(string)
			if reply.Header().Get("Location") != path+"/runs/"+id || reply.body["kind"] != "import" || fmt.Sprint(reply.body["selection"]) != c.shown {
				t.Errorf("%s %v", reply.Header().Get("Location"), reply.body)
			}
			run := s.store.runs[id]
			want := seeding.Run{
				ID: id, Connector: idOf(path), Kind: seeding.Import, Registry: s.store.connectors[idOf(path)].RegistryKey(), Selection: c.want,
				Version: 1, Started: s.now, Passes: 1, PassStarted: s.now, Expected: c.want.Listed,
			}
			if !reflect.DeepEqual(run, want) {
				t.Errorf("%+v, want %+v", run, want)
			}
			var listed []int64
			for _, part := range s.store.lists[id] {
				for _, entry := range part.Entries {
					listed = append(listed, entry.Registrant)
				}
			}
			if len(listed) != c.want.Listed || !slices.Equal(listed[:len(c.first)], c.first) {
				t.Errorf("%d listed: %v", len(listed), listed[:min(5, len(listed))])
			}
			if !slices.Equal(s.invoker.invoked, []string{idOf(path)}) {
				t.Errorf("invoked %v", s.invoker.invoked)
			}
			read := s.want(200, "GET", path, "")
			if fmt.Sprint(read.body["imports"]) != fmt.Sprint([]any{id}) || read.body["status"] != "stopped" {
				t.Errorf("%v", read.body["imports"])
			}
		})
	}
}

// What cannot be imported is refused at its member, and nothing is opened.
func TestWrongImports(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		status  int
		pointer string
	}{
		"nobody":                 {`{"registrants":[]}`, 422, "/registrants"},
		"too many":               {`{"registrants":` + idsAsJSON(seeding.MaxListed+1) + `}`, 422, "/registrants"},
		"a hundred thousand":     {`{"registrants":` + idsAsJSON(100_000) + `}`, 413, ""},
		"an id that is none":     {`{"registrants":[7,0]}`, 422, "/registrants/1"},
		"an id that is too high": {`{"registrants":[2147483648]}`, 422, "/registrants/0"},
		"an id that is huge":     {`{"registrants":[1e400]}`, 422, "/registrants/0"},
		"an id that is a text":   {`{"registrants":["7"]}`, 422, "/registrants/0"},
		"half an id":             {`{"registrants":[7.5]}`, 422, "/registrants/0"},
		"a list that is none":    {`{"registrants":7}`, 422, "/registrants"},
		"a blank domain":         {`{"domain":" "}`, 422, "/domain"},
		"a domain that is none":  {`{"domain":5}`, 422, "/domain"},
		"a domain nobody reads":  {`{"domain":[["a","child_of",1]]}`, 422, "/domain"},
		"both":                   {`{"domain":[],"registrants":[7]}`, 422, "/domain"},
		"an unknown member":      {`{"ids":[7]}`, 422, "/ids"},
		"no object":              {`[7]`, 422, ""},
		"no JSON":                {`{"registrants":[7`, 400, ""},
	} {
		s := newService(t)
		path := s.create()
		reply := s.want(c.status, "POST", path+"/imports", c.body)
		if list, _ := reply.body["errors"].([]any); c.pointer != "" && (len(list) != 1 || list[0].(map[string]any)["pointer"] != c.pointer) {
			t.Errorf("%s: %v", name, reply.body)
		}
		if len(s.store.runs) > 0 || len(s.invoker.invoked) > 0 {
			t.Errorf("%s: something was opened", name)
		}
	}
	newService(t).want(404, "POST", "/connectors/C0000000000000000000000009/imports", `{}`)
}

// A request that is repeated with its key has its effect once, for a day, whatever
// became of the reply.
func TestARepeatedImportIsTheSame(t *testing.T) {
	s := newService(t)
	path := s.create()
	key := []string{"Idempotency-Key", "key 1"}
	first := s.want(202, "POST", path+"/imports", `{"registrants":[7,9]}`, key...)
	again := s.want(202, "POST", path+"/imports", ` {"registrants": [9, 7, 7]} `, key...)
	if first.body["id"] != again.body["id"] || first.Header().Get("Location") != again.Header().Get("Location") || fmt.Sprint(first.body) != fmt.Sprint(again.body) {
		t.Errorf("%v, then %v", first.body, again.body)
	}
	if len(s.store.runs) != 1 || len(s.invoker.invoked) != 1 {
		t.Errorf("%d runs, invoked %v", len(s.store.runs), s.invoker.invoked)
	}
	other := s.want(409, "POST", path+"/imports", `{"registrants":[7]}`, key...)
	if other.body["type"] != "/openapi.json#/x-problems/other_request" {
		t.Errorf("%v", other.body)
	}
	if third := s.want(202, "POST", path+"/imports", `{"registrants":[7,9]}`, "Idempotency-Key", "key 2"); third.body["id"] == first.body["id"] {
		t.Error("another key has the same import")
	}
	s.want(202, "POST", path+"/imports", `{"registrants":[7,9]}`)
	s.now = s.now.Add(24 * time.Hour)
	if late := s.want(202, "POST", path+"/imports", `{"registrants":[7]}`, key...); late.body["id"] == first.body["id"] {
		t.Error("a key that has expired has its import still")
	}
	for _, wrong := range []string{"", "é", "a\tb", strings.Repeat("k", 256)} {
		reply := s.want(400, "POST", path+"/imports", `{}`, "Idempotency-Key", wrong)
		if list, _ := reply.body["errors"].([]any); len(list) != 1 || list[0].(map[string]any)["parameter"] != "Idempotency-Key" {
			t.Errorf("%q: %v", wrong, reply.body)
		}
	}

	// The reply to the first is lost, and its effect is not known.
	s.store.fail["OpenImport"] = failure{err: fmt.Errorf("storage"), applied: true}
	s.want(500, "POST", path+"/imports", `{}`, "Idempotency-Key", "key 3")
	count := len(s.store.runs)
	s.want(202, "POST", path+"/imports", `{}`, "Idempotency-Key", "key 3")
	if len(s.store.runs) != count {
		t.Error("an import was opened twice")
	}
}

// Five imports of a connector may be open.
func TestTooManyImports(t *testing.T) {
	s := newService(t)
	path := s.create()
	for range seeding.MaxImports {
		s.want(202, "POST", path+"/imports", `{}`)
	}
	reply := s.want(409, "POST", path+"/imports", `{}`)
	if reply.body["type"] != "/openapi.json#/x-problems/many_imports" || !strings.Contains(reply.body["detail"].(string), "cancel") {
		t.Errorf("%v", reply.body)
	}
	if len(s.store.runs) != seeding.MaxImports {
		t.Errorf("%d runs", len(s.store.runs))
	}
}

// A change by somebody else at the same moment is no reason to refuse an import.
func TestAnImportWhileTheConnectorIsChanged(t *testing.T) {
	s := newService(t)
	path := s.create()
	s.store.fail["OpenImport"] = failure{err: seeding.ErrConflict}
	s.want(202, "POST", path+"/imports", `{}`)
	if len(s.store.runs) != 1 {
		t.Errorf("%d runs", len(s.store.runs))
	}
	// An import that is opened right after a stop, by a function whose clock is behind.
	state := s.store.states[idOf(path)]
	state.Halted = s.now.Add(time.Second)
	s.store.states[idOf(path)] = state
	reply := s.want(202, "POST", path+"/imports", `{}`)
	if run := s.store.runs[reply.body["id"].(string)]; !run.Started.After(state.Halted) {
		t.Errorf("started %v, and was stopped %v", run.Started, state.Halted)
	}
}

// Imports are listed without the recurring runs, newest first.
func TestImportsAreListed(t *testing.T) {
	s := newService(t)
	path := s.create()
	id := idOf(path)
	var want []string
	for i := range 130 {
		run := seeding.Run{ID: fmt.Sprintf("run%03d", 999-i), Connector: id, Kind: seeding.Recurring, Completed: s.now}
		if i%13 == 0 {
			run.Kind = seeding.Import
			want = append(want, run.ID)
		}
		s.store.runs[run.ID] = run
	}
	for _, limit := range []int{1, 3, 10, 100} {
		if got := s.pages(path+"/imports", "imports", "id", limit); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
}

// An open run is cancelled; one that is over cannot be.
func TestCancellingRuns(t *testing.T) {
	s := newService(t)
	path := s.create()
	opened := s.want(202, "POST", path+"/imports", `{"registrants":[7]}`)
	run := path + "/runs/" + opened.body["id"].(string)
	if reply := s.want(202, "POST", run+"/cancel", ""); reply.body["state"] != "open" || reply.body["cancelled"] != true {
		t.Errorf("%v", reply.body)
	}
	s.want(202, "POST", run+"/cancel", "")
	if len(s.invoker.invoked) != 3 {
		t.Errorf("invoked %v", s.invoker.invoked)
	}
	ended := s.store.runs[opened.body["id"].(string)]
	ended.Completed, ended.Ending = s.now, seeding.EndedByCancel
	s.store.runs[ended.ID] = ended
	if reply := s.want(202, "POST", run+"/cancel", ""); reply.body["state"] != "cancelled" || reply.body["ended_by"] != "cancelled" {
		t.Errorf("%v", reply.body)
	}
	ended.Ending = seeding.EndedByStop
	s.store.runs[ended.ID] = ended
	if reply := s.want(409, "POST", run+"/cancel", ""); reply.body["type"] != "/openapi.json#/x-problems/run_over" {
		t.Errorf("%v", reply.body)
	}
	if reply := s.want(200, "GET", run, ""); reply.body["state"] != "completed" || reply.body["ended_by"] != "stopped" {
		t.Errorf("%v", reply.body)
	}
	s.want(404, "POST", path+"/runs/nothing/cancel", "")
}

// Of everybody who was listed it is told what became of them, page by page.
func TestWhatBecameOfListedRegistrants(t *testing.T) {
	s := newService(t)
	path := s.create()
	opened := s.want(202, "POST", path+"/imports", `{"registrants":`+idsAsJSON(1200)+`}`)
	run := s.store.runs[opened.body["id"].(string)]
	address := path + "/runs/" + run.ID + "/registrants"
	outcomes := func() string {
		list := s.want(200, "GET", address+"?limit=9", "").body["registrants"].([]any)
		var all []string
		for _, entry := range list {
			e := entry.(map[string]any)
			text := fmt.Sprint(e["outcome"])
			if rejection, has := e["rejection"].(map[string]any); has {
				text += fmt.Sprint("(", rejection["kind"], ")")
			}
			all = append(all, text)
		}
		return strings.Join(all, " ")
	}
	if got := outcomes(); got != "waiting waiting waiting waiting waiting waiting waiting waiting waiting" {
		t.Errorf("at the beginning: %s", got)
	}
	for i, unsent := range []seeding.Unsent{"", "", "", seeding.UnsentNotFound, seeding.UnsentNoVID, seeding.UnsentHolding, seeding.UnsentInBatch, seeding.UnsentRejected} {
		s.store.lists[run.ID][0].Entries[i] = seeding.Listed{Registrant: int64(i + 1), Identifier: int64(100 + i), Unsent: unsent}
	}
	rejected := func(identifier int64, kind seeding.RejectionKind, since time.Time) {
		s.store.rejections = append(s.store.rejections, seeding.Rejection{
			Registry: run.Registry, Connector: run.Connector, Subject: seeding.Member{Identifier: identifier, Registrant: identifier - 99}.Subject(), Kind: kind, LastAttempt: since,
		})
	}
	rejected(101, seeding.Refused, s.now)
	rejected(102, seeding.Refused, s.now.Add(-time.Hour)) // before it was sent
	rejected(107, seeding.Invalid, s.now.Add(-time.Hour))
	run.Cursor = 8
	s.store.runs[run.ID] = run
	if got := outcomes(); got != "sent rejected(refused) sent not_found no_vid holding in_batch rejected(invalid) waiting" {
		t.Errorf("while it runs: %s", got)
	}
	run.Completed, run.Ending, run.Totals = s.now, seeding.EndedByCancel, seeding.Totals{Sent: 3, Tokenised: 1, Refused: 1}
	s.store.runs[run.ID] = run
	if got := outcomes(); got != "sent rejected(refused) sent not_found no_vid holding in_batch rejected(invalid) not_reached" {
		t.Errorf("cancelled: %s", got)
	}
	run.Ending, run.Cursor, run.Totals = seeding.Finished, 1200, seeding.Totals{Sent: 3, Tokenised: 2, Refused: 1}
	s.store.runs[run.ID] = run
	if got := outcomes(); !strings.HasPrefix(got, "tokenised rejected(refused) tokenised not_found") {
		t.Errorf("completed: %s", got)
	}
	run.Totals.Sent, run.Again = 5, 2
	s.store.runs[run.ID] = run
	if got := outcomes(); !strings.HasPrefix(got, "tokenised rejected(refused) tokenised not_found") {
		t.Errorf("completed after a lost batch: %s", got)
	}
	run.Totals.Tokenised, run.Again = 1, 3 // of three who were sent one is rejected, and one has no token
	s.store.runs[run.ID] = run
	if got := outcomes(); !strings.HasPrefix(got, "sent rejected(refused) sent not_found") {
		t.Errorf("completed, and somebody of a lost batch was not sent again: %s", got)
	}
	run.Totals, run.Again = seeding.Totals{Sent: 3, Tokenised: 1, Refused: 1, NoToken: 1}, 0
	s.store.runs[run.ID] = run
	if got := outcomes(); !strings.HasPrefix(got, "sent rejected(refused) sent not_found") {
		t.Errorf("completed, and a rejection is not there any more: %s", got)
	}
	run.Totals, run.Again = seeding.Totals{Sent: 6, Tokenised: 2, Refused: 1}, 2
	s.store.runs[run.ID] = run
	if got := outcomes(); !strings.HasPrefix(got, "sent rejected(refused) sent not_found") {
		t.Errorf("completed with a batch that was never answered: %s", got)
	}
	for _, limit := range []int{13, 100} {
		if got := s.pages(address, "registrants", "registrant", limit); len(got) != 1200 || got[0] != "1" || got[1199] != "1200" {
			t.Errorf("in pages of %d: %d, %v", limit, len(got), got[:min(3, len(got))])
		}
	}
	s.store.runs["r"] = seeding.Run{ID: "r", Connector: idOf(path), Kind: seeding.Recurring}
	if list := s.want(200, "GET", path+"/runs/r/registrants", "").body["registrants"].([]any); len(list) > 0 {
		t.Errorf("of a recurring run: %v", list)
	}
}
