package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// An account that is not exact is found.
func TestAccounts(t *testing.T) {
	batches := []seeding.Batch{
		{State: seeding.Patched, Count: 30, Totals: seeding.Totals{Sent: 30, Tokenised: 28, Refused: 2}},
		{State: seeding.Lost, Count: 10, Totals: seeding.Totals{Sent: 10}},
	}
	right := seeding.Run{
		Completed: time.Unix(1, 0), Batches: 2, Closed: 2, Totals: seeding.Totals{Sent: 40, Tokenised: 28, Refused: 2},
		Tally: seeding.Tally{Looked: 60, NotSelected: 5, InBatch: 4, Holding: 3, Rejected: 2, Invalid: 6},
	}
	for name, c := range map[string]struct {
		change func(run *seeding.Run)
		wrong  int
	}{
		"exact":                  {func(*seeding.Run) {}, 0},
		"open":                   {func(r *seeding.Run) { r.Completed = time.Time{} }, 1},
		"stopped":                {func(r *seeding.Run) { r.Ending = seeding.EndedByStop }, 1},
		"a token too many":       {func(r *seeding.Run) { r.Totals.Tokenised++ }, 1},
		"a batch too many":       {func(r *seeding.Run) { r.Batches++ }, 1},
		"somebody forgotten":     {func(r *seeding.Run) { r.Tally.Looked++ }, 1},
		"somebody counted twice": {func(r *seeding.Run) { r.Tally.InBatch++ }, 1},
		"a list, of which two were sent again": {func(r *seeding.Run) {
			r.Selection.Listed, r.Tally.Looked, r.Tally.NotFound = 60, 60, 2
		}, 0},
		"a list, of which one is missing": {func(r *seeding.Run) { r.Selection.Listed = 61 }, 1},
		"a list, with one too many unsent": {func(r *seeding.Run) {
			r.Selection.Listed, r.Tally.NoVID = 60, 41
		}, 1},
	} {
		run := right
		c.change(&run)
		if wrong := account(run, batches); len(wrong) != c.wrong {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

// What an import says of somebody is compared with how it ended.
func TestOutcomes(t *testing.T) {
	const tokenised, rejected, untouched, absent, undecided = 1, 2, 3, 4, 5
	now := invariants.Registry{
		tokenised: {Tokens: []string{"1"}}, rejected: {VIDs: []string{"2"}}, untouched: {}, undecided: {VIDs: []string{"5"}},
	}
	truths := map[string][]int64{
		"tokenised": {tokenised}, "holding": {tokenised}, "rejected": {tokenised, rejected}, "sent": {tokenised, rejected}, "in_batch": {tokenised, rejected},
		"not_selected": {tokenised, untouched}, "archived": {untouched}, "no_vid": {untouched}, "not_found": {absent}, "waiting": nil, "not_reached": nil, "": nil,
	}
	for outcome, of := range truths {
		for id := int64(tokenised); id <= undecided; id++ {
			if got := isTrue(outcome, id, now, map[int64]bool{rejected: true}, id == untouched); got != slices.Contains(of, id) {
				t.Errorf("%q of %d: %t", outcome, id, got)
			}
		}
	}
	c := &check{registry: odoosim.New(odoosim.Options{})}
	id := c.registry.AddRegistrant(odoosim.Registrant{Name: "DOE, JO"})
	for name, said := range map[string][]outcome{
		"nobody": nil, "one missing": {{nobody[0], "not_found"}}, "one twice": {{id, "no_vid"}, {id, "no_vid"}}, "another": {{id, "no_vid"}, {nobody[1], "not_found"}},
	} {
		c.expected.Kinds = map[int64]odoosim.Kind{id: odoosim.NoVID}
		if wrong := c.untrue([]int64{id, nobody[0]}, said, nil); len(wrong) != 1 {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	if wrong := c.untrue([]int64{id, nobody[0]}, []outcome{{id, "no_vid"}, {nobody[0], "not_found"}}, nil); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
}

// Imports of all kinds are made, and the same for a seed.
func TestOrders(t *testing.T) {
	registrants := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	list := orders(rand.New(rand.NewPCG(1, 3)), registrants)
	again := orders(rand.New(rand.NewPCG(1, 3)), registrants)
	kinds := map[string]bool{}
	for i, o := range list {
		for member := range o.body {
			kinds[member] = true
		}
		if !slices.Equal(o.listed, again[i].listed) || !slices.IsSorted(o.listed) || o.listed != nil && len(o.listed) <= len(nobody) {
			t.Errorf("%v, and then %v", o, again[i])
		}
	}
	if len(list) != 3 || len(kinds) != 2 {
		t.Errorf("%v", list)
	}
}
