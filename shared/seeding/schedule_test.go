package seeding_test

import (
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// at reads a time in UTC, such as "2026-03-29 01:00"; "" is the zero time.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	parsed, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// A daily run is due when the clocks of its zone come to the time of day: once a
// day, whatever they are set to. Times in the table are UTC.
func TestADailyRunIsDueOnceADayInEveryZone(t *testing.T) {
	for name, c := range map[string]struct {
		daily      seeding.TimeOfDay
		zone, last string
		want       []string
	}{
		"UTC":                            {"02:30", "UTC", "2026-11-28 09:00", []string{"2026-11-29 02:30", "2026-11-30 02:30", "2026-12-01 02:30"}},
		"no zone is UTC":                 {"02:30", "", "2026-11-28 02:29", []string{"2026-11-28 02:30", "2026-11-29 02:30"}},
		"never at the time of the last":  {"02:30", "UTC", "2026-11-28 02:30", []string{"2026-11-29 02:30"}},
		"midnight":                       {"00:00", "Africa/Nairobi", "2026-11-28 20:59", []string{"2026-11-28 21:00", "2026-11-29 21:00"}},
		"half an hour off":               {"23:59", "Asia/Kolkata", "2026-11-28 09:00", []string{"2026-11-28 18:29"}},
		"three quarters off":             {"06:00", "Asia/Kathmandu", "2026-11-28 09:00", []string{"2026-11-29 00:15"}},
		"a day ahead of UTC":             {"02:30", "Pacific/Kiritimati", "2026-11-28 09:00", []string{"2026-11-28 12:30", "2026-11-29 12:30"}},
		"a day behind":                   {"22:00", "Pacific/Pago_Pago", "2026-11-28 08:59", []string{"2026-11-28 09:00", "2026-11-29 09:00"}},
		"leap year":                      {"12:00", "UTC", "2028-02-28 12:00", []string{"2028-02-29 12:00", "2028-03-01 12:00"}},
		"Berlin, around spring":          {"08:00", "Europe/Berlin", "2026-03-28 00:00", []string{"2026-03-28 07:00", "2026-03-29 06:00", "2026-03-30 06:00"}},
		"Berlin, not there: when put on": {"02:30", "Europe/Berlin", "2026-03-28 00:00", []string{"2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"}},
		"Berlin, the switch itself":      {"02:00", "Europe/Berlin", "2026-03-28 23:00", []string{"2026-03-29 01:00", "2026-03-30 00:00"}},
		"Berlin, right after it":         {"03:00", "Europe/Berlin", "2026-03-28 23:00", []string{"2026-03-29 01:00", "2026-03-30 01:00"}},
		"Berlin, there twice: the first": {"02:30", "Europe/Berlin", "2026-10-24 12:00", []string{"2026-10-25 00:30", "2026-10-26 01:30"}},
		"Berlin, not again at the other": {"02:30", "Europe/Berlin", "2026-10-25 00:30", []string{"2026-10-26 01:30"}},
		"Berlin, changed between both":   {"02:30", "Europe/Berlin", "2026-10-25 01:00", []string{"2026-10-26 01:30"}},
		"New York, not there":            {"02:15", "America/New_York", "2026-03-07 12:00", []string{"2026-03-08 07:00", "2026-03-09 06:15"}},
		"New York, there twice":          {"01:30", "America/New_York", "2026-10-31 12:00", []string{"2026-11-01 05:30", "2026-11-02 06:30"}},
		"Lord Howe, put on by half":      {"02:15", "Australia/Lord_Howe", "2026-10-03 00:00", []string{"2026-10-03 15:30", "2026-10-04 15:15"}},
		"Havana, midnight is not there":  {"00:00", "America/Havana", "2026-03-07 06:00", []string{"2026-03-08 05:00", "2026-03-09 04:00"}},
		"Havana, midnight is there twice, after a day that ended twice": {"00:30", "America/Havana", "2026-10-31 12:00", []string{"2026-11-01 04:30", "2026-11-02 05:30"}},
		"Apia, a day that is not there":                                 {"08:00", "Pacific/Apia", "2011-12-29 12:00", []string{"2011-12-29 18:00", "2011-12-30 10:00", "2011-12-30 18:00"}},
		"a zone that is not in the data":                                {"02:30", "Nowhere/At_All", "2026-11-28 09:00", []string{"2026-11-29 02:30"}},
	} {
		schedule := seeding.Schedule{Daily: c.daily, Zone: c.zone}
		last := at(t, c.last)
		for _, want := range c.want {
			next, ok := schedule.Next(last)
			if !ok || !next.Equal(at(t, want)) {
				t.Errorf("%s: after %s UTC: %s %v, want %s", name, last.Format("2006-01-02 15:04"), next.UTC().Format("2006-01-02 15:04"), ok, want)
				break
			}
			last = next
		}
	}
}

// Over ten years, in zones of every kind, a daily run is due once on each day of
// the zone, at its time of day, or where that is not there, when clocks are put on.
func TestADailyRunNeverSkipsADay(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Kiritimati"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, daily := range []seeding.TimeOfDay{"00:00", "01:30", "02:30", "03:00", "23:59"} {
			schedule := seeding.Schedule{Daily: daily, Zone: name}
			last, _ := schedule.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, zone))
			for range 3653 {
				next, ok := schedule.Next(last)
				day := time.Date(last.In(zone).Year(), last.In(zone).Month(), last.In(zone).Day(), 12, 0, 0, 0, zone).AddDate(0, 0, 1)
				if got := next.In(zone); !ok || got.Format(time.DateOnly) != day.Format(time.DateOnly) {
					t.Fatalf("%s in %s: after %v comes %v", daily, name, last.In(zone), got)
				}
				if got := next.In(zone); got.Format("15:04") != string(daily) {
					if start, _ := got.ZoneBounds(); !start.Equal(next) {
						t.Fatalf("%s in %s: due at %v", daily, name, got)
					}
				}
				last = next
			}
		}
	}
}

