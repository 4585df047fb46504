package system_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// A whole run over a registry with registrants of every kind.
func TestEveryRegistrantIsReconciled(t *testing.T) {
	w := newWorld(t, options{local: true})
	e := w.registry.Populate(1200, 1)
	before := w.now()
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	w.checkSent(1)

	byKind, all := w.rejections(c)
	expect(t, "rejected", len(all), e.Rejected())
	expect(t, "duplicates", byKind["duplicate "+seeding.CodeHeldByOther], e.Duplicates)
	for id, r := range all {
		switch e.Kinds[id] {
		case odoosim.Plain, odoosim.GivenOnly, odoosim.TokenisedVID:
			t.Errorf("a %s registrant is rejected: %s %s", e.Kinds[id], r.Kind, r.Code)
		}
	}
	runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 10)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	kinds := invariants.ByKind(slices.Collect(maps.Values(all)))
	observed := invariants.Observe(w.now(), before, kinds, w.mts.Counters().RecordsReceived, e.Submitted)
	for _, d := range invariants.Differences(slices.Concat(
		invariants.Counts(w.now(), e), invariants.Rejected(kinds, e),
		invariants.Totals(invariants.Reported(runs[0].Totals, runs[0].Tally), observed),
	)) {
		t.Error(d)
	}
	totals := runs[0].Totals
	expect(t, "totals: tokenised", totals.Tokenised, e.NewTokens)
	expect(t, "totals: pending", totals.Pending(), 0)
	expect(t, "totals: sent", totals.Sent, e.Submitted)
	expect(t, "problems", len(w.problems(c)), 0)
	expect(t, "metric: submitted", int(w.metrics.Sum(seeding.MetricSubmitted)), e.Submitted)
	expect(t, "metric: tokenised", int(w.metrics.Sum(seeding.MetricTokenised)), e.NewTokens)
	expect(t, "metric: rejected", int(w.metrics.SumOfKinds(seeding.MetricRejected)), e.Rejected())
	for _, gauge := range []seeding.Metric{seeding.MetricOldestAnswer, seeding.MetricStalledConnectors, seeding.MetricUnreachable, seeding.MetricSignInsRefused, seeding.MetricProblemConnectors, seeding.MetricNeedPerson} {
		if value, taken := w.metrics.Last(gauge); !taken || value != 0 {
			t.Errorf("gauge %s: %v, %v", gauge, value, taken)
		}
	}

	// A second run finds nothing to do, and sends nobody again.
	posts := w.mts.Counters().Posts
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
	expect(t, "POSTs of the second run", w.mts.Counters().Posts, posts)

	// Data that were corrected are sent, others are not.
	corrected := 0
	for id, kind := range e.Kinds {
		if kind == odoosim.NoBirthdate {
			w.registry.SetRegistrant(id, map[string]any{"birthdate": "1980-01-01"})
			corrected++
		}
	}
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
	expect(t, "tokens after the correction", w.registry.State().Tokens, e.Tokens+corrected)
	_, all = w.rejections(c)
	expect(t, "rejected after the correction", len(all), e.Rejected()-corrected)
}

// A stop, or another configuration, ends the run once its batches are closed,
// and no sooner; what is under way is still patched.
func TestRunEndsWithItsBatches(t *testing.T) {
	changes := map[string]func(w *world, c seeding.Connector) error{
		"stopped": func(w *world, c seeding.Connector) error {
			return w.store.SetStatus(w.Context(), c.ID, seeding.Stopped, w.clock.Now())
		},
		"configured anew": func(w *world, c seeding.Connector) error {
			c.Version = 2
			return w.store.ReplaceConnector(w.Context(), c, w.clock.Now())
		},
	}
	for name, change := range changes {
		t.Run(name+" while a batch is under way", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setUnprovedSize(50) // one batch at a time
			w.addRegistrants(120)
			before := w.now()
			withheld := w.withholdFirst()
			c := w.connector(nil)
			w.tick()
			if err := change(w, c); err != nil {
				t.Fatal(err)
			}
			w.tick()
			state, err := w.store.State(t.Context(), c.ID)
			if err != nil || state.Run == "" {
				t.Fatalf("run %q, %v", state.Run, err)
			}
			late := withheld.Load()
			expect(t, "status", w.deliver(late, string(late.body)), http.StatusOK)
			w.tick()
			w.tick()
			first, err := w.store.Run(t.Context(), c.ID, state.Run)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "run is completed", first.Completed.IsZero(), false)
			expect(t, "totals", first.Totals, seeding.Totals{Sent: 50, Tokenised: 50})
			if name == "stopped" {
				for range 3 {
					w.tick()
				}
				expect(t, "tokenised", w.tokenised(), 50)
				if err := w.store.SetStatus(t.Context(), c.ID, seeding.Running, w.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			w.finish(20, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 120)
			runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 10)
			if err != nil || len(runs) != 2 {
				t.Fatalf("%d runs, %v", len(runs), err)
			}
			if c, err = w.store.Connector(t.Context(), c.ID); err != nil || runs[0].Version != c.Version {
				t.Errorf("version of the second run: %d of %d, %v", runs[0].Version, c.Version, err)
			}
		})
		t.Run(name+" while a page is read", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setBatchSize(50)
			w.addRegistrants(20)
			var c seeding.Connector
			w.atFirst(odoosim.Before, "res.partner", "search_read", func() {
				if err := change(w, c); err != nil {
					t.Error(err)
				}
			})
			c = w.connector(nil)
			w.tick()
			if name == "stopped" {
				w.tick()
				expect(t, "POSTs", w.mts.Counters().Posts, 0)
				if err := w.store.SetStatus(t.Context(), c.ID, seeding.Running, w.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			w.finish(20, c)
			w.checkInvariants(c)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 20)
		})
	}
}

