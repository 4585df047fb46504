package patch

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// newDirect has a direct batch of three registrants, with which MTS was done a minute
// ago, and whose delivery is over: patch looked before, and nothing more came since.
func newDirect(status seeding.MTSStatus, holding ...int64) *fake {
	f := newFake()
	f.answers = map[string][]seeding.AnswerPart{}
	f.registry.vids = identifiers{sentVID(1), sentVID(2), sentVID(3)}
	for i := range f.registry.vids {
		f.registry.vids[i].Created = now.Add(-time.Hour)
	}
	f.sent(1, 2, 3)
	b := f.batches[batch]
	b.Direct, b.RowKey = true, ""
	b.Fingerprints = []seeding.Fingerprint{{1}, {2}, {3}}
	b.Tracking = seeding.Tracking{Quiet: 30 * time.Second, Status: status, Done: now.Add(-time.Minute)}
	f.batches[batch] = b
	for _, id := range holding {
		f.registry.tokens = append(f.registry.tokens, seeding.Identifier{ID: 1000 + id, Registrant: id, Value: fmt.Sprintf("%d1", id)})
	}
	f.track(func(t *seeding.Tracking) {
		if t.Arrived = len(holding); t.Arrived > 0 {
			t.Looked, t.Grew = now.Add(-5*time.Second), now.Add(-40*time.Second)
		}
	})
	return f
}

func (f *fake) look(t *testing.T) {
	t.Helper()
	if err := f.patcher().Look(t.Context(), registryKey); err != nil {
		t.Fatal(err)
	}
}

func (f *fake) vidsLeft() (ids []int64) {
	for _, v := range f.registry.vids {
		ids = append(ids, v.Registrant)
	}
	slices.Sort(ids)
	return ids
}

