package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andybalholm/brotli"

	"openg2p.org/mts-connector/shared/console"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// world is a console, its issuer, and a browser that keeps its cookies.
type world struct {
	*testing.T
	now     time.Time
	issuer  *fakeIssuer
	options console.Options
	keys    *keyring
	secret  string
	cookies map[string]string
	log     bytes.Buffer
}

func (w *world) Now() time.Time { return w.now }

// keyring may fail.
type keyring struct {
	seedingtest.Keyring
	fail error
}

func (k *keyring) Current(ctx context.Context) (seeding.Key, error) {
	if k.fail != nil {
		return seeding.Key{}, k.fail
	}
	return k.Keyring.Current(ctx)
}

func (k *keyring) ByID(ctx context.Context, id string) (seeding.Key, error) {
	if k.fail != nil {
		return seeding.Key{}, k.fail
	}
	return k.Keyring.ByID(ctx, id)
}

const base = "https://api.example.org/mts"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: seedingtest.Now, secret: clientSecret, cookies: map[string]string{}, keys: &keyring{Keyring: seedingtest.Keyring{seedingtest.Key("k1")}}}
	w.issuer = newIssuer(t, w.Now)
	w.options = console.Options{
		Files: built(t), Base: base, Issuer: w.issuer.address(), ClientID: clientID,
		Secret: func(context.Context) (string, error) { return w.secret, nil },
		Scopes: []string{"profile", "mts"}, Keys: w.keys, Label: "TEST", Clock: w,
		HTTP: outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond}),
		Log:  slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	return w
}

// restart makes a console of the options, as a new instance of the function is.
func (w *world) restart() http.Handler { return console.New(w.options) }

func packed(text string) []byte {
	var b bytes.Buffer
	z := brotli.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func build() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep": {}, "stamp": {Data: []byte("x")}, "index.html.br": {Data: packed("<!doctype html>")},
		"main-0123456789.js.br": {Data: packed("script()")}, "main-0123456789.css.br": {Data: packed("body{}")},
		"sentences-ar-0123456789.json.br": {Data: packed("{}")}, "main-0123456789.js.gz": {Data: []byte("by gzip")},
	}
}

func built(t *testing.T) console.Files {
	t.Helper()
	files, err := console.ReadFiles(build())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// ask makes a request with the cookies, and keeps those of the reply.
func (w *world) ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	w.Helper()
	r := httptest.NewRequest(method, path, nil)
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	for _, c := range got.Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			w.Errorf("cookie %+v", c)
		}
		if w.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		}
	}
	for name, values := range console.Header(base) {
		if got.Header().Get(name) != values[0] {
			w.Errorf("%s %s has no %s", method, path, name)
		}
	}
	return got
}

const own = "X-Console: 1"

// Names of the cookies below the base path.
const (
	loginCookie   = "__Host-login-mts"
	sessionCookie = "__Host-session-mts"
	accessCookie  = "__Host-access-mts"
)

// fresh asks for an access token that nobody has yet.
const fresh = "token?after=9999-12-31T23:59:59Z"

// begin asks for the way to the issuer, and returns what the browser brings back.
func (w *world) begin(h http.Handler, query string) (callback url.Values, asked url.Values) {
	w.Helper()
	got := w.ask(h, "GET", "/console/session/login?"+query)
	if got.Code != http.StatusFound {
		w.Fatalf("%d %s", got.Code, got.Body)
	}
	code, asked := w.issuer.authorize(got.Header().Get("Location"))
	return url.Values{"code": {code}, "state": {asked.Get("state")}}, asked
}

// signIn signs in, and returns where the page goes on.
func (w *world) signIn(h http.Handler, to string) string {
	w.Helper()
	callback, _ := w.begin(h, url.Values{"to": {to}}.Encode())
	got := w.ask(h, "GET", "/console/session/callback?"+callback.Encode())
	if got.Code != http.StatusFound {
		w.Fatalf("%d %s", got.Code, got.Body)
	}
	return got.Header().Get("Location")
}

type reply struct {
	Token, Expires, Label, Code, Detail, Redirect, Issuer, Address string
	Person                                                         string
	SignedOut                                                      string `json:"signed_out"`
	Status                                                         int
}

func (w *world) post(h http.Handler, call string, headers ...string) (*httptest.ResponseRecorder, reply) {
	w.Helper()
	got := w.ask(h, "POST", "/console/session/"+call, headers...)
	var body reply
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
		w.Fatalf("%s: %v", got.Body, err)
	}
	if got.Code >= 400 && (got.Header().Get("Content-Type") != "application/problem+json" || body.Status != got.Code || body.Code == "" || body.Detail == "" || body.Label != "TEST") {
		w.Errorf("no problem: %v %s", got.Header(), got.Body)
	}
	if got.Header().Get("Cache-Control") != "no-store" {
		w.Errorf("%s may be stored", call)
	}
	return got, body
}

