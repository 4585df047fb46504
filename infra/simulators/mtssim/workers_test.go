package mtssim_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

const identity = 150 * time.Millisecond

// atOnce makes n calls side by side and waits for them.
func atOnce(n int, call func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(call)
	}
	all.Wait()
}

// finish waits until nothing is open.
func finish(s *mtssim.Server) {
	for s.Open() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// statuses counts what GET /authtoken/status says when it is asked often enough
// to have reached every replica.
func statuses(do doer, id string) map[int]int {
	counts := map[int]int{}
	for range 100 {
		counts[do("GET", "/authtoken/status/"+id, nil).status]++
	}
	return counts
}

func expectStatus(t *testing.T, s *mtssim.Server, id, want string) {
	t.Helper()
	if got, _ := s.Status(id); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Four batches at four workers take what one takes alone, as far as there are
// processors: 50 × 16 ms of POST, then 50 × (12 + 150 ms).
func TestWorkersWorkSideBySide(t *testing.T) {
	const post, work = 800 * time.Millisecond, 8100 * time.Millisecond
	for name, c := range map[string]struct {
		workers, processors, batches int
		posted, done                 time.Duration
	}{
		"one":                              {1, 1, 1, post, post + work},
		"one for four":                     {1, 1, 4, 4 * post, 0},
		"four":                             {4, 4, 4, post, post + work},
		"four with two processors":         {4, 2, 4, 2 * post, 0},
		"one cannot use four processors":   {1, 4, 4, 4 * post, 0},
		"three with two, a fraction each":  {3, 2, 3, 3 * post / 2, 0},
		"more processors than workers":     {2, 8, 2, post, post + work},
		"two of four workers have batches": {4, 2, 2, post, post + work},
	} {
		t.Run(name, func(t *testing.T) {
			options := mtssim.Options{Pace: 1, IdentityLatency: identity, Workers: c.workers, Processors: c.processors}
			inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
				start := time.Now()
				atOnce(c.batches, func() { do("POST", "/authtoken/json", submission(nil, people(50)...)) })
				posted := time.Since(start)
				finish(s)
				done := time.Since(start)
				// While POSTs are open some threads work and slow them down, so
				// a few workers finish later than computed.
				if posted < c.posted || posted > c.posted*6/5 {
					t.Errorf("posted after %v, want %v", posted, c.posted)
				}
				if c.done > 0 && (done < c.done || done > c.done*101/100) {
					t.Errorf("done after %v, want %v", done, c.done)
				}
			})
		})
	}
}

// facts/mts.md 9: one process on four processors is no faster than on one,
// because its POST handler and its thread share one interpreter.
func TestOneWorkerUsesOneProcessor(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1, Processors: 4}, func(t *testing.T, _ *mtssim.Server, do doer) {
		for _, want := range []time.Duration{16 * time.Second, 28 * time.Second} { // 12 s of it at half speed
			if d := took(func() { do("POST", "/authtoken/json", submission(nil, people(1000)...)) }); d != want {
				t.Errorf("took %v, want %v", d, want)
			}
		}
	})
}

// facts/mts.md 9: the container's own start, with clients that each have one
// batch of 50 under way.
func TestThroughputOfTheContainer(t *testing.T) {
	const batches, records = 16, 50
	for clients, measured := range map[int]float64{1: 5.0, 2: 9.9, 4: 17.7, 8: 17.6} {
		t.Run(fmt.Sprint(clients, " clients"), func(t *testing.T) {
			options := mtssim.Options{Pace: 1, IdentityLatency: identity, Workers: 4, Processors: 2, MaxRequests: 10_000}
			inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
				d := took(func() {
					atOnce(clients, func() {
						for range batches {
							id := do("POST", "/authtoken/json", submission(nil, people(records)...)).requestID(t)
							for status := ""; status != "processed"; status, _ = s.Status(id) {
								time.Sleep(50 * time.Millisecond)
							}
						}
					})
				})
				if got := float64(clients*batches*records) / d.Seconds(); got < 0.8*measured || got > 1.25*measured {
					t.Errorf("%.1f records/s, measured %.1f", got, measured)
				}
			})
		})
	}
}