func TestHowADirectBatchEnds(t *testing.T) {
	all := seeding.Totals{Sent: 3, Tokenised: 3}
	for _, c := range []struct {
		name     string
		status   seeding.MTSStatus
		holding  []int64
		change   func(*fake)
		state    seeding.BatchState
		totals   seeding.Totals
		rejected []int64
		problem  seeding.Source
		vids     []int64
	}{
		{"all arrived", seeding.StatusFinished, []int64{1, 2, 3}, nil, seeding.Patched, all, nil, "", nil},
		{"all arrived, though MTS says that it failed", seeding.StatusFailed, []int64{1, 2, 3}, nil, seeding.Patched, all, nil, "", nil},
		{"all arrived at once", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.firstLook(time.Second) }, seeding.Patched, all, nil, "", nil},
		{"some did", seeding.StatusFinished, []int64{2}, nil, seeding.Patched, seeding.Totals{Sent: 3, Tokenised: 1, NoToken: 2}, []int64{1, 3}, "", []int64{1, 3}},
		{"some did, with errors", seeding.StatusPartly, []int64{2}, nil, seeding.Patched, seeding.Totals{Sent: 3, Tokenised: 1, NoToken: 2}, []int64{1, 3}, "", []int64{1, 3}},
		{"some did, and it is not over", seeding.StatusPartly, []int64{2}, func(f *fake) { f.firstLook(time.Second) }, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
		{"some did just now", seeding.StatusPartly, []int64{2}, func(f *fake) { f.firstLook(time.Hour) }, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
		{"none, and everybody should have one", seeding.StatusFinished, nil, nil, seeding.Failed, seeding.Totals{Sent: 3}, nil, seeding.ProblemDelivery, []int64{1, 2, 3}},
		{"none, and MTS had errors", seeding.StatusPartly, nil, nil, seeding.Patched, seeding.Totals{Sent: 3, NoToken: 3}, []int64{1, 2, 3}, "", []int64{1, 2, 3}},
		{"MTS could not call", seeding.StatusFailed, nil, nil, seeding.Failed, seeding.Totals{Sent: 3}, nil, seeding.ProblemDelivery, []int64{1, 2, 3}},
		{"MTS could not go on", seeding.StatusFailed, []int64{1}, nil, seeding.Failed, seeding.Totals{Sent: 3, Tokenised: 1}, nil, seeding.ProblemDelivery, []int64{2, 3}},
		{"MTS forgot it, and none arrived: reconcile ends it", seeding.StatusUnknown, nil, nil, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
		{"MTS forgot it, and some arrived", seeding.StatusUnknown, []int64{1}, nil, seeding.Patched, seeding.Totals{Sent: 3, Tokenised: 1, NoToken: 2}, []int64{2, 3}, "", []int64{2, 3}},
		{"what arrived is no token", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.registry.tokens[0].Value = "" }, seeding.Patched,
			seeding.Totals{Sent: 3, Tokenised: 2, Conflict: 1}, []int64{1}, "", []int64{1}},
		{"two are one person", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.registry.tokens[2].Value = f.registry.tokens[0].Value + " " }, seeding.Patched,
			seeding.Totals{Sent: 3, Tokenised: 2, Duplicate: 1}, []int64{3}, "", []int64{3}},
		{"somebody outside held it first", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) {
			f.registry.tokens = append(f.registry.tokens, seeding.Identifier{ID: 8, Registrant: 90, Value: f.registry.tokens[1].Value})
		}, seeding.Patched, seeding.Totals{Sent: 3, Tokenised: 2, Duplicate: 1}, []int64{2}, "", []int64{2}},
		{"somebody outside got it later", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) {
			f.registry.tokens = append(f.registry.tokens, seeding.Identifier{ID: 9000, Registrant: 90, Value: f.registry.tokens[1].Value})
		}, seeding.Patched, all, nil, "", nil},
		{"a VID is gone", seeding.StatusFinished, []int64{1, 2}, func(f *fake) { f.registry.vids = f.registry.vids[:2] }, seeding.Patched, seeding.Totals{Sent: 3, Tokenised: 2}, nil, "", nil},
		{"a VID belongs to another now", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.registry.vids[0].Registrant = 9 }, seeding.Patched, all, nil, "", []int64{9}},
		{"VIDs are kept", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.connector.Output.RemoveVIDs = false }, seeding.Patched, all, nil, "", []int64{1, 2, 3}},
		{"removing was refused before: submit tries", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) { f.state.Problems[seeding.ProblemUnlink] = seeding.Problem{Attempts: 1} }, seeding.Patched, all, nil, "", []int64{1, 2, 3}},
		{"another connector has a conflict on one", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) {
			f.rejections = []seeding.Rejection{{Registry: registryKey, Connector: "other", Subject: sentRow(2).Subject, Kind: seeding.Conflict}}
		}, seeding.Patched, all, nil, "", []int64{2}},
		{"MTS is not done", seeding.StatusWorking, []int64{1, 2, 3}, func(f *fake) { f.track(func(t *seeding.Tracking) { t.Done = time.Time{} }) }, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
		{"it is not time to look", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) {
			b := f.batches[batch]
			b.NotBefore = now.Add(time.Second)
			f.batches[batch] = b
		}, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
		{"the sign-in waits", seeding.StatusFinished, []int64{1, 2, 3}, func(f *fake) {
			f.state.Problems[seeding.ProblemSignIn] = seeding.Problem{Next: now.Add(time.Second)}
		}, seeding.Submitted, seeding.Totals{}, nil, "", []int64{1, 2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newDirect(c.status, c.holding...)
			if c.change != nil {
				c.change(f)
			}
			others := len(f.rejections)
			f.look(t)
			b := f.batches[batch]
			if b.State != c.state || b.Totals != c.totals {
				t.Errorf("%s, %+v", b.State, b.Totals)
			}
			var rejected []int64
			for _, r := range f.rejections[others:] {
				rejected = append(rejected, r.Registrant)
				notArrived := r.Kind == seeding.NoToken && r.Code == seeding.CodeNotArrived && r.Next.Equal(now.Add(time.Hour)) && r.Attempts == 1
				duplicate := r.Kind == seeding.Duplicate && r.Code == seeding.CodeHeldByOther && r.Holder != 0 && r.Holder != r.Registrant && r.Next.IsZero()
				if !notArrived && !duplicate && r.Kind != seeding.Conflict || r.Fingerprint != (seeding.Fingerprint{byte(r.Registrant)}) || r.FingerprintKey != fingerprintKey {
					t.Errorf("rejection %+v", r)
				}
			}
			slices.Sort(rejected)
			if !slices.Equal(rejected, c.rejected) || !slices.Equal(f.vidsLeft(), c.vids) {
				t.Errorf("rejected %v, VIDs %v", rejected, f.vidsLeft())
			}
			_, raised := f.state.Problems[c.problem]
			if raised != (c.problem != "") || c.problem == "" && f.called("RaiseProblem") > 0 {
				t.Errorf("problems %v", f.state.Problems)
			}
			if f.measured[seeding.MetricTokenised] != float64(c.totals.Tokenised) {
				t.Errorf("measured %v", f.measured)
			}
			if f.called("TokenHolders")+f.called("Create") > 0 || f.called("Identifiers") > 1 || f.called("UsualHolders") > min(len(c.holding), 1) {
				t.Errorf("calls %v", f.calls)
			}
		})
	}
}

func (f *fake) track(change func(*seeding.Tracking)) {
	b := f.batches[batch]
	change(&b.Tracking)
	f.batches[batch] = b
}

// firstLook: MTS was done so long ago, and nobody looked yet.
func (f *fake) firstLook(done time.Duration) {
	f.track(func(t *seeding.Tracking) {
		t.Done, t.Arrived, t.Grew, t.Looked = now.Add(-done), 0, time.Time{}, time.Time{}
	})
}