func TestASessionFromSignInToSignOut(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	if got, body := w.post(h, "token", own); got.Code != http.StatusUnauthorized || body.Code != "not_signed_in" {
		t.Errorf("%d %+v", got.Code, body)
	}
	callback, asked := w.begin(h, "to=%23%2Fconnectors%2Fc1&lang=ar")
	for name, want := range map[string]string{
		"client_id": clientID, "redirect_uri": base + "/console/session/callback", "response_type": "code", "scope": "openid profile mts",
		"code_challenge_method": "S256", "ui_locales": "ar",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, asked.Get(name), want)
		}
	}
	if len(asked.Get("state")) < 22 || len(asked.Get("nonce")) < 22 || len(asked.Get("code_challenge")) != 43 {
		t.Errorf("%v", asked)
	}
	h = w.restart() // another instance of the function takes the callback
	got := w.ask(h, "GET", "/console/session/callback?"+callback.Encode())
	if got.Code != http.StatusFound || got.Header().Get("Location") != base+"/console#/connectors/c1" {
		t.Fatalf("%d %v", got.Code, got.Header())
	}
	if w.cookies[loginCookie] != "" || w.cookies[sessionCookie] == "" || strings.Contains(w.cookies[sessionCookie], "refresh") {
		t.Errorf("cookies %v", w.cookies)
	}

	kept := w.cookies[sessionCookie]
	answer, body := w.post(h, fresh, own, "Sec-Fetch-Site: same-origin")
	if answer.Code != http.StatusOK || body.Token != "access-2" || body.Label != "TEST" || body.Expires != w.now.Add(5*time.Minute).Format(time.RFC3339) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if w.cookies[sessionCookie] == kept {
		t.Error("the cookie does not follow the rotation")
	}
	if w.issuer.calls["/.well-known/openid-configuration"] > 2 {
		t.Errorf("discovery is read %d times", w.issuer.calls["/.well-known/openid-configuration"])
	}

	answer, body = w.post(h, "logout?lang=ar", own)
	want := w.issuer.address() + "/end?client_id=mts-console&post_logout_redirect_uri=" + url.QueryEscape(base+"/console/session/signed-out") + "&theme=x&ui_locales=ar"
	if answer.Code != http.StatusOK || body.Address != want {
		t.Errorf("%d %q, want %q", answer.Code, body.Address, want)
	}
	if len(w.cookies) != 0 || len(w.issuer.refresh) != 0 {
		t.Errorf("cookies %v, refresh tokens %v", w.cookies, w.issuer.refresh)
	}
	if got := w.ask(h, "GET", "/console/session/signed-out?state=x"); got.Code != http.StatusFound || got.Header().Get("Location") != base+"/console#/signed-out" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	// Who had copied the cookie has no session either.
	w.cookies[sessionCookie] = kept
	if answer, body := w.post(h, "token", own); answer.Code != http.StatusUnauthorized || body.Code != "session_ended" {
		t.Errorf("%d %+v", answer.Code, body)
	}
}

// The flags of the cookies: the way back from the issuer comes from another site, and
// nothing else does.
func TestFlagsOfTheCookies(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	got := w.ask(h, "GET", "/console/session/login")
	if c := got.Header().Values("Set-Cookie"); len(c) != 1 || !strings.HasPrefix(c[0], loginCookie+"=") || !strings.HasSuffix(c[0], "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("%q", c)
	}
	code, asked := w.issuer.authorize(got.Header().Get("Location"))
	got = w.ask(h, "GET", "/console/session/callback?"+url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode())
	if c := got.Header().Values("Set-Cookie"); len(c) != 3 || !strings.HasPrefix(c[0], loginCookie+"=; Path=/; Max-Age=0;") ||
		!strings.HasPrefix(c[1], sessionCookie+"=") || !strings.HasSuffix(c[1], "; Path=/; HttpOnly; Secure; SameSite=Strict") ||
		!strings.HasPrefix(c[2], accessCookie+"=") || !strings.HasSuffix(c[2], "; Path=/; HttpOnly; Secure; SameSite=Strict") {
		t.Errorf("%q", c)
	}
	w.options.Base = "https://api.example.org"
	got = w.ask(w.restart(), "GET", "/console/session/login")
	if c := got.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-login=") {
		t.Errorf("%q", c)
	}
}

