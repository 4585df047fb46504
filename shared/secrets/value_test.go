package secrets_test

import (
	"errors"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
)

// A new value counts after five minutes; one that cannot be read again goes on counting.
func TestAValueIsReadAgain(t *testing.T) {
	m, c := secretstest.New(), &clock{time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}
	v := secrets.NewValue(m, "console/client")
	v.Now = func() time.Time { return c.now }
	m.Now = v.Now
	if _, err := v.Get(t.Context()); err == nil {
		t.Error("a secret that is not there has a value")
	}
	expect := func(want string, reads int) {
		t.Helper()
		if got, err := v.Get(t.Context()); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		if m.Reads() != reads {
			t.Errorf("read %d times, want %d", m.Reads(), reads)
		}
	}
	m.Set("console/client", "first")
	before := m.Reads()
	expect("first", before+1)
	m.Set("console/client", "second")
	expect("first", before+1)
	c.pass(5 * time.Minute)
	expect("second", before+2)
	c.pass(time.Hour)
	m.Fail(errors.New("away"))
	if got, err := v.Get(t.Context()); err != nil || got != "second" {
		t.Errorf("%q, %v", got, err)
	}
}
