package submit

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

// sideBySide is a connector with many registrants at an MTS that takes several of
// its batches, of two records, at once. Its POSTs are held.
func sideBySide(width int) *fake {
	f := newFake()
	f.add(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	f.connector.MTS.WidthMaximum, f.mts.Pace, f.mts.Heard = width, manyWorkers(seeding.Pace{Size: 2, Proved: 2, PerRecord: time.Minute}), now
	f.holds = true
	return f
}

// begins lets the connector work until it waits for POSTs. ended gets the result.
func (f *fake) begins(t *testing.T) (ended chan error) {
	ended = make(chan error, 1)
	go func() { ended <- f.work(t) }()
	f.waitForWork()
	t.Cleanup(f.letAllGo)
	return ended
}

// waitForWork waits until the connector waits for POSTs, or has ended.
func (f *fake) waitForWork() {
	synctest.Wait()
	f.handOver()
}

// letAllGo ends the POSTs that are held, and those that follow them.
func (f *fake) letAllGo() {
	for len(f.held) > 0 {
		f.letGo(0)
		f.waitForWork()
	}
}

// patched closes an open batch, by its place, as patched.
func (f *fake) patched(place int) {
	b := f.open[place]
	b.State, b.Answered, b.Closed, b.Totals = seeding.Patched, f.now, f.now, seeding.Totals{Sent: b.Count, Tokenised: b.Count}
	f.open = slices.Delete(f.open, place, place+1)
	f.closed = append(f.closed, b)
	f.mts.Slots = slices.DeleteFunc(f.mts.Slots, func(s seeding.Slot) bool { return s.Batch == b.Ref.Batch })
	f.mts.Delivered, f.mts.Heard = f.mts.Delivered+int64(b.Count), b.Answered
	for _, m := range b.Members { // they have tokens, and no VIDs
		f.vids = slices.DeleteFunc(f.vids, func(vid seeding.Identifier) bool { return vid.ID == m.Identifier })
	}
}

// states are those of the open batches.
func (f *fake) states() (states []seeding.BatchState) {
	for _, b := range f.open {
		states = append(states, b.State)
	}
	return states
}

// Several POSTs are open at once, as many as the MTS takes batches. They end in
// any order, each for itself, and Work ends with the last. The run lease is given
// back before, because the next tick may go on meanwhile.
func TestPostsAreOpenSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sideBySide(3)
		ended := f.begins(t)
		if len(f.held) != 3 || len(f.open) != 3 || len(f.mts.Slots) != 3 {
			t.Fatalf("%d POSTs are open, with %d batches and %d slots", len(f.held), len(f.open), len(f.mts.Slots))
		}
		if f.state.Lease.Owner != "" {
			t.Error("the run lease is kept")
		}
		const claimed, submitted = seeding.Claimed, seeding.Submitted
		for _, c := range []struct {
			place int
			want  []seeding.BatchState
		}{
			{1, []seeding.BatchState{claimed, submitted, claimed}},
			{1, []seeding.BatchState{claimed, submitted, submitted}},
			{0, []seeding.BatchState{submitted, submitted, submitted}},
		} {
			if len(ended) != 0 {
				t.Fatal("Work does not wait for its POSTs")
			}
			f.letGo(c.place)
			f.waitForWork()
			if !slices.Equal(f.states(), c.want) {
				t.Errorf("batches %q, want %q", f.states(), c.want)
			}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A POST that hangs holds up no other: everybody else is sent beside it.
func TestAPostHangsWhileOthersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sideBySide(2)
		f.during["MTSState"] = func() error {
			if len(f.held) == 2 { // the first hangs, the second ends, and its answer is patched
				f.letGo(1)
				f.patched(1)
			}
			return nil
		}
		ended := f.begins(t)
		if len(f.posts) != 6 || len(f.held) != 1 || len(f.closed) != 5 {
			t.Fatalf("%d POSTs, %d open, %d batches closed", len(f.posts), len(f.held), len(f.closed))
		}
		if !slices.Equal(f.states(), []seeding.BatchState{seeding.Claimed}) || len(ended) != 0 {
			t.Errorf("batches %q; ended %v", f.states(), len(ended) == 1)
		}
		f.letGo(0)
		if err := <-ended; err != nil || !slices.Equal(f.states(), []seeding.BatchState{seeding.Submitted}) {
			t.Errorf("%v, batches %q", err, f.states())
		}
	})
}

