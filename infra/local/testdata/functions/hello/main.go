// Command hello is the function of the tests of package local: its answer and
// its log describe the event that reached it.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Event is any event that the tests send.
type Event struct {
	events.APIGatewayV2HTTPRequest
	Records []events.DynamoDBEventRecord `json:"Records"`

	Tick  bool   `json:"tick"`
	Say   string `json:"say"`   // what to log
	Sleep int    `json:"sleep"` // milliseconds
	Fail  string `json:"fail"`  // error to return
	Write string `json:"write"` // key of a thing to put in a transaction, and to read
}

// Answer is what the tests check.
type Answer struct {
	Process int    `json:"process"`
	Path    string `json:"path"`
	Query   string `json:"query"`
	Subject string `json:"subject"`
	Bytes   int    `json:"bytes"`
}

func handle(ctx context.Context, e Event) (any, error) {
	if e.Write != "" {
		return nil, write(ctx, e.Write)
	}
	for _, r := range e.Records {
		fmt.Println("stream:", r.EventName, r.Change.Keys["pk"].String())
	}
	switch {
	case e.Say != "":
		fmt.Println("said:", e.Say)
	case e.Tick:
		fmt.Println("tick")
	}
	time.Sleep(time.Duration(e.Sleep) * time.Millisecond)
	if e.Fail != "" {
		return nil, fmt.Errorf("asked to fail: %s", e.Fail)
	}
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(e.Body)
	}
	answer := Answer{Process: os.Getpid(), Path: e.RawPath, Query: e.RawQueryString, Bytes: len(body)}
	if e.RouteKey == "" {
		return answer, nil
	}
	if a := e.RequestContext.Authorizer; a != nil && a.JWT != nil {
		answer.Subject = a.JWT.Claims["sub"]
	}
	text, err := json.Marshal(answer)
	return events.APIGatewayV2HTTPResponse{
		StatusCode: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(text),
	}, err
}

// write makes a transaction, which the role allows, and a read, which it does not.
func write(ctx context.Context, key string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	db, table := dynamodb.NewFromConfig(cfg), aws.String(os.Getenv("THINGS"))
	thing := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
	_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: table, Item: thing}}},
	})
	if err != nil {
		return err
	}
	_, err = db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: thing})
	return err
}

func main() { lambda.Start(handle) }
