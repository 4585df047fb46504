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

// place is everything that a trial is checked by.
type place struct {
	store     *seedingdb.Store
	registry  *odoosim.Server
	seeder    *mtssim.Server
	connector seeding.Connector
	expected  odoosim.Expectation
	before    map[int64][]odoosim.Identifier // of every registrant
}

func newPlace(store *seedingdb.Store, registry *odoosim.Server, seeder *mtssim.Server, t trial) *place {
	p := &place{store: store, registry: registry, seeder: seeder, expected: registry.Populate(t.registrants, t.seed)}
	p.before = registry.Snapshot()
	return p
}

// settle waits until the run is complete and nothing is under way.
func (p *place) settle(ctx context.Context) error {
	for {
		under, err := p.underWay(ctx)
		if err != nil || len(under) == 0 {
			return err
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: %v", ctx.Err(), under)
		}
	}
}

// underWay lists what is not over: a run, batches, answers, problems.
func (p *place) underWay(ctx context.Context) (list []string, err error) {
	key := p.connector.RegistryKey()
	// The answer first: what is deleted after its look-up was under way then.
	_, answer, err := p.store.NextAnswer(ctx, key, "")
	if err != nil {
		return nil, err
	}
	open, err := p.store.OpenBatches(ctx, key)
	if err != nil {
		return nil, err
	}
	state, err := p.store.State(ctx, p.connector.ID)
	if err != nil {
		return nil, err
	}
	if state.Run != "" || !state.Due.After(time.Now()) {
		list = append(list, "the run is not over")
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

// undone lists what the next run has still to do.
func (p *place) undone(ctx context.Context) (list []string, err error) {
	differs := func(what string, is, should int) {
		if is != should {
			list = append(list, fmt.Sprintf("%s: %d instead of %d", what, is, should))
		}
	}
	state := p.registry.State()
	differs("tokens", state.Tokens, p.expected.Tokens)
	differs("VIDs left", state.VIDs, p.expected.VIDsLeft)
	differs("registrants with token and VID", state.Both, 0)
	rejections, err := p.store.Rejections(ctx, p.connector.RegistryKey(), 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	kinds := map[seeding.RejectionKind]int{}
	for _, r := range rejections {
		kinds[r.Kind]++
		if r.Next.IsZero() && (r.Kind == seeding.Refused || r.Kind == seeding.NoToken || r.Kind == seeding.SetAside) {
			list = append(list, fmt.Sprintf("registrant %d is rejected (%s) for ever", r.Registrant, r.Kind))
		}
	}
	for _, kind := range seeding.RejectionKinds {
		differs("rejections, "+string(kind), kinds[kind], map[seeding.RejectionKind]int{
			seeding.Invalid: sum(p.expected.Invalid), seeding.Refused: sum(p.expected.Refused), seeding.Duplicate: p.expected.Duplicates,
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

// violations lists what is not as it must be once everything is settled:
// everybody who can has exactly its own token, nothing is doubled, no VID is
// gone without a token, everybody else is rejected with a cause or has nothing
// to do with it, and nothing is under way.
func (p *place) violations(ctx context.Context) ([]string, error) {
	list, err := p.underWay(ctx)
	if err != nil {
		return nil, err
	}
	undone, err := p.undone(ctx)
	if err != nil {
		return nil, err
	}
	return append(append(list, undone...), p.misplaced()...), nil
}

// misplaced lists what is wrong with the identifiers of single registrants.
func (p *place) misplaced() (list []string) {
	holders := map[string]int64{}
	now := p.registry.Snapshot()
	if len(now) != len(p.before) {
		list = append(list, fmt.Sprintf("%d registrants with identifiers instead of %d", len(now), len(p.before)))
	}
	for id, was := range p.before {
		is := now[id]
		tokens, tokensBefore := values(is, odoosim.TokenType), values(was, odoosim.TokenType)
		vids, vidsBefore := values(is, odoosim.VIDType), values(was, odoosim.VIDType)
		if len(tokens) > 1 {
			list = append(list, fmt.Sprintf("registrant %d holds %d tokens", id, len(tokens)))
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
				list = append(list, fmt.Sprintf("registrants %d and %d hold one token", other, id))
			}
			holders[token] = id
		}
		if len(values(was, odoosim.NationalType)) != len(values(is, odoosim.NationalType)) {
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

// lost counts the batches that were lost, of all runs.
func (p *place) lost(ctx context.Context) (n int, err error) {
	runs, _, err := p.store.ListRuns(ctx, p.connector.ID, "", 100)
	if err != nil {
		return 0, err
	}
	for _, run := range runs {
		batches, err := p.store.ClosedBatches(ctx, p.connector.ID, run.ID)
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
