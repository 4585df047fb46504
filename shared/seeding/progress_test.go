package seeding_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

var progressNow = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return progressNow.Add(-d) }

// patched is a batch that was claimed and closed so long ago.
func patched(count int, claimed, closed time.Duration) seeding.Batch {
	return seeding.Batch{State: seeding.Patched, Count: count, Claimed: ago(claimed), Closed: ago(closed),
		Totals: seeding.Totals{Sent: count, Tokenised: count}}
}

func TestRateOfARun(t *testing.T) {
	const second, minute = time.Second, time.Minute
	lost := patched(70, 3*minute, minute)
	lost.State = seeding.Lost
	open := seeding.Batch{State: seeding.Submitted, Count: 70, Claimed: ago(2 * minute)}
	every20s := func() (batches []seeding.Batch) { // 3 records per second, for an hour
		for at := time.Duration(0); at < time.Hour; at += 20 * second {
			batches = append(batches, patched(60, at+40*second, at))
		}
		return batches
	}
	for name, c := range map[string]struct {
		batches []seeding.Batch
		want    float64
	}{
		"no batch":                             {nil, 0},
		"nothing was patched yet":              {[]seeding.Batch{open}, 0},
		"the first, a moment ago":              {[]seeding.Batch{patched(50, 10*second, 0)}, 5},
		"the first, a while ago":               {[]seeding.Batch{patched(50, 50*second, 40*second)}, 1},
		"side by side":                         {[]seeding.Batch{patched(50, 10*second, 0), patched(50, 10*second, second)}, 10},
		"lost and open ones count for nothing": {[]seeding.Batch{patched(50, 10*second, 0), lost, open}, 5},
		"a run that goes on and on":            {every20s(), 3},
		"it was slower before":                 {append(every20s(), patched(1, 9*time.Hour, 8*time.Hour)), 3},
		"batches longer than the time":         {[]seeding.Batch{patched(1200, 20*minute, 10*minute), patched(1200, 20*minute, 0)}, 2},
		"after a long outage":                  {[]seeding.Batch{patched(50, 2*time.Hour, time.Hour), patched(50, 10*second, 0)}, 5},
		"nothing for a long time":              {[]seeding.Batch{patched(50, 2*time.Hour, time.Hour)}, 0},
		"claimed and closed now":               {[]seeding.Batch{patched(50, 0, 0)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := seeding.ProgressOf(seeding.Run{}.CountedBy(c.batches), false, progressNow).PerSecond
			if math.Abs(got-c.want) > c.want/100 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestExpectedEndOfARun(t *testing.T) {
	started := ago(100 * time.Second)
	first := seeding.Run{Started: started, PassStarted: started, Expected: 1000, Tally: seeding.Tally{Looked: 300}}
	second := seeding.Run{Started: ago(time.Hour), PassStarted: started, Expected: 400, Tally: seeding.Tally{Looked: 5000}}
	with := func(r seeding.Run, change func(*seeding.Run)) seeding.Run { change(&r); return r }
	// 200 records in 100 seconds, and 100 that are under way.
	batches := []seeding.Batch{patched(200, 100*time.Second, 0), {State: seeding.Claimed, Count: 100, Claimed: ago(time.Second)}}
	lost := seeding.Batch{State: seeding.Lost, Count: 60, Claimed: ago(90 * time.Second), Closed: ago(time.Second), Totals: seeding.Totals{Sent: 60}}
	before := seeding.Batch{State: seeding.Lost, Count: 400, Claimed: ago(30 * time.Minute), Closed: ago(20 * time.Minute), Totals: seeding.Totals{Sent: 400}}
	const none = -1
	for name, c := range map[string]struct {
		run     seeding.Run
		batches []seeding.Batch
		halted  bool
		seconds int
	}{
		"under way, and 700 VIDs":              {first, batches, false, 50 + 350},
		"every other VID needs nothing":        {with(first, func(r *seeding.Run) { r.Tally.Looked = 600 }), batches, false, 50 + 100},
		"somebody was lost, and is sent again": {with(first, func(r *seeding.Run) { r.Tally.Looked = 360 }), append(batches, lost), false, 50 + 30 + 320},
		"more VIDs than expected":              {with(first, func(r *seeding.Run) { r.Expected = 200 }), batches, false, 50},
		"the pass is over":                     {with(first, func(r *seeding.Run) { r.PassOver = true }), batches, false, 50},
		"over, and never counted":              {with(first, func(r *seeding.Run) { r.PassOver, r.Expected = true, 0 }), batches, false, 50},
		"never counted":                        {with(first, func(r *seeding.Run) { r.Expected = 0 }), batches, false, none},
		"nobody was looked at yet":             {with(first, func(r *seeding.Run) { r.Tally.Looked = 0 }), batches, false, none},
		"no rate yet":                          {first, batches[1:], false, none},
		"nothing new is sent":                  {first, batches, true, none},
		"a second pass sends who was lost":     {second, append(batches, before), false, 50 + 50},
		"a second pass that meets more":        {with(second, func(r *seeding.Run) { r.Expected = 10 }), batches, false, 50},
		"everybody was answered":               {with(first, func(r *seeding.Run) { r.PassOver = true }), batches[:1], false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var want time.Time
			if c.seconds != none {
				want = progressNow.Add(time.Duration(c.seconds) * time.Second)
			}
			if got := seeding.ProgressOf(c.run.CountedBy(c.batches), c.halted, progressNow).End; !got.Equal(want) {
				t.Errorf("%v, want %v", fmt.Sprint(got), want)
			}
		})
	}
}

func TestWhatIsLeftOfAPass(t *testing.T) {
	started := ago(100 * time.Second)
	first := seeding.Run{Started: started, PassStarted: started, Expected: 1000, Tally: seeding.Tally{Looked: 300}}
	second := seeding.Run{Started: ago(time.Hour), PassStarted: started, Expected: 400, Tally: seeding.Tally{Looked: 5000}, Totals: seeding.Totals{Sent: 700}, SentBefore: 600}
	with := func(r seeding.Run, change func(*seeding.Run)) seeding.Run { change(&r); return r }
	const unknown = -1
	for name, c := range map[string]struct {
		run  seeding.Run
		left int
	}{
		"VIDs that were not looked at":        {first, 700},
		"nobody was looked at yet":            {with(first, func(r *seeding.Run) { r.Tally.Looked = 0 }), 1000},
		"more VIDs than expected":             {with(first, func(r *seeding.Run) { r.Expected = 200 }), 0},
		"never counted":                       {with(first, func(r *seeding.Run) { r.Expected = 0 }), unknown},
		"over, and never counted":             {with(first, func(r *seeding.Run) { r.PassOver, r.Expected = true, 0 }), 0},
		"a later pass: records to send again": {second, 300},
		"a later pass that meets more":        {with(second, func(r *seeding.Run) { r.Expected = 10 }), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := c.run.Left()
			if known != (c.left != unknown) || known && got != c.left {
				t.Errorf("%d, %t; want %d", got, known, c.left)
			}
		})
	}
}
