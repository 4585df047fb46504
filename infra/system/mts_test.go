package system_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

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

// An MTS that never reaches the callback address: within two minutes of the first
// POST the connector shows the address, and goes on. The first answer that arrives
// ends the problem.
func TestCallbackThatIsNeverReachedIsShown(t *testing.T) {
	for name, cut := range map[string]func(w *world){
		"another host": func(w *world) {
			w.submitter.CallbackBase, w.reconciler.CallbackBase = "http://nowhere:80", "http://nowhere:80"
		},
		"something else answers there": func(w *world) {
			other := w.network.Serve("other", http.NotFoundHandler())
			w.submitter.CallbackBase, w.reconciler.CallbackBase = other, other
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{virtual: true, mts: mtssim.Options{Pace: 1}})
				w.addRegistrants(40)
				before := w.now()
				cut(w)
				address := w.submitter.CallbackBase
				c := w.connector(nil)
				var shown time.Duration
				for range 10 {
					w.tickWithoutWaiting()
					if p, raised := w.problems(c)[seeding.ProblemCallback]; raised {
						if shown = p.Since.Sub(c.Created); !strings.Contains(p.Text, address+"/callback/") {
							t.Errorf("the address is not named: %s", p.Text)
						}
						break
					}
				}
				t.Logf("shown after %v", shown)
				if shown == 0 || shown > 2*time.Minute {
					t.Errorf("shown after %v", shown)
				}
				w.submitter.CallbackBase, w.reconciler.CallbackBase = w.callbackURL, w.callbackURL // deployed anew
				w.finishInTime(60, c)
				w.checkInvariants(c, before)
				expect(t, "tokenised", w.tokenised(), 40)
				expect(t, "problems", len(w.problems(c)), 0)
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
			w.setBatchSize(50)
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
			if len(withheld) != 2 || w.came.Load() == 0 {
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

func TestMTSRestartLosesNobody(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(300)
	before := w.now()
	w.restartWhenFull(w.mts.Forget)
	c := w.connector(nil)
	w.finish(60, c)
	w.checkInvariants(c, before)
	expect(t, "restarts", w.mts.Counters().Restarts, 1)
	_, states := w.batches(c)
	expect(t, "batches lost", states[seeding.Lost], 2)
	expect(t, "tokenised", w.tokenised(), 300)
}

// An MTS at its real pace (facts/mts.md 9) before an identity system that takes
// its time, which deletes what is older than 20 s (facts/mts.md W8): wherever
// in its clean-up a run begins, everybody gets a token, and few are sent twice.
func TestMTSThatForgetsIsServedInSmallerBatches(t *testing.T) {
	t.Parallel()
	const n = 3000
	for _, c := range []struct{ latency, phase time.Duration }{
		{0, 7 * time.Second},
		{50 * time.Millisecond, 0},
		{50 * time.Millisecond, 7 * time.Second},
		{50 * time.Millisecond, 14 * time.Second},
		{150 * time.Millisecond, 7 * time.Second},
	} {
		t.Run(fmt.Sprintf("latency %s, begun at %s", c.latency, c.phase), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{
					virtual: true,
					mts:     mtssim.Options{Pace: 1, IdentityLatency: c.latency, Expiry: 20 * time.Second, CleanupInterval: 20 * time.Second},
				})
				w.addRegistrants(n)
				before := w.now()
				w.clock.Advance(c.phase)
				connector := w.connector(nil)
				for range 100 {
					if w.tickWithoutWaiting(); w.done(connector) {
						break
					}
				}
				w.checkInvariants(connector, before)
				expect(t, "tokenised", w.tokenised(), n)
				sent := float64(w.mts.Counters().RecordsReceived) / n
				mts, err := w.store.MTSState(t.Context(), connector.MTSKey())
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.2f records sent per registrant, batch size %d, %s", sent, mts.Size, w.clock.Now().Sub(connector.Created))
				if sent > 1.35 {
					t.Errorf("%.2f records sent per registrant", sent)
				}
			})
		})
	}
}

