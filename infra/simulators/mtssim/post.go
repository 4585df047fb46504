package mtssim

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// post is POST /authtoken/json or, with the records that ODK Central has, POST
// /authtoken/odk.
func (w *worker) post(contentType string, body []byte, odk bool) (reply, *request) {
	w.sim.count(func(c *Counters) {
		c.Posts++
		c.BytesReceived += int64(len(body))
	})
	value, out := w.parse(contentType, body, odk)
	if out.status != 0 {
		return out, nil
	}
	s, refusal := readSubmission(value, odk)
	if refusal == nil && odk {
		s.authdata, refusal = pull(w.ctx, w.sim.options.Dial, s.odk)
	}
	if refusal != nil {
		return w.errorReply(refusal), nil
	}
	records, err := w.read(s)
	switch {
	case errors.Is(err, errCrashed):
		w.sim.replace(w)
		return reply{}, nil
	case err != nil:
		return w.errorReply(internal(err.Error())), nil
	}
	accepted := w.accept(s, records)
	if accepted == nil {
		return reply{}, nil
	}
	response := map[string]string{"request_identifier": accepted.id}
	if accepted.invalid == accepted.count {
		message := "none of the record form a valid request"
		return w.enveloped(http.StatusOK, []wireError{{"ATS-REQ-101", &message}}, response), accepted
	}
	return w.enveloped(http.StatusOK, nil, response), accepted
}

// parse reads a body as the framework does. A reply of status 0 is none.
func (w *worker) parse(contentType string, body []byte, odk bool) (map[string]any, reply) {
	missing := w.errorReply(refused(http.StatusBadRequest, "ATS-REQ-102", "invalid input. missing request body"))
	if odk {
		missing = w.errorReply(internal("'NoneType' object has no attribute 'request'"))
	}
	if len(body) == 0 {
		return nil, missing
	}
	schema := &form{}
	if !isJSON(contentType) {
		schema.problem(notObject)
		return nil, w.errorReply(schema.outcome())
	}
	if !utf8.Valid(body) {
		return nil, detail(http.StatusBadRequest, "There was an error parsing the body")
	}
	value, err := decodeJSON(body)
	switch {
	case err != nil:
		schema.problem(notJSON)
		return nil, w.errorReply(schema.outcome())
	case value == nil:
		return nil, missing
	}
	object, ok := value.(map[string]any)
	if !ok {
		schema.problem(notObject)
		return nil, w.errorReply(schema.outcome())
	}
	return object, reply{}
}

// isJSON: application/json or application/*+json. A body without Content-Type
// is refused; the facts do not say.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// read maps the records, at the pace of a real MTS.
func (w *worker) read(s *submission) ([]*record, error) {
	start := time.Now()
	r := &reader{ctx: w.ctx, mapping: s.mapping, language: s.language, mandatory: w.sim.options.Mandatory}
	records := make([]*record, 0, len(s.authdata))
	var err error
	for _, received := range s.authdata {
		var rec *record
		if rec, err = r.read(received); err != nil {
			break // the records before it have cost their time
		}
		records = append(records, rec)
	}
	cost := time.Duration(len(records)) * w.scaled(postCost)
	if !errors.Is(err, errCrashed) && cost > 0 {
		w.interpreter.use(w.ctx, cost-time.Since(start))
	}
	return records, err
}

// accept stores a request and queues it, before its answer is written. It
// returns nil when the worker has ended meanwhile.
func (w *worker) accept(s *submission, records []*record) *request {
	r := &request{
		id:         newRequestID(),
		accepted:   time.Now(),
		status:     submitted,
		submission: s,
		records:    records,
		count:      len(records),
		over:       make(chan struct{}),
	}
	s.authdata = nil
	for _, rec := range records {
		if rec.status == recordInvalid {
			r.invalid++
		}
	}
	if r.invalid == r.count {
		r.status = submittedWithErrors
	}
	sim := w.sim
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if w.ctx.Err() != nil {
		return nil
	}
	w.replica.requests[r.id] = r
	c := &sim.counters
	c.PostsAccepted++
	c.RecordsReceived += r.count
	c.RecordsInvalid += r.invalid
	c.MaxRecordsPerPost = max(c.MaxRecordsPerPost, r.count)
	w.enqueue(r)
	return r
}
