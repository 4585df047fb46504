package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// recorded are the connectors of a line, as Odoo sends them.
func recorded(t *testing.T, line string) (records []record) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", line+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		for name, value := range r {
			if n, isNumber := value.(float64); isNumber {
				r[name] = int(n) // as shared/odoo reads them
			}
		}
	}
	return records
}

// siteOf is an Odoo of a line whose settings can be read.
func siteOf(line string) site {
	on := true
	return site{URL: "https://odoo.example.org", Database: "g2p", Line: line, VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN", Deletes: &on,
		Registrants: map[string]string{"id": "integer", "given_name": "char", "family_name": "char", "birthdate": "date", "gender": "selection",
			"address": "text", "email": "char", "phone": "char", "country_id": "many2one", "name": "char",
			"dob": "char", "phoneNumber": "char", "emailId": "char", "fullAddress": "char"}}
}

func wished() wishes {
	return wishes{RegistryURL: "https://odoo.example.org", Username: "mts", Password: "registry secret"}
}

// at is a value of a body.
func at(body map[string]any, here string) any {
	var value any = body
	for name := range strings.SplitSeq(here, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// The whole plan of a connector of each line.
func TestThePlanOfAConnectorOfEachLine(t *testing.T) {
	mapping := map[string]any{"vid": "vid", "name": []any{"given_name", "family_name"}, "gender": "gender", "dob": "birthdate",
		"phoneNumber": "phone", "emailId": "email", "fullAddress": []any{"address"}}
	for line, want := range map[string]struct {
		body  map[string]any
		steps []string // all but those that are taken over
	}{
		"15.0": {
			body: map[string]any{
				"name": "Household registry", "mts_url": "http://mosip-token-seeder.mosip-token-seeder/", "input_type": "registry", "mapping": mapping,
				"output_type": "json", "output_format": `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`, "delivery_type": "callback",
				"language": "eng", "job_type": "recurring", "interval_minutes": 5,
				"domain":   `[["is_registrant", "=", true], ["reg_ids.id_type", "=like", "MOSIP VID"], "!", ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]]`,
				"fields":   []string{"id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"},
				"callback": map[string]any{"timeout_seconds": 10},
				"registry": map[string]any{"url": "https://odoo.example.org", "database": "g2p", "username": "mts", "password": "registry secret",
					"vid_type": "MOSIP VID", "token_type": "MOSIP UIN TOKEN"},
				"remove_vids": true,
			},
			steps: []string{
				"left out  start_datetime", "left out  end_datetime", "left out callback.url callback_url", "left out  callback_httpmethod", "left out  callback_authtype",
				"left out  callback_auth_url", "left out  callback_auth_database", "left out  callback_auth_username", "left out  callback_auth_password",
				"added registry.url ", "added registry.database ", "added registry.username ", "added registry.password ", "added registry.vid_type ", "added registry.token_type ", "added remove_vids ",
			},
		},
		"17.0": {
			body: map[string]any{
				"name": "Registry of Laguna", "mts_url": "https://mts.example.org/mosiptokenseeder", "input_type": "registry",
				"mapping": map[string]any{"vid": "vid", "name": []any{"given_name", "family_name"}, "gender": "gender", "dob": "birthdate",
					"fullAddress": []any{"address"}},
				"output_type":   "json",
				"output_format": `[{updateId: .input.vid, name: null, given_name: null, gender: null, birth_place: null, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}]`,
				"delivery_type": "callback", "language": "eng", "job_type": "recurring", "interval_minutes": 60,
				"domain":   `[["is_registrant", "=", true], ["reg_ids.id_type", "=like", "MOSIP VID"], "!", ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]]`,
				"fields":   []string{"id", "given_name", "family_name", "birthdate", "gender", "address"},
				"callback": map[string]any{"timeout_seconds": 20},
				"registry": map[string]any{"url": "https://odoo.example.org", "database": "g2p", "username": "mts", "password": "registry secret",
					"vid_type": "MOSIP VID", "token_type": "MOSIP UIN TOKEN"},
				"remove_vids": true,
			},
			steps: []string{
				"changed interval_minutes interval_minutes", "left out mapping.phoneNumber mapping", "left out mapping.emailId mapping", "changed mapping mapping",
				"left out callback.url callback_url", "left out  callback_httpmethod", "left out  callback_authtype",
				"added registry.url ", "added registry.database ", "added registry.username ", "added registry.password ", "added registry.vid_type ", "added registry.token_type ", "added remove_vids ",
			},
		},
	} {
		t.Run(line, func(t *testing.T) {
			p := planOf(recorded(t, line)[0], siteOf(line), wished())
			if p.Refused != "" || !reflect.DeepEqual(p.Body, want.body) {
				t.Errorf("%s\n%v\nwant\n%v", p.Refused, p.Body, want.body)
			}
			var steps []string
			for _, s := range p.Steps {
				if s.Kind != taken {
					steps = append(steps, fmt.Sprintf("%s %s %s", s.Kind, s.Here, s.There))
				}
			}
			if !slices.Equal(steps, want.steps) {
				t.Errorf("steps:\n%s\nwant:\n%s", strings.Join(steps, "\n"), strings.Join(want.steps, "\n"))
			}
			if more := explained(p, recorded(t, line)[0]); len(more) > 0 {
				t.Errorf("nothing is said of %v", more)
			}
		})
	}
}

// The whole plan of a connector that takes submissions.
func TestThePlanOfAConnectorOfODK(t *testing.T) {
	recordedOne := recorded(t, "15.0")[1]
	base := map[string]any{
		"name": "Household survey", "mts_url": "http://mosip-token-seeder.mosip-token-seeder", "input_type": "odk", "output_type": "json", "delivery_type": "callback",
		"mapping": map[string]any{"vid": "vid", "name": []any{"name"}, "gender": "gender", "dob": "dob", "phoneNumber": "phoneNumber", "emailId": "emailId", "fullAddress": []any{"fullAddress"}},
		"odk": map[string]any{"base_url": "https://central.example.org", "odata_url": "https://central.example.org/v1/projects/1/forms/survey.svc",
			"email": "mts@example.org", "password": "central secret", "submission_type": "ODK SUBMISSION", "received_from": "2026-10-02T00:00:00Z"},
		"language": "eng", "job_type": "one_time", "callback": map[string]any{"timeout_seconds": 10},
		"registry": map[string]any{"url": "https://odoo.example.org", "database": "g2p", "username": "mts", "password": "registry secret", "vid_type": "MOSIP VID", "token_type": "MOSIP UIN TOKEN"},
	}
	ofCallback := []string{"left out callback.url callback_url", "left out  callback_httpmethod", "left out  callback_authtype", "left out  callback_auth_url",
		"left out  callback_auth_database", "left out  callback_auth_username", "left out  callback_auth_password"}
	ofRegistry := []string{"added registry.url ", "added registry.database ", "added registry.username ", "added registry.password ", "added registry.vid_type ", "added registry.token_type "}
	for name, c := range map[string]struct {
		change map[string]any
		line   string
		body   map[string]any // what is other; nil is not there
		steps  []string       // all but those that are taken over, without those of callback and registry
		says   string
	}{
		"as it is": {steps: []string{"added odk.submission_type ", "left out  start_datetime", "changed odk.received_from end_datetime", "CALLBACK", "changed output_format output_format", "REGISTRY"},
			says: "OpenG2P's own API"},
		"line 17.0, recurring, never started, with an Output Format": {
			line: "17.0",
			change: map[string]any{"is_recurring": "recurring", "interval_minutes": 15, "start_datetime": false, "end_datetime": false,
				"output_format": "{name: .input.name}", "g2p_search_domain": "[]"},
			body:  map[string]any{"job_type": "recurring", "interval_minutes": 15, "output_format": "{name: .input.name}", "odk.received_from": nil},
			steps: []string{"added odk.submission_type ", "changed odk.received_from end_datetime", "CALLBACK", "REGISTRY", "left out  g2p_search_domain"},
			says:  "begin with the first submission",
		},
		"without a password": {
			change: map[string]any{"odk_password": false},
			body:   map[string]any{"odk.password": nil},
			steps:  []string{"to be entered odk.password odk_password", "added odk.submission_type ", "left out  start_datetime", "changed odk.received_from end_datetime", "CALLBACK", "changed output_format output_format", "REGISTRY"},
		},
		"a callback of somebody else": {
			change: map[string]any{"callback_url": "https://tokens.example.org/take"},
			steps:  []string{"added odk.submission_type ", "left out  start_datetime", "changed odk.received_from end_datetime", "CALLBACK", "changed output_format output_format", "REGISTRY"},
			says:   "it is no API of OpenG2P",
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := maps.Clone(recordedOne)
			maps.Copy(old, c.change)
			p := planOf(old, siteOf(cmp.Or(c.line, "15.0")), wished())
			want := clone(t, base)
			for here, value := range c.body {
				object, leaf := want, here
				if outer, inner, deeper := strings.Cut(here, "."); deeper {
					object, leaf = want[outer].(map[string]any), inner
				}
				if object[leaf] = value; value == nil {
					delete(object, leaf)
				}
			}
			if got := clone(t, p.Body); p.Refused != "" || !reflect.DeepEqual(got, clone(t, want)) {
				t.Errorf("%s\n%v\nwant\n%v", p.Refused, got, want)
			}
			var steps, wanted []string
			said := ""
			for _, s := range p.Steps {
				if s.Kind != taken {
					steps = append(steps, fmt.Sprintf("%s %s %s", s.Kind, s.Here, s.There))
				}
				said += s.Why + "\n"
			}
			for _, s := range c.steps {
				switch s {
				case "CALLBACK":
					wanted = append(wanted, ofCallback...)
				case "REGISTRY":
					wanted = append(wanted, ofRegistry...)
				default:
					wanted = append(wanted, s)
				}
			}
			if !slices.Equal(steps, wanted) || !strings.Contains(said, c.says) {
				t.Errorf("steps:\n%s\nwant:\n%s\n%s", strings.Join(steps, "\n"), strings.Join(wanted, "\n"), said)
			}
			if more := explained(p, old); len(more) > 0 {
				t.Errorf("nothing is said of %v", more)
			}
		})
	}
}

// clone is a body as the API gets it.
func clone(t *testing.T, body map[string]any) (same map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(text, &same)
	}
	if err != nil {
		t.Fatal(err)
	}
	return same
}

