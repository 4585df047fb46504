// Package patch writes the tokens of stored answers into the registry and removes
// the VIDs (infra/protocol.md, "Patch").
package patch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what this package calls of the stores; seeding/store.go has their
// contracts.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
	State(ctx context.Context, id string) (seeding.State, error)
	RaiseProblem(ctx context.Context, id string, source seeding.Source, p seeding.Problem) error
	ClearProblems(ctx context.Context, id string, sources []seeding.Source, now time.Time) error

	OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error)
	Batch(ctx context.Context, ref seeding.BatchRef) (seeding.Batch, error)
	Track(ctx context.Context, b seeding.Batch, next seeding.Tracking) error
	CountParts(ctx context.Context, b seeding.Batch, parts []string, add seeding.Totals) error
	Postpone(ctx context.Context, b seeding.Batch, attempts int, notBefore time.Time) error
	Close(ctx context.Context, b seeding.Batch) error

	Rejections(ctx context.Context, registry string, from, to int64) ([]seeding.Rejection, error)
	RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) ([]seeding.Rejection, error)
	PutRejections(ctx context.Context, rejections []seeding.Rejection) (conflicts int, err error)
	DeleteRejections(ctx context.Context, rejections []seeding.Rejection) error

	TakePatch(ctx context.Context, key, owner string, now, until time.Time) (seeding.RegistryState, error)
	HoldPatch(ctx context.Context, key string, fence int64, until time.Time) error
	LeavePatch(ctx context.Context, s seeding.RegistryState) error

	MTSState(ctx context.Context, key string) (seeding.MTSState, error)
	SavePace(ctx context.Context, key string, read, next seeding.Pace) error

	NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error)
	AnswerParts(ctx context.Context, registry, batch, after string) (parts []seeding.AnswerPart, more bool, err error)
	DeleteParts(ctx context.Context, parts []seeding.AnswerPart) error
}

// Patcher patches registries. Under the patch lease it processes every answer of
// the registry, whichever batch it was invoked for.
type Patcher struct {
	Store       Store
	Registries  seeding.Registries
	Forms       seeding.Forms
	RowKeys     seeding.Keyring
	Expressions Expressions
	Meter       seeding.Meter
	Clock       seeding.Clock
	Times       seeding.Times
	NewID       func() string
	Log         *slog.Logger
}

// Expressions compiles what users write: Output Formats, and mappings for the VID
// that an Output Format sees.
type Expressions interface {
	seeding.Outputs
	seeding.Mappings
}

// setAsideAfter is how often processing an answer may fail for an unknown reason.
const setAsideAfter = 10

// Patch processes every answer of a registry that can be processed now. While
// another patcher holds the lease it does nothing: that patcher, or the next tick
// of reconcile, finds the answers.
func (p *Patcher) Patch(ctx context.Context, registry string) error {
	return p.work(ctx, registry, false)
}

// work takes turns until nothing is left to do; looks says whether also to look for
// the tokens of direct batches.
func (p *Patcher) work(ctx context.Context, registry string, looks bool) error {
	for until := p.Clock.Now().Add(p.Times.PatchWork); ; {
		more, err := p.round(ctx, registry, until, looks)
		if err != nil || !more || until.Sub(p.Clock.Now()) < p.Times.PatchWork/4 {
			return err
		}
	}
}

// turn is what a patcher does under one lease.
type turn struct {
	registry seeding.RegistryState // with what this turn measures and meets
	until    time.Time             // end of the working time
	seen     map[string]bool       // batches of which an answer was read
	failed   map[string]bool       // batches of which an answer failed; it is counted once
	log      *slog.Logger

	// unknownWrite: a write may or may not have taken effect. It is noted before
	// anything that can fail.
	unknownWrite bool

	// For the problem "set_aside": connectors of which an answer failed, cannot be
	// read, or waits because it failed; and those of which one was processed.
	failing   map[string]bool
	processed map[string]seeding.State
}

// outcome of a batch, or of a turn.
type outcome int

