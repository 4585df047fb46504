package seedingdbtest

import (
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) runs() {
	c := s.connector("c")
	state, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	run := filled[seeding.Run]()
	run.ID, run.Connector, run.Kind, run.Version, run.Fence = s.id("run"), c.ID, seeding.Recurring, 1, state.Lease.Fence
	run.Completed, run.Ending, run.SentBefore, run.Again = time.Time{}, "", 0, 0
	uncount(&run)

	s.fails(s.store.OpenRun(s.ctx, run), seeding.ErrConflict, "open while stopped")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	for name, wrong := range map[string]func(*seeding.Run){
		"another version": func(r *seeding.Run) { r.Version++ },
		"an old fence":    func(r *seeding.Run) { r.Fence-- },
	} {
		r := run
		wrong(&r)
		s.fails(s.store.OpenRun(s.ctx, r), seeding.ErrConflict, "open with "+name)
	}
	_, err = s.store.Run(s.ctx, c.ID, run.ID)
	s.fails(err, seeding.ErrNotFound, "a run that was refused")
	s.fails(s.store.SaveRun(s.ctx, run), seeding.ErrNotFound, "save a run that was refused")
	s.ok(s.store.OpenRun(s.ctx, run), "open")
	got, err := s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "read")
	s.same(got, run, "run")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Run, run.ID, "run of the state")
	second := run
	second.ID += "2"
	s.fails(s.store.OpenRun(s.ctx, second), seeding.ErrConflict, "open a second run")

	moved := filled[seeding.Run]() // other values than the first: the fence is not the last of them
	moved.ID, moved.Connector, moved.Kind, moved.Version, moved.Started = run.ID, c.ID, run.Kind, run.Version, run.Started
	moved.Cursor, moved.PassOver, moved.Passes, moved.PassStarted = 4711, false, 2, after(time.Hour)
	moved.Completed, moved.Ending = time.Time{}, ""
	uncount(&moved)
	state, err = s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "renew")
	moved.Fence = state.Lease.Fence
	s.ok(s.store.SaveRun(s.ctx, moved), "save")
	got, err = s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "read")
	s.same(got, moved, "saved run")
	s.fails(s.store.SaveRun(s.ctx, run), seeding.ErrConflict, "save under an old fence")
	s.fails(s.store.CompleteRun(s.ctx, run, nil), seeding.ErrConflict, "complete under an old fence")

	moved.Completed, moved.Ending, moved.Totals = after(2*time.Hour), seeding.EndedByChange, filled[seeding.Totals]()
	state, err = s.store.TakeRun(s.ctx, c.ID, "b", after(time.Hour), after(3*time.Hour), time.Time{})
	s.ok(err, "take from one thought dead")
	s.fails(s.store.CompleteRun(s.ctx, moved, nil), seeding.ErrConflict, "complete under the fence before, which the run still has")
	moved.Fence = state.Lease.Fence
	s.ok(s.store.CompleteRun(s.ctx, moved, nil), "complete")
	got, err = s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "read")
	s.same(got, moved, "completed run")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Run, "", "run of the state")
	s.fails(s.store.SaveRun(s.ctx, moved), seeding.ErrConflict, "save a completed run")
	s.fails(s.store.CompleteRun(s.ctx, moved, nil), seeding.ErrConflict, "complete a completed run")
	second.Fence = moved.Fence
	s.ok(s.store.OpenRun(s.ctx, second), "open the next")
}

