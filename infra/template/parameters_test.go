package template_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// allows reports whether CloudFormation takes a value for a parameter.
func allows(t *testing.T, s stack, parameter, value string) bool {
	t.Helper()
	pattern := text(s.Parameters[parameter]["AllowedPattern"])
	if pattern == "" {
		t.Fatalf("%s has no pattern", parameter)
	}
	// CloudFormation matches the whole value.
	return regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(value)
}

// Tokens and capabilities must not travel in clear text. The local stack is on
// loopback and has no certificate.
func TestAddressesOfADeploymentAreHTTPS(t *testing.T) {
	s := load(t)
	both := map[string]bool{
		"https://sso.example.org":                                          true,
		"https://sso.example.org:8443/auth/realms/openg2p":                 true,
		"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC9": true,
		"http://127.0.0.1:39131":                                           true,
		"http://localhost:8080/base":                                       true,
		"http://sso.example.org":                                           false,
		"http://10.20.0.9/auth":                                            false,
		"http://127.0.0.1.example.org":                                     false,
		"http://localhost@sso.example.org":                                 false,
		"http://localhost.example.org/":                                    false,
		"HTTP://sso.example.org":                                           false,
		"ftp://sso.example.org":                                            false,
		"sso.example.org":                                                  false,
		"https://":                                                         false,
		"https:///realms":                                                  false,
		"https://user:secret@sso.example.org":                              false,
		"https://sso.example.org?realm=openg2p":                            false,
		"https://sso.example.org/#realm":                                   false,
		"https://sso.example.org/ realms":                                  false,
		"https://sso.example.org\nhttp://x":                                false,
		"https://sso.\u0130nstitute.example.org":                           false,
		`https://sso.example.org/"},{"level":"x`:                           false,
		"https://sso.example.org:port":                                     false,
		"https://sso.example.org\\@evil.example":                           false,
		" https://sso.example.org":                                         false,
		"https://sso.example.org/realms/a b":                               false,
		"javascript:https://sso.example.org":                               false,
		"http://127.0.0.1:39131@evil.example.org/":                         false,
	}
	for _, parameter := range []string{"Issuer", "CallbackBase", "ConsoleBase"} {
		for address, want := range both {
			if got := allows(t, s, parameter, address); got != want {
				t.Errorf("%s=%q is allowed: %v", parameter, address, got)
			}
		}
	}
	// An issuer is compared with the claim iss as it is, some end with a slash; paths
	// are appended to the base of callbacks.
	for parameter, want := range map[string]bool{"Issuer": true, "CallbackBase": false, "ConsoleBase": false} {
		if got := allows(t, s, parameter, "https://tenant.example.org/"); got != want {
			t.Errorf("%s may end with a slash: %v", parameter, got)
		}
	}
	if !allows(t, s, "CallbackBase", "") || !allows(t, s, "ConsoleBase", "") || allows(t, s, "Issuer", "") {
		t.Error("CallbackBase and ConsoleBase must be allowed to be empty, Issuer must not")
	}
}

// Names of roles and of their claim are such as issuers have; a name that can be in no
// token would shut everybody out.
func TestRolesCanBeNamedAsIssuersDo(t *testing.T) {
	s := load(t)
	for value, want := range map[string]bool{
		"realm_access.roles": true, "resource_access.mts-connector.roles": true, "cognito:groups": true, "https://example.org/roles": true,
		"roles": true, "": false, "a b": false, `a"b`: false, `a\\b`: false, "rôles": false,
	} {
		if got := allows(t, s, "RolesClaim", value); got != want {
			t.Errorf("RolesClaim=%q is allowed: %v", value, got)
		}
	}
	for parameter, otherwise := range map[string]string{"ViewerRole": "viewer", "OperatorRole": "operator", "AdministratorRole": "administrator"} {
		if got := text(s.Parameters[parameter]["Default"]); got != otherwise {
			t.Errorf("%s is %q", parameter, got)
		}
		for value, want := range map[string]bool{
			"viewer": true, "mts-viewer": true, "/openg2p/mts:viewer": true, "ROLE_VIEWER": true, "mts.viewer@example.org": true,
			"": false, "a b": false, "a,b": false, `"a"`: false, "seguimiento\u00f3": false,
		} {
			if got := allows(t, s, parameter, value); got != want {
				t.Errorf("%s=%q is allowed: %v", parameter, value, got)
			}
		}
	}
	for value, want := range map[string]bool{"": true, "https://wiki.example.org/mts/runbook.md#start": true, "http://wiki.example.org": false, "javascript:alert(1)": false, `https://a"b`: false, "https://a<b": false} {
		if got := allows(t, s, "RunbookUrl", value); got != want {
			t.Errorf("RunbookUrl=%q is allowed: %v", value, got)
		}
	}
}

