package submit

import (
	"context"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// view is what a step has read of its connector before it decides.
type view struct {
	state     seeding.State
	connector seeding.Connector
	run       *seeding.Run    // of this turn; nil for a recurring run that is not open
	open      []seeding.Batch // of the connector
	registry  seeding.RegistryState
	mts       seeding.MTSState
	posts     *posts // that are under way
}

// action is what a step does.
type action int

const (
	pause       action = iota // until a time
	openRun                   // one is due, and none is open
	finishJob                 // the schedule has no run to come
	completeRun               // it must end, though it may not have looked at everybody
	awaitClose                // wait for a batch to be closed
	awaitSlot                 // wait for a slot at MTS, or for a batch to be closed
	endPass                   // the pass has seen the last identifier
	planLooks                 // decide what a run of a connector of ODK looks at
	send                      // the next batch
)

// plan is the decision about a step.
type plan struct {
	do    action
	due   time.Time // of a pause, and of the run that is to be opened
	moves bool      // what it waits for counts as progress
}

// next is what a step leaves behind.
type next struct {
	again bool      // there may be more to do at once
	goes  bool      // the turn goes on: it has only waited, for a slot
	due   time.Time // when to look again, otherwise
	moved time.Time // when the run made progress; zero if it did not
}

// While the workers of MTS have enough to do, nobody waits for it: an invocation
// that waits costs as much as one that works.
const (
	// comesBack is how long before they would have nothing in their queues the
	// connector is due: a tick, a page and the POSTs fit into it.
	comesBack = 2 * time.Minute
	// shortestPause is less than a tick; one that is shorter still saves nothing.
	shortestPause = 30 * time.Second
)

// decide returns what the step does.
func decide(v view, now time.Time) plan {
	if v.run == nil {
		return begin(v.state, v.connector.Schedule, now)
	}
	ofRun := func(b seeding.Batch) bool { return b.Ref.Run == v.run.ID }
	switch _, ends := v.ends(now); {
	case !ends:
		return continueRun(v, now)
	case slices.ContainsFunc(v.open, ofRun): // it ends once they are closed
		return plan{do: pause, due: now}
	}
	return plan{do: completeRun}
}

// ends reports whether the run must end, and why, although it may not have looked at
// everybody.
func (v view) ends(now time.Time) (why seeding.Ending, ends bool) {
	schedule := v.connector.Schedule
	switch imports := v.run.Kind == seeding.Import; {
	case v.state.Cancels(v.run.ID):
		return seeding.EndedByCancel, true
	case imports && !v.run.Started.After(v.state.Halted), !imports && v.state.Status != seeding.Running:
		return seeding.EndedByStop, true
	case (!imports || v.ofForm()) && v.run.Version != v.connector.Version, imports && v.run.Registry != v.connector.RegistryKey():
		return seeding.EndedByChange, true
	case !imports && schedule.OneTime() && schedule.Over(now):
		return seeding.EndedByItsTime, true
	}
	return seeding.Finished, false
}

// ofForm reports whether the run is about a form: its moments mean nothing in another.
func (v view) ofForm() bool {
	return v.connector.FromODK() || v.run.Looks.Planned || v.run.Selection.Window != (seeding.Window{})
}

// begin decides for a connector without an open recurring run.
func begin(state seeding.State, schedule seeding.Schedule, now time.Time) plan {
	if state.Status != seeding.Running {
		return plan{do: pause, due: state.Due}
	}
	switch due, ok := state.NextRun(schedule, now); {
	case !ok:
		return plan{do: finishJob}
	case due.After(now):
		return plan{do: pause, due: due}
	default:
		return plan{do: openRun, due: due}
	}
}

// continueRun decides for a run that may make new batches.
func continueRun(v view, now time.Time) plan {
	blocked, probe := v.state.Blocked()
	probes := blocked || v.mts.Attempts > 0
	ofRun := func(b seeding.Batch) bool { return b.Ref.Run == v.run.ID }
	inTime := func(b seeding.Batch) bool { return now.Before(b.GiveUpAt()) }
	switch {
	case v.registry.OutageUntil.After(now):
		return plan{do: pause, due: v.registry.OutageUntil, moves: true} // who found the outage shows it
	case blocked && probe.After(now):
		return plan{do: pause, due: probe}
	case v.connector.FromODK() && !v.run.Looks.Planned:
		return plan{do: planLooks}
	case probes && len(v.open) > 0, v.run.PassOver && slices.ContainsFunc(v.open, ofRun):
		return plan{do: awaitClose, moves: slices.ContainsFunc(v.open, inTime)}
	case v.run.PassOver:
		return plan{do: endPass}
	case !v.hasRoom(now):
		moves := slices.ContainsFunc(v.open, inTime)
		if away := v.mts.Supplied(v.connector.ID, now) - comesBack; away >= shortestPause && v.posts.open() == 0 {
			return plan{do: pause, due: now.Add(away), moves: moves}
		}
		return plan{do: awaitSlot, moves: moves}
	}
	return plan{do: send}
}

// hasRoom reports whether MTS takes another batch of the connector now.
func (v view) hasRoom(now time.Time) bool {
	size, _ := v.mts.Next(now, v.connector.MTS.BatchMaximum)
	return v.free(now) > 0 && v.mts.Takes(size, now, v.connector.MTS.WidthMaximum)
}

// free is how many batches of the connector MTS takes now. A worker that is busy
// with a POST takes no other, and when all are, the first that is done takes
// everything that waits (facts/mts.md 9); so the POSTs under way count as workers.
func (v view) free(now time.Time) int {
	if v.posts.heavy() {
		return 0
	}
	return v.mts.Free(v.connector.ID, now, v.connector.MTS.WidthMaximum, v.posts.open())
}

// step does the next thing for a run of the connector; "" is a recurring run
// that is not open.
func (s *Submitter) step(ctx context.Context, state seeding.State, run string, posts *posts) (next, error) {
	v, err := s.look(ctx, state, run)
	if err != nil {
		return next{}, err
	}
	v.posts = posts
	now := s.Clock.Now()
	p := decide(v, now)
	if p.do == openRun {
		if more, err := s.forgetOthers(ctx, v.connector); err != nil || more {
			return next{due: now, again: more}, err
		}
		if v.run, err = s.open(ctx, v, p.due, now); err != nil {
			return next{}, err
		}
		p = decide(v, now)
	}
	var n next
	switch p.do {
	case pause:
		n = next{due: p.due}
	case finishJob:
		n, err = next{due: state.Due}, s.Store.FinishJob(ctx, state.Connector, v.connector.Version, state.Lease.Fence)
	case completeRun:
		run := *v.run
		run.Ending, _ = v.ends(now)
		_, err = s.complete(ctx, run, nil)
		n = v.after(run, now)
	case awaitClose, awaitSlot:
		n, err = s.awaitChange(ctx, v, now, p.do == awaitSlot)
		n.goes = p.do == awaitSlot && n.again
	case endPass:
		n, err = s.endPass(ctx, v)
	case planLooks:
		n, err = s.plan(ctx, v)
	default:
		n, err = s.send(ctx, v)
	}
	if n.moved.IsZero() && p.moves {
		n.moved = now
	}
	return n, err
}

func (s *Submitter) look(ctx context.Context, state seeding.State, run string) (v view, err error) {
	v.state = state
	if v.connector, err = s.Store.Connector(ctx, state.Connector); err != nil {
		return v, err
	}
	if v.open, err = s.openBatches(ctx, v.connector); err != nil {
		return v, err
	}
	if run != "" {
		r, err := s.Store.Run(ctx, v.connector.ID, run)
		if err != nil {
			return v, err
		}
		r.Fence = state.Lease.Fence
		v.run = &r
		if r.Selection.Domain != "" {
			v.connector.Source.Domain = r.Selection.Domain
		}
	}
	if v.registry, err = s.Store.RegistryState(ctx, v.connector.RegistryKey()); err != nil {
		return v, err
	}
	v.mts, err = s.mtsState(ctx, v.connector)
	return v, err
}

// mtsState reads the state of the connector's MTS, and which of its overdue
// batches have an answer that waits for patch. Those of other registries are left
// out: MTS has done its part, and a registry that is away must not hold up others.
func (s *Submitter) mtsState(ctx context.Context, c seeding.Connector) (seeding.MTSState, error) {
	mts, err := s.Store.MTSState(ctx, c.MTSKey())
	if err != nil {
		return mts, err
	}
	now, slots := s.Clock.Now(), mts.Slots
	mts.Slots = nil
	for _, slot := range slots {
		if slot.Overdue = mts.OverdueAt(slot, s.Times); !slot.Overdue.After(now) {
			if slot.Answered, err = s.Store.HasAnswer(ctx, slot.Registry, slot.Batch); err != nil {
				return mts, err
			}
		}
		if !slot.Answered || slot.Registry == c.RegistryKey() {
			mts.Slots = append(mts.Slots, slot)
		}
	}
	return mts, nil
}

// openBatches are those of the connector.
func (s *Submitter) openBatches(ctx context.Context, c seeding.Connector) ([]seeding.Batch, error) {
	all, err := s.Store.OpenBatches(ctx, c.RegistryKey())
	return slices.DeleteFunc(all, func(b seeding.Batch) bool { return b.Ref.Connector != c.ID }), seeding.IgnoreDamaged(err)
}

// awaitChange waits a while for a batch to be closed, and for a slot. If other
// connectors use the MTS it says that it waits for one, so that it gets its turn.
func (s *Submitter) awaitChange(ctx context.Context, v view, now time.Time, slot bool) (next, error) {
	held := v.mts.HeldBy(v.connector.ID)
	changed, err := s.await(ctx, func() (bool, error) {
		// A batch gives its slot back when it is closed, and the slots are one
		// small item. Only batches at a former MTS have none at this.
		if v.holdsAll(held) {
			room, err := s.roomCame(ctx, &v, slot)
			return room || len(v.mts.HeldBy(v.connector.ID)) != len(held), err
		}
		open, err := s.openBatches(ctx, v.connector)
		if err != nil || len(open) != len(v.open) {
			return true, err
		}
		return s.roomCame(ctx, &v, slot)
	})
	n := next{due: now, again: changed}
	if changed {
		n.moved = s.Clock.Now()
	}
	return n, err
}

// holdsAll reports whether each open batch is among those that hold a slot.
func (v view) holdsAll(held []string) bool {
	return !slices.ContainsFunc(v.open, func(b seeding.Batch) bool { return !slices.Contains(held, b.Ref.Batch) })
}

// roomCame reads the MTS anew, and reports whether it takes a batch of the
// connector now, if that wants a slot.
func (s *Submitter) roomCame(ctx context.Context, v *view, wanted bool) (bool, error) {
	var err error
	if v.mts, err = s.mtsState(ctx, v.connector); err != nil || !wanted {
		return false, err
	}
	if v.hasRoom(s.Clock.Now()) {
		return true, nil
	}
	return false, s.markWaiting(ctx, *v)
}

// markWaiting writes that the connector waits for a slot, if others use the MTS
// too, and it does not wait for itself: then they need not.
func (s *Submitter) markWaiting(ctx context.Context, v view) error {
	if v.mts.Held(v.connector.ID, s.Clock.Now()) >= v.connector.MTS.WidthMaximum || v.posts.open() >= v.mts.Wave() || v.posts.heavy() {
		return nil
	}
	w, renew := v.mts.Wait(v.connector.ID, s.Clock.Now(), s.Times.AnswerWait)
	if !renew {
		return nil
	}
	return s.Store.WaitForMTS(ctx, v.mts.Key, w)
}

// endWaiting writes that the connector does not wait any more, because it has
// nobody to send. Others get their turn.
func (s *Submitter) endWaiting(ctx context.Context, v view) error {
	now := s.Clock.Now()
	w, waits := v.mts.Waits(v.connector.ID, now)
	if !waits {
		return nil
	}
	w.Until = now
	return s.Store.WaitForMTS(ctx, v.mts.Key, w)
}
