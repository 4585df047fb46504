package submit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// everyoneOnce checks that each submission that Central has made one registrant, but for
// those whom MOSIP refuses.
func (f *fake) everyoneOnce(t *testing.T) {
	t.Helper()
	holders := f.holders()
	for _, s := range f.central.list {
		want := 1
		if slices.Contains(f.refused, s.ID) {
			want = 0
		}
		if holders[s.ID] != want {
			t.Errorf("%s has %d registrants", s.ID, holders[s.ID])
		}
	}
}

// A run of a form sends every submission once, as windows, writes what is done, and an
// idle run then costs one call of Central and none of MTS or the registry.
func TestARunOfAForm(t *testing.T) {
	f := newODK()
	f.connector.MTS.WidthMaximum = 4
	f.fill(2500, 7*time.Second)
	run := f.finishes(t)
	f.everyoneOnce(t)
	if run.Expected != 2500 || run.Tally.Looked != 2500 || run.Totals.Sent != 2500 || run.Totals.Tokenised != 2500 || run.Passes != 1 {
		t.Errorf("run %+v", run)
	}
	if len(f.sent()) != 2500 {
		t.Errorf("%d were sent", len(f.sent()))
	}
	for _, r := range f.posts {
		if r.Pull == nil || r.Pull.Window.Empty() || len(r.Records) > 0 || r.Bearer == "" || r.Direct != nil {
			t.Errorf("request %+v", r)
		}
		if !strings.HasPrefix(r.OutputFormat, `["w.`) || r.Pull.ODataURL != "select=vid" {
			t.Errorf("%q, %q", r.OutputFormat, r.Pull.ODataURL)
		}
	}
	until := f.now.Add(-time.Minute)
	if w := f.coverage.Whole(); f.coverage.Form != f.connector.FormKey() || w.To.Before(until.Add(-10*time.Minute)) || w.From.Unix() != 0 {
		t.Errorf("coverage %+v", f.coverage)
	}

	f.now = f.now.Add(time.Hour)
	f.calls = nil
	before := f.coverage
	idle := f.finishes(t)
	if got := f.called("Form.Now", "Form.Mark", "Form.Count", "Form.Page", "Submissions", "Tokens", "Submit"); !slices.Equal(got, []string{"Form.Now", "Form.Mark"}) {
		t.Errorf("an idle run calls %q", got)
	}
	if idle.Tally.Looked != 0 || idle.WhyNobody() != seeding.NothingNew || !idle.PassOver || !f.coverage.Same(before) {
		t.Errorf("idle run %+v", idle)
	}
}

// What changes after a run is found by the next one, which looks at nothing else.
func TestWhatTheNextRunFinds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fake)
		sent   int // by the next run
		looked int
	}{
		"nothing new":                       {change: func(*fake) {}},
		"one more":                          {change: func(f *fake) { f.central.receive(f.now, "new") }, sent: 1, looked: 1},
		"a late one, dated before":          {change: func(f *fake) { f.central.receive(dawn.Add(time.Second), "late") }, sent: 1, looked: 301},
		"a late one at the same moment":     {change: func(f *fake) { f.central.receive(dawn, "late") }, sent: 1, looked: 301},
		"an edited one that is done":        {change: func(f *fake) { f.central.edit("uuid:000007") }, looked: 300},
		"an edited one that is rejected":    {change: func(f *fake) { f.central.edit("uuid:000003"); f.refused = nil }, sent: 1, looked: 300},
		"a deleted one":                     {change: func(f *fake) { f.central.remove("uuid:000007") }, looked: 299},
		"one at the end of what is covered": {change: func(f *fake) { f.central.receive(f.coverage.Whole().To, "bound") }, sent: 1, looked: 1},
		"one just before that":              {change: func(f *fake) { f.central.receive(f.coverage.Whole().To.Add(-time.Millisecond), "bound") }, sent: 1, looked: 301},
		"another configuration": {change: func(f *fake) {
			f.connector.Version, f.state.Version, f.refused = 4, 4, nil
		}, sent: 1, looked: 1},
		"somebody asks for another attempt": {change: func(f *fake) {
			f.state.Retried, f.refused = seeding.Retried{{}: f.now}, nil
		}, sent: 1, looked: 1},
		"another form": {change: func(f *fake) {
			f.connector.ODK.ODataURL += "?other"
			f.registered, f.tokens, f.rejections, f.settled = nil, nil, nil, map[string]bool{}
		}, sent: 300, looked: 300},
		"older ones count, too": {change: func(f *fake) {
			f.connector.ODK.Received = dawn.Add(-time.Hour)
			f.central.receive(dawn.Add(-30*time.Minute), "old")
		}, sent: 1, looked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newODK()
			if name == "older ones count, too" {
				f.connector.ODK.Received = dawn
			}
			f.fill(300, 10*time.Second)
			f.refused = []string{"uuid:000003"}
			f.finishes(t)
			f.everyoneOnce(t)
			f.posts, f.pulled = nil, nil
			f.now = f.now.Add(time.Hour)
			c.change(f)
			f.now = f.now.Add(time.Hour)
			run := f.finishes(t)
			f.everyoneOnce(t)
			if got := len(f.sent()); got != c.sent || run.Tally.Looked != c.looked {
				t.Errorf("%d sent, %d looked at; want %d and %d", got, run.Tally.Looked, c.sent, c.looked)
			}
			if len(f.coverage.Spans) == 0 || f.state.Problems[seeding.ProblemODK] != (seeding.Problem{}) {
				t.Errorf("coverage %+v, problems %+v", f.coverage, f.state.Problems)
			}
		})
	}
}

