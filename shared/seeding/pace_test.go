package seeding_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

var paceStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// sent is a batch of count records at a size, claimed at paceStart with a deadline
// after an hour. It says nothing of the width.
func sent(size, count int) seeding.Batch {
	return seeding.Batch{
		Size: size, Count: count, InLine: count,
		Claimed: paceStart, Since: paceStart, Submitted: paceStart, Deadline: paceStart.Add(time.Hour),
	}
}

// after is the batch when it was answered and patched a time after its claim.
func after(b seeding.Batch, took time.Duration) seeding.Batch {
	b.Answered, b.Closed = b.Claimed.Add(took), b.Claimed.Add(took)
	return b
}

// paceAfterAnswer and paceAfterLoss are for tests that need no more than the pace.
func paceAfterAnswer(p seeding.Pace, b seeding.Batch, maximum int) seeding.Pace {
	next, _ := seeding.MTSState{Pace: p}.AfterAnswer(b, maximum)
	return next
}

func paceAfterLoss(p seeding.Pace, b seeding.Batch, tooMuch bool) seeding.Pace {
	next, _ := seeding.MTSState{Pace: p}.AfterLoss(b, tooMuch)
	return next
}

// The size is doubled by answers and halved by losses, and keeps away from what was
// lost last until many answers came in time.
func TestBatchSizeFollowsTheMTS(t *testing.T) {
	const first = seeding.FirstBatchSize
	p, soon := seeding.Pace{}, time.Millisecond
	expect := func(what string, p seeding.Pace, want int) {
		t.Helper()
		if got := p.Batch(1000); got != want {
			t.Fatalf("%s: %d, want %d", what, got, want)
		}
	}
	answered := func(p seeding.Pace, size int) seeding.Pace {
		return paceAfterAnswer(p, after(sent(size, size), soon), 1000)
	}
	lost := func(p seeding.Pace, size int, tooMuch bool) seeding.Pace {
		return paceAfterLoss(p, sent(size, size), tooMuch)
	}

	expect("at first", p, first)
	p = answered(p, first)
	expect("after the first answer", p, 2*first)
	p = answered(answered(p, 2*first), first)
	expect("after two answers, the second to a size that was left", p, 4*first)
	p = answered(p, 4*first)
	p = lost(lost(p, 8*first, false), 8*first, false)
	expect("after the loss of two batches of a size that was never answered", p, 4*first)
	p = lost(p, 4*first, false)
	expect("after one loss of a size that was answered before", p, 4*first)
	p = lost(answered(p, 4*first), 4*first, false)
	expect("after losses with an answer between them", p, 4*first)
	expect("after two losses in a row", lost(p, 4*first, false), 2*first)
	expect("after one that MTS forgot", lost(answered(p, 4*first), 4*first, true), 2*first)
	expect("after a smaller one that MTS forgot", lost(p, 2*first, true), first)
	expect("after a smaller one that failed", lost(p, 2*first, false), 4*first)
	answers := 1 // since the ceiling was set, of the size that may grow
	for ; p.Batch(1000) == 4*first && answers <= 2*seeding.RoundsToLift; answers++ {
		p = answered(p, 4*first)
	}
	expect("after many answers", p, 8*first)
	if answers < seeding.RoundsToLift {
		t.Errorf("the size that was lost came again after %d answers", answers)
	}
}

// Whatever happened before, an MTS that works grows again to the maximum, and
// one that loses everything shrinks to single records.
func TestPaceRecovers(t *testing.T) {
	m, most := seeding.MTSState{}, seeding.MTSState{}.Width(1000)
	claim := func() seeding.Batch {
		m.Claims++
		b := sent(m.Batch(1000), m.Batch(1000))
		b.Number, b.Beside = m.Claims, m.Width(1000)-1
		return b
	}
	for range 20 {
		m.Pace, _ = m.AfterLoss(claim(), true)
	}
	if m.Batch(1000) != 1 || m.Losses < 3 {
		t.Fatalf("size %d, losses %d", m.Batch(1000), m.Losses)
	}
	batches := 0
	for ; (m.Batch(1000) < 1000 || m.Width(1000) < most) && batches < 2000; batches++ {
		m.Pace, _ = m.AfterAnswer(after(claim(), time.Millisecond), 1000)
	}
	if m.Batch(1000) != 1000 || m.Width(1000) < most || m.Limit != 0 {
		t.Fatalf("stuck after %d batches: %+v", batches, m.Pace)
	}
	t.Logf("%d timely batches from 1 to 1,000", batches)
}

