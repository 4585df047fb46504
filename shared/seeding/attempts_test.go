package seeding_test

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// The next probe of a problem is when it will be made, and never in the past.
func TestNextProbeIsWhenItWillBeMade(t *testing.T) {
	in := func(d time.Duration) time.Time { return now.Add(d) }
	running := func(due time.Duration, problems map[seeding.Source]time.Duration) seeding.State {
		s := seeding.State{Status: seeding.Running, Run: "run", Due: in(due), Problems: map[seeding.Source]seeding.Problem{}}
		for source, next := range problems {
			s.Problems[source] = seeding.Problem{Next: in(next)}
		}
		return s
	}
	type nexts = map[seeding.Source]time.Duration
	const m = time.Minute
	stopped := running(m, nexts{seeding.ProblemRegistry: m})
	stopped.Status = seeding.Stopped
	died := running(-m, nexts{seeding.ProblemRegistry: -m})
	died.Unreturned, died.Served = 3, in(-time.Second)
	imports := running(24*60*m, nexts{seeding.ProblemRegistry: m})
	imports.Imports = []string{"import"}
	for name, c := range map[string]struct {
		state  seeding.State
		outage time.Duration // end of the registry's, 0 for none
		post   time.Duration // the next to MTS
		source seeding.Source
		want   time.Duration // -1 for none
	}{
		"as it was noted":                       {running(m, nexts{seeding.ProblemRegistry: m}), 0, 0, seeding.ProblemRegistry, m},
		"at the end of the outage":              {running(m, nexts{seeding.ProblemRegistry: m}), 2 * m, 0, seeding.ProblemRegistry, 2 * m},
		"now, if its time is past":              {running(-m, nexts{seeding.ProblemRegistry: -m}), -m, 0, seeding.ProblemRegistry, 0},
		"past, and the outage goes on":          {running(-m, nexts{seeding.ProblemRegistry: -m}), 3 * m, 0, seeding.ProblemRegistry, 3 * m},
		"when submit looks next":                {running(9*m, nexts{seeding.ProblemAnswers: m}), 0, 0, seeding.ProblemAnswers, 9 * m},
		"with every tick, if an import is open": {imports, 0, 0, seeding.ProblemRegistry, m},
		"of several problems the last":          {running(m, nexts{seeding.ProblemRead: m, seeding.ProblemMTS: 5 * m}), 0, 0, seeding.ProblemRead, 5 * m},
		"when MTS may get a POST":               {running(m, nexts{seeding.ProblemMTS: m}), 0, 4 * m, seeding.ProblemMTS, 4 * m},
		"of another problem, too":               {running(m, nexts{seeding.ProblemMTS: m, seeding.ProblemAnswers: m}), 0, 4 * m, seeding.ProblemAnswers, 4 * m},
		"others are not kept by it":             {running(m, nexts{seeding.ProblemAnswers: m}), 0, 4 * m, seeding.ProblemAnswers, m},
		"unlink with the next run":              {running(9*m, nexts{seeding.ProblemUnlink: -m}), 0, 0, seeding.ProblemUnlink, 9 * m},
		"unlink not before its time":            {running(-m, nexts{seeding.ProblemUnlink: 5 * m}), 0, 0, seeding.ProblemUnlink, 5 * m},
		"nobody probes the policy":              {running(m, nexts{seeding.ProblemPolicy: -m}), 0, 0, seeding.ProblemPolicy, -1},
		"nor the callback":                      {running(m, nexts{seeding.ProblemCallback: m}), 0, 0, seeding.ProblemCallback, -1},
		"nobody probes for a stopped connector": {stopped, 0, 0, seeding.ProblemRegistry, -1},
		"after the rest of one that died":       {died, 0, 0, seeding.ProblemRegistry, 2*m - time.Second},
	} {
		a := seeding.Attempts{State: c.state, MTS: seeding.MTSState{}, Now: now, Times: seeding.DefaultTimes()}
		if c.outage != 0 {
			a.Registry.OutageUntil = in(c.outage)
		}
		if c.post != 0 {
			a.MTS.NotBefore = in(c.post)
		}
		got := a.Probe(c.source)
		if c.want == -1 && !got.IsZero() || c.want != -1 && !got.Equal(in(c.want)) {
			t.Errorf("%s: in %v, want %v", name, got.Sub(now), c.want)
		}
	}
}

// What is due now waits for the end of an outage that was noted before a start.
func TestALookWaitsForTheEndOfAnOutage(t *testing.T) {
	due := seeding.State{Status: seeding.Running, Due: now.Add(-time.Minute)}
	stopped := due
	stopped.Status = seeding.Stopped
	for name, c := range map[string]struct {
		state        seeding.State
		outage, want time.Time
	}{
		"no outage":              {due, time.Time{}, now},
		"an outage that goes on": {due, now.Add(time.Minute), now.Add(time.Minute)},
		"one that is over":       {due, now.Add(-time.Second), now},
		"stopped":                {stopped, now.Add(time.Minute), time.Time{}},
	} {
		a := seeding.Attempts{State: c.state, Registry: seeding.RegistryState{OutageUntil: c.outage}, Now: now, Times: seeding.DefaultTimes()}
		if got := a.Look(); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// When a rejected registrant is tried next: never in the past.
func TestNextAttemptIsNeverInThePast(t *testing.T) {
	past, future := now.Add(-time.Hour), now.Add(time.Hour)
	idle := seeding.State{Status: seeding.Running, Due: now.Add(time.Minute)}
	open, stopped := idle, idle
	open.Run, stopped.Status = "run", seeding.Stopped
	for name, c := range map[string]struct {
		state      seeding.State
		next, want time.Time
	}{
		"time changes nothing":              {idle, time.Time{}, time.Time{}},
		"not yet":                           {idle, future, future},
		"due, with the next run":            {idle, past, idle.Due},
		"due, a run is open":                {open, past, now},
		"due, and the connector is stopped": {stopped, past, time.Time{}},
		"stopped, and not yet":              {stopped, future, future},
	} {
		a := seeding.Attempts{State: c.state, Now: now, Times: seeding.DefaultTimes()}
		if got := a.Rejected(seeding.Rejection{Next: c.next}); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
