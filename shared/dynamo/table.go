package dynamo

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is a table with string keys pk and sk.
type Table struct {
	client Client
	name   string
}

// NewTable returns the table of that name.
func NewTable(client Client, name string) Table { return Table{client: client, name: name} }

// Get reads one item, or ErrNotFound.
func (t Table) Get(ctx context.Context, key Key) (Item, error) {
	if !key.valid() {
		return nil, ErrNotFound
	}
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key.item(), ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return nil, translate("get", err)
	case len(out.Item) == 0:
		return nil, ErrNotFound
	}
	return out.Item, nil
}

// Span is a range of one partition, in the order of sort keys.
type Span struct {
	Partition string
	From, To  string // sort keys, both included; "" is the beginning and the end
	Backward  bool
	Limit     int // items that one request reads; 0 is as many as DynamoDB gives
	// Filter is a condition on attributes besides the key: DynamoDB reads every item
	// of the span, and gives those that it holds for. "" is none.
	Filter string
	Values Item // of the filter
}

// empty reports that no item can be in the span; DynamoDB would refuse it.
func (s Span) empty() bool {
	return !(Key{s.Partition, s.From}).valid() || len(s.To) > longestSort || s.To != "" && s.To < s.From
}

// Each calls visit for every item of the span, until visit returns false or an
// error.
func (t Table) Each(ctx context.Context, span Span, visit func(Item) (more bool, err error)) error {
	_, err := t.Search(ctx, span, math.MaxInt, visit)
	return err
}

// Search is Each until about most items were read, whether the filter lets them pass
// or not. It returns the sort key of the last one that was read or visited, from which
// on another call continues; "" at the end of the span.
func (t Table) Search(ctx context.Context, span Span, most int, visit func(Item) (more bool, err error)) (last string, err error) {
	if span.From == "" {
		span.From = " " // sorts before every sort key; DynamoDB takes no empty one
	}
	if span.empty() {
		return "", nil
	}
	in := t.query(span)
	for {
		out, err := t.client.Query(ctx, in)
		if err != nil {
			return "", translate("query", err)
		}
		for _, it := range out.Items {
			if more, err := visit(it); err != nil || !more {
				return SortKey(it), err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return "", nil
		}
		if most -= int(out.ScannedCount); most <= 0 {
			return SortKey(in.ExclusiveStartKey), nil
		}
	}
}

// GetSome reads those items of a partition that are there, by their sort keys, in no
// order. One query reads as many items as are asked for, from the first of them on; of a
// partition with few others that is all. What it does not reach is read one by one.
func (t Table) GetSome(ctx context.Context, partition string, sorts []string) (items []Item, err error) {
	keys := make([]Key, 0, len(sorts))
	for _, sort := range slices.Compact(slices.Sorted(slices.Values(sorts))) {
		if key := (Key{partition, sort}); key.valid() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	span := Span{Partition: partition, From: keys[0].Sort, To: keys[len(keys)-1].Sort, Limit: len(keys)}
	reached, err := t.Search(ctx, span, len(keys), func(it Item) (bool, error) {
		if _, asked := slices.BinarySearchFunc(keys, SortKey(it), func(k Key, sort string) int { return cmp.Compare(k.Sort, sort) }); asked {
			items = append(items, it)
		}
		return true, nil
	})
	if err != nil || reached == "" {
		return items, err
	}
	var mu sync.Mutex
	keys = slices.DeleteFunc(keys, func(k Key) bool { return k.Sort <= reached })
	err = Parallel(ctx, keys, func(ctx context.Context, key Key) error {
		it, err := t.Get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		items = append(items, it)
		return err
	})
	return items, err
}

func (t Table) query(span Span) *dynamodb.QueryInput {
	condition, values := "#pk = :pk AND #sk >= :from", Item{":pk": Text(span.Partition), ":from": Text(span.From)}
	if span.To != "" {
		condition = "#pk = :pk AND #sk BETWEEN :from AND :to"
		values[":to"] = Text(span.To)
	}
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(!span.Backward),
		KeyConditionExpression: &condition, ExpressionAttributeNames: namesIn(condition), ExpressionAttributeValues: values,
	}
	if span.Filter != "" {
		in.FilterExpression = &span.Filter
		maps.Copy(in.ExpressionAttributeNames, namesIn(span.Filter))
		maps.Copy(values, span.Values)
	}
	if span.Limit > 0 {
		in.Limit = aws.Int32(int32(min(span.Limit, 1000)))
	}
	return in
}

// AllReadable decodes every item of a span. One damaged item must not stand in the
// way of others: it returns those that can be decoded, and with them an error
// that holds a *DamagedError for each of the rest.
func AllReadable[T any](ctx context.Context, t Table, span Span, decode func(Item) (T, error)) ([]T, error) {
	var list []T
	var damaged error
	err := t.Each(ctx, span, func(it Item) (bool, error) {
		v, err := decode(it)
		if err != nil {
			damaged = errors.Join(damaged, err)
		} else {
			list = append(list, v)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return list, damaged
}

// Page decodes up to limit wanted items, at least one, and reports whether there
// are more. It leaves out those that cannot be decoded: one of them would keep
// everybody from the page and from all that follow.
func Page[T any](ctx context.Context, t Table, span Span, limit int, wanted func(Item) bool, decode func(Item) (T, error)) (list []T, more bool, err error) {
	limit = max(limit, 1)
	err = t.Each(ctx, span, func(it Item) (bool, error) {
		if !wanted(it) {
			return true, nil
		}
		if len(list) == limit {
			more = true
			return false, nil
		}
		v, err := decode(it)
		if err == nil {
			list = append(list, v)
		}
		return true, nil
	})
	if err != nil {
		return nil, false, err
	}
	return list, more, nil
}

// Put writes a whole item; *Refused if the condition does not hold.
func (t Table) Put(ctx context.Context, c Change) error {
	return t.put(ctx, c, types.ReturnValuesOnConditionCheckFailureAllOld)
}

// Create writes an item unless there is one, and reports whether it did. It does
// not return an existing item.
func (t Table) Create(ctx context.Context, key Key, it Item) (created bool, err error) {
	err = t.put(ctx, Change{Key: key, Item: it, Condition: Absent}, types.ReturnValuesOnConditionCheckFailureNone)
	if _, exists := errors.AsType[*Refused](err); exists {
		return false, nil
	}
	return err == nil, err
}

func (t Table) put(ctx context.Context, c Change, refused types.ReturnValuesOnConditionCheckFailure) error {
	err := retryCollisions(ctx, func() error {
		_, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &t.name, Item: c.Full(),
			ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
			ReturnValuesOnConditionCheckFailure: refused,
		})
		return err
	})
	return translate("put", err)
}

// Update changes attributes of an item and returns the new item. It creates the
// item if there is none and the condition allows it. *Refused if the condition
// does not hold.
func (t Table) Update(ctx context.Context, c Change) (Item, error) {
	if !c.Key.valid() {
		return nil, &Refused{Old: []Item{nil}}
	}
	var updated Item
	err := retryCollisions(ctx, func() error {
		out, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &t.name, Key: c.Key.item(), UpdateExpression: &c.Update,
			ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
			ReturnValues:                        types.ReturnValueAllNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if err == nil {
			updated = out.Attributes
		}
		return err
	})
	return updated, translate("update", err)
}

// Delete deletes an item. Without an item and a condition it is a success.
// *Refused if the condition does not hold.
func (t Table) Delete(ctx context.Context, c Change) error {
	err := retryCollisions(ctx, func() error {
		_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &t.name, Key: c.Key.item(),
			ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	return translate("delete", err)
}