// Where fewer records come back than one worker alone would make, records take
// longer now: what the batch shows is believed, and the workers are counted anew;
// then for some time it is something else that is slow, such as the registry.
func TestWhenRecordsTakeLonger(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		interval time.Duration
		since    int64 // batches of records delivered since a record was measured
		anew     bool
	}{
		"as fast as one worker":            {10 * ms, 100, false},
		"a little slower":                  {13 * ms, 100, false},
		"much slower":                      {20 * ms, 20, true},
		"much slower, and measured lately": {20 * ms, 19, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := seeding.MTSState{Delivered: 5000, Pace: seeding.Pace{
				Size: 50, Proved: 50, Ceiling: 100, Single: 10 * ms, Interval: c.interval, SingleAt: 5000 - 50*c.since,
			}}
			b := seeding.Batch{Size: 50, Count: 50, InLine: 50, Beside: 3, Delivered: 5000, Claimed: paceStart, Answered: paceStart.Add(4 * time.Second)}
			b.Since, b.Closed, b.Deadline = b.Claimed, b.Answered.Add(ms), b.Answered
			next, _ := m.AfterAnswer(b, 1000)
			want := m.Pace
			if c.anew {
				want.Single, want.SingleAt, want.Interval = 80*ms, 5000, 0
			}
			if next.Single != want.Single || next.SingleAt != want.SingleAt || next.Interval != want.Interval {
				t.Errorf("%+v, want %+v", next, want)
			}
		})
	}
}

// A round is a batch for each worker, and those that are patched meanwhile, at most
// as many again. The time of patching is an average of the batches.
func TestARoundHoldsWhatIsPatched(t *testing.T) {
	const ms = time.Millisecond
	pace := seeding.Pace{Size: 100, Proved: 100, Single: 40 * ms, Interval: 10 * ms} // 4 workers, 5 in a wave, 4 s a batch
	for handling, want := range map[time.Duration]int{
		0: 5, 200 * ms: 5, 300 * ms: 6, 2 * time.Second: 8, 4 * time.Second: 10, time.Hour: 10,
	} {
		pace.Handling = handling
		if got := pace.Round(); got != want || pace.Width(1000) != seeding.PerWorker*want {
			t.Errorf("%v: a round of %d, a width of %d; want %d", handling, got, pace.Width(1000), want)
		}
	}
	if got := (seeding.Pace{Handling: time.Hour}).Round(); got != seeding.FirstWave {
		t.Errorf("never used: %d", got)
	}

	m := seeding.MTSState{Pace: pace}
	m.Handling = 0
	for _, c := range []struct{ took, want time.Duration }{{400 * ms, 400 * ms}, {800 * ms, 500 * ms}, {0, 500 * ms}} {
		b := seeding.Batch{Size: 100, Count: 100, Claimed: paceStart, Answered: paceStart.Add(4 * time.Second)}
		b.Closed = b.Answered.Add(c.took)
		m.Pace, _ = m.AfterAnswer(b, 100)
		if m.Handling != c.want {
			t.Errorf("after %v: %v, want %v", c.took, m.Handling, c.want)
		}
	}
}

