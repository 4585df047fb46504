package system_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		"two replicas of MTS, of which one knows nothing": {4, func(w *world) {
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
			for len(w.failures) > 0 {
				<-w.failures // a function may fail; what counts is the end
			}
			if w.came.Load() == 0 {
				t.Error("the trouble never came")
			}
			w.checkInvariants(c, before)
			w.checkSent(f.most)
			expect(t, "tokenised", w.tokenised(), 150)
			expect(t, "VIDs left", len(w.vids()), 0)
			for source, p := range w.problems(c) {
				t.Errorf("the problem %s outlives its cause: %s", source, p.Text)
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

// restartWhenFull restarts MTS, as a kill does, when the worker is at one
// request and another is in its queue; then comes what else is to be lost.
func (w *world) restartWhenFull(then func()) {
	w.Helper()
	w.setBatchSize(60) // for known sizes two batches are under way
	w.identityHangs.Store(true)
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !w.identityHangs.Load() || w.mts.Open() == 0 {
			return false
		}
		answer := httptest.NewRecorder()
		w.mts.ServeHTTP(answer, r)
		if open := w.mts.Open(); open < 2 {
			w.Errorf("%d requests are open at MTS", open)
		}
		w.troubleCame()
		w.identityHangs.Store(false)
		w.mts.Restart()
		then()
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
		return true
	}
}

func isStatus(r *http.Request) bool { return strings.Contains(r.URL.Path, "/status/") }

// unknownRequest is the answer of an MTS that never heard of a request.
func unknownRequest(rw http.ResponseWriter) {
	http.Error(rw, `{"errors":[{"errorCode":"ATS-REQ-016","errorMessage":"no auth request found for the given identifier"}],"response":null}`, http.StatusNotFound)
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

// A batch of which MTS says nothing, because it cannot be reached or is busy with
// a POST for minutes, is not lost; and nobody waits for long for it to speak.
func TestSilenceIsNotLoss(t *testing.T) {
	silences := map[string]func(http.ResponseWriter, *http.Request){
		"unreachable": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"busy":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for name, silence := range silences {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{virtual: true})
				w.addRegistrants(40)
				before := w.now()
				withheld := w.withholdFirst()
				var asked atomic.Int64
				w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
					if !isStatus(r) {
						return false
					}
					asked.Add(1)
					began := w.clock.Now()
					defer func() {
						if took := w.clock.Now().Sub(began); took > 10*time.Second {
							t.Errorf("somebody waits %v for MTS", took)
						}
					}()
					silence(rw, r)
					return true
				}
				c := w.connector(nil)
				w.tick()
				for range 3 { // past its deadline, not past three
					w.tick()
				}
				open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
				if err != nil || len(open) != 1 {
					t.Fatalf("%d open batches, %v", len(open), err)
				}
				if asked.Load() == 0 {
					t.Error("nobody asked MTS about the batch")
				}
				w.interceptMTS = nil
				expect(t, "status", w.deliver(withheld.Load(), string(withheld.Load().body)), http.StatusOK)
				w.finish(20, c)
				w.checkInvariants(c, before)
				w.checkSent(1)
				expect(t, "tokenised", w.tokenised(), 40)
			})
		})
	}
}

