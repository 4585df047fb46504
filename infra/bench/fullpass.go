package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// rejectedRegistrants wait for their data to change. There are so many that
// PostgreSQL, as it is installed, no longer hashes their identifiers
// (facts/odoo.md B3).
const rejectedRegistrants = 300_000

// timedRegistry is a registry that takes no time, and reports how much a real one
// would have taken.
type timedRegistry struct {
	*odoosim.Server
	took atomic.Int64 // nanoseconds
}

// newTimedRegistry has n registrants with a VID and without a birth date.
func newTimedRegistry(n int) *timedRegistry {
	o := &timedRegistry{}
	o.Server = odoosim.New(odoosim.Options{
		Pace: 1, Window: -1, Sleep: func(d time.Duration) { o.took.Add(int64(d)) },
	})
	for number := range int64(n) {
		id := o.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", number), Gender: "Female",
			Address: fmt.Sprintf("%d Long Street\nQuezon City", number), Email: fmt.Sprintf("jo%d@example.org", number), Phone: "+15550100",
		})
		o.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(number, 1, odoosim.Normal)})
	}
	return o
}

// fullPass measures a pass over registrants who are all rejected and not due:
// the cost of a run that finds nothing to do.
func (m *measurer) fullPass(ctx context.Context, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	puts := &bulkPuts{sdk: m.db.Client()}
	h, err := newHarness(ctx, m.db, setup{times: seeding.DefaultTimes(), found: true, around: puts.around})
	if err != nil {
		return err
	}
	defer h.close()
	m.say("rejecting %d registrants", rejectedRegistrants)
	registry := newTimedRegistry(rejectedRegistrants)
	h.registry = registry.Server
	if _, err := h.pass(ctx); err != nil {
		return err
	}
	if err := puts.finish(ctx); err != nil {
		return err
	}
	runs, _, err := h.direct.ListRuns(ctx, h.connector.ID, "", 1)
	if err != nil || len(runs) != 1 || runs[0].Tally.Invalid != rejectedRegistrants {
		return fmt.Errorf("not all registrants are rejected: %+v, %w", runs, err)
	}

	registry.ResetTallies()
	registry.took.Store(0)
	readBefore := h.units.reads().Reads
	_, before := h.units.writes()
	m.say("making another pass over them")
	took, err := h.pass(ctx)
	if err != nil {
		return err
	}
	read := h.units.reads().Reads - readBefore
	_, after := h.units.writes()
	calls := registry.State().Total
	r.note("A full pass over %d registrants who are all rejected and not due, in pages of %d (a run that finds nothing to do): "+
		"%d registry calls that return %d rows, %.0f read units and %.0f write units of DynamoDB, "+
		"%.0f s with a registry that takes no time; a real one takes %.0f s more.",
		rejectedRegistrants, batchSize, calls.Calls, calls.Returned, read, after.units-before.units,
		took.Seconds(), time.Duration(registry.took.Load()).Seconds())
	m.say("reading them")
	return h.rejections(ctx, r, h.tables, m.db.Client())
}

// bulkPuts is a client that writes new items many at a time, in the place of one
// conditional put each, until it is finished. What it writes is what the store
// would have written: only the conditions are left out, of items that are not
// there. One put each took DynamoDB Local six minutes for 300,000.
type bulkPuts struct {
	dynamo.Client
	sdk *dynamodb.Client

	mu       sync.Mutex
	table    string
	waiting  []types.WriteRequest
	finished bool
}

func (p *bulkPuts) around(client dynamo.Client) dynamo.Client {
	p.Client = client
	return p
}

func (p *bulkPuts) PutItem(ctx context.Context, in *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	const most = 25 // of BatchWriteItem
	p.mu.Lock()
	if p.finished {
		p.mu.Unlock()
		return p.Client.PutItem(ctx, in, options...)
	}
	p.table = *in.TableName
	p.waiting = append(p.waiting, types.WriteRequest{PutRequest: &types.PutRequest{Item: in.Item}})
	var full []types.WriteRequest
	if len(p.waiting) == most {
		full, p.waiting = p.waiting, nil
	}
	p.mu.Unlock()
	return &dynamodb.PutItemOutput{}, p.write(ctx, full)
}

func (p *bulkPuts) write(ctx context.Context, requests []types.WriteRequest) error {
	for len(requests) > 0 {
		out, err := p.sdk.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{p.table: requests}})
		if err != nil {
			return err
		}
		requests = out.UnprocessedItems[p.table]
	}
	return nil
}

// finish writes what is left. From now on puts are puts.
func (p *bulkPuts) finish(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = true
	return p.write(ctx, p.waiting)
}

// pass makes the connector due and returns the time until it is not due any
// more. Nobody may be sent.
func (h *harness) pass(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := h.direct.SetStatus(ctx, h.connector.ID, seeding.Running, began); err != nil {
		return 0, err
	}
	if err := h.drive(ctx); err != nil {
		return 0, fmt.Errorf("%w; the end of the log:\n%s", err, h.log.Tail(lines))
	}
	took := time.Since(began)
	h.invoker.Wait()
	if sent := h.mts.Counters().Posts; sent > 0 {
		return 0, fmt.Errorf("%d batches were sent to MTS", sent)
	}
	return took, nil
}
