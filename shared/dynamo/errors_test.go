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
		"single write": &types.ConditionalCheckFailedException{Item: Item{"name": Text("Ana Maria")}},
		"transaction":  canceled(conditionFailed, "TransactionConflict"),
	} {
		r, ok := errors.AsType[*Refused](translate("put", err))
		if !ok || r.Old[0] == nil {
			t.Errorf("%s: a failed condition is %v", name, err)
		} else if strings.Contains(r.Error(), "Ana") {
			t.Errorf("%s tells what is stored: %v", name, r)
		}
	}
}
