package local

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// ConsoleClient is the id of the console's client.
const ConsoleClient = "mts-console"

// SessionLifetime is how long an access token of somebody who signed in is valid.
const SessionLifetime = 5 * time.Minute

// codeLifetime is how long a code may be redeemed.
const codeLifetime = time.Minute

// person is somebody who can sign in.
type person struct{ subject, name, role string }

// people are the ones behind the buttons of the sign-in page, in their order.
var people = []person{
	{"vera", "Vera Viewer", "viewer"},
	{"omar", "Omar Operator", "operator"},
	{"ada", "Ada Administrator", administrator},
}

// button is the name of a person's button.
func (p person) button() string { return strings.ToUpper(p.role[:1]) + p.role[1:] }

// signIns are the code flow and its sessions (OpenID Connect Core 1.0, 3.1; RFC 7636;
// RFC 9700, 4.14.2). A refresh token counts once, and some times more until the next one
// was used; one that is used again otherwise ends its session, because somebody else has
// it. There is no session of the browser at the
// issuer: each sign-in shows the page.
type signIns struct {
	console  string // base address of the API, below which the console is; "" is none
	secret   string
	lifetime time.Duration
	reuse    int

	mu       sync.Mutex
	codes    map[string]grant
	sessions map[string]*signedIn // by the refresh tokens of each, used ones too
}

// grant is what a code stands for.
type grant struct {
	person                     person
	redirect, challenge, nonce string
	scopes                     []string
	until                      time.Time
	session                    *signedIn // once redeemed
}

// signedIn is a session.
type signedIn struct {
	person person
	scopes []string
	ended  bool
	// The refresh tokens that count: those for which the one before them was given, and
	// that one itself, if it was not used again too often.
	next     []string
	former   string
	repeated int
}

// use reports whether a refresh token counts. One that does not ends the session.
func (s *signedIn) use(token string, reuse int) bool {
	switch {
	case s.ended:
	case slices.Contains(s.next, token):
		s.former, s.repeated, s.next = token, 0, nil
	case s.former == token && s.repeated < reuse:
		s.repeated++
	default:
		s.ended = true
	}
	return !s.ended
}

func newSignIns(o IssuerOptions) *signIns {
	return &signIns{
		console: strings.TrimSuffix(o.Console, "/"), secret: rand.Text(), lifetime: cmp.Or(o.SessionLifetime, SessionLifetime), reuse: o.Reuse,
		codes: map[string]grant{}, sessions: map[string]*signedIn{},
	}
}

// redirect is where the console takes the code.
func (s *signIns) redirect() string { return s.console + "/console/session/callback" }

// signedOut is where the console takes people who have signed out.
func (s *signIns) signedOut() string { return s.console + "/console/session/signed-out" }

// knows reports whether a client and its secret are the console's.
func (s *signIns) knows(id, secret string) bool {
	return id == ConsoleClient && subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) == 1
}

// Console is the id and the secret of the console's client.
func (i *Issuer) Console() (id, secret string) { return ConsoleClient, i.signIns.secret }

// EndSessions ends all sessions of people, as an administrator of the issuer may.
func (i *Issuer) EndSessions() {
	s := i.signIns
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		session.ended = true
	}
}

