package patch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// rejectionOf is a present rejection of a registrant.
func rejectionOf(registrant int64, kind seeding.RejectionKind, code string) seeding.Rejection {
	return seeding.Rejection{Registry: registryKey, Connector: "c", Subject: sentRow(registrant).Subject, Kind: kind, Code: code, Attempts: 1, Version: 4}
}

// The order of reading and writing (infra/protocol.md, "Patch" 3 and 4): the
// batch is closed before a VID goes, and the answer is deleted last.
func TestTheOrderOfReadingAndWriting(t *testing.T) {
	f := newFake()
	f.state.Problems[seeding.ProblemWrite] = seeding.Problem{}
	f.rejections = []seeding.Rejection{rejectionOf(1, seeding.Refused, "IDA-MLC-004")}
	f.says(withToken(1, "A"), withError(2, "IDA-MLC-004"))
	f.patch(t)
	want := []string{
		"TakePatch", "NextAnswer", "AnswerParts", "Batch", "Connector", "State", "ByID", "Open",
		"Identifiers", "TokenHolders", "HoldPatch", "Create", "Identifiers",
		"Rejections", "PutRejections", "DeleteRejections", "Close", "MTSState", "SavePace", "ClearProblems",
		"Remove", "DeleteParts",
		"NextAnswer", "LeavePatch", "NextAnswer",
	}
	if !slices.Equal(f.calls, want) {
		t.Errorf("calls\n%q, want\n%q", f.calls, want)
	}
	if !slices.Equal(f.registry.tokens, identifiers{holds(1, "A")}) || len(f.registry.vids) != 1 || f.registry.vids[0].Registrant != 2 {
		t.Errorf("the registry has the tokens %v and the VIDs %v", f.registry.tokens, f.registry.vids)
	}
	if len(f.rejections) != 1 || f.rejections[0].Registrant != 2 || f.rejections[0].Kind != seeding.Refused || f.rejections[0].Configured != 3 {
		t.Errorf("rejections %+v", f.rejections)
	}
	b := f.batches[batch]
	if b.State != seeding.Patched || !b.Closed.Equal(now) || b.Totals != (seeding.Totals{Sent: 2, Tokenised: 1, Refused: 1}) {
		t.Errorf("the batch is %s at %v with %+v", b.State, b.Closed, b.Totals)
	}
	measured := map[string]float64{
		seeding.MetricTokenised: 1, seeding.MetricRejected + string(seeding.Refused): 1, seeding.MetricSecondsToToken: 3600,
	}
	if !maps.Equal(f.measured, measured) || f.mts.Size != 4 {
		t.Errorf("measured %v, the next batch has %d", f.measured, f.mts.Size)
	}
}

// An answer without rows that could be created, or without rows, asks the
// registry for no more than it needs.
func TestReadingThatIsNotNeeded(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []seeding.Row
		want []string // calls of the registry
		left seeding.BatchState
	}{
		{"no token came", []seeding.Row{withError(1, "IDA-MLC-004")}, []string{"Identifiers"}, seeding.Patched},
		{"no row fits", []seeding.Row{{Subject: sentRow(1).Subject, Token: "A", Status: seeding.RowProcessed}}, []string{"Identifiers"}, seeding.Submitted},
		{"no row is of a member", []seeding.Row{withToken(3, "C")}, nil, seeding.Submitted},
		{"no rows", nil, nil, seeding.Submitted},
	} {
		f := newFake()
		f.says(c.rows...)
		f.patch(t)
		var got []string
		for _, call := range f.calls {
			if slices.Contains([]string{"Identifiers", "TokenHolders", "Create", "Remove"}, call) {
				got = append(got, call)
			}
		}
		if !slices.Equal(got, c.want) || f.batches[batch].State != c.left || len(f.answers) > 0 {
			t.Errorf("%s: %q, want %q; the batch is %s", c.name, got, c.want, f.batches[batch].State)
		}
	}
}

