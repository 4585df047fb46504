package seeding_test

import (
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

var now = seedingtest.Now

var ref = seeding.BatchRef{Registry: "r1", Connector: "c1", Run: "run1", Batch: "b1"}

func TestCapabilityOpensOnlyWhatItWasMadeFor(t *testing.T) {
	old, current := seedingtest.Key("k1"), seedingtest.Key("k2")
	good := seeding.Capability(current, ref, 20, now.Add(time.Hour))
	cases := map[string]struct {
		bearer string
		at     time.Time
		ok     bool
	}{
		"fresh":                 {good, now, true},
		"last second":           {good, now.Add(time.Hour - time.Second), true},
		"expired":               {good, now.Add(time.Hour), false},
		"by the key before":     {seeding.Capability(old, ref, 20, now.Add(time.Hour)), now, true},
		"by a key that is gone": {seeding.Capability(seedingtest.Key("k0"), ref, 20, now.Add(time.Hour)), now, false},
		"by a foreign key of the same id": {
			seeding.Capability(seeding.Key{ID: "k2", Secret: []byte("other")}, ref, 20, now.Add(time.Hour)), now, false},
		"empty":           {"", now, false},
		"no signature":    {strings.Split(good, ".")[0], now, false},
		"other claims":    {"eA" + good[2:], now, false},
		"cut":             {good[:len(good)-1], now, false},
		"longer":          {good + "A", now, false},
		"far too long":    {strings.Repeat("A", 5000) + "." + good, now, false},
		"not even base64": {"%%%.%%%", now, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok, err := seeding.OpenCapability(t.Context(), seedingtest.Keyring{old, current}, c.bearer, c.at)
			if err != nil || ok != c.ok || (ok && (got.Ref != ref || got.Count != 20)) {
				t.Errorf("got %+v, %v, %v; want ok %v", got, ok, err, c.ok)
			}
		})
	}
}

// A capability that the version before made is valid until it expires, for as
// many records as a batch may have, and its correlation keys have no seal.
func TestCapabilityOfTheFormBeforeIsAccepted(t *testing.T) {
	const before = "cjEgYzEgcnVuMSBiMSBrMSB0b3VzNDA.USpeXPoJ_DqYtlOTtta7EjOh0aYkkROoVggVO_zY4bk" // until seedingtest.Now + 1 h
	keys := seedingtest.Keyring{seedingtest.Key("k1"), seedingtest.Key("k2")}
	g, ok, err := seeding.OpenCapability(t.Context(), keys, before, now)
	if err != nil || !ok || g.Ref != ref || g.Count != seeding.MaxBatch {
		t.Fatalf("%+v, %v, %v", g, ok, err)
	}
	if key, ok := g.Unseal("7.9.x"); !ok || key != "7.9.x" {
		t.Errorf("%q, %v", key, ok)
	}
	if _, ok, _ := seeding.OpenCapability(t.Context(), keys, before, now.Add(time.Hour)); ok {
		t.Error("accepted after its time")
	}
}

// Of a correlation key that was sealed for another batch, with another key, or
// not at all, no row is taken.
func TestSealIsForOneBatch(t *testing.T) {
	k := seedingtest.Key("k1")
	g, ok, err := seeding.OpenCapability(t.Context(), seedingtest.Keyring{k}, seeding.Capability(k, ref, 20, now.Add(time.Hour)), now)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	good := seeding.Seal(k, "b1", "7.9.x")
	if key, ok := g.Unseal(good); !ok || key != "7.9.x" {
		t.Errorf("%q, %v", key, ok)
	}
	for name, text := range map[string]string{
		"none": "7.9.x", "empty": "", "another batch's": seeding.Seal(k, "b2", "7.9.x"), "another key's": seeding.Seal(seedingtest.Key("k2"), "b1", "7.9.x"),
		"of another row": "8" + good[1:], "cut": good[:len(good)-1], "longer": good + "A", "twice": seeding.Seal(k, "b2", good),
	} {
		if key, ok := g.Unseal(text); ok {
			t.Errorf("%s: %q", name, key)
		}
	}
}

func TestEveryBitOfACapabilityCounts(t *testing.T) {
	k := seedingtest.Key("k1")
	good := seeding.Capability(k, ref, 20, now.Add(time.Hour))
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		if _, ok, _ := seeding.OpenCapability(t.Context(), seedingtest.Keyring{k}, string(changed), now); ok {
			t.Fatalf("byte %d changed, and still accepted", i)
		}
	}
}

