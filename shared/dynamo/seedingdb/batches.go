package seedingdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func openBatches(registry string) string         { return "R#" + registry + "#open" }
func closedBatches(connector, run string) string { return runs(connector) + "#" + run }

func openKey(ref seeding.BatchRef) dynamo.Key {
	return dynamo.Key{Partition: openBatches(ref.Registry), Sort: ref.Batch}
}

func closedKey(ref seeding.BatchRef) dynamo.Key {
	return dynamo.Key{Partition: closedBatches(ref.Connector, ref.Run), Sort: ref.Batch}
}

// OpenBatches implements seeding.Batches.
func (s *Store) OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error) {
	return readable(ctx, s, dynamo.Span{Partition: openBatches(registry)}, decodeBatch(seeding.BatchRef{Registry: registry}))
}

// ClosedBatches implements seeding.Batches.
func (s *Store) ClosedBatches(ctx context.Context, connector, run string) ([]seeding.Batch, error) {
	return readable(ctx, s, dynamo.Span{Partition: closedBatches(connector, run)},
		decodeBatch(seeding.BatchRef{Connector: connector, Run: run}))
}

// BatchesWith implements the store of the connectors API. A page mark is the id of
// the last batch that was looked at.
func (s *Store) BatchesWith(ctx context.Context, connector, run string, registrant int64, before string, limit int) (list []seeding.Batch, next string, err error) {
	span := dynamo.Span{Partition: closedBatches(connector, run), Backward: true, Limit: limit + 1, To: before}
	decode := decodeBatch(seeding.BatchRef{Connector: connector, Run: run})
	last, err := s.connectors.Search(ctx, span, limit, func(it dynamo.Item) (bool, error) {
		b, err := decode(it)
		if err != nil || b.Ref.Batch == before { // what cannot be read is left out
			return true, nil //nolint:nilerr // as everywhere
		}
		packed := dynamo.NewReader(it).Binary("registrants")
		if len(packed) == 0 { // closed by a version that did not keep them
			return true, nil
		}
		registrants, err := seeding.UnpackMembers(packed)
		if err == nil && slices.Contains(registrants, seeding.Member{Registrant: registrant}) {
			list = append(list, b)
		}
		return true, nil
	})
	return list, last, err
}

// Batch implements seeding.Batches. A batch moves only from open to closed, so
// it is not missed between the two reads.
func (s *Store) Batch(ctx context.Context, ref seeding.BatchRef) (seeding.Batch, error) {
	b, err := get(ctx, s, openKey(ref), decodeBatch(ref))
	if errors.Is(err, seeding.ErrNotFound) {
		return get(ctx, s, closedKey(ref), decodeBatch(ref))
	}
	return b, err
}

// Claim implements seeding.Batches.
func (s *Store) Claim(ctx context.Context, c seeding.Claim) error {
	counted := unmovedCounter(c.Batch.Ref.Registry, c.Counter)
	counted.Update = "SET #counter = :next"
	counted.Values[":next"] = dynamo.Number(c.Counter + 1)
	allowed := dynamo.Change{
		Key:       stateKey(c.Batch.Ref.Connector),
		Condition: mayClaim(c.Run),
		Values: dynamo.Item{
			":running": dynamo.Text(string(seeding.Running)), ":version": dynamo.Number(c.Version),
			":fence": dynamo.Number(c.Fence), ":run": dynamo.Text(c.Run.ID), ":started": dynamo.Instant(c.Run.Started),
		},
	}
	state := s.connectors.ToCheck(allowed)
	if c.Run.Kind != seeding.Import { // costs what the check costs
		allowed.Update, allowed.Values[":open"] = "SET #open = :open", encodeOpenRun(c.OpenRun())
		state = s.connectors.ToUpdate(allowed)
	}
	return conflict(dynamo.Transact(ctx, s.client,
		s.connectors.ToPut(dynamo.Change{Key: openKey(c.Batch.Ref), Item: encodeBatch(c.Batch), Condition: dynamo.Absent}),
		s.connectors.ToUpdate(counted),
		s.connectors.ToUpdate(countBatch(runProgress(c.Run), c.Batch)),
		s.connectors.ToUpdate(takeSlot(c)),
		state,
	))
}

