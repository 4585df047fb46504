package reconcile

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// The decision about an overdue batch without an answer, by what asking about it
// came to (infra/protocol.md, "Reconcile" 2).
func TestWhatIsLost(t *testing.T) {
	const wait = time.Minute
	for _, c := range []struct {
		finding    finding
		overtaken  bool
		idle       bool
		lost       [4]bool // when it is overdue, and after one, two and three deadlines
		blamesSize bool
	}{
		{neverAccepted, false, false, [4]bool{false, true, true, true}, true}, // there is no identifier to ask with
		{finished, false, false, [4]bool{false, true, true, true}, false},     // MTS says it delivered, and nothing is here
		{failedAtMTS, false, false, [4]bool{false, true, true, true}, false},  // error_making_callback_request and its like
		{unknownToMTS, false, false, [4]bool{true, true, true, true}, true},   // cleaned up, or restarted
		{working, false, false, [4]bool{false, false, false, true}, true},
		{working, false, true, [4]bool{false, true, true, true}, true},
		{working, true, false, [4]bool{true, true, true, true}, false},    // restarted on the same database
		{silent, false, false, [4]bool{false, false, false, true}, false}, // busy with a POST, or unreachable
		{silent, true, false, [4]bool{false, false, false, true}, false},
		{silent, false, true, [4]bool{false, false, false, true}, false},
	} {
		e := evidence{finding: c.finding, overtaken: c.overtaken, idle: c.idle, wait: wait}
		for i, want := range c.lost {
			if e.age = time.Duration(i) * wait; i == 0 {
				e.age = wait - 1
			}
			if got := isLost(e); got != want {
				t.Errorf("%s, overtaken %v, idle %v, after %v: lost %v, want %v", c.finding, c.overtaken, c.idle, e.age, got, want)
			}
		}
		if e.age = 3*wait - 1; isLost(e) != c.lost[2] {
			t.Errorf("%s, overtaken %v, just before the third deadline: lost %v, want %v", c.finding, c.overtaken, !c.lost[2], c.lost[2])
		}
		if got := e.blamesSize(); got != c.blamesSize {
			t.Errorf("a loss of a batch that is %s, overtaken %v, blames its size: %v, want %v", c.finding, c.overtaken, got, c.blamesSize)
		}
	}
}

// A batch is overtaken when several times as much as was under way with it was
// answered of what was sent later.
func TestWhatIsOvertaken(t *testing.T) {
	for _, c := range []struct {
		name      string
		number    int64
		ahead     int
		delivered int64 // since its claim
		want      bool
	}{
		{"nothing was answered", 1, 0, 0, false},
		{"nearly enough was answered", 1, 0, roundsAhead*10 - 1, false},
		{"enough was answered", 1, 0, roundsAhead * 10, true},
		{"what was under way with it does not count", 1, 30, 30 + roundsAhead*40 - 1, false},
		{"and is as much as it", 1, 30, 30 + roundsAhead*40, true},
		{"claimed by a version that did not count", 0, 0, 1000, false},
	} {
		b := seeding.Batch{Number: c.number, Count: 10, Ahead: c.ahead, Delivered: 500}
		if got := overtaken(b, seeding.MTSState{Delivered: 500 + c.delivered}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// What speaks for a callback that does not reach us: at an MTS that never answered,
// a batch that it calls done, or the first that is lost; at one that did, a batch
// that is lost though MTS did not lose it, and nothing came since.
func TestWhatDoubtsTheCallback(t *testing.T) {
	never := seeding.MTSState{}
	before := seeding.MTSState{Delivered: 10, Heard: now.Add(-time.Hour)}
	since := seeding.MTSState{Delivered: 10, Heard: now}
	for _, c := range []struct {
		name          string
		mts           seeding.MTSState
		finding       finding
		waiting, lost bool // whether it doubts the callback while the batch is waited for, and when it is lost
	}{
		{"never answered, done", never, finished, true, true},
		{"never answered, could not deliver", never, failedAtMTS, true, true},
		{"never answered, forgotten", never, unknownToMTS, false, true},
		{"never answered, at work", never, working, false, true},
		{"never answered, silent", never, silent, false, true},
		{"measured by a version that did not count", seeding.MTSState{Pace: seeding.Pace{Proved: 10}}, finished, false, true},
		{"answered before, done", before, finished, false, true},
		{"answered before, could not deliver", before, failedAtMTS, false, true},
		{"answered before, silent", before, silent, false, false},
		{"answered before, forgotten", before, unknownToMTS, false, false},
		{"answered before, at work", before, working, false, false},
		{"answered since, done", since, finished, false, false},
		{"answered since, could not deliver", since, failedAtMTS, false, false},
	} {
		b := seeding.Batch{RequestID: "request", Claimed: now.Add(-time.Minute)}
		e := evidence{finding: c.finding}
		if got := [2]bool{e.doubtsCallback(b, c.mts, false), e.doubtsCallback(b, c.mts, true)}; got != [2]bool{c.waiting, c.lost} {
			t.Errorf("%s: %v, want %v and %v", c.name, got, c.waiting, c.lost)
		}
		if b.RequestID = ""; e.doubtsCallback(b, c.mts, true) {
			t.Errorf("%s: a batch that MTS may never have taken", c.name)
		}
	}
}
