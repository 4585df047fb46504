package system_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A whole run over a registry with registrants of every kind.
func TestEveryRegistrantIsAccountedFor(t *testing.T) {
	w := newWorld(t, options{})
	e := w.registry.Populate(1200, 1)
	before := w.vids()
	c := w.connector(nil)
	w.settle(20, c)
	w.check(c, before)
	w.sentOnce(1)

	state := w.registry.State()
	expect(t, "tokens", state.Tokens, e.Tokens)
	expect(t, "VIDs left", state.VIDs, e.VIDsLeft)
	expect(t, "VID and token", state.Both, 0)
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
	totals := runs[0].Totals
	expect(t, "totals: tokenised", totals.Tokenised, e.NewTokens)
	expect(t, "totals: pending", totals.Pending(), 0)
	expect(t, "totals: sent", totals.Sent, e.Submitted)
	expect(t, "problems", len(w.problems(c)), 0)
	expect(t, "metric: submitted", int(w.sums["Submitted"]), e.Submitted)
	expect(t, "metric: tokenised", int(w.sums["Tokenised"]), e.NewTokens)
	rejected := 0
	for name, sum := range w.sums {
		if strings.HasPrefix(name, "Rejected ") {
			rejected += int(sum)
		}
	}
	expect(t, "metric: rejected", rejected, e.Rejected())
	for _, gauge := range []seeding.Metric{seeding.MetricOldestAnswer, seeding.MetricStalledConnectors, seeding.MetricUnreachable, seeding.MetricSignInsRefused, seeding.MetricProblemConnectors} {
		if value, taken := w.gauges[string(gauge)]; !taken || value != 0 {
			t.Errorf("gauge %s: %v, %v", gauge, value, taken)
		}
	}

	// A second run finds nothing to do, and sends nobody again.
	posts := w.seeder.Counters().Posts
	w.another(20, c)
	w.check(c, before)
	expect(t, "POSTs of the second run", w.seeder.Counters().Posts, posts)

	// Mended data are sent, others are not.
	mended := 0
	for id, kind := range e.Kinds {
		if kind == odoosim.NoBirthdate {
			w.registry.SetRegistrant(id, map[string]any{"birthdate": "1980-01-01"})
			mended++
		}
	}
	w.another(20, c)
	w.check(c, before)
	expect(t, "tokens after mending", w.registry.State().Tokens, e.Tokens+mended)
	_, all = w.rejections(c)
	expect(t, "rejected after mending", len(all), e.Rejected()-mended)
}

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
			w := newWorld(t, options{})
			w.plain(400)
			before := w.vids()
			w.seeder.SetFaults(f.faults)
			w.streamOff.Store(!f.streamOn)
			c := w.connector(nil)
			w.settle(60, c)
			if f.faults.LoseEvery > 0 {
				// Three passes may have lost one registrant three times; one that
				// was lost alone twice waits as rejected.
				w.seeder.SetFaults(mtssim.Faults{})
				w.clock.advance(2 * time.Hour)
				w.another(60, c)
			}
			w.check(c, before)
			w.sentOnce(f.most)
			expect(t, "tokenised", w.tokenised(), 400)
			expect(t, "VIDs left", len(w.vids()), 0)
		})
	}
}

// An MTS at its real pace (facts/mts.md 9) before an identity system that takes
// its time, which deletes what is older than 20 s (W8): wherever in its clean-up
// a run begins, everybody gets a token, and few are sent twice.
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
			inVirtualTime(t, func(t *testing.T) {
				w := newWorld(t, options{
					virtual: true,
					mts:     mtssim.Options{Pace: 1, IdentityLatency: c.latency, Expiry: 20 * time.Second, CleanupInterval: 20 * time.Second},
				})
				w.plain(n)
				before := w.vids()
				w.clock.advance(c.phase)
				connector := w.connector(nil)
				for range 100 {
					if w.minute(); w.quiet(connector) {
						break
					}
				}
				w.check(connector, before)
				expect(t, "tokenised", w.tokenised(), n)
				sent := float64(w.seeder.Counters().RecordsReceived) / n
				mts, err := w.store.MTS(t.Context(), connector.MTSKey())
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