func TestFailedSignIns(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, callback url.Values)
		reason string
	}{
		"another state":           {func(_ *world, q url.Values) { q.Set("state", "other") }, "state"},
		"no state":                {func(_ *world, q url.Values) { q.Del("state") }, "state"},
		"tampered cookie":         {func(w *world, _ url.Values) { w.cookies[loginCookie] = tampered(w.cookies[loginCookie]) }, "state"},
		"no cookie at all":        {func(w *world, _ url.Values) { delete(w.cookies, loginCookie) }, "expired"},
		"rubbish in the cookie":   {func(w *world, _ url.Values) { w.cookies[loginCookie] = "e30.e30.e30" }, "state"},
		"ten minutes later":       {func(w *world, _ url.Values) { w.now = w.now.Add(10 * time.Minute) }, "expired"},
		"reply of another issuer": {func(_ *world, q url.Values) { q.Set("iss", "https://evil.example") }, "state"},
		"refused by the issuer":   {func(_ *world, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, "refused"},
		"error and code":          {func(_ *world, q url.Values) { q.Set("error", "login_required") }, "refused"},
		"no code":                 {func(_ *world, q url.Values) { q.Del("code") }, "refused"},
		"issuer is not ready":     {func(_ *world, q url.Values) { q.Set("error", "temporarily_unavailable") }, "issuer_away"},
		"unknown code":            {func(_ *world, q url.Values) { q.Set("code", "guess") }, "refused"},
		"wrong nonce":             {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"nonce": "other"} }, "refused"},
		"no nonce":                {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"nonce": ""} }, "refused"},
		"ID token for another":    {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"aud": "other"} }, "refused"},
		"ID token of another":     {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"iss": "https://other.example"} }, "refused"},
		"ID token is over":        {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"exp": w.now.Add(-time.Minute).Unix()} }, "refused"},
		"another access token":    {func(w *world, _ url.Values) { w.issuer.claims = map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"} }, "refused"},
		"no ID token":             {func(w *world, _ url.Values) { w.issuer.reply = map[string]any{"id_token": nil} }, "refused"},
		"no refresh token":        {func(w *world, _ url.Values) { w.issuer.reply = map[string]any{"refresh_token": nil} }, "refused"},
		"refresh token too long": {func(w *world, _ url.Values) {
			w.issuer.reply = map[string]any{"refresh_token": strings.Repeat("x", 3000)}
		}, "too_long"},
		"token endpoint broken":    {func(w *world, _ url.Values) { w.issuer.status["/token"] = 500 }, "issuer_away"},
		"token endpoint overrun":   {func(w *world, _ url.Values) { w.issuer.status["/token"] = 429 }, "issuer_away"},
		"keys cannot be read":      {func(w *world, _ url.Values) { w.issuer.status["/keys"] = 500 }, "issuer_away"},
		"issuer gone":              {func(w *world, _ url.Values) { w.issuer.server.Close() }, "issuer_away"},
		"other secret":             {func(w *world, _ url.Values) { w.secret = "former" }, "not_set_up"},
		"secret is gone":           {func(w *world, _ url.Values) { w.secret = "" }, "not_set_up"},
		"key cannot be read":       {func(w *world, _ url.Values) { w.keys.fail = errors.New("Vera") }, "failed"},
		"sealed with a former key": {func(w *world, _ url.Values) { w.keys.Keyring = append(w.keys.Keyring, seedingtest.Key("k2")) }, ""},
		"key is revoked":           {func(w *world, _ url.Values) { w.keys.Keyring = seedingtest.Keyring{seedingtest.Key("k2")} }, "state"},
		"the right issuer by name": {func(w *world, q url.Values) { q.Set("iss", w.issuer.address()) }, ""},
		"right":                    {func(*world, url.Values) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			h := w.restart()
			callback, _ := w.begin(h, "to=%23%2Fx")
			c.change(w, callback)
			got := w.ask(h, "GET", "/console/session/callback?"+callback.Encode())
			want := base + "/console#/x"
			if c.reason != "" {
				want = base + "/console#/sign-in?reason=" + c.reason
			}
			if got.Code != http.StatusFound || got.Header().Get("Location") != want {
				t.Errorf("%d %q, want %q", got.Code, got.Header().Get("Location"), want)
			}
			if (w.cookies[sessionCookie] != "") != (c.reason == "") || w.cookies[loginCookie] != "" {
				t.Errorf("cookies %v", w.cookies)
			}
			for _, secret := range []string{"Vera", "refresh-", "access-", clientSecret, callback.Get("state")} {
				if secret != "" && strings.Contains(w.log.String(), secret) {
					t.Errorf("%q is logged: %s", secret, w.log.String())
				}
			}
			// The reply of the issuer counts once.
			if got := w.ask(h, "GET", "/console/session/callback?"+callback.Encode()).Header().Get("Location"); got != base+"/console#/sign-in?reason=expired" && w.secret != "" {
				t.Errorf("again: %q", got)
			}
		})
	}
}

