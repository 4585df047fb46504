package odoo

import "testing"

// An API key is one whatever was copied with it.
func TestKeyIsFreedOfWhatWasCopiedWithIt(t *testing.T) {
	const key = "be0123456789abcdef0123456789abcdef012345"
	for _, text := range []string{key, key + "\n", "\ufeff" + key, key + "\u200b", "\u200e" + key + " ", "\u00a0" + key, `"` + key + `"`, "“" + key + "”",
		"Bearer " + key, "bearer: " + key, `"Bearer ` + key + `"`, key + ",", key[:20] + "\n" + key[20:]} {
		if got := apiKey(text); got != key {
			t.Errorf("%q: %q", text, got)
		}
	}
	for _, text := range []string{"", "Bearer", "Bearer ", "admin", key[1:], key + "0", "x" + key, "key " + key, "0123456789ABCDEF0123456789ABCDEF01234567"} {
		if got := apiKey(text); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
