package odoosim_test

import (
	"regexp"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

const expired = "!odoo.http.SessionExpiredException|Session expired"

func TestAuthenticate(t *testing.T) {
	c := registry(t, odoosim.Options{})
	good := `{"jsonrpc": "2.0", "params": {"db": "g2p", "login": "admin", "password": "admin"}}`
	cookieShape := regexp.MustCompile(`^session_id=[0-9a-f]{40}; Expires=Fri, 19-Feb-2027 12:00:00 GMT; Max-Age=7776000; HttpOnly; Path=/$`)
	for _, each := range []struct{ name, method, body, want string }{
		{"good", "POST", good, `{"uid": 2, "is_system": true, "is_admin": true, "user_context": {"lang": "en_US", "tz": false, "uid": 2}, "db": "g2p", …`},
		{"by GET", "GET", good, `{"uid": 2, …`},
		{"wrong password", "POST", strings.Replace(good, `"password": "admin"`, `"password": "nope"`, 1), "!odoo.exceptions.AccessDenied|Access Denied"},
		{"unknown login", "POST", strings.Replace(good, `"login": "admin"`, `"login": "nobody"`, 1), "!odoo.exceptions.AccessDenied|Access Denied"},
		{"wrong database", "POST", strings.Replace(good, "g2p", "nodb", 1), "!psycopg2.OperationalError|FATAL:  database \"nodb\" does not exist\n"},
		{"no database", "POST", `{"params": {"login": "admin", "password": "admin"}}`, "!builtins.TypeError|authenticate() missing 1 required positional argument: 'db'"},
	} {
		got := c.send(each.method, "/web/session/authenticate", each.body)
		if got.status != 200 || !fits(got.outcome(), each.want) {
			t.Errorf("%s: %d %s", each.name, got.status, got.outcome())
		}
		if cookie := got.header.Get("Set-Cookie"); !cookieShape.MatchString(cookie) {
			t.Errorf("%s: cookie %q", each.name, cookie)
		}
	}
	if got := c.send("GET", "/web/session/authenticate", ""); got.status != 400 {
		t.Errorf("without a body: %d", got.status)
	}
}

func TestSessions(t *testing.T) {
	count := func(c *client, cookie string) string {
		return c.callKW(cookie, "res.partner search_count", `[[["is_registrant", "=", true]]]`, `{}`).outcome()
	}
	header := func(c *client, name, value, query string) answer {
		return c.send("POST", "/web/dataset/call_kw"+query, `{"params": {"model": "res.partner", "method": "search_count", "args": [[["is_registrant", "=", true]]], "kwargs": {}}}`, name, value)
	}
	for _, each := range []struct {
		name string
		do   func(t *testing.T, c *client, cookie string)
		want string // of the next call with the same cookie
	}{
		{"in use", func(*testing.T, *client, string) {}, "4"},
		{"never given", func(t *testing.T, c *client, _ string) {
			for _, bad := range []string{"", "session_id=garbage", "session_id=0123456789abcdef0123456789abcdef01234567"} {
				got := c.callKW(bad, "res.partner search_count", `[[]]`, `{}`)
				if got.outcome() != expired || got.status != 200 || !strings.Contains(got.body, `"code": 100, "message": "Odoo Session Expired"`) || got.header.Get("Set-Cookie") == "" {
					t.Errorf("cookie %q: %d %s", bad, got.status, got.body)
				}
			}
		}, "4"},
		{"carried in a header or the address", func(t *testing.T, c *client, cookie string) {
			sid := strings.TrimPrefix(cookie, "session_id=")
			for _, got := range []answer{header(c, "X-Openerp-Session-Id", sid, ""), header(c, "X-A", "b", "?session_id="+sid)} {
				if got.outcome() != "4" || got.header.Get("Set-Cookie") != "" {
					t.Errorf("%s, cookie %q", got.outcome(), got.header.Get("Set-Cookie"))
				}
			}
		}, "4"},
		{"the tail of the path is ignored", func(t *testing.T, c *client, cookie string) {
			got := c.send("PUT", "/web/dataset/call_kw/res.partner/search_read", `{"params": {"model": "res.partner", "method": "search_count", "args": [[["is_registrant", "=", true]]], "kwargs": {}}}`, "Cookie", cookie)
			if got.outcome() != "4" || !strings.HasPrefix(got.header.Get("Set-Cookie"), cookie+";") {
				t.Error(got.body)
			}
		}, "4"},
		{"kwargs left out", func(t *testing.T, c *client, cookie string) {
			got := c.send("POST", "/web/dataset/call_kw", `{"params": {"model": "res.partner", "method": "search_count", "args": [[]]}}`, "Cookie", cookie).outcome()
			if got != "!builtins.TypeError|call_kw() missing 1 required positional argument: 'kwargs'" {
				t.Error(got)
			}
		}, "4"},
		{"unknown model is a KeyError here", func(t *testing.T, c *client, cookie string) {
			if got := c.callKW(cookie, "no.such search_count", `[[]]`, `{}`).outcome(); got != "!builtins.KeyError|no.such" {
				t.Error(got)
			}
		}, "4"},
		{"check", func(t *testing.T, c *client, cookie string) {
			if got := c.send("POST", "/web/session/check", `{"params": {}}`, "Cookie", cookie); got.outcome() != "none" {
				t.Error(got.body)
			}
		}, "4"},
		{"destroyed", func(t *testing.T, c *client, cookie string) {
			if got := c.send("POST", "/web/session/destroy", `{"params": {}}`, "Cookie", cookie); got.body != `{"jsonrpc": "2.0", "id": null}` {
				t.Error(got.body)
			}
		}, expired},
		{"logged out", func(t *testing.T, c *client, cookie string) {
			got := c.send("GET", "/web/session/logout", "", "Cookie", cookie)
			if got.status != 303 || got.header.Get("Location") != c.url+"/web" {
				t.Error(got)
			}
		}, expired},
		{"logout as JSON is an error", func(t *testing.T, c *client, cookie string) {
			if got := c.send("POST", "/web/session/logout", `{"params": {}}`, "Cookie", cookie).outcome(); !strings.HasPrefix(got, "!werkzeug.exceptions.BadRequest|400 Bad Request: <function Session.logout") {
				t.Error(got)
			}
		}, "4"},
		{"logged in again with the old cookie", func(t *testing.T, c *client, cookie string) {
			got := c.send("POST", "/web/session/authenticate", `{"params": {"db": "g2p", "login": "admin", "password": "admin"}}`, "Cookie", cookie)
			if fresh := strings.Split(got.header.Get("Set-Cookie"), ";")[0]; fresh == cookie || count(c, fresh) != "4" {
				t.Error("the new session is not good:", fresh)
			}
		}, expired},
		{"a failed login does not hurt it", func(t *testing.T, c *client, cookie string) {
			got := c.send("POST", "/web/session/authenticate", `{"params": {"db": "g2p", "login": "admin", "password": "no"}}`, "Cookie", cookie)
			if !strings.HasPrefix(got.header.Get("Set-Cookie"), cookie+";") {
				t.Error(got.header)
			}
		}, "4"},
		{"password changed", func(_ *testing.T, c *client, _ string) { c.sim.SetPassword("admin", "other") }, expired},
		{"user locked", func(_ *testing.T, c *client, _ string) { c.sim.Deactivate("admin") }, expired},
		{"server restarted", func(_ *testing.T, c *client, _ string) { c.sim.Restart() }, "4"},
		{"sessions lost", func(_ *testing.T, c *client, _ string) { c.sim.LoseSessions() }, expired},
		{"PostgreSQL was away", func(t *testing.T, c *client, cookie string) {
			c.sim.SetDatabaseDown(true)
			first := c.callKW(cookie, "res.partner search_count", `[[]]`, `{}`)
			second := c.callKW(cookie, "res.partner search_count", `[[]]`, `{}`)
			other := c.rpc(`"res.partner", "search_count", [[]], {}`)
			if first.status != 404 || second.status != 500 || other.status != 500 || other.body != errorPage {
				t.Error(first, second, other)
			}
			c.sim.SetDatabaseDown(false)
			c.want(`"res.partner", "search_count", [[["is_registrant", "=", true]]], {}`, "4")
		}, expired},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := registry(t, odoosim.Options{})
			cookie := c.login("admin", "admin")
			each.do(t, c, cookie)
			if got := count(c, cookie); got != each.want {
				t.Errorf("then: %s, want %s", got, each.want)
			}
		})
	}
}
