package mtssim

import (
	"context"
	"sync"
	"time"
)

// CPU time per record at pace 1 (facts/mts.md 9).
const (
	postCost   = 16 * time.Millisecond // the mapping is compiled again for every record
	workCost   = 12 * time.Millisecond
	formatCost = 2 * time.Millisecond // outputFormat, between "processed" and the callback
)

// processors are those that the workers of a replica share. When there are more
// workers at work than processors, each proceeds at its share of them.
type processors struct {
	mu      sync.Mutex
	count   int
	busy    int           // interpreters with a thread at work
	changed chan struct{} // closed when a share changes
}

func newProcessors(count int) *processors {
	return &processors{count: count, changed: make(chan struct{})}
}

func (p *processors) setCount(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count = count
	p.announce()
}

func (p *processors) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// interpreter is the Python of one worker. It uses one processor at most, which
// the POST handler and the thread share: when both are at work, each proceeds at
// half speed. Measured with one process on 4 processors (facts/mts.md 9): a POST
// of 1,000 takes 16.7 s alone and 24 s beside the thread.
type interpreter struct {
	processors *processors
	active     int // guarded by processors.mu
}

func (i *interpreter) change(by int) {
	p := i.processors
	p.mu.Lock()
	defer p.mu.Unlock()
	before := min(i.active, 1)
	i.active += by
	p.busy += min(i.active, 1) - before
	p.announce()
}

// slowdown is what one of the interpreter's threads takes longer than alone, as
// a fraction, until it changes.
func (i *interpreter) slowdown() (numerator, denominator time.Duration, changed <-chan struct{}) {
	p := i.processors
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(i.active * max(p.busy, p.count)), time.Duration(p.count), p.changed
}

// use takes d of CPU time and returns by how much the timers overslept.
func (i *interpreter) use(ctx context.Context, d time.Duration) (overslept time.Duration) {
	i.change(+1)
	defer i.change(-1)
	for d > 0 && ctx.Err() == nil {
		numerator, denominator, changed := i.slowdown()
		start := time.Now()
		// Rounded up: what is left afterwards must not round to the same again.
		timer := time.NewTimer((d*numerator + denominator - 1) / denominator)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		d -= time.Since(start) * denominator / numerator
	}
	return -d
}

// meter spends CPU time in small amounts without losing what timers cannot
// measure: less than a millisecond is owed until it is worth a sleep, and what
// was overslept is credit.
type meter struct {
	interpreter *interpreter
	owed        time.Duration
}

func (m *meter) spend(ctx context.Context, d time.Duration) {
	m.owed += d
	if m.owed >= time.Millisecond {
		m.owed = -m.interpreter.use(ctx, m.owed)
	}
}

// sleep waits without using a processor; it reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
