package seeding

import "testing"

func TestCallURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://Registry.example.org/api/v1/registry/individual/":                               "https://registry.example.org/api/v1/registry/individual/",
		"https://registry.example.org/api/v1/registry/individual":                                "https://registry.example.org/api/v1/registry/individual",
		"https://registry.example.org:443/api/v1/registry/update_individual?id_type=MOSIP%20VID": "https://registry.example.org/api/v1/registry/update_individual?id_type=MOSIP%20VID",
		"http://10.0.0.1:8069/a/?b=c&d":                                                          "http://10.0.0.1:8069/a/?b=c&d",
		"https://registry.example.org":                                                           "https://registry.example.org",
		"https://registry.example.org/":                                                          "https://registry.example.org/",
		"https://registry.example.org/a?":                                                        "https://registry.example.org/a?",
	} {
		if _, form, err := ParseCallURL(text); err != nil || form != want {
			t.Errorf("%s: %q, %v", text, form, err)
		}
		if _, again, err := ParseCallURL(want); err != nil || again != want {
			t.Errorf("%s is read as %q, %v", want, again, err)
		}
	}
	for _, text := range []string{
		"", "registry.example.org", "ftp://registry.example.org", "https://user:pw@registry.example.org/", "https://registry.example.org/a#b",
		"https://registry.example.org/a?b#c", "https://registry.example.org/a?b c", "https://registry.example.org/a?b=\u00e9", "https://registry.example.org/a?b=%2",
		"https://registry.example.org/a?b=%zz", "https://registry.example.org/a/../b", "https://registry.example.org//a", "https://r\u00e9gistry.example.org/",
		"https://0x7f.1/", "https://registry.example.org/a?b=\"", "https://registry.example.org?a=\r\nX: y",
	} {
		if _, form, err := ParseCallURL(text); err == nil {
			t.Errorf("%q is taken as %s", text, form)
		}
	}
}
