package seeding

import "time"

// FirstBatchSize is where an MTS that nobody knows begins.
const FirstBatchSize = 50

// timelyToLift is how many timely answers lift the ceiling by one step.
const timelyToLift = 20

// MTS is what is known of one MTS, shared by all connectors that use it.
type MTS struct {
	Key       string
	Lease     Lease // one POST at a time: during a POST it answers nothing else (facts/mts.md 9)
	Waiter    string
	WaitUntil time.Time

	Pace
	NotBefore time.Time // of the next POST, after it refused or was unreachable
	Tries     int       // POSTs in a row that were surely not taken
}

// Pace is how much an MTS takes at once. The batch size follows the MTS: a
// default Helm installation deletes everything older than 20 s (W8), and a
// fixed size would lose every batch for ever.
type Pace struct {
	Size      int           // of the next batch; 0 means never used
	Proved    int           // the largest size that was answered in time
	Ceiling   int           // the size that was lost last, 0 for none
	Timely    int           // timely answers since the ceiling was set or lifted
	Suspect   int           // the proved size that was lost last, 0 since one of it was answered in time
	Losses    int           // in a row at size 1
	PerRecord time.Duration // from claim to answer, per record in line
}

// Batch is the size of the next batch of a connector.
func (p Pace) Batch(maximum int) int {
	if p.Size == 0 {
		return min(FirstBatchSize, maximum)
	}
	return min(p.Size, maximum)
}

// Alone tells whether the next batch must go out alone: it is larger than any
// that was answered in time, and what stands in line behind a batch that is too
// large is lost with it; or two of its size are as much as was lost before.
func (p Pace) Alone(maximum int) bool {
	size := p.Batch(maximum)
	return size > p.Proved || p.Ceiling > 0 && 2*size >= p.Ceiling
}

// Answered is the pace after a batch of the given size and count came back,
// in time or not. ok is false when nothing moves; the caller then need not
// write.
func (p Pace) Answered(size, count, maximum int, timely bool, perRecord time.Duration) (next Pace, ok bool) {
	next = p
	next.Losses = 0
	if perRecord > 0 {
		if next.PerRecord == 0 {
			next.PerRecord = perRecord
		} else {
			next.PerRecord = (3*p.PerRecord + perRecord) / 4
		}
	}
	if p.Size == 0 {
		next.Size = size
	}
	if timely && 2*count >= size {
		next.Proved = max(p.Proved, size)
		if size >= p.Suspect {
			next.Suspect = 0
		}
		if p.Ceiling > 0 {
			if next.Timely++; next.Timely >= timelyToLift {
				next.Timely, next.Ceiling = 0, 2*p.Ceiling
			}
		}
		// Only from the batch's own size: two batches of one size double it once.
		if next.Size == size {
			doubled := min(2*size, maximum)
			if next.Ceiling == 0 || doubled < next.Ceiling {
				next.Size = max(doubled, size)
			}
		}
	}
	return next, next != p
}

// Missed is the pace after a batch of the given size and count was lost. tooMuch
// tells that MTS forgot it, or never came to its end: then the size is to blame.
// Otherwise a size that was answered in time before is forgiven one loss, or an
// MTS whose answers get lost now and then would be served in single records. A
// batch that was less than half full says nothing of its size.
func (p Pace) Missed(size, count int, tooMuch bool) (next Pace, ok bool) {
	if 2*count < size {
		return p, false
	}
	next = p
	if p.Size == 0 {
		next.Size = size
	}
	switch {
	case next.Size != size: // a second loss of a size that was left changes nothing more
	case !tooMuch && size <= p.Proved && p.Suspect != size:
		next.Suspect = size
	default:
		next.Suspect = 0
		next.Ceiling, next.Timely = max(size, 2), 0
		next.Size = max(1, size/2)
		next.Proved = min(next.Proved, next.Size)
	}
	if size == 1 {
		next.Losses++
	}
	return next, next != p
}
