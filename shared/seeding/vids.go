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

// Removal is the result of removing VIDs. Without a fault they are removed.
type Removal struct {
	Refused *Fault  // the registry refused, and Problem was raised
	Problem Problem // "unlink"
	Failed  *Fault  // the registry is unreachable, or the outcome is unknown
}

// RemoveVIDs removes VIDs from the registry in one call; no other place does. It
// raises or clears the problem "unlink" of the connector. The error is one of
// the store.
func RemoveVIDs(ctx context.Context, registry Registry, store ProblemStore, state State, identifiers []int64, clock Clock, times Times) (Removal, error) {
	err := registry.Remove(ctx, identifiers)
	now := clock.Now()
	if err == nil {
		return Removal{}, store.ClearProblems(ctx, state.Connector, state.Raised(ProblemUnlink), now)
	}
	fault := FaultOf(err)
	switch fault.Kind {
	case RefusedRights, RefusedSchema, RefusedData, RefusedRequest:
		_, description := RegistryProblem(fault, ProblemUnlink)
		problem := state.Raise(ProblemUnlink, now, description, times)
		return Removal{Refused: fault, Problem: problem}, store.RaiseProblem(ctx, state.Connector, ProblemUnlink, problem)
	}
	return Removal{Failed: fault}, nil
}
