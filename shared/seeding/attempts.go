package seeding

import "time"

// Attempts says when the next attempts for a connector are made, as people are shown
// them: never in the past. What is due now is tried within the interval of the ticks.
type Attempts struct {
	State    State
	Registry RegistryState // as far as something may wait for it
	MTS      MTSState
	Now      time.Time
	Times    Times
}

// Look is when submit looks at the connector next, which does nothing before the end of
// the registry's outage; zero if nothing is to be done.
func (a Attempts) Look() time.Time {
	if !a.State.Active() {
		return time.Time{}
	}
	return later(later(a.State.LooksAt(a.Now, a.Times), a.Now), a.Registry.OutageUntil)
}

// Probe is when the next attempt is made that may end the problem of a source; zero
// if nobody makes one: the connector is stopped, or only the next answer tells. An
// attempt waits for the end of the registry's outage and for the probes of all
// problems that block, one of "mts" also for the next POST that MTS is to get
// (infra/protocol.md, "Run" 3).
func (a Attempts) Probe(source Source) time.Time {
	if a.State.Status != Running && len(a.State.Imports) == 0 || !source.Blocks() && source != ProblemUnlink {
		return time.Time{}
	}
	_, probe := a.State.Blocked()
	at := later(a.Look(), probe)
	if _, raised := a.State.Problems[ProblemMTS]; raised {
		at = later(at, a.MTS.NotBefore)
	}
	return later(at, a.State.Problems[source].Next)
}

// Rejected is when a registrant who is rejected until then is tried next; zero if no
// time changes anything, or the connector is stopped and the time has come. Somebody
// may have asked for another attempt, or changed the configuration, since. An open run
// may still come to it.
func (a Attempts) Rejected(r Rejection) time.Time {
	due := a.State.Retried.Asked(r) || r.Configured != a.State.Version
	switch {
	case !due && (r.Next.IsZero() || r.Next.After(a.Now)):
		return r.Next
	case a.State.Status != Running:
		return time.Time{}
	case a.State.Run != "":
		return a.Now
	}
	return a.Look()
}
