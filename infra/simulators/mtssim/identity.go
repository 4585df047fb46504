package mtssim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// Applicant is what reaches the identity system about one record, after
// mapping, joining and normalising (facts/mts.md 2.4). Absent is empty.
type Applicant struct {
	VID         string
	Name        string
	Gender      string
	DOB         string
	PhoneNumber string
	EmailID     string
	FullAddress string
	Language    string
}

// Verdict is what a record gets from the identity system. With an ErrorCode the
// record is an error; without one it is processed, and Token may even then be
// empty (null on the wire). An empty ErrorMessage is null on the wire.
type Verdict struct {
	Token        string
	ErrorCode    string
	ErrorMessage string
}

// special has the verdicts for the last two digits of a VID.
var special = map[string]Verdict{
	"90": {ErrorCode: "IDA-MLC-009", ErrorMessage: "Invalid VID"},
	"91": {ErrorCode: "IDA-MLC-002", ErrorMessage: "Invalid UIN"},
	"92": {ErrorCode: "ATS-REQ-103", ErrorMessage: "IDA-DEA-001::Demographic data name in eng did not match," +
		"IDA-DEA-001::Demographic data dob did not match"}, // several errors
	"93": {}, // accepted, without a token
	"94": {ErrorCode: "IDA-DEA-001", ErrorMessage: "Demographic data name in eng did not match"},
	"95": {ErrorCode: "ATS-REQ-100"},                                                              // refused with an empty error list
	"96": {ErrorCode: "AUT_BAS_001", ErrorMessage: "Not Able to process auth request."},           // the call failed
	"97": {ErrorCode: "IDA-MPA-005", ErrorMessage: "OTP Request Usage not allowed as per policy"}, // the partner may not
	"88": {ErrorCode: "ATS-REQ-100", ErrorMessage: "Unknown exception"},                           // a reply not understood
	"89": {ErrorCode: "IDA-MLC-005", ErrorMessage: "Expired VID"},
}

// Rules is the identity system unless Options.Identify is set. Only the digits of
// the VID decide, so a test that makes up a VID knows its verdict. A VID is
// pppppppppp ssss bb: ten digits of a person, four that tell the person's VIDs
// apart, two that decide the verdict:
//
//	not 16 digits  refused: IDA-MLC-009 "Invalid VID"
//	bb = 88        a reply not understood (ATS-REQ-100)
//	     89        IDA-MLC-005 Expired VID
//	     90        IDA-MLC-009 Invalid VID
//	     91        IDA-MLC-002 Invalid UIN
//	     92        several errors (ATS-REQ-103)
//	     93        accepted without a token
//	     94        IDA-DEA-001 name does not match
//	     95        no error named (ATS-REQ-100, null)
//	     96        the identity system cannot be reached (AUT_BAS_001)
//	     97        the partner may not (IDA-MPA-005)
//	     98        accepted with a new random token every time
//	     99        never answered: the worker hangs until a restart (facts/mts.md W2)
//	any other bb   accepted; every VID of a person gives the same token
//
// A token is 36 decimal digits: see Token.
func Rules(ctx context.Context, a Applicant) Verdict {
	if !sixteenDigits(a.VID) {
		return special["90"]
	}
	switch behaviour := a.VID[14:]; behaviour {
	case "98":
		return Verdict{Token: tokenOf(rand.Text())}
	case "99":
		<-ctx.Done()
		return Verdict{}
	default:
		if v, ok := special[behaviour]; ok {
			return v
		}
		return Verdict{Token: Token(a.VID)}
	}
}

// Token is the token of the person behind a VID that Rules accepts: the same
// for all VIDs of one person, and the same in every run.
func Token(vid string) string {
	if sixteenDigits(vid) {
		return tokenOf(vid[:10])
	}
	return tokenOf(vid)
}

var tokenRange = new(big.Int).Exp(big.NewInt(10), big.NewInt(36), nil)

func tokenOf(person string) string {
	sum := sha256.Sum256([]byte("token of " + person))
	n := new(big.Int).SetBytes(sum[:])
	return fmt.Sprintf("%036d", n.Mod(n, tokenRange))
}

func sixteenDigits(vid string) bool {
	if len(vid) != 16 {
		return false
	}
	for _, c := range []byte(vid) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
