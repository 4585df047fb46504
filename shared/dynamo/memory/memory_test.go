package memory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/memory"
)

var _ dynamo.Client = memory.New()

// engine is a DynamoDB.
type engine interface {
	dynamo.Client
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
}

// engines are DynamoDB Local and the one in memory, each with an empty table of
// that name.
func engines(t *testing.T, table string) (local, inMemory engine) {
	t.Helper()
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	local, inMemory = server.Client(), memory.New()
	tables, err := template.Tables()
	if err != nil {
		t.Fatal(err)
	}
	in := tables["ConnectorsTable"]
	in.TableName = &table
	for _, e := range []engine{local, inMemory} {
		if _, err := e.CreateTable(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	return local, inMemory
}

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue      { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue    { return &types.AttributeValueMemberN{Value: s} }
func set(list ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: list} }
func object(it item) types.AttributeValue     { return &types.AttributeValueMemberM{Value: it} }
func bytes(b ...byte) types.AttributeValue    { return &types.AttributeValueMemberB{Value: b} }
func flag(b bool) types.AttributeValue        { return &types.AttributeValueMemberBOOL{Value: b} }

// show writes an item in a fixed order, so that two can be compared.
func show(it item) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(it)) {
		list = append(list, name+": "+showValue(it[name]))
	}
	return "{" + strings.Join(list, ", ") + "}"
}

func showValue(value types.AttributeValue) string {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		if len(v.Value) > 100 {
			return fmt.Sprintf("%d characters", len(v.Value))
		}
		return fmt.Sprintf("%q", v.Value)
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return fmt.Sprintf("%x", v.Value)
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint(v.Value)
	case *types.AttributeValueMemberSS:
		return fmt.Sprintf("%q", slices.Sorted(slices.Values(v.Value)))
	case *types.AttributeValueMemberM:
		return show(v.Value)
	}
	return fmt.Sprintf("%T", value)
}

// outcome of a request to a DynamoDB, as far as its caller can know.
func outcome(ctx context.Context, e engine, request any) string {
	switch in := request.(type) {
	case *dynamodb.GetItemInput:
		out, err := e.GetItem(ctx, in)
		return failure(err, func() string { return show(out.Item) + units(out.ConsumedCapacity) })
	case *dynamodb.QueryInput:
		out, err := e.Query(ctx, in)
		return failure(err, func() string {
			var list []string
			for _, it := range out.Items {
				list = append(list, show(it))
			}
			return fmt.Sprint(out.Count, out.ScannedCount, list, " last ", show(out.LastEvaluatedKey), units(out.ConsumedCapacity))
		})
	case *dynamodb.PutItemInput:
		out, err := e.PutItem(ctx, in)
		return failure(err, func() string { return show(out.Attributes) + units(out.ConsumedCapacity) })
	case *dynamodb.UpdateItemInput:
		out, err := e.UpdateItem(ctx, in)
		return failure(err, func() string { return show(out.Attributes) + units(out.ConsumedCapacity) })
	case *dynamodb.DeleteItemInput:
		out, err := e.DeleteItem(ctx, in)
		return failure(err, func() string { return show(out.Attributes) + units(out.ConsumedCapacity) })
	case *dynamodb.TransactWriteItemsInput:
		_, err := e.TransactWriteItems(ctx, in)
		return failure(err, func() string { return "done" })
	}
	panic(fmt.Sprintf("a request of type %T", request))
}

// failure is the code of an error and the items that it holds, or the success.
func failure(err error, success func() string) string {
	if err == nil {
		return success()
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return failed.ErrorCode() + " " + show(failed.Item)
	}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		list := []string{canceled.ErrorCode()}
		for _, reason := range canceled.CancellationReasons {
			if aws.ToString(reason.Code) == "ValidationError" { // an invalid request too; DynamoDB reports it in either way
				return "ValidationException"
			}
			list = append(list, aws.ToString(reason.Code)+" "+show(reason.Item))
		}
		return strings.Join(list, ", ")
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); ok { // the SDK's error for it
		return "ValidationException"
	}
	return err.Error()
}

func units(used *types.ConsumedCapacity) string {
	if used == nil {
		return ""
	}
	return fmt.Sprintf(" for %g of %s", *used.CapacityUnits, *used.TableName)
}

// message of the error of a request, for a test that fails.
func message(ctx context.Context, e engine, request any) string {
	var err error
	switch in := request.(type) {
	case *dynamodb.GetItemInput:
		_, err = e.GetItem(ctx, in)
	case *dynamodb.QueryInput:
		_, err = e.Query(ctx, in)
	case *dynamodb.PutItemInput:
		_, err = e.PutItem(ctx, in)
	case *dynamodb.UpdateItemInput:
		_, err = e.UpdateItem(ctx, in)
	case *dynamodb.DeleteItemInput:
		_, err = e.DeleteItem(ctx, in)
	case *dynamodb.TransactWriteItemsInput:
		_, err = e.TransactWriteItems(ctx, in)
	}
	return fmt.Sprint(err)
}

// showRequest writes a request for a failed test.
func showRequest(request any) string {
	with := func(names map[string]string, values item, expressions ...*string) string {
		var list []string
		for _, e := range expressions {
			if e != nil {
				list = append(list, *e)
			}
		}
		return fmt.Sprint(strings.Join(list, " IF "), " ", names, " ", show(values))
	}
	switch in := request.(type) {
	case *dynamodb.QueryInput:
		return fmt.Sprint("query ", with(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.KeyConditionExpression),
			" after ", show(in.ExclusiveStartKey), " limit ", aws.ToInt32(in.Limit), " forward ", in.ScanIndexForward == nil || *in.ScanIndexForward)
	case *dynamodb.PutItemInput:
		return "put " + show(in.Item) + with(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ConditionExpression)
	case *dynamodb.UpdateItemInput:
		return "update " + show(in.Key) + with(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.UpdateExpression, in.ConditionExpression)
	case *dynamodb.DeleteItemInput:
		return "delete " + show(in.Key) + with(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ConditionExpression)
	case *dynamodb.TransactWriteItemsInput:
		list := []string{"transaction"}
		for _, it := range in.TransactItems {
			switch {
			case it.Put != nil:
				list = append(list, "put "+show(it.Put.Item)+with(it.Put.ExpressionAttributeNames, it.Put.ExpressionAttributeValues, it.Put.ConditionExpression))
			case it.Update != nil:
				list = append(list, "update "+show(it.Update.Key)+with(it.Update.ExpressionAttributeNames, it.Update.ExpressionAttributeValues, it.Update.UpdateExpression, it.Update.ConditionExpression))
			case it.Delete != nil:
				list = append(list, "delete "+show(it.Delete.Key)+with(it.Delete.ExpressionAttributeNames, it.Delete.ExpressionAttributeValues, it.Delete.ConditionExpression))
			case it.ConditionCheck != nil:
				list = append(list, "check "+show(it.ConditionCheck.Key)+with(it.ConditionCheck.ExpressionAttributeNames, it.ConditionCheck.ExpressionAttributeValues, it.ConditionCheck.ConditionExpression))
			}
		}
		return strings.Join(list, "\n    ")
	}
	return fmt.Sprintf("%T", request)
}
