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

// sent is a batch of count records at a size, claimed and taken at t0.
func sent(size, count int) seeding.Batch {
	return seeding.Batch{
		Size: size, Count: count, InLine: count,
		Claimed: paceStart, Submitted: paceStart, Deadline: paceStart.Add(time.Hour),
	}
}

var paceStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBatchSizeFollowsTheMTS(t *testing.T) {
	p := seeding.Pace{}
	if got := p.Batch(1000); got != seeding.FirstBatchSize {
		t.Fatalf("begins at %d", got)
	}
	soon := paceStart.Add(time.Second)
	grow := func(want ...int) {
		t.Helper()
		for _, w := range want {
			size := p.Batch(1000)
			p, _ = p.AfterAnswer(sent(size, size), soon, 1000)
			if p.Batch(1000) != w {
				t.Fatalf("from %d to %d, want %d", size, p.Batch(1000), w)
			}
		}
	}
	grow(100, 200, 400)
	p, _ = p.AfterAnswer(sent(200, 200), soon, 1000) // the second batch of a size that is no longer used
	grow(800)
	p, _ = p.AfterLoss(sent(800, 800), false)
	p, _ = p.AfterLoss(sent(800, 800), false) // two batches of one size were under way
	if p.Batch(1000) != 400 {
		t.Fatalf("after the loss of a size that was never answered %d", p.Batch(1000))
	}
	p, _ = p.AfterLoss(sent(400, 399), false)
	if p.Batch(1000) != 400 {
		t.Fatalf("after one loss of a size that was answered before %d", p.Batch(1000))
	}
	p, _ = p.AfterAnswer(sent(400, 400), soon, 1000)
	p, _ = p.AfterLoss(sent(400, 400), false)
	if p.Batch(1000) != 400 {
		t.Fatalf("after losses with an answer between them %d", p.Batch(1000))
	}
	lost, _ := p.AfterLoss(sent(400, 400), false)
	if lost.Batch(1000) != 200 {
		t.Fatalf("after two losses in a row %d", lost.Batch(1000))
	}
	{
		p.Suspect = 0
		forgot, _ := p.AfterLoss(sent(400, 400), true)
		probe, moved := p.AfterLoss(sent(400, 1), true)
		if forgot.Batch(1000) != 200 || moved || probe != p {
			t.Fatalf("forgotten: %d; a probe of one: %d", forgot.Batch(1000), probe.Batch(1000))
		}
	}
	for range 18 {
		grow(400) // the lost size is the ceiling
	}
	grow(800) // lifted after 20 timely answers

	half, _ := p.AfterAnswer(sent(800, 399), soon, 1000)
	late, _ := p.AfterAnswer(sent(800, 800), paceStart.Add(2*time.Hour), 1000)
	if half.Batch(1000) != 800 || late.Batch(1000) != 800 {
		t.Error("grows without a full and timely batch")
	}
	if small, _ := p.AfterLoss(sent(200, 200), false); small.Batch(1000) != 800 {
		t.Errorf("a lost answer of an earlier size makes it %d", small.Batch(1000))
	}
	if small, _ := p.AfterLoss(sent(200, 200), true); small.Batch(1000) != 100 || !small.Alone(1000) {
		t.Errorf("with 200 forgotten, the next has %d", small.Batch(1000))
	}
}

// A default MTS deletes what is older than 20 s. A size that would take longer is
// used only after 20 timely answers of the size before.
func TestBatchSizeStaysBelowWhatADefaultMTSForgets(t *testing.T) {
	for name, c := range map[string]struct {
		perRecord time.Duration
		overtook  bool // the answer came before the reply to its POST
		maximum   int
		want      []int
	}{
		"12 ms each":               {12 * time.Millisecond, false, 1000, []int{100, 200, 400, 800, 1000}},
		"62 ms each":               {62 * time.Millisecond, false, 1000, []int{100, 200, 200}},
		"one second each":          {time.Second, false, 1000, []int{50, 50}},
		"62 ms each, to a maximum": {62 * time.Millisecond, false, 300, []int{100, 200, 300}},
		"counted from the claim":   {62 * time.Millisecond, true, 1000, []int{100, 200, 200}},
	} {
		var p seeding.Pace
		step := func() {
			b := sent(p.Batch(c.maximum), p.Batch(c.maximum))
			if b.Claimed = paceStart.Add(-time.Minute); c.overtook {
				b.Claimed, b.Submitted = paceStart, time.Time{}
			}
			p, _ = p.AfterAnswer(b, paceStart.Add(c.perRecord*time.Duration(b.Count)), c.maximum)
		}
		for _, want := range c.want {
			if step(); p.Batch(c.maximum) != want {
				t.Fatalf("%s: %d, want %d", name, p.Batch(c.maximum), want)
			}
		}
		steady, answers := p.Batch(c.maximum), 0
		for p.Ceiling > 0 && p.Batch(c.maximum) == steady && answers < 100 {
			step()
			answers++
		}
		if want := min(2*steady, c.maximum); p.Batch(c.maximum) != want || p.Ceiling > 0 && (answers < 19 || answers > 20) {
			t.Errorf("%s: %d after %d more timely answers, want %d after 20", name, p.Batch(c.maximum), answers, want)
		}
	}
}

