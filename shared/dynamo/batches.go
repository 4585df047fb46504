package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// OpenBatches implements seeding.Batches.
func (s *Store) OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error) {
	return all(ctx, s, span{table: s.connectors, pk: openBatches(registry)}, func(it item) (seeding.Batch, error) {
		return decodeBatch(it, seeding.BatchRef{Registry: registry})
	})
}

// ClosedBatches implements seeding.Batches.
func (s *Store) ClosedBatches(ctx context.Context, connector, run string) ([]seeding.Batch, error) {
	return all(ctx, s, span{table: s.connectors, pk: closedBatches(connector, run)}, func(it item) (seeding.Batch, error) {
		return decodeBatch(it, seeding.BatchRef{Connector: connector, Run: run})
	})
}

// Batch implements seeding.Batches. A batch moves from open to closed only: in
// this order it cannot slip through between two looks.
func (s *Store) Batch(ctx context.Context, ref seeding.BatchRef) (seeding.Batch, error) {
	it, err := s.get(ctx, openKey(ref))
	if errors.Is(err, seeding.ErrNotFound) {
		it, err = s.get(ctx, closedKey(ref))
	}
	if err != nil {
		return seeding.Batch{}, err
	}
	return decodeBatch(it, ref)
}

// Claim implements seeding.Batches.
func (s *Store) Claim(ctx context.Context, c seeding.Claim) error {
	counter, values := "#counter = :counter", item{":counter": number(c.Counter), ":next": number(c.Counter + 1)}
	if c.Counter == 0 {
		counter = "attribute_not_exists(#counter)"
	}
	return conflict(s.transact(ctx,
		s.putting(change{key: openKey(c.Batch.Ref), item: encodeBatch(c.Batch), when: "attribute_not_exists(#pk)"}),
		s.updating(change{
			key:    registryKey(c.Batch.Ref.Registry),
			update: "SET #counter = :next", when: counter, values: values,
		}),
		s.updating(runProgress(c.Run)),
		s.checking(change{
			key:  stateKey(c.Batch.Ref.Connector),
			when: "#status = :running AND #version = :version AND #fence = :fence AND #run = :run",
			values: item{
				":running": text(string(seeding.Running)), ":version": number(c.Version),
				":fence": number(c.Fence), ":run": text(c.Run.ID),
			},
		}),
	))
}

// MarkSubmitted implements seeding.Batches. A batch whose answer overtook the
// reply of its POST is closed by now, and a conflict.
func (s *Store) MarkSubmitted(ctx context.Context, ref seeding.BatchRef, requestID string, now time.Time) error {
	_, err := s.update(ctx, change{
		key:    openKey(ref),
		update: "SET #state = :state, #request = :request, #submitted = :submitted",
		when:   "#state = :claimed",
		values: item{
			":state": text(string(seeding.Submitted)), ":claimed": text(string(seeding.Claimed)),
			":request": text(requestID), ":submitted": instant(now),
		},
	})
	return settle(err, seeding.ErrConflict, func(old *reader) bool { return old.text("request") == requestID })
}

// CountParts implements seeding.Batches. The totals are added under the
// condition that the parts are not there yet, so a part counts once.
func (s *Store) CountParts(ctx context.Context, b seeding.Batch, parts []string, add seeding.Totals) error {
	if len(parts) == 0 {
		return errors.New("dynamo: totals can be added only for a part of an answer")
	}
	c := change{
		update: "ADD #parts :parts",
		when:   "attribute_exists(#pk)",
		values: item{":parts": set(parts)},
	}
	for i, part := range parts {
		name := fmt.Sprintf(":part%d", i)
		c.when += " AND NOT contains(#parts, " + name + ")"
		c.values[name] = text(part)
	}
	for name, n := range totals(add) {
		if n != 0 {
			c.update += ", #" + name + " :" + name
			c.values[":"+name] = number(n)
		}
	}
	return s.whereItIs(ctx, b, c, nil)
}

// Postpone implements seeding.Batches. One that is no failure can be repeated,
// to a later time.
func (s *Store) Postpone(ctx context.Context, b seeding.Batch, failures int, notBefore time.Time) error {
	later := ""
	if failures == b.Failures {
		later = " OR #failures = :failures AND #notBefore < :notBefore"
	}
	return s.whereItIs(ctx, b, change{
		update: "SET #failures = :failures, #notBefore = :notBefore",
		when:   "attribute_exists(#pk) AND (attribute_not_exists(#failures) OR #failures < :failures" + later + ")",
		values: item{":failures": number(failures), ":notBefore": instant(notBefore)},
	}, func(old *reader) bool {
		return old.count("failures") == failures && old.instant("notBefore").UnixMilli() == notBefore.UnixMilli()
	})
}

// whereItIs changes a batch in the place where it is; it may have been closed
// since it was read.
func (s *Store) whereItIs(ctx context.Context, b seeding.Batch, c change, already func(old *reader) bool) error {
	places := []key{closedKey(b.Ref)}
	if b.State.Open() {
		places = []key{openKey(b.Ref), closedKey(b.Ref)}
	}
	var err error
	for _, c.key = range places {
		_, err = s.update(ctx, c)
		if err = settle(err, seeding.ErrNotFound, already); !errors.Is(err, seeding.ErrNotFound) {
			break
		}
	}
	return err
}

