package seedingdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const (
	listPrefix  = "list#"
	orderPrefix = "order#"
)

// listKey is the key of a part of a list, by its last registrant: the part of a
// registrant is the first one that does not end before it.
func listKey(connector, run string, last int64) dynamo.Key {
	return dynamo.Key{Partition: runs(connector), Sort: listPrefix + run + "#" + dynamo.Padded(last)}
}

// orderKey keeps nothing of what a client wrote into its key.
func orderKey(connector, key string) dynamo.Key {
	sum := sha256.Sum256([]byte(key))
	return dynamo.Key{Partition: runs(connector), Sort: orderPrefix + hex.EncodeToString(sum[:])}
}

// OpenImport implements the store of the connectors API.
func (s *Store) OpenImport(ctx context.Context, o seeding.Order, now time.Time, changes ...seeding.Change) error {
	writes := s.toOpen(o.Run)
	for _, part := range seeding.PartsOf(o.Registrants) {
		c := encodeListed(o.Run.Connector, o.Run.ID, part, o.Run.Fence)
		c.Condition = dynamo.Absent
		writes = append(writes, s.connectors.ToPut(c))
	}
	if o.Key != "" {
		writes = append(writes, s.connectors.ToPut(dynamo.Change{
			Key: orderKey(o.Run.Connector, o.Key),
			Item: dynamo.Item{
				"run": dynamo.Text(o.Run.ID), "digest": dynamo.Text(o.Digest), "expires": dynamo.Number(o.Expires.Unix()),
			},
			Condition: dynamo.Absent + " OR #expires <= :now", Values: dynamo.Item{":now": dynamo.Number(now.Unix())},
		}))
	}
	return conflict(s.transact(ctx, changes, writes...))
}

// OrderedImport implements the store of the connectors API. DynamoDB deletes what has
// expired days late.
func (s *Store) OrderedImport(ctx context.Context, connector, key string, now time.Time) (run, digest string, err error) {
	type order struct{ run, digest string }
	o, err := get(ctx, s, orderKey(connector, key), func(it dynamo.Item) (order, error) {
		r := dynamo.NewReader(it)
		if r.Number("expires") <= now.Unix() {
			return order{}, seeding.ErrNotFound
		}
		return dynamo.Decoded(r, order{r.Text("run"), r.Text("digest")})
	})
	return o.run, o.digest, err
}

// CancelRun implements the store of the connectors API. An open import is looked at
// with every tick.
func (s *Store) CancelRun(ctx context.Context, r seeding.Run, now time.Time, changes ...seeding.Change) error {
	c := dynamo.Change{
		Key: stateKey(r.Connector), Update: "ADD #cancelled :runs", Condition: isOpen(r),
		Values: dynamo.Item{":run": dynamo.Text(r.ID), ":runs": dynamo.Set([]string{r.ID}), ":now": dynamo.Instant(now)},
	}
	if r.Kind != seeding.Import {
		c.Update += " SET #nudge = :now"
	}
	return notFoundOrConflict(s.update(ctx, changes, c))
}

// ListedPart implements seeding.Runs.
func (s *Store) ListedPart(ctx context.Context, connector, run string, after int64) (part seeding.ListedPart, found bool, err error) {
	if after == math.MaxInt64 {
		return part, false, nil
	}
	span := dynamo.Span{
		Partition: runs(connector), Limit: 1,
		From: listKey(connector, run, after+1).Sort, To: dynamo.AfterAll(listPrefix + run),
	}
	err = s.connectors.Each(ctx, span, func(it dynamo.Item) (bool, error) {
		found = true
		part, err = decodeListed(it)
		return false, err
	})
	return part, found, err
}

// SaveListed implements seeding.Runs.
func (s *Store) SaveListed(ctx context.Context, connector, run string, part seeding.ListedPart, fence int64) error {
	whole := encodeListed(connector, run, part, fence)
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key: whole.Key, Update: "SET #entries = :entries, #fence = :fence", Condition: dynamo.Exists + " AND #fence <= :fence",
		Values: dynamo.Item{":entries": whole.Item["entries"], ":fence": dynamo.Number(fence)},
	})
	return notFoundOrConflict(err)
}

func encodeListed(connector, run string, part seeding.ListedPart, fence int64) dynamo.Change {
	it := dynamo.Item{"entries": dynamo.Binary(seeding.PackListed(part.Entries)), "fence": dynamo.Number(fence)}
	if part.Last {
		it["last"] = dynamo.Flag(true)
	}
	return dynamo.Change{Key: listKey(connector, run, part.Entries[len(part.Entries)-1].Registrant), Item: it}
}

func decodeListed(it dynamo.Item) (seeding.ListedPart, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	entries, err := seeding.UnpackListed(r.Binary("entries"))
	if err != nil {
		r.Damaged("entries")
	}
	return dynamo.Decoded(r, seeding.ListedPart{Entries: entries, Last: r.Flag("last")})
}
