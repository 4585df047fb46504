package seeding_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

// answerRows are rows as a batch of n registrants gives them.
func answerRows(n int) []seeding.Row {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]seeding.Row, n)
	for i := range rows {
		rows[i].Member = seeding.Member{Registrant: int64(100001 + i), Identifier: int64(200001 + i)}
		for j := range rows[i].MAC {
			rows[i].MAC[j] = byte(r.IntN(256))
		}
		for j := range rows[i].Print {
			rows[i].Print[j] = byte(r.IntN(256))
		}
		rows[i].Status, rows[i].Token = seeding.RowProcessed, digits(r, 36)
	}
	return rows
}

func TestPackedRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) seeding.Row {
			row := seeding.Row{
				Member: seeding.Member{
					Registrant: rapid.Int64Min(1).Draw(t, "registrant"), Identifier: rapid.Int64Min(1).Draw(t, "identifier"),
				},
				Status: rapid.SampledFrom([]seeding.RowStatus{seeding.RowProcessed, seeding.RowError, seeding.RowInvalid}).Draw(t, "status"),
				Token:  rapid.StringMatching(`[0-9a-zA-Z_-]{0,50}`).Draw(t, "token"),
				Code:   rapid.StringMatching(`([A-Z]{3}-[A-Z]{3}-[0-9]{3})?`).Draw(t, "code"),
			}
			copy(row.MAC[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "mac"))
			copy(row.Print[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "print"))
			return row
		}), 0, 50).Draw(t, "rows")
		got, err := seeding.UnpackRows(seeding.PackRows(rows))
		if err != nil || len(got) != len(rows) || (len(rows) > 0 && !reflect.DeepEqual(got, rows)) {
			t.Fatalf("%v: got %v, want %v", err, got, rows)
		}
	})
}

func TestDamagedRowsAreAnErrorAndNoPanic(t *testing.T) {
	packed := seeding.PackRows(answerRows(20))
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

// The write units of a whole run hang on these two sizes (protocol, "Budget").
func TestPackedSizes(t *testing.T) {
	rows := answerRows(1000)
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
	rows := answerRows(1000)
	for b.Loop() {
		seeding.PackRows(rows)
	}
}

func bulkBody(rows []seeding.Row) string {
	var elements []string
	for _, r := range rows {
		elements = append(elements, fmt.Sprintf(`["%s", "processed", "%s", null, null]`, seeding.CorrelationKey(r.Member, r.MAC, r.Print), r.Token))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}
