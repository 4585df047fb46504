package patch

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// The patch lease keeps two patchers apart, and outlives a write of unknown
// outcome (infra/protocol.md, "Patch" 1).
func TestThePatchLease(t *testing.T) {
	grace := seeding.DefaultTimes().CommitGrace
	unknown := &seeding.Fault{Kind: seeding.Unknown}
	for _, c := range []struct {
		name    string
		change  func(*fake)
		looked  bool          // for answers
		held    time.Duration // the lease, after the patcher ended
		answers int           // left
	}{
		{"free: the answers are processed, and it is given back at once", func(*fake) {}, true, 0, 0},
		{"held by another patcher: nothing is done", func(f *fake) { f.lease.Patch = seeding.Lease{Owner: "x", Until: now.Add(1)} }, false, 1, 1},
		{"left by one who died, and over: it is taken", func(f *fake) { f.lease.Patch = seeding.Lease{Owner: "x", Until: now} }, true, 0, 0},
		{"the registry is away: it is given back, and nobody looks", func(f *fake) { f.lease.OutageUntil = now.Add(1) }, false, 0, 1},
		{"the registry was away until now: the answers are processed", func(f *fake) { f.lease.OutageUntil = now }, true, 0, 0},
		{"a reading of unknown outcome: it is given back at once", func(f *fake) { f.during["Identifiers"] = once(unknown) }, true, 0, 1},
		{"a create of unknown outcome: kept for as long as Odoo may still commit it", func(f *fake) { f.during["Create"] = once(unknown) }, true, grace, 1},
		{"a removal of unknown outcome: kept likewise", func(f *fake) { f.during["Remove"] = once(unknown) }, true, grace, 1},
		{"a create that reached nobody: it is given back at once", func(f *fake) { f.during["Create"] = once(&seeding.Fault{Kind: seeding.Unreachable}) }, true, 0, 1},
		{"lost on the way to somebody else: nothing more is done", func(f *fake) {
			f.during["LeavePatch"] = func() error {
				f.lease.Patch = seeding.Lease{Owner: "x", Until: now.Add(time.Hour), Fence: 99}
				return nil
			}
		}, true, time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			c.change(f)
			f.patch(t)
			if looked := f.called("NextAnswer") > 0; looked != c.looked || len(f.answers) != c.answers {
				t.Errorf("looked %v, %d answers left", looked, len(f.answers))
			}
			if held := max(0, f.lease.Patch.Until.Sub(now)); held != c.held {
				t.Errorf("the lease is held for %v, want %v", held, c.held)
			}
		})
	}
}

// However often the storage fails after a write of unknown outcome, the lease is kept
// for as long as Odoo may still commit it.
func TestUnknownWriteIsRememberedWhereTheStorageFails(t *testing.T) {
	storage := map[string]func(*fake){
		"the problem": func(f *fake) { f.during["RaiseProblem"] = once(errStorage) },
		"the problem, and the batch": func(f *fake) {
			f.during["RaiseProblem"] = func() error { f.during["Batch"] = once(errStorage); return errStorage }
		},
		"the problem, and the note of the failure": func(f *fake) {
			f.during["RaiseProblem"], f.during["Postpone"] = once(errStorage), once(errStorage)
		},
	}
	for _, write := range []string{"Create", "Remove"} {
		for name, fails := range storage {
			f := newFake()
			f.during[write] = once(&seeding.Fault{Kind: seeding.Unknown})
			fails(f)
			err := f.patcher().Patch(t.Context(), registryKey)
			if held := f.lease.Patch.Until.Sub(f.now); held != seeding.DefaultTimes().CommitGrace || err != nil && !errors.Is(err, errStorage) {
				t.Errorf("%s, then without %s: the lease is held for %v; %v", write, name, held, err)
			}
		}
	}
}

