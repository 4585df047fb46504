package seeding

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Connector is what a user configures: where registrants are, how they are
// mapped, which MTS makes their tokens, when, and what becomes of them. Secrets
// are not part of it, only the versions under which Secrets Manager holds them.
//
// This is the type of the rules. The document of the API and the stored one are
// types of their own.
type Connector struct {
	ID      string
	Version int // grows by one with every replacement
	Name    string

	MTS      MTSAccess
	Registry RegistryAccess
	Source   RegistrySource
	Delivery Delivery
	Schedule Schedule
	Output   Output

	// Secrets maps the name of a secret field to the version that this
	// configuration uses.
	Secrets map[string]string

	Created time.Time
	Updated time.Time
}

// MTSAccess is how MTS is reached and what is asked of it.
type MTSAccess struct {
	URL          string
	Language     string // of three letters, by which MOSIP reads names and addresses
	BatchMaximum int    // records in one request
}

// RegistryAccess is how the registry is reached that gets the tokens, and what
// its identifier types are called there.
type RegistryAccess struct {
	URL       string
	Database  string
	Username  string
	VIDType   string
	TokenType string
}

// RegistrySource takes registrants from the registry itself.
type RegistrySource struct {
	Domain    string   // the filter as Odoo reads it: a JSON array as text
	Fields    []string // that are read of each registrant
	Mapping   Mapping
	Mandatory []string // MTS's fields besides vid, which MTS always demands (facts/mts.md 2.4)
}

// Mapping says where in a registry record MTS's seven fields are found. Each
// text is a jq program behind a leading dot (facts/mts.md 2.3).
type Mapping struct {
	VID         string
	Name        []string
	Gender      string
	DOB         string
	PhoneNumber string
	EmailID     string
	FullAddress []string
}

// Delivery is how MTS hands over its answers: it calls our own address, with a
// capability for one batch.
type Delivery struct {
	TimeoutSeconds int // how long MTS waits for our reply
}

// Schedule says when a running connector begins its runs.
type Schedule struct {
	Interval time.Duration // from the start of one run to that of the next
}

// Output says what is written besides the tokens.
type Output struct {
	RemoveVIDs bool // also of registrants tokenised by somebody else
}

// RegistryKey identifies the registry of the connector; connectors with the
// same key share one patch lease and one set of rejections.
func (c Connector) RegistryKey() string { return RegistryKey(c.Registry.URL, c.Registry.Database) }

// MTSKey identifies the MTS of the connector: its normalised origin and path.
func (c Connector) MTSKey() string { return MTSKey(c.MTS.URL) }

// Names of the secret fields of a connector.
const (
	RegistryPassword = "registry-password"
)

// RegistryKey makes the key under which everything of one registry is kept from
// its address and database, however the address is written.
func RegistryKey(address, database string) string {
	sum := sha256.Sum256([]byte(normalAddress(address) + "\n" + database))
	return "r" + hex.EncodeToString(sum[:10])
}

// MTSKey makes the key of an MTS from its address. The path counts, because Helm
// publishes MTS behind a context path (facts/mts.md 1.0).
func MTSKey(address string) string {
	sum := sha256.Sum256([]byte(normalAddress(address)))
	return "m" + hex.EncodeToString(sum[:10])
}

// Origin is scheme, host and port of an address: the scheme and host in lower
// case, the default port named. What is no address is returned as it is.
func Origin(address string) string {
	origin, _ := split(address)
	return origin
}

// normalAddress makes equal what reaches the same server and path: the origin,
// and the path without a slash at its end.
func normalAddress(address string) string {
	origin, path := split(address)
	return origin + path
}

func split(address string) (origin, path string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address, ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return fmt.Sprintf("%s://%s:%s", scheme, host, port), strings.TrimRight(u.Path, "/")
}
