// Package dynamotest is for tests of stores on package dynamo: it measures
// capacity units, loses replies, and lets others write between a read and a
// write. It knows no store.
package dynamotest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"openg2p.org/mts-connector/shared/dynamo/memory"
)

// Meter adds up the capacity units that clients consume, without refused writes,
// whose units DynamoDB does not report.
type Meter struct {
	// Sizing is for DynamoDB Local, which adds equal figures of a transaction
	// only once (three writes of 2 units are 2, of 2 and 4 are 6). With this
	// client of the same engine the meter reads the items before and after, and
	// computes their units.
	Sizing *dynamodb.Client

	mu    sync.Mutex
	spent map[string]Spent
}

// Spent is the units of some calls.
type Spent struct {
	Calls  int
	Reads  float64
	Writes float64
}

func (s Spent) plus(t Spent) Spent {
	return Spent{s.Calls + t.Calls, s.Reads + t.Reads, s.Writes + t.Writes}
}

// Options makes a client report to the meter:
//
//	dynamodb.New(client.Options(), meter.Options)
func (m *Meter) Options(o *dynamodb.Options) {
	o.APIOptions = append(slices.Clone(o.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Meter", m.measure), middleware.After)
	})
}

// Total of all calls since the meter was made or reset.
func (m *Meter) Total() (total Spent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.spent {
		total = total.plus(s)
	}
	return total
}

// Of returns what one operation spent on one table, for instance
// Of("PutItem", "answers").
func (m *Meter) Of(operation, table string) Spent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent[operation+" "+table]
}

// Reset begins anew.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spent = nil
}

// String lists operations and tables.
func (m *Meter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for name, s := range m.spent {
		lines = append(lines, fmt.Sprintf("%s: %d calls, %g reads, %g writes", name, s.Calls, s.Reads, s.Writes))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (m *Meter) measure(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	const total = types.ReturnConsumedCapacityTotal
	var transaction *transaction
	// Copies, because the input is the caller's.
	switch p := in.Parameters.(type) {
	case *dynamodb.GetItemInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
	case *dynamodb.QueryInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
	case *dynamodb.PutItemInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
	case *dynamodb.UpdateItemInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
	case *dynamodb.DeleteItemInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
	case *dynamodb.TransactWriteItemsInput:
		c := *p
		c.ReturnConsumedCapacity, in.Parameters = total, &c
		if m.Sizing != nil {
			transaction = newTransaction(p.TransactItems)
			if err := transaction.look(ctx, m.Sizing); err != nil {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			}
		}
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	switch r := out.Result.(type) {
	case *dynamodb.GetItemOutput:
		m.read("GetItem", r.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		m.read("Query", r.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		m.written("PutItem", r.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		m.written("UpdateItem", r.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		m.written("DeleteItem", r.ConsumedCapacity)
	case *dynamodb.TransactWriteItemsOutput:
		if transaction != nil {
			if err := transaction.look(ctx, m.Sizing); err != nil {
				return out, metadata, err
			}
			transaction.report(m)
			break
		}
		for _, table := range r.ConsumedCapacity {
			m.written("TransactWriteItems", &table)
		}
	}
	return out, metadata, err
}

func (m *Meter) read(operation string, c *types.ConsumedCapacity) {
	if c != nil {
		m.add(operation, aws.ToString(c.TableName), Spent{Calls: 1, Reads: aws.ToFloat64(c.CapacityUnits)})
	}
}

func (m *Meter) written(operation string, c *types.ConsumedCapacity) {
	if c != nil {
		m.add(operation, aws.ToString(c.TableName), Spent{Calls: 1, Writes: aws.ToFloat64(c.CapacityUnits)})
	}
}

func (m *Meter) add(operation, table string, s Spent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spent == nil {
		m.spent = map[string]Spent{}
	}
	m.spent[operation+" "+table] = m.spent[operation+" "+table].plus(s)
}

// transaction sizes the items of a transaction. Each costs two units per
// kilobyte of what it was or what it becomes, whichever is more.
type transaction struct {
	tables []string
	keys   []map[string]types.AttributeValue
	sizes  []int
}

func newTransaction(items []types.TransactWriteItem) *transaction {
	t := &transaction{sizes: make([]int, len(items))}
	for _, it := range items {
		switch {
		case it.Put != nil:
			t.touch(it.Put.TableName, map[string]types.AttributeValue{"pk": it.Put.Item["pk"], "sk": it.Put.Item["sk"]})
		case it.Update != nil:
			t.touch(it.Update.TableName, it.Update.Key)
		case it.Delete != nil:
			t.touch(it.Delete.TableName, it.Delete.Key)
		case it.ConditionCheck != nil:
			t.touch(it.ConditionCheck.TableName, it.ConditionCheck.Key)
		}
	}
	return t
}

func (t *transaction) touch(table *string, key map[string]types.AttributeValue) {
	t.tables, t.keys = append(t.tables, aws.ToString(table)), append(t.keys, key)
}

func (t *transaction) look(ctx context.Context, client *dynamodb.Client) error {
	for i, key := range t.keys {
		out, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.tables[i], Key: key, ConsistentRead: aws.Bool(true)})
		if err != nil {
			return err
		}
		t.sizes[i] = max(t.sizes[i], memory.Size(out.Item))
	}
	return nil
}

func (t *transaction) report(m *Meter) {
	units := map[string]float64{}
	for i, table := range t.tables {
		units[table] += 2 * max(1, math.Ceil(float64(t.sizes[i])/1024))
	}
	for table, n := range units {
		m.add("TransactWriteItems", table, Spent{Calls: 1, Writes: n})
	}
}