// A loss halves the size when MTS forgot the batch, and not when only its answer
// was lost.
func TestWhatALossSaysOfTheSize(t *testing.T) {
	for name, f := range map[string]struct{ forget bool }{"answer lost": {false}, "forgotten": {true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(40)
			w.setBatchSize(40)
			w.withholdFirst()
			c := w.connector(nil)
			w.tick()
			if f.forget {
				w.mts.Forget()
			}
			w.finish(30, c)
			all, states := w.batches(c)
			expect(t, "lost", states[seeding.Lost], 1)
			expect(t, "size after the loss", all[1].Size, map[bool]int{true: 20, false: 40}[f.forget])
			expect(t, "tokenised", w.tokenised(), 40)
		})
	}
}

// restartWhenFull restarts MTS, as a kill does, when the worker is at one
// request and another is in its queue; then comes what else is to be lost.
func (w *world) restartWhenFull(then func()) {
	w.Helper()
	two := seeding.Pace{ // which are sent together
		Size: 60, Proved: 60, PerRecord: time.Millisecond, Single: 2 * time.Millisecond, Interval: time.Millisecond, Limit: 2,
	}
	if err := w.store.SavePace(w.Context(), seeding.MTSKey(w.mtsURL), seeding.Pace{}, two); err != nil {
		w.Fatal(err)
	}
	w.identityHangs.Store(true)
	var posts atomic.Int64
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || posts.Add(1) != 2 {
			return false
		}
		answer := httptest.NewRecorder()
		w.mts.ServeHTTP(answer, r)
		for w.mts.Open() < 2 && w.Context().Err() == nil { // the other POST may still be under way
			time.Sleep(time.Millisecond)
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

// setBatchSize makes the MTS known for batches of a size, for its speed, and for
// one worker: two batches are under way at once.
func (w *world) setBatchSize(size int) {
	w.Helper()
	w.setWorkers(1, size)
}

// setWorkers makes the MTS known for so many workers, for batches of a size, and
// for its speed: twice as many batches are under way at once.
func (w *world) setWorkers(workers, size int) {
	w.Helper()
	known := seeding.Pace{
		Size: size, Proved: size, PerRecord: time.Millisecond,
		Single: time.Duration(workers) * time.Millisecond, Interval: time.Millisecond,
	}
	if err := w.store.SavePace(w.Context(), seeding.MTSKey(w.mtsURL), seeding.Pace{}, known); err != nil {
		w.Fatal(err)
	}
}

// setUnprovedSize makes the next batches of a size that was never answered in time:
// one is under way at once.
func (w *world) setUnprovedSize(size int) {
	w.Helper()
	if err := w.store.SavePace(w.Context(), seeding.MTSKey(w.mtsURL), seeding.Pace{}, seeding.Pace{Size: size, PerRecord: time.Second}); err != nil {
		w.Fatal(err)
	}
}

// turnAwayPost makes MTS answer one POST, the nth, as if it were not there.
func (w *world) turnAwayPost(nth int64) {
	var posts atomic.Int64
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || posts.Add(1) != nth {
			return false
		}
		http.NotFound(rw, r)
		return true
	}
}

// A redirect says that a batch was not taken, whatever it leads to: nobody's data are
// sent again and again.
func TestRedirectToNoAddressIsNotAskedAgainAndAgain(t *testing.T) {
	toLogin := int64(0)
	for _, location := range []string{"/login", "://x", "https://login.example.org/%zz"} {
		var posts atomic.Int64
		w := newWorld(t, options{})
		w.addRegistrants(400)
		w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			rw.Header().Set("Location", location)
			rw.WriteHeader(http.StatusFound)
			return true
		}
		c := w.connector(nil)
		for range 40 {
			w.tick()
		}
		open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
		if location == "/login" {
			toLogin = posts.Load()
		}
		if err != nil || len(open) > 0 || posts.Load() == 0 || posts.Load() > toLogin {
			t.Errorf("%s: %d batches are open after %d requests, %v", location, len(open), posts.Load(), err)
		}
	}
}