// The wait for a probe's POST comes before anything else, because its outcome
// decides what is sent next.
func TestAProbeWaitsForItsPost(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		posts []int // records in each POST
	}{
		"it is taken":     {nil, []int{1, 2, 2}},
		"it is not":       {&seeding.Fault{Kind: seeding.Unreachable}, []int{1}},
		"nobody can tell": {&seeding.Fault{Kind: seeding.Unknown}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := sideBySide(3)
				f.mts.Attempts = 1
				f.once("Submit", c.err)
				ended := f.begins(t)
				if last := f.calls[len(f.calls)-1]; len(f.held) != 1 || last != "Submit" {
					t.Fatalf("%d POSTs are open, the last call was %q", len(f.held), last)
				}
				f.letAllGo()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				var posts []int
				for _, r := range f.posts {
					posts = append(posts, len(r.Records))
				}
				if !slices.Equal(posts, c.posts) {
					t.Errorf("sent %d, want %d", posts, c.posts)
				}
			})
		})
	}
}

// Several POSTs that find nobody at the same time are one attempt.
func TestPostsThatFindNobodyTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sideBySide(3)
		f.during["Submit"] = func() error { return &seeding.Fault{Kind: seeding.Unreachable} }
		ended := f.begins(t)
		f.letAllGo()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		wait := seeding.DefaultTimes().ProbeFirst
		if f.mts.Attempts != 1 || !f.mts.NotBefore.Equal(f.now.Add(wait)) || f.state.Problems[seeding.ProblemMTS].Attempts != 1 {
			t.Errorf("MTS %+v, problems %+v", f.mts, f.state.Problems)
		}
		if len(f.open) != 0 || len(f.closed) != 3 || len(f.mts.Slots) != 0 {
			t.Errorf("%d open batches, %d closed, slots %+v", len(f.open), len(f.closed), f.mts.Slots)
		}
	})
}

