package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// outcome is what happened to a registrant, or came of a submission, in the order of
// the report. From pending on, none should occur.
type outcome int

const (
	created         outcome = iota // a registrant came of the submission, with the token of its VID
	createdEdited                  // the same, with the VID of its edited version
	tokenised                      // has the token of its VID, and the VID is removed
	newVIDTokenised                // the same, with the VID that it was given during the run
	vidRemoved                     // had a token before, and the VID is removed
	rejected                       // with kind and code
	untouched                      // for a reason that follows from its demo kind
	pending                        // has a VID, no token and no rejection
	vidKept                        // has a new token and still the VID
	severalTokens                  // has more than one token
	wrongToken                     // has a token that was not made for it
	lost                           // has lost its VID or its token, and has no token
	otherGone                      // has other identifiers than before, besides VID and token
	missing                        // is no longer in the registry
	added                          // was not in the registry at the start
	undecided                      // nothing came of the submission
	wronglyCreated                 // not one registrant with the right token came of it
	strange                        // a registrant came of no submission
)

var outcomeTexts = map[outcome]string{
	created:         "a registrant was created, with its token",
	createdEdited:   "the same, with the token of the VID to which it was edited during the run",
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
	otherGone:       "has other identifiers than before, besides VID and token",
	missing:         "no longer in the registry",
	added:           "was not in the registry at the start",
	undecided:       "neither a registrant nor a rejection came of it",
	wronglyCreated:  "what came of it is not one registrant, with its token and not rejected",
	strange:         "registrants that came of no submission",
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
	before, after []odoosim.Entry              // the registry at the start and now
	rejections    []deployed.RejectionDocument // as the API lists them
	changed       change
}

// start is what the registrants held at the start, with the VID that one of them
// was given later.
func (e evidence) start() invariants.Registry {
	start := registryOf(e.before)
	if was, exists := start[e.changed.registrant]; exists {
		was.VIDs = []string{e.changed.vid}
		start[e.changed.registrant] = was
	}
	return start
}

func registryOf(entries []odoosim.Entry) invariants.Registry {
	r := invariants.Registry{}
	for _, entry := range entries {
		r[entry.Registrant] = invariants.HoldingOf(entry.Identifiers)
	}
	return r
}

// change is the VID that one registrant was given during the run.
type change struct {
	registrant int64 // 0: none
	vid        string
}

// violated are the lines of what must never happen.
var violated = map[invariants.Rule]outcome{
	invariants.SecondToken: severalTokens,
	invariants.WrongToken:  wrongToken,
	invariants.SharedToken: wrongToken,
	invariants.Loss:        lost,
	invariants.OtherGone:   otherGone,
	invariants.Missing:     missing,
	invariants.Added:       added,
}

// registrants counts for every line the registrants that are in it and those
// that should be. misplaced is how many are in another line than they should be.
func (e evidence) registrants() (lines []counted, misplaced int) {
	rejections := map[int64]deployed.RejectionDocument{}
	for _, r := range e.rejections {
		rejections[r.Registrant] = r
	}
	start, now := e.start(), registryOf(e.after)
	wrong := map[int64]outcome{}
	actual, expected := map[line]int{}, map[line]int{}
	for _, v := range slices.Concat(invariants.Identifiers(now, start), invariants.Registrants(now, start)) {
		if _, known := wrong[v.Registrant]; !known {
			wrong[v.Registrant] = violated[v.Rule]
		}
		if v.Rule == invariants.Added {
			actual[line{outcome: added}]++
			misplaced++
		}
	}
	holders := e.holders(now)
	for _, was := range e.before {
		id, who := was.Registrant, person(was)
		found := line{outcome: wrong[id]}
		if _, isWrong := wrong[id]; !isWrong {
			rejection, isRejected := rejections[id]
			found = e.find(was, now[id], rejection, isRejected)
		}
		right := e.expect(was, who != "" && holders[who] != id, found)
		actual[found]++
		expected[right]++
		if found != right {
			misplaced++
		}
	}
	return sorted(actual, expected), misplaced
}