// Who dies while it only reads leaves a lease of less than a minute; who dies while a
// write is under way, or may be, one that lasts until Odoo has surely committed it
// (facts/odoo.md A6).
func TestLeaseOutlastsWritesAndNothingElse(t *testing.T) {
	times := seeding.DefaultTimes()
	f := newFake()
	second := f.batches[batch]
	second.Ref.Batch = "b2"
	f.batches["b2"] = second
	f.answers["b2"] = []seeding.AnswerPart{{Ref: second.Ref, Content: "y", Part: 1, Of: 1, Received: now, Packed: seeding.PackRows([]seeding.Row{
		says(rowMade(key, "b2", sentRow(1).Member, sentVID(1).Value), seeding.RowError, "", "IDA-MLC-004"),
	})}}
	writing := false
	f.watch = func() {
		call, left := f.calls[len(f.calls)-1], f.lease.Patch.Until.Sub(f.now)
		switch call {
		case "Create", "Remove":
			if writing = true; left < times.PatchWork-f.now.Sub(now)+times.CommitGrace {
				t.Errorf("%s begins with a lease of %v", call, left)
			}
		case "AnswerParts":
			if writing = false; left > time.Minute || left < times.PatchLease/2 {
				t.Errorf("an answer is begun with a lease of %v", left)
			}
		case "Identifiers", "TokenHolders":
			if left < 2*times.PatchLease/3 || !writing && left > time.Minute {
				t.Errorf("%s begins with a lease of %v", call, left)
			}
			f.now = f.now.Add(10 * time.Second)
		}
	}
	f.patch(t)
	if f.called("Create") != 1 || f.called("Remove") != 1 || f.called("Identifiers") != 3 || len(f.answers) > 0 || f.lease.Patch.Live(f.now) {
		t.Errorf("calls %v, %d answers left, lease %+v", f.calls, len(f.answers), f.lease.Patch)
	}
}

// Whose lease was taken by somebody else writes nothing, and counts no failure.
func TestNothingIsWrittenWithoutTheLease(t *testing.T) {
	for _, write := range []string{"Create", "Remove"} {
		f := newFake()
		f.during["Rejections"] = func() error { return nil }
		if write == "Remove" { // the token is there already
			f.registry.tokens = identifiers{holds(1, "A"), holds(2, "B")}
		}
		f.during["TokenHolders"] = func() error {
			f.now = f.now.Add(time.Minute)
			f.lease.Patch = seeding.Lease{Owner: "another", Until: f.now.Add(time.Minute), Fence: f.lease.Patch.Fence + 1}
			return nil
		}
		tokens := slices.Clone(f.registry.tokens)
		f.patch(t)
		b := f.batches[batch]
		if f.called(write) > 0 || len(f.answers) != 1 || b.Attempts > 0 || len(f.state.Problems) > 0 || f.lease.Patch.Owner != "another" || !slices.Equal(tokens, f.registry.tokens) {
			t.Errorf("%s: calls %v, %d answers left, %d attempts, problems %v", write, f.calls, len(f.answers), b.Attempts, f.state.Problems)
		}
	}
}

// Without the lease nothing is done, and without the storage nothing is said to
// be done.
func TestAStorageThatFails(t *testing.T) {
	for call, looked := range map[string]bool{"TakePatch": false, "NextAnswer": true, "LeavePatch": true} {
		f := newFake()
		f.during[call] = once(errStorage)
		if err := f.patcher().Patch(t.Context(), registryKey); !errors.Is(err, errStorage) || f.called("NextAnswer") > 0 != looked {
			t.Errorf("%s fails: error %v, after %q", call, err, f.calls)
		}
	}
}

