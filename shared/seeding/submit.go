package seeding

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Submitter finds registrants that need a token and sends them to MTS, batch by
// batch (protocol, "Submit").
type Submitter struct {
	Store interface {
		Connectors
		Runs
		Batches
		Rejections
		RegistryStates
		Seeders
		Answers
	}
	Registries   Registries
	Seeder       Seeder
	Mappings     Mappings
	Capabilities Keyring
	Rows         Keyring
	Prints       Keyring
	Invoker      Invoker
	Meter        Meter
	Clock        Clock
	Times        Times
	NewID        func() string // sortable by time of making, and unique
	CallbackBase string        // MTS calls back below it
	Log          *slog.Logger
}

const (
	// connectorsAtOnce bounds what one tick keeps busy.
	connectorsAtOnce = 3
	// unansweredAtOnce keeps MTS busy while we wait for an answer, and no more:
	// what is in its memory is lost when it restarts (facts/mts.md W1).
	unansweredAtOnce = 2
	// pageMost bounds a page; beyond it pages gain little (facts/odoo.md B2).
	pageMost = 1000
)

// Tick only fans out: one asynchronous invoke per connector that is due, so
// that a slow one holds up nobody. Those that waited longest come first.
func (s *Submitter) Tick(ctx context.Context) error {
	states, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	free := connectorsAtOnce
	var due []State
	for _, state := range states {
		if state.Lease.Live(now) {
			free--
		} else if state.Wants(now) {
			due = append(due, state)
		}
	}
	slices.SortFunc(due, func(a, b State) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Connector, b.Connector))
	})
	var failed error
	for _, state := range due[:min(len(due), max(free, 0))] {
		failed = errors.Join(failed, s.Invoker.InvokeSubmit(ctx, state.Connector))
	}
	return failed
}

// Work moves one connector on until there is nothing to do, or until the given
// time. A second call for a connector under work finds its lease taken and
// returns at once.
func (s *Submitter) Work(ctx context.Context, connector string, until time.Time) error {
	w := work{Submitter: s, owner: s.NewID(), log: s.Log.With("connector", connector)}
	for {
		// Taking the lease again renews it, and reads what a person changed.
		now := s.Clock.Now()
		state, err := s.Store.TakeRun(ctx, connector, w.owner, now, now.Add(s.stepLimit()), w.moved)
		if errors.Is(err, ErrHeld) || isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		w.state = state
		due, again, err := w.step(ctx)
		if errors.Is(err, ErrConflict) {
			// Somebody moved what this step stood on. Look anew, by the tick if
			// time is short.
			due, again, err = now, true, w.Clock.Sleep(ctx, s.Times.Poll)
		}
		if err == nil && again && s.Clock.Now().Add(s.stepLimit()).Before(until) {
			continue
		}
		if err != nil {
			due = now.Add(s.Times.ProbeFirst)
		}
		leave := s.Store.LeaveRun(ctx, connector, w.state.Lease.Fence, due, w.moved)
		if errors.Is(leave, ErrConflict) {
			leave = nil // the lease ran out and is somebody else's
		}
		return errors.Join(err, leave)
	}
}

// stepLimit is the longest that one step can last: a wait, a page, a POST.
func (s *Submitter) stepLimit() time.Duration {
	return s.Times.AnswerWait + s.Times.PageLimit + s.postLimit(pageMost) + 5*s.Times.Poll
}

// postLimit is the time limit of a POST. MTS needs about 16 ms per record
// (facts/mts.md 9), but may be at another POST first.
func (s *Submitter) postLimit(records int) time.Duration {
	return s.Times.PostBase + time.Duration(records)*s.Times.PostPerRecord
}

// work is one call of Work.
type work struct {
	*Submitter
	owner string
	log   *slog.Logger
	state State
	moved time.Time // when this call last saw the run move; zero until then
}

// step does the next thing for the connector: ends or opens its run, waits, or
// sends a batch. It returns when the connector is due again, or again if there
// may be more to do at once.
func (w *work) step(ctx context.Context) (due time.Time, again bool, err error) {
	now := w.Clock.Now()
	c, err := w.Store.Connector(ctx, w.state.Connector)
	if err != nil {
		return now, false, err
	}
	open, unanswered, err := w.openBatches(ctx, c)
	if err != nil {
		return now, false, err
	}
	run, due, again, err := w.currentRun(ctx, c, len(open))
	if err != nil || run == nil {
		return due, again, err
	}
	registry, err := w.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return now, false, err
	}
	mts, err := w.Store.MTS(ctx, c.MTSKey())
	if err != nil {
		return now, false, err
	}
	atOnce := unansweredAtOnce
	if mts.Alone(c.MTS.BatchMaximum) {
		atOnce = 1
	}
	blocked, next := w.state.Blocked()
	switch {
	case registry.OutageUntil.After(now):
		w.moved = now // who found the outage shows it
		return registry.OutageUntil, false, nil
	case blocked && next.After(now):
		return next, false, nil
	case blocked && len(open) > 0, len(unanswered) >= atOnce, run.PassOver && len(open) > 0:
		if slices.ContainsFunc(unanswered, func(b Batch) bool { return now.Before(b.lastWait()) }) {
			w.moved = now
		}
		changed, err := w.awaitChange(ctx, c, len(open), len(unanswered))
		if changed {
			w.moved = w.Clock.Now()
		}
		return now, changed, err
	case run.PassOver:
		return w.endPass(ctx, c, *run, blocked)
	}
	return w.send(ctx, c, *run, unanswered, blocked)
}

