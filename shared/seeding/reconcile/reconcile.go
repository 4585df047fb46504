// Package reconcile looks every minute for what was overlooked: answers whose
// invocation of patch was lost, and batches whose answer never came
// (infra/protocol.md, "Reconcile").
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what this package calls of the stores; seeding/store.go has their
// contracts.
type Store interface {
	States(ctx context.Context) ([]seeding.State, error)
	State(ctx context.Context, id string) (seeding.State, error)
	RaiseProblem(ctx context.Context, id string, source seeding.Source, p seeding.Problem) error

	OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error)
	Track(ctx context.Context, b seeding.Batch, next seeding.Tracking) error
	Close(ctx context.Context, b seeding.Batch) error

	Rejections(ctx context.Context, registry string, from, to int64) ([]seeding.Rejection, error)
	RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) ([]seeding.Rejection, error)
	PutRejections(ctx context.Context, rejections []seeding.Rejection) (conflicts int, err error)

	RegistryStates(ctx context.Context) ([]seeding.RegistryState, error)

	MTSState(ctx context.Context, key string) (seeding.MTSState, error)
	SavePace(ctx context.Context, key string, read, next seeding.Pace) error

	NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error)
	HasAnswer(ctx context.Context, registry, batch string) (bool, error)
	AnswerParts(ctx context.Context, registry, batch, after string) (parts []seeding.AnswerPart, more bool, err error)
}

// Reconciler compares what is stored with what MTS says.
type Reconciler struct {
	Store   Store
	MTS     seeding.MTS
	Invoker Invoker
	Meter   seeding.Meter
	Clock   seeding.Clock
	Times   seeding.Times
	Log     *slog.Logger

	CallbackBase string // MTS calls back below it
}

// round is what one tick knows of the MTSs.
type round struct {
	silent map[string]bool             // did not reply, and are not asked again
	states map[string]seeding.MTSState // as they were when the first batch was looked at
}

func newRound() round { return round{map[string]bool{}, map[string]seeding.MTSState{}} }

// mtsState reads the state of an MTS once.
func (r *Reconciler) mtsState(ctx context.Context, known round, key string) (seeding.MTSState, error) {
	if state, read := known.states[key]; read {
		return state, nil
	}
	state, err := r.Store.MTSState(ctx, key)
	if err == nil {
		known.states[key] = state
	}
	return state, err
}

// Invoker invokes patch for one registry, asynchronously.
type Invoker interface {
	InvokePatch(ctx context.Context, registry string) error
	// InvokeLook does the same, and patch also looks for the tokens of direct
	// batches.
	InvokeLook(ctx context.Context, registry string) error
}

// Tick goes through all registries, even if one of them fails, and then looks again
// where answers wait for a patcher that may have died.
func (r *Reconciler) Tick(ctx context.Context) error {
	until := r.Clock.Now().Add(r.Times.TickLimit)
	registries, failed := r.Store.RegistryStates(ctx)
	if seeding.IgnoreDamaged(failed) != nil {
		return failed
	}
	var oldest time.Duration // that an answer waits
	var held []seeding.RegistryState
	away := map[string]bool{}
	for _, registry := range registries {
		away[registry.Key] = registry.OutageUntil.After(r.Clock.Now())
		waits, err := r.invokePatch(ctx, registry)
		oldest = max(oldest, waits)
		if waits > 0 && registry.Patch.Live(r.Clock.Now()) {
			held = append(held, registry)
		}
		failed = errors.Join(failed, err)
	}
	failed = errors.Join(failed, r.measure(ctx, oldest))
	direct, err := r.checkOverdue(ctx, registries)
	return errors.Join(failed, err, r.watch(ctx, held, direct, away, until))
}

// measure writes the gauges, before anybody is waited for.
func (r *Reconciler) measure(ctx context.Context, oldest time.Duration) error {
	states, err := r.Store.States(ctx)
	if seeding.IgnoreDamaged(err) != nil {
		return err
	}
	for _, g := range gauges(states, oldest, r.Clock.Now()) {
		r.Meter.Measure(g.metric, g.value, "")
	}
	return err
}

// beatsPerLease is how often a patch lease is looked at in its time.
const beatsPerLease = 4

