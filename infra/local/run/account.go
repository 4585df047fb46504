package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// outcome is what became of a registrant, in the order of the account. The
// last of them should never occur.
type outcome int

const (
	tokenised     outcome = iota // got the token of its VID, and the VID is gone
	tokenisedAnew                // the same, by the VID it was given under way
	relieved                     // held a token before, and the VID is gone
	rejected                     // with kind and code
	untouched                    // for a cause, by what it was made as
	pending                      // has a VID, no token, and nobody rejected it
	kept                         // has a token now, and still the VID
	several                      // holds more than one token
	foreign                      // holds a token that was not made for it
	bereft                       // has lost its VID or its token, and has none now
	gone                         // is no longer in the registry
	strange                      // was not there before
)

var outcomeTexts = map[outcome]string{
	tokenised:     "tokenised, and the VID removed",
	tokenisedAnew: "tokenised by its new VID, having been given it under way, and the VID removed",
	relieved:      "held a token already; the VID removed",
	rejected:      "rejected",
	untouched:     "not touched",
	pending:       "pending: has a VID and no token, and is not rejected",
	kept:          "has a token and still a VID",
	several:       "holds several tokens",
	foreign:       "holds a token that was not made for it",
	bereft:        "lost its VID or its token, and has none",
	gone:          "no longer in the registry",
	strange:       "was not in the registry at the start",
}

// line is one line of the account. A registrant is in exactly one.
type line struct {
	outcome outcome
	kind    string // of a rejection, or why a registrant was not touched
	code    string // of a rejection
}

// counted is a line with how many registrants are in it and should be.
type counted struct {
	line
	is, should int
}

// evidence is everything that the account of registrants is made from.
type evidence struct {
	before, after []odoosim.Entry // the registry at the start and now
	rejections    []rejection     // as the API lists them
	changed       change
}

// change is the VID that one registrant was given under way.
type change struct {
	registrant int64 // 0: nobody
	vid        string
}

// registrants puts every registrant into its line, and counts beside it who
// should be in it. misplaced are those who are in another than they should be.
func (e evidence) registrants() (lines []counted, misplaced int) {
	rejections := map[int64]rejection{}
	for _, r := range e.rejections {
		rejections[r.Registrant] = r
	}
	after := map[int64]odoosim.Entry{}
	for _, entry := range e.after {
		after[entry.Registrant] = entry
	}
	is, should := map[line]int{}, map[line]int{}
	people := map[string]bool{} // who have a first registrant
	for _, was := range e.before {
		who := person(was)
		now, there := after[was.Registrant]
		delete(after, was.Registrant)
		found := line{outcome: gone}
		if there {
			rejection, isRejected := rejections[was.Registrant]
			found = e.find(was, now, rejection, isRejected)
		}
		wanted := e.want(was, people[who], found)
		people[who] = who != ""
		is[found]++
		should[wanted]++
		if found != wanted {
			misplaced++
		}
	}
	if len(after) > 0 {
		is[line{outcome: strange}] = len(after)
		misplaced += len(after)
	}
	for l := range should {
		is[l] += 0
	}
	for l, n := range is {
		lines = append(lines, counted{l, n, should[l]})
	}
	slices.SortFunc(lines, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.kind, b.kind), cmp.Compare(a.code, b.code))
	})
	return lines, misplaced
}

// find is where a registrant is, by what it held and holds.
func (e evidence) find(was, now odoosim.Entry, r rejection, isRejected bool) line {
	vids, tokens := held(now, odoosim.VIDType), held(now, odoosim.TokenType)
	vidsBefore, tokensBefore := held(was, odoosim.VIDType), held(was, odoosim.TokenType)
	switch isChanged := was.Registrant == e.changed.registrant; {
	case len(tokens) > 1:
		return line{outcome: several}
	case len(tokens) == 0 && (len(tokensBefore) > 0 || len(vids) < len(vidsBefore)):
		return line{outcome: bereft}
	case len(tokens) == 1 && !slices.Equal(tokens, tokensBefore) && !e.madeFor(was, tokens[0]):
		return line{outcome: foreign}
	case len(tokens) == 1 && len(vids) > 0:
		return line{outcome: kept}
	case len(tokens) == 1 && len(tokensBefore) == 0 && isChanged:
		return line{outcome: tokenisedAnew}
	case len(tokens) == 1 && len(tokensBefore) == 0:
		return line{outcome: tokenised}
	case len(tokens) == 1 && len(vidsBefore) > 0:
		return line{outcome: relieved}
	case isRejected:
		return line{rejected, r.Kind, r.Code}
	case idle(was.Kind) != "":
		return line{outcome: untouched, kind: idle(was.Kind)}
	}
	return line{outcome: pending}
}

