package seeding

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Patcher writes the tokens of stored answers into the registry and takes the
// VIDs away (protocol, "Patch"). The stream is only its doorbell: under the
// patch lease it takes every answer of the registry, whoever rang.
type Patcher struct {
	Store interface {
		Connectors
		Batches
		Rejections
		RegistryStates
		Seeders
		Answers
	}
	Registries Registries
	Rows       Keyring
	Meter      Meter
	Clock      Clock
	Times      Times
	NewID      func() string
	Log        *slog.Logger
}

const (
	// setAsideAfter is how often an answer may fail for an unknown reason.
	setAsideAfter = 10
	// firstCreate is the size of the first create at a registry that was never
	// measured: without an index a create costs 100 ms per record, and a call
	// over 120 s restarts Odoo (facts/odoo.md B3, A6).
	firstCreate = 50
	// refusedAlikeLimit single records refused alike, none accepted between
	// them, are no accident of data.
	refusedAlikeLimit = 3
)

// Ring works off every answer of a registry that can be worked off now. A ring
// while another patcher holds the lease does nothing: that one, or the next
// minute's ring, finds the answers.
func (p *Patcher) Ring(ctx context.Context, registry string) error {
	for {
		more, err := p.round(ctx, registry)
		if err != nil || !more {
			return err
		}
	}
}

