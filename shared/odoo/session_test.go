package odoo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

var (
	oneToken = []seeding.NewToken{{Registrant: 7, Value: "T7"}}
	noRoute  = refusal(404, "werkzeug.exceptions.NotFound", "404 Not Found")
)

// A call without a session was not executed, so it is repeated once, even a
// write.
func TestLostSessions(t *testing.T) {
	for _, test := range []struct {
		name    string
		lost    reply
		times   int
		signIns int
		kind    seeding.FaultKind
		code    string
	}{
		{"expired", expired, 1, 2, 0, ""},
		{"expired again", expired, 2, 2, seeding.RefusedSignIn, "SessionExpiredException"},
		{"no database known, or PostgreSQL was down", noRoute, 1, 2, 0, ""},
		{"no such model in Odoo 19", noRoute, 2, 2, seeding.RefusedSchema, seeding.NoSuchModel},
	} {
		t.Run(test.name, func(t *testing.T) {
			creates := 0
			f := newFake(t, wellKnown(func(c call) reply {
				if creates++; creates <= test.times {
					useless := test.lost
					useless.cookie = "useless" // Odoo gives a new cookie, without a user (facts/odoo.md A4)
					return useless
				}
				if c.cookie != "session2" {
					t.Errorf("cookie %q", c.cookie)
				}
				return result(`[301]`)
			}))
			err := open(t, f.connector()).Create(t.Context(), oneToken)
			if test.code == "" && err != nil {
				t.Error(err)
			}
			if test.code != "" {
				check(t, err, test.kind, test.code)
			}
			if f.signIns != test.signIns {
				t.Errorf("%d sign-ins", f.signIns)
			}
		})
	}
}

func TestSignInAfterALostSessionFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		second reply
		kind   seeding.FaultKind
		code   string
	}{
		{"password changed", refusal(200, "odoo.exceptions.AccessDenied", "Access Denied"), seeding.RefusedSignIn, "AccessDenied"},
		{"PostgreSQL is down", html(500), seeding.Unreachable, "HTTP-500"},
		{"lost on the way", reply{}, seeding.Unreachable, "ConnectionLost"},
	} {
		f := newFake(t, wellKnown(func(call) reply { return noRoute }))
		f.failing = func(n int) (reply, bool) { return test.second, n > 1 }
		check(t, open(t, f.connector()).Create(t.Context(), oneToken), test.kind, test.code)
	}
}

func TestSignInFaults(t *testing.T) {
	with := func(r reply, cookie string) reply { r.cookie = cookie; return r }
	for _, test := range []struct {
		name  string
		reply reply
		kind  seeding.FaultKind
		code  string
	}{
		{"wrong password", with(refusal(200, "odoo.exceptions.AccessDenied", "Access Denied"), "useless"), seeding.RefusedSignIn, "AccessDenied"},
		{"uid false", with(result(`{"uid":false}`), "useless"), seeding.RefusedSignIn, "AccessDenied"},
		{"second factor wanted", with(result(`{"uid":null}`), "half"), seeding.RefusedSignIn, "SecondFactor"},
		{"too many failures before", refusal(200, "odoo.exceptions.AccessDenied", "Too many login failures, please wait a bit before trying again."), seeding.RefusedSignIn, "TooManyAttempts"},
		{"a result of another kind", result(`{"status":"ok"}`), seeding.Unreachable, "NotJSONRPC"},
		{"no result", result(`null`), seeding.Unreachable, "NotJSONRPC"},
		{"no cookie", result(`{"uid":7}`), seeding.RefusedRequest, "NoSession"},
		{"no such database", refusal(200, "psycopg2.OperationalError", "FATAL:  database \"g2p\" does not exist\n"), seeding.RefusedSignIn, "NoDatabase"},
		{"no such database in Odoo 19", refusal(200, "odoo.exceptions.AccessError", "Database not found."), seeding.RefusedSignIn, "NoDatabase"},
		{"PostgreSQL down", refusal(200, "psycopg2.OperationalError", "could not connect to server: Connection refused"), seeding.Unreachable, "OperationalError"},
		{"PostgreSQL starting", refusal(200, "psycopg2.OperationalError", "FATAL:  the database system is starting up"), seeding.Unreachable, "OperationalError"},
		{"not found", noRoute, seeding.RefusedRequest, "HTTP-404"},
		{"error page", html(500), seeding.Unreachable, "HTTP-500"},
		{"another web site", html(200), seeding.Unreachable, "WebPage"},
		{"lost", reply{}, seeding.Unreachable, "ConnectionLost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return result(`[301]`) }))
			f.failing = func(int) (reply, bool) { return test.reply, true }
			check(t, open(t, f.connector()).Create(t.Context(), oneToken), test.kind, test.code)
			if calls := f.asked(); len(calls) != 0 {
				t.Errorf("asked without a session: %v", calls)
			}
		})
	}
}

