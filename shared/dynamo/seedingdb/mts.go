package seedingdb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func mtsKey(id string) dynamo.Key { return dynamo.Key{Partition: "seeders", Sort: id} }

// MTSState implements seeding.MTSStates.
func (s *Store) MTSState(ctx context.Context, id string) (seeding.MTSState, error) {
	m, err := get(ctx, s, mtsKey(id), decodeMTS)
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.MTSState{Key: id}, nil
	}
	return m, err
}

// nobodyElseWaits is the condition that no other owner is marked as waiting.
const nobodyElseWaits = "(attribute_not_exists(#waiter) OR #waiter = :owner OR #waitUntil <= :now)"

// TakeMTS implements seeding.MTSStates. It reads first, because a waiting owner
// calls it every second, and a refused write costs five times a read.
func (s *Store) TakeMTS(ctx context.Context, id, owner string, now, until, waitUntil time.Time) (seeding.MTSState, error) {
	m, err := s.MTSState(ctx, id)
	if err != nil {
		return seeding.MTSState{}, err
	}
	othersHold := m.Lease.Live(now) && m.Lease.Owner != owner
	othersWait := m.Waiter != "" && m.Waiter != owner && m.WaitUntil.After(now)
	if !othersHold && !othersWait {
		it, err := s.connectors.Update(ctx, dynamo.Change{
			Key:       mtsKey(id),
			Update:    "SET " + dynamo.LeaseSet + " REMOVE #waiter, #waitUntil ADD " + dynamo.LeaseAdd,
			Condition: dynamo.LeaseMine + " OR (" + dynamo.LeaseFree + " AND " + nobodyElseWaits + ")",
			Values:    dynamo.LeaseValues(owner, now, until),
		})
		if err == nil {
			return decodeMTS(it)
		}
		refused, ok := errors.AsType[*dynamo.Refused](err)
		if !ok {
			return seeding.MTSState{}, err
		}
		if m, err = decodeMTS(refused.Old[0]); err != nil {
			return seeding.MTSState{}, err
		}
		m.Key = id
	}
	if err := s.waitForMTS(ctx, m, owner, now, waitUntil); err != nil {
		return seeding.MTSState{}, err
	}
	return seeding.MTSState{}, seeding.ErrLeaseHeld
}

// waitForMTS marks the owner as waiting, unless somebody else is. It renews a
// mark only when half of its time is over, because a waiting owner calls often.
func (s *Store) waitForMTS(ctx context.Context, m seeding.MTSState, owner string, now, until time.Time) error {
	left := m.WaitUntil.Sub(now)
	if left > 0 && (m.Waiter != owner || 2*left > until.Sub(now)) || !until.After(now) {
		return nil
	}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       mtsKey(m.Key),
		Update:    "SET #waiter = :owner, #waitUntil = :waitUntil",
		Condition: nobodyElseWaits,
		Values:    dynamo.Item{":owner": dynamo.Text(owner), ":waitUntil": dynamo.Instant(until), ":now": dynamo.Instant(now)},
	})
	return dynamo.Explain(err, nil, nil) // somebody else is waiting
}

// LeaveMTS implements seeding.MTSStates.
func (s *Store) LeaveMTS(ctx context.Context, id string, fence int64, notBefore time.Time, attempts int) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       mtsKey(id),
		Update:    "SET #notBefore = :notBefore, #tries = :tries REMOVE #owner, #until",
		Condition: "#fence = :fence",
		Values:    dynamo.Item{":notBefore": dynamo.Instant(notBefore), ":tries": dynamo.Number(attempts), ":fence": dynamo.Number(fence)},
	})
	return conflict(err)
}

// SavePace implements seeding.MTSStates.
func (s *Store) SavePace(ctx context.Context, id string, read, next seeding.Pace) error {
	c := dynamo.Change{
		Key:       mtsKey(id),
		Update:    "SET #pace = :next",
		Condition: "#pace = :read",
		Values:    dynamo.Item{":read": encodePace(read), ":next": encodePace(next)},
	}
	if read == (seeding.Pace{}) {
		c.Condition = "attribute_not_exists(#pace)"
	}
	_, err := s.connectors.Update(ctx, c)
	saved := func(old dynamo.Item) bool {
		return decodePace(dynamo.NewReader(old)) == decodePace(dynamo.NewReader(dynamo.Item{"pace": encodePace(next)}))
	}
	return conflict(dynamo.Already(err, saved))
}

func decodeMTS(it dynamo.Item) (seeding.MTSState, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	return dynamo.Decoded(r, seeding.MTSState{
		Key:       r.Key().Sort,
		Lease:     seeding.Lease(r.Lease()),
		Waiter:    r.Text("waiter"),
		WaitUntil: r.Instant("waitUntil"),
		Pace:      decodePace(r),
		NotBefore: r.Instant("notBefore"),
		Attempts:  r.Int("tries"),
	})
}

// encodePace writes every field, so that equal paces are equal attributes.
func encodePace(p seeding.Pace) types.AttributeValue {
	return dynamo.Map(dynamo.Item{
		"size": dynamo.Number(p.Size), "ceiling": dynamo.Number(p.Ceiling), "timely": dynamo.Number(p.Timely),
		"proved": dynamo.Number(p.Proved), "suspect": dynamo.Number(p.Suspect), "losses": dynamo.Number(p.Losses),
		"perRecord": dynamo.Duration(p.PerRecord),
	})
}

func decodePace(r *dynamo.Reader) (p seeding.Pace) {
	r.Map("pace", func(r *dynamo.Reader) {
		p = seeding.Pace{
			Size: r.Int("size"), Ceiling: r.Int("ceiling"), Timely: r.Int("timely"),
			Proved: r.Int("proved"), Suspect: r.Int("suspect"), Losses: r.Int("losses"), PerRecord: r.Duration("perRecord"),
		}
	})
	return p
}
