package secrets_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

var (
	_ seeding.Keyring   = (*secrets.Keyring)(nil)
	_ secrets.Client    = (*secretsmanager.Client)(nil)
	_ secrets.KeyReader = (*secretsmanager.Client)(nil)
)

const keySecret = "arn:of:the:key"

type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func newKeyring(m *secretstest.Manager) (*secrets.Keyring, *clock) {
	c := &clock{time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	keyring := secrets.NewKeyring(m, keySecret)
	keyring.Now = func() time.Time { return c.now }
	m.Now = keyring.Now
	return keyring, c
}

func TestKeyringSignsWithTheCurrentKeyAndFindsTheOneBefore(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	keyring, clock := newKeyring(m)
	first := m.Rotate(keySecret)
	for range 3 {
		if key, err := keyring.Current(ctx); err != nil || key.ID != first || len(key.Secret) != 64 {
			t.Fatalf("%v %v", key.ID, err)
		}
	}
	if m.Reads() != 1 || m.Lists() != 1 {
		t.Errorf("%d reads and %d lists of a fresh keyring", m.Reads(), m.Lists())
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
		t.Errorf("a key of two rotations ago, without a label: %v", err)
	}
}

// Batches that were sent before several rotations are still answered.
func TestLiveCapabilitySurvivesManyRotations(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	signer, clock := newKeyring(m)
	m.Rotate(keySecret)
	ref := seeding.BatchRef{Registry: "r", Connector: "c", Run: "u", Batch: "b"}
	var live []string
	for i := range 6 { // one a day
		key, err := signer.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		live = append(live, seeding.Capability(key, ref, 1, clock.now.Add(7*24*time.Hour)))
		m.Label(keySecret, key.ID, fmt.Sprint("kept-", i))
		m.Rotate(keySecret)
		clock.pass(24 * time.Hour)
	}
	cold := secrets.NewKeyring(m, keySecret)
	cold.Now = signer.Now
	for _, keyring := range []*secrets.Keyring{signer, cold} {
		for i, capability := range live {
			if _, ok, err := seeding.OpenCapability(ctx, keyring, capability, clock.now); !ok || err != nil {
				t.Errorf("of %d rotations ago: %v, %v", 6-i, ok, err)
			}
		}
	}
	if m.Reads() > 12 {
		t.Errorf("%d reads of 6 keys by two keyrings", m.Reads())
	}
}

// A version whose last label is taken away is revoked, also where it was read
// before.
func TestKeyWithoutALabelIsRevoked(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	keyring, clock := newKeyring(m)
	first := m.Rotate(keySecret)
	m.Label(keySecret, first, "kept-1")
	m.Rotate(keySecret)
	m.Rotate(keySecret)
	if _, err := keyring.ByID(ctx, first); err != nil {
		t.Fatal(err)
	}
	m.Unlabel(keySecret, "kept-1")
	clock.pass(5 * time.Minute)
	if _, err := keyring.ByID(ctx, first); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// Nobody signs with a key that somebody else may not know yet: otherwise the
// callbacks in the minutes after a rotation were refused.
func TestNewKeySignsWhenEverybodyKnowsIt(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	signer, clock := newKeyring(m)
	m.Rotate(keySecret)
	checker := secrets.NewKeyring(m, keySecret)
	checker.Now = signer.Now
	for range 120 { // two hours, with three rotations, while unknown ids use up the reads
		if clock.now.Minute() == 30 {
			m.Rotate(keySecret)
		}
		_, _ = checker.ByID(ctx, "unknown")
		clock.pass(59 * time.Second)
		key, err := signer.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := checker.ByID(ctx, key.ID); err != nil {
			t.Fatalf("%v: %v", clock.now, err)
		}
		clock.pass(time.Second)
	}
}

func TestKeyringReadsOnceAMinuteForUnknownIDs(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	keyring, clock := newKeyring(m)
	old := m.Rotate(keySecret)
	m.Label(keySecret, old, "kept-1")
	m.Rotate(keySecret)
	m.Rotate(keySecret)
	if _, err := keyring.Current(ctx); err != nil {
		t.Fatal(err)
	}
	clock.pass(61 * time.Second)
	lists, reads := m.Lists(), m.Reads()
	for i := range 50 {
		if _, err := keyring.ByID(ctx, fmt.Sprint("unknown", i)); !errors.Is(err, seeding.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if _, err := keyring.ByID(ctx, ""); !errors.Is(err, seeding.ErrNotFound) {
		t.Fatal(err)
	}
	if lists, reads := m.Lists()-lists, m.Reads()-reads; lists != 2 || reads != 0 { // a list of two pages
		t.Errorf("%d lists, %d reads", lists, reads)
	}
	// Forged ids keep no key from being found.
	if key, err := keyring.ByID(ctx, old); err != nil || key.ID != old {
		t.Errorf("%v %v", key.ID, err)
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
	keyring, clock := newKeyring(m)
	id := m.Rotate(keySecret)

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
	reads := m.Reads() + m.Lists()
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
	if now := m.Reads() + m.Lists(); now != reads {
		t.Errorf("%d reads in the minute of a failure", now-reads)
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

// Two rotations within minutes: the former key signs until the newest is known to
// everybody, and not the one in between, which is as new.
func TestKeyThatEverybodyKnowsSignsAfterTwoQuickRotations(t *testing.T) {
	for name, age := range map[string]time.Duration{"an old key": time.Hour, "a key of a minute ago": time.Minute} {
		t.Run(name, func(t *testing.T) {
			ctx, m := t.Context(), secretstest.New()
			signer, clock := newKeyring(m)
			first := m.Rotate(keySecret)
			m.Label(keySecret, first, "kept-1")
			clock.pass(age)
			between := m.Rotate(keySecret)
			m.Label(keySecret, between, "kept-2")
			newest := m.Rotate(keySecret)
			if key, err := signer.Current(ctx); err != nil || key.ID != first {
				t.Errorf("signs with %s at once, %v", key.ID, err)
			}
			clock.pass(6 * time.Minute)
			if key, err := signer.Current(ctx); err != nil || key.ID != newest {
				t.Errorf("signs with %s later, %v", key.ID, err)
			}
		})
	}
}

// A value that is no key, and that was corrected, does not stop anybody while the
// correction is new.
func TestCorrectedKeySignsAtOnce(t *testing.T) {
	m := secretstest.New()
	keyring, _ := newKeyring(m)
	m.Set(keySecret, "short")
	id := m.Rotate(keySecret)
	if key, err := keyring.Current(t.Context()); err != nil || key.ID != id {
		t.Errorf("%v %v", key.ID, err)
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
	if m.Reads() != 1 || m.Lists() != 1 {
		t.Errorf("%d reads, %d lists", m.Reads(), m.Lists())
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
	first, err := s.Put(ctx, "c1", "registry-password", "one", "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Names(), []string{"stack/connectors/c1/registry-password"}) {
		t.Fatalf("%v", m.Names())
	}
	get(first, "one")
	second, err := s.Put(ctx, "c1", "registry-password", "two", first)
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
	if _, err := s.Put(ctx, "c1", "registry-password", "three", ""); err != nil {
		t.Errorf("after a delete: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "p/")
	var versions []string
	for i := range 1500 {
		id := fmt.Sprint("c", i)
		version, err := s.Put(ctx, id, "f", id, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, id, "f", version); err != nil || got != id {
			t.Fatal(got, err)
		}
		versions = append(versions, version)
	}
	reads := m.Reads()
	for i := range 1500 {
		if got, err := s.Get(ctx, fmt.Sprint("c", i), "f", versions[i]); err != nil || got != fmt.Sprint("c", i) {
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
	version, err := s.Put(ctx, "c", "f", "hunter2", "")
	if err != nil {
		t.Fatal(err)
	}
	m.Schedule("p/c/f")
	_, put := s.Put(ctx, "c", "f", "hunter2", "")
	_, get := s.Get(ctx, "c", "f", version)
	m.Fail(&smithy.GenericAPIError{Code: "ValidationException", Message: "Value 'hunter2' at 'secretString'"})
	_, refused := s.Put(ctx, "c", "f", "hunter2", "")
	deleted := s.Delete(ctx, "c", "f")
	m.Fail(context.DeadlineExceeded)
	_, late := s.Put(ctx, "c", "f", "hunter2", "")
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

// A change of a configuration stores a value, and then may fail. However many fail, with
// the same value or with others, and whatever is saved in between, the version that the
// configuration names can be read, also the last of its values, and there are few labels.
func TestWhatIsInUseStaysReadable(t *testing.T) {
	for seed := range uint64(200) {
		ctx, m, random := t.Context(), secretstest.New(), rand.New(rand.NewPCG(seed, 7))
		writer, inUse, holds := secrets.Connectors(m, "p/"), "", ""
		for version := 1; version < 40; version++ {
			value := string(rune('a' + random.IntN(3)))
			stored, err := writer.Put(ctx, "c", "f", value, cmp.Or(inUse, fmt.Sprint("none ", version)))
			if err != nil {
				t.Fatal(err)
			}
			if random.IntN(3) == 0 { // saved
				inUse, holds = stored, value
			}
			reader := secrets.Connectors(m, "p/") // which has read nothing before
			if got, err := reader.Get(ctx, "c", "f", inUse); inUse != "" && (err != nil || got != holds) {
				t.Fatalf("seed %d, change %d: what is in use: %v", seed, version, err)
			}
			if got, err := reader.Get(ctx, "c", "f", stored); err != nil || got != value {
				t.Fatalf("seed %d, change %d: what was stored: %v", seed, version, err)
			}
		}
		pages := secretsmanager.NewListSecretVersionIdsPaginator(m, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("p/c/f")})
		labelled := 0
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			labelled += len(page.Versions)
		}
		if labelled > 4 {
			t.Errorf("seed %d: %d versions have labels", seed, labelled)
		}
	}
}

// The same change sent again makes no new version, and a value of before that was
// removed is another version: whoever has read it does not mistake one for the other.
func TestTheSameChangeIsTheSameVersion(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "p/")
	put := func(value, inUse string) string {
		t.Helper()
		version, err := s.Put(ctx, "c", "f", value, inUse)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	first := put("one", "none 1")
	if again := put("one", "none 1"); again != first {
		t.Error("the first value sent again")
	}
	second := put("two", first)
	if again := put("two", first); again != second || second == first {
		t.Error("the second value sent again")
	}
	if len(first) != 36 || strings.Count(first, "-") != 4 {
		t.Errorf("%s", first)
	}
	if err := s.Delete(ctx, "c", "f"); err != nil {
		t.Fatal(err)
	}
	if third := put("three", "none 5"); third == first {
		t.Error("a version of the deleted secret")
	}
}

// Secrets Manager deletes in its own time: until then the name is taken.
func TestASecretThatIsStillBeingDeletedIsTriedAgainSoon(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	s := secrets.Connectors(m, "p/")
	if _, err := s.Put(ctx, "c", "f", "hunter2", ""); err != nil {
		t.Fatal(err)
	}
	m.Schedule("p/c/f")
	_, err := s.Put(ctx, "c", "f", "hunter3", "")
	e, ok := errors.AsType[*secrets.Error](err)
	if !ok || !e.Throttled() {
		t.Errorf("%v", err)
	}
	m.Fail(&smithy.GenericAPIError{Code: "AccessDeniedException"})
	_, err = s.Put(ctx, "c", "f", "hunter3", "")
	if e, _ := errors.AsType[*secrets.Error](err); e.Throttled() {
		t.Errorf("%v", err)
	}
}
