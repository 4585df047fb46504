package submit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

var errStorage = errors.New("storage")

// What the steps of one invocation come to: whose turn it was, what became of
// the runs, and when submit is to look again. A run that finds nobody needs two
// steps: one sees the last VID, one ends the pass.
func TestAnInvocationMovesTheRunsOfAConnector(t *testing.T) {
	interval, poll, probe := 15*time.Minute, seeding.DefaultTimes().Poll, seeding.DefaultTimes().ProbeFirst
	notDue := func(f *fake) { f.state.Due = later }
	for name, c := range map[string]struct {
		prepare func(*fake)
		calls   []string // that open, read, or complete a run
		due     time.Time
		err     error
	}{
		"the recurring run is opened and completed": {
			calls: []string{"OpenRun id2", "Run id2", "CompleteRun id2"},
			due:   now.Add(interval),
		},
		"an import takes turns with the recurring run": {
			prepare: func(f *fake) { f.openImport("import") },
			calls:   []string{"OpenRun id2", "Run import", "Run id2", "CompleteRun id2", "Run import", "CompleteRun import"},
			due:     now.Add(interval),
		},
		"imports take turns, and begin no recurring run that is not due": {
			prepare: func(f *fake) { notDue(f); f.openImport("h"); f.openImport("i") },
			calls:   []string{"Run h", "Run i", "Run h", "CompleteRun h", "Run i", "CompleteRun i"},
			due:     later,
		},
		"an import that goes on begins no further recurring run": {
			prepare: func(f *fake) {
				f.openImport("import")
				f.during["CompleteRun"] = func() error { // of the recurring run, while the import is in the middle of its pass
					delete(f.during, "CompleteRun")
					run := f.runs["import"]
					run.PassOver = false
					f.runs["import"] = run
					return nil
				}
			},
			calls: []string{"OpenRun id2", "Run import", "Run id2", "CompleteRun id2", "Run import", "Run import", "CompleteRun import"},
			due:   now.Add(interval),
		},
		"a wish that comes while an import moves is heeded": {
			prepare: func(f *fake) {
				notDue(f)
				f.openImport("h")
				f.openImport("i")
				f.during["SaveRun"] = func() error { delete(f.during, "SaveRun"); f.nudge = f.now; return nil }
			},
			calls: []string{"Run h", "OpenRun id2", "Run i", "Run h", "CompleteRun h", "Run id2", "CompleteRun id2", "Run i", "CompleteRun i"},
			due:   now.Add(interval),
		},
		"a stopped connector completes its runs": {
			prepare: func(f *fake) {
				f.state.Status, f.state.Halted, f.state.Run = seeding.Stopped, f.now, "run"
				f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3}
				f.openImport("import")
			},
			calls: []string{"Run run", "CompleteRun run", "Run import", "CompleteRun import"},
			due:   now,
		},
		"a connector configured anew completes its run and opens another": {
			prepare: func(f *fake) {
				f.state.Run = "run"
				f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 2}
			},
			calls: []string{"Run run", "CompleteRun run", "OpenRun id2", "Run id2", "CompleteRun id2"},
			due:   now.Add(interval),
		},
		"a run that took longer than its interval is followed at once": {
			prepare: func(f *fake) {
				f.state.Run = "run"
				f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: earlier, Passes: 1, PassStarted: earlier, PassOver: true}
			},
			calls: []string{"Run run", "CompleteRun run"},
			due:   now,
		},
		"a one-time job is completed with its run": {
			prepare: func(f *fake) { f.connector.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob} },
			calls:   []string{"OpenRun id2", "Run id2", "CompleteRun id2", "FinishJob"},
			due:     now,
		},
		"a one-time job waits for its start": {
			prepare: func(f *fake) { f.connector.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob, Starts: later} },
			due:     later,
		},
		"a one-time job whose end has come is completed": {
			prepare: func(f *fake) { f.connector.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob, Ends: now} },
			calls:   []string{"FinishJob"},
			due:     now,
		},
		"a one-time job that was changed meanwhile begins anew": {
			prepare: func(f *fake) {
				f.connector.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob}
				f.state.Run = "run"
				f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 2}
			},
			calls: []string{"Run run", "CompleteRun run", "OpenRun id2", "Run id2", "CompleteRun id2", "FinishJob"},
			due:   now,
		},
		"a daily run that is not due is waited for": {
			prepare: func(f *fake) {
				f.connector.Schedule, f.state.Since = seeding.Schedule{Daily: seeding.TimeOfDay(later.UTC().Format("15:04"))}, now
			},
			due: later.Truncate(time.Minute),
		},
		"a recurring job that ends before its next run is completed": {
			prepare: func(f *fake) { f.connector.Schedule.Ends = now.Add(interval) },
			calls:   []string{"OpenRun id2", "Run id2", "CompleteRun id2", "FinishJob"},
			due:     now.Add(interval),
		},
		"an import of a stopped connector goes on": {
			prepare: func(f *fake) {
				f.state.Status, f.state.Halted = seeding.Stopped, earlier
				f.openImport("import")
			},
			calls: []string{"Run import", "Run import", "CompleteRun import"},
			due:   now,
		},
		"a run that is cancelled is followed when its schedule says": {
			prepare: func(f *fake) {
				f.state.Run, f.state.Cancelled = "run", []string{"run"}
				f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Due: now, Started: now}
			},
			calls: []string{"Run run", "CompleteRun run"},
			due:   now.Add(interval),
		},
		"a conflict is looked at anew": {
			prepare: func(f *fake) { f.once("CompleteRun", seeding.ErrConflict) },
			calls:   []string{"OpenRun id2", "Run id2", "CompleteRun id2", "Run id2", "CompleteRun id2"},
			due:     now.Add(interval),
		},
		"a conflict of an import is looked at anew after the others' turn": {
			prepare: func(f *fake) { notDue(f); f.openImport("h"); f.openImport("i"); f.once("SaveRun", seeding.ErrConflict) },
			calls:   []string{"Run h", "Run i", "Run h", "Run i", "CompleteRun i", "Run h", "CompleteRun h"},
			due:     later,
		},
		"a failure of the storage is tried again after a while": {
			prepare: func(f *fake) { f.once("CompleteRun", errStorage) },
			calls:   []string{"OpenRun id2", "Run id2", "CompleteRun id2"},
			due:     now.Add(probe), err: errStorage,
		},
		"a failure in an import's turn begins no recurring run": {
			prepare: func(f *fake) { notDue(f); f.openImport("import"); f.once("Run", errStorage) },
			calls:   []string{"Run import"},
			due:     later, err: errStorage,
		},
		"a problem of the recurring run is tried again when it says": {
			prepare: func(f *fake) { f.once("VIDs", &seeding.Fault{Kind: seeding.RefusedRights}) },
			calls:   []string{"OpenRun id2"},
			due:     now.Add(probe),
		},
		"an outage of the registry is waited for": {
			prepare: func(f *fake) { f.registry.OutageUntil = later },
			calls:   []string{"OpenRun id2"},
			due:     later,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			if c.prepare != nil {
				c.prepare(f)
			}
			if err := f.work(t); !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if got := f.called("OpenRun", "Run", "CompleteRun", "FinishJob"); !slices.Equal(got, c.calls) {
				t.Errorf("%q, want %q", got, c.calls)
			}
			if !f.state.Due.Equal(c.due) {
				t.Errorf("due in %v, want %v", f.state.Due.Sub(now), c.due.Sub(now))
			}
			if f.state.Lease.Owner != "" {
				t.Error("the lease is not given back")
			}
			if looked := f.now.Sub(now); looked > poll {
				t.Errorf("%v have passed", looked)
			}
		})
	}
}

