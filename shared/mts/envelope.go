package mts

import (
	"maps"

	"openg2p.org/mts-connector/shared/seeding"
)

// envelope of POST authtoken/json and authtoken/odk (facts/mts.md 1.1, 1.3). The mapping is left out where
// records carry MTS's own names already.
type envelope struct {
	ID          string  `json:"id"`
	Version     string  `json:"version"`
	Metadata    string  `json:"metadata"` // a text, not an object
	RequestTime string  `json:"requesttime"`
	Request     request `json:"request"`
}

type request struct {
	Output       string             `json:"output"`
	DeliveryType string             `json:"deliverytype"`
	Mapping      *mapping           `json:"mapping,omitempty"`
	Language     string             `json:"lang,omitempty"`
	OutputFormat string             `json:"outputFormat,omitempty"` // never false, which MTS would run as jq (facts/mts.md D2)
	Callback     callbackProperties `json:"callbackProperties"`
	Records      []any              `json:"authdata,omitempty"`
	ODK          *odkConfig         `json:"odkconfig,omitempty"` // in place of records
}

// odkConfig tells which submissions MTS fetches from ODK Central (facts/mts.md 2.6). It
// takes the address as it is, and adds the window to it where there is one.
type odkConfig struct {
	BaseURL  string `json:"baseurl"`
	Email    string `json:"email"`
	Password string `json:"password"`
	ODataURL string `json:"odataurl"`
	From     string `json:"startdate,omitempty"`
	To       string `json:"enddate,omitempty"`
}

// mapping names the members of a record (facts/mts.md 2.3). Ours are plain names.
type mapping struct {
	VID         string   `json:"vid"`
	Name        []string `json:"name"`
	Gender      string   `json:"gender"`
	DOB         string   `json:"dob"`
	PhoneNumber string   `json:"phoneNumber"`
	EmailID     string   `json:"emailId"`
	FullAddress []string `json:"fullAddress"`
}

// callbackProperties has the one way to sign in that is used: MTS validates the
// others too, where they are there (facts/mts.md 1.1.1).
type callbackProperties struct {
	URL            string            `json:"url"`
	Method         string            `json:"httpMethod"`
	Headers        map[string]string `json:"extraHeaders,omitempty"`
	TimeoutSeconds int               `json:"timeoutSeconds,omitempty"` // MTS's default is 10; 0 would kill the delivery
	InBulk         bool              `json:"callInBulk"`
	AuthType       seeding.AuthType  `json:"authType"`
	Odoo           *authOdoo         `json:"authOdoo,omitempty"`
	OAuth          *authOAuth        `json:"authOauth,omitempty"`
	StaticBearer   *staticBearer     `json:"authStaticBearer,omitempty"`
}

type authOdoo struct {
	URL      string `json:"authUrl"`
	Database string `json:"database"`
	Username string `json:"username"`
	Password string `json:"password"`
}

type authOAuth struct {
	URL          string `json:"authUrl"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
}

type staticBearer struct {
	Token string `json:"token"`
}

// record holds texts only: one number or boolean makes MTS fail the whole batch
// (facts/mts.md W12), and numbers lose digits in its jq (facts/mts.md W13).
type record struct {
	VID         string `json:"vid,omitempty"`
	Name        string `json:"name,omitempty"`
	Gender      string `json:"gender,omitempty"`
	DOB         string `json:"dob,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	EmailID     string `json:"emailId,omitempty"`
	FullAddress string `json:"fullAddress,omitempty"`
	Key         string `json:"key,omitempty"`
}

// requestTime is MTS's own: a fraction is mandatory and the zone is Z
// (facts/mts.md 2.1).
const requestTime = "2006-01-02T15:04:05.000Z"