// watch follows patch leases, and asks about the direct batches of registries, until
// there are none, or the time is up. It asks once in any case.
func (r *Reconciler) watch(ctx context.Context, held []seeding.RegistryState, registries []string, away map[string]bool, until time.Time) (failed error) {
	asked := map[string]time.Time{}
	ask := func(until time.Time) {
		left, err := r.track(ctx, registries, away, asked, until)
		registries, failed = left, errors.Join(failed, err)
	}
	if len(registries) > 0 {
		ask(r.Clock.Now().Add(asking))
	}
	for len(held)+len(registries) > 0 {
		now := r.Clock.Now()
		asks, looks := now.Add(directBeat), r.nextLook(held)
		next := looks
		if len(held) == 0 || len(registries) > 0 && asks.Before(looks) {
			next = asks
		}
		if next.After(until) {
			return failed
		}
		if err := r.Clock.Sleep(ctx, next.Sub(now)); err != nil {
			return errors.Join(failed, err)
		}
		if len(registries) > 0 {
			ask(until)
		}
		if len(held) > 0 && !next.Before(looks) {
			var err error
			held, err = r.follow(ctx, held)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// nextLook is when to look at patch leases next.
func (r *Reconciler) nextLook(held []seeding.RegistryState) time.Time {
	next := r.Clock.Now().Add(r.Times.PatchLease / beatsPerLease)
	for _, h := range held {
		if h.Patch.Until.Before(next) {
			next = h.Patch.Until
		}
	}
	return next
}

// follow looks at patch leases, and invokes patch where one ended: its holder died. So
// an answer does not wait for the next tick too. A holder that works changes its lease
// within seconds. It returns those that did not change.
func (r *Reconciler) follow(ctx context.Context, held []seeding.RegistryState) (same []seeding.RegistryState, failed error) {
	now, err := r.Store.RegistryStates(ctx)
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	for _, state := range now {
		switch {
		case !slices.ContainsFunc(held, func(h seeding.RegistryState) bool { return h.Key == state.Key && h.Patch == state.Patch }):
		case state.Patch.Live(r.Clock.Now()):
			same = append(same, state)
		default:
			_, err := r.invokePatch(ctx, state)
			failed = errors.Join(failed, err)
		}
	}
	return same, failed
}

// invokePatch invokes patch if there is an answer, even if the stream did so
// before, or one that nobody can read, which patch shows. It returns how long the
// first answer has been waiting.
func (r *Reconciler) invokePatch(ctx context.Context, state seeding.RegistryState) (waits time.Duration, err error) {
	now := r.Clock.Now()
	ref, found, damaged := r.Store.NextAnswer(ctx, state.Key, "")
	if err := seeding.IgnoreDamaged(damaged); err != nil || !found && damaged == nil {
		return 0, err
	}
	if found {
		parts, _, err := r.Store.AnswerParts(ctx, state.Key, ref.Batch, "")
		if seeding.IgnoreDamaged(err) != nil {
			return 0, err
		}
		for _, part := range parts {
			waits = max(waits, now.Sub(part.Received))
		}
	}
	if state.OutageUntil.After(now) || state.Patch.Live(now) {
		return waits, damaged
	}
	return waits, errors.Join(damaged, r.Invoker.InvokePatch(ctx, state.Key))
}

// asking is how long a tick asks MTSs. One that is silent takes StatusLimit of it.
const asking = 25 * time.Second

// checkOverdue asks about the overdue batches that have no answer, one MTS after the
// other. Each tick begins with another one, so those that are silent keep no other
// from being asked. It returns the registries that have direct batches, which are
// asked about apart.
func (r *Reconciler) checkOverdue(ctx context.Context, registries []seeding.RegistryState) (direct []string, failed error) {
	began, known := r.Clock.Now(), newRound()
	byMTS := map[string][]seeding.Batch{}
	for _, registry := range registries {
		open, err := r.Store.OpenBatches(ctx, registry.Key)
		failed = errors.Join(failed, err)
		if seeding.IgnoreDamaged(err) != nil {
			continue
		}
		if slices.ContainsFunc(open, func(b seeding.Batch) bool { return b.Direct }) {
			direct = append(direct, registry.Key)
		}
		for _, b := range open {
			if !b.Direct && !began.Before(b.AskAt()) {
				byMTS[b.MTS] = append(byMTS[b.MTS], b)
			}
		}
	}
	for _, key := range inTurn(slices.Sorted(maps.Keys(byMTS)), began) {
		for _, b := range byMTS[key] {
			if r.Clock.Now().Sub(began) >= asking {
				r.Log.Warn("not all overdue batches were asked about; the next tick goes on")
				return direct, failed
			}
			answered, err := r.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
			if err == nil && !answered {
				err = r.waitOrClose(ctx, b, known)
			}
			failed = errors.Join(failed, err)
		}
	}
	return direct, failed
}

// inTurn begins with another one each minute, as far behind as a tick gets at least.
func inTurn(list []string, now time.Time) []string {
	if len(list) == 0 {
		return nil
	}
	const atLeast = int64(asking / seeding.StatusLimit)
	first := int(now.Unix() / 60 * atLeast % int64(len(list)))
	return slices.Concat(list[first:], list[:first])
}

// evidence asks MTS about a batch.
func (r *Reconciler) evidence(ctx context.Context, b seeding.Batch, known round) (e evidence, mts seeding.MTSState, err error) {
	if mts, err = r.mtsState(ctx, known, b.MTS); err != nil {
		return e, mts, err
	}
	e = evidence{finding: r.ask(ctx, b, known), wait: b.Wait(), overtaken: overtaken(b, mts)}
	now := r.Clock.Now()
	live, _ := mts.UnderWay(now)
	e.age, e.idle = now.Sub(b.Claimed), live == 0
	return e, mts, nil
}

// waitOrClose asks MTS about a batch, and closes it if it is lost.
func (r *Reconciler) waitOrClose(ctx context.Context, b seeding.Batch, known round) error {
	e, mts, err := r.evidence(ctx, b, known)
	if err != nil {
		return err
	}
	if !isLost(e) {
		r.Log.Info("batch is overdue; waiting",
			"connector", b.Ref.Connector, "run", b.Ref.Run, "batch", b.Ref.Batch, "finding", string(e.finding))
		if e.doubtsCallback(b, mts, false) {
			return r.showCallback(ctx, b, r.Clock.Now())
		}
		return nil
	}
	answered, err := r.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
	if err != nil || answered {
		return err // the answer came meanwhile
	}
	return r.lose(ctx, b, e, mts)
}

// lose closes a batch as lost.
func (r *Reconciler) lose(ctx context.Context, b seeding.Batch, e evidence, mts seeding.MTSState) error {
	now := r.Clock.Now()
	b.State, b.Closed = seeding.Lost, now
	b.Totals.Sent = b.Count
	if _, alone := b.Alone(); alone {
		rejected, err := r.lostAlone(ctx, b, now)
		if err != nil {
			return err
		}
		if rejected {
			b.Totals.NoToken = 1
		}
	}
	if err := r.Store.Close(ctx, b); err != nil {
		return seeding.IgnoreConflict(err)
	}
	r.Log.Warn("batch lost", "connector", b.Ref.Connector, "run", b.Ref.Run, "batch", b.Ref.Batch, "finding", string(e.finding), "count", b.Count)
	r.Meter.Measure(seeding.MetricBatchesLost, 1, "")
	b.Totals.Measure(r.Meter)
	if e.doubtsCallback(b, mts, true) {
		if err := r.showCallback(ctx, b, now); err != nil {
			return err
		}
	}
	return r.slowDown(ctx, b, e)
}

// showCallback raises the problem "callback", unless it is there.
func (r *Reconciler) showCallback(ctx context.Context, b seeding.Batch, now time.Time) error {
	state, err := r.Store.State(ctx, b.Ref.Connector)
	if seeding.IsNotFound(err) || err == nil && len(state.Raised(seeding.ProblemCallback)) > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	problem := state.Raise(seeding.ProblemCallback, now, seeding.CallbackSilent(r.CallbackBase), r.Times)
	return r.Store.RaiseProblem(ctx, b.Ref.Connector, seeding.ProblemCallback, problem)
}

// timesUnknown is how often MTS must say that it does not know a batch. Each time
// is a connection of its own, which may lead to another replica, and replicas do
// not know of each other's batches (facts/mts.md W23).
const timesUnknown = 8

// ask asks MTS about a batch.
func (r *Reconciler) ask(ctx context.Context, b seeding.Batch, known round) finding {
	switch {
	case b.RequestID == "":
		return neverAccepted
	case known.silent[b.MTS]:
		return silent
	}
	limited, cancel := context.WithTimeout(ctx, seeding.StatusLimit)
	defer cancel()
	for range timesUnknown {
		status, err := r.MTS.Status(limited, b.MTSURL, b.RequestID)
		if err != nil {
			known.silent[b.MTS] = true
			return silent
		}
		if status != seeding.StatusUnknown {
			return findings[status]
		}
	}
	return unknownToMTS
}

// lostAlone writes that one record was sent alone and lost. The first time it
// is due again at once; the second time it is rejected.
func (r *Reconciler) lostAlone(ctx context.Context, b seeding.Batch, now time.Time) (rejected bool, err error) {
	who, _ := b.Alone()
	before, err := seeding.RejectionsOf(ctx, r.Store, b.Ref, []seeding.Subject{who})
	if err != nil {
		return false, err
	}
	state, err := r.Store.State(ctx, b.Ref.Connector)
	if err != nil && !seeding.IsNotFound(err) {
		return false, err
	}
	cause := seeding.Cause{Kind: seeding.NoToken, Code: seeding.CodeNoAnswer}
	rejection := cause.Reject(b.Ref.Registry, b.Ref.Connector, who, state.Version, before[who.Key()], now, r.Times)
	rejection.Received = b.ReceivedAlone()
	_, err = r.Store.PutRejections(ctx, []seeding.Rejection{rejection})
	return rejection.Attempts >= seeding.LostAloneLimit, err
}

// slowDown makes batches for this MTS smaller if the size is to blame. If even
// single records are lost it raises the problem "answers".
func (r *Reconciler) slowDown(ctx context.Context, b seeding.Batch, e evidence) error {
	if e.finding == silent { // an MTS that cannot be reached says nothing of sizes
		return nil
	}
	losses := 0
	err := seeding.MovePace(ctx, r.Store, b.MTS, func(mts seeding.MTSState) (seeding.Pace, bool) {
		next, moves := mts.AfterLoss(b, e.blamesSize())
		losses = next.Losses
		return next, moves
	})
	if err != nil || losses < lossesAtOne {
		return err
	}
	state, err := r.Store.State(ctx, b.Ref.Connector)
	if seeding.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	problem := state.Raise(seeding.ProblemAnswers, r.Clock.Now(), seeding.AnswersMissing, r.Times)
	return r.Store.RaiseProblem(ctx, b.Ref.Connector, seeding.ProblemAnswers, problem)
}
