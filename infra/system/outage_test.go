package system_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// What goes wrong while a batch is under way, and is over before the end.
func TestRunsSurvive(t *testing.T) {
	regID, create, unlink := "g2p.reg.id", "create", "unlink"
	cases := map[string]struct {
		most int // times that a VID may be submitted
		make func(w *world)
	}{
		"the registry down for a day": {1, func(w *world) {
			w.atFirst(odoosim.Before, regID, create, func() { w.troubleCame(); w.registry.SetDown(true) })
			w.later(24*time.Hour, func() { w.registry.SetDown(false) })
		}},
		"the database of the registry down for an hour": {1, func(w *world) {
			w.atFirst(odoosim.After, regID, create, func() { w.troubleCame(); w.registry.SetDatabaseDown(true) })
			w.later(time.Hour, func() { w.registry.SetDatabaseDown(false) })
		}},
		"a session that ends in the middle": {1, func(w *world) {
			w.atFirst(odoosim.Before, regID, create, func() { w.troubleCame(); w.registry.LoseSessions() })
		}},
		"a create whose answer is lost": {1, func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: create, Times: 2, Point: odoosim.Reply, Outcome: odoosim.Closed, Struck: w.troubleCame})
		}},
		"an unlink whose answer is lost": {1, func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: unlink, Times: 2, Point: odoosim.Reply, Outcome: odoosim.Closed, Struck: w.troubleCame})
		}},
		"serialisation failures": {1, func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: create, Times: 3, Outcome: odoosim.Serialization, Struck: w.troubleCame})
		}},
		"HTML errors of the registry": {1, func(w *world) {
			w.atFirstCallback(func() {
				w.registry.Inject(odoosim.Fault{Times: 7, Point: odoosim.Arrival, Outcome: odoosim.HTML500, Struck: w.troubleCame})
			})
		}},
		"MTS restarted with a full queue":                 {3, func(w *world) { w.restartWhenFull(func() {}) }},
		"MTS restarted with a full queue and no database": {3, func(w *world) { w.restartWhenFull(w.mts.Forget) }},
		"MTS that never answers its POSTs": {3, func(w *world) {
			w.mts.SetFaults(mtssim.Faults{FailNext: 4})
			w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && w.mts.Faults().FailNext > 0 {
					w.troubleCame()
				}
				return false
			}
		}},
		"two replicas of MTS, of which one knows nothing": {9, // three passes in each of three runs
			func(w *world) {
				w.mts.SetFaults(mtssim.Faults{LoseEvery: 2})
				w.later(3*time.Hour, func() { w.mts.SetFaults(mtssim.Faults{}) })
				var calls atomic.Int64
				w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
					if isStatus(r) && calls.Add(1)%2 == 0 {
						w.troubleCame()
						unknownRequest(rw)
						return true
					}
					return false
				}
			}},
		"ticks missing for an hour": {1, func(w *world) {
			w.atFirstCallback(func() { w.troubleCame(); w.clock.Advance(time.Hour) })
		}},
		"a clock that jumps a day ahead": {1, func(w *world) {
			w.atFirstCallback(func() { w.troubleCame(); w.jump(24 * time.Hour) })
		}},
		"a clock that jumps an hour back": {1, func(w *world) {
			w.atFirstCallback(func() { w.troubleCame(); w.jump(-time.Hour) })
		}},
		"DynamoDB throttled and in conflict at every call": {1, func(w *world) {
			w.databaseBusy.Store(true)
			w.atFirstCallback(w.troubleCame)
		}},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{busyDatabase: true})
			w.addRegistrants(150)
			before := w.now()
			f.make(w)
			c := w.connector(nil)
			w.outlast(c)
			w.forgetFailures() // a function may fail; what counts is the end
			if w.came.Load() == 0 {
				t.Error("the trouble never came")
			}
			w.checkInvariants(c, before)
			w.checkSent(f.most)
			expect(t, "tokenised", w.tokenised(), 150)
			expect(t, "VIDs left", len(w.vids()), 0)
			for source, p := range w.problems(c) {
				t.Errorf("the problem %s is still shown, and its cause is removed: %s", source, p.Text)
			}
		})
	}
}

// troubleCame notes that the trouble of a test came. It fails the test where
// nothing was under way: no batch open, and no answer that waits.
func (w *world) troubleCame() {
	w.came.Add(1)
	store := seedingdb.New(w.client, w.tables.Connectors, w.tables.Answers)
	states, err := store.RegistryStates(w.Context())
	if err != nil {
		w.Error(err)
	}
	for _, state := range states {
		open, err := store.OpenBatches(w.Context(), state.Key)
		_, answered, again := store.NextAnswer(w.Context(), state.Key, "")
		if err := errors.Join(err, again); err != nil {
			w.Error(err)
		}
		if len(open) > 0 || answered {
			return
		}
	}
	w.Error("the trouble came while nothing was under way")
}

// later does something once the clock has moved on by d since now.
func (w *world) later(d time.Duration, f func()) {
	w.planned = append(w.planned, plannedChange{w.clock.Now().Add(d), f})
}

