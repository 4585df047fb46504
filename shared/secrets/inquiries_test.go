package secrets_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

// The secrets of a draft are a secret of their own, and gone when they are forgotten.
func TestInquirySecrets(t *testing.T) {
	ctx, m := t.Context(), secretstest.New()
	connectors, s := secrets.Connectors(m, "stack/connectors/"), secrets.Inquiries(m, "stack/inquiries/")
	version, err := connectors.Put(ctx, "c1", seeding.RegistryPassword, "the stored one", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Given(ctx, "i1"); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	given := map[string]string{seeding.RegistryPassword: "hunter2"}
	if err := s.KeepGiven(ctx, "i1", given); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepGiven(ctx, "i1", given); err != nil {
		t.Errorf("sent twice, because the first reply was lost: %v", err)
	}
	if got, err := s.Given(ctx, "i1"); err != nil || !maps.Equal(got, given) {
		t.Errorf("%v, %v", got, err)
	}
	if stored, err := connectors.Get(ctx, "c1", seeding.RegistryPassword, version); err != nil || stored != "the stored one" {
		t.Errorf("%q, %v", stored, err)
	}
	for range 2 {
		if err := s.ForgetGiven(ctx, "i1"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Given(ctx, "i1"); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
	for _, id := range []string{"i1", "i2"} {
		if err := s.MakeKey(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	one, err1 := s.Key(ctx, "i1")
	two, err2 := s.Key(ctx, "i2")
	if err1 != nil || err2 != nil || len(one.Secret) < 32 || string(one.Secret) == string(two.Secret) {
		t.Errorf("%v, %v", err1, err2)
	}
	for _, id := range []string{"i1", "i2", "i2"} {
		if err := s.ForgetKey(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Key(ctx, "i1"); !errors.Is(err, seeding.ErrNotFound) {
		t.Errorf("a key that is deleted: %v", err)
	}
	if left := m.Names(); len(left) != 1 {
		t.Errorf("%v", left)
	}
	m.Set("stack/inquiries/i3/key", "short")
	if _, err := s.Key(ctx, "i3"); err == nil {
		t.Error("a short key")
	}
	m.Set("stack/inquiries/i2/given", "hunter2, and no JSON")
	if _, err := s.Given(ctx, "i2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	m.Fail(errors.New("hunter2"))
	for _, err := range []error{s.ForgetGiven(ctx, "i1"), s.KeepGiven(ctx, "i1", given)} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}
