package seedingdbtest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) configurations() {
	full := filled[seeding.Connector]()
	full.ID, full.Version = s.id("full"), 1
	full.ODK.ODataURL = "https://central.example/v1/projects/7/forms/a%20form.svc/Submissions"
	s.ok(s.store.CreateConnector(s.ctx, full), "create")
	got, err := s.store.Connector(s.ctx, full.ID)
	s.ok(err, "read")
	s.same(got, full, "configuration")
	state, err := s.store.State(s.ctx, full.ID)
	s.ok(err, "state")
	s.same(state, seeding.State{
		Connector: full.ID, Registry: full.RegistryKey(), MTS: full.MTSKey(), Version: 1,
		Status: seeding.Stopped, Problems: map[seeding.Source]seeding.Problem{},
		Name: full.Name, MTSHost: full.MTS.URL, RegistryHost: full.Registry.URL, ODKHost: full.ODK.BaseURL, // which are no addresses here
		ODKForm: "a form",
	}, "first state")
	s.fails(s.store.CreateConnector(s.ctx, full), seeding.ErrConflict, "create twice")

	var ids []string
	for i := range 5 {
		ids = append(ids, s.connector(fmt.Sprintf("page%d", i)).ID)
	}
	var seen []string
	for mark, pages := s.id("page"), 0; ; pages++ {
		list, next, err := s.store.ListStates(s.ctx, mark, 2)
		s.ok(err, "list")
		for _, c := range list {
			if strings.HasPrefix(c.Connector, s.prefix) {
				seen = append(seen, c.Connector)
			}
		}
		if next == "" || !strings.HasPrefix(next, s.prefix) {
			break
		}
		if len(list) != 2 || pages > 5 {
			s.Fatalf("page of %d with a next page", len(list))
		}
		mark = next
	}
	s.same(seen, ids, "pages")
	list, next, err := s.store.ListStates(s.ctx, "\uffff", 2)
	s.ok(err, "list behind the end")
	if len(list) != 0 || next != "" {
		s.Errorf("behind the end: %d connectors, next %q", len(list), next)
	}

	states, err := s.store.States(s.ctx)
	s.ok(err, "states")
	mine := 0
	for _, state := range states {
		if strings.HasPrefix(state.Connector, s.prefix) {
			mine++
		}
	}
	s.same(mine, len(ids)+1, "states of all connectors")
}

func (s *suite) unknownConnector() {
	for _, id := range []string{s.id("nobody"), "", strings.Repeat("x", 3000)} {
		_, err := s.store.Connector(s.ctx, id)
		s.fails(err, seeding.ErrNotFound, "Connector")
		_, err = s.store.State(s.ctx, id)
		s.fails(err, seeding.ErrNotFound, "State")
		_, err = s.store.Run(s.ctx, id, "run")
		s.fails(err, seeding.ErrNotFound, "Run")
		_, err = s.store.Run(s.ctx, "connector", id)
		s.fails(err, seeding.ErrNotFound, "Run of a connector")
		s.fails(s.store.DeleteConnector(s.ctx, id, 1, t0), seeding.ErrNotFound, "DeleteConnector")
		s.fails(s.store.ReplaceConnector(s.ctx, seeding.Connector{ID: id, Version: 2}, t0), seeding.ErrNotFound, "ReplaceConnector")
		s.fails(s.store.SetStatus(s.ctx, id, seeding.Running, t0), seeding.ErrNotFound, "SetStatus")
	}
	id := s.id("nobody")
	_, err := s.store.TakeRun(s.ctx, id, "a", t0, after(time.Minute), time.Time{})
	s.fails(err, seeding.ErrNotFound, "TakeRun")
	s.fails(s.store.Retry(s.ctx, id, seeding.Group{}, t0), seeding.ErrNotFound, "Retry")
	s.fails(s.store.LeaveRun(s.ctx, id, 1, t0, t0, time.Time{}), seeding.ErrNotFound, "LeaveRun")
	s.fails(s.store.RaiseProblem(s.ctx, id, seeding.ProblemMTS, seeding.Problem{}), seeding.ErrNotFound, "RaiseProblem")
	s.fails(s.store.ClearProblems(s.ctx, id, []seeding.Source{seeding.ProblemMTS}, t0), seeding.ErrNotFound, "ClearProblems")
}

