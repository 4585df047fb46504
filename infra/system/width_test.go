package system_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

// fourWorkers is an MTS as its container is, at its real pace, before an identity
// system that takes its time.
var fourWorkers = mtssim.Options{Pace: 1, Workers: 4, Processors: 4, IdentityLatency: 150 * time.Millisecond}

// Connectors that share an MTS, a registry or both take no more slots than its
// width, all of them go on, and nobody is sent twice.
func TestConnectorsShareAnMTS(t *testing.T) {
	type place struct{ registry, mts int }
	for name, places := range map[string][]place{
		"two at one MTS":                      {{0, 0}, {1, 0}},
		"two at one MTS and one registry":     {{0, 0}, {0, 0}},
		"three at two, two of one registry":   {{0, 0}, {0, 1}, {1, 0}},
		"three at two, all of one registry":   {{0, 0}, {0, 1}, {0, 1}},
		"two at one MTS, one allows only two": {{0, 0}, {1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const each = 1000 // registrants of a registry
				w := newWorld(t, options{virtual: true, mts: fourWorkers, odoo: odoosim.Options{Pace: 1}})
				other, otherURL := w.anotherRegistry("registry-2", odoosim.Options{Pace: 1})
				otherMTS, otherMTSURL := w.anotherMTS("mts-2", fourWorkers)
				addPersonsTo(w.registry, 1000, each)
				addPersonsTo(other, 5000, each)
				before, beforeOther := w.now(), invariants.RegistryOf(other.Snapshot())
				seen := w.watchClaims()
				var all []seeding.Connector
				registrants := map[int]int{}
				for i, p := range places {
					all = append(all, w.connector(func(c *seeding.Connector) {
						c.Registry.URL = []string{w.registryURL, otherURL}[p.registry]
						c.MTS.URL = []string{w.mtsURL, otherMTSURL}[p.mts]
						if i == 1 && name == "two at one MTS, one allows only two" {
							c.MTS.WidthMaximum = 2
						}
					}))
					registrants[p.registry] = each
				}
				w.finishInTime(60, all...)
				byMTS := map[string][]seeding.Connector{}
				for i, c := range all {
					w.checkInvariants(c, before)
					byMTS[c.MTSKey()] = append(byMTS[c.MTSKey()], c)
					if longest := seen.standstill(c.Created, c); longest > 2*time.Minute {
						t.Errorf("connector %d stands still for %v", i, longest)
					}
					batches, _ := w.batches(c)
					if len(batches) < 5 {
						t.Errorf("connector %d sent %d batches", i, len(batches))
					}
				}
				for _, connectors := range byMTS {
					w.checkFreed(connectors...)
				}
				for _, v := range invariants.Identifiers(invariants.RegistryOf(other.Snapshot()), beforeOther) {
					t.Error(v)
				}
				expect(t, "tokenised", w.tokenised(), registrants[0])
				expect(t, "tokenised at the other", tokenisedAt(other), registrants[1])
				sent := w.mts.Counters().RecordsReceived + otherMTS.Counters().RecordsReceived
				expect(t, "records sent", sent, registrants[0]+registrants[1])
				if seen.widest < 6 {
					t.Errorf("at most %d slots were taken: nobody met anybody", seen.widest)
				}
			})
		})
	}
}

