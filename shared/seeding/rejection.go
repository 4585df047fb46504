package seeding

import "time"

// RejectionKind says why a registrant is not going to get a token now.
type RejectionKind string

const (
	Invalid   RejectionKind = "invalid"   // MTS would not take it; never sent
	Refused   RejectionKind = "refused"   // MOSIP, or the registry, refused its data
	Duplicate RejectionKind = "duplicate" // another registrant holds its token
	Conflict  RejectionKind = "conflict"  // it holds another token, or its VID changed while the token was written
	NoToken   RejectionKind = "no_token"  // sent alone, and no answer came
	SetAside  RejectionKind = "set_aside" // its answer could not be worked off
)

// Rejection is one registrant that waits for its data to change or for its
// next attempt. It holds nothing of the registrant but ids.
type Rejection struct {
	Registry   string
	Identifier int64 // that holds the VID
	Connector  string
	Registrant int64
	Kind       RejectionKind
	Code       string // of MTS, MOSIP or the registry: "ATS-REQ-012", "IDA-MLC-009", "ValidationError"
	Holder     int64  // of a duplicate: who holds the token
	Print      Print  // of the data that was rejected; empty when it is not known
	PrintKey   string
	Attempts   int
	Next       time.Time // next attempt though nothing changed
	Since      time.Time
	Version    int // of the item; a write names the one it read, 0 for none
}

// Due tells whether the registrant is to be tried again: its data changed, or
// the time has come. An empty print fits everything.
func (r Rejection) Due(now time.Time, today Print) bool {
	return !r.Next.After(now) || (r.Print != Print{} && r.Print != today)
}
