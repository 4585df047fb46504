package console

import (
	"context"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/seeding"
)

// clock is a stepped one while the past is made, and the machine's from then on, which
// may be put forward. It is switched while nothing is at work.
type clock struct {
	past    *inprocess.SteppedClock
	live    atomic.Bool
	forward atomic.Int64 // by how much, as a time.Duration
}

func newClock(busy func() bool) *clock { return &clock{past: inprocess.NewSteppedClock(busy)} }

func (c *clock) now() inprocess.Clock {
	if c.live.Load() {
		return inprocess.SystemClock{}
	}
	return c.past
}

// Now implements inprocess.Clock, as do the other methods.
func (c *clock) Now() time.Time          { return c.now().Now().Add(time.Duration(c.forward.Load())) }
func (c *clock) Begin()                  { c.now().Begin() }
func (c *clock) End()                    { c.now().End() }
func (c *clock) Advance(d time.Duration) { c.now().Advance(d) }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error { return c.now().Sleep(ctx, d) }

func (c *clock) Every(interval time.Duration, do func()) (stop func()) {
	return c.now().Every(interval, do)
}

// at sets the time in the past.
func (c *clock) at(t time.Time) { c.past.Jump(t.Sub(c.past.Now())) }

var _ seeding.Clock = (*clock)(nil)
