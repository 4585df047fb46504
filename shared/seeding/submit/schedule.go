package submit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

const (
	// places is how many connectors submit works on at the same time. A new account
	// of AWS runs ten functions at once, and the callback must always be one of them.
	places = 3
	// beatsPerLease is how often the run lease is renewed in its time.
	beatsPerLease = 4
)

// Invoker invokes submit for one connector, asynchronously.
type Invoker interface {
	InvokeSubmit(ctx context.Context, connector string) error
}

// Tick invokes submit once for each connector that is due and gets a place,
// asynchronously, so that a slow one does not delay the others. It looks again while
// somebody waits for a place, and where a holder of the run lease may have died; so
// places do not stand empty until the next tick.
func (s *Submitter) Tick(ctx context.Context) (failed error) {
	until, before := s.Clock.Now().Add(s.Times.TickLimit), []seeding.State(nil)
	for {
		states, err := s.Store.States(ctx)
		if seeding.IgnoreDamaged(err) != nil {
			return errors.Join(failed, err)
		}
		if before == nil { // once is enough
			failed = errors.Join(failed, err)
		}
		now := s.Clock.Now()
		chosen, left := chooseDue(states, now, s.Times)
		for _, state := range chosen {
			failed = errors.Join(failed, s.invoke(ctx, state, now))
		}
		beat := s.Times.RunLease / beatsPerLease
		if !now.Add(beat).Before(until) || left == 0 && !mayBeDead(states, before, now) {
			return failed
		}
		before = states
		if err := s.Clock.Sleep(ctx, beat); err != nil {
			return errors.Join(failed, err)
		}
	}
}

// invoke notes that a connector is served, and shows it if its last invocations died;
// then it invokes submit for it. If that fails, or the invocation never begins, its
// turn comes again.
func (s *Submitter) invoke(ctx context.Context, read seeding.State, now time.Time) error {
	err := s.Store.NoteInvoked(ctx, read, now, read.Died(now, s.Times))
	if errors.Is(err, seeding.ErrConflict) || seeding.IsNotFound(err) {
		return nil // another tick was first, or it is deleted
	}
	if err != nil {
		return err
	}
	return s.Invoker.InvokeSubmit(ctx, read.Connector)
}

// chooseDue chooses the connectors to invoke submit for, those that wait longest
// first. left is how many others there are that never gave reason for doubt. Of the
// doubtful ones, whose last invocation did not give the lease back, one comes before
// all others unless another is at work, and the rest behind them: so all of them
// together take one place from those that work, and never stand still themselves.
func chooseDue(states []seeding.State, now time.Time, times seeding.Times) (chosen []seeding.State, left int) {
	free, doubted := places, false
	var sound, doubtful []seeding.State
	for _, state := range states {
		switch {
		case state.AtWork(now, times):
			free--
			doubted = doubted || state.Doubtful(now, times)
		case !state.NeedsSubmit(now, times):
		case state.Doubtful(now, times):
			doubtful = append(doubtful, state)
		default:
			sound = append(sound, state)
		}
	}
	for _, waiting := range [][]seeding.State{sound, doubtful} {
		slices.SortFunc(waiting, func(a, b seeding.State) int {
			return cmp.Or(a.WaitsSince(now).Compare(b.WaitsSince(now)), cmp.Compare(a.Connector, b.Connector))
		})
	}
	first := 0
	if len(doubtful) > 0 && !doubted {
		first = 1
	}
	queue := slices.Concat(doubtful[:first], sound, doubtful[first:])
	chosen = queue[:min(len(queue), max(free, 0))]
	return chosen, max(0, first+len(sound)-len(chosen))
}

// mayBeDead reports whether the holder of a live run lease may have died: it was not
// renewed since the look before, or there was none.
func mayBeDead(states, before []seeding.State, now time.Time) bool {
	return slices.ContainsFunc(states, func(s seeding.State) bool {
		same := func(b seeding.State) bool { return b.Connector == s.Connector && b.Lease == s.Lease }
		return s.Lease.Live(now) && (before == nil || slices.ContainsFunc(before, same))
	})
}

// leavesPlace reports whether the connector, which is at work, is to leave its place
// to another: of those at work, as many leave as wait, those first that have been
// served longest.
func leavesPlace(states []seeding.State, connector string, now time.Time, times seeding.Times) bool {
	_, left := chooseDue(states, now, times)
	working := slices.DeleteFunc(slices.Clone(states), func(s seeding.State) bool { return !s.AtWork(now, times) })
	slices.SortFunc(working, func(a, b seeding.State) int {
		return cmp.Or(a.Served.Compare(b.Served), cmp.Compare(a.Connector, b.Connector))
	})
	return slices.ContainsFunc(working[:min(left, len(working))], func(s seeding.State) bool { return s.Connector == connector })
}

// isWaitedFor reports whether others wait for the place of the connector.
func (s *Submitter) isWaitedFor(ctx context.Context, connector string) (bool, error) {
	states, err := s.Store.States(ctx)
	if seeding.IgnoreDamaged(err) != nil {
		return false, err
	}
	return leavesPlace(states, connector, s.Clock.Now(), s.Times), nil
}

// keep renews the run lease until stop is called, so that a dead holder has it for
// seconds, however long a step takes. What hangs longer than any step has it no more.
func (s *Submitter) keep(ctx context.Context, state seeding.State, began time.Time) (stop func()) {
	last := began.Add(s.stepLimit())
	return s.Every(s.Times.RunLease/beatsPerLease, func() {
		now := s.Clock.Now()
		if now.After(last) {
			return
		}
		err := s.Store.KeepRun(ctx, state.Connector, state.Lease.Fence, now.Add(s.Times.RunLease))
		if seeding.IgnoreConflict(err) != nil && !seeding.IsNotFound(err) { // it may end meanwhile, and no harm is done
			s.Log.Warn("run lease not renewed", "connector", state.Connector, "fault", err.Error())
		}
	})
}
