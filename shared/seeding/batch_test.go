package seeding_test

import (
	"reflect"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A batch has a fixed time, and four times the time for all records in line.
func TestDeadline(t *testing.T) {
	if got := seeding.Deadline(now, 60*time.Millisecond, 1000, seeding.DefaultTimes()).Sub(now); got != 6*time.Minute {
		t.Errorf("%v for 1,000 records of 60 ms", got)
	}
}

// A batch should be answered after a fixed time, and twice the time for all records
// in line.
func TestOverdue(t *testing.T) {
	times := seeding.DefaultTimes()
	if got := seeding.Overdue(now, 60*time.Millisecond, 100, times).Sub(now); got != times.OverdueBase+12*time.Second {
		t.Errorf("%v for 100 records of 60 ms", got)
	}
}

// MTS is asked about a batch that is overdue. One that was claimed before there was
// such a time has its deadline.
func TestWhenMTSIsAsked(t *testing.T) {
	b := seeding.Batch{Overdue: now, Deadline: now.Add(time.Minute)}
	if !b.AskAt().Equal(now) {
		t.Errorf("at %v", b.AskAt())
	}
	if b.Overdue = (time.Time{}); !b.AskAt().Equal(now.Add(time.Minute)) {
		t.Errorf("an older one at %v", b.AskAt())
	}
}

// What a claim takes from the state of the MTS.
func TestAClaimAtAnMTS(t *testing.T) {
	times, later, before := seeding.DefaultTimes(), now.Add(time.Hour), func(d time.Duration) time.Time { return now.Add(-d) }
	slot := func(claimed time.Time, records int) seeding.Slot {
		return seeding.Slot{Connector: "c", Count: records, Claimed: claimed, Overdue: later, Ends: later}
	}
	gone := seeding.Slot{Count: 50, Claimed: before(time.Hour), Overdue: now, Ends: later}
	four := workers(4, seeding.Pace{Size: 10, Proved: 10, PerRecord: 20 * time.Millisecond})
	for _, c := range []struct {
		name  string
		mts   seeding.MTSState
		width int
		want  seeding.Batch
		each  time.Duration // that its times reckon with
	}{
		{"never used", seeding.MTSState{}, 16, seeding.Batch{Number: 1, InLine: 10, Since: now}, times.RecordFirst},
		{"the only slot", seeding.MTSState{}, 1, seeding.Batch{Number: 1, InLine: 10, Since: now, Full: true}, times.RecordFirst},
		{"used before", seeding.MTSState{Claims: 7, Delivered: 70, Heard: before(time.Minute), Pace: four}, 16,
			seeding.Batch{Number: 8, Delivered: 70, InLine: 10, Since: now}, 20 * time.Millisecond},
		{"others are under way: a worker has a part of them", seeding.MTSState{Pace: four, Slots: []seeding.Slot{slot(before(9), 30), slot(before(5), 11)}}, 16,
			seeding.Batch{Number: 1, Beside: 2, Ahead: 41, InLine: 20, Since: before(9)}, 20 * time.Millisecond},
		{"the last slot", seeding.MTSState{Pace: four, Slots: []seeding.Slot{slot(before(9), 30), slot(before(5), 11)}}, 3,
			seeding.Batch{Number: 1, Beside: 2, Ahead: 41, InLine: 20, Since: before(9), Full: true}, 20 * time.Millisecond},
		{"one was patched since those were claimed", seeding.MTSState{Pace: four, Heard: before(3), Slots: []seeding.Slot{slot(before(9), 30)}}, 16,
			seeding.Batch{Number: 1, Beside: 1, Ahead: 30, InLine: 17, Since: before(3)}, 20 * time.Millisecond},
		{"one that is overdue may still be answered, and is in nobody's way", seeding.MTSState{Pace: four, Heard: before(time.Minute), Slots: []seeding.Slot{gone}}, 16,
			seeding.Batch{Number: 1, Beside: 1, Ahead: 50, InLine: 10, Since: before(time.Minute)}, 20 * time.Millisecond},
	} {
		b := seeding.Batch{Count: 10}
		want := c.want
		want.Count, want.Claimed = 10, now
		want.Overdue, want.Deadline = seeding.Overdue(now, c.each, want.InLine, times), seeding.Deadline(now, c.each, want.InLine, times)
		got := seeding.Claim{Batch: b, Counter: 3, Version: 4, Fence: 5}.At(c.mts, now, c.width, times)
		if !reflect.DeepEqual(got, seeding.Claim{Batch: want, Counter: 3, Version: 4, Fence: 5, Claims: c.mts.Claims, Width: c.width}) {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
	times.DeadlineBase = time.Second
	if b := (seeding.Claim{Batch: seeding.Batch{Count: 1}}).At(seeding.MTSState{}, now, 1, times).Batch; b.Overdue.After(b.Deadline) {
		t.Errorf("overdue %v after its deadline", b.Overdue.Sub(b.Deadline))
	}
}

// A batch that MTS still works on is given three deadlines from its claim.
func TestWhenABatchIsGivenUp(t *testing.T) {
	b := seeding.Batch{Claimed: now, Submitted: now.Add(time.Minute), Deadline: now.Add(2 * time.Minute)}
	if b.Wait() != 2*time.Minute || !b.GiveUpAt().Equal(now.Add(6*time.Minute)) {
		t.Errorf("waits %v, given up at %v", b.Wait(), b.GiveUpAt())
	}
}

func TestWhichBatchesAreOpen(t *testing.T) {
	for state, want := range map[seeding.BatchState]bool{
		seeding.Claimed: true, seeding.Submitted: true, seeding.Patched: false, seeding.Lost: false, seeding.Failed: false,
	} {
		if state.Open() != want {
			t.Errorf("%s: open %v", state, !want)
		}
	}
}

// Parts differ by their content, their number and how many there are.
func TestWhichPartsOfAnAnswerAreCounted(t *testing.T) {
	part := func(content string, n, of int) seeding.AnswerPart {
		return seeding.AnswerPart{Content: content, Part: n, Of: of}
	}
	b := seeding.Batch{Parts: []string{part("x", 1, 2).ID(), part("x", 2, 2).ID()}}
	for _, c := range []struct {
		name  string
		parts []seeding.AnswerPart
		want  bool
	}{
		{"none", nil, true},
		{"one that is counted", []seeding.AnswerPart{part("x", 2, 2)}, true},
		{"all that are counted", []seeding.AnswerPart{part("x", 2, 2), part("x", 1, 2)}, true},
		{"another number", []seeding.AnswerPart{part("x", 1, 2), part("x", 3, 2)}, false},
		{"of another answer", []seeding.AnswerPart{part("y", 1, 2)}, false},
		{"of more parts", []seeding.AnswerPart{part("x", 1, 3)}, false},
	} {
		if got := b.HasParts(c.parts); got != c.want {
			t.Errorf("%s: counted %v", c.name, got)
		}
	}
}

// Windows that meet share no submission and leave none out, whatever the zone and the
// digits of the moment at which they meet.
func TestWindowBounds(t *testing.T) {
	meet := time.Date(2026, 11, 27, 20, 30, 0, 137_999_999, time.FixedZone("", 8*3600))
	_, before := seeding.Window{From: meet.Add(-time.Hour), To: meet}.Bounds()
	after, _ := seeding.Window{From: meet, To: meet.Add(time.Hour)}.Bounds()
	if want := "2026-11-27T12:30:00.137Z"; before != want || after != want {
		t.Errorf("%s and %s, want %s", before, after, want)
	}
}

// However often a request is answered, each record counts once, and never more than were
// sent.
func TestWhatAnotherAnswerAdds(t *testing.T) {
	type totals = seeding.Totals
	for name, c := range map[string]struct {
		before, said, want totals
	}{
		"the first answer":                   {totals{}, totals{Tokenised: 2, Refused: 1}, totals{Tokenised: 2, Refused: 1}},
		"of a lost batch":                    {totals{Sent: 3}, totals{Tokenised: 2, Conflict: 1}, totals{Tokenised: 2, Conflict: 1}},
		"nothing is left to be said":         {totals{Sent: 3, Tokenised: 3}, totals{Tokenised: 3, Refused: 3}, totals{}},
		"something is":                       {totals{Sent: 3, Tokenised: 1, Refused: 1}, totals{Refused: 1, Duplicate: 1}, totals{Refused: 1}},
		"tokens of the refused":              {totals{Sent: 3, Refused: 3}, totals{Tokenised: 3}, totals{Tokenised: 3, Refused: -3}},
		"a token of one that was given up":   {totals{Sent: 1, NoToken: 1}, totals{Tokenised: 1}, totals{Tokenised: 1, NoToken: -1}},
		"tokens of the others, and of these": {totals{Sent: 3, Conflict: 1, Duplicate: 1}, totals{Tokenised: 3}, totals{Tokenised: 3, Conflict: -1, Duplicate: -1}},
		"more than was sent":                 {totals{Sent: 4, Tokenised: 3, Refused: 3}, totals{Tokenised: 3}, totals{Tokenised: 1, Refused: -1}},
	} {
		if got := (seeding.Batch{Count: 3, Totals: c.before}).Fresh(c.said); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
