// Package system_test runs the wired functions in one process: the real stores
// on DynamoDB in memory or DynamoDB Local, the real clients against the two
// simulators over HTTP, and a clock that moves only when somebody waits. What it
// proves are invariants of whole runs.
package system_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/inquire"
	"openg2p.org/mts-connector/shared/seeding/patch"
	"openg2p.org/mts-connector/shared/seeding/reconcile"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// world is everything that takes part in a run: the servers, the functions and
// what they stand on, and what a test lets go wrong.
type world struct {
	*testing.T

	// The servers.
	network                          inprocess.Network
	registry                         *odoosim.Server
	mts                              *mtssim.Server
	central                          *centralsim.Server // with options.odk
	form                             *centralsim.Form
	registryURL, mtsURL, callbackURL string
	centralURL                       string
	kinds                            map[int64]odoosim.Kind // of registrants that were populated
	start                            invariants.Registry    // at the start, for tests that look at it later

	// The functions.
	submitter  *submit.Submitter
	desk       *inquire.Desk
	patcher    *patch.Patcher
	reconciler *reconcile.Reconciler
	callback   http.Handler

	// What the functions stand on.
	clock    inprocess.Clock
	client   dynamo.Client // which no trouble reaches
	tables   inprocess.Tables
	store    *seedingdb.Store
	calls    *http.Client // to the servers
	invoker  *inprocess.Invoker
	metrics  *inprocess.Metrics
	log      *inprocess.Log
	failures chan error // of functions

	trouble
	callbacks
	centralCalls
}

// trouble is what goes wrong in a world.
type trouble struct {
	faults          *faults                                       // crash points, if there are any
	streamOff       atomic.Bool                                   // the stream of the answers table invokes nobody
	databaseBusy    atomic.Bool                                   // see options
	mtsDown         atomic.Bool                                   // something else answers in the place of MTS
	interceptMTS    func(http.ResponseWriter, *http.Request) bool // answers in the place of MTS, if it reports true
	identityHangs   atomic.Bool                                   // the identity system behind MTS, until MTS is restarted
	passwordLost    atomic.Bool                                   // Secrets Manager has lost that of the registry
	onStore         func(method string)                           // is called with what the store is about to read, or to do in a transaction
	onWrite         func(...map[string]types.AttributeValue)      // is called with what the store is about to write
	planned         []plannedChange                               // see later
	came            atomic.Int64                                  // how often trouble came, see troubleCame
	changedByOthers map[int64]bool                                // registrants that somebody else changes; tests check them by themselves
}

type options struct {
	faults    *faults                 // crash points in all that writes
	inquiries *secrets.InquirySecrets // what inquiries need in secret
	password  func(context.Context, seeding.Connector) (string, error)
	// odkPassword is the one to ODK Central; nil is the simulator's at first.
	odkPassword func(context.Context, seeding.Connector) (string, error)
	// busyDatabase is for a test that makes DynamoDB throttle.
	busyDatabase bool
	local        bool // on DynamoDB Local, and not in memory
	odk          bool // with an ODK Central, and the identifier type of submissions
	mts          mtssim.Options
	odoo         odoosim.Options
	times        seeding.Times
	callback     func(context.Context, seeding.Connector) (seeding.CallbackSecrets, error) // secrets of direct callbacks
	// virtual is for a test in a synctest bubble, whose time is then the clock: a
	// run at the pace of the real MTS takes no longer than its work, and a slow
	// machine does not make MTS forget sooner. Nobody there may wait for the
	// network, so the simulators are reached in memory.
	virtual bool
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{T: t, metrics: inprocess.NewMetrics(), log: &inprocess.Log{}, failures: make(chan error, 1000)}
	w.faults = o.faults
	w.startClockAndNetwork(o)
	w.startServers(o)
	w.wire(o, w.openDatabase(o))
	w.callbackURL = w.network.Serve("callback", http.HandlerFunc(w.receive))
	w.submitter.CallbackBase, w.reconciler.CallbackBase = w.callbackURL, w.callbackURL
	t.Cleanup(w.end)
	return w
}

