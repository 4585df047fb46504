// Connectors serves the API with which people configure connectors and see what
// became of every registrant. It may write secrets but not read them.
package main

import (
	"cmp"
	"net/http"
	"os"
	_ "time/tzdata" // Lambda's image has no time zones

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/function/invoke"
	"openg2p.org/mts-connector/shared/gateway"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
)

func main() {
	log := function.RequestLog(os.Stdout, gateway.RequestID)
	var env function.Env
	table, stack := env.Need("CONNECTORS_TABLE"), env.Stack()
	rolesClaim, issuer := env.Need("ROLES_CLAIM"), env.Need("ISSUER")
	names := connectors.RoleNames{Viewer: env.Need("VIEWER_ROLE"), Operator: env.Need("OPERATOR_ROLE"), Administrator: env.Need("ADMINISTRATOR_ROLE")}
	calls, err := outgoing.FromEnvironment(os.Getenv)
	function.Must(log, env.Err(), err)
	cfg, err := function.AWS()
	function.Must(log, err)

	secretsManager := secretsmanager.NewFromConfig(cfg)
	handler := connectors.New(connectors.Options{
		Store:          seedingdb.New(dynamodb.NewFromConfig(cfg), table, ""),
		Secrets:        secrets.Connectors(secretsManager, stack.ConnectorSecrets()),
		InquirySecrets: secrets.Inquiries(secretsManager, stack.InquirySecrets()),
		Mappings:       jq.Mappings{},
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
		Conditions:   odoo.Conditions,
		CheckAddress: func(a seeding.Address) error { return calls.Check(a.Scheme, a.Host) },
		FormAddress:  odk.Addresses,
		Invoker:      invoke.Invoker{Lambda: awslambda.NewFromConfig(cfg), Submit: stack.Submit()},
		Now:          function.Clock{}.Now,
		NewID:        function.NewID,
		Log:          log,
		Caller: func(r *http.Request) connectors.Caller {
			name, claim := gateway.Caller(r.Context())
			token := gateway.TokenOf(r.Context())
			return connectors.Caller{
				Name: name, Claim: claim, Shown: cmp.Or(token.Text("name"), token.Text("preferred_username")),
				Role: names.Of(token.Texts(rolesClaim)), Misused: token.Misused(),
			}
		},
		RoleNames: names,
		Deployment: connectors.Deployment{
			Stack: string(stack), Region: os.Getenv("AWS_REGION"), Issuer: issuer,
			Dashboard: os.Getenv("DASHBOARD"), Runbook: os.Getenv("RUNBOOK"),
		},
	})
	lambda.Start(gateway.Handler(handler, openapi.MaxBody, log))
}
