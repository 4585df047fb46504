package mtssim

import (
	"context"
	"slices"
	"time"
)

// replica is one container of the token seeder from its start to its end: some
// workers that share a port, a database and processors. Replicas share nothing.
// Starting a replica again makes a new one, on the same database or on none.
type replica struct {
	sim        *Server
	ctx        context.Context
	kill       context.CancelFunc
	processors *processors

	// Guarded by Server.mu.
	requests map[string]*request // the database
	workers  []*worker
	waiting  []*connection // with a request, oldest first, until a worker has time for it
}

// startReplica starts all workers of a replica. The caller holds Server.mu.
func (s *Server) startReplica(requests map[string]*request) *replica {
	r := &replica{sim: s, processors: newProcessors(s.size.Processors), requests: requests}
	r.ctx, r.kill = context.WithCancel(s.ctx)
	r.setWorkers(s.size.Workers)
	return r
}

func (r *replica) runs() bool { return r.ctx.Err() == nil }

// setWorkers starts workers, or kills the last ones. The caller holds Server.mu.
func (r *replica) setWorkers(count int) {
	for len(r.workers) > count {
		last := len(r.workers) - 1
		r.workers[last].kill()
		r.workers = slices.Delete(r.workers, last, last+1)
	}
	for len(r.workers) < count {
		w := r.startWorker(len(r.workers))
		r.workers = append(r.workers, w)
		r.handleNext(w)
	}
}

func (r *replica) startWorker(number int) *worker {
	w := &worker{
		sim:         r.sim,
		replica:     r,
		number:      number,
		started:     time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		interpreter: &interpreter{processors: r.processors},
		queued:      make(chan struct{}, 1),
	}
	w.ctx, w.kill = context.WithCancel(r.ctx)
	r.sim.running.Go(w.work)
	return w
}

// replaceWorker kills a worker and starts another in its place; it does nothing
// when the worker has ended already. The caller holds Server.mu.
func (r *replica) replaceWorker(w *worker) {
	if w.ctx.Err() != nil {
		return
	}
	w.kill()
	successor := r.startWorker(w.number)
	r.workers[w.number] = successor
	r.sim.counters.Restarts++
	r.handleNext(successor)
}

// take adds a request to those that wait. Its connection goes to the worker that
// has it already. A new one goes to any worker that is not blocked, with however
// much in its queue (measured: POSTs go to free workers by themselves). Which of
// several free ones is assumed: all of them are woken and one is the first, so
// it is drawn. The caller holds Server.mu.
func (r *replica) take(c *connection) {
	r.waiting = append(r.waiting, c)
	if c.worker != nil {
		if !c.worker.blocked {
			r.handleNext(c.worker)
		}
		return
	}
	var free []*worker
	for _, w := range r.workers {
		if !w.blocked {
			free = append(free, w)
		}
	}
	if len(free) > 0 {
		r.handleNext(free[r.sim.random.IntN(len(free))])
	}
}

// handleNext gives a worker that has time the oldest request that it may handle.
// When all were blocked, connections have waited in the backlog of the port;
// assumed is that a worker which becomes free takes one of them and not all. The
// caller holds Server.mu.
func (r *replica) handleNext(w *worker) {
	w.blocked = false
	if w.ctx.Err() != nil {
		return
	}
	i := slices.IndexFunc(r.waiting, func(c *connection) bool { return c.worker == nil || c.worker == w })
	if i < 0 {
		return
	}
	c := r.waiting[i]
	r.waiting = slices.Delete(r.waiting, i, i+1)
	w.blocked = true
	c.worker = w
	c.turn <- struct{}{}
}

// cleanUp deletes requests by age alone, also those being processed
// (facts/mts.md W8). The caller holds Server.mu.
func (r *replica) cleanUp() {
	for id, q := range r.requests {
		if time.Since(q.accepted) >= r.sim.options.Expiry {
			delete(r.requests, id)
			r.sim.counters.CleanedUp++
		}
	}
}