// A POST that is taken ends what another one of the same wave showed before, and
// nothing that one shows later.
func TestTakenPostEndsWhatAnotherOfItsWaveShowed(t *testing.T) {
	for source, kind := range map[seeding.Source]seeding.FaultKind{seeding.ProblemReply: seeding.Unknown, seeding.ProblemMTS: seeding.Unreachable} {
		for takenLast, left := range map[bool]bool{true: false, false: true} {
			t.Run(fmt.Sprintf("%s, taken last %v", source, takenLast), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := sideBySide(2)
					f.vids = f.vids[:4]
					f.during["Submit"] = func() error {
						if (len(f.posts) == 1) == takenLast {
							return &seeding.Fault{Kind: kind}
						}
						return nil
					}
					ended := f.begins(t)
					if len(f.held) != 2 {
						t.Fatalf("%d POSTs", len(f.held))
					}
					f.letGo(0)
					f.letGo(0)
					_, shown := f.state.Problems[source]
					if shown != left || source == seeding.ProblemMTS && (f.mts.Attempts > 0) != left {
						t.Errorf("shown %v, MTS %+v", shown, f.mts)
					}
					for len(f.open) > 0 {
						f.patched(0)
					}
					f.letAllGo()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A failure of the storage in a POST is returned, whenever it comes, and no POST is
// left behind.
func TestTheStorageFailsInAPost(t *testing.T) {
	failsThen := func(call string) func(*fake) {
		return func(f *fake) { f.once(call, errStorage) }
	}
	refused := func(f *fake) {
		f.during["Submit"] = func() error { return &seeding.Fault{Kind: seeding.RefusedRequest} }
	}
	for name, c := range map[string]struct {
		prepare []func(*fake)
		during  string // the call of Work in which the first POST ends; "" for when Work waits for POSTs
		posts   int
		due     time.Duration // after the call of Work; 0 for at once
	}{
		"when a batch was taken":  {prepare: []func(*fake){failsThen("MarkSubmitted")}, posts: 3},
		"when a batch is closed":  {prepare: []func(*fake){refused, failsThen("Close")}, posts: 3},
		"when it slows down":      {prepare: []func(*fake){refused, failsThen("SavePace")}, posts: 3},
		"when an MTS is spared":   {prepare: []func(*fake){refused, failsThen("NoteMTS")}, posts: 3},
		"when there is a problem": {prepare: []func(*fake){refused, failsThen("RaiseProblem")}, posts: 3},
		"while the next step is made": {
			prepare: []func(*fake){failsThen("MarkSubmitted")}, during: "RegistryState", posts: 3, due: seeding.DefaultTimes().ProbeFirst,
		},
		"while the lease is taken by somebody else": {
			prepare: []func(*fake){failsThen("MarkSubmitted"), func(f *fake) {
				takes := 0
				f.during["TakeRun"] = func() error {
					if takes++; takes == 2 {
						f.handOver() // Work waits for its POSTs next
						return seeding.ErrLeaseHeld
					}
					return nil
				}
			}}, posts: 3,
		},
		"while the connector is deleted": {
			prepare: []func(*fake){failsThen("MarkSubmitted"), func(f *fake) {
				f.during["LeaveRun"] = func() error { return seeding.ErrConflict }
			}}, posts: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := sideBySide(3)
				for _, prepare := range c.prepare {
					prepare(f)
				}
				if c.during != "" {
					f.during[c.during] = func() error {
						if len(f.held) > 0 {
							delete(f.during, c.during)
							f.letGo(0)
						}
						return nil
					}
				}
				ended := f.begins(t)
				for len(f.held) > 0 {
					if len(ended) != 0 {
						t.Fatal("Work does not wait for its POSTs")
					}
					f.letGo(0)
					f.waitForWork()
				}
				if err := <-ended; !errors.Is(err, errStorage) {
					t.Errorf("%v, want the failure", err)
				}
				if len(f.posts) != c.posts {
					t.Errorf("%d POSTs, want %d", len(f.posts), c.posts)
				}
				if c.due > 0 && !f.state.Due.Equal(now.Add(c.due)) {
					t.Errorf("due in %v, want %v", f.state.Due.Sub(now), c.due)
				}
			})
		})
	}
}

// Several claims may meet at one MTS: the later one looks at it again. It gives up
// at once if it failed for another reason, and in the end if there is no room.
func TestClaimsMeet(t *testing.T) {
	wait, poll := seeding.DefaultTimes().AnswerWait, seeding.DefaultTimes().Poll
	// another claims a batch at the MTS, which becomes overdue after a time.
	another := func(f *fake, lasts time.Duration) {
		f.mts.Claims++
		f.mts.Slots = append(f.mts.Slots, seeding.Slot{
			Batch: fmt.Sprintf("b%d", f.mts.Claims), Connector: "d", Count: 1, Claimed: earlier, Overdue: f.now.Add(lasts), Ends: later})
	}
	for name, c := range map[string]struct {
		during func(f *fake, claim int) // a claim, from 1
		claims int
		waited time.Duration
		marks  int
		sent   bool
	}{
		"with none":           {claims: 1, sent: true},
		"with one":            {during: claimsUntil(1, another), claims: 2, waited: poll, sent: true},
		"with three, in turn": {during: claimsUntil(3, another), claims: 4, waited: 3 * poll, sent: true},
		"with all that there is room for": {
			during: claimsUntil(1, func(f *fake, _ time.Duration) {
				for range 12 {
					another(f, time.Hour)
				}
			}), claims: 1, waited: wait, marks: 2,
		},
		"with all that there is room for, for a while": {
			during: claimsUntil(1, func(f *fake, _ time.Duration) {
				for range 12 {
					another(f, 4*poll)
				}
			}), claims: 2, waited: 4 * poll, marks: 1, sent: true,
		},
		"the registry's counter moved": {during: func(f *fake, _ int) { f.registry.Counter++ }, claims: 1, waited: poll},
		"the connector is stopped":     {during: func(f *fake, _ int) { f.state.Status = seeding.Stopped }, claims: 1, waited: poll},
		"the connector is changed":     {during: func(f *fake, _ int) { f.state.Version++ }, claims: 1, waited: poll},
		"the lease is somebody else's": {during: func(f *fake, _ int) { f.state.Lease.Fence++ }, claims: 1, waited: poll},
		"with one at its registry, too": {during: func(f *fake, _ int) {
			if len(f.called("Claim")) == 1 {
				f.registry.Counter++
				another(f, time.Hour)
			}
		}, claims: 2, waited: 2 * poll},
	} {
		t.Run(name, func(t *testing.T) {
			f := sideBySide(12)
			f.vids, f.holds = f.vids[:1], false
			f.during["Claim"] = func() error {
				if c.during != nil {
					c.during(f, len(f.called("Claim")))
				}
				return nil
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if claims, marks := len(f.called("Claim")), len(f.called("WaitForMTS")); claims != c.claims || marks != c.marks {
				t.Errorf("claimed %d times, said %d times that it waits; want %d, %d", claims, marks, c.claims, c.marks)
			}
			if waited := f.now.Sub(now); waited != c.waited {
				t.Errorf("waited for %v, want %v", waited, c.waited)
			}
			if sent := len(f.posts) == 1 && len(f.open) == 1; sent != c.sent || !c.sent && len(f.posts)+len(f.open) != 0 {
				t.Errorf("%d POSTs, %d batches, want one: %v", len(f.posts), len(f.open), c.sent)
			}
			if c.sent {
				b := f.open[0]
				if b.Number != f.mts.Claims || b.Claimed != f.now || len(f.mts.Waiting) != 0 {
					t.Errorf("batch %+v, waiting %+v", b, f.mts.Waiting)
				}
			}
			if !f.state.Due.Equal(now) {
				t.Errorf("due in %v", f.state.Due.Sub(now))
			}
		})
	}
}

// claimsUntil lets another connector claim a batch that lasts during each of the
// first claims.
func claimsUntil(last int, another func(*fake, time.Duration)) func(*fake, int) {
	return func(f *fake, claim int) {
		if claim <= last {
			another(f, time.Hour)
		}
	}
}

// A batch that was chosen, and is larger than any that was answered in time, is not
// claimed beside another of this kind that came meanwhile. A smaller one is.
func TestABatchBecomesTooLarge(t *testing.T) {
	f := sideBySide(4)
	f.holds = false
	f.mts.Size = 4
	f.during["VIDs"] = func() error {
		delete(f.during, "VIDs")
		f.mts.Slots = []seeding.Slot{{Batch: "another", Connector: "d", Count: 4, Claimed: now, Overdue: later, Ends: later}}
		return nil
	}
	if err := f.work(t); err != nil {
		t.Fatal(err)
	}
	for _, r := range f.posts {
		if len(r.Records) > 2 {
			t.Errorf("%d were sent", len(r.Records))
		}
	}
	if len(f.posts) != 3 || len(f.called("WaitForMTS")) > 2 {
		t.Errorf("%d POSTs; said %d times that it waits", len(f.posts), len(f.called("WaitForMTS")))
	}
}

// Who waits for a slot, and has nobody to send in the end, says so: others need not
// wait for it.
func TestNobodyIsLeftToBeSent(t *testing.T) {
	for name, c := range map[string]struct {
		waiting []seeding.Waiting
		writes  int
	}{
		"who waits says so":          {[]seeding.Waiting{{Connector: "d", Since: later, Until: later}, {Connector: "c", Since: earlier, Until: later}}, 1},
		"who waits no more need not": {[]seeding.Waiting{{Connector: "c", Since: earlier, Until: now}}, 0},
		"who does not wait need not": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.mts.Waiting = c.waiting
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if _, waits := f.mts.Waits("c", now); waits || len(f.called("WaitForMTS")) != c.writes {
				t.Errorf("waits: %v, after %d writes", waits, len(f.called("WaitForMTS")))
			}
		})
	}
}

