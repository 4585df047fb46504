package patch

import (
	"context"
	"errors"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Of a batch with a direct callback no answer comes here. Once MTS is done with it,
// patch looks which of its registrants hold a token. There is no row with a MAC: what
// is believed is what the registry itself holds.
// (infra/protocol.md, "Direct callbacks")

// Look does what Patch does, and then looks for the tokens of direct batches.
func (p *Patcher) Look(ctx context.Context, registry string) error {
	return p.work(ctx, registry, true)
}

// lookAll looks for the tokens of all direct batches of the registry that are due.
// One that fails keeps no other waiting.
func (p *Patcher) lookAll(ctx context.Context, t *turn) (outcome, error) {
	open, failed := p.Store.OpenBatches(ctx, t.registry.Key)
	if seeding.IgnoreDamaged(failed) != nil {
		return proceed, failed
	}
	for _, b := range open {
		if !b.Direct || b.Tracking.Done.IsZero() || b.NotBefore.After(p.Clock.Now()) {
			continue
		}
		if !p.hasTime(t) {
			return end, nil
		}
		out, err := p.lookFor(ctx, t, b)
		if errors.Is(err, errLeaseLost) {
			return end, nil
		}
		failed = errors.Join(failed, err)
		if out != proceed {
			return out, failed
		}
	}
	return proceed, seeding.IgnoreDamaged(failed)
}

// lookFor looks for the tokens of one batch.
func (p *Patcher) lookFor(ctx context.Context, t *turn, b seeding.Batch) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeLeft(t))
	defer cancel()
	if err := p.afterWriting(ctx, t); err != nil {
		return proceed, err
	}
	a := answer{batch: b}
	var err error
	a.connector, err = p.Store.Connector(ctx, b.Ref.Connector)
	if err == nil {
		a.state, err = p.Store.State(ctx, b.Ref.Connector)
	}
	switch {
	case errors.Is(err, seeding.ErrDamaged):
		return proceed, p.noteUnreadable(ctx, t, b.Ref.Connector, b.Ref.Batch)
	case err != nil:
		return proceed, err
	}
	if a.waits(p.Clock.Now(), false) != noneWaits {
		return proceed, nil
	}
	registry, err := p.Registries.Open(ctx, a.connector)
	if err != nil {
		return p.waitUnusable(ctx, a, seeding.RegistryUnusable(err))
	}
	var registrants []int64
	for _, m := range b.Members {
		registrants = append(registrants, m.Registrant)
	}
	read := reader{p, t, registry}
	vids, tokens, err := read.look(ctx, registrants)
	if err != nil {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	held := newHoldings(vids, tokens, nil)
	found := arrivals(b, held, nil, a.connector.Output.TokenShape)
	now := p.Clock.Now()
	tracking := b.Tracking.Found(found.arrived, now)
	end := found.end(tracking, b.Count, now)
	if err := p.clearArrived(ctx, t, a, found.arrived > 0); err != nil {
		return proceed, err
	}
	if end.state == "" {
		return proceed, p.lookLater(ctx, b, tracking)
	}
	first, err := read.firstHolders(ctx, tokens)
	if err != nil {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	found = arrivals(b, held, first, a.connector.Output.TokenShape)
	return p.endDirect(ctx, t, a, registry, found, end)
}

// lookLater writes what was found of a delivery that is not over, and when to look
// again.
func (p *Patcher) lookLater(ctx context.Context, b seeding.Batch, tracking seeding.Tracking) error {
	err := p.Store.Track(ctx, b, tracking)
	if errors.Is(err, seeding.ErrConflict) || seeding.IsNotFound(err) {
		return nil // reconcile was quicker, and invokes patch again
	}
	if err != nil {
		return err
	}
	return seeding.IgnoreConflict(p.Store.Postpone(ctx, b, b.Attempts, tracking.LookAgain()))
}

// endDirect rejects whose token did not arrive, closes the batch, and removes the VIDs
// of those whose token did. Each step can be repeated.
func (p *Patcher) endDirect(ctx context.Context, t *turn, a answer, registry seeding.Registry, found arrived, end directEnd) (outcome, error) {
	b, now := a.batch, p.Clock.Now()
	remove, err := p.settleRejections(ctx, a, &found, end.rejects, now)
	if err != nil {
		return proceed, err
	}
	b.State, b.Answered, b.Closed = end.state, b.Tracking.Done, now
	found.totals.Sent = b.Count
	b.Totals = found.totals
	if err := p.Store.Close(ctx, b); err != nil {
		return proceed, seeding.IgnoreConflict(err) // reconcile gave it up
	}
	p.measure(result{totals: found.totals, entered: found.entered}, now)
	p.log(a).Info("batch with a direct callback "+string(b.State), "sent", b.Count, "tokenised", b.Totals.Tokenised,
		"rejected", b.Totals.Rejected(), "pending", b.Totals.Pending())
	if b.State == seeding.Patched {
		moved := func(mts seeding.MTSState) (seeding.Pace, bool) {
			return mts.AfterDirect(b, a.connector.MTS.BatchMaximum)
		}
		if err := seeding.MovePace(ctx, p.Store, b.MTS, moved); err != nil {
			return proceed, err
		}
	} else {
		p.Meter.Measure(seeding.MetricBatchesFailed, 1, "")
	}
	if end.problem != "" {
		if err := p.raise(ctx, a, end.problem, end.description); err != nil {
			return proceed, err
		}
	}
	// While removing is refused submit tries one VID per back-off.
	if _, refused := a.state.Problems[seeding.ProblemUnlink]; refused || !a.connector.Output.RemoveVIDs {
		return proceed, nil
	}
	_, out, err := p.removeVIDs(ctx, t, a, registry, remove)
	return out, err
}

// settleRejections writes the rejections of a batch that ends, and deletes those of
// registrants that hold a token now. It returns the VIDs that may be removed: no
// connector has a conflict on them.
func (p *Patcher) settleRejections(ctx context.Context, a answer, found *arrived, rejects bool, now time.Time) (remove []int64, err error) {
	identifiers := make([]int64, 0, len(a.batch.Members))
	for _, m := range a.batch.Members {
		identifiers = append(identifiers, m.Identifier)
	}
	if len(identifiers) == 0 {
		return nil, nil
	}
	list, err := p.Store.Rejections(ctx, a.batch.Ref.Registry, slices.Min(identifiers), slices.Max(identifiers))
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	mine, contested := map[int64]seeding.Rejection{}, map[int64]bool{}
	for _, r := range list {
		if r.Connector == a.connector.ID {
			mine[r.Identifier] = r
		}
		contested[r.Identifier] = contested[r.Identifier] || r.Kind == seeding.Conflict
	}
	var rejections, over []seeding.Rejection
	reject := func(x rejected) {
		before := mine[x.who.Identifier]
		if before.Code == x.cause.Code && before.LastAttempt.After(a.batch.Claimed) {
			return // by an earlier attempt to end this batch
		}
		rejections = append(rejections, x.cause.Reject(a.batch.Ref.Registry, a.connector.ID, x.who, a.connector.Version, before, now, p.Times))
	}
	for _, x := range found.contested {
		reject(x)
	}
	if rejects {
		for _, x := range found.missing {
			reject(x)
		}
		found.totals.NoToken = len(found.missing)
	}
	for _, who := range found.resolved {
		if r, there := mine[who.Identifier]; there {
			over = append(over, r)
		}
	}
	if _, err := p.Store.PutRejections(ctx, rejections); err != nil {
		return nil, err
	}
	if err := p.Store.DeleteRejections(ctx, over); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found.remove, func(id int64) bool { return contested[id] }), nil
}

