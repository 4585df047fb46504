// Package receive stores the answers in MTS's callbacks (infra/protocol.md,
// "Callback").
package receive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Errors of the inbox, for the caller of the callback.
var (
	// ErrUnauthorised: no capability for this batch.
	ErrUnauthorised = errors.New("no valid capability for this batch")
	// ErrMalformed: nothing in the body is a row of an answer.
	ErrMalformed = errors.New("the body holds no row of an answer")
)

// MaxBody bounds the body of a callback in bytes. A batch of 1,000 needs
// about 100 KB (facts/mts.md 9).
const MaxBody = 5 << 20

// Inbox stores an answer, in milliseconds, whatever the state of the registry. It
// reads no table and changes no state: MTS never repeats a callback and ignores
// our reply (facts/mts.md W4), so nothing may keep the answer from being stored.
type Inbox struct {
	CapabilityKeys seeding.Keyring
	Answers        Answers
	Clock          seeding.Clock
	Times          seeding.Times
}

// Answers is all that the public function may do.
type Answers interface {
	// PutPart stores a part. If it is stored already it is a success.
	PutPart(ctx context.Context, part seeding.AnswerPart) error
}

const (
	maxToken   = seeding.MostToken + 1 // bytes; longer ones are cut, and have no token's shape
	maxCode    = 120
	maxElement = 16 << 10 // bytes; the message of a row may quote several fields in several languages
)

// Receive checks that the bearer is for the batch in the path, stores the rows of
// the body and returns their number, which is at most that of the batch's
// records. A repeated callback, its rows in any order, is a success without a
// second write.
func (in *Inbox) Receive(ctx context.Context, batch, bearer string, body []byte) (rows int, err error) {
	now := in.Clock.Now()
	grant, ok, err := seeding.OpenCapability(ctx, in.CapabilityKeys, bearer, now)
	if err != nil {
		return 0, err
	}
	if !ok || grant.Ref.Batch != batch {
		return 0, ErrUnauthorised
	}
	all := readRows(body, grant)
	if len(all) == 0 {
		return 0, ErrMalformed
	}
	// At most seeding.MaxBatch rows: one part, below DynamoDB's 400 KB even if ids and
	// tokens are as long as may be, and nothing could be compressed.
	packed := seeding.PackRows(all)
	hash := sha256.Sum256(packed)
	part := seeding.AnswerPart{
		Ref: grant.Ref, Content: hex.EncodeToString(hash[:12]), Part: 1, Of: 1,
		Received: now, Expires: now.Add(in.Times.AnswerLife), Packed: packed,
	}
	if err := in.Answers.PutPart(ctx, part); err != nil {
		return 0, err
	}
	return len(all), nil
}

// readRows reads the array that OutputFormat makes. It leaves out what is no row
// of the batch: an element is null where MTS's jq failed (facts/mts.md 3.5). There
// is one row for each correlation key, and for each submission, one with a token
// before any other. Rows
// are sorted, so that a repeat in another order has the same content.
//
// MTS sends one element for each record. Twice as many are read and no more, so
// that a hostile body costs little, and what is in front of the excess counts.
func readRows(body []byte, grant seeding.Grant) []seeding.Row {
	if !json.Valid(body) { // a body that was cut short is not a complete answer
		return nil
	}
	in := json.NewDecoder(bytes.NewReader(body))
	if open, err := in.Token(); err != nil || open != json.Delim('[') {
		return nil
	}
	found := map[rowKey]seeding.Row{}
	for elements := 0; elements < 2*grant.Count && in.More(); elements++ {
		var element json.RawMessage
		if err := in.Decode(&element); err != nil {
			return nil
		}
		row, ok := parseRow(element, grant)
		if !ok {
			continue
		}
		key := rowKey{row.Subject, row.MAC, row.Fingerprint}
		if row.Submission != "" { // what it was made from is told by MTS alone
			key.fingerprint = seeding.Fingerprint{}
		}
		if other, known := found[key]; (known || len(found) < grant.Count) && (!known || before(row, other)) {
			found[key] = row
		}
	}
	return slices.SortedFunc(maps.Values(found), compareRows)
}

// rowKey is what a correlation key says.
type rowKey struct {
	seeding.Subject
	mac         seeding.RowMAC
	fingerprint seeding.Fingerprint
}

