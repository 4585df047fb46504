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

// The waiting times of the protocol, short enough that a run outlasts many
// crashes.
const times = "page_limit=3s,post_base=3s,post_per_record=2ms,answer_wait=1s,poll=50ms," +
	"deadline_base=3s,record_first=4ms,probe_first=500ms,probe_max=2s,patch_work=4s,commit_grace=2s,rejected_again=1h"

// stage is a running stack that is ticked.
type stage struct {
	stack *local.Stack
	store *seedingdb.Store // of the stack's tables, as the one who deploys
	say   func(format string, a ...any)
	end   func()
}

func open(ctx context.Context, say func(string, ...any)) (*stage, error) {
	stack, err := local.Start(ctx, local.Options{Times: times})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stage{
		stack: stack, say: say,
		store: seedingdb.New(stack.DynamoDB(), stack.Output("ConnectorsTable"), stack.Output("AnswersTable")),
	}
	var ticking sync.WaitGroup
	ticking.Go(func() { s.tick(ctx) })
	s.end = func() {
		cancel()
		ticking.Wait()
		stack.Stop()
	}
	return s, nil
}

func (s *stage) close() { s.end() }

// tick ticks as the schedules do, though much more often. Functions die under
// it, and the next tick comes; what else they fail with is told.
func (s *stage) tick(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.stack.Tick(ctx); err != nil && ctx.Err() == nil && !isDeath(err) {
			s.say("tick: %v", err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// isDeath tells whether nothing is in the error but functions that were killed.
func isDeath(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			if !isDeath(one) {
				return false
			}
		}
		return true
	}
	f, ok := errors.AsType[*local.FunctionError](err)
	return ok && f.Type == "Runtime.ExitError"
}

// pause waits, or returns false when the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	return function.Clock{}.Sleep(ctx, d) == nil
}

// call asks the API for something that must succeed, and decodes the reply
// into reply unless that is nil.
func (s *stage) call(ctx context.Context, method, path string, body, reply any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, s.stack.APIURL()+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.stack.Token())
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, said)
	case reply == nil:
		return nil
	}
	return json.Unmarshal(said, reply)
}