// clearArrived clears the problems that a look proves to be over; tokens says that it
// found one.
func (p *Patcher) clearArrived(ctx context.Context, t *turn, a answer, tokens bool) error {
	over := slices.Concat(seeding.OfRegistry, []seeding.Source{seeding.ProblemReply, seeding.ProblemAnswers})
	if tokens {
		over = append(over, seeding.ProblemDelivery, seeding.ProblemArrival)
	}
	t.registry.OutageUntil, t.registry.OutageAttempts = time.Time{}, 0
	raised := a.state.Raised(over...)
	for _, source := range raised {
		delete(a.state.Problems, source)
	}
	return p.Store.ClearProblems(ctx, a.connector.ID, raised, p.Clock.Now())
}

// arrived is what a look found of the members of a batch.
type arrived struct {
	arrived   int // hold something of the token type
	totals    seeding.Totals
	entered   []time.Time // when the VIDs of the tokenised were entered
	resolved  []seeding.Subject
	remove    []int64    // VIDs of the tokenised
	contested []rejected // who holds what is no token, or what another held first
	missing   []rejected // who holds nothing, and has the VID still
}

// arrivals judges what the members of a batch hold; first says who held their tokens
// first, as far as that was looked for.
func arrivals(b seeding.Batch, h holdings, first seeding.FirstHolders, shape seeding.TokenShape) (found arrived) {
	for i, m := range b.Members {
		cause := seeding.Cause{FingerprintKey: b.FingerprintKey}
		if i < len(b.Fingerprints) {
			cause.Fingerprint = b.Fingerprints[i]
		}
		vid, there := h.vids[m.Identifier]
		there = there && vid.Registrant == m.Registrant
		held := h.tokens[m.Registrant]
		if len(held) == 0 {
			if there { // who lost the VID is found by no pass, and needs no rejection
				cause.Kind, cause.Code = seeding.NoToken, seeding.CodeNotArrived
				found.missing = append(found.missing, rejected{who: m.Subject(), cause: cause})
			}
			continue
		}
		found.arrived++
		if code := shape.HeldCode(held, vid.Value); code != "" {
			cause.Kind, cause.Code = seeding.Conflict, code
			found.totals.Conflict++
			if there {
				found.contested = append(found.contested, rejected{who: m.Subject(), cause: cause})
			}
			continue
		}
		if holder := first.Before(held); holder != 0 {
			cause.Kind, cause.Code, cause.Holder = seeding.Duplicate, seeding.CodeHeldByOther, holder
			found.totals.Duplicate++
			if there {
				found.contested = append(found.contested, rejected{who: m.Subject(), cause: cause})
			}
			continue
		}
		found.totals.Tokenised++
		found.resolved = append(found.resolved, m.Subject())
		if there {
			found.remove = append(found.remove, m.Identifier)
			if !vid.Created.IsZero() {
				found.entered = append(found.entered, vid.Created)
			}
		}
	}
	return found
}