// Without a scope every access token of the issuer for the audience opens the API.
func TestAScopeCanBeAskedFor(t *testing.T) {
	s := load(t)
	if text(s.Parameters["Scope"]["Default"]) != "" {
		t.Error("Scope has a default")
	}
	for scope, want := range map[string]bool{
		"": true, "mts-connector": true, "https://api.example.org/connectors.write": true,
		"two scopes": false, `quo"ted`: false, `back\slash`: false, "line\nbreak": false, strings.Repeat("x", 65): false,
	} {
		if got := allows(t, s, "Scope", scope); got != want {
			t.Errorf("%q is allowed: %v", scope, got)
		}
	}
	if got := text(s.Conditions["HasScope"]); got != `{"Fn::Not":[{"Fn::Equals":[{"Ref":"Scope"},""]}]}` {
		t.Errorf("the condition HasScope is %s", got)
	}
	for _, route := range s.all(t, "AWS::ApiGatewayV2::Route") {
		want := `{"Fn::If":["HasScope",[{"Ref":"Scope"}],{"Ref":"AWS::NoValue"}]}`
		if s.get(route, "AuthorizationType") == "NONE" {
			want = ""
		}
		if got := s.get(route, "AuthorizationScopes"); got != want {
			t.Errorf("%s asks for the scopes %s, want %s", route, got, want)
		}
	}
}

