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
	partly        finding = "finished with errors"
	failedAtMTS   finding = "failed"
	unknownToMTS  finding = "unknown"
)

// findings by MTS's status.
var findings = map[seeding.MTSStatus]finding{
	seeding.StatusWorking:  working,
	seeding.StatusFinished: finished,
	seeding.StatusPartly:   partly,
	seeding.StatusFailed:   failedAtMTS,
	seeding.StatusUnknown:  unknownToMTS,
}

// lossesAtOne is how many losses in a row, of batches of one record, blame the
// MTS and not the registrants.
const lossesAtOne = 3

// evidence is what speaks for or against the loss of an overdue batch without an
// answer.
type evidence struct {
	finding   finding
	age       time.Duration // since the claim
	wait      time.Duration // from the claim to the deadline
	overtaken bool          // see overtaken
	idle      bool          // MTS has nothing else to do, as far as is known
}

// isLost decides about an overdue batch. Lost means only that the next pass may
// send its registrants; a late answer is still applied.
func isLost(e evidence) bool {
	switch e.finding {
	case unknownToMTS:
		return true
	case working:
		return e.overtaken || e.idle && e.age >= e.wait || e.age >= seeding.MaxWaits*e.wait
	case silent:
		return e.age >= seeding.MaxWaits*e.wait
	default: // the answer of a finished batch may be on its way, the POST still open
		return e.age >= e.wait
	}
}

// roundsAhead is how many times as much as was under way with a batch must have
// been answered of what was sent later, until MTS has surely lost it.
const roundsAhead = 3

// overtaken reports whether much that was sent later than the batch was answered
// before it. Each worker of MTS takes its batches in order, so what was under way
// with the batch, several times over, cannot be in front of it.
func overtaken(b seeding.Batch, mts seeding.MTSState) bool {
	if b.Number == 0 { // claimed by a version that did not count
		return false
	}
	later := mts.Delivered - b.Delivered - int64(b.Ahead)
	return later >= int64(roundsAhead*(b.Ahead+b.Count))
}

// blamesSize reports whether the batch was lost because it was too large: MTS
// forgot it, or never finished it although it did nothing else. Of an MTS that is
// silent nothing is known, and nothing of the size.
func (e evidence) blamesSize() bool {
	switch e.finding {
	case finished, partly, failedAtMTS, silent:
		return false
	case working:
		return !e.overtaken
	}
	return true
}

// doubtsCallback reports whether the batch speaks for a callback that does not reach
// us. MTS took it, and if it never answered before it is enough that it says it is
// done, or that the batch is lost. An MTS that did may lose an answer now and then, or
// be away for a while: there the batch must be lost, MTS say that it is done, and
// nothing have come since the claim.
func (e evidence) doubtsCallback(b seeding.Batch, mts seeding.MTSState, lost bool) bool {
	done := e.finding == finished || e.finding == partly || e.finding == failedAtMTS
	switch {
	case b.RequestID == "" || b.Direct:
		return false
	case mts.Unproved():
		return done || lost
	}
	return lost && done && !mts.Heard.After(b.Claimed)
}
