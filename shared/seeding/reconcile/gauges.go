package reconcile

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// gauge is a figure that every tick measures.
type gauge struct {
	metric seeding.Metric
	value  float64
}

// gauges are measured even if all is well, because a missing gauge raises an
// alarm. oldest is how long the first answer has been waiting.
func gauges(states []seeding.State, oldest time.Duration, now time.Time) []gauge {
	var stalled, unreachable, refused, blocked, needPerson float64
	count := func(n *float64, counts bool) {
		if counts {
			*n++
		}
	}
	for _, s := range states {
		if !s.Active() {
			continue // nobody waits for it
		}
		isBlocked, _ := s.Blocked()
		count(&stalled, isStalled(s, now))
		count(&unreachable, len(s.Raised(seeding.ProblemRegistry, seeding.ProblemMTS)) > 0)
		count(&refused, len(s.Raised(seeding.ProblemSignIn)) > 0)
		count(&blocked, isBlocked)
		count(&needPerson, needsPerson(s))
	}
	return []gauge{
		{seeding.MetricOldestAnswer, oldest.Seconds()},
		{seeding.MetricStalledConnectors, stalled},
		{seeding.MetricUnreachable, unreachable},
		{seeding.MetricSignInsRefused, refused},
		{seeding.MetricProblemConnectors, blocked},
		{seeding.MetricNeedPerson, needPerson},
	}
}

const (
	// overdueAfter is how long a running connector may be due without a visit
	// of submit, which has a tick every minute.
	overdueAfter = 10 * time.Minute
	// motionlessAfter is how long an open run may make no progress although
	// submit visits it. Waiting for a batch counts as progress until reconcile
	// gives the batch up, so a slow MTS does not count. The longest harmless
	// wait is for an outage of the registry that another connector shows.
	motionlessAfter = time.Hour
)

// isStalled reports whether submit does not visit a running connector, or visits
// it without progress although no problem says why.
func isStalled(s seeding.State, now time.Time) bool {
	if s.Status != seeding.Running && len(s.Imports) == 0 {
		return false
	}
	blocked, _ := s.Blocked()
	unvisited := s.Status == seeding.Running && !s.Lease.Live(now) && now.Sub(s.Due) >= overdueAfter
	motionless := (s.Run != "" || len(s.Imports) > 0) && !blocked && now.Sub(s.Moved) >= motionlessAfter
	return unvisited || motionless
}

// needsPerson reports whether there is a problem that does not block. Work goes
// on, so no other figure shows it, and it does harm until a person acts.
func needsPerson(s seeding.State) bool {
	for source := range s.Problems {
		if !source.Blocks() {
			return true
		}
	}
	return false
}