// Two replicas of MTS, and the one that is asked knows nothing of the batch that
// the other has at work: the batch is lost, its registrants are sent again, and
// whichever answer comes first gives them their tokens, once.
func TestAnswerOfTheOtherReplica(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		t.Run(fmt.Sprintf("answers in the order %v", order), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(20)
			before := w.now()
			came := w.withholdAll()
			w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
				if !isStatus(r) || w.mts.Counters().Posts > 1 {
					return false
				}
				w.troubleCame()
				unknownRequest(rw)
				return true
			}
			c := w.connector(nil)
			for range 10 {
				if w.tick(); w.mts.Counters().Posts == 2 {
					break
				}
			}
			w.withhold = nil
			withheld := came()
			if len(withheld) != 2 || w.came.Load() != 1 {
				t.Fatalf("%d callbacks are withheld, %d answers of 404", len(withheld), w.came.Load())
			}
			all, states := w.batches(c)
			expect(t, "batches lost", states[seeding.Lost], 1)
			expect(t, "batches", len(all), 2)
			for i, k := range order {
				expect(t, "status", w.deliver(withheld[k], string(withheld[k].body)), http.StatusOK)
				expect(t, fmt.Sprintf("tokenised after %d", i+1), w.tokenised(), 20)
			}
			w.finish(20, c)
			w.checkInvariants(c, before)
			w.checkSent(2)
			expect(t, "tokens", w.registry.State().Tokens, 20)
			expect(t, "VIDs left", len(w.vids()), 0)
			all, states = w.batches(c)
			expect(t, "batches in the end", len(all), 2)
			expect(t, "batches patched", states[seeding.Patched], 1)
			for i, b := range all { // who came first has tokenised all, the other nobody
				expect(t, fmt.Sprintf("totals of batch %d", i), b.Totals,
					seeding.Totals{Sent: 20, Tokenised: map[bool]int{true: 20}[order[0] == i]})
			}
			expect(t, "tokenised in the metric", int(w.metrics.Sum(seeding.MetricTokenised)), 20)
		})
	}
}

// A patcher stops while its lease still covers whatever it may have asked of the
// registry, and the next one goes on; nobody takes that for an outage.
func TestPatcherStopsInTime(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(120)
	w.setBatchSize(60)
	before := w.now()
	times := seeding.DefaultTimes()
	var c seeding.Connector
	slow := func(model, method string) {
		if model != "g2p.reg.id" || method != "create" && method != "unlink" {
			return
		}
		state, err := w.store.RegistryState(t.Context(), c.RegistryKey())
		if err != nil {
			t.Error(err)
		}
		if left := state.Patch.Until.Sub(w.clock.Now()) - times.CommitGrace; method == "create" && left < times.PatchWork/4 {
			t.Errorf("a %s begins with %v of working time left", method, left)
		}
		w.clock.Advance(40 * time.Second)
	}
	w.registry.Hook(odoosim.Before, slow)
	w.streamOff.Store(true) // so that one patcher finds both answers
	c = w.connector(nil)
	for range 100 {
		w.tick()
		expect(t, "problems", len(w.problems(c)), 0)
		if w.done(c) {
			break
		}
	}
	w.checkInvariants(c, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 120)
}

// A registry that was never measured and takes too long for the first create is
// asked for half as many with each try, until it answers.
func TestUnknownOutcomeHalvesTheNextCreate(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(100)
	w.setBatchSize(100)
	before := w.now()
	slow := &slowCreates{RoundTripper: w.calls.Transport, most: 10}
	w.calls.Transport = slow
	c := w.connector(nil)
	for range 120 {
		if w.tick(); w.done(c) {
			break
		}
	}
	w.checkInvariants(c, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 100)
	expect(t, "problems", len(w.problems(c)), 0)
	if len(slow.sizes) < 4 {
		t.Fatalf("creates of %v", slow.sizes)
	}
	expect(t, "sizes of the first creates", fmt.Sprint(slow.sizes[:4]), "[50 25 12 6]")
}

// slowCreates is a registry that creates no more than a few tokens before its
// caller gives up. Nothing is written then.
type slowCreates struct {
	http.RoundTripper
	most  int
	sizes []int // of the calls
}

