package odoo_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	for name, options := range lines {
		for _, with := range []string{"password", "key"} {
			if with == "password" == options.JSON2 || with == "key" && (options.Status || options.NoIndex) {
				continue // the same as another one
			}
			t.Run(name+" by "+with, func(t *testing.T) {
				t.Parallel()
				sim := odoosim.New(options)
				password := "admin"
				if with == "key" {
					password = sim.AddKey("admin", time.Time{})
				}
				target := simulatorTarget(t, sim, password)
				target.Odoo = max(14, options.Odoo)
				odootest.Run(t, target)
			})
		}
	}
	if url := os.Getenv("ODOO_URL"); url != "" {
		t.Run("real", func(t *testing.T) {
			odootest.Run(t, contractTarget(odootest.Target{URL: url, Database: os.Getenv("ODOO_DATABASE"),
				Username: os.Getenv("ODOO_USERNAME"), Password: os.Getenv("ODOO_PASSWORD")}))
		})
	}
}

// lines are the simulated registries. Keys take execute_kw in them, and JSON-2 in
// the one that has it.
var lines = map[string]odoosim.Options{
	"line 15.0":         {},
	"later line":        {Status: true, Odoo: 17},
	"several databases": {Databases: []string{"g2p", "other"}},
	"as shipped":        {NoIndex: true},
	"JSON-2":            {JSON2: true, Odoo: 19},
	"JSON-2, several":   {JSON2: true, Odoo: 19, Databases: []string{"g2p", "other"}},
}

func simulatorTarget(t *testing.T, sim *odoosim.Server, password string) odootest.Target {
	return contractTarget(odootest.Target{
		URL: simulator(t, sim).URL, Database: "g2p", Username: "admin", Password: password,
		Clerk:     odootest.User{Login: "clerk", Password: "clerkpw1"},
		Registrar: odootest.User{Login: "registrar", Password: "registrarpw1"},
	})
}

// A user signs in with what works, and what is refused is said as what it is, for
// at most one failed attempt, because Odoo locks everybody out after a few.
func TestAPIKeyIsTakenAsPassword(t *testing.T) {
	for name, options := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := odoosim.New(options)
			target := simulatorTarget(t, sim, "admin")
			var mu sync.Mutex
			last := ""
			registries, _ := target.Registries.(*odoo.Registries)
			registries.SignedIn = func(_, way string) {
				mu.Lock()
				defer mu.Unlock()
				last = way
			}
			keyWay := "execute_kw"
			if options.JSON2 {
				keyWay = "json2"
			}
			credentials := odootest.Credentials{
				Key: sim.AddKey("admin", time.Time{}), Expired: sim.AddKey("admin", time.Now().Add(-time.Hour)),
				TwoFactor: target.Clerk, TwoFactorKey: sim.AddKey("clerk", time.Time{}), Other: sim.AddKey("clerk", time.Time{}),
				Inactive: target.Registrar, InactiveKey: sim.AddKey("registrar", time.Time{}),
				KeyWay: keyWay,
				Way: func() string {
					mu.Lock()
					defer mu.Unlock()
					return last
				},
				Failures: sim.FailedAttempts,
			}
			if len(options.Databases) > 1 {
				credentials.Failures = nil // an error page hides what is wrong, and asking counts too
			}
			sim.SetSecondFactor("clerk", true)
			sim.Deactivate("registrar")
			odootest.SignIns(t, target, credentials)
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

// What stands before Odoo may let through one way only. A password is tried where
// nobody has looked at it yet.
func TestSignInFindsTheWayThatIsOpen(t *testing.T) {
	for _, test := range []struct {
		name    string
		options odoosim.Options
		closed  []string // paths that begin so are closed
		status  int
		key     bool
		way     string
		code    string // of the refusal, if no way is open
	}{
		{"sessions are closed to programs", odoosim.Options{}, []string{"/web/"}, 403, false, "execute_kw", ""},
		{"sessions are hidden", odoosim.Options{JSON2: true}, []string{"/web/"}, 404, false, "execute_kw", ""},
		{"JSON-2 is closed", odoosim.Options{JSON2: true}, []string{"/json/"}, 403, true, "execute_kw", ""},
		{"only JSON-2 is open", odoosim.Options{JSON2: true}, []string{"/web", "/jsonrpc"}, 403, true, "json2", ""},
		{"all is closed, with a password", odoosim.Options{}, []string{"/"}, 403, false, "", "HTTP-403"},
		{"all is closed, with a key", odoosim.Options{}, []string{"/"}, 403, true, "", "HTTP-403"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sim := odoosim.New(test.options)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, path := range test.closed {
					if strings.HasPrefix(r.URL.Path, path) {
						w.WriteHeader(test.status)
						return
					}
				}
				sim.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			password := "admin"
			if test.key {
				password = sim.AddKey("admin", time.Time{})
			}
			r, way := signingIn(t, front.URL, password)
			_, err := r.Tokens(t.Context(), []int64{1})
			if test.way != "" && (err != nil || *way != test.way) {
				t.Errorf("way %q, %v", *way, err)
			}
			if test.code != "" {
				check(t, err, seeding.RefusedRequest, test.code)
			}
		})
	}
}

// A password that looks like a key works on every line, and a wrong one costs one
// failed attempt.
func TestPasswordThatLooksLikeAKey(t *testing.T) {
	password := strings.Repeat("0badcafe", 5)
	for _, json2 := range []bool{false, true} {
		sim := odoosim.New(odoosim.Options{JSON2: json2})
		sim.SetPassword("admin", password)
		server := simulator(t, sim)
		r, way := signingIn(t, server.URL, password)
		if _, err := r.Tokens(t.Context(), []int64{1}); err != nil || *way == "json2" {
			t.Errorf("JSON-2 %v: way %q, %v", json2, *way, err)
		}
		wrong, _ := signingIn(t, server.URL, strings.Repeat("0badc0de", 5))
		_, err := wrong.Tokens(t.Context(), []int64{1})
		check(t, err, seeding.RefusedSignIn, "KeyRefused")
		if n := sim.FailedAttempts(); n != 1 {
			t.Errorf("JSON-2 %v: %d failed attempts", json2, n)
		}
	}
}

