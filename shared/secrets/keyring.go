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

// Ring is the key ring of one secret; it implements seeding.Keyring. The id of
// a key is its version id. AWSCURRENT signs; AWSCURRENT and AWSPREVIOUS are
// found by id, so a secret may be rotated while what was signed before is
// under way.
type Ring struct {
	Now func() time.Time // time.Now if nothing else is set

	client Reader
	secret string

	mu                sync.Mutex
	current, previous seeding.Key
	loaded, tried     time.Time // last success; last attempt
	failure           error     // of the last attempt
}

const (
	ringFresh   = 5 * time.Minute // after it a key is read again
	ringPatient = time.Minute     // between attempts that a strange id, or a failure, gives cause for
	shortestKey = 32              // bytes
)

// Keyring returns the ring of a secret; nothing is read yet.
func Keyring(client Reader, secretID string) *Ring {
	return &Ring{Now: time.Now, client: client, secret: secretID}
}

// Current is the key to sign with. While Secrets Manager fails, keys that were
// read before stay in use.
func (r *Ring) Current(ctx context.Context) (seeding.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(ctx); err != nil {
		return seeding.Key{}, err
	}
	return r.current, nil
}

// ByID returns seeding.ErrNotFound for the id of no key. A strange id, which
// anybody may send, causes one read a minute at most.
func (r *Ring) ByID(ctx context.Context, id string) (seeding.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(ctx); err != nil {
		return seeding.Key{}, err
	}
	if key, known := r.held(id); known {
		return key, nil
	}
	if now := r.Now(); now.Sub(r.tried) >= ringPatient {
		r.load(ctx, now)
		if key, known := r.held(id); known {
			return key, nil
		}
	}
	if r.failure != nil {
		return seeding.Key{}, r.failure // not to be told from a key that is gone
	}
	return seeding.Key{}, seeding.ErrNotFound
}

func (r *Ring) held(id string) (seeding.Key, bool) {
	for _, key := range []seeding.Key{r.current, r.previous} {
		if id != "" && key.ID == id {
			return key, true
		}
	}
	return seeding.Key{}, false
}

// refresh reads the keys when they are old or were never read.
func (r *Ring) refresh(ctx context.Context) error {
	now := r.Now()
	switch {
	case r.loaded.IsZero():
		r.load(ctx, now)
		return r.failure
	case now.Sub(r.loaded) >= ringFresh && now.Sub(r.tried) >= ringPatient:
		r.load(ctx, now)
	}
	return nil
}

func (r *Ring) load(ctx context.Context, now time.Time) {
	r.tried = now
	current, err := r.read(ctx, "AWSCURRENT")
	if err != nil {
		r.failure = err
		return
	}
	previous, err := r.read(ctx, "AWSPREVIOUS")
	if err != nil && !errors.Is(err, seeding.ErrNotFound) { // never rotated
		r.failure = err
		return
	}
	r.current, r.previous, r.loaded, r.failure = current, previous, now, nil
}

func (r *Ring) read(ctx context.Context, stage string) (seeding.Key, error) {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.secret, VersionStage: &stage})
	if err != nil {
		return seeding.Key{}, failed("GetSecretValue", err)
	}
	key := seeding.Key{ID: aws.ToString(out.VersionId), Secret: value(out)}
	if key.ID == "" || len(key.Secret) < shortestKey {
		return seeding.Key{}, fmt.Errorf("secrets manager: the key secret has a value of less than %d bytes", shortestKey)
	}
	return key, nil
}