// round takes the lease once. more is true when an answer came in so late that
// its own ring found the lease taken.
func (p *Patcher) round(ctx context.Context, registry string) (more bool, err error) {
	now := p.Clock.Now()
	state, err := p.Store.TakePatch(ctx, registry, p.NewID(), now, now.Add(p.Times.PatchWork+p.Times.CommitGrace))
	if errors.Is(err, ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r := round{
		Patcher: p, registry: &state, until: now.Add(p.Times.PatchWork), seen: map[string]bool{},
		log: p.Log.With("registry", registry),
	}
	outcome := endRound
	if !state.OutageUntil.After(now) {
		outcome, err = r.work(ctx)
	}

	// An orderly end frees the lease at once. After a write of unknown outcome
	// it is left to run: Odoo may still commit what we gave up on.
	state.Patch.Until = p.Clock.Now()
	if outcome == endUnknown {
		state.Patch.Until = p.Clock.Now().Add(p.Times.CommitGrace)
	}
	leave := p.Store.LeavePatch(context.WithoutCancel(ctx), state)
	if errors.Is(leave, ErrConflict) {
		leave = nil // the lease ran out and is somebody else's
	}
	if err = errors.Join(err, leave); err != nil || outcome != goOn {
		return false, err
	}
	return r.unseen(ctx)
}

// round is one holding of a patch lease.
type round struct {
	*Patcher
	registry *RegistryState
	until    time.Time       // of the working time
	seen     map[string]bool // batches looked at
	log      *slog.Logger
}

// outcome of a batch, or of a round.
type outcome int

const (
	goOn       outcome = iota // with the next batch
	endRound                  // the registry is out, or time is up: what is left waits
	endUnknown                // a write may or may not have taken effect
)

func (r *round) work(ctx context.Context) (outcome, error) {
	after := ""
	for {
		ref, found, err := r.Store.NextAnswer(ctx, r.registry.Key, after)
		if err != nil || !found {
			return goOn, err
		}
		after = ref.Batch
		r.seen[ref.Batch] = true
		if r.left() < r.Times.PatchWork/4 {
			return endRound, nil
		}
		limited, cancel := context.WithTimeout(ctx, r.left())
		end, err := r.batch(limited, ref)
		cancel()
		if err != nil {
			r.log.Error("answer could not be worked off", "batch", ref.Batch, "kind", kindOf(err))
			if err := r.failed(ctx, ref); err != nil {
				return endRound, err
			}
		}
		if end != goOn {
			return end, nil
		}
	}
}

func (r *round) left() time.Duration { return r.until.Sub(r.Clock.Now()) }

// unseen looks once more after the release.
func (r *round) unseen(ctx context.Context) (bool, error) {
	after := ""
	for {
		ref, found, err := r.Store.NextAnswer(ctx, r.registry.Key, after)
		if err != nil || !found {
			return false, err
		}
		if !r.seen[ref.Batch] {
			return true, nil
		}
		after = ref.Batch
	}
}

// batch works off the answers of one batch. The error is unexpected; everything
// foreseen ends in an outcome.
func (r *round) batch(ctx context.Context, ref BatchRef) (outcome, error) {
	now := r.Clock.Now()
	parts, err := r.Store.AnswerParts(ctx, ref.Registry, ref.Batch)
	if err != nil || len(parts) == 0 {
		return goOn, err
	}
	b, err := r.Store.Batch(ctx, parts[0].Ref)
	if isNotFound(err) {
		return goOn, r.Store.DeleteParts(ctx, parts) // nobody knows such a batch: nothing fits its rows
	}
	if err != nil {
		return goOn, err
	}
	c, err := r.Store.Connector(ctx, b.Ref.Connector)
	if isNotFound(err) {
		return goOn, r.Store.DeleteParts(ctx, parts) // deleted after its batches were closed
	}
	if err != nil {
		return goOn, err
	}
	state, err := r.Store.State(ctx, c.ID)
	if err != nil {
		return goOn, err
	}
	// What waited with a problem goes on when the problem is over. A refused
	// unlink blocks nothing: with it waits only what has nothing else to do.
	waits, _ := state.Blocked()
	if _, refused := state.Problems[ProblemUnlink]; refused && b.counted(parts) {
		waits = true
	}
	if b.NotBefore.After(now) && (waits || b.Failures > 0) {
		return goOn, nil
	}
	a := application{
		round: r, c: c, state: state, b: b, parts: parts,
		log: r.log.With("connector", c.ID, "run", b.Ref.Run, "batch", b.Ref.Batch),
	}
	return a.apply(ctx)
}

// failed notes an unexpected failure; after ten of them the answer is set aside
// and its registrants wait with a reason.
func (r *round) failed(ctx context.Context, ref BatchRef) error {
	parts, err := r.Store.AnswerParts(ctx, ref.Registry, ref.Batch)
	if err != nil || len(parts) == 0 {
		return err
	}
	b, err := r.Store.Batch(ctx, parts[0].Ref)
	if err != nil {
		return err
	}
	now := r.Clock.Now()
	if b.Failures+1 < setAsideAfter {
		return ignoreConflict(r.Store.Postpone(ctx, b, b.Failures+1, now.Add(backOff(r.Times.ProbeFirst, r.Times.ProbeMax, b.Failures))))
	}
	rejected, err := r.setAside(ctx, b, now)
	if err != nil {
		return err
	}
	if len(rejected) > 0 {
		if _, err := r.Store.PutRejections(ctx, rejected); err != nil {
			return err
		}
		r.Meter.Measure(MetricRejected, float64(len(rejected)), string(SetAside))
	}
	if b.State.Open() {
		b.State, b.Closed = Failed, now
		b.Totals = b.Totals.Plus(Totals{Sent: b.Count - b.Totals.Sent})
		if err := ignoreConflict(r.Store.Close(ctx, b)); err != nil {
			return err
		}
	}
	return r.Store.DeleteParts(ctx, parts)
}

// setAside rejects the members of a batch whose answer cannot be worked off. One
// that is closed has none any more: the next pass finds its registrants.
func (r *round) setAside(ctx context.Context, b Batch, now time.Time) ([]Rejection, error) {
	if len(b.Members) == 0 {
		return nil, nil
	}
	var identifiers []int64
	for _, m := range b.Members {
		identifiers = append(identifiers, m.Identifier)
	}
	mine, err := standing(ctx, r.Store, b.Ref, identifiers)
	if err != nil {
		return nil, err
	}
	configured := 0
	if c, err := r.Store.Connector(ctx, b.Ref.Connector); err == nil {
		configured = c.Version
	}
	var rejected []Rejection
	for _, m := range b.Members {
		before, attempts := mine[m.Identifier], 1
		if before.Kind == SetAside {
			attempts += before.Attempts
		}
		rejected = append(rejected, Rejection{
			Registry: b.Ref.Registry, Identifier: m.Identifier, Connector: b.Ref.Connector, Registrant: m.Registrant,
			Kind: SetAside, Code: CodeSetAside, Configured: configured, Version: before.Version,
			Attempts: attempts, Next: nextAttempt(SetAside, attempts, now, r.Times), Since: now,
		})
	}
	return rejected, nil
}

func ignoreConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// kindOf is what may be logged of an error: never its text.
func kindOf(err error) string {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Error()
	}
	switch {
	case errors.Is(err, ErrConflict):
		return "conflict"
	case errors.Is(err, ErrNotFound):
		return "not found"
	case errors.Is(err, errPacked):
		return "damaged"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	}
	return "storage"
}
