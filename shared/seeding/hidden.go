package seeding

import (
	"strings"
	"unicode"
)

// Namesakes is how many registrants that are marked as encrypted, with one and the
// same name, are no chance. A test registry may hold several people of one name.
const Namesakes = 10

// LeastAlike is how many registrants with this one name show that the registry
// hides names: fewer of one that is no name by its looks.
func LeastAlike(name string) int {
	if IsPlaceholder(name) {
		return 3
	}
	return Namesakes
}

// IsPlaceholder reports whether a text says that something is hidden, or has no
// letter and no digit ("****").
func IsPlaceholder(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "encrypt") || strings.Contains(name, "hidden") || strings.Contains(name, "redacted") ||
		strings.Contains(name, "confidential") || strings.Contains(name, "masked") ||
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
