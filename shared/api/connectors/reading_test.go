package connectors_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestCreateFillsInWhatFits(t *testing.T) {
	s := newService(t)
	a := s.want(201, "POST", "/connectors", with())
	if a.Header().Get("ETag") != `"1"` || a.Header().Get("Location") != "/connectors/C0000000000000000000000001" {
		t.Errorf("%v", a.Header())
	}
	want := `{
		"id": "C0000000000000000000000001", "version": 1, "status": "stopped", "problems": {}, "under_way": {"all": 0, "own": 0},
		"name": "Registry of Laguna", "mts_url": "https://mts.example.org", "input_type": "registry",
		"mapping": {"vid": "vid", "name": ["given_name", "family_name"], "gender": "gender", "dob": "birthdate",
			"phoneNumber": "phone", "emailId": "email", "fullAddress": ["address"]},
		"output_type": "json", "output_format": "", "delivery_type": "callback", "job_type": "recurring", "language": "eng",
		"interval_minutes": 60,
		"domain": "[[\"is_registrant\",\"=\",true],[\"is_group\",\"=\",false],[\"disabled\",\"=\",false],[\"reg_ids.id_type\",\"=like\",\"MOSIP VID\"],\"!\",[\"reg_ids.id_type\",\"=like\",\"MOSIP UIN TOKEN\"]]",
		"fields": ["id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"],
		"callback": {"url": "", "http_method": "POST", "timeout_seconds": 30, "in_bulk": false, "auth_type": "static_bearer",
			"auth_url": "", "auth_database": "", "auth_username": "", "auth_client_id": "",
			"auth_password_set": false, "auth_client_secret_set": false, "auth_token_set": false, "extra_headers_set": []},
		"registry": {"url": "https://registry.example.org", "database": "g2p", "username": "connector",
			"vid_type": "MOSIP VID", "token_type": "MOSIP UIN TOKEN", "read_one_by_one": false, "password_set": true},
		"mandatory_fields": ["name", "gender", "dob", "fullAddress"], "batch_maximum": 1000, "width_maximum": 16, "remove_vids": true,
		"token_shape": {"alphabet": "digits", "shortest": 25, "longest": 64},
		"figures": {"tokenised": 0}, "created": "2026-11-21T09:00:00Z", "updated": "2026-11-21T09:00:00Z"}`
	var expected map[string]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	expected["width"] = float64(seeding.MTSState{}.WidthNow(s.now, seeding.DefaultWidth)) // of an MTS that was never used
	for name := range maps.Keys(expected) {
		if fmt.Sprint(a.body[name]) != fmt.Sprint(expected[name]) {
			t.Errorf("%s:\n got %v\nwant %v", name, a.body[name], expected[name])
		}
	}
	for name := range maps.Keys(a.body) {
		if _, known := expected[name]; !known {
			t.Errorf("%s was not expected", name)
		}
	}
	id := idOf(a.Header().Get("Location"))
	if got := s.secrets.stored(id); !slices.Equal(got, []string{password}) {
		t.Errorf("stored %d passwords", len(got))
	}
	if v := s.store.connectors[id].Secrets[seeding.RegistryPassword]; v != "version-1" {
		t.Errorf("the configuration names %q", v)
	}
}

