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

// quantity says what the values of a metric mean, and so which statistics fit.
type quantity int

const (
	count    quantity = iota // how often something happened in a period
	gauge                    // how much there is at a moment
	duration                 // how long each of several things took
)

// statistics lists the meaningful ones of each quantity.
var statistics = map[quantity][]string{
	count:    {"Sum"},
	gauge:    {"Maximum"},
	duration: {"p50", "p90", "p99", "Maximum"},
}

// emitted lists the metrics that exist, by namespace, name and the names of
// exactly the dimensions under which they are emitted. CloudWatch accepts an
// alarm on any other metric and never raises it.
var emitted = map[string]quantity{
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
	"AWS/SQS NumberOfMessagesSent QueueName": count,
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
	"AWS/Lambda Errors FunctionName":      count,
	"AWS/Lambda Throttles FunctionName":   count,
	"AWS/Lambda Throttles":                count, // of all functions of the account
	"AWS/Lambda Duration FunctionName":    duration,
	"AWS/Lambda IteratorAge FunctionName": duration,
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
	"AWS/ApiGateway 4xx ApiId": count,
	"AWS/ApiGateway 5xx ApiId": count,
	// Our own, embedded in the log: counts by the function that did it, width and
	// batches under way by submit with every claim, other gauges by reconcile,
	// every minute.
	"MTSConnector Submitted Stack":           count,
	"MTSConnector Tokenised Stack":           count,
	"MTSConnector Rejected Stack Kind":       count,
	"MTSConnector BatchesLost Stack":         count,
	"MTSConnector BatchesFailed Stack":       count,
	"MTSConnector SecondsToToken Stack":      duration,
	"MTSConnector Width Stack":               gauge,
	"MTSConnector BatchesUnderWay Stack":     gauge,
	"MTSConnector OldestAnswerSeconds Stack": gauge,
	"MTSConnector StalledConnectors Stack":   gauge,
	"MTSConnector UnreachableServers Stack":  gauge,
	"MTSConnector SignInsRefused Stack":      gauge,
	"MTSConnector ProblemConnectors Stack":   gauge,
	"MTSConnector ConnectorsNeedHand Stack":  gauge,
}

// measured is one metric with its dimensions.
type measured struct {
	namespace, name string
	dimensions      []string // name, value, name, value
}

func (m measured) String() string {
	return strings.Join(append([]string{m.namespace, m.name}, m.dimensions...), " ")
}

// key is the key of the metric in emitted.
func (m measured) key() string {
	key := m.namespace + " " + m.name
	for i := 0; i < len(m.dimensions); i += 2 {
		key += " " + m.dimensions[i]
	}
	return key
}

func (m measured) quantity() quantity { return emitted[m.key()] }

// mistakes lists names that do not exist.
func (m measured) mistakes(s stack) (mistakes []string) {
	if _, exists := emitted[m.key()]; !exists || len(m.dimensions)%2 != 0 {
		return []string{"nothing emits " + m.String()}
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
			mistakes = append(mistakes, fmt.Sprintf("%s is %s", name, value))
		}
	}
	return mistakes
}

