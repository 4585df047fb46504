package seedingdb

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const configs = "connectors"

func configKey(id string) dynamo.Key { return dynamo.Key{Partition: configs, Sort: id} }

// Connector implements seeding.Connectors and the store of the connectors API.
func (s *Store) Connector(ctx context.Context, id string) (seeding.Connector, error) {
	return get(ctx, s, configKey(id), decodeConnector)
}

// configurationForm is the newest form of a stored configuration: a JSON
// document in the attribute document, apart from id and version.
const configurationForm = 2

func encodeConnector(c seeding.Connector) (dynamo.Item, error) {
	document, err := json.Marshal(configurationOf(c))
	if err != nil {
		return nil, err
	}
	return dynamo.Item{
		"form":     dynamo.Number(configurationForm),
		"version":  dynamo.Number(c.Version),
		"document": dynamo.Text(string(document)),
	}, nil
}

func decodeConnector(it dynamo.Item) (seeding.Connector, error) {
	r := dynamo.NewReader(it)
	var c seeding.Connector
	switch r.Form(configurationForm) {
	case 1:
		c = readJSON[configurationForm1](r, "config").connector()
	case configurationForm:
		c = readJSON[configuration](r, "document").connector()
	}
	c.ID, c.Version = r.Key().Sort, r.Int("version")
	return dynamo.Decoded(r, c)
}

// readJSON reads a document. It drops the error of the JSON package, which would
// quote the document.
func readJSON[T any](r *dynamo.Reader, name string) (document T) {
	if err := json.Unmarshal([]byte(r.Text(name)), &document); err != nil {
		r.Damaged(name)
	}
	return document
}

// configuration is the document of form 2. It has room for other sources,
// deliveries and schedules.
type configuration struct {
	Name     string            `json:"name"`
	MTS      storedMTS         `json:"mts"`
	Registry storedRegistry    `json:"registry"`
	Source   storedSource      `json:"source"`
	Delivery storedDelivery    `json:"delivery"`
	Schedule storedSchedule    `json:"schedule"`
	Output   storedOutput      `json:"output"`
	Secrets  map[string]string `json:"secrets"`
	Created  time.Time         `json:"created"`
	Updated  time.Time         `json:"updated"`
}

type storedMTS struct {
	URL          string `json:"url"`
	Language     string `json:"language"`
	BatchMaximum int    `json:"batch_maximum"`
	WidthMaximum int    `json:"width_maximum"` // absent before there was such a setting
}

type storedRegistry struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username"`
	VIDType   string `json:"vid_type"`
	TokenType string `json:"token_type"`

	SubmissionType string `json:"submission_type,omitempty"` // of ODK
}

type storedSource struct {
	Registry storedRegistrySource `json:"registry"` // of ODK only mapping and mandatory fields count
	ODK      storedODK            `json:"odk,omitzero"`
}

type storedRegistrySource struct {
	Domain    string        `json:"domain"`
	Fields    []string      `json:"fields"`
	OneByOne  bool          `json:"one_by_one,omitempty"`
	Mapping   storedMapping `json:"mapping"`
	Mandatory []string      `json:"mandatory"`
}

// storedODK is the form that registrants come from; absent if they come from the registry.
type storedODK struct {
	BaseURL  string    `json:"base_url"`
	ODataURL string    `json:"odata_url"`
	Email    string    `json:"email"`
	Received time.Time `json:"received,omitzero"`
}

type storedMapping struct {
	VID         string   `json:"vid"`
	Name        []string `json:"name"`
	Gender      string   `json:"gender"`
	DOB         string   `json:"dob"`
	PhoneNumber string   `json:"phoneNumber"`
	EmailID     string   `json:"emailId"`
	FullAddress []string `json:"fullAddress"`
}

type storedDelivery struct {
	TimeoutSeconds int           `json:"timeout_seconds"`
	Direct         *storedDirect `json:"direct,omitempty"` // absent: MTS calls us
}

type storedDirect struct {
	URL     string           `json:"url"`
	Method  string           `json:"method"`
	InBulk  bool             `json:"in_bulk,omitempty"`
	Headers []string         `json:"headers,omitempty"`
	Auth    storedDirectAuth `json:"auth"`
}

type storedDirectAuth struct {
	Type     seeding.AuthType `json:"type"`
	URL      string           `json:"url,omitempty"`
	Database string           `json:"database,omitempty"`
	Username string           `json:"username,omitempty"`
	ClientID string           `json:"client_id,omitempty"`
}

func deliveryOf(d seeding.Delivery) storedDelivery {
	stored := storedDelivery{TimeoutSeconds: d.TimeoutSeconds}
	if direct := d.Direct; direct != nil {
		stored.Direct = &storedDirect{direct.URL, direct.Method, direct.InBulk, direct.Headers, storedDirectAuth(direct.Auth)}
	}
	return stored
}

func (s storedDelivery) delivery() seeding.Delivery {
	d := seeding.Delivery{TimeoutSeconds: s.TimeoutSeconds}
	if direct := s.Direct; direct != nil {
		d.Direct = &seeding.DirectDelivery{
			URL: direct.URL, Method: direct.Method, InBulk: direct.InBulk, Headers: direct.Headers, Auth: seeding.DirectAuth(direct.Auth),
		}
	}
	return d
}

