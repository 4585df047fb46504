package setup

import (
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Normalise gives the addresses the form in which they are called (facts/mts.md
// D23). Of the address of a page or a call of Odoo it keeps that of the server. A
// daily job without a zone has UTC.
func Normalise(c seeding.Connector) seeding.Connector {
	if a, err := seeding.ParseAddress(c.MTS.URL); err == nil {
		c.MTS.URL = a.String()
	}
	if a, err := seeding.ParseAddress(c.Registry.URL); err == nil {
		a.Path = withoutPage(a.Path)
		c.Registry.URL = a.String()
	}
	c.Schedule = normaliseSchedule(c.Schedule)
	if c.IsDirect() {
		direct := *c.Delivery.Direct
		for _, address := range []*string{&direct.URL, &direct.Auth.URL} {
			if _, form, err := seeding.ParseCallURL(*address); err == nil {
				*address = form
			}
		}
		c.Delivery.Direct = &direct
	}
	return c
}

// First segments of paths that belong to the servers themselves. People copy
// them from the browser (/web/login, /odoo/action-9) or from other clients.
var (
	odooPaths = []string{"web", "odoo", "jsonrpc", "xmlrpc", "json"}
	mtsPaths  = []string{"authtoken", "ping", "docs", "redoc", "openapi.json"} // facts/mts.md 1
)

// Pages of Odoo's website, whose first segment may be the path of a server, and
// the language that it puts before the path of a page: /en, /pt_BR.
var (
	websitePage  = regexp.MustCompile(`/(my/(home|account|security|orders|quotes|invoices|tasks|projects|tickets)|website/login)$`)
	pageLanguage = regexp.MustCompile(`/[a-z]{2}(_[A-Z]{2})?$`)
	// These may be the path of a server as well: /my and /ph are countries.
	perhapsPage = regexp.MustCompile(`/([a-z]{2}(_[A-Z]{2})?|my/[a-z/-]+|shop|blog|forum|event|events|jobs|slides|contactus|contactus-thank-you|appointment|helpdesk|discuss|mail|doc|rpc|website|scoped_app|longpolling|websocket|_odoo|signup|login|signin|auth_[a-z]+(/[a-z]+)?)$`)
	// A file is no server.
	pageFile = regexp.MustCompile(`/[^/]*\.(?i:x?html?|php|aspx?|jsp|js|json|xml|css|ico|png|pdf)$`)
)

// withoutPage is the path of an Odoo, without that of one of its pages.
func withoutPage(path string) string {
	base, _ := cutOwn(path, odooPaths)
	base = websitePage.ReplaceAllString(base, "")
	if base == path {
		return path
	}
	return pageLanguage.ReplaceAllString(base, "")
}

// cutOwn splits a path before the first segment that is one of a server's own.
func cutOwn(path string, own []string) (base, rest string) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if slices.Contains(own, strings.ToLower(segment)) {
			return strings.Join(segments[:i], "/"), strings.Join(segments[i:], "/")
		}
	}
	return path, ""
}

// doubtAddress says that the address of a registry may be that of a page.
func doubtAddress(p Proposal) []Finding {
	address, err := seeding.ParseAddress(p.Connector.Registry.URL)
	if err != nil || !p.readable(RegistryURL) {
		return nil
	}
	address.Path = withoutPage(address.Path)
	page := perhapsPage.FindString(address.Path)
	if page == "" {
		return nil
	}
	address.Path = strings.TrimSuffix(address.Path, page)
	return []Finding{find(RegistryURL, "address_page", "ends in "+page+", which is a page of Odoo as a rule; unless Odoo itself is served below it, write "+address.String(),
		"page", page, "address", address.String())}
}

// checkAddresses finds addresses that must not be called, and those of calls of
// MTS: the connector would add the call once more.
func (r Rules) checkAddresses(p Proposal) []Finding {
	var found []Finding
	for _, server := range []struct {
		field Field
		url   string
		own   []string
	}{{MTSURL, p.Connector.MTS.URL, mtsPaths}, {RegistryURL, p.Connector.Registry.URL, nil}} {
		address, err := seeding.ParseAddress(server.url)
		if err != nil || !p.readable(server.field) {
			continue // whoever read the field has found it
		}
		if base, rest := cutOwn(address.Path, server.own); rest != "" {
			address.Path = base
			found = append(found, find(server.field, "address_of_call", "must be the address of MTS itself, without /"+rest+": "+address.String(), "call", "/"+rest, "address", address.String()))
			continue
		}
		path := address.Path
		if server.field == RegistryURL {
			path = withoutPage(path)
		}
		if file := pageFile.FindString(path); file != "" {
			address.Path = strings.TrimSuffix(path, file)
			found = append(found, find(server.field, "address_of_file", "must be the address of the server itself, without the file "+file+": "+address.String(), "file", file, "address", address.String()))
			continue
		}
		if r.CheckAddress == nil {
			continue
		}
		if err := r.CheckAddress(address); err != nil {
			found = append(found, because(server.field, err, "address_refused"))
		}
	}
	return found
}
