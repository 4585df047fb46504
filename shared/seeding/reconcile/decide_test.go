package reconcile

import (
	"testing"
	"time"
)

// The decision about an overdue batch without an answer, by what asking about it
// came to (infra/protocol.md, "Reconcile" 2).
func TestWhatIsLost(t *testing.T) {
	const wait = time.Minute
	for _, c := range []struct {
		finding    finding
		lost       [3]bool // after one, two and three deadlines
		blamesSize bool
	}{
		{neverAccepted, [3]bool{true, true, true}, true}, // there is no identifier to ask with
		{finished, [3]bool{true, true, true}, false},     // MTS says it delivered, and nothing is here
		{failedAtMTS, [3]bool{true, true, true}, false},  // error_making_callback_request and its like
		{unknownToMTS, [3]bool{true, true, true}, true},  // cleaned up, restarted, or another replica
		{working, [3]bool{false, false, true}, true},
		{silent, [3]bool{false, false, true}, true}, // busy with a POST, or unreachable
	} {
		for i, want := range c.lost {
			age := time.Duration(i+1) * wait
			if got := isLost(c.finding, age, wait); got != want {
				t.Errorf("%s after %d deadlines: lost %v, want %v", c.finding, i+1, got, want)
			}
		}
		if got := isLost(c.finding, 3*wait-1, wait); got != c.lost[1] {
			t.Errorf("%s just before the third deadline: lost %v, want %v", c.finding, got, c.lost[1])
		}
		if got := c.finding.blamesSize(); got != c.blamesSize {
			t.Errorf("a loss of a batch that is %s blames its size: %v, want %v", c.finding, got, c.blamesSize)
		}
	}
}
