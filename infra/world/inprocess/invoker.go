package inprocess

import (
	"context"
	"sync"
	"time"
)

// timeLimit of an invocation of submit, a little less than template.yaml allows.
const timeLimit = 895 * time.Second

// Invoker starts functions as the asynchronous invoke of Lambda does: they outlive
// their caller, and nobody waits for their result.
type Invoker struct {
	clock  Clock
	failed func(error)
	// Context makes the context of an invocation of a function from that of its
	// caller. Default: the same, but without its end.
	Context func(caller context.Context, function string) context.Context

	functions Functions // since they are wired

	mu       sync.Mutex
	ended    *sync.Cond
	underWay int
	count    map[string]int // invocations by function
	spent    map[string]time.Duration
}

// NewInvoker makes an invoker that reports the error of an invocation to failed.
func NewInvoker(clock Clock, failed func(error)) *Invoker {
	i := &Invoker{
		clock: clock, failed: failed, count: map[string]int{}, spent: map[string]time.Duration{},
		Context: func(caller context.Context, _ string) context.Context { return context.WithoutCancel(caller) },
	}
	i.ended = sync.NewCond(&i.mu)
	return i
}

// InvokeSubmit implements the Invoker of submit and of reconcile.
func (i *Invoker) InvokeSubmit(ctx context.Context, connector string) error {
	i.invoke(ctx, "submit", func(ctx context.Context) error {
		return i.functions.Submitter.Work(ctx, connector, i.clock.Now().Add(timeLimit))
	})
	return nil
}

// InvokeInquiry implements the Invoker of the API and of the desk.
func (i *Invoker) InvokeInquiry(ctx context.Context, id string) error {
	i.invoke(ctx, "submit", func(ctx context.Context) error {
		return i.functions.Desk.Work(ctx, id, i.clock.Now().Add(timeLimit))
	})
	return nil
}

// Tick starts a tick as the schedule does, which may go on while others are at work.
func (i *Invoker) Tick(ctx context.Context, function string, tick func(context.Context) error) {
	i.invoke(ctx, function, tick)
}

// InvokePatch implements the Invoker of reconcile, and the stream of the answers
// table.
func (i *Invoker) InvokePatch(ctx context.Context, registry string) error {
	i.invoke(ctx, "patch", func(ctx context.Context) error { return i.functions.Patcher.Patch(ctx, registry) })
	return nil
}

// InvokeLook implements the Invoker of reconcile.
func (i *Invoker) InvokeLook(ctx context.Context, registry string) error {
	i.invoke(ctx, "patch", func(ctx context.Context) error { return i.functions.Patcher.Look(ctx, registry) })
	return nil
}

func (i *Invoker) invoke(caller context.Context, function string, f func(context.Context) error) {
	i.mu.Lock()
	i.underWay++
	i.count[function]++
	i.mu.Unlock()
	i.clock.Begin()
	began := i.clock.Now()
	go func() {
		if err := f(i.Context(caller, function)); err != nil {
			i.failed(err)
		}
		took := i.clock.Now().Sub(began)
		i.clock.End()
		i.mu.Lock()
		i.underWay--
		i.spent[function] += took
		i.mu.Unlock()
		i.ended.Broadcast()
	}()
}

// Go implements the Go of submit: the clock does not step while a POST is at work.
func (i *Invoker) Go(post func()) {
	i.clock.Begin()
	go func() {
		defer i.clock.End()
		post()
	}()
}

// Wait waits until no invocation is under way.
func (i *Invoker) Wait() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.underWay > 0 {
		i.ended.Wait()
	}
}

// Spent is the time of all invocations of a function that have ended.
func (i *Invoker) Spent(function string) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.spent[function]
}

// Count is how often a function was invoked.
func (i *Invoker) Count(function string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count[function]
}