// The pace follows how long MTS had the batch, until the first part of its answer
// came, and how fast records are patched; not how long the answer waited.
func TestThePaceFollowsTheAnswer(t *testing.T) {
	const tick = 10 * time.Millisecond
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name     string
		received []time.Duration // before now, of the parts in their order
		deadline time.Duration   // before now
		answered time.Duration   // before now
		size     int             // of the next batch
	}{
		{"of one part", []time.Duration{3 * tick}, -time.Second, 3 * tick, 4},
		{"of the first of two", []time.Duration{5 * tick, 3 * tick}, -time.Second, 5 * tick, 4},
		{"of the first, which is not the first in order", []time.Duration{3 * tick, 5 * tick}, -time.Second, 5 * tick, 4},
		{"that waited until after the deadline: in time", []time.Duration{5 * tick}, 4 * tick, 5 * tick, 4},
		{"that came after the deadline", []time.Duration{3 * tick}, 4 * tick, 3 * tick, 2},
		{"of which a part came in time", []time.Duration{3 * tick, 5 * tick}, 4 * tick, 5 * tick, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			b := f.batches[batch]
			b.Claimed, b.Since, b.Submitted, b.Deadline = at(9*tick), at(10*tick), at(8*tick), at(c.deadline)
			b.Delivered, f.mts.Delivered = 100, 106
			f.batches[batch] = b
			delete(f.answers, batch)
			for i, received := range c.received {
				f.answered(part("x", i+1, len(c.received)), withToken(int64(i)+1, fmt.Sprint(i)))
				f.answers[batch][i].Received = at(received)
			}
			f.patch(t)
			if b := f.batches[batch]; !b.Answered.Equal(at(c.answered)) || !b.Closed.Equal(now) {
				t.Errorf("answered %v ago, closed %v ago", now.Sub(b.Answered), now.Sub(b.Closed))
			}
			each := (9*tick - c.answered) / 2
			if f.mts.Single != each || f.mts.PerRecord != each || f.mts.Interval != 10*tick/8 || f.mts.Size != c.size {
				t.Errorf("%+v", f.mts.Pace)
			}
		})
	}
}

// When the batch is closed, and what is counted once (infra/protocol.md,
// "Patch" 4 and 5).
func TestWhatIsCounted(t *testing.T) {
	first, second := part("x", 1, 2), part("x", 2, 2)
	one := seeding.Totals{Tokenised: 1}
	change := func(f *fake, change func(*seeding.Batch)) {
		b := f.batches[batch]
		change(&b)
		f.batches[batch] = b
	}
	for _, c := range []struct {
		name   string
		parts  []seeding.AnswerPart // the first one has registrant 1, the second one 2
		change func(*fake)
		state  seeding.BatchState
		totals seeding.Totals
		parts2 int // counted, afterwards
		pace   int // size of the next batch
	}{
		{"all parts are there: closed", []seeding.AnswerPart{first, second}, nil,
			seeding.Patched, seeding.Totals{Sent: 2, Tokenised: 2}, 2, 4},
		{"one part is missing before the deadline: counted, and open", []seeding.AnswerPart{first}, nil,
			seeding.Submitted, one, 1, 2},
		{"one part is missing just before the deadline: counted, and open", []seeding.AnswerPart{first}, func(f *fake) {
			change(f, func(b *seeding.Batch) { b.Deadline = now.Add(1) })
		}, seeding.Submitted, one, 1, 2},
		{"one part is missing at the deadline: closed", []seeding.AnswerPart{first}, func(f *fake) {
			change(f, func(b *seeding.Batch) { b.Deadline = now })
		}, seeding.Patched, seeding.Totals{Sent: 2, Tokenised: 1}, 1, 4},
		{"the missing part comes: closed, with what was counted before", []seeding.AnswerPart{second}, func(f *fake) {
			change(f, func(b *seeding.Batch) { b.Parts, b.Totals = []string{first.ID()}, one })
		}, seeding.Patched, seeding.Totals{Sent: 2, Tokenised: 2}, 2, 4},
		{"of an answer that comes late: added to the closed batch", []seeding.AnswerPart{first, second}, func(f *fake) {
			change(f, func(b *seeding.Batch) { b.State, b.Totals = seeding.Lost, seeding.Totals{Sent: 2} })
		}, seeding.Lost, seeding.Totals{Sent: 2, Tokenised: 2}, 2, 2},
		{"of an answer that was counted: the tokens that are missing", []seeding.AnswerPart{first, second}, func(f *fake) {
			change(f, func(b *seeding.Batch) {
				b.State, b.Totals, b.Parts = seeding.Patched, seeding.Totals{Sent: 2}, []string{first.ID(), second.ID()}
			})
		}, seeding.Patched, seeding.Totals{Sent: 2}, 2, 2},
		{"reconcile closes the batch meanwhile: a late answer", []seeding.AnswerPart{first, second}, func(f *fake) {
			f.during["Close"] = func() error {
				change(f, func(b *seeding.Batch) { b.State, b.Totals = seeding.Lost, seeding.Totals{Sent: 2} })
				return nil
			}
		}, seeding.Lost, seeding.Totals{Sent: 2, Tokenised: 2}, 2, 2},
		{"another part is counted meanwhile: it stays open", []seeding.AnswerPart{first, second}, func(f *fake) {
			f.during["Close"] = func() error {
				change(f, func(b *seeding.Batch) { b.Parts = []string{part("y", 1, 2).ID()} })
				return nil
			}
		}, seeding.Submitted, seeding.Totals{}, 1, 2},
		{"a late part is counted meanwhile: not twice", []seeding.AnswerPart{first}, func(f *fake) {
			change(f, func(b *seeding.Batch) { b.State = seeding.Lost })
			f.during["CountParts"] = func() error {
				change(f, func(b *seeding.Batch) { b.Parts, b.Totals = []string{first.ID()}, one })
				return nil
			}
		}, seeding.Lost, one, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			delete(f.answers, batch)
			for _, p := range c.parts {
				f.answered(p, withToken(int64(p.Part), fmt.Sprintf("T%d", p.Part)))
			}
			if c.change != nil {
				c.change(f)
			}
			f.patch(t)
			b := f.batches[batch]
			if b.State != c.state || b.Totals != c.totals || len(b.Parts) != c.parts2 {
				t.Errorf("%s with %+v and the parts %q", b.State, b.Totals, b.Parts)
			}
			if f.mts.Size != c.pace {
				t.Errorf("the next batch has %d, want %d", f.mts.Size, c.pace)
			}
			if len(f.answers) > 0 || len(f.registry.tokens) != len(c.parts) {
				t.Errorf("%d answers left, tokens %v", len(f.answers), f.registry.tokens)
			}
		})
	}
}

