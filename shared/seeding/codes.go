package seeding

import "strings"

// Codes of our own, beside those of MTS and MOSIP.
const (
	CodeEmptyToken  = "MTSC-EMPTY-TOKEN" // processed, but no token came
	CodeEmptyHeld   = "MTSC-EMPTY-HELD"  // the registrant holds a token identifier without a value
	CodeNotToken    = "MTSC-NOT-TOKEN"   // what it holds of the token type has not the shape of a token
	CodeTokenShape  = "MTSC-TOKEN-SHAPE" // the token that came has not the shape of a token
	CodeOtherToken  = "MTSC-OTHER-TOKEN" // the registrant holds another token
	CodeVIDChanged  = "MTSC-VID-CHANGED" // its VID was changed while the token was written
	CodeHeldByOther = "MTSC-HELD"        // another registrant holds the token
	CodeNoAnswer    = "MTSC-NO-ANSWER"   // sent alone, and MTS never answered
	CodeSetAside    = "MTSC-SET-ASIDE"   // the answer could not be processed
)

// Blame is the reason for which MTS or MOSIP gives no token, by its code.
type Blame int

const (
	BlameData    Blame = iota // this registrant's data: a rejection
	BlameSystem               // licence, partner, policy, service: a problem, unless others were answered
	BlameUnclear              // data, unless every row of an answer says the same
)

// BlameOf is the table of codes; several codes are joined by commas.
func BlameOf(codes string) Blame {
	blame := BlameUnclear
	for code := range strings.SplitSeq(codes, ",") {
		switch {
		case code == CodeTokenShape,
			code == "AUT_BAS_001",               // MTS could not reach the identity service
			strings.HasPrefix(code, "IDA-MPA-"): // licence key, partner, policy
			return BlameSystem
		case code == "ATS-REQ-100", code == "IDA-MLC-007": // "could not be understood", "unable to process"
		case code == CodeEmptyToken,
			strings.HasPrefix(code, "ATS-REQ-0"), // MTS's own checks of a record
			strings.HasPrefix(code, "IDA-MLC-"),
			strings.HasPrefix(code, "IDA-DEA-"):
			blame = BlameData
		}
	}
	return blame
}
