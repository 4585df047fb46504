package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
)

// Person is somebody who can sign in.
type Person struct {
	Button string // on the page where one signs in
	Name   string
	Role   connectors.Role
}

// The persons who can sign in.
var (
	Vera = Person{"Viewer", "Vera Viewer", connectors.Viewer}
	Omar = Person{"Operator", "Omar Operator", connectors.Operator}
	Ada  = Person{"Administrator", "Ada Administrator", connectors.Administrator}

	Persons = []Person{Vera, Omar, Ada}
)

func (p Person) caller() connectors.Caller {
	return connectors.Caller{Name: strings.ToLower(p.Button), Claim: "sub", Shown: p.Name, Role: p.Role}
}

// sessions serve /console/session/ and know whose a bearer is. end ends all of them.
type sessions interface {
	http.Handler
	caller(bearer string) (connectors.Caller, bool)
	end()
}

// plainSessions are sessions without an issuer: the page with the buttons is their own.
type plainSessions struct {
	label string
	life  time.Duration // of a bearer

	mu      sync.Mutex
	holders map[string]Person // by session
	bearers map[string]bearer
}

type bearer struct {
	of      Person
	expires time.Time
}

const sessionCookie = "session"

func newSessions(label string, life time.Duration) *plainSessions {
	return &plainSessions{label: label, life: life, holders: map[string]Person{}, bearers: map[string]bearer{}}
}

func (s *plainSessions) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.holders)
	clear(s.bearers)
}

func (s *plainSessions) caller(text string) (connectors.Caller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.bearers[text]
	if !known || !time.Now().Before(b.expires) {
		return connectors.Caller{}, false
	}
	return b.of.caller(), true
}

// ServeHTTP implements http.Handler.
func (s *plainSessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/console/session/")
	if r.Method == http.MethodPost && r.Header.Get("X-Console") != "1" {
		s.refuse(w, http.StatusForbidden, "cross_site")
		return
	}
	switch call {
	case "GET login":
		s.login(w, r)
	case "GET callback":
		s.callback(w, r)
	case "POST token":
		s.token(w, r)
	case "POST logout":
		s.mu.Lock()
		if c, err := r.Cookie(sessionCookie); err == nil {
			delete(s.holders, c.Value)
		}
		s.mu.Unlock()
		http.SetCookie(w, cookie("", -1))
		answer(w, http.StatusOK, map[string]string{"address": ""})
	default:
		s.refuse(w, http.StatusNotFound, "not_found")
	}
}

func (s *plainSessions) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var buttons strings.Builder
	for _, p := range Persons {
		fmt.Fprintf(&buttons, `<p><button name="as" value="%s">%s</button></p>`, p.Button, p.Button)
	}
	_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Sign in</title><main><h1>Sign in</h1>
<form action="callback"><input type="hidden" name="to" value="%s">%s</form></main></html>`, html.EscapeString(r.FormValue("to")), buttons.String())
}

func (s *plainSessions) callback(w http.ResponseWriter, r *http.Request) {
	for _, p := range Persons {
		if p.Button == r.FormValue("as") {
			id := rand.Text()
			s.mu.Lock()
			s.holders[id] = p
			s.mu.Unlock()
			http.SetCookie(w, cookie(id, 0))
			to, err := url.Parse(r.FormValue("to"))
			if err != nil || to.Scheme != "" || to.Host != "" || to.Path != "" {
				to = &url.URL{Fragment: "/"}
			}
			w.Header().Set("Location", "/console#"+to.EscapedFragment())
			w.WriteHeader(http.StatusFound)
			return
		}
	}
	http.Redirect(w, r, "/console#/sign-in?reason=refused", http.StatusFound)
}

func (s *plainSessions) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _ := r.Cookie(sessionCookie)
	if c == nil {
		c = &http.Cookie{}
	}
	p, known := s.holders[c.Value]
	if !known {
		s.refuse(w, http.StatusUnauthorized, "not_signed_in")
		return
	}
	text, expires := rand.Text(), time.Now().Add(s.life)
	s.bearers[text] = bearer{p, expires}
	answer(w, http.StatusOK, map[string]string{"token": text, "expires": expires.UTC().Format(time.RFC3339), "label": s.label})
}

func (s *plainSessions) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	answer(w, status, map[string]any{"type": "about:blank", "title": code, "status": status, "detail": code, "code": code, "label": s.label})
}

func cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", cmp.Or(w.Header().Get("Content-Type"), "application/json"))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