// A database that is not there is found in the list of databases, whatever the
// language of PostgreSQL. Without the list it may as well be down.
func TestAnUnknownDatabaseIsNamedInEveryLanguage(t *testing.T) {
	for _, test := range []struct {
		name, databases string
		kind            seeding.FaultKind
		code            string
	}{
		{"another is there", `["other"]`, seeding.RefusedSignIn, "NoDatabase"},
		{"it is there", `["g2p"]`, seeding.Unreachable, "OperationalError"},
		{"no list", ``, seeding.Unreachable, "OperationalError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, message := range []string{"FATAL:  la base de données « g2p » n'existe pas\n", "connection refused"} {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					w.Header().Set("Content-Type", "application/json")
					if strings.Contains(string(body), `"list"`) && test.databases != "" {
						_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":`+test.databases+`}`)
						return
					}
					_, _ = io.WriteString(w, refusal(200, "psycopg2.OperationalError", message).body)
				}))
				t.Cleanup(server.Close)
				f := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
				c := f.connector()
				c.Registry.URL = server.URL
				_, err := open(t, c).Registrants(t.Context(), []int64{7})
				check(t, err, test.kind, test.code)
				if _, d := seeding.RegistryProblem(seeding.FaultOf(err), seeding.ProblemRead); !strings.Contains(d.Remedy, "registry.database") {
					t.Errorf("%q", d.Remedy)
				}
			}
		})
	}
}

