package system_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// watch is the store of submit, and checks each claim: the slots of an MTS are never
// more than its width, and are those of its open batches.
type watch struct {
	submit.Store
	world *world

	mu     sync.Mutex
	states map[string][]seeding.MTSState // that were read since the last claim, by MTS
	claims []seeding.Batch               // with their members
	widest int                           // the most slots that were taken
}

// watchClaims makes a world check every claim from now on.
func (w *world) watchClaims() *watch {
	seen := &watch{Store: w.submitter.Store, world: w, states: map[string][]seeding.MTSState{}}
	w.submitter.Store = seen
	return seen
}

func (s *watch) MTSState(ctx context.Context, key string) (seeding.MTSState, error) {
	m, err := s.Store.MTSState(ctx, key)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.states[key] = append(s.states[key], s.world.withAnswers(m))
	}
	return m, err
}

func (s *watch) Claim(ctx context.Context, c seeding.Claim) error {
	err := s.Store.Claim(ctx, c)
	if err == nil {
		s.check(c)
	}
	return err
}

// check checks a claim that was made.
func (s *watch) check(c seeding.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, width := c.Batch.MTS, 0
	for _, m := range s.states[key] {
		if m.Claims == c.Claims { // what the claim was decided by
			width = max(width, m.WidthNow(c.Batch.Claimed, c.Width))
		}
	}
	s.states[key] = slices.DeleteFunc(s.states[key], func(m seeding.MTSState) bool { return m.Claims <= c.Claims })
	s.claims = append(s.claims, c.Batch)
	m := s.world.mtsState(key)
	m.Slots = slices.DeleteFunc(m.Slots, func(slot seeding.Slot) bool { // MTS has done its part of these
		return slot.Answered && slot.Registry != c.Batch.Ref.Registry
	})
	if live, _ := m.UnderWay(s.world.clock.Now()); live > width {
		s.world.Errorf("%d slots are taken, and the width is %d", live, width)
	} else {
		s.widest = max(s.widest, live)
	}
	s.world.checkSlots(key)
}

// mtsState is what the store has of an MTS, and which of its overdue batches have an
// answer that waits.
func (w *world) mtsState(key string) seeding.MTSState {
	m, err := w.store.MTSState(context.WithoutCancel(w.Context()), key)
	if err != nil {
		w.Error(err)
	}
	return w.withAnswers(m)
}

func (w *world) withAnswers(m seeding.MTSState) seeding.MTSState {
	m.Slots = slices.Clone(m.Slots)
	for i, slot := range m.Slots {
		if m.Slots[i].Overdue = m.OverdueAt(slot, seeding.DefaultTimes()); !m.Slots[i].Overdue.After(w.clock.Now()) {
			answered, err := w.store.HasAnswer(context.WithoutCancel(w.Context()), slot.Registry, slot.Batch)
			if err != nil {
				w.Error(err)
			}
			m.Slots[i].Answered = answered
		}
	}
	return m
}

// checkSlots checks that every open batch has its slot at the MTS, and that no other
// slot is there.
func (w *world) checkSlots(key string) {
	var held, open []string
	for range 100 { // until nobody changes anything between two looks
		held = w.slots(key)
		open = w.openAt(key)
		if slices.Equal(held, open) || slices.Equal(held, w.slots(key)) && slices.Equal(open, w.openAt(key)) {
			break
		}
	}
	if !slices.Equal(held, open) {
		w.Errorf("slots are taken by %v, and the open batches are %v", held, open)
	}
}

// slots are the batches that hold a slot, those that are given up left out.
func (w *world) slots(key string) (batches []string) {
	for _, slot := range w.mtsState(key).Slots {
		if slot.Ends.After(w.clock.Now()) {
			batches = append(batches, slot.Batch)
		}
	}
	slices.Sort(batches)
	return batches
}

