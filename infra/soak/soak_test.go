package main

import (
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Functions that are killed at random moments lose nothing and do nothing twice.
// The runs are parallel, so each is hit by the kills of all.
func TestKilledAtRandom(t *testing.T) {
	r, err := open(t.Context(), func(format string, a ...any) { t.Logf(format, a...) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	t.Run("runs", func(t *testing.T) {
		for name, special := range map[string]trial{
			"one": {seed: 101}, "two": {seed: 102}, "an Output Format": {seed: 103, format: individual},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				special.registrants, special.kills, special.spacing = 200, 2, 600*time.Millisecond
				special.mts.Pace = 0.1
				result, err := r.run(t.Context(), special.drawn())
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

// Trials draw all that an MTS and a connector may be, and the same for a seed.
func TestTrialsDiffer(t *testing.T) {
	values := map[string]map[int]bool{}
	for seed := range int64(60) {
		drawn := trial{seed: seed}.drawn()
		if again := (trial{seed: seed}).drawn(); again.size() != drawn.size() || again.workerKills != drawn.workerKills {
			t.Errorf("seed %d: %s with %d kills, and then %s with %d", seed, drawn.size(), drawn.workerKills, again.size(), again.workerKills)
		}
		for name, value := range map[string]int{
			"workers": drawn.mts.Workers, "replicas": drawn.mts.Replicas, "processors": drawn.mts.Processors,
			"requests": min(drawn.mts.MaxRequests, 1), "kills": drawn.workerKills, "width": drawn.widthMaximum,
		} {
			if values[name] == nil {
				values[name] = map[int]bool{}
			}
			values[name][value] = true
		}
	}
	for name, want := range map[string]int{"workers": 4, "replicas": 2, "processors": 4, "requests": 2, "kills": 4, "width": 8} {
		if len(values[name]) != want {
			t.Errorf("%s: %v, want %d", name, values[name], want)
		}
	}
}

// The check finds what an Output Format did not write, or wrote twice.
func TestTheCheckFindsWhatAnOutputFormatDidNotWrite(t *testing.T) {
	registry := odoosim.New(odoosim.Options{})
	c := newCheck(nil, registry, nil, trial{registrants: 200, seed: 1, format: individual})
	if wrong := c.written(); len(wrong) > 0 {
		t.Fatalf("of an untouched registry: %v", wrong)
	}
	for _, entry := range registry.Entries() {
		if entry.Kind == odoosim.Plain {
			registry.AddIdentifier(odoosim.Identifier{Registrant: entry.Registrant, Type: odoosim.TokenType, Value: mtssim.Token(c.before.VID(entry.Registrant))})
			break
		}
	}
	if wrong := c.written(); len(wrong) != 1 {
		t.Errorf("%v", wrong)
	}
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
