package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Defaults that fit each other and a fresh OpenG2P registry. Those of the
// seeder that we replace do not: out of the box each of its records is invalid
// (facts/mts.md D11).
var (
	defaultFields    = []string{"id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"}
	defaultMandatory = []string{"name", "gender", "dob", "fullAddress"} // as MTS itself is configured
	defaultMapping   = seeding.Mapping{
		VID: "vid", Name: []string{"given_name", "family_name"}, Gender: "gender", DOB: "birthdate",
		PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"address"},
	}
)

const (
	defaultVIDType   = "MOSIP VID"
	defaultTokenType = "MOSIP UIN TOKEN"
)

// configuration is a request to create or replace a connector.
type configuration struct {
	seeding.Connector        // without id, version, secrets and times
	password          string // of the registry; "" when not given
}

// configure reads and checks a configuration, which replaces former if that is
// not nil. It finds everything that is wrong at once.
func (a *api) configure(body any, former *seeding.Connector) (configuration, faults) {
	var f faults
	o := newObject(&f, "", body)
	if former != nil { // members of a reply, so that what was read can be sent back
		o.ignore("id", "version", "status", "problems", "due", "run", "created", "updated")
	}
	var c configuration
	c.Name = o.text("name", required, 100)
	c.MTS.URL = o.text("mts_url", required, 1000, address, notEndpoint)
	o.only("input_type", inputType, "ODK as a source comes later", "odk")
	o.only("output_type", outputType, "MTS gives the connector JSON and nothing else", "csv")
	o.none("output_format", "an output format comes later; leave it empty, and the token is written as an identifier of its own")
	o.only("delivery_type", deliveryType, "the connector is called back, it downloads nothing", "download")
	o.only("job_type", jobType, "one-time jobs come later; start and stop a recurring one", "onetime", "one_time")
	c.MTS.Language = o.text("language", "eng", 50, pattern(language, "must be a language code of three letters, such as eng"))
	c.Schedule.Interval = time.Duration(o.whole("interval_minutes", 60, 1, 7*24*60)) * time.Minute
	c.MTS.BatchMaximum = o.whole("batch_maximum", 1000, 1, 1000)
	c.Output.RemoveVIDs = o.boolean("remove_vids", true)

	c.Delivery = readCallback(o.object("callback"), former != nil)
	c.Registry, c.password = readRegistry(o.object("registry"), former)
	c.Source.Fields = o.texts("fields", defaultFields, 200, selectable)
	c.Source.Mandatory = o.texts("mandatory_fields", defaultMandatory, 20, mandatory)
	c.Source.Mapping = readMapping(o.object("mapping"))
	c.Source.Domain = a.readDomain(o, c.Registry)
	a.checkMapping(c.Source, &f)
	o.rest()
	if len(c.Source.Fields) == 0 && !f.at("/fields") {
		f.add("/fields", "must name one field at least")
	}
	c.normalise()
	return c, f
}

// normalise brings addresses into one form: no slash at the end (facts/mts.md D23).
func (c *configuration) normalise() {
	c.MTS.URL = strings.TrimRight(c.MTS.URL, "/")
	c.Registry.URL = strings.TrimRight(c.Registry.URL, "/")
}

func readCallback(o *object, replacing bool) seeding.Delivery {
	const direct = "belongs to a direct callback address, which comes later; leave it empty"
	if replacing {
		o.ignore("auth_password_set")
	}
	o.none("url", "a direct callback address comes later; leave it empty, and the connector receives the answers of MTS itself")
	o.none("auth_database", direct)
	o.none("auth_username", direct)
	o.none("auth_password", direct)
	o.only("http_method", httpMethod, "the connector is called by POST; other methods "+direct, "PUT", "GET", "PATCH")
	o.only("auth_type", authType, "the connector is called with a bearer of its own; other types "+direct, "odoo", "oauth", "none")
	d := seeding.Delivery{TimeoutSeconds: o.whole("timeout_seconds", 30, 1, 300)}
	o.rest()
	return d
}

