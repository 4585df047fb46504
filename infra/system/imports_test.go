package system_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// openImport opens a run beside the recurring one, as a person would.
func (w *world) openImport(c seeding.Connector, id string) {
	now := w.clock.Now()
	run := seeding.Run{ID: id, Connector: c.ID, Kind: seeding.Import, Version: c.Version, Started: now, Passes: 1, PassStarted: now}
	if err := w.store.OpenRun(w.Context(), run); err != nil {
		w.failures <- err
	}
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
