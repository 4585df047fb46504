package deployed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/infra/world/waiting"
)

// Schedule does what the schedules of the template do every minute, but more
// often.
type Schedule struct {
	World  *World
	Every  time.Duration
	Failed func(error) // is called for every tick that fails

	ticking sync.Mutex // locked during a tick, and while paused
	count   atomic.Int64
}

// Run ticks until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s.ticking.Lock()
		s.Tick(ctx)
		s.ticking.Unlock()
		waiting.Pause(ctx, s.Every)
	}
}

// Tick ticks once, also while the schedule is paused.
func (s *Schedule) Tick(ctx context.Context) {
	if err := s.World.Tick(ctx); err != nil && ctx.Err() == nil {
		s.Failed(err)
	}
	s.count.Add(1)
}

// Pause waits for the tick under way, and lets no other begin until resume.
func (s *Schedule) Pause() (resume func()) {
	s.ticking.Lock()
	return s.ticking.Unlock
}

// Ticks is how many ticks have ended.
func (s *Schedule) Ticks() int64 { return s.count.Load() }
