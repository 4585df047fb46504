package seeding_test

import (
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
