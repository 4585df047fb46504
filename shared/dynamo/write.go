package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"openg2p.org/mts-connector/shared/seeding"
)

// change is one conditional write to the connectors table, alone or in a
// transaction. In expressions every attribute is written #name, because half
// of the good names are reserved words, and every value :name.
type change struct {
	key    key
	item   item   // of a put
	update string // of an update
	when   string // the condition
	values item
}

// refused is the error of a write whose condition did not hold.
type refused struct {
	old []item // by change: the item as it stands where the condition failed, nil when there is none
}

func (r *refused) Error() string { return "condition does not hold" }

// settle translates a refused write: to absent when there is no item, to
// success when it already says what was meant, else to seeding.ErrConflict.
func settle(err error, absent error, already func(old *reader) bool) error {
	r, ok := errors.AsType[*refused](err)
	switch {
	case !ok:
		return err
	case r.old[0] == nil:
		return absent
	case already != nil && already(&reader{item: r.old[0]}):
		return nil
	}
	return seeding.ErrConflict
}

func (s *Store) put(ctx context.Context, c change) error {
	err := steadily(ctx, func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &s.connectors, Item: c.full(),
			ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	return translate("put", err)
}

// update returns the item as it is afterwards.
func (s *Store) update(ctx context.Context, c change) (item, error) {
	if !c.key.valid() {
		return nil, &refused{old: []item{nil}}
	}
	in := &dynamodb.UpdateItemInput{
		TableName: &s.connectors, Key: c.key.item(), UpdateExpression: &c.update,
		ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if c.when != "" {
		in.ConditionExpression = &c.when
	}
	var after item
	err := steadily(ctx, func() error {
		out, err := s.client.UpdateItem(ctx, in)
		if err == nil {
			after = out.Attributes
		}
		return err
	})
	return after, translate("update", err)
}

func (s *Store) delete(ctx context.Context, c change) error {
	err := steadily(ctx, func() error {
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &s.connectors, Key: c.key.item(),
			ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	return translate("delete", err)
}

// transact makes all changes or none. The token makes it one transaction for
// DynamoDB however often it is sent.
func (s *Store) transact(ctx context.Context, changes ...types.TransactWriteItem) error {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: changes, ClientRequestToken: aws.String(rand.Text())}
	err := steadily(ctx, func() error {
		_, err := s.client.TransactWriteItems(ctx, in)
		return err
	})
	return translate("transaction", err)
}

func (s *Store) putting(c change) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.connectors, Item: c.full(),
		ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func (s *Store) updating(c change) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.connectors, Key: c.key.item(), UpdateExpression: &c.update,
		ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func (s *Store) deleting(c change) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &s.connectors, Key: c.key.item(),
		ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func (s *Store) checking(c change) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.connectors, Key: c.key.item(),
		ConditionExpression: &c.when, ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.given(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// full is the item of a put with its key.
func (c change) full() item {
	it := maps.Clone(c.item)
	maps.Copy(it, c.key.item())
	return it
}

func (c change) names() map[string]string { return namesIn(c.update, c.when) }

// given are the values that the expressions use; DynamoDB refuses others, and
// an empty map.
func (c change) given() item {
	var used item
	for _, name := range valueName.FindAllString(c.update+" "+c.when, -1) {
		if used == nil {
			used = item{}
		}
		used[name] = c.values[name]
	}
	return used
}

var (
	attributeName = regexp.MustCompile(`#\w+`)
	valueName     = regexp.MustCompile(`:\w+`)
)

// namesIn resolves every #name of the expressions to name.
func namesIn(expressions ...string) map[string]string {
	names := map[string]string{}
	for _, expression := range expressions {
		for _, alias := range attributeName.FindAllString(expression, -1) {
			names[alias] = strings.TrimPrefix(alias, "#")
		}
	}
	return names
}

// How often a write is repeated that collided with somebody's transaction.
// Transactions here take some ten milliseconds.
const (
	collisions = 6
	firstPause = 20 * time.Millisecond
)

// steadily repeats a write for as long as it only collides.
func steadily(ctx context.Context, write func() error) error {
	for try := range collisions - 1 {
		err := write()
		if !collided(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(mathrand.N(firstPause << try)): //nolint:gosec // a pause needs no secrecy
		}
	}
	return write()
}

// conditionFailed is the code of a change that cancelled its transaction.
const conditionFailed = "ConditionalCheckFailed"

// collided is true of a write that surely was not made, for no other reason
// than somebody else writing at that moment, or too much being written.
func collided(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return true // our own, by its token, which a repetition has too
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	only := false
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			only = true
		default: // a condition that failed outranks them
			return false
		}
	}
	return only
}

// translate makes of a client's error a *refused, or one whose text holds the
// operation and error codes only: never a message, never an item.
func translate(operation string, err error) error {
	if err == nil {
		return nil
	}
	if condition, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return &refused{old: []item{existing(condition.Item)}}
	}
	failure := &storageError{operation: operation, cause: err}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		var old []item
		for _, reason := range canceled.CancellationReasons {
			old = append(old, existing(reason.Item))
			failure.codes = append(failure.codes, aws.ToString(reason.Code))
		}
		if slices.Contains(failure.codes, conditionFailed) {
			return &refused{old: old}
		}
	}
	return failure
}

func existing(it item) item {
	if len(it) == 0 {
		return nil
	}
	return it
}

// storageError is a failure of the storage.
type storageError struct {
	operation string
	codes     []string // why a transaction was cancelled, by change
	cause     error
}

func (e *storageError) Error() string {
	why := "no reply"
	if api, ok := errors.AsType[smithy.APIError](e.cause); ok {
		why = api.ErrorCode()
	} else if errors.Is(e.cause, context.Canceled) || errors.Is(e.cause, context.DeadlineExceeded) {
		why = "out of time"
	}
	if len(e.codes) > 0 {
		why += " " + fmt.Sprint(e.codes)
	}
	return "dynamo: " + e.operation + ": " + why
}

func (e *storageError) Unwrap() error { return e.cause }
