package connectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// configuration reads a document and checks its form and its meaning. before is
// the connector that it replaces, or nil. The connector has no id, version,
// secrets and times; password is the registry's, "" when not given. warnings are
// what is probably not meant. The error is a problem with everything that is
// wrong.
func (s *service) configuration(body any, before *seeding.Connector) (c seeding.Connector, password string, warnings []warningDocument, err error) {
	var wrong api.FieldErrors
	c, password = readDocument(api.NewObject(&wrong, "", body), before != nil)
	rules := setup.Rules{Mappings: s.Mappings, CheckDomain: s.CheckDomain, CheckAddress: s.CheckAddress, Distance: api.Distance}
	found, doubtful := rules.Check(setup.Proposal{
		Connector: c, Before: before, PasswordGiven: password != "",
		Unread: func(f setup.Field) bool { return wrong.Touch(pointer(f)) },
	})
	for _, finding := range found {
		wrong.Add(pointer(finding.Field), finding.Text)
	}
	if err := wrong.Err(); err != nil {
		return c, "", nil, err
	}
	for _, finding := range doubtful {
		warnings = append(warnings, warningDocument{pointer(finding.Field), finding.Text})
	}
	return setup.Normalise(c), password, warnings, nil
}

// pointers say where the document has the fields that rules check. Below the
// mapping both use MTS's names.
var pointers = map[setup.Field]string{
	setup.MTSURL:           "/mts_url",
	setup.RegistryURL:      "/registry/url",
	setup.RegistryPassword: "/registry/password",
	setup.VIDType:          "/registry/vid_type",
	setup.TokenType:        "/registry/token_type",
	setup.Domain:           "/domain",
	setup.Fields:           "/fields",
	setup.Mandatory:        "/mandatory_fields",
	setup.Mapping:          "/mapping",
}

func pointer(f setup.Field) string {
	field, below, found := strings.Cut(string(f), "/")
	at := pointers[setup.Field(field)]
	if found {
		at += "/" + below
	}
	return at
}

// readDocument reads a configuration. One that replaces another may hold all
// members of a reply, so that a reply can be changed and sent back. A field of
// the wrong form is empty, or its default.
func readDocument(o *api.Object, replacing bool) (c seeding.Connector, password string) {
	if replacing {
		o.Ignore("id", "version", "status", "problems", "due", "served", "run", "width", "under_way", "warnings", "created", "updated")
	}
	c = setup.Defaults()
	c.Name = o.Text("name", api.Required, 100)
	c.MTS.URL = o.Text("mts_url", api.Required, 1000, address)
	o.Only("input_type", inputType, "ODK as a source comes later", "odk")
	o.Only("output_type", outputType, "MTS gives the connector JSON and nothing else", "csv")
	o.Empty("output_format", "an output format comes later; leave it empty, and the token is written as an identifier of its own")
	o.Only("delivery_type", deliveryType, "the connector is called back, it downloads nothing", "download")
	o.Only("job_type", jobType, "one-time jobs come later; start and stop a recurring one", "onetime", "one_time")
	c.MTS.Language = o.Text("language", c.MTS.Language, 50, pattern(language, "must be a language code of three letters, such as eng"))
	c.Schedule.Interval = minutes(o.Whole("interval_minutes", inMinutes(c.Schedule.Interval), 1, 7*24*60))
	c.MTS.BatchMaximum = o.Whole("batch_maximum", c.MTS.BatchMaximum, 1, 1000)
	c.MTS.WidthMaximum = o.Whole("width_maximum", c.MTS.WidthMaximum, 1, 64)
	c.Output.RemoveVIDs = o.Boolean("remove_vids", c.Output.RemoveVIDs)
	c.Output.TokenShape = readTokenShape(o.Object("token_shape"), c.Output.TokenShape)
	c.Delivery = readCallback(o.Object("callback"), c.Delivery, replacing)
	registry := o.Object("registry")
	c.Source.OneByOne = registry.Boolean("read_one_by_one", c.Source.OneByOne)
	c.Registry, password = readRegistry(registry, c.Registry, replacing)
	c.Source.Fields = o.Texts("fields", c.Source.Fields, 200, selectable)
	c.Source.Mandatory = o.Texts("mandatory_fields", c.Source.Mandatory, 20, mandatory)
	c.Source.Mapping = readMapping(o.Object("mapping"), c.Source.Mapping)
	c.Source.Domain = readDomain(o, setup.DefaultDomain(c.Registry))
	o.Rest()
	return c, password
}

func readTokenShape(o *api.Object, s seeding.TokenShape) seeding.TokenShape {
	s.Alphabet = seeding.TokenAlphabet(o.Text("alphabet", string(s.Alphabet), 50, func(text string) string {
		if slices.Contains(seeding.TokenAlphabets, seeding.TokenAlphabet(text)) {
			return ""
		}
		return `must be "digits" or "base64url"`
	}))
	s.Shortest = o.Whole("shortest", s.Shortest, seeding.LeastToken, seeding.MostToken)
	s.Longest = o.Whole("longest", s.Longest, seeding.LeastToken, seeding.MostToken)
	if s.Longest < s.Shortest {
		o.Add("longest", "must not be less than shortest")
	}
	o.Rest()
	return s
}

