// Submit finds registrants that need a token and sends them to MTS. A tick
// invokes it once more for each connector that is due. It also works off checks and
// previews, because only it may call servers and read secrets.
package main

import (
	"context"
	"errors"
	"os"
	_ "time/tzdata" // Lambda's image has no time zones

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/function/invoke"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/check"
	"openg2p.org/mts-connector/shared/seeding/inquire"
	"openg2p.org/mts-connector/shared/seeding/preview"
	"openg2p.org/mts-connector/shared/seeding/registrant"
	"openg2p.org/mts-connector/shared/seeding/setup"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

func main() {
	log := function.Log(os.Stdout)
	var env function.Env
	connectors, answers := env.Need("CONNECTORS_TABLE"), env.Need("ANSWERS_TABLE")
	stack, base := env.Stack(), env.Need("CALLBACK_BASE")
	times, err1 := seeding.ParseTimes(os.Getenv("TIMES"))
	calls, err2 := outgoing.FromEnvironment(os.Getenv)
	callback, err3 := seeding.ParseAddress(base)
	function.Must(log, env.Err(), err1, err2, err3)
	cfg, err := function.AWS()
	function.Must(log, err)

	clock := function.Clock{}
	client := outgoing.New(calls)
	secretsManager := secretsmanager.NewFromConfig(cfg)
	connectorSecrets := secrets.Connectors(secretsManager, stack.ConnectorSecrets())
	password := connectorSecrets.RegistryPassword
	registries := odoo.New(client, password, clock.Now)
	registries.SignedIn = func(connector, way string) { log.Info("signed in to the registry", "connector", connector, "way", way) }
	store, seeder := seedingdb.New(dynamodb.NewFromConfig(cfg), connectors, answers), mts.New(client, clock.Now)
	invoker := invoke.Invoker{Lambda: awslambda.NewFromConfig(cfg), Submit: stack.Submit()}
	rules := setup.Rules{Mappings: jq.Mappings{}}
	submitter := &submit.Submitter{
		Store:           store,
		Registries:      registries,
		MTS:             seeder,
		Forms:           odk.Forms{Client: odk.New(client, clock.Now), Password: connectorSecrets.ODKPassword},
		Mappings:        jq.Mappings{},
		Reads:           jq.Mappings{}.Reads,
		VIDField:        rules.VIDField,
		CapabilityKeys:  secrets.NewKeyring(secretsManager, stack.CapabilityKey()),
		RowKeys:         secrets.NewKeyring(secretsManager, stack.RowKey()),
		FingerprintKeys: secrets.NewKeyring(secretsManager, stack.FingerprintKey()),
		CallbackSecrets: connectorSecrets.Callback,
		Invoker:         invoker,
		Meter:           function.Meter{Out: os.Stdout, Stack: string(stack), Now: clock.Now},
		Clock:           clock,
		Times:           times,
		NewID:           function.NewID,
		CallbackBase:    callback.String(),
		Go:              func(post func()) { go post() },
		Every:           function.Every,
		Log:             log,
	}
	desk := &inquire.Desk{
		Store: store,
		Answerers: map[seeding.InquiryKind]inquire.Answerer{
			seeding.CheckInquiry: &check.Checker{
				Store: store, Password: password, Ping: seeder.Ping, Reach: seeder.Reach, Clock: clock,
				OutputRights: rules.OutputRights, FormPaths: rules.FormPaths, ODKPassword: connectorSecrets.ODKPassword,
				OpenODK: func(c seeding.Connector, password string) (check.Central, error) {
					return odk.Examine(client, c, password, clock.Now)
				},
				Open: func(c seeding.Connector, password string) (check.Registry, error) {
					return odoo.Examine(client, c, password, clock.Now)
				},
			},
			seeding.PreviewInquiry: &preview.Previewer{
				Store: store, Password: password, Foreseer: submitter, Mappings: jq.Mappings{}, Outputs: jq.Mappings{},
				VIDField: rules.VIDField, Submissions: store, Now: clock.Now, ODKPassword: connectorSecrets.ODKPassword,
				OpenForm: func(c seeding.Connector, password string) (seeding.Form, error) {
					return odk.Examine(client, c, password, clock.Now)
				},
				Stored: func(ctx context.Context, c seeding.Connector) (seeding.Registry, error) {
					return registries.Known(ctx, c)
				},
				Open: func(c seeding.Connector, password string) (seeding.Registry, error) {
					return odoo.Examine(client, c, password, clock.Now)
				},
			},
			seeding.RegistrantInquiry: &registrant.Checker{
				Store: store, Foreseer: submitter,
				Open: func(ctx context.Context, c seeding.Connector) (registrant.Registry, error) {
					return registries.Known(ctx, c)
				},
			},
		},
		Secrets: secrets.Inquiries(secretsManager, stack.InquirySecrets()),
		Invoker: invoker,
		Clock:   clock,
		Times:   times,
		NewID:   function.NewID,
		Every:   function.Every,
		Log:     log,
	}
	lambda.Start(func(ctx context.Context, event function.SubmitEvent) error {
		one, asked := *submitter, *desk
		one.Log = function.Invocation(ctx, log)
		asked.Log = one.Log
		switch {
		case event.Connector != "":
			return one.Work(ctx, event.Connector, function.Until(ctx))
		case event.Inquiry != "":
			return asked.Work(ctx, event.Inquiry, function.Until(ctx))
		}
		return errors.Join(asked.Tick(ctx), one.Tick(ctx)) // the first takes a moment, the second up to a minute
	})
}
