package seedingdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// Inbox implements seeding.AnswerInbox. It is a type of its own, because the
// public function may make this one call only.
type Inbox struct{ answers dynamo.Table }

// NewInbox returns the inbox on the answers table, given by name. It calls only
// PutItem of the client.
func NewInbox(client dynamo.Client, answersTable string) *Inbox {
	return &Inbox{dynamo.NewTable(client, answersTable)}
}

// PutPart implements seeding.AnswerInbox. The key holds a hash of the rows, so
// an item with this key already holds this part.
func (i *Inbox) PutPart(ctx context.Context, part seeding.AnswerPart) error {
	_, err := i.answers.Create(ctx, partKey(part), encodePart(part))
	return err
}

func partKey(p seeding.AnswerPart) dynamo.Key {
	return dynamo.Key{Partition: p.Ref.Registry, Sort: fmt.Sprintf("%s#%s#%04d#%04d", p.Ref.Batch, p.Content, p.Part, p.Of)}
}

// mostParts is more than an answer of 5 MB has parts.
const mostParts = 1000

func partsOf(registry, batch string) dynamo.Span {
	return dynamo.Span{Partition: registry, From: batch + "#", To: dynamo.AfterAll(batch)}
}

// NextAnswer implements seeding.Answers.
func (s *Store) NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error) {
	span := dynamo.Span{Partition: registry, Limit: 1}
	if after != "" {
		span.From = dynamo.AfterAll(after)
	}
	err = s.readableParts(ctx, span, func(part seeding.AnswerPart) bool {
		ref, found = part.Ref, true
		return false
	})
	return ref, found, err
}

// HasAnswer implements seeding.Answers.
func (s *Store) HasAnswer(ctx context.Context, registry, batch string) (found bool, err error) {
	span := partsOf(registry, batch)
	span.Limit = 1
	err = s.readableParts(ctx, span, func(seeding.AnswerPart) bool {
		found = true
		return false
	})
	return found, seeding.IgnoreDamaged(err)
}

// AnswerParts implements seeding.Answers.
func (s *Store) AnswerParts(ctx context.Context, registry, batch, after string) (parts []seeding.AnswerPart, more bool, err error) {
	span := partsOf(registry, batch)
	if after != "" {
		span.From = dynamo.AfterAll(batch + "#" + after)
	}
	err = s.readableParts(ctx, span, func(part seeding.AnswerPart) bool {
		if more = len(parts) > 0 && part.Content != parts[0].Content; more {
			return false
		}
		parts = append(parts, part)
		return true
	})
	return parts, more, err
}

// readableParts visits the parts of a span until visit returns false. It passes
// over those that cannot be read, and names one of them in its error.
func (s *Store) readableParts(ctx context.Context, span dynamo.Span, visit func(seeding.AnswerPart) (more bool)) error {
	decode := decodePart(span.Partition)
	var damaged error
	err := s.answers.Each(ctx, span, func(it dynamo.Item) (bool, error) {
		part, err := decode(it)
		if err != nil {
			damaged = damagedPart(it)
			return true, nil //nolint:nilerr // it is returned at the end; others must not wait for it
		}
		return visit(part), nil
	})
	if err != nil {
		return err
	}
	return damaged
}

// damagedPart says of a part that cannot be read what still can be.
func damagedPart(it dynamo.Item) error {
	r := dynamo.NewReader(it)
	batch, _, _ := strings.Cut(r.Key().Sort, "#")
	return &seeding.DamagedAnswer{Connector: r.Text("connector"), Batch: batch}
}

// DeleteParts implements seeding.Answers. It needs no condition, because the
// item of a part never changes.
func (s *Store) DeleteParts(ctx context.Context, parts []seeding.AnswerPart) error {
	return dynamo.Parallel(ctx, parts, func(ctx context.Context, part seeding.AnswerPart) error {
		return s.answers.Delete(ctx, dynamo.Change{Key: partKey(part)})
	})
}

func encodePart(p seeding.AnswerPart) dynamo.Item {
	return dynamo.OmitZero(dynamo.Item{
		"connector": dynamo.Text(p.Ref.Connector), "run": dynamo.Text(p.Ref.Run),
		"received": dynamo.Instant(p.Received), "rows": dynamo.Binary(p.Packed),
		"expires": dynamo.Number(p.Expires.Unix()), // TTL takes seconds
	})
}

// decodePart returns the decoder of the parts of a registry's answers.
func decodePart(registry string) func(dynamo.Item) (seeding.AnswerPart, error) {
	return func(it dynamo.Item) (seeding.AnswerPart, error) {
		r := dynamo.NewReader(it)
		r.Form(1)
		part := seeding.AnswerPart{
			Ref:      seeding.BatchRef{Registry: registry, Connector: r.Text("connector"), Run: r.Text("run")},
			Received: r.Instant("received"),
			Packed:   r.Binary("rows"),
		}
		if seconds := r.Number("expires"); seconds != 0 {
			part.Expires = time.Unix(seconds, 0).UTC()
		}
		names, ok := dynamo.SplitSort(r.Key().Sort, 4)
		if !ok {
			r.Damaged("sk")
			return dynamo.Decoded(r, part)
		}
		number, err1 := strconv.Atoi(names[2])
		of, err2 := strconv.Atoi(names[3])
		if err1 != nil || err2 != nil || names[0] == "" || names[1] == "" || number < 1 || number > of || of > mostParts {
			r.Damaged("sk")
		}
		part.Ref.Batch, part.Content, part.Part, part.Of = names[0], names[1], number, of
		return dynamo.Decoded(r, part)
	}
}
