package seedingdb

import (
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

// storedConnector is the document of a configuration in its item. Members that
// no function reads are written as they always were, so that the program of
// before can still read what this one writes.
type storedConnector struct {
	ID      string `json:"id"`
	Version int    `json:"version"`

	Name            string        `json:"name"`
	MTSURL          string        `json:"mts_url"`
	InputType       string        `json:"input_type"` // "registry"
	Mapping         storedMapping `json:"mapping"`
	OutputType      string        `json:"output_type"`   // "json"
	OutputFormat    string        `json:"output_format"` // ""
	DeliveryType    string        `json:"delivery_type"` // "callback"
	JobType         string        `json:"job_type"`      // "recurring"
	Language        string        `json:"language"`
	IntervalMinutes int           `json:"interval_minutes"`
	Domain          string        `json:"domain"`
	Fields          []string      `json:"fields"`

	Callback storedCallback `json:"callback"`
	Registry storedRegistry `json:"registry"`

	MandatoryFields []string `json:"mandatory_fields"`
	BatchMaximum    int      `json:"batch_maximum"`
	RemoveVIDs      bool     `json:"remove_vids"`

	Secrets map[string]string `json:"secrets"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
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

type storedCallback struct {
	URL            string `json:"url"`         // ""
	HTTPMethod     string `json:"http_method"` // "POST"
	TimeoutSeconds int    `json:"timeout_seconds"`
	AuthType       string `json:"auth_type"`     // "static_bearer"
	AuthDatabase   string `json:"auth_database"` // ""
	AuthUsername   string `json:"auth_username"` // ""
}

type storedRegistry struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username"`
	VIDType   string `json:"vid_type"`
	TokenType string `json:"token_type"`
}

func encodeConnector(c seeding.Connector) (dynamo.Item, error) {
	config, err := json.Marshal(storedConnector{
		ID: c.ID, Version: c.Version, Name: c.Name,
		MTSURL: c.MTS.URL, Language: c.MTS.Language, BatchMaximum: c.MTS.BatchMaximum,
		Registry:  storedRegistry(c.Registry),
		InputType: "registry", Domain: c.Source.Domain, Fields: c.Source.Fields,
		Mapping: storedMapping(c.Source.Mapping), MandatoryFields: c.Source.Mandatory,
		DeliveryType: "callback",
		Callback:     storedCallback{HTTPMethod: "POST", TimeoutSeconds: c.Delivery.TimeoutSeconds, AuthType: "static_bearer"},
		JobType:      "recurring", IntervalMinutes: int(c.Schedule.Interval / time.Minute),
		OutputType: "json", RemoveVIDs: c.Output.RemoveVIDs,
		Secrets: c.Secrets, Created: c.Created, Updated: c.Updated,
	})
	if err != nil {
		return nil, err
	}
	return dynamo.Item{"version": dynamo.Number(c.Version), "config": dynamo.Text(string(config))}, nil
}

func decodeConnector(it dynamo.Item) (seeding.Connector, error) {
	r := dynamo.NewReader(it)
	var c storedConnector
	if err := json.Unmarshal([]byte(r.Text("config")), &c); err != nil {
		r.Damaged("config") // the error would quote the configuration
	}
	return dynamo.Decoded(r, seeding.Connector{
		ID: c.ID, Version: c.Version, Name: c.Name,
		MTS:      seeding.MTSAccess{URL: c.MTSURL, Language: c.Language, BatchMaximum: c.BatchMaximum},
		Registry: seeding.RegistryAccess(c.Registry),
		Source: seeding.RegistrySource{
			Domain: c.Domain, Fields: c.Fields, Mapping: seeding.Mapping(c.Mapping), Mandatory: c.MandatoryFields,
		},
		Delivery: seeding.Delivery{TimeoutSeconds: c.Callback.TimeoutSeconds},
		Schedule: seeding.Schedule{Interval: time.Duration(c.IntervalMinutes) * time.Minute},
		Output:   seeding.Output{RemoveVIDs: c.RemoveVIDs},
		Secrets:  c.Secrets, Created: c.Created, Updated: c.Updated,
	})
}
