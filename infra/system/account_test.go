package system_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// settle ticks until the connectors' runs are complete and nothing is under
// way; it fails the test when that takes more than most ticks.
func (w *world) settle(most int, connectors ...seeding.Connector) {
	w.Helper()
	for range most {
		w.tick()
		if w.quiet(connectors...) {
			return
		}
	}
	for _, c := range connectors {
		state, _ := w.store.State(context.Background(), c.ID)
		open, _ := w.store.OpenBatches(context.Background(), c.RegistryKey())
		w.Errorf("%s: run %q, due in %v, %d open batches, problems %v", c.ID, state.Run, state.Due.Sub(w.clock.Now()), len(open), state.Problems)
	}
	w.Fatalf("not settled after %d ticks", most)
}

func (w *world) quiet(connectors ...seeding.Connector) bool {
	w.Helper()
	for _, c := range connectors {
		state, err := w.store.State(w.Context(), c.ID)
		if err != nil {
			w.Fatal(err)
		}
		open, err := w.store.OpenBatches(w.Context(), c.RegistryKey())
		if err != nil {
			w.Fatal(err)
		}
		_, answers, err := w.store.NextAnswer(w.Context(), c.RegistryKey(), "")
		if err != nil {
			w.Fatal(err)
		}
		if state.Run != "" || !state.Due.After(w.clock.Now()) || len(open) > 0 || answers {
			return false
		}
	}
	return true
}

// another waits until the connectors are due and lets one more run settle. A
// start would do without the waiting, but it clears problems.
func (w *world) another(most int, connectors ...seeding.Connector) {
	w.Helper()
	for _, c := range connectors {
		state, err := w.store.State(w.Context(), c.ID)
		if err != nil {
			w.Fatal(err)
		}
		w.clock.advance(max(0, state.Due.Sub(w.clock.Now())))
	}
	w.settle(most, connectors...)
}

// batches of all runs of a connector, in the order of runs and claims, and how
// many ended in each state.
func (w *world) batches(c seeding.Connector) (all []seeding.Batch, states map[seeding.BatchState]int) {
	w.Helper()
	runs, _, err := w.store.ListRuns(w.Context(), c.ID, "", 100)
	if err != nil {
		w.Fatal(err)
	}
	states = map[seeding.BatchState]int{}
	slices.Reverse(runs)
	for _, run := range runs {
		list, err := w.store.RunBatches(w.Context(), c.RegistryKey(), c.ID, run.ID)
		if err != nil {
			w.Fatal(err)
		}
		for _, b := range list {
			states[b.State]++
		}
		all = append(all, list...)
	}
	return all, states
}

// vids are the VIDs that registrants hold now.
func (w *world) vids() map[int64]string {
	vids := map[int64]string{}
	for id, identifiers := range w.registry.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.VIDType {
				vids[id] = i.Value
			}
		}
	}
	return vids
}

// check holds the whole system to what must be true whatever went wrong:
// identifiers as they must be, nothing under way.
func (w *world) check(c seeding.Connector, before ...map[int64]string) {
	w.Helper()
	for len(w.failures) > 0 {
		w.Errorf("a function failed: %v", <-w.failures)
	}
	w.checkIdentifiers(before...)
	if !w.quiet(c) {
		w.Errorf("something is still under way")
	}
}

// checkIdentifiers: no token twice on a registrant, none on one that it was not
// made for, no VID gone without a token. before are the VIDs that each
// registrant had at some time.
func (w *world) checkIdentifiers(before ...map[int64]string) {
	w.Helper()
	now := w.vids()
	held := map[string]int64{}
	for id, identifiers := range w.registry.Snapshot() {
		if w.touched[id] {
			continue // somebody else changed it; its own test says what must be
		}
		var tokens []string
		for _, i := range identifiers {
			if i.Type == odoosim.TokenType {
				tokens = append(tokens, i.Value)
			}
		}
		if len(tokens) > 1 {
			w.Errorf("registrant %d holds %d tokens", id, len(tokens))
		}
		for _, token := range tokens {
			made := len(before) == 0
			for _, vids := range before {
				made = made || mtssim.Token(vids[id]) == token
			}
			made = made || w.heldBefore[id] == token
			if !made {
				w.Errorf("registrant %d holds a token that was not made for it", id)
			}
			if other, twice := held[token]; twice {
				w.Errorf("registrants %d and %d hold one token", id, other)
			}
			held[token] = id
		}
		for _, vids := range before {
			if _, left := now[id]; vids[id] != "" && !left && len(tokens) == 0 {
				w.Errorf("the VID of registrant %d is gone, and it has no token", id)
			}
		}
	}
}

// rejections of a connector by kind and code.
func (w *world) rejections(c seeding.Connector) (byKind map[string]int, all map[int64]seeding.Rejection) {
	w.Helper()
	list, err := w.store.Rejections(w.Context(), c.RegistryKey(), 0, math.MaxInt64)
	if err != nil {
		w.Fatal(err)
	}
	byKind, all = map[string]int{}, map[int64]seeding.Rejection{}
	for _, r := range list {
		if r.Connector == c.ID {
			byKind[fmt.Sprintf("%s %s", r.Kind, r.Code)]++
			all[r.Registrant] = r
		}
	}
	return byKind, all
}

// tokenised counts registrants that hold a token.
func (w *world) tokenised() int {
	n := 0
	for _, identifiers := range w.registry.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.TokenType {
				n++
				break
			}
		}
	}
	return n
}

// plain adds n registrants that should all get a token, and returns their ids.
func (w *world) plain(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = w.registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", i), Gender: "Female",
			Birthdate: "1990-02-03", Address: fmt.Sprintf("%d Long Street", i), Email: "jo@example.org", Phone: "+15550100",
		})
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[i], Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(1000+i), 1, odoosim.Normal)})
	}
	return ids
}

// sentOnce fails when MTS made a token for one VID more often than most times.
func (w *world) sentOnce(most int) {
	w.Helper()
	for vid, times := range w.seeder.TokensGiven() {
		if times > most {
			w.Errorf("a VID ending in %s was submitted %d times", vid[12:], times)
		}
	}
}

func (w *world) problems(c seeding.Connector) map[seeding.Source]seeding.Problem {
	w.Helper()
	state, err := w.store.State(w.Context(), c.ID)
	if err != nil {
		w.Fatal(err)
	}
	return state.Problems
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// plainFrom adds them as persons of other numbers.
func (w *world) plainFrom(person, n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = w.registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", i), Gender: "Female",
			Birthdate: "1990-02-03", Address: fmt.Sprintf("%d Long Street", i), Email: "jo@example.org", Phone: "+15550100",
		})
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[i], Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(person+i), 1, odoosim.Normal)})
	}
	return ids
}

// setStatus starts or stops connectors, as a person would.
func (w *world) setStatus(status seeding.Status, connectors ...seeding.Connector) {
	w.Helper()
	for _, c := range connectors {
		if err := w.store.SetStatus(w.Context(), c.ID, status, w.clock.Now()); err != nil {
			w.Fatal(err)
		}
	}
}

// tried is how often a call to the registry failed.
func (w *world) tried() int { return strings.Count(w.log.String(), `"registry call failed"`) }

// submit lets a connector's submitter work, and no time pass after it.
func (w *world) submit(c seeding.Connector) {
	w.Helper()
	if err := (invoker{w}).InvokeSubmit(w.Context(), c.ID); err != nil {
		w.Fatal(err)
	}
	w.idle()
}
