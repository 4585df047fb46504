package patch

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
		if got := errorKind(c.err); got != c.want || strings.Contains(got, secret.Error()) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
