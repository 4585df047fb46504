package seedingdbtest

import (
	"errors"
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// change is a change of a connector at a time.
func (s *suite) change(connector string, kind seeding.ChangeKind, at time.Time) seeding.Change {
	return seeding.Change{Connector: connector, ID: s.id(string(kind) + at.String()[:19]), At: at, Kind: kind, By: seeding.Person{Subject: "u", Claim: "sub"}}
}

// changed reads the kinds of all changes of a connector, newest first, page by page.
func (s *suite) changed(connector string, limit int) (kinds []seeding.ChangeKind) {
	s.Helper()
	for before := ""; ; {
		list, next, err := s.store.ListChanges(s.ctx, connector, before, limit)
		s.ok(err, "changes")
		for _, c := range list {
			kinds = append(kinds, c.Kind)
		}
		if before = next; before == "" {
			return kinds
		}
	}
}

// changes are written with what they tell of, or not at all, and stay.
func (s *suite) changes() {
	full := filled[seeding.Change]()
	full.Connector = s.id("full")
	c := seeding.Connector{ID: full.Connector, Version: 1, Registry: seeding.RegistryAccess{URL: "https://registry.example/" + s.prefix, Database: "g2p"}}
	s.ok(s.store.CreateConnector(s.ctx, c, full), "create")
	got, next, err := s.store.ListChanges(s.ctx, c.ID, "", 10)
	s.ok(err, "changes")
	s.same(got, []seeding.Change{full}, "all of a change")
	s.same(next, "", "next")
	again := s.change(c.ID, seeding.ChangeCreate, after(time.Hour))
	s.fails(s.store.CreateConnector(s.ctx, c, again), seeding.ErrConflict, "create it again")

	at := func(minutes int) time.Time { return after(time.Hour + time.Duration(minutes)*time.Minute) }
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, at(0), s.change(c.ID, seeding.ChangeStart, at(0))), "start")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, at(1), s.change(c.ID, seeding.ChangeStop, at(1))), "stop")
	s.ok(s.store.Retry(s.ctx, c.ID, seeding.Group{}, at(2), s.change(c.ID, seeding.ChangeRetry, at(2))), "retry")
	stale := c
	s.fails(s.store.ReplaceConnector(s.ctx, stale, at(3), s.change(c.ID, seeding.ChangeReplace, at(3))), seeding.ErrConflict, "replace another version")
	c.Version = 2
	s.ok(s.store.ReplaceConnector(s.ctx, c, at(3), s.change(c.ID, seeding.ChangeReplace, at(3))), "replace")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 1, at(4), s.change(c.ID, seeding.ChangeDelete, at(4))), seeding.ErrConflict, "delete another version")
	s.fails(s.store.SetStatus(s.ctx, s.id("nobody"), seeding.Running, t0, s.change(s.id("nobody"), seeding.ChangeStart, t0)), seeding.ErrNotFound, "start nobody")
	s.fails(s.store.Retry(s.ctx, s.id("nobody"), seeding.Group{}, t0, s.change(s.id("nobody"), seeding.ChangeRetry, t0)), seeding.ErrNotFound, "retry of nobody")
	s.same(len(s.changed(s.id("nobody"), 10)), 0, "changes of nobody")
	s.ok(s.store.DeleteConnector(s.ctx, c.ID, 2, at(4), s.change(c.ID, seeding.ChangeDelete, at(4))), "delete")
	want := []seeding.ChangeKind{seeding.ChangeDelete, seeding.ChangeReplace, seeding.ChangeRetry, seeding.ChangeStop, seeding.ChangeStart, full.Kind}
	for _, limit := range []int{1, 2, 6, 7} {
		s.same(s.changed(c.ID, limit), want, "changes, newest first, of a connector that is gone")
	}
	runs, _, err := s.store.ListRuns(s.ctx, c.ID, "", 10)
	s.ok(err, "runs")
	s.same(len(runs), 0, "changes are no runs")
}

// changesOfRuns: who opened an import, and who cancelled a run.
func (s *suite) changesOfRuns() {
	c, recurring := s.running("c")
	opened := s.change(c.ID, seeding.ChangeImport, after(time.Minute))
	opened.Run = s.id("import")
	order := seeding.Order{Run: seeding.Run{ID: opened.Run, Connector: c.ID, Kind: seeding.Import, Version: 1, Registry: c.RegistryKey(), Started: t0}}
	s.ok(s.store.OpenImport(s.ctx, order, t0, opened), "import")
	s.fails(s.store.OpenImport(s.ctx, order, t0, s.change(c.ID, seeding.ChangeImport, after(2*time.Minute))), seeding.ErrConflict, "the same import")
	cancelled := s.change(c.ID, seeding.ChangeCancel, after(3*time.Minute))
	cancelled.Run = recurring.ID
	s.ok(s.store.CancelRun(s.ctx, recurring, t0, cancelled), "cancel")
	unknown := recurring
	unknown.ID = s.id("nobody")
	s.fails(s.store.CancelRun(s.ctx, unknown, t0, s.change(c.ID, seeding.ChangeCancel, after(4*time.Minute))), seeding.ErrConflict, "cancel what is not open")
	got, _, err := s.store.ListChanges(s.ctx, c.ID, "", 10)
	s.ok(err, "changes")
	s.same(got, []seeding.Change{cancelled, opened}, "changes")
}

// retryingGroups: people ask for another attempt by kind and code, so often as the
// state has room for.
func (s *suite) retryingGroups() {
	c, _ := s.running("c")
	retried := func() seeding.Retried {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		return state.Retried
	}
	refused := seeding.Group{Kind: seeding.Refused, Code: "IDA-MLC-009,IDA-MLC-004"}
	s.ok(s.store.Retry(s.ctx, c.ID, refused, t0), "a group")
	s.same(retried(), seeding.Retried{refused: t0}, "asked for")
	n := 1
	for ; n < 100; n++ {
		if err := s.store.Retry(s.ctx, c.ID, seeding.Group{Kind: seeding.Invalid, Code: fmt.Sprint("C", n)}, after(time.Duration(n)*time.Second)); err != nil {
			s.fails(err, seeding.ErrTooMany, "too many groups")
			break
		}
	}
	if n < 10 || n > 50 {
		s.Errorf("%d groups", n)
	}
	s.same(len(retried()), n, "groups")
	s.ok(s.store.Retry(s.ctx, c.ID, seeding.Group{Kind: seeding.Invalid}, after(time.Hour)), "the kind")
	s.same(retried(), seeding.Retried{refused: t0, {Kind: seeding.Invalid}: after(time.Hour)}, "a kind has its codes")
	s.ok(s.store.Retry(s.ctx, c.ID, seeding.Group{}, after(2*time.Hour)), "all")
	s.same(retried()[seeding.Group{}], after(2*time.Hour), "all of them")
	outcomes := s.race(func(i int) error {
		return s.store.Retry(s.ctx, c.ID, seeding.Group{Kind: seeding.Duplicate, Code: fmt.Sprint("R", i%3)}, after(3*time.Hour))
	})
	delete(outcomes, nil)
	for err := range outcomes {
		if !errors.Is(err, seeding.ErrConflict) {
			s.Errorf("race: %v", err)
		}
	}
	if got := len(retried()); got < 3 || got > 5 {
		s.Errorf("%d groups after a race of three", got)
	}
}
