package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/reconcile"
)

// reconcile compares the reads of a tick with 10,000 closed batches and with none.
func (m *measurer) reconcile(ctx context.Context, r *report) error {
	const open, closed = 20, 10_000
	m.say("reconciling %d open batches beside no closed ones and beside %d", open, closed)
	alone, err := m.tickReads(ctx, open, 0)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	beside, err := m.tickReads(ctx, open, closed)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	r.add(fmt.Sprintf("read units of a tick of `reconcile` with %d overdue open batches of 1,000 and 10,000 closed ones", open),
		"those of the open ones alone, no scan", alone == beside,
		"%g in %d reads; beside no closed ones %g in %d; the store has no scan", beside.Reads, beside.Calls, alone.Reads, alone.Calls)
	return nil
}

// tickReads makes batches and runs one tick. The open ones are overdue, and MTS is
// working on them, which is the most expensive case.
func (m *measurer) tickReads(ctx context.Context, open, closed int) (spent dynamotest.Spent, err error) {
	tables, err := inprocess.CreateTables(ctx, m.db.Client())
	if err != nil {
		return spent, err
	}
	defer tables.Drop(ctx, m.db.Client())
	direct, u := seedingdb.New(m.db.Client(), tables.Connectors, tables.Answers), newUnits(m.db)
	c := inprocess.Connector("bench", "http://127.0.0.1:1", "http://127.0.0.1:2", time.Now().UTC())
	if err := makeBatches(ctx, direct, c, open); err != nil {
		return spent, err
	}
	if closed > 0 {
		if err := multiply(ctx, m.db.Client(), tables.Connectors, closed); err != nil {
			return spent, err
		}
	}
	var log inprocess.Log
	clock := function.Clock{}
	reconciler := &reconcile.Reconciler{
		Store: seedingdb.New(u, tables.Connectors, tables.Answers), MTS: workingMTS{}, Invoker: noInvoker{}, Clock: clock,
		Meter: function.Meter{Out: io.Discard, Now: clock.Now}, Times: seeding.DefaultTimes(), Log: function.Log(&log),
	}
	if err := reconciler.Tick(ctx); err != nil {
		return spent, err
	}
	left, err := direct.OpenBatches(ctx, c.RegistryKey())
	if err != nil || len(left) != open {
		return spent, fmt.Errorf("%d batches are open instead of %d: %w", len(left), open, err)
	}
	return u.reads(), nil
}

// makeBatches claims open batches of one run, and one more that it closes.
func makeBatches(ctx context.Context, store *seedingdb.Store, c seeding.Connector, open int) error {
	now := time.Now().UTC()
	if err := errors.Join(store.CreateConnector(ctx, c), store.SetStatus(ctx, c.ID, seeding.Running, now)); err != nil {
		return err
	}
	state, err := store.TakeRun(ctx, c.ID, "bench", now, now.Add(time.Minute), time.Time{})
	if err != nil {
		return err
	}
	run := seeding.Run{
		ID: function.NewID(), Connector: c.ID, Version: c.Version, Started: now, Passes: 1, PassStarted: now, Fence: state.Lease.Fence,
	}
	if err := store.OpenRun(ctx, run); err != nil {
		return err
	}
	for i := range open + 1 {
		b := seeding.Batch{
			Ref:   seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: function.NewID()},
			State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, Size: batchSize, InLine: batchSize,
			Claimed: now.Add(-time.Minute), Overdue: now.Add(-time.Second), Deadline: now.Add(time.Minute),
			RowKey: inprocess.Keyring("row").Key().ID, FingerprintKey: inprocess.Keyring("fingerprint").Key().ID, Count: batchSize,
		}
		for n := range batchSize {
			id := int64(400_000 + 5*(i*batchSize+n))
			b.Members = append(b.Members, seeding.Member{Registrant: id, Identifier: 3 * id})
		}
		claim := seeding.Claim{Batch: b, Counter: int64(i), Claims: int64(i), Run: run, Version: c.Version, Fence: run.Fence}
		if err := errors.Join(store.Claim(ctx, claim), store.MarkSubmitted(ctx, b.Ref, function.NewID(), now)); err != nil {
			return err
		}
		if i == open {
			b.State, b.Closed, b.Totals = seeding.Patched, now, seeding.Totals{Sent: batchSize, Tokenised: batchSize}
			return store.Close(ctx, b)
		}
	}
	return nil
}

