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

// trial is one run with what goes wrong in it.
type trial struct {
	name        string
	seed        int64 // of the registry, and of what is killed when
	registrants int
	kills       int           // at most: the run may be over before
	spacing     time.Duration // between two kills, on average
	mts         mtssim.Options
	// batchMaximum of the connector, if it is not the default.
	batchMaximum int
	// trouble makes trouble until ctx ends.
	trouble func(ctx context.Context, s *stage, seeder *mtssim.Server) error
}

// result of a trial.
type result struct {
	kills      int // processes that were killed
	lost       int // batches
	further    int // runs that were needed after the first
	took       time.Duration
	sent       float64 // records per registrant worth sending
	violations []string
}

const (
	// patience is how long a run may take; without kills it is 20 s.
	patience = 4 * time.Minute
	// furtherRuns is how many may follow the first. Whoever was lost in it is
	// due in the next, for which nobody waits an hour here.
	furtherRuns = 3
)

// make carries out a trial and checks what it left behind.
func (s *stage) make(ctx context.Context, t trial) (r result, err error) {
	registry, seeder := odoosim.New(odoosim.Options{}), mtssim.New(t.mts)
	office, mts := httptest.NewServer(registry), httptest.NewServer(seeder)
	defer office.Close()
	defer mts.Close()
	defer seeder.Close()
	p := newPlace(s.store, registry, seeder, t)
	id, err := s.connector(ctx, t, mts.URL, office.URL)
	if err != nil {
		return r, err
	}
	if p.connector, err = s.store.Connector(ctx, id); err != nil {
		return r, err
	}

	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	trouble := make(chan error, 1)
	var made sync.WaitGroup
	working, over := context.WithCancel(limited)
	if t.trouble != nil {
		made.Go(func() { trouble <- t.trouble(working, s, seeder) })
	}
	made.Go(func() { r.kills, err = s.kill(working, t) })
	start := func() error { return s.call(limited, http.MethodPost, "/connectors/"+id+"/start", nil, nil) }
	settled := start()
	for settled == nil {
		if settled = p.settle(limited); settled != nil || r.further == furtherRuns {
			break
		}
		undone, failed := p.undone(limited)
		if failed != nil || len(undone) == 0 {
			settled = failed
			break
		}
		s.say("seed %d: one more run: %v", t.seed, undone)
		r.further++
		settled = start()
	}
	over()
	made.Wait()
	r.took = time.Since(began)
	select {
	case failed := <-trouble:
		err = errors.Join(err, failed)
	default:
	}
	if err != nil || ctx.Err() != nil {
		return r, errors.Join(err, ctx.Err())
	}
	if settled != nil && limited.Err() == nil {
		return r, settled
	}
	if settled != nil { // the limit of the run is one more thing that may be violated
		r.violations = append(r.violations, fmt.Sprintf("not settled after %s: %v", patience, settled))
	}
	violations, err := p.violations(ctx)
	if err != nil {
		return r, err
	}
	r.violations = append(r.violations, violations...)
	if r.lost, err = p.lost(ctx); err != nil {
		return r, err
	}
	r.sent = float64(seeder.Counters().RecordsReceived) / float64(p.expected.Submitted)
	return r, s.call(ctx, http.MethodPost, "/connectors/"+id+"/stop", nil, nil)
}

// connector creates one with the least it needs.
func (s *stage) connector(ctx context.Context, t trial, mts, registry string) (id string, err error) {
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
	err = s.call(ctx, http.MethodPost, "/connectors", configuration, &made)
	return made.ID, err
}

// victims are the functions that move registrants.
var victims = []string{"submit", "callback", "patch", "reconcile"}

// kill kills until ctx ends, and returns how many processes that hit. A
// function that has none at the moment is killed as soon as it has.
func (s *stage) kill(ctx context.Context, t trial) (processes int, err error) {
	random := rand.New(rand.NewPCG(uint64(t.seed), 0))
	for range t.kills {
		wait, victim := time.Duration(random.Int64N(int64(2*t.spacing))), victims[random.IntN(len(victims))]
		if !pause(ctx, wait) {
			return processes, nil
		}
		n := 0
		for n == 0 {
			if n, err = s.stack.KillFunctionProcesses(victim); err != nil {
				return processes, err
			}
			if n == 0 && !pause(ctx, 20*time.Millisecond) {
				return processes, nil
			}
		}
		s.say("seed %d: %v later %s is killed (%d)", t.seed, wait.Round(time.Millisecond), victim, n)
		processes += n
	}
	return processes, nil
}

// withoutStream switches off the stream of the answers table.
func withoutStream(ctx context.Context, s *stage, _ *mtssim.Server) error {
	functions := lambda.NewFromConfig(s.stack.AWS())
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

// restarts restarts MTS three times at most: first when a request waits behind
// another, then when there is any, because after a loss batches go out alone.
func restarts(ctx context.Context, s *stage, seeder *mtssim.Server) error {
	const most = 3
	for done := 0; done < most; {
		if !pause(ctx, 5*time.Millisecond) {
			if done == 0 {
				return errors.New("the queue of MTS was never full")
			}
			return nil
		}
		if open := seeder.Open(); open >= 2 || done > 0 && open > 0 {
			s.say("MTS restarts with %d requests", open)
			seeder.Restart()
			done++
		}
	}
	return nil
}
