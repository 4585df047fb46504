package centralsim

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Role is what a user may do.
type Role string

// The roles of Central. An Administrator is one everywhere, the others in a project.
const (
	None          Role = ""
	Administrator Role = "admin"
	Manager       Role = "manager"
	Viewer        Role = "viewer"   // the least that may read submissions
	Collector     Role = "formfill" // finds a form and may not read its submissions
)

// The verbs of the roles, as far as a client asks for them.
var verbs = map[Role][]string{
	Administrator: {"project.create", "project.read", "project.update", "form.list", "form.read", "form.update", "submission.create", "submission.read", "submission.list", "submission.update"},
	Manager:       {"project.read", "project.update", "form.list", "form.read", "form.update", "submission.create", "submission.read", "submission.list", "submission.update"},
	Viewer:        {"project.read", "form.list", "form.read", "submission.read", "submission.list"},
	Collector:     {"project.read", "form.list", "form.read", "submission.create"},
}

const readForm, readSubmissions = "form.read", "submission.read"

type user struct {
	id       int
	email    string
	password string
	admin    bool
	roles    map[int]Role // by project
}

type session struct {
	user    *user
	created int64
	expires int64
}

// AddUser adds a user without a role.
func (s *Server) AddUser(email, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[strings.ToLower(email)] = &user{id: 5 + len(s.users), email: email, password: password, roles: map[int]Role{}}
}

// Assign gives a user a role in a project, which no role takes away. An Administrator
// is one in all projects.
func (s *Server) Assign(email string, project int, role Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[strings.ToLower(email)]
	if u == nil {
		return
	}
	u.admin = role == Administrator
	u.roles[project] = role
}

// SetPassword changes a password and ends all sessions of the user, as when the user
// changes it in another one (facts/odk.md 2.7).
func (s *Server) SetPassword(email, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[strings.ToLower(email)]; u != nil {
		u.password = password
		s.endSessions(u)
	}
}

// DeleteUser removes a user and ends their sessions.
func (s *Server) DeleteUser(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endSessions(s.users[strings.ToLower(email)])
	delete(s.users, strings.ToLower(email))
}

// EndSessions ends the sessions of everybody.
func (s *Server) EndSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// endSessions is called with mu held.
func (s *Server) endSessions(u *user) {
	for token, one := range s.sessions {
		if one.user == u {
			delete(s.sessions, token)
		}
	}
}

// SetSingleSignOn turns sign-in by an identity provider on, which takes sign-in by
// password away.
func (s *Server) SetSingleSignOn(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.singleSignOn = on
}

// may reports a right in a project. The caller holds mu.
func (u *user) may(project int, verb string) bool {
	for _, v := range u.verbs(project) {
		if v == verb {
			return true
		}
	}
	return false
}

func (u *user) verbs(project int) []string {
	if u.admin {
		return verbs[Administrator]
	}
	return verbs[u.roles[project]]
}

const maxSignIn = 250_000 // bytes

// signIn is POST /v1/sessions.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSignIn+1))
	if err != nil {
		hangUp(w)
		return
	}
	given, refused := readSignIn(r.Header.Get("Content-Type"), body)
	if refused != nil {
		refused.send(w)
		return
	}
	s.mu.Lock()
	s.counters.SignIns++
	u := s.users[strings.ToLower(given.email)]
	if u == nil || !given.isText || u.password != given.password {
		s.counters.WrongPasswords++
		s.mu.Unlock()
		errCredentials.send(w)
		return
	}
	now := s.micros()
	token, csrf := s.token(), s.token()
	one := &session{user: u, created: now, expires: now + s.options.SessionLife.Microseconds()}
	s.sessions[token] = one
	s.mu.Unlock()

	for _, c := range []http.Cookie{{Name: "__Host-session", Value: token, HttpOnly: true}, {Name: "__csrf", Value: csrf}} {
		c.Path, c.Secure, c.SameSite, c.Expires = "/", true, http.SameSiteStrictMode, time.UnixMicro(one.expires)
		http.SetCookie(w, &c)
	}
	header(w, "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, struct {
		Token   string `json:"token"`
		CSRF    string `json:"csrf"`
		Expires string `json:"expiresAt"`
		Created string `json:"createdAt"`
	}{token, csrf, shown(one.expires), shown(one.created)})
}

type credentials struct {
	email, password string
	isText          bool // the password is
}

// readSignIn checks the body of a sign-in. The refusal of a wrong one repeats what was
// sent (facts/odk.md 2.3).
func readSignIn(contentType string, body []byte) (c credentials, refused *refusal) {
	if len(body) > maxSignIn {
		return c, errTooLong
	}
	got := map[string]any{}
	if kind, _, _ := mime.ParseMediaType(contentType); kind == "application/json" {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return c, errNotJSON
		}
		got, _ = v.(map[string]any)
	}
	email, isText := got["email"].(string)
	password, given := got["password"]
	if !isText || email == "" || !given || password == nil || password == "" {
		missing := refuse("400.3", "Required parameters missing. Expected (email, password), got ("+echo(got["email"])+", "+echo(password)+").")
		missing.details = map[string]any{"expected": []string{"email", "password"}, "got": got}
		return c, missing
	}
	c.email = email
	c.password, c.isText = password.(string)
	return c, nil
}

func echo(v any) string {
	if v == nil {
		return "undefined"
	}
	text, _ := json.Marshal(v)
	return string(bytes.Trim(text, `"`))
}

// token makes 64 characters. The caller holds mu.
func (s *Server) token() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$"
	b := make([]byte, 64)
	for i := range b {
		b[i] = alphabet[s.random.IntN(len(alphabet))]
	}
	return string(b)
}

// authenticate finds who asks. The caller holds mu.
func (s *Server) authenticate(r *http.Request) (*user, *refusal) {
	authorization := r.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(authorization, "Bearer "); ok {
		one := s.sessions[token]
		if one == nil || one.expires <= s.micros() {
			return nil, errCredentials
		}
		return one.user, nil
	}
	if !strings.HasPrefix(authorization, "Basic ") {
		return nil, errCredentials
	}
	email, password, ok := r.BasicAuth()
	switch u := s.users[strings.ToLower(email)]; {
	case s.singleSignOn:
		return nil, errNoBasic
	case r.TLS == nil && r.Header.Get("X-Forwarded-Proto") != "https":
		return nil, errNotSecure
	case !ok || u == nil || u.password != password:
		return nil, errCredentials
	default:
		return u, nil
	}
}

// currentSession is GET /v1/sessions/restore and DELETE /v1/sessions/current.
func (s *Server) currentSession(w http.ResponseWriter, r *http.Request, end bool) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	one := s.sessions[token]
	if end {
		delete(s.sessions, token)
	}
	s.mu.Unlock()
	switch {
	case one == nil || one.expires <= s.micros():
		errCredentials.send(w)
	case end:
		header(w, "application/json; charset=utf-8")
		writeJSON(w, map[string]bool{"success": true})
	default:
		header(w, "application/json; charset=utf-8")
		writeJSON(w, struct {
			Created string `json:"createdAt"`
			Expires string `json:"expiresAt"`
		}{shown(one.created), shown(one.expires)})
	}
}

func (u *user) number() string { return strconv.Itoa(u.id) }

func writeJSON(w io.Writer, v any) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the client is gone
}
