package seeding

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// Key is one version of a secret key.
type Key struct {
	ID     string
	Secret []byte
}

// Keyring holds the versions of one key. There are three keyrings, for
// capabilities, rows and fingerprints, so that the public function cannot forge
// a row.
type Keyring interface {
	// Current returns the key to sign with.
	Current(ctx context.Context) (Key, error)
	// ByID returns a current or former key, or ErrNotFound.
	ByID(ctx context.Context, id string) (Key, error)
}

func (k Key) sum(purpose string, parts ...string) []byte {
	mac := hmac.New(sha256.New, k.Secret)
	// The length before every part makes different lists of parts different.
	var length [4]byte
	for _, part := range append([]string{purpose}, parts...) {
		binary.BigEndian.PutUint32(length[:], uint32(len(part))) //nolint:gosec // parts are short texts
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// Fingerprint is a keyed fingerprint of what was, or would be, sent for a
// registrant. Four bytes show whether it changed; they identify nobody.
type Fingerprint [4]byte

// FingerprintOf makes the fingerprint of demographics. It is never zero, which
// is "not known".
func FingerprintOf(k Key, d Demographics) Fingerprint {
	var parts []string
	for _, v := range []Value{d.VID, d.Name, d.Gender, d.DOB, d.PhoneNumber, d.EmailID, d.FullAddress} {
		parts = append(parts, strconv.FormatBool(v.Present), strconv.FormatBool(v.NotText), v.Text)
	}
	p := Fingerprint(k.sum("print", parts...)[:4])
	if p == (Fingerprint{}) {
		p[3] = 1
	}
	return p
}

// RowMAC proves what a row of an answer was made from.
type RowMAC [8]byte

// RowMACOf covers batch, registrant, identifier, VID and fingerprint, so that no
// token reaches a registrant, or a VID, that it was not made for: MTS itself puts
// no id of ours into a callback (facts/mts.md W6).
func RowMACOf(k Key, batch string, m Member, vid string, p Fingerprint) RowMAC {
	return RowMAC(k.sum("row", batch, strconv.FormatInt(m.Registrant, 10), strconv.FormatInt(m.Identifier, 10), CleanVID(vid), string(p[:]))[:8])
}

// Fits compares in constant time.
func (m RowMAC) Fits(other RowMAC) bool { return hmac.Equal(m[:], other[:]) }

// CorrelationKey goes to MTS in each record and comes back in its row:
// "<registrant>.<identifier>.<MAC and fingerprint in base64url>".
func CorrelationKey(m Member, mac RowMAC, p Fingerprint) string {
	return strconv.FormatInt(m.Registrant, 10) + "." + strconv.FormatInt(m.Identifier, 10) + "." +
		base64.RawURLEncoding.EncodeToString(append(mac[:], p[:]...))
}

// ParseCorrelationKey returns ok false for what CorrelationKey cannot have made.
func ParseCorrelationKey(text string) (m Member, mac RowMAC, p Fingerprint, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return m, mac, p, false
	}
	registrant, err1 := strconv.ParseInt(parts[0], 10, 64)
	identifier, err2 := strconv.ParseInt(parts[1], 10, 64)
	code, err3 := base64.RawURLEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || err3 != nil || len(code) != len(mac)+len(p) || registrant <= 0 || identifier <= 0 {
		return m, mac, p, false
	}
	copy(mac[:], code)
	copy(p[:], code[len(mac):])
	m = Member{Registrant: registrant, Identifier: identifier}
	return m, mac, p, CorrelationKey(m, mac, p) == text // numbers and base64 can be written in several ways
}

// WindowMACOf proves that a row of a submission was asked for with this batch, under
// the form and the mapping that the connector has: MTS reads submissions itself, so what
// was sent of each is not known when the batch is claimed.
func WindowMACOf(k Key, batch string, c Connector) RowMAC {
	m := c.Source.Mapping
	return RowMAC(k.sum("window", batch, c.ODK.ODataURL, m.VID, strings.Join(m.Name, "\x00"), m.Gender, m.DOB, m.PhoneNumber, m.EmailID, strings.Join(m.FullAddress, "\x00"))[:8])
}

// WindowKey goes to MTS in the Output Format of a batch of submissions, sealed as
// correlation keys are, and comes back in each row: "w.<MAC in base64url>".
func WindowKey(mac RowMAC) string { return windowKey + base64.RawURLEncoding.EncodeToString(mac[:]) }

const windowKey = "w."

// ParseWindowKey returns ok false for what WindowKey cannot have made.
func ParseWindowKey(text string) (mac RowMAC, ok bool) {
	encoded, found := strings.CutPrefix(text, windowKey)
	code := decodeText(encoded)
	if !found || len(code) != len(mac) {
		return mac, false
	}
	return RowMAC(code), true
}

// MaxBatch is how many records a batch has at most.
const MaxBatch = 1000

// Seal appends to a correlation key what Grant.Unseal checks: eight characters of
// a MAC under the capability key. So the public function, which has no row key,
// still sees which rows are of its batch, and a bearer alone lets nobody store
// any.
func Seal(k Key, batch, correlation string) string {
	return correlation + "." + base64.RawURLEncoding.EncodeToString(k.sum("seal", batch, correlation)[:6])
}

// Grant is what a capability allows: to deliver the answer of one batch.
type Grant struct {
	Ref   BatchRef
	Count int // records of the batch; an answer has no more rows

	sealed bool
	key    Key // of the seals
}

// Unseal returns the correlation key that Seal was given; ok is false if it was
// sealed for another batch, or not by us. Those of a capability of the form
// before have no seal, and are returned as they are.
func (g Grant) Unseal(sealed string) (correlation string, ok bool) {
	if !g.sealed {
		return sealed, true
	}
	end := strings.LastIndexByte(sealed, '.')
	if end < 0 {
		return "", false
	}
	correlation = sealed[:end]
	return correlation, hmac.Equal([]byte(sealed), []byte(Seal(g.key, g.Ref.Batch, correlation)))
}

// Capability is the right to deliver the answer of one batch of count records
// until a time. It goes to MTS as the bearer of its callback. The key also seals
// the correlation keys of the batch.
func Capability(k Key, ref BatchRef, count int, until time.Time) string {
	return signed(k, ref.Registry, ref.Connector, ref.Run, ref.Batch, k.ID, strconv.FormatInt(until.Unix(), 36), strconv.Itoa(count))
}

func signed(k Key, claims ...string) string {
	text := strings.Join(claims, " ")
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." +
		base64.RawURLEncoding.EncodeToString(k.sum("capability", text))
}

// OpenCapability checks a bearer and returns what it grants. ok is false for
// anything forged, expired or malformed, without a reason. err is a failure of
// the keyring.
//
// The form before had neither count nor seals. It is accepted, for MaxBatch
// records, as long as one of them may be valid: 7 days.
func OpenCapability(ctx context.Context, keyring Keyring, bearer string, now time.Time) (g Grant, ok bool, err error) {
	encoded, signature, found := strings.Cut(bearer, ".")
	if !found || len(bearer) > 2048 {
		return Grant{}, false, nil
	}
	claims, mac := decodeText(encoded), decodeText(signature)
	parts := strings.Split(string(claims), " ")
	if len(parts) != 6 && len(parts) != 7 {
		return Grant{}, false, nil
	}
	key, err := keyring.ByID(ctx, parts[4])
	switch {
	case IsNotFound(err):
		return Grant{}, false, nil
	case err != nil:
		return Grant{}, false, err
	}
	if !hmac.Equal(mac, key.sum("capability", string(claims))) {
		return Grant{}, false, nil
	}
	// We signed it, so it parses; zero would be long ago, and no record.
	until, _ := strconv.ParseInt(parts[5], 36, 64)
	if !now.Before(time.Unix(until, 0)) {
		return Grant{}, false, nil
	}
	g = Grant{Ref: BatchRef{Registry: parts[0], Connector: parts[1], Run: parts[2], Batch: parts[3]}, Count: MaxBatch}
	if len(parts) == 7 {
		g.sealed, g.key = true, key
		g.Count, _ = strconv.Atoi(parts[6])
	}
	return g, true, nil
}

// decodeText is empty if the text is not base64url.
func decodeText(text string) []byte {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	return decoded
}
