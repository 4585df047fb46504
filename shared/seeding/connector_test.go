package seeding_test

import (
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestKeysOfOneServerAreOne(t *testing.T) {
	same := [][2]string{{"http://Odoo.example/", "http://odoo.example:80"}, {"https://o.example", "https://o.example:443/"}}
	for _, pair := range same {
		if seeding.RegistryKey(pair[0], "g2p") != seeding.RegistryKey(pair[1], "g2p") || seeding.MTSKey(pair[0]) != seeding.MTSKey(pair[1]) {
			t.Errorf("%v differ", pair)
		}
	}
	if seeding.RegistryKey("http://a", "x") == seeding.RegistryKey("http://a", "y") || seeding.MTSKey("http://a/mts") == seeding.MTSKey("http://a") {
		t.Error("different servers are one")
	}
}

// The origin of an address is what a secret may be sent to.
func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://odoo.example/web?db=x":   "https://odoo.example:443",
		"HTTPS://Odoo.Example/":           "https://odoo.example:443",
		"http://odoo.example":             "http://odoo.example:80",
		"http://odoo.example:8069/a/b/":   "http://odoo.example:8069",
		"https://user@odoo.example:8443/": "https://odoo.example:8443",
		"odoo.example":                    "odoo.example",
		"":                                "",
		"http://[::1":                     "http://[::1",
	} {
		if got := seeding.Origin(address); got != want {
			t.Errorf("of %q %q, want %q", address, got, want)
		}
	}
	c := seeding.Connector{
		MTS:      seeding.MTSAccess{URL: "http://mts.example/a"},
		Registry: seeding.RegistryAccess{URL: "http://odoo.example", Database: "g2p"},
	}
	if c.RegistryKey() != seeding.RegistryKey("http://odoo.example", "g2p") || c.MTSKey() != seeding.MTSKey("http://mts.example/a") {
		t.Errorf("a connector's keys are %s and %s", c.RegistryKey(), c.MTSKey())
	}
}
