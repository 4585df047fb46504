package mtssim

import "errors"

// work is the one thread that authenticates and delivers, one request after the
// other.
func (p *process) work() {
	worker := &meter{core: p.core}
	for {
		r := p.next()
		if r == nil {
			return
		}
		p.handle(r, worker)
		close(r.over)
		r.records = nil // only the status is kept
	}
}

func (p *process) handle(r *request, worker *meter) {
	s := p.sim
	status := processed
	// A request without one valid record is not authenticated, but delivered (2.5).
	if p.statusOf(r) == submitted && !s.setStatus(p, r, processing) {
		return
	}
	for _, rec := range r.records {
		if rec.status == recordSubmitted {
			if !s.stillWanted(p, r) {
				return
			}
			p.authenticate(rec, worker)
			if p.ctx.Err() != nil {
				return
			}
		}
		if rec.status != recordProcessed {
			status = processedWithErrors
		}
	}
	// The status is committed before anything is delivered (facts/mts.md W7).
	if !s.setStatus(p, r, status) || r.delivery != deliverCallback {
		return
	}
	switch err := p.deliver(r, worker); {
	case errors.Is(err, errCrashed):
		s.crash(p)
	case err != nil:
		s.setStatus(p, r, callbackFailed)
		s.count(func(c *Counters) { c.CallbacksFailed++ })
	}
}

func (p *process) statusOf(r *request) string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	return r.status
}

// authenticate asks the identity system about one record. Calls to it are not
// repeated.
func (p *process) authenticate(rec *record, worker *meter) {
	s := p.sim
	worker.spend(p.ctx, p.scaled(workCost))
	if !sleep(p.ctx, s.options.IdentityLatency) {
		return
	}
	verdict := s.refusal()
	if verdict == nil {
		v := s.options.Identify(p.ctx, rec.applicant)
		verdict = &v
	}
	if p.ctx.Err() != nil {
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