// What a schedule makes of the state of a running connector: when its next run
// begins, and which are shown as the runs to come.
func TestTheNextRunOfASchedule(t *testing.T) {
	const day = 24 * time.Hour
	in := func(d time.Duration) time.Time { return now.Add(d) }
	hourly := seeding.Schedule{Interval: time.Hour}
	nine := seeding.TimeOfDay(in(time.Hour).UTC().Format("15:04"))
	minute := in(time.Hour).UTC().Truncate(time.Minute) // the time of day of "daily"
	daily := seeding.Schedule{Daily: nine, Zone: "UTC"}
	once := seeding.Schedule{Kind: seeding.OneTimeJob}
	bounded := func(s seeding.Schedule, starts, ends time.Duration) seeding.Schedule {
		if starts != 0 {
			s.Starts = in(starts)
		}
		if ends != 0 {
			s.Ends = in(ends)
		}
		return s
	}
	type states = seeding.State
	for name, c := range map[string]struct {
		schedule seeding.Schedule
		state    states
		want     time.Time // zero: none is to come
		runs     []time.Time
	}{
		"an interval, due":                         {hourly, states{Due: in(-time.Minute)}, in(-time.Minute), []time.Time{now, in(time.Hour), in(2 * time.Hour)}},
		"an interval, at rest":                     {hourly, states{Due: in(time.Minute), Begun: in(-59 * time.Minute)}, in(time.Minute), []time.Time{in(time.Minute), in(61 * time.Minute), in(121 * time.Minute)}},
		"an interval, made due by a person":        {hourly, states{Due: now, Since: now}, now, []time.Time{now, in(time.Hour), in(2 * time.Hour)}},
		"an interval that starts later":            {bounded(hourly, time.Hour, 0), states{Due: now}, in(time.Hour), []time.Time{in(time.Hour), in(2 * time.Hour), in(3 * time.Hour)}},
		"an interval that ends soon":               {bounded(hourly, 0, 90*time.Minute), states{Due: now}, now, []time.Time{now, in(time.Hour)}},
		"an interval that ends before it is due":   {bounded(hourly, 0, time.Minute), states{Due: in(time.Hour)}, time.Time{}, nil},
		"an interval that ends just then":          {bounded(hourly, 0, time.Hour), states{Due: in(time.Hour)}, time.Time{}, nil},
		"an interval that has ended":               {bounded(hourly, 0, -1), states{Due: in(-time.Hour)}, time.Time{}, nil},
		"a daily run, started today":               {daily, states{Due: now, Since: now}, minute, []time.Time{minute, minute.Add(day), minute.Add(2 * day)}},
		"a daily run that was to begin":            {daily, states{Due: in(-day), Since: in(-2 * day), Begun: minute.Add(-2 * day)}, minute.Add(-day), []time.Time{now, minute, minute.Add(day)}},
		"a daily run, changed after its time":      {daily, states{Due: now, Since: in(2 * time.Hour), Begun: in(-day)}, minute.Add(day), []time.Time{minute.Add(day), minute.Add(2 * day), minute.Add(3 * day)}},
		"a daily run that starts later":            {bounded(daily, 30*time.Hour, 0), states{Since: now}, minute.Add(2 * day), []time.Time{minute.Add(2 * day), minute.Add(3 * day), minute.Add(4 * day)}},
		"a daily run that starts at its time":      {seeding.Schedule{Daily: nine, Starts: minute}, states{Since: now}, minute, []time.Time{minute, minute.Add(day), minute.Add(2 * day)}},
		"a daily run that ends before its time":    {bounded(daily, 0, time.Minute), states{Since: now}, time.Time{}, nil},
		"a daily run that ends tomorrow":           {bounded(daily, 0, day+time.Minute), states{Since: now}, minute, []time.Time{minute}},
		"a daily run missed, and the end came":     {bounded(daily, 0, -time.Hour), states{Since: in(-2 * day)}, time.Time{}, nil},
		"once, started":                            {once, states{Due: now, Since: now}, now, []time.Time{now}},
		"once, started some time ago":              {once, states{Due: now, Since: in(-day)}, in(-day), []time.Time{now}},
		"once, at a later time":                    {bounded(once, time.Hour, 0), states{Due: now, Since: now}, in(time.Hour), []time.Time{in(time.Hour)}},
		"once, at a time that is past":             {bounded(once, -time.Hour, 0), states{Due: now, Since: now}, now, []time.Time{now}},
		"once, and it has been":                    {once, states{Due: now, Since: in(-day), Begun: in(-day)}, time.Time{}, nil},
		"once, and its end came before it began":   {bounded(once, -2*time.Hour, -time.Hour), states{Due: now, Since: in(-day)}, time.Time{}, nil},
		"an open run, then an interval":            {hourly, states{Due: now, Run: "r", Begun: in(-10 * time.Minute)}, now, []time.Time{in(50 * time.Minute), in(110 * time.Minute), in(170 * time.Minute)}},
		"an open run, longer than its interval":    {hourly, states{Due: now, Run: "r", Begun: in(-2 * time.Hour)}, now, []time.Time{now, in(time.Hour), in(2 * time.Hour)}},
		"an open run, then the next day's":         {daily, states{Due: now, Run: "r", Since: in(-9 * day), Begun: minute.Add(-day)}, minute, []time.Time{minute, minute.Add(day), minute.Add(2 * day)}},
		"an open run that happens once":            {once, states{Due: now, Run: "r", Since: in(-day), Begun: in(-day)}, time.Time{}, nil},
		"an open run that a change will end":       {once, states{Due: now, Run: "r", Since: in(-time.Minute)}, in(-time.Minute), []time.Time{now}},
		"of a connector that a version before had": {hourly, states{Due: in(time.Minute)}, in(time.Minute), []time.Time{in(time.Minute), in(61 * time.Minute), in(121 * time.Minute)}},
	} {
		c.state.Status = seeding.Running
		got, ok := c.state.NextRun(c.schedule, now)
		if ok == c.want.IsZero() || ok && !got.Equal(c.want) {
			t.Errorf("%s: in %v %v, want in %v", name, got.Sub(now), ok, c.want.Sub(now))
		}
		runs := c.state.NextRuns(c.schedule, 3, now)
		if !slices.EqualFunc(runs, c.runs, time.Time.Equal) {
			t.Errorf("%s: runs to come are %v, want %v", name, runs, c.runs)
		}
		c.state.Status = seeding.Stopped
		if runs := c.state.NextRuns(c.schedule, 3, now); runs != nil {
			t.Errorf("%s: stopped, and runs to come are %v", name, runs)
		}
	}
}

