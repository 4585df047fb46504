package inprocess

import (
	"context"
	"slices"
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
	// Every calls do at every interval until stop is called.
	Every(interval time.Duration, do func()) (stop func())
}

// SystemClock is the time of the machine; in a synctest bubble it is the time of
// the bubble.
type SystemClock struct{ function.Clock }

// Begin implements Clock.
func (SystemClock) Begin() {}

// End implements Clock.
func (SystemClock) End() {}

// Every implements Clock.
func (SystemClock) Every(interval time.Duration, do func()) (stop func()) {
	return function.Every(interval, do)
}

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
	beats   []*beat
}

// beat is what is called at every interval.
type beat struct {
	interval time.Duration
	next     time.Time
	do       func()
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

// Every implements Clock. Who makes the clock step calls do at its time.
func (c *SteppedClock) Every(interval time.Duration, do func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &beat{interval: interval, next: c.now.Add(interval), do: do}
	c.beats = append(c.beats, b)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.beats = slices.DeleteFunc(c.beats, func(other *beat) bool { return other == b })
	}
}

// Sleep lets d pass once everything else is asleep.
func (c *SteppedClock) Sleep(ctx context.Context, d time.Duration) error {
	const look, looks = 500 * time.Microsecond, 120_000
	c.mu.Lock()
	until := c.now.Add(d)
	c.mu.Unlock()
	c.End()
	defer c.Begin()
	for i := 0; ; {
		do, came := c.step(until, i > looks)
		if came {
			return ctx.Err()
		}
		if do != nil {
			do()
			c.End()
			continue
		}
		i++
		time.Sleep(look)
	}
}

// step moves the clock to until if nothing is at work, and reports whether the
// time has come. If a beat comes before, it moves the clock to its time: the caller
// is at work and has to do it.
func (c *SteppedClock) step(until time.Time, impatient bool) (do func(), came bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.now.Before(until) {
		return nil, true
	}
	if c.working != 0 || !impatient && c.busy() {
		return nil, false
	}
	var first *beat
	for _, b := range c.beats {
		if b.next.Before(until) && (first == nil || b.next.Before(first.next)) {
			first = b
		}
	}
	if first == nil {
		c.now = until
		return nil, true
	}
	if c.now.Before(first.next) {
		c.now = first.next
	}
	first.next = c.now.Add(first.interval)
	c.working++
	return first.do, false
}
