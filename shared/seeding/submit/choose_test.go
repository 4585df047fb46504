package submit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// The order of the protocol: the counter, then the open batches, then pages;
// what a page decided, then the claim, then the POST. In another order a
// registrant could be sent twice, or its VID go for nothing.
func TestTheOrderOfReadingAndWriting(t *testing.T) {
	f := newFake()
	f.add(1, 2, 3, 4)
	f.tokens = []seeding.Identifier{{ID: 99, Registrant: 2, Value: aToken}}
	f.records[3] = seeding.Record{}
	f.connector.Source.Mandatory = []string{"name"}
	delete(f.records, 4)
	f.rejections = []seeding.Rejection{{Connector: "c", Subject: seeding.Member{Registrant: 4, Identifier: 14}.Subject(), Kind: seeding.Refused, Configured: 3}}
	f.during["Submit"] = func() error { return errStorage } // an unknown outcome; one step is enough
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	begun := slices.Index(f.calls, "OpenRun id2")
	var steps []string
	for _, call := range f.calls[begun:] {
		switch strings.Fields(call)[0] {
		case "RegistryState", "OpenBatches", "VIDs", "PutRejections", "Remove", "MTSState", "Claim", "Submit", "LeaveRun":
			steps = append(steps, call)
		}
	}
	first := fmt.Sprintf("VIDs 0 %d", seeding.FirstBatchSize)
	want := []string{"RegistryState", "OpenBatches", first, "PutRejections", "Remove [12]", "MTSState", "Claim id2", "Submit", "LeaveRun"}
	if !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
	if len(f.rejections) != 1 || f.rejections[0].Kind != seeding.Invalid || f.rejections[0].Registrant != 3 {
		t.Errorf("rejections %+v", f.rejections)
	}
	if want := (seeding.Tally{Looked: 4, NotSelected: 1, Holding: 1, Invalid: 1, Removed: 1}); f.runs["id2"].Tally != want {
		t.Errorf("tally %+v, want %+v", f.runs["id2"].Tally, want)
	}
	if len(f.open) != 1 || !slices.Equal(f.open[0].Members, []seeding.Member{{Registrant: 1, Identifier: 11}}) {
		t.Errorf("open batches %+v", f.open)
	}
	if f.measured[seeding.MetricRejected+string(seeding.Invalid)] != 1 {
		t.Errorf("measured %v", f.measured)
	}
}

// Pages are read until the batch is half full, each twice as long as the one
// before, up to a limit.
func TestHowManyPagesABatchTakes(t *testing.T) {
	for name, c := range map[string]struct {
		size     int
		vids     int
		selected func(registrant int64) bool
		slow     time.Duration // that each page takes
		want     []string
		chosen   int
	}{
		"a full page is enough": {
			size: 50, vids: 200, selected: func(int64) bool { return true },
			want: []string{"VIDs 0 50"}, chosen: 50,
		},
		"half a page is enough": {
			size: 50, vids: 200, selected: func(r int64) bool { return r%2 == 0 },
			want: []string{"VIDs 0 50"}, chosen: 25,
		},
		"less than half a page is not": {
			size: 50, vids: 200, selected: func(r int64) bool { return r%3 == 0 },
			want: []string{"VIDs 0 50", "VIDs 60 100"}, chosen: 16 + 34,
		},
		"the batch is not made larger than its size": {
			size: 50, vids: 200, selected: func(r int64) bool { return r > 30 },
			want: []string{"VIDs 0 50", "VIDs 60 100"}, chosen: 50,
		},
		"a short page ends the search": {
			size: 50, vids: 60, selected: func(r int64) bool { return r > 58 },
			want: []string{"VIDs 0 50", "VIDs 60 100"}, chosen: 2,
		},
		"pages grow to a thousand": {
			size: 300, vids: 2500, selected: func(r int64) bool { return r > 2400 },
			want: []string{"VIDs 0 300", "VIDs 310 600", "VIDs 910 1000", "VIDs 1910 1000"}, chosen: 100,
		},
		"a slow registry is not asked for more": {
			size: 50, vids: 200, selected: func(int64) bool { return false }, slow: 31 * time.Second,
			want: []string{"VIDs 0 50"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.mts.Pace = seeding.Pace{Size: c.size, Proved: c.size}
			for r := range int64(c.vids) {
				f.add(r + 1)
			}
			maps.DeleteFunc(f.records, func(r int64, _ seeding.Record) bool { return !c.selected(r) })
			f.during["VIDs"] = func() error { f.now = f.now.Add(c.slow); return nil }
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if got := f.called("VIDs"); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			chosen := 0
			for _, b := range f.open {
				chosen += len(b.Members)
			}
			if chosen != c.chosen {
				t.Errorf("%d chosen, want %d", chosen, c.chosen)
			}
		})
	}
}

