package seeding

import (
	"context"
	"errors"
	"math"
	"time"
)

// FirstBatchSize is the batch size for an MTS that was never used.
const FirstBatchSize = 10

// DefaultWidth is how many batches may be under way at one MTS if the connector
// says nothing else.
const DefaultWidth = 16

const (
	// firstWave is how many batches an MTS that was never used gets together.
	firstWave = 4
	// perWorker batches keep a worker of MTS busy: one that it processes, and one
	// that waits in its queue.
	perWorker = 2
	// explore is how many more batches are sent together than there seem to be
	// workers, so that more of them are found.
	explore = 1.15
	// roundsToLift is how many rounds of timely answers lift the ceiling by one
	// step; a round is an answer of each worker.
	roundsToLift = 20
	// measuredFor is for how many batches the time of a record is believed.
	measuredFor = 20
	// fade is the part of the difference by which the interval follows answers
	// that come more slowly.
	fade = 8
)

// batchTime is how long a worker of MTS needs for a batch at first. Larger ones come
// after many rounds of timely answers, because an MTS of the default Helm
// installation forgets a batch after 20 s (facts/mts.md W8), also one that waits
// behind others, and because large batches leave workers idle at the end of a run.
const batchTime = 5 * time.Second

// Pace is how much an MTS takes at once. Size and number of the batches adapt to
// the MTS, because it may lose every batch of a fixed size, and may have any
// number of workers.
type Pace struct {
	Size      int           // of the next batch; 0 means never used
	Proved    int           // the largest size that was answered in time
	Ceiling   int           // the size that was lost last, or is too slow to be tried soon; 0 for none
	Timely    int           // timely answers since the ceiling was set or lifted
	Suspect   int           // the proved size that was lost last; 0 again once it is answered in time
	Losses    int           // in a row at size 1, since whose claim nothing was answered
	PerRecord time.Duration // from claim to answer, per record in line
	Single    time.Duration // the same of a batch that found a free worker, as far as can be told
	SingleAt  int64         // MTSState.Delivered when it was measured last, apart from what only made it shorter
	Interval  time.Duration // between two records that were patched, the shortest lately
	Handling  time.Duration // from the answer of a batch to its end, on average
	Limit     int           // of the width, after a loss; 0 for none
	Raising   int           // timely answers since the limit was set or raised
	LimitedAt int64         // MTSState.Claims when the limit was set
}

// Workers is how many records MTS processes side by side, as far as is known: as
// many are patched in the time that one of them takes (Little's law).
func (p Pace) Workers() float64 {
	if p.Single <= 0 || p.Interval <= 0 {
		return 1
	}
	return max(1, float64(p.Single)/float64(p.Interval))
}

// Wave is how many batches are sent together: one for each worker. A worker that
// takes a POST takes no other meanwhile, so POSTs that come together go to different
// workers; one by one, some workers would get several and others none
// (facts/mts.md 9).
func (p Pace) Wave() int {
	if p.Single <= 0 || p.Interval <= 0 {
		return firstWave
	}
	return max(1, int(math.Ceil(explore*p.Workers()-0.25)))
}

// Round is how many batches are under way if each worker has one: also those whose
// answer waits to be patched meanwhile. These are at most as many again, because a
// registry that is slower than MTS is to get no more.
func (p Pace) Round() int { return int(math.Ceil(float64(p.Wave())*(1+p.handled()) - 0.25)) }

// busy is how many batches are under way if each of the workers that are known has
// one, and of those that are patched.
func (p Pace) busy() int { return int(math.Ceil(p.Workers()*(1+p.handled()) - 0.25)) }

// handled is how many batches are patched for each that MTS works on, at most one.
func (p Pace) handled() float64 {
	if at := p.Single * time.Duration(p.Size); at > 0 {
		return min(1, float64(p.Handling)/float64(at))
	}
	return 0
}

// Width is how many batches may be under way at once, at most maximum: one that
// each worker processes, and one that waits for it. It grows as long as more
// batches bring more records per second.
func (p Pace) Width(maximum int) int {
	width := perWorker * p.Round()
	if p.Limit > 0 {
		width = min(width, p.Limit)
	}
	return max(1, min(width, maximum))
}

