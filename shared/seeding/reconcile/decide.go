package reconcile

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// finding is the result of asking MTS about an overdue batch.
type finding string

const (
	neverAccepted finding = "never accepted" // there is no request identifier to ask with
	working       finding = "working"
	silent        finding = "silent" // busy with a POST, or unreachable
	finished      finding = "finished"
	failedAtMTS   finding = "failed"
	unknownToMTS  finding = "unknown"
)

// findings by MTS's status.
var findings = map[seeding.MTSStatus]finding{
	seeding.StatusWorking:  working,
	seeding.StatusFinished: finished,
	seeding.StatusFailed:   failedAtMTS,
	seeding.StatusUnknown:  unknownToMTS,
}

// lossesAtOne is how many losses in a row, of batches of one record, blame the
// MTS and not the registrants.
const lossesAtOne = 3

// isLost decides about an overdue batch without an answer, by its age since the
// claim and its time from claim to deadline. Lost means only that the next pass
// may send its registrants; a late answer is still applied.
func isLost(f finding, age, wait time.Duration) bool {
	switch f {
	case working, silent:
		return age >= seeding.MaxWaits*wait
	default:
		return true
	}
}

// blamesSize reports whether the batch was lost because it was too large: MTS
// forgot it, or never finished it.
func (f finding) blamesSize() bool { return f != finished && f != failedAtMTS }
