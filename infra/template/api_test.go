package template_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
)

// Only the callback is public. The emulator lets the API call a function
// without permission, AWS does not.
func TestRoutes(t *testing.T) {
	s := load(t)
	want := map[string]string{
		"POST /callback/{batch}":   "Callback NONE",
		"ANY /connectors":          "Connectors JWT",
		"ANY /connectors/{proxy+}": "Connectors JWT",
	}
	for _, route := range s.all(t, "AWS::ApiGatewayV2::Route") {
		key := s.get(route, "RouteKey")
		integration := bare(strings.TrimPrefix(s.get(route, "Target"), "integrations/"))
		function := bare(s.get(integration, "IntegrationUri"))
		if got := function + " " + s.get(route, "AuthorizationType"); got != want[key] {
			t.Errorf("%s: %s, want %q", key, got, want[key])
		}
		delete(want, key)
		authorizer := s.get(route, "AuthorizerId")
		if public := s.get(route, "AuthorizationType") == "NONE"; public != (authorizer == "") {
			t.Errorf("%s has the authorizer %q", key, authorizer)
		}
		if s.get(integration, "IntegrationType") != "AWS_PROXY" || s.get(integration, "PayloadFormatVersion") != "2.0" {
			t.Errorf("%s is not passed on in the payload format 2.0", key)
		}
		// The function ends before the API stops waiting for it.
		if limit, own := number(t, s.get(integration, "TimeoutInMillis")), number(t, s.get(function, "Timeout"))*1000; own >= limit || limit > 30000 {
			t.Errorf("%s: the API waits for %d ms, %s works for up to %d ms", key, limit, function, own)
		}
		if !permitted(t, s, function, key) {
			t.Errorf("the API may not call %s for %s", function, key)
		}
	}
	for key := range want {
		t.Errorf("there is no route %s", key)
	}
}

// permitted reports whether a permission lets the API call function for a route.
// It matches as Lambda does: the source of the call has the text of the route as
// its path, and "*" matches anything, including slashes.
func permitted(t *testing.T, s stack, function, route string) bool {
	t.Helper()
	method, rest, _ := strings.Cut(route, " ")
	if method == "ANY" {
		method = "*"
	}
	call := "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/$default/" + method + rest
	slashless := func(s string) string { return strings.ReplaceAll(s, "/", "|") }
	for _, permission := range s.all(t, "AWS::Lambda::Permission") {
		p := s.Resources[permission].Properties
		source := text(at(p, "SourceArn"))
		if source == "" {
			t.Errorf("%s has no SourceArn: any API of any account may call", permission)
			continue
		}
		matches, err := path.Match(slashless(source), slashless(call))
		if err != nil {
			t.Errorf("%s: %v", permission, err)
		}
		if matches && bare(text(at(p, "FunctionName"))) == function &&
			text(at(p, "Principal")) == "apigateway.amazonaws.com" && text(at(p, "Action")) == "lambda:InvokeFunction" {
			return true
		}
	}
	return false
}

func TestAuthorizer(t *testing.T) {
	s := load(t)
	for _, authorizer := range s.all(t, "AWS::ApiGatewayV2::Authorizer") {
		for property, want := range map[string]string{
			"AuthorizerType":   "JWT",
			"IdentitySource":   `["$request.header.Authorization"]`,
			"JwtConfiguration": `{"Audience":[{"Ref":"Audience"}],"Issuer":{"Ref":"Issuer"}}`,
		} {
			if got := s.get(authorizer, property); got != want {
				t.Errorf("%s: %s is %s, want %s", authorizer, property, got, want)
			}
		}
	}
}

func TestStage(t *testing.T) {
	s := load(t)
	for _, stage := range s.all(t, "AWS::ApiGatewayV2::Stage") {
		if s.get(stage, "StageName") != "$default" || s.get(stage, "AutoDeploy") != "true" {
			t.Errorf("%s is not deployed automatically under $default", stage)
		}
		for _, limit := range []string{"ThrottlingBurstLimit", "ThrottlingRateLimit"} {
			if n := number(t, s.get(stage, "DefaultRouteSettings", limit)); n <= 0 {
				t.Errorf("%s: %s is %d", stage, limit, n)
			}
		}
		if group := bare(s.get(stage, "AccessLogSettings", "DestinationArn")); s.Resources[group].Type != "AWS::Logs::LogGroup" {
			t.Errorf("%s logs to %q", stage, group)
		}
		// Access tokens and capabilities are in headers, and claims name people.
		format := s.get(stage, "AccessLogSettings", "Format")
		var fields map[string]string
		if err := json.Unmarshal([]byte(format), &fields); err != nil {
			t.Errorf("%s: a line of the access log is not JSON: %v", stage, err)
		}
		for name, value := range fields {
			switch {
			case !strings.HasPrefix(value, "$context."):
				t.Errorf("%s logs %s=%s", stage, name, value)
			case strings.HasPrefix(value, "$context.authorizer.") && value != "$context.authorizer.error":
				t.Errorf("%s logs the claim %s", stage, value)
			}
		}
	}
}
