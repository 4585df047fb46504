package seeding_test

import (
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Slots whose batches somebody closed without freeing them hold up nobody, and the
// next claim removes them; likewise marks that are over.
func TestSlotsLeftBehind(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const width = seeding.DefaultWidth
	var m seeding.MTSState
	var left []string
	for i := range 99 {
		id := string(rune('a' + i))
		m.Slots = append(m.Slots, seeding.Slot{Batch: id, Claimed: now.Add(-time.Hour), Overdue: now.Add(-time.Hour / 2), Ends: now})
		left = append(left, id)
	}
	m.Heard = now
	if m.Free("c", now, width, 0) == 0 {
		t.Error("slots that are left behind hold up a connector")
	}
	m.Waiting = []seeding.Waiting{{Connector: "over", Until: now}, {Connector: "waits", Until: now.Add(time.Second)}}
	claim := seeding.Claim{Batch: seeding.Batch{Count: 1}}.At(m, now, width, seeding.DefaultTimes())
	if !slices.Equal(claim.LeftSlots, left) || !slices.Equal(claim.LeftMarks, []string{"over"}) {
		t.Errorf("the claim removes slots %v and marks %v", claim.LeftSlots, claim.LeftMarks)
	}

	m.Waiting = nil
	for i := range m.Slots {
		m.Slots[i].Ends = now.Add(time.Second)
	}
	if m.Free("c", now, width, 0) > 0 {
		t.Error("99 batches that MTS may still have are not too many")
	}
	m.Slots[0].Ends, m.Slots[0].Answered = now, true
	claim = seeding.Claim{Batch: seeding.Batch{Count: 1}}.At(m, now, width, seeding.DefaultTimes())
	if len(claim.LeftSlots) > 0 {
		t.Errorf("the claim removes slots %v of batches under way", claim.LeftSlots)
	}
}
