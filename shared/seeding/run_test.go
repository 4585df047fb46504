package seeding_test

import (
	"maps"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What was sent is tokenised, rejected or pending.
func TestTotals(t *testing.T) {
	all := seeding.Totals{Sent: 100, Tokenised: 1, Refused: 2, Duplicate: 4, Conflict: 8, NoToken: 16}
	if all.Rejected() != 30 || all.Pending() != 69 {
		t.Errorf("%d rejected, %d pending", all.Rejected(), all.Pending())
	}
	if twice := (seeding.Totals{Sent: 1, Tokenised: 1, Conflict: 1}); twice.Pending() != 0 {
		t.Errorf("counted twice, and %d pending", twice.Pending())
	}
	other := seeding.Totals{Sent: 1000, Tokenised: 100, Refused: 200, Duplicate: 300, Conflict: 400, NoToken: 500}
	want := seeding.Totals{Sent: 1100, Tokenised: 101, Refused: 202, Duplicate: 304, Conflict: 408, NoToken: 516}
	if got := all.Plus(other); got != want || other.Plus(all) != want || all.Plus(seeding.Totals{}) != all {
		t.Errorf("together %+v, want %+v", got, want)
	}
}

// figures are what a meter was given, by metric and kind.
type figures map[[2]string]float64

func (f figures) Measure(m seeding.Metric, value float64, kind string) {
	f[[2]string{m, kind}] += value
}

// Each figure is measured under its own name, and none if it is zero.
func TestTotalsAreMeasured(t *testing.T) {
	got := figures{}
	seeding.Totals{Sent: 100, Tokenised: 1, Refused: 2, Duplicate: 4, Conflict: 8, NoToken: 16}.Measure(got)
	want := figures{
		{"Tokenised", ""}: 1, {"Rejected", "refused"}: 2, {"Rejected", "duplicate"}: 4, {"Rejected", "conflict"}: 8, {"Rejected", "no_token"}: 16,
	}
	if !maps.Equal(got, want) {
		t.Errorf("measured %v, want %v", got, want)
	}
	nothing := figures{}
	if (seeding.Totals{Sent: 5}).Measure(nothing); len(nothing) > 0 {
		t.Errorf("measured %v of nothing", nothing)
	}
}

func TestWhyNobodyIsFound(t *testing.T) {
	for _, c := range []struct {
		all, inUse, archived int
		want                 seeding.Nobody
	}{
		{10, 0, 0, seeding.NotVisible},
		{10, 10, 0, seeding.NotSelected},
		{10, 0, 10, seeding.Archived},
		{10, 2, 1, seeding.NotVisible},
		{10, 6, 3, seeding.NotSelected},
		{10, 3, 6, seeding.Archived},
		{10, 5, 0, seeding.NotVisible},
	} {
		if got := seeding.UnseenOf(c.all, c.inUse, c.archived); got != c.want {
			t.Errorf("%d, %d, %d: %s", c.all, c.inUse, c.archived, got)
		}
	}
	for _, c := range []struct {
		looked, notSelected int
		want                bool
	}{{0, 0, false}, {1, 1, true}, {2, 1, false}, {100, 95, false}, {100, 96, true}} {
		run := seeding.Run{Tally: seeding.Tally{Looked: c.looked, NotSelected: c.notSelected}, Unseen: seeding.Archived}
		if why := run.WhyNobody(); (why == seeding.Archived) != c.want {
			t.Errorf("%d of %d: %q", c.notSelected, c.looked, why)
		}
	}
}

// Whatever keeps a run from sending anybody has a name, and only that.
func TestWhyARunSendsNobody(t *testing.T) {
	over := func(t seeding.Tally) seeding.Run { return seeding.Run{Tally: t, PassOver: true} }
	for name, c := range map[string]struct {
		run  seeding.Run
		want seeding.Nobody
	}{
		"no VID":                         {over(seeding.Tally{}), seeding.NoVID},
		"nothing at the form":            {seeding.Run{Kind: seeding.Recurring, Looks: seeding.Looks{Planned: true}, PassOver: true}, seeding.NothingNew},
		"nothing in the time":            {seeding.Run{Kind: seeding.Import, Looks: seeding.Looks{Planned: true}, PassOver: true}, seeding.NoneReceived},
		"the form is being looked at":    {seeding.Run{Looks: seeding.Looks{Planned: true}}, ""},
		"all in open batches":            {over(seeding.Tally{Looked: 9, InBatch: 9}), seeding.InBatch},
		"all hold a token":               {over(seeding.Tally{Looked: 9, Holding: 9, Removed: 9}), seeding.Holding},
		"all stay rejected":              {over(seeding.Tally{Looked: 9, Rejected: 9}), seeding.Rejected},
		"all invalid":                    {over(seeding.Tally{Looked: 9, Invalid: 9}), seeding.AllInvalid},
		"some of each":                   {over(seeding.Tally{Looked: 9, NotSelected: 3, InBatch: 3, Holding: 1, Rejected: 1, Invalid: 1}), seeding.PassedOver},
		"next to all of one":             {over(seeding.Tally{Looked: 100, InBatch: 96, Rejected: 4}), seeding.InBatch},
		"a version before counted less":  {over(seeding.Tally{Looked: 9, Invalid: 1}), ""},
		"the pass goes on":               {seeding.Run{Tally: seeding.Tally{Looked: 9, InBatch: 9}}, ""},
		"the pass has just begun":        {seeding.Run{}, ""},
		"ended before anybody":           {seeding.Run{Completed: time.Unix(1, 0)}, seeding.EndedEarly},
		"ended before, but sent some":    {seeding.Run{Completed: time.Unix(1, 0), Totals: seeding.Totals{Sent: 1}}, ""},
		"one is sent, all others wait":   {seeding.Run{Tally: seeding.Tally{Looked: 100, InBatch: 99}, PassOver: true, Totals: seeding.Totals{Sent: 1}}, ""},
		"sent, and looked at once again": {seeding.Run{Tally: seeding.Tally{Looked: 2, Rejected: 1}, PassOver: true, Totals: seeding.Totals{Sent: 1}}, ""},
	} {
		if got := c.run.WhyNobody(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
