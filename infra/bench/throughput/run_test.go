package throughput

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

const (
	// The servers have their real paces, but for so little that what they do does
	// not end at the same moment as a wait of the functions. What happens at one
	// moment of a bubble happens in an order by chance, and a run would not be the
	// same every time. Run.moment is there for the same reason.
	mtsPace, registryPace = 1.0000137, 1.0000171
	// processors are those of each replica of MTS.
	processors = 4
	// minute is the interval of the schedules.
	minute = time.Minute
	// sampling is the interval between two samples.
	sampling = 5 * time.Second
	// longestCall is how long the servers may be at work on a call whose caller has
	// ended; the bubble must not end before.
	longestCall = 5 * time.Minute
	// several times the limit of a whole run are enough for its beginning.
	several = 3
	// longest is how long a run may take; then it is given up.
	longest = 6 * time.Hour
)

// measure makes a run in a bubble of its own.
func measure(t *testing.T, r Run) (result Result, err error) {
	synctest.Test(t, func(t *testing.T) {
		var w *world
		if w, err = newWorld(t, r); err == nil {
			result, err = w.run()
		}
	})
	return result, err
}

// world is the servers and the functions of one run.
type world struct {
	Run
	inprocess.Functions
	mts       *mtssim.Server
	connector seeding.Connector
	invoker   *inprocess.Invoker
	progress  *progress
	ctx       context.Context // of the functions
	end       context.CancelFunc
	failure   chan error // the first error of a function
	meter     *dynamotest.Meter
	callbacks atomic.Int64
	sent      counting // bytes
	logged    counting
	cpu       time.Duration // before the run
}

func newWorld(t *testing.T, r Run) (*world, error) {
	w := &world{Run: r, failure: make(chan error, 1)}
	w.ctx, w.end = context.WithCancel(t.Context())
	w.progress = &progress{
		began: time.Now(), all: r.Registrants, warmed: r.Warmed, moment: r.moment, complete: make(chan struct{}), asked: map[string]bool{},
	}
	database, network := memory.New(), inprocess.Memory{}
	tables, err := inprocess.CreateTables(t.Context(), database)
	if err != nil {
		return nil, err
	}
	var client dynamo.Client = database
	if r.Metered {
		w.meter = &dynamotest.Meter{}
		client = dynamodb.New(database.SDK().Options(), w.meter.Options)
	}
	store := seedingdb.New(client, tables.Connectors, tables.Answers)
	times := seeding.DefaultTimes()
	times.TickLimit = time.Millisecond // the only connector waits for nobody, and no function dies
	w.mts = mtssim.New(mtssim.Options{
		Pace: mtsPace, IdentityLatency: r.Latency, Workers: r.Workers / r.Replicas, Replicas: r.Replicas, Processors: processors,
		Expiry: r.CleanUp, CleanupInterval: r.CleanUp, Dial: network.Dial, Identify: w.progress.identify,
	})
	registry := odoosim.New(odoosim.Options{Pace: registryPace})
	populate(registry, r.Registrants)

	calls := &http.Client{Transport: counted{network, &w.sent}}
	w.invoker = inprocess.NewInvoker(inprocess.SystemClock{}, w.failed)
	w.invoker.Context = func(context.Context, string) context.Context { return w.ctx }
	w.Functions = inprocess.Wire(inprocess.Surroundings{
		Store: store, Inbox: seedingdb.NewInbox(client, tables.Answers), Stream: w.invoker.InvokePatch,
		MTS: apart{mts.New(calls, time.Now), w.moment}, Calls: calls, Invoker: w.invoker, Meter: w.progress,
		Clock: inprocess.SystemClock{}, Times: times, Log: w.log(),
	})
	if r.Fixed != (Fixed{}) {
		pace := fixed(r.Fixed)
		pace.PerRecord += time.Duration(r.Width) * r.Latency // deadlines reckon with the time per record
		constant := constant{store, pace}
		w.Submitter.Store, w.Patcher.Store, w.Reconciler.Store = constant, constant, constant
	}
	w.Submitter.NewID, w.Patcher.NewID = numbers(), numbers()
	w.Submitter.CallbackBase = network.Serve("callback", http.HandlerFunc(func(reply http.ResponseWriter, r *http.Request) {
		w.callbacks.Add(1)
		w.Callback.ServeHTTP(reply, r)
	}))
	w.connector = inprocess.Connector("bench", network.Serve("mts", w.mts), network.Serve("registry", registry), time.Now())
	if r.Maximum > 0 {
		w.connector.MTS.WidthMaximum = r.Maximum
	}
	if err := store.CreateConnector(t.Context(), w.connector); err != nil {
		return nil, err
	}
	if r.Found {
		if err := store.SavePace(t.Context(), w.connector.MTSKey(), seeding.Pace{}, found(r.Conditions)); err != nil {
			return nil, err
		}
	}
	w.cpu = cpu()
	return w, store.SetStatus(t.Context(), w.connector.ID, seeding.Running, time.Now())
}

