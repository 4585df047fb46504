package system_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/seeding"
)

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// checkInvariants checks what must be true of the whole system whatever went
// wrong: no function failed, identifiers are as they must be, nothing is under
// way. before are moments at which the test knows what registrants had.
func (w *world) checkInvariants(c seeding.Connector, before ...invariants.Registry) {
	w.Helper()
	for len(w.failures) > 0 {
		w.Errorf("a function failed: %v", <-w.failures)
	}
	w.checkIdentifiers(before...)
	if left := w.underWay(c); len(left) > 0 {
		w.Errorf("something is still under way: %v", left)
	}
}

// checkIdentifiers checks identifiers only. Those of registrants that somebody else
// changed are checked by their own test.
func (w *world) checkIdentifiers(before ...invariants.Registry) {
	w.Helper()
	now := w.now()
	maps.DeleteFunc(now, func(id int64, _ invariants.Holding) bool { return w.changedByOthers[id] })
	for _, v := range invariants.Identifiers(now, before...) {
		w.Error(v)
	}
}

// checkSent checks that MTS made a token for no VID more than most times.
func (w *world) checkSent(most int) {
	w.Helper()
	for _, v := range invariants.Sent(w.mts.TokensGiven(), most) {
		w.Error(v)
	}
}

// underWay lists what has not ended of a connector and its registry.
func (w *world) underWay(c seeding.Connector) []string {
	w.Helper()
	left, err := waiting.UnderWay(context.WithoutCancel(w.Context()), w.store, c.ID, c.RegistryKey(), w.clock.Now())
	if err != nil {
		w.Fatal(err)
	}
	return left
}

// done reports whether nothing of the connectors is under way.
func (w *world) done(connectors ...seeding.Connector) bool {
	w.Helper()
	return !slices.ContainsFunc(connectors, func(c seeding.Connector) bool { return len(w.underWay(c)) > 0 })
}

func (w *world) state(c seeding.Connector) seeding.State {
	w.Helper()
	state, err := w.store.State(w.Context(), c.ID)
	if err != nil {
		w.Fatal(err)
	}
	return state
}

func (w *world) problems(c seeding.Connector) map[seeding.Source]seeding.Problem {
	w.Helper()
	return w.state(c).Problems
}

// problemsBut are the problems of a connector without those of some sources.
func (w *world) problemsBut(c seeding.Connector, sources ...seeding.Source) map[seeding.Source]seeding.Problem {
	w.Helper()
	problems := maps.Clone(w.problems(c))
	maps.DeleteFunc(problems, func(s seeding.Source, _ seeding.Problem) bool { return slices.Contains(sources, s) })
	return problems
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

// totals of all batches of a connector.
func (w *world) totals(c seeding.Connector) (sum seeding.Totals) {
	w.Helper()
	all, _ := w.batches(c)
	for _, b := range all {
		sum = sum.Plus(b.Totals)
	}
	return sum
}

// rejections of a connector, counted by kind and code, and by registrant.
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
