package main

import (
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Functions that are killed at random moments lose nothing and do nothing twice.
// The three runs are parallel, so each is hit by the kills of all.
func TestKilledAtRandom(t *testing.T) {
	r, err := open(t.Context(), func(format string, a ...any) { t.Logf(format, a...) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	t.Run("runs", func(t *testing.T) {
		for name, seed := range map[string]int64{"one": 101, "two": 102, "three": 103} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				result, err := r.run(t.Context(), trial{
					seed: seed, registrants: 200, kills: 2, spacing: 600 * time.Millisecond, mts: mtssim.Options{Pace: 0.1},
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range result.violations {
					t.Error(v)
				}
				if result.kills == 0 {
					t.Error("nothing was killed")
				}
				t.Logf("%+v", result)
			})
		}
	})
}

// The check finds what it has to find.
func TestTheCheckFindsViolations(t *testing.T) {
	for name, spoil := range map[string]func(r *odoosim.Server, id int64, vid odoosim.Identifier){
		"a VID gone without a token": func(r *odoosim.Server, _ int64, vid odoosim.Identifier) { r.DeleteIdentifier(vid.ID) },
		"two tokens": func(r *odoosim.Server, id int64, vid odoosim.Identifier) {
			for range 2 {
				r.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(vid.Value)})
			}
		},
		"a token of somebody else": func(r *odoosim.Server, id int64, _ odoosim.Identifier) {
			r.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(odoosim.DemoVID(9_999_999, 1, odoosim.Normal))})
		},
		"a registrant gone": func(r *odoosim.Server, id int64, _ odoosim.Identifier) { r.DeleteRegistrant(id) },
	} {
		t.Run(name, func(t *testing.T) {
			registry := odoosim.New(odoosim.Options{})
			c := newCheck(nil, registry, nil, trial{registrants: 200, seed: 1})
			if list := c.misplaced(); len(list) > 0 {
				t.Fatalf("of an untouched registry: %v", list)
			}
			for _, entry := range registry.Entries() {
				if entry.Kind == odoosim.Plain {
					vid := slices.IndexFunc(entry.Identifiers, func(i odoosim.Identifier) bool { return i.Type == odoosim.VIDType })
					spoil(registry, entry.Registrant, entry.Identifiers[vid])
					break
				}
			}
			if list := c.misplaced(); len(list) == 0 {
				t.Error("nothing was found")
			}
		})
	}
}
