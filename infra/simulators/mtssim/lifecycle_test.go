package mtssim_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

func people(n int) []any {
	records := make([]any, n)
	for i := range records {
		records[i] = valid(fmt.Sprintf("2%09d000100", i))
	}
	return records
}

type doer = func(method, path string, body any) reply

// took measures in virtual time.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// facts/mts.md 9, in virtual time: 16 ms of POST and 12 ms of work per record,
// half of that speed while both are at it.
func TestPace(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, s *mtssim.Server, do doer) {
		var first, second reply
		if d := took(func() { first = do("POST", "/authtoken/json", submission(nil, people(1000)...)) }); d != 16*time.Second {
			t.Errorf("a POST of 1,000 took %v", d)
		}
		// 12 s of work and 8 s of POST share the core: 16 s until the POST is over.
		if d := took(func() { second = do("POST", "/authtoken/json", submission(nil, people(500)...)) }); d != 16*time.Second {
			t.Errorf("a POST beside the worker took %v", d)
		}
		time.Sleep(3999 * time.Millisecond) // of 12 s of work 8 s are done
		if got, _ := s.Status(first.requestID(t)); got != "processing" {
			t.Errorf("got %s", got)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if got, _ := s.Status(first.requestID(t)); got != "processed" {
			t.Errorf("got %s", got)
		}
		time.Sleep(5990 * time.Millisecond)
		if got, _ := s.Status(second.requestID(t)); got != "processing" {
			t.Errorf("got %s", got)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got, _ := s.Status(second.requestID(t)); got != "processed" {
			t.Errorf("got %s", got)
		}
	})
}

func TestPaceScalesAndLatencyDoesNot(t *testing.T) {
	options := mtssim.Options{Pace: 0.1, IdentityLatency: 50 * time.Millisecond}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		if d := took(func() { do("POST", "/authtoken/json", submission(nil, people(100)...)) }); d != 160*time.Millisecond {
			t.Errorf("the POST took %v", d)
		}
		d := took(func() {
			for s.Open() > 0 {
				time.Sleep(time.Millisecond)
			}
		})
		if want := 100 * (50*time.Millisecond + 1200*time.Microsecond); d < want-time.Millisecond || d > want+2*time.Millisecond {
			t.Errorf("the work took %v, want %v", d, want)
		}
	})
}

// A POST blocks everything else, and others wait in line.
func TestPostBlocksAllOtherRequests(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, s *mtssim.Server, do doer) {
		go do("POST", "/authtoken/json", submission(nil, people(1000)...))
		time.Sleep(time.Second)
		for path, want := range map[string]int{"/ping": 200, "/authtoken/status/x": 404} {
			go func() {
				var r reply
				if d := took(func() { r = do("GET", path, nil) }); d != 15*time.Second || r.status != want {
					t.Errorf("%s: %d after %v", path, r.status, d)
				}
			}()
		}
		if d := took(func() { do("GET", "/_simulator/state", nil) }); d != 0 {
			t.Errorf("the administration waited %v", d)
		}
		time.Sleep(20 * time.Second)
	})
}

// A wrong type costs the time of the records before it.
func TestAFailedPostTakesItsTime(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, _ *mtssim.Server, do doer) {
		records := append(people(100), with(valid(ann), "gender", 1))
		var r reply
		if d := took(func() { r = do("POST", "/authtoken/json", submission(nil, records...)) }); d != 1600*time.Millisecond || r.status != 500 {
			t.Errorf("%d after %v", r.status, d)
		}
	})
}

// facts/mts.md 9: with an expiry of 20 s, 40 records at 1 s each are gone before
// they are done, and never called back.
func TestCleanUpDeletesWhatIsInProgress(t *testing.T) {
	options := mtssim.Options{IdentityLatency: time.Second, Expiry: 20 * time.Second, CleanupInterval: 4 * time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		properties := object{"url": "http://127.0.0.1:1/"}
		slow := do("POST", "/authtoken/json", submission(properties, people(40)...)).requestID(t)
		behind := do("POST", "/authtoken/json", submission(properties, people(40)...)).requestID(t)
		time.Sleep(19 * time.Second)
		if got, _ := s.Status(slow); got != "processing" {
			t.Errorf("before: %s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, id := range []string{slow, behind} {
			if r := do("GET", "/authtoken/status/"+id, nil); r.status != 404 {
				t.Errorf("after: %d %s", r.status, r.body)
			}
		}
		time.Sleep(time.Minute)
		c := s.Counters()
		if s.Open() != 0 || c.CallbacksSent+c.CallbacksFailed != 0 || c.CleanedUp != 2 || c.RecordsProcessed > 21 {
			t.Errorf("%d open, %+v", s.Open(), c)
		}
	})
}

// facts/mts.md W1: what was queued or running keeps its status; what comes
// later works.
func TestRestartLosesTheQueue(t *testing.T) {
	options := mtssim.Options{IdentityLatency: time.Second, Expiry: time.Hour, CleanupInterval: time.Hour}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		before := do("GET", "/authtoken/status/x", nil).body
		running := do("POST", "/authtoken/json", submission(nil, people(5)...)).requestID(t)
		queued := do("POST", "/authtoken/json", submission(nil, people(5)...)).requestID(t)
		invalid := do("POST", "/authtoken/json", submission(nil, object{})).requestID(t)
		time.Sleep(1500 * time.Millisecond)
		s.Restart()
		if after := do("GET", "/authtoken/status/x", nil).body; after == before {
			t.Error("responsetime survived the restart")
		}
		later := do("POST", "/authtoken/json", submission(nil, people(1)...)).requestID(t)
		time.Sleep(time.Minute)
		for id, want := range map[string]string{running: "processing", queued: "submitted", invalid: "submitted_with_errors", later: "processed"} {
			if got, _ := s.Status(id); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		time.Sleep(time.Hour)
		if _, ok := s.Status(queued); ok {
			t.Error("clean-up left a lost request")
		}
	})
}

