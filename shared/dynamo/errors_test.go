package dynamo

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestTranslate(t *testing.T) {
	for _, test := range []struct {
		name, text string
		err        error
		cause      error
	}{
		{"cancelled", "dynamo: put: TransactionCanceledException [ValidationError]", canceled("ValidationError"), nil},
		{"no reply", "dynamo: put: no reply", errors.New("dial tcp: Ana Maria"), nil},
		{"out of time", "dynamo: put: out of time", context.DeadlineExceeded, context.DeadlineExceeded},
		{"by code", "dynamo: put: ResourceNotFoundException", &types.ResourceNotFoundException{Message: aws.String("Ana Maria")}, nil},
	} {
		err := translate("put", test.err)
		if strings.Contains(err.Error(), "Ana") {
			t.Errorf("%s holds what was written: %v", test.name, err)
		}
		if err.Error() != test.text {
			t.Errorf("%s: %q, want %q", test.name, err, test.text)
		}
		if test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s is not %v", test.name, test.cause)
		}
	}
	if translate("put", nil) != nil {
		t.Error("success became an error")
	}
	for name, err := range map[string]error{
		"single write": &types.ConditionalCheckFailedException{Item: Item{"name": Text("Ana Maria")}},
		"transaction":  canceled(conditionFailed, "TransactionConflict"),
	} {
		r, ok := errors.AsType[*Refused](translate("put", err))
		if !ok || r.Old[0] == nil {
			t.Errorf("%s: a failed condition is %v", name, err)
		} else if strings.Contains(r.Error(), "Ana") {
			t.Errorf("%s holds what is stored: %v", name, r)
		}
	}
}

// A call that was throttled had no effect; of any other that is not known.
func TestThrottledCallsAreTold(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&types.ProvisionedThroughputExceededException{}, true},
		{&types.ThrottlingException{}, true},
		{&types.RequestLimitExceeded{}, true},
		{canceled("ThrottlingError"), true},
		{canceled("None", "TransactionConflict"), true},
		{canceled("ValidationError", "ThrottlingError"), false},
		{&types.InternalServerError{}, false},
		{errors.New("no reply"), false},
		{context.DeadlineExceeded, false},
	} {
		failure, ok := errors.AsType[*StorageError](translate("put", c.err))
		if !ok || failure.Throttled() != c.want {
			t.Errorf("%v: %v", c.err, failure.Throttled())
		}
	}
}

func TestWhatARefusedWriteMeans(t *testing.T) {
	absent, conflict, other := errors.New("absent"), errors.New("conflict"), errors.New("other")
	written := func(old Item) bool { return NewReader(old).Text("name") == "written" }
	none, same := &Refused{Old: []Item{nil}}, &Refused{Old: []Item{{"name": Text("written")}}}
	another := &Refused{Old: []Item{{"name": Text("another")}}}
	for _, test := range []struct {
		name           string
		err            error
		plain, already error // as Explain says, without and after Already
	}{
		{"success", nil, nil, nil},
		{"another error", other, other, other},
		{"no item", none, absent, absent},
		{"an item that says so already", same, conflict, nil},
		{"an item that says otherwise", another, conflict, conflict},
	} {
		if err := Explain(test.err, absent, conflict); !errors.Is(err, test.plain) {
			t.Errorf("%s: %v, want %v", test.name, err, test.plain)
		}
		if err := Explain(Already(test.err, written), absent, conflict); !errors.Is(err, test.already) {
			t.Errorf("%s, or so already: %v, want %v", test.name, err, test.already)
		}
	}
}
