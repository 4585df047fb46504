// Package system_test runs the wired functions in one process: the real stores
// on DynamoDB in memory (some runs on DynamoDB Local), the real clients against
// the two simulators over HTTP, and a clock that moves only when somebody waits. What it proves are invariants of
// whole runs.
package system_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/patch"
	"openg2p.org/mts-connector/shared/seeding/reconcile"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// world is everything that takes part in a run.
type world struct {
	*testing.T
	clock    *clock
	registry *odoosim.Server
	seeder   *mtssim.Server
	odooURL  string
	mtsURL   string
	baseURL  string

	client    dynamo.Client // which no trouble reaches
	tables    inprocess.Tables
	store     *seedingdb.Store
	calls     *http.Client
	log       *bytes.Buffer
	logger    *slog.Logger
	submitter *submit.Submitter
	patcher   *patch.Patcher
	reconcile *reconcile.Reconciler

	before       map[int64]string       // VIDs at the start, for tests of changes
	faults       *faults                // crash points, if there are any
	kinds        map[int64]odoosim.Kind // of registrants that were populated
	metricsMu    sync.Mutex
	sums         map[string]float64
	gauges       map[string]float64
	touched      map[int64]bool
	heldBefore   map[int64]string // tokens in the registry before the first connector
	streamOff    atomic.Bool      // the doorbell of the answers table
	running      atomic.Int64     // functions under way
	failures     chan error
	onPut        func(*http.Request)                           // sees every callback before the inbox
	hold         func(r *http.Request, body []byte) bool       // keeps a callback from the inbox
	last         atomic.Pointer[heldCallback]                  // the last of the largest callbacks
	mtsFront     func(http.ResponseWriter, *http.Request) bool // answers in the place of MTS
	appointments []appointment
	throttled    atomic.Bool // DynamoDB
	mtsDown      atomic.Bool
	hangs        atomic.Bool         // the identity system behind MTS, until MTS is restarted
	strikes      atomic.Int64        // of trouble, see struck
	noPassword   atomic.Bool         // Secrets Manager has lost the registry's
	onStore      func(method string) // sees what the store is about to read, or to do in a transaction
}

type options struct {
	faults   *faults // crash points in all that writes
	password func(context.Context, seeding.Connector) (string, error)
	unruly   bool // with a database that can be made to behave badly
	local    bool // on DynamoDB Local, and not in memory
	mts      mtssim.Options
	odoo     odoosim.Options
	times    seeding.Times
	// virtual is for a test in a synctest bubble, whose time is then the clock: a
	// run at the pace of the real MTS takes no longer than its work, and a slow
	// machine does not make MTS forget sooner. Nobody there may wait for the
	// network, so the simulators are reached in memory.
	virtual bool
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	if o.times == (seeding.Times{}) {
		o.times = seeding.DefaultTimes()
	}
	w := &world{T: t, failures: make(chan error, 1000), log: &bytes.Buffer{}, sums: map[string]float64{}, gauges: map[string]float64{}}
	w.clock = &clock{now: time.Now().UTC().Truncate(time.Millisecond), world: w, virtual: o.virtual}
	w.logger = function.Log(&lockedWriter{w: w.log})

	network := handlers{}
	serve := func(name string, h http.Handler) string {
		if o.virtual {
			return network.serve(name, h)
		}
		return serve(t, h)
	}
	if o.virtual {
		o.mts.Dial = network.dial
	}
	if o.mts.Identify == nil {
		o.mts.Identify = func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
			if w.hangs.Load() {
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Second): // a test that never restarts MTS is to fail, not to hang
					w.hangs.Store(false)
				}
			}
			return mtssim.Rules(ctx, a)
		}
	}
	w.seeder = mtssim.New(o.mts)
	w.registry = odoosim.New(o.odoo)
	w.odooURL = serve("registry", w.registry)
	w.mtsURL = serve("mts", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.mtsFront != nil && w.mtsFront(rw, r) {
			return
		}
		if w.mtsDown.Load() { // something else answers there
			http.NotFound(rw, r)
			return
		}
		w.seeder.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.seeder.Close)

	w.faults = o.faults
	database := w.openDatabase(o)
	w.store = seedingdb.New(watched{database, w}, w.tables.Connectors, w.tables.Answers)
	w.calls = outgoing.New(outgoing.Options{
		AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RetryWait: time.Millisecond,
	})

	if o.virtual {
		w.calls = &http.Client{Transport: network}
	}

	if w.faults != nil {
		w.calls.Transport = wire{w.calls.Transport, w.faults}
	}

	if o.password == nil {
		o.password = func(context.Context, seeding.Connector) (string, error) {
			if w.noPassword.Load() {
				return "", seeding.ErrNotFound
			}
			return "admin", nil
		}
	}
	functions := inprocess.Wire(inprocess.Surroundings{
		Store: w.store, Inbox: seedingdb.NewInbox(database, w.tables.Answers), Stream: w.stream, Seeder: mts.New(w.calls, w.clock.Now), Calls: w.calls, Password: o.password, Invoker: invoker{w},
		Meter: w, Clock: w.clock, Times: o.times, Log: w.logger,
	})
	w.submitter, w.patcher, w.reconcile = functions.Submitter, functions.Patcher, functions.Reconciler
	w.baseURL = serve("callback", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.onPut != nil {
			w.onPut(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || w.hold != nil && w.hold(r, body) {
			return
		}
		if last := w.last.Load(); last == nil || len(body) >= len(last.body) {
			w.last.Store(&heldCallback{r.URL.Path, r.Header.Get("Authorization"), body})
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		functions.Callback.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), invocationKey{}, &invocation{function: "callback"})))
	}))
	w.submitter.CallbackBase = w.baseURL
	t.Cleanup(func() {
		w.idle()
		if t.Failed() {
			t.Logf("log:\n%s", tail(w.log.String(), 60))
		}
	})
	return w
}

