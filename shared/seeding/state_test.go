package seeding_test

import (
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

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
		needs bool
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
		if needs := c.state.NeedsSubmit(now, seeding.DefaultTimes()); needs != c.needs {
			t.Errorf("%s: needs %v", name, needs)
		}
	}
}

// Of some sources, those that have a problem, in the order that was asked for.
func TestStandingProblems(t *testing.T) {
	s := seeding.State{Problems: map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: {}, seeding.ProblemMTS: {}}}
	for _, c := range []struct {
		name        string
		asked, want []seeding.Source
	}{
		{"asked for none", nil, nil},
		{"asked for one that is there", []seeding.Source{seeding.ProblemMTS}, []seeding.Source{seeding.ProblemMTS}},
		{"asked for one that is not", []seeding.Source{seeding.ProblemRead}, nil},
		{"asked for several", []seeding.Source{seeding.ProblemMTS, seeding.ProblemRead, seeding.ProblemUnlink}, []seeding.Source{seeding.ProblemMTS, seeding.ProblemUnlink}},
	} {
		if got := s.Raised(c.asked...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := (seeding.State{}).Raised(seeding.ProblemMTS); len(got) > 0 {
		t.Errorf("of a state without problems: %v", got)
	}
}

// The connectors for which the tick invokes submit.
func TestWhoWantsSubmit(t *testing.T) {
	live, dead := seeding.Lease{Owner: "x", Until: now.Add(1)}, seeding.Lease{Owner: "x", Until: now}
	running := seeding.State{Status: seeding.Running}
	with := func(s seeding.State, due time.Duration, l seeding.Lease) seeding.State {
		s.Due, s.Lease = now.Add(due), l
		return s
	}
	for _, c := range []struct {
		name          string
		state         seeding.State
		active, needs bool
	}{
		{"running and due", with(running, 0, seeding.Lease{}), true, true},
		{"running, not due yet", with(running, 1, seeding.Lease{}), true, false},
		{"running and due, somebody is at work", with(running, 0, live), true, false},
		{"running and due, the lease has ended", with(running, 0, dead), true, true},
		{"running and due, the lease was given back", with(running, 0, seeding.Lease{Until: now.Add(time.Hour)}), true, true},
		{"running, not due yet, with an import", with(seeding.State{Status: seeding.Running, Imports: []string{"i"}}, 1, seeding.Lease{}), true, true},
		{"stopped", with(seeding.State{Status: seeding.Stopped}, 0, seeding.Lease{}), false, false},
		{"stopped with a run to be ended", with(seeding.State{Status: seeding.Stopped, Run: "r"}, 0, seeding.Lease{}), true, true},
		{"stopped with a run to be ended, not due yet", with(seeding.State{Status: seeding.Stopped, Run: "r"}, 1, seeding.Lease{}), true, false},
		{"stopped with an import to be ended", with(seeding.State{Status: seeding.Stopped, Imports: []string{"i"}}, 1, seeding.Lease{}), true, true},
	} {
		if active, needs := c.state.Active(), c.state.NeedsSubmit(now, seeding.DefaultTimes()); active != c.active || needs != c.needs {
			t.Errorf("%s: active %v, needs %v", c.name, active, needs)
		}
	}
}

// A clock that was set back keeps nobody from a connector until it has caught up.
func TestClockThatWasSetBackKeepsNobodyAway(t *testing.T) {
	times := seeding.DefaultTimes()
	for served, atWork := range map[time.Duration]bool{0: true, -time.Second: true, -times.RunLease: false, time.Hour: false} {
		s := seeding.State{Status: seeding.Running, Due: now, Served: now.Add(served), Unreturned: 1}
		if got := s.AtWork(now, times); got != atWork {
			t.Errorf("invoked at %v: at work %v", served, got)
		}
	}
}
