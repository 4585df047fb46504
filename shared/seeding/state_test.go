package seeding_test

import (
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
