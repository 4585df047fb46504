package inprocess

import (
	"context"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// Clock is the time of the functions. Whoever starts an invocation says when it
// begins and ends.
type Clock interface {
	seeding.Clock
	Begin()
	End()
	// Advance lets time pass.
	Advance(d time.Duration)
}

// SystemClock is the time of the machine; in a synctest bubble it is the time of
// the bubble.
type SystemClock struct{ function.Clock }

// Begin implements Clock.
func (SystemClock) Begin() {}

// End implements Clock.
func (SystemClock) End() {}

// Advance waits.
func (SystemClock) Advance(d time.Duration) { time.Sleep(d) }

// SteppedClock moves only when somebody waits for it: when all invocations under
// way are asleep, it steps to the end of a sleep. So a run takes no longer than
// its work, whatever it waits for.
type SteppedClock struct {
	busy func() bool

	mu      sync.Mutex
	now     time.Time     // only moves forward
	skew    time.Duration // by which the clock on the wall was set
	working int           // invocations under way that are not asleep
}

// NewSteppedClock makes a clock that begins now. It waits while busy, though
// not for ever, because what is busy may hang: a minute, and longer on a machine
// that has other work.
func NewSteppedClock(busy func() bool) *SteppedClock {
	return &SteppedClock{busy: busy, now: time.Now().UTC().Truncate(time.Millisecond)}
}

// Now implements Clock.
func (c *SteppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Add(c.skew)
}

// Jump sets the clock on the wall: no time passes, and nobody sleeps longer.
func (c *SteppedClock) Jump(d time.Duration) { c.mu.Lock(); c.skew += d; c.mu.Unlock() }

// Begin implements Clock.
func (c *SteppedClock) Begin() { c.mu.Lock(); c.working++; c.mu.Unlock() }

// End implements Clock.
func (c *SteppedClock) End() { c.mu.Lock(); c.working--; c.mu.Unlock() }

// Advance implements Clock.
func (c *SteppedClock) Advance(d time.Duration) { c.mu.Lock(); c.now = c.now.Add(d); c.mu.Unlock() }

// Sleep lets d pass once everything else is asleep.
func (c *SteppedClock) Sleep(ctx context.Context, d time.Duration) error {
	const look, looks = 500 * time.Microsecond, 120_000
	c.mu.Lock()
	until := c.now.Add(d)
	c.mu.Unlock()
	c.End()
	defer c.Begin()
	for i := 0; !c.step(until, i > looks); i++ {
		time.Sleep(look)
	}
	return ctx.Err()
}

// step moves the clock to until if nothing is at work, and reports whether the
// time has come.
func (c *SteppedClock) step(until time.Time, impatient bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.Before(until) && c.working == 0 && (impatient || !c.busy()) {
		c.now = until
	}
	return !c.now.Before(until)
}