// The VIDs that a run looks at are counted once, behind its first page, unless
// that is the only one. If the registry does not count them the run goes on, and
// nothing says that anything is wrong.
func TestHowManyVIDsARunLooksAt(t *testing.T) {
	fault := func(kind seeding.FaultKind) error { return &seeding.Fault{Kind: kind, Code: "CODE"} }
	for name, c := range map[string]struct {
		vids     int
		refuses  error
		want     []string
		expected int
	}{
		"one page":                      {vids: seeding.FirstBatchSize - 1},
		"several pages":                 {vids: 75, want: []string{"CountVIDs 20"}, expected: 75},
		"the registry refuses":          {vids: 75, refuses: fault(seeding.RefusedRights), want: []string{"CountVIDs 20"}},
		"it takes longer than we wait":  {vids: 75, refuses: fault(seeding.Unreachable), want: []string{"CountVIDs 20"}},
		"an error that nobody foresees": {vids: 75, refuses: errStorage, want: []string{"CountVIDs 20"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			for r := range int64(c.vids) {
				f.add(r + 1)
			}
			f.during["CountVIDs"] = func() error { return c.refuses }
			for range 2 {
				f.mts.Slots = nil // there is room for another batch
				if err := f.oneStep(t); err != nil {
					t.Fatal(err)
				}
			}
			if got := f.called("CountVIDs"); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := f.runs[f.state.Run].Expected; got != c.expected {
				t.Errorf("%d expected, want %d", got, c.expected)
			}
			if len(f.state.Problems) > 0 || f.registry.OutageAttempts > 0 || len(f.open) == 0 {
				t.Errorf("problems %v, %d batches", f.state.Problems, len(f.open))
			}
		})
	}
}

// What keeps a batch from being made is a problem of the connector: which one,
// and whether the registry is spared for a while.
func TestWhatKeepsABatchFromBeingMade(t *testing.T) {
	fault := func(kind seeding.FaultKind) error { return &seeding.Fault{Kind: kind, Code: "CODE"} }
	for name, c := range map[string]struct {
		call    string
		err     error
		problem seeding.Source
		outage  bool
	}{
		"a registry that is not there":          {"VIDs", fault(seeding.Unreachable), seeding.ProblemRegistry, true},
		"a registry that does not answer":       {"Registrants", fault(seeding.Unknown), seeding.ProblemRegistry, true},
		"a refused sign-in":                     {"VIDs", fault(seeding.RefusedSignIn), seeding.ProblemSignIn, false},
		"an identifier type that is not there":  {"VIDs", fault(seeding.RefusedTypes), seeding.ProblemTypes, false},
		"rights that are missing":               {"Tokens", fault(seeding.RefusedRights), seeding.ProblemRead, false},
		"a field that the registry has not":     {"Registrants", fault(seeding.RefusedSchema), seeding.ProblemRead, false},
		"a mapping that does not compile":       {"Compile", errors.New("jq"), seeding.ProblemConfig, false},
		"a password that is not there":          {"Open", seeding.ErrNotFound, seeding.ProblemConfig, false},
		"a registry that cannot be opened":      {"Open", errors.New("address"), seeding.ProblemConfig, false},
		"a registry that is away for a removal": {"Remove", fault(seeding.Unknown), seeding.ProblemRegistry, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1, 2)
			f.tokens = []seeding.Identifier{{ID: 99, Registrant: 2, Value: aToken}}
			f.registry.OutageAttempts = 1
			f.during[c.call] = func() error { return c.err }
			if err := f.work(t); err != nil {
				t.Fatal(err)
			}
			problem, raised := f.state.Problems[c.problem]
			if !raised || len(f.state.Problems) != 1 || problem.Attempts != 1 {
				t.Errorf("problems %+v, want %s", f.state.Problems, c.problem)
			}
			if !f.state.Due.Equal(problem.Next) {
				t.Errorf("due in %v, probe in %v", f.state.Due.Sub(now), problem.Next.Sub(now))
			}
			want := seeding.RegistryState{Key: f.registry.Key, Counter: 40, OutageAttempts: 1}
			if c.outage {
				want.OutageAttempts, want.OutageUntil = 2, now.Add(2*time.Minute)
			}
			if f.registry != want {
				t.Errorf("registry %+v, want %+v", f.registry, want)
			}
			if len(f.posts) != 0 || len(f.open) != 0 {
				t.Error("a batch was made")
			}
		})
	}
}