// storedSchedule has the interval alone if a version before wrote it.
type storedSchedule struct {
	Kind                 seeding.JobKind   `json:"kind,omitempty"`
	IntervalMicroseconds int64             `json:"interval_us"`
	Daily                seeding.TimeOfDay `json:"daily,omitempty"`
	Zone                 string            `json:"zone,omitempty"`
	Starts               time.Time         `json:"starts,omitzero"`
	Ends                 time.Time         `json:"ends,omitzero"`
}

func storedScheduleOf(s seeding.Schedule) storedSchedule {
	return storedSchedule{s.Kind, s.Interval.Microseconds(), s.Daily, s.Zone, s.Starts, s.Ends}
}

func (s storedSchedule) schedule() seeding.Schedule {
	return seeding.Schedule{
		Kind: s.Kind, Interval: time.Duration(s.IntervalMicroseconds) * time.Microsecond,
		Daily: s.Daily, Zone: s.Zone, Starts: s.Starts, Ends: s.Ends,
	}
}

type storedOutput struct {
	RemoveVIDs bool        `json:"remove_vids"`
	TokenShape storedShape `json:"token_shape,omitzero"` // absent before there was such a setting: MOSIP's

	// Absent before there were Output Formats: the token and nothing else is written.
	Format string              `json:"format,omitempty"`
	Shape  seeding.OutputShape `json:"shape,omitempty"`
}

type storedShape struct {
	Alphabet seeding.TokenAlphabet `json:"alphabet"`
	Shortest int                   `json:"shortest"`
	Longest  int                   `json:"longest"`
}

func configurationOf(c seeding.Connector) configuration {
	return configuration{
		Name:     c.Name,
		MTS:      storedMTS(c.MTS),
		Registry: storedRegistry(c.Registry),
		Source: storedSource{Registry: storedRegistrySource{
			Domain: c.Source.Domain, Fields: c.Source.Fields, OneByOne: c.Source.OneByOne, Mapping: storedMapping(c.Source.Mapping), Mandatory: c.Source.Mandatory,
		}, ODK: storedODK(c.ODK)},
		Delivery: deliveryOf(c.Delivery),
		Schedule: storedScheduleOf(c.Schedule),
		Output: storedOutput{
			RemoveVIDs: c.Output.RemoveVIDs, TokenShape: storedShape(c.Output.TokenShape), Format: c.Output.Format, Shape: c.Output.Shape,
		},
		Secrets: c.Secrets,
		Created: c.Created, Updated: c.Updated,
	}
}

// connector has no id and version, because the document has none.
func (c configuration) connector() seeding.Connector {
	source := c.Source.Registry
	c.MTS.WidthMaximum = cmp.Or(c.MTS.WidthMaximum, seeding.DefaultWidth)
	return seeding.Connector{
		Name:     c.Name,
		MTS:      seeding.MTSAccess(c.MTS),
		Registry: seeding.RegistryAccess(c.Registry),
		Source: seeding.RegistrySource{
			Domain: source.Domain, Fields: source.Fields, OneByOne: source.OneByOne, Mapping: seeding.Mapping(source.Mapping), Mandatory: source.Mandatory,
		},
		ODK:      seeding.ODKSource(c.Source.ODK),
		Delivery: c.Delivery.delivery(),
		Schedule: c.Schedule.schedule(),
		Output: seeding.Output{
			RemoveVIDs: c.Output.RemoveVIDs, TokenShape: seeding.TokenShape(c.Output.TokenShape), Format: c.Output.Format, Shape: c.Output.Shape,
		},
		Secrets: c.Secrets,
		Created: c.Created, Updated: c.Updated,
	}
}

// configurationForm1 is the document of form 1 in the attribute config: flat,
// with id and version. It had more members, which no function read.
type configurationForm1 struct {
	Name            string         `json:"name"`
	MTSURL          string         `json:"mts_url"`
	Language        string         `json:"language"`
	BatchMaximum    int            `json:"batch_maximum"`
	Registry        storedRegistry `json:"registry"`
	Domain          string         `json:"domain"`
	Fields          []string       `json:"fields"`
	Mapping         storedMapping  `json:"mapping"`
	MandatoryFields []string       `json:"mandatory_fields"`
	Callback        struct {
		TimeoutSeconds int `json:"timeout_seconds"`
	} `json:"callback"`
	IntervalMinutes int               `json:"interval_minutes"`
	RemoveVIDs      bool              `json:"remove_vids"`
	Secrets         map[string]string `json:"secrets"`
	Created         time.Time         `json:"created"`
	Updated         time.Time         `json:"updated"`
}

func (c configurationForm1) connector() seeding.Connector {
	return seeding.Connector{
		Name:     c.Name,
		MTS:      seeding.MTSAccess{URL: c.MTSURL, Language: c.Language, BatchMaximum: c.BatchMaximum, WidthMaximum: seeding.DefaultWidth},
		Registry: seeding.RegistryAccess(c.Registry),
		Source: seeding.RegistrySource{
			Domain: c.Domain, Fields: c.Fields, Mapping: seeding.Mapping(c.Mapping), Mandatory: c.MandatoryFields,
		},
		Delivery: seeding.Delivery{TimeoutSeconds: c.Callback.TimeoutSeconds},
		Schedule: seeding.Schedule{Interval: time.Duration(c.IntervalMinutes) * time.Minute},
		Output:   seeding.Output{RemoveVIDs: c.RemoveVIDs},
		Secrets:  c.Secrets,
		Created:  c.Created, Updated: c.Updated,
	}
}
