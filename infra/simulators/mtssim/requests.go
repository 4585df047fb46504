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
	records []*record // the worker's, from the queue on
	count   int
	invalid int
	over    chan struct{} // closed when the worker is done with it
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

// Status is the word for a request; ok is false when there is no such request.
func (s *Server) Status(id string) (status string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return "", false
	}
	return r.status, true
}

// setStatus reports false, and does nothing, when clean-up has deleted the
// request or the process that asks is dead.
func (s *Server) setStatus(p *process, r *request, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ctx.Err() != nil || s.requests[r.id] != r {
		return false
	}
	r.status = status
	return true
}

// stillWanted reports whether there is any point in going on with r.
func (s *Server) stillWanted(p *process, r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.ctx.Err() == nil && s.requests[r.id] == r
}

// cleanUp deletes requests by age alone, also those being processed
// (facts/mts.md W8).
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
		for id, r := range s.requests {
			if time.Since(r.accepted) >= s.options.Expiry {
				delete(s.requests, id)
				s.counters.CleanedUp++
			}
		}
		s.mu.Unlock()
	}
}
