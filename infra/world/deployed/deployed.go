// Package deployed is the connector as it is deployed, on the local stack, with
// what a program needs to use it and to look at it: a client of the API with its
// documents, the schedules, and the tables. End-to-end tests, the soak, the demo
// and the tests against a real registry start it here.
package deployed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
)

// World is a running stack.
type World struct {
	*local.Stack
	API Client
	// Store has the rights of whoever deploys. It is for what the API does not
	// show, such as leases, answers and the time of the next run.
	Store *seedingdb.Store
}

// Start starts the stack. It runs until Stop.
func Start(ctx context.Context, o local.Options) (*World, error) {
	stack, err := local.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &World{
		Stack: stack,
		API:   Client{Name: "the API", Address: stack.APIURL(), Token: stack.Token},
		Store: seedingdb.New(stack.DynamoDB(), stack.Output("ConnectorsTable"), stack.Output("AnswersTable")),
	}, nil
}

// UnderWay lists what has not ended of a connector and its registry; see
// waiting.UnderWay.
func (w *World) UnderWay(ctx context.Context, connector, registry string) ([]string, error) {
	return waiting.UnderWay(ctx, w.Store, connector, registry, time.Now())
}

// AnswersLeft counts the parts of answers of all registries.
func (w *World) AnswersLeft(ctx context.Context) (int, error) {
	pages := dynamodb.NewScanPaginator(w.DynamoDB(), &dynamodb.ScanInput{
		TableName: aws.String(w.Output("AnswersTable")), Select: types.SelectCount, ConsistentRead: aws.Bool(true),
	})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("the answers table: %w", err)
		}
		n += int(page.Count)
	}
	return n, nil
}

// SwitchStream enables or disables the stream of the answers table, and waits
// until that has happened.
func (w *World) SwitchStream(ctx context.Context, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	client := lambda.NewFromConfig(w.AWS())
	list, err := client.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(w.Function("patch"))})
	if err != nil {
		return err
	}
	if n := len(list.EventSourceMappings); n != 1 {
		return fmt.Errorf("patch has %d event source mappings instead of one", n)
	}
	id, wanted := list.EventSourceMappings[0].UUID, map[bool]string{true: "Enabled", false: "Disabled"}[on]
	if _, err := client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: id, Enabled: &on}); err != nil {
		return err
	}
	for {
		mapping, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: id})
		if err != nil || aws.ToString(mapping.State) == wanted {
			return err
		}
		if !waiting.Pause(ctx, waiting.Moment) {
			return fmt.Errorf("the event source mapping does not become %s: %w", wanted, ctx.Err())
		}
	}
}

// FunctionErrors are the errors that functions returned from a tick. Functions
// that were killed returned none, and neither did calls that the emulator dropped.
// A function that is out of time says how busy the machine is: the next tick does
// its work, as after a kill.
func FunctionErrors(err error) (failed []*local.FunctionError) {
	for _, one := range each(err) {
		if f, ok := errors.AsType[*local.FunctionError](one); ok && !killed(f) && !outOfTime(f) {
			failed = append(failed, f)
		}
	}
	return failed
}

// OnlyKilled reports whether err is about nothing but functions that were killed.
func OnlyKilled(err error) bool {
	return !slices.ContainsFunc(each(err), func(one error) bool {
		f, ok := errors.AsType[*local.FunctionError](one)
		return !ok || !killed(f)
	})
}

// each are the errors that were joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// killed reports whether a function died of a signal, during an invocation or
// before its first one.
func killed(f *local.FunctionError) bool {
	return f.Type == "Runtime.ExitError" || strings.HasSuffix(f.Message, "exited during init with code -9")
}

// outOfTime reports whether the time limit of a function ended it, or nothing but
// calls that it was making.
func outOfTime(f *local.FunctionError) bool {
	if f.Type == "Sandbox.Timedout" {
		return true
	}
	for line := range strings.Lines(f.Message) {
		if !strings.HasSuffix(strings.TrimSpace(line), ": out of time") {
			return false
		}
	}
	return f.Message != ""
}
