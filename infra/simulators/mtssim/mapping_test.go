package mtssim_test

import (
	"context"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// rows submits records and returns the answer with the output of each as
// "vid status errorCode errorMessage".
func rows(t *testing.T, options mtssim.Options, mapping object, records ...any) (reply, []string) {
	t.Helper()
	to := receive(t, nil)
	s, base := start(t, options)
	e := submission(object{"url": to.url}, records...)
	if mapping != nil {
		e["request"].(object)["mapping"] = mapping
	}
	e["request"].(object)["outputFormat"] = `[.output.vid, .output.status, .output.errorCode, .output.errorMessage] | map(tojson) | join(" ")`
	r := post(t, base, e)
	if r.status == 200 {
		waitFor(t, "callbacks", func() bool { return len(to.got()) == len(records) && s.Open() == 0 })
	}
	return r, to.bodies()
}

func quoted(row string) string { return `"` + strings.ReplaceAll(row, `"`, `\"`) + `"` }

// facts/mts.md 2.4: the order of checks and their codes.
func TestRecordValidation(t *testing.T) {
	good := valid("2000000000000001")
	const fine = `"2000000000000001" "processed" null null`
	for name, c := range map[string]struct {
		record object
		want   string
	}{
		"good":                   {good, fine},
		"unknown fields":         {with(good, "other", object{"a": 1}), fine},
		"no optional fields":     {without(good, "phoneNumber", "emailId"), fine},
		"whitespace passes":      {with(good, "name", " "), fine},
		"any date passes":        {with(good, "dob", "not a date"), fine},
		"numeric phone":          {with(good, "phoneNumber", 12345678901), fine},
		"no vid":                 {without(good, "vid"), `null "invalid" "ATS-REQ-009" "vid or its mapping not present"`},
		"empty vid":              {with(good, "vid", ""), `"" "invalid" "ATS-REQ-009" "vid or its mapping not present"`},
		"zero vid":               {with(good, "vid", 0), `0 "invalid" "ATS-REQ-009" "vid or its mapping not present"`},
		"empty list for vid":     {with(good, "vid", []any{}), `[] "invalid" "ATS-REQ-009" "vid or its mapping not present"`},
		"vid comes first":        {object{}, `null "invalid" "ATS-REQ-009" "vid or its mapping not present"`},
		"no name":                {without(good, "name"), `"2000000000000001" "invalid" "ATS-REQ-010" "name or its mapping not present"`},
		"empty name":             {with(good, "name", ""), `"2000000000000001" "invalid" "ATS-REQ-003" "name is not provided"`},
		"false name":             {with(good, "name", false), `"2000000000000001" "invalid" "ATS-REQ-003" "name is not provided"`},
		"no gender":              {without(good, "gender", "dob"), `"2000000000000001" "invalid" "ATS-REQ-011" "gender or its mapping not present"`},
		"empty gender":           {with(good, "gender", ""), `"2000000000000001" "invalid" "ATS-REQ-004" "gender is empty"`},
		"no dob":                 {with(good, "dob", nil), `"2000000000000001" "invalid" "ATS-REQ-012" "dateOfBirth or its mapping not present"`},
		"empty dob":              {with(good, "dob", ""), `"2000000000000001" "invalid" "ATS-REQ-006" "date of birth is empty"`},
		"no address":             {without(good, "fullAddress"), `"2000000000000001" "invalid" "ATS-REQ-015" "fullAddress or its mapping not present"`},
		"empty address":          {with(good, "fullAddress", object{}), `"2000000000000001" "invalid" "ATS-REQ-008" "address is empty"`},
		"invalid before a wrong": {with(without(good, "name"), "gender", 5), `"2000000000000001" "invalid" "ATS-REQ-010" "name or its mapping not present"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := rows(t, mtssim.Options{}, nil, c.record, valid("2000000000000002"))
			if len(got) != 2 || got[0] != quoted(c.want) {
				t.Errorf("got %s\nwant %s", got, quoted(c.want))
			}
		})
	}
}

// One wrong JSON type fails the whole batch (facts/mts.md W12).
func TestWrongTypes(t *testing.T) {
	good := valid("2000000000000001")
	for name, record := range map[string]object{
		"gender number":  with(good, "gender", 0),
		"gender boolean": with(good, "gender", false),
		"dob number":     with(good, "dob", 19900102),
		"dob list":       with(good, "dob", []any{"x"}),
		"name number":    with(good, "name", 5),
		"name true":      with(good, "name", true),
		"address object": with(good, "fullAddress", object{"a": "b"}),
		"vid list":       with(good, "vid", []any{"x"}),
		"phone object":   with(good, "phoneNumber", object{"a": "b"}),
		"email list":     with(good, "emailId", []any{1}),
	} {
		t.Run(name, func(t *testing.T) {
			s, base := start(t, mtssim.Options{})
			r := post(t, base, submission(nil, good, record))
			errors := r.errors(t)
			if r.status != 500 || len(errors) != 1 || !strings.HasPrefix(errors[0], "ATS-REQ-100 ") {
				t.Errorf("got %d %q", r.status, errors)
			}
			if c := s.Counters(); c.Posts != 1 || c.PostsAccepted != 0 || c.RecordsReceived != 0 {
				t.Errorf("something was accepted: %+v", c)
			}
		})
	}
}

// facts/mts.md 2.3.
func TestMapping(t *testing.T) {
	good := valid("2000000000000001")
	const fine = `"2000000000000001" "processed" null null`
	const noVID = `"2000000000000001" "invalid" "ATS-REQ-009" "vid or its mapping not present"`
	for name, c := range map[string]struct {
		mapping object
		record  object
		want    string
	}{
		"nested":             {object{"vid": "a.b"}, with(good, "a", object{"b": "2000000000000001"}), fine},
		"index":              {object{"vid": "q[0].vid"}, with(good, "q", []any{object{"vid": "2000000000000001"}}), fine},
		"missing parent":     {object{"vid": "a.b"}, good, noVID},
		"through a text":     {object{"vid": "name.b"}, good, noVID},
		"hyphen":             {object{"vid": "my-vid"}, with(good, "my-vid", "x"), noVID},
		"own dot":            {object{"vid": ".vid"}, good, noVID},
		"quoted":             {object{"vid": `"my-vid"`}, with(good, "my-vid", "2000000000000001"), fine},
		"program":            {object{"vid": "x // .vid"}, good, fine},
		"first of several":   {object{"vid": "vid, .name"}, good, fine},
		"error after result": {object{"vid": `vid, error("x")`}, good, noVID},
		"newer than jq 1.5":  {object{"vid": "vid | ltrim"}, good, noVID},
		"number as text":     {object{"vid": "vid|tostring"}, with(good, "vid", 123), `"123" "error" "IDA-MLC-009" "Invalid VID"`},
		"number":             {nil, with(good, "vid", 2014391641351279), `"2014391641351279.0" "error" "IDA-MLC-009" "Invalid VID"`},
		"long number":        {nil, with(good, "vid", 12345678901234567), `"1.2345678901234568e+16" "error" "IDA-MLC-009" "Invalid VID"`},
		"boolean":            {nil, with(good, "vid", true), `"True" "error" "IDA-MLC-009" "Invalid VID"`},
		"no name paths":      {object{"name": []any{}}, good, `"2000000000000001" "invalid" "ATS-REQ-010" "name or its mapping not present"`},
		"one part is enough": {object{"name": []any{"nick", "name"}}, with(good, "nick", ""), fine},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := rows(t, mtssim.Options{}, c.mapping, c.record)
			if len(got) != 1 || got[0] != quoted(c.want) {
				t.Errorf("got %s\nwant %s", got, quoted(c.want))
			}
		})
	}
	t.Run("empty path is the record, a wrong type", func(t *testing.T) {
		if r, _ := rows(t, mtssim.Options{}, object{"vid": ""}, good); r.status != 500 {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
}

// What the identity system receives: joined lists, normalised dates, text.
func TestApplicant(t *testing.T) {
	var got mtssim.Applicant
	identify := func(_ context.Context, a mtssim.Applicant) mtssim.Verdict {
		got = a
		return mtssim.Verdict{Token: "t"}
	}
	mapping := object{"name": []any{"given", "middle", "family"}, "fullAddress": []any{"street", "city"}}
	record := object{"vid": "V", "given": "Ana", "middle": "", "family": "Lima", "gender": "F", "street": "1 Main", "city": "X",
		"dob": "1990-1-2", "phoneNumber": 12345678901, "emailId": "a@example.org"}
	rows(t, mtssim.Options{Identify: identify}, mapping, record)
	want := mtssim.Applicant{VID: "V", Name: "Ana Lima", Gender: "F", DOB: "1990/01/02", PhoneNumber: "12345678901.0",
		EmailID: "a@example.org", FullAddress: "1 Main, X", Language: "eng"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	for in, want := range map[string]string{
		"1990/1/2": "1990/01/02", "1990-01-02": "1990/01/02", "0990-01-02": "990/01/02",
		"19900102": "19900102", "02-01-1990": "02-01-1990", "1990-13-02": "1990-13-02", "1990-02-30": "1990-02-30",
		"1990-01-02 ": "1990-01-02 ", "1990-01/02": "1990-01/02", "1990-01-02T00:00:00Z": "1990-01-02T00:00:00Z",
	} {
		rows(t, mtssim.Options{Identify: identify}, nil, with(valid("V"), "dob", in))
		if got.DOB != want {
			t.Errorf("%q became %q, want %q", in, got.DOB, want)
		}
	}
}

func TestMandatoryFieldsAreASetting(t *testing.T) {
	good := valid("2000000000000001")
	options := mtssim.Options{Mandatory: []string{"name", "phoneNumber", "emailId"}}
	for want, record := range map[string]object{
		`"2000000000000001" "processed" null null`:                                            with(with(without(good, "gender", "dob", "fullAddress"), "phoneNumber", ""), "emailId", "e"),
		`"2000000000000001" "invalid" "ATS-REQ-013" "phoneNumber or its mapping not present"`: good,
		`"2000000000000001" "invalid" "ATS-REQ-014" "emailId or its mapping not present"`:     with(good, "phoneNumber", "1"),
	} {
		if _, got := rows(t, options, nil, record); len(got) != 1 || got[0] != quoted(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
