package e2e_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// The stream invokes patch: everything is patched without a single tick.
func TestTheStreamAloneIsEnough(t *testing.T) {
	w := newWorld(t, options{})
	ticker.pause(t)
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
	ticker.pause(t)
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
		ticker.tick(t.Context())
		return w.tokenised() == len(ids) && c.idle()
	})
	w.checkTokenised(ids)
	w.checkSentOnce()
}

// switchStream enables or disables the event source mapping of the answers
// table.
func switchStream(t *testing.T, on bool) {
	t.Helper()
	client := lambda.NewFromConfig(stack.AWS())
	ctx := (&connector{world: &world{T: t}}).ctx()
	mappings, err := client.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(stack.Function("patch"))})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "event source mappings", len(mappings.EventSourceMappings), 1)
	id, wanted := mappings.EventSourceMappings[0].UUID, map[bool]string{true: "Enabled", false: "Disabled"}[on]
	if _, err := client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: id, Enabled: &on}); err != nil {
		t.Fatal(err)
	}
	if !within(patience, func() bool {
		mapping, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: id})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(mapping.State) == wanted
	}) {
		t.Fatalf("the mapping does not become %s", wanted)
	}
}
