package seeding_test

import (
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestInvalidIsWhatMTSWouldSay(t *testing.T) {
	text := func(s string) seeding.Value { return seeding.Value{Text: s, Present: true} }
	whole := seeding.Demographics{
		VID: text("1"), Name: text("Ana"), Gender: text("Female"), DOB: text("1990/01/02"), FullAddress: text("Street"),
	}
	standard := []string{"name", "gender", "dob", "fullAddress"}
	cases := map[string]struct {
		change    func(*seeding.Demographics)
		mandatory []string
		want      string
	}{
		"whole":                       {func(*seeding.Demographics) {}, standard, ""},
		"no VID":                      {func(d *seeding.Demographics) { d.VID = seeding.Value{} }, nil, "ATS-REQ-009"},
		"empty VID":                   {func(d *seeding.Demographics) { d.VID = text("") }, nil, "ATS-REQ-009"},
		"no name":                     {func(d *seeding.Demographics) { d.Name = seeding.Value{} }, standard, "ATS-REQ-010"},
		"empty name":                  {func(d *seeding.Demographics) { d.Name = text("") }, standard, "ATS-REQ-003"},
		"no gender":                   {func(d *seeding.Demographics) { d.Gender = seeding.Value{} }, standard, "ATS-REQ-011"},
		"empty gender":                {func(d *seeding.Demographics) { d.Gender = text("") }, standard, "ATS-REQ-004"},
		"no date of birth":            {func(d *seeding.Demographics) { d.DOB = seeding.Value{} }, standard, "ATS-REQ-012"},
		"empty date of birth":         {func(d *seeding.Demographics) { d.DOB = text("") }, standard, "ATS-REQ-006"},
		"no address":                  {func(d *seeding.Demographics) { d.FullAddress = seeding.Value{} }, standard, "ATS-REQ-015"},
		"empty address":               {func(d *seeding.Demographics) { d.FullAddress = text("") }, standard, "ATS-REQ-008"},
		"first failure wins":          {func(d *seeding.Demographics) { d.Name, d.DOB = text(""), seeding.Value{} }, standard, "ATS-REQ-003"},
		"phone not mandatory":         {func(*seeding.Demographics) {}, standard, ""},
		"phone mandatory":             {func(*seeding.Demographics) {}, append(standard, "phoneNumber"), "ATS-REQ-013"},
		"e-mail mandatory":            {func(*seeding.Demographics) {}, append(standard, "emailId"), "ATS-REQ-014"},
		"empty phone passes":          {func(d *seeding.Demographics) { d.PhoneNumber = text("") }, []string{"phoneNumber"}, ""},
		"address need not be given":   {func(d *seeding.Demographics) { d.FullAddress = seeding.Value{} }, []string{"name"}, ""},
		"too much work":               {func(d *seeding.Demographics) { d.Name, d.EmailID = seeding.Value{}, seeding.Value{Spent: true} }, standard, "ATS-REQ-010"},
		"too much work, then nothing": {func(d *seeding.Demographics) { d.Name = seeding.Value{Spent: true} }, nil, seeding.CodeTooMuchWork},
		"a number would fail the lot": {func(d *seeding.Demographics) { d.Gender = seeding.Value{Present: true, NotText: true} }, nil, seeding.CodeNotText},
	}
	for name, c := range cases {
		d := whole
		c.change(&d)
		if got := d.Invalid(c.mandatory); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
