package seeding

import (
	"slices"
	"time"
)

// Cancels reports whether a person cancelled an open run.
func (s State) Cancels(run string) bool { return slices.Contains(s.Cancelled, run) }

// Status is whether the schedule of a connector begins runs.
type Status string

const (
	Running   Status = "running"
	Stopped   Status = "stopped"
	Completed Status = "completed" // its schedule has no run to come; a start begins anew
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
	Since     time.Time // when it was started, or its schedule changed; zero if a version before did it
	Begun     time.Time // when the last recurring run was due that was opened since then; zero for none, and where a change ends it
	Run       string    // the open recurring run, or ""
	Open      OpenRun   // how far that is; the zero OpenRun before its first claim
	Imports   []string  // the open imports, in the order of their ids
	Cancelled []string  // open runs that a person cancelled
	Halted    time.Time // when it was stopped last: imports that were opened before end
	Moved     time.Time // when an open run last made progress, or waited for a batch under way
	Lease     Lease     // of the submit invocation that works on it
	// Served is when a tick last invoked submit for it, or submit last gave the
	// lease back: who was served goes to the end of the queue.
	Served time.Time
	// Unreturned counts the invocations since the lease was last given back. More
	// than the one at work have died, or never began.
	Unreturned int
	Problems   map[Source]Problem
	Retried    Retried
	Figures    Figures
	// What lists show of the configuration; empty if a version before saved it.
	Name                  string
	MTSHost, RegistryHost string // scheme, host and port
	ODKHost, ODKForm      string // of a connector of ODK: Central's, and the id of the form
}

// Active reports whether submit has anything to do for the connector: it is
// running, or it is stopped and has an open run that must be ended.
func (s State) Active() bool { return s.Status == Running || s.Run != "" || len(s.Imports) > 0 }

// NeedsSubmit reports whether a tick should invoke submit for the connector: it is
// due, nobody is at work on it, and it does not rest after invocations that died.
func (s State) NeedsSubmit(now time.Time, times Times) bool {
	return s.Active() && !s.LooksAt(now, times).After(now) && !s.AtWork(now, times)
}

// AtWork reports whether an invocation of submit is at work on the connector, or was
// asked for so lately that it may not have the run lease yet.
func (s State) AtWork(now time.Time, times Times) bool {
	asked := now.Sub(s.Served)
	return s.Lease.Live(now) || s.Unreturned > 0 && 0 <= asked && asked < times.RunLease
}

// Doubtful reports whether an invocation for the connector died, or never began,
// since one last gave the lease back. Then the next one may die, too.
func (s State) Doubtful(now time.Time, times Times) bool {
	if s.AtWork(now, times) {
		return s.Unreturned > 1
	}
	return s.Unreturned > 0
}

// WaitsSince is since when the connector waits for an invocation: since it is due,
// or since it was served, if that was later. With an import open it waits again as
// soon as it was served.
func (s State) WaitsSince(now time.Time) time.Time {
	if len(s.Imports) > 0 || s.Due.After(now) {
		return s.Served
	}
	return later(s.Due, s.Served)
}

// LooksAt is when submit will look at the connector next, up to the interval of the
// ticks: when it is due, at once if an import is open, and after a rest if one
// invocation after the other died. The rest doubles with each.
func (s State) LooksAt(now time.Time, times Times) time.Time {
	at := s.Due
	if len(s.Imports) > 0 && at.After(now) {
		at = now
	}
	if s.Unreturned > 1 && !s.Served.After(now) { // a clock that was set back does not make it longer
		at = later(at, s.Served.Add(BackOff(times.ProbeFirst, times.RestMax, s.Unreturned-2)))
	}
	return at
}

// Turns are the runs that submit works on in turn: the recurring one first, then
// the imports. "" is the recurring one, which may have to be opened.
func (s State) Turns(now time.Time) []string {
	var turns []string
	if s.Run != "" || s.Status == Running && !s.Due.After(now) || len(s.Imports) == 0 {
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
