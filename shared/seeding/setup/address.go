package setup

import (
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Normalise brings addresses into one form: no slash at the end
// (facts/mts.md D23).
func Normalise(c seeding.Connector) seeding.Connector {
	c.MTS.URL = strings.TrimRight(c.MTS.URL, "/")
	c.Registry.URL = strings.TrimRight(c.Registry.URL, "/")
	return c
}

// SameHost compares scheme, host and port of two addresses, however they are
// written.
func SameHost(a, b string) bool { return seeding.Origin(a) == seeding.Origin(b) }