func (s *slowCreates) RoundTrip(r *http.Request) (*http.Response, error) {
	if registryCall(r) != "create" {
		return s.RoundTripper.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var call struct {
		Params struct{ Args [][]json.RawMessage }
	}
	if err := json.Unmarshal(text, &call); err != nil {
		return nil, err
	}
	s.sizes = append(s.sizes, len(call.Params.Args[0]))
	if len(call.Params.Args[0]) > s.most {
		return nil, errors.New("gave up waiting")
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(text))
	return s.RoundTripper.RoundTrip(again)
}

// Odoo may commit for 240 s after we gave up on a call, and it checked its
// one-identifier rule long before: until that time is over nobody may create
// there again, or somebody gets two tokens (facts/odoo.md A6).
func TestLateCommitMakesNoSecondToken(t *testing.T) {
	for name, killed := range map[string]bool{"the connection is lost": false, "the patcher dies": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := newFaults()
			if killed {
				faults.armed["patch: registry create"] = mode{after: true, kill: true}
			}
			w := newWorld(t, options{faults: faults})
			w.addRegistrants(40)
			before := w.now()
			times := seeding.DefaultTimes()
			var due atomic.Pointer[time.Time] // when the late commit comes
			w.registry.Inject(odoosim.Fault{Model: "g2p.reg.id", Method: "create", Times: 1, Outcome: odoosim.Late, Struck: func() {
				w.clock.Advance(times.PatchWork - time.Second) // the call took all of the working time
				at := w.clock.Now().Add(times.CommitGrace - time.Second)
				due.Store(&at)
			}})
			var late atomic.Int64
			w.registry.Hook(odoosim.Before, func(string, string) {
				if at := due.Load(); at != nil && !w.clock.Now().Before(*at) {
					late.Add(int64(w.registry.CommitLate()))
				}
			})
			c := w.connector(nil)
			w.finish(60, c)
			late.Add(int64(w.registry.CommitLate())) // if the run did not wait for it
			for len(w.failures) > 0 {
				<-w.failures // of the dead
			}
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "late commits", late.Load(), 1)
			expect(t, "tokens", w.registry.State().Tokens, 40)
			expect(t, "VIDs left", len(w.vids()), 0)
		})
	}
}

// Odoo's one-identifier rule races (facts/odoo.md A6): somebody else's token may
// pass its check beside ours. Nothing is removed then, and people are told.
func TestSecondWriterAtTheSameMoment(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	target := ids[4]
	w.changedByOthers = map[int64]bool{target: true}
	before := w.now()
	w.atFirst(odoosim.Checked, "g2p.reg.id", "create", func() {
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: target, Type: odoosim.TokenType, Value: strings.Repeat("8", 36)})
	})
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	_, all := w.rejections(c)
	expect(t, "rejection", all[target].Kind, seeding.Conflict)
	expect(t, "VID", w.vidOf(target).Value, before.VID(target))
}

// setBatchSize makes the MTS known for batches of a size, and for its speed.
func (w *world) setBatchSize(size int) {
	w.Helper()
	key := seeding.MTSKey(w.mtsURL)
	if _, err := w.store.TakeMTS(w.Context(), key, "test", w.clock.Now(), w.clock.Now(), w.clock.Now()); err != nil {
		w.Fatal(err)
	}
	if err := w.store.SavePace(w.Context(), key, seeding.Pace{}, seeding.Pace{Size: size, Proved: size, PerRecord: time.Millisecond}); err != nil {
		w.Fatal(err)
	}
}

// minutesStalled lets some minutes pass, and returns those at which a running
// connector was counted of which nothing comes.
func (w *world) minutesStalled(minutes int) (at []int) {
	w.Helper()
	for minute := range minutes {
		w.tick()
		if stalled, _ := w.metrics.Last(seeding.MetricStalledConnectors); stalled > 0 {
			at = append(at, minute)
		}
	}
	return at
}

// A connector that is visited every minute and never gets its MTS rings after
// an hour, and no longer once it moves.
func TestConnectorThatStandsStillRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addRegistrants(120)
	before := w.now()
	c := w.connector(nil)
	now := w.clock.Now()
	mts, err := w.store.TakeMTS(t.Context(), c.MTSKey(), "another", now, now.Add(1000*time.Hour), now)
	if err != nil {
		t.Fatal(err)
	}
	at := w.minutesStalled(75)
	if len(at) == 0 || at[0] < 35 || at[0] > 61 || at[len(at)-1] != 74 { // waiting for the lease, a visit takes half a minute more
		t.Errorf("counted at %v", at)
	}
	expect(t, "problems", len(w.problems(c)), 0)
	if err := w.store.LeaveMTS(t.Context(), c.MTSKey(), mts.Lease.Fence, time.Time{}, 0); err != nil {
		t.Fatal(err)
	}
	w.tick()
	expect(t, "counted once it moves", fmt.Sprint(w.minutesStalled(20)), "[]")
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 120)
}

