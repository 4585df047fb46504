package mtssim

import (
	"net/url"
	"regexp"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// callback is what callbackProperties ask for (facts/mts.md 1.1.1).
type callback struct {
	url            string
	method         string
	extraHeaders   map[string]any
	timeoutSeconds int
	inBulk         bool
	authType       string
	bearer         string // of staticBearer
	signIn         signIn // of odoo and oauth
}

// callbackProperties runs whatever the delivery, but looks at the properties
// only for callbacks.
func (f *form) callbackProperties(s *submission, request map[string]any) {
	if f.final != nil {
		return
	}
	if s.delivery == "" {
		f.fail("'deliverytype'")
		return
	}
	if s.delivery != deliverCallback {
		return
	}
	v := request["callbackProperties"]
	if !python.Truthy(v) {
		f.refuse("ATS-REQ-024", "callbackProperties cannot be empty for deliverytype callback")
		return
	}
	if s.output == "" {
		f.fail("'output'")
		return
	}
	properties, ok := v.(map[string]any)
	if s.output == outputCSV {
		switch {
		case !ok:
			f.fail("'str' object has no attribute 'get'")
		case !python.Truthy(properties["requestFileName"]):
			f.refuse("ATS-REQ-025", "requestFileName is not valid in callbackProperties")
		case !python.Truthy(properties["callInBulk"]):
			f.refuse("ATS-REQ-026", "callInBulk cannot be false for csv output")
		}
	}
	if !ok {
		f.problem(notObject)
		return
	}
	s.callback = f.callback(properties)
}

func (f *form) callback(p map[string]any) callback {
	c := callback{
		url:            f.url(p, "url", true),
		method:         f.text(p, "httpMethod", false, "POST"),
		extraHeaders:   f.headers(p),
		timeoutSeconds: f.integer(p, "timeoutSeconds", 10),
		inBulk:         f.boolean(p, "callInBulk"),
	}
	f.text(p, "requestFileName", false, "")
	c.authType = f.authType(p)
	odoo, oauth := f.authOdoo(p, c.authType), f.authOauth(p, c.authType)
	switch c.authType {
	case authOdoo:
		c.signIn = odoo
	case authOauth:
		c.signIn = oauth
	}
	c.bearer = f.authStaticBearer(p, c.authType)
	return c
}

// headers are not looked into: a value that is no text fails at delivery.
func (f *form) headers(p map[string]any) map[string]any {
	headers, _ := f.object(p, "extraHeaders", false)
	return headers
}

const label = `[\p{L}\p{N}_](?:[\p{L}\p{N}_\-]*[\p{L}\p{N}_])?`

var (
	scheme   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+\-.]+://`)
	hostName = regexp.MustCompile(`^(?:\[[0-9A-Fa-f:.]+\]|(?:` + label + `\.)*` + label + `\.?)$`)
)

// url reads an address that needs a scheme and a host; any scheme passes.
func (f *form) url(p map[string]any, key string, required bool) string {
	v, ok := f.given(p, key, required)
	if !ok {
		return ""
	}
	text, ok := asText(v)
	if !ok {
		f.problem(notText)
		return ""
	}
	text = strings.TrimSpace(text)
	if text == "" {
		f.problem("ensure this value has at least 1 characters")
		return ""
	}
	if !scheme.MatchString(text) {
		f.problem("invalid or missing URL scheme")
		return ""
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil, strings.ContainsAny(text, " \t\r\n"),
		!hostName.MatchString(strings.TrimSuffix(parsed.Host, ":"+parsed.Port())),
		len(parsed.Port()) > 5, len(parsed.Port()) == 5 && parsed.Port() > "65535":
		f.problem("URL host invalid")
		return ""
	}
	return text
}

const (
	authNone   = "none"
	authOdoo   = "odoo"
	authOauth  = "oauth"
	authBearer = "staticBearer"
)

func (f *form) authType(p map[string]any) string {
	v, ok := p["authType"]
	if !ok {
		return authNone
	}
	switch v {
	case authNone, authOdoo, authOauth, authBearer:
		return v.(string)
	}
	f.refuse("ATS-REQ-027", "unsupported authType in CallbackProperties")
	return ""
}

// authObject finds the object of one kind of authentication. It is checked even
// when another kind is chosen.
func (f *form) authObject(p map[string]any, key, kind, chosen, code string) (map[string]any, bool) {
	v := p[key]
	if kind == chosen && !python.Truthy(v) {
		f.refuse(code, key+" cannot be empty for authType "+kind)
		return nil, false
	}
	if v == nil {
		return nil, false
	}
	object, ok := v.(map[string]any)
	if !ok {
		f.problem(notObject)
	}
	return object, ok
}

func (f *form) authOdoo(p map[string]any, chosen string) (s signIn) {
	o, ok := f.authObject(p, "authOdoo", authOdoo, chosen, "ATS-REQ-028")
	if !ok {
		return s
	}
	if python.Truthy(o["authUrl"]) {
		s.url = f.url(o, "authUrl", true)
	} else {
		f.refuse("ATS-REQ-031", "authUrl in authOdoo, cannot be empty for authType odoo")
	}
	for _, field := range []struct {
		key, code string
		to        *string
	}{{"database", "ATS-REQ-033", &s.database}, {"username", "ATS-REQ-032", &s.username}} {
		if v, ok := o[field.key]; ok && !python.Truthy(v) {
			f.refuse(field.code, field.key+" in authOdoo, cannot be empty for authType odoo")
		} else {
			*field.to = f.text(o, field.key, true, "")
		}
	}
	s.password = f.text(o, "password", true, "")
	s.extraHeaders = f.headers(o)
	return s
}

func (f *form) authOauth(p map[string]any, chosen string) (s signIn) {
	o, ok := f.authObject(p, "authOauth", authOauth, chosen, "ATS-REQ-029")
	if !ok {
		return s
	}
	if o["authUrl"] != nil {
		s.url = f.url(o, "authUrl", false)
	}
	s.username, s.password = f.text(o, "username", false, ""), f.text(o, "password", false, "")
	s.clientID, s.clientSecret = f.text(o, "clientId", false, ""), f.text(o, "clientSecret", false, "")
	s.extraHeaders = f.headers(o)
	return s
}

func (f *form) authStaticBearer(p map[string]any, chosen string) string {
	o, ok := f.authObject(p, "authStaticBearer", authBearer, chosen, "ATS-REQ-030")
	if !ok {
		return ""
	}
	if v, ok := o["token"]; ok && !python.Truthy(v) {
		f.refuse("ATS-REQ-034", "token in authStaticBearer cannot be empty for authType staticBearer")
		return ""
	}
	return f.text(o, "token", true, "")
}
