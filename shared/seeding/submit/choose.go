package submit

import (
	"context"
	"errors"
	"maps"

	"openg2p.org/mts-connector/shared/seeding"
)

// selection is who was chosen for one batch.
type selection struct {
	chosen         []candidate
	run            seeding.Run // its cursor is after the last VID looked at
	counter        int64       // of the registry, read before anything else
	fingerprintKey string
}

// choose reads pages of VIDs until the pass is over or the wave is nearly full: one
// of a page, or of less, at least half, because only such a batch makes the batch
// size grow. It also rejects
// registrants that MTS would not take, deletes rejections whose cause is gone, and
// removes VIDs of registrants that hold a token.
//
// It reads the registry's counter first, then its open batches, then the pages.
// In any other order a batch that is patched and closed in between would be sent
// twice.
func (s *Submitter) choose(ctx context.Context, v view, wave room) (selection, error) {
	limited, cancel := context.WithTimeout(ctx, s.Times.PageLimit)
	defer cancel()
	c := v.connector
	state, err := s.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return selection{}, err
	}
	open, err := s.Store.OpenBatches(ctx, c.RegistryKey())
	if seeding.IgnoreDamaged(err) != nil { // who is in a batch that nobody can read is sent again
		return selection{}, err
	}
	registry, r, err := s.prepareRules(ctx, v)
	if err != nil {
		return selection{}, err
	}
	taken := membersOf(open)
	chosen, away := selection{run: *v.run, counter: state.Counter, fingerprintKey: r.fingerprintKey.ID}, map[string]bool{}
	started := s.Clock.Now()
	until := started.Add(s.Times.PageLimit / 2)
	left := wave
	read := func(limit int) (page, error) {
		if v.run.Selection.Listed > 0 {
			return s.readList(limited, registry, c, chosen.run, limit, away, until)
		}
		return s.readPage(limited, registry, c, chosen.run.Cursor, limit, away, until)
	}
	for limit := v.pageLimit(wave.candidates); ; limit = v.pageLimit(2 * limit) {
		p, err := read(limit)
		if longest := v.pageLimit(maxPage); err == nil && limit < longest && r.unclear(p) {
			p, err = read(longest)
		}
		if err == nil {
			err = r.hidden(p, chosen.run.Cursor == 0, c.Source.OneByOne)
		}
		if err == nil {
			err = s.readFingerprintKeys(limited, p, r.fingerprintKeys)
		}
		if err == nil && r.direct {
			err = s.readDirect(limited, registry, &r, &p)
		}
		if err != nil {
			return selection{}, err
		}
		plan := r.decidePage(p, chosen.run, taken, left, s.Clock.Now())
		removed, err := s.write(limited, v, registry, p, plan)
		if err != nil {
			return selection{}, err
		}
		if err := s.saveList(limited, v, p); err != nil {
			return selection{}, err
		}
		if plan.run.Unseen == "" { // once in a run
			before := chosen.run.Tally
			plan.run.Unseen = s.unseen(limited, registry, p, plan.run.Tally.Looked-before.Looked, plan.run.Tally.NotSelected-before.NotSelected)
		}
		v.posts.read.add(chosen.run, plan.run, p.staying(plan))
		chosen.run = plan.run
		chosen.run.Tally.Removed += removed
		chosen.chosen = append(chosen.chosen, plan.chosen...)
		left = left.without(plan.chosen)
		if chosen.run.PassOver || left.full() || 2*left.candidates <= min(wave.candidates, maxPage) || s.Clock.Now().After(until) {
			break
		}
	}
	// One page needs no count, and a later pass sends those who were pending.
	if v.run.Cursor == 0 && v.run.Expected == 0 && !chosen.run.PassOver && v.run.Selection.Listed == 0 {
		chosen.run.Expected = s.expected(limited, registry, chosen.run)
	}
	if err := s.registryAnswers(ctx, v, state); err != nil {
		return selection{}, err
	}
	return chosen, nil
}

// readDirect reads what decisions with a direct callback need besides.
func (s *Submitter) readDirect(ctx context.Context, registry seeding.Registry, r *rules, p *page) (err error) {
	if r.kinds == nil && len(p.records) > 0 {
		if r.kinds, err = registry.Kinds(ctx); err != nil {
			return err
		}
	}
	return p.readFirst(ctx, registry)
}