// Batch is the size of the next batch of a connector.
func (p Pace) Batch(maximum int) int {
	if p.Size == 0 {
		return min(FirstBatchSize, maximum)
	}
	return min(p.Size, maximum)
}

// AfterAnswer is the pace after a batch was patched, answered in time or not;
// maximum is the largest batch of the connector. ok is false if nothing changes
// and nothing need be written.
func (m MTSState) AfterAnswer(b Batch, maximum int) (next Pace, ok bool) {
	next = m.Pace
	next.Losses = 0
	if took := b.Answered.Sub(b.Claimed); took > 0 {
		next.PerRecord = Average(m.PerRecord, took, b.InLine)
		next.Single, next.SingleAt = m.single(b)
	}
	next.Interval = m.interval(b)
	next = m.measuredAnew(next, b)
	if handled := b.Closed.Sub(b.Answered); handled > 0 {
		next.Handling = Average(m.Handling, handled, 1).Truncate(time.Microsecond)
	}
	if m.Size == 0 {
		next.Size = b.Size
	}
	next = m.afterTimely(next, b, !b.Answered.After(b.Deadline), maximum)
	return next, next != m.Pace
}

// AfterDirect is the pace after a batch with a direct callback was delivered, in time
// or not. When MTS was done is only known to the second look, so such a batch
// measures no times; it shows which sizes MTS takes.
func (m MTSState) AfterDirect(b Batch, maximum int) (next Pace, ok bool) {
	next = m.Pace
	next.Losses = 0
	if m.Size == 0 {
		next.Size = b.Size
	}
	next = m.afterTimely(next, b, !b.Tracking.Done.After(b.Deadline), maximum)
	return next, next != m.Pace
}

// afterTimely moves the size after a batch, if it was timely and not too small to say
// anything.
func (m MTSState) afterTimely(next Pace, b Batch, timely bool, maximum int) Pace {
	if timely && 2*b.Count >= b.Size {
		next.Proved = max(m.Proved, b.Size)
		if b.Size >= m.Suspect {
			next.Suspect = 0
		}
		next = next.raised()
		if m.Ceiling > 0 {
			if next.Timely++; float64(next.Timely) >= roundsToLift*next.Workers() {
				next.Timely, next.Ceiling = 0, 2*m.Ceiling
			}
		}
		// Only from the current size, so that two batches of one size double it once.
		if next.Size == b.Size {
			next = next.resized(b, maximum)
		}
	}
	return next
}

// single is the time per record of a batch that found a free worker, and when one
// that was alone showed it. Another may have waited in a queue, so it can only show
// that the time is shorter.
func (m MTSState) single(b Batch) (time.Duration, int64) {
	sample := b.timePerRecord()
	switch {
	case b.Beside == 0 && 2*b.Count >= b.Size:
		return sample, m.Delivered
	case m.Single == 0 || sample < m.Single:
		return sample, m.SingleAt
	}
	return m.Single, m.SingleAt
}

// measuredAnew is the pace if fewer records come back than one worker alone would
// make, and it is long since that was measured: then records may take longer now.
// What this batch took is believed until another was faster, and the number of
// workers is found again from the beginning.
func (m MTSState) measuredAnew(next Pace, b Batch) Pace {
	slow := next.Single > 0 && 4*next.Single < 3*next.Interval
	if slow && m.Delivered-next.SingleAt >= int64(measuredFor*max(m.Size, 1)) {
		next.Single, next.SingleAt, next.Interval = b.timePerRecord(), m.Delivered, 0
	}
	return next
}

