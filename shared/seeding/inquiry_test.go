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
		var given map[string]string
		if test.q.Given {
			given = map[string]string{seeding.RegistryPassword: "new"}
		}
		c, passwords := test.q.About(test.stored, given)
		source := passwords.Registry
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

// The password of ODK Central goes to nobody but whom it was stored for: the account at
// this Central, and the MTS that signs in with it.
func TestPasswordOfODKInAnInquiry(t *testing.T) {
	of := func(base, email, mts string) seeding.Connector {
		return seeding.Connector{MTS: seeding.MTSAccess{URL: mts}, ODK: seeding.ODKSource{BaseURL: base, Email: email}}
	}
	const central, email, mts = "https://central.example", "a@example.org", "https://mts.example/mts"
	stored := of(central, email, mts)
	stored.ID, stored.Secrets = "c", map[string]string{seeding.ODKPassword: "v2"}
	given := map[string]string{seeding.ODKPassword: "new"}
	for name, test := range map[string]struct {
		draft  seeding.Connector
		given  map[string]string
		source seeding.PasswordSource
	}{
		"the same":           {of("https://CENTRAL.example:443/", email, mts+"/"), nil, seeding.PasswordStored},
		"another Central":    {of("https://evil.example", email, mts), nil, seeding.PasswordOfOther},
		"another path":       {of(central+"/x", email, mts), nil, seeding.PasswordOfOther},
		"another account":    {of(central, "b@example.org", mts), nil, seeding.PasswordOfOther},
		"another MTS":        {of(central, email, "https://mts.example/other"), nil, seeding.PasswordOfOther},
		"no address":         {of("", email, mts), nil, seeding.PasswordOfOther},
		"with a password":    {of("https://evil.example", email, mts), given, seeding.PasswordGiven},
		"that of another":    {of(central, email, mts), map[string]string{seeding.RegistryPassword: "x"}, seeding.PasswordStored},
		"given but the same": {of(central, email, mts), given, seeding.PasswordGiven},
	} {
		q := seeding.Inquiry{ID: "i", Connector: "c", Draft: &test.draft, Given: test.given != nil}
		c, passwords := q.About(stored, test.given)
		want := ""
		if test.source == seeding.PasswordStored {
			want = "v2"
		}
		if passwords.ODK != test.source || c.Secrets[seeding.ODKPassword] != want {
			t.Errorf("%s: %+v, %v", name, passwords, c.Secrets)
		}
		if line, tried := passwords.ODK.ODKLine(nil); tried != (test.source == seeding.PasswordStored || test.source == seeding.PasswordGiven) || !tried && (line.Text == "" || line.Result != seeding.LineNotTried) {
			t.Errorf("%s: tried %t, %+v", name, tried, line)
		}
	}
	if _, passwords := (seeding.Inquiry{Draft: &seeding.Connector{}}).About(seeding.Connector{}, nil); passwords.ODK != seeding.PasswordMissing {
		t.Errorf("%+v", passwords)
	}
}
