// Package memory is DynamoDB in memory, for tests: what the stores on package
// dynamo use of it, with the SDK's types. So tests run a store's conditions,
// transactions and codecs without a server.
//
// Tables have string keys named pk and sk and no indexes. Values are of the types
// S, N (whole numbers), B, BOOL, SS and M. Expressions are those of conditions,
// key conditions and updates, with #name for every attribute and :name for every
// value; see condition.go, update.go and query.go. Everything else, and what
// DynamoDB itself refuses, is refused with a ValidationException, so that no test
// passes because something was ignored. Nothing expires, nothing is throttled,
// and no transaction collides with another.
//
// The tests of this package compare it with DynamoDB Local.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// Client has the methods of *dynamodb.Client that the stores call. It is safe for
// concurrent use, and shares no value with its callers.
type Client struct {
	mu     sync.Mutex
	tables map[string]table
	done   map[string][]*write // transactions by their ClientRequestToken; kept for ever
}

// New returns a client without tables.
func New() *Client { return &Client{tables: map[string]table{}, done: map[string][]*write{}} }

// item is an item, or the values of an expression. A stored one is replaced,
// never changed.
type item = map[string]types.AttributeValue

// key is the primary key of an item.
type key struct{ pk, sk string }

// table has its partitions by pk.
type table map[string]*partition

// partition has the items of one pk.
type partition struct {
	items map[string]item // by sk
	order []string        // the sort keys, ascending
}

func (t table) get(k key) item {
	if p := t[k.pk]; p != nil {
		return p.items[k.sk]
	}
	return nil
}

// set stores an item; nil removes it.
func (t table) set(k key, it item) {
	p := t[k.pk]
	if p == nil {
		p = &partition{items: map[string]item{}}
		t[k.pk] = p
	}
	at, found := slices.BinarySearch(p.order, k.sk)
	switch {
	case it == nil && found:
		delete(p.items, k.sk)
		p.order = slices.Delete(p.order, at, at+1)
	case it != nil:
		if !found {
			p.order = slices.Insert(p.order, at, k.sk)
		}
		p.items[k.sk] = it
	}
}

// CreateTable creates an empty table, whose billing and stream are ignored.
func (c *Client) CreateTable(_ context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	if err := only(in, "TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "StreamSpecification"); err != nil {
		return nil, err
	}
	schema := []types.KeySchemaElement{
		{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
	}
	texts := !slices.ContainsFunc(in.AttributeDefinitions, func(d types.AttributeDefinition) bool { return d.AttributeType != types.ScalarAttributeTypeS })
	if !reflect.DeepEqual(in.KeySchema, schema) || !texts {
		return nil, invalid("the keys of a table are the strings pk and sk")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := aws.ToString(in.TableName)
	if !tableName.MatchString(name) {
		return nil, errTableName
	}
	if c.tables[name] != nil {
		return nil, &types.ResourceInUseException{Message: aws.String("Table already exists: " + name)}
	}
	c.tables[name] = table{}
	return &dynamodb.CreateTableOutput{}, nil
}

// DeleteTable deletes a table with all that it holds.
func (c *Client) DeleteTable(_ context.Context, in *dynamodb.DeleteTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.table(in.TableName); err != nil {
		return nil, err
	}
	delete(c.tables, *in.TableName)
	return &dynamodb.DeleteTableOutput{}, nil
}

var (
	tableName    = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)
	errTableName = invalid("Invalid table/index name")
)

func (c *Client) table(name *string) (table, error) {
	if !tableName.MatchString(aws.ToString(name)) {
		return nil, errTableName
	}
	if t := c.tables[aws.ToString(name)]; t != nil {
		return t, nil
	}
	return nil, &types.ResourceNotFoundException{Message: aws.String("Cannot do operations on a non-existent table")}
}

// GetItem reads one item.
func (c *Client) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if err := cmp.Or(ctx.Err(), only(in, "TableName", "Key", "ConsistentRead", "ReturnConsumedCapacity")); err != nil {
		return nil, err
	}
	k, err := keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.table(in.TableName)
	if err != nil {
		return nil, err
	}
	it := t.get(k)
	out := &dynamodb.GetItemOutput{Item: clone(it)}
	out.ConsumedCapacity, err = capacity(in.ReturnConsumedCapacity, in.TableName, readUnits(Size(it), in.ConsistentRead))
	return out, err
}

// keyOf is the key in a request.
func keyOf(it item) (key, error) {
	pk, ok1 := it["pk"].(*types.AttributeValueMemberS)
	sk, ok2 := it["sk"].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 || len(it) != 2 {
		return key{}, invalid("The provided key element does not match the schema")
	}
	k := key{pk.Value, sk.Value}
	return k, k.check()
}

func (k key) check() error {
	switch {
	case k.pk == "" || k.sk == "":
		return invalid("One or more parameter values are not valid. A key attribute is an empty string")
	case len(k.pk) > 2048 || len(k.sk) > 1024:
		return invalid("One or more parameter values were invalid: a key is too long")
	}
	return nil
}

func (k key) item() item {
	return item{"pk": &types.AttributeValueMemberS{Value: k.pk}, "sk": &types.AttributeValueMemberS{Value: k.sk}}
}

// invalid is the refusal of a request.
func invalid(format string, a ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, a...), Fault: smithy.FaultClient}
}

// only refuses a request that sets a field other than these.
func only(in any, fields ...string) error {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !slices.Contains(fields, name) && !v.Field(i).IsZero() {
			return invalid("this DynamoDB knows no %s", name)
		}
	}
	return nil
}

func readUnits(bytes int, consistent *bool) float64 {
	units := max(1, math.Ceil(float64(bytes)/4096))
	if !aws.ToBool(consistent) {
		units /= 2
	}
	return units
}

func writeUnits(before, after item) float64 {
	return max(1, math.Ceil(float64(max(Size(before), Size(after)))/1024))
}

// capacity is the consumed units in a reply.
func capacity(asked types.ReturnConsumedCapacity, table *string, units float64) (*types.ConsumedCapacity, error) {
	switch asked {
	case "", types.ReturnConsumedCapacityNone:
		return nil, nil
	case types.ReturnConsumedCapacityTotal:
		return &types.ConsumedCapacity{TableName: aws.String(*table), CapacityUnits: &units}, nil
	}
	return nil, invalid("this DynamoDB knows no ReturnConsumedCapacity %s", asked)
}
