package seeding

import "time"

// Status says whether a connector makes new batches.
type Status string

const (
	Running Status = "running"
	Stopped Status = "stopped"
)

// State is what the functions share about a connector; it is apart from the
// configuration because a lease must not cost kilobytes.
type State struct {
	Connector string
	Registry  string // RegistryKey of the configuration
	MTS       string // MTSKey of the configuration
	Version   int    // of the configuration
	Status    Status
	Due       time.Time // when submit should look next; an open import is looked at with every tick
	Run       string    // the recurring run that is open, or ""
	Imports   []string  // the imports that are open, in the order of their ids
	Moved     time.Time // when an open run last moved, or waited for what is under way
	Lease     Lease     // held by the submit invocation that works on it
	Problems  map[Source]Problem
	// Retried is when somebody last said "try again" of the rejections of a kind;
	// the kind "" is all of them.
	Retried map[RejectionKind]time.Time
}

// Active tells whether submit has anything to do for the connector: it is
// running, or it is stopped with a run that must still be ended.
func (s State) Active() bool { return s.Status == Running || s.Run != "" || len(s.Imports) > 0 }

// Wants tells whether the tick should invoke submit for the connector.
func (s State) Wants(now time.Time) bool {
	return s.Active() && (!s.Due.After(now) || len(s.Imports) > 0) && !s.Lease.Live(now)
}

// Turns are the runs that submit moves in turn: the recurring one first, then
// the imports. "" stands for the recurring one, which may have to be opened.
func (s State) Turns(now time.Time) []string {
	var turns []string
	if s.Run != "" || !s.Due.After(now) || len(s.Imports) == 0 {
		turns = append(turns, "")
	}
	return append(turns, s.Imports...)
}

// Lease is the right to work on something alone until a time. Fence grows with
// every taking, and every write made under a lease carries it, so a holder who
// was thought dead cannot write any more.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Live compares the time itself: expiry by DynamoDB's TTL comes days late
// (facts/aws.md 1).
func (l Lease) Live(now time.Time) bool { return l.Owner != "" && l.Until.After(now) }
