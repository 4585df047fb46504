package secrets

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// KeyReader is what a Keyring calls of *secretsmanager.Client.
type KeyReader interface {
	Reader
	secretsmanager.ListSecretVersionIdsAPIClient
}

// Keyring holds the keys of one secret; it implements seeding.Keyring. The id of
// a key is its version id. Every version with a staging label counts, so what was
// signed before any number of rotations can still be checked while its version
// keeps a label (infra/runbook.md, "Rotating the keys"). Without one it is
// revoked: Secrets Manager may delete it at any time.
//
// AWSCURRENT signs, once it is so old that everybody else has listed it too.
type Keyring struct {
	Now func() time.Time // time.Now unless set

	client KeyReader
	secret string

	mu                sync.Mutex
	current           string                 // id of the version AWSCURRENT
	signs             string                 // id of the key to sign with
	keys              map[string]seeding.Key // by the ids of all labelled versions; without a secret if not read yet
	loaded, attempted time.Time              // last success; last attempt
	failure           error                  // of the last attempt
}

const (
	keyringFresh    = 5 * time.Minute            // a list of versions that is older is read again
	keyringSettled  = keyringFresh + time.Minute // everybody has read a version of this age
	keyringPatience = time.Minute                // between two reads because of an unknown id or a failure
	shortestKey     = 32                         // bytes
)

// NewKeyring returns the keyring of a secret. It reads nothing yet.
func NewKeyring(client KeyReader, secretID string) *Keyring {
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
	key, err := k.read(ctx, k.signs)
	if err != nil && k.signs != k.current { // the one before may be the mistake that was corrected
		return k.read(ctx, k.current)
	}
	return key, err
}

// ByID returns seeding.ErrNotFound for an unknown id. Anybody may send one, so
// unknown ids cause at most one read a minute.
func (k *Keyring) ByID(ctx context.Context, id string) (seeding.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return seeding.Key{}, err
	}
	if _, known := k.keys[id]; !known {
		if now := k.Now(); now.Sub(k.attempted) >= keyringPatience {
			k.load(ctx, now)
		}
	}
	if _, known := k.keys[id]; known {
		return k.read(ctx, id)
	}
	if k.failure != nil {
		return seeding.Key{}, k.failure // the key may exist
	}
	return seeding.Key{}, seeding.ErrNotFound
}

// refresh reads the list of versions if it is old or was never read.
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

// load reads the list of labelled versions. A version never changes, so keys that
// were read stay.
func (k *Keyring) load(ctx context.Context, now time.Time) {
	k.attempted = now
	versions, err := k.versions(ctx)
	if err != nil {
		k.failure = err
		return
	}
	keys := map[string]seeding.Key{}
	for _, v := range versions {
		id := aws.ToString(v.VersionId)
		keys[id] = k.keys[id]
	}
	k.keys, k.loaded, k.failure = keys, now, nil
	k.current, k.signs = signing(versions, now)
}

func (k *Keyring) versions(ctx context.Context) (labelled []types.SecretVersionsListEntry, err error) {
	for pages := secretsmanager.NewListSecretVersionIdsPaginator(k.client, &secretsmanager.ListSecretVersionIdsInput{SecretId: &k.secret}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("ListSecretVersionIds", err)
		}
		for _, v := range page.Versions {
			if len(v.VersionStages) > 0 && aws.ToString(v.VersionId) != "" {
				labelled = append(labelled, v)
			}
		}
	}
	return labelled, nil
}

// signing is the version AWSCURRENT, and the one to sign with. While the current
// one is so new that somebody who has to check it may not know it, that is the
// newest of the former ones that everybody knows, or the oldest of them.
func signing(versions []types.SecretVersionsListEntry, now time.Time) (current, signs string) {
	settled := func(v types.SecretVersionsListEntry) bool {
		return now.Sub(aws.ToTime(v.CreatedDate)) >= keyringSettled
	}
	slices.SortFunc(versions, func(a, b types.SecretVersionsListEntry) int {
		return aws.ToTime(b.CreatedDate).Compare(aws.ToTime(a.CreatedDate))
	})
	for _, v := range versions { // the newest first
		switch isCurrent := slices.Contains(v.VersionStages, "AWSCURRENT"); {
		case isCurrent && settled(v):
			return aws.ToString(v.VersionId), aws.ToString(v.VersionId)
		case isCurrent:
			current = aws.ToString(v.VersionId)
		}
	}
	signs = current
	for _, v := range versions {
		if slices.Equal(v.VersionStages, []string{"AWSPENDING"}) { // it never signed
			continue
		}
		if signs = aws.ToString(v.VersionId); settled(v) {
			break
		}
	}
	return current, signs
}

// read returns the key of a version, and reads it at most once.
func (k *Keyring) read(ctx context.Context, id string) (seeding.Key, error) {
	if key := k.keys[id]; key.ID != "" {
		return key, nil
	}
	out, err := k.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &k.secret, VersionId: &id})
	if err != nil {
		return seeding.Key{}, failed("GetSecretValue", err)
	}
	key := seeding.Key{ID: id, Secret: value(out)}
	if len(key.Secret) < shortestKey {
		return seeding.Key{}, fmt.Errorf("secrets manager: the value of the key secret is shorter than %d bytes", shortestKey)
	}
	k.keys[id] = key
	return key, nil
}