func TestRowMACBindsEverything(t *testing.T) {
	m, p := seeding.Member{Registrant: 7, Identifier: 9}, seeding.Fingerprint{1, 2, 3, 4}
	mac := seeding.RowMACOf(seedingtest.Key("k1"), "b1", m, "1234567890123456", p)
	others := map[string]seeding.RowMAC{
		"key":         seeding.RowMACOf(seedingtest.Key("k2"), "b1", m, "1234567890123456", p),
		"batch":       seeding.RowMACOf(seedingtest.Key("k1"), "b2", m, "1234567890123456", p),
		"registrant":  seeding.RowMACOf(seedingtest.Key("k1"), "b1", seeding.Member{Registrant: 8, Identifier: 9}, "1234567890123456", p),
		"identifier":  seeding.RowMACOf(seedingtest.Key("k1"), "b1", seeding.Member{Registrant: 7, Identifier: 8}, "1234567890123456", p),
		"VID":         seeding.RowMACOf(seedingtest.Key("k1"), "b1", m, "1234567890123457", p),
		"fingerprint": seeding.RowMACOf(seedingtest.Key("k1"), "b1", m, "1234567890123456", seeding.Fingerprint{}),
	}
	for what, other := range others {
		if mac.Fits(other) {
			t.Errorf("another %s gives the same MAC", what)
		}
	}
	if !mac.Fits(seeding.RowMACOf(seedingtest.Key("k1"), "b1", m, "1234567890123456", p)) {
		t.Error("the same row gives another MAC")
	}
}

func TestFingerprintShowsAChange(t *testing.T) {
	text := func(s string) seeding.Value { return seeding.Value{Text: s, Present: true} }
	d := seeding.Demographics{VID: text("1"), Name: text("Ana"), Gender: text("Female")}
	same := seeding.FingerprintOf(seedingtest.Key("k"), d)
	if same == (seeding.Fingerprint{}) {
		t.Error("the zero fingerprint is for unknown")
	}
	changed := d
	changed.Gender, changed.Name = text("Ana"), text("Female") // same texts in other places
	absent := d
	absent.Gender = seeding.Value{}
	for what, other := range map[string]seeding.Demographics{"moved": changed, "absent": absent} {
		if seeding.FingerprintOf(seedingtest.Key("k"), other) == same {
			t.Errorf("%s data have the same print", what)
		}
	}
	if seeding.FingerprintOf(seedingtest.Key("k"), d) != same {
		t.Error("unchanged data have another print")
	}
	if seeding.FingerprintOf(seedingtest.Key("l"), d) == same {
		t.Error("the print does not depend on the key")
	}
}

// A row comes back with what was sent, or it is refused.
func TestCorrelationKey(t *testing.T) {
	m, mac, p := seeding.Member{Registrant: 7, Identifier: 1 << 40}, seeding.RowMAC{1, 2, 255}, seeding.Fingerprint{9, 8, 7, 6}
	good := seeding.CorrelationKey(m, mac, p)
	if gotM, gotMAC, gotP, ok := seeding.ParseCorrelationKey(good); !ok || gotM != m || gotMAC != mac || gotP != p {
		t.Errorf("%s comes back as %v, %v, %v, %v", good, gotM, gotMAC, gotP, ok)
	}
	code := good[strings.LastIndexByte(good, '.'):]
	for name, text := range map[string]string{
		"empty":                        "",
		"two parts":                    "7.9",
		"four parts":                   good + ".1",
		"a registrant that is no id":   "x.9" + code,
		"a registrant of zero":         "0.9" + code,
		"a registrant below zero":      "-7.9" + code,
		"an identifier that is no id":  "7.x" + code,
		"an identifier of zero":        "7.0" + code,
		"a registrant beyond all":      "9223372036854775808.9" + code,
		"a code that is cut":           good[:len(good)-2],
		"a code that is longer":        good + "AAAA",
		"a code that is no code":       "7.9.%%%",
		"a code with a line break":     good[:len(good)-1] + "\n" + good[len(good)-1:],
		"a registrant with a sign":     "+" + good,
		"a registrant with a zero":     "0" + good,
		"an identifier with a zero":    "7.0" + good[2:],
		"the key of another connector": "registrant-7",
	} {
		if _, _, _, ok := seeding.ParseCorrelationKey(text); ok {
			t.Errorf("%s (%q) is taken", name, text)
		}
	}
}
