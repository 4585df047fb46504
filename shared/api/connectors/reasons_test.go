package connectors

import (
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
		{seeding.Refused, "IDA-MLC-004,IDA-MLC-003", "MOSIP does not know this VID. The identity behind the VID is deactivated."},
		{seeding.Refused, "IDA-XYZ-999", "MOSIP, or the registry,"},
		{seeding.Duplicate, "", "Another registrant"},
		{seeding.Conflict, seeding.CodeVIDChanged, "The VID was changed"},
	} {
		if got := reason(c.kind, c.code); !strings.HasPrefix(got, c.want) {
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
			if code != "" && reason(seeding.Invalid, code) == reason(seeding.Invalid, "") {
				t.Errorf("%s has no reason of its own", code)
			}
		}
	}
	for _, kind := range []seeding.RejectionKind{seeding.Invalid, seeding.Refused, seeding.Duplicate, seeding.Conflict, seeding.NoToken, seeding.SetAside} {
		if reason(kind, "") == "" {
			t.Errorf("%s has no reason", kind)
		}
	}
}
