package submit

import (
	"fmt"
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
		connector: seeding.Connector{ID: "c", Version: 3, MTS: seeding.MTSAccess{BatchMaximum: 1000, WidthMaximum: 2}, Schedule: seeding.Schedule{Interval: 15 * time.Minute}},
		run:       &seeding.Run{ID: "run", Version: 3},
		posts:     &posts{},
		mts:       seeding.MTSState{Pace: manyWorkers(seeding.Pace{Size: 100, Proved: 100})},
	}
	for _, change := range changes {
		change(&v)
	}
	return v
}

// manyWorkers is the pace at an MTS that has workers for more batches than any
// connector of these tests allows, and that is so slow that its silence says nothing.
func manyWorkers(p seeding.Pace) seeding.Pace {
	p.Single, p.Interval = time.Hour, time.Second
	return p
}

// slow is an MTS with two workers that gives a record each second; the connector
// may have four batches there, of 100 records.
func slow(v *view) {
	v.connector.MTS.WidthMaximum = 4
	v.mts.Pace = seeding.Pace{Size: 100, Proved: 100, Single: 1700 * time.Millisecond, Interval: time.Second}
	v.mts.Heard = now
}

func posting(v *view) { v.posts = &posts{count: 1} }

func noRun(v *view)     { v.run = nil }
func stopped(v *view)   { v.state.Status = seeding.Stopped }
func completed(v *view) { v.state.Status = seeding.Completed }
func cancelled(v *view) { v.state.Cancelled = []string{"other", "run"} }
func anImport(v *view) {
	v.run.Kind, v.run.Started, v.run.Registry = seeding.Import, now, v.connector.RegistryKey()
	v.state.Run, v.state.Imports = "", []string{"run"}
}
func begun(v *view)           { v.state.Begun = now }
func configuredAnew(v *view)  { v.connector.Version = 4 }
func passOver(v *view)        { v.run.PassOver = true }
func newMTS(v *view)          { v.mts.Pace = seeding.Pace{} }
func sizeNeverProved(v *view) { v.mts.Pace = manyWorkers(seeding.Pace{Size: 200, Proved: 100}) }
func noSizeProved(v *view)    { v.mts.Pace = manyWorkers(seeding.Pace{Size: 200}) }
func notTaken(v *view)        { v.mts.Attempts = 1 }
func heard(v *view)           { v.mts.Heard = now }

// once is a one-time job, started earlier.
func once(v *view) {
	v.connector.Schedule, v.state.Since = seeding.Schedule{Kind: seeding.OneTimeJob}, earlier
}

// daily is a job whose next run is due at a time.
func daily(at time.Time) viewChange {
	return func(v *view) {
		v.connector.Schedule, v.state.Since = seeding.Schedule{Daily: seeding.TimeOfDay(at.UTC().Format("15:04"))}, at.Add(-time.Minute)
	}
}

func due(at time.Time) viewChange    { return func(v *view) { v.state.Due = at } }
func starts(at time.Time) viewChange { return func(v *view) { v.connector.Schedule.Starts = at } }
func ends(at time.Time) viewChange   { return func(v *view) { v.connector.Schedule.Ends = at } }

func outageUntil(t time.Time) viewChange {
	return func(v *view) { v.registry.OutageUntil = t }
}

// problem of a source, with the time of its next probe.
func problem(source seeding.Source, probe time.Time) viewChange {
	return func(v *view) { v.state.Problems[source] = seeding.Problem{Next: probe} }
}

// opened is an open batch of a run, claimed some time ago. It is overdue after a
// minute, which is its deadline, too; after three it is given up.
func opened(run string, age time.Duration) viewChange {
	return func(v *view) {
		b := seeding.Batch{Ref: seeding.BatchRef{Connector: "c", Run: run}, Claimed: now.Add(-age), Deadline: now.Add(time.Minute - age)}
		v.open = append(v.open, b)
		v.mts.Slots = append(v.mts.Slots, seeding.Slot{Connector: "c", Count: 100, Claimed: b.Claimed, Overdue: b.Deadline, Ends: later})
	}
}

// answered says that the last batch of the view has an answer, which waits for
// patch.
func answered(v *view) { v.mts.Slots[len(v.mts.Slots)-1].Answered = true }