// What answers in place of Odoo is named by a code of ours, at the sign-in and
// later. Nothing of it is shown, and the host of a redirect is not either.
func TestReplyInPlaceOfOdooIsNamed(t *testing.T) {
	to := func(status int, location string) reply {
		return reply{status: status, kind: "text/html", location: location}
	}
	for _, test := range []struct {
		name  string
		reply func(f *fake) reply
		code  string
	}{
		{"301 to https", func(f *fake) reply { return to(301, "https://"+f.Listener.Addr().String()+"/odoo") }, "RedirectHTTPS"},
		{"308 to https at the default port", func(*fake) reply { return to(308, "https://127.0.0.1/odoo/web/session/authenticate") }, "RedirectHTTPSPort"},
		{"301 to https at another port", func(*fake) reply { return to(301, "https://127.0.0.1:8443/") }, "RedirectHTTPSPort"},
		{"302 to another host", func(*fake) reply { return to(302, "https://"+private+".example.org/") }, "RedirectHost"},
		{"307 to the database selector", func(*fake) reply { return to(307, "/web/database/selector") }, "RedirectDatabases"},
		{"303 to the database manager", func(*fake) reply { return to(303, "/odoo/web/database/manager?x="+private) }, "RedirectDatabases"},
		{"303 to the login", func(*fake) reply { return to(303, "/web/login?redirect=%2Fweb") }, "RedirectLogin"},
		{"302 to a login of the proxy", func(*fake) reply { return to(302, "/oauth2/start?rd=%2F") }, "RedirectLogin"},
		{"302 to the sign-in of another host", func(*fake) reply { return to(302, "https://sso.example.org/realms/x/login") }, "RedirectHost"},
		{"301 to a path", func(*fake) reply { return to(301, "/other/") }, "RedirectPath"},
		{"302 to nowhere", func(*fake) reply { return to(302, "") }, "HTTP-302"},
		{"302 to what is no address", func(*fake) reply { return to(302, "http://[::1/"+private) }, "HTTP-302"},
		{"302 to a script", func(*fake) reply { return to(302, "javascript:alert(1)") }, "HTTP-302"},
		{"401 basic", func(*fake) reply { return html(401) }, "ProxyPassword"},
		{"401 in JSON", func(*fake) reply {
			return reply{status: 401, kind: "application/json", body: `{"message":"` + private + `"}`}
		}, "ProxyPassword"},
		{"407", func(*fake) reply { return html(407) }, "ProxyPassword"},
		{"403 of a firewall", func(*fake) reply { return html(403) }, "HTTP-403"},
		{"404", func(*fake) reply { return html(404) }, "HTTP-404"},
		{"405 of a web site", func(*fake) reply { return html(405) }, "HTTP-405"},
		{"413", func(*fake) reply { return html(413) }, "HTTP-413"},
		{"426", func(*fake) reply { return html(426) }, "HTTP-426"},
		{"429", func(*fake) reply { return html(429) }, "HTTP-429"},
		{"502", func(*fake) reply { return html(502) }, "HTTP-502"},
		{"503", func(*fake) reply { return html(503) }, "HTTP-503"},
		{"504", func(*fake) reply { return html(504) }, "HTTP-504"},
		{"520 of a proxy", func(*fake) reply { return html(520) }, "HTTP-520"},
		{"HTML with 200", func(*fake) reply { return html(200) }, "WebPage"},
		{"XHTML with 200", func(*fake) reply { return reply{status: 200, kind: "application/xhtml+xml", body: "<html/>"} }, "WebPage"},
		{"JSON that is no JSON-RPC", func(*fake) reply { return reply{status: 200, kind: "application/json", body: `{"ok":true}`} }, "NotJSONRPC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
			response := test.reply(f)
			named := func(when string, err error) {
				t.Helper()
				fault, ok := errors.AsType[*seeding.Fault](err)
				if !ok || fault.Code != test.code || strings.Contains(err.Error(), private) {
					t.Errorf("%s: %v, want %s", when, err, test.code)
				}
			}
			f.failing = func(int) (reply, bool) { return response, true }
			_, err := open(t, f.connector()).Tokens(t.Context(), []int64{7})
			named("signing in", err)
			f.failing, f.script = nil, wellKnown(func(call) reply { return response })
			_, err = open(t, f.connector()).Tokens(t.Context(), []int64{7})
			named("later", err)
		})
	}
}

// Sessions outlive invocations and belong to user, password and database.
func TestSessionsAreKept(t *testing.T) {
	f := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
	all, c := registries(), f.connector()
	for _, step := range []struct {
		name    string
		change  func()
		signIns int
	}{
		{"first", func() {}, 1},
		{"again", func() {}, 1},
		{"new version, same access", func() { c.Version = 2; c.Source.Fields = nil }, 1},
		{"other connector", func() { c.ID = "c2" }, 2},
		{"other address of the same", func() { c.Registry.URL = strings.TrimSuffix(c.Registry.URL, "/") }, 3},
	} {
		step.change()
		r, err := all.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Tokens(t.Context(), []int64{7}); err != nil || f.signIns != step.signIns {
			t.Errorf("%s: %d sign-ins, %v", step.name, f.signIns, err)
		}
	}
}

// The new cookie that Odoo gives a session in use is taken; the cookie of a
// refusal is not.
func TestCookiesAreRenewed(t *testing.T) {
	n := 0
	f := newFake(t, wellKnown(func(c call) reply {
		n++
		want := map[int]string{1: "session1", 2: "renewed", 3: "renewed"}[n]
		if c.cookie != want {
			t.Errorf("call %d with cookie %q", n, c.cookie)
		}
		response := result(`[]`)
		response.cookie = "renewed"
		if n == 2 {
			response = refusal(200, "odoo.exceptions.AccessError", "no")
			response.cookie = "useless"
		}
		return response
	}))
	r := open(t, f.connector())
	for range 3 {
		_, _ = r.Tokens(t.Context(), []int64{7})
	}
	if n != 3 || f.signIns != 1 {
		t.Errorf("%d calls, %d sign-ins", n, f.signIns)
	}
}

