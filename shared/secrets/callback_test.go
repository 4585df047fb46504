package secrets_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

func TestCallbackSecrets(t *testing.T) {
	store := secrets.Connectors(secretstest.New(), "stack/connectors/")
	c := seeding.Connector{ID: "c1", Secrets: map[string]string{}}
	put := func(field, value string) {
		t.Helper()
		version, err := store.Put(t.Context(), c.ID, field, value, "")
		if err != nil {
			t.Fatal(err)
		}
		c.Secrets[field] = version
	}
	if got, err := store.Callback(t.Context(), c); err != nil || !reflect.DeepEqual(got, seeding.CallbackSecrets{}) {
		t.Errorf("without any: %+v, %v", got, err)
	}
	put(seeding.CallbackPassword, "p")
	put(seeding.CallbackHeaders, seeding.EncodeHeaders(map[string]string{"Authorization": "Basic <x>", "X-A": `"`}))
	want := seeding.CallbackSecrets{Password: "p", Headers: map[string]string{"Authorization": "Basic <x>", "X-A": `"`}}
	if got, err := store.Callback(t.Context(), c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// A new value is that of the next configuration; the one of before reads its own.
	before := c
	before.Secrets = map[string]string{seeding.CallbackPassword: c.Secrets[seeding.CallbackPassword]}
	put(seeding.CallbackPassword, "q")
	if got, err := store.Callback(t.Context(), before); err != nil || got.Password != "p" || got.Headers != nil {
		t.Errorf("%+v, %v", got, err)
	}
	c.Secrets[seeding.CallbackToken] = "gone"
	if got, err := store.Callback(t.Context(), c); !errors.Is(err, seeding.ErrNotFound) || !reflect.DeepEqual(got, seeding.CallbackSecrets{}) {
		t.Errorf("%+v, %v", got, err)
	}
	delete(c.Secrets, seeding.CallbackToken)
	put(seeding.CallbackHeaders, "secret, and no JSON")
	if _, err := store.Callback(t.Context(), c); err == nil || strings.Contains(err.Error(), "no JSON") {
		t.Errorf("damaged: %v", err)
	}
}