// How many workers MTS has, as far as is known, and what follows for the batches:
// a wave has one for each and some more, and so many may be under way that each has
// another that waits.
func TestWidthFollowsTheWorkers(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		pace    seeding.Pace
		maximum int
		workers float64
		wave    int
		width   int
	}{
		{"never used", seeding.Pace{}, 1000, 1, seeding.FirstWave, seeding.PerWorker * seeding.FirstWave},
		{"the interval is not known", seeding.Pace{Single: ms}, 1000, 1, seeding.FirstWave, seeding.PerWorker * seeding.FirstWave},
		{"the time of a record is not known", seeding.Pace{Interval: ms}, 1000, 1, seeding.FirstWave, seeding.PerWorker * seeding.FirstWave},
		{"one worker", seeding.Pace{Single: ms, Interval: ms}, 1000, 1, 1, seeding.PerWorker},
		{"a little slower than one", seeding.Pace{Single: 8 * ms, Interval: 9 * ms}, 1000, 1, 1, seeding.PerWorker},
		{"a little faster than one", seeding.Pace{Single: 9 * ms, Interval: 8 * ms}, 1000, 1.125, 2, 2 * seeding.PerWorker},
		{"much slower than one", seeding.Pace{Single: ms, Interval: 2 * ms}, 1000, 1, 1, seeding.PerWorker},
		{"four", seeding.Pace{Single: 4 * ms, Interval: ms}, 1000, 4, 5, 5 * seeding.PerWorker},
		{"four and a half", seeding.Pace{Single: 9 * ms, Interval: 2 * ms}, 1000, 4.5, 5, 5 * seeding.PerWorker},
		{"sixteen", seeding.Pace{Single: 16 * ms, Interval: ms}, 1000, 16, 19, 19 * seeding.PerWorker},
		{"sixteen, and the connector allows fewer", seeding.Pace{Single: 16 * ms, Interval: ms}, 3, 16, 19, 3},
		{"the connector has no maximum", seeding.Pace{}, 0, 1, seeding.FirstWave, 1},
		{"limited by a loss", seeding.Pace{Single: 16 * ms, Interval: ms, Limit: 5}, 1000, 16, 19, 5},
		{"limited by a loss to more than the connector allows", seeding.Pace{Single: 16 * ms, Interval: ms, Limit: 5}, 3, 16, 19, 3},
		{"limited to more than there are workers for", seeding.Pace{Single: ms, Interval: ms, Limit: 50}, 1000, 1, 1, seeding.PerWorker},
		{"never used, and limited", seeding.Pace{Limit: 1}, 1000, 1, seeding.FirstWave, 1},
	} {
		if workers, wave, width := c.pace.Workers(), c.pace.Wave(), c.pace.Width(c.maximum); workers != c.workers || wave != c.wave || width != c.width {
			t.Errorf("%s: %v workers, a wave of %d, a width of %d; want %v, %d, %d", c.name, workers, wave, width, c.workers, c.wave, c.width)
		}
	}
}

