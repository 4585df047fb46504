package dynamo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

func canceled(codes ...string) error {
	e := &types.TransactionCanceledException{Message: aws.String("Ana Maria, born 1990")}
	for _, code := range codes {
		reason := types.CancellationReason{Code: aws.String(code)}
		if code == conditionFailed {
			reason.Item = item{"name": text("Ana Maria")}
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
		{"a condition outranks a collision", canceled("TransactionConflict", conditionFailed), false},
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

func TestSteadily(t *testing.T) {
	collision := canceled("TransactionConflict")
	for _, test := range []struct {
		name   string
		errs   []error // of the attempts; the last one repeats
		want   error
		writes int
	}{
		{"success", []error{nil}, nil, 1},
		{"success after collisions", []error{collision, collision, nil}, nil, 3},
		{"a condition after a collision", []error{collision, seeding.ErrConflict}, seeding.ErrConflict, 2},
		{"collisions without end", []error{collision}, collision, collisions},
	} {
		synctest.Test(t, func(t *testing.T) {
			writes := 0
			err := steadily(t.Context(), func() error {
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
		err := steadily(ctx, func() error {
			writes++
			cancel()
			return collision
		})
		if !errors.Is(err, collision) || writes != 1 {
			t.Errorf("out of time: %v after %d writes", err, writes)
		}
	})
}

func TestTranslate(t *testing.T) {
	for _, test := range []struct {
		name, text string
		err        error
		is         error
	}{
		{"cancelled", "dynamo: put: TransactionCanceledException [ValidationError]", canceled("ValidationError"), nil},
		{"no reply", "dynamo: put: no reply", errors.New("dial tcp: Ana Maria"), nil},
		{"out of time", "dynamo: put: out of time", context.DeadlineExceeded, context.DeadlineExceeded},
		{"by code", "dynamo: put: ResourceNotFoundException", &types.ResourceNotFoundException{Message: aws.String("Ana Maria")}, nil},
	} {
		err := translate("put", test.err)
		if strings.Contains(err.Error(), "Ana") {
			t.Errorf("%s tells what was written: %v", test.name, err)
		}
		if err.Error() != test.text {
			t.Errorf("%s: %q, want %q", test.name, err, test.text)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s is not %v", test.name, test.is)
		}
	}
	if translate("put", nil) != nil {
		t.Error("success became an error")
	}
	for name, err := range map[string]error{
		"single write": &types.ConditionalCheckFailedException{Item: item{"name": text("Ana Maria")}},
		"transaction":  canceled(conditionFailed, "TransactionConflict"),
	} {
		r, ok := errors.AsType[*refused](translate("put", err))
		if !ok || r.old[0] == nil {
			t.Errorf("%s: a failed condition is %v", name, err)
		} else if strings.Contains(r.Error(), "Ana") {
			t.Errorf("%s tells what is stored: %v", name, r)
		}
	}
}

func TestDamagedItems(t *testing.T) {
	number, words := number(1), text("x")
	decoders := map[string]func(item) error{
		"connector": func(it item) error { _, err := decodeConnector(it); return err },
		"state":     func(it item) error { _, err := decodeState(it); return err },
		"run":       func(it item) error { _, err := decodeRun(it); return err },
		"batch":     func(it item) error { _, err := decodeBatch(it, seeding.BatchRef{}); return err },
		"rejection": func(it item) error { _, err := decodeRejection(it, "r"); return err },
		"registry":  func(it item) error { _, err := decodeRegistry(it); return err },
		"MTS":       func(it item) error { _, err := decodeSeeder(it); return err },
		"part":      func(it item) error { _, err := decodePart(it, "r"); return err },
	}
	for _, test := range []struct {
		kind, attribute string
		value           types.AttributeValue
	}{
		{"connector", "config", text("{Ana")},
		{"connector", "config", number},
		{"state", "due", words},
		{"state", "problems", words},
		{"state", "problems", &types.AttributeValueMemberM{Value: item{"mts": words}}},
		{"run", "cursor", &types.AttributeValueMemberN{Value: "1.5"}},
		{"run", "over", words},
		{"run", "pk", nil},
		{"batch", "members", binary([]byte("Ana"))},
		{"batch", "parts", words},
		{"rejection", "print", binary([]byte{1})},
		{"rejection", "sk", text("9")},
		{"rejection", "sk", text("nine#c")},
		{"registry", "fence", words},
		{"MTS", "pace", &types.AttributeValueMemberM{Value: item{"size": words}}},
		{"part", "sk", text("b#h#1")},
		{"part", "sk", text("b#h#one#1")},
		{"part", "rows", words},
	} {
		it := item{"pk": text("p"), "sk": text("0#c"), "config": text("{}"), "state": text("claimed")}
		switch test.kind {
		case "part":
			it["sk"] = text("b#h#0001#0001")
		case "batch":
			it["members"] = binary(seeding.PackMembers(nil))
		}
		if err := decoders[test.kind](it); err != nil {
			t.Errorf("%s: %v", test.kind, err)
		}
		if it[test.attribute] = test.value; test.value == nil {
			delete(it, test.attribute)
		}
		err := decoders[test.kind](it)
		if err == nil || !strings.Contains(err.Error(), `"`+test.attribute+`"`) || strings.Contains(err.Error(), "Ana") {
			t.Errorf("%s with a damaged %s: %v", test.kind, test.attribute, err)
		}
	}
}
