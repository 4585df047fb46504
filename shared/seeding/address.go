package seeding

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Address is the base address of a server, in the one form in which it is
// compared, stored and called. Two texts that lead to the same server and path
// give the same Address; a text that programs read in different ways gives none.
type Address struct {
	Scheme string // "http" or "https"
	Host   string // an ASCII name in small letters, or an IP address without brackets
	Port   string // from "1" to "65535", also if it is the default
	Path   string // "", or "/" and segments without a slash at the end
}

// AddressError says why a text is not the address of a server.
type AddressError struct {
	// Reason is for the user and continues "the address …". It holds nothing of
	// the text but the numbers of characters.
	Reason string
	// Host is a host that is not in ASCII; empty for other reasons. It may look
	// like another one, so show its punycode only.
	Host string
}

func (e *AddressError) Error() string { return "the address " + e.Reason }

func badAddress(reason string, args ...any) (Address, error) {
	return Address{}, &AddressError{Reason: fmt.Sprintf(reason, args...)}
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// ParseAddress reads an address such as https://server.example.org/path. Its
// error is an *AddressError.
func ParseAddress(text string) (Address, error) {
	scheme, rest, found := strings.Cut(text, "://")
	scheme = asciiLower(scheme)
	port, known := defaultPorts[scheme]
	if !found || !known {
		return badAddress("must be one such as https://server.example.org")
	}
	if i := strings.IndexFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }); i >= 0 {
		return badAddress("must not hold a space, a backslash or a control character")
	}
	if strings.ContainsAny(rest, "?#") {
		return badAddress("must end before ? and #")
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], strings.TrimRight(rest[i:], "/")
	}
	if strings.Contains(authority, "@") {
		return badAddress("must not hold a user name or password")
	}
	name, given, bracketed, err := splitPort(authority)
	if err != nil {
		return Address{}, err
	}
	if given != "" {
		port = given
	}
	host, err := parseHost(name, bracketed)
	if err != nil {
		return Address{}, err
	}
	if reason := wrongPath(path); reason != "" {
		return badAddress("%s", reason)
	}
	return Address{Scheme: scheme, Host: host, Port: port, Path: path}, nil
}

// splitPort returns host and port of "host", "host:port", "[IPv6]" and
// "[IPv6]:port"; the port is empty if none is given.
func splitPort(authority string) (host, port string, bracketed bool, err error) {
	if inner, ok := strings.CutPrefix(authority, "["); ok {
		bracketed = true
		var after string
		if host, after, ok = strings.Cut(inner, "]"); !ok || after != "" && after[0] != ':' {
			_, err = badAddress("must have an IPv6 address in [ ]")
			return "", "", true, err
		}
		authority = after
	}
	name, port, hasPort := strings.Cut(authority, ":")
	if !bracketed {
		host = name
	}
	if strings.Contains(port, ":") {
		_, err = badAddress("must have an IPv6 address in [ ]")
		return "", "", bracketed, err
	}
	if n, wrong := strconv.ParseUint(port, 10, 16); hasPort && (wrong != nil || n == 0 || port[0] == '0') {
		_, err = badAddress("has a port that is not a number from 1 to 65535")
		return "", "", bracketed, err
	}
	return host, port, bracketed, nil
}

func parseHost(host string, bracketed bool) (string, error) {
	wrong := func(reason string, args ...any) (string, error) {
		_, err := badAddress(reason, args...)
		return "", err
	}
	switch i := strings.IndexFunc(host, isNotASCII); {
	case host == "":
		return wrong("must be one such as https://server.example.org")
	case strings.Contains(host, "%"):
		return wrong("must have a host without %%")
	case i >= 0:
		character, _ := utf8.DecodeRuneInString(host[i:])
		return "", &AddressError{Reason: fmt.Sprintf("has a host that is not in ASCII (%U)", character), Host: host}
	case bracketed:
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() {
			return wrong("has something in [ ] that is not an IPv6 address")
		}
		return ip.Unmap().String(), nil
	case len(host) > 253:
		return wrong("has a host of more than 253 characters")
	}
	labels := strings.Split(asciiLower(host), ".")
	if isNumeric(labels[len(labels)-1]) {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is4() {
			return wrong("has a host that is a number: an IPv4 address has four decimal numbers from 0 to 255, without zeros before them")
		}
		return ip.String(), nil
	}
	for _, label := range labels {
		switch {
		case label == "":
			return wrong("has a host that begins or ends with a dot, or has two dots in a row")
		case len(label) > 63:
			return wrong("has a host with more than 63 characters between dots")
		case label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notInHost):
			return wrong("has a host with other characters than letters, digits, dots and inner hyphens")
		}
	}
	return strings.Join(labels, "."), nil
}

// isNumeric reports whether a program may take a host with this last label for
// an IPv4 address, in decimal, octal or hexadecimal form.
func isNumeric(label string) bool {
	hex, isHex := strings.CutPrefix(label, "0x")
	if isHex {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// notInHost accepts "_" too, which names in private networks have.
func notInHost(r rune) bool {
	return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
}

// wrongPath refuses what a server or a proxy may rewrite, so that one path has
// one form.
func wrongPath(path string) string {
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch i := strings.IndexFunc(segment, notInPath); {
		case path != "" && segment == "":
			return "must not have two slashes in a row in its path"
		case segment == "." || segment == "..":
			return "must not have . or .. in its path"
		case i >= 0:
			character, _ := utf8.DecodeRuneInString(segment[i:])
			if unicode.IsGraphic(character) && character < utf8.RuneSelf {
				return fmt.Sprintf("must not have %c in its path", character)
			}
			return fmt.Sprintf("must not have the character %U in its path", character)
		}
	}
	return ""
}

func notInPath(r rune) bool {
	return r != '.' && r != '~' && (r < 'A' || r > 'Z') && notInHost(r)
}

func isNotASCII(r rune) bool { return r >= utf8.RuneSelf }

// asciiLower changes ASCII letters only. Elsewhere two different letters may
// have one small letter: that of U+0130 is "i".
func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// Origin is scheme, host and port.
func (a Address) Origin() string { return a.Scheme + "://" + a.Host + ":" + a.Port }

// Origin is the origin of an address in whatever form. A text that is no address
// is returned as it is.
func Origin(text string) string {
	address, err := ParseAddress(text)
	if err != nil {
		return text
	}
	return address.Origin()
}

// String is the address as it is stored and called, without the default port.
func (a Address) String() string {
	host := a.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.Port != defaultPorts[a.Scheme] {
		host += ":" + a.Port
	}
	return a.Scheme + "://" + host + a.Path
}