// openDatabase creates the tables, in memory or on DynamoDB Local, and returns what
// the functions see of them.
func (w *world) openDatabase(o options) dynamo.Client {
	w.Helper()
	inMemory := memory.New()
	var tables inprocess.TableMaker = inMemory
	w.client = inMemory
	sdk := inMemory.SDK
	if o.local {
		server, err := dynamolocal.Shared()
		if err != nil {
			w.Fatal(err)
		}
		tables, w.client, sdk = server.Client(), server.Client(), server.Client
	}
	var err error
	if w.tables, err = inprocess.CreateTables(w.Context(), tables); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.tables.Drop(w.Context(), tables) })
	switch {
	case o.unruly:
		return dynamodb.New(sdk().Options(), func(o *dynamodb.Options) {
			o.HTTPClient = &unruly{HTTPClient: o.HTTPClient, world: w}
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 5 * time.Millisecond })
		})
	case o.faults != nil:
		return crashing{w.client, o.faults}
	}
	return w.client
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func (w *world) stream(ctx context.Context, registry string) error {
	if w.streamOff.Load() {
		return nil
	}
	return invoker{w}.InvokePatch(ctx, registry)
}

// watched is the store's client where a test can do something just before a
// method of the store.
type watched struct {
	dynamo.Client
	world *world
}

func (d watched) tell() {
	if d.world.onStore != nil {
		d.world.onStore(storeMethod())
	}
}

func (d watched) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	d.tell()
	return d.Client.GetItem(ctx, in, o...)
}

func (d watched) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	d.tell()
	return d.Client.Query(ctx, in, o...)
}

func (d watched) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	d.tell()
	return d.Client.TransactWriteItems(ctx, in, o...)
}

// invoker starts functions as the asynchronous invoke does.
type invoker struct{ *world }

func (i invoker) InvokeSubmit(_ context.Context, connector string) error {
	i.start("submit", func(ctx context.Context) error {
		return i.submitter.Work(ctx, connector, i.clock.Now().Add(895*time.Second))
	})
	return nil
}

func (i invoker) InvokePatch(_ context.Context, registry string) error {
	i.start("patch", func(ctx context.Context) error { return i.patcher.Patch(ctx, registry) })
	return nil
}

func (w *world) start(function string, f func(context.Context) error) {
	w.clock.enter()
	w.running.Add(1)
	go func() {
		defer w.running.Add(-1)
		defer w.clock.leave()
		if err := f(context.WithValue(context.Background(), invocationKey{}, &invocation{function: function})); err != nil {
			w.failures <- err
		}
	}()
}

// idle waits until no function is under way.
func (w *world) idle() {
	for w.running.Load() > 0 {
		time.Sleep(200 * time.Microsecond)
	}
}

// clock moves when everybody who works is waiting for it, and MTS has nothing
// to do. A run so takes no longer than its work, whatever it waits for.
type clock struct {
	world   *world
	virtual bool

	mu      sync.Mutex
	now     time.Time     // only moves forward
	skew    time.Duration // by which the clock on the wall jumped
	working int           // functions under way that are not asleep
}