// multiply puts copies of the closed batch beside it until there are n.
func multiply(ctx context.Context, db *dynamodb.Client, table string, n int) error {
	all, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		return err
	}
	var closed map[string]types.AttributeValue
	for _, it := range all.Items {
		if s, ok := it["state"].(*types.AttributeValueMemberS); ok && s.Value == string(seeding.Patched) {
			closed = it
		}
	}
	if closed == nil {
		return errors.New("there is no closed batch to copy")
	}
	const most = 25 // of one call
	var writes []types.WriteRequest
	for made := 1; made < n; made++ {
		it := map[string]types.AttributeValue{}
		for name, value := range closed {
			it[name] = value
		}
		it["sk"] = &types.AttributeValueMemberS{Value: function.NewID()}
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		if len(writes) == most || made == n-1 {
			if _, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes}}); err != nil {
				return err
			}
			writes = nil
		}
	}
	return nil
}

// workingMTS is an MTS that is working on every batch.
type workingMTS struct{ seeding.MTS }

func (workingMTS) Status(context.Context, string, string) (seeding.MTSStatus, error) {
	return seeding.StatusWorking, nil
}

// noInvoker invokes nothing.
type noInvoker struct{}

func (noInvoker) InvokeSubmit(context.Context, string) error { return nil }
func (noInvoker) InvokePatch(context.Context, string) error  { return nil }
func (noInvoker) InvokeLook(context.Context, string) error   { return nil }

// losses counts what is sent again if MTS loses every fifth batch, whatever its
// size.
func (m *measurer) losses(ctx context.Context, r *report) error {
	const lossy, goal = 5_000, 1.35
	times := seeding.DefaultTimes()
	times.DeadlineBase, times.RecordFirst, times.Poll = 2*time.Second, time.Millisecond, 50*time.Millisecond
	times.ProbeFirst, times.ProbeMax = 500*time.Millisecond, 2*time.Second
	s := setup{times: times, pending: lossy, registrants: lossy, found: true, faults: mtssim.Faults{LoseEvery: 5}}
	m.say("letting MTS lose every fifth batch of %d registrants", lossy)
	err := m.measured(ctx, s, func(h *harness, _ time.Duration) error {
		c := h.mts.Counters()
		ratio := float64(c.RecordsReceived) / lossy
		r.add("records sent over records, run of 5,000 in which MTS loses every fifth batch (batch size found at 1,000)",
			"≤ 1.35", ratio <= goal, "%.3f in %d batches", ratio, c.PostsAccepted)
		return nil
	})
	if err != nil {
		return err
	}

	m.say("the same from a batch size of %d", seeding.FirstBatchSize)
	s.found, s.limit = false, time.Minute
	// A run ends after its last pass. Whom MTS lost in each waits for the next run.
	s.wrong = func(h *harness) []string {
		tokens := h.registry.State().Tokens
		split := odoosim.Expectation{Registrants: lossy, Tokens: tokens, VIDsLeft: lossy - tokens}
		return invariants.Differences(invariants.Counts(h.now(), split))
	}
	h, err := newHarness(ctx, m.db, s)
	if err != nil {
		return err
	}
	defer h.close()
	took, err := h.run(ctx)
	over := "in %.0f s"
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		took, over = s.limit, "**not over** after %.0f s"
	case err != nil:
		return err
	}
	c, tokens := h.mts.Counters(), h.registry.State().Tokens
	r.note("A run of 5,000 in which MTS loses every fifth batch, from a batch size of %d up: %.3f records sent per token in %d batches, the last of %d, "+over+
		", %d pending for the next run; a lost batch costs %v there, and 2 min with the real waiting times.",
		seeding.FirstBatchSize, float64(c.RecordsReceived)/float64(max(tokens, 1)), c.PostsAccepted, h.sent.last(), took.Seconds(), lossy-tokens, times.DeadlineBase)
	return nil
}
