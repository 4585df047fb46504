package system_test

import "testing"

// People of one name in a row stop nobody, wherever they are in the list of VIDs,
// and also while reading is a problem.
func TestNamesakesInARowStopNobody(t *testing.T) {
	for name, c := range map[string]struct {
		registrants, from, to int
		denied                bool // reading is refused at first
	}{
		"the last of a page":                   {registrants: 50, from: 40, to: 50},
		"the last of a long list":              {registrants: 212, from: 200, to: 212},
		"the first, and nobody else is behind": {registrants: 12, from: 0, to: 12},
		"the first, after a problem":           {registrants: 60, from: 0, to: 10, denied: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			ids := w.addRegistrants(c.registrants)
			for _, id := range ids[c.from:c.to] {
				w.registry.SetRegistrant(id, map[string]any{"given_name": "Maria", "family_name": "Silva"})
			}
			connector := w.connector(nil)
			if c.denied {
				w.registry.Deny("res.partner", "read")
				w.tick()
				expect(t, "problems while reading is refused", len(w.problems(connector)), 1)
				w.registry.Allow("res.partner", "read")
			}
			w.finish(90, connector)
			expect(t, "tokenised", w.tokenised(), c.registrants)
			expect(t, "problems", len(w.problems(connector)), 0)
		})
	}
}
