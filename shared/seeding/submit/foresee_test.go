package submit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What is foreseen of a page is what a run does with it, whoever is on it.
func TestForeseeDecidesAsARunDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7)) // the same with every call
	seen := map[seeding.Fate]int{}
	for range 500 {
		r := testRules()
		p, taken := randomPage(random)
		again := maps.Clone(taken)
		plan := r.decidePage(p, seeding.Run{PassStarted: now}, taken, room{1000, maxPosted}, now)
		foreseen := r.foresee(p, again, now)
		var sent, refused []int64
		for _, f := range foreseen {
			seen[f.Fate]++
			switch f.Fate {
			case seeding.WouldBeSent:
				sent = append(sent, f.ID)
			case seeding.WouldBeInvalid:
				refused = append(refused, f.ID)
			}
		}
		var chosen, rejected []int64
		for _, c := range plan.chosen {
			chosen = append(chosen, c.member.Identifier)
		}
		for _, x := range plan.rejected {
			rejected = append(rejected, x.Identifier)
		}
		if !slices.Equal(sent, chosen) || !slices.Equal(refused, rejected) || len(foreseen) != len(p.vids) {
			t.Fatalf("foreseen %v and %v; a run sends %v and rejects %v", sent, refused, chosen, rejected)
		}
		tally := plan.run.Tally
		for fate, counted := range map[seeding.Fate]int{
			seeding.IsInBatch: tally.InBatch, seeding.NotSelectedNow: tally.NotSelected, seeding.StaysRejected: tally.Rejected,
		} {
			n := 0
			for _, f := range foreseen {
				if f.Fate == fate && (fate != seeding.StaysRejected || len(p.tokens[f.Registrant]) == 0) { // a run counts those who hold something apart
					n++
				}
			}
			if n != counted {
				t.Fatalf("%d %s, and the run counts %d", n, fate, counted)
			}
		}
	}
	for _, fate := range []seeding.Fate{seeding.WouldBeSent, seeding.WouldBeInvalid, seeding.StaysRejected, seeding.IsInBatch, seeding.HoldsToken, seeding.NotSelectedNow} {
		if seen[fate] == 0 {
			t.Errorf("nobody is %s", fate)
		}
	}
}

// randomPage is a page with registrants of all kinds.
func randomPage(random *rand.Rand) (page, map[int64]bool) {
	p := page{records: map[int64]seeding.Record{}, tokens: map[int64][]seeding.Identifier{}, holders: map[int64][]seeding.Identifier{},
		mine: map[int64]seeding.Rejection{}, conflicts: map[int64]bool{}}
	taken := map[int64]bool{}
	one := func(of int) bool { return random.IntN(of) == 0 }
	for i := range int64(1 + random.IntN(20)) {
		registrant := 1 + random.Int64N(15)
		vid := seeding.Identifier{ID: 100 + i, Registrant: registrant, Value: fmt.Sprintf("V%d", registrant)}
		p.vids = append(p.vids, vid)
		if !one(5) {
			p.records[registrant] = joRecord()
			if one(4) {
				delete(p.records[registrant], "name")
			}
		}
		if one(5) {
			value := "777777777777777777777777777777777777"
			if one(3) {
				value = "no token"
			}
			p.tokens[registrant] = []seeding.Identifier{{ID: 900 + registrant, Registrant: registrant, Value: value}}
		}
		if one(3) {
			kind := seeding.RejectionKinds[random.IntN(len(seeding.RejectionKinds))]
			p.mine[vid.ID] = seeding.Rejection{Kind: kind, Code: "x", Configured: 3, LastAttempt: now.Add(-time.Hour), Next: now.Add(time.Duration(random.IntN(3)-1) * time.Hour), Holder: 5}
			p.holders[5] = []seeding.Identifier{{ID: 1}}
		}
		p.conflicts[vid.ID] = one(8)
		taken[registrant] = taken[registrant] || one(10)
	}
	return p, taken
}
