package invariants

import (
	"slices"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

func TestDifferences(t *testing.T) {
	got := Differences([]Figure{{"tokens", 9, 9}, {"VIDs left", 1, 0}})
	if !slices.Equal(got, []string{"VIDs left: 1 instead of 0"}) {
		t.Errorf("%q", got)
	}
}

func TestCounts(t *testing.T) {
	now := Registry{1: token(anas), 2: token(anas, bens), 3: {VIDs: []string{ana}, Tokens: []string{bens}}, 4: vid(ben)}
	got := Counts(now, odoosim.Expectation{Tokens: 2, VIDsLeft: 1, Registrants: 4})
	want := []Figure{
		{"tokens", 4, 2}, {"different tokens", 2, 2}, {"registrants with more than one token", 1, 0},
		{"registrants with a token and a VID", 1, 0}, {"VIDs left", 2, 1}, {"registrants", 4, 4},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestRejected(t *testing.T) {
	expected := odoosim.Expectation{
		Invalid: map[odoosim.Kind]int{odoosim.NoName: 2, odoosim.NoGender: 1}, Refused: map[odoosim.Kind]int{odoosim.GoneUIN: 4}, Duplicates: 5,
	}
	right := map[seeding.RejectionKind]int{seeding.Invalid: 3, seeding.Refused: 4, seeding.Duplicate: 5}
	if list := Differences(Rejected(right, expected)); len(list) > 0 {
		t.Errorf("%q", list)
	}
	for _, kind := range seeding.RejectionKinds {
		right[kind]++
		if list := Differences(Rejected(right, expected)); len(list) != 1 {
			t.Errorf("one more %s: %q", kind, list)
		}
		right[kind]--
	}
}

func TestTotals(t *testing.T) {
	start := Registry{1: vid(ana), 2: vid(ben), 3: {VIDs: []string{"3"}, Tokens: []string{"9"}}, 4: vid("4"), 5: vid("5")}
	now := Registry{1: token(anas), 2: token(bens), 3: token("9"), 4: vid("4"), 5: vid("5"), 6: token("8")}
	rejections := map[seeding.RejectionKind]int{
		seeding.Refused: 2, seeding.Duplicate: 3, seeding.Conflict: 4, seeding.NoToken: 5, seeding.Invalid: 6,
	}
	got := Observe(now, start, rejections, 9, 7)
	want := Outcome{Sent: 9, Pending: 2, Tokenised: 3, Refused: 2, Duplicate: 3, Conflict: 4, NoToken: 5, Invalid: 6, Removed: 1}
	if got != want {
		t.Errorf("%+v", got)
	}
	if list := Differences(Totals(want, got)); len(list) > 0 {
		t.Errorf("%q", list)
	}
	for i, change := range []func(*Outcome){
		func(o *Outcome) { o.Sent++ }, func(o *Outcome) { o.Pending++ }, func(o *Outcome) { o.Tokenised++ },
		func(o *Outcome) { o.Refused++ }, func(o *Outcome) { o.Duplicate++ }, func(o *Outcome) { o.Conflict++ },
		func(o *Outcome) { o.NoToken++ }, func(o *Outcome) { o.Invalid++ }, func(o *Outcome) { o.Removed++ },
	} {
		reported := want
		change(&reported)
		for j, f := range Totals(reported, got) {
			if (f.Actual != f.Expected) != (i == j) {
				t.Errorf("change %d: %+v", i, f)
			}
		}
	}
}

func TestOverstatement(t *testing.T) {
	for _, c := range []struct {
		reported, observed, lost int
		want                     []Rule
	}{
		{9, 9, 0, nil}, {8, 9, 0, nil}, {10, 9, 1, nil}, {10, 9, 0, []Rule{Overstated}}, {11, 9, 1, []Rule{Overstated}},
	} {
		list := Overstatement(Outcome{Tokenised: c.reported}, Outcome{Tokenised: c.observed}, c.lost)
		if !slices.Equal(rules(list), c.want) {
			t.Errorf("%+v: %v", c, list)
		}
	}
}
