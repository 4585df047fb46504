package submit

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A pass has sent what was claimed since it began, and leaves pending what
// nothing was decided about.
func TestWhatAPassCameTo(t *testing.T) {
	closed := func(claimed time.Time, sent, decided int) seeding.Batch {
		return seeding.Batch{Claimed: claimed, Count: sent, Totals: seeding.Totals{Sent: sent, Tokenised: decided}}
	}
	notTaken := seeding.Batch{State: seeding.Failed, Claimed: now, Count: 3}
	for name, c := range map[string]struct {
		closed  []seeding.Batch
		sent    bool
		pending int
	}{
		"nothing was ever sent":                      {},
		"all that was sent is decided":               {[]seeding.Batch{closed(now, 5, 5)}, true, 0},
		"somebody is pending":                        {[]seeding.Batch{closed(later, 5, 4)}, true, 1},
		"two batches of several left somebody":       {[]seeding.Batch{closed(now, 5, 5), closed(now, 5, 4), closed(now, 5, 2)}, true, 4},
		"MTS did not take a batch":                   {[]seeding.Batch{notTaken, closed(now, 5, 5)}, true, 3},
		"a former pass left somebody":                {[]seeding.Batch{closed(earlier, 5, 0)}, false, 0},
		"a former pass left somebody, this one none": {[]seeding.Batch{closed(earlier, 5, 0), closed(later, 5, 5)}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sent, pending := passResult(seeding.Run{PassStarted: now}, c.closed)
			if sent != c.sent || pending != c.pending {
				t.Errorf("sent %v, pending %d; want %v, %d", sent, pending, c.sent, c.pending)
			}
		})
	}
}

// Another pass begins from the first identifier, at most three in a run.
func TestAnotherPass(t *testing.T) {
	for name, c := range map[string]struct {
		passes      int
		pending     int
		blocked     bool
		again       bool
		passesAfter int
	}{
		"nobody is pending":                                   {passes: 1},
		"nobody is pending while there is a problem":          {passes: 1, blocked: true},
		"somebody is pending after the first pass":            {passes: 1, pending: 4, again: true, passesAfter: 2},
		"somebody is pending after the second pass":           {passes: 2, pending: 4, again: true, passesAfter: 3},
		"somebody is pending after the last pass":             {passes: 3, pending: 4},
		"a pass of probes does not count":                     {passes: 1, pending: 4, blocked: true, again: true, passesAfter: 1},
		"a pass of probes is made beyond the last pass, too":  {passes: 3, pending: 4, blocked: true, again: true, passesAfter: 3},
		"somebody is pending after more passes than there be": {passes: 4, pending: 4},
	} {
		t.Run(name, func(t *testing.T) {
			run := seeding.Run{ID: "run", Cursor: 99, PassOver: true, Passes: c.passes, PassStarted: earlier, Expected: 9, Tally: seeding.Tally{Looked: 7}}
			want := run
			if c.again {
				want.Cursor, want.PassOver, want.Passes, want.PassStarted, want.Expected = 0, false, c.passesAfter, now, c.pending
			}
			got, again := nextPass(run, c.pending, c.blocked, now)
			if again != c.again || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, %+v; want %v, %+v", again, got, c.again, want)
			}
		})
	}
}

// At the end of a pass, which began now, some problems end because nobody waits.
func TestProblemsThatNobodyWaitsFor(t *testing.T) {
	sources := func(s ...seeding.Source) []seeding.Source { return s }
	since := func(t time.Time) seeding.Problem { return seeding.Problem{Since: t, Next: later} }
	next := func(t time.Time) seeding.Problem { return seeding.Problem{Since: earlier, Next: t} }
	for name, c := range map[string]struct {
		problems map[seeding.Source]seeding.Problem
		sent     bool
		over     []seeding.Source
	}{
		"there is none": {},
		"those that only an answer would clear end": {
			map[seeding.Source]seeding.Problem{
				seeding.ProblemWrite: since(earlier), seeding.ProblemIdentity: since(earlier), seeding.ProblemAnswers: since(earlier),
			}, false, sources(seeding.ProblemAnswers, seeding.ProblemIdentity, seeding.ProblemWrite),
		},
		"those that speak of many registrants end": {
			map[seeding.Source]seeding.Problem{
				seeding.ProblemAlike: since(earlier), seeding.ProblemPolicy: since(earlier), seeding.ProblemTokens: since(earlier),
			}, false, sources(seeding.ProblemAlike, seeding.ProblemPolicy, seeding.ProblemTokens),
		},
		"one that the pass began with ends":              {map[seeding.Source]seeding.Problem{seeding.ProblemWrite: since(now)}, false, sources(seeding.ProblemWrite)},
		"one that came in the pass has not seen a whole": {map[seeding.Source]seeding.Problem{seeding.ProblemWrite: since(later)}, false, nil},
		"whoever was sent has brought, or brings, an answer": {
			map[seeding.Source]seeding.Problem{
				seeding.ProblemWrite: since(earlier), seeding.ProblemIdentity: since(earlier), seeding.ProblemAnswers: since(earlier),
			}, true, nil,
		},
		"a VID could have been removed, and none was there":      {map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: next(earlier)}, false, sources(seeding.ProblemUnlink)},
		"a VID could have been removed though somebody was sent": {map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: next(earlier)}, true, sources(seeding.ProblemUnlink)},
		"no VID could be removed when the pass began":            {map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: next(now)}, false, nil},
		"no VID can be removed yet":                              {map[seeding.Source]seeding.Problem{seeding.ProblemUnlink: next(later)}, false, nil},
		"those that a page, a POST or a create would clear stay for it": {
			map[seeding.Source]seeding.Problem{
				seeding.ProblemRegistry: next(earlier), seeding.ProblemSignIn: next(earlier), seeding.ProblemRead: next(earlier),
				seeding.ProblemTypes: next(earlier), seeding.ProblemConfig: next(earlier), seeding.ProblemMTS: next(earlier),
			}, false, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unawaitedProblems(c.problems, seeding.Run{PassStarted: now}, c.sent); !slices.Equal(got, c.over) {
				t.Errorf("%q end, want %q", got, c.over)
			}
		})
	}
}

