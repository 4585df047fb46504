package receive_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

var windowMAC = seeding.RowMAC{1, 2, 3, 4, 5, 6, 7, 8}

// windowKey is the sealed key that all rows of a batch of submissions have.
func windowKey(batch string) string {
	return seeding.Seal(seedingtest.Key("k1"), batch, seeding.WindowKey(windowMAC))
}

// submissionCells are the cells of a row as MTS sends them.
func submissionCells(id, edits string, said ...any) []any {
	return append([]any{windowKey(ref.Batch), id, edits}, said...)
}

func body(t *testing.T, rows ...[]any) []byte {
	t.Helper()
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stored are the rows of all parts.
func (s *memoryInbox) stored(t *testing.T) (rows []seeding.Row) {
	t.Helper()
	for p := range maps.Values(s.parts) {
		some, err := seeding.UnpackRows(p.Packed)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, some...)
	}
	return rows
}

func TestInboxReadsRowsOfSubmissions(t *testing.T) {
	row := func(id string, edits int, more seeding.Row) seeding.Row {
		more.Subject, more.MAC, more.Fingerprint = seeding.Subject{Submission: id}, windowMAC, seeding.EditsFingerprint(edits)
		return more
	}
	token := seeding.Row{Status: 'p', Token: "123"}
	done := func(id, edits string) []any { return submissionCells(id, edits, "processed", "123", nil, nil) }
	for name, c := range map[string]struct {
		rows [][]any
		want []seeding.Row
	}{
		"processed":               {[][]any{done("uuid:1", "0")}, []seeding.Row{row("uuid:1", 0, token)}},
		"edited":                  {[][]any{done("uuid:1", "3")}, []seeding.Row{row("uuid:1", 3, token)}},
		"edits are null":          {[][]any{done("uuid:1", "null")}, []seeding.Row{row("uuid:1", 0, token)}},
		"refused":                 {[][]any{submissionCells("uuid:1", "0", "error", nil, "IDA-MLC-009", "Invalid VID")}, []seeding.Row{row("uuid:1", 0, seeding.Row{Status: 'e', Code: "IDA-MLC-009:vid"})}},
		"invalid":                 {[][]any{submissionCells("uuid:1", "0", "invalid", nil, "ATS-REQ-012", "dob")}, []seeding.Row{row("uuid:1", 0, seeding.Row{Status: 'i', Code: "ATS-REQ-012"})}},
		"in the order of ids":     {[][]any{done("b", "0"), done("a", "0")}, []seeding.Row{row("a", 0, token), row("b", 0, token)}},
		"other ids than uuids":    {[][]any{done("a/b'c é", "0")}, []seeding.Row{row("a/b'c é", 0, token)}},
		"of several lines":        {[][]any{done("a\nb\tc", "0"), done("a\u0085", "0")}, []seeding.Row{row("a\nb\tc", 0, token), row("a\u0085", 0, token)}},
		"one row for each id":     {[][]any{done("a", "1"), done("a", "1"), done("a", "1")}, []seeding.Row{row("a", 1, token)}},
		"of several, the token's": {[][]any{submissionCells("a", "0", "error", nil, "IDA-MLC-004", nil), done("a", "1")}, []seeding.Row{row("a", 1, token)}},
		"a row of ill form costs no other": {
			[][]any{done("", "0"), done("a\x00", "0"), done(strings.Repeat("x", 65), "0"), done("c", "-1"), done("c", "1.5"), done("c", ""),
				done("c", "99999999999"), done("c", "0")[:6], append(done("c", "0"), "more"), {windowKey("another"), "c", "0", "processed", "1", nil, nil},
				{windowKey(ref.Batch) + "A", "c", "0", "processed", "1", nil, nil}, {seeding.WindowKey(windowMAC), "c", "0", "processed", "1", nil, nil},
				{sealed(seedingtest.Rows(1)[0]), "c", "0", "processed", "1", nil, nil}, {windowKey(ref.Batch), "processed", "1", nil, nil}, {nil, nil, nil, nil, nil, nil, nil},
				submissionCells("c", "0", "processing", nil, nil, nil), {windowKey(ref.Batch), "c", 0, "processed", "1", nil, nil}, done("d", "0")},
			[]seeding.Row{row("d", 0, token)}},
		"nothing else": {[][]any{done("", "0")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in, s, bearer := inbox()
			n, err := in.Receive(t.Context(), ref.Batch, bearer, body(t, c.rows...))
			if len(c.want) == 0 {
				if !errors.Is(err, receive.ErrMalformed) || s.writes != 0 {
					t.Errorf("%d rows, %v, %d writes", n, err, s.writes)
				}
				return
			}
			if got := s.stored(t); err != nil || n != len(c.want) || !slices.Equal(got, c.want) {
				t.Errorf("%d rows, %v: %+v", n, err, got)
			}
		})
	}
}

// Whoever holds the capability of a batch stores no more rows than it has submissions.
func TestRowsOfSubmissionsAreNoMoreThanThoseOfTheBatch(t *testing.T) {
	in, s, _ := inbox()
	bearer := seeding.Capability(seedingtest.Key("k1"), ref, 20, seedingtest.Now.Add(time.Hour))
	var rows [][]any
	for n := range 20_000 {
		rows = append(rows, submissionCells(fmt.Sprintf("uuid:%05d", n), "0", "processed", "1", nil, nil))
	}
	n, err := in.Receive(t.Context(), ref.Batch, bearer, body(t, rows...))
	if got := s.stored(t); n != 20 || err != nil || len(got) != 20 || got[19].Submission != "uuid:00019" {
		t.Errorf("%d rows, %v, %d stored", n, err, len(got))
	}
}

// The longest ids and tokens fit into an item of DynamoDB; a repetition in another
// order writes nothing.
func TestLongIDsFitIntoOnePart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		letters := make([]byte, n)
		for i := range letters {
			letters[i] = byte(' ' + random.IntN('~'-' '))
		}
		return string(letters)
	}
	var rows [][]any
	for range seeding.MaxBatch {
		rows = append(rows, submissionCells(text(64), "2147483646", "processed", text(200), nil, nil))
	}
	in, s, bearer := inbox()
	for range 2 {
		if n, err := in.Receive(t.Context(), ref.Batch, bearer, body(t, rows...)); n != seeding.MaxBatch || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
		slices.Reverse(rows)
	}
	for p := range maps.Values(s.parts) {
		if len(p.Packed) > 380<<10 {
			t.Errorf("%d bytes", len(p.Packed))
		}
	}
	if got := s.stored(t); len(got) != seeding.MaxBatch || s.writes != 1 {
		t.Errorf("%d rows, %d writes", len(got), s.writes)
	}
}