// The time of a record is that of a batch that found a free worker.
func TestTheTimeOfARecord(t *testing.T) {
	const ms = time.Millisecond
	beside := func(b seeding.Batch) seeding.Batch { b.Beside = 1; return b }
	for _, c := range []struct {
		name   string
		single time.Duration
		batch  seeding.Batch
		want   time.Duration
	}{
		{"the first", 0, after(beside(sent(10, 1)), 5*ms), 5 * ms},
		{"shorter: another was not in its way", 9 * ms, after(beside(sent(10, 10)), 50*ms), 5 * ms},
		{"shorter, of a batch that is not full", 9 * ms, after(beside(sent(10, 1)), 5*ms), 5 * ms},
		{"longer, alone", 3 * ms, after(sent(10, 10), 50*ms), 5 * ms},
		{"longer, alone, half full", 3 * ms, after(sent(10, 5), 25*ms), 5 * ms},
		{"longer, alone, less than half full: what a batch takes counts more", 3 * ms, after(sent(10, 4), 20*ms), 3 * ms},
		{"longer, beside another: it may have waited", 3 * ms, after(beside(sent(10, 10)), 50*ms), 3 * ms},
		{"in whole microseconds", 0, after(sent(3, 3), 10*time.Microsecond), 3 * time.Microsecond},
		{"at least one", 9 * ms, after(sent(10, 10), 1), time.Microsecond},
		{"by a clock that is behind", 3 * ms, after(sent(10, 10), -ms), 3 * ms},
	} {
		if got := paceAfterAnswer(seeding.Pace{Single: c.single}, c.batch, 1000).Single; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The interval is the time between two records that are patched, while there is as
// much under way as may be.
func TestTheIntervalBetweenRecords(t *testing.T) {
	const ms = time.Millisecond
	full := func(b seeding.Batch) seeding.Batch { b.Full = true; return b }
	since := func(b seeding.Batch, before time.Duration) seeding.Batch { b.Since = b.Claimed.Add(-before); return b }
	for _, c := range []struct {
		name      string
		interval  time.Duration
		batch     seeding.Batch
		delivered int64 // since its claim
		want      time.Duration
	}{
		{"the first", 0, after(sent(10, 10), 400*ms), 40, 10 * ms},
		{"nothing was delivered", 7 * ms, after(full(sent(10, 10)), 400*ms), 0, 7 * ms},
		{"counted by an older version", 7 * ms, after(full(sent(10, 10)), 400*ms), -5, 7 * ms},
		{"shorter", 12 * ms, after(sent(10, 10), 400*ms), 40, 10 * ms},
		{"shorter, of a batch that is not full", 12 * ms, after(sent(10, 1), 400*ms), 40, 10 * ms},
		{"longer: follows slowly", 2 * ms, after(full(sent(10, 10)), 400*ms), 40, 2*ms + 8*ms/seeding.Fade},
		{"longer, half full", 2 * ms, after(full(sent(10, 5)), 400*ms), 40, 2*ms + 8*ms/seeding.Fade},
		{"longer, less than half full: says nothing", 2 * ms, after(full(sent(10, 4)), 400*ms), 40, 2 * ms},
		{"longer, with less beside it than there might have been: says nothing", 2 * ms, after(sent(10, 10), 400*ms), 40, 2 * ms},
		{"counted from the record before its claim", 0, after(since(sent(10, 10), 400*ms), 400*ms), 40, 20 * ms},
		{"by a clock that is behind", 7 * ms, after(full(sent(10, 10)), -ms), 40, 7 * ms},
		{"at least one microsecond", 0, after(sent(10, 10), 1), 40, time.Microsecond},
	} {
		c.batch.Delivered = 1000
		m := seeding.MTSState{Delivered: 1000 + c.delivered, Pace: seeding.Pace{Interval: c.interval}}
		if next, _ := m.AfterAnswer(c.batch, 1000); next.Interval != c.want {
			t.Errorf("%s: %v, want %v", c.name, next.Interval, c.want)
		}
	}
}

// A batch that was too much, of a size that was answered before, limits the width to
// half of what was under way; otherwise its size is to blame. A round of timely
// answers raises the limit by one, until it is none.
func TestTheLimitOfTheWidth(t *testing.T) {
	const claims = 100
	p := seeding.Pace{Size: 10, Proved: 10, Single: 8 * time.Millisecond, Interval: time.Millisecond, Limit: 6, Raising: 2, LimitedAt: 50}
	batch := func(size, count, beside int, number int64) seeding.Batch {
		b := sent(size, count)
		b.Beside, b.Number = beside, number
		return b
	}
	for _, c := range []struct {
		name    string
		batch   seeding.Batch
		tooMuch bool
		limit   [2]int // and how far it is raised
		at      int64
		size    int
	}{
		{"half of what was under way", batch(10, 10, 5, 51), true, [2]int{3, 0}, claims, 10},
		{"half and one", batch(10, 10, 4, 51), true, [2]int{2, 0}, claims, 10},
		{"at least one", batch(10, 10, 1, 51), true, [2]int{1, 0}, claims, 10},
		{"of a batch that is half full", batch(10, 5, 5, 51), true, [2]int{3, 0}, claims, 10},
		{"of a smaller size, which was answered, too", batch(5, 5, 5, 51), true, [2]int{3, 0}, claims, 10},
		{"claimed before the limit was set: once is enough", batch(10, 10, 5, 50), true, [2]int{6, 2}, 50, 10},
		{"of a larger size than today's: nothing", batch(20, 20, 5, 51), true, [2]int{6, 2}, 50, 10},
		{"of a batch that is less than half full: nothing", batch(10, 4, 5, 51), true, [2]int{6, 2}, 50, 10},
		{"alone: its size was too much", batch(10, 10, 0, 51), true, [2]int{6, 2}, 50, 5},
		{"not too much: forgiven once", batch(10, 10, 5, 51), false, [2]int{6, 2}, 50, 10},
	} {
		next, _ := seeding.MTSState{Claims: claims, Pace: p}.AfterLoss(c.batch, c.tooMuch)
		if got := [2]int{next.Limit, next.Raising}; got != c.limit || next.LimitedAt != c.at || next.Size != c.size {
			t.Errorf("%s: limit %d at claim %d, size %d; want %d at %d, %d", c.name, got, next.LimitedAt, next.Size, c.limit, c.at, c.size)
		}
	}
	unproved := p
	unproved.Proved = 5
	if next, _ := (seeding.MTSState{Claims: claims, Pace: unproved}).AfterLoss(batch(10, 10, 5, 51), true); next.Limit != p.Limit || next.Size != 5 {
		t.Errorf("a size that was never answered was too much: limit %d, size %d", next.Limit, next.Size)
	}

	unlimited := p
	unlimited.Limit = 0
	p.Limit, p.Raising, p.LimitedAt = 1, 0, claims
	answers := 0
	for limit := 1; p.Limit > 0; limit++ {
		if p.Limit != limit {
			t.Fatalf("the limit is %d after %d answers, want %d", p.Limit, answers, limit)
		}
		for range limit {
			if p.Limit != limit {
				t.Fatalf("the limit of %d is %d before the end of a round", limit, p.Limit)
			}
			p = paceAfterAnswer(p, after(sent(10, 10), 80*time.Millisecond), 10)
			answers++
		}
		if limit > 100 {
			t.Fatal("the limit never ends")
		}
	}
	if p.Width(1000) != unlimited.Width(1000) || p.Raising != 0 || p.LimitedAt != 0 {
		t.Errorf("in the end %+v", p)
	}
	late := after(sent(10, 10), 2*time.Hour)
	if next := paceAfterAnswer(seeding.Pace{Size: 10, Limit: 1}, late, 10); next.Limit != 1 || next.Raising != 0 {
		t.Errorf("a late answer raises the limit: %+v", next)
	}
}

// What an answer makes of the size (infra/protocol.md, "Width and batch size").
func TestPaceAfterAnAnswer(t *testing.T) {
	const each = 10 * time.Microsecond
	const slow = seeding.BatchTime / 200 // a record, where 200 take as long as a batch should
	// is the pace with the time that the records took, all of it alone.
	is := func(p seeding.Pace, took time.Duration) seeding.Pace { p.PerRecord, p.Single = took, took; return p }
	for _, c := range []struct {
		name    string
		pace    seeding.Pace
		batch   seeding.Batch
		each    time.Duration
		late    bool
		maximum int
		want    seeding.Pace
	}{
		{"the first one: doubled", seeding.Pace{}, sent(50, 50), each, false, 1000, seeding.Pace{Size: 100, Proved: 50}},
		{"the first one, at the connector's maximum", seeding.Pace{}, sent(50, 50), each, false, 50, seeding.Pace{Size: 50, Proved: 50}},
		{"up to the connector's maximum", seeding.Pace{Size: 800}, sent(800, 800), each, false, 1000, seeding.Pace{Size: 1000, Proved: 800}},
		{"of a connector with a smaller maximum", seeding.Pace{Size: 400, Proved: 400}, sent(400, 400), each, false, 50, seeding.Pace{Size: 50, Proved: 400}},
		{"at its deadline: in time", seeding.Pace{Size: 10, Ceiling: 1000}, sent(10, 10), each, false, 1000,
			seeding.Pace{Size: 20, Proved: 10, Ceiling: 1000, Timely: 1}},
		{"after its deadline: only its time is known, and that it was no loss", seeding.Pace{Size: 10, Ceiling: 1000, Suspect: 10, Losses: 2}, sent(10, 10), each, true, 1000,
			seeding.Pace{Size: 10, Ceiling: 1000, Suspect: 10}},
		{"half full: counts", seeding.Pace{Size: 100}, sent(100, 50), each, false, 1000, seeding.Pace{Size: 200, Proved: 100}},
		{"less than half full: says nothing of the size", seeding.Pace{Size: 100}, sent(100, 49), each, false, 1000, seeding.Pace{Size: 100}},
		{"of a size that was left: what was proved stays", seeding.Pace{Size: 400, Proved: 200}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 400, Proved: 200}},
		{"of the size that was lost last: forgiven", seeding.Pace{Size: 100, Proved: 100, Suspect: 100}, sent(100, 100), each, false, 100,
			seeding.Pace{Size: 100, Proved: 100}},
		{"of a smaller size than was lost last: not forgiven", seeding.Pace{Size: 100, Proved: 200, Suspect: 101}, sent(100, 100), each, false, 100,
			seeding.Pace{Size: 100, Proved: 200, Suspect: 101}},
		{"below the ceiling: doubled", seeding.Pace{Size: 100, Ceiling: 201}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 200, Proved: 100, Ceiling: 201, Timely: 1}},
		{"up to the ceiling: not doubled", seeding.Pace{Size: 100, Ceiling: 200}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, Timely: 1}},
		{"the last but one below the ceiling", seeding.Pace{Size: 100, Ceiling: 200, Timely: seeding.RoundsToLift - 2}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, Timely: seeding.RoundsToLift - 1}},
		{"the last lifts it, and the size is doubled", seeding.Pace{Size: 100, Ceiling: 200, Timely: seeding.RoundsToLift - 1}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 200, Proved: 100, Ceiling: 400}},
		{"four workers make four answers in a round", seeding.Pace{Size: 100, Ceiling: 200, Timely: 4*seeding.RoundsToLift - 2, Interval: each / 4}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, Timely: 4*seeding.RoundsToLift - 1, Interval: each / 4}},
		{"the last of four workers lifts it", seeding.Pace{Size: 100, Ceiling: 200, Timely: 4*seeding.RoundsToLift - 1, Interval: each / 4}, sent(100, 100), each, false, 1000,
			seeding.Pace{Size: 200, Proved: 100, Ceiling: 400, Interval: each / 4}},
		{"the lowest ceiling is lifted, too", seeding.Pace{Size: 1, Proved: 1, Ceiling: 1, Timely: seeding.RoundsToLift - 1}, sent(1, 1), each, false, 1,
			seeding.Pace{Size: 1, Proved: 1, Ceiling: 2}},
		{"twice as many take just as long as a batch should: doubled", seeding.Pace{Size: 100}, sent(100, 100), slow, false, 1000,
			seeding.Pace{Size: 200, Proved: 100}},
		{"twice as many take longer: a ceiling", seeding.Pace{Size: 100}, sent(100, 100), slow + time.Microsecond, false, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200}},
		{"half full, twice as many take longer: a ceiling", seeding.Pace{Size: 100}, sent(100, 50), slow + time.Microsecond, false, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200}},
		{"as many take just as long: stays", seeding.Pace{Size: 200}, sent(200, 200), slow, false, 1000,
			seeding.Pace{Size: 200, Proved: 200, Ceiling: 400}},
		{"as many take longer: halved", seeding.Pace{Size: 200}, sent(200, 200), slow + time.Microsecond, false, 1000,
			seeding.Pace{Size: 100, Proved: 200, Ceiling: 200}},
		{"as many take longer, and larger ones have proved that MTS keeps them: stays", seeding.Pace{Size: 200, Ceiling: 400}, sent(200, 200), slow + time.Microsecond, false, 1000,
			seeding.Pace{Size: 200, Proved: 200, Ceiling: 400, Timely: 1}},
		{"one takes longer: it stays one", seeding.Pace{Size: 1}, sent(1, 1), 2 * seeding.BatchTime, false, 1000,
			seeding.Pace{Size: 1, Proved: 1, Ceiling: 2}},
		{"slow, up to the connector's maximum: no ceiling", seeding.Pace{Size: 100}, sent(100, 100), slow + time.Microsecond, false, 100,
			seeding.Pace{Size: 100, Proved: 100}},
		{"slow, of a size that was left: no ceiling", seeding.Pace{Size: 50}, sent(100, 100), seeding.BatchTime, false, 1000,
			seeding.Pace{Size: 50, Proved: 100}},
	} {
		took := c.each * time.Duration(c.batch.Count)
		c.batch = after(c.batch, took)
		if c.batch.Deadline = c.batch.Answered; c.late {
			c.batch.Deadline = c.batch.Answered.Add(-1)
		}
		want := is(c.want, c.each)
		got, moves := seeding.MTSState{Pace: c.pace}.AfterAnswer(c.batch, c.maximum)
		if got != want || moves != (want != c.pace) {
			t.Errorf("%s: %+v, moves %v; want %+v", c.name, got, moves, want)
		}
		if again, moves := (seeding.MTSState{Pace: got}).AfterAnswer(sent(got.Size, 0), c.maximum); again != got || moves {
			t.Errorf("%s: an answer of which nothing is known makes it %+v", c.name, again)
		}
	}
}