// openBatches are those of the connector, and which of them have no answer yet.
func (w *work) openBatches(ctx context.Context, c Connector) (open, unanswered []Batch, err error) {
	all, err := w.Store.OpenBatches(ctx, c.RegistryKey())
	if err != nil {
		return nil, nil, err
	}
	for _, b := range all {
		if b.Ref.Connector != c.ID {
			continue
		}
		open = append(open, b)
		answered, err := w.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
		if err != nil {
			return nil, nil, err
		}
		if !answered {
			unanswered = append(unanswered, b)
		}
	}
	return open, unanswered, nil
}

// awaitChange waits a while for an answer to arrive or a batch to be closed.
func (w *work) awaitChange(ctx context.Context, c Connector, open, unanswered int) (changed bool, err error) {
	return w.await(ctx, func() (bool, error) {
		nowOpen, nowUnanswered, err := w.openBatches(ctx, c)
		return len(nowOpen) != open || len(nowUnanswered) != unanswered, err
	})
}

// await looks until it sees what it waits for, at most for AnswerWait.
func (w *work) await(ctx context.Context, look func() (bool, error)) (bool, error) {
	for limit := w.Clock.Now().Add(w.Times.AnswerWait); w.Clock.Now().Before(limit); {
		if err := w.Clock.Sleep(ctx, w.Times.Poll); err != nil {
			return false, err
		}
		if seen, err := look(); seen || err != nil {
			return seen, err
		}
	}
	return false, nil
}

// gatherFailed turns what kept a batch from being made into a problem of the
// connector. A failure of the storage is none.
func (w *work) gatherFailed(ctx context.Context, c Connector, err error) (time.Time, bool, error) {
	if fault, ok := errors.AsType[*Fault](err); ok {
		return w.registryFailed(ctx, c, fault, ProblemRead)
	}
	if u, ok := errors.AsType[*unusable](err); ok {
		w.log.Warn("connector cannot be run", "problem", string(ProblemConfig))
		return w.raise(ctx, ProblemConfig, u.text, u.remedy)
	}
	return w.Clock.Now(), false, err
}

// registryFailed raises the problem of a failed call and tells when to try again.
func (w *work) registryFailed(ctx context.Context, c Connector, fault *Fault, op Source) (time.Time, bool, error) {
	now := w.Clock.Now()
	w.log.Warn("registry call failed", "fault", fault.Error(), "problem", string(op))
	source, text, remedy := registryProblem(fault, op)
	if source == ProblemRegistry {
		registry, err := w.Store.RegistryState(ctx, c.RegistryKey())
		if err != nil {
			return now, false, err
		}
		until := outage(now, registry.OutageTries, w.Times)
		if err := w.Store.NoteOutage(ctx, registry.Key, until, registry.OutageTries+1); err != nil && !errors.Is(err, ErrConflict) {
			return now, false, err
		}
	}
	return w.raise(ctx, source, text, remedy)
}

// raise sets a problem and returns when its next probe is due.
func (w *work) raise(ctx context.Context, source Source, text, remedy string) (time.Time, bool, error) {
	p := w.state.Problems[source].again(w.Clock.Now(), text, remedy, w.Times)
	return p.Next, false, w.Store.RaiseProblem(ctx, w.state.Connector, source, p)
}

// clear removes those of the problems that stand.
func (w *work) clear(ctx context.Context, sources ...Source) error {
	return clearStanding(ctx, w.Store, w.state, w.Clock.Now(), sources...)
}

func clearStanding(ctx context.Context, store Connectors, state State, now time.Time, sources ...Source) error {
	var standing []Source
	for _, source := range sources {
		if _, stands := state.Problems[source]; stands {
			standing = append(standing, source)
		}
	}
	if len(standing) == 0 {
		return nil
	}
	return store.ClearProblems(ctx, state.Connector, standing, now)
}

// movePace changes the pace of an MTS from whatever it is now.
func movePace(ctx context.Context, store Seeders, key string, move func(Pace) (Pace, bool)) error {
	for {
		mts, err := store.MTS(ctx, key)
		if err != nil {
			return err
		}
		next, moves := move(mts.Pace)
		if !moves {
			return nil
		}
		if err = store.SavePace(ctx, key, mts.Pace, next); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
