// Callback receives the answers of MTS and stores them. It is public, may only
// put into the answers table, and reads nothing but its own key.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/callback"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/gateway"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
)

func main() {
	log := function.RequestLog(os.Stdout, gateway.RequestID)
	var env function.Env
	answers, capabilityKey := env.Need("ANSWERS_TABLE"), env.Need("CAPABILITY_KEY")
	times, err := seeding.ParseTimes(os.Getenv("TIMES"))
	function.Must(log, env.Err(), err)
	cfg, err := function.AWS()
	function.Must(log, err)

	inbox := &receive.Inbox{
		CapabilityKeys: secrets.NewKeyring(secretsmanager.NewFromConfig(cfg), capabilityKey),
		Answers:        seedingdb.NewInbox(dynamodb.NewFromConfig(cfg), answers),
		Clock:          function.Clock{},
		Times:          times,
	}
	lambda.Start(gateway.Handler(callback.New(inbox, log), receive.MaxBody, log))
}
