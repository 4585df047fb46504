package seeding

import "time"

// Metric is a figure that operators watch.
type Metric string

// Counts.
const (
	MetricSubmitted     Metric = "Submitted"     // records that MTS took
	MetricTokenised     Metric = "Tokenised"     // registrants
	MetricRejected      Metric = "Rejected"      // registrants, by kind
	MetricBatchesLost   Metric = "BatchesLost"   // no answer came
	MetricBatchesFailed Metric = "BatchesFailed" // MTS surely did not take them
)

// SecondsToToken is taken once per batch, from claim to patched.
const MetricSecondsToToken Metric = "SecondsToToken"

// Gauges, taken by every tick of reconcile; that one is missing means that
// reconcile does not run.
const (
	MetricOldestAnswer      Metric = "OldestAnswerSeconds" // that waits to be patched
	MetricStalledConnectors Metric = "StalledConnectors"   // running, and nobody comes for them
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

// overdueAfter is how long a running connector may be due without anybody
// coming for it: a tick comes every minute.
const overdueAfter = 10 * time.Minute

// Stalled tells whether a running connector waits for submit in vain.
func (s State) Stalled(now time.Time) bool {
	return s.Status == Running && !s.Lease.Live(now) && now.Sub(s.Due) >= overdueAfter
}

// measure tells the meter what a batch, or a part of its answer, came to.
func (t Totals) measure(meter Meter) {
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
