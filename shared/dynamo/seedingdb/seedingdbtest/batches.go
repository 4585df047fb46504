package seedingdbtest

import (
	"errors"
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) claim() {
	c, run := s.running("c")
	claim := s.aClaim(c, run, "b")
	b := filled[seeding.Batch]()
	b.Ref, b.State, b.MTS, b.Closed = claim.Batch.Ref, seeding.Claimed, c.MTSKey(), time.Time{}
	claim.Batch = b
	s.ok(s.store.Claim(s.ctx, claim), "claim")

	open, err := s.store.OpenBatches(s.ctx, c.RegistryKey())
	s.ok(err, "open batches")
	s.same(open, []seeding.Batch{b}, "open batches")
	got, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got, b, "batch by its name")
	registry, err := s.store.RegistryState(s.ctx, c.RegistryKey())
	s.ok(err, "registry")
	s.same(registry.Counter, int64(1), "counter")
	moved, err := s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "run")
	counted := claim.Run
	counted.Batches, counted.Totals.Sent = 1, b.Count
	s.same(moved, counted, "run")
	s.claimed(c, claim.Run, "next")
	_, err = s.store.Batch(s.ctx, seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: "none"})
	s.fails(err, seeding.ErrNotFound, "a batch that nobody claimed")
}

func (s *suite) claimRefused() {
	for name, wrong := range map[string]func(c seeding.Connector, claim *seeding.Claim) error{
		"the counter moved":       func(_ seeding.Connector, claim *seeding.Claim) error { claim.Counter--; return nil },
		"the counter is new":      func(_ seeding.Connector, claim *seeding.Claim) error { claim.Counter = 0; return nil },
		"the MTS was claimed for": func(_ seeding.Connector, claim *seeding.Claim) error { claim.Claims--; return nil },
		"the MTS is new":          func(_ seeding.Connector, claim *seeding.Claim) error { claim.Claims = 0; return nil },
		"the batch is there": func(c seeding.Connector, claim *seeding.Claim) error {
			claim.Batch.Ref.Batch = s.id("first-" + c.Name)
			return nil
		},
		"the version is old":     func(_ seeding.Connector, claim *seeding.Claim) error { claim.Version--; return nil },
		"the fence is old":       func(_ seeding.Connector, claim *seeding.Claim) error { claim.Fence--; return nil },
		"the run's fence is old": func(_ seeding.Connector, claim *seeding.Claim) error { claim.Run.Fence--; return nil },
		"another run is open":    func(_ seeding.Connector, claim *seeding.Claim) error { claim.Run.ID += "x"; return nil },
		"the connector is stopped": func(c seeding.Connector, _ *seeding.Claim) error {
			return s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, t0)
		},
		"the lease is somebody's": func(c seeding.Connector, _ *seeding.Claim) error {
			_, err := s.store.TakeRun(s.ctx, c.ID, "b", after(time.Hour), after(2*time.Hour), time.Time{})
			return err
		},
		"the configuration is other": func(c seeding.Connector, _ *seeding.Claim) error {
			c.Version++
			return s.store.ReplaceConnector(s.ctx, c, t0)
		},
		"the run is completed": func(_ seeding.Connector, claim *seeding.Claim) error {
			run := claim.Run
			run.Completed, run.Cursor, run.Tally = t0, 0, seeding.Tally{}
			return s.store.CompleteRun(s.ctx, run, nil)
		},
	} {
		c, run := s.running(fmt.Sprintf("%x", name))
		c.Registry.Database = name // apart from the others
		s.claimed(c, run, "first-"+c.Name)
		claim := s.aClaim(c, run, "second-"+c.Name)
		s.ok(wrong(c, &claim), name)
		before := s.mtsState(c)
		s.fails(s.store.Claim(s.ctx, claim), seeding.ErrConflict, name)

		open, err := s.store.OpenBatches(s.ctx, c.RegistryKey())
		s.ok(err, "open batches")
		s.same(len(open), 1, name+": open batches")
		registry, err := s.store.RegistryState(s.ctx, c.RegistryKey())
		s.ok(err, "registry")
		s.same(registry.Counter, int64(1), name+": counter")
		saved, err := s.store.Run(s.ctx, c.ID, run.ID)
		s.ok(err, "run")
		if saved.Cursor > 17 {
			s.Errorf("%s: the cursor moved to %d", name, saved.Cursor)
		}
		s.same(s.mtsState(c), before, name+": MTS")
	}
}