// An answer whose invocation found the lease taken is found after the release.
func TestAnAnswerThatComesAtTheEnd(t *testing.T) {
	late := func(f *fake) {
		b := f.batches[batch]
		b.Ref.Batch = "b0" // before the other one
		f.batches["b0"] = b
		rows := []seeding.Row{withError(1, "IDA-MLC-004")}
		f.answers["b0"] = []seeding.AnswerPart{{Ref: b.Ref, Content: "y", Part: 1, Of: 1, Received: now, Packed: seeding.PackRows(rows)}}
	}
	for _, c := range []struct {
		name   string
		change func(*fake)
		rounds int
		left   int // answers
	}{
		{"none comes", func(*fake) {}, 1, 0},
		{"one comes when the others are processed", func(f *fake) {
			f.during["LeavePatch"] = func() error { delete(f.during, "LeavePatch"); late(f); return nil }
		}, 2, 0},
		{"one that was looked at still waits", func(f *fake) {
			f.state.Problems[seeding.ProblemWrite] = seeding.Problem{}
			b := f.batches[batch]
			b.NotBefore = now.Add(1)
			f.batches[batch] = b
		}, 1, 1},
		{"one comes, and the round ended with an outage", func(f *fake) {
			f.during["Identifiers"] = once(&seeding.Fault{Kind: seeding.Unreachable})
			f.during["LeavePatch"] = func() error { delete(f.during, "LeavePatch"); late(f); return nil }
		}, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			c.change(f)
			f.patch(t)
			if n := f.called("TakePatch"); n != c.rounds || len(f.answers) != c.left {
				t.Errorf("%d rounds, %d answers left; want %d, %d", n, len(f.answers), c.rounds, c.left)
			}
		})
	}
}

// In the last quarter of the working time no further batch is begun.
func TestNoBatchIsBegunLate(t *testing.T) {
	for _, c := range []struct {
		gone  time.Duration
		begun bool
	}{{90 * time.Second, true}, {90*time.Second + 1, false}} {
		f := newFake()
		f.during["NextAnswer"] = func() error { f.now = now.Add(c.gone); return nil }
		f.patch(t)
		if begun := f.called("AnswerParts") > 0; begun != c.begun || (len(f.answers) == 0) != c.begun || f.lease.Patch.Live(f.now) {
			t.Errorf("after %v begun %v, %d answers left, the lease is %+v", c.gone, begun, len(f.answers), f.lease.Patch)
		}
	}
}

// An answer that fails keeps no other waiting, unless the failure cannot be
// noted.
func TestOneFailureKeepsNoOtherAnswerWaiting(t *testing.T) {
	for _, c := range []struct {
		name  string
		noted bool
		left  int // answers
	}{{"it is noted", true, 1}, {"it cannot be noted", false, 2}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			b := f.batches[batch]
			b.Ref.Batch = "b0" // before the other one
			f.batches["b0"] = b
			f.answers["b0"] = []seeding.AnswerPart{{Ref: b.Ref, Content: "y", Part: 1, Of: 1, Packed: []byte("damaged")}}
			if !c.noted {
				f.during["Postpone"] = once(errStorage)
			}
			err := f.patcher().Patch(t.Context(), registryKey)
			if (err == nil) != c.noted || len(f.answers) != c.left || f.lease.Patch.Live(f.now) {
				t.Errorf("error %v, %d answers left, the lease is %+v", err, len(f.answers), f.lease.Patch)
			}
		})
	}
}