// directEnd is how a batch ends; with an empty state it does not yet.
type directEnd struct {
	state       seeding.BatchState
	rejects     bool // whose token did not arrive
	problem     seeding.Source
	description seeding.Description
}

// end decides how a batch of so many records ends. If MTS could not call, or called
// with a token for everybody and none arrived, that is about the address and not about
// the registrants: nobody is rejected. A batch that MTS does not know any more, and of
// which nothing arrived, is left to reconcile.
func (found arrived) end(t seeding.Tracking, count int, now time.Time) directEnd {
	switch {
	case len(found.missing) == 0:
		return directEnd{state: seeding.Patched}
	case now.Before(t.SettledAt()):
		return directEnd{}
	case t.Status == seeding.StatusFailed:
		return directEnd{state: seeding.Failed, problem: seeding.ProblemDelivery, description: seeding.DeliveryFailed}
	case t.Status == seeding.StatusFinished && found.arrived == 0:
		return directEnd{state: seeding.Failed, problem: seeding.ProblemDelivery, description: seeding.DeliveryFruitless}
	case t.Status == seeding.StatusUnknown && found.arrived == 0:
		return directEnd{}
	case found.arrived == 0 && count >= largerAnswer:
		return directEnd{state: seeding.Patched, rejects: true, problem: seeding.ProblemArrival, description: seeding.NobodyArrived}
	}
	return directEnd{state: seeding.Patched, rejects: true}
}