// claimRaced: several claims rely on the same counter; one succeeds.
func (s *suite) claimRaced() {
	c, run := s.running("c")
	for round := range 3 {
		claims := make([]seeding.Claim, racers)
		for i := range claims {
			claims[i] = s.aClaim(c, run, fmt.Sprintf("b%d-%d", round, i))
		}
		outcomes := s.race(func(i int) error { return s.store.Claim(s.ctx, claims[i]) })
		s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for the counter")
	}
	open, err := s.store.OpenBatches(s.ctx, c.RegistryKey())
	s.ok(err, "open batches")
	s.same(len(open), 3, "open batches")
}

func (s *suite) submitted() {
	c, run := s.running("c")
	b := s.claimed(c, run, "b")
	s.ok(s.store.MarkSubmitted(s.ctx, b.Ref, "request", after(time.Second)), "mark")
	b.State, b.RequestID, b.Submitted = seeding.Submitted, "request", after(time.Second)
	got, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got, b, "submitted batch")
	s.ok(s.store.MarkSubmitted(s.ctx, b.Ref, "request", after(time.Second)), "mark it so again")
	s.fails(s.store.MarkSubmitted(s.ctx, b.Ref, "other", after(time.Second)), seeding.ErrConflict, "mark it otherwise")
	b.State, b.Closed = seeding.Patched, t0
	s.ok(s.store.Close(s.ctx, b), "close")
	s.fails(s.store.MarkSubmitted(s.ctx, b.Ref, "request", after(time.Second)), seeding.ErrConflict, "mark a closed batch")
}

func (s *suite) countingParts() {
	c, run := s.running("c")
	b := s.claimed(c, run, "b")
	one := seeding.Totals{Tokenised: 1, Duplicate: 2}
	counted := func(want seeding.Totals, parts ...string) {
		s.Helper()
		got, err := s.store.Batch(s.ctx, b.Ref)
		s.ok(err, "batch")
		s.same(got.Totals, want, "totals")
		s.same(got.Parts, parts, "parts")
	}
	s.ok(s.store.CountParts(s.ctx, b, []string{"x.1.2"}, one), "first part")
	s.fails(s.store.CountParts(s.ctx, b, []string{"x.1.2"}, one), seeding.ErrConflict, "the same part")
	s.fails(s.store.CountParts(s.ctx, b, []string{"x.2.2", "x.1.2"}, one), seeding.ErrConflict, "the same among others")
	counted(one, "x.1.2")
	s.ok(s.store.CountParts(s.ctx, b, []string{"x.2.2", "y.1.1"}, seeding.Totals{Tokenised: 10, Refused: 3}), "more parts")
	both := seeding.Totals{Tokenised: 11, Duplicate: 2, Refused: 3}
	counted(both, "x.1.2", "x.2.2", "y.1.1")

	outcomes := s.race(func(int) error { return s.store.CountParts(s.ctx, b, []string{"z.1.1"}, one) })
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for one part")
	counted(both.Plus(one), "x.1.2", "x.2.2", "y.1.1", "z.1.1")

	read, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	closed := read
	closed.State, closed.Closed, closed.Totals.Sent = seeding.Lost, t0, 2
	s.ok(s.store.Close(s.ctx, closed), "close")
	total := closed.Totals
	s.ok(s.store.CountParts(s.ctx, closed, []string{"late.1.2"}, one), "late part of a closed batch")
	total = total.Plus(one)
	s.fails(s.store.CountParts(s.ctx, closed, []string{"late.1.2"}, one), seeding.ErrConflict, "the same late part")
	s.ok(s.store.CountParts(s.ctx, read, []string{"late.2.2"}, one), "of a batch that was open when it was read")
	s.fails(s.store.CountParts(s.ctx, read, []string{"late.2.2"}, one), seeding.ErrConflict, "the same again")
	counted(total.Plus(one), "late.1.2", "late.2.2", "x.1.2", "x.2.2", "y.1.1", "z.1.1")

	b.Ref.Batch = s.id("unknown")
	s.fails(s.store.CountParts(s.ctx, b, []string{"x.1.1"}, one), seeding.ErrNotFound, "of a batch that nobody claimed")
	if err := s.store.CountParts(s.ctx, b, nil, one); err == nil {
		s.Error("totals of no part were counted")
	}
}

