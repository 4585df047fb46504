package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// listed measures an import of 1,000 registrants of a list, scattered over a registry,
// on a connector that is stopped. MTS and registry were measured before, so it is one
// batch, and the functions know the schema of the registry.
func (m *measurer) listed(ctx context.Context, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	m.say("importing a list of %d registrants", batchSize)
	h, err := newHarness(ctx, m.db, setup{times: seeding.DefaultTimes(), pending: 2 * batchSize, registrants: registrants, found: true})
	if err != nil {
		return err
	}
	defer h.close()
	var ids []int64
	for id, holding := range h.now() {
		if len(holding.VIDs) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var every, others []int64
	for i, id := range ids {
		if i%2 == 0 {
			every = append(every, id)
		} else {
			others = append(others, id)
		}
	}
	if _, _, err := h.importList(ctx, "warm", others[:10]); err != nil {
		return err
	}
	calls, batches, err := h.importList(ctx, "listed", every)
	if err != nil {
		return err
	}
	r.add(fmt.Sprintf("registry calls of an import of %d given ids in %d batch, as many others with a VID beside them (login and schema excluded)", len(every), batches),
		"≤ 12", calls <= 12, "%d", calls)
	return nil
}

// importList imports registrants, and returns how many calls the registry got, and how
// many batches MTS.
func (h *harness) importList(ctx context.Context, id string, registrants []int64) (calls int64, batches int, err error) {
	before, sent := h.calls(), len(h.sent.submissions)
	now := time.Now().UTC().Truncate(time.Millisecond)
	run := seeding.Run{
		ID: id, Connector: h.connector.ID, Kind: seeding.Import, Registry: h.connector.RegistryKey(), Version: h.connector.Version,
		Selection: seeding.Selection{Listed: len(registrants)}, Started: now, Passes: 1, PassStarted: now, Expected: len(registrants),
	}
	if err := h.direct.OpenImport(ctx, seeding.Order{Run: run, Registrants: registrants}, now); err != nil {
		return 0, 0, err
	}
	if err := h.drive(ctx); err != nil {
		return 0, 0, fmt.Errorf("%w; the end of the log:\n%s", err, h.log.Tail(lines))
	}
	h.invoker.Wait()
	run, err = h.direct.Run(ctx, run.Connector, id)
	if err == nil && run.Totals.Tokenised != len(registrants) {
		err = fmt.Errorf("%d of %d have a token", run.Totals.Tokenised, len(registrants))
	}
	return h.calls() - before, len(h.sent.submissions) - sent, err
}

// calls counts those to the registry, without sign-ins and readings of the schema.
func (h *harness) calls() (n int64) {
	for method, made := range h.registry.State().Calls {
		if !isLogin(method) && !strings.HasSuffix(method, ".fields_get") && !strings.HasPrefix(method, "g2p.id.type.") {
			n += made.Calls
		}
	}
	return n
}
