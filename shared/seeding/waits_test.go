package seeding_test

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What waits: one step, doubled with every attempt up to the limit.
func TestWaitsDouble(t *testing.T) {
	times := seeding.DefaultTimes()
	problem := seeding.Problem{}
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
		problem = problem.Raised(at, seeding.AnswersMissing, times)
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

// again rejects for a finding after attempts before that ended alike.
func again(at time.Time, f seeding.Cause, before int) seeding.Rejection {
	stands := seeding.Rejection{Kind: f.Kind, Code: f.Code, Attempts: before}
	return f.Reject("r", "c", seeding.Subject{}, 1, stands, at, seeding.DefaultTimes())
}

// One constructor makes every rejection: what it keeps of the one before, and
// how it counts.
func TestReject(t *testing.T) {
	lost, system := seeding.Cause{Kind: seeding.NoToken}, seeding.Cause{Kind: seeding.Refused, Code: "IDA-MPA-005"}
	refused := seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-009"}
	for name, c := range map[string]struct {
		finding  seeding.Cause
		before   seeding.Rejection
		attempts int
		wait     time.Duration // -1 for never
	}{
		"the first refusal":                      {refused, seeding.Rejection{}, 1, 24 * time.Hour},
		"refused after invalid":                  {refused, seeding.Rejection{Kind: seeding.Invalid, Attempts: 4}, 5, 24 * time.Hour},
		"lost for the first time":                {lost, seeding.Rejection{}, 1, 0},
		"lost after a refusal":                   {lost, seeding.Rejection{Kind: seeding.Refused, Attempts: 7}, 1, 0},
		"lost twice":                             {lost, seeding.Rejection{Kind: seeding.NoToken, Attempts: 1}, 2, time.Hour},
		"set aside after a loss":                 {seeding.Cause{Kind: seeding.SetAside}, seeding.Rejection{Kind: seeding.NoToken, Attempts: 3}, 1, time.Hour},
		"a code of the system":                   {system, seeding.Rejection{}, 1, 0},
		"a code of the system after a refusal":   {system, seeding.Rejection{Kind: seeding.Refused, Code: "IDA-MLC-009", Attempts: 3}, 1, 0},
		"another code of the system":             {system, seeding.Rejection{Kind: seeding.Refused, Code: "AUT_BAS_001", Attempts: 2}, 3, 2 * time.Hour},
		"refused after a code of the system":     {refused, seeding.Rejection{Kind: seeding.Refused, Code: "AUT_BAS_001", Attempts: 2}, 3, 24 * time.Hour},
		"invalid, which time does not mend":      {seeding.Cause{Kind: seeding.Invalid}, seeding.Rejection{}, 1, -1},
		"duplicate, which its holder may mend":   {seeding.Cause{Kind: seeding.Duplicate, Holder: 5}, seeding.Rejection{}, 1, -1},
		"conflict after conflict, still by hand": {seeding.Cause{Kind: seeding.Conflict}, seeding.Rejection{Kind: seeding.Conflict, Attempts: 1}, 2, -1},
	} {
		c.before.Version = 3
		c.finding.Fingerprint, c.finding.FingerprintKey = seeding.Fingerprint{1}, "k"
		who := seeding.Member{Registrant: 1, Identifier: 2}.Subject()
		want := seeding.Rejection{
			Registry: "r", Connector: "c", Subject: who, Kind: c.finding.Kind, Code: c.finding.Code, Holder: c.finding.Holder,
			Fingerprint: seeding.Fingerprint{1}, FingerprintKey: "k", Configured: 9, Attempts: c.attempts, Since: now, Version: 3,
		}
		if c.wait >= 0 {
			want.Next = now.Add(c.wait)
		}
		if got := c.finding.Reject("r", "c", who, 9, c.before, now, seeding.DefaultTimes()); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// A batch has its fixed time, and four times what all in line should need.
func TestDeadline(t *testing.T) {
	if got := seeding.Deadline(now, 60*time.Millisecond, 1000, seeding.DefaultTimes()).Sub(now); got != 6*time.Minute {
		t.Errorf("%v for 1,000 records of 60 ms", got)
	}
}

// Only what keeps a connector from moving blocks it.
func TestWhatBlocks(t *testing.T) {
	s := seeding.State{Problems: map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: {Next: now}, seeding.ProblemPolicy: {Next: now}}}
	if blocked, _ := s.Blocked(); blocked {
		t.Error("a refused unlink and a suspicious policy block")
	}
	s.Problems[seeding.ProblemMTS] = seeding.Problem{Next: now.Add(time.Minute)}
	s.Problems[seeding.ProblemRead] = seeding.Problem{Next: now.Add(time.Hour)}
	if blocked, next := s.Blocked(); !blocked || !next.Equal(now.Add(time.Hour)) {
		t.Errorf("blocked %v until %v", blocked, next)
	}
}

// Open runs take turns; a recurring run is opened only when it is due.
func TestTurnsOfOpenRuns(t *testing.T) {
	later := now.Add(time.Hour)
	for name, c := range map[string]struct {
		state seeding.State
		want  []string
		wants bool
	}{
		"nothing open, due":              {seeding.State{Status: seeding.Running, Due: now}, []string{""}, true},
		"nothing open, invoked early":    {seeding.State{Status: seeding.Running, Due: later}, []string{""}, false},
		"the recurring run":              {seeding.State{Status: seeding.Running, Due: now, Run: "r"}, []string{""}, true},
		"an import beside it":            {seeding.State{Status: seeding.Running, Due: now, Run: "r", Imports: []string{"i"}}, []string{"", "i"}, true},
		"imports while it is not due":    {seeding.State{Status: seeding.Running, Due: later, Imports: []string{"i", "j"}}, []string{"i", "j"}, true},
		"an import while one is due":     {seeding.State{Status: seeding.Running, Due: now, Imports: []string{"i"}}, []string{"", "i"}, true},
		"stopped with a run to be ended": {seeding.State{Status: seeding.Stopped, Due: now, Run: "r"}, []string{""}, true},
		"stopped":                        {seeding.State{Status: seeding.Stopped, Due: now}, []string{""}, false},
		"an import, and another at work": {seeding.State{Status: seeding.Running, Imports: []string{"i"}, Lease: seeding.Lease{Owner: "x", Until: later}}, []string{"", "i"}, false},
	} {
		got := c.state.Turns(now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		if wants := c.state.Wants(now); wants != c.wants {
			t.Errorf("%s: wants %v", name, wants)
		}
	}
}
