package dynamo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var errOther = errors.New("another error")

func canceled(codes ...string) error {
	e := &types.TransactionCanceledException{Message: aws.String("Ana Maria, born 1990")}
	for _, code := range codes {
		reason := types.CancellationReason{Code: aws.String(code)}
		if code == conditionFailed {
			reason.Item = Item{"name": Text("Ana Maria")}
		}
		e.CancellationReasons = append(e.CancellationReasons, reason)
	}
	return e
}

func TestCollided(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"success", nil, false},
		{"a single write against a transaction", &types.TransactionConflictException{}, true},
		{"our own transaction is under way", &types.TransactionInProgressException{}, true},
		{"two transactions", canceled("None", "TransactionConflict"), true},
		{"too much at once", canceled("ThrottlingError", "None"), true},
		{"more than was provisioned", canceled("ProvisionedThroughputExceeded"), true},
		{"a condition beside a collision", canceled("TransactionConflict", conditionFailed), false},
		{"an item that is too large", canceled("ValidationError", "TransactionConflict"), false},
		{"cancelled without a reason", canceled("None"), false},
		{"a condition", &types.ConditionalCheckFailedException{}, false},
		{"anything else", errors.New("x"), false},
	} {
		if got := collided(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRetryCollisions(t *testing.T) {
	collision := canceled("TransactionConflict")
	for _, test := range []struct {
		name   string
		errs   []error // of the attempts; the last one repeats
		want   error
		writes int
	}{
		{"success", []error{nil}, nil, 1},
		{"success after collisions", []error{collision, collision, nil}, nil, 3},
		{"a condition after a collision", []error{collision, errOther}, errOther, 2},
		{"collisions without end", []error{collision}, collision, attempts},
	} {
		synctest.Test(t, func(t *testing.T) {
			writes := 0
			err := retryCollisions(t.Context(), func() error {
				writes++
				return test.errs[min(writes, len(test.errs))-1]
			})
			if !errors.Is(err, test.want) || writes != test.writes {
				t.Errorf("%s: %v after %d writes, want %v after %d", test.name, err, writes, test.want, test.writes)
			}
		})
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		writes := 0
		err := retryCollisions(ctx, func() error {
			writes++
			cancel()
			return collision
		})
		if !errors.Is(err, collision) || writes != 1 {
			t.Errorf("out of time: %v after %d writes", err, writes)
		}
	})
}

func TestRetryRefused(t *testing.T) {
	refused := &Refused{Old: []Item{nil}}
	for _, test := range []struct {
		name     string
		errs     []error // of the attempts; the last one repeats
		want     error
		attempts int
	}{
		{"success", []error{nil}, nil, 1},
		{"success after others", []error{refused, refused, nil}, nil, 3},
		{"another error", []error{refused, errOther}, errOther, 2},
		{"others without end", []error{refused}, refused, attempts},
	} {
		made := 0
		err := RetryRefused(func() error {
			made++
			return test.errs[min(made, len(test.errs))-1]
		})
		if !errors.Is(err, test.want) || made != test.attempts {
			t.Errorf("%s: %v after %d attempts, want %v after %d", test.name, err, made, test.want, test.attempts)
		}
	}
}