// retried is when somebody last asked for another attempt at rejected registrants, by
// kind. Who lists registrants for an import, or imports submissions, asks for one at each.
func (v view) retried() seeding.Retried {
	if asksAll := v.run.Selection.Listed > 0 || v.connector.FromODK() && v.run.Kind == seeding.Import; !asksAll {
		return v.state.Retried
	}
	retried := maps.Clone(v.state.Retried)
	if retried == nil {
		retried = seeding.Retried{}
	}
	if all := (seeding.Group{}); v.run.Started.After(retried[all]) {
		retried[all] = v.run.Started
	}
	return retried
}

// prepareRules opens the registry and reads what the decisions depend on.
func (s *Submitter) prepareRules(ctx context.Context, v view) (seeding.Registry, rules, error) {
	c := v.connector
	r, err := s.rulesOf(ctx, c)
	if err != nil {
		return nil, rules{}, err
	}
	registry, err := s.Registries.Open(ctx, c)
	if err != nil {
		return nil, rules{}, seeding.RegistryUnusable(err)
	}
	r.retried, r.ownDomain, r.direct = v.retried(), v.run.Selection.Domain != "", c.IsDirect()
	return registry, r, nil
}

// rulesOf are the rules of a configuration, without what a run adds.
func (s *Submitter) rulesOf(ctx context.Context, c seeding.Connector) (rules, error) {
	mapper, err := s.Mappings.Compile(c.Source.Mapping)
	if err != nil {
		return rules{}, seeding.MappingUnusable(err)
	}
	fingerprintKey, err := s.FingerprintKeys.Current(ctx)
	if err != nil {
		return rules{}, seeding.KeysUnusable(err)
	}
	return rules{
		registry: c.RegistryKey(), connector: c.ID, configured: c.Version,
		mandatory: c.Source.Mandatory, removeVIDs: c.Output.RemoveVIDs, tokens: c.Output.TokenShape,
		mapper: mapper, fingerprintKey: fingerprintKey, fingerprintKeys: map[string]seeding.Key{}, times: s.Times,
	}, nil
}

// membersOf are the registrants in open batches.
func membersOf(open []seeding.Batch) map[int64]bool {
	members := map[int64]bool{}
	for _, b := range open {
		for _, m := range b.Members {
			members[m.Registrant] = true
		}
	}
	return members
}

// chooseFailed raises a problem of the connector if no batch could be made. A
// failure of the storage is returned.
func (s *Submitter) chooseFailed(ctx context.Context, v view, err error) (next, error) {
	if e, ok := errors.AsType[*atCentral](err); ok {
		return s.centralFailed(ctx, v, e.fault)
	}
	if fault, ok := errors.AsType[*seeding.Fault](err); ok {
		return s.registryFailed(ctx, v, fault)
	}
	if u, ok := errors.AsType[*seeding.Unusable](err); ok {
		s.log(v).Warn("connector cannot be run", "problem", string(seeding.ProblemConfig))
		return s.raise(ctx, v, seeding.ProblemConfig, u.Description)
	}
	return next{}, err
}

// registryFailed raises the problem of a failed call. next says when to make
// another attempt.
func (s *Submitter) registryFailed(ctx context.Context, v view, fault *seeding.Fault) (next, error) {
	source, description := seeding.RegistryProblem(fault, seeding.ProblemRead)
	s.log(v).Warn("registry call failed", "fault", fault.Error(), "problem", string(source))
	if source == seeding.ProblemRegistry {
		registry, err := s.Store.RegistryState(ctx, v.connector.RegistryKey())
		if err != nil {
			return next{}, err
		}
		until := seeding.OutageEnd(s.Clock.Now(), registry.OutageAttempts, s.Times)
		if err := s.Store.NoteOutage(ctx, registry.Key, until, registry.OutageAttempts+1); seeding.IgnoreConflict(err) != nil {
			return next{}, err
		}
	}
	return s.raise(ctx, v, source, description)
}

// raise sets a problem; next is its next probe.
func (s *Submitter) raise(ctx context.Context, v view, source seeding.Source, d seeding.Description) (next, error) {
	p := v.state.Raise(source, s.Clock.Now(), d, s.Times)
	return next{due: p.Next}, s.Store.RaiseProblem(ctx, v.state.Connector, source, p)
}
