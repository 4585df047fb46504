package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

// setup is the conditions of one run.
type setup struct {
	pace        float64       // of MTS and registry: 1 is as fast as the real ones, 0 takes no time
	times       seeding.Times // waiting times
	pending     int           // registrants that are to get a token
	registrants int           // of the registry, those included
	faults      mtssim.Faults // of MTS
	limit       time.Duration // of the run; 4 min if it is not set
	// found says that MTS and registry were measured before: the batch size is
	// 1,000, and the registry's speed allows creates of that size.
	found  bool
	format string // the connector's Output Format
	// around is what the functions see of the database; nil is all of it.
	around func(dynamo.Client) dynamo.Client
	// change alters the connector before it is created; nil leaves it.
	change func(*seeding.Connector) error
	// wrong lists what is wrong after the run; nil is violations.
	wrong func(h *harness) []string
}

const batchSize = 1000

// lines of the log that an error shows.
const lines = 40

// harness is the functions in one process: the real stores on DynamoDB Local,
// the real clients against the simulators over HTTP, the system's clock.
type harness struct {
	setup
	registry  *odoosim.Server
	mts       *mtssim.Server
	connector seeding.Connector
	direct    *seedingdb.Store // without a meter
	units     *units
	sent      *recorder

	inprocess.Functions
	invoker   *inprocess.Invoker
	inquiries *secrets.InquirySecrets
	network   inprocess.Loopback

	log     inprocess.Log
	failure chan error // the first error of a function
	tables  inprocess.Tables
	drop    func() // drops the tables
}

func newHarness(ctx context.Context, db *dynamolocal.Server, s setup) (_ *harness, err error) {
	h := &harness{
		setup: s, failure: make(chan error, 1),
		mts: mtssim.New(mtssim.Options{Pace: s.pace}), registry: odoosim.New(odoosim.Options{Pace: s.pace, Submissions: true}),
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	h.mts.SetFaults(s.faults)
	populate(h.registry, s.pending, s.registrants)
	tables, err := inprocess.CreateTables(ctx, db.Client())
	if err != nil {
		return nil, err
	}
	h.tables, h.drop = tables, func() { tables.Drop(ctx, db.Client()) }
	h.direct, h.units = seedingdb.New(db.Client(), tables.Connectors, tables.Answers), newUnits(db)
	var seen dynamo.Client = h.units
	if s.around != nil {
		seen = s.around(seen)
	}
	h.connect(seedingdb.New(seen, tables.Connectors, tables.Answers), seedingdb.NewInbox(h.units, tables.Answers))
	return h, h.prepare(ctx)
}

func (h *harness) connect(store *seedingdb.Store, inbox seeding.AnswerInbox) {
	calls := loopback()
	h.invoker = inprocess.NewInvoker(inprocess.SystemClock{}, h.ended)
	h.sent = &recorder{MTS: mts.New(calls, time.Now)}
	h.inquiries = secrets.Inquiries(secretstest.New(), "inquiries/")
	h.Functions = inprocess.Wire(inprocess.Surroundings{
		Store: store, Inquiries: h.inquiries, Inbox: inbox, Stream: h.invoker.InvokePatch, MTS: h.sent, Calls: calls, Invoker: h.invoker,
		Meter: function.Meter{Out: io.Discard, Now: time.Now}, // nobody reads it
		Clock: function.Clock{}, Times: h.times, Log: function.Log(&h.log),
	})
	h.Submitter.CallbackBase = h.network.Serve("callback", h.Callback)
	h.connector = inprocess.Connector("bench", h.network.Serve("mts", h.mts), h.network.Serve("registry", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.registry.ServeHTTP(w, r)
	})), time.Now().UTC())
	h.connector.Output.Format = h.format
}

// prepare creates the connector, and with found the measurements of earlier runs.
func (h *harness) prepare(ctx context.Context) error {
	if h.change != nil {
		if err := h.change(&h.connector); err != nil {
			return err
		}
	}
	c, now := h.connector, time.Now()
	if err := h.direct.CreateConnector(ctx, c); err != nil || !h.found {
		return err
	}
	if err := h.direct.SavePace(ctx, c.MTSKey(), seeding.Pace{}, seeding.Pace{Size: batchSize, Proved: batchSize}); err != nil {
		return err
	}
	state, err := h.direct.TakePatch(ctx, c.RegistryKey(), "bench", now, now.Add(time.Minute))
	if err != nil {
		return err
	}
	state.Patch.Until, state.Create = now, time.Millisecond
	return h.direct.LeavePatch(ctx, state)
}

