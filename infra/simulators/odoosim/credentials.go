package odoosim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// Passwords, API keys and second factors (facts/odoo.md F).

// apiKey is a key of a user; the zero time is no expiry.
type apiKey struct {
	text    string
	expires time.Time
}

// AddKey makes an API key for a login: 40 hexadecimal digits. The zero time is no
// expiry.
func (s *Server) AddKey(login string, expires time.Time) string {
	random := make([]byte, 20)
	_, _ = rand.Read(random)
	key := apiKey{hex.EncodeToString(random), expires}
	s.changeUser(login, func(u *user) { u.keys = append([]apiKey{key}, u.keys...) })
	return key.text
}

// RemoveKeys removes all API keys of a login.
func (s *Server) RemoveKeys(login string) { s.changeUser(login, func(u *user) { u.keys = nil }) }

// CopyKeys gives a login the API keys that it has on another server, as an upgrade
// keeps them.
func (s *Server) CopyKeys(from *Server, login string) {
	keys := from.main.byLogin(login).keys
	s.changeUser(login, func(u *user) { u.keys = keys })
}

// SetSecondFactor gives a login two-factor authentication, or takes it away. Its
// sessions go on here; Odoo ends them.
func (s *Server) SetSecondFactor(login string, on bool) {
	s.changeUser(login, func(u *user) { u.secondFactor = on })
}

// accepts reports whether a program may use the secret: a valid key, or the
// password of a user without a second factor.
func (u *user) accepts(secret string, now time.Time) bool {
	return u.active && secret != "" && (u.password == secret && !u.secondFactor || u.hasKey(secret, now))
}

func (u *user) hasKey(secret string, now time.Time) bool {
	for _, k := range u.keys {
		if k.text == secret && (k.expires.IsZero() || !k.expires.Before(now)) {
			return u.active
		}
	}
	return false
}

// byLogin finds a user by login.
func (db *database) byLogin(login string) *user {
	db.mu.RLock()
	defer db.mu.RUnlock()
	for _, u := range db.users {
		if u.login == login {
			return u
		}
	}
	return nil
}

// byKey finds the user of an API key.
func (db *database) byKey(key string, now time.Time) *user {
	db.mu.RLock()
	defer db.mu.RUnlock()
	for _, u := range db.users {
		if u.hasKey(key, now) {
			return u
		}
	}
	return nil
}

// After so many failures in a row from one address, everybody there is refused
// for a while (facts/odoo.md F2).
const (
	failuresAllowed = 10
	failuresLast    = time.Minute
)

// failures are those of one address.
type failures struct {
	count int
	last  time.Time
}

func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// attempt checks a secret unless the address has to wait, and counts a failure.
func (s *Server) attempt(source string, check func() bool) *exception {
	now := s.options.Now()
	s.mu.Lock()
	before := s.failures[source]
	s.mu.Unlock()
	if before.count >= failuresAllowed && now.Sub(before.last) < failuresLast {
		return raise("odoo.exceptions.AccessDenied", "Too many login failures, please wait a bit before trying again.")
	}
	good := check()
	s.mu.Lock()
	defer s.mu.Unlock()
	if good {
		delete(s.failures, source)
		return nil
	}
	s.failures[source] = failures{s.failures[source].count + 1, now}
	return accessDenied()
}

// FailedAttempts is how many failed sign-ins in a row are counted, over all
// addresses.
func (s *Server) FailedAttempts() (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.failures {
		count += f.count
	}
	return count
}

// SetFront lets something else answer in place of Odoo, as a proxy or another web
// server does; nil removes it.
func (s *Server) SetFront(front http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.front = front
}

func (s *Server) frontNow() http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.front
}

// json2 is Odoo 19's JSON-2: a method with named arguments, for the holder of an
// API key. Failures do not count (facts/odoo.md C, F2).
func (x *exchange) json2(r *http.Request, model, method string) *reply {
	s := x.server
	name := x.database
	if wanted := r.Header.Get("X-Odoo-Database"); wanted != "" {
		name = wanted
	}
	db := s.databases[name]
	if db == nil {
		return page(http.StatusNotFound, "Not Found", "No database is selected and the requested URL was not found in the server-wide controllers.")
	}
	key, _ := bearer(r)
	u := db.byKey(key, s.options.Now())
	if u == nil {
		refusal := raise("werkzeug.exceptions.Unauthorized", "Invalid apikey")
		refusal.args = []any{"Invalid apikey", http.StatusUnauthorized}
		answer := plainFailure(http.StatusUnauthorized, refusal)
		answer.header = append(answer.header, [2]string{"WWW-Authenticate", "Bearer"})
		return answer
	}
	if model == userModel && method == "context_get" {
		return jsonReply(http.StatusOK, python.Dict{{"lang", "en_US"}, {"tz", false}, {"uid", u.id}})
	}
	absent := func(format string, args ...any) *reply {
		return plainFailure(http.StatusNotFound, raise("werkzeug.exceptions.NotFound", format, args...))
	}
	if db.tables[model] == nil {
		return absent("the model '%s' does not exist", model)
	}
	how, known := methods[method]
	if !known {
		return absent("The method '%s.%s' does not exist", model, method)
	}
	var args []any
	kwargs := map[string]any{}
	for name, value := range x.request {
		switch {
		case name == "ids" && how.records:
			args = []any{value}
		case name == "vals_list" && method == "create":
			args = []any{value}
		case name == "domain" && (method == "search" || method == "search_count"):
			kwargs["args"] = value // as Odoo 14 names it
		default:
			kwargs[name] = value
		}
	}
	if how.records && args == nil {
		args = []any{[]any{}}
	}
	result, err := s.execute(request{db: db, user: u, cookie: true, model: model, method: method, args: args, kwargs: kwargs})
	return x.plain(result, err)
}

func bearer(r *http.Request) (string, bool) {
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if len(header) <= len(scheme) {
		return "", false
	}
	return header[len(scheme):], true
}

// plain makes JSON-2's answer of a call.
func (x *exchange) plain(result any, err error) *reply {
	var failure *exception
	switch {
	case err == nil:
		if _, none := result.(nothing); none {
			result = nil
		}
		return &reply{status: http.StatusOK, header: [][2]string{{"Content-Type", "application/json; charset=utf-8"}}, body: python.AppendJSON(nil, result)}
	case errors.As(err, &failure):
		status := map[string]int{
			"odoo.exceptions.AccessError": http.StatusForbidden, "odoo.exceptions.AccessDenied": http.StatusForbidden,
			"odoo.exceptions.MissingError": http.StatusNotFound, "odoo.exceptions.UserError": http.StatusUnprocessableEntity,
			"odoo.exceptions.ValidationError": http.StatusUnprocessableEntity,
		}[failure.name]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		return plainFailure(status, failure)
	}
	return x.wrap(nil, err)
}

// plainFailure is an error of JSON-2.
func plainFailure(status int, e *exception) *reply {
	args := e.args
	if args == nil {
		args = []any{e.message}
	}
	return jsonReply(status, python.Dict{{"name", e.name}, {"message", e.message}, {"arguments", args}, {"context", python.Dict{}},
		{"debug", e.traceback()}})
}
