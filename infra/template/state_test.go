package template_test

import (
	"strings"
	"testing"
)

// The emulator ignores recovery, encryption and expiry.
func TestTables(t *testing.T) {
	s := load(t)
	type facts map[string]string
	want := map[string]facts{
		"ConnectorsTable": {
			"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": "true",
			"DeletionProtectionEnabled":                                   "true",
			"StreamSpecification":                                         "",
			// Of inquiries only: nothing else has the attribute.
			"TimeToLiveSpecification.AttributeName": "expires",
			"TimeToLiveSpecification.Enabled":       "true",
		},
		// What is deleted here cannot be recovered; the stream carries no rows.
		"AnswersTable": {
			"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": "false",
			"DeletionProtectionEnabled":                                   "",
			"StreamSpecification.StreamViewType":                          "KEYS_ONLY",
			"TimeToLiveSpecification.AttributeName":                       "expires",
			"TimeToLiveSpecification.Enabled":                             "true",
		},
	}
	deletion := map[string]string{"ConnectorsTable": "Retain", "AnswersTable": "Delete"}
	for _, table := range s.all(t, "AWS::DynamoDB::Table") {
		expected := want[table]
		if expected == nil {
			t.Errorf("the test does not know %s", table)
			continue
		}
		expected["BillingMode"] = "PAY_PER_REQUEST"
		expected["SSESpecification.SSEEnabled"] = "true"
		expected["SSESpecification.SSEType"] = "KMS"
		expected["SSESpecification.KMSMasterKeyId"] = "${TableKey.Arn}"
		for property, value := range expected {
			if got := s.get(table, strings.Split(property, ".")...); got != value {
				t.Errorf("%s: %s is %q, want %q", table, property, got, value)
			}
		}
		if r := s.Resources[table]; r.DeletionPolicy != deletion[table] || r.UpdateReplacePolicy != deletion[table] {
			t.Errorf("%s has the policies %s, %s; want %s", table, r.DeletionPolicy, r.UpdateReplacePolicy, deletion[table])
		}
	}
}

// A retained table cannot be read without its key.
func TestTheKeyOutlivesTheStack(t *testing.T) {
	s := load(t)
	for _, key := range s.all(t, "AWS::KMS::Key") {
		// A creation that fails does not leave one behind each time.
		if r := s.Resources[key]; r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s has the policies %s, %s", key, r.DeletionPolicy, r.UpdateReplacePolicy)
		}
		if s.get(key, "EnableKeyRotation") != "true" {
			t.Errorf("%s does not rotate", key)
		}
	}
}

func TestKeySecrets(t *testing.T) {
	s := load(t)
	want := map[string]string{"CapabilityKey": "capability", "RowKey": "rows", "FingerprintKey": "fingerprints", "SessionKey": "sessions"}
	for _, secret := range s.all(t, "AWS::SecretsManager::Secret") {
		if secret == clientOfConsole {
			continue
		}
		// Not under the prefix of the connectors' secrets, which other roles may read.
		if got := s.get(secret, "Name"); want[secret] == "" || got != "${AWS::StackName}/keys/"+want[secret] {
			t.Errorf("%s is named %s", secret, got)
		}
		if n := number(t, s.get(secret, "GenerateSecretString", "PasswordLength")); n < 64 {
			t.Errorf("%s has %d characters", secret, n)
		}
		if s.get(secret, "SecretString") != "" {
			t.Errorf("%s has its value in the template", secret)
		}
		delete(want, secret)
	}
	for secret := range want {
		t.Errorf("there is no %s", secret)
	}
}

// clientOfConsole is the one secret that is no key: the issuer has made it.
const clientOfConsole = "ConsoleClient"

// The client secret is told by a parameter that nobody can read back, and there is no
// secret without it. So a deployment without a console pays for no secret of it.
func TestClientSecretOfTheConsole(t *testing.T) {
	s := load(t)
	if got := s.get(clientOfConsole, "SecretString"); got != "${ConsoleClientSecret}" {
		t.Errorf("the value is %q", got)
	}
	for _, secret := range []string{clientOfConsole, "SessionKey"} {
		if got := s.Resources[secret].Condition; got != "HasConsoleClient" {
			t.Errorf("%s has the condition %q", secret, got)
		}
	}
	if got := text(s.Conditions["HasConsoleClient"]); got != `{"Fn::Not":[{"Fn::Equals":[{"Ref":"ConsoleClientSecret"},""]}]}` {
		t.Errorf("HasConsoleClient is %s", got)
	}
	if got := text(s.Parameters["ConsoleClientSecret"]["NoEcho"]); got != "true" {
		t.Errorf("NoEcho is %q", got)
	}
}

func TestFailureQueue(t *testing.T) {
	s := load(t)
	queues := s.all(t, "AWS::SQS::Queue")
	if len(queues) != 1 {
		t.Errorf("there are the queues %v, want one", queues)
	}
	if s.get("FailureQueue", "SqsManagedSseEnabled") != "true" {
		t.Error("the failure queue is not encrypted")
	}
	// The longest that SQS offers, so that somebody looks in time.
	if got := s.get("FailureQueue", "MessageRetentionPeriod"); got != "1209600" {
		t.Errorf("failed events are kept for %s s", got)
	}
	// Destinations of Lambda and the scheduler do not support FIFO queues.
	if s.get("FailureQueue", "FifoQueue") != "" {
		t.Error("the failure queue is a FIFO queue")
	}
}
