package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// ErrNotFound: there is no item with this key.
var ErrNotFound = errors.New("dynamo: no such item")

// Refused is the error of a write whose condition did not hold. Its text holds
// nothing of the items.
type Refused struct {
	// Old has one entry per write of a transaction, in order: the item whose
	// condition failed, or nil if there was no item or its condition held.
	Old []Item
}

func (r *Refused) Error() string { return "dynamo: condition does not hold" }

// Already turns a refused write into a success if the item already holds what
// was to be written, as after a lost reply. Any other error stays.
func Already(err error, written func(old Item) bool) error {
	if r, ok := errors.AsType[*Refused](err); ok && r.Old[0] != nil && written(r.Old[0]) {
		return nil
	}
	return err
}

// Explain translates a refused write into an error of the store: absent if there
// is no item, conflict if there is one. Any other error stays.
func Explain(err, absent, conflict error) error {
	r, ok := errors.AsType[*Refused](err)
	switch {
	case !ok:
		return err
	case r.Old[0] == nil:
		return absent
	}
	return conflict
}

// StorageError is a failure of the storage; a write that ended in one may have
// taken effect. Its text holds the operation and error codes only: never a
// message, never an item.
type StorageError struct {
	operation string
	codes     []string // why a transaction was cancelled, one per write
	cause     error
}

func (e *StorageError) Error() string {
	why := "no reply"
	if api, ok := errors.AsType[smithy.APIError](e.cause); ok {
		why = api.ErrorCode()
	} else if errors.Is(e.cause, context.Canceled) || errors.Is(e.cause, context.DeadlineExceeded) {
		why = "out of time"
	}
	if len(e.codes) > 0 {
		why += " " + fmt.Sprint(e.codes)
	}
	return "dynamo: " + e.operation + ": " + why
}

func (e *StorageError) Unwrap() error { return e.cause }

// Throttled reports whether the call surely had no effect, because the table or the
// account was too busy.
func (e *StorageError) Throttled() bool {
	if len(e.codes) > 0 {
		return collided(e.cause)
	}
	api, ok := errors.AsType[smithy.APIError](e.cause)
	return ok && slices.Contains([]string{"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}, api.ErrorCode())
}

// translate turns a client's error into a *Refused or a *StorageError.
func translate(operation string, err error) error {
	if err == nil {
		return nil
	}
	if condition, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return &Refused{Old: []Item{existing(condition.Item)}}
	}
	failure := &StorageError{operation: operation, cause: err}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		var old []Item
		for _, reason := range canceled.CancellationReasons {
			old = append(old, existing(reason.Item))
			failure.codes = append(failure.codes, aws.ToString(reason.Code))
		}
		if slices.Contains(failure.codes, conditionFailed) {
			return &Refused{Old: old}
		}
	}
	return failure
}

func existing(it Item) Item {
	if len(it) == 0 {
		return nil
	}
	return it
}
