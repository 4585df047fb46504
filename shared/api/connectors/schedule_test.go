package connectors_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Every kind of schedule is read, stored, shown, and can be sent back as it is shown.
func TestSchedulesAreReadAndShown(t *testing.T) {
	starts := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		changes []any
		want    seeding.Schedule
		shown   map[string]any // a nil is not shown
	}{
		"nothing said": {nil, seeding.Schedule{Interval: time.Hour},
			map[string]any{"job_type": "recurring", "interval_minutes": 60.0, "daily_at": nil, "time_zone": nil, "starts": nil, "ends": nil}},
		"an interval with bounds": {[]any{"interval_minutes", 15, "starts", "2026-12-01T09:00:00+03:00", "ends", "2027-12-01T06:00:00.5Z"},
			seeding.Schedule{Interval: 15 * time.Minute, Starts: starts, Ends: time.Date(2027, 12, 1, 6, 0, 0, 500_000_000, time.UTC)},
			map[string]any{"interval_minutes": 15.0, "starts": "2026-12-01T06:00:00Z", "ends": "2027-12-01T06:00:00.5Z"}},
		"daily": {[]any{"daily_at", "02:30"}, seeding.Schedule{Daily: "02:30", Zone: "UTC", Interval: 24 * time.Hour},
			map[string]any{"job_type": "recurring", "interval_minutes": nil, "daily_at": "02:30", "time_zone": "UTC"}},
		"daily in a zone": {[]any{"daily_at", "02:30", "time_zone", "Africa/Nairobi"}, seeding.Schedule{Daily: "02:30", Zone: "Africa/Nairobi", Interval: 24 * time.Hour},
			map[string]any{"daily_at": "02:30", "time_zone": "Africa/Nairobi"}},
		"once": {[]any{"job_type", "one_time", "starts", "2026-12-01T06:00:00Z"}, seeding.Schedule{Kind: seeding.OneTimeJob, Interval: 7 * 24 * time.Hour, Starts: starts},
			map[string]any{"job_type": "one_time", "interval_minutes": nil, "starts": "2026-12-01T06:00:00Z"}},
		"once, as Odoo has it": {[]any{"job_type", "onetime"}, seeding.Schedule{Kind: seeding.OneTimeJob, Interval: 7 * 24 * time.Hour},
			map[string]any{"job_type": "one_time"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			path := s.create(c.changes...)
			c.want.Kind = seeding.JobKind(fmt.Sprint(map[bool]seeding.JobKind{true: seeding.OneTimeJob, false: seeding.RecurringJob}[c.want.OneTime()]))
			if got := s.store.connectors[idOf(path)].Schedule; got != c.want {
				t.Errorf("stored %+v, want %+v", got, c.want)
			}
			read := s.want(200, "GET", path, "")
			for member, want := range c.shown {
				if got, given := read.body[member]; got != want || given == (want == nil) {
					t.Errorf("%s is %v, want %v", member, got, want)
				}
			}
			body, _ := json.Marshal(read.body)
			s.want(200, "PUT", path, string(body), "If-Match", read.Header().Get("ETag"))
			if got := s.store.connectors[idOf(path)].Schedule; got != c.want {
				t.Errorf("sent back it is %+v, want %+v", got, c.want)
			}
		})
	}
}

