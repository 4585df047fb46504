package seedingdbtest

import (
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// closedAs closes a batch.
func (s *suite) closedAs(b seeding.Batch, state seeding.BatchState, at time.Time, totals seeding.Totals) seeding.Batch {
	s.Helper()
	b.State, b.Closed, b.Totals = state, at, totals
	s.ok(s.store.Close(s.ctx, b), "close")
	return b
}

// countedRuns: a run counts its batches as they are claimed and closed, also those
// whose answer comes late, and the connector the runs that are over.
func (s *suite) countedRuns() {
	c, run := s.running("c")
	counted := func(want seeding.Run, what string) {
		s.Helper()
		got, err := s.store.Run(s.ctx, c.ID, run.ID)
		s.ok(err, "run")
		s.same(got, want, what)
	}
	figures := func(want seeding.Figures, what string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Figures, want, what)
	}
	figures(seeding.Figures{}, "figures of a connector that never ran")
	first, second, third, fourth := s.claimed(c, run, "1"), s.claimed(c, run, "2"), s.claimed(c, run, "3"), s.claimed(c, run, "4")
	want := run
	want.Cursor, want.Tally.Looked = 17, 2 // as a claim moves them
	want.Batches, want.Totals.Sent = 4, 8
	counted(want, "four claimed")
	s.ok(s.store.CountParts(s.ctx, second, []string{"x.1.2"}, seeding.Totals{Tokenised: 1}), "count a part of an open one")
	counted(want, "a part of an open one is not the run's yet")

	s.closedAs(first, seeding.Patched, after(time.Second), seeding.Totals{Sent: 2, Tokenised: 1, Refused: 1})
	second.Parts = []string{"x.1.2"}
	s.closedAs(second, seeding.Patched, after(2*time.Second), seeding.Totals{Sent: 2, Tokenised: 1, Duplicate: 1})
	s.closedAs(third, seeding.Failed, after(3*time.Second), seeding.Totals{}) // MTS did not take it
	lost := s.closedAs(fourth, seeding.Lost, after(3*time.Second), seeding.Totals{Sent: 2})
	want.Closed, want.Totals = 4, seeding.Totals{Sent: 6, Tokenised: 2, Refused: 1, Duplicate: 1}
	want.Lately = map[int64]seeding.Patches{seeding.Period(t0): {Records: 4, Claimed: t0, Closed: after(2 * time.Second)}}
	counted(want, "four closed")
	s.same(want.Open(), 0, "open ones")
	figures(seeding.Figures{}, "figures before the run is over")

	s.ok(s.store.CountParts(s.ctx, lost, []string{"y.1.2"}, seeding.Totals{Tokenised: 1}), "count a late answer")
	s.fails(s.store.CountParts(s.ctx, lost, []string{"y.1.2"}, seeding.Totals{Tokenised: 1}), seeding.ErrConflict, "count it again")
	read := want
	want.Late, want.Totals.Tokenised = 1, 3
	counted(want, "late answer")
	read.Completed = after(time.Minute)
	s.fails(s.store.CompleteRun(s.ctx, read, nil), seeding.ErrConflict, "complete without the late answer")

	var rejections seeding.RejectionCount
	for i := range 3 {
		rejections.Add(seeding.Rejection{Subject: seeding.Member{Registrant: int64(i + 1)}.Subject(), Kind: seeding.Refused, Code: fmt.Sprint("C", i%2), Since: t0, LastAttempt: after(time.Duration(i) * time.Minute), Next: after(time.Hour)})
	}
	rejections.Add(seeding.Rejection{Subject: seeding.Subject{Submission: "uuid:1"}, Kind: seeding.SetAside, Since: t0, LastAttempt: t0})
	rejections.At = after(time.Minute)
	want.Completed, want.SentBefore, want.Again = after(time.Minute), 2, 1
	s.ok(s.store.CompleteRun(s.ctx, want, &rejections), "complete")
	counted(want, "completed run")
	last := seeding.LastRun{ID: run.ID, Started: run.Started, Completed: want.Completed, Totals: want.Totals, Again: 1}
	after1 := seeding.Figures{Tokenised: 3, Rejected: 4, Counted: rejections.At, Last: last}
	figures(after1, "figures of the run")
	count, err := s.store.CountedRejections(s.ctx, c.ID)
	s.ok(err, "counted rejections")
	s.same(count.Groups(), rejections.Groups(), "groups")
	s.same([]any{count.Total, count.At}, []any{4, rejections.At}, "their number and time")

	s.ok(s.store.CountParts(s.ctx, lost, []string{"z.1.2"}, seeding.Totals{Tokenised: 1}), "count an answer after the run")
	want.Totals.Tokenised, after1.Tokenised = 4, 4
	counted(want, "the run after it was completed")
	figures(after1, "figures with what came later")

	// The next one, and an import beside it.
	next := seeding.Run{ID: run.ID + "2", Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: after(time.Hour), PassStarted: after(time.Hour), Fence: run.Fence}
	imported := next
	imported.ID, imported.Kind = run.ID+"3", seeding.Import
	s.ok(s.store.OpenRun(s.ctx, next), "open the next")
	s.ok(s.store.OpenRun(s.ctx, imported), "open an import")
	imported.Completed, imported.Totals = after(2*time.Hour), seeding.Totals{Sent: 5, Tokenised: 5}
	s.ok(s.store.CompleteRun(s.ctx, imported, nil), "complete the import")
	after1.Tokenised = 9
	figures(after1, "an import counts, and is not the last run")
	next.Completed = after(3 * time.Hour)
	s.ok(s.store.CompleteRun(s.ctx, next, nil), "complete the next")
	after1.Last = seeding.LastRun{ID: next.ID, Started: next.Started, Completed: next.Completed}
	figures(after1, "another run, without a count")

	moved := c
	moved.Version, moved.Registry.Database, moved.Name = 2, "other", "elsewhere"
	s.ok(s.store.ReplaceConnector(s.ctx, moved, after(4*time.Hour)), "another registry")
	after1.Rejected, after1.Counted = 0, time.Time{}
	figures(after1, "nobody is rejected in another registry")
	other := next
	other.ID, other.Version, other.Completed = run.ID+"4", 2, time.Time{}
	s.ok(s.store.OpenRun(s.ctx, other), "open one there")
	other.Completed = after(5 * time.Hour)
	s.ok(s.store.CompleteRun(s.ctx, other, &rejections), "complete it")
	ofODK := moved
	ofODK.Version, ofODK.ODK.BaseURL = 3, "https://central.example"
	s.ok(s.store.ReplaceConnector(s.ctx, ofODK, after(5*time.Hour)), "another source")
	after1.Last = seeding.LastRun{ID: other.ID, Started: other.Started, Completed: other.Completed}
	figures(after1, "nobody is rejected of another source")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same([]string{state.Name, state.MTSHost, state.RegistryHost}, []string{"elsewhere", "https://mts.example:443", "https://registry.example:443"}, "what lists show")
}