// An MTS that changes, or that fails, loses nobody, and keeps nobody waiting for
// long who was not lost.
func TestMTSThatChanges(t *testing.T) {
	slowIdentity := func(o *mtssim.Options) { o.IdentityLatency = 300 * time.Millisecond } // so that its queues are deep
	for name, c := range map[string]struct {
		n       int // registrants, if they are not 1,500
		mts     func(*mtssim.Options)
		after   time.Duration // comes the change, if it is not 40 seconds
		change  func(w *world)
		again   bool    // the standstill counts from the end of the change
		foreign int     // records that another sends
		loses   bool    // batches that are under way
		most    float64 // records sent per registrant, if they are not 1.05
	}{
		"nothing happens": {change: func(*world) {}},
		"a worker is killed": {
			change: func(w *world) { w.mts.KillWorker(0, 1) }, loses: true, most: 1.3,
		},
		"a replica is added": {
			change: func(w *world) { w.resize(func(s *mtssim.Size) { s.Replicas = 2 }) },
		},
		"a replica is removed": {
			mts:    func(o *mtssim.Options) { o.Replicas, o.Workers = 2, 2 },
			change: func(w *world) { w.resize(func(s *mtssim.Size) { s.Replicas = 1 }) }, loses: true, most: 1.3,
		},
		"three workers of four are removed": {
			change: func(w *world) { w.resize(func(s *mtssim.Size) { s.Workers = 1 }) }, loses: true, most: 1.3,
		},
		"all are restarted on the same database": {
			mts: slowIdentity, after: 90 * time.Second,
			change: func(w *world) { w.mts.Restart() }, again: true, loses: true, most: 1.3,
		},
		"all are restarted without a database": {
			mts: slowIdentity, after: 90 * time.Second,
			change: func(w *world) { w.mts.Replace() }, again: true, loses: true, most: 1.3,
		},
		"all are away for five minutes": {
			n: 3000,
			change: func(w *world) {
				w.mts.KillReplica(0)
				time.Sleep(5 * time.Minute)
				w.mts.Restart()
			}, again: true, loses: true, most: 1.3,
		},
		"one worker is busy with the POST of another": {
			change: func(w *world) { w.foreignPOST(12_000) }, foreign: 12_000,
		},
		"the only worker is busy with the POST of another": {
			mts:    func(o *mtssim.Options) { o.Workers = 1 },
			change: func(w *world) { w.foreignPOST(12_000) }, foreign: 12_000, again: true, loses: true, most: 1.3,
		},
		"it forgets after 20 s": {
			mts: func(o *mtssim.Options) {
				slowIdentity(o)
				o.Expiry, o.CleanupInterval = 20*time.Second, 20*time.Second
			},
			change: func(*world) {}, most: 1.35,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, n := fourWorkers, cmp.Or(c.n, 1500)
				if c.mts != nil {
					c.mts(&o)
				}
				w := newWorld(t, options{virtual: true, mts: o, odoo: odoosim.Options{Pace: 1}})
				w.foreign = make(chan bool, 1)
				w.onCallback = func(r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/foreign") {
						w.foreign <- true
					}
				}
				w.addRegistrants(n)
				before, seen := w.now(), w.watchClaims()
				connector := w.connector(nil)
				since := connector.Created
				var changing sync.WaitGroup
				changing.Go(func() {
					time.Sleep(cmp.Or(c.after, 40*time.Second))
					if c.change(w); c.again {
						since = w.clock.Now()
					}
				})
				w.finishInTime(60, connector)
				changing.Wait()
				w.checkInvariants(connector, before)
				w.checkFreed(connector)
				expect(t, "tokenised", w.tokenised(), n)
				received := w.mts.Counters().RecordsReceived - c.foreign
				lost := w.checkSentOnce(n, received, connector)
				if float64(received) > cmp.Or(c.most, 1.05)*float64(n) {
					t.Errorf("%d records were sent for %d registrants", received, n)
				}
				if c.loses && lost == 0 {
					t.Error("nothing was lost: nothing was under way")
				}
				longest := seen.standstill(since, connector)
				if longest > 30*time.Second {
					t.Errorf("nobody was tokenised for %v", longest)
				}
				t.Logf("%s: nobody was tokenised for %v at most, %d were lost", name, longest, lost)
			})
		})
	}
}

// resize changes the size of the MTS while it runs.
func (w *world) resize(change func(*mtssim.Size)) {
	size := w.mts.Size()
	change(&size)
	w.mts.SetSize(size)
}

// foreignPOST is a POST of somebody else, which blocks a worker of MTS for 16 ms per
// record, and then its thread until the callback is made. All records are invalid,
// so that nobody is processed.
func (w *world) foreignPOST(records int) {
	_, err := mts.New(w.calls, w.clock.Now).Submit(w.Context(), seeding.Request{
		MTSURL: w.mtsURL, Language: "eng", CallbackURL: w.callbackURL + "/callback/foreign", Bearer: "x",
		TimeoutSeconds: 30, OutputFormat: seeding.OutputFormat, Records: make([]seeding.RequestRecord, records),
	})
	if err != nil {
		w.Error(err)
	}
	<-w.foreign
}