// What a batch says about the size depends on how full it was; losses in a row at
// size 1 on the answers between them.
func TestPaceAfterBatches(t *testing.T) {
	soon, known := paceStart.Add(time.Second), seeding.Pace{Size: 100, Proved: 100}
	one := seeding.Pace{Size: 1, Proved: 1, Ceiling: 2, Losses: 2}
	for name, c := range map[string]struct {
		p        seeding.Pace
		b        seeding.Batch
		answered bool
		size     int
		losses   int
		alone    bool
	}{
		"half full, answered":        {known, sent(100, 50), true, 200, 0, true},
		"less than half, answered":   {known, sent(100, 49), true, 100, 0, false},
		"half full, forgotten":       {known, sent(100, 50), false, 50, 0, true},
		"less than half, forgotten":  {known, sent(100, 49), false, 100, 0, false},
		"one lost again":             {one, sent(1, 1), false, 1, 3, true},
		"one answered":               {one, sent(1, 1), true, 1, 0, true},
		"two forgotten":              {seeding.Pace{Size: 2, Losses: 1}, sent(2, 2), false, 1, 1, true},
		"far below what was lost":    {seeding.Pace{Size: 100, Proved: 100, Ceiling: 400}, sent(100, 50), true, 200, 0, true},
		"two would be what was lost": {seeding.Pace{Size: 200, Proved: 200, Ceiling: 400}, sent(200, 200), true, 200, 0, true},
	} {
		p, _ := c.p.AfterLoss(c.b, true)
		if c.answered {
			p, _ = c.p.AfterAnswer(c.b, soon, 1000)
		}
		if p.Batch(1000) != c.size || p.Losses != c.losses || p.Alone(1000) != c.alone {
			t.Errorf("%s: size %d, %d losses, alone %v; want %d, %d, %v", name, p.Batch(1000), p.Losses, p.Alone(1000), c.size, c.losses, c.alone)
		}
	}

	// After the loss of a batch of one, two are used as after any loss.
	p, _ := seeding.Pace{Size: 1}.AfterLoss(sent(1, 1), true)
	for answers := 1; p.Batch(1000) == 1; answers++ {
		if p, _ = p.AfterAnswer(sent(1, 1), soon, 1000); answers > 20 {
			t.Fatalf("still at 1 after %d timely answers", answers)
		}
	}
}

func TestPaceStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maximum := rapid.IntRange(1, 1000).Draw(t, "maximum")
		var p seeding.Pace
		inFlight := []int{}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(*rapid.T) { inFlight = append(inFlight, p.Batch(maximum)) },
			"answered": func(t *rapid.T) {
				if len(inFlight) == 0 {
					t.Skip()
				}
				size := inFlight[0]
				inFlight = inFlight[1:]
				after := time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "after"))
				p, _ = p.AfterAnswer(sent(size, rapid.IntRange(0, size).Draw(t, "count")), paceStart.Add(after), maximum)
			},
			"missed": func(t *rapid.T) {
				if len(inFlight) == 0 {
					t.Skip()
				}
				size := inFlight[0]
				inFlight = inFlight[1:]
				count, tooMuch := rapid.IntRange(1, size).Draw(t, "count"), rapid.Bool().Draw(t, "too much")
				p, _ = p.AfterLoss(sent(size, count), tooMuch)
				if tooMuch && 2*count >= size && p.Batch(maximum) > max(1, size/2) {
					t.Fatalf("%d records were too much, and the next size is %d", size, p.Batch(maximum))
				}
			},
			"": func(t *rapid.T) {
				if size := p.Batch(maximum); size < 1 || size > maximum {
					t.Fatalf("size %d of %d", size, maximum)
				}
			},
		})
	})
}