// A submission that was deleted is forgotten with its rejection, and one that is restored
// is sent if it was never done.
func TestDeletedAndRestored(t *testing.T) {
	f := newODK()
	f.fill(20, time.Minute)
	f.refused = []string{"uuid:000003"}
	f.finishes(t)
	removed := f.central.remove("uuid:000003", "uuid:000004")
	f.now = f.now.Add(time.Hour)
	f.finishes(t)
	if len(f.rejections) != 0 {
		t.Errorf("rejections %+v", f.rejections)
	}
	f.central.restore(removed)
	f.refused = nil
	f.now = f.now.Add(time.Hour)
	f.finishes(t)
	f.everyoneOnce(t)
}

// Submissions that arrive while a run is under way are the next run's; those that become
// visible in a window that was read are found by its mark.
func TestArrivalsDuringThePull(t *testing.T) {
	f := newODK()
	f.fill(900, 20*time.Second)
	n := 0
	f.during["Submit"] = func() error {
		n++
		f.central.receive(f.now, fmt.Sprintf("new%d", n))
		f.central.receive(dawn.Add(time.Duration(n)*time.Minute), fmt.Sprintf("late%d", n)) // committed late
		return nil
	}
	f.finishes(t)
	delete(f.during, "Submit")
	f.now = f.now.Add(time.Hour)
	f.finishes(t)
	f.everyoneOnce(t)
	if n == 0 {
		t.Error("nothing was sent")
	}
}

// One that was edited while MTS had it is sent again by the next pass, and one that was
// deleted is not missed.
func TestEditedAndDeletedWhileMTSHasThem(t *testing.T) {
	f := newODK()
	f.fill(50, time.Minute)
	f.during["MarkSubmitted"] = func() error {
		delete(f.during, "MarkSubmitted")
		f.central.edit("uuid:000007")
		f.central.remove("uuid:000008")
		return nil
	}
	run := f.finishes(t)
	f.everyoneOnce(t)
	if run.Passes != 2 || len(f.posts) != 2 || len(f.posts[1].Pull.Submissions) != 1 || f.posts[1].Pull.Submissions[0] != "uuid:000007" {
		t.Errorf("%d passes, requests %+v", run.Passes, f.posts)
	}
	if got := f.holders()["uuid:000008"]; got != 0 {
		t.Errorf("the deleted one has %d registrants", got)
	}
}