const (
	proceed outcome = iota // with the next batch
	end                    // the registry is unreachable, or time is up: the rest waits
)

// round takes the lease once, and works until a time. more is true if an answer
// came so late that the invocation for it found the lease taken.
func (p *Patcher) round(ctx context.Context, registry string, until time.Time, looks bool) (more bool, err error) {
	now := p.Clock.Now()
	state, err := p.Store.TakePatch(ctx, registry, p.NewID(), now, now.Add(p.Times.PatchLease))
	if errors.Is(err, seeding.ErrLeaseHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t := &turn{
		registry: state, until: until, seen: map[string]bool{},
		failed: map[string]bool{}, failing: map[string]bool{}, processed: map[string]seeding.State{},
		log: p.Log.With("registry", registry),
	}
	out := end
	if !state.OutageUntil.After(now) {
		out, err = p.processAll(ctx, t)
	}
	if looks && out == proceed && err == nil {
		out, err = p.lookAll(ctx, t)
	}

	// A normal end frees the lease at once. After a write of unknown outcome the
	// lease lasts for the time in which Odoo may still commit.
	t.registry.Patch.Until = p.Clock.Now()
	if t.unknownWrite {
		t.registry.Patch.Until = p.Clock.Now().Add(p.Times.CommitGrace)
	}
	leave := p.Store.LeavePatch(context.WithoutCancel(ctx), t.registry)
	// A conflict: the lease ended, and somebody else has it.
	if err = errors.Join(err, seeding.IgnoreConflict(leave)); err != nil || out != proceed {
		return false, err
	}
	return p.hasUnseen(ctx, t)
}

// The lease says what its holder may have done when it dies. While it only reads
// the lease is short, and renewed as the work goes on, so that whoever comes next
// waits for less than a minute. Before a remote write it is made to last until
// Odoo has surely committed whatever is asked for in the working time.

// errLeaseLost: somebody else took the lease. Nothing may be written any more.
var errLeaseLost = errors.New("the patch lease was taken by somebody else")

// beforeReading makes sure that the lease covers a call that reads. It keeps a
// longer one.
func (p *Patcher) beforeReading(ctx context.Context, t *turn) error {
	now := p.Clock.Now()
	if t.registry.Patch.Until.Sub(now) >= p.readLimit() {
		return nil
	}
	return p.hold(ctx, t, now.Add(p.Times.PatchLease))
}

// readLimit is how long a call that reads may take.
func (p *Patcher) readLimit() time.Duration { return 2 * p.Times.PatchLease / 3 }

// beforeWriting notes in the lease that remote writes follow.
func (p *Patcher) beforeWriting(ctx context.Context, t *turn) error {
	until := t.until.Add(p.Times.CommitGrace)
	if !t.registry.Patch.Until.Before(until) {
		return nil
	}
	return p.hold(ctx, t, until)
}

// afterWriting takes that note back: the outcome of every write is known.
func (p *Patcher) afterWriting(ctx context.Context, t *turn) error {
	until := p.Clock.Now().Add(p.Times.PatchLease)
	if !t.registry.Patch.Until.After(until) {
		return nil
	}
	return p.hold(ctx, t, until)
}

func (p *Patcher) hold(ctx context.Context, t *turn, until time.Time) error {
	err := p.Store.HoldPatch(ctx, t.registry.Key, t.registry.Patch.Fence, until)
	switch {
	case errors.Is(err, seeding.ErrConflict):
		return errLeaseLost
	case err != nil:
		return err
	}
	t.registry.Patch.Until = until
	return nil
}

// processAll goes through the answers of the registry, in the order of batch ids.
// It takes one answer of each batch, then the next one of those that have more, so
// that a batch with many answers keeps no other waiting.
func (p *Patcher) processAll(ctx context.Context, t *turn) (outcome, error) {
	var rest []place
	for ref, err := range seeding.AnsweredBatches(ctx, p.Store, t.registry.Key) {
		if damaged, ok := errors.AsType[*seeding.DamagedAnswer](err); ok {
			if err := p.noteUnreadable(ctx, t, damaged.Connector, damaged.Batch); err != nil {
				return end, err
			}
			continue
		}
		if err != nil {
			return proceed, err
		}
		t.seen[ref.Batch] = true
		next, out, err := p.processOne(ctx, t, place{ref: ref})
		if err != nil || out != proceed {
			return out, err
		}
		if next.more {
			rest = append(rest, next)
		}
	}
	for len(rest) > 0 {
		var again []place
		for _, at := range rest {
			next, out, err := p.processOne(ctx, t, at)
			if err != nil || out != proceed {
				return out, err
			}
			if next.more {
				again = append(again, next)
			}
		}
		rest = again
	}
	return proceed, p.clearSetAside(ctx, t)
}

// place is where a patcher is in the answers to a batch.
type place struct {
	ref   seeding.BatchRef
	after string // content of the last answer that was read
	more  bool   // another one follows
}

// processOne processes the next answer to a batch.
func (p *Patcher) processOne(ctx context.Context, t *turn, at place) (next place, out outcome, err error) {
	if !p.hasTime(t) {
		return at, end, nil
	}
	limited, cancel := context.WithTimeout(ctx, p.timeLeft(t))
	defer cancel()
	if err := p.afterWriting(limited, t); err != nil {
		return at, end, lostLeaseIsNoFailure(err)
	}
	parts, more, err := p.Store.AnswerParts(limited, at.ref.Registry, at.ref.Batch, at.after)
	if damaged, ok := errors.AsType[*seeding.DamagedAnswer](err); ok {
		err = p.noteUnreadable(ctx, t, damaged.Connector, damaged.Batch)
	}
	if err != nil || len(parts) == 0 {
		return at, proceed, err
	}
	out, wait, err := p.process(limited, t, parts)
	next = place{ref: at.ref, after: parts[0].Content, more: more && !wait}
	if errors.Is(err, errLeaseLost) {
		return next, end, nil
	}
	if err != nil {
		t.log.Error("answer could not be processed", "batch", at.ref.Batch, "kind", errorKind(err))
		if err := p.countFailure(ctx, t, parts); err != nil {
			return next, end, err
		}
	}
	return next, out, nil
}

// timeLeft is what is left of the working time.
func (p *Patcher) timeLeft(t *turn) time.Duration { return t.until.Sub(p.Clock.Now()) }

// hasTime reports whether the working time is enough for another call.
func (p *Patcher) hasTime(t *turn) bool { return p.timeLeft(t) >= p.Times.PatchWork/4 }

// hasUnseen reports whether an answer came in during the turn.
func (p *Patcher) hasUnseen(ctx context.Context, t *turn) (bool, error) {
	for ref, err := range seeding.AnsweredBatches(ctx, p.Store, t.registry.Key) {
		if errors.Is(err, seeding.ErrDamaged) {
			continue
		}
		if err != nil || !t.seen[ref.Batch] {
			return err == nil, err
		}
	}
	return false, nil
}

// answer is what one callback carried for a batch, as far as it is stored, with
// the batch and its connector.
type answer struct {
	parts     []seeding.AnswerPart
	batch     seeding.Batch
	connector seeding.Connector
	state     seeding.State
}

// lostLeaseIsNoFailure: whoever has the lease goes on with the answers.
func lostLeaseIsNoFailure(err error) error {
	if errors.Is(err, errLeaseLost) {
		return nil
	}
	return err
}

// process applies one answer to a batch. Its error is unexpected; expected
// failures are an outcome. wait reports that no other answer to the batch is
// processed now either.
func (p *Patcher) process(ctx context.Context, t *turn, parts []seeding.AnswerPart) (out outcome, wait bool, err error) {
	a := answer{parts: parts}
	a.batch, err = p.Store.Batch(ctx, parts[0].Ref)
	if err == nil {
		a.connector, err = p.Store.Connector(ctx, a.batch.Ref.Connector)
	}
	switch {
	case seeding.IsNotFound(err):
		// There is no such batch, so nothing fits its rows; or its connector was
		// deleted after its batches were closed.
		return proceed, false, p.Store.DeleteParts(ctx, parts)
	case errors.Is(err, seeding.ErrDamaged):
		// Batch or configuration. It waits until somebody can read them.
		return proceed, true, p.noteUnreadable(ctx, t, parts[0].Ref.Connector, parts[0].Ref.Batch)
	case err != nil:
		return proceed, false, err
	case a.connector.RegistryKey() != t.registry.Key:
		// This lease covers the former registry only, and what is at the present one
		// is not what was sent.
		return proceed, false, p.drop(ctx, a, "its connector uses another registry now")
	}
	if a.state, err = p.Store.State(ctx, a.connector.ID); err != nil {
		return proceed, false, err
	}
	switch w := a.waits(p.Clock.Now(), t.failed[a.batch.Ref.Batch]); w {
	case noneWaits:
	case thisWaits:
		return proceed, false, nil
	default:
		t.failing[a.connector.ID] = t.failing[a.connector.ID] || w == failedWaits
		return proceed, true, nil
	}
	if a.connector.FromODK() {
		out, err = p.applySubmissions(ctx, t, a)
	} else {
		out, err = p.apply(ctx, t, a)
	}
	return out, false, err
}

// refusesConnector are the problems of a connector, or of its registry with it, with
// which all its answers fail alike.
var refusesConnector = []seeding.Source{seeding.ProblemSignIn, seeding.ProblemRead, seeding.ProblemTypes, seeding.ProblemConfig, seeding.ProblemODK}

// waiting is whether an answer is to be processed yet.
type waiting int

const (
	noneWaits   waiting = iota
	thisWaits           // this one: nothing is left to do but what is refused
	allWait             // all answers to the batch, for the end of a problem
	failedWaits         // all answers to the batch, because one failed before this turn
)

// waits decides that. With a problem that refuses the connector as a whole all its
// answers make one attempt together per back-off: Odoo makes everybody wait after
// several failed sign-ins. With "unlink" an answer waits only if its totals are
// counted. An answer that failed in this turn keeps no other one waiting in it.
func (a answer) waits(now time.Time, failedNow bool) waiting {
	for _, source := range a.state.Raised(refusesConnector...) {
		if a.state.Problems[source].Next.After(now) {
			return allWait
		}
	}
	blocked, _ := a.state.Blocked()
	_, unlinkRefused := a.state.Problems[seeding.ProblemUnlink]
	switch {
	case !a.batch.NotBefore.After(now):
		return noneWaits
	case blocked:
		return allWait
	case a.batch.Attempts > 0 && !failedNow:
		return failedWaits
	case unlinkRefused && a.batch.HasParts(a.parts):
		return thisWaits
	}
	return noneWaits
}

// countFailure counts an unexpected failure, once per batch and turn. After ten of
// them it sets the answer aside and rejects its registrants.
func (p *Patcher) countFailure(ctx context.Context, t *turn, parts []seeding.AnswerPart) error {
	ref := parts[0].Ref
	b, err := p.Store.Batch(ctx, ref)
	if err != nil {
		return err
	}
	t.failing[ref.Connector] = true
	if b.Attempts > 0 { // what fails once is often over
		if err := p.showSetAside(ctx, t, ref.Connector); err != nil {
			return err
		}
	}
	now := p.Clock.Now()
	counted := t.failed[ref.Batch]
	t.failed[ref.Batch] = true
	if b.Attempts+1 < setAsideAfter {
		if counted {
			return nil
		}
		next := now.Add(seeding.BackOff(p.Times.ProbeFirst, p.Times.ProbeMax, b.Attempts))
		return seeding.IgnoreConflict(p.Store.Postpone(ctx, b, b.Attempts+1, next))
	}
	rejected, err := p.setAside(ctx, b, now)
	if err != nil {
		return err
	}
	if len(rejected) > 0 {
		if _, err := p.Store.PutRejections(ctx, rejected); err != nil {
			return err
		}
		p.Meter.Measure(seeding.MetricRejected, float64(len(rejected)), string(seeding.SetAside))
	}
	if b.State.Open() {
		b.State, b.Closed = seeding.Failed, now
		b.Totals = b.Totals.Plus(seeding.Totals{Sent: b.Count - b.Totals.Sent})
		if err := seeding.IgnoreConflict(p.Store.Close(ctx, b)); err != nil {
			return err
		}
	}
	return p.Store.DeleteParts(ctx, parts)
}

// noteUnreadable logs and shows that an answer, its batch or its connector cannot
// be read. It is passed over with every turn until somebody can read it, or until
// its time is over (14 days).
func (p *Patcher) noteUnreadable(ctx context.Context, t *turn, connector, batch string) error {
	t.log.Error("answer cannot be read", "connector", connector, "batch", batch, "kind", "damaged")
	if connector == "" {
		return nil
	}
	return p.showSetAside(ctx, t, connector)
}

// showSetAside raises the problem "set_aside", unless it is shown. A connector
// that is deleted or uses another registry now, or whose state cannot be read, shows
// nothing.
func (p *Patcher) showSetAside(ctx context.Context, t *turn, connector string) error {
	t.failing[connector] = true
	state, err := p.Store.State(ctx, connector)
	if _, shown := state.Problems[seeding.ProblemSetAside]; shown || seeding.IsNotFound(err) || errors.Is(err, seeding.ErrDamaged) {
		return nil
	}
	if err != nil || state.Registry != t.registry.Key {
		return err
	}
	problem := state.Raise(seeding.ProblemSetAside, p.Clock.Now(), seeding.AnswerUnprocessed, p.Times)
	err = p.Store.RaiseProblem(ctx, connector, seeding.ProblemSetAside, problem)
	if seeding.IsNotFound(err) {
		return nil
	}
	return err
}

// clearSetAside clears that problem of connectors of which answers were processed,
// and none failed, once all answers were looked at.
func (p *Patcher) clearSetAside(ctx context.Context, t *turn) error {
	for connector, state := range t.processed {
		if t.failing[connector] {
			continue
		}
		if err := p.Store.ClearProblems(ctx, connector, state.Raised(seeding.ProblemSetAside), p.Clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

// setAside rejects those of a batch whose answer cannot be processed: its members, or
// the submission of one that was sent alone. Of a closed batch, and of a window, nobody
// is rejected: the next pass finds them.
func (p *Patcher) setAside(ctx context.Context, b seeding.Batch, now time.Time) ([]seeding.Rejection, error) {
	var list []seeding.Subject
	for _, m := range b.Members {
		list = append(list, m.Subject())
	}
	if who, alone := b.Alone(); alone {
		list = []seeding.Subject{who}
	}
	before, err := seeding.RejectionsOf(ctx, p.Store, b.Ref, list)
	if err != nil {
		return nil, err
	}
	configured := 0
	if c, err := p.Store.Connector(ctx, b.Ref.Connector); err == nil {
		configured = c.Version
	}
	cause := seeding.Cause{Kind: seeding.SetAside, Code: seeding.CodeSetAside}
	var rejected []seeding.Rejection
	for _, who := range list {
		r := cause.Reject(b.Ref.Registry, b.Ref.Connector, who, configured, before[who.Key()], now, p.Times)
		r.Received = b.ReceivedAlone()
		rejected = append(rejected, r)
	}
	return rejected, nil
}

// errorKind is what may be logged of an error; its text may not.
func errorKind(err error) string {
	if f, ok := errors.AsType[*seeding.Fault](err); ok {
		return f.Error()
	}
	switch {
	case errors.Is(err, seeding.ErrConflict):
		return "conflict"
	case errors.Is(err, seeding.ErrNotFound):
		return "not found"
	case errors.Is(err, seeding.ErrDamaged):
		return "damaged"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	}
	return "storage"
}
