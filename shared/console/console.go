// Package console serves the console: the page with its script and style, and the
// calls by which the page gets an access token for the API.
//
// It is a token-mediating backend (RFC 10017, 6.2): a confidential client of the
// issuer, with code flow and PKCE. It keeps nothing. The refresh token is sealed into
// a cookie that script cannot read, and the page gets access tokens of a short life,
// which it keeps in memory.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// Options of a console.
type Options struct {
	Files Files

	// Base is the address of the API, with the base path of a custom domain, without
	// a slash at the end: "https://api.example.org/mts". The console is below it.
	Base string
	// Issuer is the issuer's identity, exactly as in the claim iss of its tokens.
	Issuer string
	// ClientID and Secret are the console's credentials at the issuer. Secret returns
	// "" where the deployment has none; then nobody can sign in.
	ClientID string
	Secret   func(context.Context) (string, error)
	// Scopes are asked for beside openid.
	Scopes []string
	// Keys seal the cookies. Former ones still open them. Not used without a Secret.
	Keys seeding.Keyring
	// HTTP calls the issuer. It follows no redirects and bounds what it reads.
	HTTP *http.Client
	// Label names the deployment in the page ("TEST"); may be "".
	Label string

	Clock interface{ Now() time.Time }
	Log   *slog.Logger
}

// New serves
//
//	GET  /console                    the page
//	GET  /console/<name>-<hash>.<…>  its script and style
//	GET  /console/session/login      302 to the issuer
//	GET  /console/session/callback   302 to the page, signed in or with a reason why not
//	GET  /console/session/signed-out 302 to the page, after the issuer has ended its session
//	POST /console/session/token      an access token
//	POST /console/session/logout     ends the session
//
// and answers anything else below /console with 404. The paths may begin with the path
// of the base. Every reply has the headers of Header.
func New(o Options) http.Handler {
	base := strings.TrimSuffix(o.Base, "/")
	s := &session{
		Options: o,
		page:    base + "/console",
		cookies: newCookies(base, sealer{o.Keys}),
		issuer:  &issuer{address: o.Issuer, http: o.HTTP, now: o.Clock.Now},
	}
	handler := api.API{
		Routes: map[string]api.Methods{
			"/console":                    {"GET": o.Files.index},
			"/console/{file}":             {"GET": o.Files.asset},
			"/console/session/login":      {"GET": s.login},
			"/console/session/callback":   {"GET": s.callback},
			"/console/session/signed-out": {"GET": s.signedOut},
			"/console/session/token":      {"POST": s.token},
			"/console/session/logout":     {"POST": s.logout},
		},
		Elsewhere:  "There is nothing at this path. The console is at /console, without a slash at the end.",
		Translate:  func(*http.Request, error) *api.Problem { return failed() },
		Log:        o.Log,
		Attributes: func(*http.Request) []any { return nil },
	}.Handler()
	header := Header(base)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		handler.ServeHTTP(w, r)
	})
}

// Header is what every reply of a console at a base address has. Nothing inline, of
// another origin, or made by eval is executed, and no other page can show this one.
func Header(base string) http.Header {
	header := http.Header{}
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
			"font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
	} {
		header.Set(name, value)
	}
	if address, err := url.Parse(base); err == nil && address.Scheme == "https" {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return header
}

// failed is the reply where the deployment itself fails, not the issuer.
func failed() *api.Problem {
	return api.NewProblem(api.Failed, "The session could not be read or written. Try again; if it fails again, tell the operator of the deployment.")
}
