package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// check has everything that a trial is checked with.
type check struct {
	store     *seedingdb.Store
	registry  *odoosim.Server
	seeder    *mtssim.Server
	connector seeding.Connector
	expected  odoosim.Expectation
	before    map[int64][]odoosim.Identifier // of every registrant
}

func newCheck(store *seedingdb.Store, registry *odoosim.Server, seeder *mtssim.Server, t trial) *check {
	c := &check{store: store, registry: registry, seeder: seeder, expected: registry.Populate(t.registrants, t.seed)}
	c.before = registry.Snapshot()
	return c
}

// waitUntilDone waits until the run is complete and nothing is under way.
func (c *check) waitUntilDone(ctx context.Context) error {
	for {
		under, err := c.underWay(ctx)
		if err != nil || len(under) == 0 {
			return err
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: %v", ctx.Err(), under)
		}
	}
}

// underWay lists what has not ended: a run, batches, answers, problems.
func (c *check) underWay(ctx context.Context) (list []string, err error) {
	key := c.connector.RegistryKey()
	// The answers first: one that is deleted after this read was under way then.
	_, answer, err := c.store.NextAnswer(ctx, key, "")
	if err != nil {
		return nil, err
	}
	open, err := c.store.OpenBatches(ctx, key)
	if err != nil {
		return nil, err
	}
	state, err := c.store.State(ctx, c.connector.ID)
	if err != nil {
		return nil, err
	}
	if state.Run != "" || !state.Due.After(time.Now()) {
		list = append(list, "the run has not ended")
	}
	if len(open) > 0 {
		list = append(list, fmt.Sprintf("%d batches are open", len(open)))
	}
	if answer {
		list = append(list, "an answer is left")
	}
	for source, problem := range state.Problems {
		list = append(list, fmt.Sprintf("problem %s: %s", source, problem.Text))
	}
	return list, nil
}

// remaining lists what the next run still has to do.
func (c *check) remaining(ctx context.Context) (list []string, err error) {
	compare := func(what string, actual, expected int) {
		if actual != expected {
			list = append(list, fmt.Sprintf("%s: %d instead of %d", what, actual, expected))
		}
	}
	state := c.registry.State()
	compare("tokens", state.Tokens, c.expected.Tokens)
	compare("VIDs left", state.VIDs, c.expected.VIDsLeft)
	compare("registrants with token and VID", state.Both, 0)
	rejections, err := c.store.Rejections(ctx, c.connector.RegistryKey(), 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	kinds := map[seeding.RejectionKind]int{}
	for _, r := range rejections {
		kinds[r.Kind]++
		if r.Next.IsZero() && (r.Kind == seeding.Refused || r.Kind == seeding.NoToken || r.Kind == seeding.SetAside) {
			list = append(list, fmt.Sprintf("registrant %d is rejected (%s) without another attempt", r.Registrant, r.Kind))
		}
	}
	for _, kind := range seeding.RejectionKinds {
		compare("rejections, "+string(kind), kinds[kind], map[seeding.RejectionKind]int{
			seeding.Invalid: sum(c.expected.Invalid), seeding.Refused: sum(c.expected.Refused), seeding.Duplicate: c.expected.Duplicates,
		}[kind])
	}
	return list, nil
}

func sum(kinds map[odoosim.Kind]int) (n int) {
	for _, k := range kinds {
		n += k
	}
	return n
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
	return append(append(list, remaining...), c.misplaced()...), nil
}

// misplaced lists what is wrong with the identifiers of single registrants.
func (c *check) misplaced() (list []string) {
	holders := map[string]int64{}
	now := c.registry.Snapshot()
	if len(now) != len(c.before) {
		list = append(list, fmt.Sprintf("%d registrants with identifiers instead of %d", len(now), len(c.before)))
	}
	for id, was := range c.before {
		has := now[id]
		tokens, tokensBefore := values(has, odoosim.TokenType), values(was, odoosim.TokenType)
		vids, vidsBefore := values(has, odoosim.VIDType), values(was, odoosim.VIDType)
		if len(tokens) > 1 {
			list = append(list, fmt.Sprintf("registrant %d has %d tokens", id, len(tokens)))
		}
		if len(tokens) == 0 && (len(vids) < len(vidsBefore) || len(tokensBefore) > 0) {
			list = append(list, fmt.Sprintf("registrant %d lost its VID or its token, and has none", id))
		}
		for _, token := range tokens {
			own := len(tokensBefore) == 1 && token == tokensBefore[0] ||
				len(tokensBefore) == 0 && len(vidsBefore) == 1 && token == mtssim.Token(vidsBefore[0])
			if !own {
				list = append(list, fmt.Sprintf("registrant %d holds a token that was not made for it", id))
			}
			if other, twice := holders[token]; twice {
				list = append(list, fmt.Sprintf("registrants %d and %d have the same token", other, id))
			}
			holders[token] = id
		}
		if len(values(was, odoosim.NationalType)) != len(values(has, odoosim.NationalType)) {
			list = append(list, fmt.Sprintf("another identifier of registrant %d was touched", id))
		}
	}
	return list
}

func values(identifiers []odoosim.Identifier, identifierType int64) (list []string) {
	for _, i := range identifiers {
		if i.Type == identifierType {
			list = append(list, i.Value)
		}
	}
	return list
}

// lost counts the lost batches of all runs.
func (c *check) lost(ctx context.Context) (n int, err error) {
	runs, _, err := c.store.ListRuns(ctx, c.connector.ID, "", 100)
	if err != nil {
		return 0, err
	}
	for _, run := range runs {
		batches, err := c.store.ClosedBatches(ctx, c.connector.ID, run.ID)
		if err != nil {
			return 0, err
		}
		for _, b := range batches {
			if b.State == seeding.Lost {
				n++
			}
		}
	}
	return n, nil
}
