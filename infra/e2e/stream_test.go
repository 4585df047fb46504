package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// The stream invokes patch: everything is patched without a single tick.
func TestTheStreamAloneIsEnough(t *testing.T) {
	w := newWorld(t, options{})
	pauseSchedule(t)
	ids := w.addRegistrants(120)
	c := w.createStarted()
	event, err := json.Marshal(map[string]string{"connector": c.id})
	if err != nil {
		t.Fatal(err)
	}
	w.until("everybody is tokenised", func() bool {
		if w.tokenised() == len(ids) && c.idle() {
			return true
		}
		// On a slow machine submit may have stopped waiting for the answer; then
		// only its own tick would invoke it again.
		if state := c.state(); state.Run != "" && !state.Lease.Live(time.Now()) {
			if err := stack.InvokeAsync(t.Context(), "submit", event); err != nil {
				t.Fatal(err)
			}
			time.Sleep(tickEvery)
		}
		return false
	})
	w.checkTokenised(ids)
	w.checkSentOnce()
}

// With the stream switched off, the ticks invoke patch.
func TestWithoutTheStreamEverythingIsPatched(t *testing.T) {
	w := newWorld(t, options{})
	pauseSchedule(t)
	switchStream(t, false)
	t.Cleanup(func() { switchStream(t, true) })
	ids := w.addRegistrants(120)
	c := w.createStarted()
	answered := func() bool {
		answers, err := answersOf(t.Context(), c.key)
		if err != nil {
			t.Fatalf("%v: %v", err, errors.Unwrap(err))
		}
		return len(answers) > 0
	}
	w.until("an answer is stored", answered)
	if within(time.Second, func() bool { return !answered() || w.tokenised() > 0 }) {
		t.Fatal("something was patched, so the stream is not switched off")
	}
	w.until("everybody is tokenised", func() bool {
		schedule.Tick(t.Context())
		return w.tokenised() == len(ids) && c.idle()
	})
	w.checkTokenised(ids)
	w.checkSentOnce()
}

// switchStream enables or disables the stream of the answers table.
func switchStream(t *testing.T, on bool) {
	t.Helper()
	if err := stack.SwitchStream(context.WithoutCancel(t.Context()), on); err != nil {
		t.Fatal(err)
	}
}
