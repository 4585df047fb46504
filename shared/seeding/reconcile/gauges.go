package reconcile

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// gauge is a figure that is taken with every tick.
type gauge struct {
	metric seeding.Metric
	value  float64
}

// gauges tells how things stand, also when all is well. oldest is how long the
// first answer waits.
func gauges(states []seeding.State, oldest time.Duration, now time.Time) []gauge {
	var standing, unreachable, refused, blocked, needHand float64
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
		count(&standing, stalled(s, now))
		count(&unreachable, len(s.Raised(seeding.ProblemRegistry, seeding.ProblemMTS)) > 0)
		count(&refused, len(s.Raised(seeding.ProblemSignIn)) > 0)
		count(&blocked, isBlocked)
		count(&needHand, needsHand(s))
	}
	return []gauge{
		{seeding.MetricOldestAnswer, oldest.Seconds()},
		{seeding.MetricStalledConnectors, standing},
		{seeding.MetricUnreachable, unreachable},
		{seeding.MetricSignInsRefused, refused},
		{seeding.MetricProblemConnectors, blocked},
		{seeding.MetricNeedPerson, needHand},
	}
}

const (
	// overdueAfter is how long a running connector may be due without anybody
	// coming for it: a tick comes every minute.
	overdueAfter = 10 * time.Minute
	// motionlessAfter is how long an open run may stand still although somebody
	// comes for it. A batch under way counts as moving for as long as reconcile
	// lets it, so a slow MTS needs no more; the longest wait that is well is
	// that for an outage of a registry that another connector shows.
	motionlessAfter = time.Hour
)

// stalled tells whether nobody comes for a running connector, or nothing comes
// of it although no problem says why.
func stalled(s seeding.State, now time.Time) bool {
	if s.Status != seeding.Running {
		return false
	}
	blocked, _ := s.Blocked()
	nobody := !s.Lease.Live(now) && now.Sub(s.Due) >= overdueAfter
	nothing := (s.Run != "" || len(s.Imports) > 0) && !blocked && now.Sub(s.Moved) >= motionlessAfter
	return nobody || nothing
}

// needsHand tells whether a problem stands that stops nobody. Work goes on, so
// no other figure shows it, and it does harm until a person acts.
func needsHand(s seeding.State) bool {
	for source := range s.Problems {
		if !source.Blocks() {
			return true
		}
	}
	return false
}
