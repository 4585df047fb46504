package seeding

import (
	"slices"
	"strings"
	"unicode"
)

// TokenAlphabet is which characters a token consists of.
type TokenAlphabet string

const (
	DigitsOnly TokenAlphabet = "digits"    // 0 to 9, as MOSIP makes them
	Base64URL  TokenAlphabet = "base64url" // letters, digits, - and _, as the mock of MTS makes them (facts/mts.md 7)
)

// TokenAlphabets are all alphabets.
var TokenAlphabets = []TokenAlphabet{DigitsOnly, Base64URL}

// TokenShape is what every token looks like. Anything else is no token: it is
// never written, and nobody loses a VID for it. The zero shape is MOSIP's.
type TokenShape struct {
	Alphabet TokenAlphabet
	Shortest int // characters
	Longest  int
}

// MOSIPTokens is the shape of MOSIP's tokens: decimal digits; 36 were measured
// (facts/mts.md 9). All are longer than a VID or a UIN, of which an MTS that
// sends back what it got would make a token.
var MOSIPTokens = TokenShape{Alphabet: DigitsOnly, Shortest: 25, Longest: 64}

// Limits of a configured shape, in characters. Digits of a VID (16) are never a
// token, and Odoo shortens values of more than 100 (facts/odoo.md A2).
const (
	LeastToken = 17
	MostToken  = 100
)

// OrMOSIP is the shape, or MOSIP's if it is zero: of a configuration that was made
// before there was such a setting.
func (s TokenShape) OrMOSIP() TokenShape {
	if s == (TokenShape{}) {
		return MOSIPTokens
	}
	return s
}

// Fits reports whether a token, as CleanToken returns it, has the shape.
func (s TokenShape) Fits(token string) bool {
	s = s.OrMOSIP()
	allowed := func(r rune) bool {
		switch {
		case '0' <= r && r <= '9':
			return true
		case s.Alphabet == Base64URL:
			return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-' || r == '_'
		}
		return false
	}
	return len(token) >= s.Shortest && len(token) <= s.Longest &&
		!strings.ContainsFunc(token, func(r rune) bool { return !allowed(r) })
}

// Limits of what is taken for made. By chance fewer than one in a hundred million
// tokens of MOSIP's shape would be: they are random digits.
const (
	leastRun     = 12 // digits of a VID in a row
	leastRepeats = 3
)

// IsMade reports whether a token was made without an identity system: of the VID that
// was sent, whole or twelve digits of it in a row, anywhere in the token; or of a few
// characters again and again ("000…", "012345678901…"). vid may be empty. What an MTS makes up with
// more effort cannot be told from a token. A token and a VID are as CleanToken and
// CleanVID return them.
func IsMade(token, vid string) bool {
	if len(token) < LeastToken {
		return false // it is judged by its shape
	}
	if isMadeOf(token, vid) {
		return true
	}
	for period := 1; leastRepeats*period <= len(token); period++ {
		if token[period:] == token[:len(token)-period] {
			return true
		}
	}
	return false
}

// leastVID is the length of MOSIP's shortest number of a person, a UIN of ten digits.
const leastVID = 10

// isMadeOf reports whether a token has a VID, or a large part of it, within.
func isMadeOf(token, vid string) bool {
	least := min(len(vid), leastRun)
	if least < leastVID {
		return false
	}
	for at := range len(vid) - least + 1 {
		if strings.Contains(token, vid[at:at+least]) {
			return true
		}
	}
	return false
}

// HeldCode is the code of a conflict with what a registrant holds of the token
// type if it is no token: CodeEmptyHeld or CodeNotToken; "" if all are tokens, or
// it holds nothing. What is made of its VID, as the registry has it, is none.
func (s TokenShape) HeldCode(held []Identifier, vid string) string {
	code := ""
	for _, i := range held {
		switch token := CleanToken(i.Value); {
		case token == "":
			return CodeEmptyHeld
		case !s.Fits(token) || isMadeOf(token, CleanVID(vid)):
			code = CodeNotToken
		}
	}
	return code
}

// CleanToken is a token without the spaces around it and without marks that
// nobody sees, with which one token would be taken for two.
func CleanToken(text string) string { return clean(text) }

// heldMarks are what is met around a token that was copied or imported: a space, a
// hard one, a byte order mark, a zero width space.
var heldMarks = []string{" ", "\u00a0", "\ufeff", "\u200b"}

// TokenSpellings are how a registry often holds a token: as it is, or with one of the
// usual marks before or behind it, all of which CleanToken takes away. A registry is
// asked for each of them. Whatever else CleanToken takes away it finds by the length
// of what is held (Registry.TokenHolders), up to a number of values.
func TokenSpellings(token string) []string {
	list := []string{token}
	for _, mark := range heldMarks {
		list = append(list, mark+token, token+mark)
	}
	return list
}

// FirstHolders are, by token, the identifiers that hold it and were made first: Odoo
// counts identifiers as they are made.
type FirstHolders map[string]Identifier

// FirstHoldersOf are those of identifiers of the token type.
func FirstHoldersOf(held []Identifier) FirstHolders {
	first := FirstHolders{}
	for _, i := range held {
		token := CleanToken(i.Value)
		if before, known := first[token]; token != "" && (!known || i.ID < before.ID) {
			first[token] = i
		}
	}
	return first
}

// Before returns another registrant who held a token of these first; 0 if nobody did.
// Of registrants with one token all but the first are duplicates.
func (f FirstHolders) Before(own []Identifier) int64 {
	for _, i := range own {
		first, known := f[CleanToken(i.Value)]
		if known && first.Registrant != i.Registrant && first.ID < i.ID {
			return first.Registrant
		}
	}
	return 0
}

// TokensOf are the tokens that identifiers of the token type hold, each once, sorted.
func TokensOf(held []Identifier) (tokens []string) {
	for _, i := range held {
		if token := CleanToken(i.Value); token != "" {
			tokens = append(tokens, token)
		}
	}
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// CleanVID is a VID without the same. If nothing but digits is left without spaces,
// hyphens and apostrophes between them, as people group them and spreadsheets mark
// them, it is these, in the digits 0 to 9. It is what is mapped, sent and covered by
// the MAC: MOSIP refuses a VID with anything else.
func CleanVID(text string) string {
	text = clean(text)
	var digits strings.Builder
	for _, r := range text {
		switch digit, isDigit := digitOf(r); {
		case isDigit:
			digits.WriteByte(digit)
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == '\u2212', r == '\'', r == '\u2019':
		default:
			return text
		}
	}
	if digits.Len() == 0 {
		return text
	}
	return digits.String()
}

// digitOf is a decimal digit of any script as one of 0 to 9. Unicode has the ten of a
// script in their order, from zero on.
func digitOf(r rune) (digit byte, isDigit bool) {
	if !unicode.IsDigit(r) {
		return 0, false
	}
	var before rune
	for unicode.IsDigit(r - before - 1) {
		before++
	}
	return "0123456789"[before%10], true
}

func clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, text))
}

// invisible reports whether a character leaves no mark and is no space: zero
// width, direction, joiners, variation selectors, fillers, controls.
func invisible(r rune) bool {
	return !unicode.IsSpace(r) && unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
