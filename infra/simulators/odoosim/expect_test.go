package odoosim_test

import (
	"encoding/json"
	"slices"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

func TestEntriesSayWhatEachRegistrantIsAndHolds(t *testing.T) {
	c := serve(t, odoosim.Options{})
	e := c.sim.Populate(60, 1)
	added := c.sim.AddRegistrant(amina())

	var entries []odoosim.Entry
	answer := c.send("GET", "/_simulator/registrants", "")
	if err := json.Unmarshal([]byte(answer.body), &entries); err != nil || answer.status != 200 {
		t.Fatalf("%d %v", answer.status, err)
	}
	if len(entries) != 61 {
		t.Fatalf("%d entries, want 61", len(entries))
	}
	if !slices.IsSortedFunc(entries, func(a, b odoosim.Entry) int { return int(a.Registrant - b.Registrant) }) {
		t.Error("not in the order of ids")
	}
	for _, entry := range entries {
		if entry.Kind != e.Kinds[entry.Registrant] {
			t.Errorf("registrant %d is %q, want %q", entry.Registrant, entry.Kind, e.Kinds[entry.Registrant])
		}
		if !slices.Equal(entry.Identifiers, c.sim.Identifiers(entry.Registrant)) {
			t.Errorf("registrant %d holds something else", entry.Registrant)
		}
		if entry.Registrant == added && entry.Kind != "" {
			t.Errorf("one that Populate did not make is %q", entry.Kind)
		}
	}
}
