// Package invoke starts functions of the stack from others. It stands apart from what
// every function needs, because the client of Lambda is a large part of a package.
package invoke

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"openg2p.org/mts-connector/shared/function"
)

// Invoker starts other functions by asynchronous invocation.
type Invoker struct {
	Lambda interface {
		Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	}
	Submit, Patch string // function names
}

// InvokeSubmit starts submit for one connector.
func (i Invoker) InvokeSubmit(ctx context.Context, connector string) error {
	return i.invoke(ctx, i.Submit, function.SubmitEvent{Connector: connector})
}

// InvokeInquiry starts submit for one inquiry.
func (i Invoker) InvokeInquiry(ctx context.Context, id string) error {
	return i.invoke(ctx, i.Submit, function.SubmitEvent{Inquiry: id})
}

// InvokePatch starts patch for one registry.
func (i Invoker) InvokePatch(ctx context.Context, registry string) error {
	return i.invoke(ctx, i.Patch, function.PatchEvent{Registry: registry})
}

// InvokeLook starts patch for one registry, also to look for the tokens of direct
// batches.
func (i Invoker) InvokeLook(ctx context.Context, registry string) error {
	return i.invoke(ctx, i.Patch, function.PatchEvent{Registry: registry, Looks: true})
}

func (i Invoker) invoke(ctx context.Context, name string, event any) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	_, err = i.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &name, InvocationType: types.InvocationTypeEvent, Payload: payload,
	})
	return err
}
