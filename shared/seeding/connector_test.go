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

// A stored text that is no address keeps a key of its own, so that what is
// stored under it is found.
func TestKeysOfWhatIsNoAddress(t *testing.T) {
	for _, text := range []string{"", "odoo.example", "https://regİstry.example", "https://registry.example."} {
		if seeding.RegistryKey(text, "g2p") == seeding.RegistryKey("https://registry.example", "g2p") || seeding.MTSKey(text) == seeding.MTSKey("https://registry.example") {
			t.Errorf("%q has the key of another server", text)
		}
	}
	c := seeding.Connector{
		MTS:      seeding.MTSAccess{URL: "http://mts.example/a"},
		Registry: seeding.RegistryAccess{URL: "http://odoo.example", Database: "g2p"},
	}
	if c.RegistryKey() != seeding.RegistryKey("http://odoo.example", "g2p") || c.MTSKey() != seeding.MTSKey("http://mts.example/a") {
		t.Errorf("a connector's keys are %s and %s", c.RegistryKey(), c.MTSKey())
	}
	// As releases before made them of addresses that are still accepted.
	if key := seeding.RegistryKey("https://Odoo.example/x/", "g2p"); key != "r045a7342051ea226aea7" {
		t.Errorf("the key of a registry changed to %s", key)
	}
	if key := seeding.MTSKey("http://mts.example:8080/mosiptokenseeder/"); key != "m9ae18471192a806845b4" {
		t.Errorf("the key of an MTS changed to %s", key)
	}
}

// A stored password may be sent to no other registry.
func TestSameRegistry(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://registry.example.org", "https://registry.example.org/", true},
		{"https://registry.example.org/odoo16", "HTTPS://REGISTRY.example.org:443/odoo16/", true},
		{"http://registry.example.org:80", "http://registry.example.org", true},
		{"https://[::1]:443", "https://[::1]", true},
		{"https://registry.example.org", "https://registry.example.org/evil/tenant", false},
		{"https://registry.example.org/a", "https://registry.example.org/A", false},
		{"https://registry.example.org", "http://registry.example.org", false},
		{"https://registry.example.org", "https://registry.example.org:8443", false},
		{"https://registry.example.org", "https://registry.example.org.evil.example", false},
		{"https://registry.example.org", "https://evil.example/registry.example.org", false},
		{"https://registry.ministry.example", "https://reg\u0130stry.ministry.example", false},
		{"https://registry.example.org", "https://registry.example.org.", false},
		{"https://registry.example.org", "https://registry.example.org\\@evil.example", false},
		{"https://registry.example.org", "", false},
		{"https://reg\u0130stry.example", "https://reg\u0130stry.example", false}, // nobody can call it
		{"", "", false},
	} {
		a, b := seeding.RegistryAccess{URL: c.a, Database: "g2p"}, seeding.RegistryAccess{URL: c.b, Database: "g2p"}
		if a.SameRegistry(b) != c.want || b.SameRegistry(a) != c.want {
			t.Errorf("%s, %s: want %t", c.a, c.b, c.want)
		}
		if b.Database = "g2p2"; a.SameRegistry(b) {
			t.Errorf("%s, %s: another database", c.a, c.b)
		}
	}
}
