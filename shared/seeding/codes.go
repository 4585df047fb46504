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
	CodeSetAside    = "MTSC-SET-ASIDE"   // the answer could not be processed
)

// Blame is what a code of MTS or MOSIP blames.
type Blame int

const (
	BlameData    Blame = iota // this registrant's data: a rejection
	BlameSystem               // licence, partner, policy, service: a problem, unless others were answered
	BlameUnclear              // data, unless every row of an answer says the same
)

// BlameOf is the table of codes. Several codes are joined by commas.
func BlameOf(codes string) Blame {
	cause := BlameUnclear
	for code := range strings.SplitSeq(codes, ",") {
		switch {
		case code == "AUT_BAS_001", // MTS could not reach the identity service
			strings.HasPrefix(code, "IDA-MPA-"): // licence key, partner, policy
			return BlameSystem
		case code == "ATS-REQ-100", code == "IDA-MLC-007": // "could not be understood", "unable to process"
		case code == CodeEmptyToken,
			strings.HasPrefix(code, "ATS-REQ-0"), // MTS's own checks of a record
			strings.HasPrefix(code, "IDA-MLC-"),
			strings.HasPrefix(code, "IDA-DEA-"):
			cause = BlameData
		}
	}
	return cause
}

// AlikeLimit rows of one kind are no accident of single registrants.
const AlikeLimit = 3

// BlamesOf returns what each row of one answer blames. It decides the unclear
// ones too: a code that every one of at least three rows carries says something
// of the system, not of the data.
func BlamesOf(rows []Row) func(Row) Blame {
	alike := len(rows) >= AlikeLimit
	for _, r := range rows {
		alike = alike && r.Token == "" && r.Code == rows[0].Code
	}
	return func(r Row) Blame {
		cause := BlameOf(r.Code)
		switch {
		case cause != BlameUnclear:
			return cause
		case alike:
			return BlameSystem
		}
		return BlameData
	}
}
