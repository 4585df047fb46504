package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// That no log line reports a missing right proves something only if rights are
// enforced and a missing one is logged. Here one is taken away.
func TestAMissingRightIsLogged(t *testing.T) {
	key := deploymentKey(t, "CapabilityKeySecret")
	capability := seeding.Capability(key, seeding.BatchRef{
		Registry: "r-unknown", Connector: "unknown", Run: "none", Batch: deniedBatch,
	}, 1, time.Now().Add(2*patience))
	unknownRow := fmt.Sprintf(`[%q,"processed","000000000000000000000000000000000001",null,null]`, seeding.Seal(key, deniedBatch, "1.1.AAAAAAAAAAAAAAAA"))
	deliver := func() int {
		return send(t, "POST", "/callback/"+deniedBatch, bulk([]string{unknownRow}), "Authorization: Bearer "+capability).Status
	}
	const policy = "e2e-nothing"
	role := roleOf(t, "callback")
	iam(t, "PutRolePolicy", url.Values{
		"RoleName": {role}, "PolicyName": {policy},
		"PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"dynamodb:*","Resource":"*"}]}`},
	})
	t.Cleanup(func() { // also after a failure, because no other test would work
		iam(t, "DeleteRolePolicy", url.Values{"RoleName": {role}, "PolicyName": {policy}})
		expect(t, "status with the right", deliver(), http.StatusOK)
	})
	// On a busy machine the line may be logged with a later invocation only.
	if !within(patience, func() bool {
		expect(t, "status without the right", deliver(), http.StatusInternalServerError)
		lines, err := stack.Log(t.Context(), "callback")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, deniedBatch) && denied.MatchString(line) })
	}) {
		t.Error("the log does not report the missing right")
	}
}

// The batch whose answer is denied on purpose, and a row that belongs to no batch.
const (
	deniedBatch = "00000000000000000000000000"
)

var denied = regexp.MustCompile(`AccessDeniedException|(?i)not authorized`)

// denials are the log lines about a right that a role lacks. (Lines about rights
// in a registry have other texts.)
func denials(lines []string) (found []string) {
	for _, line := range lines {
		if denied.MatchString(line) && !strings.Contains(line, deniedBatch) {
			found = append(found, line)
		}
	}
	return found
}

// everyFunctionRan checks that every function was invoked and had all its rights.
func everyFunctionRan(t *testing.T) {
	t.Helper()
	for _, function := range []string{"submit", "callback", "patch", "reconcile", "connectors"} {
		lines, err := stack.Log(t.Context(), function)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "REPORT ") }) {
			t.Errorf("%s was never invoked", function)
		}
		for _, line := range denials(lines) {
			t.Errorf("%s lacks a right: %s", function, line)
		}
	}
}

func roleOf(t *testing.T, function string) string {
	t.Helper()
	out, err := lambda.NewFromConfig(stack.AWS()).GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{
		FunctionName: aws.String(stack.Function(function)),
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := aws.ToString(out.Role)
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// iam makes a call with the rights of whoever deploys, whose signature the emulator
// does not check. So the tests need no client of one more service.
func iam(t *testing.T, action string, parameters url.Values) {
	t.Helper()
	parameters.Set("Action", action)
	parameters.Set("Version", "2010-05-08")
	request, err := http.NewRequest(http.MethodPost, aws.ToString(stack.AWS().BaseEndpoint), strings.NewReader(parameters.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization",
		"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none")
	response, err := web.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		var text bytes.Buffer
		_, _ = text.ReadFrom(response.Body)
		t.Fatalf("%s: %s %s", action, response.Status, text.String())
	}
}

// deploymentKey is a key of the deployment, by the output that names it. Only
// whoever deploys can read it, and the functions that need it.
func deploymentKey(t *testing.T, output string) seeding.Key {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(stack.AWS()).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(stack.Output(output)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return seeding.Key{ID: aws.ToString(out.VersionId), Secret: []byte(aws.ToString(out.SecretString))}
}
