package reconcile

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// finding is what asking about an overdue batch came to.
type finding string

const (
	neverAccepted finding = "never accepted" // there is no request identifier to ask with
	working       finding = "working"
	silent        finding = "silent" // busy with a POST, or unreachable
	finished      finding = "finished"
	failedThere   finding = "failed"
	unknownThere  finding = "unknown"
)

// findings by what MTS says.
var findings = map[seeding.MTSStatus]finding{
	seeding.StatusWorking:  working,
	seeding.StatusFinished: finished,
	seeding.StatusFailed:   failedThere,
	seeding.StatusUnknown:  unknownThere,
}

// lossesAtOne in a row, of batches of one record, say something of the MTS and
// not of the registrants.
const lossesAtOne = 3

// isLost is the decision about an overdue batch without an answer, by its age
// since the claim and its time from claim to deadline. Lost means no more than
// that the next pass may take its registrants: a late answer is still applied.
func isLost(f finding, age, wait time.Duration) bool {
	switch f {
	case working, silent:
		return age >= seeding.MaxWaits*wait
	default:
		return true
	}
}

// blamesSize tells whether a loss says that the batch was too large: MTS forgot
// it, or never came to its end.
func (f finding) blamesSize() bool { return f != finished && f != failedThere }
