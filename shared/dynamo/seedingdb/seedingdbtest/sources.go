package seedingdbtest

import (
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// imports: runs beside the recurring one, under the same lease.
func (s *suite) imports() {
	c, recurring := s.running("c")
	begun := func(name string) seeding.Run {
		run := recurring
		run.ID, run.Kind, run.Fence = s.id(name), seeding.Import, 0 // by somebody without the run lease
		return run
	}
	first, second := begun("import-1"), begun("import-2")
	stale := begun("import-3")
	stale.Version++
	s.fails(s.store.OpenRun(s.ctx, stale), seeding.ErrConflict, "open an import of another version")
	s.ok(s.store.OpenRun(s.ctx, second), "open an import")
	s.ok(s.store.OpenRun(s.ctx, first), "open another")
	s.fails(s.store.OpenRun(s.ctx, first), seeding.ErrConflict, "open it again")
	opened := func(run string, imports ...string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Run, run, "recurring run of the state")
		s.same(state.Imports, imports, "imports of the state")
	}
	opened(recurring.ID, first.ID, second.ID)
	got, err := s.store.Run(s.ctx, c.ID, first.ID)
	s.ok(err, "read")
	s.same(got, first, "import")

	first.Fence, second.Fence, stale.Fence = recurring.Fence, recurring.Fence, recurring.Fence
	s.claimed(c, first, "b1")
	s.claimed(c, recurring, "b2")
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, stale, "b3")), seeding.ErrConflict, "claim for an import that is not open")
	first.Cursor, first.Tally.Looked, first.Completed = 17, 2, after(time.Hour)
	old := first
	old.Fence--
	s.fails(s.store.CompleteRun(s.ctx, old, nil), seeding.ErrConflict, "complete under an old fence")
	s.ok(s.store.CompleteRun(s.ctx, first, nil), "complete")
	opened(recurring.ID, second.ID)
	s.fails(s.store.CompleteRun(s.ctx, first, nil), seeding.ErrConflict, "complete it again")
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, first, "b4")), seeding.ErrConflict, "claim for a completed import")
	recurring.Cursor, recurring.Tally.Looked, recurring.Completed = 17, 2, after(time.Hour)
	s.ok(s.store.CompleteRun(s.ctx, recurring, nil), "complete the recurring run")
	opened("", second.ID)
	s.claimed(c, second, "b5")
	second.Cursor, second.Tally.Looked, second.Completed = 17, 2, after(time.Hour)
	s.ok(s.store.CompleteRun(s.ctx, second, nil), "complete the last import")
	opened("")
}

// submissions of ODK: a batch that is a window and has no members, and
// rejections whose subject is a text.
func (s *suite) submissions() {
	c, run := s.running("c")
	claim := s.aClaim(c, run, "b")
	claim.Batch.Members, claim.Batch.Window = []seeding.Member{}, seeding.Window{From: t0, To: after(time.Hour)}
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	got, err := s.store.Batch(s.ctx, claim.Batch.Ref)
	s.ok(err, "open batch")
	s.same(got, claim.Batch, "open batch")
	closed := claim.Batch
	closed.State, closed.Closed = seeding.Lost, after(time.Hour)
	s.ok(s.store.Close(s.ctx, closed), "close")
	closed.Members = nil
	got, err = s.store.Batch(s.ctx, claim.Batch.Ref)
	s.ok(err, "closed batch")
	s.same(got, closed, "closed batch")

	registry := s.id("registry")
	rejection := func(subject seeding.Subject) seeding.Rejection {
		return seeding.Rejection{Registry: registry, Connector: "c", Subject: subject, Kind: seeding.Refused, Code: "IDA-MLC-009", Attempts: 1, Since: t0, LastAttempt: t0}
	}
	list := []seeding.Rejection{
		rejection(seeding.Member{Registrant: 1, Identifier: 9}.Subject()),
		rejection(seeding.Subject{Submission: "uuid:0f#1/ü $"}), // whatever a form gives
		rejection(seeding.Subject{Submission: "uuid:1a"}),
	}
	conflicts, err := s.store.PutRejections(s.ctx, list)
	s.ok(err, "put")
	s.same(conflicts, 0, "conflicts")
	conflicts, err = s.store.PutRejections(s.ctx, list)
	s.ok(err, "put again, as after a reply that was lost")
	s.same(conflicts, 0, "conflicts")
	for i := range list {
		list[i].Version = 1
	}
	var pages []seeding.Rejection
	for after := ""; ; {
		page, next, err := s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{}, after, 1)
		s.ok(err, "list")
		pages = append(pages, page...)
		if after = next; next == "" {
			break
		}
	}
	s.same(pages, list, "rejections, identifiers first")
	for name, c := range map[string]struct {
		filter seeding.RejectionFilter
		want   []seeding.Rejection
	}{
		"one":                     {seeding.RejectionFilter{Submission: "uuid:0f#1/ü $"}, list[1:2]},
		"one that begins another": {seeding.RejectionFilter{Submission: "uuid:1"}, nil},
		"one of another kind":     {seeding.RejectionFilter{Submission: "uuid:1a", Group: seeding.Group{Kind: seeding.SetAside}}, nil},
		"those of registrants":    {seeding.RejectionFilter{Subjects: seeding.Registrants}, list[:1]},
		"those of submissions":    {seeding.RejectionFilter{Subjects: seeding.Submissions, Group: seeding.Group{Kind: seeding.Refused}}, list[1:]},
		"one of the other source": {seeding.RejectionFilter{Subjects: seeding.Registrants, Submission: "uuid:1a"}, nil},
		"one longer than a key":   {seeding.RejectionFilter{Submission: strings.Repeat("ü", 255)}, nil},
	} {
		got, next, err := s.store.ListRejections(s.ctx, registry, "c", c.filter, "", 2)
		s.ok(err, name)
		s.same(got, c.want, name)
		s.same(next, "", name+": what follows")
	}
	last := pages[2]
	rest, next, err := s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{Subjects: seeding.Registrants}, "s:"+last.Submission+"#c", 2)
	s.ok(err, "go on from a mark of the source before")
	s.same(len(rest), 0, "what follows it")
	s.same(next, "", "what follows it")
	inRange, err := s.store.Rejections(s.ctx, registry, 0, 1<<62)
	s.ok(err, "read")
	s.same(inRange, list[:1], "rejections of identifiers")
	s.ok(s.store.DeleteRejections(s.ctx, list[1:2]), "delete")
	pages, _, err = s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{}, "", 10)
	s.ok(err, "list")
	s.same(pages, []seeding.Rejection{list[0], list[2]}, "rejections that are left")
}