// An expression of DynamoDB has room for the conditions of about 100 parts.
func (s *suite) countingManyParts() {
	c, run := s.running("c")
	b := s.claimed(c, run, "b")
	one := seeding.Totals{Tokenised: 1, Duplicate: 2}
	answer := func(id string) (parts []string) {
		for i := range 120 {
			parts = append(parts, fmt.Sprintf("%s.%d.120", id, i+1))
		}
		return parts
	}
	first := answer("first")
	s.ok(s.store.CountParts(s.ctx, b, first, one), "120 parts")
	s.fails(s.store.CountParts(s.ctx, b, first, one), seeding.ErrConflict, "the same parts")
	s.fails(s.store.CountParts(s.ctx, b, append(answer("x"), first[119]), one), seeding.ErrConflict, "one of them among others")
	s.fails(s.store.CountParts(s.ctx, b, first[119:], one), seeding.ErrConflict, "one of them alone")
	s.ok(s.store.CountParts(s.ctx, b, answer("second"), one), "120 more")
	outcomes := s.race(func(int) error { return s.store.CountParts(s.ctx, b, answer("third"), one) })
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for 120 parts")

	read, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(read.Totals, one.Plus(one).Plus(one), "totals")
	s.same(len(read.Parts), 360, "number of parts")
	closed := read
	closed.State, closed.Closed = seeding.Lost, t0
	s.ok(s.store.Close(s.ctx, closed), "close")
	s.ok(s.store.CountParts(s.ctx, read, answer("late"), one), "parts of a batch that was open when it was read")
	s.fails(s.store.CountParts(s.ctx, closed, answer("late"), one), seeding.ErrConflict, "the same late parts")
	got, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got.Totals, closed.Totals.Plus(one), "totals of the closed batch")

	// With ids as they are, also where a batch has thousands of parts: a version
	// before stored 230,000 rows of one callback.
	totals := got.Totals
	for n, count := range []int{49, 50, 51, 115, 116, 300, 3000} {
		var parts []string
		for k := range count {
			parts = append(parts, seeding.AnswerPart{Content: fmt.Sprintf("%024x", n), Part: k + 1, Of: count}.ID())
		}
		s.ok(s.store.CountParts(s.ctx, got, parts, one), fmt.Sprintf("%d parts of a closed batch", count))
		s.fails(s.store.CountParts(s.ctx, got, parts, one), seeding.ErrConflict, fmt.Sprintf("the same %d", count))
		totals = totals.Plus(one)
	}
	got, err = s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got.Totals, totals, "totals with all parts")
	s.same(len(got.Parts), 480+49+50+51+115+116+300+3000, "number of all parts")

	b.Ref.Batch = s.id("unknown")
	s.fails(s.store.CountParts(s.ctx, b, first, one), seeding.ErrNotFound, "of a batch that nobody claimed")
}

func (s *suite) postponing() {
	c, run := s.running("c")
	b := s.claimed(c, run, "b")
	for _, place := range []string{"open", "closed"} {
		n := b.Attempts
		s.ok(s.store.Postpone(s.ctx, b, n+1, after(time.Minute)), place)
		s.ok(s.store.Postpone(s.ctx, b, n+1, after(time.Minute)), place+", repeated")
		s.fails(s.store.Postpone(s.ctx, b, n+1, after(time.Hour)), seeding.ErrConflict, place+", somebody else's failure")
		s.ok(s.store.Postpone(s.ctx, b, n+2, after(time.Hour)), place)
		got, err := s.store.Batch(s.ctx, b.Ref)
		s.ok(err, "batch")
		s.same(got.Attempts, n+2, place+": attempts")
		s.same(got.NotBefore, after(time.Hour), place+": next attempt")
		for hours := range 3 { // no failure, but a longer wait
			s.ok(s.store.Postpone(s.ctx, got, n+2, after(time.Duration(hours+1)*time.Hour)), place+", waiting on")
		}
		s.fails(s.store.Postpone(s.ctx, got, n+2, after(time.Hour)), seeding.ErrConflict, place+", a shorter wait")
		if place == "open" {
			got.State, got.Closed = seeding.Lost, t0
			s.ok(s.store.Close(s.ctx, got), "close")
		}
		b = got
	}
	b.Ref.Batch = s.id("unknown")
	s.fails(s.store.Postpone(s.ctx, b, 9, t0), seeding.ErrNotFound, "a batch that nobody claimed")
}

