package dynamo_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/inprocess"
	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

// TestContract runs on AWS's own DynamoDB Local.
func TestContract(t *testing.T) {
	tables := newTables(t)
	dynamotest.RunContract(t, func(*testing.T) dynamotest.Tables { return tables })
}

// newTables makes the tables of template.yaml.
func newTables(t *testing.T) dynamotest.Tables {
	t.Helper()
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	names, err := inprocess.CreateTables(t.Context(), server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return dynamotest.Tables{Client: server.Client(), Connectors: names.Connectors, Answers: names.Answers, Sizing: true}
}

// TestMeterSizes holds the meter's own arithmetic against what DynamoDB Local
// says of transactions of one item, which it counts right.
func TestMeterSizes(t *testing.T) {
	tables := newTables(t)
	for _, size := range []int{1, 900, 960, 970, 980, 990, 1000, 1010, 1020, 1030, 3000} {
		item := map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: "s"},
			"text":   &types.AttributeValueMemberS{Value: strings.Repeat("x", size)},
			"number": &types.AttributeValueMemberN{Value: "1790000000123"},
			"flag":   &types.AttributeValueMemberBOOL{Value: true},
			"map":    &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": &types.AttributeValueMemberN{Value: "7"}}},
		}
		told, sized := &dynamotest.Meter{}, &dynamotest.Meter{Sizing: tables.Client}
		for _, meter := range []*dynamotest.Meter{told, sized} {
			item["sk"] = &types.AttributeValueMemberS{Value: rand.Text()}
			_, err := dynamodb.New(tables.Client.Options(), meter.Options).TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: &tables.Connectors, Item: item}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if told.Total() != sized.Total() || told.Of("TransactWriteItems", tables.Connectors).Writes == 0 {
			t.Errorf("text of %d: sized\n%v\ntold\n%v", size, sized, told)
		}
	}
}