// Whoever waits for MTS, as long as its batches may take, does not stand still;
// nor does one that shows what keeps it, or that a person has just started
// again.
func TestConnectorThatWaitsWithReasonDoesNotRing(t *testing.T) {
	t.Run("for a slow MTS", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{})
		w.addRegistrants(20)
		before := w.now()
		withheld := w.withholdFirst() // MTS is at work on it for hours
		w.interceptMTS = func(out http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/status/") || withheld.Load() == nil {
				return false
			}
			_, _ = io.WriteString(out, `{"response":{"status":"processing"}}`)
			return true
		}
		c := w.connector(nil)
		w.setBatchSize(50)
		fast := seeding.Pace{Size: 50, Proved: 50, PerRecord: time.Millisecond}
		slow := fast
		slow.PerRecord = time.Minute
		if err := w.store.SavePace(t.Context(), c.MTSKey(), fast, slow); err != nil {
			t.Fatal(err)
		}
		w.tick()
		batches, _ := w.batches(c)
		if len(batches) != 1 || batches[0].Wait() < 80*time.Minute {
			t.Fatalf("%+v", batches)
		}
		expect(t, "counted", fmt.Sprint(w.minutesStalled(120)), "[]") // beyond the hour, and the deadline
		expect(t, "status", w.deliver(withheld.Load(), string(withheld.Load().body)), http.StatusOK)
		expect(t, "counted afterwards", fmt.Sprint(w.minutesStalled(20)), "[]")
		w.checkInvariants(c, before)
		expect(t, "tokenised", w.tokenised(), 20)
	})
	t.Run("for a registry that is mended, and a start", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{})
		w.addRegistrants(20)
		w.registry.Deny("res.partner", "read")
		c := w.connector(nil)
		expect(t, "counted while the problem stands", fmt.Sprint(w.minutesStalled(150)), "[]")
		now := w.clock.Now()
		if err := w.store.SetStatus(t.Context(), c.ID, seeding.Running, now); err != nil {
			t.Fatal(err)
		}
		if err := w.reconciler.Tick(w.Context()); err != nil {
			t.Fatal(err)
		}
		stalled, _ := w.metrics.Last(seeding.MetricStalledConnectors)
		expect(t, "counted before anybody came", stalled, 0)
		w.registry.Allow("res.partner", "read")
		expect(t, "counted afterwards", fmt.Sprint(w.minutesStalled(20)), "[]")
		expect(t, "tokenised", w.tokenised(), 20)
	})
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
			expect(t, "problems", len(w.problems(c))+len(w.problems(other)), 0)
			w.setStatus(seeding.Running, c, other)
			w.finish(60, c, other)
			w.checkInvariants(c, before)
			expect(t, "tokenised", w.tokenised(), 40)
		})
	}
}

// A few registrants that the registry refuses cost a few calls more, and nobody
// else waits for them.
func TestFewRefusedAmongAThousand(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(1000)
	before := w.now()
	w.setBatchSize(1000)
	targets := []int64{ids[100], ids[500], ids[777]} // others are accepted between them
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() {
		for _, id := range targets {
			w.registry.DeleteRegistrant(id)
		}
	})
	c := w.connector(nil)
	w.tick()
	expect(t, "problems after the first patch", len(w.problems(c)), 0)
	w.finish(20, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 997)
	if calls := w.registry.Calls("g2p.reg.id.create").Calls; calls > 3*2*11+20 { // halving a thousand, ten times
		t.Errorf("%d creates", calls)
	}
	expect(t, "problems", len(w.problems(c)), 0)
}
