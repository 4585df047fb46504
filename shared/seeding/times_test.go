package seeding_test

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestTimesAreParameters(t *testing.T) {
	got, err := seeding.ParseTimes("deadline_base=5s, commit_grace=1500ms")
	want := seeding.DefaultTimes()
	want.DeadlineBase, want.CommitGrace = 5*time.Second, 1500*time.Millisecond
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"deadline=5s", "poll", "poll=soon", "poll=-1s"} {
		if _, err := seeding.ParseTimes(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// Waits double with every attempt, up to a limit.
func TestWaitsDouble(t *testing.T) {
	times := seeding.DefaultTimes()
	var problem seeding.Problem
	state := seeding.State{Problems: map[seeding.Source]seeding.Problem{}}
	for before, want := range []struct{ backOff, outage, noToken time.Duration }{
		{time.Minute, time.Minute, time.Hour},
		{2 * time.Minute, 2 * time.Minute, 2 * time.Hour},
		{4 * time.Minute, 4 * time.Minute, 4 * time.Hour},
		{8 * time.Minute, 8 * time.Minute, 8 * time.Hour},
		{16 * time.Minute, 15 * time.Minute, 16 * time.Hour},
		{32 * time.Minute, 15 * time.Minute, 24 * time.Hour},
		{time.Hour, 15 * time.Minute, 24 * time.Hour},
		{time.Hour, 15 * time.Minute, 24 * time.Hour},
	} {
		at := now.Add(time.Duration(before) * 24 * time.Hour)
		problem = state.Raise(seeding.ProblemAnswers, at, seeding.AnswersMissing, times)
		state.Problems[seeding.ProblemAnswers] = problem
		for what, got := range map[string][2]time.Time{
			"problem": {problem.Next, at.Add(want.backOff)},
			"since":   {problem.Since, now},
			"outage":  {seeding.OutageEnd(at, before, times), at.Add(want.outage)},
			// Sent alone and lost: the first attempt is due at once.
			"no token":  {again(at, seeding.Cause{Kind: seeding.NoToken}, before+1).Next, at.Add(want.noToken)},
			"systemic":  {again(at, seeding.Cause{Kind: seeding.Refused, Code: "IDA-MPA-005"}, before+1).Next, at.Add(want.noToken)},
			"set aside": {again(at, seeding.Cause{Kind: seeding.SetAside}, before).Next, at.Add(want.noToken)},
			"refused":   {again(at, seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-009"}, before).Next, at.Add(24 * time.Hour)},
			"invalid":   {again(at, seeding.Cause{Kind: seeding.Invalid}, before).Next, {}},
			"duplicate": {again(at, seeding.Cause{Kind: seeding.Duplicate}, before).Next, {}},
			"conflict":  {again(at, seeding.Cause{Kind: seeding.Conflict}, before).Next, {}},
		} {
			if !got[0].Equal(got[1]) {
				t.Errorf("%s after %d attempts: %v, want %v", what, before, got[0], got[1])
			}
		}
		if problem.Attempts != before+1 {
			t.Errorf("%d attempts, want %d", problem.Attempts, before+1)
		}
	}
}

// again rejects for a cause after a number of attempts that ended in the same way.
func again(at time.Time, cause seeding.Cause, attempts int) seeding.Rejection {
	before := seeding.Rejection{Kind: cause.Kind, Code: cause.Code, Attempts: attempts}
	return cause.Reject("r", "c", seeding.Subject{}, 1, before, at, seeding.DefaultTimes())
}

func TestBackOff(t *testing.T) {
	const first, limit = time.Minute, 10 * time.Minute
	for before, want := range []time.Duration{first, 2 * first, 4 * first, 8 * first, limit, limit} {
		if got := seeding.BackOff(first, limit, before); got != want {
			t.Errorf("after %d attempts %v, want %v", before, got, want)
		}
	}
	if got := seeding.BackOff(first, limit, 1_000_000); got != limit {
		t.Errorf("after a million attempts %v", got)
	}
	if got := seeding.BackOff(time.Hour, limit, 0); got != limit {
		t.Errorf("with a first step over the limit %v", got)
	}
}

// The time per record follows what is measured, a quarter at a time.
func TestAverage(t *testing.T) {
	for _, c := range []struct {
		name            string
		before, elapsed time.Duration
		records         int
		want            time.Duration
	}{
		{"not known before", 0, time.Second, 100, 10 * time.Millisecond},
		{"as before", 10 * time.Millisecond, time.Second, 100, 10 * time.Millisecond},
		{"slower than before", 10 * time.Millisecond, 5 * time.Second, 100, 20 * time.Millisecond},
		{"faster than before", 10 * time.Millisecond, 200 * time.Millisecond, 100, 8 * time.Millisecond},
		{"no records: as if it were one", 0, time.Second, 0, time.Second},
		{"no time at all: known all the same", 0, 0, 100, time.Microsecond},
		{"no time at all, and known before", 4 * time.Microsecond, 0, 100, 3250 * time.Nanosecond},
	} {
		if got := seeding.Average(c.before, c.elapsed, c.records); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