func (s *suite) closing() {
	c, run := s.running("c")
	first := s.claimed(c, run, "b")
	s.ok(s.store.MarkSubmitted(s.ctx, first.Ref, "request", after(time.Second)), "mark")
	s.ok(s.store.CountParts(s.ctx, first, []string{"x.1.2"}, seeding.Totals{Tokenised: 1}), "count")

	closed := first // as read before it was marked and counted
	closed.State, closed.Closed = seeding.Patched, after(time.Minute)
	closed.Totals, closed.Parts = seeding.Totals{Sent: 2, Tokenised: 1}, []string{"x.2.2"}
	s.fails(s.store.Close(s.ctx, closed), seeding.ErrConflict, "without a part that was counted")
	closed.Totals.Tokenised, closed.Parts = 2, []string{"x.2.2", "x.1.2"}
	s.ok(s.store.Close(s.ctx, closed), "close")

	want := closed
	want.Members, want.RequestID, want.Parts = nil, "request", []string{"x.1.2", "x.2.2"}
	got, err := s.store.Batch(s.ctx, first.Ref)
	s.ok(err, "batch")
	s.same(got, want, "closed batch by its name")
	list, err := s.store.ClosedBatches(s.ctx, c.ID, run.ID)
	s.ok(err, "closed batches")
	s.same(list, []seeding.Batch{want}, "closed batches")
	open, err := s.store.OpenBatches(s.ctx, c.RegistryKey())
	s.ok(err, "open batches")
	s.same(len(open), 0, "open batches")

	s.ok(s.store.Close(s.ctx, closed), "close it so again")
	closed.State = seeding.Lost
	s.fails(s.store.Close(s.ctx, closed), seeding.ErrConflict, "close it otherwise")
	closed.State, closed.Totals.Tokenised = seeding.Patched, 1
	s.fails(s.store.Close(s.ctx, closed), seeding.ErrConflict, "close it with other totals")
	closed.Ref.Batch = s.id("unknown")
	s.fails(s.store.Close(s.ctx, closed), seeding.ErrNotFound, "close a batch that nobody claimed")

	full := filled[seeding.Batch]()
	full.Ref, full.State, full.MTS, full.Closed, full.Parts = first.Ref, seeding.Claimed, c.MTSKey(), time.Time{}, nil
	full.Ref.Batch = s.id("full")
	claim := s.aClaim(c, run, "full")
	claim.Batch = full
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	full.State, full.Closed = seeding.Failed, t0
	s.ok(s.store.Close(s.ctx, full), "close")
	full.Members, full.Fingerprints, full.Submissions = nil, nil, nil
	got, err = s.store.Batch(s.ctx, full.Ref)
	s.ok(err, "batch")
	s.same(got, full, "a batch with every field")
}

// tracking: reconcile and patch take turns, and neither overwrites what the other found.
func (s *suite) tracking() {
	c, run := s.running("c")
	claim := s.aClaim(c, run, "b")
	claim.Batch.Direct, claim.Batch.Tracking = true, seeding.Tracking{Quiet: time.Minute, Calls: 4}
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	read := func() seeding.Batch {
		b, err := s.store.Batch(s.ctx, claim.Batch.Ref)
		s.ok(err, "batch")
		return b
	}
	first := read()
	done := first.Tracking.Said(seeding.StatusFinished, after(time.Minute))
	s.ok(s.store.Track(s.ctx, first, done), "MTS is done")
	s.ok(s.store.Track(s.ctx, first, done), "the same again, after a lost reply")
	s.same(read().Tracking, done, "tracking")
	s.fails(s.store.Track(s.ctx, first, first.Tracking.Said(seeding.StatusFailed, after(2*time.Minute))), seeding.ErrConflict, "another's finding of before")

	second := read()
	looked := second.Tracking.Found(3, after(3*time.Minute))
	s.ok(s.store.Track(s.ctx, second, looked), "patch looked")
	s.same(read().Tracking, looked, "tracking")
	s.fails(s.store.Track(s.ctx, second, second.Tracking.Said(seeding.StatusFailed, after(4*time.Minute))), seeding.ErrConflict, "MTS said something before patch looked")
	third := read()
	less := third.Tracking.Found(0, after(5*time.Minute))
	s.ok(s.store.Track(s.ctx, third, less), "tokens disappeared")
	s.same(read().Tracking, less, "tracking")

	b := read()
	b.State, b.Closed = seeding.Patched, after(6*time.Minute)
	s.ok(s.store.Close(s.ctx, b), "close")
	s.fails(s.store.Track(s.ctx, b, less.Found(1, after(7*time.Minute))), seeding.ErrNotFound, "a batch that is closed")
}

