package seeding

import (
	"cmp"
	"slices"
	"time"
)

// MTSState is what is known of one MTS, shared by all connectors that use it.
type MTSState struct {
	Key       string
	Claims    int64     // how many batches were claimed for it, ever; each claim names the number that it read
	Slots     []Slot    // of the batches under way, by batch id
	Waiting   []Waiting // connectors that found no free slot, by id
	Delivered int64     // records of all batches that were patched, ever
	Heard     time.Time // when the last of these was patched

	Pace
	NotBefore time.Time // of the next POST, after it refused or was unreachable
	Attempts  int       // POSTs in a row that were surely not taken
}

// Slot is the place of one batch at its MTS. The claim takes it, and whoever
// closes the batch frees it. When the batch is overdue the slot holds up nobody.
type Slot struct {
	Batch     string
	Connector string
	Registry  string // RegistryKey
	Count     int    // of records
	Width     int    // the most that its connector allows
	Claimed   time.Time
	Overdue   time.Time
	Ends      time.Time // GiveUpAt of the batch; then the slot is no more, freed or not
	Direct    bool      // nobody says when its batch is done
	Answered  bool      // an overdue batch whose answer waits to be patched; not stored
}

// Waiting is a connector that waits for a slot. It ends by itself, because the
// connector may have died, or may have nothing left to send.
type Waiting struct {
	Connector string
	Since     time.Time
	Until     time.Time
}

// Unproved reports whether no answer of this MTS has ever been patched.
func (m MTSState) Unproved() bool { return m.Delivered == 0 && m.Proved == 0 }

// live reports whether MTS or patch may still be at work on the batch.
func (s Slot) live(now time.Time) bool { return s.Answered || s.Overdue.After(now) }

// left reports whether nobody frees the slot any more. When it ends its batch is
// closed, unless an answer waits, and the version before closes batches without
// freeing slots.
func (s Slot) left(now time.Time) bool { return !s.Answered && !s.Ends.After(now) }

// leftBehind returns the slots that nobody will free any more, by batch, and the
// marks that are over, by connector.
func (m MTSState) leftBehind(now time.Time) (slots, marks []string) {
	for _, s := range m.Slots {
		if s.left(now) {
			slots = append(slots, s.Batch)
		}
	}
	for _, w := range m.Waiting {
		if !w.Until.After(now) {
			marks = append(marks, w.Connector)
		}
	}
	return slots, marks
}

// UnderWay counts the batches that hold a slot now, and their records.
func (m MTSState) UnderWay(now time.Time) (batches, records int) {
	return m.count(func(s Slot) bool { return s.live(now) })
}

// Open counts the batches that MTS may have, overdue or not, and their records.
func (m MTSState) Open(now time.Time) (batches, records int) {
	return m.count(func(s Slot) bool { return !s.left(now) })
}

// Held counts the slots that a connector holds now.
func (m MTSState) Held(connector string, now time.Time) int {
	batches, _ := m.count(func(s Slot) bool { return s.Connector == connector && s.live(now) })
	return batches
}

// count counts the slots for which counts is true, and their records.
func (m MTSState) count(counts func(Slot) bool) (batches, records int) {
	for _, s := range m.Slots {
		if counts(s) {
			batches++
			records += s.Count
		}
	}
	return batches, records
}

// busySince is since when records were delivered, or could have been, without the
// slots standing empty: the time from which a batch that is claimed now counts
// what is delivered.
func (m MTSState) busySince(now time.Time) time.Time {
	since := now
	for _, s := range m.Slots {
		if !s.left(now) && s.Claimed.Before(since) {
			since = s.Claimed
		}
	}
	return later(since, m.Heard)
}

// OverdueAt is from when on the batch of a slot holds up nobody: when its own time is
// over, or when nothing came from MTS for so long that each of its workers should
// have answered a batch, and that was patched: half of the fixed time, and one and a
// half times what they need, by the shortest time and by the average. Then MTS was
// probably restarted with all that it had, and the deeper its queues were the longer
// their batches would hold up everybody.
func (m MTSState) OverdueAt(s Slot, times Times) time.Time {
	if m.Single <= 0 || s.Direct {
		return s.Overdue
	}
	quiet := later(s.Claimed, m.Heard).Add(times.OverdueBase/2 + 3*max(m.Single, m.PerRecord)*time.Duration(m.Size)/2 + m.Handling)
	if quiet.Before(s.Overdue) {
		return quiet
	}
	return s.Overdue
}

// silent reports whether nothing came from MTS since it got a batch that is
// overdue now.
func (m MTSState) silent(now time.Time) bool {
	return slices.ContainsFunc(m.Slots, func(s Slot) bool { return !s.live(now) && s.Claimed.After(m.Heard) })
}

// slotsPerWidth bounds the overdue batches that MTS may still have, or that its
// item has to hold.
const slotsPerWidth = 4

// WidthNow is how many batches may be under way at once, of all connectors; maximum
// is that of the connector that asks. A connector may allow fewer than another that
// uses the MTS too; then it sends few itself and leaves the others theirs. An MTS
// that is silent gets one after the other, so that its first answer is noticed and
// few records are lost.
func (m MTSState) WidthNow(now time.Time, maximum int) int {
	if m.silent(now) {
		return 1
	}
	for _, s := range m.Slots {
		if s.live(now) {
			maximum = max(maximum, s.Width)
		}
	}
	return m.Width(maximum)
}