func (c *clock) Now() time.Time {
	if c.virtual {
		return time.Now().UTC()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Add(c.skew)
}

// jump sets the clock on the wall: no time passes, and nobody sleeps longer.
func (c *clock) jump(d time.Duration) { c.mu.Lock(); c.skew += d; c.mu.Unlock() }

func (c *clock) enter() { c.mu.Lock(); c.working++; c.mu.Unlock() }
func (c *clock) leave() { c.mu.Lock(); c.working--; c.mu.Unlock() }

// Sleep lets d pass once everything else stands still.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.virtual {
		return function.Clock{}.Sleep(ctx, d)
	}
	c.mu.Lock()
	until := c.now.Add(d)
	c.mu.Unlock()
	c.leave()
	defer c.enter()
	for patience := 0; ; patience++ {
		c.mu.Lock()
		if !c.now.Before(until) {
			c.mu.Unlock()
			return ctx.Err()
		}
		// MTS may be made to hang; nobody waits for it longer than two seconds.
		if c.working == 0 && (c.world.seeder.Open() == 0 || patience > 4000) {
			c.now = until
			c.mu.Unlock()
			return ctx.Err()
		}
		c.mu.Unlock()
		time.Sleep(500 * time.Microsecond)
	}
}

func (c *clock) advance(d time.Duration) {
	if c.virtual {
		time.Sleep(d)
		return
	}
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// tick is one minute of the schedules, and all that follows from it.
func (w *world) tick() {
	if err := w.submitter.Tick(w.Context()); err != nil {
		w.failures <- fmt.Errorf("submit: %w", err)
	}
	w.idle()
	if err := w.reconcile.Tick(context.WithValue(w.Context(), invocationKey{}, &invocation{function: "reconcile"})); err != nil {
		w.failures <- fmt.Errorf("reconcile: %w", err)
	}
	w.idle()
	w.clock.advance(time.Minute)
}

// minute is tick where functions under way go on meanwhile.
func (w *world) minute() {
	w.Helper()
	if err := errors.Join(w.submitter.Tick(w.Context()), w.reconcile.Tick(w.Context())); err != nil {
		w.Fatal(err)
	}
	w.clock.advance(time.Minute)
}

// Measure keeps what the functions measure: sums of counts, last value of gauges.
func (w *world) Measure(m seeding.Metric, value float64, kind string) {
	w.metricsMu.Lock()
	defer w.metricsMu.Unlock()
	name := string(m)
	if kind != "" {
		name += " " + kind
	}
	w.sums[name] += value
	w.gauges[name] = value
}

// heldCallback is a callback that can be delivered again.
type heldCallback struct {
	path, bearer string
	body         []byte
}

// holdFirst keeps the first callback from the inbox, to be delivered later.
func (w *world) holdFirst() *atomic.Pointer[heldCallback] {
	var held atomic.Pointer[heldCallback]
	w.hold = func(r *http.Request, body []byte) bool {
		return held.CompareAndSwap(nil, &heldCallback{r.URL.Path, r.Header.Get("Authorization"), body})
	}
	return &held
}

// holdAll keeps every callback from the inbox; what it returns are those so far,
// in the order in which they came.
func (w *world) holdAll() func() []*heldCallback {
	var mu sync.Mutex
	var held []*heldCallback
	w.hold = func(r *http.Request, body []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, &heldCallback{r.URL.Path, r.Header.Get("Authorization"), body})
		return true
	}
	return func() []*heldCallback {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(held)
	}
}

func (w *world) deliver(c *heldCallback, body string) int {
	w.Helper()
	status := w.post(c, body)
	w.idle()
	return status
}

// post delivers a callback, and waits for nothing that follows from it.
func (w *world) post(c *heldCallback, body string) int {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.baseURL+c.path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", c.bearer)
	client := http.DefaultClient
	if w.clock.virtual {
		client = w.calls
	}
	response, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// repeatLast delivers a part of the last callback again: another content, late.
func (w *world) repeatLast() {
	w.Helper()
	last := w.last.Load()
	var rows []json.RawMessage
	if err := json.Unmarshal(last.body, &rows); err != nil {
		w.Fatal(err)
	}
	half, err := json.Marshal(rows[:(len(rows)+1)/2])
	if err != nil {
		w.Fatal(err)
	}
	expect(w.T, "status of a repeated callback", w.deliver(last, string(half)), http.StatusOK)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// connector creates and starts a connector on the two simulators, as the API
// would; change alters it first.
func (w *world) connector(change func(*seeding.Connector)) seeding.Connector {
	w.Helper()
	c := inprocess.Connector("test", w.mtsURL, w.odooURL, w.clock.Now())
	if change != nil {
		change(&c)
	}
	w.noteHeld()
	if err := w.store.CreateConnector(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	if err := w.store.SetStatus(w.Context(), c.ID, seeding.Running, w.clock.Now()); err != nil {
		w.Fatal(err)
	}
	return c
}

// noteHeld keeps which tokens are in the registry before the first connector.
func (w *world) noteHeld() {
	if w.heldBefore != nil {
		return
	}
	w.heldBefore = map[int64]string{}
	for id, identifiers := range w.registry.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.TokenType {
				w.heldBefore[id] = i.Value
			}
		}
	}
}
