package mtssim

import (
	"context"
	"time"
)

// worker is one process of a replica: an event loop that handles one HTTP request
// at a time, a queue in memory and a thread that processes it.
type worker struct {
	sim         *Server
	replica     *replica
	number      int // in its replica, from 0
	ctx         context.Context
	kill        context.CancelFunc
	started     string // the responsetime of every reply of this worker (facts/mts.md W28)
	interpreter *interpreter
	queued      chan struct{} // has an element when a request was queued since the last look

	// Guarded by Server.mu.
	blocked bool // handles a request, and takes no connection meanwhile
	handled int  // HTTP requests
	queue   []*request
	busy    bool // a request was taken from the queue and is not finished
}

// scaled is a CPU time at the pace of this simulator.
func (w *worker) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * w.sim.options.Pace)
}

// atLimit reports whether the worker has handled as many HTTP requests as it may.
// Those that come over connections which it has taken before are handled all the
// same. The caller holds Server.mu.
func (w *worker) atLimit() bool {
	limit := w.sim.size.MaxRequests
	return limit > 0 && w.handled >= limit
}

// open is the number of requests that the thread has not finished. The caller
// holds Server.mu.
func (w *worker) open() int {
	if w.busy {
		return len(w.queue) + 1
	}
	return len(w.queue)
}

// enqueue is called with Server.mu held.
func (w *worker) enqueue(r *request) {
	w.queue = append(w.queue, r)
	select {
	case w.queued <- struct{}{}:
	default:
	}
}

// next waits for the oldest request in the queue; nil when the worker ends.
func (w *worker) next() *request {
	for w.ctx.Err() == nil {
		if r := w.dequeue(); r != nil {
			return r
		}
		select {
		case <-w.queued:
		case <-w.ctx.Done():
		}
	}
	return nil
}

func (w *worker) dequeue() *request {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	w.busy = len(w.queue) > 0
	if !w.busy {
		return nil
	}
	r := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return r
}