// authorize shows the page with a button for each role, and after one was pressed sends
// the browser back with a code.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	s, asked := i.signIns, r.URL.Query()
	if asked.Get("client_id") != ConsoleClient || s.console == "" || asked.Get("redirect_uri") != s.redirect() {
		http.Error(w, "client_id or redirect_uri is unknown here", http.StatusBadRequest) // never a redirect then
		return
	}
	back := func(parameters url.Values) {
		parameters.Set("state", asked.Get("state"))
		parameters.Set("iss", i.address) // RFC 9207
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", s.redirect()+"?"+parameters.Encode())
		w.WriteHeader(http.StatusFound)
	}
	scopes := strings.Fields(asked.Get("scope"))
	switch {
	case asked.Get("response_type") != "code":
		back(url.Values{"error": {"unsupported_response_type"}})
		return
	case asked.Get("code_challenge_method") != "S256" || len(asked.Get("code_challenge")) != 43:
		back(url.Values{"error": {"invalid_request"}})
		return
	case !slices.Contains(scopes, "openid"):
		back(url.Values{"error": {"invalid_scope"}})
		return
	}
	if r.Method != http.MethodPost {
		i.signInPage(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	at := slices.IndexFunc(people, func(p person) bool { return p.role == r.PostFormValue("role") })
	if at < 0 {
		back(url.Values{"error": {"access_denied"}})
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = grant{
		person: people[at], redirect: s.redirect(), challenge: asked.Get("code_challenge"), nonce: asked.Get("nonce"),
		scopes: scopes, until: time.Now().Add(codeLifetime),
	}
	s.mu.Unlock()
	back(url.Values{"code": {code}})
}

// signInPage has a button for each role.
func (i *Issuer) signInPage(w http.ResponseWriter, r *http.Request) {
	var buttons strings.Builder
	for _, p := range people {
		fmt.Fprintf(&buttons, "<p><button name=role value=%s>%s</button> <span aria-hidden=true>%s</span></p>\n", p.role, p.button(), p.name)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, `<!doctype html>
<html lang=en>
<meta name=viewport content="width=device-width">
<title>Sign in (local issuer)</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:30rem;padding:0 1rem}button{font:inherit;min-width:10rem;padding:.5rem 1rem}</style>
<main>
<h1>Sign in</h1>
<p>The local issuer asks for no password. As whom?</p>
<form method=post action="/authorize?%s">
%s</form>
</main>
`, html.EscapeString(r.URL.RawQuery), buttons.String())
}

// redeem answers the grants of the console's client at the token endpoint.
func (i *Issuer) redeem(w http.ResponseWriter, form url.Values) {
	s := i.signIns
	s.mu.Lock()
	defer s.mu.Unlock()
	switch form.Get("grant_type") {
	case "authorization_code":
		code, there := s.codes[form.Get("code")]
		if there && code.session != nil {
			code.session.ended = true // a code that comes twice was stolen (RFC 6749, 4.1.2)
		}
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !there || code.session != nil || time.Now().After(code.until) || form.Get("redirect_uri") != code.redirect ||
			base64.RawURLEncoding.EncodeToString(sum[:]) != code.challenge {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		code.session = &signedIn{person: code.person, scopes: code.scopes}
		s.codes[form.Get("code")] = code
		i.grant(w, code.session, code.nonce)
	case "refresh_token":
		token := form.Get("refresh_token")
		session := s.sessions[token]
		if session == nil || !session.use(token, s.reuse) {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		i.grant(w, session, "")
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

// grant gives new tokens of a session.
func (i *Issuer) grant(w http.ResponseWriter, session *signedIn, nonce string) {
	s, p, now := i.signIns, session.person, time.Now()
	refresh := rand.Text()
	session.next = append(session.next, refresh)
	s.sessions[refresh] = session
	access := i.access(p.subject, ConsoleClient, []string{p.role}, session.scopes, s.lifetime, map[string]any{"name": p.name, "preferred_username": p.subject})
	half := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": i.address, "aud": ConsoleClient, "azp": ConsoleClient, "sub": p.subject, "typ": "ID", "name": p.name,
		"iat": now.Unix(), "exp": now.Add(s.lifetime).Unix(), "at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	w.Header().Set("Cache-Control", "no-store")
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(s.lifetime.Seconds()),
		"refresh_token": refresh, "id_token": i.Sign(claims), "scope": strings.Join(session.scopes, " "),
	})
}

// revoke ends the session of a refresh token (RFC 7009).
func (i *Issuer) revoke(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := clientOf(w, r)
	if !ok {
		return
	}
	s := i.signIns
	if !s.knows(id, secret) {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if session := s.sessions[r.PostForm.Get("token")]; session != nil {
		session.ended = true
	}
	w.WriteHeader(http.StatusOK) // also for a token that it does not know
}

// endSession sends the browser back to the console (OpenID Connect RP-Initiated Logout
// 1.0, 2), if the address is its.
func (i *Issuer) endSession(w http.ResponseWriter, r *http.Request) {
	s, asked := i.signIns, r.URL.Query()
	if asked.Get("client_id") == ConsoleClient && s.console != "" && asked.Get("post_logout_redirect_uri") == s.signedOut() {
		w.Header().Set("Location", s.signedOut())
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html>\n<html lang=en>\n<title>Signed out</title>\n<h1>You are signed out</h1>\n"))
}
