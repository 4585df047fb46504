package submit

import (
	"maps"
	"time"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/seeding"
)

// rules are what decisions about VIDs depend on, the same for a whole page.
type rules struct {
	registry        string // RegistryKey
	connector       string
	configured      int // version of the configuration
	mandatory       []string
	removeVIDs      bool
	ownDomain       bool // the domain is an import's own: whom it does not select may be the connector's
	tokens          seeding.TokenShape
	retried         seeding.Retried
	mapper          seeding.Mapper
	fingerprintKey  seeding.Key
	fingerprintKeys map[string]seeding.Key // of the rejections, as far as they still exist
	times           seeding.Times
	direct          bool // the record goes along, for the receiver of the callback
	kinds           map[string]seeding.FieldKind
}

// facts are what is known of the registrant of one VID.
type facts struct {
	taken        bool                 // it is in an open batch, or chosen already
	record       seeding.Record       // nil if the domain does not select it
	tokens       []seeding.Identifier // that it holds
	before       seeding.Rejection    // of this connector; the zero Rejection for none
	holderTokens []seeding.Identifier // of a duplicate: what its holder holds
	heldBefore   int64                // another registrant who held its token first, as far as that was looked for
	conflict     bool                 // some connector has a conflict over the VID
}

// choice is what is done with one VID.
type choice int

const (
	skip   choice = iota // nothing: it is under way, or stays rejected
	forget               // delete its rejection, which has no cause any more
	remove               // its registrant holds a token: remove the VID and delete the rejection
	reject               // do not send it
	take                 // send it in the batch
)

// decision about one VID.
type decision struct {
	choice    choice
	cause     seeding.Cause // of reject
	candidate candidate     // of take
}

// candidate is a registrant that is to be sent.
type candidate struct {
	member       seeding.Member
	vid          string // as the registry has it
	demographics seeding.Demographics
	fingerprint  seeding.Fingerprint
	tally        seeding.Tally // of the run, up to this one and with it
	cursor       int64         // of the run, after this one
	extra        *extra        // of a direct callback
}

// extra is what goes along with a registrant for the receiver of a direct callback.
type extra struct {
	fields map[string]any
	bytes  int // in a request
}

// recordBytes is what a record takes in a request, and in memory, without its
// texts.
const recordBytes = 500

// bytes is about what the candidate takes in a request: its texts as JSON, where
// some characters are six bytes.
func (c candidate) bytes() int {
	n := recordBytes + len(c.vid)
	if c.extra != nil {
		n += c.extra.bytes
	}
	d := c.demographics
	for _, v := range []seeding.Value{d.VID, d.Name, d.Gender, d.DOB, d.PhoneNumber, d.EmailID, d.FullAddress} {
		for _, char := range v.Text {
			switch {
			case char < ' ', char == '"', char == '\\', char == '\u2028', char == '\u2029', char == utf8.RuneError:
				n += len(`\u0000`)
			default:
				n += utf8.RuneLen(char)
			}
		}
	}
	return n
}

func bytesOf(candidates []candidate) (n int) {
	for _, c := range candidates {
		n += c.bytes()
	}
	return n
}

// room is what may be chosen: candidates, and the bytes that they take.
type room struct{ candidates, bytes int }

func (r room) full() bool { return r.candidates <= 0 || r.bytes <= 0 }

// without is the room that others leave.
func (r room) without(chosen []candidate) room {
	return room{r.candidates - len(chosen), r.bytes - bytesOf(chosen)}
}

// decide returns what is done with a VID.
func (r rules) decide(vid seeding.Identifier, f facts, now time.Time) decision {
	switch {
	case f.taken:
		return decision{choice: skip}
	case f.record == nil && r.ownDomain:
		return decision{choice: skip}
	case f.record == nil: // no longer this connector's registrant
		return decision{choice: forget}
	case len(f.tokens) > 0:
		return r.holdsToken(vid, f)
	}
	demographics := r.demographics(vid, f)
	if rejected := f.before.Kind != ""; rejected && !f.causeGone() && !r.due(f.before, demographics, now) {
		return decision{choice: skip}
	}
	fingerprint := seeding.FingerprintOf(r.fingerprintKey, demographics)
	if code := demographics.Invalid(r.mandatory); code != "" {
		return decision{choice: reject, cause: seeding.Cause{
			Kind: seeding.Invalid, Code: code, Fingerprint: fingerprint, FingerprintKey: r.fingerprintKey.ID,
		}}
	}
	chosen := candidate{
		member: seeding.Member{Registrant: vid.Registrant, Identifier: vid.ID}, vid: vid.Value, demographics: demographics, fingerprint: fingerprint,
	}
	if r.direct {
		fields := seeding.SentDirectly(f.record, r.kinds, vid.Value)
		chosen.extra = &extra{fields, seeding.FieldsSize(fields)}
	}
	return decision{choice: take, candidate: chosen}
}

