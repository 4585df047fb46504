package setup_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// An Output Format of a direct callback may give anything, but is a program of jq 1.5
// that ends, reads no further input and no environment (facts/mts.md D22, W11).
func TestD22OutputFormatsThatMTSWouldRefuseAreNotSaved(t *testing.T) {
	const (
		line15 = `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`
		line17 = `if .output.token then [{updateId: .input.vid, name: null, given_name: null, gender: null, birth_place: null, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}] else [] end`
	)
	for format, c := range map[string]struct{ wrong, doubtful string }{
		"":        {},
		line15:    {},
		line17:    {},
		".":       {},
		".output": {},
		`{who: .input.given_name, status: .output.status, code: .output.errorCode}`: {},
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`: {"", "null as value"},
		".input.absent":               {"", "not among the selected fields"},
		"if .a then .b end":           {"1.5", ""},
		"env.PATH":                    {"not available", ""},
		"$ENV":                        {"not available", ""},
		"input":                       {"not available", ""},
		"def f: f; f":                 {"too much work", ""},
		"[range(100000000)] | length": {"too much work", ""},
		"{a: ":                        {"jq", ""},
		"if .output.token then 1 else [range(100000000)] end": {"too much work for a record that MOSIP refused", ""},
	} {
		t.Run(format, func(t *testing.T) {
			c1 := complete()
			callback := setup.Callback{URL: "https://receiver.example.org/", Method: "POST", AuthType: seeding.AuthStaticBearer, Token: "t"}
			c1.Delivery, c1.Output.Format = callback.Delivery(nil), format
			found, doubts := rules().Check(setup.Proposal{Connector: c1, PasswordGiven: true, Callback: callback})
			said := func(list []setup.Finding) (text string) {
				for _, f := range list {
					if f.Field == setup.OutputFormat {
						text += f.Text + " "
					}
				}
				return text
			}
			if got := said(found); (got != "") != (c.wrong != "") || !strings.Contains(got, c.wrong) {
				t.Errorf("refused: %q", got)
			}
			if got := said(doubts); c.wrong == "" && ((got != "") != (c.doubtful != "") || !strings.Contains(got, c.doubtful)) {
				t.Errorf("doubted: %q", got)
			}
			if shape := rules().Shape(c1); shape != "" {
				t.Errorf("shape %s", shape)
			}
		})
	}
}