// Problems end at the end of a pass only if no answer is left that could end them.
func TestProblemsEndWhenNobodyWaits(t *testing.T) {
	identity, answers := seeding.ProblemIdentity, seeding.ProblemAnswers
	answer := func(connector, batch string) seeding.BatchRef {
		return seeding.BatchRef{Connector: connector, Batch: batch}
	}
	rejection := func(connector string, kind seeding.RejectionKind) seeding.Rejection {
		return seeding.Rejection{Connector: connector, Kind: kind, Configured: 3, Since: now, LastAttempt: now, Subject: joMember.Subject()}
	}
	for name, c := range map[string]struct {
		answers    []seeding.BatchRef
		rejections []seeding.Rejection
		left       []seeding.Source
	}{
		"nothing is left":                                      {},
		"an answer of another connector is left":               {answers: []seeding.BatchRef{answer("d", "b1")}},
		"an answer is left":                                    {answers: []seeding.BatchRef{answer("c", "b1")}, left: []seeding.Source{answers, identity}},
		"an answer is left behind another connector's":         {answers: []seeding.BatchRef{answer("d", "b1"), answer("c", "b2")}, left: []seeding.Source{answers, identity}},
		"somebody who was lost alone waits for the next try":   {rejections: []seeding.Rejection{rejection("c", seeding.NoToken)}, left: []seeding.Source{answers}},
		"somebody of another connector was lost alone":         {rejections: []seeding.Rejection{rejection("d", seeding.NoToken)}},
		"somebody waits for another reason than a lost answer": {rejections: []seeding.Rejection{rejection("c", seeding.Refused)}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: earlier, Passes: 1, PassStarted: earlier, PassOver: true}
			f.state.Problems[identity] = seeding.Problem{Since: earlier.Add(-time.Hour), Next: now}
			f.state.Problems[answers] = seeding.Problem{Since: earlier.Add(-time.Hour), Next: now}
			f.vids = []seeding.Identifier{joVID}
			f.answers, f.rejections = c.answers, c.rejections
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if left := slices.Sorted(maps.Keys(f.state.Problems)); !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
			if f.state.Run != "" {
				t.Error("the run is not completed")
			}
		})
	}
}

// A problem that speaks of many registrants ends when none of them is rejected for it
// any more: they were corrected, or deleted.
func TestProblemOfManyEndsWithTheLastOfThem(t *testing.T) {
	about := map[seeding.Source]seeding.Rejection{
		seeding.ProblemAlike:  {Kind: seeding.Refused, Code: "IDA-DEA-001"},
		seeding.ProblemTokens: {Kind: seeding.Refused, Code: seeding.CodeTokenShape},
		seeding.ProblemPolicy: {Kind: seeding.Conflict, Code: seeding.CodeOtherToken},
	}
	other := seeding.Rejection{Kind: seeding.Conflict, Code: seeding.CodeVIDChanged}
	for source, rejection := range about {
		for _, c := range []struct {
			name      string
			rejection seeding.Rejection
			connector string
			left      bool
		}{
			{"one is left", rejection, "c", true},
			{"one of another connector is left", rejection, "d", false},
			{"one is rejected for something else", other, "c", false},
		} {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: earlier, Passes: 1, PassStarted: earlier, PassOver: true}
			f.state.Problems[source] = seeding.Problem{Since: earlier.Add(-time.Hour)}
			c.rejection.Connector, c.rejection.Configured, c.rejection.Subject = c.connector, 3, joMember.Subject()
			f.vids, f.rejections = []seeding.Identifier{joVID}, []seeding.Rejection{c.rejection}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if _, left := f.state.Problems[source]; left != c.left {
				t.Errorf("%s, %s: left %v", source, c.name, left)
			}
		}
	}
}

