package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

// units is a DynamoDB client with a meter for each kind of write.
type units struct {
	db *dynamolocal.Server

	mu      sync.Mutex
	meters  map[string]*dynamotest.Meter
	clients map[string]*dynamodb.Client
	refused map[string]int // conditions that were not met
}

var _ dynamo.Client = (*units)(nil)

func newUnits(db *dynamolocal.Server) *units {
	return &units{
		db: db, meters: map[string]*dynamotest.Meter{}, clients: map[string]*dynamodb.Client{}, refused: map[string]int{},
	}
}

// spent is the sum of the writes of one kind.
type spent struct {
	kind    string
	writes  int
	units   float64 // as ReturnConsumedCapacity reports them; transactions count double
	refused int     // writes whose condition was not met; their units are not reported
}

// writes lists the kinds of writes, the most expensive first, and their sum.
func (u *units) writes() (list []spent, sum spent) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for kind, meter := range u.meters {
		if kind == reading {
			continue
		}
		total := meter.Total()
		s := spent{kind, total.Calls, total.Writes, u.refused[kind]}
		list = append(list, s)
		sum = spent{"all", sum.writes + s.writes, sum.units + s.units, sum.refused + s.refused}
	}
	slices.SortFunc(list, func(a, b spent) int {
		if a.units != b.units {
			return int(b.units - a.units)
		}
		return strings.Compare(a.kind, b.kind)
	})
	return list, sum
}

// reads is the sum of all reads.
func (u *units) reads() dynamotest.Spent {
	u.client(reading)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.meters[reading].Total()
}

func (u *units) client(kind string) *dynamodb.Client {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.clients[kind] == nil {
		plain := u.db.Client()
		u.meters[kind] = &dynamotest.Meter{Sizing: plain}
		u.clients[kind] = dynamodb.New(plain.Options(), u.meters[kind].Options)
	}
	return u.clients[kind]
}

const reading = "reads"

// kindOf names a write by its key (package seedingdb has all keys).
func kindOf(key map[string]types.AttributeValue, expression string) string {
	pk := key["pk"].(*types.AttributeValueMemberS).Value
	switch {
	case pk == "states":
		return "run lease, due time, problems"
	case pk == "registries":
		return "patch lease"
	case pk == "seeders" && strings.Contains(expression, "#pace"):
		return "batch size"
	case pk == "seeders":
		return "state of the MTS"
	case strings.HasSuffix(pk, "#open"):
		return "batch: submitted"
	case strings.HasSuffix(pk, "#rejections"):
		return "rejections"
	case strings.HasPrefix(pk, "C#"):
		return "run"
	}
	return "other: " + pk
}

// kindOfTransaction: a claim puts an open batch, a close deletes it; the others
// open and complete runs.
func kindOfTransaction(items []types.TransactWriteItem) string {
	for _, it := range items {
		switch {
		case it.Put != nil && kindOf(it.Put.Item, "") == "batch: submitted":
			return "batch: claim"
		case it.Delete != nil && kindOf(it.Delete.Key, "") == "batch: submitted":
			return "batch: close"
		}
	}
	return "run"
}

func note[T any](u *units, kind string, out T, err error) (T, error) {
	_, condition := errors.AsType[*types.ConditionalCheckFailedException](err)
	_, canceled := errors.AsType[*types.TransactionCanceledException](err)
	if condition || canceled {
		u.mu.Lock()
		u.refused[kind]++
		u.mu.Unlock()
	}
	return out, err
}

// GetItem and what follows are dynamo.Client.
func (u *units) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return u.client(reading).GetItem(ctx, in, o...)
}

func (u *units) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return u.client(reading).Query(ctx, in, o...)
}

func (u *units) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	kind := "answer: put"
	if strings.HasPrefix(*in.TableName, "Connectors") {
		kind = kindOf(in.Item, "")
	}
	out, err := u.client(kind).PutItem(ctx, in, o...)
	return note(u, kind, out, err)
}

func (u *units) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	kind := kindOf(in.Key, *in.UpdateExpression)
	out, err := u.client(kind).UpdateItem(ctx, in, o...)
	return note(u, kind, out, err)
}

func (u *units) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	kind := "answer: delete"
	if strings.HasPrefix(*in.TableName, "Connectors") {
		kind = kindOf(in.Key, "")
	}
	out, err := u.client(kind).DeleteItem(ctx, in, o...)
	return note(u, kind, out, err)
}

func (u *units) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	kind := kindOfTransaction(in.TransactItems)
	out, err := u.client(kind).TransactWriteItems(ctx, in, o...)
	return note(u, kind, out, err)
}
