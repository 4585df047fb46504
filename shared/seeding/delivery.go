package seeding

import (
	"encoding/json"
	"slices"
	"time"
)

// Delivery is how MTS delivers its answers: it calls our address, with a
// capability for one batch, or an address of the connector's own.
type Delivery struct {
	TimeoutSeconds int             // how long MTS waits for a reply to a callback
	Direct         *DirectDelivery // nil: MTS calls us
}

// DirectDelivery is a callback address of the connector's own: what MTS says
// arrives there, and not here. Its secrets are CallbackSecrets.
type DirectDelivery struct {
	URL     string // with path and query, as MTS calls it
	Method  string // one of CallbackMethods
	InBulk  bool   // one call with a list of all results, and not one for each record
	Headers []string
	Auth    DirectAuth
}

// CallbackMethods are the methods by which MTS may call.
var CallbackMethods = []string{"POST", "PUT", "GET", "PATCH"}

// DirectAuth is how MTS signs in at a direct callback address (facts/mts.md 3.2).
// Members that its type does not use are empty.
type DirectAuth struct {
	Type     AuthType
	URL      string // of the sign-in, or of the token endpoint
	Database string
	Username string
	ClientID string
}

// AuthType is MTS's word for a way to sign in.
type AuthType string

const (
	AuthNone         AuthType = "none"
	AuthOdoo         AuthType = "odoo"
	AuthOAuth        AuthType = "oauth"
	AuthStaticBearer AuthType = "staticBearer"
)

// CallbackSecrets are the secrets of a direct callback.
type CallbackSecrets struct {
	Password     string
	ClientSecret string
	Token        string
	Headers      map[string]string // values by the names of DirectDelivery.Headers
}

// EncodeHeaders is the secret CallbackHeaders.
func EncodeHeaders(headers map[string]string) string {
	encoded, err := json.Marshal(headers)
	if err != nil { // texts can always be encoded
		return ""
	}
	return string(encoded)
}

// DecodeHeaders is the inverse of EncodeHeaders; "" are none.
func DecodeHeaders(text string) (headers map[string]string, err error) {
	if text != "" && json.Unmarshal([]byte(text), &headers) != nil {
		return nil, ErrDamaged // the package's error would quote them
	}
	return headers, nil
}

// IsDirect reports whether MTS calls an address of the connector's own.
func (c Connector) IsDirect() bool { return c.Delivery.Direct != nil }

// EndsBatchesOf reports whether a change from a former configuration must wait until no
// batch is open: what they are answered with goes to the former registry, or, with the
// former callback, is written there by an Output Format that the new one has not. What
// is pulled from a form is matched with that form.
func (c Connector) EndsBatchesOf(former Connector) bool {
	return former.RegistryKey() != c.RegistryKey() || former.FormKey() != c.FormKey() || former.IsDirect() != c.IsDirect()
}

// DirectCallback is the part of a Request about a direct callback.
type DirectCallback struct {
	Delivery DirectDelivery
	Secrets  CallbackSecrets
	// Names are the members of a record that hold MTS's fields, by the fields'
	// canonical names.
	Names map[string]string
}

// directPrefix is put before the name of one of MTS's fields where the record has a
// member of that name already.
const directPrefix = "mts_"

// DirectNames are the members of a record that hold MTS's fields, by their canonical
// names. A record of a direct callback is first of all what Odoo's connector would
// send, so that Output Formats written for that one work unchanged: "id", the
// selected fields and "vid" (facts/mts.md 5.4). One of MTS's fields whose name is
// among these travels as "mts_<name>".
func DirectNames(selected []string) map[string]string {
	names := map[string]string{}
	for _, field := range MTSFields {
		names[field] = field
		if field == "vid" || slices.Contains(selected, field) {
			names[field] = directPrefix + field
		}
	}
	return names
}

// FieldsSize is about what fields take in a request, in bytes.
func FieldsSize(fields map[string]any) int {
	encoded, err := json.Marshal(fields)
	if err != nil {
		return 0
	}
	return len(encoded)
}

