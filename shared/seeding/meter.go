package seeding

import "time"

// Metric is the name of a figure that operators watch: a count, or seconds where
// the name says so. It is a plain text, so that a meter needs no word of ours.
type Metric = string

// Counts.
const (
	MetricSubmitted     Metric = "Submitted"     // records that MTS took
	MetricTokenised     Metric = "Tokenised"     // registrants
	MetricRejected      Metric = "Rejected"      // registrants, by kind
	MetricBatchesLost   Metric = "BatchesLost"   // no answer came
	MetricBatchesFailed Metric = "BatchesFailed" // MTS surely did not take them
)

// SecondsToToken is from the VID's entry in the registry to its token there: the
// mean of those whom one answer tokenised. It holds every wait in between, also
// for a registry, an MTS or a person.
const MetricSecondsToToken Metric = "SecondsToToken"

// Gauges, taken by every tick of reconcile; that one is missing means that
// reconcile does not run.
const (
	MetricOldestAnswer      Metric = "OldestAnswerSeconds" // that waits to be patched
	MetricStalledConnectors Metric = "StalledConnectors"   // running, and nobody comes for them or nothing comes of it
	MetricUnreachable       Metric = "UnreachableServers"  // connectors with a registry or MTS problem
	MetricSignInsRefused    Metric = "SignInsRefused"      // connectors
	MetricProblemConnectors Metric = "ProblemConnectors"   // connectors with a problem that blocks
	MetricNeedHand          Metric = "ConnectorsNeedHand"  // connectors with one that does not
)

// Meter takes figures; kind is "" but for MetricRejected. A figure that is lost
// costs nobody a token.
type Meter interface {
	Measure(m Metric, value float64, kind string)
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

// Stalled tells whether nobody comes for a running connector, or nothing comes
// of it although no problem says why.
func (s State) Stalled(now time.Time) bool {
	if s.Status != Running {
		return false
	}
	blocked, _ := s.Blocked()
	nobody := !s.Lease.Live(now) && now.Sub(s.Due) >= overdueAfter
	nothing := (s.Run != "" || len(s.Imports) > 0) && !blocked && now.Sub(s.Moved) >= motionlessAfter
	return nobody || nothing
}

// Measure tells the meter what a batch, or a part of its answer, came to.
func (t Totals) Measure(meter Meter) {
	for _, c := range []struct {
		metric Metric
		n      int
		kind   RejectionKind
	}{
		{MetricTokenised, t.Tokenised, ""},
		{MetricRejected, t.Refused, Refused},
		{MetricRejected, t.Duplicate, Duplicate},
		{MetricRejected, t.Conflict, Conflict},
		{MetricRejected, t.NoToken, NoToken},
	} {
		if c.n > 0 {
			meter.Measure(c.metric, float64(c.n), string(c.kind))
		}
	}
}
