// Package waiting reports what of a run has not ended yet, whether the functions run
// in one process or as they are deployed.
package waiting

import (
	"context"
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// Moment is the time between two looks at something that is waited for.
const Moment = 40 * time.Millisecond

// Pause waits; it reports false when ctx ends first.
func Pause(ctx context.Context, d time.Duration) bool { return function.Clock{}.Sleep(ctx, d) == nil }

// Store is what UnderWay reads.
type Store interface {
	State(ctx context.Context, connector string) (seeding.State, error)
	OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error)
	NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error)
}

// UnderWay lists what has not ended of a connector and its registry, in words: a
// run or a run that is due, open batches, answers. A connector that is stopped is
// not due.
func UnderWay(ctx context.Context, store Store, connector, registry string, now time.Time) (list []string, err error) {
	// The answers first: one that is deleted after this read was under way then.
	_, answer, err := store.NextAnswer(ctx, registry, "")
	if err != nil {
		return nil, err
	}
	open, err := store.OpenBatches(ctx, registry)
	if err != nil {
		return nil, err
	}
	state, err := store.State(ctx, connector)
	if err != nil {
		return nil, err
	}
	switch {
	case state.Run != "" || len(state.Imports) > 0:
		list = append(list, "a run is open")
	case state.Status == seeding.Running && !state.Due.After(now):
		list = append(list, "a run is due")
	}
	if len(open) > 0 {
		list = append(list, fmt.Sprintf("%d batches are open", len(open)))
	}
	if answer {
		list = append(list, "an answer is left")
	}
	return list, nil
}