// tampered changes the last byte of what a text holds.
func tampered(text string) string {
	other := "A"
	if strings.HasSuffix(text, "A") {
		other = "Q"
	}
	return text[:len(text)-1] + other
}

// What login cannot do is said by the page as well.
func TestLoginThatCannotBegin(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		reason string
	}{
		"no secret":               {func(w *world) { w.secret = "" }, "not_set_up"},
		"issuer gone":             {func(w *world) { w.issuer.server.Close() }, "issuer_away"},
		"discovery fails":         {func(w *world) { w.issuer.status["/.well-known/openid-configuration"] = 503 }, "issuer_away"},
		"discovery of another":    {func(w *world) { w.issuer.document = map[string]any{"issuer": "https://other.example"} }, "issuer_away"},
		"endpoint is no address":  {func(w *world) { w.issuer.document = map[string]any{"authorization_endpoint": "javascript:alert(1)"} }, "issuer_away"},
		"endpoint with a user":    {func(w *world) { w.issuer.document = map[string]any{"token_endpoint": "https://a@b.example/token"} }, "issuer_away"},
		"discovery is too large":  {func(w *world) { w.issuer.document = map[string]any{"x": strings.Repeat("x", 17<<20)} }, "issuer_away"},
		"secret cannot be read":   {func(w *world) { w.options.Secret = func(context.Context) (string, error) { return "", io.EOF } }, "failed"},
		"the key cannot be read":  {func(w *world) { w.keys.fail = io.EOF }, "failed"},
		"a redirect of discovery": {func(w *world) { w.issuer.status["/.well-known/openid-configuration"] = 302 }, "issuer_away"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			got := w.ask(w.restart(), "GET", "/console/session/login?to=%23%2Fx")
			if want := base + "/console#/sign-in?reason=" + c.reason; got.Code != http.StatusFound || got.Header().Get("Location") != want {
				t.Errorf("%d %q, want %q", got.Code, got.Header().Get("Location"), want)
			}
		})
	}
}

