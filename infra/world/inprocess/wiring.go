// Package inprocess wires the functions in one process, as functions/*/main.go
// wire them in four, for tests and benchmarks of whole runs: on tables of their
// own in DynamoDB Local, with fixed keys, against any MTS and registry.
package inprocess

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/shared/callback"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/check"
	"openg2p.org/mts-connector/shared/seeding/inquire"
	"openg2p.org/mts-connector/shared/seeding/patch"
	"openg2p.org/mts-connector/shared/seeding/preview"
	"openg2p.org/mts-connector/shared/seeding/receive"
	"openg2p.org/mts-connector/shared/seeding/reconcile"
	"openg2p.org/mts-connector/shared/seeding/registrant"
	"openg2p.org/mts-connector/shared/seeding/setup"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// Surroundings are what the functions are wired to.
type Surroundings struct {
	Store  *seedingdb.Store
	Inbox  seeding.AnswerInbox
	Stream func(ctx context.Context, registry string) error // of the answers table, called for each that is put
	MTS    seeding.MTS
	Calls  *http.Client // to registries
	// Password is the one to a registry; nil is the simulator's.
	Password func(context.Context, seeding.Connector) (string, error)
	// ODKPassword is the one to an ODK Central; nil is the simulator's.
	ODKPassword func(context.Context, seeding.Connector) (string, error)
	// CallbackSecrets are those of direct callbacks; nil is none.
	CallbackSecrets func(context.Context, seeding.Connector) (seeding.CallbackSecrets, error)
	// Inquiries keeps what inquiries need in secret; nil is one in memory.
	Inquiries *secrets.InquirySecrets
	Invoker   *Invoker // invokes the functions that are wired
	Meter     seeding.Meter
	Clock     seeding.Clock
	Times     seeding.Times
	Log       *slog.Logger
}

// Functions are the four that take part in a run.
type Functions struct {
	Submitter  *submit.Submitter // CallbackBase is left to who serves Callback
	Desk       *inquire.Desk     // of submit, too
	Callback   http.Handler
	Patcher    *patch.Patcher
	Reconciler *reconcile.Reconciler
}

// Wire connects the functions with s.
func Wire(s Surroundings) Functions {
	capability, rows, prints := Keyring("capability"), Keyring("row"), Keyring("fingerprint")
	if s.Password == nil {
		s.Password = func(context.Context, seeding.Connector) (string, error) { return "admin", nil }
	}
	if s.ODKPassword == nil {
		s.ODKPassword = func(context.Context, seeding.Connector) (string, error) { return centralsim.DemoPassword, nil }
	}
	if s.CallbackSecrets == nil {
		s.CallbackSecrets = func(context.Context, seeding.Connector) (seeding.CallbackSecrets, error) {
			return seeding.CallbackSecrets{}, nil
		}
	}
	if s.Inquiries == nil {
		s.Inquiries = secrets.Inquiries(secretstest.New(), "inquiries/")
	}
	// One for each function: in different processes they share no session.
	registries := func() *odoo.Registries {
		return odoo.New(s.Calls, s.Password, s.Clock.Now)
	}
	forms := func() odk.Forms {
		return odk.Forms{Client: odk.New(s.Calls, s.Clock.Now), Password: s.ODKPassword}
	}
	functions := Functions{
		Submitter: &submit.Submitter{
			Store: s.Store, Registries: registries(), Forms: forms(), MTS: s.MTS, Mappings: jq.Mappings{}, Reads: jq.Mappings{}.Reads, VIDField: rules.VIDField,
			CapabilityKeys: capability, RowKeys: rows, FingerprintKeys: prints, CallbackSecrets: s.CallbackSecrets,
			Invoker: s.Invoker, Meter: s.Meter, Clock: s.Clock, Times: s.Times, NewID: function.NewID, Log: s.Log,
			Go: s.Invoker.Go, Every: s.Invoker.clock.Every,
		},
		Callback: callback.New(&receive.Inbox{
			CapabilityKeys: capability, Answers: streamed{s.Inbox, s.Stream}, Clock: s.Clock, Times: s.Times,
		}, s.Log),
		Patcher: &patch.Patcher{
			Store: s.Store, Registries: registries(), Forms: forms(), RowKeys: rows, Expressions: jq.Mappings{},
			Meter: s.Meter, Clock: s.Clock, Times: s.Times, NewID: function.NewID, Log: s.Log,
		},
		Reconciler: &reconcile.Reconciler{
			Store: s.Store, MTS: s.MTS, Invoker: s.Invoker, Meter: s.Meter, Clock: s.Clock, Times: s.Times, Log: s.Log,
		},
	}
	functions.Desk = newDesk(s, functions.Submitter, registries())
	s.Invoker.functions = functions
	return functions
}

