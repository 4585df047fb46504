package seeding

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Reconciler looks every minute for what nobody came for: answers whose ring
// was lost, and batches whose answer never came (protocol, "Reconcile").
type Reconciler struct {
	Store interface {
		Connectors
		Batches
		Rejections
		RegistryStates
		Seeders
		Answers
	}
	Seeder  Seeder
	Invoker Invoker
	Meter   Meter
	Clock   Clock
	Times   Times
	Log     *slog.Logger
}

const (
	// waits is how many deadlines a batch is given while MTS is at work, or
	// silent because it is: during a POST it answers nothing (facts/mts.md 9).
	waits = 3
	// askLimit is the time limit of a status call.
	askLimit = 5 * time.Second
	// lostAloneLimit losses of a registrant that was sent alone reject it: one
	// record can hang MTS (facts/mts.md W2).
	lostAloneLimit = 2
	// lossesAtOne in a row say something of the MTS, not of the registrants.
	lossesAtOne = 3
)

// Tick goes through all registries. What fails at one does not keep the others
// waiting.
func (r *Reconciler) Tick(ctx context.Context) error {
	states, err := r.Store.RegistryStates(ctx)
	if err != nil {
		return err
	}
	mute := map[string]bool{}
	var oldest time.Duration // that an answer waits
	var failed error
	for _, state := range states {
		waits, err := r.ring(ctx, state)
		oldest = max(oldest, waits)
		failed = errors.Join(failed, err, r.overdue(ctx, state.Key, mute))
	}
	return errors.Join(failed, r.gauges(ctx, oldest))
}

// gauges tells how things stand, every minute, also when all is well.
func (r *Reconciler) gauges(ctx context.Context, oldest time.Duration) error {
	states, err := r.Store.States(ctx)
	if err != nil {
		return err
	}
	now := r.Clock.Now()
	var stalled, unreachable, refused, blocked, needHand float64
	add := func(n *float64, is bool) {
		if is {
			*n++
		}
	}
	for _, s := range states {
		if s.Status != Running && s.Run == "" {
			continue // nobody waits for it
		}
		_, noRegistry := s.Problems[ProblemRegistry]
		_, noMTS := s.Problems[ProblemMTS]
		_, noSignIn := s.Problems[ProblemSignIn]
		isBlocked, _ := s.Blocked()
		add(&stalled, s.Stalled(now))
		add(&unreachable, noRegistry || noMTS)
		add(&refused, noSignIn)
		add(&blocked, isBlocked)
		add(&needHand, s.NeedsHand())
	}
	r.Meter.Measure(MetricOldestAnswer, oldest.Seconds(), "")
	r.Meter.Measure(MetricStalledConnectors, stalled, "")
	r.Meter.Measure(MetricUnreachable, unreachable, "")
	r.Meter.Measure(MetricSignInsRefused, refused, "")
	r.Meter.Measure(MetricProblemConnectors, blocked, "")
	r.Meter.Measure(MetricNeedHand, needHand, "")
	return nil
}

// ring wakes the patcher if there is an answer, whatever became of the stream,
// and returns how long the first one waits.
func (r *Reconciler) ring(ctx context.Context, state RegistryState) (waits time.Duration, err error) {
	now := r.Clock.Now()
	ref, found, err := r.Store.NextAnswer(ctx, state.Key, "")
	if err != nil || !found {
		return 0, err
	}
	parts, err := r.Store.AnswerParts(ctx, state.Key, ref.Batch)
	if err != nil {
		return 0, err
	}
	for _, part := range parts {
		waits = max(waits, now.Sub(part.Received))
	}
	if state.OutageUntil.After(now) || state.Patch.Live(now) {
		return waits, nil
	}
	return waits, r.Invoker.InvokePatch(ctx, state.Key)
}

