package seedingdbtest

import (
	"time"

	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// interrupted returns a store on whose first such operation do is called before
// it: somebody else is quicker.
func (s *suite) interrupted(operation string, do func()) *seedingdb.Store {
	return s.with(dynamotest.Before(operation, do))
}

// between is what happens between a read and the write that relies on it.
func (s *suite) between() {
	const transaction = "TransactWriteItems"

	c, run := s.running("replaced")
	moved := c
	moved.Version, moved.Registry.Database = 2, "other"
	store := s.interrupted(transaction, func() { s.claimed(c, run, "quick") })
	s.fails(store.ReplaceConnector(s.ctx, moved, t0), seeding.ErrOpenBatches, "move the registry, and a claim")

	c, run = s.running("kept")
	moved = c
	moved.Version, moved.Registry.Database = 2, "other"
	other, otherRun := s.running("neighbour")
	store = s.interrupted(transaction, func() { s.claimed(other, otherRun, "others") })
	s.ok(store.ReplaceConnector(s.ctx, moved, t0), "move the registry, and a claim of another connector")
	s.fails(s.store.Claim(s.ctx, s.aClaim(c, run, "late")), seeding.ErrConflict, "a claim after the move")
	next := moved
	next.Version = 3
	store = s.interrupted(transaction, func() { s.ok(s.store.ReplaceConnector(s.ctx, next, t0), "replace") })
	s.fails(store.ReplaceConnector(s.ctx, next, t0), seeding.ErrConflict, "replace, and another replacement")

	c, run = s.running("deleted")
	s.ok(s.store.LeaveRun(s.ctx, c.ID, run.Fence, t0, time.Time{}), "leave")
	store = s.interrupted(transaction, func() {
		_, err := s.store.TakeRun(s.ctx, c.ID, "quick", t0, after(time.Minute), time.Time{})
		s.ok(err, "take")
	})
	s.fails(store.DeleteConnector(s.ctx, c.ID, 1, t0), seeding.ErrOpenBatches, "delete, and the lease is taken")
	run.Fence++
	store = s.interrupted(transaction, func() { s.claimed(c, run, "dead") })
	s.fails(store.DeleteConnector(s.ctx, c.ID, 1, after(time.Hour)), seeding.ErrOpenBatches, "delete, and a claim of one thought dead")

	c, run = s.running("closed")
	b := s.claimed(c, run, "b")
	closed := b
	closed.State, closed.Closed = seeding.Lost, t0
	store = s.interrupted(transaction, func() {
		s.ok(s.store.CountParts(s.ctx, b, []string{"x.1.1"}, seeding.Totals{Tokenised: 1}), "count")
	})
	s.fails(store.Close(s.ctx, closed), seeding.ErrConflict, "close, and a part is counted")
	closed.Parts = []string{"x.1.1"}
	store = s.interrupted(transaction, func() {
		s.ok(s.store.CountParts(s.ctx, b, []string{"x.2.2"}, seeding.Totals{Tokenised: 1}), "count")
	})
	s.fails(store.Close(s.ctx, closed), seeding.ErrConflict, "close, and a second part is counted")
	closed.Parts = []string{"x.1.1", "x.2.2"}
	store = s.interrupted(transaction, func() { s.ok(s.store.MarkSubmitted(s.ctx, b.Ref, "request", after(time.Second)), "mark") })
	s.ok(store.Close(s.ctx, closed), "close, and it is marked as submitted")
	got, err := s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got.RequestID, "request", "request identifier of the closed batch")

	b = s.claimed(c, run, "quick answer")
	closed = b
	closed.State, closed.Closed = seeding.Patched, t0
	store = s.interrupted(transaction, func() { s.ok(s.store.MarkSubmitted(s.ctx, b.Ref, "late", after(time.Second)), "mark") })
	s.ok(store.Close(s.ctx, closed), "close before any part is counted, and it is marked as submitted")
	got, err = s.store.Batch(s.ctx, b.Ref)
	s.ok(err, "batch")
	s.same(got.RequestID, "late", "request identifier of the batch closed so")

	mts := s.id("mts")
	store = s.interrupted("UpdateItem", func() {
		_, err := s.store.TakeMTS(s.ctx, mts, "quick", t0, after(time.Minute), t0)
		s.ok(err, "take")
	})
	_, err = store.TakeMTS(s.ctx, mts, "slow", t0, after(time.Minute), after(time.Minute))
	s.fails(err, seeding.ErrLeaseHeld, "take an MTS, and somebody is quicker")
	m, err := s.store.MTSState(s.ctx, mts)
	s.ok(err, "MTS")
	s.same(m.Waiter, "slow", "waiter")

	mts = s.id("queue")
	store = s.interrupted("UpdateItem", func() {
		m, err := s.store.TakeMTS(s.ctx, mts, "quick", t0, after(time.Minute), t0)
		s.ok(err, "take")
		_, err = s.store.TakeMTS(s.ctx, mts, "first", t0, after(time.Minute), after(time.Minute))
		s.fails(err, seeding.ErrLeaseHeld, "wait")
		s.ok(s.store.LeaveMTS(s.ctx, mts, m.Lease.Fence, time.Time{}, 0), "leave")
	})
	_, err = store.TakeMTS(s.ctx, mts, "second", t0, after(time.Minute), after(time.Minute))
	s.fails(err, seeding.ErrLeaseHeld, "take an MTS, and somebody else has waited for it meanwhile")
}
