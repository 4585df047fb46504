package seeding_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// What MOSIP makes is a token; what a broken or hostile MTS may send is none.
func TestShapeOfATokenIsDigitsUnlessConfigured(t *testing.T) {
	nines := func(n int) string { return strings.Repeat("9", n) }
	letters := seeding.TokenShape{Alphabet: seeding.Base64URL, Shortest: 43, Longest: 43}
	for _, c := range []struct {
		name  string
		shape seeding.TokenShape
		token string
		want  bool
	}{
		{"as measured", seeding.MOSIPTokens, nines(36), true},
		{"the shortest", seeding.MOSIPTokens, nines(25), true},
		{"the longest", seeding.MOSIPTokens, nines(64), true},
		{"the zero shape is MOSIP's", seeding.TokenShape{}, nines(36), true},
		{"nothing", seeding.MOSIPTokens, "", false},
		{"nothing, and the zero shape", seeding.TokenShape{}, "", false},
		{"a letter", seeding.MOSIPTokens, "a", false},
		{"a letter, and the zero shape", seeding.TokenShape{}, "a", false},
		{"the VID sent back", seeding.MOSIPTokens, nines(16), false},
		{"one too short", seeding.MOSIPTokens, nines(24), false},
		{"one too long", seeding.MOSIPTokens, nines(65), false},
		{"a letter among digits", seeding.MOSIPTokens, nines(20) + "a" + nines(15), false},
		{"a space among digits", seeding.MOSIPTokens, nines(20) + " " + nines(15), false},
		{"a sign", seeding.MOSIPTokens, "-" + nines(36), false},
		{"an exponent", seeding.MOSIPTokens, nines(30) + "e5", false},
		{"Arabic digits", seeding.MOSIPTokens, strings.Repeat("٩", 18), false},
		{"wide digits", seeding.MOSIPTokens, strings.Repeat("９", 12), false},
		{"no valid text", seeding.MOSIPTokens, nines(30) + "\xff", false},
		{"null as a text", seeding.MOSIPTokens, "null", false},
		{"letters where they are configured", letters, "Ym5GGleokCv3PQdcUz6PR-8BktVdmr9ZTFkwoZpU6Z4", true},
		{"padding where letters are configured", letters, "Ym5GGleokCv3PQdcUz6PR-8BktVdmr9ZTFkwoZpU6Z=", false},
		{"accents where letters are configured", letters, strings.Repeat("é", 43), false},
	} {
		if got := c.shape.Fits(c.token); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Spaces around a token and marks that nobody sees make no other token of it.
func TestTokenIsCleanedOfWhatNobodySees(t *testing.T) {
	token := strings.Repeat("1234", 9)
	for name, text := range map[string]string{
		"as it is":             token,
		"a space behind":       token + " ",
		"a line break behind":  token + "\r\n",
		"a hard space before":  "\u00a0" + token,
		"a wide space behind":  token + "\u3000",
		"a byte order mark":    "\ufeff" + token,
		"a zero width space":   token + "\u200b",
		"a mark of direction":  "\u200e" + token + "\u202c",
		"an isolate":           "\u2066" + token + "\u2069",
		"a word joiner within": token[:10] + "\u2060" + token[10:],
		"a soft hyphen within": token[:10] + "\u00ad" + token[10:],
		"a variation selector": token + "\ufe0f",
		"a filler":             token + "\u3164",
		"a grapheme joiner":    token + "\u034f",
		"a tag character":      token + "\U000e0041",
		"a null":               token + "\x00",
		"several, and a space": " \u200b" + token + "\u200b \u200d",
	} {
		if got := seeding.CleanToken(text); got != token {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, text := range map[string]string{"nothing": "", "spaces": " \t\n", "marks": "\u200b\ufeff", "both": " \u200b "} {
		if got := seeding.CleanToken(text); got != "" {
			t.Errorf("of %s is left %q", name, got)
		}
	}
	if got, want := seeding.CleanToken("12 34"), "12 34"; got != want {
		t.Errorf("a space within: %q", got)
	}
}

// Each spelling is one of the same token.
func TestSpellingsOfATokenAreTheToken(t *testing.T) {
	token := strings.Repeat("7", 36)
	seen := map[string]bool{}
	for _, spelling := range seeding.TokenSpellings(token) {
		if seeding.CleanToken(spelling) != token || seen[spelling] {
			t.Errorf("%q", spelling)
		}
		seen[spelling] = true
	}
	for _, want := range []string{token, token + " ", " " + token, token + "\u00a0", "\ufeff" + token, token + "\u200b"} {
		if !seen[want] {
			t.Errorf("%q is missing", want)
		}
	}
}

// What a registrant holds of the token type may be no token.
func TestCodeOfWhatIsHeld(t *testing.T) {
	token := strings.Repeat("7", 36)
	for _, c := range []struct {
		name string
		held []string
		want string
	}{
		{"nothing", nil, ""},
		{"a token", []string{token}, ""},
		{"a token with a space", []string{token + " "}, ""},
		{"two tokens", []string{token, strings.Repeat("8", 36)}, ""},
		{"no value", []string{""}, seeding.CodeEmptyHeld},
		{"a space", []string{" \u200b"}, seeding.CodeEmptyHeld},
		{"a word", []string{"pending"}, seeding.CodeNotToken},
		{"a VID", []string{strings.Repeat("7", 16)}, seeding.CodeNotToken},
		{"a word beside a token", []string{token, "pending"}, seeding.CodeNotToken},
		{"no value beside a word", []string{"pending", ""}, seeding.CodeEmptyHeld},
	} {
		var held []seeding.Identifier
		for _, value := range c.held {
			held = append(held, seeding.Identifier{Value: value})
		}
		if got := seeding.MOSIPTokens.HeldCode(held); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
