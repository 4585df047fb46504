package seeding

import "strings"

// Codes of our own, beside those of MTS and MOSIP.
const (
	CodeEmptyToken  = "MTSC-EMPTY-TOKEN" // processed, but no token came
	CodeEmptyHeld   = "MTSC-EMPTY-HELD"  // the registrant holds a token identifier without a value
	CodeOtherToken  = "MTSC-OTHER-TOKEN" // the registrant holds another token
	CodeVIDChanged  = "MTSC-VID-CHANGED" // its VID was changed while the token was written
	CodeHeldByOther = "MTSC-HELD"        // another registrant holds the token
	CodeNoAnswer    = "MTSC-NO-ANSWER"   // sent alone, and MTS never answered
	CodeSetAside    = "MTSC-SET-ASIDE"   // the answer could not be worked off
)

// blame is whom a code speaks of.
type blame int

const (
	blameData    blame = iota // this registrant's data: a rejection
	blameSystem               // licence, partner, policy, service: a problem, unless others were answered
	blameUnclear              // data, unless every row of an answer says the same
)

// blameOf is the table of codes. Several codes are joined by commas.
func blameOf(codes string) blame {
	verdict := blameUnclear
	for code := range strings.SplitSeq(codes, ",") {
		switch {
		case code == "AUT_BAS_001", // MTS could not reach the identity service
			strings.HasPrefix(code, "IDA-MPA-"): // licence key, partner, policy
			return blameSystem
		case code == "ATS-REQ-100", code == "IDA-MLC-007": // "could not be understood", "unable to process"
		case code == CodeEmptyToken,
			strings.HasPrefix(code, "ATS-REQ-0"), // MTS's own checks of a record
			strings.HasPrefix(code, "IDA-MLC-"),
			strings.HasPrefix(code, "IDA-DEA-"):
			verdict = blameData
		}
	}
	return verdict
}

// alikeLimit rows of one kind are no accident of single registrants.
const alikeLimit = 3

// settle decides the unclear rows of one answer: a code that every one of at
// least three rows carries says something of the system, not of the data.
func settle(rows []Row) func(Row) blame {
	alike := len(rows) >= alikeLimit
	for _, r := range rows {
		alike = alike && r.Token == "" && r.Code == rows[0].Code
	}
	return func(r Row) blame {
		b := blameOf(r.Code)
		if b != blameUnclear {
			return b
		}
		if alike {
			return blameSystem
		}
		return blameData
	}
}