// run lets time pass until everybody has a token, or the run is given up.
func (w *world) run() (Result, error) {
	err := w.drive()
	w.end()
	w.mts.Close()
	w.invoker.Wait()
	result := Result{Times: w.progress.times(), Sent: w.mts.Counters().RecordsReceived, Samples: w.progress.samples, Consumed: w.consumed()}
	time.Sleep(longestCall)
	return result, err
}

func (w *world) consumed() Consumed {
	if w.meter == nil {
		return Consumed{}
	}
	units := w.meter.Total()
	return Consumed{
		Reads: units.Reads, Writes: units.Writes,
		Submits: w.invoker.Count("submit"), Submitting: w.invoker.Spent("submit"),
		Patches: w.invoker.Count("patch"), Patching: w.invoker.Spent("patch"),
		Callbacks: int(w.callbacks.Load()), CPU: cpu() - w.cpu,
		SentBytes: w.sent.Load(), LoggedBytes: w.logged.Load(),
	}
}

// log of a metered run is counted, with its metrics; others have none.
func (w *world) log() *slog.Logger {
	if !w.Metered {
		return slog.New(slog.DiscardHandler)
	}
	w.progress.lines = function.Meter{Out: &w.logged, Stack: "mts-connector", Now: time.Now}
	return function.Log(&w.logged)
}

// counting counts what is written.
type counting struct{ atomic.Int64 }

func (c *counting) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	return len(p), nil
}

// counted is a transport whose requests are counted. Their headers, and the
// encryption, are taken as 500 bytes.
type counted struct {
	http.RoundTripper
	bytes *counting
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.bytes.Add(max(0, r.ContentLength) + 500)
	return c.RoundTripper.RoundTrip(r)
}

// cpu is the processor time of the process.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// found is the pace of an MTS that was measured for long.
func found(c Conditions) seeding.Pace {
	single := process + post + c.Latency
	return seeding.Pace{
		Size: 1000, Proved: 1000, Single: single, Interval: single / time.Duration(c.Workers), PerRecord: single,
	}
}

