package reconcile

import (
	"testing"
	"time"
)

// The decision table about an overdue batch without an answer.
func TestWhatIsLost(t *testing.T) {
	const wait = time.Minute
	table := map[finding][3]bool{ // after one, two and three deadlines
		neverAccepted: {true, true, true}, // there is no identifier to ask with
		finished:      {true, true, true}, // MTS says it delivered, and nothing is here
		failedThere:   {true, true, true}, // error_making_callback_request and its like
		unknownThere:  {true, true, true}, // cleaned up, restarted, or another replica
		working:       {false, false, true},
		silent:        {false, false, true}, // busy with a POST, or unreachable
	}
	for f, lost := range table {
		for i, want := range lost {
			if got := isLost(f, time.Duration(i+1)*wait, wait); got != want {
				t.Errorf("%s after %d deadlines: lost %v, want %v", f, i+1, got, want)
			}
		}
	}
}
