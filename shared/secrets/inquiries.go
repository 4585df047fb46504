package secrets

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// InquirySecrets keeps what an inquiry needs that must not be in a table, each as a
// secret of its own that is deleted with it:
//
//	<prefix><inquiry>/given  the secrets that came with a draft
//	<prefix><inquiry>/key    the key that seals a preview
//
// Given ones are no versions of a connector's secret: a version cannot be deleted, only
// unlabelled. And a key that is deleted makes its preview unreadable in every backup of
// the table, too.
type InquirySecrets struct {
	client Client
	prefix string
}

// Inquiries returns the secrets below a prefix such as "stack/inquiries/".
func Inquiries(client Client, prefix string) *InquirySecrets { return &InquirySecrets{client, prefix} }

const (
	given = "/given"
	key   = "/key"
)

// KeepGiven stores values by the names of their fields.
func (s *InquirySecrets) KeepGiven(ctx context.Context, inquiry string, values map[string]string) error {
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return s.create(ctx, inquiry+given, string(text), "Secrets of a draft that is looked at; deleted when that is done")
}

// MakeKey makes the key of a preview.
func (s *InquirySecrets) MakeKey(ctx context.Context, inquiry string) error {
	return s.create(ctx, inquiry+key, rand.Text()+rand.Text(), "Key of a preview; deleted when it is fetched")
}

func (s *InquirySecrets) create(ctx context.Context, name, value, description string) error {
	_, err := s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(s.prefix + name), SecretString: &value, Description: &description,
	})
	if err != nil && !codeIs(err, exists) { // its first reply was lost: nobody else has this name
		return failed("CreateSecret", err)
	}
	return nil
}

// Given implements inquire.Secrets.
func (s *InquirySecrets) Given(ctx context.Context, inquiry string) (map[string]string, error) {
	text, err := s.get(ctx, inquiry+given)
	if err != nil {
		return nil, err
	}
	var values map[string]string
	if json.Unmarshal(text, &values) != nil { // its error would quote them
		return nil, &Error{Operation: "GetSecretValue", Code: "not JSON", cause: seeding.ErrDamaged}
	}
	return values, nil
}

// Key implements inquire.Secrets.
func (s *InquirySecrets) Key(ctx context.Context, inquiry string) (seeding.Key, error) {
	secret, err := s.get(ctx, inquiry+key)
	if err == nil && len(secret) < shortestKey {
		err = &Error{Operation: "GetSecretValue", Code: "too short", cause: seeding.ErrDamaged}
	}
	return seeding.Key{ID: inquiry, Secret: secret}, err
}

func (s *InquirySecrets) get(ctx context.Context, name string) ([]byte, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.prefix + name)})
	if err != nil {
		return nil, failed("GetSecretValue", err)
	}
	return value(out), nil
}

// ForgetGiven implements inquire.Secrets.
func (s *InquirySecrets) ForgetGiven(ctx context.Context, inquiry string) error {
	return remove(ctx, s.client, s.prefix+inquiry+given)
}

// ForgetKey implements inquire.Secrets.
func (s *InquirySecrets) ForgetKey(ctx context.Context, inquiry string) error {
	return remove(ctx, s.client, s.prefix+inquiry+key)
}