func readCallback(o *api.Object, d seeding.Delivery, replacing bool) seeding.Delivery {
	const direct = "belongs to a direct callback address, which comes later; leave it empty"
	if replacing {
		o.Ignore("auth_password_set")
	}
	o.Empty("url", "a direct callback address comes later; leave it empty, and the connector receives the answers of MTS itself")
	o.Empty("auth_database", direct)
	o.Empty("auth_username", direct)
	o.Empty("auth_password", direct)
	o.Only("http_method", httpMethod, "the connector is called by POST; other methods "+direct, "PUT", "GET", "PATCH")
	o.Only("auth_type", authType, "the connector is called with a bearer of its own; other types "+direct, "odoo", "oauth", "none")
	d.TimeoutSeconds = o.Whole("timeout_seconds", d.TimeoutSeconds, 1, 300)
	o.Rest()
	return d
}

func readRegistry(o *api.Object, r seeding.RegistryAccess, replacing bool) (_ seeding.RegistryAccess, password string) {
	if replacing {
		o.Ignore("password_set")
	}
	r.URL = o.Text("url", api.Required, 1000, address)
	r.Database = o.Text("database", api.Required, 100)
	r.Username = o.Text("username", api.Required, 200)
	r.VIDType = o.Text("vid_type", r.VIDType, 100)
	r.TokenType = o.Text("token_type", r.TokenType, 100)
	password = readPassword(o)
	o.Rest()
	return r, password
}

// readPassword takes a password as it is, spaces and all.
func readPassword(o *api.Object) string {
	v, given := o.Take("password")
	if !given {
		return ""
	}
	text, ok := v.(string)
	switch {
	case !ok:
		o.Add("password", "must be a text, in quotes")
	case text == "":
		o.Add("password", "must not be empty; leave it out to keep the one that is stored")
	case len(text) > 4000:
		o.Add("password", "is longer than 4000 bytes")
	}
	return text
}

func readMapping(o *api.Object, m seeding.Mapping) seeding.Mapping {
	const most = 1000
	m.VID = o.Text("vid", m.VID, most)
	m.Name = o.Texts("name", m.Name, 20)
	m.Gender = o.Text("gender", m.Gender, most)
	m.DOB = o.Text("dob", m.DOB, most)
	m.PhoneNumber = o.Text("phoneNumber", m.PhoneNumber, most)
	m.EmailID = o.Text("emailId", m.EmailID, most)
	m.FullAddress = o.Texts("fullAddress", m.FullAddress, 20)
	o.Rest()
	return m
}

// readDomain returns the domain as compact JSON text. It may come as JSON or as a
// text: JSON, or Python as Odoo shows it, which stays as it was written.
func readDomain(o *api.Object, fallback string) string {
	const most = 20_000
	v, given := o.Take("domain")
	if !given {
		return fallback
	}
	domain, isText := v.(string)
	if isText {
		if domain = strings.TrimSpace(domain); domain == "" {
			o.Add("domain", "must not be blank; leave it out for the default, or write [] for every registrant")
			return ""
		}
		if v = fromJSON(domain); v == nil {
			v = []any{} // whether it is Python is checked with what it means
		} else {
			isText = false
		}
	}
	if _, ok := v.([]any); !ok {
		o.Add("domain", "must be a list of conditions, such as "+`[["is_registrant","=",true]]`)
		return ""
	}
	if !isText {
		domain = compact(v)
	}
	if len(domain) > most {
		o.Add("domain", "is longer than 20000 bytes")
		return ""
	}
	return domain
}

// fromJSON is nil for a text that is not JSON, or has more after it. More() does
// not find that: it is false before a surplus bracket.
func fromJSON(text string) (v any) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return nil
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return v
}

func compact(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // of values that were read from JSON
	return strings.TrimSpace(text.String())
}

func minutes(n int) time.Duration   { return time.Duration(n) * time.Minute }
func inMinutes(d time.Duration) int { return int(d / time.Minute) }

var (
	language  = regexp.MustCompile(`^[a-z]{3}$`)
	fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func pattern(p *regexp.Regexp, wrong string) api.Check {
	return func(text string) string {
		if p.MatchString(text) {
			return ""
		}
		return wrong
	}
}

// maxFieldName is Odoo's (ir.model.fields checks it) and PostgreSQL's limit.
const maxFieldName = 63

func selectable(field string) string {
	switch {
	case field == "vid":
		return "is put into every record by the connector; leave it out"
	case !fieldName.MatchString(field):
		return "is not the name of a field: letters, digits and _ only"
	case len(field) > maxFieldName:
		return fmt.Sprintf("is longer than %d characters, which no field of Odoo is", maxFieldName)
	}
	return ""
}

func mandatory(field string) string {
	switch {
	case field == "vid":
		return "is mandatory in any case; leave it out"
	case !slices.Contains(seeding.MTSFields, field):
		return "must be one of " + strings.Join(seeding.MTSFields[1:], ", ")
	}
	return ""
}

// address checks the base address of a server. A host that is not in ASCII is
// shown as punycode, so that nobody takes it for one that looks like it.
func address(text string) string {
	_, err := seeding.ParseAddress(text)
	wrong, _ := errors.AsType[*seeding.AddressError](err)
	switch {
	case wrong == nil:
		return ""
	case wrong.Host == "":
		return wrong.Reason
	}
	ascii, err := idna.Lookup.ToASCII(wrong.Host) // maps letters as browsers do
	if err != nil {
		ascii, err = idna.Punycode.ToASCII(wrong.Host)
	}
	if err != nil {
		return wrong.Reason
	}
	return wrong.Reason + "; in punycode it is " + ascii + ": write that if you mean it"
}
