package invariants

import (
	"fmt"
	"maps"
	"slices"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

// Done says of each submission which registrants hold its id and a token.
func Done(now Registry) map[string][]int64 {
	done := map[string][]int64{}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		for _, submission := range now[id].Submissions {
			if len(now[id].Tokens) > 0 {
				done[submission] = append(done[submission], id)
			}
		}
	}
	return done
}

// Submissions returns what is wrong with what became of submissions when nothing is
// under way. moments are what Central had: at the start, and once more after each
// change; start is the registry before them. rejected are those with a rejection.
func Submissions(now, start Registry, rejected map[string]bool, moments ...[]centralsim.Entry) (list []Violation) {
	made := map[string][]string{} // the tokens that a submission may have led to
	for _, moment := range moments {
		for _, entry := range moment {
			made[entry.ID] = append(made[entry.ID], mtssim.Token(entry.Answers["vid"]))
		}
	}
	holders := map[string]int64{}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		list = append(list, came(id, now[id], start, made, holders)...)
	}
	done := Done(now)
	about := func(rule Rule, submission, text string) {
		list = append(list, Violation{Rule: rule, Text: fmt.Sprintf("submission %s %s", submission, text)})
	}
	for _, entry := range moments[len(moments)-1] {
		switch isDone := len(done[entry.ID]) > 0; {
		case !isDone && !rejected[entry.ID]:
			about(Undecided, entry.ID, "has neither a registrant with a token nor a rejection")
		case isDone && rejected[entry.ID]:
			about(DecidedTwice, entry.ID, "has a registrant with a token, and a rejection")
		}
	}
	return list
}

// came returns what is wrong with a registrant that came of submissions, or was
// completed by one. holders are the registrants before it by what they hold.
func came(id int64, now Holding, start Registry, made map[string][]string, holders map[string]int64) (list []Violation) {
	was, existed := start[id]
	if len(now.Submissions) == 0 {
		if !existed {
			list = append(list, violation(Added, id, "was not in the registry at the start, and came of no submission"))
		}
		return list
	}
	if len(now.Submissions) > 1 {
		list = append(list, violation(SecondPerson, id, "holds the ids of %d submissions", len(now.Submissions)))
	}
	if len(now.VIDs) > len(was.VIDs) {
		list = append(list, violation(VIDStored, id, "holds a VID of its submission"))
	}
	for _, submission := range now.Submissions {
		if other, twice := holders[submission]; twice {
			list = append(list, violation(SecondPerson, id, "came of the same submission as registrant %d", other))
		}
		holders[submission] = id
		for _, token := range now.Tokens {
			if !slices.Contains(made[submission], token) && !slices.Contains(was.Tokens, token) {
				list = append(list, violation(WrongToken, id, "has a token that was not made for its submission"))
			}
		}
	}
	return list
}

// SentKinds are rejections of submissions by kind, as totals count them: MTS reads each
// submission, so it was sent also where MTS calls it invalid.
func SentKinds(kinds map[seeding.RejectionKind]int) map[seeding.RejectionKind]int {
	sent := maps.Clone(kinds)
	sent[seeding.Refused] += sent[seeding.Invalid]
	delete(sent, seeding.Invalid)
	return sent
}