// The time per record follows, a quarter at a time, by the records in line.
func TestTheTimePerRecordFollows(t *testing.T) {
	const ms = time.Millisecond
	b := after(sent(10, 10), 160*ms)
	b.InLine = 20
	if next := paceAfterAnswer(seeding.Pace{Size: 10, PerRecord: 4 * ms}, b, 10); next.PerRecord != 5*ms {
		t.Errorf("%v", next.PerRecord)
	}
	if next := paceAfterAnswer(seeding.Pace{Size: 10}, b, 10); next.PerRecord != 8*ms {
		t.Errorf("at first %v", next.PerRecord)
	}
}

// paces is a store in which somebody else changes the pace before a write.
type paces struct {
	pace    seeding.Pace
	between []seeding.Pace // written by others, one before each write
	saves   int
	reading error
	writing error
}

func (s *paces) MTSState(context.Context, string) (seeding.MTSState, error) {
	return seeding.MTSState{Pace: s.pace}, s.reading
}

func (s *paces) SavePace(_ context.Context, _ string, read, next seeding.Pace) error {
	s.saves++
	if len(s.between) > 0 {
		s.pace, s.between = s.between[0], s.between[1:]
	}
	if s.writing != nil {
		return s.writing
	}
	if s.pace != read {
		return fmt.Errorf("of %d: %w", s.pace.Size, seeding.ErrConflict)
	}
	s.pace = next
	return nil
}

