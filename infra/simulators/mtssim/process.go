package mtssim

import (
	"context"
	"sync"
	"time"
)

// process is one process of the token seeder: a web server that handles one
// request at a time, a queue in memory and a thread that processes it. A restart
// replaces the process.
type process struct {
	sim     *Server
	ctx     context.Context
	kill    context.CancelFunc
	started string        // the responsetime of every reply of this process (facts/mts.md W28)
	turn    chan struct{} // held by the HTTP request that is being handled
	core    *core

	mu     sync.Mutex
	queue  []*request
	busy   bool          // a request was taken from the queue and is not finished
	queued chan struct{} // has an element when a request was queued since the last look
}

func (s *Server) newProcess() *process {
	p := &process{
		sim:     s,
		started: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		turn:    make(chan struct{}, 1),
		core:    newCore(),
		queued:  make(chan struct{}, 1),
	}
	p.ctx, p.kill = context.WithCancel(s.ctx)
	s.running.Go(p.work)
	return p
}

func (s *Server) currentProcess() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// scaled is a CPU time at the pace of this simulator.
func (p *process) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * p.sim.options.Pace)
}

func (p *process) enqueue(r *request) {
	p.mu.Lock()
	p.queue = append(p.queue, r)
	p.mu.Unlock()
	select {
	case p.queued <- struct{}{}:
	default:
	}
}

// next waits for the oldest request in the queue; nil when the process ends.
func (p *process) next() *request {
	for {
		if p.ctx.Err() != nil {
			return nil
		}
		p.mu.Lock()
		if len(p.queue) > 0 {
			r := p.queue[0]
			p.queue[0] = nil
			p.queue = p.queue[1:]
			p.busy = true
			p.mu.Unlock()
			return r
		}
		p.busy = false
		p.mu.Unlock()
		select {
		case <-p.queued:
		case <-p.ctx.Done():
		}
	}
}
