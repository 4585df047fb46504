package realodoo_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/odoo/odootest"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// The contract of a registry, which runs against the simulator too.
func TestContract(t *testing.T) {
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		odootest.Run(t, target(s))
		note("* Odoo %s: contract %s", s.Line, verdict(t))
	})
}

func target(s *realodoo.Server) odootest.Target {
	target := odootest.Target{
		URL: s.URL, Database: realodoo.Database, Username: realodoo.Admin, Password: realodoo.AdminPassword,
		Clerk:     odootest.User{Login: realodoo.Clerk, Password: realodoo.ClerkPassword},
		Registrar: odootest.User{Login: realodoo.Registrar, Password: realodoo.RegistrarPassword},
	}
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true})
	target.Registries = odoo.New(client, func(_ context.Context, c seeding.Connector) (string, error) {
		return target.PasswordOf(c), nil
	}, time.Now)
	return target
}

func verdict(t *testing.T) string {
	if t.Failed() {
		return "**FAILED**"
	}
	return "kept"
}