// startClockAndNetwork chooses time and network: those of the bubble, or a clock
// that steps and loopback.
func (w *world) startClockAndNetwork(o options) {
	w.calls = outgoing.New(outgoing.Options{
		AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond,
	})
	w.network = &inprocess.Loopback{}
	w.clock = inprocess.NewSteppedClock(func() bool { return w.mts.Open() > 0 })
	if o.virtual {
		memory := inprocess.Memory{}
		w.network, w.clock, w.calls = memory, inprocess.SystemClock{}, &http.Client{Transport: memory}
	}
	w.Cleanup(w.network.Close)
	if o.faults != nil {
		w.calls.Transport = crashingNetwork{w.calls.Transport, o.faults}
	}
}

// startServers starts the two simulators.
func (w *world) startServers(o options) {
	if memory, virtual := w.network.(inprocess.Memory); virtual {
		o.mts.Dial = memory.Dial
	}
	if o.mts.Identify == nil {
		o.mts.Identify = w.identify
	}
	o.odoo.Submissions = o.odk
	w.mts, w.registry = mtssim.New(o.mts), odoosim.New(o.odoo)
	w.Cleanup(w.mts.Close)
	w.registryURL = w.network.Serve("registry", w.registry)
	w.mtsURL = w.network.Serve("mts", http.HandlerFunc(w.serveMTS))
	if o.odk {
		w.startCentral()
	}
}

// identify is the identity system behind MTS, which may hang.
func (w *world) identify(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
	if w.identityHangs.Load() {
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute): // a test that never restarts MTS is to fail, not to hang
			w.identityHangs.Store(false)
		}
	}
	return mtssim.Rules(ctx, a)
}

func (w *world) serveMTS(rw http.ResponseWriter, r *http.Request) {
	switch {
	case w.interceptMTS != nil && w.interceptMTS(rw, r):
	case w.mtsDown.Load():
		http.NotFound(rw, r)
	default:
		w.mts.ServeHTTP(rw, r)
	}
}

// wire makes the functions, on what they see of the database.
func (w *world) wire(o options, database dynamo.Client) {
	if o.times == (seeding.Times{}) {
		o.times = seeding.DefaultTimes()
		o.times.TickLimit = time.Millisecond // a tick looks once, and whoever calls it waits for no other
	}
	if o.password == nil {
		o.password = w.password
	}
	w.invoker = inprocess.NewInvoker(w.clock, func(err error) { w.failures <- err })
	w.invoker.Context = func(caller context.Context, function string) context.Context {
		return newInvocation(context.WithoutCancel(caller), function)
	}
	w.store = seedingdb.New(watchedDatabase{database, w}, w.tables.Connectors, w.tables.Answers)
	functions := inprocess.Wire(inprocess.Surroundings{
		Store: w.store, Inbox: seedingdb.NewInbox(database, w.tables.Answers), Stream: w.stream,
		MTS: mts.New(w.calls, w.clock.Now), Calls: w.calls, Password: o.password, Inquiries: o.inquiries, Invoker: w.invoker,
		Meter: w.metrics, Clock: w.clock, Times: o.times, Log: function.Log(w.log),
		CallbackSecrets: o.callback, ODKPassword: o.odkPassword,
	})
	w.submitter, w.patcher, w.reconciler, w.callback = functions.Submitter, functions.Patcher, functions.Reconciler, functions.Callback
	w.desk = functions.Desk
}

// password is the one that the simulator of the registry accepts.
func (w *world) password(context.Context, seeding.Connector) (string, error) {
	if w.passwordLost.Load() {
		return "", seeding.ErrNotFound
	}
	return "admin", nil
}

// stream is the stream of the answers table.
func (w *world) stream(ctx context.Context, registry string) error {
	if w.streamOff.Load() {
		return nil
	}
	return w.invoker.InvokePatch(ctx, registry)
}

