package seeding_test

import (
	"maps"
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestIdentifiersByRegistrant(t *testing.T) {
	a, b, c := seeding.Identifier{ID: 1, Registrant: 7}, seeding.Identifier{ID: 2, Registrant: 5}, seeding.Identifier{ID: 3, Registrant: 7}
	for _, d := range []struct {
		name        string
		identifiers []seeding.Identifier
		want        map[int64][]seeding.Identifier
	}{
		{"none", nil, map[int64][]seeding.Identifier{}},
		{"two of one registrant, one of another", []seeding.Identifier{a, b, c}, map[int64][]seeding.Identifier{7: {a, c}, 5: {b}}},
	} {
		if got := seeding.ByRegistrant(d.identifiers); !maps.EqualFunc(got, d.want, slices.Equal) {
			t.Errorf("%s: %v, want %v", d.name, got, d.want)
		}
	}
}
