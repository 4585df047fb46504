package seeding_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// removals is a registry from which VIDs are removed, and the problems of its
// connector.
type removals struct {
	seeding.Registry
	refuses error // error of a removal
	store   error // error of a write to the store

	removed []int64
	raised  map[seeding.Source]seeding.Problem
	cleared []seeding.Source
}

func (r *removals) Remove(_ context.Context, identifiers []int64) error {
	r.removed = append(r.removed, identifiers...)
	return r.refuses
}

func (r *removals) RaiseProblem(_ context.Context, id string, source seeding.Source, p seeding.Problem) error {
	r.raised = map[seeding.Source]seeding.Problem{source: p}
	if id != "c1" {
		return errors.New("of another connector")
	}
	return r.store
}

func (r *removals) ClearProblems(_ context.Context, id string, sources []seeding.Source, _ time.Time) error {
	r.cleared = append(r.cleared, sources...)
	if id != "c1" {
		return errors.New("of another connector")
	}
	return r.store
}

// A removal has three outcomes: the VIDs are gone; the registry refuses, which is
// a problem of the connector; or it failed, and the caller decides.
func TestRemoveVIDs(t *testing.T) {
	type outcome int
	const (
		gone outcome = iota
		refused
		failed
	)
	storage := errors.New("storage")
	before := seeding.Problem{Attempts: 2, Since: now.Add(-time.Hour)}
	for _, c := range []struct {
		name    string
		fault   error
		raised  bool // the problem "unlink"
		store   error
		want    outcome
		cleared bool
	}{
		{"they are gone", nil, false, nil, gone, false},
		{"they are gone, and so is the problem", nil, true, nil, gone, true},
		{"the user may not remove", &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"}, false, nil, refused, false},
		{"a rule forbids it", &seeding.Fault{Kind: seeding.RefusedData, Code: "UserError"}, false, nil, refused, false},
		{"the model is not there", &seeding.Fault{Kind: seeding.RefusedSchema, Code: "KeyError"}, false, nil, refused, false},
		{"the request is refused", &seeding.Fault{Kind: seeding.RefusedRequest, Code: "400"}, false, nil, refused, false},
		{"the user may still not remove: the problem stays", &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"}, true, nil, refused, false},
		{"the registry is unreachable", &seeding.Fault{Kind: seeding.Unreachable}, false, nil, failed, false},
		{"the registry is unreachable, and there is the problem", &seeding.Fault{Kind: seeding.Unreachable}, true, nil, failed, false},
		{"the outcome is unknown", &seeding.Fault{Kind: seeding.Unknown}, false, nil, failed, false},
		{"an unknown error: the outcome is unknown", errors.New("broken pipe"), false, nil, failed, false},
		{"the sign-in is refused", &seeding.Fault{Kind: seeding.RefusedSignIn}, false, nil, failed, false},
		{"the identifier type is not there", &seeding.Fault{Kind: seeding.RefusedTypes, Code: "VID"}, false, nil, failed, false},
		{"they are gone, and the store fails", nil, true, storage, gone, true},
		{"the user may not remove, and the store fails", &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"}, true, storage, refused, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &removals{refuses: c.fault, store: c.store}
			state := seeding.State{Connector: "c1", Problems: map[seeding.Source]seeding.Problem{seeding.ProblemRead: {}}}
			attempts := 1
			if c.raised {
				state.Problems[seeding.ProblemUnlink] = before
				attempts = 3
			}
			got, err := seeding.RemoveVIDs(t.Context(), r, r, state, []int64{5, 7}, seedingtest.Clock{Time: now}, seeding.DefaultTimes())
			if !errors.Is(err, c.store) || c.store == nil && err != nil {
				t.Errorf("error %v, want %v", err, c.store)
			}
			if !slices.Equal(r.removed, []int64{5, 7}) {
				t.Errorf("removes %v", r.removed)
			}
			if (got.Refused != nil) != (c.want == refused) || (got.Failed != nil) != (c.want == failed) {
				t.Errorf("refused %v, failed %v", got.Refused, got.Failed)
			}
			if c.want == failed && got.Failed.Kind != seeding.FaultOf(c.fault).Kind {
				t.Errorf("failed with %v, want %v", got.Failed, c.fault)
			}
			if got := slices.Equal(r.cleared, []seeding.Source{seeding.ProblemUnlink}); got != c.cleared || len(r.cleared) > 1 {
				t.Errorf("clears %v", r.cleared)
			}
			problem, raised := r.raised[seeding.ProblemUnlink]
			if raised != (c.want == refused) || len(r.raised) > 1 || problem != got.Problem {
				t.Errorf("raises %v, and says %+v", r.raised, got.Problem)
			}
			if raised && (problem.Attempts != attempts || problem.Next.Before(now.Add(time.Minute)) || problem.Text == "") {
				t.Errorf("raises %+v, want %d attempts", problem, attempts)
			}
		})
	}
}