// MTS says "no submissions" of every failure. It is believed only if Central
// counts none; else nothing is taken for done, the problem says so, and everything is
// sent when MTS can read again (facts/mts.md D4).
func TestWindowOfARefusedPullIsPulledAgain(t *testing.T) {
	f := newODK()
	f.fill(100, time.Minute)
	fails := true
	f.during["Submit"] = func() error {
		if fails {
			return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.CodeNothingPulled}
		}
		return nil
	}
	f.state.Due = f.now
	for range 3 {
		if err := f.work(t); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(10 * time.Minute)
	}
	p, raised := f.state.Problems[seeding.ProblemODK]
	if !raised || p.Named.Fault != seeding.NoSubmissions || p.Attempts < 2 || len(f.coverage.Spans) != 0 || len(f.open) != 0 {
		t.Fatalf("problem %+v, coverage %+v, %d open", p, f.coverage, len(f.open))
	}
	if f.mts.Attempts != 0 || len(f.state.Problems) != 1 {
		t.Errorf("problems %+v", f.state.Problems)
	}
	if sent := f.posts[len(f.posts)-1].Pull; len(sent.Submissions) != 1 {
		t.Errorf("the probe is %+v", sent)
	}
	fails = false
	f.finishes(t)
	f.everyoneOnce(t)
	if _, raised := f.state.Problems[seeding.ProblemODK]; raised || len(f.coverage.Spans) == 0 {
		t.Errorf("problems %+v, coverage %+v", f.state.Problems, f.coverage)
	}
}

// If Central refuses what MTS asks for, such as a column of $select that the form has
// not, the problem says so, and not that MTS reads nothing.
func TestWhatCentralRefusesOfAPullIsTheProblem(t *testing.T) {
	for _, n := range []int{1, 100} { // by its id, and as a window
		f := newODK()
		f.fill(n, time.Minute)
		f.during["Submit"] = func() error {
			return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.CodeNothingPulled}
		}
		refused := func() error { return &seeding.Fault{Kind: seeding.RefusedRequest, Code: "ODK-400.23"} }
		f.during["Form.Read"], f.during["Form.ReadSome"] = refused, refused
		f.state.Due = f.now
		if err := f.work(t); err != nil {
			t.Fatal(err)
		}
		if p := f.state.Problems[seeding.ProblemODK]; p.Named.Fault != "ODK-400.23" || len(f.open) != 0 {
			t.Errorf("%d: problems %+v, %d open", n, f.state.Problems, len(f.open))
		}
	}
}

// Nothing is sent of a form whose field of VIDs cannot hold them: numbers come out as
// others.
func TestFieldThatCannotHoldVIDsIsTheProblem(t *testing.T) {
	f := newODK()
	f.fill(3, time.Minute)
	f.during["Form.CheckVID"] = func() error {
		return &seeding.Fault{Kind: seeding.RefusedSchema, Code: "NumericField", Field: "person/vid"}
	}
	f.state.Due = f.now
	if err := f.work(t); err != nil {
		t.Fatal(err)
	}
	p := f.state.Problems[seeding.ProblemODK]
	if p.Named.Fault != "NumericField" || !strings.Contains(p.Text, "person/vid") || len(f.posts) != 0 {
		t.Errorf("%+v, %d posts", p, len(f.posts))
	}
	delete(f.during, "Form.CheckVID")
	f.finishes(t)
	f.everyoneOnce(t)
	if len(f.state.Problems) != 0 {
		t.Errorf("problems %+v", f.state.Problems)
	}
}

// "No submissions" of a window whose submissions were deleted meanwhile is no problem.
func TestNothingIsLeftToPull(t *testing.T) {
	f := newODK()
	f.fill(5, time.Minute)
	f.during["Claim"] = func() error { f.central.list = nil; return nil }
	run := f.finishes(t)
	if len(f.state.Problems) != 0 || run.Totals.Sent != 0 || len(f.posts) == 0 || len(f.coverage.Spans) == 0 {
		t.Errorf("problems %+v, run %+v, coverage %+v", f.state.Problems, run, f.coverage)
	}
}

// After a POST of unknown outcome the batch stays open until its answer or its
// deadline, and nobody is sent twice meanwhile (facts/mts.md D5).
func TestUnknownOutcomeOfAPullIsNotRepeated(t *testing.T) {
	f := newODK()
	f.fill(40, time.Minute)
	f.during["Submit"] = func() error {
		delete(f.during, "Submit")
		return &seeding.Fault{Kind: seeding.Unknown, Code: "Timeout"}
	}
	for range 3 {
		if err := f.work(t); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Minute)
	}
	if len(f.posts) != 1 || len(f.open) != 1 || len(f.coverage.Spans) != 0 {
		t.Errorf("%d requests, %d open, %+v", len(f.posts), len(f.open), f.coverage)
	}
	f.finishes(t)
	f.everyoneOnce(t)
}

