package system_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// tickAsDeployed lets a minute pass, in which functions under way go on, and a tick
// of submit looks again as it does when it is deployed.
func (w *world) tickAsDeployed() {
	w.invoker.Tick(w.Context(), "tick", w.submitter.Tick)
	w.invoker.Tick(w.Context(), "reconcile", w.reconciler.Tick)
	w.clock.Advance(time.Minute)
}

// living are the invocations of submit, of which a test kills one.
type living struct {
	mu  sync.Mutex
	all []*invocation
}

// watchSubmit notes the invocations of submit.
func (w *world) watchSubmit() *living {
	l := &living{}
	before := w.invoker.Context
	w.invoker.Context = func(caller context.Context, function string) context.Context {
		ctx := before(caller, function)
		if function == "submit" {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.all = append(l.all, invocationOf(ctx))
		}
		return ctx
	}
	return l
}

// kill kills all invocations that there were, as SIGKILL does.
func (l *living) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range l.all {
		i.die()
	}
}

// Submit is killed while batches of 50 are under way, whenever that is: before a
// page, between claim and POST, in a POST, in a wait. Within a minute MTS gets
// another batch.
func TestKilledSubmitIsFollowedWithinAMinute(t *testing.T) {
	var longest struct {
		sync.Mutex
		time.Duration
	}
	t.Run("killed", func(t *testing.T) {
		for at := 700 * time.Millisecond; at < 2*time.Minute; at += 9700 * time.Millisecond {
			t.Run(fmt.Sprintf("after %v", at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, options{
						virtual: true, times: seeding.DefaultTimes(), faults: newFaults(), odoo: odoosim.Options{Pace: 1},
						mts: mtssim.Options{Pace: 1, IdentityLatency: 150 * time.Millisecond},
					})
					const record = 165 * time.Millisecond // of the one worker
					pace := seeding.Pace{Size: 50, Proved: 50, Ceiling: 100, PerRecord: record, Single: record, Interval: record}
					if err := w.store.SavePace(t.Context(), seeding.MTSKey(w.mtsURL), seeding.Pace{}, pace); err != nil {
						t.Fatal(err)
					}
					w.addRegistrants(2000)
					var sent []time.Time
					var mu sync.Mutex
					w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
						mu.Lock()
						defer mu.Unlock()
						if r.Method == http.MethodPost {
							sent = append(sent, time.Now())
						}
						return false
					}
					invocations := w.watchSubmit()
					var killed time.Time
					c := w.connector(nil)
					time.AfterFunc(at, func() { invocations.kill(); killed = time.Now() })
					for range 4 {
						w.tickAsDeployed()
					}
					mu.Lock()
					after := 4 * time.Minute
					for _, at := range sent {
						if at.After(killed) {
							after = min(after, at.Sub(killed))
						}
					}
					mu.Unlock()
					if after > time.Minute+2*time.Second { // a page takes a little
						t.Errorf("the next batch was sent after %v", after)
					}
					longest.Lock()
					longest.Duration = max(longest.Duration, after)
					longest.Unlock()
					w.setStatus(seeding.Stopped, c)
					w.finishInTime(30, c)
				})
			})
		}
	})
	t.Logf("the next batch was sent after %v at most", longest.Duration)
}