// What a call of the registry that fails makes of an answer (infra/protocol.md,
// "Patch" 7 and 8): an outage, or a problem with which the answer waits.
func TestCallsThatFail(t *testing.T) {
	secondLook := func(err error) func(*fake) {
		return func(f *fake) {
			f.during["Create"] = func() error { f.during["Identifiers"] = once(err); return nil }
		}
	}
	first := func(call string) func(error) func(*fake) {
		return func(err error) func(*fake) { return func(f *fake) { f.during[call] = once(err) } }
	}
	calls := map[string]struct {
		fails   func(error) func(*fake)
		refused seeding.Source // the problem of a refusal that has no name of its own
	}{
		"the first look":     {first("Identifiers"), seeding.ProblemRead},
		"a look for holders": {first("TokenHolders"), seeding.ProblemRead},
		"a create":           {first("Create"), seeding.ProblemWrite},
		"the second look":    {secondLook, seeding.ProblemRead},
	}
	for name, call := range calls {
		for kind, want := range map[seeding.FaultKind]seeding.Source{
			seeding.Unknown: seeding.ProblemRegistry, seeding.Unreachable: seeding.ProblemRegistry,
			seeding.RefusedSignIn: seeding.ProblemSignIn, seeding.RefusedTypes: seeding.ProblemTypes,
			seeding.RefusedRights: "", seeding.RefusedSchema: "", seeding.RefusedRequest: "",
		} {
			t.Run(fmt.Sprintf("%s: %s", name, kind), func(t *testing.T) {
				f := newFake()
				call.fails(&seeding.Fault{Kind: kind, Code: "X"})(f)
				f.patch(t)
				want := cmp.Or(want, call.refused)
				problem, raised := f.state.Problems[want]
				if !raised || len(f.state.Problems) != 1 || problem.Attempts != 1 || !problem.Next.Equal(now.Add(time.Minute)) {
					t.Errorf("problems %+v, want %s", f.state.Problems, want)
				}
				b := f.batches[batch]
				if outage := want == seeding.ProblemRegistry; outage {
					if !f.lease.OutageUntil.Equal(now.Add(time.Minute)) || f.lease.OutageAttempts != 1 || !b.NotBefore.IsZero() {
						t.Errorf("an outage until %v after %d attempts; the answer waits until %v", f.lease.OutageUntil, f.lease.OutageAttempts, b.NotBefore)
					}
				} else if !f.lease.OutageUntil.IsZero() || !b.NotBefore.Equal(problem.Next) || b.Attempts != 0 {
					t.Errorf("an outage until %v; the answer waits until %v after %d failures", f.lease.OutageUntil, b.NotBefore, b.Attempts)
				}
				if !b.State.Open() || len(f.answers) != 1 || len(f.rejections) > 0 {
					t.Errorf("the batch is %s, %d answers left, rejections %+v", b.State, len(f.answers), f.rejections)
				}

				// Too early, and then it is over.
				calls := f.called("Identifiers")
				f.patch(t)
				if f.called("Identifiers") != calls {
					t.Error("tried again before its time")
				}
				f.now = now.Add(10 * time.Minute)
				f.patch(t)
				if b := f.batches[batch]; b.State != seeding.Patched || b.Totals != (seeding.Totals{Sent: 2, Tokenised: 2}) {
					t.Errorf("afterwards the batch is %s with %+v", b.State, b.Totals)
				}
				if len(f.registry.tokens) != 2 || len(f.registry.vids) > 0 || len(f.answers) > 0 || len(f.state.Problems) > 0 {
					t.Errorf("afterwards the registry has %v and %v, %d answers left, problems %v", f.registry.tokens, f.registry.vids, len(f.answers), f.state.Problems)
				}
				if !f.lease.OutageUntil.IsZero() || f.lease.OutageAttempts != 0 {
					t.Errorf("afterwards an outage until %v", f.lease.OutageUntil)
				}
			})
		}
	}
}

