package seeding

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Connector is what a user configures: where registrants are, how they are
// mapped, which MTS makes their tokens, when, and what is written. It holds no
// secrets, only their versions in Secrets Manager.
//
// The document of the API and the stored document are types of their own.
type Connector struct {
	ID      string
	Version int // grows by one with every replacement
	Name    string

	MTS      MTSAccess
	Registry RegistryAccess
	Source   RegistrySource
	ODK      ODKSource // of a connector whose registrants come of submissions; the zero ODKSource for none
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
	Language     string // of names and addresses, in three letters
	BatchMaximum int    // records in one request
	WidthMaximum int    // batches of the connector under way at once
}

// RegistryAccess is how the registry is reached that gets the tokens, and the
// names of its identifier types.
type RegistryAccess struct {
	URL       string
	Database  string
	Username  string
	VIDType   string
	TokenType string
	// SubmissionType is the type under which a registrant keeps the id of the submission
	// that it came of, by which that is known to be done; "" of a connector without ODK.
	SubmissionType string
}

// RegistrySource takes registrants from the registry itself. Of a connector of ODK
// only Mapping and Mandatory count, for the fields of its form.
type RegistrySource struct {
	Domain    string   // Odoo's filter: a JSON array as text
	Fields    []string // to read of each registrant
	OneByOne  bool     // read each in a call of its own, because the registry decrypts only what is read alone
	Mapping   Mapping
	Mandatory []string // fields of MTS, without vid, which MTS always demands (facts/mts.md 2.4)
}

// Mapping finds MTS's seven fields in a registry record. Each text is a jq
// program without its leading dot (facts/mts.md 2.3).
type Mapping struct {
	VID         string
	Name        []string
	Gender      string
	DOB         string
	PhoneNumber string
	EmailID     string
	FullAddress []string
}

// Output is what is written into the registry.
type Output struct {
	// Format is the user's Output Format, a jq program; "" writes the token and
	// nothing else. Shape is what it gives, as far as could be told when it was saved.
	Format string
	Shape  OutputShape

	RemoveVIDs bool       // also of registrants tokenised by somebody else
	TokenShape TokenShape // of every token that is written, or that counts as one
}

// RegistryKey identifies the registry of the connector; connectors with the
// same key share one patch lease and one set of rejections.
func (c Connector) RegistryKey() string { return RegistryKey(c.Registry.URL, c.Registry.Database) }

// SameRegistry reports whether two accesses lead to one registry: the same scheme,
// host, port, path and database. What they may share is the password. A host alone
// may serve many registries by path, and a database may be another tenant's, who can
// have Odoo pass passwords on (auth_ldap). A text that is no address leads nowhere.
func (r RegistryAccess) SameRegistry(other RegistryAccess) bool {
	_, wrong := ParseAddress(r.URL)
	return wrong == nil && RegistryKey(r.URL, r.Database) == RegistryKey(other.URL, other.Database)
}

// MTSKey identifies the MTS of the connector: its origin and path.
func (c Connector) MTSKey() string { return MTSKey(c.MTS.URL) }

// Names of the secret fields of a connector.
const (
	RegistryPassword     = "registry-password"
	ODKPassword          = "odk-password"
	CallbackPassword     = "callback-password"
	CallbackClientSecret = "callback-client-secret"
	CallbackToken        = "callback-token"
	CallbackHeaders      = "callback-headers" // the values of extra headers, as a JSON object
)

// RegistryKey makes the key of a registry from its address, in whatever form,
// and its database.
func RegistryKey(address, database string) string {
	sum := sha256.Sum256([]byte(normalAddress(address) + "\n" + database))
	return "r" + hex.EncodeToString(sum[:10])
}

// MTSKey makes the key of an MTS from its address. The path is part of it,
// because Helm publishes MTS below a context path (facts/mts.md 1.0).
func MTSKey(address string) string {
	sum := sha256.Sum256([]byte(normalAddress(address)))
	return "m" + hex.EncodeToString(sum[:10])
}

// normalAddress is the same for all forms of an address. A text that is no
// address, which nobody calls, is returned as it is.
func normalAddress(text string) string {
	address, err := ParseAddress(text)
	if err != nil {
		return text
	}
	return address.Origin() + address.Path
}
