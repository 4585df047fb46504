package console_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// hostile makes a request that has the name of a foreign host wherever one can put it,
// and fails the test if the reply is 5xx, leads elsewhere than to the issuer or into the
// page, or repeats the name.
func (w *world) hostile(h http.Handler, method, path string, query url.Values, header http.Header, cookies ...string) *httptest.ResponseRecorder {
	w.Helper()
	const foreign = "evil.example"
	r := httptest.NewRequest(method, path, nil)
	r.URL.RawQuery, r.Host = query.Encode(), foreign
	for _, name := range []string{"Host", "X-Forwarded-Host", "X-Original-Host", "Origin", "Referer", "Forwarded", "X-Original-URL", "X-Rewrite-URL"} {
		r.Header.Set(name, "https://"+foreign+"/")
	}
	maps.Copy(r.Header, header)
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	location := got.Header().Get("Location")
	if got.Code >= 500 || location != "" && !strings.HasPrefix(location, base+"/console#/") && !strings.HasPrefix(location, w.issuer.address()+"/auth?") {
		w.Errorf("%s %s: %d to %q", method, path, got.Code, location)
	}
	for name, values := range got.Header() {
		if name != "Set-Cookie" && strings.Contains(strings.Join(values, " "), foreign) {
			w.Errorf("%s %s: %s is %q", method, path, name, values)
		}
	}
	if strings.Contains(got.Body.String(), foreign) || strings.Contains(got.Body.String(), "<script") {
		w.Errorf("%s %s repeats what was sent: %s", method, path, got.Body)
	}
	return got
}

// The paths of the console, and some below it that are none.
var paths = []string{
	"/console", "/console/main-0123456789.js", "/console/session/login", "/console/session/callback", "/console/session/signed-out",
	"/console/session/token", "/console/session/logout", "/console/session", "/console/evil.example", "/console/session/login/x",
}

// Whoever names another host in a header, or asks in another way, learns and moves
// nothing.
func TestHostileHeadersAndMethods(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	w.signIn(h, "")
	session := sessionCookie + "=" + w.cookies[sessionCookie]
	long := strings.Repeat("evil.example, ", 700) // what API Gateway takes
	for _, path := range paths {
		for _, header := range []http.Header{
			{"Range": {"bytes=0-1"}}, {"Range": {"bytes=-1,0-0," + long}}, {"If-Range": {`"x"`}, "Range": {"bytes=5-"}},
			{"If-None-Match": {`"x", W/"y", ` + long}}, {"If-None-Match": {`W/`}}, {"If-Modified-Since": {"x"}},
			{"Accept-Encoding": {long}}, {"Accept-Encoding": {"gzip;q=x, br;q=-1"}}, {"Accept": {"text/xml"}},
			{"X-Http-Method-Override": {"POST"}}, {"Transfer-Encoding": {"chunked"}}, {"Cookie": {strings.Repeat("a=b; ", 1900)}},
		} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "POST"} {
				got := w.hostile(h, method, path, url.Values{"x": {"evil.example"}}, header, session)
				if method == "GET" && path == "/console" && got.Code != http.StatusOK {
					t.Errorf("%v: %d", header, got.Code)
				}
				if !slices.Contains([]string{"GET", "POST"}, method) && got.Code < 400 {
					t.Errorf("%s %s: %d", method, path, got.Code)
				}
			}
		}
	}
	if len(w.issuer.refresh) != 1 || w.issuer.calls["/token"] != 1 || w.issuer.calls["/revoke"] != 0 {
		t.Errorf("calls of the issuer: %v", w.issuer.calls)
	}
}

// Only the page itself gets tokens, and ends the session.
func TestPostsFromOtherSites(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	w.signIn(h, "")
	cookies := []string{sessionCookie + "=" + w.cookies[sessionCookie], accessCookie + "=" + w.cookies[accessCookie]}
	for _, call := range []string{"token", "logout"} {
		for _, header := range []http.Header{
			{}, {"X-Console": {"0"}}, {"X-Console": {""}}, {"X-Console": {"1, 1"}}, {"X-Console": {"1"}, "Sec-Fetch-Site": {"cross-site"}},
			{"X-Console": {"1"}, "Sec-Fetch-Site": {"same-site"}}, {"X-Console": {"1"}, "Sec-Fetch-Site": {"none"}},
			{"X-Console": {"1"}, "Sec-Fetch-Site": {"SAME-ORIGIN"}}, {"Sec-Fetch-Site": {"same-origin"}}, {"Content-Type": {"text/plain"}},
		} {
			if got := w.hostile(h, "POST", "/console/session/"+call, nil, header, cookies...); got.Code != http.StatusForbidden || len(got.Result().Cookies()) != 0 {
				t.Errorf("%s with %v: %d %s", call, header, got.Code, got.Body)
			}
		}
	}
	if len(w.issuer.refresh) != 1 {
		t.Error("the session was ended")
	}
}

