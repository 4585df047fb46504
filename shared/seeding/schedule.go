package seeding

import (
	"fmt"
	"time"
)

// JobKind is how often the schedule of a connector begins a run.
type JobKind string

const (
	RecurringJob JobKind = "recurring" // again and again, until it is stopped
	OneTimeJob   JobKind = "one_time"  // once after each start
)

// Schedule is when a running connector begins its runs. Imports have none.
type Schedule struct {
	Kind     JobKind       // "" is RecurringJob: connectors of versions that had no other
	Interval time.Duration // of a recurring job that is not daily, from the start of one run to that of the next
	Daily    TimeOfDay     // of a recurring job, in Zone; "" if the interval counts
	Zone     string        // IANA name; "" is UTC
	Starts   time.Time     // no run begins before; zero for no bound
	Ends     time.Time     // no run begins then or later; zero for no bound
}

// Equal reports whether two schedules begin their runs at the same times.
func (s Schedule) Equal(other Schedule) bool {
	times := s.Starts.Equal(other.Starts) && s.Ends.Equal(other.Ends)
	other.Starts, other.Ends = s.Starts, s.Ends
	return times && s == other
}

// OneTime reports whether the job ends with its first run.
func (s Schedule) OneTime() bool { return s.Kind == OneTimeJob }

// Over reports whether the schedule's end has come.
func (s Schedule) Over(now time.Time) bool { return !s.Ends.IsZero() && !now.Before(s.Ends) }

// Next is when the run is due that follows one that was due at last; ok is false if
// none does. With the zero time it is the first run: of a one-time job without a
// start, and of an interval without one, the zero time, which is past.
func (s Schedule) Next(last time.Time) (due time.Time, ok bool) {
	switch {
	case s.OneTime() && !last.IsZero():
		return time.Time{}, false
	case s.OneTime(), s.Daily == "" && last.IsZero():
		due = s.Starts
	case s.Daily != "":
		after := last
		if s.Starts.After(after) {
			after = s.Starts.Add(-time.Nanosecond) // it may begin at that time itself
		}
		due = s.Daily.after(after, zone(s.Zone))
	default:
		due = later(last.Add(s.Interval), s.Starts)
	}
	return due, !s.Over(due)
}

// Follows is when the run is due that follows one that was due, and began, at these
// times.
func (s Schedule) Follows(due, began time.Time) (time.Time, bool) {
	return s.Next(s.Counted(due, began))
}

// Counted is from when the run after one that was due, and began, at these times is
// counted: from when it was due, so that runs do not drift, though each waits for its
// turn; from its beginning if the next was due by then as well, so that nobody catches
// up on the runs of a long outage. due is zero for a run that a version before opened.
func (s Schedule) Counted(due, began time.Time) time.Time {
	if due.IsZero() || began.Before(due) {
		return began
	}
	if next, ok := s.Next(due); ok && !next.After(began) {
		return began
	}
	return due
}

// NextRun is when the schedule begins the next run of a running connector that has
// none open; it may be past. ok is false if none is to come: then the job is
// completed.
//
// An interval has run when the connector is due, whoever made it due: a start, a
// change, the wish to try again. A daily or one-time run is begun by its time alone.
func (s State) NextRun(schedule Schedule, now time.Time) (due time.Time, ok bool) {
	switch {
	case schedule.OneTime():
		due, ok = schedule.Next(s.Begun)
		due = later(due, s.Since)
	case schedule.Daily != "":
		due, ok = schedule.Next(later(s.Begun, s.Since))
	default:
		due, ok = later(s.Due, schedule.Starts), true
	}
	return due, ok && !schedule.Over(later(due, now))
}