// MarkSubmitted implements seeding.Batches. If the answer came before the reply
// to the POST, the batch may be closed, which is a conflict.
func (s *Store) MarkSubmitted(ctx context.Context, ref seeding.BatchRef, requestID string, now time.Time) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       openKey(ref),
		Update:    "SET #state = :state, #request = :request, #submitted = :submitted",
		Condition: "#state = :claimed",
		Values: dynamo.Item{
			":state": dynamo.Text(string(seeding.Submitted)), ":claimed": dynamo.Text(string(seeding.Claimed)),
			":request": dynamo.Text(requestID), ":submitted": dynamo.Instant(now),
		},
	})
	marked := func(old dynamo.Item) bool { return dynamo.NewReader(old).Text("request") == requestID }
	return conflict(dynamo.Already(err, marked))
}

// partsInCondition is how many parts a condition names: each takes three
// operators, and an expression may have 300.
const partsInCondition = 50

// CountParts implements seeding.Batches. It adds the totals on condition that
// none of the parts is there, so that a part counts once. Several updates would
// not do: after a crash between them, the totals of all would be added again
// with the parts that are left.
func (s *Store) CountParts(ctx context.Context, b seeding.Batch, parts []string, add seeding.Totals) error {
	if len(parts) == 0 {
		return errors.New("dynamo: totals can be added only for a part of an answer")
	}
	c := dynamo.Change{
		Update:    "ADD #parts :fresh",
		Condition: dynamo.Exists,
		Values:    dynamo.Item{":fresh": dynamo.Set(parts)},
	}
	for name, n := range totals(add) {
		if n != 0 {
			c.Update += ", #" + name + " :" + name
			c.Values[":"+name] = dynamo.Number(n)
		}
	}
	if len(parts) > partsInCondition {
		return s.countManyParts(ctx, b.Ref, parts, c, add)
	}
	for i, part := range parts {
		name := fmt.Sprintf(":part%d", i)
		c.Condition += " AND NOT contains(#parts, " + name + ")"
		c.Values[name] = dynamo.Text(part)
	}
	if b.State.Open() {
		c.Key = openKey(b.Ref)
		_, err := s.connectors.Update(ctx, c)
		if err = notFoundOrConflict(err); !errors.Is(err, seeding.ErrNotFound) {
			return err
		}
	}
	return notFoundOrConflict(s.countLate(ctx, b.Ref, c, add))
}

// countLate makes a change of CountParts to a closed batch, and adds the totals to
// its run, and to the figures of its connector if the run is completed. A refusal is
// that of the batch.
func (s *Store) countLate(ctx context.Context, ref seeding.BatchRef, c dynamo.Change, add seeding.Totals) (err error) {
	c.Key = closedKey(ref)
	for range 2 { // a run is completed once
		writes, err := s.addLate(ctx, ref, add)
		if err != nil {
			return err
		}
		err = dynamo.Transact(ctx, s.client, append([]dynamo.Write{s.connectors.ToUpdate(c)}, writes...)...)
		if r, refused := errors.AsType[*dynamo.Refused](err); !refused || !slices.ContainsFunc(r.Old[1:], exists) {
			return err
		}
	}
	return seeding.ErrConflict
}

func exists(it dynamo.Item) bool { return it != nil }

// addLate are the writes that add what came late to the run, and to the figures of
// the connector, as far as they are there.
func (s *Store) addLate(ctx context.Context, ref seeding.BatchRef, add seeding.Totals) (writes []dynamo.Write, err error) {
	run, err := s.Run(ctx, ref.Connector, ref.Run)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	of := addTotals(ref, add)
	if run.Completed.IsZero() {
		of.Update, of.Condition = of.Update+", #late :one", of.Condition+" AND attribute_not_exists(#completed)"
		return []dynamo.Write{s.connectors.ToUpdate(of)}, nil
	}
	of.Condition += " AND attribute_exists(#completed)"
	writes = append(writes, s.connectors.ToUpdate(of))
	if _, err := s.State(ctx, ref.Connector); err != nil {
		return writes, ignoreNotFound(err)
	}
	return append(writes, s.connectors.ToUpdate(dynamo.Change{
		Key: stateKey(ref.Connector), Update: "ADD #tokenised :tokenised", Condition: dynamo.Exists,
		Values: dynamo.Item{":tokenised": dynamo.Number(add.Tokenised)},
	})), nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, seeding.ErrNotFound) {
		return nil
	}
	return err
}

