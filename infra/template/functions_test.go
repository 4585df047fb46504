package template_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/function"
)

// The complete environment of each function. None gets the name of a key or a
// table that it does not use.
func TestEnvironment(t *testing.T) {
	s := load(t)
	const callbackBase = `{"Fn::If":["OwnCallbackBase",{"Fn::GetAtt":["Api","ApiEndpoint"]},{"Ref":"CallbackBase"}]}`
	want := map[string]map[string]string{
		"Submit": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"ALLOWED_RANGES": "${AllowedRanges}", "ALLOWED_HOSTS": "${AllowedHosts}", "CERTIFICATE_AUTHORITIES": "${CertificateAuthorities}", "TIMES": "${Times}",
			"CALLBACK_BASE": callbackBase, "STACK": "${AWS::StackName}",
		},
		"Callback": {"ANSWERS_TABLE": "${AnswersTable}", "CAPABILITY_KEY": "${CapabilityKey}", "TIMES": "${Times}"},
		"Patch": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"ALLOWED_RANGES": "${AllowedRanges}", "ALLOWED_HOSTS": "${AllowedHosts}", "CERTIFICATE_AUTHORITIES": "${CertificateAuthorities}", "TIMES": "${Times}", "STACK": "${AWS::StackName}",
		},
		"Reconcile": {
			"CONNECTORS_TABLE": "${ConnectorsTable}", "ANSWERS_TABLE": "${AnswersTable}",
			"ALLOWED_RANGES": "${AllowedRanges}", "ALLOWED_HOSTS": "${AllowedHosts}", "CERTIFICATE_AUTHORITIES": "${CertificateAuthorities}", "TIMES": "${Times}", "STACK": "${AWS::StackName}",
			"CALLBACK_BASE": callbackBase,
		},
		"Connectors": {
			"CONNECTORS_TABLE": "${ConnectorsTable}",
			"ALLOWED_RANGES":   "${AllowedRanges}", "ALLOWED_HOSTS": "${AllowedHosts}",
			"ROLES_CLAIM": "${RolesClaim}", "VIEWER_ROLE": "${ViewerRole}", "OPERATOR_ROLE": "${OperatorRole}", "ADMINISTRATOR_ROLE": "${AdministratorRole}",
			"STACK": "${AWS::StackName}", "ISSUER": "${Issuer}", "RUNBOOK": "${RunbookUrl}",
			"DASHBOARD": `{"Fn::If":["HasDashboard",{"Fn::Sub":"https://${AWS::Region}.console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/${AWS::StackName}"},""]}`,
		},
	}
	want["Console"] = map[string]string{
		"CONSOLE_BASE": `{"Fn::If":["OwnConsoleBase",{"Fn::GetAtt":["Api","ApiEndpoint"]},{"Ref":"ConsoleBase"}]}`, "ISSUER": "${Issuer}",
		"CLIENT_ID": "${ConsoleClientId}", "CLIENT_SECRET": `{"Fn::If":["HasConsoleClient",{"Ref":"ConsoleClient"},""]}`,
		"SCOPES": "${ConsoleScopes} ${Scope}", "SESSION_KEY": `{"Fn::If":["HasConsoleClient",{"Ref":"SessionKey"},""]}`, "LABEL": "${Label}",
	}
	functions := s.all(t, "AWS::Lambda::Function")
	if got := slices.Sorted(maps.Keys(want)); !slices.Equal(functions, got) {
		t.Errorf("there are the functions %v, want %v", functions, got)
	}
	named, err := template.Variables()
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range functions {
		variables, _ := at(s.Resources[function].Properties, "Environment", "Variables").(map[string]any)
		if got := named[function]; !slices.Equal(got, slices.Sorted(maps.Keys(variables))) {
			t.Errorf("%s is read to have the variables %v", function, got)
		}
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
	seconds := map[string]string{"Submit": "900", "Callback": "10", "Patch": "150", "Reconcile": "60", "Connectors": "29", "Console": "10"}
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

// What code makes of the name of the stack is what the template calls it.
func TestNamesFollowTheStack(t *testing.T) {
	s, stack := load(t), function.Stack("${AWS::StackName}")
	for resource, want := range map[string]string{
		"CapabilityKey": stack.CapabilityKey(), "RowKey": stack.RowKey(), "FingerprintKey": stack.FingerprintKey(),
	} {
		if got := s.get(resource, "Name"); got != want {
			t.Errorf("the secret %s is called %s, and looked for as %s", resource, got, want)
		}
	}
	for resource, want := range map[string]string{"Submit": stack.Submit(), "Patch": stack.Patch()} {
		if got := s.get(resource, "FunctionName"); got != want {
			t.Errorf("the function %s is called %s, and invoked as %s", resource, got, want)
		}
	}
	// Who may read or write secrets below a prefix may do so below the one that is used.
	for _, prefix := range []string{stack.ConnectorSecrets(), stack.InquirySecrets()} {
		for _, role := range []string{"SubmitRole", "ConnectorsRole"} {
			if !strings.Contains(s.get(role, "Policies"), ":secret:"+prefix+"*") {
				t.Errorf("%s has no right to %s*", role, prefix)
			}
		}
	}
}

// Lambda takes 4,096 bytes of variables per function, names included. Room is kept
// for variables to come, and for a switch that somebody sets in an emergency.
func TestEnvironmentFitsWhateverIsSet(t *testing.T) {
	s := load(t)
	const (
		limit     = 4096
		kept      = 500
		stackName = 53  // README
		reference = 140 // the ARN of a secret, the name of a table or function, the address of the API
	)
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		variables, _ := at(s.Resources[function].Properties, "Environment", "Variables").(map[string]any)
		size := 0
		for name, value := range variables {
			longest := reference
			if rest, ok := strings.CutPrefix(text(value), "${AWS::StackName}"); ok {
				longest = stackName + len(rest)
			}
			for parameter, p := range s.Parameters {
				if !strings.Contains(text(value), parameter) {
					continue
				}
				most, limited := p["MaxLength"]
				if !limited {
					t.Errorf("the parameter %s has no MaxLength", parameter)
					continue
				}
				longest = max(longest, number(t, text(most)))
			}
			size += len(name) + longest
		}
		if size > limit-kept {
			t.Errorf("%s may have %d bytes of variables, and keeps %d of %d free; it should keep %d", function, size, limit-size, limit, kept)
		}
	}
}

// The switch that lets a function call loopback, where Lambda's runtime interface
// listens, is not in what is deployed: infra/local adds it.
func TestNoParameterAdmitsLoopback(t *testing.T) {
	for _, function := range load(t).all(t, "AWS::Lambda::Function") {
		if v := at(load(t).Resources[function].Properties, "Environment", "Variables", "LOCAL_STACK"); v != nil {
			t.Errorf("%s has LOCAL_STACK=%v", function, v)
		}
	}
	pattern := regexp.MustCompile(load(t).Parameters["CertificateAuthorities"]["AllowedPattern"].(string))
	const one = "-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n"
	for text, fits := range map[string]bool{
		"": true, one: true, one + one: true, strings.ReplaceAll(one+one, "\n", " "): true, strings.ReplaceAll(one+one, "\n", `\n`): true,
		"MIIB": false, "/etc/ssl/root.pem": false, "-----BEGIN CERTIFICATE-----": false,
	} {
		if pattern.MatchString(text) != fits {
			t.Errorf("%q is accepted as certificate: %v", text, !fits)
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