// interval is the time between two records that are patched, as the batch saw it
// from the last one before its claim to its end. The shortest counts, and is
// forgotten slowly, because an MTS may get fewer workers. A batch that had fewer
// beside it than it might have had says only that the interval can be as short.
func (m MTSState) interval(b Batch) time.Duration {
	records, took := m.Delivered-b.Delivered, b.Closed.Sub(b.Since)
	if records <= 0 || took <= 0 {
		return m.Interval
	}
	sample := max((took / time.Duration(records)).Truncate(time.Microsecond), time.Microsecond)
	switch {
	case m.Interval == 0 || sample < m.Interval:
		return sample
	case b.Full && 2*b.Count >= b.Size:
		return m.Interval + ((sample - m.Interval) / fade).Truncate(time.Microsecond)
	}
	return m.Interval
}

// raised is the pace after one more timely answer under a limit of the width. A
// round of them raises it by one.
func (p Pace) raised() Pace {
	if p.Limit == 0 {
		return p
	}
	if p.Raising++; p.Raising >= p.Limit {
		p.Limit, p.Raising = p.Limit+1, 0
	}
	if unlimited := p; p.Limit > 0 {
		unlimited.Limit = 0
		if unlimited.Width(p.Limit) < p.Limit {
			p.Limit, p.Raising, p.LimitedAt = 0, 0, 0
		}
	}
	return p
}

// resized is the pace after a timely answer to a batch of the current size. A size
// that takes a worker too long (batchTime) gets the ceiling, unless there is one.
func (p Pace) resized(b Batch, maximum int) Pace {
	fits := func(size int) bool { return p.Single*time.Duration(size) <= batchTime }
	larger := min(2*b.Size, maximum)
	switch {
	case p.Ceiling == 0 && b.Size > 1 && !fits(b.Size):
		p.Ceiling, p.Size = b.Size, b.Size/2
	case larger == b.Size:
	case p.Ceiling == 0 && !fits(larger):
		p.Ceiling = larger
	case p.Ceiling == 0 || larger < p.Ceiling:
		p.Size = larger
	}
	return p
}

// AfterLoss is the pace after a batch was lost. tooMuch says that MTS forgot it or
// never finished it. Then a size that was never answered in time is too large, and
// so is any larger one; of a size that was, too many batches were under way: half
// as many may be from now on, and only one that was alone is too large. Without
// tooMuch a size that was answered in time before may be lost once; else an MTS
// that loses an answer now and then would get single records only. A batch that
// was less than half full says nothing.
func (m MTSState) AfterLoss(b Batch, tooMuch bool) (next Pace, ok bool) {
	if 2*b.Count < b.Size {
		return m.Pace, false
	}
	next = m.Pace
	if m.Size == 0 {
		next.Size = b.Size
	}
	switch {
	case b.Size > next.Size: // another loss of a size that is no longer used
	case 2*b.Size < next.Size && m.Heard.After(b.Claimed): // larger ones are answered
	case tooMuch && b.Size <= m.Proved && b.Beside > 0:
		if b.Number > m.LimitedAt { // those of before were under way with the one that set it
			next.Limit, next.Raising, next.LimitedAt = max(1, (b.Beside+1)/2), 0, m.Claims
		}
	case b.Size < next.Size && !tooMuch:
	case b.Size <= m.Proved && m.Suspect != b.Size && !tooMuch:
		next.Suspect = b.Size
	default:
		next.Suspect = 0
		next.Ceiling, next.Timely = max(b.Size, 2), 0
		next.Size = max(1, b.Size/2)
		next.Proved = min(next.Proved, next.Size)
	}
	if b.Size == 1 && !m.Heard.After(b.Claimed) {
		next.Losses++
	}
	return next, next != m.Pace
}

// PaceStore is what MovePace calls of MTSStates.
type PaceStore interface {
	MTSState(ctx context.Context, key string) (MTSState, error)
	SavePace(ctx context.Context, key string, read, next Pace) error
}

// MovePace changes the pace of an MTS. move gets the current state, and returns
// false if nothing is to be written. It may be called several times.
func MovePace(ctx context.Context, store PaceStore, key string, move func(MTSState) (Pace, bool)) error {
	for {
		mts, err := store.MTSState(ctx, key)
		if err != nil {
			return err
		}
		next, moves := move(mts)
		if !moves {
			return nil
		}
		if err = store.SavePace(ctx, key, mts.Pace, next); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