// Runs take turns also where each has to wait for a slot: who waited for it gets it.
func TestRunsTakeTurnsAtAFullMTS(t *testing.T) {
	f := newFake()
	f.add(1, 2, 3, 4, 5, 6)
	f.mts.Pace, f.mts.Heard = manyWorkers(seeding.Pace{Size: 1, Proved: 1}), now
	f.openImport("import")
	looks := 0
	f.during["MTSState"] = func() error {
		if looks++; looks%5 == 0 { // what is under way is patched
			f.vids = f.vids[len(f.open):]
			f.open, f.mts.Slots = nil, nil
		}
		return nil
	}
	if err := f.work(t); err != nil {
		t.Fatal(err)
	}
	claims := f.called("Claim")
	for i := range claims[1:] {
		if claims[i] == claims[i+1] {
			t.Fatalf("a run sent twice before the other did: %q", claims)
		}
	}
	if len(claims) != 6 {
		t.Errorf("%q", claims)
	}
}

// Who cannot have the lease changes nothing.
func TestAnInvocationThatIsNotNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		take error
		want error
	}{
		"the connector is in work":          {seeding.ErrLeaseHeld, nil},
		"the connector is deleted":          {seeding.ErrNotFound, nil},
		"whether it is needed is not known": {errStorage, errStorage},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.once("TakeRun", c.take)
			if err := f.work(t); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if !slices.Equal(f.calls, []string{"TakeRun"}) {
				t.Errorf("calls %q", f.calls)
			}
		})
	}
}

// A step that may not end within the invocation is not begun.
func TestAnInvocationEndsInTime(t *testing.T) {
	f := newFake()
	s := f.submitter()
	if err := s.Work(t.Context(), "c", now.Add(s.stepLimit())); err != nil {
		t.Fatal(err)
	}
	if got := f.called("Run", "OpenRun"); !slices.Equal(got, []string{"OpenRun id2"}) {
		t.Errorf("%q", got)
	}
	if f.state.Run == "" || !f.state.Due.Equal(now) || !f.runs[f.state.Run].PassOver {
		t.Errorf("the next invocation does not go on: %+v", f.state)
	}
}

