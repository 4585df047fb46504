package dynamo

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Write is one change, or one check, of a transaction.
type Write struct{ item types.TransactWriteItem }

// Transact makes all writes or none, of one table or several; *Refused if a
// condition does not hold. By its token DynamoDB makes it once, however often it
// is sent.
func Transact(ctx context.Context, client Client, writes ...Write) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(rand.Text())}
	for _, w := range writes {
		in.TransactItems = append(in.TransactItems, w.item)
	}
	err := retryCollisions(ctx, func() error {
		_, err := client.TransactWriteItems(ctx, in)
		return err
	})
	return translate("transaction", err)
}

// ToPut is Put in a transaction.
func (t Table) ToPut(c Change) Write {
	return Write{types.TransactWriteItem{Put: &types.Put{
		TableName: &t.name, Item: c.Full(),
		ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}

// ToUpdate is Update in a transaction.
func (t Table) ToUpdate(c Change) Write {
	return Write{types.TransactWriteItem{Update: &types.Update{
		TableName: &t.name, Key: c.Key.item(), UpdateExpression: &c.Update,
		ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}

// ToDelete is Delete in a transaction.
func (t Table) ToDelete(c Change) Write {
	return Write{types.TransactWriteItem{Delete: &types.Delete{
		TableName: &t.name, Key: c.Key.item(),
		ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}

// ToCheck makes a transaction conditional on an item that it does not change.
func (t Table) ToCheck(c Change) Write {
	return Write{types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &t.name, Key: c.Key.item(),
		ConditionExpression: c.condition(), ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}
