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