// A wave is claimed first, and then sent together, so that its POSTs go to
// different workers. Whatever ends the claims early, what is claimed is sent.
func TestAWaveIsSentTogether(t *testing.T) {
	storage := func(f *fake) error { return errStorage }
	for name, c := range map[string]struct {
		second func(*fake) error // during the second claim
		keys   int               // how many times the key of rows can be read; 0 for always
		claims int
		sent   int
		err    error
	}{
		"all of it":                                  {claims: 3, sent: 3},
		"as far as nobody else claims between":       {second: func(f *fake) error { f.mts.Claims++; return nil }, claims: 2, sent: 1},
		"as far as no claim is made at its registry": {second: func(f *fake) error { f.registry.Counter++; return nil }, claims: 2, sent: 1},
		"as far as the storage works":                {second: storage, claims: 2, sent: 1, err: errStorage},
		"as far as its keys can be read":             {keys: 2, claims: 2, sent: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := sideBySide(3)
			f.holds = false
			f.during["Claim"] = func() error {
				if c.second != nil && len(f.called("Claim")) == 2 {
					return c.second(f)
				}
				return nil
			}
			s := f.submitter()
			if c.keys > 0 {
				s.RowKeys = &worn{Keyring: s.RowKeys, left: c.keys}
			}
			if err := s.Work(t.Context(), "c", f.now.Add(s.stepLimit())); !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("%v, want %v", err, c.err)
			}
			if claims := len(f.called("Claim")); claims != c.claims || len(f.open) != c.sent {
				t.Errorf("claimed %d times, %d batches; want %d, %d", claims, len(f.open), c.claims, c.sent)
			}
			want := slices.Repeat([]string{"Claim"}, c.claims)
			want = append(want, slices.Repeat([]string{"Submit"}, c.sent)...)
			var order []string
			for _, call := range f.called("Claim", "Submit") {
				order = append(order, strings.Fields(call)[0])
			}
			if !slices.Equal(order, want) {
				t.Errorf("%q, want %q", order, want)
			}
			sent := 0
			for i, b := range f.open {
				if b.State != seeding.Submitted || b.Number != int64(i)+1 || b.Beside != i {
					t.Errorf("batch %+v", b)
				}
				sent = max(sent, int(b.Members[len(b.Members)-1].Identifier))
			}
			if run := f.runs["id2"]; run.Cursor != int64(sent) || run.PassOver {
				t.Errorf("identifiers to %d were sent, and the run is at %+v", sent, run)
			}
			if !f.state.Moved.Equal(now) {
				t.Error("the claim is no move")
			}
		})
	}
}