// Outages in a row last ever longer, up to a quarter of an hour.
func TestOutagesInARow(t *testing.T) {
	f := newFake()
	f.during["Identifiers"] = func() error { return &seeding.Fault{Kind: seeding.Unreachable} }
	for i, minutes := range []time.Duration{1, 2, 4, 8, 15, 15} {
		f.patch(t)
		if got := f.lease.OutageUntil.Sub(f.now); got != minutes*time.Minute || f.lease.OutageAttempts != i+1 {
			t.Errorf("after %d failures it lasts %v, want %d min", f.lease.OutageAttempts, got, minutes)
		}
		f.now = f.lease.OutageUntil
	}
}

// A connector that cannot be run has its problem, and its answer waits with it;
// answers of others go on.
func TestConnectorsThatCannotBeRun(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"the keys cannot be read":     func(f *fake) { f.during["ByID"] = once(errStorage) },
		"the registry's password":     func(f *fake) { f.during["Open"] = once(seeding.ErrNotFound) },
		"the registry cannot be used": func(f *fake) { f.during["Open"] = once(errStorage) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			change(f)
			f.patch(t)
			b, problem := f.batches[batch], f.state.Problems[seeding.ProblemConfig]
			if problem.Text == "" || !b.NotBefore.Equal(problem.Next) || b.Attempts != 0 || len(f.answers) != 1 || f.called("Identifiers") > 0 {
				t.Errorf("problems %+v, the answer waits until %v", f.state.Problems, b.NotBefore)
			}
			f.now = problem.Next
			f.patch(t)
			if len(f.answers) > 0 || len(f.state.Problems) > 0 {
				t.Errorf("afterwards %d answers left, problems %+v", len(f.answers), f.state.Problems)
			}
		})
	}
	t.Run("the key of the rows is gone: nothing fits, and all stay pending", func(t *testing.T) {
		f := newFake()
		b := f.batches[batch]
		b.RowKey = "gone"
		f.batches[batch] = b
		f.patch(t)
		b = f.batches[batch]
		if b.State != seeding.Patched || b.Totals != (seeding.Totals{Sent: 2}) || len(f.registry.tokens) > 0 || len(f.state.Problems) > 0 {
			t.Errorf("%s with %+v, tokens %v, problems %v", b.State, b.Totals, f.registry.tokens, f.state.Problems)
		}
	})
}