func (s *suite) replacing() {
	c, run := s.running("c")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemMTS, seeding.Problem{Text: "x"}), "raise")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, run.Fence, time.Time{}, after(time.Hour), time.Time{}), "leave")
	batch := s.claimed(c, run, "b")

	next := c
	next.Version, next.Name, next.MTS.URL = 2, "renamed", "https://other.example"
	s.ok(s.store.ReplaceConnector(s.ctx, next, after(time.Minute)), "another MTS while a batch is open")
	got, err := s.store.Connector(s.ctx, c.ID)
	s.ok(err, "read")
	s.same(got, next, "replaced")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state, seeding.State{
		Connector: c.ID, Registry: next.RegistryKey(), MTS: next.MTSKey(), Version: 2, Status: seeding.Running,
		Due: after(time.Minute), Since: state.Since, Run: run.ID, Open: state.Open, Moved: after(time.Minute), Lease: seeding.Lease{Fence: run.Fence}, Problems: map[seeding.Source]seeding.Problem{},
		Name: "renamed", MTSHost: "https://other.example:443", RegistryHost: "https://registry.example:443",
	}, "state after a replacement")
	s.fails(s.store.ReplaceConnector(s.ctx, next, t0), seeding.ErrConflict, "the same version twice")

	moved := next
	moved.Version, moved.Registry.Database = 3, "other"
	s.fails(s.store.ReplaceConnector(s.ctx, moved, t0), seeding.ErrOpenBatches, "another registry while a batch is open")
	direct := next
	direct.Version, direct.Delivery.Direct = 3, &seeding.DirectDelivery{URL: "https://registry.example/api"}
	s.fails(s.store.ReplaceConnector(s.ctx, direct, t0), seeding.ErrOpenBatches, "a direct callback while a batch is open")
	batch.State, batch.Closed = seeding.Lost, t0
	s.ok(s.store.Close(s.ctx, batch), "close")
	s.same(len(s.mtsState(c).Slots), 0, "slots at the MTS of before")
	other, otherRun := s.running("other")
	s.claimed(other, otherRun, "others")
	s.ok(s.store.ReplaceConnector(s.ctx, moved, t0), "another registry while others have batches open")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Registry, moved.RegistryKey(), "registry")

	// Neither a claim nor the move can get past the other.
	for i := range 8 {
		c, run := s.running(fmt.Sprintf("raced%d", i))
		claim := s.aClaim(c, run, c.Name)
		moved := c
		moved.Version, moved.Registry.Database = 2, "other"
		claimed := make(chan error)
		go func() { claimed <- s.store.Claim(s.ctx, claim) }()
		replaceErr, claimErr := s.store.ReplaceConnector(s.ctx, moved, t0), <-claimed
		switch {
		case replaceErr == nil && errors.Is(claimErr, seeding.ErrConflict):
		case claimErr == nil && errors.Is(replaceErr, seeding.ErrOpenBatches):
		default:
			s.Errorf("claim: %v, replacement: %v", claimErr, replaceErr)
		}
	}
}

func (s *suite) deleting() {
	c, run := s.running("c")
	batch := s.claimed(c, run, "b")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 1, t0), seeding.ErrOpenBatches, "while submit is at work")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, run.Fence, t0, t0, time.Time{}), "leave")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 1, t0), seeding.ErrOpenBatches, "while a batch is open")
	batch.State, batch.Closed = seeding.Lost, t0
	s.ok(s.store.Close(s.ctx, batch), "close")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 2, t0), seeding.ErrConflict, "of another version")
	_, err := s.store.TakeRun(s.ctx, c.ID, "dead", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 1, t0), seeding.ErrOpenBatches, "while the lease lasts")
	s.ok(s.store.DeleteConnector(s.ctx, c.ID, 1, after(time.Minute)), "when the lease is over")
	_, err = s.store.State(s.ctx, c.ID)
	s.fails(err, seeding.ErrNotFound, "state of a deleted connector")
	_, err = s.store.Connector(s.ctx, c.ID)
	s.fails(err, seeding.ErrNotFound, "deleted connector")
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, run, "late")), seeding.ErrConflict, "claim of a deleted connector")
	s.fails(s.store.DeleteConnector(s.ctx, c.ID, 1, t0), seeding.ErrNotFound, "delete twice")
}