// Of a connector that is refused as a whole all answers together make one attempt
// per back-off, those that come meanwhile included.
func TestAnswersOfARefusedConnectorMakeOneAttempt(t *testing.T) {
	for source, c := range map[seeding.Source]struct {
		call    string
		refusal error
	}{
		seeding.ProblemSignIn: {"Identifiers", &seeding.Fault{Kind: seeding.RefusedSignIn}},
		seeding.ProblemTypes:  {"Identifiers", &seeding.Fault{Kind: seeding.RefusedTypes}},
		seeding.ProblemRead:   {"Identifiers", &seeding.Fault{Kind: seeding.RefusedRequest}},
		seeding.ProblemConfig: {"Open", seeding.ErrNotFound},
	} {
		t.Run(string(source), func(t *testing.T) {
			f := newFake()
			more := func(batch string) {
				b := f.batches["b1"]
				b.Ref.Batch, b.NotBefore = batch, time.Time{}
				f.batches[batch] = b
				f.answers[batch] = []seeding.AnswerPart{{Ref: b.Ref, Content: "y", Part: 1, Of: 1, Received: now, Packed: seeding.PackRows([]seeding.Row{withToken(1, "A")})}}
			}
			more("b2")
			f.during[c.call] = func() error { return c.refusal }
			for attempt := range 5 {
				f.patch(t)
				more(fmt.Sprintf("b%d", 3+attempt))
				f.patch(t)
				problem := f.state.Problems[source]
				if n := f.called(c.call); n != attempt+1 || problem.Attempts != n {
					t.Fatalf("%d attempts, of which the problem counts %d; want %d", n, problem.Attempts, attempt+1)
				}
				f.now = problem.Next
			}
			delete(f.during, c.call)
			f.patch(t)
			if len(f.answers) > 0 || len(f.state.Problems) > 0 {
				t.Errorf("%d answers left, problems %v", len(f.answers), f.state.Problems)
			}
		})
	}
}

// An answer that belongs to nothing is deleted.
func TestAnswersOfNobody(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"of a batch that nobody made":          func(f *fake) { delete(f.batches, batch) },
		"of a connector that was deleted":      func(f *fake) { f.connector.ID = "another" },
		"whose parts are gone when it is read": func(f *fake) { f.during["AnswerParts"] = func() error { delete(f.answers, batch); return nil } },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			change(f)
			f.patch(t)
			if len(f.answers) > 0 || f.called("Open") > 0 {
				t.Errorf("%d answers left after %v", len(f.answers), f.calls)
			}
		})
	}
}

// An answer that comes after its connector was moved to another registry is deleted:
// nothing of it is written to either registry, or counted anywhere, and one that
// cannot be read is nobody's problem.
func TestLateAnswersOfAConnectorThatMoved(t *testing.T) {
	for name, access := range map[string]seeding.RegistryAccess{
		"to another address":  {URL: "http://other", Database: access.Database},
		"to another database": {URL: access.URL, Database: "copy"},
	} {
		for _, unreadable := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", unreadable ", unreadable), func(t *testing.T) {
				f := newFake()
				b := f.batches[batch]
				b.State, b.Totals = seeding.Lost, seeding.Totals{Sent: 2}
				f.batches[batch] = b
				f.connector.Registry = access
				f.state.Registry = f.connector.RegistryKey()
				f.says(withToken(1, "A"), withError(2, "IDA-MLC-004"))
				if unreadable {
					f.during["AnswerParts"] = func() error { return &seeding.DamagedAnswer{Connector: "c", Batch: batch} }
				}
				f.patch(t)
				left := f.batches[batch]
				if f.called("Open")+f.called("CountParts") > 0 || len(f.registry.tokens)+len(f.rejections)+len(f.state.Problems) > 0 ||
					left.Attempts > 0 || left.Totals != b.Totals || !unreadable && len(f.answers) > 0 {
					t.Errorf("%d answers left, %d tokens, rejections %v, problems %v after %v", len(f.answers), len(f.registry.tokens), f.rejections, f.state.Problems, f.calls)
				}
			})
		}
	}
}