// What an answer says of the system, and of the policy.
func TestProblemsThatAnAnswerShows(t *testing.T) {
	for _, c := range []struct {
		name   string
		rows   []seeding.Row
		change func(*fake)
		want   []seeding.Source // that are left
	}{
		{"MOSIP refuses everybody", []seeding.Row{withError(1, "IDA-MPA-005"), withError(2, "IDA-MPA-005")}, nil, []seeding.Source{seeding.ProblemIdentity}},
		{"MOSIP refuses one and answers for another", []seeding.Row{withError(1, "IDA-MPA-005"), withToken(2, "B")}, nil, nil},
		{"MOSIP answers again", []seeding.Row{withToken(1, "A"), withToken(2, "B")}, func(f *fake) {
			f.state.Problems[seeding.ProblemIdentity] = seeding.Problem{Attempts: 4}
		}, nil},
		{"three hold other tokens, and nobody got one", []seeding.Row{withToken(1, "A"), withToken(2, "B"), withToken(3, "C")}, func(f *fake) {
			f.sent(1, 2, 3)
			f.registry.vids = append(f.registry.vids, sentVID(3))
			f.registry.tokens = identifiers{holds(1, "X"), holds(2, "Y"), holds(3, "Z")}
		}, []seeding.Source{seeding.ProblemPolicy}},
		{"three hold what is no token: that says nothing of the policy", []seeding.Row{withToken(1, "A"), withToken(2, "B"), withToken(3, "C")}, func(f *fake) {
			f.sent(1, 2, 3)
			f.registry.vids = append(f.registry.vids, sentVID(3))
			f.registry.tokens = identifiers{holds(1, "no token"), holds(2, "no token"), holds(3, "")}
		}, nil},
		{"a token is created without a conflict", []seeding.Row{withToken(1, "A")}, func(f *fake) {
			f.state.Problems[seeding.ProblemPolicy] = seeding.Problem{}
		}, nil},
		{"a token is created beside a conflict", []seeding.Row{withToken(1, "A"), withToken(2, "B")}, func(f *fake) {
			f.registry.tokens = identifiers{holds(2, "Y")}
			f.state.Problems[seeding.ProblemPolicy] = seeding.Problem{}
		}, []seeding.Source{seeding.ProblemPolicy}},
		{"what it says nothing about stays", []seeding.Row{withError(1, "IDA-MLC-004")}, func(f *fake) {
			f.state.Problems[seeding.ProblemWrite], f.state.Problems[seeding.ProblemMTS] = seeding.Problem{}, seeding.Problem{}
		}, []seeding.Source{seeding.ProblemMTS, seeding.ProblemWrite}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			if c.change != nil {
				c.change(f)
			}
			f.says(c.rows...)
			f.patch(t)
			if got := slices.Sorted(maps.Keys(f.state.Problems)); !slices.Equal(got, c.want) {
				t.Errorf("%v are left, want %v", got, c.want)
			}
			if len(f.answers) > 0 {
				t.Errorf("%d answers left", len(f.answers))
			}
		})
	}
}

// Three creates refused alike are the connector's problem: nobody is rejected,
// and the answer waits with it.
func TestCreatesThatAreRefusedWhoeverTheyAreFor(t *testing.T) {
	f := newFake()
	f.lease.RefusedAlike, f.lease.RefusedCode = 1, "ValidationError"
	f.registry.create = func([]seeding.NewToken) error {
		return &seeding.Fault{Kind: seeding.RefusedData, Code: "ValidationError"}
	}
	f.patch(t)
	problem := f.state.Problems[seeding.ProblemWrite]
	if problem.Attempts != 1 || len(f.rejections) > 0 || len(f.answers) != 1 || !f.batches[batch].NotBefore.Equal(problem.Next) {
		t.Errorf("problems %+v, rejections %+v, %d answers left", f.state.Problems, f.rejections, len(f.answers))
	}
	f.registry.create, f.now = nil, problem.Next
	f.patch(t)
	if len(f.state.Problems) > 0 || len(f.registry.tokens) != 2 || f.lease.RefusedAlike != 0 {
		t.Errorf("afterwards problems %+v, tokens %v, %d refused alike", f.state.Problems, f.registry.tokens, f.lease.RefusedAlike)
	}
}

