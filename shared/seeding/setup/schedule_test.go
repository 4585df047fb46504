package setup_test

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// The members of a schedule that must not go together, and those that can be given.
// facts/mts.md D20: an end without a start was a type error, and which of them comes
// first was decided by the clock of the machine.
func TestD20SchedulesAreChecked(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	tomorrow, yesterday := now.AddDate(0, 0, 1), now.AddDate(0, 0, -1)
	for name, c := range map[string]struct {
		schedule seeding.Schedule
		want     setup.Field // "" for none
	}{
		"an interval":                   {seeding.Schedule{Interval: time.Hour}, ""},
		"an interval with bounds":       {seeding.Schedule{Interval: time.Hour, Starts: yesterday, Ends: tomorrow}, ""},
		"a time of day":                 {seeding.Schedule{Daily: "02:30"}, ""},
		"a time of day in a zone":       {seeding.Schedule{Daily: "02:30", Zone: "Africa/Nairobi", Starts: tomorrow}, ""},
		"once":                          {seeding.Schedule{Kind: seeding.OneTimeJob}, ""},
		"once, between two times":       {seeding.Schedule{Kind: seeding.OneTimeJob, Starts: now, Ends: tomorrow}, ""},
		"a time of day and an interval": {seeding.Schedule{Daily: "02:30", Interval: time.Hour}, setup.Interval},
		"once, and an interval":         {seeding.Schedule{Kind: seeding.OneTimeJob, Interval: time.Hour}, setup.Interval},
		"once, and a time of day":       {seeding.Schedule{Kind: seeding.OneTimeJob, Daily: "02:30"}, setup.Daily},
		"a zone without a time of day":  {seeding.Schedule{Interval: time.Hour, Zone: "Africa/Nairobi"}, setup.Zone},
		"a zone that does not exist":    {seeding.Schedule{Daily: "02:30", Zone: "Africa/Nowhere"}, setup.Zone},
		"the zone of the machine":       {seeding.Schedule{Daily: "02:30", Zone: "Local"}, setup.Zone},
		"an end alone":                  {seeding.Schedule{Interval: time.Hour, Ends: tomorrow}, ""},
		"an end alone, once":            {seeding.Schedule{Kind: seeding.OneTimeJob, Ends: tomorrow}, ""},
		"an end after the start, by another zone's clock the other way round":  {seeding.Schedule{Interval: time.Hour, Starts: tomorrow.In(time.FixedZone("", 14*3600)), Ends: tomorrow.Add(time.Hour).In(time.FixedZone("", -12*3600))}, ""},
		"an end before the start, by another zone's clock the other way round": {seeding.Schedule{Interval: time.Hour, Starts: tomorrow.Add(time.Hour).In(time.FixedZone("", -12*3600)), Ends: tomorrow.In(time.FixedZone("", 14*3600))}, setup.Ends},
		"an end before the start": {seeding.Schedule{Interval: time.Hour, Starts: tomorrow, Ends: now.Add(time.Hour)}, setup.Ends},
		"an end at the start":     {seeding.Schedule{Interval: time.Hour, Starts: tomorrow, Ends: tomorrow}, setup.Ends},
		"an end that is past":     {seeding.Schedule{Interval: time.Hour, Ends: yesterday}, setup.Ends},
		"an end that is now":      {seeding.Schedule{Interval: time.Hour, Ends: now}, setup.Ends},
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true, Now: now}
		p.Connector.Schedule = c.schedule
		found := wrong(p)
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || found[0].Field != c.want) {
			t.Errorf("%s: %v, want %q", name, found, c.want)
		}
	}
}

// Who changes the name of a connector whose time is over need not change its end.
func TestAnEndThatIsPastCanStay(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	before := complete()
	before.Schedule.Ends = now.AddDate(0, -1, 0)
	after := before
	after.Name = "Renamed"
	if found := wrong(setup.Proposal{Connector: after, Before: &before, Now: now}); len(found) > 0 {
		t.Errorf("%v", found)
	}
	after.Schedule.Ends = now.AddDate(0, 0, -1)
	if found := wrong(setup.Proposal{Connector: after, Before: &before, Now: now}); len(found) != 1 || found[0].Field != setup.Ends {
		t.Errorf("%v", found)
	}
}

// A version before knows the interval alone. It must not begin one run after the
// other, and a daily job without a zone has one.
func TestWhatIsNotAskedForInASchedule(t *testing.T) {
	for name, c := range map[string]struct{ given, want seeding.Schedule }{
		"an interval":   {seeding.Schedule{Interval: time.Hour}, seeding.Schedule{Interval: time.Hour}},
		"daily":         {seeding.Schedule{Daily: "02:30"}, seeding.Schedule{Daily: "02:30", Zone: "UTC", Interval: 24 * time.Hour}},
		"daily, a zone": {seeding.Schedule{Daily: "02:30", Zone: "Asia/Manila"}, seeding.Schedule{Daily: "02:30", Zone: "Asia/Manila", Interval: 24 * time.Hour}},
		"once":          {seeding.Schedule{Kind: seeding.OneTimeJob}, seeding.Schedule{Kind: seeding.OneTimeJob, Interval: 7 * 24 * time.Hour}},
	} {
		given := complete()
		given.Schedule = c.given
		if got := setup.Normalise(given).Schedule; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
