package inprocess

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSteppedClockMovesWhenEverybodySleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := NewSteppedClock(func() bool { return false })
		start, began := clock.Now(), time.Now()
		var all sync.WaitGroup
		for _, d := range []time.Duration{time.Hour, 2 * time.Hour} {
			clock.Begin()
			all.Go(func() {
				defer clock.End()
				if err := clock.Sleep(t.Context(), d); err != nil {
					t.Error(err)
				}
				if slept := clock.Now().Sub(start); slept < d {
					t.Errorf("slept %v of %v", slept, d)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("two hours took %v", took)
		}
	})
}

func TestSteppedClockWaitsForWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Bool
		busy.Store(true)
		clock := NewSteppedClock(busy.Load)
		start := clock.Now()
		clock.Begin()
		var awake atomic.Bool
		go func() {
			_ = clock.Sleep(t.Context(), time.Hour)
			awake.Store(true)
			clock.End()
		}()
		clock.Begin() // another invocation works
		time.Sleep(time.Second)
		if awake.Load() || !clock.Now().Equal(start) {
			t.Error("the clock moved while somebody works")
		}
		clock.End()
		time.Sleep(500 * time.Millisecond)
		if awake.Load() {
			t.Error("the clock moved while something is busy")
		}
		busy.Store(false)
		time.Sleep(time.Millisecond)
		if !awake.Load() {
			t.Error("the clock stands still though nobody works")
		}
	})
}

func TestSteppedClockDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := NewSteppedClock(func() bool { return true })
		began := time.Now()
		clock.Begin()
		_ = clock.Sleep(t.Context(), time.Hour)
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("waited %v for what hangs", took)
		}
	})
}

func TestSteppedClockAdvancesAndJumps(t *testing.T) {
	clock := NewSteppedClock(func() bool { return false })
	start := clock.Now()
	clock.Advance(time.Minute)
	clock.Jump(-time.Hour)
	if moved := clock.Now().Sub(start); moved != time.Minute-time.Hour {
		t.Errorf("moved %v", moved)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	clock.Begin()
	if err := clock.Sleep(ended, time.Minute); err == nil {
		t.Error("a sleep in a context that has ended succeeds")
	}
}

func TestInvokerWaitsForItsInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 3)
		invoker := NewInvoker(SystemClock{}, func(err error) { failed <- err })
		for range 3 {
			invoker.invoke(t.Context(), "submit", func(context.Context) error {
				time.Sleep(time.Minute)
				return context.DeadlineExceeded
			})
		}
		invoker.Wait()
		if len(failed) != 3 || invoker.Count("submit") != 3 || invoker.Count("patch") != 0 {
			t.Errorf("%d failed, %d counted", len(failed), invoker.Count("submit"))
		}
	})
}
