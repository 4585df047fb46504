package system_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A connector for which submit is invoked every minute, and which never gets its
// MTS, is counted after an hour, and no longer once its run moves.
func TestStalledConnectorIsCounted(t *testing.T) {
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

// A connector that waits for MTS, as long as its batches may take, is not counted;
// nor is one that shows why it waits, or that a person has just started again.
func TestConnectorThatWaitsWithReasonIsNotCounted(t *testing.T) {
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
	t.Run("for a registry that is repaired, and a start", func(t *testing.T) {
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