// end waits for the functions, and logs their last lines if the test failed.
func (w *world) end() {
	w.invoker.Wait()
	if w.Failed() {
		w.Logf("log:\n%s", w.log.Tail(60))
	}
}

// tick is one minute of the schedules, and all that follows from it.
func (w *world) tick() {
	if err := w.submitter.Tick(newInvocation(w.Context(), "tick")); err != nil {
		w.failures <- fmt.Errorf("submit: %w", err)
	}
	w.invoker.Wait()
	if err := w.reconciler.Tick(newInvocation(w.Context(), "reconcile")); err != nil {
		w.failures <- fmt.Errorf("reconcile: %w", err)
	}
	w.invoker.Wait()
	w.clock.Advance(time.Minute)
}

// ticks lets minutes pass.
func (w *world) ticks(n int) {
	w.Helper()
	for range n {
		w.tick()
	}
}

// forgetFailures is for functions that were made to fail.
func (w *world) forgetFailures() {
	for len(w.failures) > 0 {
		<-w.failures
	}
}

// tickWithoutWaiting is tick where functions under way go on meanwhile.
func (w *world) tickWithoutWaiting() {
	w.Helper()
	if err := errors.Join(w.submitter.Tick(w.Context()), w.reconciler.Tick(w.Context())); err != nil {
		w.Fatal(err)
	}
	w.clock.Advance(time.Minute)
}

// jump sets the clock on the wall.
func (w *world) jump(d time.Duration) { w.clock.(*inprocess.SteppedClock).Jump(d) }

// runSubmitter invokes submit for a connector, and waits for all that follows.
func (w *world) runSubmitter(c seeding.Connector) {
	w.Helper()
	if err := w.invoker.InvokeSubmit(w.Context(), c.ID); err != nil {
		w.Fatal(err)
	}
	w.invoker.Wait()
}

// connector creates and starts a connector on the two simulators, as the API
// would; change alters it first.
func (w *world) connector(change func(*seeding.Connector)) seeding.Connector {
	w.Helper()
	c := inprocess.Connector("test", w.mtsURL, w.registryURL, w.clock.Now())
	if change != nil {
		change(&c)
	}
	if err := w.store.CreateConnector(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	w.setStatus(seeding.Running, c)
	return c
}

// change replaces the configuration, as the API would.
func (w *world) change(c seeding.Connector, change func(*seeding.Connector)) seeding.Connector {
	w.Helper()
	change(&c)
	c.Version++
	if err := w.store.ReplaceConnector(w.Context(), c, w.clock.Now()); err != nil {
		w.Fatal(err)
	}
	return c
}

// setStatus starts or stops connectors, as a person would.
func (w *world) setStatus(status seeding.Status, connectors ...seeding.Connector) {
	w.Helper()
	for _, c := range connectors {
		if err := w.store.SetStatus(w.Context(), c.ID, status, w.clock.Now()); err != nil {
			w.Fatal(err)
		}
	}
}

// finish ticks until the runs of the connectors are completed and nothing is under
// way. It fails the test when that takes more than most ticks.
func (w *world) finish(most int, connectors ...seeding.Connector) {
	w.Helper()
	for range most {
		if w.tick(); w.done(connectors...) {
			return
		}
	}
	for _, c := range connectors {
		state, _ := w.store.State(context.Background(), c.ID)
		w.Errorf("%s: %v; due in %v, problems %v", c.ID, w.underWay(c), state.Due.Sub(w.clock.Now()), state.Problems)
	}
	w.Fatalf("not finished after %d ticks", most)
}

// finishNextRun waits until the connectors are due, and finishes that run. A start
// would do without the waiting, but it clears problems.
func (w *world) finishNextRun(most int, connectors ...seeding.Connector) {
	w.Helper()
	for _, c := range connectors {
		w.clock.Advance(max(0, w.state(c).Due.Sub(w.clock.Now())))
	}
	w.finish(most, connectors...)
}