func (s *suite) runLease() {
	c := s.connector("c")
	take := func(owner string, from, until time.Duration) (seeding.State, error) {
		return s.store.TakeRun(s.ctx, c.ID, owner, after(from), after(until), time.Time{})
	}
	first, err := take("a", 0, time.Minute)
	s.ok(err, "a free lease")
	s.same(first.Lease, seeding.Lease{Owner: "a", Until: after(time.Minute), Fence: first.Lease.Fence}, "lease")
	_, err = take("b", 59*time.Second, 2*time.Minute)
	s.fails(err, seeding.ErrLeaseHeld, "a held lease")
	renewed, err := take("a", 30*time.Second, 90*time.Second)
	s.ok(err, "renewal")
	s.fails(s.store.LeaveRun(s.ctx, c.ID, first.Lease.Fence, t0, t0, time.Time{}), seeding.ErrConflict, "leave with the fence before")
	taken, err := take("b", 90*time.Second, 3*time.Minute)
	s.ok(err, "a lease that is over")
	if renewed.Lease.Fence <= first.Lease.Fence || taken.Lease.Fence <= renewed.Lease.Fence {
		s.Errorf("fences %d, %d, %d do not grow", first.Lease.Fence, renewed.Lease.Fence, taken.Lease.Fence)
	}
	s.fails(s.store.LeaveRun(s.ctx, c.ID, renewed.Lease.Fence, t0, t0, time.Time{}), seeding.ErrConflict, "leave by a holder thought dead")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, taken.Lease.Fence, t0, after(time.Hour), time.Time{}), "leave")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Lease, seeding.Lease{Fence: taken.Lease.Fence}, "lease after leaving")
	s.same(state.Due, after(time.Hour), "due time after leaving")

	outcomes := s.race(func(i int) error {
		_, err := take(fmt.Sprintf("racer%d", i), time.Hour, 2*time.Hour)
		return err
	})
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrLeaseHeld: racers - 1}, "race for the lease")
}

// keeping: the run lease is renewed by who has it, and by nobody else.
func (s *suite) keeping() {
	c := s.connector("c")
	taken, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.ok(s.store.KeepRun(s.ctx, c.ID, taken.Lease.Fence, after(2*time.Minute)), "keep")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Lease, seeding.Lease{Owner: "a", Until: after(2 * time.Minute), Fence: taken.Lease.Fence}, "lease that was kept")
	other, err := s.store.TakeRun(s.ctx, c.ID, "b", after(2*time.Minute), after(3*time.Minute), time.Time{})
	s.ok(err, "take once it is over")
	s.fails(s.store.KeepRun(s.ctx, c.ID, taken.Lease.Fence, after(time.Hour)), seeding.ErrConflict, "keep another's")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, other.Lease.Fence, t0, t0, time.Time{}), "leave")
	s.fails(s.store.KeepRun(s.ctx, c.ID, other.Lease.Fence, after(time.Hour)), seeding.ErrConflict, "keep what was given back")
}

