package setup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

func completeODK() seeding.Connector {
	c := complete()
	c.ODK = seeding.ODKSource{BaseURL: "https://central.example.org", ODataURL: "https://central.example.org/v1/projects/1/forms/reg.svc", Email: "reader@example.org"}
	c.Registry.SubmissionType = setup.DefaultSubmissionType
	c.Source.Domain, c.Source.Fields, c.Source.OneByOne = "", nil, false
	c.Source.Mapping = seeding.Mapping{VID: "vid", Name: []string{"person.name", "person.family"}, Gender: `person | .gender | ascii_downcase`, DOB: "person.dob", PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"where.address"}}
	c.Source.Mandatory = []string{"name", "dob"}
	return c
}

// What a form has is not known when a configuration is saved, so nothing that may be
// there is wrong or doubtful.
func TestMappingOfAFormNeedsNoFields(t *testing.T) {
	p := setup.Proposal{Connector: completeODK(), PasswordGiven: true, ODKPasswordGiven: true}
	if found := append(wrong(p), doubtful(p)...); len(found) > 0 {
		t.Errorf("%v", found)
	}
	for expression, want := range map[string]string{
		`person.first_name // .person.name`: "", `who[0]`: "", `person.sex | if . == "m" then "Male" else "Female" end`: "", `meta.instanceID`: "",
		`|"Female"`: "reads no field", `person == "a"`: "can give no text", `person..x)`: "",
	} {
		p := p
		p.Connector.Source.Mapping.Gender = expression
		found := wrong(p)
		isRefused := expression == `person..x)`
		if (len(found) == 0) != (want == "" && !isRefused) || want != "" && !strings.Contains(found[0].Text, want) {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// A time to come is only warned of: a form may be for days to come.
func TestReceivedFromTheFutureIsAWarning(t *testing.T) {
	now := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		received time.Time
		unread   bool
		warned   bool
	}{
		"none":             {},
		"before":           {received: now.Add(-time.Hour)},
		"now":              {received: now},
		"in a year":        {received: now.AddDate(1, 0, 0), warned: true},
		"wrong in itself":  {received: now.AddDate(1, 0, 0), unread: true},
		"in a millisecond": {received: now.Add(time.Millisecond), warned: true},
	} {
		p := setup.Proposal{Connector: completeODK(), PasswordGiven: true, ODKPasswordGiven: true, Now: now,
			Unread: func(f setup.Field) bool { return c.unread && f == setup.ODKReceived }}
		p.Connector.ODK.Received = c.received
		found := doubtful(p)
		if warned := len(found) == 1 && found[0].Field == setup.ODKReceived && found[0].Code == "received_future"; warned != c.warned || !warned && len(found) > 0 || len(wrong(p)) > 0 {
			t.Errorf("%s: %v %v", name, found, wrong(p))
		}
	}
}

// MTS evaluates the mapping of a form, without limits.
func TestMappingOfAFormIsSafeForMTS(t *testing.T) {
	for expression, safe := range map[string]bool{
		"vid": true, "person.vid": true, `person["the vid"]`: true, `"my-vid" // .vid`: true, "who[0].vid // .person.vid": true, "vid[0:16]": true,
		`person.gender | if . == "m" then "Male" elif . == "f" then "Female" else null end`: true, `phone | tostring | ltrimstr("tel:")`: true, `name // "a \"b\", \n [] .."`: true,

		`name | gsub("^\\s*";"")`: false, `name | test("^(\\w+\\s?)*$")`: false, "name | . * 1000000000": false, "name | . + .": false, "name | (., .)": false,
		`children | .[length*100000000]="x"|.[0]`: false, "vid | [range(tonumber)] | length | tostring": false, "vid | trim": false, "vid | @base64d": false, "..": false,
		"vid | ..": false, "vid . . ": false, "children[].vid": false, "children[ ].vid": false, "vid | env": false, "vid | input": false, `vid | "\(env)"`: false, "def f: f; f": false,
		"vid as $x | $x": false, "vid | while(true; .)": false, "vid |= 1": false, "vid | recurse": false, "vid # ": false, "vid?": false, "$ENV": false, "vid | [.[] | .]": false,
		"vid | limit(1; repeat(.))": false, `vid | import "a" as b; .`: false,
	} {
		p := setup.Proposal{Connector: completeODK(), PasswordGiven: true, ODKPasswordGiven: true}
		p.Connector.Source.Mapping.VID = expression
		found := wrong(p)
		refused := slices.ContainsFunc(found, func(f setup.Finding) bool { return f.Code == "odk_mapping" && f.Field == "mapping/vid" })
		if refused == safe || safe && len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// What the address of the form does not select, MTS does not get.
func TestSelectedFieldsAreThoseOfTheMapping(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "?$select=*": "", "?$expand=*": "",
		"?$select=__id,vid,person,where,phone,email":                                                    "",
		"?%24select=vid,person%2Fname,person/family,person/gender,person/dob,where/address,phone,email": "",
		"?$select=vid":               "person.dob",
		"?$select=vid,person,phone":  "where.address",
		"?$select=VID,person,where":  "vid",
		"?$select=vid,persons,where": "person.dob",
	} {
		p := setup.Proposal{Connector: completeODK(), PasswordGiven: true, ODKPasswordGiven: true}
		p.Connector.ODK.ODataURL += "/Submissions" + query
		got := ""
		for _, f := range wrong(p) {
			if f.Code == "odk_select" && f.Field == setup.ODKODataURL {
				got, _ = f.Params["field"].(string)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// The fields that a check looks for at ODK Central.
func TestPathsOfAForm(t *testing.T) {
	c := completeODK()
	vid, paths := rules().FormPaths(c)
	if want := []string{"person.dob", "person.family", "person.gender", "person.name", "vid", "where.address"}; vid != "vid" || !slices.Equal(paths, want) {
		t.Errorf("%s %v", vid, paths)
	}
	c.Source.Mapping.EmailID = "emailId" // the default of MTS
	c.Source.Mapping.VID, c.Source.Mapping.Gender, c.Source.Mandatory = `ids | .[0]`, "__system.reviewState", []string{"phoneNumber"}
	vid, paths = rules().FormPaths(c)
	if want := []string{"ids", "person.dob", "person.family", "person.name", "phone", "where.address"}; vid != "" || !slices.Equal(paths, want) {
		t.Errorf("%q %v", vid, paths)
	}
}

// A name counts in whatever way it is written.
func TestPathsOfAFormAreFoundInEachSpelling(t *testing.T) {
	for expression, want := range map[string][]string{
		`"my-vid"`:                     {`"my-vid"`},
		`["my vid"]`:                   {`"my vid"`},
		`["vid"]`:                      {"vid"},
		`person."full.name"`:           {`person."full.name"`},
		`person["vid"] // .vid`:        {"person.vid", "vid"},
		`person | (."vid" | tostring)`: {"person.vid"},
		`g | if .kind == "x" then .a.b else .["c"].d end`: {"g.a.b", "g.c.d", "g.kind"},
		`vid | ltrimstr("PH")`:                            {"vid"},
	} {
		c := completeODK()
		c.Source.Mapping = seeding.Mapping{VID: expression}
		c.Source.Mandatory = nil
		vid, paths := rules().FormPaths(c)
		if !slices.Equal(paths, want) || len(want) == 1 && vid != want[0] || len(want) > 1 && vid != "" {
			t.Errorf("%s: %q %q, want %q", expression, vid, paths, want)
		}
	}
}

// An Output Format makes an individual of a submission, which has no registrant yet.
func TestOutputOfASubmission(t *testing.T) {
	const ids = `ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]`
	for format, want := range map[string]string{
		`{name: .input.person.name, birthdate: .input.person.dob, ` + ids + `}`:              "",
		`.input.person as $p | {name: ($p.name // "?"), ` + ids + `}`:                        "",
		`{given_name: .input.person.given.first, ` + ids + `}`:                               "",
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`:          "output_odk",
		`{partner_id: 4, name: "A", ` + ids + `}`:                                            "output_odk",
		`[{updateId: .input.vid, name: .input.person.name, ` + ids + `}]`:                    "output_odk",
		`{name: .input.person.name}`:                                                         "output_without_token",
		`{name: .input.person.name, ids: [{id_type: "MOSIP UIN TOKEN", value: .input.vid}]}`: "output_without_token",
		`[range(100000000)]`: "output_work",
		`null`:               "output_empty",
		`{surname: "A"}`:     "output_shape",
	} {
		p := setup.Proposal{Connector: completeODK(), PasswordGiven: true, ODKPasswordGiven: true}
		p.Connector.Output.Format = format
		found := wrong(p)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Code != want) {
			t.Errorf("%s: %v, want %q", format, found, want)
		}
		for _, one := range found { // what to write instead is what can be written
			if strings.Contains(one.Text, ".input.id") {
				t.Errorf("%s: %s", format, one.Text)
			}
		}
		if shape := rules().Shape(p.Connector); want == "" && shape != seeding.IndividualShape {
			t.Errorf("%s: %s", format, shape)
		}
	}
}
