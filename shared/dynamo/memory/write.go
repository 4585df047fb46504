package memory

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	largestItem        = 400 * 1024
	deepestItem        = 32 // the item itself is the first level
	largestTransaction = 4 * 1024 * 1024
	longestTransaction = 100
	longestToken       = 36
)

// write is one checked write of a request, alone or in a transaction.
type write struct {
	table     string
	key       key
	scope     *scope
	condition condition // nil holds always
	wantsOld  bool      // where the condition fails

	// One of these, or none of them for a check.
	put    item
	update *update
	delete bool
}

// request is common to all writes.
type request struct {
	table     *string
	condition *string
	names     map[string]string
	values    item
	old       types.ReturnValuesOnConditionCheckFailure
}

// checkedWrite makes a write of a request; more are its further expressions.
func checkedWrite(r request, more ...*expression) (*write, error) {
	w := &write{table: aws.ToString(r.table), wantsOld: r.old == types.ReturnValuesOnConditionCheckFailureAllOld}
	if r.condition != nil {
		e := parseCondition(*r.condition)
		more = append(more, e)
		w.condition = e.condition
	}
	var err error
	w.scope, err = bind(r.names, r.values, more...)
	return w, err
}

func putting(r request, it item) (*write, error) {
	w, err := checkedWrite(r)
	if err != nil {
		return nil, err
	}
	if w.put, err = validItem(it); err != nil {
		return nil, err
	}
	if w.key, err = keyOf(item{"pk": it["pk"], "sk": it["sk"]}); err != nil {
		return nil, err
	}
	return w, storable(it)
}

func updating(r request, k item, text *string) (*write, error) {
	if text == nil {
		return nil, invalid("this DynamoDB knows no update without an expression")
	}
	e := parseUpdate(*text)
	w, err := checkedWrite(r, e)
	if err != nil {
		return nil, err
	}
	w.update = e.update
	w.key, err = keyOf(k)
	return w, err
}

func deleting(r request, k item) (*write, error) {
	w, err := checkedWrite(r)
	if err != nil {
		return nil, err
	}
	w.delete = true
	w.key, err = keyOf(k)
	return w, err
}

func checking(r request, k item) (*write, error) {
	if r.condition == nil {
		return nil, invalid("a ConditionCheck has no ConditionExpression")
	}
	w, err := checkedWrite(r)
	if err != nil {
		return nil, err
	}
	w.key, err = keyOf(k)
	return w, err
}

// storable refuses an item that is too large or too deep.
func storable(it item) error {
	switch {
	case Size(it) > largestItem:
		return invalid("Item size has exceeded the maximum allowed size")
	case 1+depth(it) > deepestItem:
		return invalid("Nesting Levels have exceeded supported limits")
	}
	return nil
}

// outcome is the item before and after the write, without making it.
func (c *Client) outcome(w *write) (before, after item, err error) {
	t, err := c.table(&w.table)
	if err != nil {
		return nil, nil, err
	}
	before = t.get(w.key)
	s := *w.scope
	s.item = before
	if w.condition != nil && !w.condition.holds(&s) {
		failed := &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
		if w.wantsOld {
			failed.Item = clone(before)
		}
		return nil, nil, failed
	}
	switch {
	case w.delete:
	case w.put != nil:
		after = w.put
	case w.update != nil:
		if after, err = w.update.apply(&s, w.key); err != nil {
			return nil, nil, err
		}
		return before, after, storable(after)
	default:
		after = before
	}
	return before, after, nil
}

// make makes one write, and returns the item as it was and is, and the units.
func (c *Client) make(ctx context.Context, w *write, err error) (before, after item, units float64, _ error) {
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, after, err = c.outcome(w); err != nil {
		return nil, nil, 0, err
	}
	c.tables[w.table].set(w.key, after)
	return before, after, writeUnits(before, after), nil
}

// returned is the part of the item in a reply.
func returned(asked types.ReturnValue, before, after item, known ...types.ReturnValue) (item, error) {
	switch {
	case asked == "" || asked == types.ReturnValueNone:
		return nil, nil
	case !slices.Contains(known, asked):
		return nil, invalid("this DynamoDB knows no ReturnValues %s here", asked)
	case asked == types.ReturnValueAllOld:
		return clone(before), nil
	}
	return clone(after), nil
}

// PutItem replaces an item.
func (c *Client) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if err := only(in, "TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
		"ReturnConsumedCapacity", "ReturnValues", "ReturnValuesOnConditionCheckFailure"); err != nil {
		return nil, err
	}
	w, err := putting(request{in.TableName, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}, in.Item)
	if _, unknown := returned(in.ReturnValues, nil, nil, types.ReturnValueAllOld); unknown != nil {
		return nil, unknown
	}
	before, after, units, err := c.make(ctx, w, err)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.PutItemOutput{}
	out.Attributes, _ = returned(in.ReturnValues, before, after, types.ReturnValueAllOld)
	out.ConsumedCapacity, err = capacity(in.ReturnConsumedCapacity, in.TableName, units)
	return out, err
}

