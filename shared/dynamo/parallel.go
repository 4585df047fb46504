package dynamo

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many writes of one call are made at the same time.
const atOnce = 8

// Parallel calls write for every element, eight at a time. It returns the first
// error, which also cancels the context of the others.
func Parallel[T any](ctx context.Context, list []T, write func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, element := range list {
		group.Go(func() error { return write(ctx, element) })
	}
	return group.Wait()
}
