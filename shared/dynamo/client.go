// Package dynamo is a small kit for stores on DynamoDB tables with string keys
// pk and sk: tables and spans of them, conditional changes, transactions,
// leases. It knows no domain and no particular table; stores are packages of
// their own.
//
// In expressions every attribute is written #name, because many good names are
// reserved words, and every value :name.
//
// Reads are strongly consistent. Every write may be repeated: a refused write
// returns the stored item, so that a store can see whether the item already
// holds what was to be written, as after a lost reply (Already).
//
// Stored times are Unix milliseconds and durations microseconds, both as
// numbers. An absent attribute reads as the zero value.
package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is what the kit calls of *dynamodb.Client. It may retry, because every
// write may be repeated.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}
