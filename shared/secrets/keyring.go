package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// Keyring holds the keys of one secret; it implements seeding.Keyring. The id of
// a key is its version id. The version AWSCURRENT signs; it and AWSPREVIOUS are
// found by id, so that what was signed before a rotation can still be checked.
type Keyring struct {
	Now func() time.Time // time.Now unless set

	client Reader
	secret string

	mu                sync.Mutex
	current, previous seeding.Key
	loaded, attempted time.Time // last success; last attempt
	failure           error     // of the last attempt
}

const (
	keyringFresh    = 5 * time.Minute // keys that are older are read again
	keyringPatience = time.Minute     // between two reads because of an unknown id or a failure
	shortestKey     = 32              // bytes
)

// NewKeyring returns the keyring of a secret. It reads nothing yet.
func NewKeyring(client Reader, secretID string) *Keyring {
	return &Keyring{Now: time.Now, client: client, secret: secretID}
}

// Current is the key to sign with. While Secrets Manager fails, keys that were
// read before stay in use.
func (k *Keyring) Current(ctx context.Context) (seeding.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return seeding.Key{}, err
	}
	return k.current, nil
}

// ByID returns seeding.ErrNotFound for an unknown id. Anybody may send one, so
// unknown ids cause at most one read a minute.
func (k *Keyring) ByID(ctx context.Context, id string) (seeding.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return seeding.Key{}, err
	}
	if key, known := k.find(id); known {
		return key, nil
	}
	if now := k.Now(); now.Sub(k.attempted) >= keyringPatience {
		k.load(ctx, now)
		if key, known := k.find(id); known {
			return key, nil
		}
	}
	if k.failure != nil {
		return seeding.Key{}, k.failure // the key may exist
	}
	return seeding.Key{}, seeding.ErrNotFound
}

func (k *Keyring) find(id string) (seeding.Key, bool) {
	for _, key := range []seeding.Key{k.current, k.previous} {
		if id != "" && key.ID == id {
			return key, true
		}
	}
	return seeding.Key{}, false
}

// refresh reads the keys if they are old or were never read.
func (k *Keyring) refresh(ctx context.Context) error {
	now := k.Now()
	switch {
	case k.loaded.IsZero():
		k.load(ctx, now)
		return k.failure
	case now.Sub(k.loaded) >= keyringFresh && now.Sub(k.attempted) >= keyringPatience:
		k.load(ctx, now)
	}
	return nil
}

func (k *Keyring) load(ctx context.Context, now time.Time) {
	k.attempted = now
	current, err := k.read(ctx, "AWSCURRENT")
	if err != nil {
		k.failure = err
		return
	}
	previous, err := k.read(ctx, "AWSPREVIOUS")
	if err != nil && !errors.Is(err, seeding.ErrNotFound) { // never rotated
		k.failure = err
		return
	}
	k.current, k.previous, k.loaded, k.failure = current, previous, now, nil
}

func (k *Keyring) read(ctx context.Context, stage string) (seeding.Key, error) {
	out, err := k.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &k.secret, VersionStage: &stage})
	if err != nil {
		return seeding.Key{}, failed("GetSecretValue", err)
	}
	key := seeding.Key{ID: aws.ToString(out.VersionId), Secret: value(out)}
	if key.ID == "" || len(key.Secret) < shortestKey {
		return seeding.Key{}, fmt.Errorf("secrets manager: the value of the key secret is shorter than %d bytes", shortestKey)
	}
	return key, nil
}