// rules are those by which the functions judge a configuration.
var rules = setup.Rules{Mappings: jq.Mappings{}}

// newDesk is the desk of submit.
func newDesk(s Surroundings, foreseer *submit.Submitter, stored *odoo.Registries) *inquire.Desk {
	return &inquire.Desk{
		Store: s.Store, Secrets: s.Inquiries, Invoker: s.Invoker, Clock: s.Clock, Times: s.Times, NewID: function.NewID,
		Every: s.Invoker.clock.Every, Log: s.Log,
		Answerers: map[seeding.InquiryKind]inquire.Answerer{
			seeding.CheckInquiry: &check.Checker{
				Store: s.Store, Password: s.Password, Clock: s.Clock,
				Ping: func(ctx context.Context, mtsURL string) error {
					_, err := s.MTS.Status(ctx, mtsURL, "00000000-0000-0000-0000-000000000000")
					return err
				},
				Reach:        func(context.Context, string) error { return nil },
				OutputRights: rules.OutputRights, FormPaths: rules.FormPaths, ODKPassword: s.ODKPassword,
				OpenODK: func(c seeding.Connector, password string) (check.Central, error) {
					return odk.Examine(s.Calls, c, password, s.Clock.Now)
				},
				Open: func(c seeding.Connector, password string) (check.Registry, error) {
					return odoo.Examine(s.Calls, c, password, s.Clock.Now)
				},
			},
			seeding.PreviewInquiry: &preview.Previewer{
				Store: s.Store, Password: s.Password, Foreseer: foreseer, Mappings: jq.Mappings{}, Outputs: jq.Mappings{},
				VIDField: rules.VIDField, Submissions: s.Store, Now: s.Clock.Now, ODKPassword: s.ODKPassword,
				OpenForm: func(c seeding.Connector, password string) (seeding.Form, error) {
					return odk.Examine(s.Calls, c, password, s.Clock.Now)
				},
				Stored: func(ctx context.Context, c seeding.Connector) (seeding.Registry, error) { return stored.Known(ctx, c) },
				Open: func(c seeding.Connector, password string) (seeding.Registry, error) {
					return odoo.Examine(s.Calls, c, password, s.Clock.Now)
				},
			},
			seeding.RegistrantInquiry: &registrant.Checker{
				Store: s.Store, Foreseer: foreseer,
				Open: func(ctx context.Context, c seeding.Connector) (registrant.Registry, error) {
					return stored.Known(ctx, c)
				},
			},
		},
	}
}

// streamed is the inbox with the stream of its table behind it.
type streamed struct {
	seeding.AnswerInbox
	stream func(ctx context.Context, registry string) error
}

func (s streamed) PutPart(ctx context.Context, p seeding.AnswerPart) error {
	if err := s.AnswerInbox.PutPart(ctx, p); err != nil {
		return err
	}
	return s.stream(ctx, p.Ref.Registry)
}

// Connector is one to an MTS and a simulated registry, as the API saves it when
// nothing else is configured.
func Connector(name, mtsURL, registryURL string, now time.Time) seeding.Connector {
	c := setup.Defaults()
	c.ID, c.Version, c.Name = function.NewID(), 1, name
	c.MTS.URL = mtsURL
	c.Registry.URL, c.Registry.Database, c.Registry.Username = registryURL, "g2p", "admin"
	c.Source.Domain = setup.DefaultDomain(c.Registry)
	c.Secrets = map[string]string{seeding.RegistryPassword: "v1"}
	c.Created, c.Updated = now, now
	return c
}

// FromODK makes a connector one of the form that a simulated Central has from Populate,
// as the API saves it.
func FromODK(c *seeding.Connector, centralURL string) error {
	address, err := odk.ParseAddress(centralURL, centralURL+"/v1/projects/1/forms/"+centralsim.DemoForm+".svc")
	if err != nil {
		return err
	}
	c.ODK = seeding.ODKSource{BaseURL: address.Base.String(), ODataURL: address.String(), Email: centralsim.DemoUser}
	c.Registry.SubmissionType = "ODK SUBMISSION"
	c.Secrets[seeding.ODKPassword] = "v1"
	c.Source.Domain, c.Source.Fields = "", nil
	c.Source.Mapping = seeding.Mapping{
		VID: "vid", Name: []string{"person.name"}, Gender: "person.gender", DOB: "person.dob",
		PhoneNumber: "person.phone", EmailID: "person.email", FullAddress: []string{"where.address"},
	}
	return nil
}
