package seeding_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

func ms(n int) time.Time { return time.UnixMilli(int64(n)).UTC() }

func window(from, to int) seeding.Window { return seeding.Window{From: ms(from), To: ms(to)} }

func span(from, to int, mark string, count int) seeding.Span {
	return seeding.Span{Window: window(from, to), Mark: mark, Count: count}
}

func spansText(spans []seeding.Span) string {
	var all []string
	for _, s := range spans {
		all = append(all, fmt.Sprintf("%d-%d%s:%d", s.From.UnixMilli(), s.To.UnixMilli(), s.Mark, s.Count))
	}
	return strings.Join(all, " ")
}

// What a run has looked at extends a coverage; what it had no reason to look at stays.
func TestCoverageAfterARun(t *testing.T) {
	for name, c := range map[string]struct {
		before []seeding.Span
		start  int
		looks  []seeding.Span
		until  int
		want   string
	}{
		"the first run":             {looks: []seeding.Span{span(0, 100, "a", 5)}, until: 100, want: "0-100a:5"},
		"something new":             {before: []seeding.Span{span(0, 100, "a", 5)}, looks: []seeding.Span{span(100, 200, "b", 2)}, until: 200, want: "0-100a:5 100-200b:2"},
		"something changed besides": {before: []seeding.Span{span(0, 50, "a", 5), span(50, 100, "b", 5)}, looks: []seeding.Span{span(0, 50, "A", 6), span(100, 200, "c", 0)}, until: 200, want: "0-50A:6 50-100b:5 100-200c:0"},
		"nothing but a rejection":   {before: []seeding.Span{span(0, 100, "a", 5)}, looks: []seeding.Span{span(7, 8, "", 0)}, until: 200, want: "0-100a:5"},
		"rejections and what is new, joined": {before: []seeding.Span{span(0, 100, "a", 5)}, looks: []seeding.Span{span(90, 200, "", 3)}, until: 200,
			want: "0-100a:5 100-200:0"},
		"older ones count now":     {before: []seeding.Span{span(50, 100, "a", 5)}, looks: []seeding.Span{span(0, 50, "b", 1), span(100, 200, "c", 1)}, until: 200, want: "0-50b:1 50-100a:5 100-200c:1"},
		"older ones count no more": {before: []seeding.Span{span(0, 50, "a", 5), span(50, 100, "b", 5)}, start: 60, looks: []seeding.Span{span(100, 200, "c", 1)}, until: 200, want: "50-100b:5 100-200c:1"},
		"only later ones count":    {before: []seeding.Span{span(0, 50, "a", 5)}, start: 100, looks: []seeding.Span{span(100, 200, "c", 1)}, until: 200, want: "100-200c:1"},
		"it is a second time":      {before: []seeding.Span{span(0, 100, "a", 5), span(100, 200, "b", 2)}, looks: []seeding.Span{span(100, 200, "b", 2)}, until: 200, want: "0-100a:5 100-200b:2"},
	} {
		t.Run(name, func(t *testing.T) {
			stored := seeding.Coverage{Connector: "c", Form: "f", Spans: c.before, Version: 3}
			got := stored.Since("f", ms(c.start)).Looked(seeding.Looks{Planned: true, Until: ms(c.until), Mark: "all", Spans: c.looks}, ms(c.start))
			if spansText(got.Spans) != c.want || got.Mark != "all" || got.Version != 3 {
				t.Errorf("%s, want %s", spansText(got.Spans), c.want)
			}
			if again := got.Since("f", ms(c.start)).Looked(seeding.Looks{Planned: true, Until: ms(c.until), Mark: "all", Spans: c.looks}, ms(c.start)); !again.Same(got) {
				t.Errorf("a second time: %s", spansText(again.Spans))
			}
			if other := stored.Since("other", ms(0)); len(other.Spans) != 0 || other.Mark != "" || other.Version != 3 || other.Form != "other" {
				t.Errorf("of another form: %+v", other)
			}
		})
	}
}

