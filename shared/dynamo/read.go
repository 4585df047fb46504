package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// get reads one item of the connectors table, or seeding.ErrNotFound.
func (s *Store) get(ctx context.Context, k key) (item, error) {
	if !k.valid() {
		return nil, seeding.ErrNotFound
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.connectors, Key: k.item(), ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return nil, translate("get", err)
	case len(out.Item) == 0:
		return nil, seeding.ErrNotFound
	}
	return out.Item, nil
}

// span is a stretch of one partition, in the order of sort keys.
type span struct {
	table    string
	pk       string
	from, to string // sort keys, both included; a missing to is the end
	backward bool
	limit    int // per page; 0 is as much as DynamoDB gives
}

// each calls visit with every item of the span until it returns false.
func (s *Store) each(ctx context.Context, sp span, visit func(item) (more bool, err error)) error {
	if sp.from == "" {
		sp.from = " " // sorts before every sort key; DynamoDB takes no empty one
	}
	in := &dynamodb.QueryInput{
		TableName: &sp.table, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(!sp.backward),
		ExpressionAttributeValues: item{":pk": text(sp.pk), ":from": text(sp.from)},
	}
	condition := "#pk = :pk AND #sk >= :from"
	if sp.to != "" {
		condition = "#pk = :pk AND #sk BETWEEN :from AND :to"
		in.ExpressionAttributeValues[":to"] = text(sp.to)
	}
	in.KeyConditionExpression, in.ExpressionAttributeNames = &condition, namesIn(condition)
	if sp.limit > 0 {
		in.Limit = aws.Int32(int32(min(sp.limit, 1000)))
	}
	if !(key{sp.pk, sp.from}).valid() || len(sp.to) > 1024 || (sp.to != "" && sp.to < sp.from) {
		return nil // no item has such keys, and DynamoDB would complain
	}
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return translate("query", err)
		}
		for _, it := range out.Items {
			if more, err := visit(it); err != nil || !more {
				return err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// all decodes every item of a span.
func all[T any](ctx context.Context, s *Store, sp span, decode func(item) (T, error)) ([]T, error) {
	var list []T
	err := s.each(ctx, sp, func(it item) (bool, error) {
		v, err := decode(it)
		list = append(list, v)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// page decodes up to limit items that are wanted, at least one, and tells
// whether there are more of them.
func page[T any](ctx context.Context, s *Store, sp span, limit int, wanted func(item) bool, decode func(item) (T, error)) (list []T, more bool, err error) {
	limit = max(limit, 1)
	err = s.each(ctx, sp, func(it item) (bool, error) {
		if !wanted(it) {
			return true, nil
		}
		if len(list) == limit {
			more = true
			return false, nil
		}
		v, err := decode(it)
		list = append(list, v)
		return true, err
	})
	if err != nil {
		return nil, false, err
	}
	return list, more, nil
}

// sortKey of an item that was read.
func sortKey(it item) string {
	if v, ok := it["sk"].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}
