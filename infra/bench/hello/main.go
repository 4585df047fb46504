// Command hello is the least that a function on aws-lambda-go can be; cold
// starts are compared with its own.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { return "hello", nil })
}