func TestConcurrentCallsSignInOnce(t *testing.T) {
	f := newFake(t, wellKnown(func(c call) reply {
		if c.cookie == "session1" {
			return expired
		}
		return result(`[]`)
	}))
	r := open(t, f.connector())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := r.Tokens(context.Background(), []int64{7}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if f.signIns != 2 {
		t.Errorf("%d sign-ins", f.signIns)
	}
}

// What a reply means for a call that reads, and for one that writes.
func TestFaults(t *testing.T) {
	odooError := func(name, message string) reply { return refusal(200, name, message) }
	for _, test := range []struct {
		name        string
		reply       reply
		read, write seeding.FaultKind
		code        string
	}{
		{"duplicate type", odooError("odoo.exceptions.ValidationError", "ID Type must be unique."), seeding.RefusedData, seeding.RefusedData, "ValidationError"},
		{"regular expression", odooError("odoo.exceptions.ValidationError", "The provided MOSIP VID ID '"+private+"' is invalid."), seeding.RefusedData, seeding.RefusedData, "ValidationError"},
		{"registrant gone", odooError("odoo.exceptions.ValidationError", "… Constraint: g2p_reg_id_partner_id_fkey"), seeding.RefusedData, seeding.RefusedData, "ValidationError"},
		{"user error", odooError("odoo.exceptions.UserError", "no"), seeding.RefusedData, seeding.RefusedData, "UserError"},
		{"missing record", odooError("odoo.exceptions.MissingError", "Record does not exist"), seeding.RefusedData, seeding.RefusedData, "MissingError"},
		{"wrong value", odooError("builtins.ValueError", "Wrong value for g2p.reg.id.status: '"+private+"'"), seeding.RefusedData, seeding.RefusedData, "ValueError"},
		{"impossible date", odooError("psycopg2.errors.DatetimeFieldOverflow", "date/time field value out of range"), seeding.RefusedData, seeding.RefusedData, "DatetimeFieldOverflow"},
		{"unique index", odooError("psycopg2.errors.UniqueViolation", "Key (value)=("+private+")"), seeding.RefusedData, seeding.RefusedData, "UniqueViolation"},
		{"rights", odooError("odoo.exceptions.AccessError", "You are not allowed to delete 'Registrant ID'"), seeding.RefusedRights, seeding.RefusedRights, "AccessError"},
		{"unknown field", odooError("builtins.ValueError", "Invalid field 'no_such' on model 'res.partner'"), seeding.RefusedSchema, seeding.RefusedSchema, "ValueError"},
		{"unknown field in a domain", odooError("builtins.ValueError", "Invalid field res.partner.no_such in leaf ('no_such', '=', 1)"), seeding.RefusedSchema, seeding.RefusedSchema, "ValueError"},
		{"bad leaf", odooError("builtins.ValueError", "Invalid leaf ('name', 'like like', 'x')"), seeding.RefusedSchema, seeding.RefusedSchema, "ValueError"},
		{"bad operator in Odoo 19", odooError("builtins.ValueError", "Invalid operator in condition ('name', 'like like', 'x')"), seeding.RefusedSchema, seeding.RefusedSchema, "ValueError"},
		{"bad domain in Odoo 19", odooError("builtins.ValueError", "Domain() malformed domain ['!']"), seeding.RefusedSchema, seeding.RefusedSchema, "ValueError"},
		{"bad domain", odooError("builtins.AssertionError", "This domain is syntactically not correct: ['!']"), seeding.RefusedSchema, seeding.RefusedSchema, "AssertionError"},
		{"unknown model", odooError("odoo.exceptions.UserError", "Object no.such doesn't exist"), seeding.RefusedSchema, seeding.RefusedSchema, "UserError"},
		{"unknown model by call_kw", odooError("builtins.KeyError", "'no.such'"), seeding.RefusedSchema, seeding.RefusedSchema, "KeyError"},
		{"unknown method", odooError("builtins.AttributeError", "type object has no attribute"), seeding.RefusedSchema, seeding.RefusedSchema, "AttributeError"},
		{"unknown argument", odooError("builtins.TypeError", "unexpected keyword argument"), seeding.RefusedSchema, seeding.RefusedSchema, "TypeError"},
		{"access denied", odooError("odoo.exceptions.AccessDenied", "Access Denied"), seeding.RefusedSignIn, seeding.RefusedSignIn, "AccessDenied"},
		{"collisions without end", odooError("psycopg2.errors.SerializationFailure", "could not serialize access"), seeding.Unreachable, seeding.Unknown, "SerializationFailure"},
		{"PostgreSQL stopped", odooError("psycopg2.InterfaceError", "connection already closed"), seeding.Unreachable, seeding.Unknown, "InterfaceError"},
		{"PostgreSQL lost", odooError("psycopg2.OperationalError", "server closed the connection"), seeding.Unreachable, seeding.Unknown, "OperationalError"},
		{"of no known meaning", odooError("odoo.addons.x.Broken", private), seeding.RefusedRequest, seeding.Unknown, "Broken"},
		{"a class that is none", odooError("x."+private+" ", private), seeding.RefusedRequest, seeding.Unknown, ""},
		{"no data", reply{status: 200, kind: "application/json", body: `{"error":{"code":200,"message":"` + private + `"}}`}, seeding.RefusedRequest, seeding.Unknown, ""},
		{"error page", html(500), seeding.Unreachable, seeding.Unknown, "HTTP-500"},
		{"bad gateway", html(502), seeding.Unreachable, seeding.Unknown, "HTTP-502"},
		{"slow request", html(408), seeding.Unreachable, seeding.Unknown, "HTTP-408"},
		{"too many requests", html(429), seeding.Unreachable, seeding.Unreachable, "HTTP-429"},
		{"page not found", html(404), seeding.RefusedRequest, seeding.RefusedRequest, "HTTP-404"},
		{"forbidden by a proxy", reply{status: 403, kind: "application/json", body: `{"message":"Forbidden"}`}, seeding.RefusedRequest, seeding.RefusedRequest, "HTTP-403"},
		{"bad request", html(400), seeding.RefusedRequest, seeding.RefusedRequest, "HTTP-400"},
		{"see other", reply{status: 303, kind: "text/html", location: "/web"}, seeding.RefusedRequest, seeding.RefusedRequest, "RedirectPath"},
		{"another web site", html(200), seeding.Unreachable, seeding.Unknown, "WebPage"},
		{"JSON of something else", reply{status: 200, kind: "application/json", body: `{"status":"` + private + `"}`}, seeding.Unreachable, seeding.Unknown, "NotJSONRPC"},
		{"neither HTML nor JSON", reply{status: 200, kind: "text/plain", body: private}, seeding.Unreachable, seeding.Unknown, "BadAnswer"},
		{"cut off", reply{status: 200, kind: "application/json", body: `{"jsonrpc":"2.0","result":[`}, seeding.Unreachable, seeding.Unknown, "BadAnswer"},
		{"too large", reply{status: 200, kind: "application/json", body: `{"x":"` + strings.Repeat("x", 1<<20)}, seeding.RefusedRequest, seeding.Unknown, "AnswerTooLarge"},
		{"connection lost", reply{}, seeding.Unreachable, seeding.Unknown, "ConnectionLost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return test.reply }))
			r := open(t, f.connector())
			_, err := r.Tokens(t.Context(), []int64{7})
			check(t, err, test.read, test.code)
			_, err = r.Registrants(t.Context(), []int64{7})
			check(t, err, test.read, test.code)
			check(t, r.Create(t.Context(), oneToken), test.write, test.code)
			check(t, r.Remove(t.Context(), []int64{201}), test.write, test.code)
		})
	}
}

