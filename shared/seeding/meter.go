package seeding

// Metric is the name of a figure for operators: a count, or seconds if the name
// says so. It is a plain text, so that a meter need not know this package.
type Metric = string

// Counts.
const (
	MetricSubmitted     Metric = "Submitted"     // records that MTS took
	MetricTokenised     Metric = "Tokenised"     // registrants
	MetricRejected      Metric = "Rejected"      // registrants, by kind
	MetricBatchesLost   Metric = "BatchesLost"   // no answer came in time
	MetricBatchesFailed Metric = "BatchesFailed" // MTS surely did not take them
)

// MetricSecondsToToken is the time from the entry of a VID in the registry to the
// token, as the mean of the registrants that one answer tokenised. It includes
// every wait.
const MetricSecondsToToken Metric = "SecondsToToken"

// Gauges, measured by submit with every claim: so there is none while nothing is
// sent. If a stack has several MTSs, the largest counts.
const (
	MetricWidth    Metric = "Width"           // how many batches may be under way at the MTS
	MetricUnderWay Metric = "BatchesUnderWay" // how many are, with the one that was claimed
)

// Gauges, measured by every tick of reconcile. If one is missing, reconcile does
// not run.
const (
	MetricOldestAnswer      Metric = "OldestAnswerSeconds" // that waits to be patched
	MetricStalledConnectors Metric = "StalledConnectors"   // running, but not visited or without progress
	MetricUnreachable       Metric = "UnreachableServers"  // connectors with a registry or MTS problem
	MetricSignInsRefused    Metric = "SignInsRefused"      // connectors
	MetricProblemConnectors Metric = "ProblemConnectors"   // connectors with a problem that blocks
	MetricNeedPerson        Metric = "ConnectorsNeedHand"  // connectors with a problem that does not block
)

// Meter takes figures; kind is "" except for MetricRejected. A figure may get
// lost.
type Meter interface {
	Measure(m Metric, value float64, kind string)
}

// Measure reports the totals of a batch, or of parts of its answer.
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
