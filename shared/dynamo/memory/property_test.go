package memory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/dynamo/memory"
)

// Whatever is asked of them, DynamoDB Local and the one in memory answer the
// same, and hold the same items afterwards.
func TestAnswersAsDynamoDBLocal(t *testing.T) {
	const table = "property"
	local, inMemory := engines(t, table)
	checks := 0
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		g := generator{T: rt, prefix: fmt.Sprintf("p%d", checks)}
		for range rapid.IntRange(5, 25).Draw(rt, "requests") {
			request := g.request(table)
			want, got := outcome(t.Context(), local, request), outcome(t.Context(), inMemory, request)
			if got != want {
				rt.Fatalf("%s\nmemory: %s\n%s\nlocal:  %s\n%s", showRequest(request),
					got, message(t.Context(), inMemory, request), want, message(t.Context(), local, request))
			}
		}
		for _, pk := range g.partitions() {
			all := &dynamodb.QueryInput{
				TableName: aws.String(table), KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: item{":pk": text(pk)},
			}
			if want, got := outcome(t.Context(), local, all), outcome(t.Context(), inMemory, all); got != want {
				rt.Fatalf("items in the end\nmemory: %s\nlocal:  %s", got, want)
			}
		}
	})
}

// A page ends with its limit, or with the item that fills a megabyte.
func TestPagesAsDynamoDBLocal(t *testing.T) {
	const table = "pages"
	local, inMemory := engines(t, table)
	for pk, sizes := range map[string][]int{ // of items, in bytes
		"small":             {40, 50, 60, 70},
		"large":             {300 << 10, 300 << 10, 300 << 10, 300 << 10, 40, 300 << 10, 390 << 10, 390 << 10},
		"just a megabyte":   {256 << 10, 256 << 10, 256 << 10, 256 << 10, 40},
		"nearly a megabyte": {256 << 10, 256 << 10, 256 << 10, 256<<10 - 1, 40},
		"and a byte":        {256 << 10, 256 << 10, 256 << 10, 256<<10 + 1, 40},
	} {
		for i, size := range sizes {
			it := item{"pk": text(pk), "sk": text(fmt.Sprint(i)), "a": text("")}
			it["a"] = text(strings.Repeat("x", size-memory.Size(it)))
			request := &dynamodb.PutItemInput{TableName: aws.String(table), Item: it}
			for _, e := range []engine{local, inMemory} {
				if out := outcome(t.Context(), e, request); out != "{}" {
					t.Fatal(out)
				}
			}
		}
		for _, forward := range []bool{true, false} {
			for _, limit := range []*int32{nil, aws.Int32(2), aws.Int32(7)} {
				var start item
				for page := 0; page == 0 || start != nil; page++ {
					request := &dynamodb.QueryInput{
						TableName: aws.String(table), KeyConditionExpression: aws.String("pk = :pk"), ConsistentRead: aws.Bool(true),
						ExpressionAttributeValues: item{":pk": text(pk)}, ExclusiveStartKey: start,
						ScanIndexForward: &forward, Limit: limit, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
					}
					want, got := outcome(t.Context(), local, request), outcome(t.Context(), inMemory, request)
					if got != want {
						t.Fatalf("%s, page %d of %s\nmemory: %s\nlocal:  %s", showRequest(request), page, pk, got, want)
					}
					out, err := inMemory.Query(t.Context(), request)
					if err != nil {
						t.Fatal(err)
					}
					start = out.LastEvaluatedKey
				}
			}
		}
	}
}

// generator draws requests about a few items, so that they meet.
type generator struct {
	*rapid.T
	prefix string
	once   []item // keys, each for one write of a transaction
}

func draw[V any](g generator, what string, from ...V) V {
	return rapid.SampledFrom(from).Draw(g.T, what)
}

func (g generator) seldom() bool { return draw(g, "seldom", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) == 9 }

func (g generator) partitions() []string { return []string{g.prefix + "a", g.prefix + "b"} }