type plannedChange struct {
	at time.Time
	do func()
}

// outlast ticks, at first every minute and then in larger steps, until all
// planned changes are made and everybody is tokenised.
func (w *world) outlast(c seeding.Connector) {
	w.Helper()
	for i := range 400 {
		w.tick()
		var left []plannedChange
		for _, a := range w.planned {
			if w.clock.Now().Before(a.at) {
				left = append(left, a)
			} else {
				a.do()
			}
		}
		w.planned = left
		if len(left) == 0 && w.done(c) {
			if len(w.vids()) == 0 && len(w.problems(c)) == 0 {
				return
			}
			if err := w.store.SetStatus(w.Context(), c.ID, seeding.Running, w.clock.Now()); err != nil {
				w.Fatal(err)
			}
		}
		if i > 60 {
			w.clock.Advance(10 * time.Minute)
		}
	}
	state, _ := w.store.State(context.Background(), c.ID)
	w.Fatalf("still %d VIDs after days; run %q, due in %v, problems %v", len(w.vids()), state.Run, state.Due.Sub(w.clock.Now()), state.Problems)
}

// A registry that is out is out for everybody, and is tried ever more seldom, a
// quarter of an hour at most; once it is back the next outage begins anew.
func TestOutageOfTheRegistryIsEverybodys(t *testing.T) {
	cases := map[string]func(w *world) seeding.Connector{ // meets the outage
		"met by submit": func(w *world) seeding.Connector {
			w.registry.SetDown(true)
			c := w.connector(nil)
			w.runSubmitter(c)
			return c
		},
		"met by patch": func(w *world) seeding.Connector {
			withheld := w.withholdFirst()
			c := w.connector(nil)
			w.runSubmitter(c)
			w.registry.SetDown(true)
			w.deliver(withheld.Load(), string(withheld.Load().body))
			return c
		},
	}
	for name, meet := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(40)
			before := w.now()
			c := meet(w)
			expect(t, "tries", w.failedRegistryCalls(), 1)
			other := w.connector(nil)
			w.runSubmitter(other)
			if err := w.patcher.Patch(t.Context(), c.RegistryKey()); err != nil {
				t.Fatal(err)
			}
			expect(t, "tries during the outage", w.failedRegistryCalls(), 1)
			if name == "met by patch" { // who then is the only one to try
				w.setStatus(seeding.Stopped, c, other)
			}
			for range 300 {
				w.tick()
			}
			// One, two, four, eight, then fifteen minutes; two may try when one is over.
			if tries := w.failedRegistryCalls(); tries < 20 || tries > 60 {
				t.Errorf("%d tries in five hours", tries)
			}
			w.registry.SetDown(false)
			w.withhold = func(*http.Request, []byte) bool { return name == "met by submit" } // which then is what ends it
			w.clock.Advance(time.Hour)                                                       // no try is further away
			w.tick()
			state, err := w.store.RegistryState(t.Context(), c.RegistryKey())
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "outage", state.OutageUntil.IsZero(), true)
			expect(t, "tries noted", state.OutageAttempts, 0)
			w.withhold = nil
			for _, each := range []seeding.Connector{c, other} { // an answer that was withheld is shown, and says nothing of the registry
				expect(t, "problems", fmt.Sprint(w.problemsBut(each, seeding.ProblemCallback)), "map[]")
			}
			w.setStatus(seeding.Running, c, other)
			w.finish(60, c, other)
			w.checkInvariants(c, before)
			expect(t, "tokenised", w.tokenised(), 40)
			expect(t, "problems in the end", len(w.problems(c))+len(w.problems(other)), 0)
		})
	}
}

// While a registry refuses the sign-in, the answers that wait sign in once per
// back-off together: Odoo makes everybody wait after several failed sign-ins. When
// the password is right again all of them are patched.
func TestAnswersThatWaitSignInOnce(t *testing.T) {
	t.Parallel()
	const n = 75
	w := newWorld(t, options{})
	w.setWorkers(7, 10) // the wave is of eight, and the pass is over
	w.addRegistrants(n)
	before := w.now()
	w.atFirstCallback(func() {
		w.registry.SetPassword("admin", "other")
		w.registry.ResetTallies()
	})
	c := w.connector(nil)
	for range 130 {
		w.tick()
	}
	open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
	if err != nil || len(open) != 8 {
		t.Fatalf("%d batches wait, %v", len(open), err)
	}
	signIns := int(w.registry.Calls("session.authenticate").Calls)
	if signIns < 7 || signIns > 8 { // after 0, 1, 3, 7, 15, 31, 63, 123 minutes
		t.Errorf("%d sign-ins in 130 minutes", signIns)
	}
	expect(t, "failures that the problem counts", w.problems(c)[seeding.ProblemSignIn].Attempts, signIns)
	w.registry.SetPassword("admin", "admin")
	w.finish(90, c)
	w.checkInvariants(c, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), n)
}