// worn is a keyring that can be read only some times.
type worn struct {
	seeding.Keyring
	left int
}

func (w *worn) Current(ctx context.Context) (seeding.Key, error) {
	if w.left--; w.left < 0 {
		return seeding.Key{}, errStorage
	}
	return w.Keyring.Current(ctx)
}

// Who was chosen is split into the batches of a wave.
func TestAWaveIsSplit(t *testing.T) {
	for _, c := range []struct {
		name   string
		chosen int
		sizes  sizes
		want   []int
	}{
		{"all full", 40, sizes{10, 10, 4}, []int{10, 10, 10, 10}},
		{"fewer: each is smaller", 32, sizes{10, 10, 4}, []int{8, 8, 8, 8}},
		{"not evenly", 30, sizes{10, 10, 4}, []int{8, 8, 7, 7}},
		{"half of all: each is half full", 20, sizes{10, 10, 4}, []int{5, 5, 5, 5}},
		{"less than half: fewer batches", 19, sizes{10, 10, 4}, []int{7, 6, 6}},
		{"less than half of one: one batch", 4, sizes{10, 10, 4}, []int{4}},
		{"one", 1, sizes{10, 10, 4}, []int{1}},
		{"one batch", 10, sizes{10, 10, 1}, []int{10}},
		{"a size that was never answered, and others", 50, sizes{20, 10, 4}, []int{20, 10, 10, 10}},
		{"a size that was never answered comes first", 25, sizes{20, 10, 4}, []int{20, 5}},
		{"a size that was never answered, not full", 15, sizes{20, 10, 4}, []int{15}},
		{"no size was ever answered", 7, sizes{10, 0, 1}, []int{7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []int
			for _, part := range selectionOf(c.chosen).split(c.sizes) {
				got = append(got, len(part.chosen))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// selectionOf is a selection of so many registrants, to the end of the pass.
func selectionOf(n int) selection {
	s := selection{run: seeding.Run{Cursor: int64(n) + 100, PassOver: true}, counter: 7}
	for i := range int64(n) {
		s.chosen = append(s.chosen, candidate{member: seeding.Member{Registrant: i + 1, Identifier: i + 11}, cursor: i + 11})
	}
	return s
}

// Whatever the sizes are, everybody is in one batch, in the order of identifiers;
// no batch is larger than it may be; the run's cursor stays behind who is not in a
// batch yet; and each claim expects the counter that the one before leaves.
func TestNobodyIsLeftOutOfAWave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := sizes{others: rapid.IntRange(0, 50).Draw(t, "others"), count: rapid.IntRange(1, 8).Draw(t, "count")}
		z.first = rapid.IntRange(max(1, z.others), 100).Draw(t, "first")
		if z.others == 0 {
			z.count = 1
		}
		c := selectionOf(rapid.IntRange(1, z.total()).Draw(t, "chosen"))
		var all []candidate
		parts := c.split(z)
		for i, part := range parts {
			n := len(part.chosen)
			if n < 1 || n > z.of(i) {
				t.Fatalf("batch %d has %d of %+v", i, n, z)
			}
			if i > 0 && len(parts) > 2 && 2*n < z.others-1 {
				t.Fatalf("batch %d of %d has %d, which says nothing about %+v", i, len(parts), n, z)
			}
			if part.counter != c.counter+int64(i) {
				t.Fatalf("batch %d expects the counter %d", i, part.counter)
			}
			all = append(all, part.chosen...)
			last := all[len(all)-1].member.Identifier
			if i < len(parts)-1 && (part.run.Cursor != last || part.run.PassOver) || i == len(parts)-1 && !reflect.DeepEqual(part.run, c.run) {
				t.Fatalf("after batch %d to %d the run is at %+v", i, last, part.run)
			}
		}
		if len(all) != len(c.chosen) || len(parts) > z.count {
			t.Fatalf("%d of %d in %d batches of %+v", len(all), len(c.chosen), len(parts), z)
		}
		for i := range all {
			if all[i].member != c.chosen[i].member {
				t.Fatalf("%+v is not in its place", c.chosen[i].member)
			}
		}
	})
}

// Each claim measures how many batches are under way with it, those of other
// connectors included, and how many may be.
func TestWidthIsMeasuredWithEachClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sideBySide(4)
		f.mts.Slots = []seeding.Slot{{Batch: "another", Connector: "d", Count: 2, Claimed: now, Overdue: now.Add(time.Hour), Ends: now.Add(2 * time.Hour)}}
		f.begins(t)
		if len(f.held) != 3 || f.measured[seeding.MetricUnderWay] != 2+3+4 || f.measured[seeding.MetricWidth] != 3*4 {
			t.Errorf("%d POSTs are open, measured %v", len(f.held), f.measured)
		}
	})
}
