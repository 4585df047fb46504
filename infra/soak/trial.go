package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// trial is one run, and what goes wrong during it.
type trial struct {
	name        string
	seed        int64 // of the registry, and of what is killed when
	registrants int
	kills       int           // at most: the run may end before
	spacing     time.Duration // between two kills, on average
	mts         mtssim.Options
	workerKills int // of workers of MTS, at most
	// batchMaximum and widthMaximum of the connector, if they are not the default.
	batchMaximum, widthMaximum int
	// format is the connector's Output Format, one that writes of everybody what checks
	// look for (check.written); "" is none.
	format string
	direct bool // MTS calls the registry itself, and nobody tells us
	// disturb disturbs the run until ctx ends.
	disturb func(ctx context.Context, r *runner, mts *mtssim.Server) error
}

// individual is an Output Format that changes a registrant, and adds a phone number to it.
const individual = `{given_name: (.input.given_name | ascii_upcase), phone_numbers: [{phone_no: ("+1" + .input.vid)}], ` +
	`ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`

// directly is the configuration of a callback to the REST API of a registry.
func directly(registry string) map[string]any {
	return map[string]any{
		"url": registry + "/api/v1/registry/individual/updateIdentification", "http_method": "PATCH", "timeout_seconds": 1,
		"auth_type": "odoo", "auth_url": registry + "/web/session/authenticate", "auth_database": "g2p", "auth_username": "admin", "auth_password": "admin",
	}
}

// identifier is the Output Format for such a callback.
const identifier = `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`

// drawn is the trial with an MTS of another size, which is drawn from the seed: its
// workers, its replicas, after how many requests a worker ends, and how many are
// killed; and how many batches the connector allows to be under way.
func (t trial) drawn() trial {
	random := rand.New(rand.NewPCG(uint64(t.seed), 1))
	t.mts.Workers, t.mts.Replicas, t.mts.Processors = 1+random.IntN(4), 1+random.IntN(2), 1+random.IntN(4)
	if random.IntN(2) == 0 {
		t.mts.MaxRequests = 20 + random.IntN(60)
	}
	t.workerKills, t.widthMaximum = random.IntN(4), 1+random.IntN(8)
	return t
}

// size is the MTS of the trial and the width of its connector, in words.
func (t trial) size() string {
	size := fmt.Sprintf("%d × %d", max(t.mts.Replicas, 1), max(t.mts.Workers, 1))
	if t.mts.MaxRequests > 0 {
		size += fmt.Sprintf(", %d requests", t.mts.MaxRequests)
	}
	if t.widthMaximum > 0 {
		size += fmt.Sprintf(", width %d", t.widthMaximum)
	}
	return size
}

// result of a trial.
type result struct {
	kills      int // processes that were killed
	workers    int // of MTS that were killed
	lost       int // batches
	further    int // runs that were needed after the first
	took       time.Duration
	sent       float64 // records per registrant to send
	violations []string
}

const (
	// patience is how long a run may take; without kills it is 20 s.
	patience = 30 * time.Minute // the machine may be busy with other work
	// furtherRuns is how many may follow the first: a registrant whose batch was
	// lost is due in the next run, which is started at once here.
	furtherRuns = 3
)

// run carries out a trial and checks what it left behind.
func (r *runner) run(ctx context.Context, t trial) (out result, err error) {
	registry, mts := odoosim.New(odoosim.Options{REST: odoosim.REST15}), mtssim.New(t.mts)
	registryServer, mtsServer := httptest.NewServer(registry), httptest.NewServer(mts)
	defer registryServer.Close()
	defer mtsServer.Close()
	defer mts.Close()
	c := newCheck(r.Store, registry, mts, t)
	configuration := deployed.Configuration("Soak", mtsServer.URL, registryServer.URL, "g2p", "admin")
	if t.batchMaximum > 0 {
		configuration["batch_maximum"] = t.batchMaximum
	}
	if t.widthMaximum > 0 {
		configuration["width_maximum"] = t.widthMaximum
	}
	if t.format != "" {
		configuration["output_format"] = t.format
	}
	if t.direct {
		configuration["callback"], configuration["output_format"] = directly(registryServer.URL), identifier
	}
	connector, err := r.API.Create(ctx, configuration)
	if err != nil {
		return out, err
	}
	if c.connector, err = r.Store.Connector(ctx, connector.ID); err != nil {
		return out, err
	}

	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	disturbed := make(chan error, 1)
	var disturbing sync.WaitGroup
	running, end := context.WithCancel(limited)
	if t.disturb != nil {
		disturbing.Go(func() { disturbed <- t.disturb(running, r, mts) })
	}
	disturbing.Go(func() { out.kills, err = r.kill(running, t) })
	disturbing.Go(func() { out.workers = r.killWorkers(running, t, mts) })
	failure := connector.Start(limited)
	var imports []order
	if failure == nil {
		imports, failure = r.order(limited, t, connector, slices.Sorted(maps.Keys(c.expected.Kinds)))
	}
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
		failure = connector.Start(limited)
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
	if violations, err = c.accounts(ctx, r.API, connector, imports); err != nil {
		return out, err
	}
	out.violations = append(out.violations, violations...)
	if violations, err = c.slots(ctx, batches); err != nil {
		return out, err
	}
	out.violations = append(out.violations, violations...)
	out.sent = float64(mts.Counters().RecordsReceived) / float64(c.expected.Submitted)
	return out, connector.Stop(ctx)
}