// An answer that cannot be read is itself what "set_aside" shows, and cannot end any
// other problem.
func TestAnswerThatCannotBeReadKeepsItsProblem(t *testing.T) {
	for name, c := range map[string]struct {
		damaged *seeding.DamagedAnswer
		left    []seeding.Source
	}{
		"there is none":              {nil, nil},
		"it is of the connector":     {&seeding.DamagedAnswer{Connector: "c"}, []seeding.Source{seeding.ProblemSetAside}},
		"it is of another connector": {&seeding.DamagedAnswer{Connector: "d"}, nil},
		"nobody knows whose it is":   {&seeding.DamagedAnswer{}, nil}, // nobody shows it
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run = "run"
			f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: earlier, Passes: 1, PassStarted: earlier, PassOver: true}
			for _, source := range []seeding.Source{seeding.ProblemSetAside, seeding.ProblemTokens} {
				f.state.Problems[source] = seeding.Problem{Since: earlier.Add(-time.Hour)}
			}
			f.vids, f.damaged, f.answers = []seeding.Identifier{joVID}, c.damaged, []seeding.BatchRef{{Connector: "d", Batch: "b1"}}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if left := slices.Sorted(maps.Keys(f.state.Problems)); !slices.Equal(left, c.left) || !f.nudge.IsZero() {
				t.Errorf("left %q, want %q; due at %v", left, c.left, f.nudge)
			}
		})
	}
}

// At the end of a pass the run is completed with the totals of its batches, or
// begins another pass. The batches of other runs are none of its own.
func TestTheEndOfAPass(t *testing.T) {
	closed := func(run string, claimed time.Time, t seeding.Totals) seeding.Batch {
		return seeding.Batch{Ref: seeding.BatchRef{Connector: "c", Run: run}, State: seeding.Lost, Claimed: claimed, Count: t.Sent, Totals: t}
	}
	former := closed("run", earlier.Add(-time.Minute), seeding.Totals{Sent: 10, Tokenised: 4, Refused: 1})
	pass := closed("run", earlier, seeding.Totals{Sent: 5, Tokenised: 3, Duplicate: 2})
	lost := closed("run", now, seeding.Totals{Sent: 1})
	others := closed("import", now, seeding.Totals{Sent: 100})
	both := former.Totals.Plus(pass.Totals)
	for name, c := range map[string]struct {
		closed    []seeding.Batch
		uncounted bool // a version before opened the run
		completed bool
		totals    seeding.Totals
	}{
		"nothing was sent":                {nil, false, true, seeding.Totals{}},
		"all is decided":                  {[]seeding.Batch{former, pass}, false, true, both},
		"all is decided, and not counted": {[]seeding.Batch{former, pass}, true, true, both},
		"somebody is pending":             {[]seeding.Batch{former, pass, lost}, false, false, both.Plus(lost.Totals)},
		"somebody else's is pending":      {[]seeding.Batch{pass, others}, false, true, pass.Totals},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Run, f.closed = "run", c.closed
			run := seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now.Add(-10 * time.Minute), Passes: 1, PassStarted: earlier, PassOver: true, Cursor: 9}
			var own []seeding.Batch
			for _, b := range c.closed {
				if b.Ref.Run == run.ID {
					own = append(own, b)
				}
			}
			counted := run.CountedBy(own)
			if run = counted; c.uncounted {
				run.Totals, run.Batches, run.Closed, run.SentBefore, run.Again, run.Uncounted = seeding.Totals{}, 0, 0, 0, 0, true
			}
			f.runs["run"] = run
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			want, due := counted, now
			want.Fence, want.Uncounted = 1, c.uncounted
			if want.Totals != c.totals {
				t.Errorf("totals %+v, want %+v", want.Totals, c.totals)
			}
			if c.completed {
				want.Completed, due = now, now.Add(5*time.Minute)
			} else {
				want.Passes, want.PassStarted, want.PassOver, want.Cursor, want.Expected = 2, now, false, 0, 1
				want.SentBefore, want.Again = 16, 6
			}
			if got := f.runs["run"]; !reflect.DeepEqual(got, want) {
				t.Errorf("run %+v, want %+v", got, want)
			}
			if !f.state.Due.Equal(due) {
				t.Errorf("due in %v, want %v", f.state.Due.Sub(now), due.Sub(now))
			}
		})
	}
}