// A registry that is away, with answers that wait for it, holds up nobody who uses
// the same MTS for another registry.
func TestRegistryThatIsAwayHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{virtual: true, mts: fourWorkers, odoo: odoosim.Options{Pace: 1}})
		other, otherURL := w.anotherRegistry("registry-2", odoosim.Options{Pace: 1})
		addPersonsTo(w.registry, 1000, 1500)
		addPersonsTo(other, 9000, 500)
		before, seen := w.now(), w.watchClaims()
		away := w.connector(nil)
		var second seeding.Connector
		var begun atomic.Bool // the second one
		var outage sync.WaitGroup
		outage.Go(func() {
			time.Sleep(40 * time.Second)
			lift := w.registry.Inject(odoosim.Fault{Point: odoosim.Arrival, Outcome: odoosim.Closed})
			time.Sleep(20 * time.Second)
			second = w.connector(func(c *seeding.Connector) { c.Registry.URL = otherURL })
			begun.Store(true)
			time.Sleep(30 * time.Minute)
			lift()
		})
		for range 90 {
			if w.tickWithoutWaiting(); begun.Load() && w.done(away, second) {
				break
			}
		}
		outage.Wait()
		w.checkInvariants(away, before)
		if still := seen.standstill(second.Created, second); still > 90*time.Second { // the tick, and the batches of the other
			t.Errorf("nobody was tokenised for %v", still)
		}
		expect(t, "tokenised", w.tokenised(), 1500)
	})
}

// An identity service that takes ten times as long is noticed while the run lasts.
func TestIdentityServiceThatBecomesSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := fourWorkers
		o.IdentityLatency = 0
		var latency atomic.Int64
		latency.Store(int64(100 * time.Millisecond))
		o.Identify = func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
			time.Sleep(time.Duration(latency.Load()))
			return mtssim.Rules(ctx, a)
		}
		w := newWorld(t, options{virtual: true, mts: o, odoo: odoosim.Options{Pace: 1}})
		const n, after, processed = 3000, 60 * time.Second, 1028 * time.Millisecond
		w.addRegistrants(n)
		before := w.now()
		c := w.connector(nil)
		left := 0
		var slower sync.WaitGroup
		slower.Go(func() {
			time.Sleep(after)
			latency.Store(int64(time.Second))
			left = n - w.tokenised()
		})
		w.finishInTime(60, c)
		slower.Wait()
		w.checkInvariants(c, before)
		expect(t, "tokenised", w.tokenised(), n)
		all, _ := w.batches(c)
		var last time.Time
		for _, b := range all {
			if b.Closed.After(last) {
				last = b.Closed
			}
		}
		took, all4 := last.Sub(c.Created.Add(after)), time.Duration(left)*processed/4
		single := w.mtsState(c.MTSKey()).Single
		t.Logf("%d were left, and took %v; four workers need %v; a record takes %v", left, took, all4, single)
		if left == 0 || took > 5*all4/2 || single < processed*8/10 {
			t.Errorf("%d were left, and took %v; four workers need %v; a record takes %v", left, took, all4, single)
		}
	})
}

// Whatever becomes of POSTs that are open together, no slot is lost and none is
// freed twice, and everybody is tokenised. Who is not concerned goes on meanwhile.
func TestPOSTsThatAreOpenTogether(t *testing.T) {
	hang := func(r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	for name, c := range map[string]struct {
		post   func(w *world, r *http.Request, n int) (replied bool) // what becomes of the n-th POST, from 1; false is the usual
		lost   int                                                   // batches
		others bool                                                  // go on
	}{
		"submit is killed while four are open": {post: func(_ *world, r *http.Request, n int) bool {
			if n == 4 {
				invocationOf(r.Context()).die()
			}
			return false
		}},
		"submit is killed while four are open, and none is taken": {post: func(_ *world, r *http.Request, n int) bool {
			if n == 4 {
				invocationOf(r.Context()).die()
			}
			if n <= 4 {
				time.Sleep(time.Second)
				panic(http.ErrAbortHandler)
			}
			return false
		}, lost: 4},
		"one hangs while three end": {post: func(_ *world, r *http.Request, n int) bool {
			if n == 2 {
				hang(r)
			}
			return false
		}, lost: 1, others: true},
		"one is taken and hangs while three end": {post: func(w *world, r *http.Request, n int) bool {
			if n == 2 {
				w.mts.ServeHTTP(httptest.NewRecorder(), r)
				hang(r)
			}
			return false
		}, others: true},
		"four are taken after their deadlines": {post: func(w *world, r *http.Request, n int) bool {
			if n > 4 {
				return false
			}
			time.Sleep(10 * time.Minute)
			w.mts.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			return true
		}, lost: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 300
				w := newWorld(t, options{virtual: true, mts: fourWorkers, odoo: odoosim.Options{Pace: 1}, faults: newFaults()})
				w.addRegistrants(n)
				before, seen := w.now(), w.watchClaims()
				var posts atomic.Int64
				w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
					return r.Method == http.MethodPost && c.post(w, r, int(posts.Add(1)))
				}
				connector := w.connector(nil)
				w.finishInTime(60, connector)
				w.clock.Advance(15 * time.Minute) // for answers that come late
				w.invoker.Wait()
				w.forgetFailures() // of who was killed
				w.checkInvariants(connector, before)
				w.checkFreed(connector)
				expect(t, "tokenised", w.tokenised(), n)
				_, states := w.batches(connector)
				expect(t, "batches lost", states[seeding.Lost], c.lost)
				w.checkSentOnce(n, w.mts.Counters().RecordsReceived, connector)
				if longest := seen.standstill(connector.Created, connector); c.others && longest > 30*time.Second {
					t.Errorf("nobody was tokenised for %v", longest)
				}
			})
		})
	}
}

