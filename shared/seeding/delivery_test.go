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

// An orderly delivery is over soon after MTS says it is done; a long limit takes longer,
// and so does whoever may still be called for.
func TestWhenADeliveryIsOver(t *testing.T) {
	done := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		timeout, records int
		oneByOne         bool
		status           MTSStatus
		arrived          int
		grew             time.Duration // after MTS was done
		want             time.Duration // after the last arrival
	}{
		"in bulk":                               {10, 1, false, StatusFinished, 0, 0, 25*time.Second + 4*ms},
		"in bulk, many":                         {30, 1000, false, StatusFinished, 0, 0, 69 * time.Second},
		"in bulk, a long limit":                 {300, 10, false, StatusFinished, 0, 0, 605*time.Second + 40*ms},
		"in bulk, however slowly they come":     {10, 100, false, StatusFinished, 10, time.Minute, 25*time.Second + 400*ms},
		"one by one, nobody yet":                {10, 100, true, StatusPartly, 0, 0, 125*time.Second + 400*ms},
		"one by one, a quick receiver":          {10, 100, true, StatusPartly, 60, 12 * time.Second, 65*time.Second + 400*ms},
		"one by one, a slow one":                {10, 100, true, StatusPartly, 20, time.Minute, 145*time.Second + 400*ms},
		"one by one, a slow one, nearly all":    {10, 100, true, StatusPartly, 80, 240 * time.Second, 85*time.Second + 400*ms},
		"one by one, few arrived of many":       {30, 1000, true, StatusPartly, 3, 200 * time.Second, 69*time.Second + 997*time.Second},
		"one by one, slower than MTS's limit":   {1, 100, true, StatusPartly, 1, time.Hour, 7*time.Second + 400*ms + 99*3700*ms},
		"one by one, somebody wrote others too": {10, 10, true, StatusPartly, 12, time.Minute, 25*time.Second + 40*ms},
		"one by one, and MTS gave up":           {10, 100, true, StatusFailed, 20, time.Minute, 25*time.Second + 400*ms},
	} {
		tracking := Delivery{TimeoutSeconds: c.timeout, Direct: &DirectDelivery{InBulk: !c.oneByOne}}.Tracking(c.records).Said(c.status, done)
		if c.arrived > 0 {
			tracking = tracking.Found(c.arrived, done.Add(c.grew))
		}
		if got := tracking.SettledAt().Sub(done.Add(c.grew)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Whomever MOSIP refused, if the receiver needs at most a second for a call: a delivery is
// not over before the last token, and over at some time after it.
func TestNoTokenComesAfterADeliveryIsOver(t *testing.T) {
	refused := map[string]func(i, n int) bool{
		"nobody":             func(int, int) bool { return false },
		"all but the last":   func(i, n int) bool { return i < n-1 },
		"all but the first":  func(i, _ int) bool { return i > 0 },
		"the first half":     func(i, n int) bool { return i < n/2 },
		"a run in the midst": func(i, n int) bool { return i > n/10 && i < 9*n/10 },
		"nearly everybody":   func(i, _ int) bool { return i%50 != 49 },
	}
	began := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for _, n := range []int{1, 10, 100, 1000} {
		for _, call := range []time.Duration{2 * time.Millisecond, 200 * time.Millisecond, time.Second} {
			for name, refuses := range refused {
				var tokens []time.Time
				for i := range n {
					if !refuses(i, n) {
						tokens = append(tokens, began.Add(time.Duration(i+1)*call))
					}
				}
				arrived := func(now time.Time) (n int) {
					for n < len(tokens) && !tokens[n].After(now) {
						n++
					}
					return n
				}
				now := began.Add(5 * time.Second) // so late it is asked
				tracking := Delivery{TimeoutSeconds: 5, Direct: &DirectDelivery{}}.Tracking(n).Said(StatusPartly, now)
				looks := 0
				for tracking = tracking.Found(arrived(now), now); now.Before(tracking.SettledAt()); looks++ {
					now = tracking.LookAgain()
					tracking = tracking.Found(arrived(now), now)
				}
				if tracking.Arrived < len(tokens) || looks > n+40 {
					t.Errorf("%d records at %s, refused are %s: over after %s and %d looks with %d of %d", n, call, name, now.Sub(began), looks, tracking.Arrived, len(tokens))
				}
			}
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
