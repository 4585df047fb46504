package dynamo

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// How often a write that collides with another one is made. A transaction takes
// some ten milliseconds.
const (
	attempts   = 6
	firstPause = 20 * time.Millisecond
)

// RetryRefused calls attempt up to six times, until its write is not refused.
// attempt reads, and writes on condition that nothing changed since. The error
// of the last attempt may be *Refused.
func RetryRefused(attempt func() error) (err error) {
	for range attempts {
		err = attempt()
		if _, refused := errors.AsType[*Refused](err); !refused {
			break
		}
	}
	return err
}

// retryCollisions repeats a write, up to six times, while it collides.
func retryCollisions(ctx context.Context, write func() error) error {
	for attempt := range attempts - 1 {
		err := write()
		if !collided(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(mathrand.N(firstPause << attempt)): //nolint:gosec // a pause needs no secrecy
		}
	}
	return write()
}

// conditionFailed is the code of a condition that cancelled a transaction.
const conditionFailed = "ConditionalCheckFailed"

// collided reports that a write was surely not made, and only because of another
// write at the same moment, or of throttling.
func collided(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return true // by its token it is our own, sent before
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
		default: // a failed condition counts more
			return false
		}
	}
	return only
}
