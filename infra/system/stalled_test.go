package system_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/world/inprocess"
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
	free := w.occupyMTS(c, 1000*time.Hour)
	at := w.minutesStalled(75)
	if len(at) == 0 || at[0] < 35 || at[0] > 61 || at[len(at)-1] != 74 { // waiting for the lease, a visit takes half a minute more
		t.Errorf("counted at %v", at)
	}
	expect(t, "problems", len(w.problems(c)), 0)
	free()
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
		slow := seeding.Pace{Size: 50, Proved: 50, PerRecord: time.Minute, Single: time.Minute, Interval: time.Minute}
		if err := w.store.SavePace(t.Context(), c.MTSKey(), seeding.Pace{}, slow); err != nil {
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

// occupyMTS gives the only slot of the connector's MTS to another connector, at
// another registry, until free is called or its batch is overdue.
func (w *world) occupyMTS(c seeding.Connector, overdue time.Duration) (free func()) {
	w.Helper()
	b := w.foreignBatch(c, overdue)
	if err := w.store.SavePace(w.Context(), c.MTSKey(), seeding.Pace{}, seeding.Pace{Size: 40, Proved: 40, Limit: 1}); err != nil {
		w.Fatal(err)
	}
	return func() {
		b.State = seeding.Failed
		if err := w.store.Close(w.Context(), b); err != nil {
			w.Fatal(err)
		}
	}
}

// foreignBatch claims a batch of one record for another connector, at another
// registry and the same MTS; it is overdue after the given time. The other one is
// stopped then.
func (w *world) foreignBatch(c seeding.Connector, overdue time.Duration) seeding.Batch {
	w.Helper()
	ctx, now := w.Context(), w.clock.Now()
	other := inprocess.Connector("other", w.mtsURL, "http://another.registry.example", now)
	err := w.store.CreateConnector(ctx, other)
	if err == nil {
		err = w.store.SetStatus(ctx, other.ID, seeding.Running, now)
	}
	state, takeErr := w.store.TakeRun(ctx, other.ID, "other", now, now.Add(1000*time.Hour), time.Time{})
	mts, readErr := w.store.MTSState(ctx, c.MTSKey())
	run := seeding.Run{ID: "run", Connector: other.ID, Version: other.Version, Started: now, Passes: 1, PassStarted: now, Fence: state.Lease.Fence}
	b := seeding.Batch{
		Ref:   seeding.BatchRef{Registry: other.RegistryKey(), Connector: other.ID, Run: run.ID, Batch: "foreign"},
		State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, Count: 1, Members: []seeding.Member{{Registrant: 1, Identifier: 1}},
		Claimed: now, Overdue: now.Add(overdue), Deadline: now.Add(overdue),
	}
	claim := seeding.Claim{Batch: b, Run: run, Version: other.Version, Fence: run.Fence, Claims: mts.Claims}
	if err := errors.Join(err, takeErr, readErr, w.store.OpenRun(ctx, run), w.store.Claim(ctx, claim), w.store.SetStatus(ctx, other.ID, seeding.Stopped, now)); err != nil {
		w.Fatal(err)
	}
	return b
}