// countManyParts makes the change of CountParts for parts that are too many for
// a condition: it reads the batch, and writes on condition that no part came
// since. Where others count parts all the time, the last refusal is returned as
// it is, because a conflict would mean that these parts are counted.
func (s *Store) countManyParts(ctx context.Context, ref seeding.BatchRef, parts []string, c dynamo.Change, add seeding.Totals) error {
	return dynamo.RetryRefused(func() error {
		b, err := s.Batch(ctx, ref)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(parts, b.HasPart) {
			return seeding.ErrConflict
		}
		c.Condition = dynamo.Exists + " AND " + countedParts(len(b.Parts))
		c.Values[":parts"] = dynamo.Number(len(b.Parts))
		if !b.State.Open() {
			return s.countLate(ctx, ref, c, add)
		}
		c.Key = openKey(ref)
		_, err = s.connectors.Update(ctx, c)
		return err
	})
}

// Postpone implements seeding.Batches. With the attempts of before it may only
// move the time later.
func (s *Store) Postpone(ctx context.Context, b seeding.Batch, attempts int, notBefore time.Time) error {
	later := ""
	if attempts == b.Attempts {
		later = " OR #failures = :failures AND #notBefore < :notBefore"
	}
	postponed := func(old dynamo.Item) bool {
		r := dynamo.NewReader(old)
		return r.Int("failures") == attempts && r.Instant("notBefore").UnixMilli() == notBefore.UnixMilli()
	}
	return s.updateBatch(ctx, b, dynamo.Change{
		Update:    "SET #failures = :failures, #notBefore = :notBefore",
		Condition: dynamo.Exists + " AND (attribute_not_exists(#failures) OR #failures < :failures" + later + ")",
		Values:    dynamo.Item{":failures": dynamo.Number(attempts), ":notBefore": dynamo.Instant(notBefore)},
	}, postponed)
}

// Track implements seeding.Batches.
func (s *Store) Track(ctx context.Context, b seeding.Batch, next seeding.Tracking) error {
	c := dynamo.Change{Key: openKey(b.Ref), Condition: dynamo.Exists, Values: dynamo.Item{}}
	for _, at := range []struct {
		name string
		read time.Time
	}{{"done", b.Tracking.Done}, {"looked", b.Tracking.Looked}} {
		if at.read.IsZero() {
			c.Condition += " AND attribute_not_exists(#" + at.name + ")"
			continue
		}
		c.Condition += " AND #" + at.name + " = :read_" + at.name
		c.Values[":read_"+at.name] = dynamo.Instant(at.read)
	}
	changed := dynamo.OmitZero(trackingItem(next))
	changed["arrived"] = dynamo.Number(next.Arrived) // it may have become less
	var set []string
	for name, value := range changed {
		set = append(set, "#"+name+" = :"+name)
		c.Values[":"+name] = value
	}
	slices.Sort(set)
	c.Update = "SET " + strings.Join(set, ", ")
	_, err := s.connectors.Update(ctx, c)
	tracked := func(old dynamo.Item) bool {
		r := dynamo.NewReader(old)
		stored := decodeTracking(r)
		return sameTracking(stored, next)
	}
	return notFoundOrConflict(dynamo.Already(err, tracked))
}

// sameTracking compares times as they are stored.
func sameTracking(a, b seeding.Tracking) bool {
	same := func(a, b time.Time) bool { return a.IsZero() == b.IsZero() && a.UnixMilli() == b.UnixMilli() }
	return a.Status == b.Status && a.Arrived == b.Arrived && same(a.Done, b.Done) && same(a.Looked, b.Looked) && same(a.Grew, b.Grew)
}

// mtsWords are the stored words of MTS's status.
var mtsWords = map[seeding.MTSStatus]string{
	seeding.StatusFinished: "finished", seeding.StatusPartly: "partly", seeding.StatusFailed: "failed", seeding.StatusUnknown: "unknown",
}

// trackingItem is what changes of a tracking; nothing of one of which MTS has not
// said that it is done.
func trackingItem(t seeding.Tracking) dynamo.Item {
	return dynamo.Item{
		"mtsSaid": dynamo.Text(mtsWords[t.Status]), "done": dynamo.Instant(t.Done), "looked": dynamo.Instant(t.Looked),
		"arrived": dynamo.Number(t.Arrived), "grew": dynamo.Instant(t.Grew),
	}
}

func decodeTracking(r *dynamo.Reader) seeding.Tracking {
	t := seeding.Tracking{
		Quiet: r.Duration("quiet"), Calls: r.Int("calls"), Done: r.Instant("done"), Looked: r.Instant("looked"), Arrived: r.Int("arrived"), Grew: r.Instant("grew"),
	}
	for status, word := range mtsWords {
		if r.Text("mtsSaid") == word {
			t.Status = status
		}
	}
	return t
}

