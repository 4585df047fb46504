package seeding

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of the stores. Any other error of a store is a failure of the storage
// and says nothing about the state.
var (
	// ErrNotFound: the item does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the item is no longer in the state that the write expected.
	// Read and decide again; never repeat the same write.
	ErrConflict = errors.New("changed meanwhile")
	// ErrDamaged: stored data cannot be read, or are in a form that only a later
	// release knows.
	ErrDamaged = errors.New("stored data are damaged")
	// ErrLeaseHeld: somebody else holds the lease.
	ErrLeaseHeld = errors.New("lease is held")
	// ErrTooMany: there is no room for another one.
	ErrTooMany = errors.New("too many")
	// ErrOpenBatches: not while batches of the connector are open.
	ErrOpenBatches = errors.New("batches are open")
)

// Fault is how a call to a registry or an MTS failed. A remote write has three
// outcomes: done, refused and unknown; Kind says which of the last two it is.
type Fault struct {
	Kind FaultKind
	// Code is a class name or an error code, for instance "ValidationError" or
	// "ATS-REQ-102"; never a message, because messages may hold identifier
	// values.
	Code string
	// Field is the field, or identifier type, of the configuration that the fault
	// is about, if it is known: never a name that only the server gave.
	Field string
	// Cause is for the client that made the fault; it is never logged or shown.
	Cause error
}

// Codes of faults of our own, about what a registry lets be read. The Field of
// NoSuchModel is the model, a name of ours.
const (
	NoSuchModel    = "NoSuchModel"    // a model of OpenG2P does not exist
	Encrypted      = "Encrypted"      // placeholders in place of names
	StillEncrypted = "StillEncrypted" // also where registrants are read one by one
)

// TooLarge reports whether a reply was larger than what was asked for may be.
func (f *Fault) TooLarge() bool { return f.Kind == RefusedRequest && f.Code == CodeTooLarge }

// CodeTooLarge is the code of such a fault.
const CodeTooLarge = "AnswerTooLarge"

// HTTPCode is the code of a fault of which only the status of the reply is known.
func HTTPCode(status int) string { return fmt.Sprintf("HTTP-%d", status) }

// FaultKind is what a fault means for the state.
type FaultKind int

const (
	// Unknown: the call may have taken effect, or may still do so.
	Unknown FaultKind = iota
	// Unreachable: surely not taken; the server could not be reached.
	Unreachable
	// RefusedData: because of the data of a record.
	RefusedData
	// RefusedRights: the user may not do this.
	RefusedRights
	// RefusedSchema: a model, field or method does not exist there.
	RefusedSchema
	// RefusedTypes: an identifier type of the configuration does not exist exactly once.
	RefusedTypes
	// RefusedSignIn: user, password or database are wrong.
	RefusedSignIn
	// RefusedRequest: the request as a whole.
	RefusedRequest
)

var faultNames = [...]string{"outcome unknown", "unreachable", "refused data", "refused rights",
	"refused schema", "refused identifier types", "refused sign-in", "refused request"}

func (k FaultKind) String() string { return faultNames[k] }

// Error holds kind and code only.
func (f *Fault) Error() string {
	if f.Code == "" {
		return f.Kind.String()
	}
	return fmt.Sprintf("%s (%s)", f.Kind, f.Code)
}

// Named is its code, or the name of its kind if it has none.
func (f *Fault) Named() string {
	if f.Code == "" {
		return strings.ReplaceAll(f.Kind.String(), " ", "_")
	}
	return f.Code
}

func (f *Fault) Unwrap() error { return f.Cause }

// FaultOf finds the fault in an error. Any other error is an Unknown outcome,
// because something may have happened.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: Unknown, Cause: err}
}

// IsNotFound reports whether an error says that something does not exist.
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// IgnoreDamaged is nil for ErrDamaged, for whoever goes on with what can be read.
func IgnoreDamaged(err error) error {
	if errors.Is(err, ErrDamaged) {
		return nil
	}
	return err
}

// IgnoreConflict is for a write that is not needed once somebody else changed
// the state that it relied on.
func IgnoreConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}
