// Package e2e_test runs the functions as they are deployed: the binaries of
// `make build`, template.yaml on the emulator of AWS, every function under its
// own role, enforced. MTS and registry are the simulators, on loopback.
// Everything is done through the API with a token, as a user would.
//
// All tests share one stack. Those that kill processes, stop the ticks or
// change the stack run first, one after the other; the others run side by side,
// each with servers and connectors of its own. When all are done everything
// that the stack has stored and logged is searched once more.
package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// The waiting times of the protocol, short enough for a death to be waited out
// and long enough for a busy machine.
const times = "deadline_base=10s,record_first=5ms,answer_wait=2s,poll=150ms,page_limit=4s,post_base=3s,post_per_record=1ms," +
	"probe_first=1s,probe_max=4s,patch_work=6s,commit_grace=3s"

var (
	stack  *local.Stack
	db     *dynamodb.Client
	store  *seedingdb.Store // for what no user can see: leases, answers, the time of the next run
	ticker = &metronome{}
	vault  = newSearch() // everything that may stand nowhere
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests wait for functions most of the time, so the number of processors
	// says nothing about how many fit side by side.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	for range 3 { // an answer may be dropped here too, as aws_test.go says
		if stack, err = local.Start(ctx, local.Options{Name: "e2e", Times: times}); err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, "the stack does not start:", err)
	}
	if err != nil {
		return 1
	}
	defer stack.Stop()
	db = stack.DynamoDB()
	store = seedingdb.New(db, stack.Output("ConnectorsTable"), stack.Output("AnswersTable"))
	if err := keepKeysSecret(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "the keys of the deployment:", err)
		return 1
	}
	go ticker.run(ctx)
	code := m.Run()
	ticker.hold()
	for _, wrong := range lookBack(ctx) {
		fmt.Fprintln(os.Stderr, "--- FAIL: after all tests:", wrong)
		code = 1
	}
	return code
}

// lookBack looks through everything that the tests of this process have left
// behind.
func lookBack(ctx context.Context) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, err := range ticker.failures() {
		say("a tick failed: %v", err)
	}
	found, err := searchStack(ctx, vault)
	if err != nil {
		say("%v", err)
	}
	for _, f := range found {
		say("%s", f)
	}
	lines, err := stack.Logs(ctx)
	if err != nil {
		say("%v", err)
	}
	for _, line := range denials(lines) {
		say("a function lacks a right: %s", line)
	}
	if n, err := answersLeft(ctx); err != nil || n > 0 {
		say("%d parts of answers are left, %v", n, err)
	}
	if flag.Lookup("test.run").Value.String() == "" { // else a part of the tests, which do not use everything
		for _, right := range unused(say) {
			say("nothing has used the right %v: take it away, or test what needs it", right)
		}
	}
	return wrong
}

// unused are the rights of the template that no function has used.
func unused(say func(string, ...any)) []template.Right {
	rights, err := template.Rights()
	if err != nil {
		say("%v", err)
	}
	left, err := stack.UnusedRights(rights)
	if err != nil {
		say("%v", err)
	}
	return slices.DeleteFunc(left, template.Right.UsedByAWSOnly)
}

// metronome does what the schedules do, only sooner.
type metronome struct {
	ticking sync.Mutex // held during a tick
	count   atomic.Int64

	mu     sync.Mutex
	failed []error
}

const tickEvery = 300 * time.Millisecond

func (m *metronome) run(ctx context.Context) {
	for ctx.Err() == nil {
		m.ticking.Lock()
		m.tick(ctx)
		m.ticking.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(tickEvery):
		}
	}
}

func (m *metronome) tick(ctx context.Context) {
	err := fault(stack.Tick(ctx))
	m.count.Add(1)
	if err == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = append(m.failed, err)
}

// fault is what a function reported of its tick. All else is not its fault; and
// tests kill functions, of which one may have been at its tick.
func fault(err error) error {
	if failed := (*local.FunctionError)(nil); errors.As(err, &failed) && failed.Type != "Runtime.ExitError" {
		return failed
	}
	return nil
}

// hold stops the ticks, for good.
func (m *metronome) hold() { m.ticking.Lock() }

// pause stops the ticks until the test is over. The test may tick by itself.
func (m *metronome) pause(t *testing.T) {
	m.ticking.Lock()
	t.Cleanup(m.ticking.Unlock)
}

func (m *metronome) failures() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// answersLeft counts the items of the answers table.
func answersLeft(ctx context.Context) (int, error) {
	n := 0
	err := eachItem(ctx, stack.Output("AnswersTable"), func(item) { n++ })
	return n, err
}

// Of one registry.
func answersOf(ctx context.Context, registry string) ([]seeding.AnswerPart, error) {
	var all []seeding.AnswerPart
	after := ""
	for {
		ref, found, err := store.NextAnswer(ctx, registry, after)
		if err != nil || !found {
			return all, err
		}
		parts, err := store.AnswerParts(ctx, registry, ref.Batch)
		if err != nil {
			return nil, err
		}
		all, after = append(all, parts...), ref.Batch
	}
}
