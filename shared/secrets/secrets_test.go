package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

var (
	_ seeding.Keyring = (*secrets.Keyring)(nil)
	_ secrets.Client  = (*secretsmanager.Client)(nil)
)

const keySecret = "arn:of:the:key"

type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func newKeyring(m *secretstest.Manager) (*secrets.Keyring, *clock) {
	c := &clock{time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	keyring := secrets.NewKeyring(m, keySecret)
	keyring.Now = func() time.Time { return c.now }
	return keyring, c
}

func TestKeyringSignsWithTheCurrentKeyAndFindsTheOneBefore(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	first := m.Rotate(keySecret)
	keyring, clock := newKeyring(m)
	for range 3 {
		if key, err := keyring.Current(ctx); err != nil || key.ID != first || len(key.Secret) != 64 {
			t.Fatalf("%v %v", key.ID, err)
		}
	}
	if m.Reads() != 2 {
		t.Errorf("%d reads of a fresh keyring", m.Reads())
	}

	second := m.Rotate(keySecret)
	if key, _ := keyring.Current(ctx); key.ID != first {
		t.Errorf("read again while fresh")
	}
	clock.pass(6 * time.Minute)
	if key, _ := keyring.Current(ctx); key.ID != second {
		t.Errorf("still signs with %s", key.ID)
	}
	if key, err := keyring.ByID(ctx, first); err != nil || key.ID != first {
		t.Errorf("the key before: %v %v", key.ID, err)
	}

	m.Rotate(keySecret)
	clock.pass(6 * time.Minute)
	if _, err := keyring.ByID(ctx, first); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("a key of two rotations ago: %v", err)
	}
}

func TestKeyringReadsOnceAMinuteForUnknownIDs(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	m.Rotate(keySecret)
	keyring, clock := newKeyring(m)
	if _, err := keyring.Current(ctx); err != nil {
		t.Fatal(err)
	}
	clock.pass(61 * time.Second)
	before := m.Reads()
	for i := range 50 {
		if _, err := keyring.ByID(ctx, fmt.Sprint("unknown", i)); !errors.Is(err, seeding.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if _, err := keyring.ByID(ctx, ""); !errors.Is(err, seeding.ErrNotFound) {
		t.Fatal(err)
	}
	if reads := m.Reads() - before; reads != 2 {
		t.Errorf("%d reads", reads)
	}
	// A key that another instance signs with already is found by the next read.
	newest := m.Rotate(keySecret)
	clock.pass(time.Minute)
	if key, err := keyring.ByID(ctx, newest); err != nil || key.ID != newest {
		t.Errorf("%v %v", key.ID, err)
	}
}

func TestKeyringKeepsItsKeysInAnOutage(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	id := m.Rotate(keySecret)
	keyring, clock := newKeyring(m)

	m.Fail(errors.New("connection refused"))
	if _, err := keyring.Current(ctx); err == nil {
		t.Fatal("a key without a reply")
	}
	m.Fail(nil)
	if _, err := keyring.Current(ctx); err != nil {
		t.Fatalf("no attempt at once while there is no key: %v", err)
	}

	m.Fail(&smithy.GenericAPIError{Code: "InternalServiceError", Message: "the text of the service"})
	clock.pass(time.Hour)
	if key, err := keyring.Current(ctx); err != nil || key.ID != id {
		t.Errorf("%v", err)
	}
	reads := m.Reads()
	if key, err := keyring.ByID(ctx, id); err != nil || key.ID != id {
		t.Errorf("%v", err)
	}
	_, err := keyring.ByID(ctx, "maybe new")
	if err == nil || errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("a key that could not be read is not known to be gone: %v", err)
	}
	if strings.Contains(err.Error(), "text of the service") || !strings.Contains(err.Error(), "InternalServiceError") {
		t.Errorf("%v", err)
	}
	if m.Reads() != reads {
		t.Errorf("%d reads in the minute of a failure", m.Reads()-reads)
	}
}

func TestKeyringRefusesShortKeys(t *testing.T) {
	m := secretstest.New()
	m.Set(keySecret, "short")
	keyring, _ := newKeyring(m)
	if _, err := keyring.Current(t.Context()); err == nil || strings.Contains(err.Error(), "\"short\"") {
		t.Errorf("%v", err)
	}
	if _, err := keyring.ByID(t.Context(), ""); err == nil {
		t.Error("the empty id found a key")
	}
}

func TestKeyringConcurrently(t *testing.T) {
	m := secretstest.New()
	id := m.Rotate(keySecret)
	keyring := secrets.NewKeyring(m, keySecret)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := keyring.Current(context.Background()); err != nil {
					t.Error(err)
				}
				if _, err := keyring.ByID(context.Background(), id); err != nil {
					t.Error(err)
				}
				_, _ = keyring.ByID(context.Background(), "unknown")
			}
		})
	}
	all.Wait()
	if m.Reads() != 2 {
		t.Errorf("%d reads", m.Reads())
	}
}

