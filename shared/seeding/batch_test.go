package seeding_test

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A batch has its fixed time, and four times what all in line should need.
func TestDeadline(t *testing.T) {
	if got := seeding.Deadline(now, 60*time.Millisecond, 1000, seeding.DefaultTimes()).Sub(now); got != 6*time.Minute {
		t.Errorf("%v for 1,000 records of 60 ms", got)
	}
}
