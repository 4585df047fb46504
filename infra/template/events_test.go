package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const failureQueue = "${FailureQueue.Arn}"

// Without a limit the emulator retries a failed batch for ever, AWS for a day.
func TestStreamMappings(t *testing.T) {
	s := load(t)
	for _, mapping := range s.all(t, "AWS::Lambda::EventSourceMapping") {
		p := s.Resources[mapping].Properties
		if got := text(at(p, "EventSourceArn")); got != "${AnswersTable.StreamArn}" {
			t.Errorf("%s reads %s", mapping, got)
		}
		if got := text(at(p, "FunctionName")); got != "${Patch}" {
			t.Errorf("%s invokes %s", mapping, got)
		}
		// LATEST can miss what is written while the mapping is created.
		if got := text(at(p, "StartingPosition")); got != "TRIM_HORIZON" {
			t.Errorf("%s starts at %s", mapping, got)
		}
		// Otherwise the deletions by patch would invoke patch.
		if got := text(at(p, "FilterCriteria", "Filters")); got != `[{"Pattern":"{\"eventName\":[\"INSERT\"]}"}]` {
			t.Errorf("%s has the filter %s", mapping, got)
		}
		if n := number(t, text(at(p, "MaximumRetryAttempts"))); n < 0 || n > 5 {
			t.Errorf("%s retries %d times", mapping, n)
		}
		if n := number(t, text(at(p, "MaximumRecordAgeInSeconds"))); n < 60 || n > 3600 {
			t.Errorf("%s keeps a record for %d s", mapping, n)
		}
		if n := number(t, text(at(p, "ParallelizationFactor"))); n < 2 {
			t.Errorf("%s has the parallelization factor %d: one registry delays the others", mapping, n)
		}
		if got := text(at(p, "BisectBatchOnFunctionError")); got != "true" {
			t.Errorf("%s does not split a batch that fails", mapping)
		}
		if got := text(at(p, "DestinationConfig", "OnFailure", "Destination")); got != failureQueue {
			t.Errorf("%s sends failures to %q", mapping, got)
		}
	}
}

func TestSchedules(t *testing.T) {
	s := load(t)
	targets := map[string]bool{}
	for _, schedule := range s.all(t, "AWS::Scheduler::Schedule") {
		p := s.Resources[schedule].Properties
		rate, input := "rate(1 minute)", `{"tick":true}`
		if schedule == "PatchAwake" {
			rate, input = "rate(1 day)", "{}"
		} else {
			targets[bare(text(at(p, "Target", "Arn")))] = true
		}
		for _, want := range []struct {
			path, value string
		}{
			{"ScheduleExpression", rate},
			{"State", "${ScheduleState}"},
			{"FlexibleTimeWindow.Mode", "OFF"},
			{"Target.RoleArn", "${TickRole.Arn}"},
			{"Target.Input", input},
			{"Target.DeadLetterConfig.Arn", failureQueue},
		} {
			if got := text(at(p, strings.Split(want.path, ".")...)); got != want.value {
				t.Errorf("%s: %s is %q, want %q", schedule, want.path, got, want.value)
			}
		}
		// A tick is useless once the next one is due.
		if n := number(t, text(at(p, "Target", "RetryPolicy", "MaximumRetryAttempts"))); n > 2 {
			t.Errorf("%s retries %d times", schedule, n)
		}
		if n := number(t, text(at(p, "Target", "RetryPolicy", "MaximumEventAgeInSeconds"))); n != 60 {
			t.Errorf("%s keeps a tick for %d s", schedule, n)
		}
	}
	if len(targets) != 2 || !targets["Submit"] || !targets["Reconcile"] {
		t.Errorf("the ticks invoke %v", targets)
	}
}

