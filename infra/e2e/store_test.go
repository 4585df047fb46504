package e2e_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

// The stores keep their contract on the emulator too, on tables of the template
// that no function works on.
func TestStoresKeepTheirContract(t *testing.T) {
	t.Parallel()
	config := stack.AWS()
	config.RetryMaxAttempts = 3 // as the functions have it
	tables := dynamotest.Tables{Client: dynamodb.NewFromConfig(config), Connectors: "contract-connectors", Answers: "contract-answers"}
	definitions, err := template.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for resource, name := range map[string]string{"ConnectorsTable": tables.Connectors, "AnswersTable": tables.Answers} {
		definition := definitions[resource]
		definition.TableName = aws.String(name)
		if _, err := db.CreateTable(t.Context(), definition); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = db.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name})
		})
	}
	dynamotest.RunContract(t, func(*testing.T) dynamotest.Tables { return tables })
}
