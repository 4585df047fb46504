package odoo_test

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/odoo/odootest"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// The contract runs on the simulator, and on the real Odoo that ODOO_URL,
// ODOO_DATABASE, ODOO_USERNAME and ODOO_PASSWORD name, if they do.
func TestContract(t *testing.T) {
	for name, options := range map[string]odoosim.Options{
		"line 15.0":         {},
		"later line":        {Status: true},
		"several databases": {Databases: []string{"g2p", "other"}},
		"as shipped":        {NoIndex: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := simulator(t, odoosim.New(options))
			odootest.Run(t, contractTarget(odootest.Target{
				URL: server.URL, Database: "g2p", Username: "admin", Password: "admin",
				Clerk:     odootest.User{Login: "clerk", Password: "clerkpw1"},
				Registrar: odootest.User{Login: "registrar", Password: "registrarpw1"},
			}))
		})
	}
	if url := os.Getenv("ODOO_URL"); url != "" {
		t.Run("real", func(t *testing.T) {
			odootest.Run(t, contractTarget(odootest.Target{URL: url, Database: os.Getenv("ODOO_DATABASE"),
				Username: os.Getenv("ODOO_USERNAME"), Password: os.Getenv("ODOO_PASSWORD")}))
		})
	}
}

func contractTarget(target odootest.Target) odootest.Target {
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	client := outgoing.New(outgoing.Options{AllowedRanges: everywhere, Loopback: true, RetryWait: time.Millisecond})
	target.Registries = odoo.New(client, func(_ context.Context, c seeding.Connector) (string, error) {
		return target.PasswordOf(c), nil
	}, time.Now)
	return target
}

func simulator(t *testing.T, sim *odoosim.Server) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(sim)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server
}

// A registry fails, or changes, while the client uses it.
func TestFailures(t *testing.T) {
	const create = "create"
	token := func(registrant int64) []seeding.NewToken {
		return []seeding.NewToken{{Registrant: registrant, Value: "T"}}
	}
	for _, test := range []struct {
		name   string
		change func(*odoosim.Server)
		kind   seeding.FaultKind
		code   string // "": the call succeeds
		held   int    // tokens that are there afterwards
		more   string // another database on the same server
	}{
		{"sessions lost", (*odoosim.Server).LoseSessions, 0, "", 1, ""},
		{"sessions lost, several databases", (*odoosim.Server).LoseSessions, 0, "", 1, "other"},
		{"restarted", (*odoosim.Server).Restart, 0, "", 1, ""},
		{"password changed and back", func(s *odoosim.Server) { s.SetPassword("admin", "x"); s.SetPassword("admin", "admin") }, 0, "", 1, ""},
		{"password changed", func(s *odoosim.Server) { s.SetPassword("admin", "x") }, seeding.RefusedSignIn, "AccessDenied", 0, ""},
		{"PostgreSQL was down for a while", func(s *odoosim.Server) { s.SetDatabaseDown(true); s.SetDatabaseDown(false) }, 0, "", 1, ""},
		{"password changed, several databases", func(s *odoosim.Server) { s.SetPassword("admin", "x") }, seeding.RefusedSignIn, "AccessDenied", 0, "other"},
		{"PostgreSQL is down", func(s *odoosim.Server) { s.SetDatabaseDown(true) }, seeding.Unreachable, "HTTP-500", 0, ""},
		{"no reply, not done", func(s *odoosim.Server) { s.Inject(odoosim.Fault{Method: create, Outcome: odoosim.Closed}) }, seeding.Unknown, "ConnectionLost", 0, ""},
		{"no reply, done", func(s *odoosim.Server) {
			s.Inject(odoosim.Fault{Method: create, Point: odoosim.Reply, Outcome: odoosim.Closed})
		}, seeding.Unknown, "ConnectionLost", 1, ""},
		{"error page, done", func(s *odoosim.Server) {
			s.Inject(odoosim.Fault{Method: create, Point: odoosim.Reply, Outcome: odoosim.HTML500})
		}, seeding.Unknown, "HTTP-500", 1, ""},
		{"collisions", func(s *odoosim.Server) {
			s.Inject(odoosim.Fault{Method: create, Outcome: odoosim.Serialization})
		}, seeding.Unknown, "SerializationFailure", 0, ""},
		{"expired once", func(s *odoosim.Server) {
			s.Inject(odoosim.Fault{Method: create, Times: 1, Point: odoosim.Arrival, Outcome: odoosim.Expired})
		}, 0, "", 1, ""},
		{"rights taken", func(s *odoosim.Server) { s.Deny("g2p.reg.id", create) }, seeding.RefusedRights, "AccessError", 0, ""},
		{"registrant gone", nil, seeding.RefusedData, "ValidationError", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			databases := []string{"g2p"}
			if test.more != "" {
				databases = append(databases, test.more)
			}
			sim := odoosim.New(odoosim.Options{Databases: databases})
			server := simulator(t, sim)
			target := contractTarget(odootest.Target{URL: server.URL, Database: "g2p", Username: "admin", Password: "admin"})
			c := seeding.Connector{ID: "c1", Source: seeding.RegistrySource{Domain: usual}, Registry: seeding.RegistryAccess{
				URL: server.URL, Database: "g2p", Username: "admin", VIDType: vidType, TokenType: tokenType}}
			r, err := target.Registries.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			registrant := sim.AddRegistrant(odoosim.Registrant{Name: "Ana"})
			if _, err := r.Tokens(t.Context(), []int64{registrant}); err != nil { // signs in, reads the types
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(sim)
			} else {
				sim.DeleteRegistrant(registrant)
			}
			err = r.Create(t.Context(), token(registrant))
			if test.code == "" && err != nil {
				t.Error(err)
			}
			if test.code != "" {
				check(t, err, test.kind, test.code)
			}
			if held := sim.Identifiers(registrant); len(held) != test.held {
				t.Errorf("%d tokens", len(held))
			}
			sim.LiftAll()
			sim.SetDatabaseDown(false)
			sim.SetPassword("admin", "admin")
			if _, err := r.Tokens(t.Context(), []int64{registrant}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
