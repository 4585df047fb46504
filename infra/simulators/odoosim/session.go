package odoosim

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// Sessions (facts/odoo.md A4). They survive a restart of the server.

type session struct {
	db       string
	user     int64  // 0: logged out; the database stays known
	password string // a change of it ends the session
}

func newSID() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// sessionOf finds the session id of a request; carried says that it came in
// the address or in a header, and then no cookie is sent back.
func sessionOf(r *http.Request) (sid string, carried bool) {
	if sid = r.URL.Query().Get("session_id"); sid != "" {
		return sid, true
	}
	if sid = r.Header.Get("X-Openerp-Session-Id"); sid != "" {
		return sid, true
	}
	if c, err := r.Cookie("session_id"); err == nil {
		return c.Value, false
	}
	return "", false
}

// cookie is sent with every answer of a session route.
func (s *Server) cookie(sid string) [2]string {
	expires := s.options.Now().UTC().Add(90 * 24 * time.Hour).Format("Mon, 02-Jan-2006 15:04:05 GMT")
	return [2]string{"Set-Cookie", "session_id=" + sid + "; Expires=" + expires + "; Max-Age=7776000; HttpOnly; Path=/"}
}

func (s *Server) session(sid string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[sid]
	return ses, ok
}

// replaceSession ends one session and starts another unless next is nil.
func (s *Server) replaceSession(old string, next *session) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, old)
	sid = newSID()
	if next != nil {
		s.sessions[sid] = *next
	}
	return sid
}

// holder is the user of a live session.
func (s *Server) holder(ses session) *user {
	db := s.databases[ses.db]
	if db == nil || ses.user == 0 {
		return nil
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	if u := db.user(ses.user); u != nil && u.active && u.password == ses.password {
		return u
	}
	return nil
}

// user finds a user by id; the caller holds the lock.
func (db *database) user(id int64) *user {
	for _, u := range db.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

// authenticate is /web/session/authenticate.
func (x *exchange) authenticate() (any, error) {
	if err := missing("authenticate", []string{"db", "login", "password"}, x.params); err != nil {
		return nil, err
	}
	name, login, password := python.Str(x.params["db"]), python.Str(x.params["login"]), python.Str(x.params["password"])
	return x.server.perform(call{model: "session", method: "authenticate", fixed: x.server.options.Latency.Authenticate},
		func(*work) (any, *tx, *exception) {
			db := x.server.databases[name]
			if db == nil {
				return nil, nil, noDatabase(name)
			}
			u := db.byLogin(login) // API keys are no passwords here
			err := x.server.attempt(x.source, func() bool { return u != nil && u.active && password != "" && u.password == password })
			if err != nil {
				return nil, nil, err
			}
			if u.secondFactor {
				return python.Dict{{"uid", nil}}, nil, nil
			}
			x.sid = x.server.replaceSession(x.sid, &session{db: name, user: u.id, password: u.password})
			x.live = true
			return x.info(name, u), nil, nil
		})
}

// info is Odoo's session info.
func (x *exchange) info(db string, u *user) python.Dict {
	companies := []any{}
	for _, id := range u.companies {
		companies = append(companies, []any{id, map[int64]string{MyCompany: "My Company", OtherCompany: "Other Co"}[id]})
	}
	return python.Dict{
		{"uid", u.id}, {"is_system", u.isAdmin()}, {"is_admin", u.isAdmin()},
		{"user_context", python.Dict{{"lang", "en_US"}, {"tz", false}, {"uid", u.id}}},
		{"db", db},
		{"server_version", "14.0"}, {"server_version_info", versionInfo},
		{"name", u.name}, {"username", u.login}, {"partner_display_name", u.name},
		{"company_id", MyCompany}, {"partner_id", u.partner},
		{"web.base.url", "http://" + x.host},
		{"active_ids_limit", 20000},
		{"user_companies", python.Dict{{"current_company", []any{MyCompany, "My Company"}}, {"allowed_companies", companies}}},
		{"user_id", []any{u.id}},
	}
}

var versionInfo = []any{14, 0, 0, "final", 0, ""}

// logout ends the session by a plain GET: 303 to the login page. The database
// stays in the new, empty session.
func (x *exchange) logout() *reply {
	var next *session
	if x.database != "" {
		next = &session{db: x.database}
	}
	x.sid = x.server.replaceSession(x.sid, next)
	x.live = true
	return &reply{status: http.StatusSeeOther,
		header: [][2]string{{"Content-Type", "text/html; charset=utf-8"}, {"Location", "http://" + x.host + "/web"}},
		body: []byte("<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n" +
			"<p>You should be redirected automatically to target URL: <a href=\"/web\">/web</a>.  If not click the link.")}
}