// What is older than the start of the connector, and what came in a gap between its
// runs, is pulled too, up to now and not from then on.
func TestNothingBeforeOrBetweenRunsIsLeftOut(t *testing.T) {
	f := newODK()
	f.fill(10, time.Minute)
	f.central.receive(time.Date(2019, 3, 1, 0, 0, 0, 0, time.UTC), "years ago")
	f.finishes(t)
	f.state.Status = seeding.Stopped
	f.central.receive(f.now.Add(time.Hour), "in the gap")
	f.now = f.now.Add(24 * time.Hour)
	f.state.Status = seeding.Running
	f.finishes(t)
	f.everyoneOnce(t)
}

// Windows go by Central's clock, however far it is from ours, and end before its
// now, because submissions can become visible after their date.
func TestWindowsGoByTheClockOfCentral(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour, 90 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			f := newODK()
			f.central.ahead = ahead
			there := f.now.Add(ahead)
			f.central.receive(there.Add(-2*time.Minute), "before")
			f.central.receive(there.Add(-time.Second), "just now")
			run := f.finishes(t)
			if want := there.Add(-seeding.DefaultTimes().WindowLag); run.Looks.Until.Sub(want).Abs() > time.Minute {
				t.Errorf("until %v, want %v", run.Looks.Until, want)
			}
			if got := f.sent(); !slices.Equal(got, []string{"before"}) {
				t.Errorf("sent %q", got)
			}
			f.now = f.now.Add(time.Hour)
			f.finishes(t)
			f.everyoneOnce(t)
		})
	}
}

// What fails again and again holds up nobody, and what is under way is not
// sent again.
func TestRejectedSubmissionsHoldUpNobody(t *testing.T) {
	f := newODK()
	f.fill(60, time.Minute)
	for i := range 50 {
		f.refused = append(f.refused, fmt.Sprintf("uuid:%06d", 59-i)) // the newest, which come first
	}
	f.finishes(t)
	f.everyoneOnce(t)
	f.posts, f.pulled = nil, nil
	for range 3 {
		f.now = f.now.Add(time.Hour)
		f.central.receive(f.now.Add(-10*time.Minute), fmt.Sprint("new", f.now.Unix()))
		f.finishes(t)
	}
	f.everyoneOnce(t)
	if got := f.sent(); len(got) != 3 {
		t.Errorf("%d were sent", len(got))
	}
}

