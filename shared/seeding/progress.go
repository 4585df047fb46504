package seeding

import "time"

// recently is the time over which the rate of a run is measured. It is longer than
// most batches take, so that the rate does not jump with each of them.
const recently = 5 * time.Minute

// Progress is how fast an open run is now, and when it should end.
type Progress struct {
	PerSecond float64   // records that were patched lately; 0 if that cannot be said
	End       time.Time // an estimate; zero if none can be made
}

// ProgressOf tells it from all batches of the run, open and closed. halted says
// that nothing new is sent, for whatever reason; then nobody knows when it ends.
func ProgressOf(r Run, batches []Batch, halted bool, now time.Time) Progress {
	p := Progress{PerSecond: rate(batches, now)}
	left, known := r.left(batches)
	if known && p.PerSecond > 0 && !halted {
		p.End = now.Add(time.Duration(left / p.PerSecond * float64(time.Second)))
	}
	return p
}

// rate is how many records per second were patched lately: those of the batches
// that were closed as patched in the last minutes, over the time since the last
// such batch before them, or since the first of them was claimed if that was later.
// It falls while none comes, and is 0 once none came for so long that nothing can
// be said.
func rate(batches []Batch, now time.Time) float64 {
	var (
		records     int
		since       = now
		lastBefore  time.Time
		windowBegan = now.Add(-recently)
	)
	for _, b := range batches {
		switch {
		case b.State != Patched:
		case !b.Closed.After(windowBegan):
			lastBefore = later(lastBefore, b.Closed)
		default:
			records += b.Count
			if b.Claimed.Before(since) {
				since = b.Claimed
			}
		}
	}
	took := now.Sub(later(since, lastBefore))
	if records == 0 || took <= 0 {
		return 0
	}
	return float64(records) / took.Seconds()
}

// left estimates how many records the run has yet to get decided: those that are
// sent and pending, and those that this pass has yet to send. Of the VIDs that a
// first pass did not look at yet, as many should be sent as of those before. It is
// not known if their number is not.
func (r Run) left(batches []Batch) (records float64, known bool) {
	sent, pending := 0, 0
	for _, b := range batches {
		if !b.Claimed.Before(r.PassStarted) {
			t := b.SoFar()
			sent, pending = sent+t.Sent, pending+t.Pending()
		}
	}
	switch first := r.PassStarted.Equal(r.Started); {
	case r.PassOver:
		return float64(pending), true
	case r.Expected == 0 || first && r.Tally.Looked == 0:
		return 0, false
	case first:
		share := float64(sent) / float64(r.Tally.Looked)
		return float64(pending) + share*float64(max(0, r.Expected-r.Tally.Looked)), true
	default:
		return float64(pending + max(0, r.Expected-sent)), true
	}
}

// SoFar is what became of the batch so far. Its records count as sent before it is
// closed.
func (b Batch) SoFar() Totals {
	t := b.Totals
	t.Sent = max(t.Sent, b.Count)
	return t
}
