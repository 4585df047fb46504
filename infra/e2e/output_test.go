package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// Output Formats of every shape on the deployed stack: each registrant gets its token,
// and what the Output Format says besides, once; nothing of it is stored or logged.
func TestOutputFormats(t *testing.T) {
	t.Parallel()
	const ids = `ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]`
	for shape, c := range map[string]struct {
		format string
		writes bool // the given name, and a phone number
	}{
		"identifier":               {`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`, false},
		"individual":               {`{given_name: (.input.given_name | ascii_upcase), phone_numbers: [{phone_no: ("+1" + .input.vid)}], ` + ids + `}`, true},
		"individual_by_identifier": {`[{updateId: .input.vid, given_name: (.input.given_name | ascii_upcase), phone_numbers: [{phone_no: ("+1" + .input.vid)}], ` + ids + `}]`, true},
	} {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			people := w.addRegistrants(25)
			names := map[int64]string{}
			for _, id := range people {
				fields, _ := w.registry.Registrant(id)
				names[id] = fields["given_name"]
			}
			connector := w.create(with("output_format", c.format))
			var shown struct {
				Shape string `json:"output_shape"`
			}
			call(t, "GET", connector.path(""), nil).into(t, 200, &shown)
			expect(t, "shape", shown.Shape, shape)
			connector.start()
			connector.waitForRuns(1)
			w.checkTokenised(people)
			w.checkSentOnce()
			for _, id := range people {
				fields, phones := w.registry.Registrant(id)
				name, numbers := names[id], []string(nil)
				if c.writes {
					name, numbers = strings.ToUpper(name), []string{"+1" + w.vid(id)}
				}
				if fields["given_name"] != name || !slices.Equal(phones, numbers) {
					t.Errorf("registrant %d: the given name is right: %t, %d phone numbers", id, fields["given_name"] == name, len(phones))
				}
			}
			expect(t, "tokenised", connector.runs()[0].Totals.Tokenised, len(people))
			w.checkNothingLeaked()
		})
	}
}