// NextRuns are the times of the runs to come of a running connector, at most n;
// none of them is past. What is due now, or as soon as the open run ends, is due at
// now.
func (s State) NextRuns(schedule Schedule, n int, now time.Time) (runs []time.Time) {
	if s.Status != Running {
		return nil
	}
	due, ok := s.NextRun(schedule, now) // also if the connector was changed since its run began: another follows
	if s.Run != "" && !s.Begun.IsZero() {
		due, ok = schedule.Next(s.Begun)
	}
	for range n {
		if due = later(due, now); !ok || schedule.Over(due) {
			return runs
		}
		runs = append(runs, due)
		due, ok = schedule.Next(due)
	}
	return runs
}

// Resending is when rejections go out that somebody asks for again.
type Resending string

const (
	ResentNow     Resending = "now"         // with a run that begins at once
	ResentInRun   Resending = "open_run"    // with it, as far as it has not passed them; else with the next one
	ResentLater   Resending = "next_run"    // which is begun by its time alone
	ResentUnblock Resending = "blocked"     // when the problem is over that keeps the connector from sending
	ResentNoRun   Resending = "no_run"      // is to come
	ResentStarted Resending = "not_running" // unless the connector is started
)

// Resent is when rejections go out that somebody asks for again now, and when the next
// run begins; zero if none is to come.
func (s State) Resent(schedule Schedule, now time.Time) (when Resending, next time.Time) {
	s.Due = now // the wish itself makes the connector due
	if runs := s.NextRuns(schedule, 1, now); len(runs) > 0 {
		next = runs[0]
	}
	blocked, _ := s.Blocked()
	switch {
	case s.Status != Running:
		return ResentStarted, time.Time{}
	case s.Run == "" && next.IsZero():
		return ResentNoRun, time.Time{}
	case blocked:
		return ResentUnblock, next
	case s.Run != "":
		return ResentInRun, next
	case next.After(now):
		return ResentLater, next
	}
	return ResentNow, next
}

// TimeOfDay is a time on the clock, "00:00" to "23:59".
type TimeOfDay string

// ParseTimeOfDay reads hours and minutes, such as "02:30".
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	if t, err := time.Parse("15:04", text); err != nil || t.Format("15:04") != text {
		return "", fmt.Errorf("%q is no time of day from 00:00 to 23:59", text)
	}
	return TimeOfDay(text), nil
}

// ParseZone checks the IANA name of a time zone, such as "Africa/Nairobi".
func ParseZone(name string) error {
	if name == "" || name == "Local" {
		return fmt.Errorf("%q is no time zone", name)
	}
	_, err := time.LoadLocation(name)
	return err
}

// zone is that of a name which was checked. One that is not in the data any more
// counts as UTC; the data keep former names.
func zone(name string) *time.Location {
	if location, err := time.LoadLocation(name); err == nil {
		return location
	}
	return time.UTC
}

// after is the first moment after a time at which the clocks of a zone come to the
// time of day.
func (t TimeOfDay) after(last time.Time, zone *time.Location) time.Time {
	clock, _ := time.Parse("15:04", string(t)) // which was checked
	year, month, day := last.In(zone).Date()
	for d := day - 1; ; d++ { // where clocks were put back over midnight, yesterday's may come yet
		wall := time.Date(year, month, d, clock.Hour(), clock.Minute(), 0, 0, time.UTC)
		if due := reached(wall, zone); due.After(last) {
			return due
		}
	}
}

// reached is the first moment at which the clocks of a zone show a time, or a later
// one; wall has it as UTC. So a time that is there twice, because clocks are put
// back, is the first of both; one that is not there, because they are put forward,
// is the moment at which they are.
func reached(wall time.Time, zone *time.Location) time.Time {
	at := wall.Add(-24 * time.Hour) // no clock is that far from UTC, so it is before
	for {
		_, offset := at.In(zone).Zone()
		_, end := at.In(zone).ZoneBounds()
		due := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case due.Before(at):
			return at.UTC() // the moment at which they were put forward
		case end.IsZero() || due.Before(end):
			return due
		}
		at = end
	}
}
