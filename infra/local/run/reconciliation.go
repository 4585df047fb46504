package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// outcome is what happened to a registrant, in the order of the report. From
// pending on, none should occur.
type outcome int

const (
	tokenised       outcome = iota // has the token of its VID, and the VID is removed
	newVIDTokenised                // the same, with the VID that it was given during the run
	vidRemoved                     // had a token before, and the VID is removed
	rejected                       // with kind and code
	untouched                      // for a reason that follows from its demo kind
	pending                        // has a VID, no token and no rejection
	vidKept                        // has a new token and still the VID
	severalTokens                  // has more than one token
	wrongToken                     // has a token that was not made for it
	lost                           // has lost its VID or its token, and has no token
	missing                        // is no longer in the registry
	added                          // was not in the registry at the start
)

var outcomeTexts = map[outcome]string{
	tokenised:       "tokenised, and the VID removed",
	newVIDTokenised: "tokenised with the new VID that it was given during the run, and the VID removed",
	vidRemoved:      "had a token already; the VID removed",
	rejected:        "rejected",
	untouched:       "not touched",
	pending:         "pending: has a VID and no token, and is not rejected",
	vidKept:         "has a token and still a VID",
	severalTokens:   "has several tokens",
	wrongToken:      "has a token that was not made for it",
	lost:            "lost its VID or its token, and has no token",
	missing:         "no longer in the registry",
	added:           "was not in the registry at the start",
}

// line is one line of the report. Every registrant belongs to exactly one.
type line struct {
	outcome outcome
	kind    string // of a rejection, or why a registrant was not touched
	code    string // of a rejection
}

// counted is a line with the number of registrants that are in it and that
// should be.
type counted struct {
	line
	actual, expected int
}

// evidence is everything that the report on the registrants is made from.
type evidence struct {
	before, after []odoosim.Entry // the registry at the start and now
	rejections    []rejection     // as the API lists them
	changed       change
}

// change is the VID that one registrant was given during the run.
type change struct {
	registrant int64 // 0: none
	vid        string
}

// registrants counts for every line the registrants that are in it and those
// that should be. misplaced is how many are in another line than they should be.
func (e evidence) registrants() (lines []counted, misplaced int) {
	rejections := map[int64]rejection{}
	for _, r := range e.rejections {
		rejections[r.Registrant] = r
	}
	after := map[int64]odoosim.Entry{}
	for _, entry := range e.after {
		after[entry.Registrant] = entry
	}
	actual, expected := map[line]int{}, map[line]int{}
	persons := map[string]bool{} // of the registrants looked at before
	for _, was := range e.before {
		who := person(was)
		now, exists := after[was.Registrant]
		delete(after, was.Registrant)
		found := line{outcome: missing}
		if exists {
			rejection, isRejected := rejections[was.Registrant]
			found = e.find(was, now, rejection, isRejected)
		}
		right := e.expect(was, persons[who], found)
		persons[who] = who != ""
		actual[found]++
		expected[right]++
		if found != right {
			misplaced++
		}
	}
	if len(after) > 0 {
		actual[line{outcome: added}] = len(after)
		misplaced += len(after)
	}
	for l := range expected {
		actual[l] += 0
	}
	for l, n := range actual {
		lines = append(lines, counted{l, n, expected[l]})
	}
	slices.SortFunc(lines, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.kind, b.kind), cmp.Compare(a.code, b.code))
	})
	return lines, misplaced
}

// find is the line of a registrant, by the identifiers it had and has.
func (e evidence) find(was, now odoosim.Entry, r rejection, isRejected bool) line {
	vids, tokens := values(now, odoosim.VIDType), values(now, odoosim.TokenType)
	vidsBefore, tokensBefore := values(was, odoosim.VIDType), values(was, odoosim.TokenType)
	switch isChanged := was.Registrant == e.changed.registrant; {
	case len(tokens) > 1:
		return line{outcome: severalTokens}
	case len(tokens) == 0 && (len(tokensBefore) > 0 || len(vids) < len(vidsBefore)):
		return line{outcome: lost}
	case len(tokens) == 1 && !slices.Equal(tokens, tokensBefore) && !e.madeFor(was, tokens[0]):
		return line{outcome: wrongToken}
	case len(tokens) == 1 && len(vids) > 0:
		return line{outcome: vidKept}
	case len(tokens) == 1 && len(tokensBefore) == 0 && isChanged:
		return line{outcome: newVIDTokenised}
	case len(tokens) == 1 && len(tokensBefore) == 0:
		return line{outcome: tokenised}
	case len(tokens) == 1 && len(vidsBefore) > 0:
		return line{outcome: vidRemoved}
	case isRejected:
		return line{rejected, r.Kind, r.Code}
	case whyUntouched(was.Kind) != "":
		return line{outcome: untouched, kind: whyUntouched(was.Kind)}
	}
	return line{outcome: pending}
}

