package e2e_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// The stack serves other people's servers: what differs from the simulators'
// defaults is in the configuration, and takes effect without a restart.
func TestOtherPeoplesServers(t *testing.T) {
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
			ids := w.plain(70)
			w.registry.RenameType(odoosim.VIDType, o.types[0])
			w.registry.RenameType(odoosim.TokenType, o.types[1])
			if o.options.odoo.Status { // as that line of Odoo has it
				for i, id := range ids {
					vid := w.registry.Identifiers(id)[0]
					w.registry.DeleteIdentifier(vid.ID)
					vid.Status = []string{"valid", ""}[i%2]
					w.registry.AddIdentifier(vid)
				}
				revoked := w.plain(1)[0]
				vid := w.registry.Identifiers(revoked)[0]
				w.registry.DeleteIdentifier(vid.ID)
				vid.Status = "invalid"
				w.registry.AddIdentifier(vid)
			}
			c := w.started(
				withRegistry("vid_type", o.types[0]), withRegistry("token_type", o.types[1]),
				func(body map[string]any) { o.configure(w, body) },
			)
			c.settled(1)
			w.done(ids)
			w.sentOnce()
			expect(t, "rejections", len(c.rejections()), 0)
			expect(t, "problems", len(c.view().Problems), 0)
		})
	}
}

// named puts a name in the place of the loopback address.
func named(address string) string { return "http://localhost" + address[len("http://127.0.0.1"):] }

// Two connectors on one registry, each with an MTS of its own so that nothing
// but the registry's own rules keeps them apart, and ten ticks at once.
func TestNobodyIsSubmittedOrPatchedTwice(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, options{}), newWorld(t, options{})
	ids := w.plain(300)
	first := w.create(with("batch_maximum", 40))
	second := other.create(with("batch_maximum", 60), withRegistry("url", w.registryURL), withRegistry("password", w.password))
	first.start()
	second.start()
	w.until("both are done", func() bool {
		failed := make(chan error)
		for range 10 {
			go func() { failed <- stack.Tick(t.Context()) }()
		}
		for range 10 {
			if err := fault(<-failed); err != nil {
				t.Error(err)
			}
		}
		return w.tokenised() == len(ids) && first.quiet() && second.quiet()
	})
	w.done(ids)
	expect(t, "registrants with many tokens", w.registry.State().ManyTokens, 0)
	times := map[string]int{}
	for _, f := range []*front{w.front, other.front} {
		for _, p := range f.all() {
			for _, r := range p.Records {
				times[r.VID]++
			}
		}
	}
	expect(t, "VIDs submitted", len(times), len(ids))
	for vid, n := range times {
		if n > 1 {
			t.Errorf("the VID ending in %s was submitted %d times", vid[10:], n)
		}
	}
	sent := 0
	for _, c := range []*connector{first, second} {
		for _, r := range c.runs() {
			expect(t, "pending", r.Totals.Pending, 0)
			sent += r.Totals.Sent
		}
		expect(t, "rejections", len(c.rejections()), 0)
	}
	expect(t, "sent by both", sent, len(ids))
}
