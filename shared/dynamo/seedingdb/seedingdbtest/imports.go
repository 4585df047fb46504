package seedingdbtest

import (
	"fmt"
	"math"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// order is the wish for an import of a connector, whose id ends with a name.
func (s *suite) order(c seeding.Connector, name string, registrants ...int64) seeding.Order {
	return seeding.Order{
		Run: seeding.Run{
			ID: s.id(name), Connector: c.ID, Kind: seeding.Import, Registry: c.RegistryKey(), Version: c.Version,
			Selection: seeding.Selection{Listed: len(registrants)}, Started: t0, Passes: 1, PassStarted: t0, Expected: len(registrants),
		},
		Registrants: registrants,
	}
}

// orders: an import is opened once for a key, whoever repeats the request, and no
// more are open than may be.
func (s *suite) orders() {
	c := s.connector("c")
	first := s.order(c, "import-1", 3, 5, 8)
	first.Key, first.Digest, first.Expires = "a key #1/ü", "digest-1", after(time.Hour)
	_, _, err := s.store.OrderedImport(s.ctx, c.ID, first.Key, t0)
	s.fails(err, seeding.ErrNotFound, "of a key that was never used")
	s.ok(s.store.OpenImport(s.ctx, first, t0), "open")
	run, digest, err := s.store.OrderedImport(s.ctx, c.ID, first.Key, after(time.Minute))
	s.ok(err, "of the key")
	s.same([]string{run, digest}, []string{first.Run.ID, first.Digest}, "import of the key")
	got, err := s.store.Run(s.ctx, c.ID, first.Run.ID)
	s.ok(err, "run")
	s.same(got, first.Run, "run")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same([]any{state.Imports, state.Status, state.Moved}, []any{[]string{first.Run.ID}, seeding.Stopped, t0}, "state")

	again := s.order(c, "import-2", 3)
	again.Key, again.Digest, again.Expires = first.Key, "digest-2", after(2*time.Hour)
	s.fails(s.store.OpenImport(s.ctx, again, after(time.Minute)), seeding.ErrConflict, "open another with the key")
	_, err = s.store.Run(s.ctx, c.ID, again.Run.ID)
	s.fails(err, seeding.ErrNotFound, "run of a refused order")
	other := s.connector("other")
	_, _, err = s.store.OrderedImport(s.ctx, other.ID, first.Key, t0)
	s.fails(err, seeding.ErrNotFound, "of another connector's key")
	_, _, err = s.store.OrderedImport(s.ctx, c.ID, first.Key, after(time.Hour))
	s.fails(err, seeding.ErrNotFound, "of a key that has expired")
	s.ok(s.store.OpenImport(s.ctx, again, after(time.Hour)), "open another once the key has expired")

	stale := s.order(c, "import-3")
	stale.Run.Version++
	s.fails(s.store.OpenImport(s.ctx, stale, t0), seeding.ErrConflict, "open under another version")
	for i := 2; i < seeding.MaxImports; i++ {
		s.ok(s.store.OpenImport(s.ctx, s.order(c, fmt.Sprintf("more-%d", i)), t0), "open one of many")
	}
	full := s.order(c, "too-many")
	s.fails(s.store.OpenImport(s.ctx, full, t0), seeding.ErrConflict, "open one more than may be")
	_, err = s.store.Run(s.ctx, c.ID, full.Run.ID)
	s.fails(err, seeding.ErrNotFound, "run that was one too many")

	all := s.connector("window")
	whole := s.order(all, "whole")
	whole.Run.Selection.Window = seeding.Window{From: time.UnixMilli(0).UTC(), To: time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)}
	s.ok(s.store.OpenImport(s.ctx, whole, t0), "open one of all years")
	got, err = s.store.Run(s.ctx, all.ID, whole.Run.ID)
	s.ok(err, "run of all years")
	s.same(got, whole.Run, "run of all years")

	raced := s.connector("raced")
	outcomes := s.race(func(racer int) error {
		o := s.order(raced, fmt.Sprintf("raced-%d", racer), 7)
		o.Key, o.Digest, o.Expires = "key", "digest", after(time.Hour)
		return s.store.OpenImport(s.ctx, o, t0)
	})
	s.same(outcomes[nil], 1, "imports that a race opened")
	state, err = s.store.State(s.ctx, raced.ID)
	s.ok(err, "state")
	s.same(len(state.Imports), 1, "open imports after a race")
}

