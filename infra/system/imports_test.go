package system_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// openImport opens an import of everybody, or of registrants, as a person would.
func (w *world) openImport(c seeding.Connector, id string, registrants ...int64) {
	w.open(c, id, seeding.Selection{Listed: len(registrants)}, registrants...)
}

func (w *world) open(c seeding.Connector, id string, selection seeding.Selection, registrants ...int64) {
	now := w.clock.Now()
	order := seeding.Order{
		Run: seeding.Run{
			ID: id, Connector: c.ID, Kind: seeding.Import, Registry: c.RegistryKey(), Version: c.Version, Selection: selection,
			Started: now, Passes: 1, PassStarted: now, Expected: len(registrants),
		},
		Registrants: slices.Sorted(slices.Values(registrants)),
	}
	if err := w.store.OpenImport(w.Context(), order, now); err != nil {
		w.failures <- err
	}
}

// unsent is why registrants of a list are not sent, by registrant; "" is sent.
func (w *world) unsent(c seeding.Connector, run string) map[int64]seeding.Unsent {
	w.Helper()
	found := map[int64]seeding.Unsent{}
	for after := int64(0); ; {
		part, more, err := w.store.ListedPart(context.WithoutCancel(w.Context()), c.ID, run, after)
		if err != nil {
			w.Fatal(err)
		}
		if !more {
			return found
		}
		for _, entry := range part.Entries {
			found[entry.Registrant], after = entry.Unsent, entry.Registrant
		}
	}
}

func (w *world) run(c seeding.Connector, id string) seeding.Run {
	w.Helper()
	run, err := w.store.Run(context.WithoutCancel(w.Context()), c.ID, id)
	if err != nil {
		w.Fatal(err)
	}
	return run
}

// completedRuns are the runs of a connector by kind; all must be completed.
func (w *world) completedRuns(c seeding.Connector) (byKind map[seeding.RunKind][]seeding.Run) {
	w.Helper()
	state, err := w.store.State(w.Context(), c.ID)
	if err != nil {
		w.Fatal(err)
	}
	expect(w.T, "open imports", len(state.Imports), 0)
	runs, _, err := w.store.ListRuns(w.Context(), c.ID, "", 100)
	if err != nil {
		w.Fatal(err)
	}
	byKind = map[seeding.RunKind][]seeding.Run{}
	for _, run := range runs {
		if run.Completed.IsZero() {
			w.Errorf("the %s run %s is not completed", run.Kind, run.ID)
		}
		byKind[run.Kind] = append(byKind[run.Kind], run)
	}
	return byKind
}

// An import and the recurring run go over the same registrants at the same time.
func TestAnImportBesideTheRecurringRun(t *testing.T) {
	for name, answers := range map[string]int32{
		"from the beginning":     0,
		"after the first answer": 1,
		"after the sixth answer": 6,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			w.addRegistrants(600)
			before := w.now()
			c := w.connector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 50 })
			var answered atomic.Int32
			if answers == 0 {
				w.openImport(c, "import")
			}
			w.onCallback = func(*http.Request) {
				if answered.Add(1) == answers {
					w.openImport(c, "import")
				}
			}
			w.finish(40, c)
			w.checkInvariants(c, before)
			w.checkSent(1)

			runs := w.completedRuns(c)
			expect(t, "recurring runs", len(runs[seeding.Recurring]), 1)
			expect(t, "imports", len(runs[seeding.Import]), 1)
			both := seeding.Totals{}
			for kind, list := range runs {
				if list[0].Totals.Sent == 0 {
					t.Errorf("the %s run had no turn to send", kind)
				}
				both = both.Plus(list[0].Totals)
			}
			expect(t, "tokenised at the registry", w.tokenised(), 600)
			expect(t, "totals of both runs", both, seeding.Totals{Sent: 600, Tokenised: 600})
		})
	}
}

