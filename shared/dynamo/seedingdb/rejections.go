package seedingdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func rejections(registry string) string { return "R#" + registry + "#rejections" }

func rejectionKey(r seeding.Rejection) dynamo.Key {
	return dynamo.Key{Partition: rejections(r.Registry), Sort: encodeSubject(r.Subject) + "#" + r.Connector}
}

// submissionPrefix sorts submissions after all identifiers, which are digits.
const submissionPrefix = "s:"

// encodeSubject writes the subject for a key.
func encodeSubject(s seeding.Subject) string {
	if s.Submission != "" {
		return submissionPrefix + url.QueryEscape(s.Submission)
	}
	return dynamo.Padded(s.Identifier)
}

// decodeSubject is the inverse of encodeSubject, without the registrant.
func decodeSubject(text string) (seeding.Subject, error) {
	if submission, found := strings.CutPrefix(text, submissionPrefix); found {
		id, err := url.QueryUnescape(submission)
		return seeding.Subject{Submission: id}, err
	}
	identifier, err := strconv.ParseInt(text, 10, 64)
	return seeding.Member{Identifier: identifier}.Subject(), err
}

// Rejections implements seeding.Rejections.
func (s *Store) Rejections(ctx context.Context, registry string, from, to int64) ([]seeding.Rejection, error) {
	if to < from || to < 0 {
		return nil, nil
	}
	return readable(ctx, s, dynamo.Span{
		Partition: rejections(registry),
		From:      dynamo.Padded(from), To: dynamo.AfterAll(dynamo.Padded(to)),
	}, decodeRejection(registry))
}

// gap is how many identifiers without a rejection are read over rather than asked
// for with two requests.
const gap = 100

// RejectionsAt implements seeding.Rejections.
func (s *Store) RejectionsAt(ctx context.Context, registry string, identifiers []int64) ([]seeding.Rejection, error) {
	type span struct{ from, to int64 }
	var spans []*span
	for _, id := range slices.Sorted(slices.Values(identifiers)) {
		if n := len(spans); n > 0 && id-spans[n-1].to <= gap {
			spans[n-1].to = id
		} else {
			spans = append(spans, &span{id, id})
		}
	}
	var (
		mu      sync.Mutex
		found   []seeding.Rejection
		damaged error
	)
	err := dynamo.Parallel(ctx, spans, func(ctx context.Context, one *span) error {
		list, err := s.Rejections(ctx, registry, one.from, one.to)
		mu.Lock()
		defer mu.Unlock()
		found = append(found, list...)
		damaged = cmp.Or(damaged, err)
		return seeding.IgnoreDamaged(err)
	})
	slices.SortFunc(found, func(a, b seeding.Rejection) int {
		return cmp.Or(cmp.Compare(a.Identifier, b.Identifier), cmp.Compare(a.Connector, b.Connector))
	})
	return found, cmp.Or(err, damaged)
}

// PutRejections implements seeding.Rejections.
func (s *Store) PutRejections(ctx context.Context, list []seeding.Rejection) (conflicts int, err error) {
	var lost atomic.Int64
	err = dynamo.Parallel(ctx, list, func(ctx context.Context, r seeding.Rejection) error {
		err := s.putRejection(ctx, r)
		if errors.Is(err, seeding.ErrConflict) {
			lost.Add(1)
			return nil
		}
		return err
	})
	return int(lost.Load()), err
}

func (s *Store) putRejection(ctx context.Context, r seeding.Rejection) error {
	c := dynamo.Change{
		Key: rejectionKey(r), Item: encodeRejection(r),
		Condition: "#version = :version", Values: dynamo.Item{":version": dynamo.Number(r.Version)},
	}
	if r.Version == 0 {
		c.Condition = dynamo.Absent
	}
	written := func(old dynamo.Item) bool {
		decode := decodeRejection(r.Registry)
		before, err := decode(old)
		wanted, _ := decode(c.Full())
		return err == nil && before == wanted
	}
	return conflict(dynamo.Already(s.connectors.Put(ctx, c), written))
}

// DeleteRejections implements seeding.Rejections. One that was written again
// stays.
func (s *Store) DeleteRejections(ctx context.Context, list []seeding.Rejection) error {
	return dynamo.Parallel(ctx, list, func(ctx context.Context, r seeding.Rejection) error {
		err := s.connectors.Delete(ctx, dynamo.Change{
			Key: rejectionKey(r), Condition: "#version = :version", Values: dynamo.Item{":version": dynamo.Number(r.Version)},
		})
		return dynamo.Explain(err, nil, nil)
	})
}

// mostExamined is about how many rejections one call reads for a page, of whichever
// connector: 2 MB. Who looks for few among many continues from there.
const mostExamined = 10_000

