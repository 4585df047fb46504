package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/visitor"
	"openg2p.org/mts-connector/shared/console"
)

const sessionCookie = "__Host-session"

// signedIn is a browser in which somebody of a role has signed in.
func signedIn(t *testing.T, role string) *visitor.Visitor {
	t.Helper()
	v := visitor.New(stack.ConsoleURL())
	went, err := v.SignIn(t.Context(), "#/connectors/c1", v.PressButton(t.Context(), role))
	if err != nil {
		t.Fatal(err)
	}
	if want := stack.ConsoleURL() + "#/connectors/c1"; went != want || v.Cookie(sessionCookie) == nil {
		t.Fatalf("went on at %s, want %s, with the cookie %v", went, want, v.Cookie(sessionCookie))
	}
	return v
}

// session asks for an access token, and checks the status and code of the reply.
func session(t *testing.T, reply visitor.Reply, err error, status int, code string) visitor.Session {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := reply.Session()
	if err != nil || reply.Status != status || s.Code != code {
		t.Fatalf("%d %s, want %d %s", reply.Status, reply.Body, status, code)
	}
	checkHeader(t, reply)
	return s
}

// checkHeader checks the header that every reply of the console has.
func checkHeader(t *testing.T, reply visitor.Reply) {
	t.Helper()
	for name, values := range console.Header(stack.ConsoleURL()) {
		if got := reply.Header.Get(name); got != values[0] {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// From sign-in to sign-out, through the gateway, under the role of the function.
func TestSignInToTheConsole(t *testing.T) {
	t.Parallel()
	sources()
	for role, status := range map[string]int{"viewer": http.StatusForbidden, "operator": http.StatusForbidden, "administrator": http.StatusUnprocessableEntity} {
		v := signedIn(t, role)
		cookie := v.Cookie(sessionCookie)
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge != 0 {
			t.Errorf("cookie %+v", cookie)
		}
		before := cookie.Value
		reply, err := v.Post(t.Context(), visitor.Fresh)
		s := session(t, reply, err, http.StatusOK, "")
		forbiddenTexts.add("token of the console", s.Token)
		if left := time.Until(s.Expires); left < 3*time.Minute || left > 5*time.Minute || s.Label != "LOCAL" {
			t.Errorf("%s more, label %q", left, s.Label)
		}
		if v.Cookie(sessionCookie).Value == before {
			t.Error("the cookie does not follow the rotation")
		}
		expect(t, "status of the list", send(t, "GET", "/connectors", nil, "Authorization: Bearer "+s.Token).Status, http.StatusOK)
		expect(t, "status of a creation by "+role, send(t, "POST", "/connectors", []byte("{}"), "Authorization: Bearer "+s.Token, "Content-Type: application/json").Status, status)

		reply, err = v.Post(t.Context(), "logout")
		if out := session(t, reply, err, http.StatusOK, ""); v.Cookie(sessionCookie) != nil {
			t.Error("the cookie is kept")
		} else if ended, err := v.Get(t.Context(), out.Address); err != nil || ended.Header.Get("Location") != stack.ConsoleURL()+"/session/signed-out" {
			t.Errorf("%s leads to %q, %v", out.Address, ended.Header.Get("Location"), err)
		}
		reply, err = v.Post(t.Context(), "token")
		session(t, reply, err, http.StatusUnauthorized, "not_signed_in")
	}
}

// The role of the public function holds what a sign-in uses, and nothing else.
func TestRightsOfTheConsole(t *testing.T) {
	t.Parallel()
	sources()
	v := signedIn(t, "viewer")
	reply, err := v.Post(t.Context(), "token")
	session(t, reply, err, http.StatusOK, "")
	all, err := template.Rights()
	if err != nil {
		t.Fatal(err)
	}
	rights := slices.DeleteFunc(all, func(r template.Right) bool { return r.Role != "ConsoleRole" || r.UsedByAWSOnly() })
	if len(rights) != 3 {
		t.Errorf("the role has the rights %v", rights)
	}
	unused, err := stack.UnusedRights(rights)
	if err != nil || len(unused) > 0 {
		t.Errorf("not used: %v, %v", unused, err)
	}
}

// Nobody else gets a token: another site, who changes the cookie, who kept a former one.
func TestForeignCallsOfTheConsole(t *testing.T) {
	t.Parallel()
	sources()
	ctx := t.Context()
	v := signedIn(t, "viewer")
	for _, headers := range [][]string{nil, {"X-Console: 1", "Sec-Fetch-Site: cross-site"}, {"X-Console: 1", "Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}} {
		for _, call := range []string{"token", "logout"} {
			reply, err := v.Forge(ctx, call, headers...)
			session(t, reply, err, http.StatusForbidden, "cross_site")
		}
	}
	kept := *v.Cookie(sessionCookie)
	for range 2 {
		reply, err := v.Post(ctx, visitor.Fresh)
		session(t, reply, err, http.StatusOK, "")
	}
	newer := *v.Cookie(sessionCookie)

	tampered := []byte(kept.Value)
	tampered[len(tampered)-30] ^= 1
	v.Cookie(sessionCookie).Value = string(tampered)
	reply, err := v.Post(ctx, "token")
	session(t, reply, err, http.StatusUnauthorized, "not_signed_in")

	// A refresh token before one that was used is somebody else's: the issuer ends the session.
	thief := visitor.New(stack.ConsoleURL())
	for _, cookie := range []http.Cookie{kept, newer} {
		thief.Keep(&cookie)
		reply, err = thief.Post(ctx, "token")
		session(t, reply, err, http.StatusUnauthorized, "session_ended")
	}

	// The callback takes no answer that its own browser did not ask for.
	victim := visitor.New(stack.ConsoleURL())
	went, err := victim.SignIn(ctx, "#/", func(string) (string, error) {
		attacker := visitor.New(stack.ConsoleURL())
		begun, err := attacker.Get(ctx, "/session/login")
		if err != nil {
			return "", err
		}
		return attacker.PressButton(ctx, "administrator")(begun.Header.Get("Location"))
	})
	if err != nil || went != stack.ConsoleURL()+"#/sign-in?reason=state" || victim.Cookie(sessionCookie) != nil {
		t.Errorf("went on at %s, %v", went, err)
	}
}

// The page comes compressed and once; everything else below /console is a problem, also
// what the gateway itself refuses.
func TestPagesOfTheConsole(t *testing.T) {
	t.Parallel()
	sources()
	ctx := t.Context()
	v := visitor.New(stack.ConsoleURL())
	files, err := console.Built()
	if err != nil {
		t.Fatal(err)
	}
	page, err := v.Get(ctx, stack.ConsoleURL(), "Accept-Encoding: br")
	if err != nil {
		t.Fatal(err)
	}
	checkHeader(t, page)
	if len(files) == 0 {
		t.Log("the console was not built")
		expect(t, "status without a build", page.Status, http.StatusServiceUnavailable)
	} else {
		text, err := io.ReadAll(brotli.NewReader(strings.NewReader(page.Body)))
		if err != nil || !strings.Contains(string(text), "<!doctype html>") || page.Header.Get("Content-Encoding") != "br" || page.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%v %d %v %s", err, page.Status, page.Header, text)
		}
		again, err := v.Get(ctx, stack.ConsoleURL(), "Accept-Encoding: br", "If-None-Match: "+page.Header.Get("ETag"))
		if err != nil || again.Status != http.StatusNotModified || again.Body != "" {
			t.Errorf("%v %d", err, again.Status)
		}
		for name := range files {
			if name == "index.html" {
				continue
			}
			got, err := v.Get(ctx, "/"+name, "Accept-Encoding: br")
			if err != nil || got.Status != http.StatusOK || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %v %d %v", name, err, got.Status, got.Header)
			}
		}
	}
	for _, path := range []string{"/x", "/main-0000000000.js", "/session", "/session/x", "/session/login/x", "/index.html"} {
		got, err := v.Get(ctx, path)
		var problem struct{ Status int }
		if err != nil || got.Status != http.StatusNotFound || json.Unmarshal([]byte(got.Body), &problem) != nil || problem.Status != http.StatusNotFound || got.Header.Get("Location") != "" {
			t.Errorf("%s: %v %d %s", path, err, got.Status, got.Body)
		}
		if !slices.Contains(got.Header.Values("X-Content-Type-Options"), "nosniff") {
			t.Errorf("%s: %v", path, got.Header)
		}
	}
}
