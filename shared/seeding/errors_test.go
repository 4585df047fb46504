package seeding_test

import (
	"errors"
	"fmt"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestKindsOfFaultsHaveNamesOfTheirOwn(t *testing.T) {
	names := map[string]bool{}
	for _, kind := range faultKinds {
		names[kind.String()] = true
	}
	if len(names) != len(faultKinds) {
		t.Errorf("%d kinds of faults have the names %v", len(faultKinds), names)
	}
}

// A fault is found within another error; any other error has an unknown
// outcome, and keeps its cause.
func TestFaultOfAnError(t *testing.T) {
	fault, other := &seeding.Fault{Kind: seeding.RefusedRights}, errors.New("broken pipe")
	if got := seeding.FaultOf(fmt.Errorf("%w", fault)); got != fault {
		t.Errorf("got %v", got)
	}
	if got := seeding.FaultOf(other); got.Kind != seeding.Unknown || !errors.Is(got, other) {
		t.Errorf("got %v", got)
	}
}

// A conflict is no failure if the write is not needed then.
func TestIgnoreConflict(t *testing.T) {
	other := errors.New("storage")
	for _, c := range []struct{ err, want error }{
		{nil, nil}, {seeding.ErrConflict, nil}, {fmt.Errorf("write: %w", seeding.ErrConflict), nil}, {other, other}, {seeding.ErrNotFound, seeding.ErrNotFound},
	} {
		if got := seeding.IgnoreConflict(c.err); !errors.Is(got, c.want) || c.want == nil && got != nil {
			t.Errorf("of %v stays %v", c.err, got)
		}
	}
}
