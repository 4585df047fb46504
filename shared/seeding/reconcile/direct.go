package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A batch with a direct callback has no answer. MTS is asked about it until it is
// done; then patch is invoked, which looks at the registry and closes the batch.

const (
	// directBeat is how often MTS is asked about direct batches while a tick lasts.
	directBeat = 5 * time.Second
	// directLimit is how long patch may look for the tokens of a batch, or cannot:
	// its registry is away, or its connector cannot sign in. Then it is lost.
	directLimit = 7 * 24 * time.Hour
)

// isDone reports whether MTS is done with a batch, for good or for bad.
func (f finding) isDone() bool {
	return f == finished || f == partly || f == failedAtMTS || f == unknownToMTS
}

// statuses by what was found.
var statuses = map[finding]seeding.MTSStatus{
	finished: seeding.StatusFinished, partly: seeding.StatusPartly, failedAtMTS: seeding.StatusFailed, unknownToMTS: seeding.StatusUnknown,
}

// mayAsk reports whether it is time to ask about an open direct batch. age counts
// from its claim; asked is when this tick asked last.
func mayAsk(b seeding.Batch, asked, now time.Time) bool {
	age := now.Sub(b.Claimed)
	switch {
	case b.NotBefore.After(now): // set by patch, which looks later
		return false
	case b.RequestID == "" && now.Before(b.AskAt()):
		return false
	case !b.Tracking.Done.IsZero():
		return now.Sub(asked) >= directBeat
	}
	return age >= directBeat && now.Sub(asked) >= max(directBeat, age/8)
}

// directStep is what is done about an open direct batch.
type directStep struct {
	tracking seeding.Tracking // to be written, if it is another one
	look     bool             // patch is to look
	lost     bool
}

// decideDirect decides about a batch of which MTS said something, or nothing. One that
// MTS does not know, or that would be lost if its answer came to us, is looked for
// first: tokens may have arrived. It is lost if none did.
func decideDirect(b seeding.Batch, e evidence, now time.Time) directStep {
	t := b.Tracking
	switch {
	case e.finding.isDone():
		t = t.Said(statuses[e.finding], now)
	case t.Done.IsZero() && isLost(e):
		t = t.Said(seeding.StatusUnknown, now)
	}
	switch {
	case t.Done.IsZero():
		return directStep{tracking: t}
	case now.Sub(t.Done) >= directLimit:
		return directStep{tracking: t, lost: true}
	case t.Status == seeding.StatusUnknown && t.Arrived == 0 && !t.Looked.Before(t.SettledAt()):
		return directStep{tracking: t, lost: true}
	}
	return directStep{tracking: t, look: true}
}

// directBatches are the open direct batches of registries, by MTS.
func (r *Reconciler) directBatches(ctx context.Context, registries []string) (byMTS map[string][]seeding.Batch, failed error) {
	byMTS = map[string][]seeding.Batch{}
	for _, registry := range registries {
		open, err := r.Store.OpenBatches(ctx, registry)
		failed = errors.Join(failed, err)
		if seeding.IgnoreDamaged(err) != nil {
			continue
		}
		for _, b := range open {
			if b.Direct {
				byMTS[b.MTS] = append(byMTS[b.MTS], b)
			}
		}
	}
	return byMTS, failed
}

// track asks about direct batches, MTS by MTS, until a time. away are registries with an
// outage, in which nobody can look; asked is when it asked last, by batch. left are the
// registries that still have one.
func (r *Reconciler) track(ctx context.Context, registries []string, away map[string]bool, asked map[string]time.Time, until time.Time) (left []string, failed error) {
	byMTS, failed := r.directBatches(ctx, registries)
	open, looks, known := map[string]bool{}, map[string]bool{}, newRound()
	for _, key := range inTurn(slices.Sorted(maps.Keys(byMTS)), r.Clock.Now()) {
		for _, b := range byMTS[key] {
			open[b.Ref.Registry] = true
			now := r.Clock.Now()
			if !mayAsk(b, asked[b.Ref.Batch], now) || !now.Before(until) {
				continue
			}
			asked[b.Ref.Batch] = now
			look, err := r.trackOne(ctx, b, known)
			looks[b.Ref.Registry] = looks[b.Ref.Registry] || look
			failed = errors.Join(failed, err)
		}
	}
	for _, registry := range slices.Sorted(maps.Keys(looks)) {
		if looks[registry] && !away[registry] { // patch would only find that it is away
			failed = errors.Join(failed, r.Invoker.InvokeLook(ctx, registry))
		}
	}
	return slices.Sorted(maps.Keys(open)), failed
}

// trackOne asks about one batch. look reports whether patch is to look for its tokens.
func (r *Reconciler) trackOne(ctx context.Context, b seeding.Batch, known round) (look bool, err error) {
	e, mts, err := r.evidence(ctx, b, known)
	if err != nil {
		return false, err
	}
	step := decideDirect(b, e, r.Clock.Now())
	if step.lost {
		return false, r.lose(ctx, b, e, mts)
	}
	if step.tracking != b.Tracking {
		err := r.Store.Track(ctx, b, step.tracking)
		if errors.Is(err, seeding.ErrConflict) || seeding.IsNotFound(err) {
			return false, nil // patch was quicker; the next beat reads it
		}
		if err != nil {
			return false, err
		}
		r.Log.Info("MTS is done with a batch", "connector", b.Ref.Connector, "run", b.Ref.Run, "batch", b.Ref.Batch, "status", step.tracking.Status.String())
	}
	return step.look, nil
}