// Each function in subnets is invoked at least once a day, else Lambda puts it to
// sleep after two weeks, and refuses the next invocations:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
func TestFunctionsInSubnetsAreKeptAwake(t *testing.T) {
	s := load(t)
	invoked := map[string]bool{}
	for _, schedule := range s.all(t, "AWS::Scheduler::Schedule") {
		if only := s.Resources[schedule].Condition; only == "" || only == "InVpc" {
			invoked[bare(s.get(schedule, "Target", "Arn"))] = true
		}
	}
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		if s.get(function, "VpcConfig") != "" && !invoked[function] {
			t.Errorf("%s may be put to sleep", function)
		}
	}
	if got := text(s.Conditions["InVpc"]); got != `{"Fn::Not":[{"Fn::Equals":[{"Fn::Join":["",{"Ref":"SubnetIds"}]},""]}]}` {
		t.Errorf("the condition InVpc is %s", got)
	}
}

// What functions in subnets call of AWS needs an endpoint there, and stands in the
// README. What Lambda and DynamoDB call for them needs none.
func TestEndpointsOfSubnetsAreInTheReadme(t *testing.T) {
	s := load(t)
	inSubnets := map[string]bool{}
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		inSubnets[bare(s.get(function, "Role"))] = s.get(function, "VpcConfig") != ""
	}
	services := map[string]bool{}
	for _, r := range rights(t) {
		if inSubnets[r.Role] && !r.UsedByAWSOnly() {
			service, _, _ := strings.Cut(r.Action, ":")
			services[service] = true
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(services)), " "); got != "dynamodb lambda secretsmanager" {
		t.Errorf("functions in subnets call %s", got)
	}
	readme := document(t, "README.md")
	for _, endpoint := range []string{"| DynamoDB, gateway |", "| Secrets Manager, interface", "| Lambda, interface"} {
		if !strings.Contains(readme, endpoint) {
			t.Errorf("the README has no %s", endpoint)
		}
	}
}

// Without a configuration Lambda attempts an asynchronous event three times
// within six hours and then drops it.
func TestAsynchronousInvocations(t *testing.T) {
	s := load(t)
	configured := map[string]map[string]any{}
	for _, name := range s.all(t, "AWS::Lambda::EventInvokeConfig") {
		p := s.Resources[name].Properties
		if got := text(at(p, "Qualifier")); got != "$LATEST" {
			t.Errorf("%s is for %q", name, got)
		}
		configured[bare(text(at(p, "FunctionName")))] = p
	}
	invoked := map[string]bool{}
	mayFail := map[string]bool{}
	for _, r := range rights(t) {
		switch {
		case r.Action == "lambda:InvokeFunction" && strings.HasSuffix(r.Resource, "${AWS::StackName}-submit"):
			invoked["Submit"] = true
		case r.Action == "lambda:InvokeFunction":
			invoked[bare(r.Resource)] = true
		case r.Action == "sqs:SendMessage" && r.Resource == failureQueue:
			mayFail[r.Role] = true
		}
	}
	if len(invoked) != 3 {
		t.Errorf("invoked are %v, want Submit, Patch and Reconcile", invoked)
	}
	for function := range invoked {
		p := configured[function]
		if p == nil {
			t.Errorf("%s is invoked without an EventInvokeConfig", function)
			continue
		}
		if n := number(t, text(at(p, "MaximumRetryAttempts"))); n != 0 {
			t.Errorf("%s is retried %d times", function, n)
		}
		if n := number(t, text(at(p, "MaximumEventAgeInSeconds"))); n != 60 {
			t.Errorf("an event for %s is kept for %d s", function, n)
		}
		if got := text(at(p, "DestinationConfig", "OnFailure", "Destination")); got != failureQueue {
			t.Errorf("%s sends failures to %q", function, got)
		}
		// Lambda delivers the failure under the function's own role.
		if role := bare(s.get(function, "Role")); !mayFail[role] {
			t.Errorf("%s may not send to the failure queue", role)
		}
	}
	if !mayFail["TickRole"] {
		t.Error("TickRole may not send to the failure queue")
	}
}
