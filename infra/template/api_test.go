package template_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
)

// Public are the callback, which answers what no other route takes, the document of the
// API, and the console, which has no data but the session of who signs in. The emulator lets the API call a function
// without permission, AWS does not.
func TestRoutes(t *testing.T) {
	s := load(t)
	want := map[string]string{
		"POST /callback/{batch}":   "Callback NONE",
		"ANY /connectors":          "Connectors JWT",
		"ANY /connectors/{proxy+}": "Connectors JWT",
		"ANY /checks":              "Connectors JWT",
		"ANY /checks/{proxy+}":     "Connectors JWT",
		"ANY /previews":            "Connectors JWT",
		"ANY /previews/{proxy+}":   "Connectors JWT",
		"ANY /me":                  "Connectors JWT",
		"GET /openapi.json":        "Connectors NONE",
		"GET /console":             "Console NONE",
		"ANY /console/{proxy+}":    "Console NONE",
		"$default":                 "Callback NONE",
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

// Every operation of the API's document is below a route that leads to the function
// that serves it, and that asks for a token unless the document says that it is public.
func TestEveryOperationOfTheDocumentHasARoute(t *testing.T) {
	s := load(t)
	text, err := os.ReadFile("../../shared/api/connectors/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := openapitest.New(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, operation := range contract.Operations() {
		best, key := "", ""
		for _, route := range s.all(t, "AWS::ApiGatewayV2::Route") {
			if k := s.get(route, "RouteKey"); taken(k, operation) && len(k) > len(key) {
				best, key = route, k
			}
		}
		if best == "" {
			t.Errorf("no route takes %s", operation)
			continue
		}
		function := bare(s.get(bare(strings.TrimPrefix(s.get(best, "Target"), "integrations/")), "IntegrationUri"))
		if want := contract.Function(operation); !strings.EqualFold(function, want) {
			t.Errorf("%s leads to %s, want %s", operation, function, want)
		}
		want := "JWT"
		if contract.Public(operation) {
			want = "NONE"
		}
		if got := s.get(best, "AuthorizationType"); got != want {
			t.Errorf("%s is behind %s, want %s", operation, got, want)
		}
	}
}

// taken reports whether a route takes an operation.
func taken(route, operation string) bool {
	method, path, _ := strings.Cut(route, " ")
	asked, at, _ := strings.Cut(operation, " ")
	if method != "ANY" && method != asked {
		return false
	}
	before, proxy := strings.CutSuffix(path, "{proxy+}")
	return path == at || proxy && strings.HasPrefix(at, before) && at != before
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

// The limits of the public routes are their own: neither forged callbacks nor
// calls to paths that do not exist throttle users of the API, and the latter do
// not throttle MTS. A stage cannot have settings of a route that is made later.
func TestPublicRoutesAreThrottledApart(t *testing.T) {
	s := load(t)
	for _, stage := range s.all(t, "AWS::ApiGatewayV2::Stage") {
		var after []string
		raw, _ := s.Resources[stage].DependsOn.([]any)
		for _, name := range raw {
			after = append(after, fmt.Sprint(name))
		}
		rates := map[string]int{"": number(t, s.get(stage, "DefaultRouteSettings", "ThrottlingRateLimit"))}
		for _, route := range s.all(t, "AWS::ApiGatewayV2::Route") {
			if s.get(route, "AuthorizationType") != "NONE" {
				continue
			}
			key := s.get(route, "RouteKey")
			rates[key] = number(t, s.get(stage, "RouteSettings", key, "ThrottlingRateLimit"))
			if burst := number(t, s.get(stage, "RouteSettings", key, "ThrottlingBurstLimit")); rates[key] <= 0 || burst < rates[key] {
				t.Errorf("%s: rate %d, burst %d", key, rates[key], burst)
			}
			if !slices.Contains(after, route) {
				t.Errorf("%s does not wait for %s", stage, route)
			}
		}
		if rates["POST /callback/{batch}"] <= rates[""] || rates["$default"] >= rates[""] || rates["GET /openapi.json"] >= rates[""] ||
			rates["GET /console"] >= rates[""] || rates["ANY /console/{proxy+}"] >= rates[""] {
			t.Errorf("%v", rates)
		}
	}
}

// Without the parameter nothing is reserved: an account may have too few.
func TestCallbackConcurrencyIsReservedOnRequest(t *testing.T) {
	s := load(t)
	want := `{"Fn::If":["ReservesCallback",{"Ref":"CallbackConcurrency"},{"Ref":"AWS::NoValue"}]}`
	if got := s.get("Callback", "ReservedConcurrentExecutions"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(s.Parameters["CallbackConcurrency"]["Default"]); got != "0" {
		t.Errorf("default %s", got)
	}
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
	}
}

// ofAWS are the variables of an access log whose values AWS makes itself, so that
// no client can write into the line. All others may hold a quote: API Gateway puts
// values in as they are ($context.error.messageString brings quotes of its own, on
// lines with an error only). What they may be is documented, with the variables:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
var ofAWS = []string{
	"$context.error.responseType", "$context.httpMethod", "$context.identity.sourceIp", "$context.integration.requestId",
	"$context.integrationStatus", "$context.requestId", "$context.requestTime", "$context.responseLatency",
	"$context.responseLength", "$context.routeKey", "$context.status",
}

// hostile are values that clients choose, or that texts of AWS may be.
var hostile = []string{
	`"x"`, `\`, "a\nb", `","status":"200`, `"},{"a":"b`, `Mozilla "5"`, `/connectors/"/..`, `"The issuer's \"kid\" is unknown"`,
}

// substitutedLine is a line of the access log with values for its variables; those that
// a client may choose have the given value.
func substitutedLine(format, client string) string {
	return regexp.MustCompile(`\$context(\.\w+)+`).ReplaceAllStringFunc(format, func(variable string) string {
		if !slices.Contains(ofAWS, variable) {
			return client
		}
		switch variable {
		case "$context.requestTime":
			return "28/Nov/2026:09:00:00 +0000"
		case "$context.routeKey":
			return "ANY /connectors/{proxy+}"
		}
		return "-"
	})
}

// Access tokens and capabilities are in headers, claims name people, and a client
// chooses its path and User-Agent.
func TestAccessLogStaysJSONWhateverAClientSends(t *testing.T) {
	s := load(t)
	for _, stage := range s.all(t, "AWS::ApiGatewayV2::Stage") {
		format := s.get(stage, "AccessLogSettings", "Format")
		if len(format) > 3*1024 || strings.Contains(format, "\n") {
			t.Errorf("%s: the format has %d bytes, or several lines", stage, len(format))
		}
		for _, value := range hostile {
			var fields map[string]string
			line := substitutedLine(format, value)
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Errorf("%s: %v: %s", stage, err, line)
			}
		}
		var fields map[string]string
		if err := json.Unmarshal([]byte(format), &fields); err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		for name, value := range fields {
			if !slices.Contains(ofAWS, value) {
				t.Errorf("%s logs %s=%s, which a client may choose", stage, name, value)
			}
		}
		// The lines of the function have both.
		if fields["request"] != "$context.requestId" || fields["invocation"] != "$context.integration.requestId" {
			t.Errorf("%s does not log the ids of request and invocation", stage)
		}
	}
}
