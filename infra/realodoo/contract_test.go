package realodoo_test

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/odoo/odootest"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// The contract of a registry, which runs against the simulator too, with a password
// and with an API key.
func TestContract(t *testing.T) {
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		for _, with := range []string{"password", "key"} {
			t.Run(with, func(t *testing.T) {
				password := realodoo.AdminPassword
				if with == "key" {
					password = key(t, s, realodoo.Admin, false)
				}
				target, _ := target(s, password)
				odootest.Run(t, target)
				note("* Odoo %s: contract with a %s %s", s.Line, with, verdict(t))
			})
		}
	})
}

// How users sign in, and what is said of those who cannot. Each wrong sign-in here
// counts until a right one, and after ten Odoo refuses everybody for a minute.
func TestSignIn(t *testing.T) {
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		target, way := target(s, realodoo.AdminPassword)
		c := odootest.Credentials{
			Key: key(t, s, realodoo.Admin, false), Expired: key(t, s, realodoo.Admin, true),
			Other: key(t, s, realodoo.Clerk, false), TwoFactor: target.Clerk, TwoFactorKey: key(t, s, realodoo.Clerk, false),
			Inactive: target.Registrar, InactiveKey: key(t, s, realodoo.Registrar, false),
			KeyWay: map[string]string{"19": "json2", "14": "execute_kw"}[s.Line], Way: way,
		}
		change := func(ctx context.Context, changed bool) {
			if err := s.SetSecondFactor(ctx, realodoo.Clerk, changed); err != nil {
				t.Error(err)
			}
			client{t, s.URL}.call(nil, "res.users", "write",
				[]any{[]int64{registrar(t, s)}, map[string]any{"active": !changed}}, nil)
		}
		change(t.Context(), true)
		t.Cleanup(func() { change(withoutEnd(t), false) })
		odootest.SignIns(t, target, c)
		note("* Odoo %s: sign-in with passwords, API keys and a second factor %s; keys take %s", s.Line, verdict(t), c.KeyWay)
	})
}

func key(t *testing.T, s *realodoo.Server, login string, expired bool) string {
	t.Helper()
	key, err := s.AddKey(t.Context(), login, expired)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// registrar is the id of the registrar, who may be inactive.
func registrar(t *testing.T, s *realodoo.Server) int64 {
	t.Helper()
	text, err := s.SQL(withoutEnd(t), "SELECT id FROM res_users WHERE login = '"+realodoo.Registrar+"'")
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// target is a server to which admin signs in with a password or key; way is that of
// the last sign-in.
func target(s *realodoo.Server, password string) (target odootest.Target, way func() string) {
	target = odootest.Target{
		Odoo: map[string]int{"14": 14, "19": 19}[s.Line],
		URL:  s.URL, Database: realodoo.Database, Username: realodoo.Admin, Password: password,
		Clerk:     odootest.User{Login: realodoo.Clerk, Password: realodoo.ClerkPassword},
		Registrar: odootest.User{Login: realodoo.Registrar, Password: realodoo.RegistrarPassword},
	}
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true})
	registries := odoo.New(client, func(_ context.Context, c seeding.Connector) (string, error) {
		if c.Registry.Username == connectorUser.Login {
			return connectorUser.Password, nil
		}
		return target.PasswordOf(c), nil
	}, time.Now)
	last := ""
	registries.SignedIn = func(_, way string) { last = way }
	target.Registries = registries
	return target, func() string { return last }
}

func verdict(t *testing.T) string {
	if t.Failed() {
		return "**FAILED**"
	}
	return "kept"
}