// Who asks for another attempt is told when it is made.
func TestWhenRejectionsAreResent(t *testing.T) {
	now := at(t, "2026-11-28 09:00")
	hourly, once := seeding.Schedule{Interval: time.Hour}, seeding.Schedule{Kind: seeding.OneTimeJob}
	daily, night := seeding.Schedule{Daily: "02:30"}, at(t, "2026-11-29 02:30")
	ended := hourly
	ended.Ends = now.Add(-time.Minute)
	later := hourly
	later.Starts = now.Add(time.Hour)
	running := seeding.State{Status: seeding.Running, Due: now.Add(time.Minute), Since: now.Add(-time.Hour)}
	with := func(change func(*seeding.State)) seeding.State {
		s := running
		change(&s)
		return s
	}
	inRun := with(func(s *seeding.State) { s.Run, s.Begun = "r", now.Add(-time.Minute) })
	blocked := func(s *seeding.State) {
		s.Problems = map[seeding.Source]seeding.Problem{seeding.ProblemMTS: {Code: "x"}}
	}
	for name, c := range map[string]struct {
		state    seeding.State
		schedule seeding.Schedule
		want     seeding.Resending
		next     time.Time
	}{
		"an interval":                    {running, hourly, seeding.ResentNow, now},
		"an interval that begins later":  {running, later, seeding.ResentLater, now.Add(time.Hour)},
		"an interval that has ended":     {running, ended, seeding.ResentNoRun, time.Time{}},
		"an interval, in a run":          {inRun, hourly, seeding.ResentInRun, now.Add(59 * time.Minute)},
		"daily":                          {running, daily, seeding.ResentLater, night},
		"daily, in a run":                {inRun, daily, seeding.ResentInRun, night},
		"once, before its run":           {running, once, seeding.ResentNow, now},
		"once, after its run":            {with(func(s *seeding.State) { s.Begun = now.Add(-time.Minute) }), once, seeding.ResentNoRun, time.Time{}},
		"once, in its run":               {inRun, once, seeding.ResentInRun, time.Time{}},
		"a problem that blocks":          {with(blocked), hourly, seeding.ResentUnblock, now},
		"a problem that blocks nobody":   {with(func(s *seeding.State) { s.Problems = map[seeding.Source]seeding.Problem{seeding.ProblemDied: {}} }), hourly, seeding.ResentNow, now},
		"stopped":                        {with(func(s *seeding.State) { s.Status = seeding.Stopped }), hourly, seeding.ResentStarted, time.Time{}},
		"stopped, its run is still open": {with(func(s *seeding.State) { s.Status, s.Run = seeding.Stopped, "r" }), hourly, seeding.ResentStarted, time.Time{}},
		"completed":                      {with(func(s *seeding.State) { s.Status = seeding.Completed }), once, seeding.ResentStarted, time.Time{}},
	} {
		if when, next := c.state.Resent(c.schedule, now); when != c.want || !next.Equal(c.next) {
			t.Errorf("%s: %s at %v, want %s at %v", name, when, next, c.want, c.next)
		}
	}
}

