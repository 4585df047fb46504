package seeding_test

import (
	"errors"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Every form of an address is the one that is called.
func TestAddressHasOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"https://odoo.example":                     "https://odoo.example",
		"HTTPS://Odoo.Example:443/":                "https://odoo.example",
		"http://odoo.example:80":                   "http://odoo.example",
		"http://odoo.example:443":                  "http://odoo.example:443",
		"https://odoo.example:8443/a/B//":          "https://odoo.example:8443/a/B",
		"https://o-1.my_host":                      "https://o-1.my_host",
		"https://XN--MNCHEN-3YA.example":           "https://xn--mnchen-3ya.example",
		"http://localhost:8069":                    "http://localhost:8069",
		"http://10.0.0.7/v1.1/mosip~token_seeder/": "http://10.0.0.7/v1.1/mosip~token_seeder",
		"http://[::1]:8069":                        "http://[::1]:8069",
		"http://[0:0:0:0:0:0:0:1]/a":               "http://[::1]/a",
		"http://[FD12::A]":                         "http://[fd12::a]",
		"http://[::ffff:10.0.0.1]:80":              "http://10.0.0.1",
		"http://1.2.3.4.example":                   "http://1.2.3.4.example",
	} {
		address, err := seeding.ParseAddress(text)
		if err != nil || address.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, address, err, want)
			continue
		}
		if again, err := seeding.ParseAddress(want); err != nil || again != address {
			t.Errorf("%q read again: %+v, %v", want, again, err)
		}
	}
}

// What programs read in different ways is refused, with the reason.
func TestAmbiguousAddressIsRefused(t *testing.T) {
	for text, reason := range map[string]string{
		"":                                            "such as",
		"odoo.example":                                "such as",
		"//odoo.example":                              "such as",
		"https:odoo.example":                          "such as",
		"https:/odoo.example":                         "such as",
		"ftp://odoo.example":                          "such as",
		"https://":                                    "such as",
		"https:///web":                                "such as",
		"https://:443":                                "such as",
		"\u200bhttps://odoo.example":                  "such as",
		"https\uff1a//odoo.example":                   "such as",
		"https://user@odoo.example":                   "user name or password",
		"https://a:b@odoo.example":                    "user name or password",
		"https://odoo.example@evil.example":           "user name or password",
		"https://odoo.example?db=x":                   "before ? and #",
		"https://odoo.example/?":                      "before ? and #",
		"https://odoo.example/#":                      "before ? and #",
		"https://evil.example#@odoo.example":          "before ? and #",
		`https://evil.example\.odoo.example`:          "backslash",
		`https://evil.example\@odoo.example`:          "backslash",
		"https://odoo.example/a b":                    "space",
		"https://odoo\t.example":                      "control",
		"https://odoo.example/\n":                     "control",
		"https://odoo.example/\x7f":                   "control",
		"https://odoo%2eexample":                      "%",
		"https://%6fdoo.example":                      "%",
		"https://reg\u0130stry.example":               "U+0130",
		"https://odoo\u200b.example":                  "U+200B",
		"https://odoo\u202e.example":                  "U+202E",
		"https://odoo\u3002example":                   "U+3002",
		"https://\uff4fdoo.example":                   "U+FF4F",
		"https://odoo.example\u2044a":                 "U+2044",
		"https://\xff.example":                        "U+FFFD",
		"https://odoo.example.":                       "dot",
		"https://.odoo.example":                       "dot",
		"https://odoo..example":                       "dot",
		"https://-odoo.example":                       "hyphens",
		"https://odoo-.example":                       "hyphens",
		"https://odoo,x.example":                      "hyphens",
		"https://odoo.example;x":                      "hyphens",
		"https://" + strings.Repeat("a", 64):          "63",
		"https://" + strings.Repeat("a.", 127) + "aa": "253",
		"http://127.1":                                "number",
		"http://2130706433":                           "number",
		"http://0177.0.0.1":                           "number",
		"http://0x7f000001":                           "number",
		"http://0x7f.0.0.0x1":                         "number",
		"http://0x":                                   "number",
		"http://010.0.0.1":                            "number",
		"http://1.2.3":                                "number",
		"http://1.2.3.4.5":                            "number",
		"http://256.1.1.1":                            "number",
		"http://a.0x10":                               "number",
		"http://::1":                                  "[ ]",
		"http://::1:80":                               "[ ]",
		"http://[::1":                                 "[ ]",
		"http://[::1]8069":                            "[ ]",
		"http://[1.2.3.4]":                            "not an IPv6",
		"http://[odoo.example]":                       "not an IPv6",
		"http://[fe80::1%eth0]":                       "%",
		"http://[fe80::1%25eth0]":                     "%",
		"http://odoo.example:":                        "port",
		"http://odoo.example:0":                       "port",
		"http://odoo.example:00080":                   "port",
		"http://odoo.example:+80":                     "port",
		"http://odoo.example:65536":                   "port",
		"http://odoo.example:80a":                     "port",
		"http://odoo.example:-1":                      "port",
		"https://odoo.example//a":                     "slashes",
		"https://odoo.example/a//b":                   "slashes",
		"https://odoo.example/a/../b":                 ". or ..",
		"https://odoo.example/.":                      ". or ..",
		"https://odoo.example/%2e%2e":                 "%",
		"https://odoo.example/a;b":                    ";",
		"https://odoo.example/\u202ebew":              "U+202E",
		"https://odoo.example/espa\u00f1":             "U+00F1",
	} {
		address, err := seeding.ParseAddress(text)
		wrong, ok := errors.AsType[*seeding.AddressError](err)
		if !ok || !strings.Contains(wrong.Reason, reason) || address != (seeding.Address{}) {
			t.Errorf("%q: %+v, %v; want %q", text, address, err, reason)
			continue
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r > '~' || r < ' ' }) {
			t.Errorf("%q: the error %q shows it", text, err)
		}
	}
}
