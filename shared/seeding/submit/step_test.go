package submit

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// viewChange alters the view of a step at a running connector: its run is under
// way, nothing is open, there is no problem, and its MTS may have two batches at
// once.
type viewChange func(*view)

// viewOf is the view after all changes.
func viewOf(changes ...viewChange) view {
	v := view{
		state:     seeding.State{Connector: "c", Status: seeding.Running, Run: "run", Problems: map[seeding.Source]seeding.Problem{}},
		connector: seeding.Connector{ID: "c", Version: 3, MTS: seeding.MTSAccess{BatchMaximum: 1000}, Schedule: seeding.Schedule{Interval: 15 * time.Minute}},
		run:       &seeding.Run{ID: "run", Version: 3},
		mts:       seeding.MTSState{Pace: seeding.Pace{Size: 100, Proved: 100}},
	}
	for _, change := range changes {
		change(&v)
	}
	return v
}

func noRun(v *view)           { v.run = nil }
func stopped(v *view)         { v.state.Status = seeding.Stopped }
func configuredAnew(v *view)  { v.connector.Version = 4 }
func passOver(v *view)        { v.run.PassOver = true }
func newMTS(v *view)          { v.mts.Pace = seeding.Pace{} }
func sizeNeverProved(v *view) { v.mts.Pace = seeding.Pace{Size: 200, Proved: 100} }
func outageUntil(t time.Time) viewChange {
	return func(v *view) { v.registry.OutageUntil = t }
}

// problem of a source, with the time of its next probe.
func problem(source seeding.Source, probe time.Time) viewChange {
	return func(v *view) { v.state.Problems[source] = seeding.Problem{Next: probe} }
}

// answered is an open batch of a run whose answer is there.
func answered(run string) viewChange {
	return func(v *view) {
		v.open = append(v.open, seeding.Batch{Ref: seeding.BatchRef{Connector: "c", Run: run}})
	}
}

// unanswered is an open batch of a run, claimed some time ago with a deadline
// after a minute: after three it is given up.
func unanswered(run string, age time.Duration) viewChange {
	return func(v *view) {
		b := seeding.Batch{Ref: seeding.BatchRef{Connector: "c", Run: run}, Claimed: now.Add(-age), Deadline: now.Add(time.Minute - age)}
		v.open, v.unanswered = append(v.open, b), append(v.unanswered, b)
	}
}

