package invariants

import (
	"fmt"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// Figure is a count, and what it should be.
type Figure struct {
	What             string
	Actual, Expected int
}

// Differences returns the figures that are not as they should be, in words.
func Differences(figures []Figure) (list []string) {
	for _, f := range figures {
		if f.Actual != f.Expected {
			list = append(list, fmt.Sprintf("%s: %d instead of %d", f.What, f.Actual, f.Expected))
		}
	}
	return list
}

// Counts are the figures of a registry as a whole after a complete run.
func Counts(now Registry, expected odoosim.Expectation) []Figure {
	tokens, vids, several, both := 0, 0, 0, 0
	different := map[string]bool{}
	for _, has := range now {
		tokens += len(has.Tokens)
		vids += len(has.VIDs)
		for _, token := range has.Tokens {
			different[token] = true
		}
		if len(has.Tokens) > 1 {
			several++
		}
		if len(has.Tokens) > 0 && len(has.VIDs) > 0 {
			both++
		}
	}
	return []Figure{
		{"tokens", tokens, expected.Tokens},
		{"different tokens", len(different), expected.Tokens},
		{"registrants with more than one token", several, 0},
		{"registrants with a token and a VID", both, 0},
		{"VIDs left", vids, expected.VIDsLeft},
		{"registrants", len(now), expected.Registrants},
	}
}

// ByKind counts rejections.
func ByKind(rejections []seeding.Rejection) map[seeding.RejectionKind]int {
	kinds := map[seeding.RejectionKind]int{}
	for _, r := range rejections {
		kinds[r.Kind]++
	}
	return kinds
}

// Rejected are the figures of the rejections after a complete run, by kind.
func Rejected(kinds map[seeding.RejectionKind]int, expected odoosim.Expectation) (figures []Figure) {
	right := map[seeding.RejectionKind]int{
		seeding.Invalid: sum(expected.Invalid), seeding.Refused: sum(expected.Refused), seeding.Duplicate: expected.Duplicates,
	}
	for _, kind := range seeding.RejectionKinds {
		figures = append(figures, Figure{"rejections, " + string(kind), kinds[kind], right[kind]})
	}
	return figures
}

func sum(kinds map[odoosim.Kind]int) (n int) {
	for _, k := range kinds {
		n += k
	}
	return n
}

// Outcome counts what became of registrants: as the totals and tallies of the
// connector say it, or as the registry, the rejections and MTS show it.
type Outcome struct {
	Sent      int // records
	Pending   int // records sent in vain: sent again, or still to be
	Tokenised int
	Refused   int
	Duplicate int
	Conflict  int
	NoToken   int
	Invalid   int // rejected unsent
	Removed   int // VIDs of registrants that had a token before
}

// Reported is the outcome as totals and a tally say it.
func Reported(totals seeding.Totals, tally seeding.Tally) Outcome {
	return Outcome{
		Sent: totals.Sent, Pending: totals.Pending(), Tokenised: totals.Tokenised,
		Refused: totals.Refused, Duplicate: totals.Duplicate, Conflict: totals.Conflict, NoToken: totals.NoToken,
		Invalid: tally.Invalid, Removed: tally.Removed,
	}
}

// Observe is the outcome that can be seen without asking the connector for its
// totals. received are the records that MTS received, submitted those that it had
// to receive.
func Observe(now, start Registry, rejections map[seeding.RejectionKind]int, received, submitted int) Outcome {
	o := Outcome{
		Sent: received, Pending: received - submitted,
		Refused: rejections[seeding.Refused], Duplicate: rejections[seeding.Duplicate], Conflict: rejections[seeding.Conflict],
		NoToken: rejections[seeding.NoToken], Invalid: rejections[seeding.Invalid],
	}
	for id, has := range now {
		was := start[id]
		if len(has.Tokens) > 0 && len(was.Tokens) == 0 {
			o.Tokenised++
		}
		if len(was.Tokens) > 0 && len(has.VIDs) < len(was.VIDs) {
			o.Removed++
		}
	}
	return o
}

// Totals are the figures of what the connector reports beside what can be
// observed. They agree after a run without faults; after faults they may differ
// by a little (protocol, "Patch" 5).
func Totals(reported, observed Outcome) []Figure {
	return []Figure{
		{"records sent; received by MTS", reported.Sent, observed.Sent},
		{"left undecided by their batch; sent again", reported.Pending, observed.Pending},
		{"tokenised", reported.Tokenised, observed.Tokenised},
		{"refused by MOSIP or the registry", reported.Refused, observed.Refused},
		{"duplicates", reported.Duplicate, observed.Duplicate},
		{"conflicts", reported.Conflict, observed.Conflict},
		{"no answer though sent alone", reported.NoToken, observed.NoToken},
		{"rejected unsent", reported.Invalid, observed.Invalid},
		{"VIDs removed of registrants that had a token", reported.Removed, observed.Removed},
	}
}

// Overstatement is violated when the totals say that more registrants got a token
// than the registry shows. lost are the records of batches that were lost: the
// answer of such a batch can come late, and count a registrant a second time.
func Overstatement(reported, observed Outcome, lost int) []Violation {
	if reported.Tokenised <= observed.Tokenised+lost {
		return nil
	}
	return []Violation{{Rule: Overstated, Text: fmt.Sprintf("the totals have %d tokenised, the registry %d; %d records were in lost batches",
		reported.Tokenised, observed.Tokenised, lost)}}
}
