package patch

import (
	"context"
	"errors"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// apply writes one answer into the registry: look, write what an Output Format says
// besides tokens, create, look again, reject, close, remove VIDs, delete the answer. Every step can be repeated: if a patcher
// dies, the next one does all steps again and finds some of them done. The batch
// is closed before VIDs are removed, so that the totals count each row once and
// while its VID still fits.
func (p *Patcher) apply(ctx context.Context, t *turn, a answer) (outcome, error) {
	subjects, err := subjectsOf(a.parts, a.batch)
	if err != nil {
		return proceed, err
	}
	if len(subjects) == 0 || len(a.batch.Parts) >= mostCounted && !a.batch.HasParts(a.parts) {
		return proceed, p.drop(ctx, a, "no row is of the batch")
	}
	key, err := p.RowKeys.ByID(ctx, a.batch.RowKey)
	if err != nil && !seeding.IsNotFound(err) {
		return p.waitUnusable(ctx, a, seeding.KeysUnusable(err))
	}
	shape := a.connector.Output.TokenShape
	check := proof{key: key, batch: a.batch.Ref.Batch} // without the key no row fits, and all stay pending
	registry, err := p.Registries.Open(ctx, a.connector)
	if err != nil {
		return p.waitUnusable(ctx, a, seeding.RegistryUnusable(err))
	}

	reads := reader{p, t, registry}
	vids, tokens, err := reads.look(ctx, registrantsOf(subjects))
	if err != nil {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	before := newHoldings(vids, tokens, nil)
	rows, err := genuine(a.parts, subjects, before, check, shape)
	if err != nil {
		return proceed, err
	}
	// Where every VID was changed since, a whole answer has no row that fits.
	if whole := a.batch.State.Open() && len(subjects) == a.batch.Count; len(rows) == 0 && !whole {
		return proceed, p.drop(ctx, a, "no row was made from what the registry holds")
	}
	holders, err := reads.holdersOf(ctx, rows)
	if err != nil {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	before = before.with(holders)
	verdicts := judge(rows, before, check, shape, a.batch.State.Open())
	plans, err := p.planned(ctx, t, a, reads, verdicts, before)
	if err != nil {
		return p.planFailed(ctx, t, a, err)
	}
	plans, unwritten, err := p.writeChanges(ctx, t, registry, a.state, plans)
	if err != nil {
		return p.writeFailed(ctx, t, a, err)
	}
	created, refusals, err := p.create(ctx, t, registry, a.state, plans)
	if err != nil {
		return p.writeFailed(ctx, t, a, err)
	}
	if len(created) > 0 {
		vids, tokens, err := reads.look(ctx, registrantsOf(subjectSet(created)))
		if err != nil {
			return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
		}
		verdicts = append(verdicts, confirm(created, newHoldings(vids, tokens, nil), check)...)
	}
	verdicts = slices.Concat(verdicts, unwritten, refusals, judgeTwins(verdicts, created))

	counted := a.batch.HasParts(a.parts)
	r := sum(verdicts, before, a.batch.FingerprintKey, counted)
	if !counted {
		r.alike, r.unalike = commonCode(verdicts)
	}
	r, identityRefused, err := p.writeRejections(ctx, a, r)
	if err != nil {
		return proceed, err
	}
	closed, err := p.count(ctx, a, r)
	if err != nil {
		return proceed, err
	}
	if err := p.updateProblems(ctx, t, a, r, len(created) > 0, closed, identityRefused); err != nil {
		return proceed, err
	}
	gone, out, err := p.removeVIDs(ctx, t, a, registry, r.remove)
	if out != proceed || err != nil {
		return out, err
	}
	if !gone && !a.connector.Output.RemoveVIDs {
		return proceed, p.postpone(ctx, a, seeding.ProblemUnlink) // only the answer knows which VIDs were sent
	}
	return proceed, p.Store.DeleteParts(ctx, a.parts)
}

// planFailed leaves the answer: its Output Format gives nothing usable, or the
// registry cannot be read.
func (p *Patcher) planFailed(ctx context.Context, t *turn, a answer, err error) (outcome, error) {
	_, useless := errors.AsType[*outputUnusable](err)
	_, ofOutput := errors.AsType[*refusesOutput](err)
	_, lease := errors.AsType[*leaseError](err)
	kind := seeding.FaultOf(err).Kind
	refused := ofOutput && !lease && (kind == seeding.RefusedRights || kind == seeding.RefusedSchema)
	if useless || refused || errors.Is(err, errTimeUp) {
		return p.writeFailed(ctx, t, a, err)
	}
	return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
}

// drop deletes an answer that says nothing of its batch. It closes nothing: the
// answer may be forged, and another one may come.
func (p *Patcher) drop(ctx context.Context, a answer, why string) error {
	p.log(a).Warn("answer dropped", "why", why, "parts", len(a.parts))
	return p.Store.DeleteParts(ctx, a.parts)
}

func subjectSet(rows []seeding.Row) map[seeding.Subject]bool {
	subjects := map[seeding.Subject]bool{}
	for _, row := range rows {
		subjects[row.Subject] = true
	}
	return subjects
}

// writeRejections writes new rejections, and deletes those of registrants that
// have their token now. It returns the result with the decision about codes that
// blame the system, and whether they are the connector's problem.
func (p *Patcher) writeRejections(ctx context.Context, a answer, r result) (_ result, identityRefused bool, err error) {
	before, err := seeding.RejectionsOf(ctx, p.Store, a.batch.Ref, r.subjects())
	if err != nil {
		return r, false, err
	}
	_, raised := a.state.Problems[seeding.ProblemIdentity]
	r, identityRefused = decideSystemic(r, before, raised, a.batch.FingerprintKey)
	if repeated(r.rejected, before, a.batch.Claimed, a.connector.Version) {
		r.alike = ""
	}
	now := p.Clock.Now()
	var rejections, over []seeding.Rejection
	for _, x := range r.rejected {
		rejection := x.cause.Reject(a.batch.Ref.Registry, a.connector.ID, x.who, a.connector.Version, before[x.who.Key()], now, p.Times)
		rejection.Received = x.received
		rejections = append(rejections, rejection)
	}
	for _, who := range r.resolved {
		if rejection, found := before[who.Key()]; found {
			over = append(over, rejection)
		}
	}
	for _, who := range r.missing { // a row may name a submission of another window
		rejection, found := before[who.Key()]
		if found && a.batch.Takes(seeding.SubmissionRef{ID: who.Submission, Received: rejection.Received}) {
			over = append(over, rejection)
		}
	}
	if _, err := p.Store.PutRejections(ctx, rejections); err != nil {
		return r, false, err
	}
	return r, identityRefused, p.Store.DeleteRejections(ctx, over)
}

// count closes the batch if its answer is complete or its deadline is over;
// otherwise it adds to the totals. A late answer adds to the closed batch, once
// per part.
func (p *Patcher) count(ctx context.Context, a answer, r result) (closed bool, err error) {
	fresh := freshParts(a.batch, a.parts)
	now := p.Clock.Now()
	switch {
	case !a.batch.State.Open():
		if len(fresh) > 0 {
			p.log(a).Info("late answer", "tokenised", r.totals.Tokenised)
		}
		return false, p.countParts(ctx, a.batch, fresh, r)
	case !complete(a.parts, a.batch.Parts) && now.Before(a.batch.Deadline):
		return false, p.countParts(ctx, a.batch, fresh, r)
	}
	b := a.batch
	b.State, b.Answered, b.Closed = seeding.Patched, a.received(), now
	b.Totals = b.Totals.Plus(b.Fresh(r.totals))
	b.Totals.Sent = b.Count - r.gone
	b.Parts = append(slices.Clone(b.Parts), fresh...)
	err = p.Store.Close(ctx, b)
	if errors.Is(err, seeding.ErrConflict) {
		// Reconcile closed it, or a part was counted meanwhile: this is a late
		// answer.
		moved, err := p.Store.Batch(ctx, b.Ref)
		if err != nil || moved.State.Open() {
			return false, err
		}
		return false, p.countParts(ctx, moved, fresh, r)
	}
	if err != nil {
		return false, err
	}
	p.measure(r, now)
	p.log(a).Info("batch patched", "sent", b.Totals.Sent, "tokenised", b.Totals.Tokenised,
		"rejected", b.Totals.Rejected(), "pending", b.Totals.Pending())
	return true, p.movePace(ctx, a, b)
}

// countParts adds to the totals without closing the batch. A conflict means that
// the parts are counted already.
func (p *Patcher) countParts(ctx context.Context, b seeding.Batch, fresh []string, r result) error {
	if len(fresh) == 0 {
		return nil
	}
	r.totals = b.Fresh(r.totals)
	err := p.Store.CountParts(ctx, b, fresh, r.totals)
	if err == nil {
		p.measure(r, p.Clock.Now())
	}
	return seeding.IgnoreConflict(err)
}

// measure reports what was counted to the meter.
func (p *Patcher) measure(r result, now time.Time) {
	r.totals.Measure(p.Meter)
	var seconds float64 // the years of a backlog, added up, are too long for a Duration
	for _, entered := range r.entered {
		seconds += max(0, now.Sub(entered).Seconds()) // the registry's clock may be ahead
	}
	if n := len(r.entered); n > 0 {
		p.Meter.Measure(seeding.MetricSecondsToToken, seconds/float64(n), "")
	}
}

// received is when the first part of the answer came.
func (a answer) received() time.Time {
	received := a.parts[0].Received
	for _, part := range a.parts {
		if part.Received.Before(received) {
			received = part.Received
		}
	}
	return received
}

// movePace adapts size and number of the batches to the time that MTS needed for
// this one.
func (p *Patcher) movePace(ctx context.Context, a answer, closed seeding.Batch) error {
	return seeding.MovePace(ctx, p.Store, closed.MTS, func(mts seeding.MTSState) (seeding.Pace, bool) {
		return mts.AfterAnswer(closed, a.connector.MTS.BatchMaximum)
	})
}

// removeVIDs removes the VIDs that were sent, whatever RemoveVIDs says. gone is
// false if some are left: with RemoveVIDs submit removes them later, without it
// the answer waits. All waiting answers together make one attempt per back-off.
func (p *Patcher) removeVIDs(ctx context.Context, t *turn, a answer, registry seeding.Registry, identifiers []int64) (gone bool, out outcome, err error) {
	if len(identifiers) == 0 {
		return true, proceed, nil
	}
	if !a.connector.Output.RemoveVIDs && a.state.Problems[seeding.ProblemUnlink].Next.After(p.Clock.Now()) {
		return false, proceed, nil
	}
	if err := p.beforeWriting(ctx, t); err != nil {
		return false, proceed, err
	}
	removal, err := seeding.RemoveVIDs(ctx, registry, p.Store, a.state, identifiers, p.Clock, p.Times)
	switch {
	case err != nil:
		return false, proceed, err
	case removal.Failed != nil:
		out, err := p.callFailed(ctx, t, a, removal.Failed, seeding.ProblemUnlink, true)
		return false, out, err
	}
	if refused := removal.Refused; refused != nil {
		p.log(a).Warn("registry refuses to remove VIDs", "fault", refused.Error())
		a.state.Problems[seeding.ProblemUnlink] = removal.Problem
	}
	return removal.Refused == nil, proceed, nil
}

// updateProblems clears the problems that this answer proves to be over, and
// raises those that it shows. It decides by the whole answer, never by one row.
func (p *Patcher) updateProblems(ctx context.Context, t *turn, a answer, r result, wrote, closed, identityRefused bool) error {
	over := a.state.Raised(problemsOver(r, a.state.Problems, wrote, closed)...)
	if err := p.Store.ClearProblems(ctx, a.connector.ID, over, p.Clock.Now()); err != nil {
		return err
	}
	t.registry.OutageUntil, t.registry.OutageAttempts = time.Time{}, 0
	t.processed[a.connector.ID] = a.state
	if r.rubbish != "" {
		if err := p.raise(ctx, a, seeding.ProblemTokens, seeding.RubbishTokens(r.rubbish)); err != nil {
			return err
		}
	}
	switch {
	case identityRefused && r.rubbish != "":
		return p.raise(ctx, a, seeding.ProblemIdentity, seeding.RubbishTokens(r.rubbish))
	case identityRefused:
		return p.raise(ctx, a, seeding.ProblemIdentity, seeding.IdentityRefused.SaidBy(r.systemic[0].row.Code))
	case r.alike != "":
		return p.raise(ctx, a, seeding.ProblemAlike, seeding.RefusedAlike.SaidBy(r.alike))
	case policySuspicious(r.totals, r.notTokens):
		return p.raise(ctx, a, seeding.ProblemPolicy, seeding.TokensDiffer)
	}
	return nil
}
