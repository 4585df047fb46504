package seeding_test

import (
	"slices"
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

// A broken MTS, a test system or a proxy makes what has the shape of a token of what
// it was sent, or of nothing.
func TestTokenMadeOfTheVIDOrOfAPatternIsNone(t *testing.T) {
	const vid, uin, token = "5029384756102938", "4829103756", "903348127755019284736152098376415520"
	zeros := func(n int) string { return strings.Repeat("0", n) }
	for name, c := range map[string]struct {
		token, vid string
		want       bool
	}{
		"the VID twice":                       {vid + vid, vid, true},
		"the VID between zeros":               {zeros(10) + vid + zeros(10), vid, true},
		"the VID and zeros":                   {vid + zeros(20), vid, true},
		"zeros and the VID":                   {zeros(20) + vid, vid, true},
		"the VID among other digits":          {token[:7] + vid + token[7:20], vid, true},
		"the VID without its last digits":     {token[:15] + vid[:12] + token[:9], vid, true},
		"the VID without its first digits":    {vid[4:] + token[:24], vid, true},
		"a UIN and other digits":              {token[:13] + uin + token[:13], uin, true},
		"one digit":                           {strings.Repeat("7", 36), "", true},
		"two digits in turn":                  {strings.Repeat("42", 18), "", true},
		"the digits in their order":           {"012345678901234567890123456789012345", "", true},
		"one letter":                          {strings.Repeat("A", 43), "", true},
		"random digits":                       {token, vid, false},
		"random digits, the VID not known":    {token, "", false},
		"random letters":                      {"Ym5GGleokCv3PQdcUz6PR-8BktVdmr9ZTFkwoZpU6Z4", vid, false},
		"a few digits of the VID":             {token[:20] + vid[:9] + token[:7], vid, false},
		"a short number of another kind":      {token, token[:8], false},
		"random digits that begin with zeros": {zeros(5) + token[:31], vid, false},
		"the shortest token":                  {"00" + token[:15], vid, false},
	} {
		if got := seeding.IsMade(c.token, c.vid); got != c.want {
			t.Errorf("%s: %v", name, got)
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

// VIDs are entered as people write and spreadsheets keep them.
func TestVIDIsItsDigits(t *testing.T) {
	const vid = "5029384756102938"
	for name, text := range map[string]string{
		"as it is": vid, "in groups": "5029 3847 5610 2938", "with hard spaces": "5029\u00a03847\u00a05610\u00a02938",
		"with a thin space": "50293847\u200956102938", "with hyphens": "5029-3847-5610-2938", "with other hyphens": "5029\u20113847\u20135610\u22122938",
		"a mark within": "5029\u200b384756102938", "spaces around": "\t 5029384756102938\r\n", "an apostrophe before": "'5029384756102938",
		"wide digits": "５０２９３８４７５６１０２９３８", "Arabic digits": "٥٠٢٩٣٨٤٧٥٦١٠٢٩٣٨", "Bengali digits": "৫০২৯৩৮৪৭৫৬১০২৯৩৮",
	} {
		if got := seeding.CleanVID(text); got != vid {
			t.Errorf("%s: %q", name, got)
		}
	}
	for text, want := range map[string]string{" ": "", "-": "-", "12 34x": "12 34x", "vid-1": "vid-1", "5029.3847": "5029.3847", "+5029": "+5029", "": ""} {
		if got := seeding.CleanVID(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// A registrar may have entered the VID as a token, padded to its length.
func TestHeldNumberMadeOfTheVIDIsNoToken(t *testing.T) {
	const vid = "5029384756102938"
	for _, value := range []string{vid + vid, strings.Repeat("0", 20) + vid, "\u200b" + vid + strings.Repeat("0", 20) + " "} {
		if got := seeding.MOSIPTokens.HeldCode([]seeding.Identifier{{Value: value}}, vid+" "); got != seeding.CodeNotToken {
			t.Errorf("%q: %q", value, got)
		}
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
		if got := seeding.MOSIPTokens.HeldCode(held, ""); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Of registrants with one token the first to hold it has it, whatever their numbers.
func TestFirstHolders(t *testing.T) {
	id := func(id, registrant int64, value string) seeding.Identifier {
		return seeding.Identifier{ID: id, Registrant: registrant, Value: value}
	}
	first := seeding.FirstHoldersOf([]seeding.Identifier{id(9, 1, "A"), id(5, 3, "A "), id(7, 2, "A\u200b"), id(6, 2, "B"), id(4, 8, ""), id(8, 9, "")})
	for _, c := range []struct {
		name string
		own  []seeding.Identifier
		want int64
	}{
		{"the first", []seeding.Identifier{id(5, 3, "A ")}, 0},
		{"a later one", []seeding.Identifier{id(9, 1, "A")}, 3},
		{"a later one, with marks", []seeding.Identifier{id(7, 2, "A\u200b")}, 3},
		{"two tokens, one of them held before", []seeding.Identifier{id(6, 2, "B"), id(7, 2, "A")}, 3},
		{"two of its own", []seeding.Identifier{id(5, 3, "A "), id(10, 3, "A")}, 0},
		{"nothing in it", []seeding.Identifier{id(8, 9, "")}, 0},
		{"not looked for", []seeding.Identifier{id(11, 4, "C")}, 0},
		{"nothing held", nil, 0},
	} {
		if got := first.Before(c.own); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := seeding.FirstHolders(nil).Before([]seeding.Identifier{id(1, 1, "A")}); got != 0 {
		t.Errorf("nobody looked: %d", got)
	}
	if got := seeding.TokensOf([]seeding.Identifier{id(1, 1, " B"), id(2, 2, "A"), id(3, 3, "B"), id(4, 4, "\u200b")}); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("%q", got)
	}
}
