package seeding

import (
	"context"
	"time"
)

// ProblemStore is what RemoveVIDs calls of Connectors.
type ProblemStore interface {
	RaiseProblem(ctx context.Context, id string, source Source, p Problem) error
	ClearProblems(ctx context.Context, id string, sources []Source, now time.Time) error
}

// Removal is what became of a call that removes VIDs. With neither fault they
// are gone.
type Removal struct {
	Refused *Fault  // by the registry: the problem "unlink" was raised
	Problem Problem // that was raised, of a refusal
	Failed  *Fault  // anything else: the registry is away, or the outcome is unknown
}

// RemoveVIDs removes VIDs from the registry, in one call: this is the one place
// that does. It raises the problem "unlink" of the connector, or clears it. The
// error is one of the store.
func RemoveVIDs(ctx context.Context, registry Registry, store ProblemStore, state State, identifiers []int64, clock Clock, times Times) (Removal, error) {
	err := registry.Remove(ctx, identifiers)
	now := clock.Now()
	if err == nil {
		return Removal{}, store.ClearProblems(ctx, state.Connector, state.Standing(ProblemUnlink), now)
	}
	fault := FaultOf(err)
	switch fault.Kind {
	case RefusedRights, RefusedSchema, RefusedData, RefusedRequest:
		_, description := RegistryProblem(fault, ProblemUnlink)
		problem := state.Problems[ProblemUnlink].Raised(now, description, times)
		return Removal{Refused: fault, Problem: problem}, store.RaiseProblem(ctx, state.Connector, ProblemUnlink, problem)
	}
	return Removal{Failed: fault}, nil
}
