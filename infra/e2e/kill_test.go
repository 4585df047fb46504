package e2e_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Functions die by SIGKILL in the middle of a remote write. What they were at
// is found, waited for, and done once. Those who want submit dead come second,
// or the others would have nothing to patch for a long time.
func TestKilledFunctionsLoseAndDoubleNothing(t *testing.T) {
	const regID = "g2p.reg.id"
	submit, patch := newDeath("submit", 2), newDeath("patch", 4)
	cases := map[string]func(w *world){
		"submit in its POST, which MTS takes": func(w *world) {
			w.front.watch(func(p post) bool { submit.of(w, p.number == 1); return true })
		},
		"submit in its POST, which never arrives": func(w *world) {
			w.front.watch(func(p post) bool { submit.of(w, p.number == 1); return p.number > 1 })
		},
		"patch in create, which takes effect": func(w *world) {
			w.atFirst(odoosim.After, regID, "create", func() { patch.of(w, true) })
		},
		"patch in create, which does not": func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: "create", Times: 1, Outcome: odoosim.Closed})
			w.atFirst(odoosim.Before, regID, "create", func() { patch.of(w, true) })
		},
		"patch between create and unlink": func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: "unlink", Times: 1, Point: odoosim.Arrival, Outcome: odoosim.Closed})
			w.atFirst(odoosim.Before, regID, "unlink", func() { patch.of(w, true) })
		},
		"patch in unlink, which takes effect": func(w *world) {
			w.atFirst(odoosim.After, regID, "unlink", func() { patch.of(w, true) })
		},
	}
	t.Run("all", func(t *testing.T) {
		for name, plan := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, options{})
				ids := w.plain(40)
				plan(w)
				if strings.HasPrefix(name, "submit ") {
					select {
					case <-patch.come:
					case <-time.After(5 * meeting): // it is not among the tests that were asked for
					}
				}
				c := w.started()
				c.until("everybody is tokenised", func() bool { return w.registry.State().VIDs == 0 && c.quiet() })
				w.done(ids)
				expect(t, "deaths", w.deaths.Load(), 1)
				for vid, times := range w.seeder.TokensGiven() {
					if times > 1 {
						t.Errorf("MTS made a token for the VID ending in %s %d times", vid[10:], times)
					}
				}
				expect(t, "registrants with many tokens", w.registry.State().ManyTokens, 0)
				expect(t, "rejections", len(c.rejections()), 0)
				c.isClear()
			})
		}
	})
}

// death is that of a function. SIGKILL hits all processes of it, whoever they
// work for, so those who want it meet first: then one hits them all.
type death struct {
	function string
	wanted   int64
	here     atomic.Int64
	all      chan struct{} // closed when all are here
	come     chan struct{} // closed when it has come

	mu   sync.Mutex
	last time.Time
}

func newDeath(function string, wanted int64) *death {
	return &death{function: function, wanted: wanted, all: make(chan struct{}), come: make(chan struct{})}
}

// meeting is how long one waits for the others. It is shorter than what it
// keeps waiting.
const meeting = 2 * time.Second

// of a world, if it is its time.
func (d *death) of(w *world, now bool) {
	if !now {
		return
	}
	came := time.Now()
	w.deaths.Add(1)
	if d.here.Add(1) == d.wanted {
		close(d.all)
	}
	select {
	case <-d.all:
	case <-time.After(meeting):
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last.After(came) {
		return // with another
	}
	killed, err := stack.KillFunctionProcesses(d.function)
	if err != nil || killed == 0 {
		w.Errorf("%d processes of %s killed, %v", killed, d.function, err)
	}
	if d.last.IsZero() {
		close(d.come)
	}
	d.last = time.Now()
}

// atFirst calls f at a moment of the first call of a method.
func (w *world) atFirst(at odoosim.Moment, model, method string, f func()) {
	var once sync.Once
	w.registry.Hook(at, func(m, n string) {
		if m == model && n == method {
			once.Do(f)
		}
	})
}