// killed are the functions that process registrants. If MTS calls the registry itself,
// callback is not among them.
func (t trial) killed() []string {
	if t.direct {
		return []string{"submit", "patch", "reconcile"}
	}
	return []string{"submit", "callback", "patch", "reconcile"}
}

// kill kills functions until ctx ends, and returns the number of processes that
// were killed. A function without a process is killed as soon as it has one.
func (r *runner) kill(ctx context.Context, t trial) (processes int, err error) {
	random := rand.New(rand.NewPCG(uint64(t.seed), 0))
	killed := t.killed()
	for range t.kills {
		wait, function := time.Duration(random.Int64N(int64(2*t.spacing))), killed[random.IntN(len(killed))]
		if !waiting.Pause(ctx, wait) {
			return processes, nil
		}
		n := 0
		for n == 0 {
			if n, err = r.KillFunctionProcesses(function); err != nil {
				return processes, err
			}
			if n == 0 && !waiting.Pause(ctx, 20*time.Millisecond) {
				return processes, nil
			}
		}
		r.say("seed %d: %v later %s is killed (%d)", t.seed, wait.Round(time.Millisecond), function, n)
		processes += n
	}
	return processes, nil
}

// killWorkers kills workers of MTS that have something to do, until ctx ends, and
// returns how many were killed.
func (r *runner) killWorkers(ctx context.Context, t trial, mts *mtssim.Server) (killed int) {
	random := rand.New(rand.NewPCG(uint64(t.seed), 2))
	for range t.workerKills {
		wait := time.Duration(random.Int64N(int64(2 * t.spacing)))
		if !waiting.Pause(ctx, wait) {
			return killed
		}
		for mts.Open() == 0 {
			if !waiting.Pause(ctx, 5*time.Millisecond) {
				return killed
			}
		}
		replica, worker := busiest(mts.State())
		r.say("seed %d: %v later worker %d of replica %d of MTS is killed", t.seed, wait.Round(time.Millisecond), worker, replica)
		mts.KillWorker(replica, worker)
		killed++
	}
	return killed
}

// busiest is the worker with the most requests.
func busiest(s mtssim.State) (replica, worker int) {
	most := -1
	for i, r := range s.Replicas {
		for k, w := range r.Workers {
			if w.Open > most {
				most, replica, worker = w.Open, i, k
			}
		}
	}
	return replica, worker
}

// withoutStream switches off the stream of the answers table.
func withoutStream(ctx context.Context, r *runner, _ *mtssim.Server) error {
	if err := r.SwitchStream(ctx, false); err != nil {
		return err
	}
	<-ctx.Done()
	return r.SwitchStream(context.WithoutCancel(ctx), true)
}

// restarts restarts MTS at most three times: first when a request waits behind
// another one, then when there is any, because after a loss the batches are sent
// one at a time.
func restarts(ctx context.Context, r *runner, mts *mtssim.Server) error {
	const most = 3
	for done := 0; done < most; {
		if !waiting.Pause(ctx, 5*time.Millisecond) {
			if done == 0 {
				return errors.New("the queue of MTS was never full")
			}
			return nil
		}
		if open := mts.Open(); open >= 2 || done > 0 && open > 0 {
			r.say("MTS restarts with %d requests", open)
			mts.Restart()
			done++
		}
	}
	return nil
}