// serving: who is invoked is noted, once for all ticks that read the same, until an
// invocation gives the lease back.
func (s *suite) serving() {
	c := s.connector("c")
	read := func(served time.Time, unreturned int, what string) seeding.State {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Served, served, what)
		s.same(state.Unreturned, unreturned, what)
		return state
	}
	first := read(time.Time{}, 0, "new")
	s.ok(s.store.NoteInvoked(s.ctx, first, t0, seeding.Problem{}), "invoked")
	s.fails(s.store.NoteInvoked(s.ctx, first, after(time.Second), seeding.Problem{}), seeding.ErrConflict, "by a second tick")
	second := read(t0, 1, "invoked once")
	s.same(len(second.Problems), 0, "problems of who was invoked once")
	died := filled[seeding.Problem]()
	s.ok(s.store.NoteInvoked(s.ctx, second, after(time.Minute), died), "invoked again")
	shows := func(state seeding.State, what string) {
		s.Helper()
		s.same(state.Problems, map[seeding.Source]seeding.Problem{seeding.ProblemDied: died}, what)
	}
	third := read(after(time.Minute), 2, "invoked twice")
	shows(third, "problem of who was invoked twice")
	taken, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.fails(s.store.NoteInvoked(s.ctx, third, after(2*time.Minute), seeding.Problem{}), seeding.ErrConflict, "once the lease is taken")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, taken.Lease.Fence, time.Time{}, t0, time.Time{}), "leave after a failure")
	shows(read(after(time.Minute), 2, "left after a failure"), "problem after a failure")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, taken.Lease.Fence, after(3*time.Minute), t0, time.Time{}), "leave")
	left := read(after(3*time.Minute), 0, "left")
	s.same(len(left.Problems), 0, "problems once an invocation ended well")

	s.ok(s.store.NoteInvoked(s.ctx, left, after(4*time.Minute), seeding.Problem{}), "invoked")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(4*time.Minute)), "start")
	started := read(after(4*time.Minute), 0, "started by a person")
	s.ok(s.store.NoteInvoked(s.ctx, started, after(5*time.Minute), seeding.Problem{}), "invoked")
	c.Version++
	s.ok(s.store.ReplaceConnector(s.ctx, c, after(5*time.Minute)), "replace")
	read(after(5*time.Minute), 0, "configured anew")

	state := read(after(5*time.Minute), 0, "before the race")
	outcomes := s.race(func(int) error { return s.store.NoteInvoked(s.ctx, state, after(6*time.Minute), seeding.Problem{}) })
	s.same(outcomes[nil]+outcomes[seeding.ErrConflict], racers, "race of ticks")
	read(after(6*time.Minute), 1, "after the race")
	s.fails(s.store.NoteInvoked(s.ctx, seeding.State{Connector: "none"}, t0, seeding.Problem{}), seeding.ErrNotFound, "of a connector that does not exist")
}

// moving: the state has the time of the last write that says that a run moved, or
// may move again.
func (s *suite) moving() {
	c, run := s.running("c")
	moved := func(want time.Time, what string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Moved, want, what)
	}
	moved(run.Started, "an opened run")
	state, err := s.store.TakeRun(s.ctx, c.ID, "submitter", after(time.Second), after(time.Minute), after(time.Second))
	s.ok(err, "renew")
	s.same(state.Moved, after(time.Second), "the state that a renewal returns")
	state, err = s.store.TakeRun(s.ctx, c.ID, "submitter", after(2*time.Second), after(time.Minute), time.Time{})
	s.ok(err, "renew")
	moved(after(time.Second), "a renewal without a move")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, state.Lease.Fence, t0, t0, after(3*time.Second)), "leave")
	moved(after(3*time.Second), "left after a move")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, state.Lease.Fence, t0, t0, time.Time{}), "leave")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemMTS, seeding.Problem{Text: "x"}), "raise")
	moved(after(3*time.Second), "left without a move, and a problem")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemMTS}, after(4*time.Second)), "clear")
	moved(after(4*time.Second), "a problem that is over")
	s.ok(s.store.Retry(s.ctx, c.ID, seeding.Group{}, after(5*time.Second)), "retry")
	moved(after(4*time.Second), "a retry")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(6*time.Second)), "start")
	moved(after(6*time.Second), "a start")
}

