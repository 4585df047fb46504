// Patch writes tokens into the registry and removes the VIDs. The stream of the
// answers table invokes it, and so does reconcile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/patch"
)

func main() {
	log := function.Log(os.Stdout)
	var env function.Env
	connectors, answers := env.Need("CONNECTORS_TABLE"), env.Need("ANSWERS_TABLE")
	stack := env.Stack()
	times, err1 := seeding.ParseTimes(os.Getenv("TIMES"))
	calls, err2 := outgoing.FromEnvironment(os.Getenv)
	function.Must(log, env.Err(), err1, err2)
	cfg, err := function.AWS()
	function.Must(log, err)

	clock := function.Clock{}
	secretsManager := secretsmanager.NewFromConfig(cfg)
	client, passwords := outgoing.New(calls), secrets.Connectors(secretsManager, stack.ConnectorSecrets())
	clients := odoo.New(client, passwords.RegistryPassword, clock.Now)
	clients.SignedIn = func(connector, way string) { log.Info("signed in to the registry", "connector", connector, "way", way) }
	patcher := &patch.Patcher{
		Store:       seedingdb.New(dynamodb.NewFromConfig(cfg), connectors, answers),
		Registries:  clients,
		Forms:       odk.Forms{Client: odk.New(client, clock.Now), Password: passwords.ODKPassword},
		Expressions: jq.Mappings{},
		RowKeys:     secrets.NewKeyring(secretsManager, stack.RowKey()),
		Meter:       function.Meter{Out: os.Stdout, Stack: string(stack), Now: clock.Now},
		Clock:       clock,
		Times:       times,
		NewID:       function.NewID,
		Log:         log,
	}
	lambda.Start(func(ctx context.Context, event json.RawMessage) error {
		one := *patcher
		one.Log = function.Invocation(ctx, log)
		var failed error
		list, looks := registries(event)
		for _, registry := range list {
			if looks {
				failed = errors.Join(failed, one.Look(ctx, registry))
				continue
			}
			failed = errors.Join(failed, one.Patch(ctx, registry))
		}
		return failed
	})
}

// registries returns the registries that an invocation is for: those in the keys
// of a stream event, or the one that reconcile names. looks says whether also to look
// for the tokens of direct batches.
func registries(event json.RawMessage) (list []string, looks bool) {
	var invocation struct {
		function.PatchEvent
		events.DynamoDBEvent
	}
	if json.Unmarshal(event, &invocation) != nil {
		return nil, false
	}
	seen := map[string]bool{"": true}
	var keys []string
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	add(invocation.Registry)
	for _, record := range invocation.Records {
		if key, there := record.Change.Keys["pk"]; there && key.DataType() == events.DataTypeString {
			add(key.String())
		}
	}
	return keys, invocation.Looks
}
