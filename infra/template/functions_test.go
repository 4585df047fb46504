package template_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The complete environment of each function. None gets the name of a key or a
// table that it does not use.
func TestEnvironment(t *testing.T) {
	s := load(t)
	const prefix = "${AWS::StackName}/connectors/"
	want := map[string]map[string]string{
		"Submit": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"CAPABILITY_KEY": "${CapabilityKey}", "ROW_KEY": "${RowKey}", "FINGERPRINT_KEY": "${FingerprintKey}",
			"SECRETS_PREFIX": prefix, "ALLOWED_RANGES": "${AllowedRanges}", "TIMES": "${Times}",
			"CALLBACK_BASE":   `{"Fn::If":["OwnCallbackBase",{"Fn::GetAtt":["Api","ApiEndpoint"]},{"Ref":"CallbackBase"}]}`,
			"SUBMIT_FUNCTION": "${AWS::StackName}-submit", "STACK": "${AWS::StackName}",
		},
		"Callback": {"ANSWERS_TABLE": "${AnswersTable}", "CAPABILITY_KEY": "${CapabilityKey}", "TIMES": "${Times}"},
		"Patch": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"ROW_KEY": "${RowKey}", "SECRETS_PREFIX": prefix,
			"ALLOWED_RANGES": "${AllowedRanges}", "TIMES": "${Times}", "STACK": "${AWS::StackName}",
		},
		"Reconcile": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"ALLOWED_RANGES": "${AllowedRanges}", "TIMES": "${Times}", "PATCH_FUNCTION": "${Patch}", "STACK": "${AWS::StackName}",
		},
		"Connectors": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "SECRETS_PREFIX": prefix, "SUBMIT_FUNCTION": "${Submit}",
		},
	}
	functions := s.all(t, "AWS::Lambda::Function")
	if got := slices.Sorted(maps.Keys(want)); !slices.Equal(functions, got) {
		t.Errorf("there are the functions %v, want %v", functions, got)
	}
	for _, function := range functions {
		variables, _ := at(s.Resources[function].Properties, "Environment", "Variables").(map[string]any)
		for name, value := range variables {
			if got := text(value); got != want[function][name] {
				t.Errorf("%s has %s=%s, want %q", function, name, got, want[function][name])
			}
		}
		for name := range want[function] {
			if _, ok := variables[name]; !ok {
				t.Errorf("%s has no %s", function, name)
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	s := load(t)
	seconds := map[string]string{"Submit": "900", "Callback": "10", "Patch": "150", "Reconcile": "50", "Connectors": "29"}
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		name := short(function)
		for property, want := range map[string]string{
			"FunctionName":  "${AWS::StackName}-" + name,
			"Runtime":       "provided.al2023",
			"Handler":       "bootstrap",
			"Architectures": `[{"Ref":"Architecture"}]`,
			"Timeout":       seconds[function],
		} {
			if got := s.get(function, property); got != want {
				t.Errorf("%s: %s is %s, want %s", function, property, got, want)
			}
		}
		if text(s.Resources[function].Metadata["BuildMethod"]) != "go1.x" ||
			text(at(s.Resources[function].Metadata, "BuildProperties", "TrimGoPath")) != "true" {
			t.Errorf("%s is not built by go1.x with trimmed paths", function)
		}

		// A function that calls MTS or the registry is in the subnets, if any are given.
		_, calls := at(s.Resources[function].Properties, "Environment", "Variables", "ALLOWED_RANGES").(map[string]any)
		inVpc := strings.HasPrefix(s.get(function, "VpcConfig"), `{"Fn::If":["InVpc",`)
		if calls = calls && function != "Connectors"; calls != inVpc { // connectors only checks addresses against the ranges
			t.Errorf("%s: calls out is %v, in the subnets is %v", function, calls, inVpc)
		}
	}
}

func TestLogsAreKeptForAsLongAsAsked(t *testing.T) {
	s := load(t)
	for _, group := range s.all(t, "AWS::Logs::LogGroup") {
		if got := s.get(group, "RetentionInDays"); got != "${RetentionDays}" {
			t.Errorf("%s is kept for %s days", group, got)
		}
	}
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		group := bare(s.get(function, "LoggingConfig", "LogGroup"))
		if got, want := s.get(group, "LogGroupName"), "/aws/lambda/"+s.get(function, "FunctionName"); got != want {
			t.Errorf("%s logs to %q, want %q", function, got, want)
		}
		if got := s.get(function, "LoggingConfig", "LogFormat"); got != "JSON" {
			t.Errorf("%s logs in the format %q", function, got)
		}
	}
}

// Only what the owner of a deployment must decide has no default.
func TestParametersWithoutDefault(t *testing.T) {
	var asked []string
	for name, parameter := range load(t).Parameters {
		if _, ok := parameter["Default"]; !ok {
			asked = append(asked, name)
		}
	}
	slices.Sort(asked)
	if got := strings.Join(asked, " "); got != "Audience Issuer" {
		t.Errorf("the parameters without default are %s", got)
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Errorf("%q is not a number", s)
	}
	return n
}