// others is a batch of another connector at the MTS, of so many records.
func others(records int) viewChange {
	return func(v *view) {
		v.mts.Slots = append(v.mts.Slots, seeding.Slot{Connector: "d", Count: records, Claimed: now, Overdue: later, Ends: later})
	}
}

// wantsSlot says that a connector waits for a slot.
func wantsSlot(connector string) viewChange {
	return func(v *view) {
		v.mts.Waiting = append(v.mts.Waiting, seeding.Waiting{Connector: connector, Since: earlier, Until: later})
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
		"a stopped connector without a run pauses":                                {changes{noRun, stopped}, plan{do: pause}},
		"so does a completed one":                                                 {changes{noRun, completed, once}, plan{do: pause}},
		"a run that was due is opened as of then":                                 {changes{noRun, due(earlier)}, plan{do: openRun, due: earlier}},
		"a run that is not due is waited for":                                     {changes{noRun, due(later)}, plan{do: pause, due: later}},
		"a daily run waits for its time, whoever wants a look":                    {changes{noRun, due(now), daily(later)}, plan{do: pause, due: later}},
		"a daily run is opened as of its time":                                    {changes{noRun, due(now), daily(earlier)}, plan{do: openRun, due: earlier}},
		"a one-time run is opened after the start":                                {changes{noRun, due(now), once}, plan{do: openRun, due: earlier}},
		"a one-time run waits for its start time":                                 {changes{noRun, due(now), once, starts(later)}, plan{do: pause, due: later}},
		"a one-time job is completed once its run has been":                       {changes{noRun, due(now), once, begun}, plan{do: finishJob}},
		"a job is completed at its end":                                           {changes{noRun, due(now), ends(now)}, plan{do: finishJob}},
		"a recurring run goes on after the end":                                   {changes{ends(now)}, plan{do: send}},
		"a one-time run makes no batch after the end":                             {changes{once, ends(now), opened("run", fresh)}, plan{do: pause, due: now}},
		"a one-time run is completed at the end":                                  {changes{once, ends(now)}, plan{do: completeRun}},
		"a running connector without a run opens one":                             {changes{noRun}, plan{do: openRun}},
		"a run is opened during an outage, too":                                   {changes{noRun, outageUntil(later)}, plan{do: openRun}},
		"a run is opened while there is a problem":                                {changes{noRun, problem(seeding.ProblemMTS, later)}, plan{do: openRun}},
		"a run is opened beside an import's open batches":                         {changes{noRun, opened("import", fresh)}, plan{do: openRun}},
		"the run of a stopped connector is completed":                             {changes{stopped}, plan{do: completeRun}},
		"the run of a former configuration is completed":                          {changes{configuredAnew}, plan{do: completeRun}},
		"it is completed during an outage":                                        {changes{stopped, outageUntil(later)}, plan{do: completeRun}},
		"it is completed while there is a problem":                                {changes{configuredAnew, problem(seeding.ProblemMTS, later)}, plan{do: completeRun}},
		"it is completed though its pass is not over":                             {changes{stopped, newMTS}, plan{do: completeRun}},
		"it is not completed before its batches are closed":                       {changes{stopped, opened("run", fresh)}, plan{do: pause, due: now}},
		"another run's batches do not keep it":                                    {changes{configuredAnew, opened("import", fresh)}, plan{do: completeRun}},
		"a run that was cancelled is completed":                                   {changes{cancelled}, plan{do: completeRun}},
		"not before its batches are closed":                                       {changes{cancelled, opened("run", fresh)}, plan{do: pause, due: now}},
		"an import goes on though the connector is stopped":                       {changes{anImport, stopped}, plan{do: send}},
		"an import goes on though the job is completed":                           {changes{anImport, completed}, plan{do: send}},
		"an import goes on under another configuration":                           {changes{anImport, configuredAnew}, plan{do: send}},
		"an import goes on at another MTS":                                        {changes{anImport, func(v *view) { v.connector.MTS.URL = "http://other" }}, plan{do: send}},
		"an import of another registry is completed":                              {changes{anImport, func(v *view) { v.connector.Registry.Database = "other" }}, plan{do: completeRun}},
		"an import that was open at a stop is completed":                          {changes{anImport, stopped, func(v *view) { v.state.Halted = now }}, plan{do: completeRun}},
		"an import that was opened after a stop is not":                           {changes{anImport, stopped, func(v *view) { v.state.Halted = earlier }}, plan{do: send}},
		"an import that was cancelled is completed":                               {changes{anImport, cancelled}, plan{do: completeRun}},
		"an import goes on after the end of the schedule":                         {changes{anImport, once, ends(now)}, plan{do: send}},
		"an import waits for the probe of a problem":                              {changes{anImport, stopped, problem(seeding.ProblemMTS, later)}, plan{do: pause, due: later}},
		"nobody calls a registry during its outage":                               {changes{outageUntil(later)}, plan{do: pause, due: later, moves: true}},
		"an outage comes before a problem":                                        {changes{outageUntil(later), problem(seeding.ProblemRegistry, now.Add(2*time.Hour))}, plan{do: pause, due: later, moves: true}},
		"an outage comes before the end of a pass":                                {changes{outageUntil(later), passOver}, plan{do: pause, due: later, moves: true}},
		"an outage that ends now is over":                                         {changes{outageUntil(now)}, plan{do: send}},
		"a problem waits for its probe":                                           {changes{problem(seeding.ProblemMTS, later)}, plan{do: pause, due: later}},
		"of several problems the last probe counts":                               {changes{problem(seeding.ProblemRead, now), problem(seeding.ProblemMTS, later)}, plan{do: pause, due: later}},
		"a problem comes before batches under way":                                {changes{problem(seeding.ProblemMTS, later), opened("run", fresh)}, plan{do: pause, due: later}},
		"a probe that is due is sent":                                             {changes{problem(seeding.ProblemMTS, now)}, plan{do: send}},
		"a probe that is due waits for the batches that are open":                 {changes{problem(seeding.ProblemMTS, now), opened("run", givenUp)}, plan{do: awaitClose}},
		"a probe that is due waits for another run's batches":                     {changes{problem(seeding.ProblemMTS, now), opened("import", fresh)}, plan{do: awaitClose, moves: true}},
		"a pass under a problem ends once its probe would be due":                 {changes{problem(seeding.ProblemMTS, now), passOver}, plan{do: endPass}},
		"a refused unlink and a suspicious policy keep nobody":                    {changes{problem(seeding.ProblemUnlink, later), problem(seeding.ProblemPolicy, later)}, plan{do: send}},
		"a probe is sent to an MTS that did not take the last POST":               {changes{notTaken}, plan{do: send}},
		"it waits for the batches that are open":                                  {changes{notTaken, opened("run", fresh)}, plan{do: awaitClose, moves: true}},
		"but not for another connector's":                                         {changes{notTaken, others(100)}, plan{do: send}},
		"a pass ends though the MTS did not take the last POST":                   {changes{notTaken, passOver}, plan{do: endPass}},
		"the first batch is sent":                                                 {changes{}, plan{do: send}},
		"a second batch is sent beside one under way":                             {changes{opened("run", fresh)}, plan{do: send}},
		"a third one is not, where two may be under way":                          {changes{opened("run", fresh), opened("run", fresh)}, plan{do: awaitSlot, moves: true}},
		"batches of all runs of the connector count":                              {changes{opened("run", fresh), opened("import", fresh)}, plan{do: awaitSlot, moves: true}},
		"batches of other connectors count, and their end is no move of this one": {changes{others(100), others(100)}, plan{do: awaitSlot}},
		"a batch that is overdue does not count":                                  {changes{heard, opened("run", overdue), opened("run", fresh)}, plan{do: send}},
		"a batch that is overdue counts if its answer is there":                   {changes{heard, opened("run", overdue), answered, opened("run", fresh)}, plan{do: awaitSlot, moves: true}},
		"an MTS that is silent gets a batch":                                      {changes{opened("run", overdue)}, plan{do: send}},
		"an MTS that is silent gets one at a time":                                {changes{opened("run", overdue), opened("run", fresh)}, plan{do: awaitSlot, moves: true}},
		"who waits and holds fewer comes first":                                   {changes{opened("run", fresh), wantsSlot("d")}, plan{do: awaitSlot, moves: true}},
		"who waits longer comes first":                                            {changes{wantsSlot("d")}, plan{do: awaitSlot}},
		"who waits itself comes before those who wait alike":                      {changes{opened("run", fresh), others(100), heard, wantsSlot("c"), wantsSlot("d"), func(v *view) { v.mts.Slots[0].Overdue = now }}, plan{do: send}},
		"nobody waits for an MTS that has enough to do":                           {changes{slow, opened("run", fresh), opened("run", fresh), opened("run", fresh), opened("run", fresh)}, plan{do: pause, due: now.Add(2*100*time.Second - comesBack), moves: true}},
		"an MTS that will soon have nothing is waited for":                        {changes{slow, opened("run", fresh), opened("run", fresh), opened("run", fresh)}, plan{do: awaitSlot, moves: true}},
		"nobody leaves his turn to others":                                        {changes{slow, opened("run", fresh), opened("run", fresh), opened("run", fresh), opened("run", fresh), wantsSlot("d")}, plan{do: awaitSlot, moves: true}},
		"a POST is waited for":                                                    {changes{slow, opened("run", fresh), opened("run", fresh), opened("run", fresh), opened("run", fresh), posting}, plan{do: awaitSlot, moves: true}},
		"an MTS that nobody knows gets its first batch":                           {changes{newMTS}, plan{do: send}},
		"an MTS that nobody knows gets a second at once":                          {changes{newMTS, opened("run", fresh)}, plan{do: send}},
		"a size that was never answered in time is sent":                          {changes{sizeNeverProved}, plan{do: send}},
		"beside one of a size that was never answered a smaller one is sent":      {changes{sizeNeverProved, others(101)}, plan{do: send}},
		"one at a time is sent until any size was answered in time":               {changes{noSizeProved, opened("import", fresh)}, plan{do: awaitSlot, moves: true}},
		"a pass that is over ends":                                                {changes{passOver}, plan{do: endPass}},
		"a pass that is over ends though the MTS is full":                         {changes{passOver, others(100), others(100)}, plan{do: endPass}},
		"a pass does not end before the run's answers are patched":                {changes{passOver, opened("run", givenUp), answered}, plan{do: awaitClose}},
		"a pass does not end before the run's batches are closed":                 {changes{passOver, opened("run", fresh)}, plan{do: awaitClose, moves: true}},
		"a pass does not wait for another run's batches":                          {changes{passOver, opened("import", fresh)}, plan{do: endPass}},
		"a batch past its deadline moves until it is given up":                    {changes{passOver, opened("run", overdue)}, plan{do: awaitClose, moves: true}},
		"a batch that is given up moves no more":                                  {changes{passOver, opened("run", givenUp)}, plan{do: awaitClose}},
		"one batch that is not given up is enough":                                {changes{passOver, opened("run", givenUp), opened("run", fresh)}, plan{do: awaitClose, moves: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(viewOf(c.view...), now); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A step waits until a batch of the connector is closed, and looks on at once.
func TestAStepWaitsForABatchToBeClosed(t *testing.T) {
	wait, poll := seeding.DefaultTimes().AnswerWait, seeding.DefaultTimes().Poll
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for name, c := range map[string]struct {
		change func(*fake) // before the second look of the wait
		waited time.Duration
		moved  time.Time
	}{
		"a batch is closed":   {func(f *fake) { f.open = f.open[1:] }, 2 * poll, at(2 * poll)},
		"nothing comes":       {func(*fake) {}, wait, now},
		"only its answer":     {func(f *fake) { f.answered["b1"] = true }, wait, now},
		"another's is closed": {func(f *fake) { f.open = f.open[:2] }, wait, now},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now, PassOver: true}
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
			if marks := f.called("WaitForMTS"); len(marks) != 0 {
				t.Errorf("%d times said that it waits for a slot", len(marks))
			}
		})
	}
}

// The open batches are read once: whether one is closed is seen by its slot.
func TestAWaitReadsTheSlotsOnly(t *testing.T) {
	poll := seeding.DefaultTimes().Poll
	for name, former := range map[string]bool{"all batches have slots": false, "one is at a former MTS": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now, PassOver: true}
			for _, batch := range []string{"b1", "b2"} {
				f.open = append(f.open, seeding.Batch{Ref: seeding.BatchRef{Connector: "c", Run: "run", Batch: batch}, Claimed: now, Deadline: later})
				if batch == "b1" || !former {
					f.mts.Slots = append(f.mts.Slots, seeding.Slot{Batch: batch, Connector: "c", Count: 10, Claimed: now, Overdue: later, Ends: later})
				}
			}
			looks := 0
			f.during[map[bool]string{false: "MTSState", true: "OpenBatches"}[former]] = func() error {
				if looks++; looks == 3 { // the first comes before the wait
					f.open, f.mts.Slots = f.open[1:], f.mts.Slots[1:]
				}
				return nil
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if waited := f.now.Sub(now); waited != 2*poll {
				t.Errorf("waited for %v", waited)
			}
			if read := len(f.called("OpenBatches")); read > 1 && !former {
				t.Errorf("read the open batches %d times", read)
			}
		})
	}
}