// A wish that was seen, but not yet heeded when the time is up, is kept.
func TestAWishOutlastsAnInvocation(t *testing.T) {
	f := newFake()
	f.openImport("h")
	f.openImport("i")
	var wished time.Time
	f.during["CompleteRun"] = func() error {
		switch len(f.called("CompleteRun")) {
		case 2: // h, after the recurring run
			f.now = f.now.Add(time.Second)
			f.nudge, wished = f.now, f.now
		case 3: // i, which has waited longer than the recurring run
			f.now = f.now.Add(time.Hour)
		}
		return nil
	}
	if err := f.work(t); err != nil {
		t.Fatal(err)
	}
	if want := []string{"CompleteRun id2", "CompleteRun h", "CompleteRun i"}; !slices.Equal(f.called("CompleteRun"), want) {
		t.Errorf("%q, want %q", f.called("CompleteRun"), want)
	}
	if !f.state.Due.Equal(wished) || f.state.Run != "" {
		t.Errorf("due in %v with run %q", f.state.Due.Sub(now), f.state.Run)
	}
}

// A failure of the storage at any call ends the invocation, and the next one
// goes on: nobody is sent twice, nobody is forgotten. So for one batch as for a wave.
func TestTheStorageMayFailAtAnyCall(t *testing.T) {
	for name, prepare := range map[string]func(*fake){
		"one batch": func(*fake) {},
		"a wave": func(f *fake) {
			f.connector.MTS.WidthMaximum, f.mts.Pace = 5, manyWorkers(seeding.Pace{Size: 1, Proved: 1})
		},
	} {
		t.Run(name, func(t *testing.T) { storageMayFailAtAnyCall(t, prepare) })
	}
}

func storageMayFailAtAnyCall(t *testing.T, prepare func(*fake)) {
	begin := func() *fake {
		f := newFake()
		prepare(f)
		f.openImport("import")
		f.add(1, 2, 3, 4)
		f.tokens = []seeding.Identifier{{ID: 99, Registrant: 2, Value: aToken}}
		f.connector.Source.Mandatory, f.records[3] = []string{"name"}, seeding.Record{}
		f.rejections = []seeding.Rejection{
			{Connector: "deleted", Kind: seeding.Conflict, Subject: seeding.Member{Registrant: 2, Identifier: 12}.Subject()},
			{Connector: "c", Kind: seeding.Refused, Subject: seeding.Member{Registrant: 9, Identifier: 19}.Subject()},
		}
		f.registry.OutageAttempts = 1
		return f
	}
	end := func(t *testing.T, f *fake) { // what both runs must have come to
		t.Helper()
		var sent []int64
		for _, b := range slices.Concat(f.open, f.closed) {
			for _, m := range b.Members {
				sent = append(sent, m.Registrant)
			}
		}
		if slices.Sort(sent); !slices.Equal(sent, []int64{1, 4}) || len(f.posts) != len(f.open)+len(f.closed) {
			t.Errorf("sent %d in %d requests", sent, len(f.posts))
		}
		if len(f.rejections) != 1 || f.rejections[0].Kind != seeding.Invalid || len(f.vids) != 3 || f.registry.OutageAttempts != 0 {
			t.Errorf("rejections %+v, VIDs %+v, %d attempts", f.rejections, f.vids, f.registry.OutageAttempts)
		}
	}
	whole := begin()
	if err := whole.work(t); err != nil {
		t.Fatal(err)
	}
	end(t, whole)
	remote := []string{"Open", "Compile", "VIDs", "Registrants", "Tokens", "Remove", "Submit"}
	for i, call := range whole.calls {
		name := strings.Fields(call)[0]
		if slices.Contains(remote, name) {
			continue // its failure is a problem or an unknown outcome, and no failure of the storage
		}
		t.Run(fmt.Sprintf("call %d, %s", i+1, name), func(t *testing.T) {
			f := begin()
			f.during[name] = func() error {
				if len(f.calls) == i+1 {
					return errStorage
				}
				return nil
			}
			// A renewal that fails is followed by others.
			if err := f.work(t); !errors.Is(err, errStorage) && name != "KeepRun" {
				t.Errorf("%v, want the failure of %s", err, call)
			}
			if len(f.calls) <= i || f.calls[i] != call {
				t.Fatalf("the calls were others")
			}
			f.now = f.now.Add(5 * time.Minute) // until a lease that could not be given back is over
			if err := f.work(t); err != nil {
				t.Errorf("the next invocation: %v", err)
			}
			end(t, f)
		})
	}
}
