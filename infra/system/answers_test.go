package system_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/seeding"
)

// What MTS and the network may do to an answer.
func TestNoAnswerIsLostOrDoubled(t *testing.T) {
	cases := map[string]struct {
		faults   mtssim.Faults
		streamOn bool
		most     int // times that a VID may be submitted
	}{
		"as it should be":               {mtssim.Faults{}, true, 1},
		"ten times in parallel":         {mtssim.Faults{Copies: 10, Parallel: true}, true, 1},
		"before the answer to its POST": {mtssim.Faults{CallbackFirst: true}, true, 1},
		"500 after accepting":           {mtssim.Faults{FailNext: 3}, true, 1},
		"stream switched off":           {mtssim.Faults{}, false, 1},
		"every third one lost":          {mtssim.Faults{LoseEvery: 3}, true, 9},
		"lost, doubled, without stream": {mtssim.Faults{LoseEvery: 4, Copies: 2, Parallel: true}, false, 9},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{local: true})
			w.addRegistrants(400)
			before := w.now()
			w.mts.SetFaults(f.faults)
			w.streamOff.Store(!f.streamOn)
			c := w.connector(nil)
			w.finish(60, c)
			if f.faults.LoseEvery > 0 {
				// Three passes may have lost one registrant three times; one that
				// was lost alone twice waits as rejected.
				w.mts.SetFaults(mtssim.Faults{})
				w.clock.Advance(2 * time.Hour)
				w.finishNextRun(60, c)
			}
			w.checkInvariants(c, before)
			w.checkSent(f.most)
			expect(t, "tokenised", w.tokenised(), 400)
			expect(t, "VIDs left", len(w.vids()), 0)
		})
	}
}

// Rows of another batch, brought with a good capability, fit nobody.
func TestRowsOfAnotherBatchFitNobody(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	before := w.now()
	c := w.connector(nil)
	w.finish(20, c)
	// Rows for new registrants, forged without the row key, but with the capability
	// key.
	ids := w.addRegistrants(5)
	_, batch, _ := strings.Cut(w.last.Load().path, "/callback/")
	var rows []string
	for _, id := range ids {
		m := seeding.Member{Registrant: id, Identifier: w.vidOf(id).ID}
		key := seeding.Seal(inprocess.Keyring("capability").Key(), batch, seeding.CorrelationKey(m, seeding.RowMAC{1, 2, 3}, seeding.Fingerprint{4}))
		rows = append(rows, fmt.Sprintf(`["%s","processed","%036d",null,null]`, key, id))
	}
	expect(t, "status", w.deliver(w.last.Load(), "["+strings.Join(rows, ",")+"]"), http.StatusOK)
	for _, id := range ids {
		expect(t, "token of a registrant that was never sent", w.tokenOf(id), "")
	}
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
}

func TestLateAnswerIsStillApplied(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(40)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	for range 30 { // the batch is closed as lost
		w.tick()
		if open, _ := w.store.OpenBatches(t.Context(), c.RegistryKey()); len(open) == 0 {
			break
		}
	}
	late := withheld.Load()
	if late == nil {
		t.Fatal("no callback was withheld back")
	}
	w.finish(60, c)
	expect(t, "status", w.deliver(late, string(late.body)), http.StatusOK)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 40)
	expect(t, "VIDs left", len(w.vids()), 0)
}