// madeFor reports whether the token is the one that MTS makes from the VID of a
// registrant: from the VID that it was given during the run, if there is one.
func (e evidence) madeFor(was odoosim.Entry, token string) bool {
	if was.Registrant == e.changed.registrant {
		return mtssim.Token(e.changed.vid) == token
	}
	vids := values(was, odoosim.VIDType)
	return len(vids) == 1 && mtssim.Token(vids[0]) == token
}

// expect is the line in which a registrant should be, by its demo kind. second
// means that an earlier registrant is the same person. If several codes are
// right, the one that was found is expected.
func (e evidence) expect(was odoosim.Entry, second bool, found line) line {
	right, isRejected := toReject[was.Kind]
	switch {
	case was.Registrant == e.changed.registrant:
		return line{outcome: newVIDTokenised}
	case was.Kind == odoosim.SharedPerson && second:
		return line{rejected, "duplicate", "MTSC-HELD"}
	case isRejected && found.kind == right.kind && allOf(found.code, right.codes):
		return found
	case isRejected:
		return line{rejected, right.kind, right.codes[0]}
	case was.Kind == odoosim.TokenisedVID:
		return line{outcome: vidRemoved}
	case whyUntouched(was.Kind) != "":
		return line{outcome: untouched, kind: whyUntouched(was.Kind)}
	}
	return line{outcome: tokenised}
}

// allOf reports whether every one of several codes, joined by commas, is right.
func allOf(codes string, right []string) bool {
	for code := range strings.SplitSeq(codes, ",") {
		if !slices.Contains(right, code) {
			return false
		}
	}
	return true
}

// toReject are the demo kinds that should be rejected, and how
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

// whyUntouched says why a run does not touch registrants of a demo kind; "" if it
// does.
func whyUntouched(kind odoosim.Kind) string {
	return map[odoosim.Kind]string{
		odoosim.Tokenised:   "has a token already, and no VID",
		odoosim.ExpiredVID:  "the VID has expired",
		odoosim.InvalidVID:  "the VID is marked invalid",
		odoosim.ArchivedVID: "archived",
		odoosim.NoVID:       "has no VID",
		odoosim.Group:       "a group without a VID",
	}[kind]
}

// values are those of a registrant's identifiers of one type.
func values(entry odoosim.Entry, identifierType int64) (list []string) {
	for _, i := range entry.Identifiers {
		if i.Type == identifierType {
			list = append(list, i.Value)
		}
	}
	return list
}

// person is the part of a demo VID that names the person.
func person(entry odoosim.Entry) string {
	for _, vid := range values(entry, odoosim.VIDType) {
		return vid[:min(10, len(vid))]
	}
	return ""
}

// reasons are the API's texts for the lines of rejections.
func (e evidence) reasons() map[line]string {
	reasons := map[line]string{}
	for _, r := range e.rejections {
		reasons[line{rejected, r.Kind, r.Code}] = r.Reason
	}
	return reasons
}

func (l line) text(reasons map[line]string) string {
	switch l.outcome {
	case rejected:
		return fmt.Sprintf("rejected, %s: %s (%s)", l.kind, cmp.Or(reasons[l], "no reason given"), l.code)
	case untouched:
		return "not touched: " + l.kind
	}
	return outcomeTexts[l.outcome]
}

// figure is a number and what it should be.
type figure struct {
	what             string
	actual, expected int
}

// registry are the figures of the registry as a whole.
func (e evidence) registry(state odoosim.State, expected odoosim.Expectation) []figure {
	count := func(entries []odoosim.Entry, identifierType int64) (n int) {
		for _, entry := range entries {
			n += len(values(entry, identifierType))
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