// A step at an MTS that is full waits for a slot. Where others use the MTS it says
// so, and again only when that is half over.
func TestAStepWaitsForASlot(t *testing.T) {
	wait, poll := seeding.DefaultTimes().AnswerWait, seeding.DefaultTimes().Poll
	for name, c := range map[string]struct {
		holders [2]string                  // of the slots
		change  func(*fake)                // before the second look of the wait
		alter   func(slots []seeding.Slot) // before the step
		pace    seeding.Pace               // single and interval, if they are not those of many workers
		waited  time.Duration
		marks   int
	}{
		"a slot becomes free":                      {holders: [2]string{"c", "d"}, change: func(f *fake) { f.mts.Slots = f.mts.Slots[1:] }, waited: 2 * poll, marks: 1},
		"nothing becomes free":                     {holders: [2]string{"c", "d"}, waited: wait, marks: 2},
		"nothing becomes free, and all is its own": {holders: [2]string{"c", "c"}, waited: wait},
		"nothing is its own":                       {holders: [2]string{"d", "e"}, waited: wait, marks: 2},
		"a batch becomes overdue":                  {holders: [2]string{"c", "d"}, alter: overdueAfter(3 * poll), waited: 3 * poll, marks: 1},
		"nothing comes from MTS any more":          {holders: [2]string{"c", "d"}, pace: seeding.Pace{Single: 2 * time.Second, Interval: time.Second}, waited: 22500 * time.Millisecond, marks: 2},
		"a batch becomes overdue, but its answer is there": {
			holders: [2]string{"c", "d"}, alter: overdueAfter(3 * poll), change: func(f *fake) { f.answered["b0"] = true }, waited: wait, marks: 2,
		},
		"its answer is there, and waits for another registry": {
			holders: [2]string{"c", "d"}, change: func(f *fake) { f.answered["b0"] = true }, waited: 3 * poll, marks: 1,
			alter: func(slots []seeding.Slot) { overdueAfter(3 * poll)(slots); slots[0].Registry = "another" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1)
			f.connector.MTS.WidthMaximum, f.mts.Pace, f.mts.Heard = 2, manyWorkers(seeding.Pace{Size: 5, Proved: 5}), now
			if c.pace.Single > 0 {
				f.mts.Single, f.mts.Interval = c.pace.Single, c.pace.Interval
			}
			for i, holder := range c.holders {
				f.mts.Slots = append(f.mts.Slots, seeding.Slot{Batch: fmt.Sprintf("b%d", i), Connector: holder, Registry: f.connector.RegistryKey(), Count: 1, Claimed: earlier, Overdue: later, Ends: later})
			}
			if c.alter != nil {
				c.alter(f.mts.Slots)
			}
			looks := 0
			f.during["MTSState"] = func() error {
				if looks++; looks == 3 && c.change != nil { // the first comes before the wait
					c.change(f)
				}
				return nil
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if waited := f.now.Sub(now); waited != c.waited || !f.state.Due.Equal(now) {
				t.Errorf("waited for %v, want %v; due in %v", waited, c.waited, f.state.Due.Sub(now))
			}
			if marks := f.called("WaitForMTS"); len(marks) != c.marks {
				t.Errorf("said %d times that it waits, want %d", len(marks), c.marks)
			}
			if len(f.posts) != 0 {
				t.Error("a batch was sent by the step that waits")
			}
		})
	}
}

// overdueAfter makes the first batch overdue so long from now.
func overdueAfter(d time.Duration) func([]seeding.Slot) {
	return func(slots []seeding.Slot) { slots[0].Overdue = now.Add(d) }
}
