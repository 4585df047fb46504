package setup

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkSchedule: a recurring job has an interval or a time of day, a one-time job
// none of both, and there is time between start and end.
func checkSchedule(p Proposal) (wrong []Finding) {
	s := p.Connector.Schedule
	add := func(f Field, code, text string, names ...any) {
		if p.readable(f) {
			wrong = append(wrong, find(f, code, text, names...))
		}
	}
	switch daily, interval := s.Daily != "", s.Interval != 0; {
	case s.OneTime() && interval:
		add(Interval, "interval_not_needed", "belongs to a recurring job; leave it out of a one-time job")
	case s.OneTime() && daily:
		add(Daily, "daily_not_needed", "belongs to a recurring job; leave it out of a one-time job, and give the time at which it is to begin as starts")
	case daily && interval:
		add(Interval, "together", "cannot be given together with daily_at: a job recurs after an interval or at a time of day", "with", "daily_at")
	case s.Daily == "" && s.Zone != "":
		add(Zone, "needs", "belongs to daily_at; leave it out, or give daily_at", "member", "daily_at")
	}
	if s.Zone != "" && seeding.ParseZone(s.Zone) != nil {
		add(Zone, "time_zone", `is not the name of a time zone, such as "Africa/Nairobi", "Asia/Manila" or "UTC"`)
	}
	switch changed := p.Before == nil || !p.Before.Schedule.Ends.Equal(s.Ends); {
	case !p.readable(Starts):
	case !s.Ends.IsZero() && !s.Ends.After(s.Starts):
		add(Ends, "ends_not_after_starts", "must be after starts")
	case changed && s.Over(p.Now):
		add(Ends, "ends_past", "is past; no run would begin")
	}
	return wrong
}

// What a job without an interval has stored as its interval. Functions of a version
// before, which may run for minutes beside those of a new one, know nothing else, and
// must not begin one run after the other.
const (
	daily   = 24 * time.Hour
	oneTime = 7 * 24 * time.Hour
)

// normaliseSchedule gives a schedule what is not asked for.
func normaliseSchedule(s seeding.Schedule) seeding.Schedule {
	switch {
	case s.OneTime():
		s.Interval = oneTime
	case s.Daily != "":
		s.Interval = daily
		if s.Zone == "" {
			s.Zone = "UTC"
		}
	}
	return s
}
