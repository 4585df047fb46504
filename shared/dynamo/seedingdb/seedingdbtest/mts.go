package seedingdbtest

import (
	"reflect"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) mts() {
	key := s.id("mts")
	zero, err := s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(zero, seeding.MTSState{Key: key}, "an MTS that nobody used")
	noted := func(notBefore time.Time, attempts int) {
		s.Helper()
		m, err := s.store.MTSState(s.ctx, key)
		s.ok(err, "MTS")
		s.same(m, seeding.MTSState{Key: key, NotBefore: notBefore, Attempts: attempts}, "MTS")
	}
	s.ok(s.store.NoteMTS(s.ctx, key, after(time.Minute), 2), "note")
	noted(after(time.Minute), 2)
	s.ok(s.store.NoteMTS(s.ctx, key, after(time.Second), 1), "note an earlier time") // it states what was just met
	noted(after(time.Second), 1)
	s.ok(s.store.NoteMTS(s.ctx, key, time.Time{}, 0), "note a POST that was taken")
	noted(time.Time{}, 0)
}

func (s *suite) pace() {
	key := s.id("mts")
	first, second := filled[seeding.Pace](), seeding.Pace{Size: 100, PerRecord: 31 * time.Millisecond}
	saved := func() seeding.Pace {
		s.Helper()
		m, err := s.store.MTSState(s.ctx, key)
		s.ok(err, "MTS")
		return m.Pace
	}
	s.fails(s.store.SavePace(s.ctx, key, second, first), seeding.ErrConflict, "from a pace that never was")
	s.ok(s.store.SavePace(s.ctx, key, seeding.Pace{}, first), "first pace")
	s.same(saved(), first, "pace")
	s.ok(s.store.SavePace(s.ctx, key, seeding.Pace{}, first), "the same again")
	s.fails(s.store.SavePace(s.ctx, key, seeding.Pace{}, second), seeding.ErrConflict, "from none")
	s.ok(s.store.NoteMTS(s.ctx, key, after(time.Minute), 2), "note")
	s.same(saved(), first, "pace after a note")
	s.ok(s.store.SavePace(s.ctx, key, first, second), "next pace")
	s.fails(s.store.SavePace(s.ctx, key, first, seeding.Pace{Size: 7}), seeding.ErrConflict, "from a pace that is no more")
	s.same(saved(), second, "pace")

	// Every member counts: a pace that differs in one is another.
	s.ok(s.store.SavePace(s.ctx, key, second, first), "back")
	for i := range reflect.TypeFor[seeding.Pace]().NumField() {
		other := first
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		s.fails(s.store.SavePace(s.ctx, key, other, seeding.Pace{Size: 7}), seeding.ErrConflict, "from another pace")
	}
	s.same(saved(), first, "pace")
	m, err := s.store.MTSState(s.ctx, key)
	s.ok(err, "MTS")
	s.same(m.Attempts, 2, "attempts, which are not of the pace")

	fresh := s.id("fresh")
	outcomes := s.race(func(i int) error {
		return s.store.SavePace(s.ctx, fresh, seeding.Pace{}, seeding.Pace{Size: i + 1})
	})
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for the first pace")
}