// Where the page goes on is a place in the page, whatever is asked for.
func TestForeignTargetsAreDropped(t *testing.T) {
	for to, want := range map[string]string{
		"#/connectors/c1/rejections?kind=refused": "#/connectors/c1/rejections?kind=refused",
		"#/a%20b":                       "#/a%20b",
		"#/a|b":                         "#/a%7Cb",
		"#/\u0639":                      "#/%D8%B9",
		"#/a\"<b>":                      "#/a%22%3Cb%3E",
		"":                              "#/",
		"#":                             "#/",
		"#x":                            "#/",
		"/connectors":                   "#/",
		"https://evil.example":          "#/",
		"https://evil.example/#/x":      "#/",
		"//evil.example#/x":             "#/",
		"?x#/x":                         "#/",
		"\\\\evil.example#/":            "#/",
		"#/x\r\nLocation: y":            "#/x%0D%0ALocation:%20y",
		"#/%zz":                         "#/",
		"#//evil.example":               "#//evil.example",
		"/\\evil.example":               "#/",
		"/\t/evil.example#/":            "#/",
		"javascript:alert(1)":           "#/",
		"javascript:alert(1)#/":         "#/",
		"data:text/html,x#/":            "#/",
		"%2f%2fevil.example":            "#/",
		"%23/x":                         "#/",
		" #/x":                          "#/",
		"\t#/x":                         "#/",
		"\n#/x":                         "#/",
		"\x00#/x":                       "#/",
		"@evil.example#/":               "#/",
		".evil.example#/":               "#/",
		":80#/":                         "#/",
		"#/\t//evil.example":            "#/%09//evil.example",
		"#/" + strings.Repeat("x", 999): "#/",
	} {
		w := newWorld(t)
		if got := w.signIn(w.restart(), to); got != base+"/console"+want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
	for lang, want := range map[string]string{"pt-BR": "pt-BR", "": "", "x": "", "ar en": "", "en&prompt=none": ""} {
		w := newWorld(t)
		_, asked := w.begin(w.restart(), url.Values{"lang": {lang}}.Encode())
		if asked.Get("ui_locales") != want || asked.Has("prompt") {
			t.Errorf("%q: %v", lang, asked)
		}
	}
}

func TestTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*world)
		headers []string
		status  int
		code    string
		kept    bool // the session
	}{
		"right":                 {func(*world) {}, []string{own}, 200, "", true},
		"a former key":          {func(w *world) { w.keys.Keyring = append(w.keys.Keyring, seedingtest.Key("k2")) }, []string{own}, 200, "", true},
		"key is revoked":        {func(w *world) { w.keys.Keyring = seedingtest.Keyring{seedingtest.Key("k2")} }, []string{own}, 401, "not_signed_in", false},
		"tampered":              {func(w *world) { w.cookies[sessionCookie] = tampered(w.cookies[sessionCookie]) }, []string{own}, 401, "not_signed_in", false},
		"rubbish":               {func(w *world) { w.cookies[sessionCookie] = "x" }, []string{own}, 401, "not_signed_in", false},
		"no header":             {func(*world) {}, nil, 403, "cross_site", true},
		"another site":          {func(*world) {}, []string{own, "Sec-Fetch-Site: cross-site"}, 403, "cross_site", true},
		"same site":             {func(*world) {}, []string{own, "Sec-Fetch-Site: same-site"}, 403, "cross_site", true},
		"ended at the issuer":   {func(w *world) { w.issuer.refresh = map[string]bool{} }, []string{own}, 401, "session_ended", true},
		"issuer broken":         {func(w *world) { w.issuer.status["/token"] = 503 }, []string{own}, 502, "issuer_away", true},
		"issuer gone":           {func(w *world) { w.issuer.server.Close() }, []string{own}, 502, "issuer_away", true},
		"other secret":          {func(w *world) { w.secret = "former" }, []string{own}, 409, "not_set_up", true},
		"no secret":             {func(w *world) { w.secret = "" }, []string{own}, 409, "not_set_up", true},
		"key cannot be read":    {func(w *world) { w.keys.fail = io.EOF }, []string{own}, 500, "failed", true},
		"secret cannot be read": {func(w *world) { w.options.Secret = func(context.Context) (string, error) { return "", io.EOF } }, []string{own}, 500, "failed", true},
		"rotated to a long one": {func(w *world) { w.issuer.reply = map[string]any{"refresh_token": strings.Repeat("x", 4000)} }, []string{own}, 502, "too_long", true},
		"not rotated":           {func(w *world) { w.issuer.reply = map[string]any{"refresh_token": nil} }, []string{own}, 200, "", true},
		"grant is not allowed":  {func(w *world) { w.issuer.error = "unauthorized_client" }, []string{own}, 409, "not_set_up", true},
		"issuer is not ready":   {func(w *world) { w.issuer.error = "temporarily_unavailable" }, []string{own}, 502, "issuer_away", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn(w.restart(), "")
			c.change(w)
			got, body := w.post(w.restart(), fresh, c.headers...)
			if got.Code != c.status || body.Code != c.code || (w.cookies[sessionCookie] != "") != c.kept {
				t.Errorf("%d %s, cookies %v", got.Code, got.Body, w.cookies)
			}
			if body.Code == "not_set_up" && (body.Redirect != base+"/console/session/callback" || body.SignedOut != base+"/console/session/signed-out" || body.Issuer != w.issuer.address()) {
				t.Errorf("%s", got.Body)
			}
			for _, secret := range []string{"refresh-", "access-", clientSecret, "Vera"} {
				if strings.Contains(w.log.String(), secret) || got.Code != 200 && strings.Contains(got.Body.String(), secret) {
					t.Errorf("%q is told: %s %s", secret, w.log.String(), got.Body)
				}
			}
		})
	}
}

