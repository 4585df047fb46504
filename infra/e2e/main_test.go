// Package e2e_test runs the functions as they are deployed: the binaries of
// `make build` and template.yaml on the emulator of AWS, which enforces the role
// of every function. MTS and registry are the simulators, on loopback. The tests
// do everything through the API with a token, as a user would.
//
// All tests share one stack. Those that kill processes, stop the ticks or change
// the stack run first, one after the other; the others run in parallel, each with
// servers and connectors of its own. After all of them, everything that the stack
// has stored and logged is searched for personal data and secrets.
package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// The waiting times of the protocol: short enough that a test can wait until the
// work of a killed function is resumed, and long enough for a busy machine.
const times = "deadline_base=30s,overdue_base=4s,record_first=5ms,answer_wait=2s,poll=150ms,page_limit=12s,post_base=6s,post_per_record=1ms," +
	"probe_first=1s,probe_max=4s,patch_work=12s,patch_lease=6s,commit_grace=3s"

var (
	stack          *deployed.World
	db             *dynamodb.Client
	store          *seedingdb.Store // for what the API does not show: leases, answers, the time of the next run
	schedule       *deployed.Schedule
	failedTicks    errorList
	undocumented   errorList     // replies that the document of the API does not have
	forbiddenTexts = newSearch() // of all worlds: what the stack must not store, log or reply
)

// web is for requests to other servers than the API.
var web = &http.Client{Timeout: patience}

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests wait for functions most of the time, so more of them can run in
	// parallel than there are processors.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	for range 3 { // the emulator may drop an answer
		if stack, err = deployed.Start(ctx, local.Options{Name: "e2e", Times: times}); err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, "the stack did not start:", err)
	}
	if err != nil {
		return 1
	}
	defer stack.Stop()
	db = stack.DynamoDB()
	store = stack.Store
	contract, err := openapitest.New(connectors.Document().Text())
	if err != nil {
		fmt.Fprintln(os.Stderr, "the document of the API:", err)
		return 1
	}
	stack.API.Token = token
	stack.API.HTTP = &http.Client{Timeout: patience, Transport: openapitest.Transport{Contract: contract, Next: transcript, Report: undocumented.add}}
	schedule = &deployed.Schedule{World: stack, Every: tickEvery, Failed: func(err error) {
		for _, failed := range deployed.FunctionErrors(err) {
			failedTicks.add(failed)
		}
	}}
	if err := forbidDeploymentKeys(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "the keys of the deployment:", err)
		return 1
	}
	go schedule.Run(ctx)
	code := m.Run()
	schedule.Pause()
	for _, wrong := range checkAfterAll(ctx) {
		fmt.Fprintln(os.Stderr, "--- FAIL: after all tests:", wrong)
		code = 1
	}
	return code
}

// checkAfterAll checks everything that the tests of this process have left behind:
// failed ticks, leaked texts, missing and unused rights, stored answers.
func checkAfterAll(ctx context.Context) (wrong []string) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, err := range failedTicks.all() {
		report("a tick failed: %v", err)
	}
	for _, err := range undocumented.all() {
		report("a reply that the document of the API does not have: %v", err)
	}
	found, err := searchStack(ctx, forbiddenTexts)
	if err != nil {
		report("%v", err)
	}
	for _, f := range found {
		report("%s", f)
	}
	lines, err := stack.Logs(ctx)
	if err != nil {
		report("%v", err)
	}
	for _, line := range denials(lines) {
		report("a function lacks a right: %s", line)
	}
	if n, err := stack.AnswersLeft(ctx); err != nil || n > 0 {
		report("%d parts of answers are left, %v", n, err)
	}
	if flag.Lookup("test.run").Value.String() == "" { // only some of the tests do not use everything
		for _, right := range unused(report) {
			report("the right %v was not used: remove it, or test what needs it", right)
		}
	}
	return wrong
}

// unused are the rights of the template that no function has used.
func unused(report func(string, ...any)) []template.Right {
	rights, err := template.Rights()
	if err != nil {
		report("%v", err)
	}
	left, err := stack.UnusedRights(rights)
	if err != nil {
		report("%v", err)
	}
	return slices.DeleteFunc(left, template.Right.UsedByAWSOnly)
}

const tickEvery = 300 * time.Millisecond

// pauseSchedule lets no tick begin until the end of the test, which may tick by
// itself.
func pauseSchedule(t *testing.T) { t.Cleanup(schedule.Pause()) }

// errorList collects errors.
type errorList struct {
	mu   sync.Mutex
	list []error
}

func (e *errorList) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, err)
}

func (e *errorList) all() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// answersOf are the stored parts of answers for one registry.
func answersOf(ctx context.Context, registry string) ([]seeding.AnswerPart, error) {
	var all []seeding.AnswerPart
	after := ""
	for {
		ref, found, err := store.NextAnswer(ctx, registry, after)
		if err != nil || !found {
			return all, err
		}
		for content, more := "", true; more; {
			var parts []seeding.AnswerPart
			if parts, more, err = store.AnswerParts(ctx, registry, ref.Batch, content); err != nil {
				return nil, err
			}
			if len(parts) > 0 {
				content = parts[0].Content
			}
			all = append(all, parts...)
		}
		after = ref.Batch
	}
}