// An Odoo without OpenG2P has neither of its models. Which is missing is named, with the
// module, in every form in which the generations of Odoo say it.
func TestOdooWithoutOpenG2PIsNamed(t *testing.T) {
	for name, says := range map[string]func(model string) reply{
		"call_kw": func(model string) reply { return refusal(200, "builtins.KeyError", "'"+model+"'") },
		"execute_kw": func(model string) reply {
			return refusal(200, "odoo.exceptions.UserError", "Object "+model+" doesn't exist")
		},
		"Odoo 19": func(model string) reply {
			return refusal(200, "werkzeug.exceptions.NotFound", "404 Not Found: the model '"+model+"' does not exist")
		},
		"a bare 404": func(string) reply {
			return reply{status: 200, kind: "application/json", body: `{"error":{"code":404,"message":"404: Not Found","data":{"name":"werkzeug.exceptions.NotFound","message":"404 Not Found"}}}`}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(c call) reply { return says(c.Model) })
			_, err := open(t, f.connector()).VIDs(t.Context(), 0, 10)
			check(t, err, seeding.RefusedSchema, seeding.NoSuchModel)
			source, d := seeding.RegistryProblem(seeding.FaultOf(err), seeding.ProblemRead)
			if source != seeding.ProblemRead || !strings.Contains(d.Text, `"g2p.id.type"`) || !strings.Contains(d.Text, "g2p_registry_base") || !strings.Contains(d.Remedy, "registry.database") {
				t.Errorf("%s: %s %s", source, d.Text, d.Remedy)
			}
		})
	}
}

