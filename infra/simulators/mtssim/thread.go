package mtssim

import "errors"

// work is the one thread that authenticates and delivers, one request after the
// other.
func (w *worker) work() {
	thread := &meter{interpreter: w.interpreter}
	for {
		r := w.next()
		if r == nil {
			return
		}
		w.handle(r, thread)
		close(r.over)
		r.records = nil // only the status is kept
	}
}

func (w *worker) handle(r *request, thread *meter) {
	s := w.sim
	status := processed
	// A request without one valid record is not authenticated, but delivered (2.5).
	if w.statusOf(r) == submitted && !w.setStatus(r, processing) {
		return
	}
	for _, rec := range r.records {
		if rec.status == recordSubmitted {
			if !w.stillWanted(r) {
				return
			}
			w.authenticate(rec, thread)
			if w.ctx.Err() != nil {
				return
			}
		}
		if rec.status != recordProcessed {
			status = processedWithErrors
		}
	}
	// The status is committed before anything is delivered (facts/mts.md W7).
	if !w.setStatus(r, status) || r.delivery != deliverCallback {
		return
	}
	switch err := w.deliver(r, thread); {
	case errors.Is(err, errCrashed):
		s.replace(w)
	case err != nil:
		w.setStatus(r, callbackFailed)
		s.count(func(c *Counters) { c.CallbacksFailed++ })
	}
}

func (w *worker) statusOf(r *request) string {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	return r.status
}

// authenticate asks the identity system about one record. Calls to it are not
// repeated.
func (w *worker) authenticate(rec *record, thread *meter) {
	s := w.sim
	thread.spend(w.ctx, w.scaled(workCost))
	if !sleep(w.ctx, s.options.IdentityLatency) {
		return
	}
	verdict := s.refusal()
	if verdict == nil {
		v := s.options.Identify(w.ctx, rec.applicant)
		verdict = &v
	}
	if w.ctx.Err() != nil {
		return
	}
	rec.apply(*verdict)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.RecordsProcessed++
	s.attempts[rec.applicant.VID]++
	if rec.token != "" {
		s.tokens[rec.applicant.VID]++
	}
}
