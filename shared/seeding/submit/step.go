package submit

import (
	"context"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// view is what a step has read of its connector before it decides.
type view struct {
	state      seeding.State
	connector  seeding.Connector
	run        *seeding.Run    // of this turn; nil for a recurring run that is not open
	open       []seeding.Batch // of the connector
	unanswered []seeding.Batch // those of them that have no answer yet
	registry   seeding.RegistryState
	mts        seeding.MTSState
}

// action is what a step does.
type action int

const (
	rest        action = iota // do nothing, until a time
	openRun                   // none is open
	completeRun               // the connector is stopped, or its configuration changed
	await                     // for an answer, or for a batch to be closed
	endPass                   // the pass has seen the last identifier
	send                      // the next batch
)

// plan is the decision about a step.
type plan struct {
	do    action
	due   time.Time // of rest
	moves bool      // what it waits for counts as progress
}

// next is what a step leaves behind.
type next struct {
	again bool      // there may be more to do at once
	due   time.Time // when to look again, otherwise
	moved time.Time // when the run made progress; zero if it did not
}

// decide returns what the step does.
func decide(v view, now time.Time) plan {
	running := v.state.Status == seeding.Running
	switch {
	case v.run == nil && running:
		return plan{do: openRun}
	case v.run == nil:
		return plan{do: rest, due: now.Add(v.connector.Schedule.Interval)}
	case running && v.run.Version == v.connector.Version:
		return continueRun(v, now)
	case len(v.open) > 0: // the run ends once they are closed
		return plan{do: rest, due: now}
	}
	return plan{do: completeRun}
}

// continueRun decides for a run that may make new batches.
func continueRun(v view, now time.Time) plan {
	blocked, probe := v.state.Blocked()
	atOnce := unansweredAtOnce
	if v.mts.Alone(v.connector.MTS.BatchMaximum) {
		atOnce = 1
	}
	ofRun := func(b seeding.Batch) bool { return b.Ref.Run == v.run.ID }
	inTime := func(b seeding.Batch) bool { return now.Before(b.GiveUpAt()) }
	switch {
	case v.registry.OutageUntil.After(now):
		return plan{do: rest, due: v.registry.OutageUntil, moves: true} // who found the outage shows it
	case blocked && probe.After(now):
		return plan{do: rest, due: probe}
	case blocked && len(v.open) > 0, len(v.unanswered) >= atOnce, v.run.PassOver && slices.ContainsFunc(v.open, ofRun):
		return plan{do: await, moves: slices.ContainsFunc(v.unanswered, inTime)}
	case v.run.PassOver:
		return plan{do: endPass}
	}
	return plan{do: send}
}

// step does the next thing for a run of the connector; "" is a recurring run
// that is not open.
func (s *Submitter) step(ctx context.Context, state seeding.State, run string) (next, error) {
	v, err := s.look(ctx, state, run)
	if err != nil {
		return next{}, err
	}
	now := s.Clock.Now()
	p := decide(v, now)
	if p.do == openRun {
		if v.run, err = s.open(ctx, v, now); err != nil {
			return next{}, err
		}
		p = decide(v, now)
	}
	var n next
	switch p.do {
	case rest:
		n = next{due: p.due}
	case completeRun:
		_, err = s.complete(ctx, *v.run)
		n = next{due: now, again: state.Status == seeding.Running}
	case await:
		n, err = s.awaitChange(ctx, v, now)
	case endPass:
		n, err = s.endPass(ctx, v)
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
	if v.open, v.unanswered, err = s.openBatches(ctx, v.connector); err != nil {
		return v, err
	}
	if run != "" {
		r, err := s.Store.Run(ctx, v.connector.ID, run)
		if err != nil {
			return v, err
		}
		r.Fence = state.Lease.Fence
		v.run = &r
	}
	if v.registry, err = s.Store.RegistryState(ctx, v.connector.RegistryKey()); err != nil {
		return v, err
	}
	v.mts, err = s.Store.MTSState(ctx, v.connector.MTSKey())
	return v, err
}

// openBatches are those of the connector, and those of them without an answer.
func (s *Submitter) openBatches(ctx context.Context, c seeding.Connector) (open, unanswered []seeding.Batch, err error) {
	all, err := s.Store.OpenBatches(ctx, c.RegistryKey())
	if err != nil {
		return nil, nil, err
	}
	for _, b := range all {
		if b.Ref.Connector != c.ID {
			continue
		}
		open = append(open, b)
		answered, err := s.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
		if err != nil {
			return nil, nil, err
		}
		if !answered {
			unanswered = append(unanswered, b)
		}
	}
	return open, unanswered, nil
}

// awaitChange waits a while for an answer, or for a batch to be closed.
func (s *Submitter) awaitChange(ctx context.Context, v view, now time.Time) (next, error) {
	changed, err := s.await(ctx, func() (bool, error) {
		open, unanswered, err := s.openBatches(ctx, v.connector)
		return len(open) != len(v.open) || len(unanswered) != len(v.unanswered), err
	})
	n := next{due: now, again: changed}
	if changed {
		n.moved = s.Clock.Now()
	}
	return n, err
}
