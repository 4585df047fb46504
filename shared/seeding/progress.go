package seeding

import (
	"slices"
	"time"
)

// recently is how many periods before this one the rate of a run is measured over: four
// to six minutes. That is longer than most batches take, so that the rate does not
// jump with each of them.
const recently = 2

// Progress is how fast an open run is now, and when it should end.
type Progress struct {
	PerSecond float64   // records that were patched lately; 0 if that cannot be said
	End       time.Time // an estimate; zero if none can be made
}

// ProgressOf tells it from what the run has counted. halted says that nothing new is
// sent, for whatever reason; then nobody knows when it ends.
func ProgressOf(r Run, halted bool, now time.Time) Progress {
	p := Progress{PerSecond: r.rate(now)}
	left, known := r.left()
	if known && p.PerSecond > 0 && !halted {
		p.End = now.Add(time.Duration(left / p.PerSecond * float64(time.Second)))
	}
	return p
}

// rate is how many records per second were patched lately: those of the last periods,
// over the time since the last batch that was patched before them, or since the first
// of theirs was claimed if that was later. It falls while none comes, and is 0 once
// none came for so long that nothing can be said.
func (r Run) rate(now time.Time) float64 {
	records, since, lastBefore := 0, now, time.Time{}
	for number, p := range r.Lately {
		switch {
		case number < Period(now)-recently:
			lastBefore = later(lastBefore, p.Closed)
		default:
			records += p.Records
			if p.Claimed.Before(since) {
				since = p.Claimed
			}
		}
	}
	took := now.Sub(later(since, lastBefore))
	if records == 0 || took <= 0 {
		return 0
	}
	return float64(records) / took.Seconds()
}

// Outdated are the numbers of the periods that no rate needs any more.
func (r Run) Outdated() (numbers []int64) {
	for number := range r.Lately {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	for i := range numbers { // the last one before the others is needed
		if i == len(numbers)-1 || numbers[i+1] >= numbers[len(numbers)-1]-recently {
			return numbers[:i]
		}
	}
	return nil
}

// Left is how many VIDs this pass has not looked at yet; of a later pass how many records
// it has yet to send again. It is not known if their number is not.
func (r Run) Left() (vids int, known bool) {
	switch {
	case r.PassOver:
		return 0, true
	case r.Expected == 0:
		return 0, false
	case r.FirstPass():
		return max(0, r.Expected-r.Tally.Looked), true
	default:
		return max(0, r.Expected-(r.Totals.Sent-r.SentBefore)), true
	}
}

// left estimates how many records the run has yet to get decided: those that are
// sent and pending, and those that this pass has yet to send. Of the VIDs that a
// first pass did not look at yet, as many should be sent as of those before. It is
// not known if their number is not.
func (r Run) left() (records float64, known bool) {
	pending := float64(r.Pending())
	yet, known := r.Left()
	switch first := r.FirstPass(); {
	case r.PassOver || known && !first:
		return pending + float64(yet), true
	case !known || r.Tally.Looked == 0:
		return 0, false
	default:
		share := float64(r.Totals.Sent-r.SentBefore) / float64(r.Tally.Looked)
		return pending + share*float64(yet), true
	}
}

// SoFar is what became of the batch so far. Its records count as sent before it is
// closed.
func (b Batch) SoFar() Totals {
	t := b.Totals
	if b.State.Open() {
		t.Sent = max(t.Sent, b.Count)
	}
	return t
}

// Undecided is how many records of a closed batch the next pass finds again, sent or
// not.
func (b Batch) Undecided() int { return max(0, b.Count-b.Totals.Tokenised-b.Totals.Rejected()) }
