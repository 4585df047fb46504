package system_test

import (
	"net/http"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// runsBegan are the times at which the recurring runs of a connector began, the
// oldest first.
func (w *world) runsBegan(c seeding.Connector) (began []time.Time) {
	w.Helper()
	runs, _, err := w.store.ListRuns(w.Context(), c.ID, "", 100)
	if err != nil {
		w.Fatal(err)
	}
	for i := range runs {
		if run := runs[len(runs)-1-i]; run.Kind == seeding.Recurring {
			began = append(began, run.Started)
		}
	}
	return began
}

// checkBegan checks that the runs of a connector began within two minutes after the
// times, and no others.
func (w *world) checkBegan(c seeding.Connector, want ...time.Time) {
	w.Helper()
	began := w.runsBegan(c)
	if len(began) != len(want) {
		w.Fatalf("runs began at %v, want %v", began, want)
	}
	for i, at := range want {
		if late := began[i].Sub(at); late < 0 || late > 2*time.Minute {
			w.Errorf("run %d began at %v, want %v", i+1, began[i], at)
		}
	}
}

// A one-time job has one run, in which everybody is done, and is completed. A start
// begins it again.
func TestAOneTimeJobIsCompletedAndCanBeStartedAgain(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(120)
	first, began := w.now(), w.clock.Now()
	c := w.connector(func(c *seeding.Connector) { c.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob} })
	w.finish(30, c)
	expect(t, "status", w.state(c).Status, seeding.Completed)
	expect(t, "tokenised", w.tokenised(), 120)

	second := w.only(w.addPersons(5000, 30))
	w.ticks(120)
	expect(t, "tokenised while it is completed", w.tokenised(), 120)
	again := w.clock.Now()
	w.setStatus(seeding.Running, c)
	w.finish(30, c)
	expect(t, "status", w.state(c).Status, seeding.Completed)
	expect(t, "tokenised after the restart", w.tokenised(), 150)
	w.checkBegan(c, began, again)
	w.checkInvariants(c, first, second)
	w.checkSent(1)
}

// facts/mts.md D6: a one-time job ignored its start time. This one waits for it, and
// makes no batch after its end.
func TestD06AOneTimeJobHonoursStartAndEnd(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(10)
	w.addRegistrants(2000)
	created := w.clock.Now()
	starts := created.Add(90 * time.Minute)
	c := w.connector(func(c *seeding.Connector) {
		c.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob, Starts: starts, Ends: starts.Add(4 * time.Minute)}
		c.MTS.WidthMaximum, c.MTS.BatchMaximum = 1, 10
	})
	w.onCallback = func(*http.Request) { w.clock.Advance(5 * time.Second) } // MTS takes some time
	for w.clock.Now().Before(starts) {
		if len(w.runsBegan(c)) > 0 {
			t.Fatalf("began at %v, and was to begin at %v", w.runsBegan(c), starts)
		}
		w.tick()
	}
	w.ticks(30)
	w.checkBegan(c, starts)
	expect(t, "status", w.state(c).Status, seeding.Completed)
	all, _ := w.batches(c)
	if len(all) == 0 || len(all) == 200 {
		t.Errorf("%d batches; it should have been cut off by its end", len(all))
	}
	for _, b := range all {
		if !b.Claimed.Before(c.Schedule.Ends) {
			t.Errorf("a batch was claimed %v after the end", b.Claimed.Sub(c.Schedule.Ends))
		}
	}
	if left := w.underWay(c); len(left) > 0 {
		t.Errorf("still under way: %v", left)
	}
}