// An import that goes on when the recurring run ends does not begin the next one.
func TestAnImportGoesOnAfterTheRecurringRun(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(50)
	w.addRegistrants(90)
	first, second := w.now(), invariants.Registry(nil)
	c := w.connector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 50 })
	var answered atomic.Int32
	w.onCallback = func(*http.Request) {
		if answered.Add(1) == 2 { // of the 40 with whom the recurring run saw the last VID
			second = w.only(w.addPersons(5000, 300))
			w.openImport(c, "import")
		}
	}
	w.finish(20, c)
	w.checkInvariants(c, first, second)
	w.checkSent(1)

	runs := w.completedRuns(c)
	expect(t, "recurring runs", len(runs[seeding.Recurring]), 1)
	expect(t, "totals of the recurring run", runs[seeding.Recurring][0].Totals, seeding.Totals{Sent: 90, Tokenised: 90})
	expect(t, "totals of the import", runs[seeding.Import][0].Totals, seeding.Totals{Sent: 300, Tokenised: 300})
	state, err := w.store.State(t.Context(), c.ID)
	if want := runs[seeding.Recurring][0].Started.Add(c.Schedule.Interval); err != nil || !state.Due.Equal(want) {
		t.Errorf("the recurring run is due at %v, %v; want %v", state.Due, err, want)
	}
}

// An import does not wait for the recurring run to be due, and does not begin it.
func TestAnImportWhileTheRecurringRunIsNotDue(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(100)
	first := w.now()
	c := w.connector(func(c *seeding.Connector) {
		c.MTS.BatchMaximum, c.Schedule.Interval = 50, 24*time.Hour
	})
	w.finish(20, c)
	state, err := w.store.State(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	due := state.Due

	second := w.only(w.addPersons(5000, 300))
	w.openImport(c, "import")
	w.finish(20, c)
	w.checkInvariants(c, first, second)
	w.checkSent(1)

	runs := w.completedRuns(c)
	expect(t, "recurring runs", len(runs[seeding.Recurring]), 1)
	expect(t, "imports", len(runs[seeding.Import]), 1)
	expect(t, "totals of the import", runs[seeding.Import][0].Totals, seeding.Totals{Sent: 300, Tokenised: 300})
	expect(t, "tokenised at the registry", w.tokenised(), 400)
	if state, err = w.store.State(t.Context(), c.ID); err != nil || !state.Due.Equal(due) {
		t.Errorf("the recurring run is due at %v, %v; want %v", state.Due, err, due)
	}
}

// Registrants that a person listed are read by their ids: those are sent who can be,
// also where a rejection is not due, and of each other one it is known why not.
func TestAnImportOfAListOnAStoppedConnector(t *testing.T) {
	w := newWorld(t, options{})
	w.kinds = w.registry.Populate(400, 3).Kinds
	others := w.addPersons(5000, 50)
	before := w.now()
	c := w.connector(nil)
	w.setStatus(seeding.Stopped, c)
	listed := append(slices.Collect(maps.Keys(w.kinds)), 9_000_001, 9_000_002)
	w.clock.Advance(time.Second)
	w.openImport(c, "import", listed...)
	w.finish(60, c)
	w.checkInvariants(c, before)
	w.checkSent(1)
	for _, id := range others {
		if w.tokenOf(id) != "" {
			t.Errorf("registrant %d was not listed", id)
		}
	}
	unsent := w.unsent(c, "import")
	expect(t, "registrants", len(unsent), len(listed))
	_, rejected := w.rejections(c)
	holder := map[int64]bool{}
	for id := range w.now() {
		holder[id] = w.tokenOf(id) != ""
	}
	run, counted := w.run(c, "import"), map[seeding.Unsent]int{}
	for id, why := range unsent {
		counted[why]++
		kind := w.kinds[id]
		want := map[odoosim.Kind]seeding.Unsent{
			"": seeding.UnsentNotFound, odoosim.NoVID: seeding.UnsentNoVID, odoosim.Tokenised: seeding.UnsentHolding, odoosim.TokenisedVID: seeding.UnsentHolding,
			odoosim.ExpiredVID: seeding.UnsentNoVID, odoosim.InvalidVID: seeding.UnsentNoVID, odoosim.ArchivedVID: seeding.UnsentArchived,
			odoosim.Group: seeding.UnsentNotSelected, odoosim.GroupWithVID: seeding.UnsentNotSelected,
			odoosim.NoBirthdate: seeding.UnsentRejected, odoosim.NoGender: seeding.UnsentRejected, odoosim.NoName: seeding.UnsentRejected, odoosim.BlankAddress: seeding.UnsentRejected,
		}[kind]
		if why != want {
			t.Errorf("registrant %d (%v): %q, want %q", id, kind, why, want)
		}
		if isRejected := rejected[id].Kind != ""; why == seeding.UnsentRejected && !isRejected || why == "" && holder[id] == isRejected {
			t.Errorf("registrant %d (%v): %q, and token %v, rejection %q", id, kind, why, holder[id], rejected[id].Kind)
		}
	}
	tally := seeding.Tally{
		Looked: len(listed), NotFound: counted[seeding.UnsentNotFound], NoVID: counted[seeding.UnsentNoVID], Holding: counted[seeding.UnsentHolding],
		NotSelected: counted[seeding.UnsentNotSelected] + counted[seeding.UnsentArchived], InBatch: 0,
		Invalid: run.Tally.Invalid, Rejected: counted[seeding.UnsentRejected] - run.Tally.Invalid, Removed: run.Tally.Removed,
	}
	expect(t, "tally", run.Tally, tally)
	expect(t, "sent", run.Totals.Sent, counted[""])
	expect(t, "status", w.state(c).Status, seeding.Stopped)

	// Somebody corrects one who was rejected, and asks for others at once.
	refusedBefore := w.mts.Counters().RecordsReceived
	w.clock.Advance(time.Second)
	w.openImport(c, "again", listed...)
	w.finish(60, c)
	again := w.run(c, "again")
	if again.Totals.Sent != run.Totals.Refused+run.Totals.Duplicate || w.mts.Counters().RecordsReceived-refusedBefore != again.Totals.Sent {
		t.Errorf("sent again %+v, before %+v", again.Totals, run.Totals)
	}
	w.checkInvariants(c, before)
}

// An import of everybody and one of a list beside the recurring run, while answers are
// lost: nobody is forgotten, and nobody is sent twice but after a loss.
func TestImportsBesideTheRecurringRunWhileAnswersAreLost(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(400)
	before := w.now()
	w.mts.SetFaults(mtssim.Faults{LoseEvery: 4})
	c := w.connector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 40 })
	var answered atomic.Int32
	w.onCallback = func(*http.Request) {
		switch answered.Add(1) {
		case 1:
			w.openImport(c, "everybody")
		case 2:
			w.openImport(c, "list", ids...)
		case 5:
			w.mts.SetFaults(mtssim.Faults{})
		}
	}
	w.finish(120, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 400)
	runs := w.completedRuns(c)
	expect(t, "imports", len(runs[seeding.Import]), 2)
}