// What a step does is the first that applies.
func TestWhatAStepDoes(t *testing.T) {
	const fresh, overdue, givenUp = 0, 2 * time.Minute, 3 * time.Minute
	type changes = []viewChange
	for name, c := range map[string]struct {
		view changes
		want plan
	}{
		"a stopped connector without a run rests for an interval":  {changes{noRun, stopped}, plan{do: rest, due: now.Add(15 * time.Minute)}},
		"a running connector without a run opens one":              {changes{noRun}, plan{do: openRun}},
		"a run is opened during an outage, too":                    {changes{noRun, outageUntil(later)}, plan{do: openRun}},
		"a run is opened while there is a problem":                 {changes{noRun, problem(seeding.ProblemMTS, later)}, plan{do: openRun}},
		"a run is opened beside an import's open batches":          {changes{noRun, unanswered("import", fresh)}, plan{do: openRun}},
		"the run of a stopped connector is completed":              {changes{stopped}, plan{do: completeRun}},
		"the run of a former configuration is completed":           {changes{configuredAnew}, plan{do: completeRun}},
		"it is completed during an outage":                         {changes{stopped, outageUntil(later)}, plan{do: completeRun}},
		"it is completed while there is a problem":                 {changes{configuredAnew, problem(seeding.ProblemMTS, later)}, plan{do: completeRun}},
		"it is completed though its pass is not over":              {changes{stopped, newMTS}, plan{do: completeRun}},
		"it is not completed before its batches are closed":        {changes{stopped, answered("run")}, plan{do: rest, due: now}},
		"nor while another run's batches are open":                 {changes{configuredAnew, unanswered("import", fresh)}, plan{do: rest, due: now}},
		"nobody calls a registry during its outage":                {changes{outageUntil(later)}, plan{do: rest, due: later, moves: true}},
		"an outage comes before a problem":                         {changes{outageUntil(later), problem(seeding.ProblemRegistry, now.Add(2*time.Hour))}, plan{do: rest, due: later, moves: true}},
		"an outage comes before the end of a pass":                 {changes{outageUntil(later), passOver}, plan{do: rest, due: later, moves: true}},
		"an outage that ends now is over":                          {changes{outageUntil(now)}, plan{do: send}},
		"a problem waits for its probe":                            {changes{problem(seeding.ProblemMTS, later)}, plan{do: rest, due: later}},
		"of several problems the last probe counts":                {changes{problem(seeding.ProblemRead, now), problem(seeding.ProblemMTS, later)}, plan{do: rest, due: later}},
		"a problem comes before batches under way":                 {changes{problem(seeding.ProblemMTS, later), unanswered("run", fresh)}, plan{do: rest, due: later}},
		"a probe that is due is sent":                              {changes{problem(seeding.ProblemMTS, now)}, plan{do: send}},
		"a probe that is due waits for the batches that are open":  {changes{problem(seeding.ProblemMTS, now), answered("run")}, plan{do: await}},
		"a probe that is due waits for another run's batches":      {changes{problem(seeding.ProblemMTS, now), unanswered("import", fresh)}, plan{do: await, moves: true}},
		"a pass under a problem ends once its probe would be due":  {changes{problem(seeding.ProblemMTS, now), passOver}, plan{do: endPass}},
		"a refused unlink and a suspicious policy keep nobody":     {changes{problem(seeding.ProblemUnlink, later), problem(seeding.ProblemPolicy, later)}, plan{do: send}},
		"the first batch is sent":                                  {changes{}, plan{do: send}},
		"a second batch is sent behind one without an answer":      {changes{unanswered("run", fresh)}, plan{do: send}},
		"a third one is not":                                       {changes{unanswered("run", fresh), unanswered("run", fresh)}, plan{do: await, moves: true}},
		"batches of all runs of the connector count":               {changes{unanswered("run", fresh), unanswered("import", fresh)}, plan{do: await, moves: true}},
		"batches with an answer do not count":                      {changes{answered("run"), answered("run"), answered("run")}, plan{do: send}},
		"an MTS that nobody knows gets its first batch":            {changes{newMTS}, plan{do: send}},
		"an MTS that nobody knows gets one batch at once":          {changes{newMTS, unanswered("run", fresh)}, plan{do: await, moves: true}},
		"a size that was never answered in time is sent":           {changes{sizeNeverProved}, plan{do: send}},
		"a size that was never answered in time is sent alone":     {changes{sizeNeverProved, unanswered("import", fresh)}, plan{do: await, moves: true}},
		"a size never answered in time goes behind answered ones":  {changes{sizeNeverProved, answered("run")}, plan{do: send}},
		"a pass that is over ends":                                 {changes{passOver}, plan{do: endPass}},
		"a pass does not end before the run's answers are patched": {changes{passOver, answered("run")}, plan{do: await}},
		"a pass does not end before the run's batches are closed":  {changes{passOver, unanswered("run", fresh)}, plan{do: await, moves: true}},
		"a pass does not wait for another run's batches":           {changes{passOver, answered("import"), unanswered("import", fresh)}, plan{do: endPass}},
		"a batch past its deadline moves until it is given up":     {changes{passOver, unanswered("run", overdue)}, plan{do: await, moves: true}},
		"a batch that is given up moves no more":                   {changes{passOver, unanswered("run", givenUp)}, plan{do: await}},
		"one batch that is not given up is enough":                 {changes{passOver, unanswered("run", givenUp), unanswered("run", fresh)}, plan{do: await, moves: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(viewOf(c.view...), now); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A step waits for an answer, or for a batch to be closed, and looks on as soon
// as there is one.
func TestAStepWaitsForAChange(t *testing.T) {
	wait, poll := seeding.DefaultTimes().AnswerWait, seeding.DefaultTimes().Poll
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for name, c := range map[string]struct {
		change func(*fake) // before the second look of the wait
		waited time.Duration
		moved  time.Time
	}{
		"an answer comes":     {func(f *fake) { f.answered["b1"] = true }, 2 * poll, at(2 * poll)},
		"a batch is closed":   {func(f *fake) { f.open = f.open[1:] }, 2 * poll, at(2 * poll)},
		"nothing comes":       {func(*fake) {}, wait, now},
		"another's is closed": {func(f *fake) { f.open = f.open[:2] }, wait, now},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now}
			for _, b := range []seeding.BatchRef{{Connector: "c", Run: "run", Batch: "b1"}, {Connector: "c", Run: "run", Batch: "b2"}, {Connector: "d", Batch: "b3"}} {
				f.open = append(f.open, seeding.Batch{Ref: b, Claimed: now, Deadline: later})
			}
			looks := 0
			f.during["OpenBatches"] = func() error {
				if looks++; looks == 3 { // the first comes before the wait
					c.change(f)
				}
				return nil
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if waited := f.now.Sub(now); waited != c.waited {
				t.Errorf("waited for %v, want %v", waited, c.waited)
			}
			if !f.state.Moved.Equal(c.moved) || !f.state.Due.Equal(now) {
				t.Errorf("moved after %v, due in %v", f.state.Moved.Sub(now), f.state.Due.Sub(now))
			}
		})
	}
}