func TestABlockedWorkerTakesNoConnection(t *testing.T) {
	options := mtssim.Options{Pace: 1, Workers: 3, Processors: 3}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		submit := func(records int) { do("POST", "/authtoken/json", submission(nil, people(records)...)) }
		go submit(1000) // 16 s
		synctest.Wait()
		go submit(500) // 8 s
		time.Sleep(time.Second)

		answers := map[string]bool{}
		for range 50 {
			if d := took(func() { answers[do("GET", "/ping", nil).body] = true }); d != 0 {
				t.Fatalf("a ping waited %v with a free worker", d)
			}
		}
		if len(answers) != 1 {
			t.Errorf("answered by %v", answers)
		}

		go submit(100) // 1.6 s: blocks the last one
		synctest.Wait()
		for range 3 {
			go func() {
				if d := took(func() { do("GET", "/ping", nil) }); d != 1600*time.Millisecond {
					t.Errorf("a ping waited %v, until no worker was blocked 1.6 s", d)
				}
			}()
		}
		time.Sleep(30 * time.Second)
		if c := s.Counters(); c.PostsAccepted != 3 {
			t.Errorf("%+v", c)
		}
	})
}

// The worker that is free first takes everything that waits in the backlog: it
// does not go to others that are free soon after.
func TestTheBacklogIsTakenWhole(t *testing.T) {
	options := mtssim.Options{Pace: 1, Workers: 2, Processors: 2, IdentityLatency: time.Hour}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		submit := func(records int) { do("POST", "/authtoken/json", submission(nil, people(records)...)) }
		go submit(100)
		synctest.Wait()
		go submit(101)
		synctest.Wait()
		for range 3 {
			go submit(50)
		}
		time.Sleep(time.Minute)
		var open []int
		for _, w := range s.State().Replicas[0].Workers {
			open = append(open, w.Open)
		}
		slices.Sort(open)
		if !slices.Equal(open, []int{1, 4}) {
			t.Errorf("open by worker: %v", open)
		}
	})
}

func TestWorkersShareATable(t *testing.T) {
	options := mtssim.Options{Workers: 4, IdentityLatency: time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		id := do("POST", "/authtoken/json", submission(nil, people(5)...)).requestID(t)
		synctest.Wait()
		for range 100 {
			if r := do("GET", "/authtoken/status/"+id, nil); !strings.Contains(r.body, `"processing"`) {
				t.Fatalf("got %d %s", r.status, r.body)
			}
		}
		for n, w := range s.State().Replicas[0].Workers {
			if w.Handled < 10 {
				t.Errorf("worker %d handled %d of 101 requests", n, w.Handled)
			}
		}
	})
}

func TestReplicasShareNothing(t *testing.T) {
	options := mtssim.Options{Replicas: 2, Workers: 2, IdentityLatency: time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		id := do("POST", "/authtoken/json", submission(nil, people(5)...)).requestID(t)
		if got := statuses(do, id); got[200] < 20 || got[404] < 20 || got[200]+got[404] != 100 {
			t.Errorf("answers by HTTP status: %v", got)
		}
		synctest.Wait()
		expectStatus(t, s, id, "processing")
	})
}

// Each replica has processors of its own.
func TestReplicasShareNoProcessor(t *testing.T) {
	options := mtssim.Options{Pace: 1, Replicas: 2}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		for s.State().Replicas[0].Workers[0].Blocked != true || s.State().Replicas[1].Workers[0].Blocked != true {
			s.Restart() // until the two POSTs are drawn to different replicas
			for range 2 {
				go do("POST", "/authtoken/json", submission(nil, people(100)...))
			}
			synctest.Wait()
		}
		before := s.Counters().PostsAccepted
		time.Sleep(1600 * time.Millisecond)
		synctest.Wait()
		if got := s.Counters().PostsAccepted - before; got != 2 {
			t.Errorf("%d POSTs ended after the time of one", got)
		}
	})
}

// All requests count, the last one is answered, and what the worker had queued
// is lost.
func TestAWorkerEndsAfterSoManyRequests(t *testing.T) {
	options := mtssim.Options{MaxRequests: 5, IdentityLatency: time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		var ids []string
		for range 3 {
			ids = append(ids, do("POST", "/authtoken/json", submission(nil, people(3)...)).requestID(t))
		}
		do("GET", "/ping", nil)
		synctest.Wait()
		if s.Open() != 3 || s.Counters().Restarts != 0 {
			t.Fatalf("%d open, %+v", s.Open(), s.Counters())
		}
		ids = append(ids, do("POST", "/authtoken/json", submission(nil, people(3)...)).requestID(t))
		if w := s.State().Replicas[0].Workers[0]; w != (mtssim.WorkerState{}) || s.Counters().Restarts != 1 {
			t.Errorf("%+v, %+v", w, s.Counters())
		}
		later := do("POST", "/authtoken/json", submission(nil, people(3)...)).requestID(t)
		time.Sleep(time.Minute)
		for i, want := range []string{"processing", "submitted", "submitted", "submitted"} {
			expectStatus(t, s, ids[i], want)
		}
		expectStatus(t, s, later, "processed")
	})
}