func readRegistry(o *object, former *seeding.Connector) (r seeding.RegistryAccess, password string) {
	if former != nil {
		o.ignore("password_set")
	}
	r = seeding.RegistryAccess{
		URL:       o.text("url", required, 1000, address),
		Database:  o.text("database", required, 100),
		Username:  o.text("username", required, 200),
		VIDType:   o.text("vid_type", defaultVIDType, 100),
		TokenType: o.text("token_type", defaultTokenType, 100),
	}
	if r.VIDType == r.TokenType && r.VIDType != "" {
		o.faults.add(o.at("token_type"), "must be another identifier type than vid_type")
	}
	password = readPassword(o)
	switch {
	case password != "" || o.broken || o.faults.at(o.at("password")):
	case former == nil:
		o.faults.add(o.at("password"), "is required")
	case !o.faults.at(o.at("url")) && !sameHost(former.Registry.URL, r.URL):
		o.faults.add(o.at("password"), "is required again, because the registry has another host now")
	}
	o.rest()
	return r, password
}

// readPassword takes a password as it is, spaces and all.
func readPassword(o *object) string {
	v, given := o.take("password")
	if !given {
		return ""
	}
	s, is := v.(string)
	switch {
	case !is:
		o.faults.add(o.at("password"), "must be a text, in quotes")
	case s == "":
		o.faults.add(o.at("password"), "must not be empty; leave it out to keep the one that is stored")
	case len(s) > 4000:
		o.faults.add(o.at("password"), "is longer than 4000 bytes")
	}
	return s
}

// sameHost compares scheme, host and port: whoever may change a configuration
// must not be able to send its password to a host of their own.
func sameHost(a, b string) bool {
	origin := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			return address
		}
		// A registry key is made of origin, path and database; without the
		// latter two it is a key of the origin.
		return seeding.RegistryKey((&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), "")
	}
	return origin(a) == origin(b)
}

func readMapping(o *object) seeding.Mapping {
	const most = 1000
	m := seeding.Mapping{
		VID:         o.text("vid", defaultMapping.VID, most),
		Name:        o.texts("name", defaultMapping.Name, 20),
		Gender:      o.text("gender", defaultMapping.Gender, most),
		DOB:         o.text("dob", defaultMapping.DOB, most),
		PhoneNumber: o.text("phoneNumber", defaultMapping.PhoneNumber, most),
		EmailID:     o.text("emailId", defaultMapping.EmailID, most),
		FullAddress: o.texts("fullAddress", defaultMapping.FullAddress, 20),
	}
	o.rest()
	return m
}

// readDomain returns the domain as compact JSON text. It may come as JSON or,
// as in Odoo, as a text that holds JSON.
func (a *api) readDomain(o *object, r seeding.RegistryAccess) string {
	v, given := o.take("domain")
	if !given {
		return defaultDomain(r.VIDType, r.TokenType)
	}
	if s, is := v.(string); is {
		v = nil
		decoder := json.NewDecoder(strings.NewReader(s))
		decoder.UseNumber()
		if strings.TrimSpace(s) == "" {
			o.faults.add("/domain", "must not be blank; leave it out for the default")
			return ""
		}
		if err := decoder.Decode(&v); err != nil || decoder.More() {
			o.faults.add("/domain", "is not JSON: write lists in [ ], texts in double quotes, and true, false and null in small letters")
			return ""
		}
	}
	if _, is := v.([]any); !is {
		o.faults.add("/domain", "must be a list of conditions, such as "+`[["is_registrant","=",true]]`)
		return ""
	}
	domain := compact(v)
	if len(domain) > 20_000 {
		o.faults.add("/domain", "is longer than 20000 bytes")
		return ""
	}
	if err := a.CheckDomain(domain); err != nil {
		o.faults.add("/domain", err.Error())
		return ""
	}
	if namesOtherTypes(v, r) {
		o.faults.add("/domain", "names other identifier types than registry.vid_type and registry.token_type, so it would select nobody, or everybody; "+
			"leave it out to have it built from them")
	}
	return domain
}

// defaultDomain is the seeder's own (facts/mts.md 5.1), with the types of this
// connector: registrants that have a VID and no token.
func defaultDomain(vidType, tokenType string) string {
	return compact([]any{
		[]any{"is_registrant", "=", true},
		[]any{"reg_ids.id_type", "=like", vidType},
		"!", []any{"reg_ids.id_type", "=like", tokenType},
	})
}

