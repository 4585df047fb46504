package seeding_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Only the kind of an error may be logged: texts of servers and stores may hold
// personal data.
func TestWhatMayBeLoggedOfAnError(t *testing.T) {
	secret := errors.New("1234567890")
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a fault", &seeding.Fault{Kind: seeding.RefusedData, Code: "ValidationError", Cause: secret}, "refused data (ValidationError)"},
		{"a fault without a code", &seeding.Fault{Kind: seeding.Unreachable, Cause: secret}, "unreachable"},
		{"a fault within another error", fmt.Errorf("%w of %w", &seeding.Fault{Kind: seeding.RefusedTypes, Code: "VID"}, secret), "refused identifier types (VID)"},
		{"a conflict", fmt.Errorf("%w: %w", secret, seeding.ErrConflict), "conflict"},
		{"not found", fmt.Errorf("%w: %w", secret, seeding.ErrNotFound), "not found"},
		{"damaged", fmt.Errorf("%w: %w", secret, seeding.ErrDamaged), "damaged"},
		{"the deadline", fmt.Errorf("%w: %w", secret, context.DeadlineExceeded), "deadline"},
		{"anything else", secret, "storage"},
	} {
		if got := seeding.ErrorKind(c.err); got != c.want || strings.Contains(got, secret.Error()) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
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