// Whoever closes a batch frees its slot with it: if it is killed before, the slot is
// freed by who closes the batch then; if it is killed after, nobody frees another.
func TestCloserThatIsKilled(t *testing.T) {
	for closer, cause := range map[string]func(w *world){
		"patch":     func(*world) {},
		"reconcile": func(w *world) { w.mts.SetFaults(mtssim.Faults{LoseNext: 1}) },
		"submit":    func(w *world) { w.turnAwayPost(2) },
	} {
		for _, m := range []mode{{after: false, kill: true}, {after: true, kill: true}} {
			t.Run(fmt.Sprintf("%s %s", closer, m), func(t *testing.T) {
				t.Parallel()
				const n = 75
				w := newWorld(t, options{faults: newFaults()})
				w.addRegistrants(n)
				before := w.now()
				w.watchClaims()
				cause(w)
				w.faults.armed[closer+": dynamodb Close"] = m
				c := w.connector(nil)
				w.finish(60, c)
				w.faults.checkAllCame(t)
				w.forgetFailures() // of who was killed
				w.checkInvariants(c, before)
				w.checkFreed(c)
				w.checkSentOnce(n, w.mts.Counters().RecordsReceived, c)
				expect(t, "tokenised", w.tokenised(), n)
			})
		}
	}
}

// A claim that another one was quicker than does not take a slot that is not there:
// it waits for the next, and says so.
func TestClaimThatMeetsAFullMTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{faults: newFaults()})
	w.addRegistrants(40)
	before := w.now()
	w.watchClaims()
	c := w.connector(nil)
	one := seeding.Pace{Size: 10, Proved: 10, Limit: 1}
	if err := w.store.SavePace(t.Context(), c.MTSKey(), seeding.Pace{}, one); err != nil {
		t.Fatal(err)
	}
	w.onStore = func(method string) {
		if method == "Claim" {
			w.onStore = nil
			w.foreignBatch(c, time.Minute)
		}
	}
	w.finish(30, c)
	if w.faults.seen["submit: dynamodb WaitForMTS"] == 0 {
		t.Error("it did not say that it waits")
	}
	w.checkInvariants(c, before)
	w.checkFreed(c)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 40)
}

