package setup

import (
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Normalise removes slashes at the end of addresses (facts/mts.md D23).
func Normalise(c seeding.Connector) seeding.Connector {
	c.MTS.URL = strings.TrimRight(c.MTS.URL, "/")
	c.Registry.URL = strings.TrimRight(c.Registry.URL, "/")
	return c
}

// SameHost compares scheme, host and port of two addresses, in whatever form.
func SameHost(a, b string) bool { return seeding.Origin(a) == seeding.Origin(b) }
