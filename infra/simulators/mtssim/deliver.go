package mtssim

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// errNotSimulated ends the delivery of what this simulator accepts and does not
// deliver: csv output.
var errNotSimulated = errors.New("this delivery is not simulated")

// deliver signs in, makes the callbacks of a processed request, and signs out. Its
// first error ends the delivery: the remaining records are not attempted, nothing is
// repeated, and nobody signs out.
func (w *worker) deliver(r *request, thread *meter) error {
	if r.output != outputJSON {
		return errNotSimulated
	}
	to, err := w.authorize(&r.callback)
	if err != nil {
		return err
	}
	if err := w.callAll(r, to, thread); err != nil {
		return err
	}
	return to.logOut()
}

func (w *worker) callAll(r *request, to *authorized, thread *meter) error {
	if r.callback.inBulk {
		body, err := w.bulk(r, thread)
		if err != nil {
			return err
		}
		return w.call(r, to, body)
	}
	for _, rec := range r.records {
		body, err := w.appendResult(nil, r, rec, thread)
		if err != nil {
			return err
		}
		if string(body) == "null" {
			body = nil // requests sends no body for None
		}
		if err := w.call(r, to, body); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) bulk(r *request, thread *meter) (body []byte, err error) {
	body = append(body, '[')
	for i, rec := range r.records {
		if i > 0 {
			body = append(body, ", "...)
		}
		if body, err = w.appendResult(body, r, rec, thread); err != nil {
			return nil, err
		}
	}
	return append(body, ']'), nil
}

// appendResult prints what outputFormat makes of a record.
func (w *worker) appendResult(body []byte, r *request, rec *record, thread *meter) ([]byte, error) {
	result, err := w.result(r, rec, thread)
	switch {
	case err != nil:
		return nil, err
	case notFinite(result):
		return nil, errNotFinite
	}
	return python.AppendJSON(body, result), nil
}

func (w *worker) result(r *request, rec *record, thread *meter) (any, error) {
	if r.format == nil {
		return rec.output(), nil
	}
	thread.spend(w.ctx, w.scaled(formatCost))
	output := map[string]any{}
	for _, field := range rec.output() {
		output[field.Key] = field.Value
	}
	result, err := r.format.first(w.ctx, map[string]any{"input": rec.received, "output": output})
	return asJQNumbers(result), err
}

var errNotFinite = errors.New("out of range float values are not JSON compliant")

// notFinite finds NaN and infinities, which requests does not print.
func notFinite(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v) || math.IsInf(v, 0)
	case []any:
		return slices.ContainsFunc(v, notFinite)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), notFinite)
	case python.Dict:
		return slices.ContainsFunc(v, func(i python.Item) bool { return notFinite(i.Value) })
	}
	return false
}

// call makes one callback, or loses or multiplies it as the faults say.
func (w *worker) call(r *request, to *authorized, body []byte) error {
	s := w.sim
	if !w.stillWanted(r) {
		return context.Canceled
	}
	copies, parallel := s.planCall()
	if copies == 0 {
		return nil
	}
	send := func() error {
		err := to.call(body)
		if err == nil {
			s.count(func(c *Counters) {
				c.CallbacksSent++
				c.BytesSent += int64(len(body))
			})
		}
		return err
	}
	if !parallel {
		for range copies {
			if err := send(); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, copies)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = send() })
	}
	all.Wait()
	return errors.Join(errs...)
}
