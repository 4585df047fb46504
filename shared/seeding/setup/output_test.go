package setup_test

import (
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// ofOutput are the texts about the Output Format among findings.
func ofOutput(found []setup.Finding) (texts []string) {
	for _, f := range found {
		if f.Field == setup.OutputFormat {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

// What the Output Formats of users give is found when they are saved.
func TestWhichShapeAnOutputFormatGives(t *testing.T) {
	token := `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	for format, want := range map[string]seeding.OutputShape{
		"": "",
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`:                                                                    seeding.IdentifierShape,
		`{"partner_id": (.input.id | tonumber), "id_type": "MOSIP UIN TOKEN", "value": .output.token, "expiry_date": null}`:                            seeding.IdentifierShape,
		`if .output.status == "processed" then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`:                seeding.IdentifierShape,
		`if .output.errorCode then {error: .output.errorCode} else {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} end`:      seeding.IdentifierShape,
		`{name: (.input.given_name + " " + .input.family_name), given_name: .input.given_name, family_name: .input.family_name, ids: [` + token + `]}`: seeding.IndividualShape,
		`{partner_id: .input.id, ids: [` + token + `]}`:                                                                                                seeding.IndividualShape,
		`[{updateId: .input.vid, ids: [` + token + `]}]`:                                                                                               seeding.ByIdentifierShape,
		`{updateId: .input.vid, name: (.input.given_name // ""), gender: null, birthdate: (.input.birthdate | gsub("/"; "-")), ids: [` + token + `]}`:  seeding.ByIdentifierShape,
		`if .input.phone then [{updateId: .output.vid, phone_numbers: [{phone_no: .input.phone}], ids: [` + token + `]}] else empty end`:               seeding.ByIdentifierShape,
		`if .input.gender == "Robot" then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else empty end`:                    seeding.DependsShape,
		`{partner_id: (.input.address | fromjson), id_type: "MOSIP UIN TOKEN", value: .output.token}`:                                                  seeding.DependsShape,
	} {
		c := complete()
		c.Output.Format = format
		if found := ofOutput(wrong(setup.Proposal{Connector: c, PasswordGiven: true})); len(found) > 0 {
			t.Errorf("%s: %q", format, found)
		}
		if got := rules().Shape(c); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
		doubts := ofOutput(doubtful(setup.Proposal{Connector: c, PasswordGiven: true}))
		if (len(doubts) > 0) != (want == seeding.DependsShape) {
			t.Errorf("%s: warnings %q", format, doubts)
		}
	}
}

// What can never be written is refused with the reason, and what is probably not meant
// is warned of.
func TestOutputFormatsThatAreRefusedOrDoubted(t *testing.T) {
	token := `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	for format, want := range map[string]struct{ wrong, doubt string }{
		`{partner_id: .input.id`:     {wrong: "is not valid jq"},
		`{partner_id: 1 + 2}`:        {wrong: "round brackets"},
		`walk(.)`:                    {wrong: "not in jq 1.5"},
		`.output`:                    {wrong: "it must give {partner_id"},
		`.`:                          {wrong: "it must give {partner_id"},
		`.output.token`:              {wrong: "it must give {partner_id"},
		`"text"`:                     {wrong: "it must give {partner_id"},
		`null`:                       {wrong: "gives nothing (null)"},
		`empty`:                      {wrong: "gives nothing (null)"},
		`False`:                      {wrong: "there is no function False"},
		`error("x")`:                 {wrong: "fails for a registrant"},
		`[range(1000000)]`:           {wrong: "needs too much work"},
		`def f: f; .input.email | f`: {wrong: "needs too much work"},
		`{partner_id: 4711, id_type: "MOSIP UIN TOKEN", value: .output.token}`:                   {wrong: "names another registrant than the one whose token came (partner_id)"},
		`{updateId: null, ids: [` + token + `]}`:                                                 {wrong: "names another registrant"},
		`{partner_id: .input.id, id_type: "UIN TOKEN", value: .output.token}`:                    {wrong: `with the id_type "MOSIP UIN TOKEN"`},
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .input.vid}`:                 {wrong: "does not give the token (value)"},
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: ("T" + .output.token)}`:      {wrong: "does not give the token (value)"},
		`{name: .input.given_name}`:                                                              {wrong: "does not give the token"},
		`{birthdate: "tomorrow", ids: [` + token + `]}`:                                          {wrong: "gives a value that the registry does not take (birthdate)"},
		`{given_name: (.input.given_name | ascii_upcase), ids: [` + token + `]}`:                 {doubt: "fails for a registrant with empty fields"},
		`[{ids: [` + token + `]}, {ids: [` + token + `]}]`:                                       {wrong: "gives what cannot be written"},
		`{name: .input.nickname, ids: [` + token + `]}`:                                          {doubt: "reads nickname of .input"},
		`{name: .input.givenname, ids: [` + token + `]}`:                                         {doubt: "is given_name meant?"},
		`{namme: .input.given_name, ids: [` + token + `]}`:                                       {doubt: "gives namme, which nobody reads"},
		`{image_1920: "x", ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token, state: 1}]}`: {doubt: "gives image_1920, state, which nobody reads"},
	} {
		c := complete()
		c.Output.Format = format
		found, doubts := ofOutput(wrong(setup.Proposal{Connector: c, PasswordGiven: true})), ofOutput(doubtful(setup.Proposal{Connector: c, PasswordGiven: true}))
		has := func(texts []string, part string) bool {
			return part == "" && len(texts) == 0 || part != "" && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) })
		}
		if !has(found, want.wrong) || want.doubt != "" && !has(doubts, want.doubt) {
			t.Errorf("%s: wrong %q, doubtful %q", format, found, doubts)
		}
	}
}

// A token type of another name is the one that a result must have.
func TestTheTokenTypeOfAnOutputFormatIsTheConnectors(t *testing.T) {
	c := complete()
	c.Registry.TokenType = "PSUT"
	c.Output.Format = `{partner_id: .input.id, id_type: "PSUT", value: .output.token}`
	if found := ofOutput(wrong(setup.Proposal{Connector: c, PasswordGiven: true})); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

// What MTS sends to another address may have any shape; it is a program of jq 1.5
// nevertheless.
func TestTheOutputFormatOfADirectCallback(t *testing.T) {
	for format, refused := range map[string]bool{`.output`: false, `{status: .output.status}`: false, `null`: false, `walk(.)`: true, `env`: true} {
		c := complete()
		c.Output.Format, c.Delivery.Direct = format, &seeding.DirectDelivery{URL: "https://registry.example.org/x"}
		if found := ofOutput(wrong(setup.Proposal{Connector: c, PasswordGiven: true})); len(found) > 0 != refused {
			t.Errorf("%s: %q", format, found)
		}
		if shape := rules().Shape(c); shape != "" {
			t.Errorf("%s: %s", format, shape)
		}
	}
}

// An Output Format that fails for empty fields is doubted, unless MTS wants the field of
// everybody.
func TestOutputFormatsThatFailForEmptyFields(t *testing.T) {
	token := `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	for format, want := range map[string]bool{
		`{given_name: (.input.given_name | ascii_upcase), ids: [` + token + `]}`:                         true,
		`{given_name: (.input.given_name // "" | ascii_upcase), ids: [` + token + `]}`:                   false,
		`{email: (.input.email | ascii_downcase), ids: [` + token + `]}`:                                 true,
		`{birthdate: (.input.birthdate | gsub("/"; "-")), ids: [` + token + `]}`:                         false, // mandatory
		`{phone_numbers: [{phone_no: (.input.phone | ltrimstr("+"))}], ids: [` + token + `]}`:            false,
		`if .input.email then {email: (.input.email | ascii_downcase), ids: [` + token + `]} else . end`: false, // it gives what cannot be written, and does not fail
	} {
		for _, direct := range []bool{false, true} {
			c := complete()
			c.Output.Format = format
			if direct {
				c.Delivery.Direct = &seeding.DirectDelivery{URL: "https://registry.example.org/x"}
			}
			doubts := ofOutput(doubtful(setup.Proposal{Connector: c, PasswordGiven: true}))
			if slices.ContainsFunc(doubts, func(text string) bool { return strings.HasPrefix(text, "fails for a registrant with empty fields") }) != want {
				t.Errorf("%s, direct %t: %q", format, direct, doubts)
			}
		}
	}
}

// In bulk MTS makes one list of what the Output Format gives for each record.
func TestTheOutputFormatOfADirectCallbackInBulk(t *testing.T) {
	const item = `{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
	for format, want := range map[string][]string{
		`if .output.token then ` + item + ` else null end`:                                          {"bulk_null"},
		`if .output.token then ` + item + ` else empty end`:                                         {"bulk_null"},
		`if .output.token then [` + item + `] else [] end`:                                          {"bulk_list"},
		`if .output.token then [` + item + `] else null end`:                                        {"bulk_list", "bulk_null"},
		`{updateId: .input.vid, ids: (if .output.token then [{value: .output.token}] else [] end)}`: nil,
		`.output`: nil,
		`null`:    nil, // said of output_format
	} {
		for _, bulk := range []bool{false, true} {
			c := complete()
			c.Output.Format, c.Delivery.Direct = format, &seeding.DirectDelivery{URL: "https://registry.example.org/x", InBulk: bulk}
			var codes []string
			for _, f := range doubtful(setup.Proposal{Connector: c, PasswordGiven: true}) {
				if f.Field == setup.CallbackInBulk {
					codes = append(codes, f.Code)
				}
			}
			if bulk && !slices.Equal(codes, want) || !bulk && codes != nil {
				t.Errorf("%s, in bulk %t: %q", format, bulk, codes)
			}
		}
	}
}
