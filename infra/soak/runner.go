package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
)

// The waiting times of the protocol, short enough that many kills fit into a
// run.
const times = "page_limit=3s,post_base=3s,post_per_record=2ms,answer_wait=1s,poll=50ms," +
	"deadline_base=3s,record_first=4ms,probe_first=500ms,probe_max=2s,patch_work=4s,commit_grace=2s,rejected_again=1h"

// runner runs trials on a running stack, which it ticks.
type runner struct {
	stack *local.Stack
	store *seedingdb.Store // of the stack's tables, with the rights of whoever deploys
	say   func(format string, a ...any)
	end   func()
}

func open(ctx context.Context, say func(string, ...any)) (*runner, error) {
	stack, err := local.Start(ctx, local.Options{Times: times})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{
		stack: stack, say: say,
		store: seedingdb.New(stack.DynamoDB(), stack.Output("ConnectorsTable"), stack.Output("AnswersTable")),
	}
	var ticking sync.WaitGroup
	ticking.Go(func() { r.tick(ctx) })
	r.end = func() {
		cancel()
		ticking.Wait()
		stack.Stop()
	}
	return r, nil
}

func (r *runner) close() { r.end() }

// tick does what the schedules do, but much more often. It reports errors other
// than the death of a function that was killed.
func (r *runner) tick(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.stack.Tick(ctx); err != nil && ctx.Err() == nil && !isKill(err) {
			r.say("tick: %v", err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// isKill reports whether the error is only about functions that were killed.
func isKill(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			if !isKill(one) {
				return false
			}
		}
		return true
	}
	f, ok := errors.AsType[*local.FunctionError](err)
	return ok && f.Type == "Runtime.ExitError"
}

// pause waits; it reports false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	return function.Clock{}.Sleep(ctx, d) == nil
}

// call makes a request to the API that must succeed, and decodes the reply into
// reply unless that is nil.
func (r *runner) call(ctx context.Context, method, path string, body, reply any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, r.stack.APIURL()+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+r.stack.Token())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	case reply == nil:
		return nil
	}
	return json.Unmarshal(content, reply)
}
