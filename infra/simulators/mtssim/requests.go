package mtssim

import (
	"crypto/rand"
	"fmt"
	"time"
)

// The states of a request (facts/mts.md 4.1).
const (
	submitted           = "submitted"
	submittedWithErrors = "submitted_with_errors"
	processing          = "processing"
	processed           = "processed"
	processedWithErrors = "processed_with_errors"
	callbackFailed      = "error_making_callback_request"
)

// request is one accepted submission.
type request struct {
	id       string
	accepted time.Time
	status   string // guarded by Server.mu
	*submission
	records []*record // the thread's, from the queue on
	count   int
	invalid int
	over    chan struct{} // closed when the thread is done with it
}

// newRequestID returns UUID-shaped text whose first two characters are the
// number of the pod, which is 00 in a Kubernetes Deployment.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return "00" + id[2:]
}

// Status is the word for a request at the replica that has it; ok is false when
// there is none.
func (s *Server) Status(id string) (status string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replicas {
		if q, ok := r.requests[id]; ok {
			return q.status, true
		}
	}
	return "", false
}

// status is what any worker of the replica says about a request: they share the
// table, and no other replica has it (facts/mts.md W23).
func (r *replica) status(id string) (status string, ok bool) {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	q, ok := r.requests[id]
	if !ok {
		return "", false
	}
	return q.status, true
}

// setStatus reports false, and does nothing, when clean-up has deleted the
// request or the worker is dead.
func (w *worker) setStatus(r *request, status string) bool {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	if !w.wants(r) {
		return false
	}
	r.status = status
	return true
}

// stillWanted reports whether there is any point in going on with r.
func (w *worker) stillWanted(r *request) bool {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	return w.wants(r)
}

func (w *worker) wants(r *request) bool {
	return w.ctx.Err() == nil && w.replica.requests[r.id] == r
}

// cleanUp has the replicas that run look for old requests.
func (s *Server) cleanUp() {
	tick := time.NewTicker(s.options.CleanupInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for _, r := range s.replicas {
			if r.runs() {
				r.cleanUp()
			}
		}
		s.mu.Unlock()
	}
}