// An answer of several parts closes its batch when the last of them is there,
// in whatever order they come, or at the deadline; each is counted once.
func TestAnswerOfSeveralParts(t *testing.T) {
	cases := map[string]struct {
		order []int // of the two parts; one that is named twice is put twice
		late  bool  // the first comes after the deadline
		open  []bool
		done  []int // tokenised, after each
		sent  int   // times that a VID may be submitted
	}{
		"in order":           {[]int{0, 1}, false, []bool{true, false}, []int{10, 20}, 1},
		"the last one first": {[]int{1, 0}, false, []bool{true, false}, []int{10, 20}, 1},
		"one of them twice":  {[]int{0, 0, 1, 1}, false, []bool{true, true, false, false}, []int{10, 10, 20, 20}, 1},
		"one only":           {[]int{0}, false, []bool{true}, []int{10}, 2},
		"one, too late":      {[]int{0, 1}, true, []bool{false, false}, []int{10, 20}, 1},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setBatchSize(50)
			ids := w.addRegistrants(20)
			before := w.now()
			withheld := w.withholdFirst()
			c := w.connector(nil)
			w.tick()
			parts := w.split(w.partOf(withheld.Load()), 10)
			if f.late {
				w.clock.Advance(time.Hour)
			}
			for i, k := range f.order {
				w.patchPart(parts[k])
				b, err := w.store.Batch(t.Context(), parts[k].Ref)
				if err != nil {
					t.Fatal(err)
				}
				expect(t, fmt.Sprintf("open after %d", i+1), b.State.Open(), f.open[i])
				expect(t, fmt.Sprintf("counted after %d", i+1), b.Totals.Tokenised, f.done[i])
				expect(t, fmt.Sprintf("tokenised after %d", i+1), w.tokenised(), f.done[i])
			}
			w.finish(30, c)
			w.checkInvariants(c, before)
			w.checkSent(f.sent)
			expect(t, "tokenised", w.tokenised(), len(ids))
			sum := 0
			all, _ := w.batches(c)
			for _, b := range all {
				sum += b.Totals.Tokenised
			}
			expect(t, "tokenised in the totals of all batches", sum, len(ids))
		})
	}
}

// An answer that cannot be processed is tried ten times, ever more seldom, and
// then set aside: its batch is closed, and its registrants wait with a reason
// and are asked for again.
func TestAnswerThatCannotBeProcessedIsSetAside(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(50)
	ids := w.addRegistrants(20)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	// One of them was set aside before, and is due.
	if _, err := w.store.PutRejections(t.Context(), []seeding.Rejection{{
		Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Registrant: ids[0], Identifier: w.vidOf(ids[0]).ID}.Subject(), Kind: seeding.SetAside,
		Code: seeding.CodeSetAside, Configured: c.Version, Attempts: 3, Since: w.clock.Now().Add(-time.Hour), Next: w.clock.Now().Add(-time.Minute),
	}}); err != nil {
		t.Fatal(err)
	}
	w.tick()
	part := w.partOf(withheld.Load())
	part.Packed = []byte("no rows")
	start := w.clock.Now()
	w.patchPart(part)
	failures := func() int {
		b, err := w.store.Batch(t.Context(), part.Ref)
		if err != nil {
			t.Fatal(err)
		}
		return b.Attempts
	}
	expect(t, "failures", failures(), 1)
	for range 300 {
		_, found, err := w.store.NextAnswer(t.Context(), c.RegistryKey(), "")
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		w.tick()
	}
	expect(t, "failures", failures(), 9)
	// One, two, four minutes and so on, an hour at most; the first was at once.
	if took := w.clock.Now().Sub(start); took < 200*time.Minute || took > 300*time.Minute {
		t.Errorf("set aside after %v", took)
	}
	all, states := w.batches(c)
	expect(t, "batches", len(all), 1)
	expect(t, "batches closed as failed", states[seeding.Failed], 1)
	expect(t, "pending", all[0].Totals.Pending(), 20)
	byKind, rejected := w.rejections(c)
	expect(t, "set aside", byKind["set_aside "+seeding.CodeSetAside], 20)
	for _, id := range ids {
		if r := rejected[id]; !r.Next.After(w.clock.Now()) {
			t.Fatalf("the next attempt of %d is %v ago", id, w.clock.Now().Sub(r.Next))
		}
	}
	expect(t, "attempts of one that was set aside before", rejected[ids[0]].Attempts, 4)
	expect(t, "attempts of another", rejected[ids[1]].Attempts, 1)
	w.finish(20, c)
	expect(t, "tokenised while they wait", w.tokenised(), 0)
	w.finishNextRun(20, c)
	w.clock.Advance(24 * time.Hour) // the one that was set aside before waits longer
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
	w.checkSent(2)
	expect(t, "tokenised", w.tokenised(), 20)
	_, rejected = w.rejections(c)
	expect(t, "rejections left", len(rejected), 0)
}