// A way that was found is kept; one that is refused, or is gone, is looked for
// again.
func TestWayIsKeptUntilItIsRefused(t *testing.T) {
	for _, json2 := range []bool{false, true} {
		sim := odoosim.New(odoosim.Options{JSON2: json2})
		key := sim.AddKey("admin", time.Time{})
		registrant := sim.AddRegistrant(odoosim.Registrant{Name: "Ana"})
		r, way := signingIn(t, simulator(t, sim).URL, key)
		for range 3 {
			if _, err := r.Tokens(t.Context(), []int64{registrant}); err != nil {
				t.Fatal(err)
			}
		}
		found := *way
		*way = ""
		if err := r.Create(t.Context(), []seeding.NewToken{{Registrant: registrant, Value: "T"}}); err != nil || *way != "" {
			t.Errorf("%s: signed in again, %v", found, err)
		}
		sim.RemoveKeys("admin")
		for range 2 {
			check(t, r.Create(t.Context(), []seeding.NewToken{{Registrant: registrant, Value: "U"}}), seeding.RefusedSignIn, "KeyRefused")
		}
		if held := sim.Identifiers(registrant); len(held) != 1 {
			t.Errorf("%s: %v", found, held)
		}
	}
	// After an upgrade /jsonrpc may be gone.
	old, next := odoosim.New(odoosim.Options{}), odoosim.New(odoosim.Options{JSON2: true})
	key := old.AddKey("admin", time.Time{})
	next.CopyKeys(old, "admin")
	var upgraded atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !upgraded.Load():
			old.ServeHTTP(w, r)
		case r.URL.Path == "/jsonrpc":
			w.WriteHeader(http.StatusNotFound)
		default:
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	r, way := signingIn(t, server.URL, key)
	if _, err := r.Tokens(t.Context(), []int64{1}); err != nil || *way != "execute_kw" {
		t.Fatalf("way %q, %v", *way, err)
	}
	upgraded.Store(true)
	_, err := r.Tokens(t.Context(), []int64{1})
	check(t, err, seeding.RefusedRequest, "HTTP-404")
	if _, err = r.Tokens(t.Context(), []int64{1}); err != nil || *way != "json2" {
		t.Errorf("way %q, %v", *way, err)
	}
}

// After several failures Odoo refuses the right password too, for a minute.
func TestLockedOutForAWhileIsNamed(t *testing.T) {
	sim := odoosim.New(odoosim.Options{})
	server := simulator(t, sim)
	wrong, _ := signingIn(t, server.URL, "not it")
	for range 10 {
		_, err := wrong.Tokens(t.Context(), []int64{1})
		check(t, err, seeding.RefusedSignIn, "AccessDenied")
	}
	r, _ := signingIn(t, server.URL, "admin")
	_, err := r.Tokens(t.Context(), []int64{1})
	check(t, err, seeding.RefusedSignIn, "TooManyAttempts")
}

// signingIn opens the registry of admin at an address; way is the way of the last
// sign-in.
func signingIn(t *testing.T, url, password string) (r seeding.Registry, way *string) {
	t.Helper()
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	registries := odoo.New(client, func(context.Context, seeding.Connector) (string, error) { return password, nil }, time.Now)
	way = new(string)
	registries.SignedIn = func(_, found string) { *way = found }
	r, err := registries.Open(t.Context(), seeding.Connector{ID: "c1", Source: seeding.RegistrySource{Domain: usual}, Registry: seeding.RegistryAccess{
		URL: url, Database: "g2p", Username: "admin", VIDType: vidType, TokenType: tokenType}})
	if err != nil {
		t.Fatal(err)
	}
	return r, way
}

// Which registrants the user sees without the domain: those of other companies are
// hidden from it, archived ones are told apart.
func TestRegistrantsOfAnotherCompanyAreNotVisible(t *testing.T) {
	sim := odoosim.New(odoosim.Options{})
	server := simulator(t, sim)
	target := contractTarget(odootest.Target{URL: server.URL, Database: "g2p", Username: "registrar", Password: "registrarpw1"})
	c := seeding.Connector{ID: "c1", Source: seeding.RegistrySource{Domain: usual}, Registry: seeding.RegistryAccess{
		URL: server.URL, Database: "g2p", Username: "registrar", VIDType: vidType, TokenType: tokenType}}
	r, err := target.Registries.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, registrant := range []odoosim.Registrant{
		{Name: "A"}, {Name: "B", Archived: true}, {Name: "C", Company: odoosim.OtherCompany}, {Name: "D", Company: odoosim.OtherCompany},
	} {
		id := sim.AddRegistrant(registrant)
		sim.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: "4000"})
		ids = append(ids, id)
	}
	if vids, err := r.VIDs(t.Context(), 0, 10); err != nil || len(vids) != 4 {
		t.Errorf("%v, %v", vids, err)
	}
	if inUse, archived, err := r.Visible(t.Context(), ids); err != nil || !slices.Equal(inUse, ids[:1]) || !slices.Equal(archived, ids[1:2]) {
		t.Errorf("%v in use, %v archived, %v; of %v", inUse, archived, err, ids)
	}
	if records, err := r.Registrants(t.Context(), ids); err != nil || len(records) != 1 {
		t.Errorf("%v, %v", records, err)
	}
}