// What an issuer calls its clients and scopes, and what people call a deployment.
func TestParametersOfTheConsole(t *testing.T) {
	s := load(t)
	for parameter, values := range map[string]map[string]bool{
		"ConsoleClientId":     {"mts-console": true, "0oa1b2c3": true, "https://api.example.org/console": true, "": false, "a b": false, "a\n": false},
		"ConsoleClientSecret": {"": true, "Zm9v+/=x": true, "with space and \"quotes\"": true, "short": false, "line\nbreak-----": false, "s\u00e9cret-s\u00e9cret": false},
		"ConsoleScopes":       {"": true, "profile": true, "profile offline_access": true, " profile": false, "profile  email": false, "a\"b": false},
		"Label":               {"": true, "TEST": true, "Training (Cebu)": true, "\u0627\u062e\u062a\u0628\u0627\u0631": true, "a\nb": false, strings.Repeat("x", 41): false},
	} {
		for value, want := range values {
			if got := allows(t, s, parameter, value); got != want {
				t.Errorf("%s=%q is allowed: %v", parameter, value, got)
			}
		}
	}
	const base = `{"Fn::If":["OwnConsoleBase",{"Fn::GetAtt":["Api","ApiEndpoint"]},{"Ref":"ConsoleBase"}]}`
	for output, path := range map[string]string{"ConsoleAddress": "/console", "ConsoleRedirect": "/console/session/callback", "ConsoleSignedOut": "/console/session/signed-out"} {
		if got, want := text(s.Outputs[output]["Value"]), `{"Fn::Join":["",[`+base+`,"`+path+`"]]}`; got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
	if got := text(s.Conditions["OwnConsoleBase"]); got != `{"Fn::Equals":[{"Ref":"ConsoleBase"},""]}` {
		t.Errorf("OwnConsoleBase is %s", got)
	}
}

// longestStackName is what the README says.
const longestStackName = 53

// No rule of a template can see the name of its stack: a name that is too long
// would end the creation in the middle.
func TestNamesOfALongStackFit(t *testing.T) {
	s := load(t)
	limits := map[string]int{
		"AWS::Lambda::Function FunctionName":       64,
		"AWS::Logs::LogGroup LogGroupName":         512,
		"AWS::SecretsManager::Secret Name":         512,
		"AWS::CloudWatch::Dashboard DashboardName": 255,
		"AWS::ApiGatewayV2::Api Name":              128,
		"AWS::ApiGatewayV2::Authorizer Name":       128,
		"AWS::KMS::Key Description":                8192,
	}
	at, tooLong := 0, ""
	for name, r := range s.Resources {
		for property, value := range r.Properties {
			derived := text(value)
			isName := strings.HasSuffix(property, "Name") && property != "FunctionName" || property == "FunctionName" && r.Type == "AWS::Lambda::Function"
			if !strings.Contains(derived, "${AWS::StackName}") || strings.HasPrefix(derived, "{") || strings.HasPrefix(derived, "[") || !isName && property != "Description" {
				continue
			}
			limit, known := limits[r.Type+" "+property]
			if !known {
				t.Errorf("the limit of %s of %s is not known to the test", property, name)
				continue
			}
			if length := len(strings.ReplaceAll(derived, "${AWS::StackName}", strings.Repeat("x", longestStackName))); length > limit {
				t.Errorf("%s of %s has %d characters, more than %d", property, name, length, limit)
			}
			if len(strings.ReplaceAll(derived, "${AWS::StackName}", strings.Repeat("x", longestStackName+1))) > limit {
				at, tooLong = longestStackName+1, name
			}
		}
	}
	if tooLong == "" {
		t.Error("a longer name would do: say so in the README")
	}
	if readme := document(t, "README.md"); !strings.Contains(readme, "at most 53 characters") {
		t.Errorf("the README does not say that a stack with %d characters fails at %s", at, tooLong)
	}
}

// Of each retained resource: an attempt to create the stack that fails at the
// issuer must not leave it behind.
func TestWhatIsRetainedIsCreatedAfterTheAuthorizer(t *testing.T) {
	s := load(t)
	retained := 0
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if !strings.HasPrefix(s.Resources[name].DeletionPolicy, "Retain") {
			continue
		}
		retained++
		if !s.after(name, "ApiAuthorizer", map[string]bool{}) {
			t.Errorf("%s is retained, and may be created before the authorizer", name)
		}
		if s.after("ApiAuthorizer", name, map[string]bool{}) {
			t.Errorf("the authorizer waits for %s", name)
		}
	}
	if retained < 2 {
		t.Errorf("%d resources are retained, want the table and its key", retained)
	}
}

// after reports whether CloudFormation creates a resource after another one: it
// depends on it, or refers to it, directly or through others.
func (s stack) after(name, other string, seen map[string]bool) bool {
	if seen[name] {
		return false
	}
	seen[name] = true
	r := s.Resources[name]
	before := texts(r.DependsOn)
	references(r.Properties, func(referred string) { before = append(before, referred) })
	return slices.Contains(before, other) || slices.ContainsFunc(before, func(b string) bool { return s.after(b, other, seen) })
}

var substituted = regexp.MustCompile(`\$\{(\w+)[.}]`)

// references calls found for each name that a value refers to.
func references(value any, found func(string)) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			references(one, found)
		}
	case map[string]any:
		for name, one := range v {
			switch name {
			case "Ref":
				found(text(one))
			case "Fn::GetAtt":
				found(strings.Split(texts(one)[0], ".")[0])
			case "Fn::Sub":
				for _, match := range substituted.FindAllStringSubmatch(texts(one)[0], -1) {
					found(match[1])
				}
				references(one, found)
			default:
				references(one, found)
			}
		}
	}
}