// A change of the pace starts from the stored pace, even if others
// change it meanwhile.
func TestMovePace(t *testing.T) {
	storage := errors.New("storage")
	double := func(m seeding.MTSState) (seeding.Pace, bool) { return seeding.Pace{Size: 2 * m.Size}, m.Size < 1000 }
	for _, c := range []struct {
		name  string
		store paces
		want  int // size afterwards
		saves int
		err   error
	}{
		{"nobody else changes it", paces{pace: seeding.Pace{Size: 50}}, 100, 1, nil},
		{"somebody else changes it: made again, on what that one made of it",
			paces{pace: seeding.Pace{Size: 50}, between: []seeding.Pace{{Size: 200}}}, 400, 2, nil},
		{"somebody else changes it, twice",
			paces{pace: seeding.Pace{Size: 50}, between: []seeding.Pace{{Size: 200}, {Size: 25}}}, 50, 3, nil},
		{"somebody else changes it, and nothing is to be moved any more",
			paces{pace: seeding.Pace{Size: 50}, between: []seeding.Pace{{Size: 1000}}}, 1000, 1, nil},
		{"nothing is to be moved: no write", paces{pace: seeding.Pace{Size: 1000}}, 1000, 0, nil},
		{"it cannot be read", paces{pace: seeding.Pace{Size: 50}, reading: storage}, 50, 0, storage},
		{"it cannot be written", paces{pace: seeding.Pace{Size: 50}, writing: storage}, 50, 1, storage},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := seeding.MovePace(t.Context(), &c.store, "m1", double)
			if !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if c.store.pace.Size != c.want || c.store.saves != c.saves {
				t.Errorf("size %d after %d writes, want %d after %d", c.store.pace.Size, c.store.saves, c.want, c.saves)
			}
		})
	}
}

