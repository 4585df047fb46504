package template_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// quantity is what the values of a metric mean, and so how they add up.
type quantity int

const (
	count    quantity = iota // of what happened: the sum says it
	gauge                    // how many there are now: the highest says it
	duration                 // how long one took: a percentile, or the highest
)

// statistics that say something of a quantity.
var statistics = map[quantity][]string{
	count:    {"Sum"},
	gauge:    {"Maximum"},
	duration: {"p50", "p90", "p99", "Maximum"},
}

// emitted are the metrics that exist, by namespace, name and the names of
// exactly the dimensions under which they are emitted. CloudWatch takes an
// alarm on anything else, and it never rings.
var emitted = map[string]quantity{
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
	"AWS/SQS ApproximateNumberOfMessagesVisible QueueName": gauge,
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
	"AWS/Lambda Errors FunctionName":      count,
	"AWS/Lambda Throttles FunctionName":   count,
	"AWS/Lambda Duration FunctionName":    duration,
	"AWS/Lambda IteratorAge FunctionName": duration,
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
	"AWS/ApiGateway 4xx ApiId": count,
	"AWS/ApiGateway 5xx ApiId": count,
	// Our own, embedded in the log: counts by whoever did it, gauges by
	// reconcile, every minute.
	"MTSConnector Submitted Stack":           count,
	"MTSConnector Tokenised Stack":           count,
	"MTSConnector Rejected Stack Kind":       count,
	"MTSConnector BatchesLost Stack":         count,
	"MTSConnector BatchesFailed Stack":       count,
	"MTSConnector SecondsToToken Stack":      duration,
	"MTSConnector OldestAnswerSeconds Stack": gauge,
	"MTSConnector StalledConnectors Stack":   gauge,
	"MTSConnector UnreachableServers Stack":  gauge,
	"MTSConnector SignInsRefused Stack":      gauge,
	"MTSConnector ProblemConnectors Stack":   gauge,
	"MTSConnector ConnectorsNeedHand Stack":  gauge,
}

// measured is one metric of one thing.
type measured struct {
	namespace, name string
	dimensions      []string // name, value, name, value
}

func (m measured) String() string {
	return strings.Join(append([]string{m.namespace, m.name}, m.dimensions...), " ")
}

// key is what emitted knows it by.
func (m measured) key() string {
	key := m.namespace + " " + m.name
	for i := 0; i < len(m.dimensions); i += 2 {
		key += " " + m.dimensions[i]
	}
	return key
}

func (m measured) quantity() quantity { return emitted[m.key()] }

// faults of naming what does not exist.
func (m measured) faults(s stack) (faults []string) {
	if _, exists := emitted[m.key()]; !exists || len(m.dimensions)%2 != 0 {
		return []string{"nobody emits " + m.String()}
	}
	for i := 0; i < len(m.dimensions); i += 2 {
		name, value := m.dimensions[i], m.dimensions[i+1]
		known := false
		switch name {
		case "QueueName":
			known = value == "${FailureQueue.QueueName}"
		case "FunctionName":
			known = s.Resources[bare(value)].Type == "AWS::Lambda::Function" && value == "${"+bare(value)+"}"
		case "ApiId":
			known = value == "${Api}"
		case "Stack":
			known = value == "${AWS::StackName}"
		case "Kind":
			known = slices.Contains(s.kinds, value)
		}
		if !known {
			faults = append(faults, fmt.Sprintf("%s is %s", name, value))
		}
	}
	return faults
}

