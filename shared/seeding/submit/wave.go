package submit

import (
	"context"
	"errors"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// part is one batch of a wave that is to be claimed.
type part struct {
	batch   seeding.Batch // what it holds, and how many
	run     seeding.Run   // after it
	counter int64         // of the registry, when it is claimed
	bytes   int           // of its request, about
	// ask makes the request of the batch, which has its reference.
	ask func(ctx context.Context, b *seeding.Batch, r *seeding.Request) error
}

// claimWave claims batches, and returns their POSTs. These must be begun whatever
// the error is.
func (s *Submitter) claimWave(ctx context.Context, v view, parts []part, sizes sizes) (wave []post, n next, err error) {
	n.due = s.Clock.Now()
	for i, part := range parts {
		batch, request, err := s.prepare(ctx, v, part, sizes.of(i))
		if err != nil {
			failed, err := s.chooseFailed(ctx, v, err)
			failed.moved = n.moved
			return wave, failed, err
		}
		claim := seeding.Claim{Batch: batch, Counter: part.counter, Run: part.run, Version: v.connector.Version, Fence: v.state.Lease.Fence}
		if i == 0 {
			claim, n.again, err = s.claimFirst(ctx, &v, claim)
		} else if v.mts, err = s.mtsState(ctx, v.connector); err == nil {
			claim, _, err = s.claim(ctx, v, claim)
		}
		if err != nil || !n.again {
			return wave, n, err
		}
		n.moved = claim.Batch.Claimed
		claimed := v
		claimed.open = nil // not needed any more, and large
		send := func() error { return s.post(ctx, claimed, claim.Batch, request) }
		wave = append(wave, post{part.bytes, send})
	}
	return wave, n, nil
}

// sizes are those of the batches of a wave.
type sizes struct{ first, others, count int }

// sizes are those of the batches that may be sent now.
func (v view) sizes(now time.Time) sizes {
	first, others := v.mts.Next(now, v.connector.MTS.BatchMaximum)
	count := v.free(now)
	if others == 0 {
		count = 1
	}
	return sizes{first, others, max(1, count)}
}

func (s sizes) total() int { return s.first + s.others*(s.count-1) }

func (s sizes) of(i int) int {
	if i == 0 {
		return s.first
	}
	return s.others
}

// shares are the batches into which a wave is split, one after the other. If fewer were
// chosen than there is room for, the batches are made smaller before they become fewer,
// though not so small that they say nothing about the size.
type shares struct {
	sizes
	begun bool
}

// next is the size of the next batch if so many are left, which are not none.
func (s *shares) next(left int) (size int) {
	if !s.begun && (s.first > s.others || s.count == 1) {
		size = min(s.first, left)
	} else {
		s.count = min(s.count, max(1, 2*left/max(1, s.others)))
		size = (left + max(1, s.count) - 1) / max(1, s.count)
	}
	s.begun, s.count = true, s.count-1
	return size
}

// split makes the selections of single batches.
func (c selection) split(z sizes) (parts []selection) {
	add := func(n int) {
		part := c
		part.chosen, c.chosen = c.chosen[:n], c.chosen[n:]
		part.counter += int64(len(parts))
		if len(c.chosen) > 0 { // who was chosen but is not claimed is looked at again
			last := part.chosen[n-1]
			part.run.Cursor, part.run.PassOver = last.cursor, false
			removed := part.run.Tally.Removed // these are not met again
			part.run.Tally = last.tally
			part.run.Tally.Removed = removed
		}
		parts = append(parts, part)
	}
	for shares := (shares{sizes: z}); len(c.chosen) > 0; {
		add(shares.next(len(c.chosen)))
	}
	return parts
}

// claimFirst claims the first batch of a wave as soon as it is the connector's turn;
// claimed is false if it was not for all the time that we may wait. Others may
// claim at the same time; then the MTS is looked at again.
func (s *Submitter) claimFirst(ctx context.Context, v *view, c seeding.Claim) (_ seeding.Claim, claimed bool, err error) {
	take := func() (bool, error) {
		if v.mts, err = s.mtsState(ctx, v.connector); err != nil {
			return false, err
		}
		if v.free(s.Clock.Now()) == 0 {
			return false, s.markWaiting(ctx, *v)
		}
		attempt, met, err := s.claim(ctx, *v, c)
		if met {
			return false, nil
		}
		c = attempt
		return err == nil, err
	}
	if claimed, err = take(); !claimed && err == nil {
		claimed, err = s.await(ctx, take)
	}
	return c, claimed, err
}

// claim claims a batch, by the state of the MTS that was just read. If that is a
// conflict, met says whether somebody else claimed one at the MTS meanwhile.
func (s *Submitter) claim(ctx context.Context, v view, c seeding.Claim) (_ seeding.Claim, met bool, err error) {
	now, width := s.Clock.Now(), v.connector.MTS.WidthMaximum
	if !v.mts.Takes(c.Batch.Count, now, width) {
		return c, false, seeding.ErrConflict // choose anew: it is full, or this is too large beside what came meanwhile
	}
	c = c.At(v.mts, now, width, s.Times)
	if err = s.Store.Claim(ctx, c); errors.Is(err, seeding.ErrConflict) {
		moved, readErr := s.Store.MTSState(ctx, v.mts.Key)
		met = readErr == nil && moved.Claims != c.Claims
	}
	if err == nil {
		underWay, _ := v.mts.UnderWay(now)
		s.Meter.Measure(seeding.MetricWidth, float64(v.mts.WidthNow(now, width)), "")
		s.Meter.Measure(seeding.MetricUnderWay, float64(underWay+1), "")
	}
	return c, met, err
}