// Removing the VIDs that were sent (infra/protocol.md, "Patch" 4): with the
// connector's setting submit tries again what is left, without it the answer
// waits.
func TestVIDsAreRemoved(t *testing.T) {
	refusal := &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"}
	soon := seeding.Problem{Attempts: 2, Next: now.Add(1)}
	for _, c := range []struct {
		name    string
		setting bool // the connector removes VIDs
		raised  *seeding.Problem
		fault   error

		removes bool // it makes an attempt
		left    int  // VIDs
		answers int
		stays   bool // the problem
	}{
		{"with the setting", true, nil, nil, true, 0, 0, false},
		{"without the setting too: they were sent", false, nil, nil, true, 0, 0, false},
		{"with the setting, refused", true, nil, refusal, true, 2, 0, true},
		{"without the setting, refused: the answer waits", false, nil, refusal, true, 2, 1, true},
		{"with the setting, while there is the problem: attempted nevertheless", true, &soon, nil, true, 0, 0, false},
		{"without the setting, while there is the problem: not before its next attempt", false, &soon, nil, false, 2, 1, true},
		{"without the setting, at the problem's next attempt", false, &seeding.Problem{Next: now}, nil, true, 0, 0, false},
		{"with the setting, the registry is away: the answer waits for it", true, nil, &seeding.Fault{Kind: seeding.Unreachable}, true, 2, 1, false},
		{"with the setting, the sign-in is refused: left to submit", true, nil, &seeding.Fault{Kind: seeding.RefusedSignIn}, true, 2, 0, false},
		{"without the setting, the sign-in is refused: the answer waits with that problem", false, nil, &seeding.Fault{Kind: seeding.RefusedSignIn}, true, 2, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			f.connector.Output.RemoveVIDs = c.setting
			if c.raised != nil {
				f.state.Problems[seeding.ProblemUnlink] = *c.raised
			}
			if c.fault != nil {
				f.during["Remove"] = once(c.fault)
			}
			f.patch(t)
			if removes := f.called("Remove") > 0; removes != c.removes || len(f.registry.vids) != c.left || len(f.answers) != c.answers {
				t.Errorf("attempted %v, %d VIDs and %d answers left", removes, len(f.registry.vids), len(f.answers))
			}
			problem, raised := f.state.Problems[seeding.ProblemUnlink]
			if raised != c.stays {
				t.Errorf("problems %+v", f.state.Problems)
			}
			if raised && c.answers > 0 && !f.batches[batch].NotBefore.Equal(problem.Next) {
				t.Errorf("the answer waits until %v, the problem's next attempt is at %v", f.batches[batch].NotBefore, problem.Next)
			}
			b := f.batches[batch]
			if b.State != seeding.Patched || b.Totals.Tokenised != 2 {
				t.Errorf("the batch is %s with %+v", b.State, b.Totals)
			}
			if c.answers == 0 {
				return
			}
			// Later nothing is counted again, and only the VIDs are left to do.
			f.now, f.calls = now.Add(time.Hour), nil
			f.patch(t)
			if len(f.registry.vids) > 0 || len(f.answers) > 0 || f.called("Create")+f.called("PutRejections")+f.called("CountParts")+f.called("Close") > 0 {
				t.Errorf("later %d VIDs and %d answers are left after %q", len(f.registry.vids), len(f.answers), f.calls)
			}
			if after := f.batches[batch]; after.Totals != b.Totals || len(f.state.Problems) > 0 {
				t.Errorf("later %+v, problems %+v", after.Totals, f.state.Problems)
			}
		})
	}
}