// A value that the functions cannot read would end each of them at its start: the
// deployment must refuse it. What they can read is deployed.
func TestMistypedParametersAreNotDeployed(t *testing.T) {
	s := load(t)
	for parameter, c := range map[string]struct {
		parse        func(string) error
		right, wrong []string
	}{
		"AllowedRanges": {
			func(text string) error { _, err := outgoing.ParseRanges(text); return err },
			[]string{
				"", "10.20.0.0/16", "10.20.0.0/16,10.30.0.0/16", "10.20.0.0/16, 0.0.0.0/0", "10.20.0.9", "192.168.0.0/32", "255.255.255.255/8",
				"fd00::/8", "::/0", "fd12:3456:789a::1", "FD00::/128", "1:2:3:4:5:6:7:8/64", "fd00::1:2/127", "10.0.0.0/8,fd00::/100", "64:ff9b::/96", "1::3:4:5:6:7:8",
			},
			[]string{
				"10.20.0.0/33", "dead", "10.20.0.0/16 10.30.0.0/16", "fd00::/129", "10.20.0.0/", "10.20.0/16", "10.20.0.256/24", "10.20.0.0/016", "010.20.0.0/16",
				"fd00:/8", "fd00::1::2/64", "1:2:3:4:5:6:7:8:9", "1:2:3/48", "12345::/16", "10.0.0.0/8;11.0.0.0/8", "10.0.0.0-10.0.0.9", "/16", "mts.example.org", "10.20.0.0/16/8",
				"fe80::1%eth0", "10.20.0.0:8080", "1.2.3.4.5", ":", ":::",
			},
		},
		"AllowedHosts": {
			func(text string) error { _, err := outgoing.ParseHosts(text); return err },
			[]string{"", "mts.example.org", "MTS.Example.org,*.registry.example.org", "mts.example.org, o-1.example.org", "mts", "my_mts.local", "10.20.0.9", "fd12::a", "[fd12::a]", "xn--bcher-kva.example"},
			[]string{
				"mts.example.org:8443", "*", "*.", "*.example.org:443", "mts.example.org.", "https://mts.example.org", "mts.example.org/x", "*example.org", "a.*.org", ".example.org",
				"a..b", "-a.example.org", "a-.example.org", "mts.example.org o.example.org", "dead:8443", "[mts.example.org]", "1:2:3", "b\u00fccher.example", "mts.example.org;o.example.org", "fe80::1%eth0",
			},
		},
		"Times": {
			func(text string) error { _, err := seeding.ParseTimes(text); return err },
			[]string{"", "page_limit=5s", "turn=1m30s", "poll=150ms,commit_grace=240s", "post_base=1.5s", "answer_life=336h"},
			[]string{
				"page_limt=5s", "turn=5", "turn=", "turn", "turn=0s", "turn=-5s", "turn=5 s", "turn=five", "turn=5d", "turn=5s;poll=1s", "Turn=5s", "turn=5s poll=1s", "=5s",
				"turn=99999999999h",
			},
		},
	} {
		for _, value := range c.right {
			if err := c.parse(value); err != nil || !allows(t, s, parameter, value) {
				t.Errorf("%s=%q: the functions say %v, deployed: %v", parameter, value, err, allows(t, s, parameter, value))
			}
		}
		for _, value := range c.wrong {
			if err := c.parse(value); err == nil || allows(t, s, parameter, value) {
				t.Errorf("%s=%q: the functions say %v, deployed: %v", parameter, value, err, allows(t, s, parameter, value))
			}
		}
		if text(s.Parameters[parameter]["ConstraintDescription"]) == "" {
			t.Errorf("nothing says what %s must be", parameter)
		}
	}
}

// A waiting time that the functions know can be set.
func TestEachWaitingTimeCanBeDeployed(t *testing.T) {
	s := load(t)
	words := regexp.MustCompile(`[a-z]+(?:_[a-z]+)*`).FindAllString(text(s.Parameters["Times"]["AllowedPattern"]), -1)
	known := 0
	for _, name := range words {
		if _, err := seeding.ParseTimes(name + "=1s"); err == nil && allows(t, s, "Times", name+"=1s") {
			known++
		}
	}
	if want := reflect.TypeFor[seeding.Times]().NumField(); known != want {
		t.Errorf("%d waiting times can be set, of %d", known, want)
	}
}