// A batch that MTS lost is sent again by the next pass, and nothing counts as done
// before.
func TestLostWindowIsSentAgain(t *testing.T) {
	f := newODK()
	f.fill(300, time.Minute/3)
	if err := f.oneStep(t); err != nil { // the plan
		t.Fatal(err)
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	b := f.open[0]
	b.State, b.Closed, b.Totals = seeding.Lost, f.now, seeding.Totals{Sent: b.Count}
	if err := f.Close(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	f.finishes(t)
	f.everyoneOnce(t)
	if sent := f.sent(); len(sent) != 600 || len(f.coverage.Spans) == 0 {
		t.Errorf("%d were sent, coverage %+v", len(sent), f.coverage)
	}
}

// A run that leaves somebody pending after its last pass says nothing of what is done.
func TestWhatIsPendingIsNotDone(t *testing.T) {
	f := newODK()
	f.fill(5, time.Minute)
	f.during["MarkSubmitted"] = func() error { f.central.edit("uuid:000002"); return nil } // each time
	run := f.finishes(t)
	if run.Passes != maxPasses || len(f.coverage.Spans) != 0 {
		t.Errorf("%d passes, coverage %+v", run.Passes, f.coverage)
	}
	delete(f.during, "MarkSubmitted")
	f.now = f.now.Add(time.Hour)
	f.finishes(t)
	f.everyoneOnce(t)
	if len(f.coverage.Spans) != 1 {
		t.Errorf("coverage %+v", f.coverage)
	}
}

// Large forms: 50,000 in one window, and more of one millisecond than a batch holds.
func TestLargeWindows(t *testing.T) {
	for name, c := range map[string]struct {
		n     int
		apart time.Duration
		posts int // at least
	}{
		"50,000 in a window":     {50_000, 100 * time.Millisecond, 50},
		"3,000 of a millisecond": {3000, 0, 30},
		"7 of each millisecond":  {5000, time.Millisecond / 7, 5},
	} {
		t.Run(name, func(t *testing.T) {
			f := newODK()
			f.connector.MTS.WidthMaximum, f.mts.Pace = 8, manyWorkers(seeding.Pace{Size: 1000, Proved: 1000, PerRecord: time.Millisecond})
			f.fill(c.n, c.apart)
			run := f.finishes(t)
			f.everyoneOnce(t)
			if run.Totals.Sent != c.n || len(f.sent()) != c.n || len(f.posts) < c.posts {
				t.Errorf("%d sent, %d pulled, in %d requests", run.Totals.Sent, len(f.sent()), len(f.posts))
			}
			for _, r := range f.posts {
				if len(r.Pull.Submissions) > maxIDs {
					t.Errorf("%d ids in a request", len(r.Pull.Submissions))
				}
			}
			if pages := len(f.called("Form.Page")); pages > len(f.posts)+10 && c.apart > 0 {
				t.Errorf("%d pages", pages)
			}
		})
	}
}

// An import looks at a given window, or at everything, asks for every rejection in it,
// and leaves the coverage as it was.
func TestImportOfAWindow(t *testing.T) {
	for name, c := range map[string]struct {
		window seeding.Window
		sent   []string
		looked int
		nobody seeding.Nobody
	}{
		"a window":               {window: seeding.Window{From: dawn, To: dawn.Add(4 * time.Minute)}, sent: []string{"uuid:000003"}, looked: 4},
		"everything":             {sent: []string{"uuid:000003"}, looked: 10},
		"what is done":           {window: seeding.Window{From: dawn, To: dawn.Add(3 * time.Minute)}, looked: 3, nobody: seeding.Holding},
		"a window without any":   {window: seeding.Window{From: dawn.Add(-time.Hour), To: dawn}, nobody: seeding.NoneReceived},
		"one that is yet to end": {window: seeding.Window{From: dawn.Add(2 * time.Minute), To: later.Add(1000 * time.Hour)}, sent: []string{"uuid:000003"}, looked: 8},
	} {
		t.Run(name, func(t *testing.T) {
			f := newODK()
			f.fill(10, time.Minute)
			f.refused = []string{"uuid:000003"}
			f.finishes(t)
			before := f.coverage
			f.posts, f.pulled, f.refused = nil, nil, nil
			f.now = f.now.Add(time.Minute)
			f.state.Due = f.now.Add(100 * time.Hour)
			f.openImport("import")
			run := f.runs["import"]
			run.Selection.Window = c.window
			f.runs["import"] = run
			for range 5 {
				if err := f.work(t); err != nil {
					t.Fatal(err)
				}
				f.patchAll()
			}
			run = f.runs["import"]
			if got := f.sent(); !slices.Equal(got, c.sent) || run.Tally.Looked != c.looked || run.WhyNobody() != c.nobody || run.Completed.IsZero() {
				t.Errorf("sent %q, run %+v", got, run)
			}
			if !f.coverage.Same(before) {
				t.Errorf("coverage %+v", f.coverage)
			}
		})
	}
}

// Failures of Central are a problem of their own, which blocks, and ends when Central is
// read again.
func TestCentralThatFails(t *testing.T) {
	for _, call := range []string{"Form.CheckVID", "Form.Now", "Form.Mark", "Form.Count", "Form.Page", "Pull"} {
		t.Run(call, func(t *testing.T) {
			f := newODK()
			f.fill(10, time.Minute)
			f.during[call] = func() error { return &seeding.Fault{Kind: seeding.RefusedSignIn, Code: "WrongPassword"} }
			f.state.Due = f.now
			if err := f.work(t); err != nil {
				t.Fatal(err)
			}
			p, raised := f.state.Problems[seeding.ProblemODK]
			if !raised || p.Named.Fault != "WrongPassword" || len(f.state.Problems) != 1 || len(f.posts) != 0 || f.registry.OutageAttempts != 0 {
				t.Fatalf("problems %+v", f.state.Problems)
			}
			delete(f.during, call)
			f.finishes(t)
			f.everyoneOnce(t)
			if len(f.state.Problems) != 0 {
				t.Errorf("problems %+v", f.state.Problems)
			}
		})
	}
}

// A registry that failed is looked at again though the form has nothing new.
func TestARegistryThatAnswersAgainWithNothingToSend(t *testing.T) {
	f := newODK()
	f.fill(10, time.Minute)
	f.finishes(t)
	f.state.Problems[seeding.ProblemSignIn] = seeding.Problem{Since: f.now}
	f.now = f.now.Add(time.Hour)
	f.finishes(t)
	if len(f.state.Problems) != 0 {
		t.Errorf("problems %+v", f.state.Problems)
	}
}

// Without tags, a submission that came while another one went is found all the same.
func TestACentralWithoutTags(t *testing.T) {
	f := newODK()
	f.central.marksCount = true
	f.fill(10, time.Minute)
	f.finishes(t)
	f.now = f.now.Add(time.Hour)
	f.central.remove("uuid:000001")
	f.central.receive(f.now.Add(-30*time.Minute), "new")
	f.finishes(t)
	f.everyoneOnce(t)
	f.now = f.now.Add(time.Hour)
	f.calls = nil
	f.finishes(t)
	if got := f.called("Form.Page", "Submit"); len(got) != 0 {
		t.Errorf("an idle run calls %q", got)
	}
}

// What the connector leaves out is neither sent nor looked at.
func TestOlderSubmissionsAreLeftOut(t *testing.T) {
	f := newODK()
	f.fill(20, time.Minute)
	f.connector.ODK.Received = dawn.Add(15 * time.Minute)
	run := f.finishes(t)
	if got := f.sent(); len(got) != 5 || run.Tally.Looked != 5 || !f.coverage.Whole().From.Equal(dawn.Add(15*time.Minute)) {
		t.Errorf("sent %q, coverage %+v", got, f.coverage)
	}
}

// A failure of the storage at any call ends the invocation, and the next one goes on:
// each submission makes one registrant, and what is done is written in the end.
func TestTheStorageMayFailAtAnyCallOfAForm(t *testing.T) {
	begin := func() *fake {
		f := newODK()
		f.connector.MTS.WidthMaximum, f.mts.Pace = 3, manyWorkers(seeding.Pace{Size: 3, Proved: 3, PerRecord: time.Millisecond})
		f.fill(12, time.Minute)
		f.refused = []string{"uuid:000003"}
		f.hold("uuid:000005")
		f.reject(f.central.list[4])
		return f
	}
	end := func(t *testing.T, f *fake) {
		t.Helper()
		f.everyoneOnce(t)
		if sent := f.sent(); len(sent) != len(slices.Compact(slices.Clone(sent))) {
			t.Errorf("sent twice: %q", sent)
		}
		if len(f.coverage.Spans) != 1 || len(f.open) != 0 || len(f.rejections) != 1 && len(f.rejections) != 2 {
			t.Errorf("coverage %+v, %d open, rejections %+v", f.coverage, len(f.open), f.rejections)
		}
	}
	whole := begin()
	whole.refused = append(whole.refused, whole.central.list[4].ID)
	whole.finishes(t)
	end(t, whole)
	remote := []string{"Open", "OpenForm", "Compile", "Submissions", "Tokens", "Submit", "Pull", "Form.CheckVID", "Form.Now", "Form.Mark", "Form.Count", "Form.Page"}
	for i, call := range whole.calls {
		name := strings.Fields(call)[0]
		if slices.Contains(remote, name) {
			continue
		}
		t.Run(fmt.Sprintf("call %d, %s", i+1, name), func(t *testing.T) {
			f := begin()
			f.refused = append(f.refused, f.central.list[4].ID)
			failed := false
			f.during[name] = func() error {
				if !failed && len(f.calls) == i+1 {
					failed = true
					return errStorage
				}
				return nil
			}
			for range 20 {
				err := f.work(t)
				f.patchAll(f.refused...)
				if err != nil {
					f.now = f.now.Add(5 * time.Minute)
				}
				if f.state.Run == "" && len(f.runs) > 0 && err == nil {
					break
				}
			}
			if !failed && name != "Close" {
				t.Fatal("no call failed")
			}
			end(t, f)
		})
	}
}
