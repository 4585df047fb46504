package seedingdb

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// What is stored of one configuration, by form.
const (
	form1 = `{"id":"0d1krpt3v8","version":3,"name":"Laguna","mts_url":"https://mts.example.org/seeder","input_type":"registry",` +
		`"mapping":{"vid":"vid","name":["given_name","family_name"],"gender":"gender","dob":"birthdate","phoneNumber":"phone","emailId":"email","fullAddress":["address"]},` +
		`"output_type":"json","output_format":"","delivery_type":"callback","job_type":"recurring","language":"ara","interval_minutes":90,` +
		`"domain":"[[\"is_registrant\",\"=\",true]]","fields":["id","given_name","family_name"],` +
		`"callback":{"url":"","http_method":"POST","timeout_seconds":30,"auth_type":"static_bearer","auth_database":"","auth_username":""},` +
		`"registry":{"url":"https://registry.example.org","database":"g2p","username":"connector","vid_type":"MOSIP VID","token_type":"MOSIP UIN TOKEN"},` +
		`"mandatory_fields":[],"batch_maximum":500,"remove_vids":true,"secrets":{"registry-password":"v1"},` +
		`"created":"2026-11-21T09:00:00Z","updated":"2026-11-21T10:00:00Z"}`
	form2 = `{"name":"Laguna","mts":{"url":"https://mts.example.org/seeder","language":"ara","batch_maximum":500,"width_maximum":16},` +
		`"registry":{"url":"https://registry.example.org","database":"g2p","username":"connector","vid_type":"MOSIP VID","token_type":"MOSIP UIN TOKEN"},` +
		`"source":{"registry":{"domain":"[[\"is_registrant\",\"=\",true]]","fields":["id","given_name","family_name"],` +
		`"mapping":{"vid":"vid","name":["given_name","family_name"],"gender":"gender","dob":"birthdate","phoneNumber":"phone","emailId":"email","fullAddress":["address"]},` +
		`"mandatory":[]}},"delivery":{"timeout_seconds":30},"schedule":{"interval_us":5400000000},"output":{"remove_vids":true},` +
		`"secrets":{"registry-password":"v1"},"created":"2026-11-21T09:00:00Z","updated":"2026-11-21T10:00:00Z"}`
)

func TestConfigurationForms(t *testing.T) {
	want := seeding.Connector{
		ID: "0d1krpt3v8", Version: 3, Name: "Laguna",
		MTS: seeding.MTSAccess{URL: "https://mts.example.org/seeder", Language: "ara", BatchMaximum: 500, WidthMaximum: 16},
		Registry: seeding.RegistryAccess{
			URL: "https://registry.example.org", Database: "g2p", Username: "connector",
			VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN",
		},
		Source: seeding.RegistrySource{
			Domain: `[["is_registrant","=",true]]`, Fields: []string{"id", "given_name", "family_name"},
			Mapping: seeding.Mapping{
				VID: "vid", Name: []string{"given_name", "family_name"}, Gender: "gender", DOB: "birthdate",
				PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"address"},
			},
			Mandatory: []string{},
		},
		Delivery: seeding.Delivery{TimeoutSeconds: 30},
		Schedule: seeding.Schedule{Interval: 90 * time.Minute},
		Output:   seeding.Output{RemoveVIDs: true},
		Secrets:  map[string]string{seeding.RegistryPassword: "v1"},
		Created:  time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Updated: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	}
	key := dynamo.Item{"pk": dynamo.Text("connectors"), "sk": dynamo.Text(want.ID)}
	newest := dynamo.Item{"form": dynamo.Number(2), "version": dynamo.Number(3), "document": dynamo.Text(form2)}
	withoutWidth := maps.Clone(newest)
	withoutWidth["document"] = dynamo.Text(strings.Replace(form2, `,"width_maximum":16`, "", 1))
	for form, stored := range map[string]dynamo.Item{
		"form 1":                 {"version": dynamo.Number(3), "config": dynamo.Text(form1)},
		"form 2":                 newest,
		"form 2 without a width": withoutWidth, // which then is the default
	} {
		it := maps.Clone(stored)
		maps.Copy(it, key)
		got, err := decodeConnector(it)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as\n     %+v %v\nwant %+v", form, got, err, want)
		}
	}
	if written, err := encodeConnector(want); err != nil || !reflect.DeepEqual(written, newest) {
		t.Errorf("written as\n     %v %v\nwant %v", written, err, newest)
	}
}