func (c *Client) envelope(s seeding.Request) envelope {
	e := envelope{
		ID:          "mosip.token.seeder",
		Version:     "1.0",
		RequestTime: c.now().UTC().Format(requestTime),
		Request: request{
			Output:       "json",
			DeliveryType: "callback",
			Language:     s.Language,
			OutputFormat: s.OutputFormat,
			Records:      make([]any, len(s.Records)),
		},
	}
	if s.Pull != nil {
		e.Request.Mapping = mappingOfPull(s.Pull.Mapping.Texts())
		e.Request.ODK = odkConfigOf(*s.Pull)
	}
	if s.Direct != nil {
		e.Request.Mapping = mappingOf(s.Direct.Names)
		e.Request.Callback = direct(*s.Direct)
	} else {
		e.Request.Callback = callbackProperties{
			URL: s.CallbackURL, Method: "POST", InBulk: true,
			AuthType: seeding.AuthStaticBearer, StaticBearer: &staticBearer{Token: s.Bearer},
		}
	}
	e.Request.Callback.TimeoutSeconds = max(0, s.TimeoutSeconds)
	for i, r := range s.Records {
		if s.Direct != nil {
			e.Request.Records[i] = directRecord(r, s.Direct.Names)
			continue
		}
		e.Request.Records[i] = record{
			VID: r.VID, Name: r.Name, Gender: r.Gender, DOB: r.DOB, PhoneNumber: r.PhoneNumber, EmailID: r.EmailID, FullAddress: r.FullAddress, Key: r.Key,
		}
	}
	return e
}

// mappingOf is nil where the names are MTS's own.
func mappingOf(names map[string]string) *mapping {
	own := true
	for field, name := range names {
		own = own && field == name
	}
	if own {
		return nil
	}
	return &mapping{
		VID: names["vid"], Name: []string{names["name"]}, Gender: names["gender"], DOB: names["dob"],
		PhoneNumber: names["phoneNumber"], EmailID: names["emailId"], FullAddress: []string{names["fullAddress"]},
	}
}

func mappingOfPull(m seeding.Mapping) *mapping {
	return &mapping{
		VID: m.VID, Name: m.Name, Gender: m.Gender, DOB: m.DOB, PhoneNumber: m.PhoneNumber, EmailID: m.EmailID, FullAddress: m.FullAddress,
	}
}

func odkConfigOf(p seeding.Pull) *odkConfig {
	c := odkConfig{BaseURL: p.BaseURL, Email: p.Email, Password: p.Password, ODataURL: p.ODataURL}
	if !p.Window.Empty() {
		c.From, c.To = p.Window.Bounds()
	}
	return &c
}

// direct is how MTS calls an address of the connector's own.
func direct(d seeding.DirectCallback) callbackProperties {
	auth, secrets := d.Delivery.Auth, d.Secrets
	p := callbackProperties{
		URL: d.Delivery.URL, Method: d.Delivery.Method, Headers: secrets.Headers, InBulk: d.Delivery.InBulk, AuthType: auth.Type,
	}
	switch auth.Type {
	case seeding.AuthOdoo:
		p.Odoo = &authOdoo{URL: auth.URL, Database: auth.Database, Username: auth.Username, Password: secrets.Password}
	case seeding.AuthOAuth:
		p.OAuth = &authOAuth{URL: auth.URL, Username: auth.Username, Password: secrets.Password, ClientID: auth.ClientID, ClientSecret: secrets.ClientSecret}
	case seeding.AuthStaticBearer:
		p.StaticBearer = &staticBearer{Token: secrets.Token}
	case seeding.AuthNone:
	}
	return p
}

// directRecord is a record with what else it holds. MTS's fields are texts, and
// nothing else is mapped, so no type in it fails the batch.
func directRecord(r seeding.RequestRecord, names map[string]string) map[string]any {
	all := make(map[string]any, len(r.Fields)+len(names))
	maps.Copy(all, r.Fields)
	for field, text := range map[string]string{
		"vid": r.VID, "name": r.Name, "gender": r.Gender, "dob": r.DOB,
		"phoneNumber": r.PhoneNumber, "emailId": r.EmailID, "fullAddress": r.FullAddress,
	} {
		if text != "" {
			all[names[field]] = text
		}
	}
	return all
}