// An answer that fails for an unknown reason is tried again ever more seldom,
// and set aside after the tenth time (infra/protocol.md, "Patch" 9).
func TestAnAnswerThatCannotBeProcessed(t *testing.T) {
	for _, c := range []struct {
		name  string
		state seeding.BatchState
		want  seeding.BatchState
	}{
		{"of an open batch: closed as failed, and its members are rejected", seeding.Submitted, seeding.Failed},
		{"of a closed batch: it has no members any more, and stays as it is", seeding.Lost, seeding.Lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			b := f.batches[batch]
			b.State = c.state
			if !c.state.Open() {
				b.Members, b.Totals = nil, seeding.Totals{Sent: 2}
			}
			f.batches[batch] = b
			f.answers[batch][0].Packed = []byte("damaged")
			f.rejections = []seeding.Rejection{{Registry: registryKey, Connector: "c", Subject: sentRow(1).Subject, Kind: seeding.SetAside, Attempts: 1, Since: now.Add(-time.Hour), Version: 4}}
			before := slices.Clone(f.rejections)

			waits := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
			for i, minutes := range waits {
				f.patch(t)
				b := f.batches[batch]
				if b.Attempts != i+1 || !b.NotBefore.Equal(f.now.Add(minutes*time.Minute)) || b.State != c.state {
					t.Fatalf("attempt %d: noted as %d, next in %v, %s", i+1, b.Attempts, b.NotBefore.Sub(f.now), b.State)
				}
				f.now = b.NotBefore.Add(-1)
				f.patch(t) // too early
				if f.batches[batch].Attempts != i+1 {
					t.Fatalf("attempt %d is made before its time", i+2)
				}
				f.now = b.NotBefore
			}
			if !slices.Equal(f.rejections, before) || len(f.answers) != 1 {
				t.Fatalf("after %d attempts %d answers, rejections %+v", len(waits), len(f.answers), f.rejections)
			}

			f.patch(t)
			b = f.batches[batch]
			if b.State != c.want || b.Totals != (seeding.Totals{Sent: 2}) || len(f.answers) > 0 {
				t.Errorf("%s with %+v, %d answers left", b.State, b.Totals, len(f.answers))
			}
			want := before
			if c.state.Open() {
				of := func(registrant int64, attempts, version int, since time.Time, wait time.Duration) seeding.Rejection {
					return seeding.Rejection{
						Registry: registryKey, Connector: "c", Subject: sentRow(registrant).Subject, Kind: seeding.SetAside, Code: seeding.CodeSetAside,
						Configured: 3, Attempts: attempts, Since: since, LastAttempt: f.now, Next: f.now.Add(wait), Version: version + 1,
					}
				}
				want = []seeding.Rejection{of(1, 2, 4, now.Add(-time.Hour), 2*time.Hour), of(2, 1, 0, f.now, time.Hour)}
				if !b.Closed.Equal(f.now) || f.measured[seeding.MetricRejected+string(seeding.SetAside)] != 2 {
					t.Errorf("closed at %v, measured %v", b.Closed, f.measured)
				}
			}
			if !slices.Equal(f.rejections, want) {
				t.Errorf("rejections %+v, want %+v", f.rejections, want)
			}
		})
	}
}

// The problem "set_aside" stays while an answer of the connector fails, and while it
// waits because it failed, whatever else is processed.
func TestSetAsideStaysWhileAnAnswerFails(t *testing.T) {
	f := newFake()
	f.state.Problems[seeding.ProblemSetAside] = seeding.Problem{Since: now.Add(-time.Hour)}
	good, other := f.answers[batch][0], f.batches[batch]
	other.Ref.Batch = "b0"
	f.batches["b0"] = other
	f.answers["b0"] = []seeding.AnswerPart{{Ref: other.Ref, Content: "y", Part: 1, Of: 1, Packed: []byte("damaged")}}
	for _, when := range []string{"fails", "waits"} {
		f.patch(t)
		if _, shown := f.state.Problems[seeding.ProblemSetAside]; !shown || len(f.answers) != 1 || f.batches["b0"].Attempts != 1 {
			t.Errorf("while it %s: shown %v, %d answers left", when, shown, len(f.answers))
		}
		f.answers[batch] = []seeding.AnswerPart{good}
	}
	delete(f.answers, "b0")
	f.patch(t)
	if len(f.state.Problems) > 0 {
		t.Errorf("%v are left", f.state.Problems)
	}
}
