package console_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/console"
)

// direct calls a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// Whatever is asked for: nothing panics, while the issuer and the deployment work there
// is no 5xx, no redirect leads elsewhere than to the issuer's sign-in or into the page,
// no reply or cookie shows a secret, and only a right reply of the issuer makes a
// session. In the seeds and what is made of them, LOGIN, SESSION, ACCESS, STATE and CODE stand
// for right ones.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/console", "", "", "br"},
		{"GET", "/console/main-0123456789.js", "", "", ""},
		{"GET", "/console/session/login", "to=%23%2Fx&lang=ar", "", ""},
		{"GET", "/console/session/login", "to=https%3A%2F%2Fevil.example&to=%23%2F", "", ""},
		{"GET", "/console/session/callback", "state=STATE&code=CODE", "__Host-login-mts=LOGIN", ""},
		{"GET", "/console/session/callback", "state=STATE&code=CODE&iss=x", "__Host-login-mts=LOGIN", ""},
		{"GET", "/console/session/callback", "state=x&error=access_denied", "__Host-login-mts=SESSION", ""},
		{"POST", "/console/session/token", "", "__Host-session-mts=SESSION", "same-origin"},
		{"POST", "/console/session/token", "", "__Host-session-mts=LOGIN; __Host-session-mts=SESSION", "none"},
		{"POST", "/console/session/logout", "", "__Host-session-mts=SESSION", ""},
		{"POST", "/console/session/token", "after=2026-11-21T12:10:00Z", "__Host-session-mts=SESSION; __Host-access-mts=ACCESS", "same-origin"},
		{"POST", "/console/session/token", "", "__Host-session-mts=ACCESS; __Host-access-mts=SESSION", "same-origin"},
		{"POST", "/console/session/logout", "lang=ar&lang=x", "__Host-session-mts=x; __Host-session-mts=SESSION", "same-origin"},
		{"GET", "/console/session/signed-out", "state=x", "", "bytes=0-1"},
		{"HEAD", "/console", "", "", "bytes=0-1"},
		{"PUT", "/console/session/", "a=%zz", "a=b;;\"", "\x00"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	f.Fuzz(func(t *testing.T, method, path, query, cookie, header string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "/", nil)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		w := newWorld(t)
		w.options.HTTP = &http.Client{Transport: direct{w.issuer}}
		w.options.Log = slog.New(slog.DiscardHandler)
		h := console.New(w.options)
		w.signIn(h, "")
		callback, _ := w.begin(h, "")
		fill := strings.NewReplacer("LOGIN", w.cookies[loginCookie], "SESSION", w.cookies[sessionCookie], "ACCESS", w.cookies[accessCookie], "STATE", callback.Get("state"), "CODE", callback.Get("code"))

		request.URL = &url.URL{Path: path, RawQuery: fill.Replace(query)}
		request.Header = http.Header{"Cookie": {fill.Replace(cookie)}, "X-Console": {"1"}, "Sec-Fetch-Site": {header}, "Accept-Encoding": {header}, "If-None-Match": {header}, "Range": {header}, "X-Forwarded-Host": {header}}
		request.Host = header
		got := httptest.NewRecorder()
		h.ServeHTTP(got, request)

		if !slices.Contains([]int{200, 302, 304, 401, 403, 404, 405, 301, 307}, got.Code) {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
		location := got.Header().Get("Location")
		page, issuer := strings.HasPrefix(location, base+"/console#/"), strings.HasPrefix(location, w.issuer.address()+"/auth?")
		// http.ServeMux sends paths that are not in their shortest form to these; the
		// gateway answers them with 404 before.
		if got.Code != http.StatusMovedPermanently && got.Code != http.StatusTemporaryRedirect && (got.Code == http.StatusFound) != (page || issuer) {
			t.Fatalf("%d to %q", got.Code, location)
		}
		right := strings.Contains(cookie, "LOGIN") && strings.Contains(query, "STATE") && strings.Contains(query, "CODE")
		for _, c := range got.Result().Cookies() {
			if c.Value != "" && c.Name == sessionCookie && !right && got.Code != http.StatusOK {
				t.Errorf("a session without a sign-in: %d %s", got.Code, c.Raw)
			}
		}
		shown := got.Body.String() + location + strings.Join(got.Header().Values("Set-Cookie"), " ")
		for _, secret := range []string{clientSecret, "refresh-", "id_token"} {
			if strings.Contains(shown, secret) && !strings.Contains(query, secret) {
				t.Errorf("%q is shown: %s", secret, shown)
			}
		}
	})
}
