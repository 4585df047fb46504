package system_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

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
			w.forgetFailures()                       // of the dead
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "late commits", late.Load(), 1)
			expect(t, "tokens", w.registry.State().Tokens, 40)
			expect(t, "VIDs left", len(w.vids()), 0)
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

// A patcher that is killed while it wrote nothing leaves the registry to the next
// one within a minute of its clock; one that was killed at a write leaves it when
// Odoo can commit nothing any more.
func TestKilledPatcherIsReplacedInTime(t *testing.T) {
	times := seeding.DefaultTimes()
	for point, most := range map[string]time.Duration{
		"patch: dynamodb TakePatch": time.Minute,
		"patch: dynamodb HoldPatch": times.PatchWork + times.CommitGrace + time.Minute, // it took effect
		"patch: registry create":    times.PatchWork + times.CommitGrace + time.Minute,
		"patch: registry unlink":    times.PatchWork + times.CommitGrace + time.Minute,
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			faults := newFaults()
			faults.armed[point] = mode{after: true, kill: true}
			w := newWorld(t, options{faults: faults})
			w.addRegistrants(20)
			w.setBatchSize(20)
			before := w.now()
			c := w.connector(nil)
			began := w.clock.Now() // MTS answers at once, so the patcher dies now
			w.runSubmitter(c)
			next := began.Add(time.Minute) // the tick of reconcile
			for ; len(w.vids()) > 0; next = next.Add(time.Minute) {
				if next.Sub(began) > most+time.Minute {
					t.Fatalf("VIDs are left %v after it died", next.Sub(began))
				}
				w.clock.Advance(max(0, next.Sub(w.clock.Now())))
				if err := w.reconciler.Tick(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.invoker.Wait()
			}
			if took := next.Sub(began) - time.Minute; took > most {
				t.Errorf("it took %v, at most %v is right", took, most)
			}
			w.faults.checkAllCame(t)
			w.finish(20, c)
			w.forgetFailures() // of the dead
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokens", w.registry.State().Tokens, 20)
		})
	}
}