// sorted are the lines in which somebody is or should be.
func sorted(actual, expected map[line]int) (lines []counted) {
	for l := range expected {
		actual[l] += 0
	}
	for l, n := range actual {
		lines = append(lines, counted{l, n, expected[l]})
	}
	slices.SortFunc(lines, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.kind, b.kind), cmp.Compare(a.code, b.code))
	})
	return lines
}

// holders are, by person, which of its registrants should have the token: one that
// has it, or the first. Batches are answered in any order, so it may be any of them.
func (e evidence) holders(now invariants.Registry) map[string]int64 {
	holders := map[string]int64{}
	for _, was := range e.before {
		who := person(was)
		before, known := holders[who]
		if !known || len(now[before].Tokens) == 0 && len(now[was.Registrant].Tokens) > 0 {
			holders[who] = was.Registrant
		}
	}
	return holders
}

// find is the line of a registrant that violates nothing.
func (e evidence) find(was odoosim.Entry, now invariants.Holding, r deployed.RejectionDocument, isRejected bool) line {
	before := invariants.HoldingOf(was.Identifiers)
	why := invariants.WhyUntouched(was.Kind)
	switch hasToken, hadToken := len(now.Tokens) > 0, len(before.Tokens) > 0; {
	case hasToken && len(now.VIDs) > 0:
		return line{outcome: vidKept}
	case hasToken && !hadToken && was.Registrant == e.changed.registrant:
		return line{outcome: newVIDTokenised}
	case hasToken && !hadToken:
		return line{outcome: tokenised}
	case hasToken && len(before.VIDs) > 0:
		return line{outcome: vidRemoved}
	case isRejected:
		return line{rejected, r.Kind, r.Code}
	case why != "":
		return line{outcome: untouched, kind: why}
	}
	return line{outcome: pending}
}

// expect is the line in which a registrant should be, by its demo kind. second
// means that another registrant is the same person and holds its token. If several
// codes are right, the one that was found is expected.
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
	case invariants.WhyUntouched(was.Kind) != "":
		return line{outcome: untouched, kind: invariants.WhyUntouched(was.Kind)}
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
	odoosim.NoGender:     {"invalid", []string{"ATS-REQ-011"}},
	odoosim.NoBirthdate:  {"invalid", []string{"ATS-REQ-012"}},
	odoosim.BlankAddress: {"invalid", []string{"ATS-REQ-015", "ATS-REQ-008"}}, // missing, or empty
	odoosim.RefusedVID:   {"refused", []string{"IDA-MLC-009"}},
	odoosim.GoneUIN:      {"refused", []string{"IDA-MLC-002"}},
	odoosim.ManyErrors:   {"refused", []string{"IDA-DEA-001"}},
	odoosim.EmptyToken:   {"refused", []string{"MTSC-EMPTY-TOKEN"}},
}

// person is the part of a demo VID that names the person.
func person(entry odoosim.Entry) string {
	for _, vid := range invariants.HoldingOf(entry.Identifiers).VIDs {
		return vid[:min(10, len(vid))]
	}
	return ""
}

// reasons are the API's texts for the lines of rejections.
func reasons(rejections []deployed.RejectionDocument) map[line]string {
	reasons := map[line]string{}
	for _, r := range rejections {
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

// registry are the figures of the registry as a whole.
func (e evidence) registry(expected odoosim.Expectation) []invariants.Figure {
	return append(invariants.Counts(registryOf(e.after), expected),
		invariants.Figure{What: "rejections that the API lists", Actual: len(e.rejections), Expected: expected.Rejected()})
}

// totals are the figures of the run's totals beside what the two servers show.
func (e evidence) totals(run deployed.RunDocument, received int, expected odoosim.Expectation) []invariants.Figure {
	observed := invariants.Observe(registryOf(e.after), registryOf(e.before), deployed.ByKind(e.rejections), received, expected.Submitted)
	return invariants.Totals(run.Outcome(), observed)
}
