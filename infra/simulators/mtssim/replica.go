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
	waiting  []*connection // with a request that no worker has begun with, oldest first
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
		r.endWorker(r.workers[last])
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
	r.endWorker(w)
	successor := r.startWorker(w.number)
	r.workers[w.number] = successor
	r.sim.counters.Restarts++
	r.handleNext(successor)
}

// replaceWorkersAtLimit replaces those that a lower limit has found idle. The
// caller holds Server.mu.
func (r *replica) replaceWorkersAtLimit() {
	for _, w := range slices.Clone(r.workers) {
		if w.atLimit() && !w.blocked {
			r.replaceWorker(w)
		}
	}
}

// end kills a replica with everything that waits for it. The caller holds Server.mu.
func (r *replica) end() {
	r.kill()
	for _, c := range r.waiting {
		c.turn <- nil
	}
	r.waiting = nil
}

// endWorker kills a worker with everything that waits for it. The caller holds
// Server.mu.
func (r *replica) endWorker(w *worker) {
	w.kill()
	r.waiting = slices.DeleteFunc(r.waiting, func(c *connection) bool {
		if c.worker != w {
			return false
		}
		c.turn <- nil
		return true
	})
}

// take adds a connection to those with a request that waits. A new connection
// goes to a worker that is not blocked, however long its queue is (measured:
// facts/mts.md 9); to which of several is assumed to be left to chance, because
// the kernel wakes them all and one is the first. When all are blocked it waits
// in the backlog of the port. The caller holds Server.mu.
func (r *replica) take(c *connection) {
	r.waiting = append(r.waiting, c)
	w := c.worker
	if w == nil {
		free := slices.DeleteFunc(slices.Clone(r.workers), func(w *worker) bool { return w.blocked || w.atLimit() })
		if len(free) == 0 {
			return
		}
		w = free[r.sim.random.IntN(len(free))]
	}
	if !w.blocked {
		r.handleNext(w)
	}
}

// handleNext is what a worker does that is not blocked any more: it takes all
// connections that wait in the backlog, and handles the oldest request of those
// that it has. That it takes them all is how Python's event loop accepts, and is
// what agrees with the measurement (facts/mts.md 9): eight batches under way at
// four workers get no more than four, because some workers then have several and
// others none. A worker at its limit takes none any more. The caller holds
// Server.mu.
func (r *replica) handleNext(w *worker) {
	w.blocked = false
	if w.ctx.Err() != nil {
		return
	}
	for _, c := range r.waiting {
		if c.worker == nil && !w.atLimit() {
			c.worker = w
		}
	}
	i := slices.IndexFunc(r.waiting, func(c *connection) bool { return c.worker == w })
	if i < 0 {
		return
	}
	c := r.waiting[i]
	r.waiting = slices.Delete(r.waiting, i, i+1)
	w.blocked = true
	c.turn <- w
}

// cleanUp deletes requests by age alone, also those being processed
// (facts/mts.md W8). One worker runs it in a real replica (facts/mts.md W24); assumed is that
// it goes on whichever workers are replaced. The caller holds Server.mu.
func (r *replica) cleanUp() {
	for id, q := range r.requests {
		if time.Since(q.accepted) >= r.sim.options.Expiry {
			delete(r.requests, id)
			r.sim.counters.CleanedUp++
		}
	}
}