// Runs do not drift, however long each waits for its turn, and nobody catches up on
// those that an outage took.
func TestWhatRunFollows(t *testing.T) {
	const interval = 15 * time.Minute
	hourly, once := seeding.Schedule{Interval: interval}, seeding.Schedule{Kind: seeding.OneTimeJob}
	daily := seeding.Schedule{Daily: "02:30", Zone: "Europe/Berlin"}
	due := at(t, "2026-03-28 01:30") // 02:30 in Berlin; the next is half an hour earlier
	for name, c := range map[string]struct {
		schedule seeding.Schedule
		late     time.Duration // how late the run began
		want     time.Duration // after it was due; 0 for none
	}{
		"an interval, begun when it was due":    {hourly, 0, interval},
		"an interval, begun late":               {hourly, time.Minute, interval},
		"an interval, begun very late":          {hourly, interval - 1, interval},
		"an interval, begun when two were due":  {hourly, interval, 2 * interval},
		"an interval, begun when many were due": {hourly, 5*interval + time.Minute, 6*interval + time.Minute},
		"an interval, begun before it was due":  {hourly, -time.Minute, interval - time.Minute},
		"daily, begun when it was due":          {daily, 0, 23*time.Hour + 30*time.Minute},
		"daily, begun late":                     {daily, 20 * time.Hour, 23*time.Hour + 30*time.Minute},
		"daily, begun when two were due":        {daily, 24 * time.Hour, 47 * time.Hour},
		"daily, begun when many were due":       {daily, 100 * time.Hour, 119 * time.Hour},
		"once":                                  {once, time.Minute, 0},
	} {
		next, ok := c.schedule.Follows(due, due.Add(c.late))
		if ok == (c.want == 0) || ok && next.Sub(due) != c.want {
			t.Errorf("%s: %v later, %v; want %v", name, next.Sub(due), ok, c.want)
		}
	}
	if next, _ := hourly.Follows(time.Time{}, due); !next.Equal(due.Add(interval)) {
		t.Errorf("opened by a version that noted no due time: %v later", next.Sub(due))
	}
}

func TestTimesOfDayAndZones(t *testing.T) {
	for _, right := range []string{"00:00", "02:30", "23:59"} {
		if got, err := seeding.ParseTimeOfDay(right); err != nil || string(got) != right {
			t.Errorf("%q: %q, %v", right, got, err)
		}
	}
	for _, wrong := range []string{"", "2:30", "02:3", "24:00", "23:60", "02:30:00", "-1:00", "02.30", "noon", " 02:30", "०२:३०"} {
		if _, err := seeding.ParseTimeOfDay(wrong); err == nil {
			t.Errorf("%q is a time of day", wrong)
		}
	}
	for _, right := range []string{"UTC", "Africa/Nairobi", "America/Argentina/Buenos_Aires", "Asia/Calcutta"} {
		if err := seeding.ParseZone(right); err != nil {
			t.Errorf("%q: %v", right, err)
		}
	}
	for _, wrong := range []string{"", "Local", "Nairobi", "Africa/nowhere", "../etc/passwd", "/etc/localtime", "GMT+3", "utc\x00"} {
		if seeding.ParseZone(wrong) == nil {
			t.Errorf("%q is a zone", wrong)
		}
	}
}
