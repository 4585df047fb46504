package reconcile

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

var now = seedingtest.Now

// Each gauge counts the connectors that are in trouble of one kind, and says so
// also where there are none.
func TestGauges(t *testing.T) {
	running := func(change func(*seeding.State)) seeding.State {
		s := seeding.State{Status: seeding.Running, Due: now, Moved: now, Problems: map[seeding.Source]seeding.Problem{}}
		if change != nil {
			change(&s)
		}
		return s
	}
	problem := func(source seeding.Source) seeding.State {
		return running(func(s *seeding.State) { s.Problems[source] = seeding.Problem{Next: now.Add(time.Hour)} })
	}
	type counts struct{ stalled, unreachable, signIn, blocked, needHand float64 }
	for _, c := range []struct {
		name  string
		state seeding.State
		want  counts
	}{
		{"all is well", running(nil), counts{}},
		{"the registry is away", problem(seeding.ProblemRegistry), counts{unreachable: 1, blocked: 1}},
		{"MTS is away", problem(seeding.ProblemMTS), counts{unreachable: 1, blocked: 1}},
		{"the sign-in is refused", problem(seeding.ProblemSignIn), counts{signIn: 1, blocked: 1}},
		{"reading is refused", problem(seeding.ProblemRead), counts{blocked: 1}},
		{"an identifier type is not there", problem(seeding.ProblemTypes), counts{blocked: 1}},
		{"writing is refused", problem(seeding.ProblemWrite), counts{blocked: 1}},
		{"no answers come", problem(seeding.ProblemAnswers), counts{blocked: 1}},
		{"MOSIP refuses everybody", problem(seeding.ProblemIdentity), counts{blocked: 1}},
		{"it cannot be run as it is configured", problem(seeding.ProblemConfig), counts{blocked: 1}},
		{"removing VIDs is refused, which stops nobody", problem(seeding.ProblemUnlink), counts{needHand: 1}},
		{"the policy is suspicious, which stops nobody", problem(seeding.ProblemPolicy), counts{needHand: 1}},
		{"registry and MTS are away: one connector", running(func(s *seeding.State) {
			s.Problems[seeding.ProblemRegistry], s.Problems[seeding.ProblemMTS] = seeding.Problem{}, seeding.Problem{}
		}), counts{unreachable: 1, blocked: 1}},
		{"both problems that stop nobody: one connector", running(func(s *seeding.State) {
			s.Problems[seeding.ProblemUnlink], s.Problems[seeding.ProblemPolicy] = seeding.Problem{}, seeding.Problem{}
		}), counts{needHand: 1}},

		{"due for just less than ten minutes", running(func(s *seeding.State) { s.Due = now.Add(-10*time.Minute + 1) }), counts{}},
		{"due for ten minutes, and nobody comes", running(func(s *seeding.State) { s.Due = now.Add(-10 * time.Minute) }), counts{stalled: 1}},
		{"due for ten minutes, and somebody is at work", running(func(s *seeding.State) {
			s.Due, s.Lease = now.Add(-10*time.Minute), seeding.Lease{Owner: "x", Until: now.Add(1)}
		}), counts{}},
		{"due for ten minutes, and who was at work is dead", running(func(s *seeding.State) {
			s.Due, s.Lease = now.Add(-10*time.Minute), seeding.Lease{Owner: "x", Until: now}
		}), counts{stalled: 1}},
		{"its run makes no progress for just less than an hour", running(func(s *seeding.State) { s.Run, s.Moved = "r", now.Add(-time.Hour+1) }), counts{}},
		{"its run makes no progress for an hour", running(func(s *seeding.State) { s.Run, s.Moved = "r", now.Add(-time.Hour) }), counts{stalled: 1}},
		{"its import makes no progress for an hour", running(func(s *seeding.State) { s.Imports, s.Moved = []string{"i"}, now.Add(-time.Hour) }), counts{stalled: 1}},
		{"its run makes no progress for an hour although somebody is at work", running(func(s *seeding.State) {
			s.Run, s.Moved, s.Lease = "r", now.Add(-time.Hour), seeding.Lease{Owner: "x", Until: now.Add(1)}
		}), counts{stalled: 1}},
		{"its run makes no progress with a problem that says why", running(func(s *seeding.State) {
			s.Run, s.Moved = "r", now.Add(-time.Hour)
			s.Problems[seeding.ProblemWrite] = seeding.Problem{}
		}), counts{blocked: 1}},
		{"its run makes no progress with a problem that does not block", running(func(s *seeding.State) {
			s.Run, s.Moved = "r", now.Add(-time.Hour)
			s.Problems[seeding.ProblemUnlink] = seeding.Problem{}
		}), counts{stalled: 1, needHand: 1}},
		{"nothing moved for an hour, and no run is open", running(func(s *seeding.State) { s.Moved = now.Add(-time.Hour) }), counts{}},

		{"stopped, whatever its problems: nobody waits for it", seeding.State{
			Status: seeding.Stopped, Due: now.Add(-time.Hour), Moved: now.Add(-time.Hour),
			Problems: map[seeding.Source]seeding.Problem{seeding.ProblemRegistry: {}, seeding.ProblemSignIn: {}, seeding.ProblemUnlink: {}},
		}, counts{}},
		{"stopped with a run that must be ended: its problems count", seeding.State{
			Status: seeding.Stopped, Run: "r", Due: now.Add(-time.Hour), Moved: now.Add(-time.Hour),
			Problems: map[seeding.Source]seeding.Problem{seeding.ProblemRegistry: {}},
		}, counts{unreachable: 1, blocked: 1}},
		{"stopped with an import that must be ended: its problems count", seeding.State{
			Status: seeding.Stopped, Imports: []string{"i"},
			Problems: map[seeding.Source]seeding.Problem{seeding.ProblemSignIn: {}},
		}, counts{signIn: 1, blocked: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, gauges([]seeding.State{c.state}, 0, now), map[seeding.Metric]float64{
				seeding.MetricOldestAnswer: 0, seeding.MetricStalledConnectors: c.want.stalled,
				seeding.MetricUnreachable: c.want.unreachable, seeding.MetricSignInsRefused: c.want.signIn,
				seeding.MetricProblemConnectors: c.want.blocked, seeding.MetricNeedPerson: c.want.needHand,
			})
		})
	}

	t.Run("several connectors are added up", func(t *testing.T) {
		states := []seeding.State{problem(seeding.ProblemSignIn), running(nil), problem(seeding.ProblemSignIn), problem(seeding.ProblemMTS)}
		check(t, gauges(states, 90*time.Second, now), map[seeding.Metric]float64{
			seeding.MetricOldestAnswer: 90, seeding.MetricStalledConnectors: 0, seeding.MetricUnreachable: 1,
			seeding.MetricSignInsRefused: 2, seeding.MetricProblemConnectors: 3, seeding.MetricNeedPerson: 0,
		})
	})
	t.Run("without connectors all are zero", func(t *testing.T) {
		check(t, gauges(nil, 0, now), map[seeding.Metric]float64{
			seeding.MetricOldestAnswer: 0, seeding.MetricStalledConnectors: 0, seeding.MetricUnreachable: 0,
			seeding.MetricSignInsRefused: 0, seeding.MetricProblemConnectors: 0, seeding.MetricNeedPerson: 0,
		})
	})
}

// check compares gauges with what they must be: each of them, once.
func check(t *testing.T, got []gauge, want map[seeding.Metric]float64) {
	t.Helper()
	seen := map[seeding.Metric]bool{}
	for _, g := range got {
		value, known := want[g.metric]
		if !known || seen[g.metric] || g.value != value {
			t.Errorf("%s is %v, want %v once", g.metric, g.value, value)
		}
		seen[g.metric] = true
	}
	if len(got) != len(want) {
		t.Errorf("%d gauges, want %d", len(got), len(want))
	}
}
