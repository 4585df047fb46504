package seeding

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Status says whether a connector makes new batches.
type Status string

const (
	Running Status = "running"
	Stopped Status = "stopped"
)

// Connector is what a user configures: where registrants are, how they are
// mapped, which MTS makes their tokens. Secrets are not part of it, only the
// versions under which Secrets Manager holds them.
type Connector struct {
	ID      string `json:"id"`
	Version int    `json:"version"` // grows by one with every replacement

	Name            string   `json:"name"`
	MTSURL          string   `json:"mts_url"`
	InputType       string   `json:"input_type"`
	Mapping         Mapping  `json:"mapping"`
	OutputType      string   `json:"output_type"`
	OutputFormat    string   `json:"output_format"`
	DeliveryType    string   `json:"delivery_type"`
	JobType         string   `json:"job_type"`
	Language        string   `json:"language"`
	IntervalMinutes int      `json:"interval_minutes"`
	Domain          string   `json:"domain"` // the filter as Odoo reads it: a JSON array as text
	Fields          []string `json:"fields"`

	Callback Callback       `json:"callback"`
	Registry RegistryAccess `json:"registry"`

	MandatoryFields []string `json:"mandatory_fields"` // besides vid, which MTS always demands (facts/mts.md 2.4)
	BatchMaximum    int      `json:"batch_maximum"`
	RemoveVIDs      bool     `json:"remove_vids"` // also of registrants tokenised by somebody else

	// Secrets maps the name of a secret field to the version that this
	// configuration uses.
	Secrets map[string]string `json:"secrets"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Interval is the time from the start of one run to the next.
func (c Connector) Interval() time.Duration { return time.Duration(c.IntervalMinutes) * time.Minute }

// RegistryKey identifies the registry of the connector; connectors with the
// same key share one patch lease and one set of rejections.
func (c Connector) RegistryKey() string { return RegistryKey(c.Registry.URL, c.Registry.Database) }

// MTSKey identifies the MTS of the connector: its normalised origin and path.
func (c Connector) MTSKey() string { return MTSKey(c.MTSURL) }

// Mapping says where in a registry record MTS's seven fields are found. Each
// text is a jq program behind a leading dot (facts/mts.md 2.3).
type Mapping struct {
	VID         string   `json:"vid"`
	Name        []string `json:"name"`
	Gender      string   `json:"gender"`
	DOB         string   `json:"dob"`
	PhoneNumber string   `json:"phoneNumber"`
	EmailID     string   `json:"emailId"`
	FullAddress []string `json:"fullAddress"`
}

// Callback says where MTS delivers. An empty URL is the managed callback: our
// own address with a capability for one batch.
type Callback struct {
	URL            string `json:"url"`
	HTTPMethod     string `json:"http_method"`
	TimeoutSeconds int    `json:"timeout_seconds"`
	AuthType       string `json:"auth_type"`
	AuthDatabase   string `json:"auth_database"`
	AuthUsername   string `json:"auth_username"`
}

// RegistryAccess is how the registry is reached and what its identifier types
// are called there.
type RegistryAccess struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username"`
	VIDType   string `json:"vid_type"`
	TokenType string `json:"token_type"`
}

// Names of the secret fields of a connector.
const (
	RegistryPassword = "registry-password"
)

// State is what the functions share about a connector; it is apart from the
// configuration because a lease must not cost kilobytes.
type State struct {
	Connector string
	Registry  string // RegistryKey of the configuration
	MTS       string // MTSKey of the configuration
	Version   int    // of the configuration
	Status    Status
	Due       time.Time // when submit should look next
	Run       string    // the open run, or ""
	Moved     time.Time // when the open run last moved, or waited for what is under way
	Lease     Lease     // held by the submit invocation that works on it
	Problems  map[Source]Problem
	// Again is when somebody last said "try again" of the rejections of a kind;
	// the kind "" is all of them.
	Again map[RejectionKind]time.Time
}

// Wants tells whether the tick should wake submit for the connector: it is
// running, or it is stopped with a run that must still be ended.
func (s State) Wants(now time.Time) bool {
	return (s.Status == Running || s.Run != "") && !s.Due.After(now) && !s.Lease.Live(now)
}

// Lease is the right to work on something alone until a time. Fence grows with
// every taking, and every write made under a lease carries it, so a holder who
// was thought dead cannot write any more.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Live compares the time itself: expiry by DynamoDB's TTL comes days late
// (facts/aws.md 1).
func (l Lease) Live(now time.Time) bool { return l.Owner != "" && l.Until.After(now) }

// RegistryKey normalises origin and database to the key under which everything
// of one registry is kept.
func RegistryKey(address, database string) string {
	sum := sha256.Sum256([]byte(normalOrigin(address) + "\n" + database))
	return "r" + hex.EncodeToString(sum[:10])
}

// MTSKey normalises the address of an MTS; its path counts, because Helm
// publishes MTS behind a context path (facts/mts.md 1.0).
func MTSKey(address string) string {
	sum := sha256.Sum256([]byte(normalOrigin(address)))
	return "m" + hex.EncodeToString(sum[:10])
}

// normalOrigin makes equal what reaches the same server: scheme and host in
// lower case, the default port named, no trailing slash.
func normalOrigin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return fmt.Sprintf("%s://%s:%s%s", scheme, host, port, strings.TrimRight(u.Path, "/"))
}