// Cookies that are not those of this session.
func TestCookiesThatAreWrong(t *testing.T) {
	w := newWorld(t)
	h := w.restart()
	w.signIn(h, "")
	w.begin(h, "")
	login, session, access := w.cookies[loginCookie], w.cookies[sessionCookie], w.cookies[accessCookie]
	elsewhere := newWorld(t) // another deployment, whose key has the same id
	elsewhere.keys.Keyring[0].Secret = []byte(strings.Repeat("x", 32))
	elsewhere.signIn(elsewhere.restart(), "")
	parts := strings.Split(session, ".")
	for name, c := range map[string]struct {
		cookies []string
		signed  bool
	}{
		"right":                         {[]string{sessionCookie + "=" + session}, true},
		"none":                          {nil, false},
		"truncated":                     {[]string{sessionCookie + "=" + session[:len(session)-5]}, false},
		"without its tag":               {[]string{sessionCookie + "=" + strings.Join(parts[:4], ".") + "."}, false},
		"with another header":           {[]string{sessionCookie + "=e30." + strings.Join(parts[1:], ".")}, false},
		"no encryption at all":          {[]string{sessionCookie + "=eyJhbGciOiJub25lIn0.eyJyZWZyZXNoIjoieCJ9."}, false},
		"a key by another way":          {[]string{sessionCookie + "=eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA"}, false},
		"oversized":                     {[]string{sessionCookie + "=" + strings.Repeat("a", 9000)}, false},
		"oversized in five parts":       {[]string{sessionCookie + "=" + strings.Repeat(strings.Repeat("a", 2000)+".", 4) + "a"}, false},
		"a login for a session":         {[]string{sessionCookie + "=" + login}, false},
		"an access token for a session": {[]string{sessionCookie + "=" + access}, false},
		"of another deployment":         {[]string{sessionCookie + "=" + elsewhere.cookies[sessionCookie]}, false},
		"of another base path":          {[]string{"__Host-session=" + session, "__Host-session-other=" + session}, false},
		"without the prefix":            {[]string{"session-mts=" + session, "session=" + session}, false},
		"two, the right one first":      {[]string{sessionCookie + "=" + session, sessionCookie + "=x"}, true},
		"two, the wrong one first":      {[]string{sessionCookie + "=x", sessionCookie + "=" + session}, false},
		"empty":                         {[]string{sessionCookie + "="}, false},
		"quoted":                        {[]string{sessionCookie + `="` + session + `"`}, true},
		"with rubbish around":           {[]string{";;=", "\x00=\x7f", sessionCookie + "=" + session, "a", "=b"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			// With an access token that is valid the issuer is not asked.
			got := w.hostile(h, "POST", "/console/session/token", nil, http.Header{"X-Console": {"1"}}, append(c.cookies, accessCookie+"="+access)...)
			if (got.Code == http.StatusOK) != c.signed || got.Code != http.StatusOK && got.Code != http.StatusUnauthorized {
				t.Errorf("%d %s", got.Code, got.Body)
			}
		})
	}
}

// What comes back from the issuer, or from who pretends to.
func TestHostileCallbacks(t *testing.T) {
	for name, c := range map[string]struct {
		query  func(w *world, right url.Values) url.Values
		reason string
	}{
		"script in the description": {func(_ *world, right url.Values) url.Values {
			return url.Values{"state": right["state"], "error": {"access_denied"}, "error_description": {"<script>evil.example</script>"}, "error_uri": {"https://evil.example"}}
		}, "refused"},
		"script for an error": {func(_ *world, right url.Values) url.Values {
			return url.Values{"state": right["state"], "error": {"<script>alert('evil.example')</script>"}}
		}, "refused"},
		"a line break in an error": {func(_ *world, right url.Values) url.Values {
			return url.Values{"state": right["state"], "error": {"x\r\nLocation: https://evil.example"}}
		}, "refused"},
		"nothing": {func(*world, url.Values) url.Values { return nil }, "state"},
		"the state of another login": {func(w *world, right url.Values) url.Values {
			other := newWorld(w.T)
			theirs, _ := other.begin(other.restart(), "")
			return url.Values{"state": theirs["state"], "code": right["code"]}
		}, "state"},
		"the login before": {func(w *world, right url.Values) url.Values { w.begin(w.restart(), ""); return right }, "state"},
		"two states": {func(_ *world, right url.Values) url.Values {
			return url.Values{"state": {"evil.example", right.Get("state")}, "code": right["code"]}
		}, "state"},
		"a target of its own": {func(_ *world, right url.Values) url.Values { right.Set("to", "https://evil.example"); return right }, ""},
		"a redirect of its own": {func(_ *world, right url.Values) url.Values {
			right.Set("redirect_uri", "https://evil.example")
			return right
		}, ""},
		"a code of somebody else": {func(_ *world, right url.Values) url.Values { right.Set("code", "evil.example"); return right }, "refused"},
		"a very long code": {func(_ *world, right url.Values) url.Values {
			right.Set("code", strings.Repeat("x", 9000))
			return right
		}, "refused"},
		"a session for a login": {func(w *world, right url.Values) url.Values {
			w.cookies[loginCookie] = w.cookies[sessionCookie]
			return right
		}, "state"},
		"a code that was redeemed": {func(w *world, right url.Values) url.Values {
			login := w.cookies[loginCookie]
			w.ask(w.restart(), "GET", "/console/session/callback?"+right.Encode())
			w.cookies[loginCookie] = login // replayed
			return right
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			h := w.restart()
			w.signIn(h, "")
			right, _ := w.begin(h, "to=%23%2Fx")
			query := c.query(w, right)
			want := base + "/console#/x"
			if c.reason != "" {
				want = base + "/console#/sign-in?reason=" + c.reason
			}
			got := w.hostile(h, "GET", "/console/session/callback", query, nil, loginCookie+"="+w.cookies[loginCookie])
			if got.Code != http.StatusFound || got.Header().Get("Location") != want {
				t.Errorf("%d %q, want %q", got.Code, got.Header().Get("Location"), want)
			}
			for _, cookie := range got.Result().Cookies() {
				if cookie.Name != loginCookie && c.reason != "" {
					t.Errorf("it sets %s", cookie.Name)
				}
			}
		})
	}
}
