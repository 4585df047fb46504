package function_test

import (
	"bytes"
	"context"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"openg2p.org/mts-connector/shared/function"
)

func TestOnlyListedAttributesAreLogged(t *testing.T) {
	var out bytes.Buffer
	log := function.Log(&out).With("connector", "c1", "vid", "1234567890123456")
	log.Info("batch claimed", "count", 3, "name", "Ana", "token", "T-999999", "body", struct{ Name string }{"Ana"})
	line := out.String()
	for _, want := range []string{`"connector":"c1"`, `"count":3`, `"msg":"batch claimed"`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is missing in %s", want, line)
		}
	}
	for _, secret := range []string{"1234567890123456", "Ana", "T-999999"} {
		if strings.Contains(line, secret) {
			t.Errorf("%s is in the log: %s", secret, line)
		}
	}
}

// By these ids the lines of a function and of the API's access log are found
// together.
func TestLinesHaveTheIDsOfRequestAndInvocation(t *testing.T) {
	var out bytes.Buffer
	type key struct{}
	log := function.RequestLog(&out, func(ctx context.Context) string { id, _ := ctx.Value(key{}).(string); return id })
	ctx := lambdacontext.NewContext(context.WithValue(t.Context(), key{}, "JKJaXmPLvHcESHA="), &lambdacontext.LambdaContext{AwsRequestID: "c6af9ac6-7b61"})
	log.With("connector", "c1").InfoContext(ctx, "connector changed")
	if line := out.String(); !strings.Contains(line, `"connector":"c1","request":"JKJaXmPLvHcESHA=","invocation":"c6af9ac6-7b61"`) {
		t.Error(line)
	}
	out.Reset()
	one := function.Invocation(ctx, function.Log(&out))
	one.Info("batch claimed")
	one.InfoContext(ctx, "batch submitted")
	if text := out.String(); strings.Count(text, `"invocation":"c6af9ac6-7b61"`) != 2 || strings.Contains(text, "request") {
		t.Error(text)
	}
	out.Reset()
	if function.Invocation(t.Context(), function.Log(&out)).Info("function cannot start"); strings.Contains(out.String(), "invocation") {
		t.Error(out.String())
	}
}

func TestIDsAreSortableAndUnique(t *testing.T) {
	seen := map[string]bool{}
	var ids []string
	for range 1000 {
		id := function.NewID()
		if len(id) != 26 || seen[id] {
			t.Fatalf("%q", id)
		}
		seen[id] = true
		ids = append(ids, id[:9]) // the time
	}
	if !sort.StringsAreSorted(ids) {
		t.Error("a later id sorts before an earlier one")
	}
}

func TestMissingVariablesAreNamedTogether(t *testing.T) {
	t.Setenv("PRESENT", "x")
	var env function.Env
	if env.Need("PRESENT") != "x" {
		t.Error("PRESENT")
	}
	env.Need("FIRST_MISSING")
	env.Need("SECOND_MISSING")
	if err := env.Err(); err == nil || !strings.Contains(err.Error(), "FIRST_MISSING, SECOND_MISSING") {
		t.Errorf("%v", err)
	}
}

func TestMetricsAreWhatCloudWatchReads(t *testing.T) {
	var out bytes.Buffer
	m := function.Meter{Out: &out, Stack: "prod", Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) }}
	m.Measure("Rejected", 3, "refused")
	m.Measure("OldestAnswerSeconds", 1.5, "")
	want := `{"Kind":"refused","Rejected":3,"Stack":"prod","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack","Kind"]],"Metrics":[{"Name":"Rejected","Unit":"Count"}],"Namespace":"MTSConnector"}],"Timestamp":1800000000000}}
{"OldestAnswerSeconds":1.5,"Stack":"prod","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack"]],"Metrics":[{"Name":"OldestAnswerSeconds","Unit":"Seconds"}],"Namespace":"MTSConnector"}],"Timestamp":1800000000000}}
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}