// A domain of its own takes whom it selects, and no others.
func TestAnImportWithADomainOfItsOwn(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(60)
	for _, id := range ids[:20] {
		w.registry.SetRegistrant(id, map[string]any{"given_name": "Chosen"})
	}
	before := w.now()
	c := w.connector(nil)
	w.setStatus(seeding.Stopped, c)
	w.clock.Advance(time.Second)
	w.open(c, "import", seeding.Selection{Domain: `[["is_registrant","=",true],["given_name","=","Chosen"]]`})
	w.finish(20, c)
	expect(t, "tokenised", w.tokenised(), 20)
	run := w.run(c, "import")
	expect(t, "not selected", run.Tally.NotSelected, 40)
	w.setStatus(seeding.Running, c)
	w.finish(20, c)
	expect(t, "tokenised by the recurring run", w.tokenised(), 60)
	w.checkInvariants(c, before)
	w.checkSent(1)
}

// A run that is cancelled makes no batch any more; what is under way is answered and
// counted. A stop ends what is open, too.
func TestACancelledRunEndsWithWhatIsUnderWay(t *testing.T) {
	for name, end := range map[string]struct {
		do     func(*world, seeding.Connector, seeding.Run)
		ending seeding.Ending
	}{
		"cancelled": {func(w *world, _ seeding.Connector, run seeding.Run) {
			if err := w.store.CancelRun(context.Background(), run, w.clock.Now()); err != nil {
				w.failures <- err
			}
		}, seeding.EndedByCancel},
		"stopped": {func(w *world, c seeding.Connector, _ seeding.Run) {
			if err := w.store.SetStatus(context.Background(), c.ID, seeding.Stopped, w.clock.Now()); err != nil {
				w.failures <- err
			}
		}, seeding.EndedByStop},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			ids := w.addRegistrants(500)
			before := w.now()
			c := w.connector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 20 })
			w.setStatus(seeding.Stopped, c)
			w.clock.Advance(time.Second)
			w.openImport(c, "import", ids...)
			var answered atomic.Int32
			var at time.Time
			w.onCallback = func(*http.Request) {
				w.clock.Advance(time.Second)
				if answered.Add(1) == 3 {
					at = w.clock.Now()
					end.do(w, c, seeding.Run{ID: "import", Connector: c.ID, Kind: seeding.Import})
				}
			}
			w.finish(30, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			run := w.run(c, "import")
			expect(t, "ending", run.Ending, end.ending)
			expect(t, "totals", run.Totals, seeding.Totals{Sent: w.tokenised(), Tokenised: w.tokenised()})
			if n := w.tokenised(); n < 30 || n > 200 {
				t.Errorf("%d tokenised", n)
			}
			all, _ := w.batches(c)
			for _, b := range all {
				if b.Claimed.After(at) {
					t.Errorf("a batch was claimed %v after it", b.Claimed.Sub(at))
				}
			}
		})
	}
}

