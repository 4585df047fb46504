package submit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

// rowsOf reads rows, the newest first: "t" is to be sent, "d" done, "r" rejected, "b" in a
// batch, "'" to be sent with an id that nothing can name. A dot ends a millisecond, and a
// slash also a window that was looked at.
func rowsOf(text string) (rows []row) {
	at, apart := 1000, true
	for _, c := range text {
		switch c {
		case '.':
			at--
			continue
		case '/':
			at, apart = at-1, true
			continue
		}
		r := row{apart: apart}
		r.ID, r.Received = fmt.Sprintf("s%d", len(rows)), dawn.Add(time.Duration(at)*time.Millisecond)
		r.fate, apart = map[rune]submissionFate{'t': toSend, 'd': done, 'r': staysRejected, 'b': inBatch, '\'': toSend}[c], false
		if c == '\'' {
			r.ID += "'"
		}
		rows = append(rows, r)
	}
	return rows
}

// cutText shows batches: a window by its bounds, others by ids; and how far the run is.
func cutText(cuts []batchCut) string {
	var all []string
	for _, c := range cuts {
		b := c.batch()
		text := strings.Join(b.Submissions, "+")
		if c.window {
			text = fmt.Sprintf("[%d,%d)=%d", b.Window.From.Sub(dawn).Milliseconds(), b.Window.To.Sub(dawn).Milliseconds(), b.Count)
		}
		for _, r := range c.rows { // also of one by ids: rejections are looked at again by it
			if !b.Window.Has(r.Received) {
				text += " without " + r.ID
			}
		}
		if c.rest {
			text += fmt.Sprintf("|%d", c.cursor.Sub(dawn).Milliseconds())
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// How a wave of submissions is cut into batches.
func TestAWaveOfSubmissionsIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		rows   string
		sizes  sizes
		wanted int // 0 for all that there is room for
		want   string
	}{
		"nothing to send":                   {rows: "d.r.d", sizes: sizes{10, 10, 1}},
		"one window":                        {rows: "t.t.t.t", sizes: sizes{10, 10, 1}, want: "[997,1001)=4"},
		"from the first to the last":        {rows: "d.r.t.t.d", sizes: sizes{10, 10, 1}, want: "[997,999)=2"},
		"one by its id":                     {rows: "d.t.d", sizes: sizes{10, 10, 1}, want: "s1"},
		"three quarters are enough":         {rows: "t.d.t.t", sizes: sizes{10, 10, 1}, want: "[997,1001)=4"},
		"less is not":                       {rows: "t.d.d.t.t", sizes: sizes{10, 10, 1}, want: "s0+s3+s4"},
		"several batches":                   {rows: "t.t.t.t.t", sizes: sizes{2, 2, 3}, want: "[999,1001)=2|999 [997,999)=2|997 s4"},
		"not more than there is room for":   {rows: "t.t.t.t.t", sizes: sizes{2, 2, 2}, want: "[999,1001)=2|999 [997,999)=2|997"},
		"a millisecond stays together":      {rows: "t.tt.tt.t", sizes: sizes{2, 2, 3}, want: "s0|1000 [999,1000)=2|999 [998,999)=2|998"},
		"unless it is larger than a batch":  {rows: "ttttt.t", sizes: sizes{2, 2, 2}, want: "s0+s1|1001 s2+s3|1001"},
		"and is at the beginning":           {rows: "t.ttttt", sizes: sizes{2, 2, 2}, want: "s0|1000"},
		"no window over what is in a batch": {rows: "t.t.b.t.t", sizes: sizes{10, 10, 2}, want: "[999,1001)=2|999 [996,998)=2"},
		"nor over its millisecond":          {rows: "t.t.bt.t.t", sizes: sizes{10, 10, 3}, want: "[999,1001)=2|999 s3|998 [996,998)=2"},
		"nor over what nobody looked at":    {rows: "t.t/t.t", sizes: sizes{10, 10, 2}, want: "[999,1001)=2|999 [997,999)=2"},
		"a probe":                           {rows: "t.t.t", sizes: sizes{10, 10, 1}, wanted: 1, want: "s0|1000"},
		"a probe in a crowd":                {rows: "ttt.t", sizes: sizes{10, 10, 1}, wanted: 1, want: "s0|1001"},
		"alone it is what a window has":     {rows: "d.'.d.d.t", sizes: sizes{10, 10, 2}, want: "s1'|999 s4"},
		"with all of its millisecond":       {rows: "d'd.d.d.d.t", sizes: sizes{1, 1, 2}, want: "[1000,1001)=3|1000"},
		"and never in an address":           {rows: "b'", sizes: sizes{1, 1, 1}, want: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := c.wanted
			if wanted == 0 {
				wanted = c.sizes.total()
			}
			cuts, err := cut(rowsOf(c.rows), c.sizes, wanted)
			got := cutText(cuts)
			if fault, refused := errors.AsType[*seeding.Fault](err); refused && fault.Code == seeding.CodeNotAskable {
				got = "refused"
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Whatever is cut: nobody is in two batches, a window has all of its milliseconds and
// nobody who is in a batch, and below where the run goes on nobody was left out.
func TestNobodyIsLeftOutOfACut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowsOf(rapid.StringOfN(rapid.SampledFrom([]rune("ttttttdrb.../")), 0, 60, -1).Draw(t, "rows"))
		z := sizes{rapid.IntRange(1, 9).Draw(t, "first"), rapid.IntRange(1, 9).Draw(t, "others"), rapid.IntRange(1, 5).Draw(t, "count")}
		wanted := rapid.IntRange(1, z.total()).Draw(t, "wanted")
		cuts, err := cut(rows, z, wanted)
		if err != nil {
			t.Fatal(err)
		}
		l := looked{rows: rows, run: seeding.Run{Cursor: 1, PassOver: true}}
		met, all := map[string]bool{}, 0
		for i, c := range cuts {
			b := c.batch()
			if b.Count == 0 || b.Count > max(z.of(i), 1) {
				t.Errorf("batch %d of %d", i, b.Count)
			}
			if all += b.Count; all > wanted {
				t.Errorf("%d sent, wanted %d", all, wanted)
			}
			for _, r := range rows {
				if !b.Takes(r.SubmissionRef) {
					continue
				}
				if met[r.ID] || r.fate == inBatch || !c.window && r.fate != toSend {
					t.Errorf("%s is in batch %d", r.ID, i)
				}
				met[r.ID] = true
			}
			if len(cuts) > 0 && len(c.rows) != b.Count {
				t.Errorf("batch %d counts %d", i, b.Count)
			}
			run := l.after(cuts[:i+1], seeding.Tally{})
			sum := run.Tally.Holding + run.Tally.Rejected + run.Tally.InBatch + all
			if sum != run.Tally.Looked || c.rest == run.PassOver {
				t.Errorf("tally %+v with %d sent, over %v, rest %v", run.Tally, all, run.PassOver, c.rest)
			}
		}
		if len(cuts) == 0 && l.toSend() > 0 {
			t.Error("nothing is sent")
		}
		down := l.after(cuts, seeding.Tally{})
		for _, r := range rows {
			if r.fate == toSend && !met[r.ID] && len(cuts) > 0 && (!cuts[len(cuts)-1].rest || r.Received.UnixMilli() >= down.Cursor) {
				t.Errorf("%s is left out", r.ID)
			}
		}
	})
}

// The ids of a batch fit into an address, however long they are.
func TestIDsFitIntoAnAddress(t *testing.T) {
	for length, want := range map[int]int{5: maxIDs, 40: maxIDs, 64: 77} {
		rows := rowsOf(strings.Repeat("t", 400))
		for i := range rows {
			rows[i].ID = fmt.Sprintf("%03d", i) + strings.Repeat("x", length-3)
		}
		cuts, err := cut(rows, sizes{300, 300, 1}, 300)
		if err != nil || len(cuts) != 1 || len(cuts[0].rows) != want {
			t.Errorf("ids of %d characters: %s, %v", length, cutText(cuts), err)
		}
	}
}
