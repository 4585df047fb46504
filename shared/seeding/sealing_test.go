package seeding_test

import (
	"bytes"
	"errors"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// A sealed answer opens with its key and for its inquiry only, and whole.
func TestSealedAnswers(t *testing.T) {
	key, other := seedingtest.Key("one"), seedingtest.Key("two")
	answer := []byte(`{"name":"REYES, ANA"}`)
	sealed, err := seeding.SealAnswer(key, "i1", answer)
	if err != nil || bytes.Contains(sealed, []byte("REYES")) {
		t.Fatalf("%x, %v", sealed, err)
	}
	if again, _ := seeding.SealAnswer(key, "i1", answer); bytes.Equal(again, sealed) {
		t.Error("the same answer is sealed to the same bytes")
	}
	if opened, err := seeding.OpenAnswer(key, "i1", sealed); err != nil || !bytes.Equal(opened, answer) {
		t.Errorf("%q, %v", opened, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)/2] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key":      func() ([]byte, error) { return seeding.OpenAnswer(other, "i1", sealed) },
		"another inquiry":  func() ([]byte, error) { return seeding.OpenAnswer(key, "i2", sealed) },
		"changed":          func() ([]byte, error) { return seeding.OpenAnswer(key, "i1", changed) },
		"cut":              func() ([]byte, error) { return seeding.OpenAnswer(key, "i1", sealed[:len(sealed)-1]) },
		"nothing":          func() ([]byte, error) { return seeding.OpenAnswer(key, "i1", nil) },
		"a nonce, no more": func() ([]byte, error) { return seeding.OpenAnswer(key, "i1", sealed[:12]) },
	} {
		if opened, err := open(); !errors.Is(err, seeding.ErrSealed) || opened != nil {
			t.Errorf("%s: %q, %v", name, opened, err)
		}
	}
}

func TestMaskedVIDs(t *testing.T) {
	for vid, want := range map[string]string{
		"4000000001001938": "••••••1938", "": "••••••", "1234567": "••••••", "12345678": "••••••5678", "ÄÖÜäöüßñ": "••••••öüßñ",
	} {
		if got := seeding.MaskVID(vid); got != want {
			t.Errorf("%s: %s, want %s", vid, got, want)
		}
	}
}