// A run that sends nobody ends with the reason, whatever it is: registrants in
// another connector's open batch are as silent as those who are rejected.
func TestRunThatSendsNobodyEndsWithTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(f *fake)
		want    seeding.Nobody
		tally   seeding.Tally
	}{
		"in another connector's open batch": {func(f *fake) {
			f.open = []seeding.Batch{{
				Ref: seeding.BatchRef{Registry: f.registry.Key, Connector: "d", Run: "r", Batch: "b"}, State: seeding.Submitted,
				Members: []seeding.Member{{Registrant: 1, Identifier: 11}, {Registrant: 2, Identifier: 12}, {Registrant: 3, Identifier: 13}},
			}}
		}, seeding.InBatch, seeding.Tally{Looked: 3, InBatch: 3}},
		"rejected and not due": {func(f *fake) {
			for r := range int64(3) {
				f.rejections = append(f.rejections, seeding.Rejection{
					Connector: "c", Subject: seeding.Member{Registrant: r + 1, Identifier: r + 11}.Subject(), Kind: seeding.Duplicate, Holder: 9, Configured: 3,
					FingerprintKey: currentKey.ID,
					Fingerprint:    seeding.FingerprintOf(currentKey, fieldMapper{}.Map(withVID(f.records[r+1], f.vids[r].Value))),
				})
			}
			f.tokens = []seeding.Identifier{{ID: 99, Registrant: 9, Value: aToken}}
		}, seeding.Rejected, seeding.Tally{Looked: 3, Rejected: 3}},
		"they hold a token, and keep their VIDs": {func(f *fake) {
			f.connector.Output.RemoveVIDs = false
			for r := range int64(3) {
				f.tokens = append(f.tokens, seeding.Identifier{ID: 90 + r, Registrant: r + 1, Value: aToken})
			}
		}, seeding.Holding, seeding.Tally{Looked: 3, Holding: 3}},
		"invalid": {func(f *fake) {
			f.connector.Source.Mandatory = []string{"name"}
			for r := range int64(3) {
				f.records[r+1] = seeding.Record{}
			}
		}, seeding.AllInvalid, seeding.Tally{Looked: 3, Invalid: 3}},
		"no VID": {func(f *fake) { f.vids = nil }, seeding.NoVID, seeding.Tally{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1, 2, 3)
			c.prepare(f)
			if err := f.work(t); err != nil {
				t.Fatal(err)
			}
			run := f.runs["id2"]
			if run.Completed.IsZero() || run.WhyNobody() != c.want || run.Tally != c.tally || len(f.posts) > 0 {
				t.Errorf("%q, %+v, %d sent", run.WhyNobody(), run, len(f.posts))
			}
		})
	}
}

// The VIDs of a wave of which a part is claimed are counted once each.
func TestTallyOfAWaveThatIsClaimedInPart(t *testing.T) {
	chosen := make([]candidate, 4)
	for i := range chosen {
		chosen[i].member.Identifier = int64(i)
		chosen[i].tally = seeding.Tally{Looked: 3 * (i + 1), InBatch: i + 1, Holding: i + 1}
	}
	all := selection{chosen: chosen, run: seeding.Run{Tally: seeding.Tally{Looked: 14, InBatch: 6, Holding: 4, Invalid: 1, Removed: 3}}}
	parts := all.split(sizes{first: 2, others: 2, count: 2})
	if want := (seeding.Tally{Looked: 6, InBatch: 2, Holding: 2, Removed: 3}); parts[0].run.Tally != want {
		t.Errorf("first %+v, want %+v", parts[0].run.Tally, want)
	}
	if parts[1].run.Tally != all.run.Tally {
		t.Errorf("last %+v", parts[1].run.Tally)
	}
}

// Who was rejected unsent with a page of which a part, or nobody, was claimed is met
// again, and is counted as that all the same: once.
func TestWhoIsRejectedWithAPageThatIsClaimedInPartIsCountedOnce(t *testing.T) {
	for name, refused := range map[string]int{"no claim": 1, "the second claim": 2} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.connector.MTS.WidthMaximum, f.mts.Pace, f.mts.Heard = 8, manyWorkers(seeding.Pace{Size: 2, Proved: 2}), now
			f.connector.Source.Mandatory = []string{"name"}
			f.add(1, 2, 3, 4, 5, 6)
			for _, nameless := range []int64{2, 5} {
				delete(f.records[nameless], "name")
			}
			claims := 0
			f.during["Claim"] = func() error {
				if claims++; claims == refused {
					return seeding.ErrConflict
				}
				return nil
			}
			for range 4 {
				if err := f.oneStep(t); err != nil {
					t.Fatal(err)
				}
			}
			sent := 0
			for _, b := range f.open {
				sent += b.Count
			}
			if got, want := f.runs["id2"].Tally, (seeding.Tally{Looked: 6, Invalid: 2}); got != want || sent != 4 {
				t.Errorf("%d sent, %+v; want %+v", sent, got, want)
			}
		})
	}
}
