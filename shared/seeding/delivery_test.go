package seeding

import (
	"reflect"
	"testing"
	"time"
)

func TestNamesOfMTSGiveWay(t *testing.T) {
	got := DirectNames([]string{"id", "name", "gender", "email"})
	want := map[string]string{
		"vid": "mts_vid", "name": "mts_name", "gender": "mts_gender", "dob": "dob",
		"phoneNumber": "phoneNumber", "emailId": "emailId", "fullAddress": "fullAddress",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTracking(t *testing.T) {
	at := func(seconds int) time.Time {
		return time.Date(2026, 11, 28, 9, 0, seconds, 0, time.UTC)
	}
	start := Tracking{Quiet: 25 * time.Second}
	if got := start.Said(StatusWorking, at(1)); got != start {
		t.Errorf("while MTS works: %+v", got)
	}
	done := start.Said(StatusFinished, at(10))
	for _, c := range []struct {
		name   string
		status MTSStatus
		want   MTSStatus
	}{
		{"forgotten after it was done", StatusUnknown, StatusFinished},
		{"works again, as another replica may say", StatusWorking, StatusFinished},
		{"failed at last", StatusFailed, StatusFailed},
	} {
		if got := done.Said(c.status, at(20)); got.Status != c.want || !got.Done.Equal(at(10)) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := start.Said(StatusUnknown, at(10)).Said(StatusFinished, at(20)); got.Status != StatusFinished || !got.Done.Equal(at(10)) {
		t.Errorf("found by another replica: %+v", got)
	}
	if settled := done.SettledAt(); !settled.Equal(at(35)) {
		t.Errorf("over at %s", settled)
	}
	first := done.Found(0, at(10))
	if again := first.LookAgain(); !again.Equal(at(15)) || !first.SettledAt().Equal(at(35)) {
		t.Errorf("looks again at %s, over at %s", again, first.SettledAt())
	}
	more := first.Found(3, at(15)) // something arrived
	if !more.SettledAt().Equal(at(40)) || !more.LookAgain().Equal(at(20)) {
		t.Errorf("looks again at %s, over at %s", more.LookAgain(), more.SettledAt())
	}
	later := more.Found(3, at(25))
	if !later.SettledAt().Equal(at(40)) || !later.LookAgain().Equal(at(35)) {
		t.Errorf("looks again at %s, over at %s", later.LookAgain(), later.SettledAt())
	}
	if last := later.Found(3, at(35)); !last.LookAgain().Equal(at(40)) {
		t.Errorf("looks again at %s", last.LookAgain())
	}
	looks := 0
	for x := first; x.Looked.Before(x.SettledAt()); looks++ {
		x = x.Found(0, x.LookAgain())
	}
	if looks > 4 {
		t.Errorf("%d looks", looks)
	}
}

// An orderly delivery is over soon after MTS says it is done; a long limit takes longer.
func TestDirectQuiet(t *testing.T) {
	for _, c := range []struct {
		timeout, records int
		want             time.Duration
	}{{10, 1, 25*time.Second + 4*time.Millisecond}, {30, 1000, 69 * time.Second}, {300, 10, 605*time.Second + 40*time.Millisecond}} {
		if got := DirectQuiet(c.timeout, c.records); got != c.want {
			t.Errorf("%d s, %d records: %s", c.timeout, c.records, got)
		}
	}
}

// A batch of a direct callback moves the size and no time.
func TestPaceAfterADirectBatch(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	batch := func(size, count int, done time.Duration) Batch {
		return Batch{Direct: true, Size: size, Count: count, Claimed: now, Deadline: now.Add(time.Minute), Tracking: Tracking{Done: now.Add(done)}}
	}
	for _, c := range []struct {
		name   string
		before Pace
		batch  Batch
		want   Pace
	}{
		{"the first one", Pace{}, batch(10, 10, time.Second), Pace{Size: 20, Proved: 10}},
		{"grows", Pace{Size: 40, Proved: 20}, batch(40, 40, time.Second), Pace{Size: 80, Proved: 40}},
		{"up to the connector's maximum", Pace{Size: 80, Proved: 40}, batch(80, 80, time.Second), Pace{Size: 100, Proved: 80}},
		{"not after its deadline", Pace{Size: 40, Proved: 20, Losses: 2}, batch(40, 40, 2*time.Minute), Pace{Size: 40, Proved: 20}},
		{"too few say nothing", Pace{Size: 40, Proved: 20}, batch(40, 10, time.Second), Pace{Size: 40, Proved: 20}},
		{"what was measured stays", Pace{Size: 40, Proved: 20, Single: time.Second, Interval: time.Second, PerRecord: 2}, batch(20, 20, time.Second),
			Pace{Size: 40, Proved: 20, Single: time.Second, Interval: time.Second, PerRecord: 2}},
	} {
		if got, _ := (MTSState{Pace: c.before}).AfterDirect(c.batch, 100); got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