func (g generator) named(partition int, sk string) item {
	return item{"pk": text(g.partitions()[partition]), "sk": text(sk)}
}

func (g generator) key() item {
	if g.once != nil {
		return g.once[0]
	}
	return g.named(draw(g, "pk", 0, 1), draw(g, "sk", "1", "2", "3"))
}

func (g generator) value(depth int) types.AttributeValue {
	kinds := []string{"S", "S", "N", "N", "SS", "SS", "BOOL", "B"}
	if depth > 0 {
		kinds = append(kinds, "M", "M")
	}
	switch draw(g, "type", kinds...) {
	case "S":
		return text(draw(g, "text", "", "x", "y", "xy", "ü", "𝄞x"))
	case "N":
		return number(draw(g, "number", "0", "1", "2", "-1", "10", "12345678901234567890123456789012345678"))
	case "SS":
		return set(draw(g, "set", []string{"x"}, []string{"x", "y"}, []string{"y"}, []string{"y", "xy", ""})...)
	case "BOOL":
		return flag(draw(g, "flag", true, false))
	case "B":
		return bytes(draw(g, "bytes", []byte{}, []byte{1}, []byte{1, 2}, []byte{2, 1, 2})...)
	}
	return object(g.item(depth - 1))
}

var attributes = []string{"a", "b", "c", "m"}

func (g generator) item(depth int) item {
	it := item{}
	for _, name := range attributes {
		switch {
		case draw(g, "has "+name, true, false):
		case name == "m" && depth > 0:
			it[name] = object(g.item(depth - 1))
		default:
			it[name] = g.value(depth)
		}
	}
	return it
}

// writing draws expressions, and the names and values that they need.
type writing struct {
	generator
	names  map[string]string
	values item
}

func (w *writing) name(name string) string {
	if w.names == nil {
		w.names = map[string]string{}
	}
	w.names["#"+name] = name
	return "#" + name
}

// anyPath is one of an item, seldom a key.
func (w *writing) anyPath() string {
	if w.seldom() {
		return w.name(draw(w.generator, "key", "pk", "sk"))
	}
	return w.path()
}

func (w *writing) path() string {
	p := w.name(draw(w.generator, "attribute", attributes...))
	if p == "#m" && draw(w.generator, "deeper", true, true, false) {
		p += "." + w.name(draw(w.generator, "inner", attributes...))
	}
	return p
}

func (w *writing) of(v types.AttributeValue) string {
	if w.values == nil {
		w.values = item{}
	}
	name := fmt.Sprintf(":v%d", len(w.values))
	w.values[name] = v
	return name
}

func (w *writing) operand(path func() string) string {
	if draw(w.generator, "path", true, false) {
		return path()
	}
	return w.of(w.value(1))
}

func (w *writing) sized() string {
	if draw(w.generator, "size", 0, 0, 0, 1) == 1 {
		return "size(" + w.anyPath() + ")"
	}
	return w.operand(w.anyPath)
}

func (w *writing) condition(depth int) string {
	kinds := []string{"compare", "compare", "exists", "missing", "contains", "between"}
	if depth > 0 {
		kinds = append(kinds, "and", "or", "not", "parentheses", "and", "or")
	}
	switch draw(w.generator, "condition", kinds...) {
	case "compare":
		return w.sized() + " " + draw(w.generator, "operator", "=", "<>", "<", "<=", ">", ">=") + " " + w.sized()
	case "exists":
		return "attribute_exists(" + w.anyPath() + ")"
	case "missing":
		return "attribute_not_exists (" + w.anyPath() + ")"
	case "contains":
		return "contains(" + w.anyPath() + ", " + w.operand(w.anyPath) + ")"
	case "between":
		return w.sized() + " BETWEEN " + w.sized() + " AND " + w.sized()
	case "and":
		return w.condition(depth-1) + " AND " + w.condition(depth-1)
	case "or":
		return w.condition(depth-1) + draw(w.generator, "or", " OR ", " or ") + w.condition(depth-1)
	case "not":
		return "NOT " + w.condition(depth-1)
	}
	return "(" + w.condition(depth-1) + ")"
}