// A page that was read ends the outage of the registry, and what only a page
// can end.
func TestAPageEndsProblems(t *testing.T) {
	f := newFake()
	f.registry.OutageAttempts, f.registry.OutageUntil = 3, now
	for _, source := range []seeding.Source{
		seeding.ProblemRegistry, seeding.ProblemSignIn, seeding.ProblemRead, seeding.ProblemTypes, seeding.ProblemConfig,
		seeding.ProblemPolicy, seeding.ProblemUnlink,
	} {
		f.state.Problems[source] = seeding.Problem{Since: earlier, Next: now}
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	left := slices.Sorted(maps.Keys(f.state.Problems))
	if want := []seeding.Source{seeding.ProblemPolicy, seeding.ProblemUnlink}; !slices.Equal(left, want) {
		t.Errorf("problems left %q, want %q", left, want)
	}
	if f.registry.OutageAttempts != 0 || !f.registry.OutageUntil.IsZero() {
		t.Errorf("registry %+v", f.registry)
	}
}

// VIDs of those who hold tokens are removed in one call. While that is refused
// one is removed per back-off, and the batch is sent nevertheless.
func TestVIDsAreRemoved(t *testing.T) {
	refused := &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"}
	for name, c := range map[string]struct {
		problem  seeding.Problem // "unlink"; zero for none
		err      error           // of a removal
		keepVIDs bool
		calls    []string
		removed  int
		attempts int // of the problem afterwards; 0 if there is none
	}{
		"all at once":                      {calls: []string{"Remove [11 12]"}, removed: 2},
		"none where VIDs are kept":         {keepVIDs: true},
		"a refusal is a problem":           {err: refused, calls: []string{"Remove [11 12]"}, attempts: 1},
		"none while the problem waits":     {problem: seeding.Problem{Since: earlier, Attempts: 2, Next: later}, attempts: 2},
		"one when the problem may be over": {problem: seeding.Problem{Since: earlier, Attempts: 2, Next: now}, calls: []string{"Remove [11]"}, removed: 1},
		"one when the problem is not over": {problem: seeding.Problem{Since: earlier, Attempts: 2, Next: now}, err: refused, calls: []string{"Remove [11]"}, attempts: 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.connector.Output.RemoveVIDs = !c.keepVIDs
			f.add(1, 2, 3)
			f.tokens = []seeding.Identifier{{ID: 98, Registrant: 1, Value: aToken}, {ID: 99, Registrant: 2, Value: aToken}}
			if c.problem.Attempts > 0 {
				f.state.Problems[seeding.ProblemUnlink] = c.problem
			}
			f.during["Remove"] = func() error { return c.err }
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if got := f.called("Remove"); !slices.Equal(got, c.calls) {
				t.Errorf("%q, want %q", got, c.calls)
			}
			if got := f.runs["id2"].Tally.Removed; got != c.removed {
				t.Errorf("%d counted, want %d", got, c.removed)
			}
			if got := f.state.Problems[seeding.ProblemUnlink].Attempts; got != c.attempts {
				t.Errorf("%d attempts, want %d", got, c.attempts)
			}
			if len(f.posts) != 1 {
				t.Errorf("%d batches were sent", len(f.posts))
			}
		})
	}
}

// A removal that is refused on the first of two pages is not attempted on the second.
func TestARefusedRemovalIsNotTriedOnTheNextPage(t *testing.T) {
	f := newFake()
	f.mts.Pace = seeding.Pace{Size: 2, Proved: 2}
	f.add(1, 2, 3, 4, 5)
	for r := range int64(4) {
		f.tokens = append(f.tokens, seeding.Identifier{ID: 90 + r, Registrant: 1 + r, Value: aToken})
	}
	f.during["Remove"] = func() error { return &seeding.Fault{Kind: seeding.RefusedRights} }
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if got := f.called("VIDs", "Remove"); !slices.Equal(got, []string{"VIDs 0 2", "Remove [11 12]", "VIDs 12 4"}) {
		t.Errorf("%q", got)
	}
}