// overdue judges the batches past their deadline. mute are MTSs that did not
// answer in this tick; one silence is enough.
func (r *Reconciler) overdue(ctx context.Context, registry string, mute map[string]bool) error {
	open, err := r.Store.OpenBatches(ctx, registry)
	if err != nil {
		return err
	}
	var failed error
	for _, b := range open {
		if r.Clock.Now().Before(b.Deadline) {
			continue
		}
		answered, err := r.Store.HasAnswer(ctx, registry, b.Ref.Batch)
		if err == nil && !answered {
			err = r.judge(ctx, b, mute)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// finding is what asking about an overdue batch came to.
type finding string

const (
	neverAccepted finding = "never accepted" // there is no request identifier to ask with
	working       finding = "working"
	silent        finding = "silent" // busy with a POST, or unreachable
	finished      finding = "finished"
	failedThere   finding = "failed"
	unknownThere  finding = "unknown"
)

// isLost is the decision about an overdue batch without an answer. Lost means
// no more than that the next pass may take its registrants: a late answer is
// still applied.
func isLost(f finding, age, wait time.Duration) bool {
	switch f {
	case working, silent:
		return age >= waits*wait
	default:
		return true
	}
}

func (r *Reconciler) judge(ctx context.Context, b Batch, mute map[string]bool) error {
	f := r.ask(ctx, b, mute)
	now := r.Clock.Now()
	log := r.Log.With("connector", b.Ref.Connector, "run", b.Ref.Run, "batch", b.Ref.Batch, "finding", string(f))
	if !isLost(f, now.Sub(b.Claimed), b.Wait()) {
		log.Info("batch is overdue; waiting")
		return nil
	}
	answered, err := r.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
	if err != nil || answered {
		return err // it came while we asked
	}
	b.State, b.Closed = Lost, now
	b.Totals.Sent = b.Count
	if b.Count == 1 {
		if err := r.lostAlone(ctx, &b); err != nil {
			return err
		}
	}
	if err := r.Store.Close(ctx, b); err != nil {
		return ignoreConflict(err)
	}
	log.Warn("batch lost", "count", b.Count)
	r.Meter.Measure(MetricBatchesLost, 1, "")
	b.Totals.measure(r.Meter)
	return r.slowDown(ctx, b, f)
}

func (r *Reconciler) ask(ctx context.Context, b Batch, mute map[string]bool) finding {
	switch {
	case b.RequestID == "":
		return neverAccepted
	case mute[b.MTS]:
		return silent
	}
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	status, err := r.Seeder.Status(limited, b.MTSURL, b.RequestID)
	if err != nil {
		mute[b.MTS] = true
		return silent
	}
	return map[SeederStatus]finding{
		StatusWorking: working, StatusFinished: finished, StatusFailed: failedThere, StatusUnknown: unknownThere,
	}[status]
}

// lostAlone notes that a registrant was sent alone and lost. The first time it
// is due again at once; the second time it waits.
func (r *Reconciler) lostAlone(ctx context.Context, b *Batch) error {
	if len(b.Members) == 0 {
		return nil
	}
	m, now := b.Members[0], r.Clock.Now()
	mine, err := standing(ctx, r.Store, b.Ref, []int64{m.Identifier})
	if err != nil {
		return err
	}
	before := mine[m.Identifier]
	state, err := r.Store.State(ctx, b.Ref.Connector)
	if err != nil && !isNotFound(err) {
		return err
	}
	rejection := Rejection{
		Configured: state.Version, Registry: b.Ref.Registry, Identifier: m.Identifier, Connector: b.Ref.Connector, Registrant: m.Registrant,
		Kind: NoToken, Code: CodeNoAnswer, Attempts: 1, Next: now, Since: now, Version: before.Version,
	}
	if before.Kind == NoToken {
		rejection.Attempts = before.Attempts + 1
	}
	if rejection.Attempts >= lostAloneLimit {
		rejection.Next = nextAttempt(NoToken, rejection.Attempts-lostAloneLimit+1, now, r.Times)
		b.Totals.NoToken = 1
	}
	_, err = r.Store.PutRejections(ctx, []Rejection{rejection})
	return err
}

// slowDown halves what this MTS gets at once. When even single records are lost
// it is probed like any problem.
func (r *Reconciler) slowDown(ctx context.Context, b Batch, f finding) error {
	tooMuch := f != finished && f != failedThere // these two came to their end there
	losses := 0
	err := movePace(ctx, r.Store, b.MTS, func(p Pace) (Pace, bool) {
		next, moves := p.Missed(b, tooMuch)
		losses = next.Losses
		return next, moves
	})
	if err != nil || losses < lossesAtOne {
		return err
	}
	state, err := r.Store.State(ctx, b.Ref.Connector)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p := state.Problems[ProblemAnswers].again(r.Clock.Now(),
		"MTS takes requests and never answers.",
		"Check that MTS can reach the callback address of this deployment, and that its clean-up does not delete requests before they are processed.",
		r.Times)
	return r.Store.RaiseProblem(ctx, b.Ref.Connector, ProblemAnswers, p)
}
