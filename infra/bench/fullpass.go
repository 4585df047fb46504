package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
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
	h, err := newHarness(ctx, m.db, setup{times: seeding.DefaultTimes(), found: true})
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
	return nil
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