// namesOtherTypes finds a default domain that was built for other types: a
// configuration that was read, changed and sent back (facts/mts.md D12).
func namesOtherTypes(domain any, r seeding.RegistryAccess) bool {
	terms, _ := domain.([]any)
	if len(terms) != 4 || r.VIDType == "" || r.TokenType == "" {
		return false
	}
	named := func(term any) string {
		if leaf, is := term.([]any); is && len(leaf) == 3 {
			name, _ := leaf[2].(string)
			return name
		}
		return ""
	}
	vid, token := named(terms[1]), named(terms[3])
	return compact(domain) == defaultDomain(vid, token) && (vid != r.VIDType || token != r.TokenType)
}

func compact(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // of values that came out of JSON
	return strings.TrimSpace(text.String())
}

var (
	language  = regexp.MustCompile(`^[a-z]{3}$`)
	fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func pattern(p *regexp.Regexp, wrong string) check {
	return func(s string) string {
		if p.MatchString(s) {
			return ""
		}
		return wrong
	}
}

// only is for a member with one allowed value. Others that people know from
// elsewhere are refused with the reason, everything else with the value that is
// allowed.
func (o *object) only(name, allowed, reason string, others ...string) {
	o.text(name, allowed, 50, func(s string) string {
		switch {
		case s == allowed:
			return ""
		case slices.Contains(others, s):
			return `must be "` + allowed + `": ` + reason
		}
		return `must be "` + allowed + `"`
	})
}

func selectable(field string) string {
	switch {
	case field == "vid":
		return "is put into every record by the connector; leave it out"
	case !fieldName.MatchString(field):
		return "is not the name of a field: letters, digits and _ only"
	}
	return ""
}

func mandatory(field string) string {
	switch {
	case field == "vid":
		return "is mandatory in any case; leave it out"
	case !slices.Contains(seeding.SeederFields, field):
		return "must be one of " + strings.Join(seeding.SeederFields[1:], ", ")
	}
	return ""
}

// address checks the base address of a server.
func address(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return "must be an address such as https://server.example.org"
	case u.Port() != "" && !port(u.Port()):
		return "has a port that is none"
	case u.User != nil:
		return "must not hold a user name or password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "must end before ? and #"
	}
	return ""
}

func port(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 1<<16
}

// notEndpoint refuses the address of one of MTS's calls, to which the
// connector would add the call once more.
func notEndpoint(s string) string {
	if strings.Contains(s, "/authtoken") {
		return "must be the address of MTS itself, without /authtoken and what follows"
	}
	return ""
}

// sampleTime bounds the trials of one configuration. They take milliseconds,
// unless an expression is made to be slow.
const sampleTime = 2 * time.Second

// checkMapping compiles the mapping, and refuses one by which a mandatory field
// can never come out of the selected fields (facts/mts.md D11).
func (a *api) checkMapping(s seeding.RegistrySource, f *faults) {
	if _, err := a.Mappings.Compile(s.Mapping); err != nil {
		form := slices.Clone(*f)
		for _, fault := range mappingErrors(err) {
			field, _, _ := strings.Cut(fault.Field, "/")
			if !form.at("/mapping/" + field) { // what has the wrong form is told already
				f.add("/mapping/"+fault.Field, fault.Text)
			}
		}
	}
	if f.at("/mapping") || f.at("/fields") || f.at("/mandatory_fields") {
		return
	}
	until := time.Now().Add(sampleTime)
	for _, field := range append([]string{"vid"}, s.Mandatory...) {
		if !a.comesOut(s, field, until) {
			f.add("/mapping/"+field, "can give no text, though "+field+" is mandatory: it finds nothing in the selected fields ("+
				strings.Join(s.Fields, ", ")+", and vid)")
		}
	}
}

// mappingErrors finds all of them in an error, which may join several.
func mappingErrors(err error) []*seeding.MappingError {
	if several, is := err.(interface{ Unwrap() []error }); is {
		var all []*seeding.MappingError
		for _, one := range several.Unwrap() {
			all = append(all, mappingErrors(one)...)
		}
		return all
	}
	if fault, is := errors.AsType[*seeding.MappingError](err); is {
		return []*seeding.MappingError{fault}
	}
	return []*seeding.MappingError{{Text: "cannot be used"}}
}
