package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// trial is one run, and what goes wrong during it.
type trial struct {
	name        string
	seed        int64 // of the registry, and of what is killed when
	registrants int
	kills       int           // at most: the run may end before
	spacing     time.Duration // between two kills, on average
	mts         mtssim.Options
	// batchMaximum of the connector, if it is not the default.
	batchMaximum int
	// disturb disturbs the run until ctx ends.
	disturb func(ctx context.Context, r *runner, seeder *mtssim.Server) error
}

// result of a trial.
type result struct {
	kills      int // processes that were killed
	lost       int // batches
	further    int // runs that were needed after the first
	took       time.Duration
	sent       float64 // records per registrant to send
	violations []string
}

const (
	// patience is how long a run may take; without kills it is 20 s.
	patience = 4 * time.Minute
	// furtherRuns is how many may follow the first: a registrant whose batch was
	// lost is due in the next run, which is started at once here.
	furtherRuns = 3
)

// run carries out a trial and checks what it left behind.
func (r *runner) run(ctx context.Context, t trial) (out result, err error) {
	registry, seeder := odoosim.New(odoosim.Options{}), mtssim.New(t.mts)
	registryServer, mtsServer := httptest.NewServer(registry), httptest.NewServer(seeder)
	defer registryServer.Close()
	defer mtsServer.Close()
	defer seeder.Close()
	c := newCheck(r.store, registry, seeder, t)
	id, err := r.connector(ctx, t, mtsServer.URL, registryServer.URL)
	if err != nil {
		return out, err
	}
	if c.connector, err = r.store.Connector(ctx, id); err != nil {
		return out, err
	}

	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	disturbed := make(chan error, 1)
	var disturbing sync.WaitGroup
	running, end := context.WithCancel(limited)
	if t.disturb != nil {
		disturbing.Go(func() { disturbed <- t.disturb(running, r, seeder) })
	}
	disturbing.Go(func() { out.kills, err = r.kill(running, t) })
	start := func() error { return r.call(limited, http.MethodPost, "/connectors/"+id+"/start", nil, nil) }
	failure := start()
	for failure == nil {
		if failure = c.waitUntilDone(limited); failure != nil || out.further == furtherRuns {
			break
		}
		remaining, failed := c.remaining(limited)
		if failed != nil || len(remaining) == 0 {
			failure = failed
			break
		}
		r.say("seed %d: one more run: %v", t.seed, remaining)
		out.further++
		failure = start()
	}
	end()
	disturbing.Wait()
	out.took = time.Since(began)
	select {
	case failed := <-disturbed:
		err = errors.Join(err, failed)
	default:
	}
	if err != nil || ctx.Err() != nil {
		return out, errors.Join(err, ctx.Err())
	}
	if failure != nil && limited.Err() == nil {
		return out, failure
	}
	if failure != nil { // the run took too long, which is a violation too
		out.violations = append(out.violations, fmt.Sprintf("not done after %s: %v", patience, failure))
	}
	violations, err := c.violations(ctx)
	if err != nil {
		return out, err
	}
	out.violations = append(out.violations, violations...)
	batches, err := c.batches(ctx)
	if err != nil {
		return out, err
	}
	violations, out.lost = c.totals(batches)
	out.violations = append(out.violations, violations...)
	out.sent = float64(seeder.Counters().RecordsReceived) / float64(c.expected.Submitted)
	return out, r.call(ctx, http.MethodPost, "/connectors/"+id+"/stop", nil, nil)
}

// connector creates a connector with the settings that it needs, and no more.
func (r *runner) connector(ctx context.Context, t trial, mts, registry string) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	configuration := map[string]any{
		"name": "Soak", "mts_url": mts,
		"registry": map[string]any{"url": registry, "database": "g2p", "username": "admin", "password": "admin"},
	}
	if t.batchMaximum > 0 {
		configuration["batch_maximum"] = t.batchMaximum
	}
	err = r.call(ctx, http.MethodPost, "/connectors", configuration, &made)
	return made.ID, err
}

// killed are the functions that process registrants.
var killed = []string{"submit", "callback", "patch", "reconcile"}

// kill kills functions until ctx ends, and returns the number of processes that
// were killed. A function without a process is killed as soon as it has one.
func (r *runner) kill(ctx context.Context, t trial) (processes int, err error) {
	random := rand.New(rand.NewPCG(uint64(t.seed), 0))
	for range t.kills {
		wait, function := time.Duration(random.Int64N(int64(2*t.spacing))), killed[random.IntN(len(killed))]
		if !pause(ctx, wait) {
			return processes, nil
		}
		n := 0
		for n == 0 {
			if n, err = r.stack.KillFunctionProcesses(function); err != nil {
				return processes, err
			}
			if n == 0 && !pause(ctx, 20*time.Millisecond) {
				return processes, nil
			}
		}
		r.say("seed %d: %v later %s is killed (%d)", t.seed, wait.Round(time.Millisecond), function, n)
		processes += n
	}
	return processes, nil
}

// withoutStream switches off the stream of the answers table.
func withoutStream(ctx context.Context, r *runner, _ *mtssim.Server) error {
	functions := lambda.NewFromConfig(r.stack.AWS())
	mappings, err := functions.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{})
	if err != nil {
		return err
	}
	enable := func(ctx context.Context, on bool) error {
		for _, m := range mappings.EventSourceMappings {
			if _, err := functions.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: m.UUID, Enabled: aws.Bool(on)}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := enable(ctx, false); err != nil {
		return err
	}
	<-ctx.Done()
	return enable(context.WithoutCancel(ctx), true)
}

// restarts restarts MTS at most three times: first when a request waits behind
// another one, then when there is any, because after a loss the batches are sent
// one at a time.
func restarts(ctx context.Context, r *runner, seeder *mtssim.Server) error {
	const most = 3
	for done := 0; done < most; {
		if !pause(ctx, 5*time.Millisecond) {
			if done == 0 {
				return errors.New("the queue of MTS was never full")
			}
			return nil
		}
		if open := seeder.Open(); open >= 2 || done > 0 && open > 0 {
			r.say("MTS restarts with %d requests", open)
			seeder.Restart()
			done++
		}
	}
	return nil
}