// A page leaves rejections before and after its range.
func TestRejectionsOutsideOfAPageStay(t *testing.T) {
	f := newFake()
	f.mts.Pace = seeding.Pace{Size: 2, Proved: 2}
	f.add(3, 4, 5)
	for _, identifier := range []int64{11, 12, 13, 15} { // 12 is in the page's range, and not there
		f.rejections = append(f.rejections, seeding.Rejection{
			Connector: "c", Kind: seeding.Refused, Configured: 2, Subject: seeding.Member{Registrant: 1, Identifier: identifier}.Subject(),
		})
	}
	f.state.Run = "run"
	f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now, Cursor: 11}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	var left []int64
	for _, r := range f.rejections {
		left = append(left, r.Identifier)
	}
	if want := []int64{11, 13, 15}; !slices.Equal(left, want) {
		t.Errorf("left of identifiers %d, want %d", left, want)
	}
}

// Whoever is in an open batch, of whichever connector, is not chosen.
func TestWhoIsInAnOpenBatchIsNotChosen(t *testing.T) {
	f := newFake()
	f.mts.Pace = seeding.Pace{Size: 10, Proved: 10}
	f.add(1, 2, 3)
	f.open = []seeding.Batch{
		{Ref: seeding.BatchRef{Connector: "c", Run: "import", Batch: "b1"}, Members: []seeding.Member{{Registrant: 1, Identifier: 11}}},
		{Ref: seeding.BatchRef{Connector: "other", Batch: "b2"}, Members: []seeding.Member{{Registrant: 2, Identifier: 12}}},
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if want := []seeding.Member{{Registrant: 3, Identifier: 13}}; len(f.open) != 3 || !slices.Equal(f.open[2].Members, want) {
		t.Errorf("open batches %+v", f.open)
	}
}

// Rejections of a connector that was deleted, or that uses another registry or takes
// submissions now, are deleted and keep no VID, of listed registrants too.
func TestRejectionsOfConnectorsThatAreAway(t *testing.T) {
	conflict := func(connector string, r int64) seeding.Rejection {
		return seeding.Rejection{Connector: connector, Kind: seeding.Conflict, Subject: seeding.Member{Registrant: r, Identifier: 10 + r}.Subject()}
	}
	for _, away := range []string{"deleted", "moved", "odk"} {
		for _, listed := range []bool{false, true} {
			t.Run(fmt.Sprint(away, ", listed ", listed), func(t *testing.T) {
				f := newFake()
				f.add(1, 2)
				f.tokens = []seeding.Identifier{{ID: 98, Registrant: 1, Value: aToken}, {ID: 99, Registrant: 2, Value: aToken}}
				f.rejections = []seeding.Rejection{conflict(away, 1), conflict(away, 2), conflict("other", 2)}
				if listed {
					f.state.Status = seeding.Stopped
					f.openList("import", []int64{1, 2})
				}
				if err := f.work(t); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(f.rejections, []seeding.Rejection{conflict("other", 2)}) {
					t.Errorf("rejections left %+v", f.rejections)
				}
				if got := f.called("Remove"); !slices.Equal(got, []string{"Remove [11]"}) {
					t.Errorf("%q", got)
				}
				if got := f.called("State"); !slices.Equal(got, []string{"State " + away, "State other"}) {
					t.Errorf("asked for %q", got)
				}
			})
		}
	}
}

// A rejection is compared with the key of its own fingerprint.
func TestRejectedDataAreComparedUnderTheirOwnKey(t *testing.T) {
	f := newFake()
	f.add(1, 2, 3)
	data := func(r int64, vid string) seeding.Demographics {
		return fieldMapper{}.Map(withVID(f.records[r], vid))
	}
	rejection := func(r int64, key seeding.Key, vid string) seeding.Rejection {
		return seeding.Rejection{
			Connector: "c", Kind: seeding.Refused, Configured: 3, Subject: seeding.Member{Registrant: r, Identifier: 10 + r}.Subject(),
			Fingerprint: seeding.FingerprintOf(key, data(r, vid)), FingerprintKey: key.ID,
		}
	}
	gone := seeding.Key{ID: "gone", Secret: []byte("gone")}
	f.rejections = []seeding.Rejection{rejection(1, formerKey, "V1"), rejection(2, currentKey, "another"), rejection(3, gone, "V3")}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if want := []seeding.Member{{Registrant: 2, Identifier: 12}, {Registrant: 3, Identifier: 13}}; len(f.open) != 1 || !slices.Equal(f.open[0].Members, want) {
		t.Errorf("sent %+v, want %+v", f.open, want)
	}
}
