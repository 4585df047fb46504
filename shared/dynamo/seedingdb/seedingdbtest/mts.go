package seedingdbtest

import (
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) mts() {
	key := s.id("mts")
	zero, err := s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(zero, seeding.MTSState{Key: key}, "an MTS that nobody used")
	sec := func(n int) time.Time { return after(time.Duration(n) * time.Second) }
	take := func(owner string, now, until, waitUntil int) (seeding.MTSState, error) {
		return s.store.TakeMTS(s.ctx, key, owner, sec(now), sec(until), sec(waitUntil))
	}
	waiter := func(owner string, until int) {
		s.Helper()
		m, err := s.store.MTSState(s.ctx, key)
		s.ok(err, "MTS")
		s.same(m.Waiter, owner, "waiter")
		if owner != "" {
			s.same(m.WaitUntil, sec(until), "waiting until")
		}
	}
	a, err := take("a", 0, 60, 30)
	s.ok(err, "take")
	s.same(a, seeding.MTSState{Key: key, Lease: seeding.Lease{Owner: "a", Until: sec(60), Fence: a.Lease.Fence}}, "taken")
	waiter("", 0)
	a, err = take("a", 0, 60, 30)
	s.ok(err, "its own lease")

	_, err = take("b", 1, 61, 31)
	s.fails(err, seeding.ErrLeaseHeld, "held")
	waiter("b", 31)
	_, err = take("c", 2, 62, 42)
	s.fails(err, seeding.ErrLeaseHeld, "held, and b waits")
	waiter("b", 31)
	_, err = take("b", 3, 63, 33)
	s.fails(err, seeding.ErrLeaseHeld, "held still")
	waiter("b", 31) // not written with every call
	_, err = take("b", 20, 80, 50)
	s.fails(err, seeding.ErrLeaseHeld, "held still")
	waiter("b", 50)

	s.ok(s.store.LeaveMTS(s.ctx, key, a.Lease.Fence, sec(90), 2), "leave")
	m, err := s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(m.Lease, seeding.Lease{Fence: a.Lease.Fence}, "lease that was left")
	s.same(m.NotBefore, sec(90), "next POST")
	s.same(m.Attempts, 2, "attempts")
	_, err = take("a", 21, 81, 51)
	s.fails(err, seeding.ErrLeaseHeld, "b waited longer")
	waiter("b", 50)
	b, err := take("b", 22, 82, 52)
	s.ok(err, "who waited")
	waiter("", 0)
	if b.Lease.Fence <= a.Lease.Fence {
		s.Errorf("fence %d after %d", b.Lease.Fence, a.Lease.Fence)
	}
	s.fails(s.store.LeaveMTS(s.ctx, key, a.Lease.Fence, t0, 0), seeding.ErrConflict, "leave by a holder before")

	_, err = take("a", 30, 90, 60)
	s.fails(err, seeding.ErrLeaseHeld, "held")
	waiter("a", 60)
	_, err = take("c", 82, 142, 112)
	s.ok(err, "lease and mark are over")
	waiter("", 0)
	_, err = take("d", 83, 143, 83)
	s.fails(err, seeding.ErrLeaseHeld, "one who does not wait")
	waiter("", 0)
	s.fails(s.store.LeaveMTS(s.ctx, s.id("nobody"), 1, t0, 0), seeding.ErrConflict, "leave what nobody took")

	fresh := s.id("fresh")
	outcomes := s.race(func(i int) error {
		_, err := s.store.TakeMTS(s.ctx, fresh, fmt.Sprintf("racer%d", i), t0, after(time.Minute), after(time.Minute))
		return err
	})
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrLeaseHeld: racers - 1}, "race for the POST lease")
	m, err = s.store.MTSState(s.ctx, fresh)
	s.ok(err, "MTS")
	if m.Waiter == "" || m.Waiter == m.Lease.Owner {
		s.Errorf("waiter %q of holder %q", m.Waiter, m.Lease.Owner)
	}
}

func (s *suite) pace() {
	key := s.id("mts")
	first, second := filled[seeding.Pace](), seeding.Pace{Size: 100, PerRecord: 31 * time.Millisecond}
	s.fails(s.store.SavePace(s.ctx, key, second, first), seeding.ErrConflict, "from a pace that never was")
	s.ok(s.store.SavePace(s.ctx, key, seeding.Pace{}, first), "first pace")
	m, err := s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(m.Pace, first, "pace")
	s.ok(s.store.SavePace(s.ctx, key, seeding.Pace{}, first), "the same again")
	s.fails(s.store.SavePace(s.ctx, key, seeding.Pace{}, second), seeding.ErrConflict, "from none")
	a, err := s.store.TakeMTS(s.ctx, key, "a", t0, after(time.Minute), t0)
	s.ok(err, "take")
	s.same(a.Pace, first, "pace under a lease")
	s.ok(s.store.SavePace(s.ctx, key, first, second), "next pace")
	s.fails(s.store.SavePace(s.ctx, key, first, seeding.Pace{Size: 7}), seeding.ErrConflict, "from a pace that is no more")
	s.ok(s.store.LeaveMTS(s.ctx, key, a.Lease.Fence, time.Time{}, 0), "leave")
	m, err = s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(m.Pace, second, "pace that was saved by another than the holder")
}
