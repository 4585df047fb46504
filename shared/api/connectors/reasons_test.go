package connectors

import (
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestReason(t *testing.T) {
	for _, c := range []struct {
		kind seeding.RejectionKind
		code string
		want string
	}{
		{seeding.Invalid, "ATS-REQ-012", "The date of birth is missing."},
		{seeding.Refused, "IDA-MLC-004,IDA-MLC-003", "MOSIP does not know this VID. Check its digits. The identity is deactivated."},
		{seeding.Refused, "IDA-DEA-001:gender", "Differs from what MOSIP has for this VID: gender."},
		{seeding.Refused, "IDA-MLC-009:dob", "MOSIP does not accept the form of: date of birth."},
		{seeding.Refused, "IDA-MLC-005", "The VID cannot be used any more: MOSIP says that it expired, was used up, revoked or deactivated."},
		{seeding.Refused, "IDA-MPA-007", "MOSIP does not know MTS's licence key. Others were answered"},
		{seeding.Refused, "IDA-XYZ-999", "MOSIP, or the registry,"},
		{seeding.Duplicate, "", "Somebody else in the registry"},
		{seeding.Conflict, seeding.CodeVIDChanged, "The VID was changed"},
	} {
		if got := reasonOf(c.kind, c.code); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: %s", c.kind, c.code, got)
		}
	}
	// Each code with which MTS calls a record invalid has a reason of its own.
	for _, field := range seeding.MTSFields {
		var d seeding.Demographics
		some := seeding.Value{Text: "x", Present: true}
		d = seeding.Demographics{VID: some, Name: some, Gender: some, DOB: some, PhoneNumber: some, EmailID: some, FullAddress: some}
		target := map[string]*seeding.Value{"vid": &d.VID, "name": &d.Name, "gender": &d.Gender, "dob": &d.DOB,
			"phoneNumber": &d.PhoneNumber, "emailId": &d.EmailID, "fullAddress": &d.FullAddress}[field]
		for _, v := range []seeding.Value{{}, {Present: true}, {Present: true, NotText: true}} {
			*target = v
			code := d.Invalid(seeding.MTSFields)
			if code != "" && reasonOf(seeding.Invalid, code) == reasonOf(seeding.Invalid, "") {
				t.Errorf("%s has no reason of its own", code)
			}
		}
	}
	for _, kind := range []seeding.RejectionKind{seeding.Invalid, seeding.Refused, seeding.Duplicate, seeding.Conflict, seeding.NoToken, seeding.SetAside} {
		if reasonOf(kind, "") == "" {
			t.Errorf("%s has no reason", kind)
		}
	}
}

func reasonOf(kind seeding.RejectionKind, code string) string {
	return reasonsOf(seeding.Rejection{Kind: kind, Code: code}, seeding.Connector{}).Reason
}

// A field that is missing is said with what was read for it: the mapping of the
// defaults finds no name of a group.
func TestMissingFieldIsSaidWithWhatWasRead(t *testing.T) {
	c := seeding.Connector{Version: 3, Source: seeding.RegistrySource{Mapping: seeding.Mapping{
		VID: "vid", Name: []string{"given_name", "family_name"}, Gender: "gender", DOB: "birthdate", FullAddress: []string{"address"},
	}}}
	for _, f := range []struct {
		code       string
		configured int
		name       []string
		want       string
	}{
		{"ATS-REQ-010", 3, nil, "The name is missing. The mapping reads it from: given_name, family_name. A group has a whole name only: map \"name\" too, or leave groups out by the domain."},
		{"ATS-REQ-010", 3, []string{"name", "given_name"}, "The name is missing. The mapping reads it from: name, given_name."},
		{"ATS-REQ-003", 3, nil, "The name is empty. The mapping reads it from: given_name, family_name."},
		{"ATS-REQ-012", 3, nil, "The date of birth is missing. The mapping reads it from: birthdate."},
		{"ATS-REQ-015", 3, nil, "The address is missing. The mapping reads it from: address."},
		{"ATS-REQ-012", 2, nil, "The date of birth is missing."}, // another configuration
		{"ATS-REQ-013", 3, nil, "The phone number is missing."},  // not mapped
	} {
		c := c
		if f.name != nil {
			c.Source.Mapping.Name = f.name
		}
		if got := reasonsOf(seeding.Rejection{Kind: seeding.Invalid, Code: f.code, Configured: f.configured}, c).Reason; got != f.want {
			t.Errorf("%s: %s, want %s", f.code, got, f.want)
		}
	}
}

// The document has the code as MOSIP gave it, and beside it the fields.
func TestRejectionShowsTheFieldsThatMOSIPNamed(t *testing.T) {
	got := newRejectionDocument(seeding.Rejection{Kind: seeding.Refused, Code: "IDA-DEA-001:dob+gender,IDA-MLC-009:dob"}, seeding.Connector{}, seeding.Attempts{})
	if got.Code != "IDA-DEA-001,IDA-MLC-009" || !slices.Equal(got.Fields, []string{"dob", "gender"}) {
		t.Errorf("%+v", got)
	}
}

// The note of a run and the meaning of a kind have no parameters, so their texts have
// nothing in braces, which the document would list as one.
func TestSentencesWithoutParametersHaveNoBraces(t *testing.T) {
	for code, text := range notes {
		if strings.ContainsAny(text, "{}") {
			t.Errorf("%s: %s", code, text)
		}
	}
	for kind, text := range kindReasons {
		if strings.ContainsAny(text, "{}") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}
