package main

import (
	"net/url"
	"slices"
	"strings"
)

// registryAPI is the root of OpenG2P's own API, which takes tokens in both lines
// (facts/odoo.md D).
const registryAPI = "/api/v1/registry/"

// callback decides who takes the answers of MTS: where Odoo's connector has them sent
// to OpenG2P's own API the connector takes them itself, and writes the same.
func (p *planner) callback() {
	address := p.old.text("callback_url")
	route := isRegistryAPI(address)
	other := p.old.text("callback_auth_database")
	elsewhere := other != "" && other != p.site.Database
	switch {
	case address == "":
		p.managed("it is empty in Odoo, so nobody gets the tokens; the connector takes the answers of MTS itself and writes them")
	case route && !elsewhere && !p.wish.Direct:
		p.managed("it is OpenG2P's own API: the connector takes the answers of MTS itself, and writes what output_format gives (-direct keeps the call)")
		if creates(address) && p.old.text("output_format") != "" {
			p.say(changed, "output_format", "output_format", "look at it: Odoo's connector had a registrant created for each token; here the registrant whose VID was sent is changed, and nobody is created")
		}
	default:
		p.direct(address)
	}
	p.timeout()
	if p.old.text("output_format") != "" {
		return
	}
	if p.isDirect() {
		p.say(missing, "output_format", "output_format", "it is empty, with which every call of Odoo's connector has an empty body; say what the receiver takes")
		return
	}
	p.say(changed, "output_format", "output_format", "it is empty, with which every call of Odoo's connector has an empty body; here the token is written as an identifier")
}

func isRegistryAPI(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && strings.Contains(parsed.Path+"/", registryAPI)
}

// creates reports whether a call of OpenG2P's API creates a registrant.
func creates(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && strings.HasSuffix(strings.TrimRight(parsed.Path, "/"), "/individual")
}

func (p *planner) isDirect() bool {
	callback, _ := p.Body["callback"].(map[string]any)
	return callback["url"] != nil
}

// managed leaves out the callback of Odoo's connector.
func (p *planner) managed(why string) {
	p.say(left, "callback.url", "callback_url", "%s", why)
	for _, field := range []string{"callback_httpmethod", "callback_authtype", "callback_auth_url", "callback_auth_database", "callback_auth_username", "callback_auth_password"} {
		if !p.old.empty(field) {
			p.say(left, "", field, "it belongs to callback_url")
		}
	}
}

// signInFields are those of a session of Odoo, without "callback_".
var signInFields = []string{"auth_url", "auth_database", "auth_username", "auth_password"}

// direct carries the callback over as it is.
func (p *planner) direct(address string) {
	p.take("callback.url", "callback_url", address)
	method := p.old.text("callback_httpmethod")
	switch {
	case slices.Contains([]string{"POST", "PUT", "GET", "PATCH"}, method):
		p.take("callback.http_method", "callback_httpmethod", method)
	case method == "":
		p.change("callback.http_method", "callback_httpmethod", "POST", "it is empty in Odoo; this is MTS's default")
	default:
		p.say(missing, "callback.http_method", "callback_httpmethod", "%q is none of POST, PUT, GET and PATCH", method)
	}
	filled := slices.ContainsFunc(signInFields, func(f string) bool { return p.old.text("callback_"+f) != "" })
	switch kind := p.old.text("callback_authtype"); {
	case kind == "odoo":
		p.take("callback.auth_type", "callback_authtype", "odoo")
	case filled:
		p.change("callback.auth_type", "callback_authtype", "odoo", "it is %q in Odoo, with which MTS refuses every request; odoo fits the fields that are filled", kind)
	default:
		p.say(missing, "callback.auth_type", "callback_authtype", "it is %q in Odoo, with which MTS refuses every request; one of none, odoo, oauth and static_bearer, with what it needs", kind)
		return
	}
	for _, f := range signInFields {
		here, there := "callback."+f, "callback_"+f
		value := p.old.text(there)
		if f == "auth_password" { // spaces may be part of it
			value, _ = p.old[there].(string)
		}
		if value != "" {
			p.take(here, there, value)
			continue
		}
		why := "it is empty in Odoo, with which MTS refuses every request"
		if f == "auth_password" {
			why = "it is empty in Odoo"
		}
		if p.site.Line == "17.0" {
			why += ": the form of line 17.0 cannot enter it"
		}
		p.say(missing, here, there, "%s", why)
	}
	if isRegistryAPI(address) && p.site.Line == "17.0" {
		if strings.Contains(address, "updateIdentification") {
			p.say(changed, "callback.url", "callback_url", "look at it: line 17.0 does not have this call of line 15.0")
		}
		p.say(changed, "callback.auth_type", "callback_authtype", "look at it: the API of line 17.0 takes HTTP Basic, which is auth_type none with a header Authorization in callback.extra_headers")
	}
}

const (
	usualTimeout = 30
	mostTimeout  = 300
)

func (p *planner) timeout() {
	const here, there = "callback.timeout_seconds", "callback_timeout"
	switch seconds := p.old.number(there); {
	case seconds < 1:
		p.change(here, there, usualTimeout, "%d is no time limit, and kills MTS's call; %d is the default", seconds, usualTimeout)
	case seconds > mostTimeout:
		p.change(here, there, mostTimeout, "%d is more than the most", seconds)
	default:
		p.take(here, there, seconds)
	}
}

// registry is where Odoo's connector is itself, so none of its fields says it.
func (p *planner) registry() {
	p.set("registry.url", p.wish.RegistryURL)
	p.say(added, "registry.url", "", "the Odoo that is read; another address of it with -registry-url")
	p.set("registry.database", p.site.Database)
	p.say(added, "registry.database", "", "the Odoo that is read")
	p.set("registry.username", p.wish.Username)
	p.say(added, "registry.username", "", "the user that the connector signs in as, with -registry-user")
	if p.wish.Password == "" {
		p.say(missing, "registry.password", "", "Odoo shows nobody's password: set REGISTRY_PASSWORD")
	} else {
		p.set("registry.password", p.wish.Password)
		p.say(added, "registry.password", "", "")
	}
	for _, kind := range []struct{ here, setting, name string }{
		{"registry.vid_type", "g2p_mts.vid_id_type", p.site.VIDType}, {"registry.token_type", "g2p_mts.uin_token_id_type", p.site.TokenType},
	} {
		if kind.name != "" {
			p.set(kind.here, kind.name)
			p.say(added, kind.here, "", "the setting %s", kind.setting)
			continue
		}
		p.say(added, kind.here, "", "the default: the setting %s is not set, or the user may not read it", kind.setting)
	}
}

// deletion is what Odoo's job does that deletes VIDs.
func (p *planner) deletion() {
	switch deletes := p.site.Deletes; {
	case deletes == nil:
		p.set("remove_vids", false)
		p.say(added, "remove_vids", "", "the user may not see whether Odoo's job deletes VIDs, so they stay; change it with -changes if they are to be removed")
	case *deletes:
		p.set("remove_vids", true)
		p.say(added, "remove_vids", "", "Odoo's job that deletes VIDs is on")
	default:
		p.set("remove_vids", false)
		p.say(added, "remove_vids", "", "Odoo's job that deletes VIDs is off")
	}
	if p.site.DeleteDomain {
		p.say(left, "remove_vids", "", "the setting g2p_mts.vid_delete_search_domain: here the VID of everybody who holds a token is removed, or nobody's")
	}
}
