package secrets

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// InquirySecrets keeps the secrets that came with the draft of an inquiry, as one
// secret named "<prefix><inquiry>" that is deleted when the inquiry ends. They are no
// versions of a connector's secret: a version cannot be deleted, only unlabelled.
type InquirySecrets struct {
	client Client
	prefix string
}

// Inquiries returns the secrets below a prefix such as "stack/inquiries/".
func Inquiries(client Client, prefix string) *InquirySecrets { return &InquirySecrets{client, prefix} }

// Keep stores values by the names of their fields.
func (s *InquirySecrets) Keep(ctx context.Context, inquiry string, values map[string]string) error {
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	_, err = s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(s.prefix + inquiry), SecretString: aws.String(string(text)),
		Description: aws.String("Secrets of a draft that is checked; deleted when the check ends"),
	})
	if err != nil {
		return failed("CreateSecret", err)
	}
	return nil
}

// Given implements inquire.Secrets.
func (s *InquirySecrets) Given(ctx context.Context, inquiry string) (map[string]string, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.prefix + inquiry)})
	if err != nil {
		return nil, failed("GetSecretValue", err)
	}
	var values map[string]string
	if json.Unmarshal(value(out), &values) != nil { // its error would quote them
		return nil, &Error{Operation: "GetSecretValue", Code: "not JSON", cause: seeding.ErrDamaged}
	}
	return values, nil
}

// Forget implements inquire.Secrets.
func (s *InquirySecrets) Forget(ctx context.Context, inquiry string) error {
	_, err := s.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(s.prefix + inquiry), ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err != nil && !codeIs(err, absent) {
		return failed("DeleteSecret", err)
	}
	return nil
}