// What others do between the reads of a page must put nobody into two batches,
// and send nobody twice: the claim counter is read first, the open batches next,
// then the page.
func TestOrderOfReads(t *testing.T) {
	t.Run("a claim between counter and open batches", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{})
		w.addRegistrants(20)
		w.withhold = func(*http.Request, []byte) bool { return true } // batches stay open
		other := w.connector(nil)
		if _, err := w.store.TakeRun(t.Context(), other.ID, "other", w.clock.Now(), w.clock.Now().Add(time.Hour), time.Time{}); err != nil {
			t.Fatal(err)
		}
		var reads int
		w.onStore = func(method string) {
			switch {
			case method == "MTSState" && reads == 0:
				reads = 1
			case reads > 0 && (method == "RegistryState" || method == "OpenBatches"):
				if reads++; reads == 3 {
					w.onStore = nil
					w.claimAll(other)
				}
			}
		}
		c := w.connector(nil)
		w.tick()
		open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
		if err != nil || len(open) != 1 || open[0].Ref.Connector != other.ID || len(open[0].Members) != 20 {
			t.Errorf("open batches: %+v, %v", open, err)
		}
	})
	t.Run("a patch between open batches and page", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{})
		w.addRegistrants(20)
		withheld := w.withholdFirst()
		w.streamOff.Store(true)
		first := w.connector(nil)
		w.tick()
		pages := 0
		w.registry.Hook(odoosim.After, func(model, method string) {
			if model != "g2p.reg.id" || method != "search_read" {
				return
			}
			if pages++; pages == 2 { // the second connector has its VIDs, and the tokens of their registrants
				expect(t, "status", w.post(withheld.Load(), string(withheld.Load().body)), http.StatusOK)
				if err := w.patcher.Patch(t.Context(), first.RegistryKey()); err != nil {
					t.Error(err)
				}
			}
		})
		second := w.connector(nil)
		w.finish(20, first, second)
		expect(t, "tokenised", w.tokenised(), 20)
		w.checkSent(1)
	})
}

// claimAll claims a batch of everybody with a VID for a connector whose run
// lease was taken, as its submitter would.
func (w *world) claimAll(c seeding.Connector) {
	w.Helper()
	ctx, now := w.Context(), w.clock.Now()
	state, err := w.store.State(ctx, c.ID)
	if err != nil {
		w.Fatal(err)
	}
	registry, err := w.store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		w.Fatal(err)
	}
	run := seeding.Run{ID: "run", Connector: c.ID, Version: c.Version, Started: now, Passes: 1, PassStarted: now, Fence: state.Lease.Fence}
	b := seeding.Batch{
		Ref:   seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: "batch"},
		State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, Claimed: now, Deadline: now.Add(time.Hour),
	}
	for id, identifiers := range w.registry.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.VIDType {
				b.Members = append(b.Members, seeding.Member{Registrant: id, Identifier: i.ID})
			}
		}
	}
	b.Count = len(b.Members)
	claim := seeding.Claim{Batch: b, Counter: registry.Counter, Run: run, Version: c.Version, Fence: run.Fence}
	if err := errors.Join(w.store.OpenRun(ctx, run), w.store.Claim(ctx, claim)); err != nil {
		w.Fatal(err)
	}
}

// A page or a claim that takes long costs nobody anything.
func TestSlowPageOrClaim(t *testing.T) {
	for name, slow := range map[string]func(w *world, pass func()){
		"slow page": func(w *world, pass func()) { w.atFirst(odoosim.After, "res.partner", "search_read", pass) },
		"slow claim": func(w *world, pass func()) {
			w.onStore = func(method string) {
				if method == "Claim" {
					w.onStore = nil
					pass()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(40)
			before := w.now()
			slow(w, func() { w.clock.Advance(2 * time.Minute) })
			c := w.connector(nil)
			w.finish(20, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 40)
			all, states := w.batches(c)
			expect(t, "batches patched", states[seeding.Patched], len(all))
			expect(t, "problems", len(w.problems(c)), 0)
		})
	}
}

// The time from VID to token begins when the registrar entered the VID, so an
// outage is in it.
func TestSecondsToTokenHoldEveryWait(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	for name, f := range map[string]struct{ outage, backlog time.Duration }{
		"no wait": {}, "an outage of a day": {outage: 24 * time.Hour}, "a backlog of ten years": {backlog: years},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The registry's clock does not follow ours, it stands still.
			start := time.Now()
			w := newWorld(t, options{odoo: odoosim.Options{Now: func() time.Time { return start.Add(-f.backlog) }}})
			w.addRegistrants(50)
			w.registry.SetDown(f.outage > 0)
			c := w.connector(nil)
			w.tick()
			w.clock.Advance(f.outage)
			w.registry.SetDown(false)
			w.finish(20, c)
			expect(t, "tokenised", w.tokenised(), 50)
			seconds, _ := w.metrics.Last(seeding.MetricSecondsToToken)
			got := time.Duration(seconds*float64(time.Second)) - f.backlog
			if most := w.clock.Now().Sub(start) + time.Second; got < f.outage || got > most { // the registry keeps whole seconds
				t.Errorf("%v, want between %v and %v", got, f.outage, most)
			}
		})
	}
}

