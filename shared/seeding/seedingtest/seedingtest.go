// Package seedingtest has what several tests of the seeding need: a keyring in
// memory, a clock that does not move, the rows of an answer.
package seedingtest

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Now is the time in such tests.
var Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Keyring is a keyring in memory; the last key is current.
type Keyring []seeding.Key

// Current implements seeding.Keyring.
func (r Keyring) Current(context.Context) (seeding.Key, error) { return r[len(r)-1], nil }

// ByID implements seeding.Keyring.
func (r Keyring) ByID(_ context.Context, id string) (seeding.Key, error) {
	for _, k := range r {
		if k.ID == id {
			return k, nil
		}
	}
	return seeding.Key{}, seeding.ErrNotFound
}

// Key is a key whose secret is made from its id.
func Key(id string) seeding.Key {
	return seeding.Key{ID: id, Secret: []byte(strings.Repeat(id, 40))}
}

// Clock does not move.
type Clock struct{ time.Time }

// Now implements seeding.Clock.
func (c Clock) Now() time.Time { return c.Time }

// Sleep implements seeding.Clock; no time passes.
func (Clock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Rows are n processed rows with tokens of 36 digits, the same with every call.
func Rows(n int) []seeding.Row {
	r := rand.New(rand.NewPCG(1, 2))                  //nolint:gosec // the same with every call is what is wanted
	octet := func() byte { return byte(r.IntN(256)) } //nolint:gosec // it fits
	rows := make([]seeding.Row, n)
	for i := range rows {
		rows[i].Member = seeding.Member{Registrant: int64(100001 + i), Identifier: int64(200001 + i)}
		for j := range rows[i].MAC {
			rows[i].MAC[j] = octet()
		}
		for j := range rows[i].Fingerprint {
			rows[i].Fingerprint[j] = octet()
		}
		token := make([]byte, 36)
		for j := range token {
			token[j] = "0123456789"[r.IntN(10)]
		}
		rows[i].Status, rows[i].Token = seeding.RowProcessed, string(token)
	}
	return rows
}
