// Package dynamo keeps the durable state of seeding in two DynamoDB tables,
// both with string keys pk and sk and without indexes.
//
// Connectors table:
//
//	connectors                    <id>                      configuration, as JSON
//	states                        <id>                      state of a connector: status, due time, run lease, problems
//	C#<connector>                 run#<run>                 run
//	C#<connector>#<run>           <batch>                   closed batch, without members
//	R#<registry>#open             <batch>                   open batch, members packed
//	R#<registry>#rejections       <identifier>#<connector>  rejection
//	registries                    <registry>                claim counter, patch lease, outage, pace of calls
//	seeders                       <MTS>                     POST lease, waiter, pace
//
// Answers table, with the TTL attribute expires:
//
//	<registry>                    <batch>#<content>#<part>#<of>
//
// Times are Unix milliseconds and durations microseconds, both as numbers; 0
// and an absent attribute are the zero value. (expires alone is in seconds,
// because DynamoDB reads it.)
//
// Reads are strongly consistent. A write that its condition refused hands out
// the item as it stands, so one that already says what we meant to write, as
// after a reply that got lost, counts as a success.
package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/seeding"
)

// Client is what the store calls of *dynamodb.Client. Its own retries are
// welcome: every write here may be repeated.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Store implements every store of seeding but the inbox.
type Store struct {
	client     Client
	connectors string
	answers    string
}

var (
	_ seeding.Connectors     = (*Store)(nil)
	_ seeding.Runs           = (*Store)(nil)
	_ seeding.Batches        = (*Store)(nil)
	_ seeding.Rejections     = (*Store)(nil)
	_ seeding.RegistryStates = (*Store)(nil)
	_ seeding.Seeders        = (*Store)(nil)
	_ seeding.Answers        = (*Store)(nil)
	_ seeding.Administration = (*Store)(nil)
	_ seeding.AnswerInbox    = (*Inbox)(nil)
)

// New returns the store on the two tables, given by name. A function that uses
// no answers may leave their table's name empty.
func New(client Client, connectorsTable, answersTable string) *Store {
	return &Store{client: client, connectors: connectorsTable, answers: answersTable}
}