// Next is the size of the next batch of a connector, and of those that are sent
// with it; maximum is the connector's.
func (m MTSState) Next(now time.Time, maximum int) (first, others int) {
	size := m.Batch(maximum)
	switch {
	case m.silent(now):
		size = min(size, FirstBatchSize)
	case m.unproved(size) && m.unprovedUnderWay(now) && m.Proved > 0:
		size = min(m.Proved, maximum)
	}
	if m.unproved(size) {
		return size, min(m.Proved, maximum)
	}
	return size, size
}

// Free is how many batches of the connector MTS takes now, to be sent together;
// maximum is how many the connector may have under way, and posting how many POSTs
// of it are. Batches are sent in waves: the next one when no more are under way
// than there are workers. Waves go first to who waits and holds the fewest slots,
// then to who waits longest; everybody else gets none meanwhile. If slots were only
// kept free for those who wait, the others could always be quicker.
func (m MTSState) Free(connector string, now time.Time, maximum, posting int) int {
	live, _ := m.UnderWay(now)
	open, _ := m.Open(now)
	width := m.WidthNow(now, maximum)
	free := width - live
	if free <= 0 || live > m.Round() || open >= slotsPerWidth*max(width, perWorker*firstWave) || m.isPreceded(connector, now) {
		return 0
	}
	return max(0, min(free, m.Wave()-posting, maximum-m.Held(connector, now)))
}

// Supplied is how long the workers of MTS surely have something to do without
// another batch: those under way beyond one for each worker, at the shortest time
// between two records, and no longer than one worker needs for them, because a time
// in which MTS stood still counts as slow records. It is 0 if that is not known:
// also where a batch is overdue, because what was measured is not true now, and where
// another connector uses the MTS too, because that one's turn would pass as well.
func (m MTSState) Supplied(connector string, now time.Time) time.Duration {
	unsure := slices.ContainsFunc(m.Slots, func(s Slot) bool { return !s.left(now) && (s.Connector != connector || !s.live(now)) }) ||
		slices.ContainsFunc(m.Waiting, func(w Waiting) bool { return w.Connector != connector && w.Until.After(now) })
	batches, records := m.UnderWay(now)
	if queued := batches - m.busy(); queued > 0 && m.Single > 0 && !unsure && !m.silent(now) {
		return min(m.Interval, m.Single) * time.Duration(records*queued/batches)
	}
	return 0
}

// HeldBy are the batches of a connector that have a slot, overdue or not.
func (m MTSState) HeldBy(connector string) (batches []string) {
	for _, s := range m.Slots {
		if s.Connector == connector {
			batches = append(batches, s.Batch)
		}
	}
	return batches
}

// Takes reports whether MTS takes a batch of so many records now, of a connector
// whose turn it is. At most one batch may be larger than any that was answered in
// time, because batches behind one that is too large may be lost with it.
func (m MTSState) Takes(records int, now time.Time, maximum int) bool {
	live, _ := m.UnderWay(now)
	return live < m.WidthNow(now, maximum) && (!m.unproved(records) || !m.unprovedUnderWay(now))
}

// unproved reports whether a batch is larger than any that was answered in time.
// The first batches of an MTS that was never used are small enough to be many.
func (m MTSState) unproved(records int) bool { return m.Pace != (Pace{}) && records > m.Proved }

func (m MTSState) unprovedUnderWay(now time.Time) bool {
	return slices.ContainsFunc(m.Slots, func(s Slot) bool { return s.live(now) && m.unproved(s.Count) })
}

// isPreceded reports whether a connector that waits comes before this one.
func (m MTSState) isPreceded(connector string, now time.Time) bool {
	since, held := now, m.Held(connector, now)
	if w, waits := m.Waits(connector, now); waits {
		since = w.Since
	}
	return slices.ContainsFunc(m.Waiting, func(w Waiting) bool {
		return w.Connector != connector && w.Until.After(now) &&
			cmp.Or(cmp.Compare(m.Held(w.Connector, now), held), w.Since.Compare(since), cmp.Compare(w.Connector, connector)) < 0
	})
}

// Waits returns the mark of a connector that waits for a slot now.
func (m MTSState) Waits(connector string, now time.Time) (w Waiting, waits bool) {
	for _, w := range m.Waiting {
		if w.Connector == connector && w.Until.After(now) {
			return w, true
		}
	}
	return w, false
}

// Wait is the mark of a connector that waits for a slot, for the given time. ok is
// false if nothing is to be written: nobody else uses the MTS, or the mark that is
// there lasts for more than half of the time.
func (m MTSState) Wait(connector string, now time.Time, lasts time.Duration) (w Waiting, ok bool) {
	shared := slices.ContainsFunc(m.Slots, func(s Slot) bool { return s.Connector != connector && s.live(now) }) ||
		slices.ContainsFunc(m.Waiting, func(w Waiting) bool { return w.Connector != connector && w.Until.After(now) })
	w = Waiting{Connector: connector, Since: now, Until: now.Add(lasts)}
	if before, waits := m.Waits(connector, now); waits {
		w.Since = before.Since
		shared = shared && 2*before.Until.Sub(now) <= lasts
	}
	return w, shared
}
