package connectors

import (
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// scheduleDocument is when a connector works, as it is sent and shown.
type scheduleDocument struct {
	JobType         string `json:"job_type"`
	IntervalMinutes int    `json:"interval_minutes,omitempty"`
	DailyAt         string `json:"daily_at,omitempty"`
	TimeZone        string `json:"time_zone,omitempty"`
	Starts          string `json:"starts,omitempty"`
	Ends            string `json:"ends,omitempty"`
}

func newScheduleDocument(s seeding.Schedule) scheduleDocument {
	d := scheduleDocument{JobType: string(seeding.RecurringJob), Starts: timeText(s.Starts), Ends: timeText(s.Ends)}
	switch {
	case s.OneTime():
		d.JobType = string(seeding.OneTimeJob)
	case s.Daily != "":
		d.DailyAt, d.TimeZone = string(s.Daily), s.Zone
	default:
		d.IntervalMinutes = inMinutes(s.Interval)
	}
	return d
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// oneTimeOfOdoo is the job type in Odoo's connector.
const oneTimeOfOdoo = "onetime"

// schedule reads the document, whose form is checked.
func (d scheduleDocument) schedule(wrong *api.FieldErrors) seeding.Schedule {
	s := seeding.Schedule{Kind: seeding.RecurringJob, Interval: minutes(d.IntervalMinutes), Zone: d.TimeZone}
	if d.JobType == string(seeding.OneTimeJob) || d.JobType == oneTimeOfOdoo {
		s.Kind = seeding.OneTimeJob
	}
	s.Daily, _ = seeding.ParseTimeOfDay(d.DailyAt)
	if s.Interval == 0 && s.Daily == "" && !s.OneTime() {
		s.Interval = setup.Defaults().Schedule.Interval
	}
	s.Starts, s.Ends = readTime("/starts", d.Starts, wrong), readTime("/ends", d.Ends, wrong)
	return s
}

// readTime reads a member whose form is checked; zero if it is left out or wrong.
func readTime(pointer, text string, wrong *api.FieldErrors) time.Time {
	if text == "" || wrong.Touch(pointer) {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil { // the 31st of February
		wrong.Add(pointer, api.Flaw{Code: "time", Detail: timeWanted})
	}
	return at.UTC()
}

const timeWanted = `must be a date and time with its offset, such as "2026-12-01T06:00:00Z" or "2026-12-01T09:00:00+03:00"`

// nextRuns is how many of the runs to come are shown.
const nextRuns = 3

// dates are when a connector is looked at next, and when its next runs begin.
func dates(c seeding.Connector, a seeding.Attempts) (due *time.Time, runs []time.Time) {
	s := a.State
	if s.Status != seeding.Running && s.Run == "" {
		return nil, nil
	}
	look := a.Look()
	if next, ok := s.NextRun(c.Schedule, a.Now); ok && s.Run == "" && len(s.Imports) == 0 && next.After(look) {
		look = next
	}
	for _, at := range s.NextRuns(c.Schedule, nextRuns, a.Now) {
		runs = append(runs, at.UTC())
	}
	return moment(look), runs
}
