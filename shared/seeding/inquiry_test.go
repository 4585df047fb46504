package seeding_test

import (
	"errors"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Whose password opens the registry of an inquiry, and under which name.
func TestConfigurationOfAnInquiry(t *testing.T) {
	stored := seeding.Connector{ID: "c", Version: 4, Name: "stored", Secrets: map[string]string{seeding.RegistryPassword: "v1"},
		Registry: seeding.RegistryAccess{URL: "https://registry.example", Username: "a"}}
	draft := func(url string) *seeding.Connector {
		return &seeding.Connector{Name: "draft", Registry: seeding.RegistryAccess{URL: url, Username: "b"}, Secrets: map[string]string{seeding.RegistryPassword: "smuggled"}}
	}
	for name, test := range map[string]struct {
		q       seeding.Inquiry
		stored  seeding.Connector
		source  seeding.PasswordSource
		id      string
		version string // of the password
	}{
		"stored":                    {seeding.Inquiry{ID: "i", Connector: "c"}, stored, seeding.PasswordStored, "c", "v1"},
		"the same registry":         {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("https://REGISTRY.example:443/")}, stored, seeding.PasswordStored, "c", "v1"},
		"another host":              {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("https://registry.example.org")}, stored, seeding.PasswordOfOther, "c", ""},
		"another tenant":            {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("https://registry.example/evil")}, stored, seeding.PasswordOfOther, "c", ""},
		"another port":              {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("https://registry.example:8443")}, stored, seeding.PasswordOfOther, "c", ""},
		"without TLS":               {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("http://registry.example")}, stored, seeding.PasswordOfOther, "c", ""},
		"no address":                {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("registry.example")}, stored, seeding.PasswordOfOther, "c", ""},
		"with a password":           {seeding.Inquiry{ID: "i", Connector: "c", Draft: draft("https://other.example"), Given: true}, stored, seeding.PasswordGiven, "c", ""},
		"a new one":                 {seeding.Inquiry{ID: "i", Draft: draft("https://registry.example")}, seeding.Connector{}, seeding.PasswordMissing, "i", ""},
		"a new one with a password": {seeding.Inquiry{ID: "i", Draft: draft("https://registry.example"), Given: true}, seeding.Connector{}, seeding.PasswordGiven, "i", ""},
	} {
		c, source := test.q.About(test.stored)
		if source != test.source || c.ID != test.id || c.Secrets[seeding.RegistryPassword] != test.version {
			t.Errorf("%s: %s, %+v", name, source, c)
		}
		if line, tried := source.Line(nil); tried != (source == seeding.PasswordStored || source == seeding.PasswordGiven) || !tried && (line.Text == "" || line.Result != seeding.LineNotTried) {
			t.Errorf("%s: tried %t, %+v", name, tried, line)
		}
	}
	if line, tried := seeding.PasswordStored.Line(errors.New("secrets manager: hunter2")); tried || line.Result != seeding.LineFailure || line.Text == "" {
		t.Errorf("%t, %+v", tried, line)
	}
}
