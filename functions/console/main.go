// Console serves the page where operators work, and its session. It is public, and may
// only read the key of its cookies and its secret at the issuer.
package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/console"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/gateway"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
)

// maxBody is plenty: no call of the console has a body.
const maxBody = 1 << 10

func main() {
	log := function.RequestLog(os.Stdout, gateway.RequestID)
	var env function.Env
	base, issuer, client := env.Need("CONSOLE_BASE"), env.Need("ISSUER"), env.Need("CLIENT_ID")
	files, err := console.Built()
	function.Must(log, env.Err(), err)
	cfg, err := function.AWS()
	function.Must(log, err)

	manager := secretsmanager.NewFromConfig(cfg)
	secret := func(context.Context) (string, error) { return "", nil } // none was deployed, and no key
	if name := os.Getenv("CLIENT_SECRET"); name != "" {
		secret = secrets.NewValue(manager, name).Get
	}
	calls := outgoing.New(outgoing.ForIssuer(os.Getenv))
	calls.Timeout = 8 * time.Second // the keys of the issuer are read without a request's context
	page := console.New(console.Options{
		Files: files, Base: base, Issuer: issuer, ClientID: client, Secret: secret,
		Scopes: strings.Fields(os.Getenv("SCOPES")), Keys: secrets.NewKeyring(manager, os.Getenv("SESSION_KEY")),
		HTTP: calls, Label: os.Getenv("LABEL"), Clock: function.Clock{}, Log: log,
	})
	lambda.Start(gateway.WithHeader(gateway.Handler(page, maxBody, log), console.Header(base)))
}