// Only the worker that reaches the limit ends.
func TestTheLimitIsEachWorkersOwn(t *testing.T) {
	options := mtssim.Options{MaxRequests: 7, Workers: 3, IdentityLatency: time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		for n := range 100 {
			do("GET", "/ping", nil)
			handled := 0
			for _, w := range s.State().Replicas[0].Workers {
				handled += w.Handled
			}
			if got := s.Counters().Restarts*7 + handled; got != n+1 {
				t.Fatalf("%d workers ended and the present ones handled %d, of %d", s.Counters().Restarts, handled, n+1)
			}
		}
	})
}

// A worker at its limit takes nothing more from the backlog, but handles what it
// has taken.
func TestTheLimitLosesNoConnection(t *testing.T) {
	options := mtssim.Options{MaxRequests: 2, Pace: 1}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		submit := func() {
			if r := do("POST", "/authtoken/json", submission(nil, people(100)...)); r.status != 200 || r.body == "" {
				t.Errorf("got %d %s", r.status, r.body)
			}
		}
		go submit()
		synctest.Wait()
		for range 3 {
			go submit() // taken with 1 handled
		}
		time.Sleep(2 * time.Second)
		go submit() // waits for the successor
		time.Sleep(time.Minute)
		if c := s.Counters(); c.PostsAccepted != 5 || c.Restarts != 1 || s.State().Replicas[0].Workers[0].Handled != 1 {
			t.Errorf("%+v, %+v", c, s.State().Replicas)
		}
	})
}

// spread submits until each worker of each replica has one request, and returns
// their identifiers by replica and worker.
func spread(t *testing.T, s *mtssim.Server, do doer) [][]string {
	t.Helper()
	var ids [][]string
	open := func() (counts [][]int) {
		for _, r := range s.State().Replicas {
			var row []int
			for _, w := range r.Workers {
				row = append(row, w.Open)
			}
			counts = append(counts, row)
		}
		return counts
	}
	for _, row := range open() {
		ids = append(ids, make([]string, len(row)))
	}
	for range 1000 {
		before := open()
		id := do("POST", "/authtoken/json", submission(nil, people(100)...)).requestID(t)
		for i, row := range open() {
			for j, n := range row {
				if n > before[i][j] && ids[i][j] == "" {
					ids[i][j] = id
				}
			}
		}
		if !slices.ContainsFunc(ids, func(row []string) bool { return slices.Contains(row, "") }) {
			synctest.Wait()
			return ids
		}
	}
	t.Fatal("a worker got nothing")
	return nil
}

func TestKillWorker(t *testing.T) {
	options := mtssim.Options{Workers: 3, Replicas: 2, IdentityLatency: 10 * time.Millisecond}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		ids := spread(t, s, do)
		if !s.KillWorker(1, 2) {
			t.Fatal("no such worker")
		}
		if w := s.State().Replicas[1].Workers[2]; w != (mtssim.WorkerState{}) {
			t.Errorf("its successor begins with %+v", w)
		}
		finish(s)
		for i, row := range ids {
			for j, id := range row {
				want := "processed"
				if i == 1 && j == 2 {
					want = "processing"
				}
				expectStatus(t, s, id, want)
			}
		}
		if got := s.Counters().Restarts; got != 1 {
			t.Errorf("%d restarts", got)
		}
		for _, c := range [][2]int{{-1, 0}, {2, 0}, {0, -1}, {0, 3}} {
			if s.KillWorker(c[0], c[1]) {
				t.Errorf("killed %v", c)
			}
		}
	})
}

// A killed worker's POST is gone and its connection closed; what waits in the
// backlog goes to the successor.
func TestKillWorkerDuringAPost(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1}, func(t *testing.T, s *mtssim.Server, do doer) {
		posted, pinged := make(chan reply, 1), make(chan reply, 1)
		go func() { posted <- do("POST", "/authtoken/json", submission(nil, people(100)...)) }()
		time.Sleep(time.Second)
		go func() { pinged <- do("GET", "/ping", nil) }()
		synctest.Wait()
		s.KillWorker(0, 0)
		if r := <-posted; r.body != "" {
			t.Errorf("the POST: %d %s", r.status, r.body)
		}
		if r := <-pinged; r.status != 200 || r.body == "" {
			t.Errorf("the ping: %d %s", r.status, r.body)
		}
	})
}

