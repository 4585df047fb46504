package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// MTS implements seeding.Seeders.
func (s *Store) MTS(ctx context.Context, id string) (seeding.MTS, error) {
	it, err := s.get(ctx, seederKey(id))
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.MTS{Key: id}, nil
	}
	if err != nil {
		return seeding.MTS{}, err
	}
	return decodeSeeder(it)
}

// nobodyElseWaits is the condition that no live mark of another waiter stands.
const nobodyElseWaits = "(attribute_not_exists(#waiter) OR #waiter = :owner OR #waitUntil <= :now)"

// TakeMTS implements seeding.Seeders. Who waits asks every second: it reads
// before it writes, because a refused write costs five times a read.
func (s *Store) TakeMTS(ctx context.Context, id, owner string, now, until, waitUntil time.Time) (seeding.MTS, error) {
	m, err := s.MTS(ctx, id)
	if err != nil {
		return seeding.MTS{}, err
	}
	others := m.Lease.Live(now) && m.Lease.Owner != owner
	before := m.Waiter != "" && m.Waiter != owner && m.WaitUntil.After(now)
	if !others && !before {
		it, err := s.update(ctx, change{
			key:    seederKey(id),
			update: "SET #owner = :owner, #until = :until REMOVE #waiter, #waitUntil ADD #fence :one",
			when:   leaseMine + " OR (" + leaseFree + " AND " + nobodyElseWaits + ")",
			values: item{":owner": text(owner), ":until": instant(until), ":now": instant(now), ":one": number(1)},
		})
		if err == nil {
			return decodeSeeder(it)
		}
		r, lost := errors.AsType[*refused](err)
		if !lost {
			return seeding.MTS{}, err
		}
		if m, err = decodeSeeder(r.old[0]); err != nil {
			return seeding.MTS{}, err
		}
		m.Key = id
	}
	if err := s.wait(ctx, m, owner, now, waitUntil); err != nil {
		return seeding.MTS{}, err
	}
	return seeding.MTS{}, seeding.ErrHeld
}

// wait marks the owner as waiting, unless somebody else is. One who polls
// would write the mark with every look; it is renewed when half of it is over.
func (s *Store) wait(ctx context.Context, m seeding.MTS, owner string, now, until time.Time) error {
	standing := m.WaitUntil.Sub(now)
	if standing > 0 && (m.Waiter != owner || 2*standing > until.Sub(now)) || !until.After(now) {
		return nil
	}
	_, err := s.update(ctx, change{
		key:    seederKey(m.Key),
		update: "SET #waiter = :owner, #waitUntil = :waitUntil",
		when:   nobodyElseWaits,
		values: item{":owner": text(owner), ":waitUntil": instant(until), ":now": instant(now)},
	})
	if _, other := errors.AsType[*refused](err); other {
		return nil
	}
	return err
}

// LeaveMTS implements seeding.Seeders.
func (s *Store) LeaveMTS(ctx context.Context, id string, fence int64, notBefore time.Time, tries int) error {
	_, err := s.update(ctx, change{
		key:    seederKey(id),
		update: "SET #notBefore = :notBefore, #tries = :tries REMOVE #owner, #until",
		when:   "#fence = :fence",
		values: item{":notBefore": instant(notBefore), ":tries": number(tries), ":fence": number(fence)},
	})
	return settle(err, seeding.ErrConflict, nil)
}

// SavePace implements seeding.Seeders.
func (s *Store) SavePace(ctx context.Context, id string, read, next seeding.Pace) error {
	c := change{
		key:    seederKey(id),
		update: "SET #pace = :next",
		when:   "#pace = :read",
		values: item{":read": encodePace(read), ":next": encodePace(next)},
	}
	if read == (seeding.Pace{}) {
		c.when = "attribute_not_exists(#pace)"
	}
	_, err := s.update(ctx, c)
	return settle(err, seeding.ErrConflict, func(old *reader) bool {
		is, meant := decodePace(old), decodePace(&reader{item: item{"pace": encodePace(next)}})
		return is == meant
	})
}

// encodePace writes every field, so that equal paces are equal attributes.
func encodePace(p seeding.Pace) types.AttributeValue {
	return &types.AttributeValueMemberM{Value: item{
		"size": number(p.Size), "ceiling": number(p.Ceiling), "timely": number(p.Timely),
		"proved": number(p.Proved), "suspect": number(p.Suspect), "losses": number(p.Losses), "perRecord": duration(p.PerRecord),
	}}
}

func decodePace(r *reader) (p seeding.Pace) {
	r.within("pace", func(r *reader) {
		p = seeding.Pace{
			Size: r.count("size"), Ceiling: r.count("ceiling"), Timely: r.count("timely"),
			Proved: r.count("proved"), Suspect: r.count("suspect"), Losses: r.count("losses"), PerRecord: r.duration("perRecord"),
		}
	})
	return p
}

func decodeSeeder(it item) (seeding.MTS, error) {
	r := &reader{item: it}
	return decoded(r, seeding.MTS{
		Key:       sortKey(it),
		Lease:     decodeLease(r),
		Waiter:    r.text("waiter"),
		WaitUntil: r.instant("waitUntil"),
		Pace:      decodePace(r),
		NotBefore: r.instant("notBefore"),
		Tries:     r.count("tries"),
	})
}
