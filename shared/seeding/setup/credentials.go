package setup

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkCredentials finds what nobody sees in a user name or a secret: as a rule it was
// copied with them. A password may truly begin with a space, so all of it can be saved.
// Of headers it is looked for within HTTP Basic: in others it is refused.
func checkCredentials(p Proposal) (doubtful []Finding) {
	const part = ". It is a part of the secret. If it was copied with it, enter the secret by hand"
	callback := p.Callback
	if callback.URL == "" { // then none of it is stored
		callback = Callback{}
	}
	for _, c := range []struct {
		field       Field
		value, text string // what to do, behind what was found
	}{
		{RegistryUsername, p.Connector.Registry.Username, ". If it was copied with the name, enter the name by hand"},
		{RegistryPassword, p.Password, ". It is a part of the password, unless this is an API key. If it was copied with the password, enter the password by hand"},
		{ODKEmail, p.Connector.ODK.Email, ". If it was copied with the address, enter the address by hand"},
		{ODKPassword, p.ODKPassword, part},
		{CallbackUsername, callback.Username, ". If it was copied with the name, enter the name by hand"},
		{CallbackDatabase, callback.Database, ". If it was copied with the name, enter the name by hand"},
		{CallbackClientID, callback.ClientID, ". If it was copied with the id, enter the id by hand"},
		{CallbackPassword, callback.Password, part},
		{CallbackClientSecret, callback.ClientSecret, part},
		{CallbackToken, callback.Token, part},
	} {
		if seen, what := unseen(c.value); seen != "" && p.readable(c.field) {
			doubtful = append(doubtful, find(c.field, "unseen", seen+c.text, "what", what))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(callback.Headers)) {
		if seen, what := unseen(basic(callback.Headers[name])); seen != "" && headerName.MatchString(name) && p.readable(CallbackHeaders) {
			doubtful = append(doubtful, find(headerField(name), "unseen", "holds user and password of HTTP Basic in base64; what it holds "+seen+
				". Make it without: printf %s user:password | base64 | tr -d '\\n'", "what", what))
		}
	}
	return doubtful
}

// basic is what a value of HTTP Basic holds, "" for another value.
func basic(value string) string {
	scheme, encoded, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "basic") {
		return ""
	}
	held, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return ""
	}
	return string(held)
}

// unseen says what of a text nobody sees, in words and in one; "" if there is nothing.
func unseen(text string) (words, what string) {
	within := strings.TrimSpace(text)
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return "has a line break", "line_break"
	case seeding.CleanToken(within) != within:
		return "has a character that nobody sees", "character"
	case !strings.HasPrefix(text, within):
		return "begins with a space", "space_before"
	case within != text:
		return "ends with a space", "space_after"
	}
	return "", ""
}
