package seeding

import (
	"fmt"
	"strings"
)

// ParseCallURL reads the address of a call, which may have a query and end in a
// slash: MTS calls it as it is written (facts/mts.md 3.3). It returns the server that
// is called, and the one form in which the address is stored. Its error is an
// *AddressError.
func ParseCallURL(text string) (server Address, form string, err error) {
	base, query, hasQuery := strings.Cut(text, "?")
	server, err = ParseAddress(base)
	if err != nil {
		return Address{}, "", err
	}
	form = server.String()
	if strings.HasSuffix(base, "/") {
		form += "/"
	}
	if !hasQuery {
		return server, form, nil
	}
	for _, r := range query {
		if !inQuery(r) {
			_, err := badAddress("must not have the character %U in its query; write it as %%XX", r)
			return Address{}, "", err
		}
	}
	for rest := query; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			break
		}
		if len(after) < 2 || strings.Trim(after[:2], "0123456789abcdefABCDEF") != "" {
			_, err := badAddress("has a %% in its query that two hexadecimal digits must follow")
			return Address{}, "", err
		}
		rest = after[2:]
	}
	return server, fmt.Sprintf("%s?%s", form, query), nil
}

// inQuery accepts what a query may hold as it is (RFC 3986, 3.4).
func inQuery(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~!$&'()*+,;=:@/?%", r)
}

// CallOrigin is the origin of the address of a call. A text that is none is returned
// as it is.
func CallOrigin(text string) string {
	server, _, err := ParseCallURL(text)
	if err != nil {
		return text
	}
	return server.Origin()
}
