package setup

import (
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkCredentials finds what nobody sees in a user name or a password: as a rule it
// was copied with them. A password may truly begin with a space, so all of it can be
// saved.
func checkCredentials(p Proposal) (doubtful []Finding) {
	if text := unseen(p.Connector.Registry.Username); text != "" && p.readable(RegistryUsername) {
		doubtful = append(doubtful, Finding{RegistryUsername, text + ". If it was copied with the name, enter the name by hand"})
	}
	if text := unseen(p.Password); text != "" && p.readable(RegistryPassword) {
		doubtful = append(doubtful, Finding{RegistryPassword, text + ". It is a part of the password, unless this is an API key. " +
			"If it was copied with the password, enter the password by hand"})
	}
	return doubtful
}

// unseen says what of a text nobody sees, "" if there is nothing.
func unseen(text string) string {
	within := strings.TrimSpace(text)
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return "has a line break"
	case seeding.CleanToken(within) != within:
		return "has a character that nobody sees"
	case !strings.HasPrefix(text, within):
		return "begins with a space"
	case within != text:
		return "ends with a space"
	}
	return ""
}
