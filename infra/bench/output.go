package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// Output Formats: the update of line 15.0, and an individual that reads its record again
// and sets a name, a gender and a phone number of everybody.
const (
	plainFormat = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`
	largeFormat = `{given_name: (.input.given_name + " (seeded)"), gender: "O", phone_numbers: [{phone_no: ("+1" + .input.vid)}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
)

// output compares runs of 1,000 with an Output Format with one without, with MTS and
// registry at their real pace: the shorter of two each.
func (m *measurer) output(ctx context.Context, r *report) error {
	took := map[string]time.Duration{}
	calls := map[string]int64{}
	formats := []struct{ name, format string }{{"none", ""}, {"plain", plainFormat}, {"large", largeFormat}}
	for _, f := range slices.Concat(formats, formats) { // in turn, because a machine is not always as busy
		m.say("a run of %d with an Output Format: %s", batchSize, f.name)
		err := m.measured(ctx, setup{pace: 1, pending: batchSize, registrants: 4 * batchSize, found: true, format: f.format}, func(h *harness, _ time.Duration) error {
			// Of the run itself: when the harness notices its end depends on its ticks.
			runs, _, err := h.direct.ListRuns(ctx, h.connector.ID, "", 1)
			if err != nil {
				return err
			}
			run := runs[0].Completed.Sub(runs[0].Started)
			calls[f.name] = 0
			if before, twice := took[f.name]; !twice || run < before {
				took[f.name] = run
			}
			made := h.registry.State().Calls
			for method := range made {
				if !isLogin(method) {
					calls[f.name] += made[method].Calls
				}
			}
			if f.format == largeFormat {
				m.say("registry calls: %s", strings.Join(slices.Sorted(maps.Keys(made)), ", "))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	plain, large := took["plain"].Seconds()/took["none"].Seconds(), took["large"].Seconds()/took["none"].Seconds()
	r.add("run of 1,000 with an Output Format, over one without, MTS and registry at their real pace: the token alone; an individual that sets name, gender and phone number",
		"≤ 1.15", plain <= 1.15 && large <= 1.15, "%.3f; %.3f (%.1f s; %.1f s / %.1f s; %d, %d and %d registry calls)",
		plain, large, took["plain"].Seconds(), took["large"].Seconds(), took["none"].Seconds(), calls["plain"], calls["large"], calls["none"])
	return nil
}