// openAt are the open batches of an MTS, of all registries, those that are given up
// left out.
func (w *world) openAt(key string) (batches []string) {
	ctx := context.WithoutCancel(w.Context())
	registries, err := w.store.RegistryStates(ctx)
	if err != nil {
		w.Error(err)
	}
	for _, registry := range registries {
		open, err := w.store.OpenBatches(ctx, registry.Key)
		if err != nil {
			w.Error(err)
		}
		for _, b := range open {
			if b.MTS == key && b.GiveUpAt().After(w.clock.Now()) {
				batches = append(batches, b.Ref.Batch)
			}
		}
	}
	slices.Sort(batches)
	return batches
}

// checkFreed checks an MTS that all these connectors, and no others, have used, when
// nothing is under way: no slot is taken, and what was delivered is what was
// patched, neither less nor more.
func (w *world) checkFreed(connectors ...seeding.Connector) {
	w.Helper()
	m := w.mtsState(connectors[0].MTSKey())
	expect(w.T, "slots in the end", len(w.slots(m.Key)), 0)
	patched := int64(0)
	for _, c := range connectors {
		all, _ := w.batches(c)
		for _, b := range all {
			if b.State == seeding.Patched {
				patched += int64(b.Count)
			}
		}
	}
	expect(w.T, "records delivered", m.Delivered, patched)
}

// checkSentOnce checks that MTS got nobody twice but those who were lost, and
// returns how many records they were.
func (w *world) checkSentOnce(registrants int, received int, connectors ...seeding.Connector) (lost int) {
	w.Helper()
	for _, c := range connectors {
		all, _ := w.batches(c)
		for _, b := range all {
			if b.State != seeding.Patched {
				lost += b.Count
			}
		}
	}
	if received > registrants+lost {
		w.Errorf("%d records were sent for %d registrants, of whom %d were lost", received, registrants, lost)
	}
	return lost
}

// closes are the times at which registrants of the connectors were tokenised who
// were never lost.
func (s *watch) closes(connectors ...seeding.Connector) (times []time.Time) {
	type registrant struct {
		registry   string
		identifier int64
	}
	lost := map[registrant]bool{}
	var patched []seeding.Batch // with their members
	for _, b := range s.claims {
		closed, err := s.world.store.Batch(context.WithoutCancel(s.world.Context()), b.Ref)
		if err != nil {
			s.world.Fatal(err)
		}
		if b.Closed = closed.Closed; closed.State == seeding.Patched {
			patched = append(patched, b)
			continue
		}
		for _, m := range b.Members {
			lost[registrant{b.Ref.Registry, m.Identifier}] = true
		}
	}
	for _, b := range patched {
		counts := slices.ContainsFunc(b.Members, func(m seeding.Member) bool { return !lost[registrant{b.Ref.Registry, m.Identifier}] })
		of := slices.ContainsFunc(connectors, func(c seeding.Connector) bool { return c.ID == b.Ref.Connector })
		if counts && of {
			times = append(times, b.Closed)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// standstill is the longest time between two of these, the first of them since.
func (s *watch) standstill(since time.Time, connectors ...seeding.Connector) (longest time.Duration) {
	for _, at := range s.closes(connectors...) {
		if at.After(since) {
			longest, since = max(longest, at.Sub(since)), at
		}
	}
	return longest
}

// finishInTime lets time pass until nothing of the connectors is under way, at most
// so many minutes. Functions under way go on meanwhile, as they are deployed.
func (w *world) finishInTime(minutes int, connectors ...seeding.Connector) {
	w.Helper()
	for range minutes {
		if w.tickWithoutWaiting(); w.done(connectors...) {
			w.invoker.Wait()
			return
		}
	}
	for _, c := range connectors {
		w.Errorf("%s: %v", c.ID, w.underWay(c))
	}
	w.Fatalf("not finished after %d minutes", minutes)
}

// anotherMTS adds an MTS to a world in virtual time.
func (w *world) anotherMTS(name string, o mtssim.Options) (sim *mtssim.Server, url string) {
	o.Dial = w.network.(inprocess.Memory).Dial
	sim = mtssim.New(o)
	w.Cleanup(sim.Close)
	return sim, w.network.Serve(name, sim)
}

// anotherRegistry adds a registry to a world.
func (w *world) anotherRegistry(name string, o odoosim.Options) (sim *odoosim.Server, url string) {
	sim = odoosim.New(o)
	return sim, w.network.Serve(name, sim)
}