// updateBatch changes a batch that may have been closed since it was read.
func (s *Store) updateBatch(ctx context.Context, b seeding.Batch, c dynamo.Change, already func(old dynamo.Item) bool) error {
	update := func(key dynamo.Key) error {
		c.Key = key
		_, err := s.connectors.Update(ctx, c)
		if already != nil {
			err = dynamo.Already(err, already)
		}
		return notFoundOrConflict(err)
	}
	if b.State.Open() {
		if err := update(openKey(b.Ref)); !errors.Is(err, seeding.ErrNotFound) {
			return err
		}
	}
	return update(closedKey(b.Ref))
}

// Close implements seeding.Batches. What others wrote since b was read must not
// get lost: it keeps a request identifier, and a part that b does not have is a
// conflict.
func (s *Store) Close(ctx context.Context, b seeding.Batch) error {
	return conflict(dynamo.RetryRefused(func() error {
		open, err := get(ctx, s, openKey(b.Ref), decodeBatch(b.Ref))
		if errors.Is(err, seeding.ErrNotFound) {
			return s.closedAlready(ctx, b)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(open.Parts, func(part string) bool { return !b.HasPart(part) }) {
			return seeding.ErrConflict
		}
		closed := b
		closed.RequestID = cmp.Or(b.RequestID, open.RequestID)
		return dynamo.Transact(ctx, s.client,
			s.connectors.ToDelete(dynamo.Change{
				Key:       openKey(b.Ref),
				Condition: "#state = :state AND " + countedParts(len(open.Parts)),
				Values:    dynamo.Item{":state": dynamo.Text(string(open.State)), ":parts": dynamo.Number(len(open.Parts))},
			}),
			s.connectors.ToPut(dynamo.Change{Key: closedKey(b.Ref), Item: encodeBatch(closed), Condition: dynamo.Absent}),
			s.connectors.ToUpdate(freeSlot(b)),
			s.connectors.ToUpdate(countClosed(b)),
		)
	}))
}

// closedAlready returns nil if the batch was closed as b would close it.
func (s *Store) closedAlready(ctx context.Context, b seeding.Batch) error {
	closed, err := get(ctx, s, closedKey(b.Ref), decodeBatch(b.Ref))
	if err != nil {
		return err
	}
	parts := slices.Sorted(slices.Values(b.Parts))
	if closed.State == b.State && closed.Totals == b.Totals && slices.Equal(closed.Parts, parts) {
		return nil
	}
	return seeding.ErrConflict
}

// countedParts is the condition that a batch still has its n parts. Parts are
// only added, so the number is enough. An absent set has no size.
func countedParts(n int) string {
	if n == 0 {
		return "attribute_not_exists(#parts)"
	}
	return "size(#parts) = :parts"
}

// noOpenBatches returns a check for a transaction that must not be made while
// the connector has an open batch in the registry: nobody claimed one since.
// seeding.ErrOpenBatches if it has one now.
func (s *Store) noOpenBatches(ctx context.Context, registry, connector string) (dynamo.Write, error) {
	state, err := s.RegistryState(ctx, registry) // the counter first, as before a claim
	if err != nil {
		return dynamo.Write{}, err
	}
	open, err := s.OpenBatches(ctx, registry)
	if seeding.IgnoreDamaged(err) != nil { // one that nobody can read must not keep a connector for ever
		return dynamo.Write{}, err
	}
	if slices.ContainsFunc(open, func(b seeding.Batch) bool { return b.Ref.Connector == connector }) {
		return dynamo.Write{}, seeding.ErrOpenBatches
	}
	return s.connectors.ToCheck(unmovedCounter(registry, state.Counter)), nil
}

// encodeBatch leaves out what is in the key. Of the members of a closed batch the
// registrants stay, for who asks what became of one (BatchesWith).
func encodeBatch(b seeding.Batch) dynamo.Item {
	it := dynamo.Item{
		"state": dynamo.Text(string(b.State)), "mts": dynamo.Text(b.MTS), "url": dynamo.Text(b.MTSURL),
		"size": dynamo.Number(b.Size), "inLine": dynamo.Number(b.InLine),
		"beside": dynamo.Number(b.Beside), "ahead": dynamo.Number(b.Ahead), "full": dynamo.Flag(b.Full),
		"number": dynamo.Number(b.Number), "delivered": dynamo.Number(b.Delivered), "since": dynamo.Instant(b.Since),
		"overdue": dynamo.Instant(b.Overdue), "answered": dynamo.Instant(b.Answered),
		"claimed": dynamo.Instant(b.Claimed), "submitted": dynamo.Instant(b.Submitted),
		"deadline": dynamo.Instant(b.Deadline), "request": dynamo.Text(b.RequestID),
		"rowKey": dynamo.Text(b.RowKey), "printKey": dynamo.Text(b.FingerprintKey),
		"count": dynamo.Number(b.Count), "parts": dynamo.Set(b.Parts),
		"failures": dynamo.Number(b.Attempts), "notBefore": dynamo.Instant(b.NotBefore),
		"closed": dynamo.Instant(b.Closed),
		"from":   dynamo.Instant(b.Window.From), "to": dynamo.Instant(b.Window.To),
		"direct": dynamo.Flag(b.Direct), "quiet": dynamo.Duration(b.Tracking.Quiet), "calls": dynamo.Number(b.Tracking.Calls),
	}
	maps.Copy(it, trackingItem(b.Tracking))
	withTotals(it, b.Totals)
	if b.State.Open() {
		it["connector"], it["run"] = dynamo.Text(b.Ref.Connector), dynamo.Text(b.Ref.Run)
		it["members"] = dynamo.Binary(seeding.PackMembers(b.Members))
		it["prints"] = dynamo.Binary(seeding.PackFingerprints(b.Fingerprints))
		it["submissions"] = dynamo.Binary(seeding.PackTexts(b.Submissions))
	} else {
		it["registry"] = dynamo.Text(b.Ref.Registry)
		it["registrants"] = packRegistrants(b.Members)
	}
	return dynamo.OmitZero(it)
}

// packRegistrants packs the registrants in their order: about a byte for each.
func packRegistrants(members []seeding.Member) types.AttributeValue {
	if len(members) == 0 {
		return dynamo.Binary(nil)
	}
	var list []seeding.Member
	for _, m := range members {
		list = append(list, seeding.Member{Registrant: m.Registrant})
	}
	slices.SortFunc(list, func(a, b seeding.Member) int { return cmp.Compare(a.Registrant, b.Registrant) })
	return dynamo.Binary(seeding.PackMembers(list))
}

// decodeBatch returns the decoder of batches; ref is what their key says.
func decodeBatch(ref seeding.BatchRef) func(dynamo.Item) (seeding.Batch, error) {
	return func(it dynamo.Item) (seeding.Batch, error) {
		r := dynamo.NewReader(it)
		r.Form(1)
		b := seeding.Batch{
			Ref:            ref,
			State:          seeding.BatchState(r.Text("state")),
			MTS:            r.Text("mts"),
			MTSURL:         r.Text("url"),
			Size:           r.Int("size"),
			InLine:         r.Int("inLine"),
			Beside:         r.Int("beside"),
			Ahead:          r.Int("ahead"),
			Full:           r.Flag("full"),
			Number:         r.Number("number"),
			Delivered:      r.Number("delivered"),
			Since:          r.Instant("since"),
			Overdue:        r.Instant("overdue"),
			Answered:       r.Instant("answered"),
			Claimed:        r.Instant("claimed"),
			Submitted:      r.Instant("submitted"),
			Deadline:       r.Instant("deadline"),
			RequestID:      r.Text("request"),
			RowKey:         r.Text("rowKey"),
			FingerprintKey: r.Text("printKey"),
			Window:         seeding.Window{From: r.Instant("from"), To: r.Instant("to")},
			Count:          r.Int("count"),
			Parts:          r.Set("parts"),
			Totals:         decodeTotals(r),
			Attempts:       r.Int("failures"),
			NotBefore:      r.Instant("notBefore"),
			Closed:         r.Instant("closed"),
			Direct:         r.Flag("direct"),
			Tracking:       decodeTracking(r),
		}
		b.Ref.Batch = r.Key().Sort
		if b.State.Open() {
			b.Ref.Connector, b.Ref.Run = r.Text("connector"), r.Text("run")
			members, err := seeding.UnpackMembers(r.Binary("members"))
			if err != nil {
				r.Damaged("members")
			}
			b.Members = members
			if b.Fingerprints, err = seeding.UnpackFingerprints(r.Binary("prints")); err != nil {
				r.Damaged("prints")
			}
			if b.Submissions, err = seeding.UnpackTexts(r.Binary("submissions")); err != nil {
				r.Damaged("submissions")
			}
		} else {
			b.Ref.Registry = r.Text("registry")
		}
		return dynamo.Decoded(r, b)
	}
}
