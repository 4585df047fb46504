package dynamo

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// atOnce bounds how many writes of one call are under way.
const atOnce = 8

// Parallel calls write with every element, eight at once, and returns the first
// error, with which the others' context ends.
func Parallel[T any](ctx context.Context, list []T, write func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, element := range list {
		group.Go(func() error { return write(ctx, element) })
	}
	return group.Wait()
}