// before reports whether a counts, of two rows with one correlation key.
func before(a, b seeding.Row) bool {
	if (a.Token == "") != (b.Token == "") {
		return a.Token != ""
	}
	return compareRows(a, b) < 0
}

func compareRows(a, b seeding.Row) int {
	return cmp.Or(
		cmp.Compare(a.Identifier, b.Identifier), cmp.Compare(a.Registrant, b.Registrant), cmp.Compare(a.Submission, b.Submission),
		bytes.Compare(a.MAC[:], b.MAC[:]), bytes.Compare(a.Fingerprint[:], b.Fingerprint[:]),
		cmp.Compare(a.Status, b.Status), cmp.Compare(a.Token, b.Token), cmp.Compare(a.Code, b.Code))
}

// parseRow reads an element of the array: five cells of a registrant
// (seeding.OutputFormat), or seven of a submission (seeding.WindowFormat).
func parseRow(element json.RawMessage, grant seeding.Grant) (row seeding.Row, ok bool) {
	var cells []string // null is empty
	if len(element) > maxElement || json.Unmarshal(element, &cells) != nil {
		return seeding.Row{}, false
	}
	switch len(cells) {
	case 5:
		row, ok = registrantOf(grant, cells[0])
	case 7:
		row, ok = submissionOf(grant, cells[0], cells[1], cells[2])
	}
	if !ok {
		return seeding.Row{}, false
	}
	said := cells[len(cells)-4:]
	status, token, code, message := said[0], said[1], said[2], said[3]
	switch status {
	case "processed":
		row.Status, row.Token = seeding.RowProcessed, token[:min(len(token), maxToken)]
	case "error":
		row.Status = seeding.RowError
	case "invalid":
		row.Status = seeding.RowInvalid
	default:
		return seeding.Row{}, false
	}
	if row.Token == "" {
		row.Code = rowCode(code, message)
	}
	return row, true
}

// registrantOf reads whom a row is about, and what it was made from.
func registrantOf(grant seeding.Grant, sealed string) (row seeding.Row, ok bool) {
	key, ok := grant.Unseal(sealed)
	if !ok {
		return row, false
	}
	member, mac, fingerprint, ok := seeding.ParseCorrelationKey(key)
	return seeding.Row{Subject: member.Subject(), MAC: mac, Fingerprint: fingerprint}, ok
}

// submissionOf does the same for a row of a submission. One that was never edited may
// have null for its edits.
func submissionOf(grant seeding.Grant, sealed, id, edits string) (row seeding.Row, ok bool) {
	key, ok := grant.Unseal(sealed)
	if !ok {
		return row, false
	}
	mac, ok := seeding.ParseWindowKey(key)
	if !ok || !seeding.IsSubmissionID(id) {
		return row, false
	}
	count := 0
	if edits != "null" {
		n, err := strconv.ParseInt(edits, 10, 32)
		if err != nil || n < 0 {
			return row, false
		}
		count = int(n)
	}
	return seeding.Row{Subject: seeding.Subject{Submission: id}, MAC: mac, Fingerprint: seeding.EditsFingerprint(count)}, true
}

var codePattern = regexp.MustCompile(`[A-Z]{2,4}[-_][A-Z]{2,4}[-_]\d{2,4}`)

// rowCode keeps codes, and the fields that their messages name, and drops the
// messages: they may quote what was sent. Where MOSIP gave several errors, MTS
// joins "code::message" pairs into the message of ATS-REQ-103 (facts/mts.md 2.7).
func rowCode(code, message string) string {
	codes := map[string][]string{}
	if code = codePattern.FindString(code); code != "" {
		codes[code] = seeding.FieldsOf(code, message)
	}
	if code == "ATS-REQ-103" {
		pairs := codePattern.FindAllStringIndex(message, maxPairs)
		for i, at := range pairs {
			delete(codes, code)
			end := len(message)
			if i+1 < len(pairs) {
				end = pairs[i+1][0]
			}
			one := message[at[0]:at[1]]
			codes[one] = append(codes[one], seeding.FieldsOf(one, message[at[1]:end])...)
		}
	}
	joined := seeding.JoinCodes(codes)
	if len(joined) > maxCode { // whole codes only; each is much shorter
		joined = joined[:strings.LastIndexByte(joined[:maxCode+1], ',')]
	}
	return joined
}

// maxPairs are as many as seven fields in several languages give.
const maxPairs = 64
