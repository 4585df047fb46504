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
	want := map[string]string{"CapabilityKey": "capability", "RowKey": "rows", "FingerprintKey": "fingerprints"}
	for _, secret := range s.all(t, "AWS::SecretsManager::Secret") {
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
