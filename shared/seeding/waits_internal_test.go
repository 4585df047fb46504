package seeding

import (
	"testing"
	"time"
)

// What waits: one step, doubled with every try up to the limit.
func TestWaitsDouble(t *testing.T) {
	times, now := DefaultTimes(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	problem := Problem{}
	for tries, want := range []struct{ backOff, outage, noToken time.Duration }{
		{time.Minute, time.Minute, time.Hour},
		{2 * time.Minute, 2 * time.Minute, 2 * time.Hour},
		{4 * time.Minute, 4 * time.Minute, 4 * time.Hour},
		{8 * time.Minute, 8 * time.Minute, 8 * time.Hour},
		{16 * time.Minute, 15 * time.Minute, 16 * time.Hour},
		{32 * time.Minute, 15 * time.Minute, 24 * time.Hour},
		{time.Hour, 15 * time.Minute, 24 * time.Hour},
		{time.Hour, 15 * time.Minute, 24 * time.Hour},
	} {
		at := now.Add(time.Duration(tries) * 24 * time.Hour)
		problem = problem.again(at, "text", "remedy", times)
		for what, got := range map[string][2]time.Time{
			"problem":   {problem.Next, at.Add(want.backOff)},
			"since":     {problem.Since, now},
			"outage":    {outage(at, tries, times), at.Add(want.outage)},
			"no token":  {nextAttempt(NoToken, tries+1, at, times), at.Add(want.noToken)},
			"set aside": {nextAttempt(SetAside, tries+1, at, times), at.Add(want.noToken)},
			"refused":   {nextAttempt(Refused, tries+1, at, times), at.Add(24 * time.Hour)},
			"invalid":   {nextAttempt(Invalid, tries+1, at, times), {}},
			"duplicate": {nextAttempt(Duplicate, tries+1, at, times), {}},
			"conflict":  {nextAttempt(Conflict, tries+1, at, times), {}},
		} {
			if !got[0].Equal(got[1]) {
				t.Errorf("%s after %d tries: %v, want %v", what, tries, got[0], got[1])
			}
		}
		if problem.Tries != tries+1 {
			t.Errorf("%d tries, want %d", problem.Tries, tries+1)
		}
	}
}

// A batch has its fixed time, and four times what all in line should need.
func TestDeadline(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if got := deadline(now, 60*time.Millisecond, 1000, DefaultTimes()).Sub(now); got != 6*time.Minute {
		t.Errorf("%v for 1,000 records of 60 ms", got)
	}
}

// Only what keeps a connector from moving blocks it.
func TestWhatBlocks(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := State{Problems: map[Source]Problem{ProblemUnlink: {Next: now}, ProblemPolicy: {Next: now}}}
	if blocked, _ := s.Blocked(); blocked {
		t.Error("a refused unlink and a suspicious policy block")
	}
	s.Problems[ProblemMTS], s.Problems[ProblemRead] = Problem{Next: now.Add(time.Minute)}, Problem{Next: now.Add(time.Hour)}
	if blocked, next := s.Blocked(); !blocked || !next.Equal(now.Add(time.Hour)) {
		t.Errorf("blocked %v until %v", blocked, next)
	}
}