// Close implements seeding.Batches. b was read a while ago: what others wrote
// since must not get lost in the move. A request identifier is taken along; a
// part that b does not know is a conflict.
func (s *Store) Close(ctx context.Context, b seeding.Batch) error {
	for range collisions {
		it, err := s.get(ctx, openKey(b.Ref))
		if errors.Is(err, seeding.ErrNotFound) {
			return s.closedAlready(ctx, b)
		}
		if err != nil {
			return err
		}
		open, err := decodeBatch(it, b.Ref)
		if err != nil {
			return err
		}
		for _, part := range open.Parts {
			if !b.HasPart(part) {
				return seeding.ErrConflict
			}
		}
		closed := b
		closed.Members = nil
		if closed.RequestID == "" {
			closed.RequestID = open.RequestID
		}
		remove := change{
			key:    openKey(b.Ref),
			when:   "#state = :state AND attribute_not_exists(#parts)",
			values: item{":state": text(string(open.State)), ":parts": number(len(open.Parts))},
		}
		if len(open.Parts) > 0 { // they only grow, so as many are the same
			remove.when = "#state = :state AND size(#parts) = :parts"
		}
		err = s.transact(ctx,
			s.deleting(remove),
			s.putting(change{key: closedKey(b.Ref), item: encodeBatch(closed), when: "attribute_not_exists(#pk)"}),
		)
		if _, raced := errors.AsType[*refused](err); !raced {
			return err
		}
	}
	return seeding.ErrConflict
}

// closedAlready is no error when the batch was closed just as b would close it.
func (s *Store) closedAlready(ctx context.Context, b seeding.Batch) error {
	it, err := s.get(ctx, closedKey(b.Ref))
	if err != nil {
		return err
	}
	is, err := decodeBatch(it, b.Ref)
	if err != nil {
		return err
	}
	parts := slices.Sorted(slices.Values(b.Parts))
	if is.State == b.State && is.Totals == b.Totals && slices.Equal(is.Parts, parts) {
		return nil
	}
	return seeding.ErrConflict
}

// RunBatches implements seeding.Administration. Open ones are read first: one
// that is closed in between is then seen twice instead of never.
func (s *Store) RunBatches(ctx context.Context, registry, connector, run string) ([]seeding.Batch, error) {
	open, err := s.OpenBatches(ctx, registry)
	if err != nil {
		return nil, err
	}
	list, err := s.ClosedBatches(ctx, connector, run)
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, b := range list {
		closed[b.Ref.Batch] = true
	}
	for _, b := range open {
		if b.Ref.Connector == connector && b.Ref.Run == run && !closed[b.Ref.Batch] {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b seeding.Batch) int {
		if c := a.Claimed.Compare(b.Claimed); c != 0 {
			return c
		}
		return strings.Compare(a.Ref.Batch, b.Ref.Batch)
	})
	return list, nil
}

// encodeBatch leaves out what the key of an open or closed batch says.
func encodeBatch(b seeding.Batch) item {
	it := item{
		"state": text(string(b.State)), "mts": text(b.MTS), "url": text(b.MTSURL),
		"size": number(b.Size), "inLine": number(b.InLine),
		"claimed": instant(b.Claimed), "submitted": instant(b.Submitted), "deadline": instant(b.Deadline), "request": text(b.RequestID),
		"rowKey": text(b.RowKey), "printKey": text(b.PrintKey),
		"count": number(b.Count), "parts": set(b.Parts),
		"failures": number(b.Failures), "notBefore": instant(b.NotBefore),
		"closed": instant(b.Closed),
	}
	for name, n := range totals(b.Totals) {
		it[name] = number(n)
	}
	if b.State.Open() {
		it["connector"], it["run"] = text(b.Ref.Connector), text(b.Ref.Run)
		it["members"] = binary(seeding.PackMembers(b.Members))
	} else {
		it["registry"] = text(b.Ref.Registry)
	}
	return lean(it)
}

// decodeBatch is given what the key says of the batch.
func decodeBatch(it item, ref seeding.BatchRef) (seeding.Batch, error) {
	r := &reader{item: it}
	b := seeding.Batch{
		Ref:       ref,
		State:     seeding.BatchState(r.text("state")),
		MTS:       r.text("mts"),
		MTSURL:    r.text("url"),
		Size:      r.count("size"),
		InLine:    r.count("inLine"),
		Claimed:   r.instant("claimed"),
		Submitted: r.instant("submitted"),
		Deadline:  r.instant("deadline"),
		RequestID: r.text("request"),
		RowKey:    r.text("rowKey"),
		PrintKey:  r.text("printKey"),
		Count:     r.count("count"),
		Parts:     r.set("parts"),
		Totals:    decodeTotals(r),
		Failures:  r.count("failures"),
		NotBefore: r.instant("notBefore"),
		Closed:    r.instant("closed"),
	}
	b.Ref.Batch = sortKey(it)
	if b.State.Open() {
		b.Ref.Connector, b.Ref.Run = r.text("connector"), r.text("run")
		members, err := seeding.UnpackMembers(r.binary("members"))
		if err != nil {
			r.damaged("members")
		}
		b.Members = members
	} else {
		b.Ref.Registry = r.text("registry")
	}
	return decoded(r, b)
}

// noOpenBatches returns the condition under which a transaction can rely on
// the connector having no open batch in the registry: that nobody claims in
// between. seeding.ErrOpenBatches when it has one.
func (s *Store) noOpenBatches(ctx context.Context, registry, connector string) (types.TransactWriteItem, error) {
	state, err := s.RegistryState(ctx, registry) // the counter first, as before a claim
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	open, err := s.OpenBatches(ctx, registry)
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	if slices.ContainsFunc(open, func(b seeding.Batch) bool { return b.Ref.Connector == connector }) {
		return types.TransactWriteItem{}, seeding.ErrOpenBatches
	}
	c := change{
		key: registryKey(registry), when: "#counter = :counter",
		values: item{":counter": number(state.Counter)},
	}
	if state.Counter == 0 {
		c.when = "attribute_not_exists(#counter)"
	}
	return s.checking(c), nil
}