// What a worker has taken from the backlog dies with it.
func TestKillWorkerThatHasTakenTheBacklog(t *testing.T) {
	inBubble(t, mtssim.Options{Pace: 1, Workers: 2, Processors: 2}, func(t *testing.T, s *mtssim.Server, do doer) {
		for _, records := range []int{100, 1000} {
			go do("POST", "/authtoken/json", submission(nil, people(records)...))
			synctest.Wait()
		}
		answers := make(chan reply, 2)
		for range 2 {
			go func() { answers <- do("POST", "/authtoken/json", submission(nil, people(1000)...)) }()
		}
		time.Sleep(2 * time.Second) // the POST of 100 is over: its worker has taken both
		for n, w := range s.State().Replicas[0].Workers {
			if w.Handled == 1 {
				s.KillWorker(0, n)
			}
		}
		for range 2 {
			if r := <-answers; r.body != "" {
				t.Errorf("got %d %s", r.status, r.body)
			}
		}
		if d := took(func() { do("GET", "/ping", nil) }); d != 0 {
			t.Errorf("the successor was blocked for %v", d)
		}
	})
}

func TestKillAndStartReplicas(t *testing.T) {
	options := mtssim.Options{Workers: 2, Replicas: 2, IdentityLatency: 10 * time.Millisecond}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		ids := spread(t, s, do)
		s.KillReplica(0)
		if got := statuses(do, ids[0][0]); got[404] != 100 {
			t.Errorf("a dead replica's request: %v", got)
		}
		if got := statuses(do, ids[1][0]); got[200] != 100 {
			t.Errorf("the other replica's request: %v", got)
		}
		finish(s)
		expectStatus(t, s, ids[1][0], "processed")

		s.RestartReplica(0)
		if got := statuses(do, ids[0][0]); got[200] == 0 || got[404] == 0 {
			t.Errorf("on the same database: %v", got)
		}
		time.Sleep(time.Hour)
		expectStatus(t, s, ids[0][0], "processing")
		expectStatus(t, s, ids[0][1], "processing")

		s.ReplaceReplica(0)
		expectStatus(t, s, ids[0][0], "")
		expectStatus(t, s, ids[1][0], "processed")

		s.KillReplica(0)
		s.KillReplica(1)
		if s.KillWorker(0, 0) {
			t.Error("killed a worker of a dead replica")
		}
		if r := do("GET", "/ping", nil); r.body != "" {
			t.Errorf("nobody is there: %d %s", r.status, r.body)
		}
		s.Restart()
		expectStatus(t, s, ids[1][0], "processed")
		do("POST", "/authtoken/json", submission(nil, people(1)...)).requestID(t)
		s.Replace()
		if state := s.State(); len(state.Requests) != 0 || state.Open != 0 {
			t.Errorf("new databases hold %v, %d open", state.Requests, state.Open)
		}
		for _, there := range []bool{s.KillReplica(2), s.RestartReplica(2), s.ReplaceReplica(-1)} {
			if there {
				t.Error("a replica that is not there")
			}
		}
	})
}

// Restarting everything keeps what was running as "processing" for ever, or
// forgets it, as told.
func TestRestartAndReplaceAll(t *testing.T) {
	for name, c := range map[string]struct {
		restart func(*mtssim.Server)
		want    string
	}{
		"on the same databases": {(*mtssim.Server).Restart, "processing"},
		"on new databases":      {(*mtssim.Server).Replace, ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := mtssim.Options{Workers: 4, Replicas: 2, IdentityLatency: time.Second, Expiry: time.Hour, CleanupInterval: time.Hour}
			inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
				ids := spread(t, s, do)
				c.restart(s)
				if s.Open() != 0 || s.Counters().Restarts != 8 {
					t.Errorf("%d open, %+v", s.Open(), s.Counters())
				}
				time.Sleep(30 * time.Minute)
				for _, row := range ids {
					for _, id := range row {
						expectStatus(t, s, id, c.want)
					}
				}
				later := do("POST", "/authtoken/json", submission(nil, people(1)...)).requestID(t)
				time.Sleep(10 * time.Second)
				expectStatus(t, s, later, "processed")
				time.Sleep(2 * time.Hour)
				if left := s.State().Requests; len(left) != 0 {
					t.Errorf("clean-up left %v", left)
				}
			})
		})
	}
}