// schedule: what the schedule goes by, and the end of its job.
func (s *suite) schedule() {
	c := s.connector("c")
	goesBy := func(status seeding.Status, since, begun time.Time, what string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same([]any{state.Status, state.Since, state.Begun}, []any{status, since, begun}, what)
	}
	take := func() int64 {
		s.Helper()
		state, err := s.store.TakeRun(s.ctx, c.ID, "submitter", t0, after(time.Minute), time.Time{})
		s.ok(err, "take")
		return state.Lease.Fence
	}
	run := func(name string, due time.Time) seeding.Run {
		s.Helper()
		r := seeding.Run{ID: s.id(name), Connector: c.ID, Kind: seeding.Recurring, Version: c.Version, Due: due, Started: t0, Fence: take()}
		s.ok(s.store.OpenRun(s.ctx, r), "open")
		return r
	}
	goesBy(seeding.Stopped, time.Time{}, time.Time{}, "a new connector")
	s.fails(s.store.FinishJob(s.ctx, c.ID, 1, take()), seeding.ErrConflict, "finish while stopped")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(time.Second)), "start")
	goesBy(seeding.Running, after(time.Second), time.Time{}, "started")
	first := run("run1", after(2*time.Second))
	goesBy(seeding.Running, after(time.Second), after(2*time.Second), "a run begun")
	s.fails(s.store.FinishJob(s.ctx, c.ID, 1, first.Fence), seeding.ErrConflict, "finish while a run is open")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(3*time.Second)), "start again")
	goesBy(seeding.Running, after(time.Second), after(2*time.Second), "started twice")
	first.Completed = after(4 * time.Second)
	s.ok(s.store.CompleteRun(s.ctx, first, nil), "complete")
	change := func(interval, at time.Duration, what string) {
		s.Helper()
		c.Version++
		c.Schedule.Interval += interval
		s.ok(s.store.ReplaceConnector(s.ctx, c, after(at)), what)
	}
	change(0, 4*time.Second, "change something else")
	goesBy(seeding.Running, after(time.Second), after(2*time.Second), "a change that leaves the schedule")
	ended := run("run1b", after(4*time.Second))
	change(0, 5*time.Second, "change something else while a run is open")
	goesBy(seeding.Running, after(time.Second), time.Time{}, "a change that ends a run, and leaves the schedule")
	ended.Completed, ended.Ending = after(5*time.Second), seeding.EndedByChange
	s.ok(s.store.CompleteRun(s.ctx, ended, nil), "complete")
	change(time.Minute, 5*time.Second, "change the schedule")
	goesBy(seeding.Running, after(5*time.Second), time.Time{}, "another schedule")
	second := run("run2", after(6*time.Second))
	second.Completed = after(7 * time.Second)
	s.ok(s.store.CompleteRun(s.ctx, second, nil), "complete")
	s.fails(s.store.FinishJob(s.ctx, c.ID, 1, second.Fence), seeding.ErrConflict, "finish at another version")
	s.fails(s.store.FinishJob(s.ctx, c.ID, c.Version, second.Fence-1), seeding.ErrConflict, "finish under an old fence")
	s.fails(s.store.FinishJob(s.ctx, s.id("nobody"), c.Version, second.Fence), seeding.ErrNotFound, "finish nobody's")
	s.ok(s.store.FinishJob(s.ctx, c.ID, c.Version, second.Fence), "finish")
	s.ok(s.store.FinishJob(s.ctx, c.ID, c.Version, second.Fence), "finish again, as after a reply that was lost")
	goesBy(seeding.Completed, after(5*time.Second), after(6*time.Second), "finished")
	again := second
	again.ID, again.Completed = s.id("run3"), time.Time{}
	s.fails(s.store.OpenRun(s.ctx, again), seeding.ErrConflict, "open a run of a completed job")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(8*time.Second)), "restart")
	goesBy(seeding.Running, after(8*time.Second), time.Time{}, "restarted")
	run("run4", after(8*time.Second))
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, after(9*time.Second)), "stop")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(10*time.Second)), "start after a stop")
	goesBy(seeding.Running, after(10*time.Second), time.Time{}, "started after a stop")
}

// uncount takes away what batches count.
func uncount(r *seeding.Run) {
	r.Totals, r.Batches, r.Closed, r.Late, r.Lately, r.Uncounted = seeding.Totals{}, 0, 0, 0, nil, false
}

// createdAgain: a connector that was deleted with an open run and created again
// under the same id, so that fences and versions begin again.
func (s *suite) createdAgain() {
	c, old := s.running("c")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, old.Fence, t0, t0, time.Time{}), "leave")
	s.ok(s.store.DeleteConnector(s.ctx, c.ID, c.Version, t0), "delete")
	s.ok(s.store.CreateConnector(s.ctx, c), "create again")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	state, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.same(state.Run, "", "run of the new connector")
	fresh := seeding.Run{ID: s.id("fresh"), Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: t0, Fence: state.Lease.Fence}
	s.ok(s.store.OpenRun(s.ctx, fresh), "open")
	old.Fence = state.Lease.Fence
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, old, "b")), seeding.ErrConflict, "claim for the old run")
	old.Completed = t0
	s.fails(s.store.CompleteRun(s.ctx, old, nil), seeding.ErrConflict, "complete the old run")
	s.claimed(c, fresh, "b")
}

func (s *suite) runPages() {
	c := s.connector("c")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	state, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	var ids []string
	for i := range 5 {
		run := seeding.Run{ID: fmt.Sprintf("run%d", 5-i), Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: t0, Fence: state.Lease.Fence, Completed: t0}
		s.ok(s.store.OpenRun(s.ctx, run), "open")
		s.ok(s.store.CompleteRun(s.ctx, run, nil), "complete")
		ids = append(ids, run.ID)
	}
	var seen []string
	before := ""
	for page := range 3 {
		list, next, err := s.store.ListRuns(s.ctx, c.ID, before, 2)
		s.ok(err, "list")
		for _, run := range list {
			seen = append(seen, run.ID)
		}
		if (next == "") != (page == 2) {
			s.Fatalf("next %q on page %d", next, page)
		}
		before = next
	}
	s.same(seen, ids, "runs, newest first")
	list, next, err := s.store.ListRuns(s.ctx, c.ID, "run1", 2)
	s.ok(err, "list after the end")
	if len(list) != 0 || next != "" {
		s.Errorf("after the end: %d runs, next %q", len(list), next)
	}
	all, next, err := s.store.ListRuns(s.ctx, c.ID, "", 5)
	s.ok(err, "list all")
	if len(all) != 5 || next != "" {
		s.Errorf("all: %d runs, next %q", len(all), next)
	}
}
