package seeding

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
