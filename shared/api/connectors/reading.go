package connectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// draft is a configuration that was read and checked, and is not saved. The connector
// has no id, version and times; of its secrets it names those that stay.
type draft struct {
	connector seeding.Connector
	secrets   map[string]string // all that are new, by their field
	wrong     api.FieldErrors   // everything that is wrong, in form and meaning
	doubtful  []warningDocument
}

// configuration reads a configuration that is to be saved. before is the connector
// that it replaces, or nil. The error is a problem with everything that is wrong.
func (s *service) configuration(w http.ResponseWriter, r *http.Request, before *seeding.Connector) (draft, error) {
	body, secret := newConfigurationBody()
	wrong, err := openapi.Read(w, r, &body, &secret)
	if err != nil {
		return draft{}, err
	}
	d := s.check(body, secret, wrong, before)
	return d, d.wrong.Err()
}

// draftOf reads a configuration that is a part of a body, of a new connector or, with
// before, of one that exists. The pointers of what is wrong begin at the configuration.
func (s *service) draftOf(configuration json.RawMessage, before *seeding.Connector) (draft, error) {
	schema := "NewConnector"
	if before != nil {
		schema = "ReplacedConnector"
	}
	body, secret := newConfigurationBody()
	wrong, err := Document().ReadPart(schema, configuration, &body, &secret)
	if err != nil {
		return draft{}, err
	}
	return s.check(body, secret, wrong, before), nil
}

// check adds to what is wrong with the form of a configuration what is wrong with its
// meaning.
func (s *service) check(body configurationBody, secret secretsBody, wrong api.FieldErrors, before *seeding.Connector) draft {
	callback := body.Callback.callback(secret.Callback)
	d := draft{connector: body.connector(), wrong: wrong}
	odkPassword := ""
	if secret.ODK != nil && body.InputType == fromODK {
		odkPassword = secret.ODK.Password
	}
	d.secrets = newSecrets(secret.Registry.Password, odkPassword, callback)
	d.connector.Delivery = callback.Delivery(before)
	d.connector.Schedule = body.schedule(&d.wrong)
	var flaw *api.Flaw
	if d.connector.Source.Domain, flaw = domainOf(body.Domain, setup.DefaultDomain(d.connector.Registry)); flaw != nil {
		d.wrong.Add("/domain", *flaw)
	}
	d.connector = body.withODK(d.connector, secret.ODK != nil, before, &d.wrong)
	d.connector.Output.Format = outputFormatOf(body.OutputFormat)
	if shape := d.connector.Output.TokenShape; shape.Longest < shape.Shortest && !wrong.Touch("/token_shape/longest") && !wrong.Touch("/token_shape/shortest") {
		d.wrong.Add("/token_shape/longest", api.Flaw{Code: "longest", Detail: "must not be less than shortest"})
	}
	formal := d.wrong
	rules := s.rules()
	proposal := setup.Proposal{
		Connector: d.connector, Before: before, PasswordGiven: secret.Registry.Password != "", Password: secret.Registry.Password, Now: s.Now(), Callback: callback,
		ODKPasswordGiven: odkPassword != "", ODKPassword: odkPassword,
		Unread: func(f setup.Field) bool { return formal.Touch(pointer(f)) },
	}
	found, doubtful := rules.Check(proposal)
	for _, finding := range found {
		d.wrong.Add(pointer(finding.Field), flawOf(finding))
	}
	d.connector.Output.Shape = rules.Shape(d.connector)
	for _, finding := range doubtful {
		d.doubtful = append(d.doubtful, warningDocument{pointer(finding.Field), flawOf(finding)})
	}
	d.connector = rules.Normalise(d.connector)
	d.connector.Secrets = proposal.Kept()
	if before != nil {
		d.connector.Secrets[seeding.RegistryPassword] = before.Secrets[seeding.RegistryPassword]
	}
	return d
}

// rules are those about the meaning of a configuration.
func (s *service) rules() setup.Rules {
	return setup.Rules{Mappings: s.Mappings, CheckDomain: s.CheckDomain, Conditions: s.Conditions, CheckAddress: s.CheckAddress, FormAddress: s.FormAddress, Distance: openapi.Distance}
}

