package seedingdbtest

import (
	"fmt"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) registries() {
	key := s.id("registry")
	zero, err := s.store.RegistryState(s.ctx, key)
	s.ok(err, "state")
	s.same(zero, seeding.RegistryState{Key: key}, "a registry that nobody used")
	take := func(owner string, from, until time.Duration) (seeding.RegistryState, error) {
		return s.store.TakePatch(s.ctx, key, owner, after(from), after(until))
	}
	first, err := take("a", 0, time.Minute)
	s.ok(err, "take")
	s.same(first, seeding.RegistryState{Key: key, Patch: seeding.Lease{Owner: "a", Until: after(time.Minute), Fence: first.Patch.Fence}}, "taken")
	_, err = take("b", 59*time.Second, time.Hour)
	s.fails(err, seeding.ErrLeaseHeld, "a held lease")

	s.ok(s.store.HoldPatch(s.ctx, key, first.Patch.Fence, after(2*time.Minute)), "hold")
	_, err = take("b", 119*time.Second, time.Hour)
	s.fails(err, seeding.ErrLeaseHeld, "a lease that is held for longer")
	s.ok(s.store.HoldPatch(s.ctx, key, first.Patch.Fence, after(time.Minute)), "hold for a shorter time")

	full := filled[seeding.RegistryState]()
	full.Key, full.Patch = key, first.Patch
	full.Patch.Until = after(30 * time.Second)
	s.ok(s.store.LeavePatch(s.ctx, full), "leave at a time")
	full.Counter = 0
	got, err := s.store.RegistryState(s.ctx, key)
	s.ok(err, "state")
	s.same(got, full, "everything but the counter")
	_, err = take("b", 29*time.Second, time.Hour)
	s.fails(err, seeding.ErrLeaseHeld, "a lease that is left to run")
	second, err := take("b", 30*time.Second, 2*time.Minute)
	s.ok(err, "a lease that is over")
	if second.Patch.Fence <= first.Patch.Fence {
		s.Errorf("fence %d after %d", second.Patch.Fence, first.Patch.Fence)
	}
	s.fails(s.store.LeavePatch(s.ctx, full), seeding.ErrConflict, "leave by a holder thought dead")
	s.fails(s.store.HoldPatch(s.ctx, key, first.Patch.Fence, after(time.Hour)), seeding.ErrConflict, "hold by a holder thought dead")
	s.fails(s.store.HoldPatch(s.ctx, s.id("nobody"), 1, after(time.Hour)), seeding.ErrConflict, "hold what nobody took")
	second.Patch.Owner = ""
	s.ok(s.store.LeavePatch(s.ctx, second), "leave for good")
	_, err = take("c", 0, time.Minute)
	s.ok(err, "a lease without an owner")
	s.fails(s.store.LeavePatch(s.ctx, seeding.RegistryState{Key: s.id("nobody")}), seeding.ErrConflict, "leave what nobody took")

	s.ok(s.store.NoteOutage(s.ctx, key, after(time.Hour), 3), "outage")
	got, err = s.store.RegistryState(s.ctx, key)
	s.ok(err, "state")
	s.same(got.OutageUntil, after(time.Hour), "outage")
	s.same(got.OutageAttempts, 3, "attempts")
	s.ok(s.store.NoteOutage(s.ctx, key, time.Time{}, 0), "end of the outage")
	got, err = s.store.RegistryState(s.ctx, key)
	s.ok(err, "state")
	s.same(got.OutageUntil.IsZero(), true, "no outage")
	fresh := s.id("fresh")
	s.ok(s.store.NoteOutage(s.ctx, fresh, t0, 1), "outage of a registry that nobody used")

	all, err := s.store.RegistryStates(s.ctx)
	s.ok(err, "all states")
	for _, want := range []string{key, fresh} {
		if !slices.ContainsFunc(all, func(r seeding.RegistryState) bool { return r.Key == want }) {
			s.Errorf("%s is not among all states", want)
		}
	}
	outcomes := s.race(func(i int) error {
		_, err := s.store.TakePatch(s.ctx, fresh, fmt.Sprintf("racer%d", i), t0, after(time.Minute))
		return err
	})
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrLeaseHeld: racers - 1}, "race for the patch lease")
}
