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

// core is the one processor that the POST handler and the worker share: when both
// use it, each proceeds at half speed.
type core struct {
	mu      sync.Mutex
	active  int
	changed chan struct{} // closed when active changes
}

func newCore() *core { return &core{changed: make(chan struct{})} }

func (c *core) change(by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active += by
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *core) share() (active int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active, c.changed
}

// use takes d of the core's time and returns by how much the timers overslept.
func (c *core) use(ctx context.Context, d time.Duration) (overslept time.Duration) {
	c.change(+1)
	defer c.change(-1)
	for d > 0 && ctx.Err() == nil {
		active, changed := c.share()
		start := time.Now()
		timer := time.NewTimer(d * time.Duration(active))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		d -= time.Since(start) / time.Duration(active)
	}
	return -d
}

// meter spends core time in small amounts without losing what timers cannot
// measure: less than a millisecond is owed until it is worth a sleep, and what
// was overslept is credit.
type meter struct {
	core *core
	owed time.Duration
}

func (m *meter) spend(ctx context.Context, d time.Duration) {
	m.owed += d
	if m.owed >= time.Millisecond {
		m.owed = -m.core.use(ctx, m.owed)
	}
}

// sleep waits without using the core; it reports false when ctx ends first.
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
