package seeding_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"pgregory.net/rapid"
)

func TestPackedRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) seeding.Row {
			row := seeding.Row{
				Subject: seeding.Subject{
					Member: seeding.Member{
						Registrant: rapid.Int64Min(1).Draw(t, "registrant"), Identifier: rapid.Int64Min(1).Draw(t, "identifier"),
					},
					Submission: rapid.StringMatching(`(uuid:[0-9a-f]{8})?`).Draw(t, "submission"),
				},
				Status: rapid.SampledFrom([]seeding.RowStatus{seeding.RowProcessed, seeding.RowError, seeding.RowInvalid}).Draw(t, "status"),
				Token:  rapid.StringMatching(`[0-9a-zA-Z_-]{0,50}`).Draw(t, "token"),
				Code:   rapid.StringMatching(`([A-Z]{3}-[A-Z]{3}-[0-9]{3})?`).Draw(t, "code"),
			}
			copy(row.MAC[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "mac"))
			copy(row.Fingerprint[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "print"))
			return row
		}), 0, 50).Draw(t, "rows")
		got, err := seeding.UnpackRows(seeding.PackRows(rows))
		if err != nil || len(got) != len(rows) || (len(rows) > 0 && !reflect.DeepEqual(got, rows)) {
			t.Fatalf("%v: got %v, want %v", err, got, rows)
		}
	})
}

// A text that holds the byte with which texts end gives nothing to the next row.
func TestNoRowGetsTheTextOfAnother(t *testing.T) {
	rows := seedingtest.Rows(3)
	rows[0].Token += "\x00"
	rows[1].Code = "\x00IDA-MLC-009"
	got, err := seeding.UnpackRows(seeding.PackRows(rows))
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i := range rows {
		if got[i].Member != rows[i].Member || i > 0 && got[i].Token != rows[i].Token {
			t.Errorf("row %d: %+v, want %+v", i, got[i], rows[i])
		}
	}
	if seeding.MOSIPTokens.Fits(seeding.CleanToken(got[0].Token)) || got[2].Code != "" {
		t.Errorf("%q %q", got[0].Token, got[2].Code)
	}
}

// What was packed before such bytes were replaced, and has one text too many.
func TestRowsWithATextTooManyAreDamaged(t *testing.T) {
	packed := seeding.PackRows(seedingtest.Rows(2))
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed[1:])))
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(packed[:1:1])
	w, _ := flate.NewWriter(out, flate.BestSpeed)
	_, _ = w.Write(append(plain, 'x', 0))
	_ = w.Close()
	if rows, err := seeding.UnpackRows(out.Bytes()); !errors.Is(err, seeding.ErrDamaged) {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestDamagedRowsAreAnErrorAndNoPanic(t *testing.T) {
	packed := seeding.PackRows(seedingtest.Rows(20))
	for i := range packed {
		if rows, err := seeding.UnpackRows(packed[:i]); err == nil {
			t.Fatalf("cut at %d of %d: %d rows", i, len(packed), len(rows))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		_, _ = seeding.UnpackRows(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		_, _ = seeding.UnpackMembers(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	})
}

// The write units of a whole run depend on these two sizes (protocol, "Budget").
func TestPackedSizes(t *testing.T) {
	rows := seedingtest.Rows(1000)
	if size := len(seeding.PackRows(rows)); size > 33<<10 {
		t.Errorf("1,000 rows are %d bytes", size)
	}
	var members []seeding.Member
	for _, row := range rows {
		members = append(members, row.Member)
	}
	if size := len(seeding.PackMembers(members)); size > 1<<10 {
		t.Errorf("1,000 consecutive members are %d bytes", size)
	}
}

func TestPackedMembersComeBack(t *testing.T) {
	members := []seeding.Member{{Registrant: 5, Identifier: 900}, {Registrant: 3, Identifier: 901}, {Registrant: 1 << 40, Identifier: 2}}
	got, err := seeding.UnpackMembers(seeding.PackMembers(members))
	if err != nil || !reflect.DeepEqual(got, members) {
		t.Errorf("got %v, %v", got, err)
	}
}

func BenchmarkPackRows(b *testing.B) {
	rows := seedingtest.Rows(1000)
	for b.Loop() {
		seeding.PackRows(rows)
	}
}

// Data packed before there was a byte for the form can still be read.
func TestPackedBefore(t *testing.T) {
	plain := func(text string) []byte {
		packed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	want := seedingtest.Rows(2)
	want[1].Status, want[1].Token, want[1].Code = seeding.RowError, "", "IDA-MLC-009"
	rows, err := seeding.UnpackRows(plain("Yjo0i4epaasEk0BOx6yAPZV9C9rLAndOnBo7c8N7r6cJ/PEFqZaGxubmpgbGBmZGBsbm5haWJqZmpgZmlmaGxpYWxmYGZiaWpgwMDJ4ujrq+Ps66BgaWDIAAAAD//w=="))
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("rows: %+v, %v", rows, err)
	}
	members, err := seeding.UnpackMembers(plain("YuZi/vX/////9h18TK18gAAAAP//"))
	if err != nil || !reflect.DeepEqual(members, []seeding.Member{{Registrant: 5, Identifier: 900}, {Registrant: 3, Identifier: 901}, {Registrant: 1 << 40, Identifier: 2}}) {
		t.Errorf("members: %v, %v", members, err)
	}
	// A form that a later release writes is damage to this one, and no panic.
	if rows, err := seeding.UnpackRows(append([]byte{0b0001_0110}, seeding.PackRows(want)[1:]...)); err == nil {
		t.Errorf("an unknown form is read as %v", rows)
	}
}

// What is small and claims to hold much is damage, and costs little to find out.
func TestPackedDataCannotFillTheMemory(t *testing.T) {
	claim := func(members int) []byte { // as many zeros as they would need
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(append(binary.AppendUvarint(nil, uint64(members)), make([]byte, 2*members)...)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if members, err := seeding.UnpackMembers(claim(5000)); err != nil || len(members) != 5000 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	var before, after runtime.MemStats
	for _, members := range []int{20_000, 400_000, 8_000_000} {
		packed := claim(members)
		runtime.ReadMemStats(&before)
		if _, err := seeding.UnpackRows(packed); !errors.Is(err, seeding.ErrDamaged) {
			t.Errorf("%d members in %d bytes: %v", members, len(packed), err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%d members in %d bytes made it allocate %d bytes", members, len(packed), used)
		}
	}
}