func (w *writing) term() string {
	if draw(w.generator, "if_not_exists", 0, 0, 0, 1) == 1 {
		return "if_not_exists(" + w.path() + ", " + w.operand(w.path) + ")"
	}
	return w.operand(w.path)
}

func (w *writing) update() string {
	clauses := rapid.Permutation([]string{"SET", "REMOVE", "ADD", "DELETE"}).Draw(w.T, "clauses")
	var list []string
	for _, clause := range clauses[:draw(w.generator, "how many", 1, 1, 2, 2, 3, 4)] {
		var actions []string
		for range draw(w.generator, "actions", 1, 1, 2) {
			action := w.anyPath()
			switch clause {
			case "SET":
				action += " = " + w.term()
				if draw(w.generator, "sum", 0, 0, 1) == 1 {
					action += draw(w.generator, "sign", " + ", "-") + w.term()
				}
			case "ADD":
				action += " " + w.of(draw(w.generator, "add", number("1"), number("-3"), set("x"), set("z", "y"), w.value(0)))
			case "DELETE":
				action += " " + w.of(draw(w.generator, "delete", set("x"), set("z", "y"), set("x", "y"), w.value(0)))
			}
			actions = append(actions, action)
		}
		list = append(list, clause+" "+strings.Join(actions, ", "))
	}
	return strings.Join(list, " ")
}

// maybe a condition.
func (w *writing) maybe() *string {
	if draw(w.generator, "conditional", true, true, false) {
		return aws.String(w.condition(2))
	}
	return nil
}

// spoil seldom takes a name or value away, or adds one.
func (w *writing) spoil() {
	if !w.seldom() {
		return
	}
	switch draw(w.generator, "spoil", "nothing", "nothing", "nothing", "nothing", "name", "value", "unused") {
	case "nothing":
	case "name":
		delete(w.names, "#a")
	case "value":
		delete(w.values, ":v0")
	default:
		w.of(text("unused"))
	}
}

func (g generator) old() types.ReturnValuesOnConditionCheckFailure {
	return draw(g, "old", types.ReturnValuesOnConditionCheckFailureAllOld, types.ReturnValuesOnConditionCheckFailureNone)
}

func (g generator) put() types.Put {
	w := writing{generator: g}
	it := g.item(2)
	for name, v := range g.key() {
		it[name] = v
	}
	when := w.maybe()
	w.spoil()
	return types.Put{
		Item: it, ConditionExpression: when, ExpressionAttributeNames: w.names, ExpressionAttributeValues: w.values,
		ReturnValuesOnConditionCheckFailure: g.old(),
	}
}

func (g generator) update() types.Update {
	w := writing{generator: g}
	update, when := w.update(), w.maybe()
	w.spoil()
	return types.Update{
		Key: g.key(), UpdateExpression: &update, ConditionExpression: when,
		ExpressionAttributeNames: w.names, ExpressionAttributeValues: w.values, ReturnValuesOnConditionCheckFailure: g.old(),
	}
}

func (g generator) delete() types.Delete {
	w := writing{generator: g}
	when := w.maybe()
	w.spoil()
	return types.Delete{
		Key: g.key(), ConditionExpression: when, ExpressionAttributeNames: w.names, ExpressionAttributeValues: w.values,
		ReturnValuesOnConditionCheckFailure: g.old(),
	}
}

func (g generator) check() types.ConditionCheck {
	w := writing{generator: g}
	when := w.condition(2)
	w.spoil()
	return types.ConditionCheck{
		Key: g.key(), ConditionExpression: &when, ExpressionAttributeNames: w.names, ExpressionAttributeValues: w.values,
		ReturnValuesOnConditionCheckFailure: g.old(),
	}
}

