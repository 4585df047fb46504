// Reconcile looks every minute for answers that wait and for overdue batches.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/function/invoke"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/reconcile"
)

func main() {
	log := function.Log(os.Stdout)
	var env function.Env
	connectors, answers := env.Need("CONNECTORS_TABLE"), env.Need("ANSWERS_TABLE")
	stack, base := env.Stack(), env.Need("CALLBACK_BASE")
	times, err1 := seeding.ParseTimes(os.Getenv("TIMES"))
	calls, err2 := outgoing.FromEnvironment(os.Getenv)
	function.Must(log, env.Err(), err1, err2)
	cfg, err := function.AWS()
	function.Must(log, err)

	clock := function.Clock{}
	reconciler := &reconcile.Reconciler{
		Store:   seedingdb.New(dynamodb.NewFromConfig(cfg), connectors, answers),
		MTS:     mts.New(outgoing.New(calls), clock.Now),
		Invoker: invoke.Invoker{Lambda: awslambda.NewFromConfig(cfg), Patch: stack.Patch()},
		Meter:   function.Meter{Out: os.Stdout, Stack: string(stack), Now: clock.Now},
		Clock:   clock,
		Times:   times,
		Log:     log,

		CallbackBase: base,
	}
	lambda.Start(func(ctx context.Context) error {
		one := *reconciler
		one.Log = function.Invocation(ctx, log)
		return one.Tick(ctx)
	})
}
