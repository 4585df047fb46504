package seeding

import (
	"context"
	"math"
	"slices"
	"time"
)

// currentRun returns the run to go on with. It is nil when there is none: then
// due and again are what step returns.
func (w *work) currentRun(ctx context.Context, c Connector, open int) (run *Run, due time.Time, again bool, err error) {
	now := w.Clock.Now()
	if w.state.Run == "" {
		if w.state.Status != Running {
			return nil, now.Add(c.Schedule.Interval), false, nil
		}
		fresh := Run{
			ID: w.NewID(), Connector: c.ID, Version: c.Version,
			Started: now, Passes: 1, PassStarted: now, Fence: w.state.Lease.Fence,
		}
		if err := w.Store.OpenRun(ctx, fresh); err != nil {
			return nil, now, false, err
		}
		w.log.Info("run opened", "run", fresh.ID)
		return &fresh, now, false, nil
	}
	old, err := w.Store.Run(ctx, c.ID, w.state.Run)
	if err != nil {
		return nil, now, false, err
	}
	old.Fence = w.state.Lease.Fence
	if w.state.Status == Running && old.Version == c.Version {
		return &old, now, false, nil
	}
	// Stopped, or configured anew: the run ends once its batches are closed.
	if open > 0 {
		return nil, now, false, nil
	}
	if _, err := w.complete(ctx, old); err != nil {
		return nil, now, false, err
	}
	return nil, now, w.state.Status == Running, nil
}

// endPass completes the run, or begins another pass when something that this
// one sent is still pending. While a problem stands passes do not count: they
// are made of probes.
func (w *work) endPass(ctx context.Context, c Connector, run Run, blocked bool) (due time.Time, again bool, err error) {
	closed, err := w.Store.ClosedBatches(ctx, run.Connector, run.ID)
	if err != nil {
		return time.Time{}, false, err
	}
	sent, pending := false, false
	for _, b := range closed {
		if !b.Claimed.Before(run.PassStarted) {
			sent, pending = true, pending || b.Totals.Pending() > 0
		}
	}
	if err := w.nobodyWaits(ctx, c, run, sent); err != nil {
		return time.Time{}, false, err
	}
	now := w.Clock.Now()
	if pending && (blocked || run.Passes < MaxPasses) {
		run.Cursor, run.PassOver, run.PassStarted = 0, false, now
		if !blocked {
			run.Passes++
		}
		return now, true, w.saveRun(ctx, run)
	}
	if run, err = w.complete(ctx, run); err != nil {
		return time.Time{}, false, err
	}
	if due = run.Started.Add(c.Schedule.Interval); due.Before(now) {
		due = now // the run took longer; nobody has kept the next one waiting
	}
	return due, false, nil
}

// saveRun notes how far the run is, which is a move.
func (w *work) saveRun(ctx context.Context, run Run) error {
	err := w.Store.SaveRun(ctx, run)
	if err == nil {
		w.moved = w.Clock.Now()
	}
	return err
}

// nobodyWaits clears the problems that only an answer would clear, after a whole
// pass under them that found nobody to send, with no batch open and no answer
// left: there is nobody whom they keep waiting. Whoever comes later is sent, and
// raises them again if need be. So it is with a refused unlink after a pass that
// would have tried one, had there been a VID to remove.
func (w *work) nobodyWaits(ctx context.Context, c Connector, run Run, sent bool) error {
	var over []Source
	for source, p := range w.state.Problems {
		switch source {
		case ProblemWrite, ProblemIdentity, ProblemAnswers:
			if !sent && !p.Since.After(run.PassStarted) {
				over = append(over, source)
			}
		case ProblemUnlink:
			if p.Next.Before(run.PassStarted) {
				over = append(over, source)
			}
		}
	}
	if len(over) == 0 {
		return nil
	}
	for after := ""; ; {
		ref, found, err := w.Store.NextAnswer(ctx, c.RegistryKey(), after)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if ref.Connector == c.ID {
			return nil
		}
		after = ref.Batch
	}
	if slices.Contains(over, ProblemAnswers) {
		// Who was sent alone and lost waits for the next attempt because of it.
		rejections, err := w.Store.Rejections(ctx, c.RegistryKey(), 0, math.MaxInt64)
		if err != nil {
			return err
		}
		lost := func(r Rejection) bool { return r.Connector == c.ID && r.Kind == NoToken }
		if slices.ContainsFunc(rejections, lost) {
			over = slices.DeleteFunc(over, func(s Source) bool { return s == ProblemAnswers })
		}
	}
	return w.clear(ctx, over...)
}

func (w *work) complete(ctx context.Context, run Run) (Run, error) {
	closed, err := w.Store.ClosedBatches(ctx, run.Connector, run.ID)
	if err != nil {
		return run, err
	}
	run.Totals = Totals{}
	for _, b := range closed {
		run.Totals = run.Totals.Plus(b.Totals)
	}
	run.Completed = w.Clock.Now()
	if err := w.Store.CompleteRun(ctx, run); err != nil {
		return run, err
	}
	w.log.Info("run completed", "run", run.ID, "sent", run.Totals.Sent, "tokenised", run.Totals.Tokenised,
		"rejected", run.Totals.Rejected()+run.Tally.Invalid, "passes", run.Passes)
	return run, nil
}
