package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// check has everything that a trial is checked with.
type check struct {
	store     *seedingdb.Store
	registry  *odoosim.Server
	mts       *mtssim.Server
	connector seeding.Connector
	expected  odoosim.Expectation
	before    invariants.Registry
	format    string // individual, or none
}

// maxID is more than any id of the registry.
const maxID = math.MaxInt64

func newCheck(store *seedingdb.Store, registry *odoosim.Server, mts *mtssim.Server, t trial) *check {
	c := &check{store: store, registry: registry, mts: mts, format: t.format}
	if t.direct {
		c.expected = populate(registry, t.registrants)
	} else {
		c.expected = registry.Populate(t.registrants, t.seed)
	}
	c.before = c.now()
	return c
}

// populate adds registrants who all get a token. What MTS or the registry's own API
// would refuse or mix up is nothing that could be seen from here.
func populate(registry *odoosim.Server, n int) odoosim.Expectation {
	e := odoosim.Expectation{Registrants: n, VIDs: n, NewTokens: n, Tokens: n, Removed: n, Submitted: n, Kinds: map[int64]odoosim.Kind{}}
	for number := range int64(n) {
		id := registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", number), Gender: []string{"Female", "Male"}[number%2],
			Birthdate: "1990-02-03", Address: "1 Long Street",
		})
		registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(number, 1, odoosim.Normal)})
		e.Kinds[id] = odoosim.Plain
	}
	return e
}

// waitUntilDone waits until the run is complete and nothing is under way.
func (c *check) waitUntilDone(ctx context.Context) error {
	for {
		under, err := c.underWay(ctx)
		if err != nil || len(under) == 0 {
			return err
		}
		if !waiting.Pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: %v", ctx.Err(), under)
		}
	}
}

// underWay lists what has not ended: a run, batches, answers, problems.
func (c *check) underWay(ctx context.Context) (list []string, err error) {
	list, err = waiting.UnderWay(ctx, c.store, c.connector.ID, c.connector.RegistryKey(), time.Now())
	if err != nil {
		return nil, err
	}
	state, err := c.store.State(ctx, c.connector.ID)
	if err != nil {
		return nil, err
	}
	for source, problem := range state.Problems {
		list = append(list, fmt.Sprintf("problem %s: %s", source, problem.Text))
	}
	return list, nil
}

// remaining lists what the next run still has to do.
func (c *check) remaining(ctx context.Context) (list []string, err error) {
	rejections, err := c.store.Rejections(ctx, c.connector.RegistryKey(), 0, maxID)
	if err != nil {
		return nil, err
	}
	now := c.now()
	list = invariants.Differences(slices.Concat(
		invariants.Counts(now, c.expected), invariants.Rejected(invariants.ByKind(rejections), c.expected)))
	return append(list, invariants.Words(invariants.Rejections(now, rejections, c.expected.Kinds))...), nil
}

// violations lists what is wrong once nothing is under way any more. Every
// registrant that can has exactly its own token; there is no second token; no VID
// is removed without a token; every other registrant is rejected with a reason or
// needs no token.
func (c *check) violations(ctx context.Context) ([]string, error) {
	list, err := c.underWay(ctx)
	if err != nil {
		return nil, err
	}
	remaining, err := c.remaining(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Concat(list, remaining, c.misplaced(), c.written()), nil
}

// written lists where not exactly that is in the registry what the Output Format of the
// trial writes: of everybody who got a token once, and of nobody else.
func (c *check) written() (wrong []string) {
	for id, now := range c.now() {
		before := c.before[id]
		isNew := c.format != "" && len(now.Tokens) > 0 && len(before.Tokens) == 0
		fields, phones := c.registry.Registrant(id)
		var want []string
		if isNew {
			want = []string{"+1" + c.before.VID(id)}
		}
		asWritten := fields["given_name"] == strings.Map(upper, fields["given_name"])
		if !slices.Equal(phones, want) || isNew && !asWritten {
			wrong = append(wrong, fmt.Sprintf("registrant %d: %d phone numbers, and the given name is as written: %t", id, len(phones), asWritten))
		}
	}
	return wrong
}

// upper is jq's ascii_upcase.
func upper(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// misplaced lists what is wrong with the registrants and their identifiers.
func (c *check) misplaced() []string {
	now := c.now()
	return invariants.Words(invariants.Identifiers(now, c.before), invariants.Registrants(now, c.before))
}

func (c *check) now() invariants.Registry { return invariants.RegistryOf(c.registry.Snapshot()) }

// batches of all runs, closed.
func (c *check) batches(ctx context.Context) (all []seeding.Batch, err error) {
	runs, _, err := c.store.ListRuns(ctx, c.connector.ID, "", 100)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		batches, err := c.store.ClosedBatches(ctx, c.connector.ID, run.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, batches...)
	}
	return all, nil
}

// slots lists what is wrong with the slots of an MTS that only this connector has
// used: none is taken any more, and what was delivered is what was patched, neither
// less nor more. So none was lost, and none was freed twice.
func (c *check) slots(ctx context.Context, batches []seeding.Batch) (violations []string, err error) {
	m, err := c.store.MTSState(ctx, c.connector.MTSKey())
	if err != nil {
		return nil, err
	}
	for _, slot := range m.Slots {
		violations = append(violations, fmt.Sprintf("batch %s still has a slot", slot.Batch))
	}
	patched := int64(0)
	for _, b := range batches {
		if b.State == seeding.Patched {
			patched += int64(b.Count)
		}
	}
	if m.Delivered != patched {
		violations = append(violations, fmt.Sprintf("%d records are counted as delivered, and %d were patched", m.Delivered, patched))
	}
	return violations, nil
}

// totals lists what is wrong with the totals of batches, and counts those that
// were lost.
func (c *check) totals(batches []seeding.Batch) (violations []string, lost int) {
	var totals seeding.Totals
	records := 0 // of lost batches
	for _, b := range batches {
		totals = totals.Plus(b.Totals)
		if b.State == seeding.Lost {
			lost++
			records += b.Count
		}
	}
	observed := invariants.Observe(c.now(), c.before, nil, 0, 0)
	violations = invariants.Words(invariants.Overstatement(invariants.Reported(totals, seeding.Tally{}), observed, records))
	if observed.Tokenised > totals.Tokenised+records {
		violations = append(violations, fmt.Sprintf("the registry has %d new tokens, the totals %d; %d records were in lost batches", observed.Tokenised, totals.Tokenised, records))
	}
	return violations, lost
}
