package seedingdb

import (
	"context"
	"encoding/json"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const changePrefix = "change#"

// changeKey sorts the changes of a connector by time. They stay where they are when
// the connector is deleted.
func changeKey(c seeding.Change) dynamo.Key {
	return dynamo.Key{Partition: runs(c.Connector), Sort: changePrefix + dynamo.Padded(c.At.UnixMilli()) + "#" + c.ID}
}

// toNote are the writes of changes, for the transaction that makes them.
func (s *Store) toNote(changes []seeding.Change) (writes []dynamo.Write, err error) {
	for _, c := range changes {
		it, err := encodeChange(c)
		if err != nil {
			return nil, err
		}
		writes = append(writes, s.connectors.ToPut(dynamo.Change{Key: changeKey(c), Item: it, Condition: dynamo.Absent}))
	}
	return writes, nil
}

// transact makes all writes, and notes the changes that they are, or none.
func (s *Store) transact(ctx context.Context, changes []seeding.Change, writes ...dynamo.Write) error {
	notes, err := s.toNote(changes)
	if err != nil {
		return err
	}
	return dynamo.Transact(ctx, s.client, append(writes, notes...)...)
}

// update makes an update, and notes the changes that it is, or nothing.
func (s *Store) update(ctx context.Context, changes []seeding.Change, c dynamo.Change) error {
	if len(changes) > 0 {
		return s.transact(ctx, changes, s.connectors.ToUpdate(c))
	}
	_, err := s.connectors.Update(ctx, c)
	return err
}

// ListChanges implements the store of the connectors API. A page mark is the sort
// key of the last change of the page, without its prefix.
func (s *Store) ListChanges(ctx context.Context, connector, before string, limit int) ([]seeding.Change, string, error) {
	return newestFirst(ctx, s, connector, changePrefix, before, limit, decodeChange, changeKey)
}

// storedField is a seeding.FieldChange in an item.
type storedField struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

func encodeChange(c seeding.Change) (dynamo.Item, error) {
	it := dynamo.Item{
		"at": dynamo.Instant(c.At), "kind": dynamo.Text(string(c.Kind)), "version": dynamo.Number(c.Version),
		"sub": dynamo.Text(c.By.Subject), "claim": dynamo.Text(c.By.Claim), "name": dynamo.Text(c.By.Name),
		"again": dynamo.Text(string(c.Again.Kind)), "code": dynamo.Text(c.Again.Code), "count": dynamo.Number(c.Count),
		"run": dynamo.Text(c.Run),
	}
	if len(c.Fields) > 0 {
		var fields []storedField
		for _, f := range c.Fields {
			fields = append(fields, storedField(f))
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return nil, err
		}
		it["fields"] = dynamo.Text(string(text))
	}
	return dynamo.OmitZero(it), nil
}

func decodeChange(it dynamo.Item) (seeding.Change, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	c := seeding.Change{
		At: r.Instant("at"), Kind: seeding.ChangeKind(r.Text("kind")), Version: r.Int("version"),
		By:    seeding.Person{Subject: r.Text("sub"), Claim: r.Text("claim"), Name: r.Text("name")},
		Again: seeding.Group{Kind: seeding.RejectionKind(r.Text("again")), Code: r.Text("code")},
		Count: r.Int("count"), Run: r.Text("run"),
	}
	key := r.Key()
	parts, ok := dynamo.SplitSort(key.Sort, 3)
	if !ok || len(key.Partition) < len(runs("")) {
		r.Damaged("sk")
		return dynamo.Decoded(r, c)
	}
	c.Connector, c.ID = key.Partition[len(runs("")):], parts[2]
	if r.Text("fields") != "" {
		for _, f := range readJSON[[]storedField](r, "fields") {
			c.Fields = append(c.Fields, seeding.FieldChange(f))
		}
	}
	return dynamo.Decoded(r, c)
}