// When an access token ends is what the issuer says, or the token itself.
func TestEndOfAnAccessToken(t *testing.T) {
	for name, c := range map[string]struct {
		reply map[string]any
		after time.Duration
	}{
		"by the issuer": {nil, 5 * time.Minute},
		"by the token":  {map[string]any{"expires_in": nil, "access_token": "e30.eyJleHAiOjQwNzA5MDg4MDB9.x"}, time.Unix(4070908800, 0).Sub(seedingtest.Now)},
		"by nobody":     {map[string]any{"expires_in": nil}, time.Minute},
		"as a text":     {map[string]any{"expires_in": "120"}, 2 * time.Minute},
	} {
		w := newWorld(t)
		w.signIn(w.restart(), "")
		w.issuer.reply = c.reply
		if got, body := w.post(w.restart(), fresh, own); body.Expires != w.now.Add(c.after).Format(time.RFC3339) {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
}

// An access token is handed out again while it is valid and younger than the page's, so
// that a page that is loaded again uses no refresh token.
func TestAnAccessTokenIsHandedOutAgain(t *testing.T) {
	after := func(d time.Duration) string {
		return "token?" + url.Values{"after": {seedingtest.Now.Add(d).Format(time.RFC3339)}}.Encode()
	}
	const again, renewed = "access-1", "access-2"
	for name, c := range map[string]struct {
		change func(*world)
		call   string
		token  string // "": no session
	}{
		"a page that has none":        {func(*world) {}, "token", again},
		"again on another instance":   {func(w *world) { w.post(w.restart(), "token", own) }, "token", again},
		"the page's ends earlier":     {func(*world) {}, after(5*time.Minute - time.Second), again},
		"the page has this one":       {func(*world) {}, after(5 * time.Minute), renewed},
		"another page has renewed it": {func(w *world) { w.now = w.now.Add(time.Minute); w.post(w.restart(), fresh, own) }, after(5 * time.Minute), renewed},
		"rubbish for a time":          {func(*world) {}, "token?after=%00&after=x", again},
		"ten seconds are left":        {func(w *world) { w.now = w.now.Add(290 * time.Second) }, "token", again},
		"nine seconds are left":       {func(w *world) { w.now = w.now.Add(291 * time.Second) }, "token", renewed},
		"it is over":                  {func(w *world) { w.now = w.now.Add(time.Hour) }, "token", renewed},
		"the issuer is away":          {func(w *world) { w.issuer.server.Close() }, "token", again},
		"tampered":                    {func(w *world) { w.cookies[accessCookie] = tampered(w.cookies[accessCookie]) }, "token", renewed},
		"a session for it":            {func(w *world) { w.cookies[accessCookie] = w.cookies[sessionCookie] }, "token", renewed},
		"dropped":                     {func(w *world) { delete(w.cookies, accessCookie) }, "token", renewed},
		"no session":                  {func(w *world) { delete(w.cookies, sessionCookie) }, "token", ""},
		"it for a session":            {func(w *world) { w.cookies[sessionCookie] = w.cookies[accessCookie] }, "token", ""},
		"a session of somebody else there": {func(w *world) {
			held := w.cookies[accessCookie]
			w.issuer.claims = map[string]any{"sub": "u2"}
			w.signIn(w.restart(), "")
			w.cookies[accessCookie] = held
		}, "token", "access-3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn(w.restart(), "")
			c.change(w)
			if got, body := w.post(w.restart(), c.call, own); body.Token != c.token || (c.token == "") != (got.Code == http.StatusUnauthorized) {
				t.Errorf("%d %s, want %s", got.Code, got.Body, c.token)
			}
		})
	}
}

// What is too long to be kept is asked for each time, and the one before is not handed
// out for it.
func TestAnAccessTokenThatIsTooLongToBeKept(t *testing.T) {
	w := newWorld(t)
	w.signIn(w.restart(), "")
	long := strings.Repeat("x", 2500)
	w.issuer.reply = map[string]any{"access_token": long, "id_token": nil}
	for range 2 {
		if got, body := w.post(w.restart(), fresh, own); body.Token != long || w.cookies[accessCookie] != "" || w.cookies[sessionCookie] == "" {
			t.Errorf("%d, cookies %v", got.Code, w.cookies)
		}
	}
}

// The page learns whose token it has, as an id, at each of them.
func TestWhoseTokenItIs(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	w.issuer.claims = map[string]any{"sub": "u1"}
	w.signIn(h, "")
	for _, call := range []string{"token", fresh, "token"} {
		if _, body := w.post(h, call, own); body.Person != "u1" {
			t.Errorf("%+v", body)
		}
	}
	w.issuer.claims = map[string]any{"sub": "u2"}
	w.signIn(h, "")
	for _, call := range []string{"token", fresh, "token"} {
		if _, body := w.post(h, call, own); body.Person != "u2" {
			t.Errorf("%+v", body)
		}
	}
}

// Two pages that use one refresh token at once: the one that is refused leaves the
// cookie that the other one got, and finds its token when it asks again.
func TestARefusedRefreshTokenLeavesTheCookie(t *testing.T) {
	w := newWorld(t)
	w.signIn(w.restart(), "")
	former := w.cookies[sessionCookie]
	w.post(w.restart(), fresh, own)
	renewed := w.cookies[sessionCookie]
	access := w.cookies[accessCookie]
	w.cookies[sessionCookie] = former
	if got, body := w.post(w.restart(), fresh, own); got.Code != http.StatusUnauthorized || body.Code != "session_ended" || w.cookies[sessionCookie] != former || w.cookies[accessCookie] != access {
		t.Errorf("%d %s, cookies %v", got.Code, got.Body, w.cookies)
	}
	w.cookies[sessionCookie] = renewed
	if got, body := w.post(w.restart(), "token", own); body.Token != "access-2" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// Signing out always ends the session here, whatever the issuer does.
func TestSigningOut(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*world)
		headers []string
		status  int
		address bool
		kept    bool
	}{
		"issuer gone":            {func(w *world) { w.issuer.server.Close() }, []string{own}, 200, false, false},
		"revocation fails":       {func(w *world) { w.issuer.status["/revoke"] = 500 }, []string{own}, 200, true, false},
		"no revocation":          {func(w *world) { w.issuer.document = map[string]any{"revocation_endpoint": nil} }, []string{own}, 200, true, false},
		"no end of session":      {func(w *world) { w.issuer.document = map[string]any{"end_session_endpoint": nil} }, []string{own}, 200, false, false},
		"a script for an end":    {func(w *world) { w.issuer.document = map[string]any{"end_session_endpoint": "javascript:alert(1)"} }, []string{own}, 200, false, false},
		"no session":             {func(w *world) { w.cookies = map[string]string{} }, []string{own}, 200, true, false},
		"no secret":              {func(w *world) { w.secret = "" }, []string{own}, 200, false, false},
		"another site":           {func(*world) {}, []string{own, "Sec-Fetch-Site: cross-site"}, 403, false, true},
		"a form of another site": {func(*world) {}, nil, 403, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn(w.restart(), "")
			c.change(w)
			got, body := w.post(w.restart(), "logout", c.headers...)
			if got.Code != c.status || (body.Address != "") != c.address || (w.cookies[sessionCookie] != "") != c.kept {
				t.Errorf("%d %s, cookies %v", got.Code, got.Body, w.cookies)
			}
			if strings.Contains(body.Address, "refresh-") || strings.Contains(body.Address, "id_token") {
				t.Error("a token is in the address")
			}
		})
	}
}

