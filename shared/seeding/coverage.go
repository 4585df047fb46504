package seeding

import (
	"cmp"
	"slices"
	"time"
)

// Since is the coverage of a form whose submissions count from a moment on. Of another
// form nothing was looked at yet.
func (c Coverage) Since(form string, start time.Time) Coverage {
	if c.Form != form {
		return Coverage{Connector: c.Connector, Form: form, Version: c.Version}
	}
	c.Spans = slices.DeleteFunc(slices.Clone(c.Spans), func(s Span) bool { return !start.Before(s.To) })
	return c
}

// Fresh are the windows from one moment to the other that no span covers, before the
// first span and after the last.
func (c Coverage) Fresh(start, until time.Time) (windows []Window) {
	whole := c.Whole()
	if whole.Empty() {
		whole = Window{start, start}
	}
	for _, w := range []Window{{start, earlier(whole.From, until)}, {later(whole.To, start), until}} {
		if !w.Empty() {
			windows = append(windows, w)
		}
	}
	return windows
}

// Looked is the coverage after everything in the spans of a run was looked at and is
// done. What the run had no reason to look at stays as it was. A span that the run
// looked at together with others is stored without a mark, and is looked at once more.
func (c Coverage) Looked(l Looks, start time.Time) Coverage {
	spans := slices.Clone(c.Spans)
	for i, stored := range spans {
		if s, found := l.exactly(stored.Window); found && s.Mark != "" {
			spans[i] = s
		}
	}
	for _, fresh := range c.Fresh(start, l.Until) {
		s, found := l.exactly(fresh)
		switch {
		case found:
		case slices.ContainsFunc(l.Spans, func(s Span) bool { return s.Covers(fresh) }):
			s = Span{Window: fresh}
		default:
			continue
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.From.Compare(b.From) })
	c.Spans, c.Mark = joinSmall(spans, maxStored), l.Mark
	return c
}

// maxStored is how many spans a coverage has at most: a run has room for as many
// rejections beside them.
const maxStored = MaxSpans / 2

// Same reports whether two coverages say the same.
func (c Coverage) Same(other Coverage) bool {
	return c.Form == other.Form && c.Mark == other.Mark && slices.EqualFunc(c.Spans, other.Spans, func(a, b Span) bool {
		return a.From.Equal(b.From) && a.To.Equal(b.To) && a.Mark == b.Mark && a.Count == b.Count
	})
}

// exactly is the span with this window.
func (l Looks) exactly(w Window) (Span, bool) {
	i := slices.IndexFunc(l.Spans, func(s Span) bool { return s.From.Equal(w.From) && s.To.Equal(w.To) })
	if i < 0 {
		return Span{}, false
	}
	return l.Spans[i], true
}

// Covers reports whether every moment of another window is in this one.
func (w Window) Covers(other Window) bool {
	return !other.From.Before(w.From) && !other.To.After(w.To)
}

// Below is the newest window that is still to be looked at by a run with the cursor: the
// part of a span before that moment, in milliseconds since 1970; 0 is before a beginning.
func (l Looks) Below(cursor int64) (w Window, found bool) {
	for _, s := range slices.Backward(l.Spans) {
		w := s.Window
		if cursor != 0 {
			w.To = earlier(w.To, time.UnixMilli(cursor).UTC())
		}
		if !w.Empty() {
			return w, true
		}
	}
	return Window{}, false
}

// Expected is how many submissions the spans had when they were counted.
func (l Looks) Expected() (n int) {
	for _, s := range l.Spans {
		n += s.Count
	}
	return n
}

// JoinSpans puts windows of a millisecond, in any order, among spans that follow one
// another. What lies in a span is looked at with it. Until there are at most MaxSpans
// the smallest gaps are closed, those between the windows first; a span that becomes a
// part of a larger one has no mark any more.
func JoinSpans(spans []Span, windows []Window) []Span {
	all := slices.Clone(spans)
	for _, w := range windows {
		all = append(all, Span{Window: w})
	}
	slices.SortStableFunc(all, func(a, b Span) int { return a.From.Compare(b.From) })
	var joined []Span
	for _, s := range all {
		n := len(joined)
		switch {
		case n > 0 && joined[n-1].Covers(s.Window):
			joined[n-1].Count = max(joined[n-1].Count, s.Count)
		case n > 0 && s.From.Before(joined[n-1].To), n > 0 && s.From.Equal(joined[n-1].To) && s.Mark == "" && joined[n-1].Mark == "":
			joined[n-1] = joined[n-1].with(s)
		default:
			joined = append(joined, s)
		}
	}
	for len(joined) > MaxSpans {
		best := 0
		for i := 1; i+1 < len(joined); i++ {
			if gapAfter(joined, i) < gapAfter(joined, best) {
				best = i
			}
		}
		joined[best] = joined[best].with(joined[best+1])
		joined = slices.Delete(joined, best+1, best+2)
	}
	return joined
}

// gapAfter is the gap between a span and the next one; one beside a span with a mark
// counts as larger than any other.
func gapAfter(spans []Span, i int) time.Duration {
	gap := spans[i+1].From.Sub(spans[i].To)
	if spans[i].Mark != "" || spans[i+1].Mark != "" {
		const ages = 200 * 365 * 24 * time.Hour
		return min(gap, 90*365*24*time.Hour) + ages
	}
	return gap
}

// with is one span from the beginning of the first to the end of the other.
func (s Span) with(other Span) Span {
	return Span{Window: Window{s.From, later(s.To, other.To)}, Count: s.Count + other.Count}
}

// joinSmall joins neighbours until there are at most so many, those with the fewest
// submissions first.
func joinSmall(spans []Span, most int) []Span {
	for len(spans) > most {
		pairs := make([]int, len(spans)-1)
		for i := range pairs {
			pairs[i] = i
		}
		best := slices.MinFunc(pairs, func(a, b int) int {
			return cmp.Compare(spans[a].Count+spans[a+1].Count, spans[b].Count+spans[b+1].Count)
		})
		spans[best] = spans[best].with(spans[best+1])
		spans = slices.Delete(spans, best+1, best+2)
	}
	return spans
}
