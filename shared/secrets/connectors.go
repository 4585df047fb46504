package secrets

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
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

// Put stores a value and returns the version to name in the configuration. inUse is the
// version that the configuration names now; if it names none, something that no other
// configuration of the connector has. However often a change of the configuration fails
// after a Put, what is in use stays readable: Secrets Manager keeps what has a staging
// label, and a new version takes AWSCURRENT and AWSPREVIOUS from older ones. So at most one
// version takes them while the same one is in use, its follower, whose id follows from
// what is in use; the same value again is the same version. Other values get a label that
// what is in use does not have.
func (s *ConnectorSecrets) Put(ctx context.Context, connectorID, field, value, inUse string) (version string, err error) {
	name := s.name(connectorID, field)
	follower := followerOf(name, inUse)
	created, err := s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: &value, ClientRequestToken: &follower,
		Description: aws.String("Secret field " + field + " of the connector " + connectorID + "; kept by the connectors API"),
	})
	if err == nil {
		return aws.ToString(created.VersionId), nil
	}
	if !codeIs(err, exists) {
		return "", failed("CreateSecret", err)
	}
	put, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value, ClientRequestToken: &follower})
	if err != nil && codeIs(err, exists) || err == nil && len(put.VersionStages) == 0 { // it has another value, or lost its labels
		put, err = s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: &name, SecretString: &value, ClientRequestToken: aws.String(versionBeside(inUse)), VersionStages: []string{labelBeside(inUse)},
		})
	}
	if err != nil {
		return "", failed("PutSecretValue", err)
	}
	return aws.ToString(put.VersionId), nil
}

// followerOf is the id of the first version that is stored while another one is in use.
func followerOf(name, inUse string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + inUse))
	return uuid(sum[:])
}

// labelBeside is the label of further versions that are stored while one is in use: one
// of two.
func labelBeside(inUse string) string {
	return "MTS-BESIDE-" + strconv.Itoa(int(sha256.Sum256([]byte(inUse))[0]&1))
}

// versionBeside is a new id of a version that gets the label beside another one. When it
// is in use itself, what is stored then gets the other label.
func versionBeside(inUse string) string {
	random := make([]byte, 16)
	for {
		_, _ = rand.Read(random) // it never fails
		if version := uuid(random); labelBeside(version) != labelBeside(inUse) {
			return version
		}
	}
}

// uuid writes 16 bytes as Secrets Manager's own versions look.
func uuid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
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