// A look that ends nothing notes what it found, and when to look again.
func TestDirectLookIsNoted(t *testing.T) {
	f := newDirect(seeding.StatusFinished, 2)
	f.firstLook(time.Second)
	f.look(t)
	b := f.batches[batch]
	if b.Tracking.Arrived != 1 || !b.Tracking.Looked.Equal(now) || !b.Tracking.Grew.Equal(now) || !b.NotBefore.Equal(now.Add(5*time.Second)) || b.Attempts != 0 {
		t.Errorf("%+v, %s", b.Tracking, b.NotBefore)
	}
}

// Nothing of it when only answers are to be patched.
func TestPatchDoesNotLook(t *testing.T) {
	f := newDirect(seeding.StatusFinished, 1, 2, 3)
	f.patch(t)
	if f.called("OpenBatches") > 0 || !f.batches[batch].State.Open() {
		t.Errorf("calls %v", f.calls)
	}
}

// From ten records on a batch of which nothing arrived is shown.
func TestNobodyArrived(t *testing.T) {
	for _, n := range []int64{9, 10} {
		f := newDirect(seeding.StatusPartly)
		f.registry.vids = nil
		var ids []int64
		for id := int64(1); id <= n; id++ {
			ids = append(ids, id)
			f.registry.vids = append(f.registry.vids, sentVID(id))
		}
		before := f.batches[batch]
		f.sent(ids...)
		b := f.batches[batch]
		b.Direct, b.Tracking = true, before.Tracking
		f.batches[batch] = b
		f.look(t)
		_, shown := f.state.Problems[seeding.ProblemArrival]
		if shown != (n == 10) || len(f.rejections) != int(n) {
			t.Errorf("%d: %v, %d rejected", n, f.state.Problems, len(f.rejections))
		}
	}
}

// A token that arrives ends the problems of the delivery, and the rejection of who has
// it.
func TestArrivalEndsProblems(t *testing.T) {
	f := newDirect(seeding.StatusPartly, 1)
	f.rejections = []seeding.Rejection{{Registry: registryKey, Connector: "c", Subject: sentRow(1).Subject, Kind: seeding.NoToken, Code: seeding.CodeNotArrived, Since: now.Add(-time.Hour), LastAttempt: now.Add(-time.Hour)}}
	for _, source := range []seeding.Source{seeding.ProblemDelivery, seeding.ProblemArrival, seeding.ProblemRead, seeding.ProblemPolicy} {
		f.state.Problems[source] = seeding.Problem{Attempts: 1}
	}
	f.look(t)
	if _, left := f.state.Problems[seeding.ProblemPolicy]; !left || len(f.state.Problems) != 1 {
		t.Errorf("problems %v", f.state.Problems)
	}
	for _, r := range f.rejections {
		if r.Registrant == 1 {
			t.Errorf("%+v", r)
		}
	}
}

// Whatever fails on the way, the next look ends the batch, and nobody's attempts are
// counted twice.
func TestDirectEndIsRepeated(t *testing.T) {
	for _, at := range []string{"PutRejections", "Close", "SavePace", "Remove", "ClearProblems"} {
		for name, when := range map[string]func(*fake) map[string]func() error{
			"before": func(f *fake) map[string]func() error { return f.during },
			"after":  func(f *fake) map[string]func() error { return f.after },
		} {
			t.Run(name+" "+at, func(t *testing.T) {
				f := newDirect(seeding.StatusPartly, 1)
				f.state.Problems[seeding.ProblemArrival] = seeding.Problem{Attempts: 1}
				err := errStorage
				if at == "Remove" {
					err = &seeding.Fault{Kind: seeding.Unknown}
				}
				when(f)[at] = once(err)
				if err := f.patcher().Look(t.Context(), registryKey); err != nil && !errors.Is(err, errStorage) {
					t.Fatal(err)
				}
				f.now = f.now.Add(10 * time.Minute)
				f.look(t)
				b := f.batches[batch]
				if b.State != seeding.Patched || b.Totals != (seeding.Totals{Sent: 3, Tokenised: 1, NoToken: 2}) || len(f.rejections) != 2 {
					t.Fatalf("%s %+v, %d rejections", b.State, b.Totals, len(f.rejections))
				}
				for _, r := range f.rejections {
					if r.Attempts != 1 {
						t.Errorf("%d attempts", r.Attempts)
					}
				}
			})
		}
	}
}

// A registry that is away is an outage, and the batch waits.
func TestDirectLookMeetsAnOutage(t *testing.T) {
	f := newDirect(seeding.StatusFinished, 1)
	f.during["Identifiers"] = func() error { return &seeding.Fault{Kind: seeding.Unreachable} }
	f.look(t)
	if !f.batches[batch].State.Open() || !f.lease.OutageUntil.After(now) {
		t.Errorf("%s, outage until %s", f.batches[batch].State, f.lease.OutageUntil)
	}
}
