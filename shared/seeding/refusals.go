package seeding

import "strings"

// What people read when a registry refuses a sign-in, or when something else
// answers in its place. The codes are those of shared/odoo. Nothing that a server
// wrote is in the texts, no name of a host either: whoever answers could otherwise
// have people send a password to another place.

// signInRefusals are the texts of a refused sign-in, by code.
var signInRefusals = map[string]texts{
	"AccessDenied": {
		"The registry refuses user name or password, or the user is not active.",
		"Check user name and password in the connector's configuration (registry.username, registry.password), and that the user is active.",
	},
	"KeyRefused": {
		"The password has the form of an API key, and the registry does not accept it.",
		"Check that the key is one of the configured user (registry.username), was not removed and has not expired, and that the user is active. Otherwise create a new key in the user's preferences and give it as registry.password. After several failed sign-ins some registries refuse a right key too, for a minute.",
	},
	"KeyOfAnotherUser": {
		"The API key belongs to another user of the registry than the configured one.",
		"Give the login of the user to whom the key belongs as registry.username, or a key of the configured user as registry.password.",
	},
	"SecondFactor": {
		"The user has two-factor authentication, which a program cannot pass.",
		"Create an API key for this user (its preferences, account security, new API key) and give it as registry.password. Nothing else changes.",
	},
	"TooManyAttempts": {
		"After several failed sign-ins the registry refuses everybody from this address for a while, as a rule a minute.",
		"Nothing, if the password was corrected meanwhile: work goes on by itself. Otherwise check user name and password, also of other programs that call the registry from the same address.",
	},
	"NoDatabase": {
		"The registry has no database of the configured name.",
		"Check registry.database in the connector's configuration: upper and lower case count. The registry's administrator knows the name.",
	},
	"SessionExpiredException": {
		"The registry accepts the sign-in and forgets it at once.",
		"If the registry runs on several servers, they need common session storage, or a load balancer that stays with one of them. An API key as registry.password needs no session.",
	},
}

var otherSignInRefusal = describe("sign_in_refused",
	"The registry refuses the sign-in.",
	"Check database, user name and password of the registry in the connector's configuration, and that the user is active.",
)

// answeredOtherwise are the texts of replies that are not the registry's, by code.
var answeredOtherwise = map[string]texts{
	"RedirectHTTPS": {
		"The registry wants https, and its address in the configuration begins with http.",
		"Change registry.url so that it begins with https.",
	},
	"RedirectHTTPSPort": {
		"The registry wants https, at another port than the one in its address.",
		"Change registry.url so that it begins with https, and leave the port out, or write the one at which the registry is served by https: that of plain http is another one.",
	},
	"RedirectHost": {
		"The address of the registry leads on to another one, which is not called.",
		"Ask the registry's administrator for its own address, and give that as registry.url.",
	},
	"RedirectLogin": {
		"A login page answers in place of the registry.",
		"Check that registry.url is the address of Odoo itself. If a proxy with a login of its own stands before it, let the calls of this deployment pass it.",
	},
	"RedirectDatabases": {
		"The registry has several databases, and sends its list of them in place of an answer.",
		"Check registry.database in the connector's configuration. Otherwise the registry's administrator has to select the database by the server's name (Odoo's option dbfilter).",
	},
	"RedirectPath": {
		"The address of the registry leads on to another path of the same server.",
		"Give the address at which Odoo itself is served as registry.url, without what a browser adds to it, such as /web or /odoo.",
	},
	"ProxyPassword": {
		"A proxy or web server before the registry asks for a password of its own.",
		"Have it let the calls of this deployment pass without one, by their addresses for instance. The connector has a password for Odoo only.",
	},
	"HTTP-400": {
		"A web server before the registry cannot read our calls (HTTP 400).",
		"Check that registry.url begins with https if the registry is served by https, and that its port is right.",
	},
	"HTTP-403": {
		"A firewall or proxy before the registry forbids our calls (HTTP 403).",
		"Have it let this deployment POST to /web/session/authenticate and /web/dataset/call_kw, or, with an API key, to /json/2 (Odoo 19) or /jsonrpc.",
	},
	"HTTP-404": {
		"There is no Odoo at the address of the registry (HTTP 404).",
		"Check the path in registry.url: it is the address at which Odoo itself is served. If it is right, a proxy before the registry may hide /web/session/authenticate and /web/dataset/call_kw, or Odoo cannot find the database.",
	},
	"HTTP-405": {
		"What answers at the address of the registry takes no calls, as a web site does (HTTP 405).",
		"Check host, port and path of registry.url: it is the address at which Odoo itself is served.",
	},
	"HTTP-413": {
		"A proxy before the registry refuses our calls because of their size (HTTP 413).",
		"Have it accept bodies of at least 1 MB (nginx: client_max_body_size).",
	},
	"HTTP-421": {
		"The server at this address is not that of the registry (HTTP 421).",
		"Check the host in registry.url, and which names its proxy serves.",
	},
	"HTTP-426": {
		"The registry wants https (HTTP 426).",
		"Change registry.url so that it begins with https.",
	},
	"HTTP-429": {
		"The registry, or a proxy before it, allows fewer calls than the connector makes (HTTP 429).",
		"Raise the limit for this deployment. Work goes on by itself, more slowly.",
	},
	"HTTP-500": {
		"The registry answers with an error page (HTTP 500).",
		"Check that Odoo and its database are up, and that registry.database is right: a server with several databases says no more than this. Odoo's log has the reason.",
	},
	"HTTP-502": {
		"A proxy answers, and the registry behind it does not (HTTP 502).",
		"Check that Odoo is up, and that the proxy has its right address. Work goes on by itself.",
	},
	"HTTP-503": {
		"The registry, or a proxy before it, is out of service for now (HTTP 503).",
		"Check that Odoo is up and not under maintenance. Work goes on by itself.",
	},
	"HTTP-504": {
		"A proxy answers, and the registry behind it does not in time (HTTP 504).",
		"Check how busy Odoo and its database are, and raise the proxy's time limit to Odoo's own of 120 s. Work goes on by itself.",
	},
	"WebPage": {
		"A web page answers in place of the registry.",
		"Check host, port and path of registry.url. A login, maintenance or security page of a proxy looks so too: have it let the calls of this deployment pass.",
	},
	"NotJSONRPC": {
		"What answers at the address of the registry is no Odoo.",
		"Check host, port and path of registry.url: it is the address at which Odoo itself is served.",
	},
	"NoSession": {
		"The registry accepts the sign-in and gives no session.",
		"A proxy before the registry may remove cookies: have it pass them on. An API key as registry.password needs none.",
	},
}

// answeredInstead describes a reply that is not the registry's; known is false if
// the fault is another one.
func answeredInstead(f *Fault) (d Description, known bool) {
	if said, known := answeredOtherwise[f.Code]; known {
		return said.of(f.Code), true
	}
	if status, isStatus := strings.CutPrefix(f.Code, "HTTP-"); isStatus {
		return texts{
			"A web server answers in place of the registry (HTTP " + status + ").",
			"Check that Odoo is up, that registry.url is the address at which Odoo itself is served, and that a proxy before it lets the calls of this deployment pass.",
		}.of(f.Code), true
	}
	return Description{}, false
}

// signInRefusal describes a refused sign-in.
func signInRefusal(f *Fault) Description {
	if said, known := signInRefusals[f.Code]; known {
		return said.of(f.Code)
	}
	return otherSignInRefusal
}