func TestConnectorSecrets(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "stack/connectors/")
	get := func(version, want string) {
		t.Helper()
		if got, err := s.Get(ctx, "c1", "registry-password", version); err != nil || got != want {
			t.Errorf("%s: %q %v", version, got, err)
		}
	}
	first, err := s.Put(ctx, "c1", "registry-password", "one")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Names(), []string{"stack/connectors/c1/registry-password"}) {
		t.Fatalf("%v", m.Names())
	}
	get(first, "one")
	second, err := s.Put(ctx, "c1", "registry-password", "two")
	if err != nil || second == first {
		t.Fatal(first, second, err)
	}
	get(first, "one")
	get(second, "two")
	reads := m.Reads()
	get(first, "one")
	get(second, "two")
	named := seeding.Connector{ID: "c1", Secrets: map[string]string{seeding.RegistryPassword: first}}
	if got, err := s.RegistryPassword(ctx, named); err != nil || got != "one" {
		t.Errorf("%q %v", got, err)
	}
	if m.Reads() != reads {
		t.Error("a version was read twice")
	}

	for _, version := range []string{"no such version", ""} {
		if _, err := s.Get(ctx, "c1", "registry-password", version); !errors.Is(err, seeding.ErrNotFound) {
			t.Errorf("%q: %v", version, err)
		}
	}
	if _, err := s.Get(ctx, "c2", "registry-password", first); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("%v", err)
	}

	for range 2 { // gone already is no error
		if err := s.Delete(ctx, "c1", "registry-password"); err != nil {
			t.Error(err)
		}
	}
	if left := m.Names(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if _, err := s.Put(ctx, "c1", "registry-password", "three"); err != nil {
		t.Errorf("after a delete: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "p/")
	for i := range 1500 {
		id := fmt.Sprint("c", i)
		version, err := s.Put(ctx, id, "f", id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, id, "f", version); err != nil || got != id {
			t.Fatal(got, err)
		}
	}
	reads := m.Reads()
	for i := range 1500 {
		if got, err := s.Get(ctx, fmt.Sprint("c", i), "f", fmt.Sprint("version-", i+1)); err != nil || got != fmt.Sprint("c", i) {
			t.Fatal(got, err)
		}
	}
	if m.Reads() == reads {
		t.Error("all 1,500 values are cached")
	}
}

func TestErrorsHoldTheCodeAndNoSecret(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "p/")
	if _, err := s.Put(ctx, "c", "f", "hunter2"); err != nil {
		t.Fatal(err)
	}
	m.Schedule("p/c/f")
	_, put := s.Put(ctx, "c", "f", "hunter2")
	_, get := s.Get(ctx, "c", "f", "version-1")
	m.Fail(&smithy.GenericAPIError{Code: "ValidationException", Message: "Value 'hunter2' at 'secretString'"})
	_, refused := s.Put(ctx, "c", "f", "hunter2")
	deleted := s.Delete(ctx, "c", "f")
	m.Fail(context.DeadlineExceeded)
	_, late := s.Put(ctx, "c", "f", "hunter2")
	for _, c := range []struct {
		err  error
		want string
	}{
		{put, "secrets manager: CreateSecret: InvalidRequestException"},
		{get, "secrets manager: GetSecretValue: InvalidRequestException"},
		{refused, "secrets manager: CreateSecret: ValidationException"},
		{deleted, "secrets manager: DeleteSecret: ValidationException"},
		{late, "secrets manager: CreateSecret: no answer"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("%v, want %s", c.err, c.want)
		}
	}
	if !errors.Is(late, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
}
