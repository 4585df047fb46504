// Package local runs the whole connector on this machine: the functions and the
// template as they are deployed, on an emulator of AWS, with an OpenID Connect
// issuer and a reverse proxy that gives the API one stable address. `make run`,
// the end-to-end tests, the benchmarks and the soak use it. Everything it starts
// ends with the process that started it.
package local

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/infra/template"
)

// Options say what differs from a stack on loopback that reaches loopback
// only. Their zero value is that stack.
type Options struct {
	// Template is the file to deploy, with the functions in the folder
	// functions beside it. Default: template.yaml of the repository.
	Template string
	// Name of the stack; functions are called <name>-<function>. Default: mts.
	Name string
	// Listen is the preferred address of the API; if its port is taken, a free
	// one is. Default: a free port on loopback.
	Listen string
	// CallbackBase is the address under which MTS reaches the API, without a
	// slash at the end. Default: the API's address.
	CallbackBase string
	// AllowedRanges are the address ranges that functions may reach, as CIDRs
	// separated by commas. Default: 127.0.0.0/8.
	AllowedRanges string
	// Times are the waiting times of the protocol that differ from the
	// defaults, as name=duration separated by commas.
	Times string
	// Issuer is one that runs already, whose tokens the API accepts instead of those of
	// the stack's own issuer. Default: none.
	Issuer *OtherIssuer
	// SessionLifetime is how long an access token of the console is valid. Default: five
	// minutes.
	SessionLifetime time.Duration
	// Progress receives a line for each step of the start. Default: none.
	Progress io.Writer
}

// OtherIssuer is an issuer that somebody else has started, with the console's client at
// it.
type OtherIssuer struct{ Address, ClientID, ClientSecret string }

// Reuse is how often the issuer takes a refresh token again (see IssuerOptions), as in the
// realm of infra/keycloak.
const Reuse = 3

// Audience is the audience of the tokens that the API accepts.
const Audience = "mts-connector"

// Stack is a running stack.
type Stack struct {
	name     string
	emulator *Emulator
	issuer   *Issuer
	proxy    *Proxy

	// As deployed: physical names by the template's, and the ticks of its schedules.
	resources map[string]string
	outputs   map[string]string
	ticks     []tick

	lambda *lambda.Client
	logs   *cloudwatchlogs.Client
	db     *dynamodb.Client
}

// Start fetches what is missing, builds the functions, starts everything and
// deploys: 1 s if the functions are unchanged, 20 s if nothing is in the cache. A
// program that is missing is an error that says what to install.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Stack{name: o.Name}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (o *Options) complete() error {
	if o.Template == "" {
		root, err := template.Root()
		if err != nil {
			return err
		}
		o.Template = filepath.Join(root, "template.yaml")
	}
	set := func(option *string, otherwise string) {
		if *option == "" {
			*option = otherwise
		}
	}
	set(&o.Name, "mts")
	set(&o.Listen, "127.0.0.1:0")
	set(&o.AllowedRanges, "127.0.0.0/8")
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return nil
}

func (s *Stack) start(ctx context.Context, o Options) (err error) {
	if s.proxy, err = StartProxy(ctx, o.Listen); err != nil {
		return err
	}
	if o.CallbackBase == "" {
		o.CallbackBase = s.proxy.Address()
	}
	progress := &lines{to: o.Progress}

	var zips map[string][]byte
	group, ctx2 := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.issuer, err = StartIssuer(ctx2, IssuerOptions{Audience: Audience, Console: s.proxy.Address(), SessionLifetime: o.SessionLifetime, Reuse: Reuse})
		return err
	})
	group.Go(func() (err error) {
		progress.say("building the functions")
		zips, err = BuildFunctions(ctx2, filepath.Join(filepath.Dir(o.Template), "functions"))
		return err
	})
	group.Go(func() (err error) {
		if err := EnsureMiniStack(ctx2, progress); err != nil {
			return err
		}
		progress.say("starting the emulator of AWS")
		s.emulator, err = StartEmulator(ctx2)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}

	config := s.emulator.AWS()
	s.lambda = lambda.NewFromConfig(config)
	// The emulator answers 500 when what it lists changes at the same time.
	config.RetryMaxAttempts = 5
	s.logs = cloudwatchlogs.NewFromConfig(config)
	s.db = dynamodb.NewFromConfig(config)

	progress.say("deploying")
	if err := s.deploy(ctx, o, zips); err != nil {
		return fmt.Errorf("deploying %s: %w", filepath.Base(o.Template), err)
	}
	api, ok := s.outputs["ApiId"]
	if !ok {
		return fmt.Errorf("%s has no output ApiId", filepath.Base(o.Template))
	}
	return s.proxy.SetTarget(s.emulator.endpoint + "/_aws/execute-api/" + api + "/$default")
}

// Stop ends everything; the data of the stack is gone.
func (s *Stack) Stop() {
	if s.proxy != nil {
		s.proxy.Stop()
	}
	if s.emulator != nil {
		s.emulator.Stop()
	}
	if s.issuer != nil {
		s.issuer.Stop()
	}
}

// APIURL is the base address of the API, without a slash at the end.
func (s *Stack) APIURL() string { return s.proxy.Address() }

// ConsoleURL is the address of the console.
func (s *Stack) ConsoleURL() string { return s.proxy.Address() + "/console" }

// Issuer is the issuer whose tokens the API accepts.
func (s *Stack) Issuer() *Issuer { return s.issuer }

// Token is a token of an administrator that the API accepts, valid for an hour.
func (s *Stack) Token() string { return s.TokenOf(administrator) }

// TokenOf is such a token with another role.
func (s *Stack) TokenOf(role string) string { return s.issuer.Token(client, []string{role}) }

// AWS is what any client of the SDK needs to reach the stack's emulator with the
// rights of whoever deploys.
func (s *Stack) AWS() aws.Config { return s.emulator.AWS() }

// DynamoDB is a client of the stack's tables with the rights of whoever deploys.
// It retries what the emulator failed to answer, as the functions do.
func (s *Stack) DynamoDB() *dynamodb.Client { return s.db }

// Output is an output of the template, for instance the name of a
// table by "ConnectorsTable"; empty if there is none.
func (s *Stack) Output(name string) string { return s.outputs[name] }
