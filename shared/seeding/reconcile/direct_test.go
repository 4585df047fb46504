package reconcile

import (
	"errors"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// directBatch was claimed a minute ago and is not overdue. It has three members.
func directBatch(id string) seeding.Batch {
	b := overdueBatch(id)
	b.Direct, b.Count, b.Size, b.Members = true, 3, 3, b.Members[:3]
	b.Tracking.Quiet = 30 * time.Second
	b.Claimed, b.Overdue, b.Deadline = now.Add(-time.Minute), now.Add(time.Minute), now.Add(2*time.Minute)
	return b
}

func TestDecideDirect(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	tracking := func(status seeding.MTSStatus, done, looked time.Duration, arrived int) func(*seeding.Batch) {
		return func(b *seeding.Batch) {
			b.Tracking.Status, b.Tracking.Done, b.Tracking.Arrived = status, ago(done), arrived
			if looked > 0 {
				b.Tracking.Looked = ago(looked)
			}
		}
	}
	old := func(b *seeding.Batch) { b.Claimed, b.Deadline = ago(time.Hour), ago(50*time.Minute) }
	for _, c := range []struct {
		name       string
		finding    finding
		change     func(*seeding.Batch)
		status     seeding.MTSStatus // written
		look, lost bool
	}{
		{"MTS works", working, nil, seeding.StatusWorking, false, false},
		{"MTS is silent", silent, nil, seeding.StatusWorking, false, false},
		{"the POST may be open", neverAccepted, nil, seeding.StatusWorking, false, false},
		{"finished", finished, nil, seeding.StatusFinished, true, false},
		{"finished with errors", partly, nil, seeding.StatusPartly, true, false},
		{"failed", failedAtMTS, nil, seeding.StatusFailed, true, false},
		{"unknown", unknownToMTS, nil, seeding.StatusUnknown, true, false},
		{"silent, and done before", silent, tracking(seeding.StatusFinished, time.Minute, 0, 0), seeding.StatusFinished, true, false},
		{"forgotten, and done before", unknownToMTS, tracking(seeding.StatusPartly, time.Minute, time.Second, 0), seeding.StatusPartly, true, false},
		{"failed after it was done", failedAtMTS, tracking(seeding.StatusFinished, time.Minute, time.Second, 0), seeding.StatusFailed, true, false},
		{"silent for long: looked for before it is lost", silent, old, seeding.StatusUnknown, true, false},
		{"never accepted: the same", neverAccepted, old, seeding.StatusUnknown, true, false},
		{"unknown, and looked for too early", unknownToMTS, tracking(seeding.StatusUnknown, time.Minute, 40*time.Second, 0), seeding.StatusUnknown, true, false},
		{"unknown, and nothing arrived", unknownToMTS, tracking(seeding.StatusUnknown, time.Minute, 20*time.Second, 0), seeding.StatusUnknown, false, true},
		{"unknown, and something arrived: patch ends it", unknownToMTS, tracking(seeding.StatusUnknown, time.Minute, 20*time.Second, 1), seeding.StatusUnknown, true, false},
		{"nobody could look for a week", finished, tracking(seeding.StatusFinished, directLimit, 0, 0), seeding.StatusFinished, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := directBatch("b")
			if c.change != nil {
				c.change(&b)
			}
			got := decideDirect(b, evidence{finding: c.finding, age: now.Sub(b.Claimed), wait: b.Wait()}, now)
			if got.tracking.Status != c.status || got.look != c.look || got.lost != c.lost || got.tracking.Done.IsZero() != (c.status == seeding.StatusWorking) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// When MTS is asked, in a tick that lasts.
func TestDirectBatchesAreWatched(t *testing.T) {
	w := newWorld()
	w.registries = []seeding.RegistryState{{Key: "r1"}}
	w.open = []seeding.Batch{directBatch("b1"), overdueBatch("managed")}
	w.open[1].Overdue = now.Add(time.Hour)
	id := w.open[0].RequestID
	w.says[id] = seeding.StatusWorking
	w.clock.asleep = func(at time.Time) {
		if !at.Before(now.Add(20 * time.Second)) {
			w.says[id] = seeding.StatusPartly
		}
		if len(w.looked) == 2 { // patch closes it
			w.open = w.open[1:]
			w.looked = append(w.looked, "closed")
		}
	}
	if err := w.reconciler().Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.looked, []string{"r1", "r1", "closed"}) || len(w.invoked) != 0 {
		t.Errorf("looked %v, invoked %v", w.looked, w.invoked)
	}
	// A minute old: at once, then after an eighth of its age; and every beat once it is done.
	if len(w.asked) != 4 {
		t.Errorf("asked %d times", len(w.asked))
	}
	if w.clock.Sub(now) > 50*time.Second {
		t.Errorf("the tick took %s", w.clock.Sub(now))
	}
}

// An MTS that is silent, or a batch that somebody else tracked, ends no tick; patch is
// asked once for all batches of a registry.
func TestDirectBatchesOfManyMTSs(t *testing.T) {
	w := newWorld()
	w.registries = []seeding.RegistryState{{Key: "r1"}}
	for _, id := range []string{"b1", "b2", "b3", "b4"} {
		b := directBatch(id)
		b.MTS = "m" + id
		w.open = append(w.open, b)
		if id != "b2" {
			w.says[b.RequestID] = seeding.StatusFinished
		}
	}
	w.open[2].NotBefore = now.Add(time.Second) // patch looks later
	r := w.reconciler()
	r.Times.TickLimit = time.Millisecond
	if err := r.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.asked) != 3 || !slices.Equal(w.looked, []string{"r1"}) || len(w.closed) != 0 {
		t.Errorf("asked %v, looked %v, closed %d", w.asked, w.looked, len(w.closed))
	}
	looked := len(w.looked)
	w.registries[0].OutageUntil = now.Add(time.Hour)
	if err := r.Tick(t.Context()); err != nil || len(w.looked) != looked {
		t.Errorf("in an outage: looked %v, %v", w.looked, err)
	}
	w.registries[0].OutageUntil = time.Time{}
	w.fails["Track"] = seeding.ErrConflict
	w.open[0].Tracking = seeding.Tracking{}
	if err := r.Tick(t.Context()); err != nil {
		t.Errorf("somebody else was quicker: %v", err)
	}
	w.fails["Track"] = errors.New("storage")
	w.open[0].Tracking = seeding.Tracking{}
	if err := r.Tick(t.Context()); err == nil {
		t.Error("a failure of the storage is not told")
	}
}

// One that was lost is closed like any other, and its registrant, if it was alone, is
// rejected from the second time on.
func TestDirectBatchIsLost(t *testing.T) {
	w := newWorld()
	w.registries = []seeding.RegistryState{{Key: "r1"}}
	b := directBatch("b1")
	b.Count, b.Size, b.Members = 1, 1, b.Members[:1]
	b.Tracking.Status, b.Tracking.Done, b.Tracking.Looked = seeding.StatusUnknown, now.Add(-time.Minute), now.Add(-10*time.Second)
	w.open = []seeding.Batch{b}
	w.says[b.RequestID] = seeding.StatusUnknown
	r := w.reconciler()
	r.Times.TickLimit = time.Millisecond
	if err := r.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.closed) != 1 || w.closed[0].State != seeding.Lost || len(w.rejections) != 1 || w.rejections[0].Code != seeding.CodeNoAnswer || len(w.looked) != 0 {
		t.Errorf("closed %+v, rejections %+v", w.closed, w.rejections)
	}
	if _, shown := w.states["c1"].Problems[seeding.ProblemCallback]; shown {
		t.Error("our own callback is blamed")
	}
}
