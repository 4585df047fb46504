// Command hello is the smallest function on aws-lambda-go. Cold starts are
// compared with its own.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { return "hello", nil })
}
