package dynamotest_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

// TestMeterSizes compares the meter's arithmetic with the units that DynamoDB
// Local reports for transactions of one item, which are right.
func TestMeterSizes(t *testing.T) {
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	tables := inprocess.TablesFor(t, client)
	for _, size := range []int{1, 900, 960, 970, 980, 990, 1000, 1010, 1020, 1030, 3000} {
		item := map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: "s"},
			"text":   &types.AttributeValueMemberS{Value: strings.Repeat("x", size)},
			"number": &types.AttributeValueMemberN{Value: "1790000000123"},
			"flag":   &types.AttributeValueMemberBOOL{Value: true},
			"map":    &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": &types.AttributeValueMemberN{Value: "7"}}},
		}
		reported, sized := &dynamotest.Meter{}, &dynamotest.Meter{Sizing: client}
		for _, meter := range []*dynamotest.Meter{reported, sized} {
			item["sk"] = &types.AttributeValueMemberS{Value: rand.Text()}
			_, err := dynamodb.New(client.Options(), meter.Options).TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: &tables.Connectors, Item: item}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if reported.Total() != sized.Total() || reported.Of("TransactWriteItems", tables.Connectors).Writes == 0 {
			t.Errorf("text of %d: sized\n%v\ntold\n%v", size, sized, reported)
		}
	}
}