func TestSizeChangesWhileItRuns(t *testing.T) {
	options := mtssim.Options{Pace: 1, IdentityLatency: time.Second}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		if got := s.Size(); got != (mtssim.Size{Workers: 1, Replicas: 1, Processors: 1}) {
			t.Fatalf("begins with %+v", got)
		}
		go do("POST", "/authtoken/json", submission(nil, people(1000)...)) // 16 s alone
		time.Sleep(time.Second)
		pinged := make(chan time.Duration)
		go func() { pinged <- took(func() { do("GET", "/ping", nil) }) }()
		time.Sleep(time.Second)
		s.SetSize(mtssim.Size{Workers: 4, Processors: 4, MaxRequests: 1000})
		if d := <-pinged; d != time.Second {
			t.Errorf("the backlog waited %v for a new worker", d)
		}

		// The first POST has a processor of its own now.
		atOnce(3, func() {
			if d := took(func() { do("POST", "/authtoken/json", submission(nil, people(10)...)) }); d > 320*time.Millisecond {
				t.Errorf("a POST beside it took %v", d)
			}
		})
		time.Sleep(14 * time.Second)
		if c := s.Counters(); c.PostsAccepted != 4 {
			t.Errorf("the first POST is not over: %+v", c)
		}
		finish(s)
		s.SetSize(mtssim.Size{Workers: 4, Replicas: 3, Processors: 1})
		ids := spread(t, s, do)
		s.SetSize(mtssim.Size{Workers: 2, Replicas: 2, Processors: 1})
		finish(s)
		for i, row := range ids {
			for j, id := range row {
				want := "processed"
				switch {
				case i == 2:
					want = "" // its replica is gone
				case j >= 2:
					want = "processing" // its worker is gone
				}
				expectStatus(t, s, id, want)
			}
		}
		if got := s.Size(); got != (mtssim.Size{Workers: 2, Replicas: 2, Processors: 1}) {
			t.Errorf("ends with %+v", got)
		}
	})
}