// What is wrong with a schedule is said at its member.
func TestWrongSchedules(t *testing.T) {
	for name, c := range map[string]struct {
		changes []any
		pointer string
		code    string
	}{
		"a kind that there is not":      {[]any{"job_type", "sometimes"}, "/job_type", "value"},
		"a time that is none":           {[]any{"daily_at", "24:00"}, "/daily_at", "time_of_day"},
		"a time of one digit":           {[]any{"daily_at", "2:30"}, "/daily_at", "time_of_day"},
		"a zone that there is not":      {[]any{"daily_at", "02:30", "time_zone", "Africa/Nowhere"}, "/time_zone", "time_zone"},
		"a path as a zone":              {[]any{"daily_at", "02:30", "time_zone", "../../etc/passwd"}, "/time_zone", "time_zone"},
		"a zone alone":                  {[]any{"time_zone", "Africa/Nairobi"}, "/time_zone", "needs"},
		"a time of day and an interval": {[]any{"daily_at", "02:30", "interval_minutes", 60}, "/interval_minutes", "together"},
		"once, and an interval":         {[]any{"job_type", "one_time", "interval_minutes", 60}, "/interval_minutes", "interval_not_needed"},
		"once, and a time of day":       {[]any{"job_type", "one_time", "daily_at", "02:30"}, "/daily_at", "daily_not_needed"},
		"a start without offset":        {[]any{"starts", "2026-12-01T06:00:00"}, "/starts", "time"},
		"a start that no calendar has":  {[]any{"starts", "2026-02-31T06:00:00Z"}, "/starts", "time"},
		"a start that is a number":      {[]any{"starts", 1790000000}, "/starts", "type"},
		"a start long ago":              {[]any{"starts", "0001-01-01T00:00:00Z"}, "/starts", "time"},
		"an end that is past":           {[]any{"ends", "2026-11-01T06:00:00Z"}, "/ends", "ends_past"},
		"an end before the start":       {[]any{"starts", "2027-01-02T00:00:00Z", "ends", "2027-01-01T00:00:00Z"}, "/ends", "ends_not_after_starts"},
	} {
		s := newService(t)
		reply := s.want(422, "POST", "/connectors", with(c.changes...))
		errors, _ := reply.body["errors"].([]any)
		if len(errors) != 1 {
			t.Errorf("%s: %v", name, reply.body["errors"])
			continue
		}
		if e := errors[0].(map[string]any); e["pointer"] != c.pointer || e["code"] != c.code {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// A connector says when it is looked at next, and when its next runs begin.
func TestDueAndNextRunsTellTheTruth(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) // of newService
	times := func(all ...time.Time) (list []any) {
		for _, at := range all {
			list = append(list, at.Format(time.RFC3339))
		}
		return list
	}
	daily := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		changes []any
		state   func(*seeding.State)
		due     time.Time
		runs    []any
	}{
		"an interval, at rest": {nil, func(s *seeding.State) { s.Due = now.Add(10 * time.Minute) }, now.Add(10 * time.Minute),
			times(now.Add(10*time.Minute), now.Add(70*time.Minute), now.Add(130*time.Minute))},
		"daily, just started": {[]any{"daily_at", "02:30"}, func(s *seeding.State) { s.Due, s.Since = now, now }, daily,
			times(daily, daily.AddDate(0, 0, 1), daily.AddDate(0, 0, 2))},
		"daily, a run is open": {[]any{"daily_at", "02:30"}, func(s *seeding.State) { s.Due, s.Run, s.Begun = now, "run", daily.AddDate(0, 0, -1) }, now,
			times(daily, daily.AddDate(0, 0, 1), daily.AddDate(0, 0, 2))},
		"once, later": {[]any{"job_type", "one_time", "starts", "2026-11-21T12:00:00Z"}, func(s *seeding.State) { s.Due, s.Since = now, now }, now.Add(3 * time.Hour),
			times(now.Add(3 * time.Hour))},
		"once, its run is open": {[]any{"job_type", "one_time"}, func(s *seeding.State) { s.Due, s.Since, s.Run, s.Begun = now, now, "run", now }, now, nil},
		"completed":             {[]any{"job_type", "one_time"}, func(s *seeding.State) { s.Status = seeding.Completed }, time.Time{}, nil},
		"stopped":               {nil, func(s *seeding.State) { s.Status = seeding.Stopped }, time.Time{}, nil},
	} {
		s := newService(t)
		path := s.create(c.changes...)
		state := s.store.states[idOf(path)]
		state.Status = seeding.Running
		c.state(&state)
		s.store.states[idOf(path)] = state
		read := s.want(200, "GET", path, "")
		if due, given := read.body["due"]; given == c.due.IsZero() || given && due != c.due.Format(time.RFC3339) {
			t.Errorf("%s: due %v, want %v", name, due, c.due)
		}
		if runs, _ := read.body["next_runs"].([]any); fmt.Sprint(runs) != fmt.Sprint(c.runs) {
			t.Errorf("%s: next runs %v, want %v", name, runs, c.runs)
		}
	}
}

// A start after the end of the schedule would do nothing, so it is refused with
// what to do.
func TestAStartAfterTheEndIsRefused(t *testing.T) {
	s := newService(t)
	path := s.create("ends", "2026-11-21T10:00:00Z")
	s.want(200, "POST", path+"/start", "")
	s.now = s.now.Add(time.Hour)
	reply := s.want(409, "POST", path+"/start", "")
	if reply.body["type"] != "/openapi.json#/x-problems/over" {
		t.Errorf("%v", reply.body)
	}
	s.want(200, "POST", path+"/stop", "")
}
