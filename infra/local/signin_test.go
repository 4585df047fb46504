package local_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"openg2p.org/mts-connector/infra/local"
)

// browser follows no redirect.
var browser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

const verifier = "a-verifier-of-forty-three-characters-or-more-0"

// question is a right authorization request.
func question(change ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	asked := url.Values{
		"response_type": {"code"}, "client_id": {local.ConsoleClient}, "redirect_uri": {console + "/console/session/callback"},
		"scope": {"openid profile"}, "state": {"s 1"}, "nonce": {"n1"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for at := 0; at < len(change); at += 2 {
		asked.Set(change[at], change[at+1])
	}
	return asked
}

// press presses a button of the sign-in page, and returns where the browser is sent.
func press(t *testing.T, i *local.Issuer, asked url.Values, role string) url.Values {
	t.Helper()
	response, err := browser.PostForm(i.Address()+"/authorize?"+asked.Encode(), url.Values{"role": {role}})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	address, query, _ := strings.Cut(response.Header.Get("Location"), "?")
	if response.StatusCode != http.StatusFound || address != console+"/console/session/callback" {
		t.Fatalf("%s to %s", response.Status, address)
	}
	got, err := url.ParseQuery(query)
	if err != nil || got.Get("state") != "s 1" || got.Get("iss") != i.Address() {
		t.Fatalf("%v %v", got, err)
	}
	return got
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
}

// ask calls an endpoint as the console's client.
func ask(t *testing.T, i *local.Issuer, path string, pairs ...string) (int, tokens) {
	t.Helper()
	id, secret := i.Console()
	form := url.Values{"client_id": {id}, "client_secret": {secret}}
	for at := 0; at < len(pairs); at += 2 {
		form.Set(pairs[at], pairs[at+1])
	}
	response, err := http.PostForm(i.Address()+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var got tokens
	if text, _ := io.ReadAll(response.Body); len(text) > 0 {
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return response.StatusCode, got
}

// redeemed are the tokens of somebody who pressed a button.
func redeemed(t *testing.T, i *local.Issuer, role string) tokens {
	t.Helper()
	code := press(t, i, question(), role).Get("code")
	status, got := ask(t, i, "/token", "grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", question().Get("redirect_uri"))
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, got)
	}
	return got
}

func TestTheSignInPageHasAButtonForEachRole(t *testing.T) {
	i := issuer(t)
	response, err := browser.Get(i.Address() + "/authorize?" + question("state", `"><script>`).Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	page, _ := io.ReadAll(response.Body)
	for _, button := range []string{">Viewer</button>", ">Operator</button>", ">Administrator</button>"} {
		if !strings.Contains(string(page), button) {
			t.Errorf("no %s", button)
		}
	}
	if response.StatusCode != http.StatusOK || strings.Contains(string(page), "<script") {
		t.Errorf("%s %s", response.Status, page)
	}
}

func TestWhoSignsInHasTheTokensOfThatRole(t *testing.T) {
	i := issuer(t)
	for role, name := range map[string]string{"viewer": "Vera Viewer", "operator": "Omar Operator", "administrator": "Ada Administrator"} {
		got := redeemed(t, i, role)
		var claims struct {
			Name  string `json:"name"`
			Nonce string `json:"nonce"`
			Realm struct {
				Roles []string `json:"roles"`
			} `json:"realm_access"`
		}
		verify(t, i, got.Access)
		read(t, got.Access, &claims)
		if claims.Name != name || claims.Realm.Roles[len(claims.Realm.Roles)-1] != role || got.Expires != 300 {
			t.Errorf("%s: %+v for %d s", role, claims, got.Expires)
		}
		var id jwt.Claims
		read(t, got.ID, &id, &claims)
		if claims.Nonce != "n1" || id.Issuer != i.Address() || !id.Audience.Contains(local.ConsoleClient) || id.Subject == "" {
			t.Errorf("%s: %+v %+v", role, claims, id)
		}
	}
}

// read reads claims without a check.
func read(t *testing.T, token string, into ...any) {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err == nil {
		err = parsed.UnsafeClaimsWithoutVerification(into...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuestionsThatAreRefused(t *testing.T) {
	i := issuer(t)
	for _, c := range []struct{ name, value, code string }{
		{"response_type", "token", "unsupported_response_type"}, {"code_challenge_method", "plain", "invalid_request"},
		{"code_challenge", "", "invalid_request"}, {"scope", "profile", "invalid_scope"},
	} {
		if got := press(t, i, question(c.name, c.value), "viewer"); got.Get("error") != c.code || got.Has("code") {
			t.Errorf("%s=%q: %v", c.name, c.value, got)
		}
	}
	if got := press(t, i, question(), "king"); got.Get("error") != "access_denied" {
		t.Errorf("%v", got)
	}
	// Nobody is sent to an address that is not the console's.
	for name, value := range map[string]string{"redirect_uri": "https://evil.example/console/session/callback", "client_id": "other"} {
		response, err := browser.PostForm(i.Address()+"/authorize?"+question(name, value).Encode(), url.Values{"role": {"viewer"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest || response.Header.Get("Location") != "" {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
}

func TestCodesCountOnceAndForTheirBrowser(t *testing.T) {
	i := issuer(t)
	redirect := question().Get("redirect_uri")
	for name, c := range map[string][]string{
		"another verifier": {"code_verifier", "other"},
		"another address":  {"redirect_uri", console},
		"another code":     {"code", "guess"},
		"another secret":   {"client_secret", "guess"},
	} {
		code := press(t, i, question(), "viewer").Get("code")
		pairs := append([]string{"grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", redirect}, c...)
		if status, got := ask(t, i, "/token", pairs...); status == http.StatusOK || got.Access != "" {
			t.Errorf("%s: %d", name, status)
		}
	}
	code := press(t, i, question(), "viewer").Get("code")
	redeem := func() (int, tokens) {
		return ask(t, i, "/token", "grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", redirect)
	}
	_, first := redeem()
	if status, got := redeem(); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("%d %+v", status, got)
	}
	if status, _ := ask(t, i, "/token", "grant_type", "refresh_token", "refresh_token", first.Refresh); status != http.StatusBadRequest {
		t.Error("the session of a code that came twice goes on")
	}
}

func TestRefreshTokensRotateAndAUsedOneEndsTheSession(t *testing.T) {
	i := issuer(t)
	refresh := func(token string) (int, tokens) {
		return ask(t, i, "/token", "grant_type", "refresh_token", "refresh_token", token)
	}
	other := redeemed(t, i, "viewer")
	first := redeemed(t, i, "operator")
	status, second := refresh(first.Refresh)
	if status != http.StatusOK || second.Refresh == first.Refresh || second.Refresh == "" {
		t.Fatalf("%d %+v", status, second)
	}
	if status, third := refresh(second.Refresh); status != http.StatusOK {
		t.Fatalf("%d %+v", status, third)
	} else if status, _ := refresh(first.Refresh); status != http.StatusBadRequest {
		t.Error("a used refresh token counts again")
	} else if status, _ := refresh(third.Refresh); status != http.StatusBadRequest {
		t.Error("the session goes on after a used refresh token came again")
	}
	if status, _ := refresh(other.Refresh); status != http.StatusOK {
		t.Error("another session has ended too")
	}
}

// A reply that was lost, or two pages that renew at once: a refresh token may come again
// until one of those that were given for it was used, but not without end.
func TestRefreshTokensThatMayComeAgain(t *testing.T) {
	i, err := local.StartIssuer(t.Context(), local.IssuerOptions{Audience: local.Audience, Console: console, Reuse: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	refresh := func(token string) (string, bool) {
		status, got := ask(t, i, "/token", "grant_type", "refresh_token", "refresh_token", token)
		return got.Refresh, status == http.StatusOK
	}
	for name, c := range map[string]struct {
		uses string // of tokens: the first one, those given for it (a, b, c), and one given for a
		ok   bool   // the last use
	}{
		"again": {"11", true}, "and again": {"111", true}, "too often": {"1111", false}, "the session too": {"1111a", false},
		"the last of those given": {"11b", true}, "the first of those given": {"11a", true}, "after the next was used": {"1a1", false},
		"two of those given": {"11ab", false}, "the next as well": {"1aaa", true},
	} {
		first := redeemed(t, i, "viewer").Refresh
		tokens := map[byte]string{'1': first}
		ok := false
		for at := range len(c.uses) {
			var next string
			next, ok = refresh(tokens[c.uses[at]])
			if c.uses[at] == '1' && ok {
				tokens['a'+byte(strings.Count(c.uses[:at], "1"))] = next
			}
		}
		if ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	i := issuer(t)
	refresh := func(token string) int {
		status, _ := ask(t, i, "/token", "grant_type", "refresh_token", "refresh_token", token)
		return status
	}
	revoked := redeemed(t, i, "viewer")
	if status, _ := ask(t, i, "/revoke", "token", revoked.Refresh, "client_secret", "guess"); status != http.StatusUnauthorized {
		t.Errorf("%d", status)
	}
	if status, _ := ask(t, i, "/revoke", "token", revoked.Refresh); status != http.StatusOK || refresh(revoked.Refresh) != http.StatusBadRequest {
		t.Errorf("%d, and the token counts", status)
	}
	if status, _ := ask(t, i, "/revoke", "token", "unknown"); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	left := redeemed(t, i, "viewer")
	if i.EndSessions(); refresh(left.Refresh) != http.StatusBadRequest {
		t.Error("a session goes on")
	}
	for query, want := range map[string]string{
		url.Values{"client_id": {local.ConsoleClient}, "post_logout_redirect_uri": {console + "/console/session/signed-out"}}.Encode():           console + "/console/session/signed-out",
		url.Values{"client_id": {local.ConsoleClient}, "post_logout_redirect_uri": {"https://evil.example/console/session/signed-out"}}.Encode(): "",
		"": "",
	} {
		response, err := browser.Get(i.Address() + "/end-session?" + query)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Location"); got != want {
			t.Errorf("%s leads to %q", query, got)
		}
	}
}

// Tests need sessions whose access tokens end soon.
func TestLifetimeOfASession(t *testing.T) {
	i, err := local.StartIssuer(t.Context(), local.IssuerOptions{Audience: local.Audience, Console: console + "/", SessionLifetime: 7 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	if got := redeemed(t, i, "viewer"); got.Expires != 7 {
		t.Errorf("%d s", got.Expires)
	}
}