// Workers that are beyond a new limit end at once.
func TestALowerLimit(t *testing.T) {
	inBubble(t, mtssim.Options{Workers: 2}, func(t *testing.T, s *mtssim.Server, do doer) {
		for range 50 {
			do("GET", "/ping", nil)
		}
		s.SetSize(mtssim.Size{Workers: 2, MaxRequests: 10})
		if got := s.Counters().Restarts; got != 2 {
			t.Errorf("%d restarts", got)
		}
		if r := do("GET", "/ping", nil); r.status != 200 || r.body == "" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
}

// A killed replica starts with the size of then.
func TestSizeOfAKilledReplica(t *testing.T) {
	inBubble(t, mtssim.Options{Replicas: 2}, func(t *testing.T, s *mtssim.Server, _ doer) {
		s.KillReplica(1)
		s.SetSize(mtssim.Size{Workers: 3, Replicas: 2})
		if got := s.State().Replicas; len(got[0].Workers) != 3 || len(got[1].Workers) != 0 || got[1].Runs {
			t.Errorf("%+v", got)
		}
		s.RestartReplica(1)
		if got := s.State().Replicas; len(got[1].Workers) != 3 || !got[1].Runs {
			t.Errorf("%+v", got)
		}
	})
}

func TestAdministrationOfSize(t *testing.T) {
	inBubble(t, mtssim.Options{}, func(t *testing.T, s *mtssim.Server, do doer) {
		for _, c := range []struct {
			action string
			body   any
			status int
		}{
			{"size", object{"workers": 4, "replicas": 2}, 200},
			{"size", object{"processors": 3, "maxRequests": 7}, 200},
			{"size", object{"workers": 0}, 400},
			{"size", object{"replicas": -1}, 400},
			{"size", object{"maxRequests": -1}, 400},
			{"size", object{"threads": 2}, 400},
			{"kill?replica=0&worker=3", nil, 200},
			{"kill?replica=0&worker=4", nil, 404},
			{"kill?replica=1", nil, 200},
			{"kill?replica=2", nil, 404},
			{"kill?replica=one", nil, 400},
			{"kill?worker=0", nil, 404},
			{"kill", nil, 404},
			{"restart?replica=0&worker=0", nil, 404},
			{"restart?replica=2", nil, 404},
			{"replace?replica=2", nil, 404},
		} {
			if r := do("POST", "/_simulator/"+c.action, c.body); r.status != c.status {
				t.Errorf("%s %v: got %d, want %d: %s", c.action, c.body, r.status, c.status, r.body)
			}
		}
		state := s.State()
		if state.Size != (mtssim.Size{Workers: 4, Replicas: 2, Processors: 3, MaxRequests: 7}) || state.Counters.Restarts != 1 {
			t.Errorf("%+v, %+v", state.Size, state.Counters)
		}
		if len(state.Replicas) != 2 || len(state.Replicas[0].Workers) != 4 || state.Replicas[1].Runs {
			t.Errorf("%+v", state.Replicas)
		}

		id := do("POST", "/authtoken/json", submission(nil, people(1)...)).requestID(t)
		synctest.Wait()
		do("POST", "/_simulator/restart?replica=0", nil)
		expectStatus(t, s, id, "processed")
		do("POST", "/_simulator/replace?replica=0", nil)
		expectStatus(t, s, id, "")
		do("POST", "/_simulator/restart?replica=1", nil)
		if !s.State().Replicas[1].Runs {
			t.Error("the killed replica was not started")
		}
		do("POST", "/authtoken/json", submission(nil, people(1)...))
		do("POST", "/_simulator/replace", nil)
		if left := s.State().Requests; len(left) != 0 {
			t.Errorf("new databases hold %v", left)
		}
	})
}

// Whatever happens at the same time, every request is answered or its connection
// closed, every record is processed at most once, and MTS works afterwards.
func TestEverythingAtOnce(t *testing.T) {
	var identifying, most int
	var mu sync.Mutex
	options := mtssim.Options{
		Pace: 0.1, Workers: 4, Replicas: 2, Processors: 2, MaxRequests: 20, Expiry: 20 * time.Second, CleanupInterval: time.Second,
		Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
			mu.Lock()
			identifying++
			most = max(most, identifying)
			mu.Unlock()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
			mu.Lock()
			identifying--
			mu.Unlock()
			return mtssim.Rules(ctx, a)
		},
	}
	inBubble(t, options, func(t *testing.T, s *mtssim.Server, do doer) {
		const clients, posts, records = 12, 40, 10
		changes := []func(n int){
			func(n int) { s.SetSize(mtssim.Size{Workers: n, Replicas: 2, Processors: 2, MaxRequests: 20}) },
			func(n int) { s.SetSize(mtssim.Size{Workers: 3, Replicas: n, Processors: n}) },
			func(n int) { s.KillWorker(0, n) },
			func(n int) { s.KillReplica(n) },
			func(n int) { s.RestartReplica(n) },
			func(n int) { s.ReplaceReplica(n) },
			func(int) { s.Restart() },
			func(int) { s.Replace() },
			func(int) { s.Forget() },
		}
		var over atomic.Bool
		var changing sync.WaitGroup
		changing.Go(func() {
			for n := 0; !over.Load(); n++ {
				time.Sleep(37 * time.Millisecond)
				changes[n%len(changes)](n / len(changes) % 5)
			}
		})
		var answered atomic.Int64
		var all sync.WaitGroup
		for client := range clients {
			all.Go(func() {
				for n := range posts {
					var batch []any
					for i := range records {
						batch = append(batch, valid(fmt.Sprintf("2%09d000100", (client*posts+n)*records+i)))
					}
					if r := do("POST", "/authtoken/json", submission(nil, batch...)); r.status == 200 && r.body != "" {
						answered.Add(1)
						do("GET", "/authtoken/status/"+r.requestID(t), nil)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		over.Store(true)
		changing.Wait()
		s.SetSize(mtssim.Size{Workers: 4})
		s.Restart()
		later := do("POST", "/authtoken/json", submission(nil, people(1)...)).requestID(t)
		finish(s)
		expectStatus(t, s, later, "processed")

		c, state := s.Counters(), s.State()
		if int(answered.Load()) > c.PostsAccepted-1 || answered.Load() < posts || c.RecordsReceived != (c.PostsAccepted-1)*records+1 {
			t.Errorf("%d answered, %+v", answered.Load(), c)
		}
		if most < 3 || state.VIDs.RepeatedAttempts > 1 { // the VID of the last POST was there before
			t.Errorf("%d records identified side by side, %+v", most, state.VIDs)
		}
	})
}
