package seedingdbtest

import (
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// claimWidth is the most that the connector of a claim allows.
const claimWidth = 9

// slotOf is the slot that a claim of the batch takes.
func slotOf(b seeding.Batch) seeding.Slot {
	return seeding.Slot{
		Batch: b.Ref.Batch, Connector: b.Ref.Connector, Registry: b.Ref.Registry,
		Count: b.Count, Width: claimWidth, Claimed: b.Claimed, Overdue: b.Overdue, Ends: b.GiveUpAt(),
	}
}

// slots: a claim takes one, and closing frees the one of its batch, whatever
// became of it. Only records of a patched batch are delivered.
func (s *suite) slots() {
	c, run := s.running("c")
	key := c.MTSKey()
	s.same(s.mtsState(c), seeding.MTSState{Key: key}, "an MTS that nobody used")
	var open []seeding.Batch
	for i, name := range []string{"a#1", "a-1", "a.1", "a_1", "b ü"} { // whatever an id has in it
		claim := s.aClaim(c, run, name)
		b := &claim.Batch
		b.Count, b.Claimed, b.Overdue = 10+i, after(time.Duration(i)*time.Second), after(time.Duration(i)*time.Minute)
		s.ok(s.store.Claim(s.ctx, claim), "claim")
		open = append(open, *b)
	}
	want := seeding.MTSState{Key: key, Claims: int64(len(open))}
	for _, b := range open {
		want.Slots = append(want.Slots, slotOf(b))
	}
	s.same(s.mtsState(c), want, "slots, by the batches' names")

	pace := filled[seeding.Pace]()
	s.ok(s.store.SavePace(s.ctx, key, seeding.Pace{}, pace), "save a pace")
	s.ok(s.store.NoteMTS(s.ctx, key, after(time.Hour), 3), "note")
	want.Pace, want.NotBefore, want.Attempts = pace, after(time.Hour), 3
	s.same(s.mtsState(c), want, "slots after other changes of the MTS")

	end := func(state seeding.BatchState, of int, again bool) {
		s.Helper()
		b := open[of]
		b.State, b.Closed = state, after(time.Hour+time.Duration(of)*time.Minute)
		s.ok(s.store.Close(s.ctx, b), "close")
		for i, slot := range want.Slots {
			if slot.Batch == b.Ref.Batch {
				want.Slots = append(want.Slots[:i:i], want.Slots[i+1:]...)
				break
			}
		}
		if state == seeding.Patched && !again {
			want.Delivered += int64(b.Count)
			want.Heard = b.Closed
		}
		if len(want.Slots) == 0 {
			want.Slots = nil
		}
		s.same(s.mtsState(c), want, fmt.Sprintf("after %s is %s", b.Ref.Batch, state))
	}
	end(seeding.Lost, 1, false)
	end(seeding.Patched, 2, false)
	end(seeding.Failed, 0, false)
	end(seeding.Patched, 2, true)
	end(seeding.Lost, 1, true)

	// A batch without a part that was counted is not closed: its slot stays.
	s.ok(s.store.CountParts(s.ctx, open[3], []string{"x.1.2"}, seeding.Totals{}), "count")
	refused := open[3]
	refused.State, refused.Closed = seeding.Patched, after(2*time.Hour)
	s.fails(s.store.Close(s.ctx, refused), seeding.ErrConflict, "close without a part that was counted")
	s.same(s.mtsState(c), want, "after a close that was refused")
	unknown := refused
	unknown.Ref.Batch = s.id("unknown")
	s.fails(s.store.Close(s.ctx, unknown), seeding.ErrNotFound, "close a batch that nobody claimed")
	s.same(s.mtsState(c), want, "after a close of a batch that nobody claimed")

	open[3].Parts = []string{"x.1.2"}
	end(seeding.Patched, 3, false)
	end(seeding.Patched, 4, false)
	s.claimed(c, run, "last")
	s.same(s.mtsState(c).Claims, want.Claims+1, "claims, those of closed batches included")
}

// slotsRaced: connectors of several registries claim at one MTS, all on what they
// read of it. Each number of claims is used once.
func (s *suite) slotsRaced() {
	type racer struct {
		connector seeding.Connector
		run       seeding.Run
	}
	all := make([]racer, 6)
	for i := range all {
		c, run := s.running(fmt.Sprintf("c%d", i))
		if i%2 == 0 { // a registry of its own, and one that the others share
			c.Registry.Database = c.ID
		}
		all[i] = racer{c, run}
	}
	const rounds = 4
	for round := range rounds {
		claims := make([]seeding.Claim, racers)
		for i := range claims {
			from := all[i%len(all)]
			claims[i] = s.aClaim(from.connector, from.run, fmt.Sprintf("b%d-%d", round, i))
			claims[i].Batch.Number = claims[i].Claims + 1
		}
		outcomes := s.race(func(i int) error { return s.store.Claim(s.ctx, claims[i]) })
		s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for a slot")
	}
	m := s.mtsState(all[0].connector)
	s.same(m.Claims, int64(rounds), "claims")
	slots := map[seeding.Slot]bool{}
	for _, slot := range m.Slots {
		slots[slot] = true
	}
	numbers := map[int64]bool{}
	registries := map[string]bool{}
	for _, r := range all {
		if registries[r.connector.RegistryKey()] {
			continue
		}
		registries[r.connector.RegistryKey()] = true
		open, err := s.store.OpenBatches(s.ctx, r.connector.RegistryKey())
		s.ok(err, "open batches")
		for _, b := range open {
			numbers[b.Number] = true
			if !slots[slotOf(b)] {
				s.Errorf("%s is open without a slot", b.Ref.Batch)
			}
		}
	}
	s.same(len(m.Slots), rounds, "slots")
	s.same(numbers, map[int64]bool{1: true, 2: true, 3: true, 4: true}, "numbers of the claims")
}

// waiting: a connector's mark is there until it claims or writes another one.
func (s *suite) waiting() {
	a, runA := s.running("c#1")
	b, runB := s.running("c-1")
	key := a.MTSKey()
	mark := func(c seeding.Connector, since, until int) seeding.Waiting {
		s.Helper()
		w := seeding.Waiting{Connector: c.ID, Since: after(time.Duration(since) * time.Second), Until: after(time.Duration(until) * time.Second)}
		s.ok(s.store.WaitForMTS(s.ctx, key, w), "wait")
		return w
	}
	waiting := func(want ...seeding.Waiting) {
		s.Helper()
		s.same(s.mtsState(a).Waiting, want, "who waits, by id")
	}
	ofB := mark(b, 5, 35)
	waiting(ofB)
	ofA := mark(a, 9, 39)
	waiting(ofA, ofB)
	ofB = mark(b, 5, 60) // it still waits
	waiting(ofA, ofB)
	s.same(s.mtsState(a).Claims, int64(0), "claims of an MTS that is only waited for")

	refused := s.aClaim(a, runA, "refused")
	refused.Fence--
	s.fails(s.store.Claim(s.ctx, refused), seeding.ErrConflict, "claim under an old fence")
	waiting(ofA, ofB)
	batch := s.claimed(a, runA, "b")
	waiting(ofB)
	batch.State, batch.Closed = seeding.Lost, t0
	s.ok(s.store.Close(s.ctx, batch), "close")
	waiting(ofB)
	s.claimed(b, runB, "b2")
	waiting()
	ofB = mark(b, 70, 100)
	waiting(ofB)

	outcomes := s.race(func(i int) error {
		c := seeding.Waiting{Connector: s.id(fmt.Sprintf("racer%02d", i)), Since: t0, Until: after(time.Minute)}
		return s.store.WaitForMTS(s.ctx, key, c)
	})
	s.same(outcomes, map[error]int{nil: racers}, "all wait at once")
	s.same(len(s.mtsState(a).Waiting), racers+1, "marks")
}

// leftBehind: a claim removes slots and marks that it names, and no others.
func (s *suite) leftBehind() {
	c, run := s.running("c-1")
	other, _ := s.running("c#1")
	var kept []seeding.Slot
	var left []string
	for i := range 6 {
		b := s.claimed(c, run, fmt.Sprintf("b-%d", i))
		if i%2 == 0 {
			left = append(left, b.Ref.Batch)
		} else {
			kept = append(kept, slotOf(b))
		}
	}
	wait := func(connector string) seeding.Waiting {
		w := seeding.Waiting{Connector: connector, Since: t0, Until: after(time.Minute)}
		s.ok(s.store.WaitForMTS(s.ctx, c.MTSKey(), w), "wait")
		return w
	}
	wait(c.ID)
	wait(other.ID)
	stays := wait(s.id("stays"))

	claim := s.aClaim(c, run, "next")
	claim.LeftSlots, claim.LeftMarks = append(left, s.id("unknown")), []string{c.ID, other.ID, s.id("unknown")}
	stale := claim
	stale.Claims--
	before := s.mtsState(c)
	s.fails(s.store.Claim(s.ctx, stale), seeding.ErrConflict, "claim on an old reading")
	s.same(s.mtsState(c), before, "after a claim that was refused")
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	m := s.mtsState(c)
	s.same(m.Slots, append(kept, slotOf(claim.Batch)), "slots that are left")
	s.same(m.Waiting, []seeding.Waiting{stays}, "marks that are left")

	removed, err := s.store.Batch(s.ctx, seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: left[0]})
	s.ok(err, "batch")
	removed.State, removed.Closed = seeding.Patched, after(time.Minute)
	s.ok(s.store.Close(s.ctx, removed), "close a batch that has no slot any more")
	m.Delivered, m.Heard = int64(removed.Count), removed.Closed
	s.same(s.mtsState(c), m, "MTS after that")
}