// A cookie of one purpose is none of the other: nobody makes a session of a login.
func TestCookiesOfOnePurposeOpenForNoOther(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	w.begin(h, "")
	w.cookies[sessionCookie] = w.cookies[loginCookie]
	if got, body := w.post(h, "token", own); got.Code != http.StatusUnauthorized {
		t.Errorf("%d %+v", got.Code, body)
	}
}

// An issuer that takes credentials in the form alone gets them there, and nobody gets a
// code twice.
func TestCredentialsAsTheIssuerTakesThem(t *testing.T) {
	for _, methods := range [][]string{{"client_secret_post"}, {"client_secret_basic", "client_secret_post"}, {"private_key_jwt", "client_secret_basic"}} {
		w := newWorld(t)
		w.issuer.document = map[string]any{"token_endpoint_auth_methods_supported": methods}
		h := w.restart()
		w.signIn(h, "")
		if w.issuer.calls["/token"] != 1 || w.cookies[sessionCookie] == "" {
			t.Errorf("%v: %d calls", methods, w.issuer.calls["/token"])
		}
		if _, body := w.post(h, "logout", own); body.Address == "" || len(w.issuer.refresh) != 0 {
			t.Errorf("%v: not revoked", methods)
		}
	}
}

// What was discovered counts for an hour, and longer while the issuer does not answer.
func TestDiscoveryIsReadAgain(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	const path = "/.well-known/openid-configuration"
	login := func(want int) {
		t.Helper()
		if got := w.ask(h, "GET", "/console/session/login"); !strings.HasPrefix(got.Header().Get("Location"), w.issuer.address()) || w.issuer.calls[path] != want {
			t.Errorf("%q after %d calls, want %d", got.Header().Get("Location"), w.issuer.calls[path], want)
		}
	}
	login(1)
	w.now = w.now.Add(59 * time.Minute)
	login(1)
	w.now = w.now.Add(time.Minute)
	w.issuer.status[path] = 500
	login(2)
	login(2)
	w.now = w.now.Add(time.Minute)
	w.issuer.status[path] = 0
	login(3)
	login(3)
}

