package dynamo

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// How often a write is made that somebody else's write is in the way of.
// Transactions take some ten milliseconds.
const (
	attempts   = 6
	firstPause = 20 * time.Millisecond
)

// RetryRefused calls attempt, which reads and then writes under the condition
// that nothing changed since, and calls it again, at most six times in all, as
// long as the write is refused. The error of the last attempt may be *Refused.
func RetryRefused(attempt func() error) (err error) {
	for range attempts {
		err = attempt()
		if _, refused := errors.AsType[*Refused](err); !refused {
			break
		}
	}
	return err
}

// retryCollisions repeats a write for as long as it only collides with others.
func retryCollisions(ctx context.Context, write func() error) error {
	for try := range attempts - 1 {
		err := write()
		if !collided(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(mathrand.N(firstPause << try)): //nolint:gosec // a pause needs no secrecy
		}
	}
	return write()
}

// conditionFailed is the code of a change that cancelled its transaction.
const conditionFailed = "ConditionalCheckFailed"

// collided is true of a write that surely was not made, for no other reason
// than somebody else writing at that moment, or too much being written.
func collided(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return true // our own, by its token, which a repetition has too
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	only := false
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			only = true
		default: // a condition that failed outranks them
			return false
		}
	}
	return only
}