// A registry that is slower than MTS decides how much is under way: the width does
// not grow to the workers of MTS, and answers do not pile up beyond twice what one
// round of patch handles.
func TestRegistryThatIsSlowerThanMTS(t *testing.T) {
	for _, c := range []struct {
		latency, create time.Duration // of the identity system, and of the registry per token
		widest          int           // after the first minute
	}{
		{150 * time.Millisecond, 100 * time.Millisecond, 8}, // as without an index (facts/odoo.md B3)
		{0, 200 * time.Millisecond, 4},
	} {
		t.Run(fmt.Sprintf("%s, %s", c.latency, c.create), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 2000
				mts, registry := fourWorkers, odoosim.Options{Pace: 1, Latency: odoosim.Measured()}
				mts.IdentityLatency, registry.Latency.Create = c.latency, c.create
				w := newWorld(t, options{virtual: true, mts: mts, odoo: registry})
				w.addRegistrants(n)
				before := w.now()
				w.watchClaims()
				connector := w.connector(nil)
				mostWaiting, widest := 0, 0
				stop := w.everySecond(func(since time.Duration) {
					mostWaiting = max(mostWaiting, w.recordsAnswered(connector))
					if m := w.mtsState(connector.MTSKey()); since > time.Minute {
						live, _ := m.UnderWay(w.clock.Now())
						widest = max(widest, live, m.WidthNow(w.clock.Now(), connector.MTS.WidthMaximum))
					}
				})
				w.finishInTime(60, connector)
				stop()
				w.checkInvariants(connector, before)
				w.checkFreed(connector)
				expect(t, "tokenised", w.tokenised(), n)
				expect(t, "records sent", w.mts.Counters().RecordsReceived, n)
				work := seeding.DefaultTimes().PatchWork
				if round := int((work - work/4) / c.create); mostWaiting > 2*round {
					t.Errorf("%d records were answered and waited, and a round of patch handles %d", mostWaiting, round)
				}
				if widest > c.widest {
					t.Errorf("the width grew to %d", widest)
				}
				t.Logf("at most %d records waited, the width was %d", mostWaiting, widest)
			})
		})
	}
}

// everySecond calls look until it is stopped.
func (w *world) everySecond(look func(since time.Duration)) (stop func()) {
	began, stopped := w.clock.Now(), make(chan bool)
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stopped:
				return
			case <-time.After(time.Second):
				look(w.clock.Now().Sub(began))
			}
		}
	})
	return func() { close(stopped); looking.Wait() }
}

// recordsAnswered are the records of the batches that MTS has answered and patch has
// not closed.
func (w *world) recordsAnswered(c seeding.Connector) (records int) {
	open, err := w.store.OpenBatches(context.WithoutCancel(w.Context()), c.RegistryKey())
	if err != nil {
		w.Error(err)
	}
	for _, b := range open {
		answered, err := w.store.HasAnswer(context.WithoutCancel(w.Context()), b.Ref.Registry, b.Ref.Batch)
		if err != nil {
			w.Error(err)
		}
		if answered {
			records += b.Count
		}
	}
	return records
}

// A batch that MTS has taken and never comes to, and of which it says for ever that
// it processes it, does not slow the others down, and is found to be lost by what
// was answered before it.
func TestOverdueBatchHoldsUpNobody(t *testing.T) {
	t.Parallel()
	took := map[bool]time.Duration{}
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const n = 2000
			w := newWorld(t, options{virtual: true, mts: fourWorkers, odoo: odoosim.Options{Pace: 1}})
			w.addRegistrants(n)
			before, seen := w.now(), w.watchClaims()
			var posts atomic.Int64
			w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
				switch {
				case lost && r.Method == http.MethodPost && posts.Add(1) == 7:
					_, _ = io.WriteString(rw, `{"response":{"request_identifier":"never"}}`)
				case strings.HasSuffix(r.URL.Path, "/status/never"):
					_, _ = io.WriteString(rw, `{"response":{"status":"processing"}}`)
				default:
					return false
				}
				return true
			}
			c := w.connector(nil)
			w.finishInTime(60, c)
			w.checkInvariants(c, before)
			w.checkFreed(c)
			expect(t, "tokenised", w.tokenised(), n)
			all, states := w.batches(c)
			expect(t, "batches lost", states[seeding.Lost], map[bool]int{true: 1}[lost])
			for _, b := range all {
				if waited := b.Closed.Sub(b.Claimed); b.State == seeding.Lost && waited >= b.Wait() {
					t.Errorf("lost after %v, and its deadline was after %v", waited, b.Wait())
				}
			}
			if longest := seen.standstill(c.Created, c); longest > 30*time.Second {
				t.Errorf("nobody was tokenised for %v", longest)
			}
			closes := seen.closes(c)
			took[lost] = closes[len(closes)-1].Sub(c.Created)
		})
	}
	t.Logf("with a batch that is lost: %v", took)
	if took[true] > took[false]+took[false]/10 {
		t.Errorf("the others took %v, and %v where nothing is lost", took[true], took[false])
	}
}