// pointers say where the document has the fields that rules check. Below the
// mapping both use MTS's names.
var pointers = map[setup.Field]string{
	setup.MTSURL:           "/mts_url",
	setup.RegistryURL:      "/registry/url",
	setup.RegistryDatabase: "/registry/database",
	setup.RegistryUsername: "/registry/username",
	setup.RegistryPassword: "/registry/password",
	setup.VIDType:          "/registry/vid_type",
	setup.TokenType:        "/registry/token_type",
	setup.Domain:           "/domain",
	setup.Fields:           "/fields",
	setup.Mandatory:        "/mandatory_fields",
	setup.Mapping:          "/mapping",
	setup.Interval:         "/interval_minutes",
	setup.Daily:            "/daily_at",
	setup.Zone:             "/time_zone",
	setup.Starts:           "/starts",
	setup.Ends:             "/ends",
	setup.OutputFormat:     "/output_format",

	setup.ODK:            "/odk",
	setup.ODKBaseURL:     "/odk/base_url",
	setup.ODKODataURL:    "/odk/odata_url",
	setup.ODKEmail:       "/odk/email",
	setup.ODKPassword:    "/odk/password",
	setup.ODKReceived:    "/odk/received_from",
	setup.SubmissionType: "/odk/submission_type",
	setup.OneByOne:       "/registry/read_one_by_one",

	setup.CallbackURL:          "/callback/url",
	setup.CallbackMethod:       "/callback/http_method",
	setup.CallbackInBulk:       "/callback/in_bulk",
	setup.CallbackHeaders:      "/callback/extra_headers",
	setup.CallbackAuthType:     "/callback/auth_type",
	setup.CallbackAuthURL:      "/callback/auth_url",
	setup.CallbackDatabase:     "/callback/auth_database",
	setup.CallbackUsername:     "/callback/auth_username",
	setup.CallbackPassword:     "/callback/auth_password",
	setup.CallbackClientID:     "/callback/auth_client_id",
	setup.CallbackClientSecret: "/callback/auth_client_secret",
	setup.CallbackToken:        "/callback/auth_token",
}

func pointer(f setup.Field) string {
	field, below, found := strings.Cut(string(f), "/")
	at := pointers[setup.Field(field)]
	if found {
		at += "/" + below
	}
	return at
}

func flawOf(f setup.Finding) api.Flaw {
	return api.Flaw{Code: f.Code, Params: f.Params, Detail: f.Text}
}

// configurationBody is a configuration as it is sent: the members of the document
// that a reply has too, but for the domain, which may be JSON or a text, and the Output
// Format, which Odoo has as false where it is empty (facts/mts.md D2).
type configurationBody struct {
	configurationDocument
	Domain       json.RawMessage `json:"domain"`
	OutputFormat json.RawMessage `json:"output_format"`
}

// newConfigurationBody is a body in which nothing is given.
func newConfigurationBody() (configurationBody, secretsBody) {
	body := configurationBody{configurationDocument: newConfigurationDocument(setup.Defaults())}
	body.IntervalMinutes = 0 // its default depends on the other members
	body.ODK = &odkDocument{SubmissionType: setup.DefaultSubmissionType}
	return body, secretsBody{}
}

// secretsBody are members that no reply has.
type secretsBody struct {
	Registry struct {
		Password string `json:"password"`
	} `json:"registry"`
	Callback callbackSecretsBody `json:"callback"`
	ODK      *struct {           // nil if it is not given at all
		Password string `json:"password"`
	} `json:"odk"`
}

// connector is the configuration in the words of the domain, without its Domain, its
// Schedule and its Delivery.
func (d configurationDocument) connector() seeding.Connector {
	m := d.Mapping
	return seeding.Connector{
		Name: d.Name,
		MTS:  seeding.MTSAccess{URL: d.MTSURL, Language: d.Language, BatchMaximum: d.BatchMaximum, WidthMaximum: d.WidthMaximum},
		Registry: seeding.RegistryAccess{
			URL: d.Registry.URL, Database: d.Registry.Database, Username: d.Registry.Username,
			VIDType: d.Registry.VIDType, TokenType: d.Registry.TokenType,
		},
		Source: seeding.RegistrySource{
			Fields: d.Fields, Mandatory: d.MandatoryFields, OneByOne: d.Registry.OneByOne,
			Mapping: seeding.Mapping{
				VID: m.VID, Name: m.Name, Gender: m.Gender, DOB: m.DOB,
				PhoneNumber: m.PhoneNumber, EmailID: m.EmailID, FullAddress: m.FullAddress,
			},
		},
		Output: seeding.Output{RemoveVIDs: d.RemoveVIDs, TokenShape: seeding.TokenShape(d.TokenShape)},
	}
}

// outputFormatOf returns an Output Format, "" for one that is empty. jq 1.5 takes no
// carriage returns, which texts of browsers have.
func outputFormatOf(given json.RawMessage) string {
	text, _ := fromJSON(string(given)).(string)
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// domainOf returns the domain as compact JSON text. It may come as JSON or as a
// text: JSON, or Python as Odoo shows it, which stays as it was written.
func domainOf(given json.RawMessage, fallback string) (string, *api.Flaw) {
	const most = 20_000
	if given == nil {
		return fallback, nil
	}
	v := fromJSON(string(given))
	domain, isText := v.(string)
	if isText {
		if domain = strings.TrimSpace(domain); domain == "" {
			return "", &api.Flaw{Code: "domain_blank", Detail: "must not be blank; leave it out for the default, or write [] for every registrant"}
		}
		if v = fromJSON(domain); v == nil {
			v = []any{} // whether it is Python is checked with what it means
		} else {
			isText = false
		}
	}
	if _, ok := v.([]any); !ok {
		return "", &api.Flaw{Code: "domain_list", Detail: `must be a list of conditions, such as [["is_registrant","=",true]]`}
	}
	if !isText {
		domain = compact(v)
	}
	if len(domain) > most {
		return "", &api.Flaw{Code: "domain_too_long", Params: api.Params{"most": most}, Detail: "is longer than 20000 bytes"}
	}
	return domain, nil
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
