package seeding

import "time"

// Status is whether a connector makes new batches.
type Status string

const (
	Running Status = "running"
	Stopped Status = "stopped"
)

// State is what the functions share about a connector. It is an item of its own,
// so that taking a lease does not write the configuration.
type State struct {
	Connector string
	Registry  string // RegistryKey of the configuration
	MTS       string // MTSKey of the configuration
	Version   int    // of the configuration
	Status    Status
	Due       time.Time // when submit should look next; at an open import it looks with every tick
	Run       string    // the open recurring run, or ""
	Imports   []string  // the open imports, in the order of their ids
	Moved     time.Time // when an open run last made progress, or waited for a batch under way
	Lease     Lease     // of the submit invocation that works on it
	Problems  map[Source]Problem
	// Retried is when somebody last asked to retry the rejections of a kind; the
	// kind "" is all of them.
	Retried map[RejectionKind]time.Time
}

// Active reports whether submit has anything to do for the connector: it is
// running, or it is stopped and has an open run that must be ended.
func (s State) Active() bool { return s.Status == Running || s.Run != "" || len(s.Imports) > 0 }

// NeedsSubmit reports whether the tick should invoke submit for the connector.
func (s State) NeedsSubmit(now time.Time) bool {
	return s.Active() && (!s.Due.After(now) || len(s.Imports) > 0) && !s.Lease.Live(now)
}

// Turns are the runs that submit works on in turn: the recurring one first, then
// the imports. "" is the recurring one, which may have to be opened.
func (s State) Turns(now time.Time) []string {
	var turns []string
	if s.Run != "" || !s.Due.After(now) || len(s.Imports) == 0 {
		turns = append(turns, "")
	}
	return append(turns, s.Imports...)
}

// Lease is the right to work on something alone until a time. Fence grows with
// every taking, and every write under a lease is conditional on it, so that an
// earlier holder cannot write any more.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Live reports whether somebody holds the lease. It compares the time, because
// DynamoDB's TTL deletes days late (facts/aws.md 1).
func (l Lease) Live(now time.Time) bool { return l.Owner != "" && l.Until.After(now) }