// What a loss makes of the pace (infra/protocol.md, "Width and batch size").
func TestPaceAfterALoss(t *testing.T) {
	for _, c := range []struct {
		name    string
		pace    seeding.Pace
		batch   seeding.Batch
		tooMuch bool
		want    seeding.Pace
	}{
		{"of a size that was never answered: halved", seeding.Pace{Size: 100, Proved: 50}, sent(100, 100), false,
			seeding.Pace{Size: 50, Proved: 50, Ceiling: 100}},
		{"of a size that was answered in time before: forgiven once", seeding.Pace{Size: 100, Proved: 100, Ceiling: 400, Timely: 7}, sent(100, 100), false,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 400, Timely: 7, Suspect: 100}},
		{"of that size again: halved", seeding.Pace{Size: 100, Proved: 100, Ceiling: 400, Timely: 7, Suspect: 100}, sent(100, 100), false,
			seeding.Pace{Size: 50, Proved: 50, Ceiling: 100}},
		{"of another size that was answered in time before: forgiven once", seeding.Pace{Size: 100, Proved: 200, Suspect: 200}, sent(100, 100), false,
			seeding.Pace{Size: 100, Proved: 200, Suspect: 100}},
		{"of a size that was answered in time, and was too much: halved", seeding.Pace{Size: 100, Proved: 100}, sent(100, 100), true,
			seeding.Pace{Size: 50, Proved: 50, Ceiling: 100}},
		{"of a larger size than today's: nothing", seeding.Pace{Size: 100, Proved: 100}, sent(101, 101), true, seeding.Pace{Size: 100, Proved: 100}},
		{"of a smaller size than today's: nothing", seeding.Pace{Size: 100}, sent(99, 99), false, seeding.Pace{Size: 100}},
		{"of a smaller size than today's, which was too much: halved", seeding.Pace{Size: 100, Proved: 100}, sent(99, 99), true,
			seeding.Pace{Size: 49, Proved: 49, Ceiling: 99}},
		{"half full: counts", seeding.Pace{Size: 100}, sent(100, 50), false, seeding.Pace{Size: 50, Ceiling: 100}},
		{"less than half full: nothing", seeding.Pace{Size: 100}, sent(100, 49), true, seeding.Pace{Size: 100}},
		{"the first batch of all: halved", seeding.Pace{}, sent(50, 50), false, seeding.Pace{Size: 25, Ceiling: 50}},
		{"of three: one", seeding.Pace{Size: 3}, sent(3, 3), true, seeding.Pace{Size: 1, Ceiling: 3}},
		{"of two: one, and no loss of a single record", seeding.Pace{Size: 2, Losses: 1}, sent(2, 2), true, seeding.Pace{Size: 1, Ceiling: 2, Losses: 1}},
		{"of a single record: it stays, and the loss counts", seeding.Pace{Size: 1, Losses: 1}, sent(1, 1), true, seeding.Pace{Size: 1, Ceiling: 2, Losses: 2}},
		{"of a single record, forgiven: the loss counts all the same", seeding.Pace{Size: 1, Proved: 1}, sent(1, 1), false, seeding.Pace{Size: 1, Proved: 1, Suspect: 1, Losses: 1}},
	} {
		got, moves := seeding.MTSState{Pace: c.pace}.AfterLoss(c.batch, c.tooMuch)
		if got != c.want || moves != (c.want != c.pace) {
			t.Errorf("%s: %+v, moves %v; want %+v", c.name, got, moves, c.want)
		}
	}
}

