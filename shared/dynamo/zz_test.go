package dynamo_test

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

func TestZZ(t *testing.T) {
	tables := dynamotest.Tables{
		Client:     dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:45991"), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}),
		Connectors: "connectors-" + rand.Text(), Answers: "answers-" + rand.Text(),
	}
	definitions, err := template.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for resource, name := range map[string]string{"ConnectorsTable": tables.Connectors, "AnswersTable": tables.Answers} {
		definition := definitions[resource]
		definition.TableName = aws.String(name)
		if _, err := tables.Client.CreateTable(t.Context(), definition); err != nil {
			t.Fatal(err)
		}
	}
	dynamotest.RunContract(t, func(*testing.T) dynamotest.Tables { return tables })
}