// One refused removal is enough for all answers that wait.
func TestOneRefusedRemovalPerAttempt(t *testing.T) {
	f := newFake()
	f.connector.Output.RemoveVIDs = false
	f.during["Remove"] = func() error { return &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"} }
	other := f.batches[batch]
	other.Ref.Batch = "b2"
	f.batches["b2"] = other
	again := rowMade(key, "b2", sentRow(2).Member, sentVID(2).Value)
	f.says(withToken(1, "A"))
	f.answers["b2"] = []seeding.AnswerPart{{
		Ref: other.Ref, Content: "y", Part: 1, Of: 1, Received: now, Packed: seeding.PackRows([]seeding.Row{says(again, seeding.RowProcessed, "B", "")}),
	}}
	f.patch(t)
	if n := f.called("Remove"); n != 1 || len(f.answers) != 2 || len(f.registry.tokens) != 2 {
		t.Errorf("%d removals, %d answers left, tokens %v", n, len(f.answers), f.registry.tokens)
	}
}

// Whatever call fails, once, before it took effect or after: when the patcher
// comes again the registry has each token once, the VIDs are gone, and the batch
// has counted each registrant once.
func TestAnyCallMayFail(t *testing.T) {
	prepare := func() *fake {
		f := newFake()
		f.sent(1, 2, 3)
		f.registry.vids = append(f.registry.vids, sentVID(3))
		f.rejections = []seeding.Rejection{rejectionOf(1, seeding.Refused, "IDA-MLC-004")}
		f.state.Problems[seeding.ProblemRead] = seeding.Problem{}
		f.says(withToken(1, "A"), withToken(2, "A"), withError(3, "IDA-MLC-004")) // 2 is a duplicate of 1
		return f
	}
	plain := prepare()
	plain.patch(t)
	calls := slices.Compact(slices.Sorted(slices.Values(plain.calls)))
	if len(calls) < 19 {
		t.Fatalf("only %q are called", calls)
	}
	for _, call := range calls {
		for name, when := range map[string]func(*fake) map[string]func() error{
			"before": func(f *fake) map[string]func() error { return f.during },
			"after":  func(f *fake) map[string]func() error { return f.after },
		} {
			for nth := range 2 {
				t.Run(fmt.Sprintf("%s, call %d, fails %s it took effect", call, nth+1, name), func(t *testing.T) {
					f := prepare()
					n := 0
					when(f)[call] = func() error {
						if n++; n == nth+1 {
							return errStorage
						}
						return nil
					}
					for range 6 {
						_ = f.patcher().Patch(t.Context(), registryKey) // the first one may fail
						f.now = f.now.Add(7 * time.Minute)              // longer than any lease or outage here
					}
					b := f.batches[batch]
					if want := (seeding.Totals{Sent: 3, Tokenised: 1, Duplicate: 1, Refused: 1}); b.State != seeding.Patched || b.Totals != want {
						t.Errorf("the batch is %s with %+v, want %+v", b.State, b.Totals, want)
					}
					if !slices.Equal(f.registry.tokens, identifiers{holds(1, "A")}) || len(f.registry.vids) != 2 {
						t.Errorf("the registry has the tokens %v and the VIDs %v", f.registry.tokens, f.registry.vids)
					}
					var rejected []int64
					for _, r := range f.rejections {
						rejected = append(rejected, r.Registrant)
					}
					if slices.Sort(rejected); !slices.Equal(rejected, []int64{2, 3}) || len(f.answers) > 0 || len(f.state.Problems) > 0 {
						t.Errorf("rejected are %v, %d answers left, problems %+v", rejected, len(f.answers), f.state.Problems)
					}
				})
			}
		}
	}
}

// When the working time ends between two creates, the answer is left as it is:
// that is no outage and no problem, and what was created is found again.
func TestTheWorkingTimeEndsBetweenCreates(t *testing.T) {
	f := newFake()
	f.lease.Create = time.Minute // one record per call
	f.registry.create = func([]seeding.NewToken) error { f.now = f.now.Add(91 * time.Second); return nil }
	f.patch(t)
	b := f.batches[batch]
	if len(f.registry.tokens) != 1 || len(f.answers) != 1 || !b.State.Open() || b.Attempts != 0 || !b.NotBefore.IsZero() {
		t.Errorf("%d tokens, %d answers left, the batch %+v", len(f.registry.tokens), len(f.answers), b)
	}
	if len(f.state.Problems) > 0 || !f.lease.OutageUntil.IsZero() || f.lease.Patch.Live(f.now) {
		t.Errorf("problems %+v, registry %+v", f.state.Problems, f.lease)
	}
	f.patch(t)
	if b := f.batches[batch]; len(f.registry.tokens) != 2 || len(f.answers) > 0 || b.Totals.Tokenised != 2 {
		t.Errorf("afterwards %d tokens, %d answers left, %+v", len(f.registry.tokens), len(f.answers), b.Totals)
	}
}

// Of an MTS that sends what is no token to everybody the problem says that, not what
// MOSIP refuses.
func TestIdentityNamesWhatIsNoToken(t *testing.T) {
	f := newFake()
	f.says(withToken(1, "no token!"), withToken(2, "no token!"))
	f.patch(t)
	for _, source := range []seeding.Source{seeding.ProblemIdentity, seeding.ProblemTokens} {
		if p := f.state.Problems[source]; p.Text != seeding.TokensMisshapen.Text || p.Remedy != seeding.TokensMisshapen.Remedy {
			t.Errorf("%s: %+v", source, p)
		}
	}
	if len(f.rejections) > 0 || len(f.registry.vids) != 2 {
		t.Errorf("rejections %v, VIDs %v", f.rejections, f.registry.vids)
	}
}