// ListRejections implements the store of the connectors API. A page mark is the
// sort key of the last rejection that was read for the page.
func (s *Store) ListRejections(ctx context.Context, registry, connector string, filter seeding.RejectionFilter, after string, limit int) (list []seeding.Rejection, next string, err error) {
	span := dynamo.Span{Partition: rejections(registry), From: after}
	if filter.Submission != "" { // its key is known
		key := rejectionKey(seeding.Rejection{Connector: connector, Subject: seeding.Subject{Submission: filter.Submission}}).Sort
		span.From, span.To = max(after, key), key
	}
	switch filter.Subjects {
	case seeding.Submissions:
		span.From = max(span.From, submissionPrefix)
	case seeding.Registrants:
		span.To = submissionPrefix
	}
	span.Filter, span.Values = filterOf(filter)
	if span.Filter == "" && filter.Code == "" {
		span.Limit = max(limit+2, 200)
	}
	decode := decodeRejection(registry)
	limit = max(limit, 1)
	full := false
	last, err := s.connectors.Search(ctx, span, mostExamined, func(it dynamo.Item) (bool, error) {
		sort := dynamo.SortKey(it)
		parts, ok := dynamo.SplitSort(sort, 2)
		if !ok || parts[1] != connector || sort == after {
			return true, nil
		}
		r, err := decode(it)
		if err != nil || !filter.Has(r) { // one that cannot be read must not keep anybody from the others
			return true, nil //nolint:nilerr // so it is left out
		}
		if full = len(list) == limit; full {
			return false, nil
		}
		list = append(list, r)
		return true, nil
	})
	switch {
	case err != nil:
		return nil, "", err
	case full:
		return list, rejectionKey(list[limit-1]).Sort, nil
	}
	return list, last, nil
}

// sinceThen is a condition on Rejection.Since.
const sinceThen = "(#first >= :since OR attribute_not_exists(#first) AND #since >= :since)"

// filterOf is the part of a filter that DynamoDB applies.
func filterOf(f seeding.RejectionFilter) (condition string, values dynamo.Item) {
	var parts, some []string
	values = dynamo.Item{}
	if f.Kind != "" {
		parts, values[":kind"] = append(parts, "#kind = :kind"), dynamo.Text(string(f.Kind))
	}
	if !f.Since.IsZero() {
		parts, values[":since"] = append(parts, sinceThen), dynamo.Instant(f.Since)
	}
	for i, registrant := range f.Registrants {
		name := fmt.Sprintf(":r%d", i)
		some, values[name] = append(some, "#registrant = "+name), dynamo.Number(registrant)
	}
	if len(some) > 0 {
		parts = append(parts, "("+strings.Join(some, " OR ")+")")
	}
	return strings.Join(parts, " AND "), values
}

func encodeRejection(r seeding.Rejection) dynamo.Item {
	it := dynamo.Item{
		"registrant": dynamo.Number(r.Registrant), "kind": dynamo.Text(string(r.Kind)), "code": dynamo.Text(r.Code),
		"holder": dynamo.Number(r.Holder), "configured": dynamo.Number(r.Configured), "printKey": dynamo.Text(r.FingerprintKey),
		"attempts": dynamo.Number(r.Attempts), "next": dynamo.Instant(r.Next), "since": dynamo.Instant(r.LastAttempt),
		"version": dynamo.Number(r.Version + 1), "received": dynamo.Instant(r.Received),
	}
	if r.Since.Before(r.LastAttempt) { // else it is the same
		it["first"] = dynamo.Instant(r.Since)
	}
	if r.Fingerprint != (seeding.Fingerprint{}) {
		it["print"] = dynamo.Binary(r.Fingerprint[:])
	}
	return dynamo.OmitZero(it)
}

// decodeRejection returns the decoder of a registry's rejections.
func decodeRejection(registry string) func(dynamo.Item) (seeding.Rejection, error) {
	return func(it dynamo.Item) (seeding.Rejection, error) {
		r := dynamo.NewReader(it)
		r.Form(1)
		rejection := seeding.Rejection{
			Registry:       registry,
			Kind:           seeding.RejectionKind(r.Text("kind")),
			Code:           r.Text("code"),
			Holder:         r.Number("holder"),
			FingerprintKey: r.Text("printKey"),
			Configured:     r.Int("configured"),
			Attempts:       r.Int("attempts"),
			Next:           r.Instant("next"),
			LastAttempt:    r.Instant("since"),
			Version:        r.Int("version"),
			Received:       r.Instant("received"),
		}
		rejection.Since = cmp.Or(r.Instant("first"), rejection.LastAttempt)
		if p := r.Binary("print"); len(p) == len(rejection.Fingerprint) {
			rejection.Fingerprint = seeding.Fingerprint(p)
		} else if len(p) > 0 {
			r.Damaged("print")
		}
		parts, ok := dynamo.SplitSort(r.Key().Sort, 2)
		if !ok {
			r.Damaged("sk")
			return dynamo.Decoded(r, rejection)
		}
		subject, err := decodeSubject(parts[0])
		if err != nil {
			r.Damaged("sk")
		}
		subject.Registrant = r.Number("registrant")
		rejection.Subject, rejection.Connector = subject, parts[1]
		return dynamo.Decoded(r, rejection)
	}
}