func TestAcceptedForms(t *testing.T) {
	for name, c := range map[string]struct {
		changes []any
		check   func(seeding.Connector) bool
	}{
		"slashes at the end": {[]any{"mts_url", "https://MTS.example.org/seeder//", "registry.url", "http://10.0.0.7:8069/"}, func(c seeding.Connector) bool {
			return c.MTS.URL == "https://mts.example.org/seeder" && c.Registry.URL == "http://10.0.0.7:8069"
		}},
		"domain as JSON":  {[]any{"domain", []any{[]any{"age", ">=", 18}}}, func(c seeding.Connector) bool { return c.Source.Domain == `[["age",">=",18]]` }},
		"domain as text":  {[]any{"domain", ` [ ["age", ">=", 18.50] ] `}, func(c seeding.Connector) bool { return c.Source.Domain == `[["age",">=",18.50]]` }},
		"read one by one": {[]any{"registry.read_one_by_one", true}, func(c seeding.Connector) bool { return c.Source.OneByOne }},
		"empty domain":    {[]any{"domain", []any{}}, func(c seeding.Connector) bool { return c.Source.Domain == `[]` }},
		"domain as Odoo shows it": {[]any{"domain", ` [('age', '>=', 18), ('a', '=', True)] `}, func(c seeding.Connector) bool {
			return c.Source.Domain == `[('age', '>=', 18), ('a', '=', True)]`
		}},
		"domain of the types": {[]any{"registry.vid_type", "VID", "registry.token_type", "Token <1>"}, func(c seeding.Connector) bool {
			return strings.Contains(c.Source.Domain, `"=like","VID"`) && strings.Contains(c.Source.Domain, `"Token <1>"`)
		}},
		"nothing mandatory": {[]any{"mandatory_fields", []any{}, "fields", []any{"name"}}, func(c seeding.Connector) bool { return c.Source.Mandatory != nil && len(c.Source.Mandatory) == 0 }},
		"null is the default": {[]any{"interval_minutes", null{}, "mapping", null{}, "fields", null{}, "output_format", null{}}, func(c seeding.Connector) bool {
			return c.Schedule.Interval == time.Hour && c.Source.Mapping.DOB == "birthdate"
		}},
		"empty callback texts": {[]any{"callback.url", "", "callback.auth_password", "", "output_format", ""}, func(seeding.Connector) bool { return true }},
		"limits": {[]any{"interval_minutes", 10080, "batch_maximum", 1, "width_maximum", 64, "callback.timeout_seconds", 300, "remove_vids", false, "language", "ara"}, func(c seeding.Connector) bool {
			return c.MTS.BatchMaximum == 1 && c.MTS.WidthMaximum == 64 && !c.Output.RemoveVIDs && c.MTS.Language == "ara"
		}},
		"tokens of another shape": {[]any{"token_shape", map[string]any{"alphabet": "base64url", "shortest": 43}}, func(c seeding.Connector) bool {
			return c.Output.TokenShape == seeding.TokenShape{Alphabet: seeding.Base64URL, Shortest: 43, Longest: 64}
		}},
		"relation":            {[]any{"fields", []any{"name", "gender", "birthdate", "state_id"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{"state_id[1]"}}, func(seeding.Connector) bool { return true }},
		"text and relation":   {[]any{"fields", []any{"name", "gender", "birthdate", "street", "state_id"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{`street + ", " + .state_id[1]`}}, func(seeding.Connector) bool { return true }},
		"date":                {[]any{"mapping.dob", `birthdate | strptime("%Y-%m-%d") | strftime("%Y/%m/%d")`}, func(seeding.Connector) bool { return true }},
		"a country's words":   {[]any{"mapping.gender", `gender | if . == "Babae" then "Female" else null end`}, func(seeding.Connector) bool { return true }},
		"one name is enough":  {[]any{"mapping.name", []any{"family_name"}}, func(seeding.Connector) bool { return true }},
		"number as text":      {[]any{"fields", []any{"id", "name", "gender", "birthdate", "zip"}, "mapping.name", []any{"name"}, "mapping.fullAddress", []any{"zip|tostring"}}, func(seeding.Connector) bool { return true }},
		"four fields at once": {[]any{"fields", []any{"a", "b", "c", "d", "e"}, "mandatory_fields", []any{"name"}, "mapping.name", []any{`a[1] + .b[1] + .c + .d`}}, func(seeding.Connector) bool { return true }},
		"phone as number":     {[]any{"mandatory_fields", []any{"phoneNumber"}, "mapping.phoneNumber", `phone|tonumber`}, func(seeding.Connector) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			if c2 := s.store.connectors[idOf(s.create(c.changes...))]; !c.check(c2) {
				t.Errorf("%+v", c2)
			}
		})
	}
}

// wrongFields are changes of a configuration, and for each pointer that an error then
// has a part of its detail.
type wrongFields struct {
	changes []any
	want    map[string]string
}

// check checks that every wrong field is named and no other, and that nothing is saved.
func (c wrongFields) check(t *testing.T) {
	t.Helper()
	s := newService(t)
	found := s.want(422, "POST", "/connectors", with(c.changes...)).fieldErrors()
	for at, part := range c.want {
		if !strings.Contains(found[at], part) {
			t.Errorf("%s: %q, want %q", at, found[at], part)
		}
	}
	for at, detail := range found {
		if _, expected := c.want[at]; !expected {
			t.Errorf("not expected: %s %s", at, detail)
		}
	}
	if len(s.store.connectors)+len(s.secrets.values) > 0 {
		t.Error("something was saved")
	}
}

// facts/mts.md D21: a mapping was taken if it was JSON, and MTS refused it unnoticed.
func TestD21AMappingThatMTSWouldRefuseIsNotSaved(t *testing.T) {
	for name, c := range map[string]wrongFields{
		"a text for a list of texts": {[]any{"mapping", map[string]any{"name": "given_name"}}, map[string]string{"/mapping/name": "list"}},
		"a list for a text":          {[]any{"mapping.dob", []any{"birthdate"}}, map[string]string{"/mapping/dob": "text"}},
		"a list":                     {[]any{"mapping", []any{"given_name"}}, map[string]string{"/mapping": "object"}},
		"a text":                     {[]any{"mapping", `{"name":["given_name"]}`}, map[string]string{"/mapping": "object"}},
		"a number in a list":         {[]any{"mapping.name", []any{1}}, map[string]string{"/mapping/name/0": "text"}},
		"a field that MTS lacks":     {[]any{"mapping.surname", "family_name"}, map[string]string{"/mapping/surname": "not a field"}},
		"an empty list":              {[]any{"mapping.name", []any{}}, map[string]string{"/mapping/name": "one expression"}},
		"an empty text":              {[]any{"mapping.vid", ""}, map[string]string{"/mapping/vid": "empty"}},
		"no program":                 {[]any{"mapping.gender", "gender |"}, map[string]string{"/mapping/gender": "jq"}},
	} {
		t.Run(name, c.check)
	}
}

// facts/mts.md D26: the two fields of a registry connector stood in a
// view that could not be shown. Here they can be left out and set.
func TestD26TheFieldsOfARegistryConnectorCanBeSet(t *testing.T) {
	s := newService(t)
	document := s.want(201, "POST", "/connectors", with()).body
	if document["domain"] == "" || len(document["fields"].([]any)) == 0 {
		t.Errorf("left out: %v, %v", document["domain"], document["fields"])
	}
	document = s.want(201, "POST", "/connectors", with("domain", `[["age",">=","18"]]`, "fields", []any{"name", "gender", "birthdate", "street"},
		"mapping", map[string]any{"name": []any{"name"}, "fullAddress": []any{"street"}})).body
	if document["domain"] != `[["age",">=","18"]]` || fmt.Sprint(document["fields"]) != "[name gender birthdate street]" {
		t.Errorf("set: %v, %v", document["domain"], document["fields"])
	}
}

// facts/mts.md D30: a domain or a list of fields that was blank failed at run time.
func TestD30ABlankDomainOrListOfFieldsIsNotSaved(t *testing.T) {
	for name, c := range map[string]wrongFields{
		"an empty domain":   {[]any{"domain", ""}, map[string]string{"/domain": "blank"}},
		"a blank domain":    {[]any{"domain", " \n\t"}, map[string]string{"/domain": "blank"}},
		"a domain of false": {[]any{"domain", false}, map[string]string{"/domain": "list"}},
		"an empty list":     {[]any{"fields", []any{}, "mandatory_fields", []any{}}, map[string]string{"/fields": "one field"}},
		"a blank text":      {[]any{"fields", ""}, map[string]string{"/fields": "list"}},
		"a list of blanks":  {[]any{"fields", []any{"", " ", "id", "given_name", "family_name", "birthdate", "gender", "address"}}, map[string]string{"/fields/0": "empty", "/fields/1": "letters"}},
	} {
		t.Run(name, c.check)
	}
}

// Every wrong field is named, and nothing is saved (facts/mts.md D11, D12, D20).
func TestWrongFields(t *testing.T) {
	for name, c := range map[string]wrongFields{
		"nothing given": {[]any{"name", nil, "mts_url", nil, "registry", nil}, map[string]string{
			"/name": "required", "/mts_url": "required", "/registry/url": "required", "/registry/database": "required",
			"/registry/username": "required", "/registry/password": "required"}},
		"wrong types": {[]any{"name", 7, "mts_url", true, "interval_minutes", "60", "batch_maximum", 1.5, "width_maximum", "4", "remove_vids", "yes",
			"fields", "id", "mandatory_fields", map[string]any{}, "language", []any{}, "domain", 5, "mapping.vid", 1, "mapping.name", "given_name",
			"callback.timeout_seconds", "30", "registry.url", 1, "registry.password", 12345, "registry.vid_type", []any{"x"}}, map[string]string{
			"/name": "text", "/mts_url": "text", "/interval_minutes": "number", "/batch_maximum": "whole", "/width_maximum": "number", "/remove_vids": "true or false",
			"/fields": "list", "/mandatory_fields": "list", "/language": "text", "/domain": "list", "/mapping/vid": "text", "/mapping/name": "list",
			"/callback/timeout_seconds": "number", "/registry/url": "text", "/registry/password": "text", "/registry/vid_type": "text"}},
		"no objects": {[]any{"mapping", []any{}, "callback", "x", "registry", 1}, map[string]string{
			"/mapping": "object", "/callback": "object", "/registry": "object"}},
		"unknown fields": {[]any{"url", "x", "a/b~c", 1, "registry.passwort", "hunter2", "callback.bulk", true, "mapping.phone", "phone", "id", "x", "status", "running"}, map[string]string{
			"/url": "not a field", "/a~1b~0c": "not a field", "/registry/passwort": "not a field", "/callback/bulk": "not a field",
			"/mapping/phone": "not a field", "/id": "not a field", "/status": "not a field"}},
		"numbers out of range": {[]any{"interval_minutes", 0, "batch_maximum", 1001, "width_maximum", 65, "callback.timeout_seconds", 1e99}, map[string]string{
			"/interval_minutes": "from 1 to 10080", "/batch_maximum": "from 1 to 1000", "/width_maximum": "from 1 to 64", "/callback/timeout_seconds": "from 1 to 300"}},
		"shapes that are none": {[]any{"token_shape", map[string]any{"alphabet": "any", "shortest": 16, "longest": 101, "pattern": ".*"}}, map[string]string{
			"/token_shape/alphabet": "base64url", "/token_shape/shortest": "from 17 to 100", "/token_shape/longest": "from 17 to 100", "/token_shape/pattern": "not a field"}},
		"a shape that nothing has": {[]any{"token_shape", map[string]any{"shortest": 40, "longest": 30}}, map[string]string{"/token_shape/longest": "less than shortest"}},
		"ODK without its form":     {[]any{"input_type", "odk"}, map[string]string{"/odk": "is required with input_type odk"}},
		"a direct callback without an address": {[]any{"callback.http_method", "GET", "callback.auth_type", "odoo", "callback.in_bulk", true, "callback.auth_url", "https://registry.example.org/web",
			"callback.auth_database", "g2p", "callback.auth_username", "u", "callback.auth_password", "hunter2", "callback.auth_client_id", "c", "callback.auth_client_secret", "hunter2",
			"callback.auth_token", "hunter2", "callback.extra_headers", map[string]any{"X-Key": "hunter2"}}, map[string]string{
			"/callback/http_method": "GET is not meant to have", "/callback/auth_type": "static_bearer", "/callback/in_bulk": "callback.url", "/callback/auth_url": "callback.url",
			"/callback/auth_database": "callback.url", "/callback/auth_username": "callback.url", "/callback/auth_password": "callback.url", "/callback/auth_client_id": "callback.url",
			"/callback/auth_client_secret": "callback.url", "/callback/auth_token": "callback.url", "/callback/extra_headers": "callback.url"}},
		"a direct callback that fits nothing": {[]any{"callback.url", "https://registry.example.org/a b", "callback.http_method", "DELETE", "callback.auth_type", "oauth", "callback.auth_url", "http://0177.0.0.1/",
			"callback.extra_headers", map[string]any{"X-Key": 5, "Content-Type": "text/xml", "X-B": "hunter2\r\n"}}, map[string]string{
			"/callback/url": "space", "/callback/http_method": "POST", "/callback/auth_url": "IPv4", "/callback/auth_client_id": "for whom", "/callback/extra_headers/X-Key": "text"}},
		"headers of a direct callback": {[]any{"callback.url", "https://registry.example.org/a", "callback.auth_type", "none", "callback.extra_headers", map[string]any{"Content-Type": "text/xml", "X/~B": "hunter2", "X-C": "hunter2\r\n"}}, map[string]string{
			"/callback/extra_headers/Content-Type": "could not read", "/callback/extra_headers": "no header has", "/callback/extra_headers/X-C": "one line"}},
		"an output format that is none":        {[]any{"output_format", true}, map[string]string{"/output_format": "text"}},
		"an output format of a number":         {[]any{"output_format", 5}, map[string]string{"/output_format": "text"}},
		"an output format too long":            {[]any{"output_format", strings.Repeat("x", 10_001)}, map[string]string{"/output_format": "10000"}},
		"an output format that gives no shape": {[]any{"output_format", ".output"}, map[string]string{"/output_format": "must give {partner_id"}},
		"an output format of a later jq":       {[]any{"output_format", "if .a then .b end"}, map[string]string{"/output_format": "if without else is not in jq 1.5, which MTS has: end it with \"else . end\", \"else null end\" or \"else empty end\", as you mean it (at character 1)"}},
		"an output format for another type":    {[]any{"output_format", lineFormat, "registry.token_type", "PSUT"}, map[string]string{"/output_format": "PSUT"}},
		"no such choice": {[]any{"input_type", "csv", "output_type", "xml", "delivery_type", "download", "callback.auth_type", "basic"}, map[string]string{
			"/input_type": `"registry"`, "/output_type": `"json"`, "/delivery_type": "callback", "/callback/auth_type": "static_bearer"}},
		"addresses": {[]any{"mts_url", "mts.example.org", "registry.url", "https://user:hunter2@registry.example.org"}, map[string]string{
			"/mts_url": "such as", "/registry/url": "user name"}},
		"more addresses":  {[]any{"mts_url", "https://mts.example.org/authtoken/json", "registry.url", "https://registry.example.org?db=g2p"}, map[string]string{"/mts_url": "without /authtoken", "/registry/url": "before ?"}},
		"and more":        {[]any{"mts_url", "ftp://mts.example.org", "registry.url", "https://registry.example.org/#"}, map[string]string{"/mts_url": "such as", "/registry/url": "before ?"}},
		"ports":           {[]any{"mts_url", "http://mts.example.org:70000", "registry.url", "http://"}, map[string]string{"/mts_url": "port", "/registry/url": "such as"}},
		"texts":           {[]any{"name", " x", "registry.database", "a\nb", "registry.username", "", "language", "english"}, map[string]string{"/name": "space", "/registry/database": "control", "/registry/username": "empty", "/language": "three letters"}},
		"too long":        {[]any{"name", strings.Repeat("x", 101), "registry.password", strings.Repeat("x", 4001)}, map[string]string{"/name": "100", "/registry/password": "4000"}},
		"empty password":  {[]any{"registry.password", ""}, map[string]string{"/registry/password": "empty"}},
		"same types":      {[]any{"registry.vid_type", "X", "registry.token_type", "X"}, map[string]string{"/registry/token_type": "another"}},
		"lists":           {[]any{"fields", []any{"id", "id", "", "a.b", "vid", 5, "address"}, "mandatory_fields", []any{"name", "name", "vid", "phone"}}, map[string]string{"/fields/1": "twice", "/fields/2": "empty", "/fields/3": "letters", "/fields/4": "by the connector", "/fields/5": "text", "/mandatory_fields/1": "twice", "/mandatory_fields/2": "in any case", "/mandatory_fields/3": "one of"}},
		"mapping":         {[]any{"mapping.vid", ".vid", "mapping.name", []any{"given-name", "family_name |"}, "mapping.gender", "input", "mapping.dob", "x | input", "mapping.emailId", ""}, map[string]string{"/mapping/emailId": "empty", "/mapping/vid": "dot", "/mapping/gender": "selected fields", "/mapping/name/0": "quotes", "/mapping/name/1": "jq", "/mapping/dob": "input"}},
		"jq":              {[]any{"mapping.vid", ".vid", "mapping.name", []any{"given-name", "family_name |"}, "mapping.dob", "x | input"}, map[string]string{"/mapping/vid": "leave it out", "/mapping/name/0": "quotes", "/mapping/name/1": "jq", "/mapping/dob": "input is not available"}},
		"D11":             {[]any{"mapping.name", []any{"name"}, "mapping.dob", "dob", "mapping.fullAddress", []any{"fullAddress"}}, map[string]string{"/mapping/name/0": "selected fields", "/mapping/dob": "selected fields", "/mapping/fullAddress/0": "selected fields"}},
		"D11, fields":     {[]any{"fields", []any{"id", "email"}}, map[string]string{"/mapping/name/0": "selected", "/mapping/name/1": "selected", "/mapping/gender": "selected", "/mapping/dob": "selected", "/mapping/fullAddress/0": "selected"}},
		"D11, vid":        {[]any{"mapping.vid", "uin"}, map[string]string{"/mapping/vid": "selected"}},
		"never a text":    {[]any{"mapping.gender", "gender|length", "mapping.name", []any{}, "mapping.fullAddress", []any{"id"}}, map[string]string{"/mapping/gender": "no text", "/mapping/name": "one expression", "/mapping/fullAddress/0": "no text"}},
		"mandatory phone": {[]any{"mandatory_fields", []any{"phoneNumber", "emailId"}, "fields", []any{"id"}}, map[string]string{"/mapping/phoneNumber": "selected", "/mapping/emailId": "selected"}},
		"python refused":  {[]any{"domain", "[('id', 'child_of', 1)]"}, map[string]string{"/domain": "child_of is not supported"}},
		"long python":     {[]any{"domain", "[('a', '=', '" + strings.Repeat("x", 20_000) + "')]"}, map[string]string{"/domain": "longer"}},
		"domain object":   {[]any{"domain", `{"a":1}`}, map[string]string{"/domain": "list"}},
		"domain refused":  {[]any{"domain", `[["id","child_of",1]]`}, map[string]string{"/domain": "child_of is not supported"}},
		"D12":             {[]any{"registry.vid_type", "VID", "domain", `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`}, map[string]string{"/domain": "other identifier types"}},
	} {
		t.Run(name, c.check)
	}
}

// A text that ends with more than a domain is checked as it was written: cut off,
// it would select people whom its last conditions keep out.
func TestADomainIsNotCutOffAtASurplusBracket(t *testing.T) {
	for _, domain := range []string{
		`[["is_registrant","=",true]]], ["active","=",true]]`, `[["is_registrant","=",true]]]`, `[["is_registrant","=",true]]}`,
		`[["is_registrant","=",true]] ]`, `[["is_registrant","=",true]], ["active","=",true]`, `[] []`,
	} {
		s := newService(t)
		s.want(201, "POST", "/connectors", with("domain", domain))
		for _, c := range s.store.connectors {
			if c.Source.Domain != domain {
				t.Errorf("%s: kept %s", domain, c.Source.Domain)
			}
		}
	}
}

// In a mapping with a field of the wrong form, expressions that do not compile
// are reported too.
func TestEveryErrorOfAMappingIsReported(t *testing.T) {
	s := newService(t)
	a := s.want(http.StatusUnprocessableEntity, "POST", "/connectors", with("mapping", map[string]any{
		"gender": "[unclosed", "name": "no list", "colour": "x"}))
	if got := strings.Join(slices.Sorted(maps.Keys(a.fieldErrors())), " "); got != "/mapping/colour /mapping/gender /mapping/name" {
		t.Errorf("%s", got)
	}
}

// What is probably not meant is saved and said, also where the reply is sent back.
func TestWarningsStandBesideTheDocument(t *testing.T) {
	s := newService(t)
	a := s.want(http.StatusCreated, "POST", "/connectors", with("mapping.fullAddress", []any{`address + (.quarter // "")`}))
	if got := fmt.Sprint(a.body["warnings"]); !strings.Contains(got, "pointer:/mapping/fullAddress/0") || !strings.Contains(got, "reads quarter,") {
		t.Errorf("%s", got)
	}
	a = s.want(http.StatusOK, "PUT", a.Header().Get("Location"), a.Body.String(), "If-Match", a.Header().Get("ETag"))
	if a.body["warnings"] == nil {
		t.Errorf("%s", a.Body)
	}
	if a = s.want(http.StatusOK, "GET", "/connectors/"+a.body["id"].(string), ""); a.body["warnings"] != nil {
		t.Errorf("%s", a.Body)
	}
}

// What was copied with a password is said beside the saved document, and the password
// is stored as it was given.
func TestPasswordWithWhatNobodySeesIsSavedWithAWarning(t *testing.T) {
	for _, password := range []string{"admin\n", "\ufeffadmin", " admin", "admin\u200b"} {
		s := newService(t)
		a := s.want(http.StatusCreated, "POST", "/connectors", with("registry.password", password))
		if got := fmt.Sprint(a.body["warnings"]); !strings.Contains(got, "code:unseen") || !strings.Contains(got, "pointer:/registry/password") || strings.Contains(got, "admin") {
			t.Errorf("%q: %s", password, got)
		}
	}
}

// Odoo and PostgreSQL have no longer names, so such a field cannot be selected.
func TestFieldNameLongerThanOdoosIsRefused(t *testing.T) {
	s := newService(t)
	fields := []any{"id", "given_name", "family_name", "birthdate", "gender", "address", strings.Repeat("a", 63), strings.Repeat("b", 64)}
	found := s.want(http.StatusUnprocessableEntity, "POST", "/connectors", with("fields", fields)).fieldErrors()
	if len(found) != 1 || !strings.HasPrefix(found["/fields/7"], "is longer than 63 characters") {
		t.Errorf("%v", found)
	}
	s.want(http.StatusCreated, "POST", "/connectors", with("fields", fields[:7]))
}

// A whole request of the worst configuration takes a fraction of the 256 MB of
// the function.
func TestMemoryOfALargeConfigurationIsBounded(t *testing.T) {
	var fields, expressions []any
	for i := range 200 {
		fields = append(fields, fmt.Sprintf("%s%03d", strings.Repeat("a", 60), i))
	}
	for i := range 20 {
		var names []string
		for j := range 15 {
			names = append(names, fmt.Sprintf("%s%03d", strings.Repeat("b", 60), 15*i+j))
		}
		expressions = append(expressions, strings.Join(names, "+."))
	}
	for name, body := range map[string]string{
		"names that are not selected": with("fields", fields, "mapping.name", expressions, "mapping.fullAddress", expressions, "mandatory_fields", []any{}),
		"a domain of objects":         with("domain", strings.Repeat(`[{"a":`, 4_900)+"1"+strings.Repeat("}]", 4_900)),
		"a long domain":               with("domain", "["+strings.Repeat("[],", 60_000)+"1]"),
		"a long list":                 with("fields", slices.Repeat([]any{1}, 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.want(http.StatusUnprocessableEntity, "POST", "/connectors", body)
			runtime.ReadMemStats(&after)
			took := after.TotalAlloc - before.TotalAlloc
			if took > 64<<20 || a.Body.Len() > 2<<20 {
				t.Errorf("%d MB, a reply of %d KB", took>>20, a.Body.Len()>>10)
			}
			t.Logf("%d MB, a reply of %d KB", took>>20, a.Body.Len()>>10)
		})
	}
}

// lineFormat is the Output Format of OpenG2P's line 15.0.
const lineFormat = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`

// An Output Format is kept as it was written, and the reply tells what it gives. What
// Odoo has where there is none is none (facts/mts.md D2).
func TestAnOutputFormatIsKeptAndItsShapeTold(t *testing.T) {
	for _, c := range []struct {
		given any
		kept  string
		shape any
	}{
		{"", "", nil}, {"  \n", "", nil}, {false, "", nil}, {null{}, "", nil},
		{lineFormat, lineFormat, "identifier"},
		{"# the line of Odoo\r\n" + lineFormat + "\r\n", "# the line of Odoo\n" + lineFormat + "\n", "identifier"},
		{`[{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}]`, `[{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}]`, "individual_by_identifier"},
	} {
		s := newService(t)
		a := s.want(201, "POST", "/connectors", with("output_format", c.given))
		reply := a.body
		if reply["output_format"] != c.kept || reply["output_shape"] != c.shape {
			t.Errorf("%q: %q, %v", c.given, reply["output_format"], reply["output_shape"])
		}
		if stored := s.store.connectors[reply["id"].(string)]; stored.Output.Format != c.kept {
			t.Errorf("%q: stored %q", c.given, stored.Output.Format)
		}
	}
}
