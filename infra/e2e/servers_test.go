package e2e_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// The stack works with servers that differ from the simulators' defaults: the
// differences are in the configuration, and take effect without a restart.
func TestServersThatDiffer(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		options   options
		types     [2]string // names of the VID and the token type
		configure func(w *world, body map[string]any)
	}{
		"as Helm publishes it, beside another database, with a status": {
			options{
				path: "/mosiptokenseeder", hosts: [2]string{"127.0.0.2", "127.0.0.3"},
				odoo: odoosim.Options{Databases: []string{"openg2p_prod", "staging"}, Status: true},
			},
			[2]string{"VID (national)", "PSUT"},
			func(w *world, body map[string]any) { body["mts_url"] = w.mtsURL + "/" },
		},
		"below a path of its own, by name, with other fields": {
			options{path: "/a/b", odoo: odoosim.Options{NoIndex: true}},
			[2]string{"MOSIP VID", "MOSIP UIN TOKEN"},
			func(w *world, body map[string]any) {
				body["mts_url"] = named(w.mtsURL)
				registry := body["registry"].(map[string]any)
				registry["url"] = named(w.registryURL) + "/"
				body["fields"] = []string{"id", "name", "birthdate", "gender", "address"}
				body["mapping"] = map[string]any{"name": []string{"name"}}
				body["domain"] = []any{[]any{"is_registrant", "=", true}, []any{"active", "=", true}}
				body["batch_maximum"] = 30
			},
		},
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o.options)
			ids := w.addRegistrants(70)
			w.registry.RenameType(odoosim.VIDType, o.types[0])
			w.registry.RenameType(odoosim.TokenType, o.types[1])
			if o.options.odoo.Status { // as in that line of Odoo
				for i, id := range ids {
					vid := w.registry.Identifiers(id)[0]
					w.registry.DeleteIdentifier(vid.ID)
					vid.Status = []string{"valid", ""}[i%2]
					w.registry.AddIdentifier(vid)
				}
				revoked := w.addRegistrants(1)[0]
				vid := w.registry.Identifiers(revoked)[0]
				w.registry.DeleteIdentifier(vid.ID)
				vid.Status = "invalid"
				w.registry.AddIdentifier(vid)
			}
			c := w.createStarted(
				withRegistry("vid_type", o.types[0]), withRegistry("token_type", o.types[1]),
				func(body map[string]any) { o.configure(w, body) },
			)
			c.waitForRuns(1)
			w.checkTokenised(ids)
			w.checkSentOnce()
			expect(t, "rejections", len(c.rejections()), 0)
			expect(t, "problems", len(c.document().Problems), 0)
		})
	}
}

// named has a host name in the place of the loopback address.
func named(address string) string { return "http://localhost" + address[len("http://127.0.0.1"):] }
