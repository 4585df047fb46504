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
	s.ok(s.store.LeaveRun(s.ctx, c.ID, run.Fence, t0, t0, time.Time{}), "leave")
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

	c, run = s.running("slow")
	other, otherRun = s.running("quick")
	other.Registry.Database = "other"
	claim := s.aClaim(c, run, "slow")
	store = s.interrupted(transaction, func() { s.claimed(other, otherRun, "quick") })
	s.fails(store.Claim(s.ctx, claim), seeding.ErrConflict, "claim, and another connector claims at the same MTS")
	claim.Claims++
	s.ok(s.store.Claim(s.ctx, claim), "claim after another look at the MTS")

	closed = claim.Batch
	closed.State, closed.Closed = seeding.Patched, after(time.Minute)
	m := s.mtsState(c)
	store = s.interrupted(transaction, func() { s.ok(s.store.Close(s.ctx, closed), "close") })
	s.ok(store.Close(s.ctx, closed), "close, and somebody else closes it so")
	s.same(s.mtsState(c).Delivered, m.Delivered+int64(closed.Count), "delivered once")
}
