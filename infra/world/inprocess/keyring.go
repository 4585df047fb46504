package inprocess

import (
	"context"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Keyring is a keyring of one key, made of its name.
type Keyring string

// Key is the only one. Its id is as long as a version id of Secrets Manager.
func (k Keyring) Key() seeding.Key {
	return seeding.Key{ID: string(k) + "-01980f5e-7c1e-4000-8000-0123", Secret: []byte(strings.Repeat(string(k), 9))}
}

// Current implements seeding.Keyring.
func (k Keyring) Current(context.Context) (seeding.Key, error) { return k.Key(), nil }

// ByID implements seeding.Keyring.
func (k Keyring) ByID(_ context.Context, id string) (seeding.Key, error) {
	if id != k.Key().ID {
		return seeding.Key{}, seeding.ErrNotFound
	}
	return k.Key(), nil
}
