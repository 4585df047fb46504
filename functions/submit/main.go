// Submit finds registrants that need a token and sends them to MTS. A tick
// invokes it once more for each connector that is due.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

func main() {
	log := function.Log(os.Stdout)
	var env function.Env
	connectors, answers := env.Need("CONNECTORS_TABLE"), env.Need("ANSWERS_TABLE")
	capabilityKey, rowKey, fingerprintKey := env.Need("CAPABILITY_KEY"), env.Need("ROW_KEY"), env.Need("FINGERPRINT_KEY")
	stack := env.Need("STACK")
	prefix, base, self := env.Need("SECRETS_PREFIX"), env.Need("CALLBACK_BASE"), env.Need("SUBMIT_FUNCTION")
	times, err1 := seeding.ParseTimes(os.Getenv("TIMES"))
	calls, err2 := outgoing.FromEnvironment(os.Getenv)
	callback, err3 := seeding.ParseAddress(base)
	function.Must(log, env.Err(), err1, err2, err3)
	cfg, err := function.AWS(context.Background())
	function.Must(log, err)

	clock := function.Clock{}
	client := outgoing.New(calls)
	secretsManager := secretsmanager.NewFromConfig(cfg)
	registries := odoo.New(client, secrets.Connectors(secretsManager, prefix).RegistryPassword, clock.Now)
	registries.SignedIn = func(connector, way string) { log.Info("signed in to the registry", "connector", connector, "way", way) }
	submitter := &submit.Submitter{
		Store:           seedingdb.New(dynamodb.NewFromConfig(cfg), connectors, answers),
		Registries:      registries,
		MTS:             mts.New(client, clock.Now),
		Mappings:        jq.Mappings{},
		CapabilityKeys:  secrets.NewKeyring(secretsManager, capabilityKey),
		RowKeys:         secrets.NewKeyring(secretsManager, rowKey),
		FingerprintKeys: secrets.NewKeyring(secretsManager, fingerprintKey),
		Invoker:         function.Invoker{Lambda: awslambda.NewFromConfig(cfg), Submit: self},
		Meter:           function.Meter{Out: os.Stdout, Stack: stack, Now: clock.Now},
		Clock:           clock,
		Times:           times,
		NewID:           function.NewID,
		CallbackBase:    callback.String(),
		Go:              func(post func()) { go post() },
		Every:           function.Every,
		Log:             log,
	}
	lambda.Start(func(ctx context.Context, event function.SubmitEvent) error {
		one := *submitter
		one.Log = function.Invocation(ctx, log)
		if event.Connector != "" {
			return one.Work(ctx, event.Connector, function.Until(ctx))
		}
		return one.Tick(ctx)
	})
}
