package e2e_test

import (
	"encoding/base64"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Direct callbacks to the registry's own REST API, of both lines, on the deployed
// stack: MTS calls the registry, and the connector finds the tokens there.
func TestDirectCallbacks(t *testing.T) {
	t.Parallel()
	for _, line := range []string{odoosim.REST15, odoosim.REST17} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odoo: odoosim.Options{REST: line}})
			w.addRegistrants(40)
			header := "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+w.password))
			w.forbid("header", header)
			callback := map[string]any{
				"url": w.registryURL + "/api/v1/registry/individual/updateIdentification", "http_method": "PATCH", "auth_type": "odoo",
				"auth_url": w.registryURL + "/web/session/authenticate", "auth_database": w.database, "auth_username": "admin", "auth_password": w.password,
			}
			format := `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`
			if line == odoosim.REST17 {
				callback = map[string]any{
					"url": w.registryURL + "/api/v1/registry/update_individual?id_type=MOSIP%20VID", "http_method": "PUT", "auth_type": "none",
					"extra_headers": map[string]any{"Authorization": header},
				}
				format = `if .output.token then [{updateId: .input.vid, name: null, given_name: null, gender: null, birth_place: null, ` +
					`ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}] else [] end`
			}
			c := w.createStarted(with("callback", callback), with("output_format", format))
			c.waitForRuns(1)
			w.checkInvariants()
			w.checkSentOnce()
			runs := c.runs()
			expect(t, "sent", runs[0].Totals.Sent, 40)
			expect(t, "tokenised", runs[0].Totals.Tokenised, 40)
			expect(t, "problems", len(c.document().Problems), 0)
			w.checkNothingLeaked()
		})
	}
}