// closingRaced: reconcile gives up a batch while patch processes its answer.
func (s *suite) closingRaced() {
	c, run := s.running("c")
	for round := range 3 {
		b := s.claimed(c, run, fmt.Sprintf("b%d", round))
		delivered := s.mtsState(c).Delivered
		outcomes := s.race(func(i int) error {
			closed := b
			closed.State, closed.Closed, closed.Totals = seeding.Patched, t0, seeding.Totals{Sent: 2, Tokenised: 2}
			if i%2 == 1 {
				closed.State, closed.Totals = seeding.Lost, seeding.Totals{Sent: 2}
			}
			return s.store.Close(s.ctx, closed)
		})
		s.same(outcomes, map[error]int{nil: racers / 2, seeding.ErrConflict: racers / 2}, "race of two ends")
		got, err := s.store.Batch(s.ctx, b.Ref)
		s.ok(err, "batch")
		if got.State.Open() || (got.State == seeding.Patched) != (got.Totals.Tokenised == 2) {
			s.Errorf("closed as %s with %+v", got.State, got.Totals)
		}
		if got.State == seeding.Patched {
			delivered += int64(b.Count)
		}
		m := s.mtsState(c)
		s.same(m.Delivered, delivered, "delivered")
		s.same(len(m.Slots), 0, "slots")
	}

	// A part counted while the batch is closed is in the totals or in the error.
	for round := range 8 {
		b := s.claimed(c, run, fmt.Sprintf("counted%d", round))
		if round%2 == 1 { // the first part is there already
			b.Parts = []string{"w.1.1"}
			s.ok(s.store.CountParts(s.ctx, b, b.Parts, seeding.Totals{}), "count")
		}
		counted := make(chan error)
		go func() { counted <- s.store.CountParts(s.ctx, b, []string{"x.1.1"}, seeding.Totals{Tokenised: 2}) }()
		closed := b
		closed.State, closed.Closed = seeding.Lost, t0
		closeErr := s.store.Close(s.ctx, closed)
		s.ok(<-counted, "count")
		if closeErr != nil && !errors.Is(closeErr, seeding.ErrConflict) {
			s.Errorf("close: %v", closeErr)
		}
		got, err := s.store.Batch(s.ctx, b.Ref)
		s.ok(err, "batch")
		s.same(got.Totals.Tokenised, 2, "tokenised")
		s.same(got.State.Open(), closeErr != nil, "open")
	}
}

func (s *suite) batchesOfRun() {
	c, run := s.running("c")
	s.claimedAt(c, run, "first", t0)
	second := s.claimedAt(c, run, "second", after(time.Second))
	s.claimedAt(c, run, "also-third", after(2*time.Second))
	s.claimedAt(c, run, "third", after(2*time.Second))
	other := c
	other.ID = s.connector("other").ID
	s.ok(s.store.SetStatus(s.ctx, other.ID, seeding.Running, t0), "start")
	state, err := s.store.TakeRun(s.ctx, other.ID, "submitter", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	otherRun := seeding.Run{ID: "r", Connector: other.ID, Kind: seeding.Recurring, Version: 1, Started: t0, Fence: state.Lease.Fence}
	s.ok(s.store.OpenRun(s.ctx, otherRun), "open run")
	s.claimedAt(other, otherRun, "others", t0)

	second.State, second.Closed = seeding.Lost, t0
	s.ok(s.store.Close(s.ctx, second), "close")
	list, err := s.store.RunBatches(s.ctx, c.RegistryKey(), c.ID, run.ID)
	s.ok(err, "batches")
	var names []string
	for _, b := range list {
		names = append(names, b.Ref.Batch)
	}
	s.same(names, []string{s.id("first"), s.id("second"), s.id("also-third"), s.id("third")}, "batches, oldest first")
}

func (s *suite) claimedAt(c seeding.Connector, run seeding.Run, batch string, at time.Time) seeding.Batch {
	s.Helper()
	claim := s.aClaim(c, run, batch)
	claim.Batch.Claimed = at
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	return claim.Batch
}
