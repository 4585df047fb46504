package seeding

import (
	"context"
	"errors"
	"time"
)

// FirstBatchSize is the batch size for an MTS that was never used.
const FirstBatchSize = 50

// timelyToLift is how many timely answers lift the ceiling by one step.
const timelyToLift = 20

// forgetsAfter is the age at which an MTS of the default Helm installation
// deletes a batch, done or not (facts/mts.md W8). A size that would take longer
// is used only after many timely answers of the one before, because most
// installations would lose it.
const forgetsAfter = 20 * time.Second

// MTSState is what is known of one MTS, shared by all connectors that use it.
type MTSState struct {
	Key       string
	Lease     Lease // one POST at a time: during a POST it replies to nothing else (facts/mts.md 9)
	Waiter    string
	WaitUntil time.Time

	Pace
	NotBefore time.Time // of the next POST, after it refused or was unreachable
	Attempts  int       // POSTs in a row that were surely not taken
}

// Pace is how much an MTS takes at once. The batch size adapts to the MTS,
// because an MTS may lose every batch of a fixed size.
type Pace struct {
	Size      int           // of the next batch; 0 means never used
	Proved    int           // the largest size that was answered in time
	Ceiling   int           // the size that was lost last, or is too slow to be tried soon; 0 for none
	Timely    int           // timely answers since the ceiling was set or lifted
	Suspect   int           // the proved size that was lost last; 0 again once it is answered in time
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

// Alone reports whether the next batch must be sent while no other is under way:
// it is larger than any that was answered in time, and batches behind one that is
// too large are lost with it; or two of its size are as much as was lost before.
func (p Pace) Alone(maximum int) bool {
	size := p.Batch(maximum)
	return size > p.Proved || p.Ceiling > 0 && 2*size >= p.Ceiling
}

// AfterAnswer is the pace after the answer to a batch, in time or not; maximum is
// the connector's. ok is false if nothing changes and nothing need be written.
func (p Pace) AfterAnswer(b Batch, received time.Time, maximum int) (next Pace, ok bool) {
	next = p
	next.Losses = 0
	if took := received.Sub(b.Claimed); took > 0 {
		next.PerRecord = Average(p.PerRecord, took, b.InLine)
	}
	if p.Size == 0 {
		next.Size = b.Size
	}
	if timely := !received.After(b.Deadline); timely && 2*b.Count >= b.Size {
		next.Proved = max(p.Proved, b.Size)
		if b.Size >= p.Suspect {
			next.Suspect = 0
		}
		if p.Ceiling > 0 {
			if next.Timely++; next.Timely >= timelyToLift {
				next.Timely, next.Ceiling = 0, 2*p.Ceiling
			}
		}
		// Only from the current size, so that two batches of one size double it once.
		if larger := min(2*b.Size, maximum); next.Size == b.Size && larger > b.Size {
			if next.Ceiling == 0 && b.timeAtMTS(received)*time.Duration(larger) > forgetsAfter*time.Duration(b.Count) {
				next.Ceiling = larger
			}
			if next.Ceiling == 0 || larger < next.Ceiling {
				next.Size = larger
			}
		}
	}
	return next, next != p
}

// AfterLoss is the pace after a batch was lost. tooMuch says that MTS forgot it or
// never finished it: then its size, and any larger one, is too large. Otherwise
// a size that was answered in time before may be lost once; else an MTS that
// loses an answer now and then would get single records only. A batch that was
// less than half full says nothing about the size.
func (p Pace) AfterLoss(b Batch, tooMuch bool) (next Pace, ok bool) {
	if 2*b.Count < b.Size {
		return p, false
	}
	next = p
	if p.Size == 0 {
		next.Size = b.Size
	}
	switch {
	case b.Size > next.Size: // another loss of a size that is no longer used
	case b.Size < next.Size && !tooMuch:
	case b.Size <= p.Proved && p.Suspect != b.Size && !tooMuch:
		next.Suspect = b.Size
	default:
		next.Suspect = 0
		next.Ceiling, next.Timely = max(b.Size, 2), 0
		next.Size = max(1, b.Size/2)
		next.Proved = min(next.Proved, next.Size)
	}
	if b.Size == 1 {
		next.Losses++
	}
	return next, next != p
}

// PaceStore is what MovePace calls of MTSStates.
type PaceStore interface {
	MTSState(ctx context.Context, key string) (MTSState, error)
	SavePace(ctx context.Context, key string, read, next Pace) error
}

// MovePace changes the pace of an MTS. move gets the current pace, and returns
// false if nothing is to be written. It may be called several times.
func MovePace(ctx context.Context, store PaceStore, key string, move func(Pace) (Pace, bool)) error {
	for {
		mts, err := store.MTSState(ctx, key)
		if err != nil {
			return err
		}
		next, moves := move(mts.Pace)
		if !moves {
			return nil
		}
		if err = store.SavePace(ctx, key, mts.Pace, next); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