// explained are the fields of Odoo that have a value and that no step of a plan is
// about. The job and the status are Odoo's own.
func explained(p plan, old record) (forgotten []string) {
	for _, field := range slices.Sorted(maps.Keys(old)) {
		told := slices.ContainsFunc(p.Steps, func(s step) bool { return s.There == field })
		if !old.empty(field) && !told && !ownOfOdoo(field) && field != "cron_id" && field != "job_status" {
			forgotten = append(forgotten, field)
		}
	}
	return forgotten
}

func TestPlans(t *testing.T) {
	const domain, fields, mapping = "g2p_search_domain", "g2p_selected_fields", "mapping"
	direct := func(w *wishes) { w.Direct = true }
	own := map[string]any{"callback_url": "https://tokens.example.org/take"}
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(own)
		maps.Copy(all, more)
		return all
	}
	for name, c := range map[string]struct {
		line string // 15.0 unless it is given
		old  map[string]any
		wish func(*wishes)
		site func(*site)

		kind stepKind
		here string
		why  string
		want any // the value; nil: none is set
	}{
		"a name":              {old: map[string]any{"name": "Laguna"}, kind: taken, here: "name", want: "Laguna"},
		"a name with spaces":  {old: map[string]any{"name": " Laguna\n2 "}, kind: changed, here: "name", why: "one line", want: "Laguna 2"},
		"no name":             {old: map[string]any{"name": false}, kind: changed, here: "name", want: "Odoo connector #3"},
		"a long name":         {old: map[string]any{"name": strings.Repeat("é", 120)}, kind: changed, here: "name", why: "100 characters", want: strings.Repeat("é", 100)},
		"no address":          {old: map[string]any{"mts_url": false}, kind: missing, here: "mts_url"},
		"a language":          {old: map[string]any{"lang_code": "fra"}, kind: taken, here: "language", want: "fra"},
		"capitals":            {old: map[string]any{"lang_code": "ENG"}, kind: changed, here: "language", want: "eng"},
		"no language":         {old: map[string]any{"lang_code": false}, kind: changed, here: "language", want: "eng"},
		"two letters":         {old: map[string]any{"lang_code": "en"}, kind: missing, here: "language", why: "three letters"},
		"one time":            {old: map[string]any{"is_recurring": "onetime"}, kind: taken, here: "job_type", want: "one_time"},
		"one time, interval":  {old: map[string]any{"is_recurring": "onetime"}, kind: left, here: "interval_minutes", why: "no interval"},
		"one time, past":      {old: map[string]any{"is_recurring": "onetime", "end_datetime": "2020-01-01 00:00:00"}, kind: left, here: "", why: "past"},
		"no job type":         {old: map[string]any{"is_recurring": false}, kind: missing, here: "job_type"},
		"an interval":         {old: map[string]any{"interval_minutes": 1}, kind: taken, here: "interval_minutes", want: 1},
		"an interval of 0":    {old: map[string]any{"interval_minutes": 0}, kind: changed, here: "interval_minutes", why: "0 is no interval", want: 60},
		"a negative interval": {old: map[string]any{"interval_minutes": -5}, kind: changed, here: "interval_minutes", why: "-5 is no interval", want: 60},
		"a long interval":     {old: map[string]any{"interval_minutes": 43200}, kind: changed, here: "interval_minutes", why: "a week", want: 10080},

		"a domain in Python":                  {old: map[string]any{domain: "[('is_registrant', '=', True)]"}, kind: taken, here: "domain", want: "[('is_registrant', '=', True)]"},
		"a domain with a name":                {old: map[string]any{domain: "[('create_uid', '=', uid)]"}, kind: missing, here: "domain", why: `"uid" has a value in Odoo's own screens only`},
		"a domain with a date":                {old: map[string]any{domain: "[('create_date', '>', context_today())]"}, kind: missing, here: "domain", why: "context_today"},
		"a domain that breaks off":            {old: map[string]any{domain: "[('a', '='"}, kind: missing, here: "domain", why: "breaks off"},
		"a domain with an operator":           {old: map[string]any{domain: `[["a", "resembles", 1]]`}, kind: missing, here: "domain", why: "no such operator"},
		"an object for a domain":              {old: map[string]any{domain: `{"a": 1}`}, kind: missing, here: "domain", why: "list"},
		"everybody":                           {old: map[string]any{domain: "[]"}, kind: taken, here: "domain", want: "[]"},
		"no domain":                           {old: map[string]any{domain: false}, kind: changed, here: "domain", why: "default"},
		"fields":                              {old: map[string]any{fields: `["id", "name"]`}, kind: taken, here: "fields", want: []string{"id", "name"}},
		"fields in Python":                    {old: map[string]any{fields: "('id', 'name')"}, kind: changed, here: "fields", why: "no JSON", want: []string{"id", "name"}},
		"fields with commas":                  {old: map[string]any{fields: "id, name"}, kind: changed, here: "fields", want: []string{"id", "name"}},
		"fields as a list":                    {old: map[string]any{fields: []any{"id", "name"}}, kind: taken, here: "fields", want: []string{"id", "name"}},
		"a field that is not there":           {old: map[string]any{fields: `["id", "fullname"]`}, kind: left, here: "fields", why: `no field "fullname"`, want: []string{"id"}},
		"a field whose name is none":          {old: map[string]any{fields: `["id", "a.b"]`}, kind: left, here: "fields", why: `"a.b" is no name`, want: []string{"id"}},
		"vid among the fields":                {old: map[string]any{fields: `["id", "vid", "id"]`}, kind: left, here: "fields", why: "by the connector", want: []string{"id"}},
		"fields that nobody knows":            {old: map[string]any{fields: `["id", "fullname"]`}, site: func(s *site) { s.Registrants = nil }, kind: taken, here: "fields", want: []string{"id", "fullname"}},
		"numbers for fields":                  {old: map[string]any{fields: `[1]`}, kind: missing, here: "fields", why: "no list of names"},
		"an object for fields":                {old: map[string]any{fields: `{"a": 1}`}, kind: missing, here: "fields"},
		"no fields":                           {old: map[string]any{fields: false}, kind: changed, here: "fields", why: "default"},
		"a mapping":                           {old: map[string]any{fields: everyField, mapping: `{"vid": "vid | ascii_downcase"}`}, kind: changed, here: "mapping.name", why: "MTS's default", want: []any{"name"}},
		"a mapping as an object":              {old: map[string]any{fields: everyField, mapping: map[string]any{"dob": "birthdate"}}, kind: changed, here: "mapping", want: filled("birthdate")},
		"a mapping in Python":                 {old: map[string]any{fields: everyField, mapping: `{'dob': 'birthdate'}`}, kind: changed, here: "mapping", why: "Python", want: filled("birthdate")},
		"a list for a mapping":                {old: map[string]any{mapping: `["vid"]`}, kind: missing, here: "mapping", why: "no JSON object"},
		"no mapping":                          {old: map[string]any{fields: everyField, mapping: false}, kind: changed, here: "mapping", why: "empty", want: filled("dob")},
		"null for a mapping":                  {old: map[string]any{mapping: "null"}, kind: missing, here: "mapping"},
		"a text for a list":                   {old: map[string]any{fields: everyField, mapping: `{"name": "given_name"}`}, kind: changed, here: "mapping.name", why: "must be a list", want: []any{"given_name"}},
		"a list for a text":                   {old: map[string]any{mapping: `{"dob": ["birthdate"]}`}, kind: missing, here: "mapping.dob", why: "must be a text"},
		"a number in a mapping":               {old: map[string]any{mapping: `{"dob": 5}`}, kind: missing, here: "mapping.dob"},
		"null in a mapping":                   {old: map[string]any{fields: everyField, mapping: `{"dob": null}`}, kind: changed, here: "mapping.dob", why: "null", want: "dob"},
		"a blank in a mapping":                {old: map[string]any{mapping: `{"vid": " "}`}, kind: missing, here: "mapping.vid", why: "whole record"},
		"a blank in a list":                   {old: map[string]any{fields: everyField, mapping: `{"name": ["given_name", ""]}`}, kind: missing, here: "mapping.name", why: "whole record"},
		"another part in a mapping":           {old: map[string]any{mapping: `{"photo": "image"}`}, kind: left, here: "", why: `no "photo"`},
		"the default that fits nobody":        {old: map[string]any{mapping: odoosDefault}, kind: changed, here: "mapping", why: "refuses everybody"},
		"the default that fits":               {old: map[string]any{fields: everyField, mapping: odoosDefault}, kind: taken, here: "mapping", want: filled("dob")},
		"a part that is not selected":         {old: map[string]any{mapping: commonMapping("address")}, kind: left, here: "mapping.phoneNumber", why: "as from Odoo"},
		"a part that is not sent":             {old: map[string]any{mapping: commonMapping("address")}, kind: changed, here: "fields", why: "without phone", want: []string{"id", "given_name", "family_name", "birthdate", "gender", "address"}},
		"a part that is not sent, by default": {old: map[string]any{mapping: commonMapping("address"), fields: false}, kind: changed, here: "fields", why: "without email", want: []string{"id", "given_name", "family_name", "birthdate", "gender", "address"}},
		"a part that is needed elsewhere":     {old: map[string]any{mapping: commonMapping("address"), "output_format": "{phone: .input.phone}"}, kind: missing, here: "mapping.phoneNumber", why: "read elsewhere"},
		"a part that another part needs":      {old: map[string]any{mapping: commonMapping("phone")}, kind: missing, here: "mapping.phoneNumber", why: "read elsewhere"},
		"an address that is not selected":     {old: map[string]any{mapping: commonMapping("fullAddress")}, kind: missing, here: "mapping.fullAddress", why: "refuses everybody"},
		"half an address":                     {old: map[string]any{mapping: commonMapping(`street", "address`)}, kind: changed, here: "mapping.fullAddress", why: "absent", want: []any{"address"}},
		"a date that is not selected":         {old: map[string]any{mapping: `{"dob": "born.on"}`}, kind: missing, here: "mapping.dob", why: "refuses everybody"},
		"a date that is taken apart":          {old: map[string]any{mapping: `{"dob": "birthdate | split(\"/\")[0]"}`}, kind: changed, here: "mapping.dob", why: "1990/01/31", want: `birthdate | split("/")[0]`},
		"a relation":                          {old: map[string]any{fields: everyField, mapping: `{"fullAddress": ["country_id"]}`}, kind: changed, here: "mapping.fullAddress", why: "res.country(3,)", want: []any{"country_id"}},
		"no Output Format":                    {old: map[string]any{"output_format": false}, kind: changed, here: "output_format", why: "as an identifier"},
		"a blank Output Format":               {old: map[string]any{"output_format": " \n"}, kind: changed, here: "output_format"},
		"CSV":                                 {old: map[string]any{"output_type": "csv"}, kind: changed, here: "output_type", why: `"csv"`, want: "json"},
		"a download":                          {old: map[string]any{"delivery_type": "download"}, kind: changed, here: "delivery_type", why: `"download"`, want: "callback"},

		"OpenG2P's own API":                {kind: left, here: "callback.url", why: "OpenG2P's own API"},
		"OpenG2P's own API, by wish":       {wish: direct, kind: taken, here: "callback.url", want: "http://odoo.openg2p/api/v1/registry/individual/updateIdentification"},
		"its password, by wish":            {wish: direct, kind: taken, here: "callback.auth_password", want: "callback secret"},
		"OpenG2P's API of another Odoo":    {old: map[string]any{"callback_auth_database": "other"}, kind: taken, here: "callback.url", want: "http://odoo.openg2p/api/v1/registry/individual/updateIdentification"},
		"a path that only looks like it":   {old: map[string]any{"callback_url": "https://x.example/?to=/api/v1/registry/"}, kind: taken, here: "callback.url", want: "https://x.example/?to=/api/v1/registry/"},
		"no callback":                      {old: map[string]any{"callback_url": false}, kind: left, here: "callback.url", why: "empty"},
		"a call that creates":              {old: map[string]any{"callback_url": "http://odoo.openg2p/api/v1/registry/individual/"}, kind: changed, here: "output_format", why: "nobody is created", want: format15},
		"a call that 17.0 does not have":   {line: "17.0", old: map[string]any{"callback_url": "http://odoo/api/v1/registry/individual/updateIdentification", "callback_auth_url": "http://odoo/web/session/authenticate"}, wish: direct, kind: changed, here: "callback.url", why: "does not have this call", want: "http://odoo/api/v1/registry/individual/updateIdentification"},
		"an address of one's own":          {old: own, kind: taken, here: "callback.url", want: "https://tokens.example.org/take"},
		"its method":                       {old: own, kind: taken, here: "callback.http_method", want: "PATCH"},
		"no method":                        {old: with(map[string]any{"callback_httpmethod": false}), kind: changed, here: "callback.http_method", want: "POST"},
		"another method":                   {old: with(map[string]any{"callback_httpmethod": "DELETE"}), kind: missing, here: "callback.http_method"},
		"no way to sign in":                {line: "17.0", old: with(map[string]any{"callback_authtype": false}), kind: missing, here: "callback.auth_type"},
		"a way that is not named":          {old: with(map[string]any{"callback_authtype": false}), kind: changed, here: "callback.auth_type", why: "fits the fields", want: "odoo"},
		"no user":                          {old: with(map[string]any{"callback_auth_username": false}), kind: missing, here: "callback.auth_username", why: "MTS refuses"},
		"no user, line 17.0":               {line: "17.0", old: own, kind: missing, here: "callback.auth_username", why: "form of line 17.0"},
		"no password, line 17.0":           {line: "17.0", old: own, kind: missing, here: "callback.auth_password", why: "form of line 17.0"},
		"HTTP Basic of line 17.0":          {line: "17.0", old: map[string]any{"callback_auth_url": "https://odoo.example.org/web/session/authenticate"}, wish: direct, kind: changed, here: "callback.auth_type", why: "HTTP Basic", want: "odoo"},
		"a callback without a format":      {old: with(map[string]any{"output_format": false}), kind: missing, here: "output_format", why: "empty body"},
		"a time limit":                     {old: map[string]any{"callback_timeout": 300}, kind: taken, here: "callback.timeout_seconds", want: 300},
		"no time limit":                    {old: map[string]any{"callback_timeout": 0}, kind: changed, here: "callback.timeout_seconds", why: "kills", want: 30},
		"a negative time limit":            {old: map[string]any{"callback_timeout": -1}, kind: changed, here: "callback.timeout_seconds", want: 30},
		"a long time limit":                {old: map[string]any{"callback_timeout": 3600}, kind: changed, here: "callback.timeout_seconds", want: 300},
		"no password of the registry":      {wish: func(w *wishes) { w.Password = "" }, kind: missing, here: "registry.password", why: "REGISTRY_PASSWORD"},
		"another name of a type":           {site: func(s *site) { s.VIDType = "VID" }, kind: added, here: "registry.vid_type", want: "VID"},
		"a type that is not known":         {site: func(s *site) { s.TokenType = "" }, kind: added, here: "registry.token_type", why: "default"},
		"VIDs are deleted":                 {kind: added, here: "remove_vids", why: "is on", want: true},
		"VIDs are not deleted":             {site: func(s *site) { off := false; s.Deletes = &off }, kind: added, here: "remove_vids", why: "is off", want: false},
		"nobody knows about VIDs":          {site: func(s *site) { s.Deletes = nil }, kind: added, here: "remove_vids", why: "may not see", want: false},
		"another domain of the deletion":   {site: func(s *site) { s.DeleteDomain = true }, kind: left, here: "remove_vids", why: "vid_delete_search_domain", want: true},
		"what belongs to ODK":              {old: map[string]any{"odk_password": "central secret"}, kind: left, here: "", why: "reads registrants"},
		"a field of somebody's own module": {old: map[string]any{"x_batch": 7}, kind: left, here: "", why: "no counterpart"},
	} {
		t.Run(name, func(t *testing.T) {
			line := c.line
			if line == "" {
				line = "15.0"
			}
			old, place, wish := recorded(t, line)[0], siteOf(line), wished()
			maps.Copy(old, c.old)
			if c.wish != nil {
				c.wish(&wish)
			}
			if c.site != nil {
				c.site(&place)
			}
			p := planOf(old, place, wish)
			if !slices.ContainsFunc(p.Steps, func(s step) bool { return s.Kind == c.kind && s.Here == c.here && strings.Contains(s.Why, c.why) }) {
				t.Errorf("no %s of %q with %q in %v", c.kind, c.here, c.why, p.Steps)
			}
			if c.here != "" && !reflect.DeepEqual(at(p.Body, c.here), c.want) {
				t.Errorf("%s is %v, want %v", c.here, at(p.Body, c.here), c.want)
			}
			if more := explained(p, old); len(more) > 0 {
				t.Errorf("nothing is said of %v", more)
			}
			for _, s := range p.Steps {
				for _, secret := range []string{"callback secret", "registry secret", "central secret"} {
					if strings.Contains(s.Why, secret) {
						t.Errorf("%s is told: %s", secret, s.Why)
					}
				}
			}
		})
	}
}