// UpdateItem changes an item, or creates it.
func (c *Client) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if err := only(in, "TableName", "Key", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
		"ReturnConsumedCapacity", "ReturnValues", "ReturnValuesOnConditionCheckFailure"); err != nil {
		return nil, err
	}
	known := []types.ReturnValue{types.ReturnValueAllOld, types.ReturnValueAllNew}
	w, err := updating(request{in.TableName, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}, in.Key, in.UpdateExpression)
	if _, unknown := returned(in.ReturnValues, nil, nil, known...); unknown != nil {
		return nil, unknown
	}
	before, after, units, err := c.make(ctx, w, err)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.UpdateItemOutput{}
	out.Attributes, _ = returned(in.ReturnValues, before, after, known...)
	out.ConsumedCapacity, err = capacity(in.ReturnConsumedCapacity, in.TableName, units)
	return out, err
}

// DeleteItem deletes an item, or does nothing if there is none.
func (c *Client) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	if err := only(in, "TableName", "Key", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
		"ReturnConsumedCapacity", "ReturnValues", "ReturnValuesOnConditionCheckFailure"); err != nil {
		return nil, err
	}
	w, err := deleting(request{in.TableName, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}, in.Key)
	if _, unknown := returned(in.ReturnValues, nil, nil, types.ReturnValueAllOld); unknown != nil {
		return nil, unknown
	}
	before, after, units, err := c.make(ctx, w, err)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.DeleteItemOutput{}
	out.Attributes, _ = returned(in.ReturnValues, before, after, types.ReturnValueAllOld)
	out.ConsumedCapacity, err = capacity(in.ReturnConsumedCapacity, in.TableName, units)
	return out, err
}

// TransactWriteItems makes all writes or none. A token that it has seen makes it do
// nothing, as DynamoDB does for ten minutes.
func (c *Client) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if err := only(in, "TransactItems", "ClientRequestToken", "ReturnConsumedCapacity"); err != nil {
		return nil, err
	}
	token := aws.ToString(in.ClientRequestToken)
	if len(token) > longestToken {
		return nil, invalid("a ClientRequestToken has at most %d characters", longestToken)
	}
	writes, err := checkedTransaction(in.TransactItems)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range writes {
		if _, err := c.table(&w.table); err != nil {
			return nil, err
		}
	}
	if before, seen := c.done[token]; seen && token != "" {
		if !reflect.DeepEqual(before, writes) {
			return nil, &types.IdempotentParameterMismatchException{Message: aws.String("the token is of another transaction")}
		}
		return &dynamodb.TransactWriteItemsOutput{}, nil
	}
	results, reasons := make([]item, len(writes)), make([]types.CancellationReason, len(writes))
	canceled, units := false, map[string]float64{}
	for i, w := range writes {
		before, after, err := c.outcome(w)
		reasons[i].Code = aws.String("None")
		if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
			reasons[i] = types.CancellationReason{Code: aws.String("ConditionalCheckFailed"), Message: failed.Message, Item: failed.Item}
			canceled = true
		} else if err != nil {
			return nil, err
		}
		results[i] = after
		units[w.table] += 2 * writeUnits(before, after)
	}
	if canceled {
		return nil, &types.TransactionCanceledException{
			Message: aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons"), CancellationReasons: reasons,
		}
	}
	for i, w := range writes {
		c.tables[w.table].set(w.key, results[i])
	}
	c.done[token] = writes
	out := &dynamodb.TransactWriteItemsOutput{}
	for name, n := range units {
		used, err := capacity(in.ReturnConsumedCapacity, &name, n)
		if err != nil {
			return nil, err
		}
		if used != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, *used)
		}
	}
	return out, nil
}

func checkedTransaction(items []types.TransactWriteItem) (writes []*write, err error) {
	if len(items) == 0 || len(items) > longestTransaction {
		return nil, invalid("a transaction has 1 to %d writes", longestTransaction)
	}
	seen, bytes := map[string]bool{}, 0
	for _, it := range items {
		w, err := checkedItem(it)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%q %q %q", w.table, w.key.pk, w.key.sk)
		if seen[name] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[name] = true
		bytes += Size(w.put) + Size(w.scope.values)
		writes = append(writes, w)
	}
	if bytes > largestTransaction {
		return nil, invalid("Collection size of items in transaction request exceeds 4 MB")
	}
	return writes, nil
}

func checkedItem(it types.TransactWriteItem) (*write, error) {
	set := 0
	for _, given := range []bool{it.Put != nil, it.Update != nil, it.Delete != nil, it.ConditionCheck != nil} {
		if given {
			set++
		}
	}
	if set != 1 {
		return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	switch p, u, d := it.Put, it.Update, it.Delete; {
	case p != nil:
		return putting(request{p.TableName, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}, p.Item)
	case u != nil:
		return updating(request{u.TableName, u.ConditionExpression, u.ExpressionAttributeNames, u.ExpressionAttributeValues, u.ReturnValuesOnConditionCheckFailure}, u.Key, u.UpdateExpression)
	case d != nil:
		return deleting(request{d.TableName, d.ConditionExpression, d.ExpressionAttributeNames, d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure}, d.Key)
	}
	check := it.ConditionCheck
	return checking(request{check.TableName, check.ConditionExpression, check.ExpressionAttributeNames, check.ExpressionAttributeValues, check.ReturnValuesOnConditionCheckFailure}, check.Key)
}
