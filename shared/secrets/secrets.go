// Package secrets keeps two kinds of secrets in AWS Secrets Manager: the keys
// of the deployment, and the passwords that users give their connectors.
//
// Writing connector secrets needs no right to read them.
package secrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"openg2p.org/mts-connector/shared/seeding"
)

// Reader reads values.
type Reader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Client is what ConnectorSecrets calls of it.
type Client interface {
	Reader
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// Error is a failed call. It holds the operation and the code, never the
// service's text, which may repeat what was sent.
type Error struct {
	Operation string
	Code      string // for instance "AccessDeniedException"; "no answer" if there was no reply
	cause     error
}

func (e *Error) Error() string { return fmt.Sprintf("secrets manager: %s: %s", e.Operation, e.Code) }

// Is makes an absent secret, or version, seeding.ErrNotFound.
func (e *Error) Is(target error) bool { return target == seeding.ErrNotFound && e.Code == absent }

func (e *Error) Unwrap() error { return e.cause }

// Throttled reports whether the call surely had no effect and may have one in a few
// seconds: the service has too much to do, or a secret of this name was deleted a moment
// ago, which it does in its own time.
func (e *Error) Throttled() bool {
	return e.Code == throttling || e.Code == pending && (e.Operation == "CreateSecret" || e.Operation == "PutSecretValue")
}

const (
	absent     = "ResourceNotFoundException"
	exists     = "ResourceExistsException"
	pending    = "InvalidRequestException" // scheduled for deletion
	throttling = "ThrottlingException"
)

func failed(operation string, err error) error {
	code := "no answer"
	if replied, ok := errors.AsType[smithy.APIError](err); ok {
		code = replied.ErrorCode()
	}
	return &Error{Operation: operation, Code: code, cause: err}
}

// codeIs reports whether the service replied with the code.
func codeIs(err error, code string) bool {
	replied, ok := errors.AsType[smithy.APIError](err)
	return ok && replied.ErrorCode() == code
}

// remove deletes a secret with all its versions, at once and for good. One that is
// gone already is no error.
func remove(ctx context.Context, client Client, name string) error {
	_, err := client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err != nil && !codeIs(err, absent) {
		return failed("DeleteSecret", err)
	}
	return nil
}

// value is the secret in a reply, whichever of two fields holds it.
func value(out *secretsmanager.GetSecretValueOutput) []byte {
	if out.SecretString != nil {
		return []byte(*out.SecretString)
	}
	return out.SecretBinary
}
