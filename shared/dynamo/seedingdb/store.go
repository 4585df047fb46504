// Package seedingdb keeps the durable state of seeding in two DynamoDB tables
// without indexes.
//
// Connectors table:
//
//	connectors                    <id>                      configuration, as a JSON document
//	states                        <id>                      state of a connector: status, due time, run lease, problems
//	C#<connector>                 run#<run>                 run
//	C#<connector>                 list#<run>#<registrant>   part of the list of an import, by its last registrant
//	C#<connector>                 order#<key>               import that a request with an Idempotency-Key opened; has a TTL
//	C#<connector>#<run>           <batch>                   closed batch, without members
//	C#<connector>                 coverage                  what of its form a connector of ODK has looked at
//	R#<registry>#open             <batch>                   open batch, members packed
//	R#<registry>#rejections       <identifier>#<connector>  rejection
//	registries                    <registry>                claim counter, patch lease, outage, pace of calls
//	seeders                       <MTS>                     claims, slots, who waits for one, pace
//	inquiries                     <subject>#<place>         open inquiry: lease and times
//	I#<inquiry>                   inquiry                   what was asked, and the answer; with the TTL attribute expires
//	found                         <registry>                what a check found out about a registry
//
// Answers table, with the TTL attribute expires:
//
//	<registry>                    <batch>#<content>#<part>#<of>
//
// Each kind of item has its keys and its codec in the file of its subject. A
// codec writes the newest form of its kind, and reads that and the one before.
// The number of the form is in the attribute form, absent for the first one
// (infra/decisions.md, "How a stored form changes").
package seedingdb

import (
	"context"
	"errors"
	"fmt"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// Store implements every store of seeding but the inbox.
type Store struct {
	client     dynamo.Client
	connectors dynamo.Table
	answers    dynamo.Table
}

var (
	_ seeding.Connectors     = (*Store)(nil)
	_ seeding.Runs           = (*Store)(nil)
	_ seeding.Batches        = (*Store)(nil)
	_ seeding.Rejections     = (*Store)(nil)
	_ seeding.RegistryStates = (*Store)(nil)
	_ seeding.Coverages      = (*Store)(nil)
	_ seeding.MTSStates      = (*Store)(nil)
	_ seeding.Answers        = (*Store)(nil)
	_ seeding.AnswerInbox    = (*Inbox)(nil)
	_ seeding.Inquiries      = (*Store)(nil)
)

// New returns the store on the two tables, given by name. A function that reads
// no answers may leave the name of their table empty.
func New(client dynamo.Client, connectorsTable, answersTable string) *Store {
	return &Store{
		client:     client,
		connectors: dynamo.NewTable(client, connectorsTable),
		answers:    dynamo.NewTable(client, answersTable),
	}
}

// get reads and decodes one item of the connectors table, or
// seeding.ErrNotFound.
func get[T any](ctx context.Context, s *Store, key dynamo.Key, decode func(dynamo.Item) (T, error)) (v T, err error) {
	it, err := s.connectors.Get(ctx, key)
	if errors.Is(err, dynamo.ErrNotFound) {
		return v, seeding.ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return decode(it)
}

// readable returns the items of a span that can be decoded, and with them
// seeding.ErrDamaged if there are others.
func readable[T any](ctx context.Context, s *Store, span dynamo.Span, decode func(dynamo.Item) (T, error)) ([]T, error) {
	list, err := dynamo.AllReadable(ctx, s.connectors, span, decode)
	if _, damaged := errors.AsType[*dynamo.DamagedError](err); damaged {
		err = fmt.Errorf("%w: %w", seeding.ErrDamaged, err)
	}
	return list, err
}

// notFoundOrConflict translates a refused write: its item is missing, or has
// changed since it was read.
func notFoundOrConflict(err error) error {
	return dynamo.Explain(err, seeding.ErrNotFound, seeding.ErrConflict)
}

// conflict translates a refused write or transaction: what its caller read has
// changed, or is missing.
func conflict(err error) error { return dynamo.Explain(err, seeding.ErrConflict, seeding.ErrConflict) }
