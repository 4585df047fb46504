package throughput

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Workers are processes that make runs, each one at a time.
type Workers struct{ free chan *worker }

// worker is a process of the tests of this package.
type worker struct {
	command *exec.Cmd
	runs    *json.Encoder
	results *json.Decoder
	input   io.Closer
}

// serving makes the tests of this package serve runs.
const serving = "MTSC_SERVE_RUNS"

// StartWorkers builds the tests of this package into a folder and starts them.
//
// Each has one processor of Go: then a run is the same every time, because what
// happens at one moment of virtual time happens in one order.
func StartWorkers(ctx context.Context, dir string, count int) (*Workers, error) {
	program := filepath.Join(dir, "throughput.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "openg2p.org/mts-connector/infra/bench/throughput")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the runs: %w\n%s", err, out)
	}
	w := &Workers{free: make(chan *worker, count)}
	for range count {
		one, err := start(ctx, program)
		if err != nil {
			return nil, errors.Join(err, w.Stop())
		}
		w.free <- one
	}
	return w, nil
}

func start(ctx context.Context, program string) (*worker, error) {
	command := exec.CommandContext(ctx, program, "-test.run=^TestServe$", "-test.timeout=0")
	command.Env = append(os.Environ(), serving+"=1", "GOMAXPROCS=1", "GOGC=400")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &worker{command, json.NewEncoder(input), json.NewDecoder(output), input}, command.Start()
}

// Measure has one of the workers make a run.
func (w *Workers) Measure(ctx context.Context, r Run) (result Result, err error) {
	select {
	case one := <-w.free:
		defer func() { w.free <- one }()
		if err := one.runs.Encode(r); err != nil {
			return result, err
		}
		var reply reply
		if err := one.results.Decode(&reply); err != nil {
			return result, fmt.Errorf("a process that makes runs has ended: %w", err)
		}
		if reply.Error != "" {
			return result, fmt.Errorf("%+v %+v: %s", r.Conditions, r.Fixed, reply.Error)
		}
		return reply.Result, nil
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// reply is the answer of a worker to a run.
type reply struct {
	Result Result
	Error  string
}

// Stop ends the workers, which must be free.
func (w *Workers) Stop() (err error) {
	for range len(w.free) {
		one := <-w.free
		_ = one.input.Close()
		err = errors.Join(err, one.command.Wait())
	}
	return err
}