// Tracking is what is known of the delivery of a batch with a direct callback, of
// which nobody tells us: MTS's status, and the tokens that appear in the registry.
type Tracking struct {
	Quiet   time.Duration // how long nothing must have arrived until the delivery counts as over, besides Calls
	Calls   int           // that MTS makes one after the other; 0 for one call with all results
	Status  MTSStatus     // what MTS said when it was done; StatusWorking until then
	Done    time.Time     // when it first said so; zero until then
	Looked  time.Time     // when the registry was last looked at
	Arrived int           // how many of the members held something of the token type then
	Grew    time.Time     // when that was last found to be more
}

// Tracking is that of a batch of so many records which is about to be sent. MTS says
// that it is done before it calls (facts/mts.md W7), needs 2 ms per record for the
// bodies, and its time limit counts for the connection and again for each read. Unless
// it calls in bulk it calls for each record, also for those that MOSIP refused, and
// waits for each reply.
func (d Delivery) Tracking(records int) Tracking {
	t := Tracking{Quiet: directBase + 2*time.Duration(d.TimeoutSeconds)*time.Second + 4*time.Millisecond*time.Duration(records)}
	if d.Direct != nil && !d.Direct.InBulk {
		t.Calls = records
	}
	return t
}

const (
	directBase = 5 * time.Second
	// directCall is how long a call for one record is expected to last at most, as
	// long as the receiver is not seen to be slower.
	directCall = time.Second
)

// SettledAt is when the delivery counts as over, if nothing more arrives until then.
// It is only known once MTS is done. The calls for all who have no token may be still to
// come: MTS promises no order (facts/mts.md W25), so nobody knows which it made.
func (t Tracking) SettledAt() time.Time {
	settled := later(t.Done, t.Grew).Add(t.Quiet)
	if left := t.Calls - t.Arrived; left > 0 && t.Status != StatusFailed { // then it makes no more
		settled = settled.Add(t.callsTake(left))
	}
	return settled
}

// callsTake is how long so many calls are waited for. A call lasts as long as it did
// where all who were called for have a token; but where few have one, MTS has made far
// more calls than tokens arrived, and each was shorter. So the wait is bounded by what
// the receiver took so far, twice: it goes on as long as tokens arrive, and is no more
// than three times the delivery.
func (t Tracking) callsTake(left int) time.Duration {
	expected := time.Duration(left) * directCall
	if t.Arrived == 0 {
		return expected
	}
	took := t.Grew.Sub(t.Done)
	seen := time.Duration(left) * min(took/time.Duration(t.Arrived), t.Quiet/2) // half of the quiet time is more than MTS's limit of one call
	return max(expected, min(seen, 2*took))
}

// Said is what is known after MTS said something of the batch. What it forgot since
// it was done (facts/mts.md W8) it had done; a failed delivery may follow "processed".
func (t Tracking) Said(status MTSStatus, now time.Time) Tracking {
	switch {
	case status == StatusWorking:
		return t
	case status == StatusUnknown && !t.Done.IsZero():
		return t
	}
	t.Status = status
	if t.Done.IsZero() {
		t.Done = now
	}
	return t
}

// Found is what is known after a look at the registry.
func (t Tracking) Found(arrived int, now time.Time) Tracking {
	if arrived > t.Arrived {
		t.Grew = now
	}
	t.Arrived, t.Looked = arrived, now
	return t
}

// LookAgain is when to look next after a look: soon at first, later each time, and
// once the delivery counts as over.
func (t Tracking) LookAgain() time.Time {
	since := t.Looked.Sub(later(t.Done, t.Grew))
	next := t.Looked.Add(max(directLook, since))
	if settled := t.SettledAt(); settled.Before(next) && settled.After(t.Looked) {
		return settled
	}
	return next
}

// directLook is the shortest time between two looks.
const directLook = 5 * time.Second