func TestFiles(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	const forever = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		path, accept, status, contentType, encoding, cache, body string
	}{
		{"/console", "gzip, deflate, br", "200", "text/html; charset=utf-8", "br", "no-cache", "<!doctype html>"},
		{"/console", "", "200", "text/html; charset=utf-8", "", "no-cache", "<!doctype html>"},
		{"/console", "*", "200", "text/html; charset=utf-8", "", "no-cache", "<!doctype html>"},
		{"/console/main-0123456789.js", "gzip, deflate", "200", "text/javascript; charset=utf-8", "", forever, "script()"},
		{"/console/main-0123456789.js", "gzip, deflate, br, zstd", "200", "text/javascript; charset=utf-8", "br", forever, "script()"},
		{"/console/main-0123456789.js", "BR ; q=0.5", "200", "text/javascript; charset=utf-8", "br", forever, "script()"},
		{"/console/main-0123456789.js", "br;q=0, *", "200", "text/javascript; charset=utf-8", "", forever, "script()"},
		{"/console/main-0123456789.js", "br;q=x", "200", "text/javascript; charset=utf-8", "", forever, "script()"},
		{"/console/main-0123456789.js", "identity", "200", "text/javascript; charset=utf-8", "", forever, "script()"},
		{"/console/main-0123456789.css", "br", "200", "text/css; charset=utf-8", "br", forever, "body{}"},
		{"/console/sentences-ar-0123456789.json", "identity", "200", "application/json", "", forever, "{}"},
		{"/console/main-9876543210.js", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/index.html", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/stamp", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/.gitkeep", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/session", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/session/other", "br", "404", "application/problem+json", "", "no-store", ""},
		{"/console/x/y", "br", "404", "application/problem+json", "", "no-store", ""},
	} {
		got := w.ask(h, "GET", c.path, "Accept-Encoding: "+c.accept)
		header := got.Header()
		if got.Code != status(c.status) || header.Get("Content-Type") != c.contentType || header.Get("Content-Encoding") != c.encoding || header.Get("Cache-Control") != c.cache {
			t.Errorf("%s for %q: %d %v", c.path, c.accept, got.Code, header)
		}
		if c.body == "" {
			continue
		}
		body := got.Body.Bytes()
		if c.encoding == "br" {
			body, _ = io.ReadAll(brotli.NewReader(got.Body))
		}
		if string(body) != c.body || header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s for %q: %q", c.path, c.accept, body)
		}
		// Whoever has it does not get it again, in whichever form.
		tag := header.Get("ETag")
		for _, given := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if got := w.ask(h, "GET", c.path, "Accept-Encoding: "+c.accept, "If-None-Match: "+given); got.Code != http.StatusNotModified || got.Body.Len() != 0 || got.Header().Get("ETag") != tag || got.Header().Get("Cache-Control") != c.cache {
				t.Errorf("%s with %s: %d %v", c.path, given, got.Code, got.Header())
			}
		}
		if got := w.ask(h, "GET", c.path, "Accept-Encoding: "+c.accept, `If-None-Match: "other"`); got.Code != http.StatusOK {
			t.Errorf("%s with another tag: %d", c.path, got.Code)
		}
	}
	if got := w.ask(h, "POST", "/console"); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != "GET" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	if got := w.ask(h, "GET", "/console/session/token"); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != "POST" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
}

func status(text string) int {
	var n int
	_ = json.Unmarshal([]byte(text), &n)
	return n
}

// Without a build everything else works, and the page says what to do.
func TestWithoutABuild(t *testing.T) {
	w := newWorld(t)
	files, err := console.ReadFiles(fstest.MapFS{".gitkeep": {}, "stamp": {}})
	if err != nil {
		t.Fatal(err)
	}
	w.options.Files = files
	h := w.restart()
	if got := w.ask(h, "GET", "/console"); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "make console") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	w.signIn(h, "")
	if _, body := w.post(h, "token", own); body.Token == "" {
		t.Error("no token")
	}
	if _, err := console.Built(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"main.js.br", "main-0123456789.exe.br", "other.html.br"} {
		build := build()
		build[name] = &fstest.MapFile{}
		if _, err := console.ReadFiles(build); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
	incomplete := build()
	delete(incomplete, "index.html.br")
	if _, err := console.ReadFiles(incomplete); err == nil {
		t.Error("a build without a page is taken")
	}
}

// Strict transport security is for https.
func TestHeaders(t *testing.T) {
	if console.Header("http://127.0.0.1:8080").Get("Strict-Transport-Security") != "" || console.Header(base).Get("Strict-Transport-Security") == "" {
		t.Error("Strict-Transport-Security")
	}
	policy := console.Header(base).Get("Content-Security-Policy")
	for _, unsafe := range []string{"unsafe", "*", "http"} {
		if strings.Contains(policy, unsafe) {
			t.Errorf("%s is in %s", unsafe, policy)
		}
	}
}