// Whatever happened before, an MTS that works grows again to the maximum, and
// one that loses everything shrinks to single records.
func TestPaceRecovers(t *testing.T) {
	p := seeding.Pace{}
	for range 20 {
		p, _ = p.AfterLoss(sent(p.Batch(1000), p.Batch(1000)), true)
	}
	if p.Batch(1000) != 1 || p.Losses < 3 {
		t.Fatalf("size %d, losses %d", p.Batch(1000), p.Losses)
	}
	batches := 0
	for ; p.Batch(1000) < 1000 && batches < 1000; batches++ {
		p, _ = p.AfterAnswer(sent(p.Batch(1000), p.Batch(1000)), paceStart, 1000)
	}
	if p.Batch(1000) != 1000 {
		t.Fatalf("stuck at %d with ceiling %d", p.Batch(1000), p.Ceiling)
	}
	t.Logf("%d timely batches from 1 to 1,000", batches)
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
	double := func(p seeding.Pace) (seeding.Pace, bool) { return seeding.Pace{Size: 2 * p.Size}, p.Size < 1000 }
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

// How large the next batch is, and whether another may be under way beside it.
func TestTheNextBatch(t *testing.T) {
	for _, c := range []struct {
		name    string
		pace    seeding.Pace
		maximum int
		size    int
		alone   bool
	}{
		{"never used", seeding.Pace{}, 1000, 50, true},
		{"never used, and the connector takes fewer", seeding.Pace{}, 20, 20, true},
		{"a size that was answered in time", seeding.Pace{Size: 100, Proved: 100}, 1000, 100, false},
		{"a size that was not answered yet", seeding.Pace{Size: 101, Proved: 100}, 1000, 101, true},
		{"the connector takes fewer, which were answered in time", seeding.Pace{Size: 200, Proved: 100}, 100, 100, false},
		{"two are as much as was lost", seeding.Pace{Size: 100, Proved: 100, Ceiling: 200}, 1000, 100, true},
		{"two are less than was lost", seeding.Pace{Size: 100, Proved: 100, Ceiling: 201}, 1000, 100, false},
		{"the least that can be lost", seeding.Pace{Size: 1, Proved: 1, Ceiling: 1}, 1000, 1, true},
	} {
		if size, alone := c.pace.Batch(c.maximum), c.pace.Alone(c.maximum); size != c.size || alone != c.alone {
			t.Errorf("%s: %d, alone %v; want %d, %v", c.name, size, alone, c.size, c.alone)
		}
	}
}

// What an answer makes of the pace (infra/protocol.md, "Batch size").
func TestPaceAfterAnAnswer(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		pace    seeding.Pace
		batch   seeding.Batch
		after   time.Duration // since the claim
		maximum int
		want    seeding.Pace
	}{
		{"the first one: doubled", seeding.Pace{}, sent(50, 50), time.Second, 1000, seeding.Pace{Size: 100, Proved: 50, PerRecord: 20 * ms}},
		{"the first one, at the connector's maximum", seeding.Pace{}, sent(50, 50), time.Second, 50, seeding.Pace{Size: 50, Proved: 50, PerRecord: 20 * ms}},
		{"up to the connector's maximum", seeding.Pace{Size: 800}, sent(800, 800), 800 * ms, 1000, seeding.Pace{Size: 1000, Proved: 800, PerRecord: ms}},
		{"the time per record follows, a quarter at a time", seeding.Pace{Size: 10, Proved: 10, PerRecord: 100 * ms}, sent(10, 10), 2 * time.Second, 10,
			seeding.Pace{Size: 10, Proved: 10, PerRecord: 125 * ms}},
		{"answered by a clock that is behind: its time says nothing", seeding.Pace{Size: 10, Proved: 10, PerRecord: 100 * ms}, sent(10, 10), 0, 10,
			seeding.Pace{Size: 10, Proved: 10, PerRecord: 100 * ms}},
		{"at its deadline: in time", seeding.Pace{Size: 10, Ceiling: 1000}, sent(10, 10), time.Hour, 1000,
			seeding.Pace{Size: 20, Proved: 10, Ceiling: 1000, Timely: 1, PerRecord: 6 * time.Minute}},
		{"after its deadline: only its time is known, and that it was no loss", seeding.Pace{Size: 10, Ceiling: 1000, Suspect: 10, Losses: 2}, sent(10, 10), time.Hour + 10, 1000,
			seeding.Pace{Size: 10, Ceiling: 1000, Suspect: 10, PerRecord: 6*time.Minute + 1}},
		{"half full: counts", seeding.Pace{Size: 100}, sent(100, 50), 50 * ms, 1000, seeding.Pace{Size: 200, Proved: 100, PerRecord: ms}},
		{"less than half full: says nothing of the size", seeding.Pace{Size: 100}, sent(100, 49), 49 * ms, 1000, seeding.Pace{Size: 100, PerRecord: ms}},
		{"of a size that was left: what was proved stays", seeding.Pace{Size: 400, Proved: 200}, sent(100, 100), 100 * ms, 1000,
			seeding.Pace{Size: 400, Proved: 200, PerRecord: ms}},
		{"of the size that was lost last: forgiven", seeding.Pace{Size: 100, Proved: 100, Suspect: 100}, sent(100, 100), 100 * ms, 100,
			seeding.Pace{Size: 100, Proved: 100, PerRecord: ms}},
		{"of a smaller size than was lost last: not forgiven", seeding.Pace{Size: 100, Proved: 200, Suspect: 101}, sent(100, 100), 100 * ms, 100,
			seeding.Pace{Size: 100, Proved: 200, Suspect: 101, PerRecord: ms}},
		{"below the ceiling: doubled", seeding.Pace{Size: 100, Ceiling: 201}, sent(100, 100), 100 * ms, 1000,
			seeding.Pace{Size: 200, Proved: 100, Ceiling: 201, Timely: 1, PerRecord: ms}},
		{"up to the ceiling: not doubled", seeding.Pace{Size: 100, Ceiling: 200}, sent(100, 100), 100 * ms, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, Timely: 1, PerRecord: ms}},
		{"the 19th below the ceiling", seeding.Pace{Size: 100, Ceiling: 200, Timely: 18}, sent(100, 100), 100 * ms, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, Timely: 19, PerRecord: ms}},
		{"the 20th lifts it, and the size is doubled", seeding.Pace{Size: 100, Ceiling: 200, Timely: 19}, sent(100, 100), 100 * ms, 1000,
			seeding.Pace{Size: 200, Proved: 100, Ceiling: 400, PerRecord: ms}},
		{"the lowest ceiling is lifted, too", seeding.Pace{Size: 1, Proved: 1, Ceiling: 1, Timely: 19}, sent(1, 1), ms, 1,
			seeding.Pace{Size: 1, Proved: 1, Ceiling: 2, PerRecord: ms}},
		{"twice as many just as old as a default MTS keeps: doubled", seeding.Pace{Size: 100}, sent(100, 100), 10 * time.Second, 1000,
			seeding.Pace{Size: 200, Proved: 100, PerRecord: 100 * ms}},
		{"twice as many older than a default MTS keeps: a ceiling", seeding.Pace{Size: 100}, sent(100, 100), 10*time.Second + 100, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, PerRecord: 100*ms + 1}},
		{"half full, twice as many just as old: doubled", seeding.Pace{Size: 100}, sent(100, 50), 5 * time.Second, 1000,
			seeding.Pace{Size: 200, Proved: 100, PerRecord: 100 * ms}},
		{"half full, twice as many older: a ceiling", seeding.Pace{Size: 100}, sent(100, 50), 5*time.Second + 50, 1000,
			seeding.Pace{Size: 100, Proved: 100, Ceiling: 200, PerRecord: 100*ms + 1}},
		{"slow, at the connector's maximum: no ceiling", seeding.Pace{Size: 100}, sent(100, 100), time.Minute, 100,
			seeding.Pace{Size: 100, Proved: 100, PerRecord: 600 * ms}},
		{"slow, of a size that was left: no ceiling", seeding.Pace{Size: 50}, sent(100, 100), time.Minute, 1000,
			seeding.Pace{Size: 50, Proved: 100, PerRecord: 600 * ms}},
	} {
		got, moves := c.pace.AfterAnswer(c.batch, paceStart.Add(c.after), c.maximum)
		if got != c.want || moves != (c.want != c.pace) {
			t.Errorf("%s: %+v, moves %v; want %+v", c.name, got, moves, c.want)
		}
	}
}

// What a loss makes of the pace (infra/protocol.md, "Batch size").
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
		got, moves := c.pace.AfterLoss(c.batch, c.tooMuch)
		if got != c.want || moves != (c.want != c.pace) {
			t.Errorf("%s: %+v, moves %v; want %+v", c.name, got, moves, c.want)
		}
	}
}