// Runs that follow one another: a coverage has no gap, few spans, and covers nothing that
// no run has looked at.
func TestCoverageOfManyRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, until := seeding.Coverage{Connector: "c", Form: "f"}, 0
		for run := range rapid.IntRange(1, 60).Draw(t, "runs") {
			until += rapid.IntRange(1, 50).Draw(t, "until")
			before := c.Whole()
			l := seeding.Looks{Planned: true, Until: ms(until), Mark: fmt.Sprint("m", run)}
			for _, w := range c.Fresh(ms(0), ms(until)) {
				l.Spans = append(l.Spans, seeding.Span{Window: w, Mark: fmt.Sprint("f", run), Count: rapid.IntRange(0, 9).Draw(t, "count")})
			}
			if rapid.Bool().Draw(t, "only rejections") && run > 0 {
				l.Spans = nil
			}
			var due []seeding.Window
			for range rapid.IntRange(0, 80).Draw(t, "due") {
				at := rapid.IntRange(0, until-1).Draw(t, "at")
				due = append(due, window(at, at+1))
			}
			l.Spans = seeding.JoinSpans(l.Spans, due)
			checkSpans(t, l.Spans, seeding.MaxSpans, false)
			for _, w := range due {
				if !slices.ContainsFunc(l.Spans, func(s seeding.Span) bool { return s.Covers(w) }) {
					t.Fatalf("%v is not looked at by %s", w, spansText(l.Spans))
				}
			}
			c = c.Looked(l, ms(0))
			checkSpans(t, c.Spans, seeding.MaxSpans/2, true)
			if whole := c.Whole(); whole.To.After(before.To) && !slices.ContainsFunc(l.Spans, func(s seeding.Span) bool {
				return s.Covers(seeding.Window{From: before.To, To: whole.To}) || before.To.IsZero()
			}) {
				t.Fatalf("%v is covered, and %s was looked at", whole, spansText(l.Spans))
			}
		}
	})
}

// checkSpans: in their order, none is empty, and neighbours touch if they must.
func checkSpans(t *rapid.T, spans []seeding.Span, most int, touch bool) {
	if len(spans) > most {
		t.Fatalf("%d spans", len(spans))
	}
	for i, s := range spans {
		if s.Empty() || i > 0 && s.From.Before(spans[i-1].To) || touch && i > 0 && !s.From.Equal(spans[i-1].To) {
			t.Fatalf("spans %s", spansText(spans))
		}
	}
}

// The smallest gaps are closed first, and what has a mark keeps it where it can.
func TestSpansAreJoined(t *testing.T) {
	var windows []seeding.Window
	for i := range seeding.MaxSpans - 1 {
		windows = append(windows, window(1000*i, 1000*i+1))
	}
	windows = append(windows, window(1000*7+3, 1000*7+4), window(5, 6), window(5, 6))
	marked := []seeding.Span{span(100_000, 200_000, "a", 7)}
	got := seeding.JoinSpans(marked, append(windows, window(150_000, 150_001)))
	if len(got) != seeding.MaxSpans || got[0] != span(0, 6, "", 0) || got[len(got)-1] != marked[0] {
		t.Errorf("%s", spansText(got))
	}
	if !slices.Contains(got, span(7000, 7004, "", 0)) {
		t.Errorf("%s", spansText(got))
	}
	touching := seeding.JoinSpans([]seeding.Span{span(0, 10, "a", 1), span(10, 20, "b", 1)}, []seeding.Window{window(20, 21), window(21, 22)})
	if spansText(touching) != "0-10a:1 10-20b:1 20-22:0" {
		t.Errorf("%s", spansText(touching))
	}
}

// A run goes down its spans, the newest first.
func TestWhatARunLooksAtNext(t *testing.T) {
	l := seeding.Looks{Spans: []seeding.Span{span(10, 20, "", 3), span(20, 30, "", 4), span(50, 60, "", 5)}}
	for cursor, want := range map[int64]string{0: "50-60", 55: "50-55", 50: "20-30", 40: "20-30", 20: "10-20", 11: "10-11", 10: "", 3: ""} {
		w, found := l.Below(cursor)
		got := fmt.Sprintf("%d-%d", w.From.UnixMilli(), w.To.UnixMilli())
		if !found {
			got = ""
		}
		if got != want {
			t.Errorf("below %d: %s, want %s", cursor, got, want)
		}
	}
	if l.Expected() != 12 {
		t.Error(l.Expected())
	}
}
