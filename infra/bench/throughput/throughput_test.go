package throughput

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRun(t *testing.T) {
	const registrants, warmed = 60, 20
	one := Conditions{Workers: 1, Replicas: 1}
	four := Conditions{Workers: 4, Replicas: 2, Latency: 50 * time.Millisecond}
	for name, c := range map[string]struct {
		Conditions
		Fixed
	}{
		"what the connector finds":   {four, Fixed{}},
		"one batch":                  {one, Fixed{Width: 1, Size: registrants}},
		"one small batch at a time":  {four, Fixed{Width: 1, Size: 10}},
		"two small batches at once":  {one, Fixed{Width: 2, Size: 10}},
		"MTS forgets, but not these": {Conditions{1, 1, 0, 20 * time.Second}, Fixed{Width: 2, Size: 15}},
	} {
		t.Run(name, func(t *testing.T) {
			run := Run{Conditions: c.Conditions, Fixed: c.Fixed, Registrants: registrants, Warmed: warmed, Sampled: true}
			result, err := measure(t, run)
			if err != nil {
				t.Fatal(err)
			}
			floor := run.floor()
			if result.Whole < floor.Whole || result.Rest < floor.Rest || result.Rest >= result.Whole {
				t.Errorf("took %+v, which cannot be less than %+v", result.Times, floor)
			}
			if result.Sent != registrants {
				t.Errorf("%d records sent", result.Sent)
			}
			for _, s := range result.Samples {
				if c.Size > 0 && (s.Size != c.Size || s.Open > c.Width) {
					t.Errorf("%+v with %+v", s, c.Fixed)
				}
			}
		})
	}
}

func TestRunIsGivenUp(t *testing.T) {
	run := Run{Conditions: Conditions{Workers: 1, Replicas: 1, Latency: time.Second}, Registrants: 60, Warmed: 30}
	for name, c := range map[string]struct {
		limit   Times
		givenUp bool
	}{
		"no limit":                   {Times{}, false},
		"above both":                 {Times{time.Second, time.Second}, true},
		"below the one":              {Times{time.Hour, time.Second}, false},
		"below the other":            {Times{60 * time.Second, time.Hour}, false},
		"very late with half of all": {Times{time.Second, time.Hour}, true},
	} {
		t.Run(name, func(t *testing.T) {
			run := run
			run.Limit = c.limit
			result, err := measure(t, run)
			if err != nil || (result.Times == Times{}) != c.givenUp {
				t.Errorf("%+v, %v", result.Times, err)
			}
		})
	}
}

// What is tried are all widths and sizes that are together no more records than may
// be at MTS, sent one by one and in waves, which are the same for one or two.
func TestTries(t *testing.T) {
	grid := Grid{Widths: []int{4, 1}, Sizes: []int{10, 30}, Records: 100}
	want := []Fixed{{4, 10, false}, {4, 10, true}, {1, 10, false}, {1, 30, false}}
	if got := grid.tries(); !slices.Equal(got, want) || grid.Tries() != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What is given up or left out changes no winner, and neither does the order in
// which runs end.
func TestSearchFindsTheFastest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		run := Run{Conditions: Conditions{Workers: 4, Replicas: 1}, Registrants: 100, Warmed: 40}
		grid := Grid{Widths: []int{1, 2, 4, 8}, Sizes: []int{10, 20, 50}, Records: 200}
		took := map[Fixed]Times{}
		var want Times
		for _, run.Fixed = range grid.tries() {
			took[run.Fixed] = Times{
				Whole: run.floor().Whole + time.Duration(random.IntN(4))*time.Second,
				Rest:  run.floor().Rest + time.Duration(random.IntN(4))*time.Second,
			}
			want = Times{lesser(want.Whole, took[run.Fixed].Whole), lesser(want.Rest, took[run.Fixed].Rest)}
		}
		var mu sync.Mutex
		got, err := Search(t.Context(), run, grid, rapid.IntRange(1, 3).Draw(t, "at once"), func(_ context.Context, r Run) (Result, error) {
			mu.Lock()
			defer mu.Unlock()
			if took[r.Fixed].exceeds(r.Limit) && random.IntN(2) == 0 {
				return Result{}, nil
			}
			return Result{Times: took[r.Fixed]}, nil
		})
		if err != nil || got.Whole.Took != want.Whole || got.Rest.Took != want.Rest {
			t.Errorf("found %+v, %v; the fastest are %+v", got, err, want)
		}
		if took[got.Whole.Fixed].Whole != want.Whole || took[got.Rest.Fixed].Rest != want.Rest {
			t.Errorf("found %+v, which are not as fast", got)
		}
	})
}

func lesser(best, by time.Duration) time.Duration {
	if best == 0 || by < best {
		return by
	}
	return best
}

func TestMean(t *testing.T) {
	run := Run{Fixed: Fixed{Width: 2, Size: 10}, Sampled: true}
	measure := func(_ context.Context, r Run) (Result, error) {
		result := Result{Times: Times{time.Duration(10 + r.Chance), time.Duration(4 + r.Chance)}, Sent: 100 + 2*r.Chance}
		if r.Sampled {
			result.Samples = []Sample{{Open: 1 + r.Chance}}
		}
		return result, nil
	}
	got, err := Mean(t.Context(), run, 3, 2, measure)
	if err != nil || got.Times != (Times{11, 5}) || got.Sent != 102 || len(got.Samples) != 1 || got.Samples[0].Open != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = Mean(t.Context(), run, 3, 2, func(_ context.Context, r Run) (Result, error) {
		return Result{Times: Times{Whole: time.Duration(r.Chance)}}, nil
	})
	if err == nil {
		t.Error("a run that does not end has a mean")
	}
}

// What a million registrants cost is computed from these figures (infra/cost).
func TestMeteredRun(t *testing.T) {
	run := Run{Conditions: Conditions{Workers: 2, Replicas: 1, Latency: 150 * time.Millisecond}, Registrants: 3000, Warmed: 1000, Found: true, Metered: true}
	result, err := measure(t, run)
	if err != nil {
		t.Fatal(err)
	}
	c := result.Consumed
	if c.Reads < 20 || c.Writes < 3*60 || c.Callbacks < 3 || c.Patches < 3 || c.CPU <= 0 || c.SentBytes < 3000*100 || c.LoggedBytes < 1000 {
		t.Errorf("%+v", c)
	}
	if c.Submits < 1 || c.Submitting < 16*time.Second || c.Submitting > result.Whole+longestCall || c.Patching <= 0 {
		t.Errorf("%+v of %v", c, result.Whole)
	}
}

// While MTS has enough to do, nobody waits for it in an invocation.
func TestSubmitLeavesAnMTSThatIsSupplied(t *testing.T) {
	run := Run{Conditions: Conditions{Workers: 2, Replicas: 1, Latency: 150 * time.Millisecond}, Registrants: 20_000, Warmed: 10_000, Found: true, Metered: true}
	result, err := measure(t, run)
	if err != nil {
		t.Fatal(err)
	}
	if waited := result.Submitting.Seconds() / result.Whole.Seconds(); waited > 0.6 {
		t.Errorf("submit is at work for %.0f %% of the time", 100*waited)
	}
	// Workers have something to do all the time: 16 and 12 ms of MTS, and the
	// identity system. The beginning and the end of a run are slower.
	if rate, most := 10_000/result.Rest.Seconds(), 2/0.178; rate < 0.9*most {
		t.Errorf("%.1f records/s of %.1f", rate, most)
	}
}
