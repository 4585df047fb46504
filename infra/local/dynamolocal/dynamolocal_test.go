package dynamolocal_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
)

func TestServerKeepsWhatItIsGiven(t *testing.T) {
	server, err := dynamolocal.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	db, table := server.Client(), aws.String("things")

	_, err = db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            table,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}}
	put, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: table, Item: key, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		t.Fatal(err)
	}
	if units := aws.ToFloat64(put.ConsumedCapacity.CapacityUnits); units != 1 {
		t.Errorf("a small put costs %v write units, want 1", units)
	}
	got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil || len(got.Item) != 1 {
		t.Errorf("got %v, %v", got, err)
	}

	server.Stop()
	if _, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
		t.Error("still answers after Stop")
	}
}