// facts/mts.md D19: a change of the interval had no effect. Here each change of the
// schedule takes effect at once, also in the middle of a rest.
func TestD19AChangeOfTheScheduleTakesEffectAtOnce(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	began := w.clock.Now()
	c := w.connector(func(c *seeding.Connector) { c.Schedule.Interval = 7 * 24 * time.Hour })
	w.finish(20, c)
	w.ticks(60)
	w.checkBegan(c, began)

	changed := w.clock.Now()
	c = w.change(c, func(c *seeding.Connector) { c.Schedule.Interval = 30 * time.Minute })
	w.ticks(70)
	w.checkBegan(c, began, changed, changed.Add(30*time.Minute), changed.Add(60*time.Minute))

	before := len(w.runsBegan(c))
	at := w.clock.Now().Add(3 * time.Hour).UTC().Truncate(time.Minute)
	c = w.change(c, func(c *seeding.Connector) {
		c.Schedule = seeding.Schedule{Daily: seeding.TimeOfDay(at.Format("15:04")), Zone: "UTC"}
	})
	w.ticks(2)
	if due := w.state(c).Due; !due.Equal(at) {
		t.Errorf("due at %v, want %v", due, at)
	}
	w.ticks(27 * 60)
	daily := w.runsBegan(c)[before:]
	if len(daily) != 2 || daily[0].Sub(at) > 2*time.Minute || daily[1].Sub(at) < 24*time.Hour || daily[1].Sub(at) > 24*time.Hour+2*time.Minute {
		t.Errorf("daily runs began at %v, want %v and a day later", daily, at)
	}

	w.change(c, func(c *seeding.Connector) { c.Schedule = seeding.Schedule{Kind: seeding.OneTimeJob} })
	w.finish(20, c)
	expect(t, "status", w.state(c).Status, seeding.Completed)
	expect(t, "runs", len(w.runsBegan(c)), before+3)
}

// Who starts a connector whose daily time is to come waits for it; a second start,
// with which a person asks for an attempt now, does not put it off or begin it.
func TestADailyJobBeginsAtItsTimeWhoeverStartsIt(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	at := w.clock.Now().Add(2 * time.Hour).UTC().Truncate(time.Minute)
	c := w.connector(func(c *seeding.Connector) {
		c.Schedule = seeding.Schedule{Daily: seeding.TimeOfDay(at.Format("15:04")), Zone: "UTC"}
	})
	w.ticks(30)
	w.setStatus(seeding.Running, c)
	w.ticks(30)
	if err := w.store.Retry(t.Context(), c.ID, seeding.Group{}, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.ticks(30)
	w.checkBegan(c)
	w.ticks(60)
	w.checkBegan(c, at)
	expect(t, "tokenised", w.tokenised(), 20)
}

// A change that leaves the daily time as it was loses no day: a run that it ends is
// followed at once, and a run that is due, or over, stays so.
func TestAChangeLosesNoDailyRun(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	at := w.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Minute)
	c := w.connector(func(c *seeding.Connector) {
		c.Schedule = seeding.Schedule{Daily: seeding.TimeOfDay(at.Format("15:04")), Zone: "UTC"}
	})
	rename := func() { c = w.change(c, func(c *seeding.Connector) { c.Name += "x" }) }
	w.ticks(5)
	rename()
	w.ticks(2)
	w.checkBegan(c)
	w.clock.Advance(at.Sub(w.clock.Now()) + time.Second) // the time has come, and no tick yet
	rename()
	w.registry.SetPassword("admin", "other")
	w.ticks(10)
	expect(t, "tokenised while the registry refuses the password", w.tokenised(), 0)
	expect(t, "runs begun", len(w.runsBegan(c)), 1)
	w.registry.SetPassword("admin", "admin")
	rename() // as the password is corrected
	w.finish(20, c)
	expect(t, "runs begun", len(w.runsBegan(c)), 2)
	rename()
	w.ticks(60)
	expect(t, "runs begun after a change when all was done", len(w.runsBegan(c)), 2)
}

// A job whose end has come is completed: what runs then goes on to its end, and
// none follows.
func TestARecurringJobIsCompletedAtItsEnd(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	began := w.clock.Now()
	c := w.connector(func(c *seeding.Connector) {
		c.Schedule = seeding.Schedule{Interval: 30 * time.Minute, Ends: began.Add(50 * time.Minute)}
	})
	w.ticks(180)
	w.checkBegan(c, began, began.Add(30*time.Minute))
	expect(t, "status", w.state(c).Status, seeding.Completed)
}
