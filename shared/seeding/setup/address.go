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
	websitePage  = regexp.MustCompile(`/(my/home|website/login)$`)
	pageLanguage = regexp.MustCompile(`/[a-z]{2}(_[A-Z]{2})?$`)
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
			found = append(found, Finding{server.field, "must be the address of MTS itself, without /" + rest + ": " + address.String()})
			continue
		}
		if r.CheckAddress == nil {
			continue
		}
		if err := r.CheckAddress(address); err != nil {
			found = append(found, Finding{server.field, err.Error()})
		}
	}
	return found
}
