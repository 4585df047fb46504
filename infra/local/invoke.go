package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// FunctionError is the error that a function returned instead of a result, or
// the emulator's report of a function that died or took too long.
type FunctionError struct {
	Function string
	Type     string // for instance Runtime.ExitError, Sandbox.Timedout
	Message  string
}

func (e *FunctionError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Function, e.Type, e.Message)
}

// Function is the full name of a function of the stack, "submit" for instance.
func (s *Stack) Function(name string) string { return s.name + "-" + name }

// Invoke invokes a function by its short name, "submit" for instance, with a
// JSON payload and waits for its result. The error of a function is a
// *FunctionError.
func (s *Stack) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	return s.invoke(ctx, s.Function(function), payload)
}

func (s *Stack) invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	out, err := s.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), Payload: payload})
	if err != nil {
		return nil, err
	}
	if out.FunctionError == nil {
		return out.Payload, nil
	}
	var report struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(out.Payload, &report); err != nil {
		report.Message = string(out.Payload)
	}
	return nil, &FunctionError{function, report.Type, report.Message}
}

// InvokeAsync sends an event to a function, as other services do, and returns
// when the event is accepted.
func (s *Stack) InvokeAsync(ctx context.Context, function string, event []byte) error {
	_, err := s.lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(s.Function(function)), InvocationType: types.InvocationTypeEvent, Payload: event,
	})
	return err
}

// Tick does what the schedules of the template do every minute: it invokes
// their functions with their inputs, one after the other, and waits for them.
func (s *Stack) Tick(ctx context.Context) error {
	var failed []error
	for _, t := range s.ticks {
		_, err := s.invoke(ctx, s.resources[t.resource], []byte(t.input))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
