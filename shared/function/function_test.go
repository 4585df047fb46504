package function_test

import (
	"bytes"
	"sort"
	"strings"
	"testing"
	"time"

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