// The meter of the functions decides which of our metrics are emitted, and how.
func TestOwnMetricsAreEmitted(t *testing.T) {
	own := map[string]bool{}
	for _, name := range constants(t, "Metric") {
		var line bytes.Buffer
		kind := ""
		if name == seeding.MetricRejected {
			kind = string(seeding.Refused)
		}
		function.Meter{Out: &line, Stack: "mts", Now: time.Now}.Measure(name, 1, kind)
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
			t.Errorf("emitted does not list %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(emitted)) {
		if !own[key] {
			t.Errorf("nothing emits %s", key)
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

// alarmMistakes lists what would keep an alarm from being raised when it should,
// and only then.
func alarmMistakes(s stack) (mistakes []string) {
	watched := map[string]bool{}
	for name, r := range s.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		say := func(format string, args ...any) {
			mistakes = append(mistakes, name+": "+fmt.Sprintf(format, args...))
		}
		p := r.Properties
		m := alarmed(p)
		watched[m.String()] = true
		for _, mistake := range m.mistakes(s) {
			say("%s", mistake)
		}
		for _, property := range []string{"Metrics", "ThresholdMetricId", "Unit", "ActionsEnabled"} {
			if p[property] != nil {
				say("has %s", property) // the emulator does not support it, or the alarm would never be raised
			}
		}
		if r.Condition != "" {
			say("has the condition %s", r.Condition)
		}
		silence := name == "ReconcileSilent"
		if got := text(p["Statistic"]) + text(p["ExtendedStatistic"]); !slices.Contains(statistics[m.quantity()], got) && (!silence || got != "SampleCount") {
			say("uses the statistic %s of %s", got, m.name)
		}

		// The first occurrence raises it; a duration has to pass first.
		least, most := 0, 0
		switch {
		case silence:
			least, most = 1, 1
		case m.quantity() == duration: // in milliseconds
			least, most = 1000, 10000
		case strings.HasSuffix(m.name, "Seconds"):
			least, most = 600, 3600
		}
		threshold, err := strconv.Atoi(text(p["Threshold"]))
		if err != nil || threshold < least || threshold > most {
			say("has the threshold %s", text(p["Threshold"]))
		}
		operator := "GreaterThanThreshold"
		if silence {
			operator = "LessThanThreshold"
		}
		if got := text(p["ComparisonOperator"]); got != operator {
			say("compares by %s", got)
		}
		period, err1 := strconv.Atoi(text(p["Period"]))
		n, err2 := strconv.Atoi(text(p["EvaluationPeriods"]))
		of := n
		if text(p["DatapointsToAlarm"]) != "" {
			of, _ = strconv.Atoi(text(p["DatapointsToAlarm"]))
		}
		if err1 != nil || err2 != nil || period < 60 || period%60 != 0 || of < 1 || of > n || period*n > 3600 {
			say("is raised after %d of %d periods of %d s", of, n, period)
		}

		// Reconcile writes its gauges every minute: one alarm tells that they are
		// missing, the others stay as they are. All other metrics are missing when
		// nothing happens.
		const notified = `{"Fn::If":["HasAlarmTopic",[{"Ref":"AlarmTopic"}],[]]}`
		missing, actions := "notBreaching", map[string]string{"AlarmActions": notified, "OKActions": notified, "InsufficientDataActions": ""}
		switch {
		case silence:
			missing, actions["AlarmActions"] = "missing", ""
			actions["InsufficientDataActions"] = `{"Fn::If":["HasAlarmTopic",{"Fn::If":["Ticking",[{"Ref":"AlarmTopic"}],[]]},[]]}`
		case m.namespace == "MTSConnector" && m.quantity() == gauge:
			missing = "ignore"
		}
		if got := text(p["TreatMissingData"]); got != missing {
			say("treats missing data as %s", got)
		}
		for property, want := range actions {
			if got := text(p[property]); got != want {
				say("%s are %s", property, got)
			}
		}
		if !strings.HasSuffix(text(p["AlarmDescription"]), " See infra/runbook.md, "+name+".") {
			say("does not name its entry in infra/runbook.md: %s", text(p["AlarmDescription"]))
		}
	}

	wanted := []string{
		"AWS/SQS NumberOfMessagesSent QueueName ${FailureQueue.QueueName}",
		"AWS/Lambda Throttles",
		"AWS/Lambda Duration FunctionName ${Callback}",
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
		// The API answers an error of the others with 5xx.
		if r.Type == "AWS::Lambda::Function" && name != "Callback" && name != "Connectors" && name != "Console" {
			wanted = append(wanted, "AWS/Lambda Errors FunctionName ${"+name+"}")
		}
	}
	for _, m := range wanted {
		if !watched[m] {
			mistakes = append(mistakes, "no alarm watches "+m)
		}
	}
	for name, want := range map[string]string{
		"Ticking":       `{"Fn::Equals":[{"Ref":"ScheduleState"},"ENABLED"]}`,
		"HasAlarmTopic": `{"Fn::Not":[{"Fn::Equals":[{"Ref":"AlarmTopic"},""]}]}`,
	} {
		if got := text(s.Conditions[name]); got != want {
			mistakes = append(mistakes, fmt.Sprintf("the condition %s is %s", name, got))
		}
	}
	slices.Sort(mistakes)
	return mistakes
}

func TestAlarms(t *testing.T) {
	s := load(t)
	s.all(t, "AWS::CloudWatch::Alarm")
	for _, mistake := range alarmMistakes(s) {
		t.Error(mistake)
	}
}

// CloudWatch would accept each of these alarms without an error.
func TestMistakesInAlarmsAreFound(t *testing.T) {
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
		"unknown kind": func(alarm func(string) map[string]any, _ stack) {
			alarm("AnswersSetAside")["Dimensions"].([]any)[1].(map[string]any)["Value"] = "aside"
		},
		"kind left out": func(alarm func(string) map[string]any, _ stack) {
			alarm("AnswersSetAside")["Dimensions"] = alarm("BatchesLost")["Dimensions"]
		},
		"unknown function": func(alarm func(string) map[string]any, _ stack) {
			alarm("PatchFailing")["Dimensions"] = []any{map[string]any{"Name": "FunctionName", "Value": map[string]any{"Ref": "FailureQueue"}}}
		},
		"average of counts": func(alarm func(string) map[string]any, _ stack) { alarm("SubmitFailing")["Statistic"] = "Average" },
		"sum of a gauge":    func(alarm func(string) map[string]any, _ stack) { alarm("ConnectorsStalled")["Statistic"] = "Sum" },
		"missing data taken for good": func(alarm func(string) map[string]any, _ stack) {
			alarm("ConnectorsStalled")["TreatMissingData"] = "notBreaching"
		},
		"missing data taken for bad": func(alarm func(string) map[string]any, _ stack) {
			alarm("ReconcileSilent")["TreatMissingData"] = "breaching"
		},
		"nobody notified of silence": func(alarm func(string) map[string]any, _ stack) {
			delete(alarm("ReconcileSilent"), "InsufficientDataActions")
		},
		"missing data not treated": func(alarm func(string) map[string]any, _ stack) { delete(alarm("AnswersWaiting"), "TreatMissingData") },
		"missing data of an idle function": func(alarm func(string) map[string]any, _ stack) {
			alarm("CallbackSlow")["TreatMissingData"] = "breaching"
		},
		"threshold out of reach":    func(alarm func(string) map[string]any, _ stack) { alarm("FailureQueueFilled")["Threshold"] = 1 },
		"threshold always exceeded": func(alarm func(string) map[string]any, _ stack) { alarm("AnswersWaiting")["Threshold"] = 0 },
		"opposite comparison": func(alarm func(string) map[string]any, _ stack) {
			alarm("SignInsRefused")["ComparisonOperator"] = "LessThanThreshold"
		},
		"more data points than periods": func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["DatapointsToAlarm"] = 13 },
		"period of 90 s":                func(alarm func(string) map[string]any, _ stack) { alarm("BatchesLost")["Period"] = 90 },
		"nobody notified":               func(alarm func(string) map[string]any, _ stack) { delete(alarm("ServersUnreachable"), "AlarmActions") },
		"actions switched off": func(alarm func(string) map[string]any, _ stack) {
			alarm("ServersUnreachable")["ActionsEnabled"] = false
		},
		"no entry in the runbook": func(alarm func(string) map[string]any, _ stack) {
			alarm("BatchesLost")["AlarmDescription"] = "Batches are lost."
		},
		"alarm left out":  func(_ func(string) map[string]any, s stack) { delete(s.Resources, "FunctionsThrottled") },
		"wrong condition": func(_ func(string) map[string]any, s stack) { s.Conditions["Ticking"] = s.Conditions["HasAlarmTopic"] },
	} {
		s := copied(t, load(t))
		mutate(func(name string) map[string]any {
			if s.Resources[name].Type != "AWS::CloudWatch::Alarm" {
				t.Fatalf("there is no alarm %s", name)
			}
			return s.Resources[name].Properties
		}, s)
		if len(alarmMistakes(s)) == 0 {
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

// An alarm can notify standard topics only.
func TestAlarmTopic(t *testing.T) {
	parameter := load(t).Parameters["AlarmTopic"]
	if got, want := text(parameter["AllowedPattern"]), `^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$`; got != want {
		t.Errorf("AlarmTopic is %s, want %s", got, want)
	}
	if text(parameter["Default"]) != "" {
		t.Error("AlarmTopic has a default")
	}
}
