package memory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo/memory"
)

// A transaction is made once, however often it is sent with its token.
func TestTokenMakesOneTransaction(t *testing.T) {
	const table = "tokens"
	local, inMemory := engines(t, table)
	adding := func(token string, n string) *dynamodb.TransactWriteItemsInput {
		return &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token, TransactItems: []types.TransactWriteItem{{Update: &types.Update{
			TableName: aws.String(table), Key: at("p", "s"), UpdateExpression: aws.String("ADD #a :n"),
			ExpressionAttributeNames: map[string]string{"#a": "a"}, ExpressionAttributeValues: item{":n": number(n)},
		}}}}
	}
	refused := adding("refused", "1")
	refused.TransactItems[0].Update.ConditionExpression = aws.String("attribute_not_exists(pk)")
	for name, e := range map[string]engine{"DynamoDB Local": local, "memory": inMemory} {
		t.Run(name, func(t *testing.T) {
			for i, step := range []struct {
				request *dynamodb.TransactWriteItemsInput
				want    string
			}{
				{adding("first", "1"), "done"},
				{adding("first", "1"), "done"},
				{adding("second", "1"), "done"},
				{adding("first", "2"), "IdempotentParameterMismatchException"},
				{refused, "TransactionCanceledException, ConditionalCheckFailed {}"},
				{refused, "TransactionCanceledException, ConditionalCheckFailed {}"},
				{adding("first", "1"), "done"},
			} {
				if got := outcome(t.Context(), e, step.request); got != step.want {
					t.Errorf("step %d: %s, want %s", i, got, step.want)
				}
			}
			got := outcome(t.Context(), e, &dynamodb.GetItemInput{TableName: aws.String(table), Key: at("p", "s"), ConsistentRead: aws.Bool(true)})
			if want := `{a: 2, pk: "p", sk: "s"}`; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// newMemory has the table "refusals", with an item.
func newMemory(t *testing.T) *memory.Client {
	t.Helper()
	client := memory.New()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(refusals),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutItem(t.Context(), puts(with(at("p", "there"), "m", object(item{"b": bytes(1, 2)})))); err != nil {
		t.Fatal(err)
	}
	return client
}

// What DynamoDB knows and memory does not is refused, and never overlooked.
func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	client := newMemory(t)
	a, v := map[string]string{"#a": "a"}, item{":v": text("x")}
	number := item{":v": number("1")}
	cases := map[string]any{
		"a list":                   puts(with(at("p", "s"), "a", &types.AttributeValueMemberL{})),
		"a set of numbers":         puts(with(at("p", "s"), "a", &types.AttributeValueMemberNS{Value: []string{"1"}})),
		"null":                     puts(with(at("p", "s"), "a", &types.AttributeValueMemberNULL{Value: true})),
		"no value":                 puts(with(at("p", "s"), "a", nil)),
		"a fraction":               puts(with(at("p", "s"), "a", &types.AttributeValueMemberN{Value: "1.5"})),
		"a number written at ease": puts(with(at("p", "s"), "a", &types.AttributeValueMemberN{Value: "007"})),
		"begins_with":              putIf("begins_with(#a, :v)", a, v),
		"attribute_type":           putIf("attribute_type(#a, :v)", a, v),
		"IN":                       putIf("#a IN (:v)", a, v),
		"an element of a list":     putIf("attribute_exists(#a[0])", a, nil),
		"a bare name":              putIf("attribute_exists(a)", nil, nil),
		"list_append":              updates("SET #a = list_append(#a, :v)", a, v),
		"a key in a SET":           updates("SET #a = sk", a, nil),
		"an update without text":   &dynamodb.UpdateItemInput{TableName: aws.String(refusals), Key: at("p", "s")},
		"a filter of a key": &dynamodb.QueryInput{
			TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, FilterExpression: aws.String("sk = :v"),
		},
		"a filter of an aliased key": &dynamodb.QueryInput{
			TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v,
			FilterExpression: aws.String("#k = :v"), ExpressionAttributeNames: map[string]string{"#k": "sk"},
		},
		"a filter that is none": &dynamodb.QueryInput{
			TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, FilterExpression: aws.String("x"),
		},
		"an index": &dynamodb.QueryInput{
			TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, IndexName: aws.String("x"),
		},
		"a key condition in NOT":      queries("NOT pk = :v", nil, v),
		"a sort key between others":   queries("pk = :v AND :v BETWEEN sk AND sk", nil, v),
		"keys in another order":       queries("sk = :v AND pk = :v", nil, v),
		"a sort key before others":    queries("pk = :v AND sk < :v", nil, v),
		"a sort key that is a number": queries("pk = :v AND sk >= :n", nil, item{":v": text("p"), ":n": number[":v"]}),
		"attributes of choice":        &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: at("p", "s"), ProjectionExpression: aws.String("x")},
		"a condition of old":          &dynamodb.DeleteItemInput{TableName: aws.String(refusals), Key: at("p", "s"), ConditionalOperator: types.ConditionalOperatorAnd},
		"UPDATED_NEW": &dynamodb.UpdateItemInput{
			TableName: aws.String(refusals), Key: at("p", "s"), UpdateExpression: aws.String("REMOVE #a"), ExpressionAttributeNames: a, ReturnValues: types.ReturnValueUpdatedNew,
		},
		"units of indexes": &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: at("p", "s"), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes},
	}
	for name, request := range cases {
		if got := outcome(t.Context(), client, request); got != "ValidationException" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := client.SDK().BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{refusals: {Keys: []map[string]types.AttributeValue{at("p", "s")}}},
	}); failure(err, func() string { return "done" }) != "ValidationException" {
		t.Errorf("another request: %v", err)
	}
	all, err := client.Query(t.Context(), queries("pk = :v", nil, item{":v": text("p")}))
	if err != nil || len(all.Items) != 1 {
		t.Errorf("%d items, %v", len(all.Items), err)
	}
}