// Reads are repeated by the client's policy, writes never.
func TestRepetitions(t *testing.T) {
	f := newFake(t, wellKnown(func(call) reply { return reply{} }))
	r := open(t, f.connector())
	count := func(method string) (n int) {
		for _, c := range f.asked() {
			if c.Method == method {
				n++
			}
		}
		return n
	}
	_, _ = r.Tokens(t.Context(), []int64{7})
	if n := count("search_read"); n != 1+3 { // the types, then one and two more
		t.Errorf("read: %d", n)
	}
	_ = r.Create(t.Context(), oneToken)
	if n := count("create"); n != 1 {
		t.Errorf("create: %d", n)
	}
	_ = r.Remove(t.Context(), []int64{7})
	if n := count("unlink"); n != 1 {
		t.Errorf("unlink: %d", n)
	}
}

func TestTimeAndReach(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, wellKnown(func(call) reply { <-release; return result(`[301]`) }))
	defer close(release)
	r := open(t, f.connector())
	if err := r.Remove(canceled(), []int64{1}); seeding.FaultOf(err).Kind != seeding.Unreachable {
		t.Errorf("no time for anything: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // enough to sign in
	defer cancel()
	check(t, r.Create(ctx, oneToken), seeding.Unknown, "Timeout")

	stopped := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
	r = open(t, stopped.connector())
	if _, err := r.Tokens(t.Context(), []int64{7}); err != nil {
		t.Fatal(err)
	}
	stopped.Close() // with a session on our side
	check(t, r.Create(t.Context(), oneToken), seeding.Unreachable, "ConnectionRefused")
	check(t, r.Remove(t.Context(), []int64{7}), seeding.Unreachable, "ConnectionRefused")

	gone := httptest.NewServer(nil)
	gone.Close()
	c := f.connector()
	c.Registry.URL = gone.URL
	check(t, open(t, c).Create(t.Context(), oneToken), seeding.Unreachable, "ConnectionRefused")
	c.Registry.URL = "http://169.254.169.254/"
	err := open(t, c).Create(t.Context(), oneToken)
	check(t, err, seeding.Unreachable, "AddressNotAllowed")
	if seeding.FaultOf(err).Cause == nil {
		t.Error("the cause is lost")
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
