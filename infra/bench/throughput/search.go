package throughput

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Grid is what is tried to find the best fixed width and size, with waves and
// without. Both together are at most so many records: what is at MTS when the rest
// of a run begins was partly done before.
type Grid struct {
	Widths, Sizes []int
	Records       int
}

// tries are those of the grid.
func (g Grid) tries() (tries []Fixed) {
	for _, size := range g.Sizes {
		for _, width := range g.Widths {
			if width*size > g.Records {
				continue
			}
			tries = append(tries, Fixed{width, size, false})
			if width > 2 {
				tries = append(tries, Fixed{width, size, true})
			}
		}
	}
	return tries
}

// Tries is how many there are.
func (g Grid) Tries() int { return len(g.tries()) }

// Measure makes one run. It may be called several times at once.
type Measure func(context.Context, Run) (Result, error)

// Best are the fastest runs of a grid, of those that take equally long the one
// that the grid has first.
type Best struct {
	Whole, Rest Winner
	Runs        int // that were made or given up, and not left out
}

// Winner is the fastest run by one of the two times.
type Winner struct {
	Fixed
	Took  time.Duration // 0 until there is one
	place int           // in the grid
}

// beaten replaces the winner by a run that is faster.
func (w *Winner) beaten(by Winner) {
	if w.Took == 0 || by.Took < w.Took || by.Took == w.Took && by.place < w.place {
		*w = by
	}
}

// Search makes the run with every width and size of the grid, some at once, and
// returns the fastest. It leaves out, or gives up, runs that can be the fastest by
// neither of the times, which changes no winner.
func Search(ctx context.Context, run Run, grid Grid, atOnce int, measure Measure) (Best, error) {
	var mu sync.Mutex
	var best Best
	try := func(ctx context.Context, run Run, place int) error {
		mu.Lock()
		run.Limit = Times{best.Whole.Took, best.Rest.Took}
		mu.Unlock()
		if run.floor().exceeds(run.Limit) {
			return nil
		}
		result, err := measure(ctx, run)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		best.Runs++
		if result.Times == (Times{}) {
			return nil
		}
		best.Whole.beaten(Winner{run.Fixed, result.Whole, place})
		best.Rest.beaten(Winner{run.Fixed, result.Rest, place})
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for place, fixed := range grid.tries() {
		one := run
		one.Fixed = fixed
		group.Go(func() error { return try(ctx, one, place) })
	}
	err := group.Wait()
	return best, err
}

// exceeds reports whether both times are above their limits.
func (t Times) exceeds(limit Times) bool {
	return limit.Whole > 0 && t.Whole > limit.Whole && limit.Rest > 0 && t.Rest > limit.Rest
}

// Mean makes a run with several chances, some at once, and returns the means. The
// samples are those of the first.
func Mean(ctx context.Context, run Run, chances, atOnce int, measure Measure) (mean Result, err error) {
	results := make([]Result, chances)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range results {
		one := run
		one.Chance, one.Sampled = i, run.Sampled && i == 0
		group.Go(func() (err error) {
			if results[i], err = measure(ctx, one); err == nil && results[i].Times == (Times{}) {
				err = fmt.Errorf("%+v %+v: the run does not end", run.Conditions, run.Fixed)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return mean, err
	}
	for _, r := range results {
		mean.Whole += r.Whole
		mean.Rest += r.Rest
		mean.Sent += r.Sent
	}
	mean.Whole /= time.Duration(chances)
	mean.Rest /= time.Duration(chances)
	mean.Sent /= chances
	mean.Samples = results[0].Samples
	return mean, nil
}