// lists: the registrants of an import are read part by part, and what was found of
// them is written under the fence.
func (s *suite) lists() {
	c := s.connector("c")
	registrants := make([]int64, 2*seeding.MaxListedPart+1)
	for i := range registrants {
		registrants[i] = int64(10 + 3*i)
	}
	registrants[len(registrants)-1] = math.MaxInt32
	s.ok(s.store.OpenImport(s.ctx, s.order(c, "list", registrants...), t0), "open")
	s.ok(s.store.OpenImport(s.ctx, s.order(c, "list-of-one", 4), t0), "open another, whose id begins alike")
	run := s.id("list")
	part := func(after int64) (seeding.ListedPart, bool) {
		s.Helper()
		p, found, err := s.store.ListedPart(s.ctx, c.ID, run, after)
		s.ok(err, "read a part")
		return p, found
	}
	var all []int64
	for after, parts := int64(0), 0; ; parts++ {
		p, found := part(after)
		if !found {
			s.same(parts, 3, "parts")
			break
		}
		for _, entry := range p.Entries {
			all = append(all, entry.Registrant)
		}
		s.same(p.Last, parts == 2, "last part")
		after = all[len(all)-1]
	}
	s.same(all, registrants, "registrants")
	second, _ := part(registrants[seeding.MaxListedPart+17])
	s.same(second.Entries[0].Registrant, registrants[seeding.MaxListedPart], "the part that holds a registrant")
	if _, found := part(math.MaxInt64); found {
		s.Error("a part after everything")
	}
	_, found, err := s.store.ListedPart(s.ctx, c.ID, s.id("nobody"), 0)
	if found || err != nil {
		s.Errorf("a part of no import: %v, %v", found, err)
	}

	for i := range second.Entries {
		second.Entries[i].Identifier = int64(7000 - i)
		second.Entries[i].Unsent = []seeding.Unsent{
			"", seeding.UnsentNotFound, seeding.UnsentArchived, seeding.UnsentNotSelected, seeding.UnsentNoVID,
			seeding.UnsentHolding, seeding.UnsentInBatch, seeding.UnsentRejected,
		}[i%8]
	}
	s.ok(s.store.SaveListed(s.ctx, c.ID, run, second, 3), "save")
	saved, _ := part(registrants[seeding.MaxListedPart])
	s.same(saved, second, "saved part")
	first, _ := part(0)
	s.same(first.Entries[0], seeding.Listed{Registrant: 10}, "the part before it")
	s.fails(s.store.SaveListed(s.ctx, c.ID, run, first, -1), seeding.ErrConflict, "save under an old fence")
	s.fails(s.store.SaveListed(s.ctx, c.ID, run, second, 2), seeding.ErrConflict, "save under an old fence")
	s.fails(s.store.SaveListed(s.ctx, c.ID, s.id("nobody"), second, 3), seeding.ErrNotFound, "save of no import")
	runs, _, err := s.store.ListRuns(s.ctx, c.ID, "", 10)
	s.ok(err, "list runs")
	s.same(len(runs), 2, "runs beside lists and orders")
}

// cancelling: a run that a person cancelled makes no batch any more.
func (s *suite) cancelling() {
	c, recurring := s.running("c")
	o := s.order(c, "import", 7, 9)
	s.ok(s.store.OpenImport(s.ctx, o, after(time.Second)), "open")
	cancelled := func(want ...string) {
		s.Helper()
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		s.same(state.Cancelled, want, "cancelled runs")
	}
	imports := o.Run
	imports.Fence = recurring.Fence
	s.claimed(c, imports, "b1")
	s.ok(s.store.CancelRun(s.ctx, imports, t0), "cancel")
	s.ok(s.store.CancelRun(s.ctx, imports, t0), "cancel again")
	cancelled(imports.ID)
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, imports, "b2")), seeding.ErrConflict, "claim for a cancelled import")
	s.claimed(c, recurring, "b3")
	s.ok(s.store.CancelRun(s.ctx, recurring, after(time.Minute)), "cancel the recurring run")
	cancelled(recurring.ID, imports.ID)
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, recurring, "b4")), seeding.ErrConflict, "claim for a cancelled run")
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	if state.Due.After(after(time.Minute)) {
		s.Errorf("due at %v", state.Due)
	}
	imports.Cursor, imports.Tally.Looked, imports.Completed, imports.Ending = 17, 2, after(time.Hour), seeding.EndedByCancel
	imports.Batches = 1 // which it counts itself
	s.ok(s.store.CompleteRun(s.ctx, imports, nil), "complete")
	got, err := s.store.Run(s.ctx, c.ID, imports.ID)
	s.ok(err, "run")
	s.same(got, imports, "run that was cancelled")
	cancelled(recurring.ID)
	recurring.Cursor, recurring.Tally.Looked, recurring.Completed, recurring.Ending = 17, 2, after(time.Hour), seeding.EndedByCancel
	s.ok(s.store.CompleteRun(s.ctx, recurring, nil), "complete")
	cancelled()
	s.fails(s.store.CancelRun(s.ctx, recurring, t0), seeding.ErrConflict, "cancel a completed run")
	s.fails(s.store.CancelRun(s.ctx, imports, t0), seeding.ErrConflict, "cancel a completed import")
	unknown := imports
	unknown.Connector = s.id("nobody")
	s.fails(s.store.CancelRun(s.ctx, unknown, t0), seeding.ErrNotFound, "cancel nobody's")
}

// importsAndStops: an import runs on a connector that is stopped; a stop ends the
// ones that are open.
func (s *suite) importsAndStops() {
	c := s.connector("c")
	state, err := s.store.TakeRun(s.ctx, c.ID, "submitter", t0, after(time.Minute), time.Time{})
	s.ok(err, "take")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, t0.Add(-time.Second)), "stop")
	o := s.order(c, "import", 7)
	s.ok(s.store.OpenImport(s.ctx, o, t0), "open")
	o.Run.Fence = state.Lease.Fence
	s.claimed(c, o.Run, "b1")
	o.Run.Cursor += 17
	c.Version++
	s.ok(s.store.ReplaceConnector(s.ctx, c, t0), "replace")
	s.claimed(c, o.Run, "b2")
	stop := s.aClaim(c, o.Run, "b3")
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Stopped, t0), "stop")
	s.fails(s.store.Claim(s.ctx, stop), seeding.ErrConflict, "claim for an import that was open at a stop")
	state, err = s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(state.Halted, t0, "time of the stop")
	later := s.order(c, "import-2", 7)
	later.Run.Started = after(time.Millisecond)
	s.ok(s.store.OpenImport(s.ctx, later, t0), "open")
	later.Run.Fence = state.Lease.Fence
	s.claimed(c, later.Run, "b4")
}
