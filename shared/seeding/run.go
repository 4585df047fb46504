package seeding

import "time"

// RunKind says what began a run.
type RunKind string

const (
	Recurring RunKind = "recurring" // the schedule; one of a connector is open at a time
	Import    RunKind = "import"    // a person; any number stand beside the recurring one
)

// Run is one processing of a connector's registrants: up to three passes over
// the VIDs of the registry, from the lowest identifier to the highest.
type Run struct {
	ID          string
	Connector   string
	Kind        RunKind
	Version     int // of the configuration that it runs under
	Started     time.Time
	Cursor      int64 // the last identifier looked at in this pass
	PassOver    bool  // the pass has seen the last identifier
	Passes      int   // passes begun, those of probes not counted
	PassStarted time.Time
	Completed   time.Time
	Tally       Tally  // what submit saw; batches keep their own totals
	Totals      Totals // of its batches, frozen when the run completes
	Fence       int64  // of the run lease under which it was written last
}

// Tally counts what a run decided without MTS.
type Tally struct {
	Looked  int // VIDs looked at, in all passes
	Invalid int // rejected unsent
	Removed int // VIDs removed because their registrant holds a token
}

// Totals tell what became of the records of a batch, or of the batches of a
// run. What is in none of the others is pending and found by a later pass.
// After faults they can miss by a fraction of a percent; the truth is counted
// at the registry.
type Totals struct {
	Sent      int
	Tokenised int
	Refused   int // by MOSIP, or by the registry when the token was created
	Duplicate int // the token is held by another registrant
	Conflict  int // the registrant holds another token, or its VID changed at the last moment
	NoToken   int // sent alone and lost
}

// Pending is what was sent and not decided.
func (t Totals) Pending() int {
	return max(0, t.Sent-t.Tokenised-t.Refused-t.Duplicate-t.Conflict-t.NoToken)
}

// Plus adds up.
func (t Totals) Plus(u Totals) Totals {
	return Totals{
		Sent: t.Sent + u.Sent, Tokenised: t.Tokenised + u.Tokenised, Refused: t.Refused + u.Refused,
		Duplicate: t.Duplicate + u.Duplicate, Conflict: t.Conflict + u.Conflict, NoToken: t.NoToken + u.NoToken,
	}
}

// Rejected is how many were rejected, of all kinds.
func (t Totals) Rejected() int { return t.Refused + t.Duplicate + t.Conflict + t.NoToken }
