package dynamo

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/shared/seeding"
)

// atOnce bounds how many writes of one call are under way.
const atOnce = 8

// Rejections implements seeding.Rejections.
func (s *Store) Rejections(ctx context.Context, registry string, from, to int64) ([]seeding.Rejection, error) {
	if to < from || to < 0 {
		return nil, nil
	}
	return all(ctx, s,
		span{table: s.connectors, pk: rejections(registry), from: padded(from), to: afterAll(padded(to))},
		func(it item) (seeding.Rejection, error) { return decodeRejection(it, registry) })
}

// PutRejections implements seeding.Rejections.
func (s *Store) PutRejections(ctx context.Context, list []seeding.Rejection) (conflicts int, err error) {
	var lost atomic.Int64
	err = parallel(ctx, list, func(ctx context.Context, r seeding.Rejection) error {
		c := change{
			key: rejectionKey(r), item: encodeRejection(r),
			when: "#version = :version", values: item{":version": number(r.Version)},
		}
		if r.Version == 0 {
			c.when = "attribute_not_exists(#pk)"
		}
		meant := c.full()
		err := settle(s.put(ctx, c), seeding.ErrConflict, func(old *reader) bool {
			is, err := decodeRejection(old.item, r.Registry)
			wanted, _ := decodeRejection(meant, r.Registry)
			return err == nil && is == wanted
		})
		if errors.Is(err, seeding.ErrConflict) {
			lost.Add(1)
			return nil
		}
		return err
	})
	return int(lost.Load()), err
}

// DeleteRejections implements seeding.Rejections. One that was written anew
// stays: that is somebody's later word.
func (s *Store) DeleteRejections(ctx context.Context, list []seeding.Rejection) error {
	return parallel(ctx, list, func(ctx context.Context, r seeding.Rejection) error {
		err := settle(s.delete(ctx, change{
			key: rejectionKey(r), when: "#version = :version", values: item{":version": number(r.Version)},
		}), nil, nil)
		if errors.Is(err, seeding.ErrConflict) {
			return nil
		}
		return err
	})
}

// ListRejections implements seeding.Administration. A page mark is the sort key
// of the last rejection of the page.
func (s *Store) ListRejections(ctx context.Context, registry, connector, after string, limit int) ([]seeding.Rejection, string, error) {
	list, more, err := page(ctx, s,
		span{table: s.connectors, pk: rejections(registry), from: after, limit: max(limit+2, 200)}, limit,
		func(it item) bool {
			parts, ok := parseSort(sortKey(it), 2)
			return ok && parts[1] == connector && sortKey(it) != after
		},
		func(it item) (seeding.Rejection, error) { return decodeRejection(it, registry) })
	if err != nil || !more {
		return list, "", err
	}
	return list, rejectionKey(list[len(list)-1]).sk, nil
}

// parallel works on every element, some at once, and returns the first error.
func parallel[T any](ctx context.Context, list []T, work func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, element := range list {
		group.Go(func() error { return work(ctx, element) })
	}
	return group.Wait()
}

func encodeRejection(r seeding.Rejection) item {
	it := item{
		"registrant": number(r.Registrant), "kind": text(string(r.Kind)), "code": text(r.Code),
		"holder": number(r.Holder), "configured": number(r.Configured), "printKey": text(r.PrintKey),
		"attempts": number(r.Attempts), "next": instant(r.Next), "since": instant(r.Since),
		"version": number(r.Version + 1),
	}
	if r.Print != (seeding.Print{}) {
		it["print"] = binary(r.Print[:])
	}
	return lean(it)
}

func decodeRejection(it item, registry string) (seeding.Rejection, error) {
	r := &reader{item: it}
	rejection := seeding.Rejection{
		Registry:   registry,
		Registrant: r.number("registrant"),
		Kind:       seeding.RejectionKind(r.text("kind")),
		Code:       r.text("code"),
		Holder:     r.number("holder"),
		PrintKey:   r.text("printKey"),
		Configured: r.count("configured"),
		Attempts:   r.count("attempts"),
		Next:       r.instant("next"),
		Since:      r.instant("since"),
		Version:    r.count("version"),
	}
	if p := r.binary("print"); len(p) == len(rejection.Print) {
		rejection.Print = seeding.Print(p)
	} else if len(p) > 0 {
		r.damaged("print")
	}
	parts, ok := parseSort(sortKey(it), 2)
	if !ok {
		r.damaged("sk")
		return decoded(r, rejection)
	}
	identifier, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		r.damaged("sk")
	}
	rejection.Identifier, rejection.Connector = identifier, parts[1]
	return decoded(r, rejection)
}