func TestRestartDuringAPost(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, s *mtssim.Server, do doer) {
		answers := make(chan reply, 2)
		go func() { answers <- do("POST", "/authtoken/json", submission(nil, people(100)...)) }()
		time.Sleep(time.Second)
		go func() { answers <- do("GET", "/ping", nil) }()
		synctest.Wait()
		s.Restart()
		for range 2 {
			if r := <-answers; r.body != "" {
				t.Errorf("got %d %s", r.status, r.body)
			}
		}
		if c := s.Counters(); c.PostsAccepted != 0 || c.Restarts != 1 {
			t.Errorf("%+v", c)
		}
	})
}

func TestForget(t *testing.T) {
	inBubble(t, mtssim.Options{IdentityLatency: time.Second}, func(t *testing.T, s *mtssim.Server, do doer) {
		id := do("POST", "/authtoken/json", submission(nil, people(5)...)).requestID(t)
		time.Sleep(time.Second)
		s.Forget()
		if r := do("GET", "/authtoken/status/"+id, nil); r.status != 404 {
			t.Errorf("got %d", r.status)
		}
		time.Sleep(2 * time.Second)
		if s.Open() != 0 {
			t.Error("the worker goes on with what was forgotten")
		}
	})
}

// facts/mts.md W7: "processed" can be seen while the callback is still under
// way, and an outputFormat takes 2 ms per record between the two.
func TestProcessedIsVisibleBeforeDelivery(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, s *mtssim.Server, do doer) {
		e := submission(object{"url": "http://127.0.0.1:1/", "timeoutSeconds": 0, "callInBulk": true}, people(1000)...)
		e["request"].(object)["outputFormat"] = ".output"
		id := do("POST", "/authtoken/json", e).requestID(t)
		time.Sleep(13 * time.Second)
		if got, _ := s.Status(id); got != "processed" {
			t.Errorf("got %s", got)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if got, _ := s.Status(id); got != "error_making_callback_request" {
			t.Errorf("got %s", got)
		}
	})
}

// facts/mts.md W2: one record that the identity system never answers holds up
// everything, and a clean-up does not help.
func TestOneRecordHangsTheWorker(t *testing.T) {
	options := mtssim.Options{Expiry: 20 * time.Second, CleanupInterval: 20 * time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		do("POST", "/authtoken/json", submission(nil, valid("7700000000000199")))
		next := do("POST", "/authtoken/json", submission(nil, valid(ann))).requestID(t)
		time.Sleep(10 * time.Second)
		if got, _ := s.Status(next); got != "submitted" {
			t.Errorf("got %s", got)
		}
		time.Sleep(time.Hour)
		if s.Open() != 2 {
			t.Errorf("%d open", s.Open())
		}
		s.Restart()
		after := do("POST", "/authtoken/json", submission(nil, valid(ann))).requestID(t)
		synctest.Wait()
		if got, _ := s.Status(after); got != "processed" {
			t.Errorf("got %s", got)
		}
	})
}

// facts/mts.md W11: jq input ends the process, in a mapping and in an
// outputFormat.
func TestInputCrashesTheProcess(t *testing.T) {
	// The latency keeps the second crash behind the answer to its POST, which it
	// would cut off.
	inBubble(t, mtssim.Options{IdentityLatency: time.Second}, func(t *testing.T, s *mtssim.Server, do doer) {
		e := submission(nil, valid(ann))
		e["request"].(object)["mapping"] = object{"name": []any{"name | input"}}
		if r := do("POST", "/authtoken/json", e); r.body != "" {
			t.Errorf("got %d %s", r.status, r.body)
		}
		if c := s.Counters(); c.PostsAccepted != 0 || c.Restarts != 1 {
			t.Errorf("%+v", c)
		}
		e = submission(object{"url": "http://127.0.0.1:1/"}, valid(ann))
		e["request"].(object)["outputFormat"] = "inputs"
		id := do("POST", "/authtoken/json", e).requestID(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, _ := s.Status(id); got != "processed" || s.Counters().Restarts != 2 {
			t.Errorf("got %s, %+v", got, s.Counters())
		}
	})
}

// Requests are processed one by one, in order; the counts per VID show what was
// doubled.
func TestQueueOrderAndCounts(t *testing.T) {
	order := make(chan string, 9)
	options := mtssim.Options{
		IdentityLatency: time.Millisecond,
		Identify: func(_ context.Context, a mtssim.Applicant) mtssim.Verdict {
			order <- a.VID
			return mtssim.Rules(t.Context(), a)
		},
	}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		do("POST", "/authtoken/json", submission(nil, valid(ann), valid(unknown)))
		do("POST", "/authtoken/json", submission(nil, valid(ben), valid(ann), object{}))
		time.Sleep(time.Second)
		for _, want := range []string{ann, unknown, ben, ann} {
			if got := <-order; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got := fmt.Sprint(s.Attempts()[ann], s.Attempts()[unknown], s.TokensGiven()[ann], s.TokensGiven()[unknown], len(s.TokensGiven())); got != "2 1 2 0 2" {
			t.Errorf("counts %s", got)
		}
		c := s.Counters()
		if c.Posts != 2 || c.PostsAccepted != 2 || c.RecordsReceived != 5 || c.RecordsInvalid != 1 || c.RecordsProcessed != 4 || c.MaxRecordsPerPost != 3 || c.BytesReceived == 0 {
			t.Errorf("%+v", c)
		}
	})
}
