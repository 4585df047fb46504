package odoo

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// A reply that is no reply of Odoo's RPC comes from what stands before Odoo, from
// another server, or from a page of Odoo. What it is becomes a code of a closed
// set; nothing that the server wrote is in it. The host of a redirect is not named
// either: whoever controls the address could have people send the password there.

// Codes besides HTTP-<status>; seeding has a text for each.
const (
	notRPC           = "NotJSONRPC"        // JSON that is no reply
	webPage          = "WebPage"           // HTML, and no error
	proxyPassword    = "ProxyPassword"     // 401 or 407: a password that is not Odoo's
	redirectHTTPS    = "RedirectHTTPS"     // to the same host over https, and the same port or the usual ones
	redirectPort     = "RedirectHTTPSPort" // to the same host over https at another port
	redirectHost     = "RedirectHost"      // to another host
	redirectLogin    = "RedirectLogin"     // to a login page
	redirectDatabase = "RedirectDatabases" // to Odoo's list of databases
	redirectPath     = "RedirectPath"      // to another path of the same host
)

var errNotRPC = errors.New("not a reply of JSON-RPC")

// notOdoo translates a reply that is not of Odoo's RPC. A write that was
// redirected or refused as a whole was surely not made.
func notOdoo(writes bool, resp *http.Response) error {
	status := resp.StatusCode
	switch {
	case status == http.StatusTooManyRequests:
		return &seeding.Fault{Kind: seeding.Unreachable, Code: seeding.HTTPCode(status)}
	case status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: proxyPassword}
	case status >= 300 && status < 400:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: redirect(resp)}
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.HTTPCode(status)}
	case status < 300 && isHTML(resp):
		return unanswered(writes, webPage, nil)
	case status < 300:
		return unanswered(writes, "BadAnswer", nil)
	}
	return unanswered(writes, seeding.HTTPCode(status), nil) // for instance Odoo's 500 in HTML (facts/odoo.md A1.4)
}

func isHTML(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// usual reports whether an address leads to this port, which its scheme has.
func usual(address *url.URL, port string) bool { return address.Port() == "" || address.Port() == port }

// redirect is the code of a reply with a status of 3xx.
func redirect(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil || to.Host == "" {
		return seeding.HTTPCode(resp.StatusCode)
	}
	from := resp.Request.URL
	path := strings.ToLower(to.Path)
	switch {
	case !strings.EqualFold(to.Hostname(), from.Hostname()):
		return redirectHost
	case from.Scheme == "http" && to.Scheme == "https":
		if from.Port() == to.Port() || usual(from, "80") && usual(to, "443") {
			return redirectHTTPS
		}
		return redirectPort
	case strings.Contains(path, "/web/database/"):
		return redirectDatabase
	case slices.ContainsFunc([]string{"login", "signin", "sign_in", "oauth", "sso", "saml"}, func(word string) bool { return strings.Contains(path, word) }):
		return redirectLogin
	case to.Scheme != from.Scheme || to.Port() != from.Port():
		return redirectHost
	}
	return redirectPath
}
