package patch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

const (
	// firstCreate is the size of the first create at a registry that was never
	// measured: without an index a create costs 100 ms per record, and a call
	// over 120 s restarts Odoo (facts/odoo.md B3, A6).
	firstCreate = 50
	// maxCreate bounds a create, however fast the registry is.
	maxCreate = 1000
	// refusedAlikeLimit is how many single records may be refused with the same
	// code, none accepted between them, before it is a problem of the connector.
	refusedAlikeLimit = 3
)

// errTimeUp: the working time is not enough for another call.
var errTimeUp = errors.New("working time is over")

// refusesAll is the error of a refusal that is not about one record's data.
type refusesAll struct{ fault *seeding.Fault }

func (e *refusesAll) Error() string { return e.fault.Error() }

// create writes the tokens of plans.
func (p *Patcher) create(ctx context.Context, t *turn, registry seeding.Registry, state seeding.State, plans []plan) (created []seeding.Row, refusals []verdict, err error) {
	done, bad, err := inBulk(ctx, p, t, state, plans, true, func(ctx context.Context, some []plan) error {
		tokens := make([]seeding.NewToken, len(some))
		for i, one := range some {
			tokens[i] = one.token
		}
		return registry.Create(ctx, tokens)
	})
	if err != nil {
		return nil, nil, err
	}
	for _, one := range done {
		created = append(created, one.row)
	}
	for _, b := range bad {
		refusals = append(refusals, verdict{row: b.item.row, kind: notWritten, code: b.code})
	}
	return created, refusals, nil
}

// refusedItem is what the registry refused, and why.
type refusedItem[T any] struct {
	item T
	code string
}

// inBulk writes items in as few calls as the measured speed allows; measures says
// that these calls are creates of tokens, by which it is measured. Odoo does not say
// which record of a bulk call it refused (facts/odoo.md A2), so the call is halved
// until single records are refused. Several single records that are refused alike,
// none accepted between them, are a problem and reject nobody.
func inBulk[T any](ctx context.Context, p *Patcher, t *turn, state seeding.State, items []T, measures bool, call func(context.Context, []T) error) (done []T, refused []refusedItem[T], err error) {
	_, writeRefused := state.Problems[seeding.ProblemWrite]
	var halves [][]T // of refused calls; the last one is next
	for len(items)+len(halves) > 0 {
		if !p.hasTime(t) {
			return nil, nil, errTimeUp
		}
		var chunk []T
		if last := len(halves) - 1; last >= 0 {
			chunk, halves = halves[last], halves[:last]
		} else {
			size := min(createSize(t.registry.Create, p.Times.CallAim), len(items))
			chunk, items = items[:size], items[size:]
		}
		if err := p.beforeWriting(ctx, t); err != nil {
			return nil, nil, err
		}
		started := p.Clock.Now()
		err := call(ctx, chunk)
		if err == nil {
			if measures {
				t.registry.Create = seeding.Average(t.registry.Create, p.Clock.Now().Sub(started), len(chunk))
			}
			t.registry.RefusedAlike, t.registry.RefusedCode = 0, ""
			done = append(done, chunk...)
			continue
		}
		fault := seeding.FaultOf(err)
		switch {
		case fault.Kind == seeding.Unknown:
			t.registry.Create = slowDown(t.registry.Create, p.Times.CallAim, len(chunk))
			return nil, nil, fault
		case fault.Kind != seeding.RefusedData:
			return nil, nil, fault
		case len(chunk) > 1:
			half := len(chunk) / 2
			halves = append(halves, chunk[half:], chunk[:half])
			continue
		}
		t.registry = countRefusedAlike(t.registry, fault.Code)
		if writeRefused || t.registry.RefusedAlike >= refusedAlikeLimit {
			return nil, nil, &refusesAll{fault}
		}
		refused = append(refused, refusedItem[T]{chunk[0], fault.Code})
	}
	return done, refused, nil
}

// countRefusedAlike counts one more single record that was refused with a code.
func countRefusedAlike(s seeding.RegistryState, code string) seeding.RegistryState {
	if code != s.RefusedCode {
		s.RefusedAlike, s.RefusedCode = 0, code
	}
	s.RefusedAlike++
	return s
}

// slowDown is the time per record to assume after a call of unknown outcome. The
// next call then has at most half as many records, but at least one.
func slowDown(perRecord, aim time.Duration, records int) time.Duration {
	return min(max(2*perRecord, 2*aim/time.Duration(records)), aim)
}

// createSize is the number of records in a call that should last as long as aim,
// by the measured time per record; 0 is a registry that was never measured.
func createSize(perRecord, aim time.Duration) int {
	if perRecord == 0 {
		return firstCreate
	}
	return min(max(int(aim/perRecord), 1), maxCreate)
}