// A run makes another pass for what its last one lost, three at most; passes that
// are made of probes do not count.
func TestPassesOfARun(t *testing.T) {
	cases := map[string]struct {
		lose           int // answers
		passes, runs   int
		licence        bool // expires before the last pass
		batchesOfFirst int
	}{
		"nothing lost":     {0, 1, 1, false, 1},
		"the first lost":   {1, 2, 1, false, 2},
		"two lost":         {2, 3, 1, false, 3},
		"more than it has": {3, 3, 1, false, 3},
		"and the licence":  {2, 3, 1, true, 0},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setBatchSize(50)
			w.addRegistrants(20)
			left := f.lose
			w.withhold = func(*http.Request, []byte) bool {
				if left--; left == 0 && f.licence {
					w.mts.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "IDA-MPA-005"}})
				}
				return left >= 0
			}
			c := w.connector(func(c *seeding.Connector) { c.Schedule.Interval = 10 * time.Hour })
			if f.licence {
				for range 120 {
					w.tick()
				}
				expect(t, "shown", w.problems(c)[seeding.ProblemIdentity].Text != "", true)
				w.mts.SetFaults(mtssim.Faults{})
			}
			w.finish(120, c)
			runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "runs", len(runs), f.runs)
			expect(t, "passes", runs[0].Passes, f.passes)
			if all, _ := w.batches(c); !f.licence {
				expect(t, "batches", len(all), f.batchesOfFirst)
			}
			expect(t, "some tokenised before the next run", w.tokenised() > 0, f.lose < 3)
			w.finishNextRun(60, c)
			expect(t, "tokenised in the end", w.tokenised(), 20)
		})
	}
}

func TestOneRegistrantIsSentByOneConnectorOnce(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(500)
	before := w.now()
	a, b := w.connector(nil), w.connector(nil)
	for range 30 {
		var together sync.WaitGroup
		for range 4 { // ticks doubled and doubled again
			together.Go(func() {
				if err := w.submitter.Tick(t.Context()); err != nil {
					t.Error(err)
				}
				if err := w.reconciler.Tick(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		w.tick()
		if w.done(a, b) {
			break
		}
	}
	w.checkInvariants(a, before)
	w.checkInvariants(b, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 500)
}

// A tick invokes submit for the connectors that waited longest, and never for more
// than three at once. Who was invoked goes to the end of the queue.
func TestTickInvokesThreeAtOnce(t *testing.T) {
	w := newWorld(t, options{})
	var all []seeding.Connector
	for range 5 {
		all = append(all, w.connector(nil))
	}
	for i, k := range []int{3, 1, 4, 0, 2} { // due in this order
		state, err := w.store.TakeRun(t.Context(), all[k].ID, "before", w.clock.Now(), w.clock.Now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.LeaveRun(t.Context(), all[k].ID, state.Lease.Fence, time.Time{}, w.clock.Now().Add(time.Duration(i-10)*time.Minute), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	invoked := &recordingInvoker{}
	w.submitter.Invoker = invoked
	tick := func(want ...int) {
		t.Helper()
		invoked.connectors = nil
		if err := w.submitter.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, k := range want {
			ids = append(ids, all[k].ID)
		}
		expect(t, "invoked", fmt.Sprint(invoked.connectors), fmt.Sprint(ids))
	}
	tick(3, 1, 4)
	for _, k := range []int{3, 1} { // are at work now
		if _, err := w.store.TakeRun(t.Context(), all[k].ID, "somebody", w.clock.Now(), w.clock.Now().Add(time.Hour), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	tick() // the third was just asked for, and is at work as far as is known
	w.clock.Advance(w.submitter.Times.RunLease)
	tick(4) // it never began
	w.clock.Advance(w.submitter.Times.RunLease)
	tick(0) // it rests
}

// recordingInvoker keeps the connectors for which submit was invoked.
type recordingInvoker struct{ connectors []string }

func (r *recordingInvoker) InvokeSubmit(_ context.Context, connector string) error {
	r.connectors = append(r.connectors, connector)
	return nil
}

func (*recordingInvoker) InvokePatch(context.Context, string) error { return nil }
