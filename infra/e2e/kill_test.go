package e2e_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// Functions are killed (SIGKILL) in the middle of a remote write. The unfinished
// work is found, waited for, and done once. The cases that kill submit start
// second; otherwise the others would have nothing to patch for a long time.
func TestKilledFunctionsLoseAndDoubleNothing(t *testing.T) {
	const regID = "g2p.reg.id"
	submit, patch := newJointKill("submit", 2), newJointKill("patch", 4)
	cases := map[string]func(w *world){
		"submit in its POST, which MTS takes": func(w *world) {
			w.recorder.watch(func(p post) bool { submit.when(w, p.number == 1); return true })
		},
		"submit in its POST, which never arrives": func(w *world) {
			w.recorder.watch(func(p post) bool { submit.when(w, p.number == 1); return p.number > 1 })
		},
		"patch in create, which takes effect": func(w *world) {
			w.atFirst(odoosim.After, regID, "create", func() { patch.when(w, true) })
		},
		"patch in create, which does not": func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: "create", Times: 1, Outcome: odoosim.Closed})
			w.atFirst(odoosim.Before, regID, "create", func() { patch.when(w, true) })
		},
		"patch between create and unlink": func(w *world) {
			w.registry.Inject(odoosim.Fault{Model: regID, Method: "unlink", Times: 1, Point: odoosim.Arrival, Outcome: odoosim.Closed})
			w.atFirst(odoosim.Before, regID, "unlink", func() { patch.when(w, true) })
		},
		"patch in unlink, which takes effect": func(w *world) {
			w.atFirst(odoosim.After, regID, "unlink", func() { patch.when(w, true) })
		},
	}
	t.Run("all", func(t *testing.T) {
		for name, plan := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, options{})
				ids := w.addRegistrants(40)
				plan(w)
				if strings.HasPrefix(name, "submit ") {
					select {
					case <-patch.done:
					case <-time.After(5 * gathering): // those tests were not selected to run
					}
				}
				c := w.createStarted()
				c.until("everybody is tokenised", func() bool { return w.registry.State().VIDs == 0 && c.idle() })
				w.checkTokenised(ids)
				expect(t, "kills", w.kills.Load(), 1)
				for _, v := range invariants.Sent(w.mts.TokensGiven(), 1) {
					t.Error(v)
				}
				expect(t, "registrants with many tokens", w.registry.State().ManyTokens, 0)
				expect(t, "rejections", len(c.rejections()), 0)
				c.waitForNoProblem()
			})
		}
	})
}

// jointKill kills a function for several tests at once. SIGKILL hits all processes
// of a function, whichever test they work for; so the tests wait for each other,
// and then one of them kills for all.
type jointKill struct {
	function string
	tests    int64
	arrived  atomic.Int64
	all      chan struct{} // closed when all tests have arrived
	done     chan struct{} // closed after the first kill

	mu   sync.Mutex
	last time.Time
}

func newJointKill(function string, tests int64) *jointKill {
	return &jointKill{function: function, tests: tests, all: make(chan struct{}), done: make(chan struct{})}
}

// gathering is how long a test waits for the others. It is shorter than the time
// limits of the calls that wait meanwhile.
const gathering = 2 * time.Second

// when kills the function for a world if the moment has come.
func (k *jointKill) when(w *world, now bool) {
	if !now {
		return
	}
	arrived := time.Now()
	w.kills.Add(1)
	if k.arrived.Add(1) == k.tests {
		close(k.all)
	}
	select {
	case <-k.all:
	case <-time.After(gathering):
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last.After(arrived) {
		return // killed together with another test
	}
	killed, err := stack.KillFunctionProcesses(k.function)
	if err != nil || killed == 0 {
		w.Errorf("%d processes of %s killed, %v", killed, k.function, err)
	}
	if k.last.IsZero() {
		close(k.done)
	}
	k.last = time.Now()
}

// atFirst calls f at a moment of the first call of a method, and only then.
func (w *world) atFirst(at odoosim.Moment, model, method string, f func()) {
	var once sync.Once
	w.registry.Hook(at, func(m, n string) {
		if m == model && n == method {
			once.Do(f)
		}
	})
}