// writeFailed leaves the answer. What was written is found when it is processed
// again.
func (p *Patcher) writeFailed(ctx context.Context, t *turn, a answer, err error) (outcome, error) {
	if errors.Is(err, errTimeUp) {
		return end, nil
	}
	if useless, ok := errors.AsType[*outputUnusable](err); ok {
		return p.waitWrite(ctx, a, seeding.OutputUnusable(useless.code))
	}
	fault, remote := errors.AsType[*seeding.Fault](err)
	all, refused := errors.AsType[*refusesAll](err)
	if refused {
		fault = all.fault
	}
	_, ofOutput := errors.AsType[*refusesOutput](err)
	switch {
	case !remote && !refused:
		return proceed, err // of the lease
	case ofOutput && (refused || fault.Kind == seeding.RefusedRights || fault.Kind == seeding.RefusedSchema):
		p.log(a).Warn("registry call failed", "fault", fault.Error(), "problem", string(seeding.ProblemWrite))
		if a.connector.FromODK() {
			return p.waitWrite(ctx, a, seeding.RegistrantsRefused(fault))
		}
		return p.waitWrite(ctx, a, seeding.OutputRefused(fault))
	case refused:
		return p.waitRefused(ctx, a, seeding.ProblemWrite, fault)
	}
	return p.callFailed(ctx, t, a, fault, seeding.ProblemWrite, true)
}

// waitWrite lets the answer wait for the end of the problem "write".
func (p *Patcher) waitWrite(ctx context.Context, a answer, d seeding.Description) (outcome, error) {
	if err := p.raise(ctx, a, seeding.ProblemWrite, d); err != nil {
		return proceed, err
	}
	return proceed, p.postpone(ctx, a, seeding.ProblemWrite)
}

// callFailed turns a failed call into an outage of the registry, during which
// nobody calls it, or into a problem of the connector, for whose end its answer
// waits. write says that the call may have changed the registry.
func (p *Patcher) callFailed(ctx context.Context, t *turn, a answer, err error, op seeding.Source, write bool) (outcome, error) {
	if lease, ok := errors.AsType[*leaseError](err); ok {
		return proceed, lease.error
	}
	fault := seeding.FaultOf(err)
	t.unknownWrite = t.unknownWrite || write && fault.Kind == seeding.Unknown
	p.log(a).Warn("registry call failed", "fault", fault.Error(), "problem", string(op))
	if fault.Kind != seeding.Unknown && fault.Kind != seeding.Unreachable {
		return p.waitRefused(ctx, a, op, fault)
	}
	source, description := seeding.RegistryProblem(fault, op)
	t.registry.OutageUntil = seeding.OutageEnd(p.Clock.Now(), t.registry.OutageAttempts, p.Times)
	t.registry.OutageAttempts++
	return end, p.raise(ctx, a, source, description)
}

// waitRefused lets the answer wait until the next probe of the problem.
func (p *Patcher) waitRefused(ctx context.Context, a answer, op seeding.Source, fault *seeding.Fault) (outcome, error) {
	source, description := seeding.RegistryProblem(fault, op)
	if err := p.raise(ctx, a, source, description); err != nil {
		return proceed, err
	}
	return proceed, p.postpone(ctx, a, source)
}

// waitUnusable lets the answer of a connector wait that cannot be run.
func (p *Patcher) waitUnusable(ctx context.Context, a answer, u *seeding.Unusable) (outcome, error) {
	if err := p.raise(ctx, a, seeding.ProblemConfig, u.Description); err != nil {
		return proceed, err
	}
	return proceed, p.postpone(ctx, a, seeding.ProblemConfig)
}

// postpone lets the answer wait until the next probe of a problem.
func (p *Patcher) postpone(ctx context.Context, a answer, source seeding.Source) error {
	return seeding.IgnoreConflict(p.Store.Postpone(ctx, a.batch, a.batch.Attempts, a.state.Problems[source].Next))
}

// raise sets a problem of the answer's connector.
func (p *Patcher) raise(ctx context.Context, a answer, source seeding.Source, d seeding.Description) error {
	problem := a.state.Raise(source, p.Clock.Now(), d, p.Times)
	a.state.Problems[source] = problem
	return p.Store.RaiseProblem(ctx, a.connector.ID, source, problem)
}

func (p *Patcher) log(a answer) *slog.Logger {
	ref := a.batch.Ref
	return p.Log.With("registry", ref.Registry, "connector", ref.Connector, "run", ref.Run, "batch", ref.Batch)
}