func (g generator) request(table string) any {
	const total = types.ReturnConsumedCapacityTotal
	switch draw(g, "request", "get", "query", "put", "put", "update", "update", "update", "update", "delete", "transaction", "transaction") {
	case "get":
		return &dynamodb.GetItemInput{TableName: &table, Key: g.key(), ConsistentRead: aws.Bool(draw(g, "consistent", true, false)), ReturnConsumedCapacity: total}
	case "query":
		return g.query(table)
	case "put":
		p := g.put()
		return &dynamodb.PutItemInput{
			TableName: &table, Item: p.Item, ConditionExpression: p.ConditionExpression, ExpressionAttributeNames: p.ExpressionAttributeNames,
			ExpressionAttributeValues: p.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: p.ReturnValuesOnConditionCheckFailure,
			ReturnValues: draw(g, "return", types.ReturnValueNone, types.ReturnValueAllOld), ReturnConsumedCapacity: total,
		}
	case "update":
		u := g.update()
		return &dynamodb.UpdateItemInput{
			TableName: &table, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
			ReturnValues:                        draw(g, "return", types.ReturnValueAllNew, types.ReturnValueAllOld, types.ReturnValueNone), ReturnConsumedCapacity: total,
		}
	case "delete":
		d := g.delete()
		return &dynamodb.DeleteItemInput{
			TableName: &table, Key: d.Key, ConditionExpression: d.ConditionExpression, ExpressionAttributeNames: d.ExpressionAttributeNames,
			ExpressionAttributeValues: d.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: d.ReturnValuesOnConditionCheckFailure,
			ReturnValues: draw(g, "return", types.ReturnValueNone, types.ReturnValueAllOld), ReturnConsumedCapacity: total,
		}
	}
	return g.transaction(table)
}

func (g generator) transaction(table string) *dynamodb.TransactWriteItemsInput {
	in := &dynamodb.TransactWriteItemsInput{}
	g.once = rapid.Permutation([]item{g.named(0, "1"), g.named(0, "2"), g.named(0, "3"), g.named(1, "1"), g.named(1, "2")}).Draw(g.T, "keys")
	for range draw(g, "writes", 1, 2, 2, 3) {
		g.once = g.once[1:]
		var it types.TransactWriteItem
		switch draw(g, "write", "put", "update", "update", "delete", "check") {
		case "put":
			it.Put = new(g.put())
			it.Put.TableName = &table
		case "update":
			it.Update = new(g.update())
			it.Update.TableName = &table
		case "delete":
			it.Delete = new(g.delete())
			it.Delete.TableName = &table
		case "check":
			it.ConditionCheck = new(g.check())
			it.ConditionCheck.TableName = &table
		}
		in.TransactItems = append(in.TransactItems, it)
	}
	return in
}

func (g generator) query(table string) *dynamodb.QueryInput {
	pk := draw(g, "pk", g.partitions()...)
	in := &dynamodb.QueryInput{
		TableName: &table, ExpressionAttributeNames: map[string]string{"#pk": "pk"}, ExpressionAttributeValues: item{":pk": text(pk)},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ConsistentRead: aws.Bool(draw(g, "consistent", true, false)),
	}
	sk := func() types.AttributeValue { return text(draw(g, "sk", " ", "1", "2", "3", "33")) }
	condition := "#pk = :pk"
	switch operator := draw(g, "sort key", "", ">=", "<=", "BETWEEN"); operator {
	case "":
	case "BETWEEN":
		condition += " AND sk BETWEEN :from AND :to"
		in.ExpressionAttributeValues[":from"], in.ExpressionAttributeValues[":to"] = sk(), sk()
	default:
		condition += " AND #sk " + operator + " :from"
		in.ExpressionAttributeNames["#sk"] = "sk"
		in.ExpressionAttributeValues[":from"] = sk()
	}
	in.KeyConditionExpression = &condition
	if limit := draw(g, "limit", 0, 1, 2, 3, 100); limit > 0 {
		in.Limit = aws.Int32(int32(limit))
	}
	if draw(g, "start", 0, 0, 1) == 1 {
		in.ExclusiveStartKey = g.key()
	}
	if draw(g, "order", true, false) {
		in.ScanIndexForward = aws.Bool(draw(g, "forward", true, false))
	}
	return in
}
