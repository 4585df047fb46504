package main

import (
	"context"
	"sync"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/world/deployed"
)

// The waiting times of the protocol, short enough that many kills fit into a
// run.
const times = "run_lease=1s,rest_max=2s,page_limit=3s,post_base=3s,post_per_record=2ms,answer_wait=1s,poll=50ms," +
	"deadline_base=3s,overdue_base=1s,record_first=4ms,probe_first=500ms,probe_max=2s,patch_work=4s,patch_lease=3s,commit_grace=2s,rejected_again=1h"

// runner runs trials on a running stack, which it ticks.
type runner struct {
	*deployed.World
	say func(format string, a ...any)
	end func()
}

func open(ctx context.Context, say func(string, ...any)) (*runner, error) {
	w, err := deployed.Start(ctx, local.Options{Times: times})
	if err != nil {
		return nil, err
	}
	schedule := &deployed.Schedule{World: w, Every: 200 * time.Millisecond, Failed: func(err error) {
		if !deployed.OnlyKilled(err) {
			say("tick: %v", err)
		}
	}}
	ctx, cancel := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { schedule.Run(ctx) })
	return &runner{World: w, say: say, end: func() {
		cancel()
		ticking.Wait()
		w.Stop()
	}}, nil
}

func (r *runner) close() { r.end() }
