// Package dynamo is a small kit for stores on DynamoDB tables with string keys
// pk and sk: tables and the spans that are read of them, conditional changes,
// transactions, leases. It knows no domain and no particular table; a store
// stands on it in a package of its own.
//
// In expressions every attribute is written #name, because many good names are
// reserved words, and every value :name.
//
// Reads are strongly consistent. Every write may be repeated: one that its
// condition refused hands out the item as it stands, so that a store sees
// whether the item already says what was to be written, as after a reply that
// got lost (Already).
//
// Stored times are Unix milliseconds and durations microseconds, both as
// numbers. An absent attribute reads as the zero value.
package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is what the kit calls of *dynamodb.Client. Its own retries are
// welcome, because every write may be repeated.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}