// dueTime: a wish that submit look earlier counts, whenever it is made.
func (s *suite) dueTime() {
	wishes := map[string]func(c seeding.Connector, at time.Time) error{
		"start": func(c seeding.Connector, at time.Time) error {
			return s.store.SetStatus(s.ctx, c.ID, seeding.Running, at)
		},
		"stop": func(c seeding.Connector, at time.Time) error {
			return s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, at)
		},
		"change": func(c seeding.Connector, at time.Time) error {
			c.Version++
			return s.store.ReplaceConnector(s.ctx, c, at)
		},
		"problem cleared": func(c seeding.Connector, at time.Time) error {
			return s.store.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemMTS, seeding.ProblemRead}, at)
		},
	}
	const wished, leave = 10 * time.Second, 20 * time.Second
	for name, wish := range wishes {
		c := s.connector(strings.ReplaceAll(name, " ", "-"))
		take := func(at time.Duration) seeding.State {
			s.Helper()
			state, err := s.store.TakeRun(s.ctx, c.ID, "a", after(at), after(at+time.Minute), time.Time{})
			s.ok(err, "take")
			return state
		}
		due := func() time.Time {
			s.Helper()
			state, err := s.store.State(s.ctx, c.ID)
			s.ok(err, "state")
			return state.Due
		}
		s.ok(s.store.LeaveRun(s.ctx, c.ID, take(0).Lease.Fence, t0, after(time.Hour), time.Time{}), "leave")
		s.same(due(), after(time.Hour), "due in an hour")
		s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemMTS, seeding.Problem{Text: "x"}), "raise")

		fence := take(0).Lease.Fence
		s.ok(wish(c, after(wished)), name)
		s.ok(s.store.LeaveRun(s.ctx, c.ID, fence, t0, after(leave), time.Time{}), "leave")
		s.same(due(), after(wished), name+" under a lease")

		state := take(leave)
		s.same(state.Due, after(wished), name+", in the state that TakeRun returns")
		s.same(due(), after(wished), name+", after the holder has died")
		s.ok(s.store.LeaveRun(s.ctx, c.ID, state.Lease.Fence, t0, after(time.Hour), time.Time{}), "leave")
		s.same(due(), after(time.Hour), name+", done")

		fence = take(leave).Lease.Fence
		s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, after(2*time.Hour)), "start")
		s.ok(s.store.LeaveRun(s.ctx, c.ID, fence, t0, after(time.Hour), time.Time{}), "leave")
		s.same(due(), after(time.Hour), "a due time earlier than the wish")
	}
}

func (s *suite) problems() {
	c := s.connector("c")
	raised := func() map[seeding.Source]seeding.Problem {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		return state.Problems
	}
	full := filled[seeding.Problem]()
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemSignIn, full), "raise")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemUnlink, seeding.Problem{Text: "old"}), "raise")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemUnlink, seeding.Problem{Text: "new"}), "raise again")
	s.same(raised(), map[seeding.Source]seeding.Problem{
		seeding.ProblemSignIn: full, seeding.ProblemUnlink: {Text: "new"},
	}, "problems")

	state, err := s.store.TakeRun(s.ctx, c.ID, "a", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, state.Lease.Fence, t0, after(time.Hour), time.Time{}), "leave")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemMTS}, t0), "clear what was not raised")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, nil, t0), "clear nothing")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Due, after(time.Hour), "due time after nothing was cleared")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemSetAside, seeding.Problem{Text: "shown"}), "raise what is only shown")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemSetAside}, t0), "clear what was only shown")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Due, after(time.Hour), "due time after what was only shown was cleared")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemMTS, seeding.ProblemUnlink}, t0), "clear")
	s.same(raised(), map[seeding.Source]seeding.Problem{seeding.ProblemSignIn: full}, "problems after clearing one")

	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, t0), "stop")
	s.same(len(raised()), 1, "problems after a stop")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start again")
	s.same(len(raised()), 0, "problems after a start")
	s.ok(s.store.RaiseProblem(s.ctx, c.ID, seeding.ProblemMTS, full), "raise after all were cleared")
}

// What is only shown is raised, cleared, and ended by a start and by a change like
// any other problem.
func (s *suite) shownProblems() {
	c := s.connector("c")
	blocking := map[seeding.Source]seeding.Problem{seeding.ProblemSignIn: {Text: "no"}}
	all := maps.Clone(blocking)
	for _, source := range seeding.OnlyShown {
		all[source] = filled[seeding.Problem]()
	}
	raise := func() {
		s.Helper()
		for source, p := range all {
			s.ok(s.store.RaiseProblem(s.ctx, c.ID, source, p), "raise")
		}
	}
	check := func(want map[seeding.Source]seeding.Problem, what string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Problems, want, what)
	}
	raise()
	check(all, "problems")
	s.ok(s.store.ClearProblems(s.ctx, c.ID, seeding.OnlyShown, t0), "clear")
	check(blocking, "problems after clearing those that are shown")
	raise()
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	check(map[seeding.Source]seeding.Problem{}, "problems after a start")
	raise()
	c.Version++
	s.ok(s.store.ReplaceConnector(s.ctx, c, t0), "replace")
	check(map[seeding.Source]seeding.Problem{}, "problems after a change")
}