// run starts the connector and returns how long its run takes, by the run's own account:
// when the harness notices that nothing is under way depends on its ticks. It is an error
// if a registrant has no token, or a VID is left.
func (h *harness) run(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(h.limit, 4*time.Minute))
	defer cancel()
	before, started := h.now(), time.Now()
	if err := h.direct.SetStatus(ctx, h.connector.ID, seeding.Running, started); err != nil {
		return 0, err
	}
	if err := h.drive(ctx); err != nil {
		return 0, fmt.Errorf("%w; the end of the log:\n%s", err, h.log.Tail(lines))
	}
	h.invoker.Wait()
	wrong := h.violations(before)
	if h.wrong != nil {
		wrong = h.wrong(h)
	}
	if len(wrong) > 0 {
		return 0, fmt.Errorf("after the run: %s; the end of the log:\n%s", strings.Join(wrong[:min(5, len(wrong))], "; "), h.log.Tail(lines))
	}
	runs, _, err := h.direct.ListRuns(ctx, h.connector.ID, "", 1)
	if err != nil || len(runs) == 0 {
		return 0, fmt.Errorf("no run was made: %w", err)
	}
	return runs[0].Completed.Sub(started), nil
}

func (h *harness) now() invariants.Registry { return invariants.RegistryOf(h.registry.Snapshot()) }

// violations lists what is wrong after a run, in which everybody gets a token.
func (h *harness) violations(before invariants.Registry) []string {
	now := h.now()
	everybody := odoosim.Expectation{Registrants: h.registrants, Tokens: h.registrants}
	return append(invariants.Words(invariants.Identifiers(now, before)), invariants.Differences(invariants.Counts(now, everybody))...)
}

// drive ticks every second, instead of every minute, until nothing is under way.
func (h *harness) drive(ctx context.Context) error {
	tick, look := time.NewTicker(time.Second), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	defer look.Stop()
	ticks := func() error { return errors.Join(h.Submitter.Tick(ctx), h.Reconciler.Tick(ctx)) }
	if err := ticks(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the run does not end: %w", ctx.Err())
		case err := <-h.failure:
			return fmt.Errorf("a function failed: %w", err)
		case <-tick.C:
			if err := ticks(); err != nil {
				return err
			}
		case <-look.C:
			left, err := waiting.UnderWay(ctx, h.direct, h.connector.ID, h.connector.RegistryKey(), time.Now())
			if len(left) == 0 || err != nil {
				return err
			}
		}
	}
}

// ended keeps the error of an invocation.
func (h *harness) ended(err error) {
	select {
	case h.failure <- err:
	default: // the first is enough
	}
}

func (h *harness) close() {
	h.mts.Close()
	h.network.Close()
	if h.drop != nil {
		h.drop()
	}
}

// recorder keeps the requests, which are later submitted back to back.
type recorder struct {
	seeding.MTS
	mu          sync.Mutex
	submissions []seeding.Request
}

func (r *recorder) Submit(ctx context.Context, s seeding.Request) (string, error) {
	r.mu.Lock()
	r.submissions = append(r.submissions, s)
	r.mu.Unlock()
	return r.MTS.Submit(ctx, s)
}

// last is the number of records in the last batch.
func (r *recorder) last() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.submissions) == 0 {
		return 0
	}
	return len(r.submissions[len(r.submissions)-1].Records)
}

func loopback() *http.Client {
	return outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true})
}

// populate makes a registry in which the pending registrants are scattered among
// others who hold a token. Half of all have another identifier too. It is the
// same every time.
func populate(registry *odoosim.Server, pending, registrants int) {
	random := rand.New(rand.NewPCG(1, 2))
	for left := registrants; left > 0; left-- {
		number := int64(registrants - left)
		id := registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", number), Gender: "Female", Birthdate: "1990-02-03",
			Address: fmt.Sprintf("%d Long Street\nQuezon City", number), Email: fmt.Sprintf("jo%d@example.org", number), Phone: "+15550100",
		})
		if random.IntN(2) == 0 {
			registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.NationalType, Value: fmt.Sprintf("N%09d", number)})
		}
		if random.IntN(left) < pending {
			pending--
			registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(number, 1, odoosim.Normal)})
		} else {
			registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: fmt.Sprintf("9%035d", number)})
		}
	}
}