// What a caller does to its values, or to those it was given, changes no item.
func TestSharesNoValue(t *testing.T) {
	client := newMemory(t)
	get := &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: at("p", "there")}
	const want = `{m: {b: 0102}, pk: "p", sk: "there"}`
	spoil := func(it item) {
		it["m"].(*types.AttributeValueMemberM).Value["b"].(*types.AttributeValueMemberB).Value[0] = 9
		it["m"].(*types.AttributeValueMemberM).Value["c"] = flag(true)
		it["new"] = flag(true)
	}
	given := with(at("p", "there"), "m", object(item{"b": bytes(1, 2)}))
	in := puts(given)
	in.ReturnValues = types.ReturnValueAllOld
	put, err := client.PutItem(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	spoil(given)
	spoil(put.Attributes)
	got, err := client.GetItem(t.Context(), get)
	if err != nil {
		t.Fatal(err)
	}
	spoil(got.Item)
	list, err := client.Query(t.Context(), queries("pk = :v", nil, item{":v": text("p")}))
	if err != nil {
		t.Fatal(err)
	}
	spoil(list.Items[0])
	refused := putIf("attribute_not_exists(pk)", nil, nil)
	refused.Item, refused.ReturnValuesOnConditionCheckFailure = at("p", "there"), types.ReturnValuesOnConditionCheckFailureAllOld
	_, err = client.PutItem(t.Context(), refused)
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		t.Fatal(err)
	}
	spoil(failed.Item)
	value := object(item{"b": bytes(1, 2)})
	change := updates("SET #m = :v", map[string]string{"#m": "m"}, item{":v": value})
	change.ReturnValues = types.ReturnValueAllNew
	updated, err := client.UpdateItem(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	spoil(item{"m": value})
	spoil(updated.Attributes)
	if got := outcome(t.Context(), client, get); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Writes at the same moment are made one after the other.
func TestWritesAtTheSameMoment(t *testing.T) {
	client := newMemory(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				change := updates("ADD #a :n", map[string]string{"#a": "a"}, item{":n": number("1")})
				if _, err := client.UpdateItem(t.Context(), change); err != nil {
					t.Error(err)
				}
				if _, err := client.TransactWriteItems(t.Context(), transacts(putting(at("others", fmt.Sprint(i, j))))); err != nil {
					t.Error(err)
				}
				if _, err := client.Query(t.Context(), queries("pk = :v", nil, item{":v": text("others")})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: at("p", "there")})
	if err != nil || showValue(got.Item["a"]) != "400" {
		t.Errorf("%s, %v", show(got.Item), err)
	}
	list, err := client.Query(t.Context(), queries("pk = :v", nil, item{":v": text("others")}))
	if err != nil || len(list.Items) != 400 {
		t.Errorf("%d items, %v", len(list.Items), err)
	}
}