// madeFor tells whether MTS makes this token from the VID that a registrant
// has: the one it was given under way, if it was.
func (e evidence) madeFor(was odoosim.Entry, token string) bool {
	if was.Registrant == e.changed.registrant {
		return mtssim.Token(e.changed.vid) == token
	}
	vids := held(was, odoosim.VIDType)
	return len(vids) == 1 && mtssim.Token(vids[0]) == token
}

// want is where a registrant should be, by what it was made as. Where several
// codes are right, the one found is wanted.
func (e evidence) want(was odoosim.Entry, second bool, found line) line {
	right, isRejected := toReject[was.Kind]
	switch {
	case was.Registrant == e.changed.registrant:
		return line{outcome: tokenisedAnew}
	case was.Kind == odoosim.SharedPerson && second:
		return line{rejected, "duplicate", "MTSC-HELD"}
	case isRejected && found.kind == right.kind && allOf(found.code, right.codes):
		return found
	case isRejected:
		return line{rejected, right.kind, right.codes[0]}
	case was.Kind == odoosim.TokenisedVID:
		return line{outcome: relieved}
	case idle(was.Kind) != "":
		return line{outcome: untouched, kind: idle(was.Kind)}
	}
	return line{outcome: tokenised}
}

// allOf tells whether every one of several codes, joined by commas, is right.
func allOf(codes string, right []string) bool {
	for code := range strings.SplitSeq(codes, ",") {
		if !slices.Contains(right, code) {
			return false
		}
	}
	return true
}

// toReject are the kinds of registrants that should be rejected, and how
// (facts/mts.md 2.4, 2.7).
var toReject = map[odoosim.Kind]struct {
	kind  string
	codes []string
}{
	odoosim.NoName:       {"invalid", []string{"ATS-REQ-010"}},
	odoosim.GroupWithVID: {"invalid", []string{"ATS-REQ-010"}},
	odoosim.NoGender:     {"invalid", []string{"ATS-REQ-011"}},
	odoosim.NoBirthdate:  {"invalid", []string{"ATS-REQ-012"}},
	odoosim.BlankAddress: {"invalid", []string{"ATS-REQ-015", "ATS-REQ-008"}}, // missing, or empty
	odoosim.RefusedVID:   {"refused", []string{"IDA-MLC-009"}},
	odoosim.GoneUIN:      {"refused", []string{"IDA-MLC-002"}},
	odoosim.ManyErrors:   {"refused", []string{"IDA-DEA-001"}},
	odoosim.EmptyToken:   {"refused", []string{"MTSC-EMPTY-TOKEN"}},
}

// idle says why a run has nothing to do with a kind of registrants; "" if it has.
func idle(kind odoosim.Kind) string {
	return map[odoosim.Kind]string{
		odoosim.Tokenised:   "holds a token already, and no VID",
		odoosim.ExpiredVID:  "the VID has expired",
		odoosim.InvalidVID:  "the VID is marked invalid",
		odoosim.ArchivedVID: "archived",
		odoosim.NoVID:       "has no VID",
		odoosim.Group:       "a group without a VID",
	}[kind]
}

// held are the values of one type that a registrant holds.
func held(entry odoosim.Entry, identifierType int64) (values []string) {
	for _, i := range entry.Identifiers {
		if i.Type == identifierType {
			values = append(values, i.Value)
		}
	}
	return values
}

// person is the part of a demo VID that names the person.
func person(entry odoosim.Entry) string {
	for _, vid := range held(entry, odoosim.VIDType) {
		return vid[:min(10, len(vid))]
	}
	return ""
}

// reasons are the API's words for each rejected line.
func (e evidence) reasons() map[line]string {
	said := map[line]string{}
	for _, r := range e.rejections {
		said[line{rejected, r.Kind, r.Code}] = r.Reason
	}
	return said
}

func (l line) text(reasons map[line]string) string {
	switch l.outcome {
	case rejected:
		return fmt.Sprintf("rejected, %s: %s (%s)", l.kind, cmp.Or(reasons[l], "no reason was given"), l.code)
	case untouched:
		return "not touched: " + l.kind
	}
	return outcomeTexts[l.outcome]
}

// figure is one number beside what it should be.
type figure struct {
	what       string
	is, should int
}

// registry are the figures of the registry as a whole.
func (e evidence) registry(state odoosim.State, expected odoosim.Expectation) []figure {
	count := func(entries []odoosim.Entry, identifierType int64) (n int) {
		for _, entry := range entries {
			n += len(held(entry, identifierType))
		}
		return n
	}
	return []figure{
		{"tokens", count(e.after, odoosim.TokenType), expected.Tokens},
		{"different tokens", state.DistinctTokens, expected.Tokens},
		{"registrants with more than one token", state.ManyTokens, 0},
		{"registrants with a token and a VID", state.Both, 0},
		{"VIDs left", count(e.after, odoosim.VIDType), expected.VIDsLeft},
		{"registrants", len(e.after), expected.Registrants},
		{"rejections that the API lists", len(e.rejections), expected.Rejected()},
	}
}
