package secrets

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// ConnectorSecrets keeps the secret fields of connectors, each as a secret
// named "<prefix><connector id>/<field>". A configuration names the version
// that it uses, so a new value takes effect together with its configuration,
// and a value that was read once is never read again.
type ConnectorSecrets struct {
	client Client
	prefix string

	mu    sync.Mutex
	known map[secretVersion]string
}

type secretVersion struct{ name, version string }

// mostKnown bounds the cache; when it is full it starts anew.
const mostKnown = 1000

// Connectors returns the secrets below a prefix such as "stack/connectors/".
func Connectors(client Client, prefix string) *ConnectorSecrets {
	return &ConnectorSecrets{client: client, prefix: prefix, known: map[secretVersion]string{}}
}

func (s *ConnectorSecrets) name(connectorID, field string) string {
	return s.prefix + connectorID + "/" + field
}

// Put stores a value and returns the version to name in the configuration. Only
// the newest two versions are sure to be readable, so store a value only in
// order to use it.
func (s *ConnectorSecrets) Put(ctx context.Context, connectorID, field, value string) (version string, err error) {
	name := s.name(connectorID, field)
	created, err := s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: &value,
		Description: aws.String("Secret field " + field + " of the connector " + connectorID + "; kept by the connectors API"),
	})
	if err == nil {
		return aws.ToString(created.VersionId), nil
	}
	if !codeIs(err, exists) {
		return "", failed("CreateSecret", err)
	}
	put, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value})
	if err != nil {
		return "", failed("PutSecretValue", err)
	}
	return aws.ToString(put.VersionId), nil
}

// Get returns a version of a value, or seeding.ErrNotFound.
func (s *ConnectorSecrets) Get(ctx context.Context, connectorID, field, version string) (string, error) {
	if version == "" { // Secrets Manager would give the newest
		return "", seeding.ErrNotFound
	}
	at := secretVersion{s.name(connectorID, field), version}
	if found, known := s.cached(at); known {
		return found, nil
	}
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &at.name, VersionId: &at.version})
	if err != nil {
		return "", failed("GetSecretValue", err)
	}
	found := string(value(out))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= mostKnown {
		clear(s.known)
	}
	s.known[at] = found
	return found, nil
}

func (s *ConnectorSecrets) cached(at secretVersion) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.known[at]
	return found, known
}

// Delete removes the secret with all its versions, at once and for good. One
// that is gone already is no error.
func (s *ConnectorSecrets) Delete(ctx context.Context, connectorID, field string) error {
	return remove(ctx, s.client, s.name(connectorID, field))
}