// Whatever is claimed, answered and lost in whatever order, size and width stay
// within what the connector allows, and what was too much is not sent again.
func TestPaceStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maximum, widest := rapid.IntRange(1, 1000).Draw(t, "maximum"), rapid.IntRange(0, 20).Draw(t, "widest")
		times := seeding.DefaultTimes()
		m, now := seeding.MTSState{}, paceStart
		var underWay []seeding.Batch
		take := func(t *rapid.T) seeding.Batch {
			if len(underWay) == 0 {
				t.Skip("nothing is under way")
			}
			i := rapid.IntRange(0, len(underWay)-1).Draw(t, "batch")
			b := underWay[i]
			underWay = append(underWay[:i:i], underWay[i+1:]...)
			m.Slots = append(m.Slots[:i:i], m.Slots[i+1:]...)
			return b
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				size := m.Batch(maximum)
				c := seeding.Claim{Batch: seeding.Batch{Size: size, Count: rapid.IntRange(1, size).Draw(t, "count")}}.At(m, now, widest, times)
				b := c.Batch
				if b.Number != m.Claims+1 || b.Overdue.After(b.Deadline) || !b.Overdue.After(now) || b.InLine < b.Count || b.Since.After(now) {
					t.Fatalf("claimed %+v", b)
				}
				m.Claims++
				underWay = append(underWay, b)
				m.Slots = append(m.Slots, seeding.Slot{Count: b.Count, Claimed: now, Overdue: b.Overdue})
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "passes")))
			},
			"answered": func(t *rapid.T) {
				b := take(t)
				b.Answered, b.Closed = now, now
				m.Delivered, m.Heard = m.Delivered+int64(b.Count), now
				m.Pace, _ = m.AfterAnswer(b, maximum)
			},
			"lost": func(t *rapid.T) {
				b, before, tooMuch := take(t), m.Pace, rapid.Bool().Draw(t, "too much")
				m.Pace, _ = m.AfterLoss(b, tooMuch)
				if !tooMuch || 2*b.Count < b.Size {
					return
				}
				switch {
				case b.Size > before.Size && before.Size > 0:
				case 2*b.Size < before.Size && m.Heard.After(b.Claimed): // larger ones were answered since
					if m.Size != before.Size {
						t.Fatalf("%d records were too much, and %d became %d", b.Size, before.Size, m.Size)
					}
				case b.Size > before.Proved || b.Beside == 0:
					if b.Size > 1 && m.Batch(maximum) >= b.Size {
						t.Fatalf("%d records were too much, and the next size is %d", b.Size, m.Batch(maximum))
					}
				case b.Number > before.LimitedAt && m.Width(1000) > max(1, (b.Beside+1)/2):
					t.Fatalf("%d batches were too much, and the width is %d", b.Beside+1, m.Width(1000))
				}
			},
			"": func(t *rapid.T) {
				if size := m.Batch(maximum); size < 1 || size > maximum {
					t.Fatalf("size %d of %d", size, maximum)
				}
				if width := m.Width(widest); width < 1 || width > max(1, widest) {
					t.Fatalf("width %d of %d", width, widest)
				}
				if m.Wave() < 1 || m.Workers() < 1 || m.Limit < 0 || m.Single < 0 || m.Interval < 0 || m.PerRecord < 0 {
					t.Fatalf("%+v", m.Pace)
				}
			},
		})
	})
}

// Losses of single records are in a row only while nothing is answered.
func TestLossesInARow(t *testing.T) {
	for _, c := range []struct {
		name  string
		heard time.Time
		want  int
	}{
		{"nothing was ever answered", time.Time{}, 3},
		{"nothing was answered since its claim", paceStart, 3},
		{"another was answered since its claim", paceStart.Add(1), 2},
	} {
		next, _ := seeding.MTSState{Heard: c.heard, Pace: seeding.Pace{Size: 1, Losses: 2}}.AfterLoss(sent(1, 1), true)
		if next.Losses != c.want {
			t.Errorf("%s: %d in a row, want %d", c.name, next.Losses, c.want)
		}
	}
}