// importing makes a world in which an import of a list, and then a one-time job,
// write all that they can write.
func importing(t *testing.T, local bool) (*world, seeding.Connector, invariants.Registry) {
	w := newWorld(t, options{faults: newFaults(), local: local})
	w.kinds = w.registry.Populate(80, 5).Kinds
	ids := append(slices.Sorted(maps.Keys(w.kinds)), w.addRegistrants(30)...)
	before := w.now()
	w.mts.SetFaults(mtssim.Faults{LoseEvery: 4})
	c := w.connector(func(c *seeding.Connector) {
		c.MTS.BatchMaximum, c.Schedule = 20, seeding.Schedule{Kind: seeding.OneTimeJob}
	})
	w.setStatus(seeding.Stopped, c)
	w.clock.Advance(time.Second)
	w.openImport(c, "import", append(ids, 9_000_001)...)
	return w, c, before
}

// finishImport lets both end, and returns why who was listed was not sent, and how
// everybody ended.
func (w *world) finishImport(c seeding.Connector, before invariants.Registry) (map[int64]seeding.Unsent, map[int64]string) {
	w.Helper()
	w.finish(120, c)
	unsent := w.unsent(c, "import")
	run := w.run(c, "import")
	counted := 0
	for _, why := range unsent {
		if why != "" {
			counted++
		}
	}
	t := run.Tally
	expect(w.T, "counted as unsent", t.NotFound+t.NoVID+t.Holding+t.NotSelected+t.InBatch+t.Invalid+t.Rejected, counted)
	expect(w.T, "looked at", t.Looked, len(unsent))
	expect(w.T, "ending", run.Ending, seeding.Finished)
	w.mts.SetFaults(mtssim.Faults{})
	w.clock.Advance(25 * time.Hour)
	w.setStatus(seeding.Running, c)
	w.finish(120, c)
	expect(w.T, "status", w.state(c).Status, seeding.Completed)
	w.forgetFailures() // functions were made to fail
	w.checkInvariants(c, before)
	ends := map[int64]string{}
	_, rejected := w.rejections(c)
	for id := range w.now() {
		if w.kinds[id] != odoosim.SharedPerson {
			ends[id] = fmt.Sprintf("token %t, %s %s", w.tokenOf(id) != "", rejected[id].Kind, rejected[id].Code)
		}
	}
	return unsent, ends
}

// Crash points of what only an import, or a job that ends, writes; the others are
// tried by TestCrashPoints. Whatever crashes, it is known of everybody who was
// listed what became of them.
func TestCrashPointsOfImports(t *testing.T) {
	t.Parallel()
	w, c, before := importing(t, true)
	want, wantEnds := w.finishImport(c, before)
	var points []string
	for point := range w.faults.seen {
		for _, method := range append(ofImports, "Claim", "SaveRun", "CompleteRun", "TakeRun", "PutRejections", "registry unlink", "MTS POST") {
			if strings.HasSuffix(point, " "+method) && strings.HasPrefix(point, "submit") {
				points = append(points, point)
			}
		}
	}
	for _, method := range ofImports {
		if !slices.Contains(points, "submit: dynamodb "+method) {
			t.Errorf("nothing calls %s, so no crash is tried there", method)
		}
	}
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		w, c, before := importing(t, false)
		w.faults.armed[point] = m
		unsent, ends := w.finishImport(c, before)
		w.checkEnds(wantEnds, ends)
		for id, why := range unsent {
			if why != want[id] {
				t.Errorf("registrant %d (%v): %q; without a crash %q", id, w.kinds[id], why, want[id])
			}
		}
		w.faults.checkAllCame(t)
	})
}

// ofImports are the methods of the store that only imports, or jobs that end, use.
var ofImports = []string{"SaveListed", "FinishJob"}