// openRuns: a claim tells how far its recurring run is, beside the run itself.
func (s *suite) openRuns() {
	c, run := s.running("c")
	open := func(want seeding.OpenRun, what string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Open, want, what)
	}
	open(seeding.OpenRun{}, "nothing is claimed")
	run.Expected, run.Totals = 90, seeding.Totals{Sent: 40, Tokenised: 30, Refused: 2, Duplicate: 1}
	run.Lately = map[int64]seeding.Patches{seeding.Period(t0): {Records: 33, Claimed: after(-time.Minute), Closed: t0}}
	claim := s.aClaim(c, run, "b")
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	reached := claim.OpenRun()
	s.same(reached.Totals, run.Totals, "totals")
	s.same([]any{reached.Looked, reached.Expected, reached.Progress.PerSecond}, []any{2, 90, 0.55}, "how far, and how fast")
	reached.Progress.End = reached.Progress.End.Truncate(time.Millisecond)
	open(reached, "a batch is claimed")
	imported := seeding.Run{ID: c.ID + "-import", Connector: c.ID, Kind: seeding.Import, Registry: c.RegistryKey(), Version: 1, Started: t0, PassStarted: t0, Fence: run.Fence}
	s.ok(s.store.OpenRun(s.ctx, imported), "open an import")
	s.ok(s.store.Claim(s.ctx, s.aClaim(c, imported, "i")), "claim of the import")
	open(reached, "an import changes nothing")
	run.Completed = after(time.Hour)
	s.ok(s.store.CompleteRun(s.ctx, run, nil), "complete")
	open(seeding.OpenRun{}, "the run is over")
}

// A run that goes on for long keeps no more than its rate needs.
func (s *suite) periods() {
	c, run := s.running("c")
	for i := range 10 {
		b := s.claimed(c, run, fmt.Sprint(i))
		s.closedAs(b, seeding.Patched, after(time.Duration(2*i)*time.Minute), seeding.Totals{Sent: 2})
		var err error
		run, err = s.store.Run(s.ctx, c.ID, run.ID)
		s.ok(err, "run")
	}
	s.ok(s.store.SaveRun(s.ctx, run), "save")
	run, err := s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "run")
	if len(run.Lately) != 4 || run.Lately[seeding.Period(after(18*time.Minute))].Records != 2 {
		s.Errorf("%+v", run.Lately)
	}
}

// whereabouts: which closed batches held a registrant.
func (s *suite) whereabouts() {
	c, run := s.running("c")
	var all []string
	for i := range 5 {
		b := s.claimed(c, run, fmt.Sprint(i)) // of registrants 7 and 9
		all = append(all, b.Ref.Batch)
		s.closedAs(b, seeding.Patched, after(time.Second), seeding.Totals{Sent: 2})
	}
	claim := s.aClaim(c, run, "others")
	claim.Batch.Members = []seeding.Member{{Registrant: 8, Identifier: 80}}
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	s.closedAs(claim.Batch, seeding.Lost, after(time.Second), seeding.Totals{Sent: 1})
	search := func(registrant int64, limit int) (ids []string) {
		s.Helper()
		for after := ""; ; {
			list, next, err := s.store.BatchesWith(s.ctx, c.ID, run.ID, registrant, after, limit)
			s.ok(err, "search")
			for _, b := range list {
				ids = append(ids, b.Ref.Batch)
			}
			if after = next; after == "" {
				return ids
			}
		}
	}
	for _, limit := range []int{1, 2, 100} {
		s.same(search(9, limit), []string{all[4], all[3], all[2], all[1], all[0]}, "batches, newest first")
		s.same(search(8, limit), []string{claim.Batch.Ref.Batch}, "batches of another")
		s.same(len(search(4711, limit)), 0, "batches of nobody")
	}
	closed, err := s.store.ClosedBatches(s.ctx, c.ID, run.ID)
	s.ok(err, "closed batches")
	s.same(closed[0].Members, []seeding.Member(nil), "members of a closed batch")
}
