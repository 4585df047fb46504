// Command hello is the function of the tests of package local: it shows what
// reaches a function, and from where.
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
)

// Event is any of the events that the tests cause.
type Event struct {
	events.APIGatewayV2HTTPRequest
	Records []events.DynamoDBEventRecord `json:"Records"`

	Tick  bool   `json:"tick"`
	Say   string `json:"say"`   // what to log
	Sleep int    `json:"sleep"` // milliseconds
	Fail  string `json:"fail"`  // error to return
}

// Answer is what the tests look at.
type Answer struct {
	Process int    `json:"process"`
	Path    string `json:"path"`
	Query   string `json:"query"`
	Subject string `json:"subject"`
	Bytes   int    `json:"bytes"`
}

func handle(_ context.Context, e Event) (any, error) {
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
		return nil, fmt.Errorf("told to fail: %s", e.Fail)
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

func main() { lambda.Start(handle) }
