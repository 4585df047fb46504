// Package invariants states what must be true of a registry, and of what the
// connector says about it, whatever went wrong on the way. Its functions are pure:
// they compare plain values, and return what is violated in words that name
// registrants by their id only.
//
// System tests, end-to-end tests, the soak, the benchmarks and the reconciliation
// report of the demo all check the same invariants here.
package invariants

import (
	"fmt"
	"maps"
	"slices"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Holding is what one registrant holds: values of its identifiers by type.
type Holding struct {
	VIDs, Tokens []string
	Submissions  []string // ids of submissions that it came of; one, if all is well
	Others       []string // identifiers that the connector must not touch
}

// HoldingOf sorts the identifiers of one registrant by type.
func HoldingOf(identifiers []odoosim.Identifier) (h Holding) {
	for _, i := range identifiers {
		switch i.Type {
		case odoosim.VIDType:
			h.VIDs = append(h.VIDs, i.Value)
		case odoosim.TokenType:
			h.Tokens = append(h.Tokens, i.Value)
		case odoosim.SubmissionType:
			h.Submissions = append(h.Submissions, i.Value)
		default:
			h.Others = append(h.Others, i.Value)
		}
	}
	return h
}

// Registry is what every registrant of a registry holds at one moment.
type Registry map[int64]Holding

// VID is the VID of a registrant, the first one if it has several; "" if it has
// none.
func (r Registry) VID(registrant int64) string {
	for _, vid := range r[registrant].VIDs {
		return vid
	}
	return ""
}

// RegistryOf sorts the identifiers of all registrants, as Server.Snapshot of the
// simulated registry returns them.
func RegistryOf(snapshot map[int64][]odoosim.Identifier) Registry {
	r := Registry{}
	for id, identifiers := range snapshot {
		r[id] = HoldingOf(identifiers)
	}
	return r
}

// Rule is what a violation violates.
type Rule int

const (
	// Identifiers.
	SecondToken Rule = iota + 1 // a registrant has at most one token
	WrongToken                  // … the one it had before, or the one made from a VID that it had
	SharedToken                 // no two registrants have the same token
	Loss                        // no VID and no token is gone for nothing
	OtherGone                   // other identifiers stay as they are
	// Registrants.
	Missing // no registrant is gone
	Added   // no registrant is new
	// Rejections.
	Undecided // who has a VID and no token is rejected, or nothing has to be done
	Forgotten // a rejection that can end by itself has a next attempt
	// Submissions.
	SecondPerson // no submission makes two registrants, and no registrant comes of two
	VIDStored    // no VID of a submission gets into the registry
	DecidedTwice // who has a token is not rejected
	// Requests and totals.
	SentAgain  // no VID is sent more often than it has to be
	Overstated // totals do not say more than the registry shows
)

// Violation is one thing that is not as it must be.
type Violation struct {
	Rule       Rule
	Registrant int64 // 0: it is not about one registrant
	Text       string
}

func (v Violation) String() string { return v.Text }

// Words are the texts of all violations.
func Words(lists ...[]Violation) (texts []string) {
	for _, list := range lists {
		for _, v := range list {
			texts = append(texts, v.String())
		}
	}
	return texts
}

func violation(rule Rule, registrant int64, format string, args ...any) Violation {
	return Violation{rule, registrant, fmt.Sprintf("registrant %d ", registrant) + fmt.Sprintf(format, args...)}
}

// Identifiers returns what is wrong with the identifiers that registrants hold
// now. before are earlier moments: the start, and one more after each change of a
// VID that is not the connector's. Registrants that are unknown before or gone
// now are not judged; Registrants finds those.
func Identifiers(now Registry, before ...Registry) (list []Violation) {
	holder := map[string]int64{}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		list = append(list, holding(id, now[id], of(id, before))...)
		for _, token := range now[id].Tokens {
			if other, shared := holder[token]; shared && other != id {
				list = append(list, violation(SharedToken, id, "has the token of registrant %d", other))
			}
			holder[token] = id
		}
	}
	return list
}

// of returns what a registrant held at those moments at which it existed.
func of(id int64, before []Registry) (held []Holding) {
	for _, moment := range before {
		if h, exists := moment[id]; exists {
			held = append(held, h)
		}
	}
	return held
}

// holding returns what is wrong with what one registrant holds now.
func holding(id int64, now Holding, before []Holding) (list []Violation) {
	if len(now.Tokens) > 1 {
		list = append(list, violation(SecondToken, id, "has %d tokens", len(now.Tokens)))
	}
	if len(before) == 0 {
		return list
	}
	for _, token := range now.Tokens {
		if !slices.Contains(own(before), token) {
			list = append(list, violation(WrongToken, id, "has a token that was not made for it"))
		}
	}
	if len(now.Tokens) == 0 && slices.ContainsFunc(before, func(was Holding) bool {
		return len(was.Tokens) > 0 || len(was.VIDs) > len(now.VIDs)
	}) {
		list = append(list, violation(Loss, id, "lost its VID or its token, and has no token"))
	}
	if last := before[len(before)-1]; !slices.Equal(slices.Sorted(slices.Values(now.Others)), slices.Sorted(slices.Values(last.Others))) {
		list = append(list, violation(OtherGone, id, "has other identifiers than before, which are neither VID nor token"))
	}
	return list
}

// own are the tokens that a registrant may have: those that it had before, or
// else those that are made from its VIDs.
func own(before []Holding) (tokens []string) {
	for _, was := range before {
		tokens = append(tokens, was.Tokens...)
	}
	if len(tokens) > 0 {
		return tokens
	}
	for _, was := range before {
		for _, vid := range was.VIDs {
			tokens = append(tokens, mtssim.Token(vid))
		}
	}
	return tokens
}

// Registrants returns who is gone and who is new since the start.
func Registrants(now, start Registry) (list []Violation) {
	for _, id := range slices.Sorted(maps.Keys(start)) {
		if _, exists := now[id]; !exists {
			list = append(list, violation(Missing, id, "is no longer in the registry"))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if _, existed := start[id]; !existed {
			list = append(list, violation(Added, id, "was not in the registry at the start"))
		}
	}
	return list
}

// Sent returns the VIDs that MTS received more than most times. times are by VID;
// a text names a VID by its last two digits only.
func Sent(times map[string]int, most int) (list []Violation) {
	for _, vid := range slices.Sorted(maps.Keys(times)) {
		if n := times[vid]; n > most {
			list = append(list, Violation{Rule: SentAgain, Text: fmt.Sprintf("a VID ending in %s was sent %d times, at most %d are right", vid[max(0, len(vid)-2):], n, most)})
		}
	}
	return list
}