// The functions' own meter says what of ours is emitted, and how.
func TestOwnMetricsAreEmitted(t *testing.T) {
	own := map[string]bool{}
	for _, name := range constants(t, "Metric") {
		var line bytes.Buffer
		kind := ""
		if name == string(seeding.MetricRejected) {
			kind = string(seeding.Refused)
		}
		function.Meter{Out: &line, Stack: "mts", Now: time.Now}.Measure(seeding.Metric(name), 1, kind)
		var embedded struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal(line.Bytes(), &embedded); err != nil {
			t.Fatal(err)
		}
		for _, m := range embedded.AWS.CloudWatchMetrics {
			for _, dimensions := range m.Dimensions {
				own[m.Namespace+" "+name+" "+strings.Join(dimensions, " ")] = true
			}
		}
	}
	for key := range emitted {
		if strings.HasPrefix(key, "AWS/") {
			own[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if _, known := emitted[key]; !known {
			t.Errorf("nobody said what %s is", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(emitted)) {
		if !own[key] {
			t.Errorf("nobody emits %s", key)
		}
	}
}

func alarmed(properties map[string]any) measured {
	m := measured{namespace: text(properties["Namespace"]), name: text(properties["MetricName"])}
	for _, d := range list(properties["Dimensions"]) {
		m.dimensions = append(m.dimensions, text(at(d, "Name")), text(at(d, "Value")))
	}
	return m
}

// alarmFaults says what keeps alarms from ringing when they should, and only
// then.
func alarmFaults(s stack) (faults []string) {
	watched := map[string]bool{}
	for name, r := range s.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		say := func(format string, args ...any) {
			faults = append(faults, name+": "+fmt.Sprintf(format, args...))
		}
		p := r.Properties
		m := alarmed(p)
		watched[m.String()] = true
		for _, fault := range m.faults(s) {
			say("%s", fault)
		}
		for _, property := range []string{"Metrics", "ExtendedStatistic", "ThresholdMetricId", "Unit", "ActionsEnabled"} {
			if p[property] != nil {
				say("has %s", property) // the emulator cannot, or it would not ring
			}
		}
		if r.Condition != "" {
			say("stands under the condition %s", r.Condition)
		}
		if got := text(p["Statistic"]); !slices.Contains(statistics[m.quantity()], got) {
			say("looks at the %s of %s", got, m.name)
		}

		// From the first one on, but for a time, which has to pass.
		most := 0
		if strings.HasSuffix(m.name, "Seconds") {
			most = 3600
		}
		threshold, err := strconv.Atoi(text(p["Threshold"]))
		if err != nil || threshold < 0 || threshold > most || most > 0 && threshold < 600 {
			say("rings above %s", text(p["Threshold"]))
		}
		if got := text(p["ComparisonOperator"]); got != "GreaterThanThreshold" {
			say("compares by %s", got)
		}
		period, err1 := strconv.Atoi(text(p["Period"]))
		n, err2 := strconv.Atoi(text(p["EvaluationPeriods"]))
		of := n
		if text(p["DatapointsToAlarm"]) != "" {
			of, _ = strconv.Atoi(text(p["DatapointsToAlarm"]))
		}
		if err1 != nil || err2 != nil || period < 60 || period%60 != 0 || of < 1 || of > n || period*n > 3600 {
			say("rings after %d of %d times %d s", of, n, period)
		}

		// Reconcile writes its gauges every minute: their silence is a failure.
		// Everything else is silent when nothing happens.
		missing := "notBreaching"
		if m.namespace == "MTSConnector" && m.quantity() == gauge {
			missing = `{"Fn::If":["Ticking","breaching","notBreaching"]}`
		}
		if got := text(p["TreatMissingData"]); got != missing {
			say("takes missing data for %s", got)
		}
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := text(p[actions]); got != `{"Fn::If":["HasAlarmTopic",[{"Ref":"AlarmTopic"}],[]]}` {
				say("%s are %s", actions, got)
			}
		}
		if !strings.HasSuffix(text(p["AlarmDescription"]), " See infra/runbook.md, "+name+".") {
			say("does not lead to its entry in infra/runbook.md: %s", text(p["AlarmDescription"]))
		}
	}

	wanted := []string{
		"AWS/SQS ApproximateNumberOfMessagesVisible QueueName ${FailureQueue.QueueName}",
		"AWS/ApiGateway 5xx ApiId ${Api}",
		"MTSConnector BatchesLost Stack ${AWS::StackName}",
		"MTSConnector Rejected Stack ${AWS::StackName} Kind set_aside",
		"MTSConnector OldestAnswerSeconds Stack ${AWS::StackName}",
		"MTSConnector StalledConnectors Stack ${AWS::StackName}",
		"MTSConnector UnreachableServers Stack ${AWS::StackName}",
		"MTSConnector SignInsRefused Stack ${AWS::StackName}",
		"MTSConnector ProblemConnectors Stack ${AWS::StackName}",
		"MTSConnector ConnectorsNeedHand Stack ${AWS::StackName}",
	}
	for name, r := range s.Resources {
		if r.Type == "AWS::Lambda::Function" {
			wanted = append(wanted, "AWS/Lambda Errors FunctionName ${"+name+"}", "AWS/Lambda Throttles FunctionName ${"+name+"}")
		}
	}
	for _, m := range wanted {
		if !watched[m] {
			faults = append(faults, "nobody watches "+m)
		}
	}
	for name, want := range map[string]string{
		"Ticking":       `{"Fn::Equals":[{"Ref":"ScheduleState"},"ENABLED"]}`,
		"HasAlarmTopic": `{"Fn::Not":[{"Fn::Equals":[{"Ref":"AlarmTopic"},""]}]}`,
	} {
		if got := text(s.Conditions[name]); got != want {
			faults = append(faults, fmt.Sprintf("the condition %s is %s", name, got))
		}
	}
	slices.Sort(faults)
	return faults
}

func TestAlarms(t *testing.T) {
	s := load(t)
	s.all(t, "AWS::CloudWatch::Alarm")
	for _, fault := range alarmFaults(s) {
		t.Error(fault)
	}
}

// Each of these alarms would be taken by CloudWatch and fail in silence.
func TestAlarmsThatFailAreFound(t *testing.T) {
	for what, mutate := range map[string]func(alarm func(name string) map[string]any, s stack){
		"dimension of another metric": func(alarm func(string) map[string]any, _ stack) {
			alarm("ApiFailing")["Dimensions"] = alarm("SubmitFailing")["Dimensions"]
		},
		"no dimension": func(alarm func(string) map[string]any, _ stack) { delete(alarm("SubmitFailing"), "Dimensions") },
		"metric of REST APIs": func(alarm func(string) map[string]any, _ stack) {
			alarm("ApiFailing")["MetricName"] = "5XXError"
		},
		"misspelt metric":    func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["MetricName"] = "LostBatches" },
		"misspelt namespace": func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["Namespace"] = "MTSconnector" },
		"kind that is none": func(alarm func(string) map[string]any, _ stack) {
			alarm("AnswersSetAside")["Dimensions"].([]any)[1].(map[string]any)["Value"] = "aside"
		},
		"kind left out": func(alarm func(string) map[string]any, _ stack) {
			alarm("AnswersSetAside")["Dimensions"] = alarm("BatchesLost")["Dimensions"]
		},
		"function that is none": func(alarm func(string) map[string]any, _ stack) {
			alarm("PatchFailing")["Dimensions"] = []any{map[string]any{"Name": "FunctionName", "Value": map[string]any{"Ref": "FailureQueue"}}}
		},
		"average of counts": func(alarm func(string) map[string]any, _ stack) { alarm("SubmitFailing")["Statistic"] = "Average" },
		"sum of a gauge":    func(alarm func(string) map[string]any, _ stack) { alarm("ConnectorsStalled")["Statistic"] = "Sum" },
		"silence is well": func(alarm func(string) map[string]any, _ stack) {
			alarm("ConnectorsStalled")["TreatMissingData"] = "notBreaching"
		},
		"silence left open": func(alarm func(string) map[string]any, _ stack) { delete(alarm("AnswersWaiting"), "TreatMissingData") },
		"an idle function rings": func(alarm func(string) map[string]any, _ stack) {
			alarm("CallbackFailing")["TreatMissingData"] = "breaching"
		},
		"threshold out of reach":  func(alarm func(string) map[string]any, _ stack) { alarm("FailureQueueFilled")["Threshold"] = 1 },
		"threshold always passed": func(alarm func(string) map[string]any, _ stack) { alarm("AnswersWaiting")["Threshold"] = 0 },
		"the wrong way": func(alarm func(string) map[string]any, _ stack) {
			alarm("SignInsRefused")["ComparisonOperator"] = "LessThanThreshold"
		},
		"more than all":  func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["DatapointsToAlarm"] = 13 },
		"period of 90 s": func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["Period"] = 90 },
		"nobody is told": func(alarm func(string) map[string]any, _ stack) { delete(alarm("ServersUnreachable"), "AlarmActions") },
		"actions switched off": func(alarm func(string) map[string]any, _ stack) {
			alarm("ServersUnreachable")["ActionsEnabled"] = false
		},
		"leads nowhere": func(alarm func(string) map[string]any, _ stack) {
			alarm("BatchesLost")["AlarmDescription"] = "Batches are lost."
		},
		"alarm left out":         func(_ func(string) map[string]any, s stack) { delete(s.Resources, "ReconcileThrottled") },
		"condition turned round": func(_ func(string) map[string]any, s stack) { s.Conditions["Ticking"] = s.Conditions["HasAlarmTopic"] },
	} {
		s := copied(t, load(t))
		mutate(func(name string) map[string]any {
			if s.Resources[name].Type != "AWS::CloudWatch::Alarm" {
				t.Fatalf("there is no alarm %s", name)
			}
			return s.Resources[name].Properties
		}, s)
		if len(alarmFaults(s)) == 0 {
			t.Errorf("not found: %s", what)
		}
	}
}

func copied(t *testing.T, s stack) stack {
	t.Helper()
	other := stack{kinds: s.kinds}
	encoded, err := json.Marshal(s.Stack)
	if err == nil {
		err = json.Unmarshal(encoded, &other.Stack)
	}
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// An alarm can tell standard topics only.
func TestAlarmTopic(t *testing.T) {
	parameter := load(t).Parameters["AlarmTopic"]
	if got, want := text(parameter["AllowedPattern"]), `^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$`; got != want {
		t.Errorf("AlarmTopic is %s, want %s", got, want)
	}
	if text(parameter["Default"]) != "" {
		t.Error("AlarmTopic has a default")
	}
}