// count adds the VID to the tally of its run. What is removed is counted when it was.
func (f facts) count(c choice, run *seeding.Run) {
	t := &run.Tally
	t.Looked++
	switch {
	case f.taken:
		t.InBatch++
	case f.record == nil:
		t.NotSelected++
	case len(f.tokens) > 0:
		t.Holding++
	case c == reject, c == skip && f.invalidSince(run.PassStarted):
		t.Invalid++
	case c == skip:
		t.Rejected++
	}
}

// invalidSince reports whether the registrant was rejected unsent since its pass began:
// by this pass, which then had no claim for all whom it had looked at, and meets them
// again.
func (f facts) invalidSince(passStarted time.Time) bool {
	return f.before.Kind == seeding.Invalid && !f.before.LastAttempt.Before(passStarted)
}

// demographics are what would be sent for a VID.
func (r rules) demographics(vid seeding.Identifier, f facts) seeding.Demographics {
	d := r.mapper.Map(withVID(f.record, seeding.CleanVID(vid.Value)))
	d.VID.Text = seeding.CleanVID(d.VID.Text) // the mapping may take it from another field
	return d
}

// withVID is the record with its VID, for the mapping.
func withVID(record seeding.Record, vid string) seeding.Record {
	full := maps.Clone(record)
	full["vid"] = vid
	return full
}

// holdsToken decides about a registrant that holds something of the token type. It
// is never sent: Odoo would refuse a second one, also beside an empty one
// (facts/odoo.md A3). Its VID is removed if what it holds is a token, the
// connector may remove VIDs, no connector has a conflict on it, and nobody held its
// token before.
func (r rules) holdsToken(vid seeding.Identifier, f facts) decision {
	code := r.tokens.HeldCode(f.tokens, vid.Value)
	listed := f.before.Code == seeding.CodeEmptyHeld || f.before.Code == seeding.CodeNotToken
	switch {
	case code != "" && f.before.Code == code:
		return decision{choice: skip}
	case code != "":
		return decision{choice: reject, cause: seeding.Cause{
			Kind: seeding.Conflict, Code: code, FingerprintKey: r.fingerprintKey.ID,
		}}
	case f.conflict && !listed:
		return decision{choice: skip}
	case f.conflict: // what it holds was corrected; another connector may have a conflict of its own
		return decision{choice: forget}
	case f.heldBefore != 0 && f.before.Kind == seeding.Duplicate && f.before.Holder == f.heldBefore:
		return decision{choice: skip}
	case f.heldBefore != 0:
		return decision{choice: reject, cause: seeding.Cause{
			Kind: seeding.Duplicate, Code: seeding.CodeHeldByOther, Holder: f.heldBefore, FingerprintKey: r.fingerprintKey.ID,
		}}
	case r.removeVIDs:
		return decision{choice: remove}
	}
	return decision{choice: forget}
}

// causeGone reports whether a rejection has no cause any more: a conflict if the
// registrant holds no token, a duplicate if the holder of its token holds none.
func (f facts) causeGone() bool {
	switch f.before.Kind {
	case seeding.Conflict:
		return len(f.tokens) == 0
	case seeding.Duplicate:
		return len(f.holderTokens) == 0
	}
	return false
}

// due reports whether it is time for another attempt at a rejected registrant. Its
// data are compared by fingerprints with the key of the rejection; without that
// key they count as changed.
func (r rules) due(before seeding.Rejection, demographics seeding.Demographics, now time.Time) bool {
	var today seeding.Fingerprint
	if key, known := r.fingerprintKeys[before.FingerprintKey]; known {
		today = seeding.FingerprintOf(key, demographics)
	}
	return before.Due(now, today, r.configured, r.retried)
}