// An answer to a batch that nobody knows, or whose connector is gone, is deleted.
func TestAnswerThatNobodyWaitsFor(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(50)
	w.addRegistrants(20)
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	part := w.partOf(withheld.Load())
	if err := w.store.SetStatus(t.Context(), c.ID, seeding.Stopped, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	for range 10 { // the batch is lost, and the run ends
		w.tick()
	}
	if err := w.store.DeleteConnector(t.Context(), c.ID, c.Version, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	unknown := part
	unknown.Ref.Batch = "unknown"
	for name, p := range map[string]seeding.AnswerPart{"deleted connector": part, "unknown batch": unknown} {
		w.patchPart(p)
		has, err := w.store.HasAnswer(t.Context(), p.Ref.Registry, p.Ref.Batch)
		if err != nil || has {
			t.Errorf("%s: the answer is still there, %v", name, err)
		}
	}
	expect(t, "tokenised", w.tokenised(), 0)
}

// What comes while reconcile makes up its mind, or while patch is at work, is
// neither lost nor counted twice.
func TestAnswerAndLossAtTheSameMoment(t *testing.T) {
	cases := map[string]struct {
		meet  func(w *world, withheld *atomic.Pointer[delivery], c func() seeding.Connector)
		state seeding.BatchState
	}{
		"the answer comes while MTS is asked": {func(w *world, withheld *atomic.Pointer[delivery], _ func() seeding.Connector) {
			w.streamOff.Store(true)
			var once sync.Once
			w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/status/") {
					once.Do(func() { w.post(withheld.Load(), string(withheld.Load().body)) })
				}
				return false
			}
		}, seeding.Patched},
		"the batch is lost while its tokens are written": {func(w *world, withheld *atomic.Pointer[delivery], c func() seeding.Connector) {
			w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() {
				open, err := w.store.OpenBatches(w.Context(), c().RegistryKey())
				if err != nil || len(open) != 1 {
					w.Errorf("%d open batches, %v", len(open), err)
					return
				}
				b := open[0]
				b.State, b.Closed, b.Totals = seeding.Lost, w.clock.Now(), seeding.Totals{Sent: b.Count}
				if err := w.store.Close(w.Context(), b); err != nil {
					w.Error(err)
				}
			})
			w.withhold = nil
		}, seeding.Lost},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setBatchSize(50)
			w.addRegistrants(20)
			before := w.now()
			withheld := w.withholdFirst()
			var c seeding.Connector
			f.meet(w, withheld, func() seeding.Connector { return c })
			c = w.connector(nil)
			w.finish(30, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 20)
			all, _ := w.batches(c)
			if len(all) != 1 {
				t.Fatalf("%d batches", len(all))
			}
			expect(t, "state", all[0].State, f.state)
			expect(t, "totals", all[0].Totals, seeding.Totals{Sent: 20, Tokenised: 20})
		})
	}
}

// An answer that comes while a patcher is at work is found by that one, and does
// not wait for the next minute.
func TestAnswerDuringAPatchIsFoundAfterIt(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(40)
	before := w.now()
	came := w.withholdAll()
	w.setBatchSize(20)
	c := w.connector(nil)
	w.tick()
	withheld := came()
	expect(t, "answers withheld back", len(withheld), 2)
	w.withhold = nil
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() { w.post(withheld[0], string(withheld[0].body)) })
	w.deliver(withheld[1], string(withheld[1].body)) // the later one, behind which a patcher finds nothing
	expect(t, "tokenised", w.tokenised(), 40)
	expect(t, "most records at once", w.mts.Counters().MaxRecordsPerPost, 20)
	w.finish(20, c)
	w.checkInvariants(c, before)
}

// What dies after the tokens were written and before the batch was closed is
// counted once, by the next patcher.
func TestTotalsSurviveADeathBeforeTheClose(t *testing.T) {
	w := newWorld(t, options{faults: newFaults()})
	w.setBatchSize(50)
	w.addRegistrants(20)
	w.faults.armed["patch: dynamodb Close"] = mode{after: false, kill: true}
	c := w.connector(nil)
	w.finish(20, c)
	all, _ := w.batches(c)
	expect(t, "batches", len(all), 1)
	expect(t, "totals", all[0].Totals, seeding.Totals{Sent: 20, Tokenised: 20})
	expect(t, "VIDs left", len(w.vids()), 0)
	w.faults.checkAllCame(t)
}