func (w *world) drive() error {
	for range longest / minute {
		if err := errors.Join(w.Submitter.Tick(w.ctx), w.Reconciler.Tick(w.ctx)); err != nil {
			return err
		}
		for range minute / sampling {
			select {
			case <-w.progress.complete:
				return nil
			case err := <-w.failure:
				return fmt.Errorf("a function failed: %w", err)
			case <-time.After(sampling):
			}
			if w.progress.hopeless(w.Limit) {
				return nil
			}
			if w.Sampled {
				if err := w.sample(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// failed keeps the first error of a function.
func (w *world) failed(err error) {
	select {
	case w.failure <- err:
	default:
	}
}

func (w *world) sample() error {
	open, err := w.Submitter.Store.OpenBatches(w.ctx, w.connector.RegistryKey())
	if err != nil {
		return err
	}
	state, err := w.Submitter.Store.MTSState(w.ctx, w.connector.MTSKey())
	if err != nil {
		return err
	}
	w.progress.sample(len(open), state.Batch(w.connector.MTS.BatchMaximum))
	return nil
}

// numbers makes ids that are the same in every run.
func numbers() (next func() string) {
	var last atomic.Int64
	return func() string { return fmt.Sprintf("%012d", last.Add(1)) }
}

// populate adds registrants who all get a token.
func populate(registry *odoosim.Server, registrants int) {
	for n := range int64(registrants) {
		// One name for all of a page would be taken for a placeholder.
		given := fmt.Sprintf("Jo%06d", n)
		id := registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, " + strings.ToUpper(given), GivenName: given, FamilyName: "Doe", Gender: "Female", Birthdate: "1990-02-03", Address: "1 Long Street\nQuezon City",
		})
		registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(n, 1, odoosim.Normal)})
	}
}

// apart is an MTS whose POSTs come each at a moment of its own.
type apart struct {
	seeding.MTS
	moment func(of string) time.Duration
}

// Submit implements seeding.MTS.
func (a apart) Submit(ctx context.Context, r seeding.Request) (string, error) {
	time.Sleep(a.moment(r.CallbackURL)) // which names the batch
	return a.MTS.Submit(ctx, r)
}

// moment is a time far below a millisecond, another one for each text and chance.
func (r Run) moment(of string) time.Duration {
	hash := fnv.New32a()
	_, _ = fmt.Fprint(hash, r.Chance, of)
	return time.Duration(hash.Sum32() % 10_007)
}

// constant is a store in which an MTS has always the same pace.
type constant struct {
	*seedingdb.Store
	pace seeding.Pace
}

// fixed is the pace of an MTS of which everything is known. It is the one place
// that knows how a pace says its width.
func fixed(f Fixed) seeding.Pace {
	workers := 1000 // more than may be under way: whatever is free is sent at once
	if f.Waves {
		workers = (f.Width + 1) / 2 // each has a batch at work and one that waits
	}
	return seeding.Pace{
		Size: f.Size, Proved: f.Size, PerRecord: time.Duration(f.Width) * seeding.DefaultTimes().RecordFirst,
		Single: time.Duration(workers) * time.Millisecond, Interval: time.Millisecond, Limit: f.Width,
	}
}

func (c constant) MTSState(ctx context.Context, key string) (seeding.MTSState, error) {
	state, err := c.Store.MTSState(ctx, key)
	state.Pace = c.pace
	return state, err
}

// SavePace forgets the pace.
func (constant) SavePace(context.Context, string, seeding.Pace, seeding.Pace) error { return nil }

// progress sees when the identity system is asked about registrants and when they
// get their tokens. It is the meter of the functions.
type progress struct {
	began       time.Time
	all, warmed int
	moment      func(of string) time.Duration
	complete    chan struct{}  // is closed with the last token
	lines       function.Meter // of a metered run

	mu        sync.Mutex
	asked     map[string]bool // VIDs
	tokenised int
	rest      time.Time // since when the first were asked about
	last      time.Time // of all tokens
	samples   []Sample
}

// identify is the identity system.
func (p *progress) identify(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
	time.Sleep(p.moment(a.VID))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[a.VID] = true
	if p.rest.IsZero() && len(p.asked) == p.warmed {
		p.rest = time.Now()
	}
	return mtssim.Rules(ctx, a)
}

// Measure implements seeding.Meter.
func (p *progress) Measure(m seeding.Metric, value float64, kind string) {
	if p.lines.Out != nil {
		p.lines.Measure(m, value, kind)
	}
	if m != seeding.MetricTokenised {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokenised += int(value)
	if p.last.IsZero() && p.tokenised >= p.all {
		p.last = time.Now()
		close(p.complete)
	}
}

// times are those of the run; they are zero while it has not ended.
func (p *progress) times() Times {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		return Times{}
	}
	return Times{p.last.Sub(p.began), p.last.Sub(p.rest)}
}

// hopeless reports whether the run is to be given up. So is also one that has not
// begun with its rest after several times the limit of the whole run, though its
// rest could still be fast: with a fixed width and size it never is.
func (p *progress) hopeless(limit Times) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := time.Since(p.began)
	if p.rest.IsZero() {
		return limit.Whole > 0 && whole > several*limit.Whole
	}
	return Times{whole, time.Since(p.rest)}.exceeds(limit)
}

func (p *progress) sample(open, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, Sample{time.Since(p.began), open, size, p.tokenised})
}