const format15 = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`

const odoosDefault = `{"vid": "vid", "name": ["name"], "gender": "gender", "dob": "dob", "phoneNumber": "phoneNumber", "emailId": "emailId", "fullAddress": ["fullAddress"]}`

// commonMapping is Odoo's default as people correct it, with an address.
func commonMapping(address string) string {
	return `{"vid": "vid", "name": ["given_name", "family_name"], "gender": "gender", "dob": "birthdate", "phoneNumber": "phoneNumber", "emailId": "emailId", "fullAddress": ["` + address + `"]}`
}

const everyField = `["id", "given_name", "birthdate", "gender", "name", "dob", "phoneNumber", "emailId", "fullAddress", "country_id"]`

// filled is MTS's default mapping with another date of birth.
func filled(dob string) map[string]any {
	return map[string]any{"vid": "vid", "name": []any{"name"}, "gender": "gender", "dob": dob, "phoneNumber": "phoneNumber", "emailId": "emailId", "fullAddress": []any{"fullAddress"}}
}

// Whatever the fields hold: of each that has a value something is said, a value is set or
// missing or has a default, and no secret is told.
func TestNoFieldIsPassedOver(t *testing.T) {
	odd := []any{nil, false, true, "", " ", "x", "recurring", "onetime", "odoo", "json", "custom", "eng", "https://a.example/b", 0, -1, 7, 1 << 40, 2.5,
		"[]", "{}", "null", `"x"`, `["id"]`, `[["a", "=", 1]]`, "[('a', '=', uid)]", `{"vid": 1}`, `{"name": []}`, `{"name": [null]}`, odoosDefault, commonMapping("phone"),
		[]any{}, []any{"id", 3}, map[string]any{"dob": "x"}, "\x00\n", strings.Repeat("[", 3000)}
	rapid.Check(t, func(t *rapid.T) {
		old := record{"id": 3, "input_type": "custom"}
		for _, field := range connectorFields {
			if field != "input_type" {
				old[field] = rapid.SampledFrom(odd).Draw(t, field)
			}
		}
		old["callback_auth_password"], old["odk_password"] = "hunter2", "hunter3"
		place := siteOf(rapid.SampledFrom([]string{"15.0", "17.0"}).Draw(t, "line"))
		wish := wished()
		wish.Direct = rapid.Bool().Draw(t, "direct")
		p := planOf(old, place, wish)
		distinct([]plan{p, p})
		var out strings.Builder
		move{plan: p}.show(&out)
		if more := explained(p, old); len(more) > 0 {
			t.Errorf("nothing is said of %v", more)
		}
		for _, here := range []string{"name", "mts_url", "job_type", "language", "registry.url", "registry.password"} {
			isMissing := slices.ContainsFunc(p.Missing(), func(s step) bool { return s.Here == here })
			if (at(p.Body, here) == nil) != isMissing {
				t.Errorf("%s is %v, and missing: %v", here, at(p.Body, here), isMissing)
			}
		}
		if strings.Contains(out.String(), "hunter") || strings.Contains(out.String(), "registry secret") {
			t.Errorf("a secret is shown: %s", out.String())
		}
	})
}

func TestWhatIsNotCarriedOver(t *testing.T) {
	for input, want := range map[any]string{"csv": `input_type is "csv"`, false: `input_type is ""`} {
		old := recorded(t, "15.0")[1]
		old["input_type"] = input
		p := planOf(old, siteOf("15.0"), wished())
		if !strings.Contains(p.Refused, want) || len(p.Body) > 0 {
			t.Errorf("%v: %q %v", input, p.Refused, p.Body)
		}
		if err := (move{plan: p}).possible(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", input, err)
		}
	}
}

func TestConnectorsOfOneNameGetDifferentOnes(t *testing.T) {
	long := strings.Repeat("x", 100)
	var plans []plan
	for i, name := range []string{"Laguna", "laguna", "Cavite", "Laguna", long, long} {
		p := plan{ID: int64(i + 1), Body: map[string]any{"name": name}, Steps: []step{{taken, "name", "name", ""}}}
		if i == 2 {
			p.Body = map[string]any{} // it is not carried over
		}
		plans = append(plans, p)
	}
	distinct(plans)
	for i, want := range []any{"Laguna", "laguna #2", nil, "Laguna #4", long, long[:97] + " #6"} {
		if got := plans[i].Body["name"]; got != want {
			t.Errorf("%d: %v, want %v", i+1, got, want)
		}
	}
	if s := plans[1].Steps[0]; s.Kind != changed || !strings.Contains(s.Why, "same name") {
		t.Errorf("%v", s)
	}
}

func TestChanges(t *testing.T) {
	c, err := readChanges([]byte(`{"*": {"remove_vids": false, "registry": {"username": "seeder"}}, "3": {"callback": {"auth_password": "entered"}, "interval_minutes": null}}`))
	if err != nil {
		t.Fatal(err)
	}
	old := recorded(t, "15.0")[0]
	maps.Copy(old, map[string]any{"callback_url": "https://tokens.example.org/take", "callback_auth_password": false})
	before := planOf(old, siteOf("15.0"), wished())
	if m := before.Missing(); len(m) != 1 || m[0].Here != "callback.auth_password" {
		t.Fatalf("missing: %v", m)
	}
	p := c.apply(before)
	for here, want := range map[string]any{"remove_vids": false, "registry.username": "seeder", "registry.database": "g2p", "callback.auth_password": "entered", "interval_minutes": nil} {
		if got := at(p.Body, here); got != want {
			t.Errorf("%s: %v, want %v", here, got, want)
		}
	}
	if len(p.Missing()) > 0 {
		t.Errorf("missing: %v", p.Missing())
	}
	var out strings.Builder
	move{plan: p}.show(&out)
	if !strings.Contains(out.String(), "given") || strings.Contains(out.String(), "entered") {
		t.Errorf("%s", out.String())
	}
}

func TestChangesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"3": `: "", `{"3": "secret"}`: "must be an object", `[]`: "must be an object", `{"three": {}}`: "id of a connector", `{"3": {"a": secret}}`: "byte",
	} {
		if _, err := readChanges([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is printed holds no secret: neither of a field, nor in an address.
func TestNothingSecretIsShown(t *testing.T) {
	old := recorded(t, "15.0")[0]
	old["callback_url"] = "https://user:hunter1@tokens.example.org/take?apikey=hunter2&x"
	old["mts_url"] = "https://:hunter3@mts.example.org"
	old["name"] = "Red \x1b[31m"
	old["odk_password"] = "hunter4"
	old["x_key"] = "hunter5"
	p := planOf(old, siteOf("15.0"), wished())
	p.Body["callback"].(map[string]any)["extra_headers"] = map[string]any{"Authorization": "hunter6"}
	p.Steps = append(p.Steps, step{Kind: given, Here: "callback.extra_headers"})
	var out strings.Builder
	move{plan: p, Existing: "there"}.show(&out)
	for _, secret := range []string{"hunter", "callback secret", "registry secret", "\x1b"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown:\n%s", secret, out.String())
		}
	}
	for _, want := range []string{"tokens.example.org/take?apikey=...", "(not shown)", "callback.auth_password", "x_key", "it is here already: there"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, out.String())
		}
	}
}
