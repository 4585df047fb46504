package submit

import (
	"context"
	"errors"
	"math"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// page is a stretch of the list of VIDs, with all that the decisions about it
// need.
type page struct {
	vids      []seeding.Identifier // in the order of their ids
	last      bool                 // nothing comes behind it
	records   map[int64]seeding.Record
	tokens    map[int64][]seeding.Identifier // by registrant
	holders   map[int64][]seeding.Identifier // tokens of those that duplicates name
	mine      map[int64]seeding.Rejection    // of this connector, by identifier
	conflicts map[int64]bool                 // identifiers with a conflict of any connector
	gone      []seeding.Rejection            // of this connector, whose identifier is not there
	orphans   []seeding.Rejection            // of connectors that were deleted
}

// pagePlan is what the decisions about a page come to.
type pagePlan struct {
	chosen    []candidate
	rejected  []seeding.Rejection
	forgotten []seeding.Rejection
	remove    []int64 // VIDs
	run       seeding.Run
}

// decidePage decides about the VIDs of a page in their order, until room
// candidates are chosen. taken are registrants that are not to be chosen; those
// that are chosen come to it.
func (r rules) decidePage(p page, run seeding.Run, taken map[int64]bool, room int, now time.Time) pagePlan {
	plan := pagePlan{run: run, forgotten: p.gone}
	for _, vid := range p.vids {
		if len(plan.chosen) >= room {
			return plan
		}
		before := p.mine[vid.ID]
		d := r.decide(vid, facts{
			taken: taken[vid.Registrant], record: p.records[vid.Registrant], tokens: p.tokens[vid.Registrant],
			before: before, holderTokens: p.holders[before.Holder], conflict: p.conflicts[vid.ID],
		}, now)
		switch d.choice {
		case forget, remove:
			if before.Kind != "" {
				plan.forgotten = append(plan.forgotten, before)
			}
			if d.choice == remove {
				plan.remove = append(plan.remove, vid.ID)
			}
		case reject:
			who := seeding.Member{Registrant: vid.Registrant, Identifier: vid.ID}.Subject()
			plan.rejected = append(plan.rejected, d.cause.Reject(r.registry, r.connector, who, r.configured, before, now, r.times))
			if d.cause.Kind == seeding.Invalid {
				plan.run.Tally.Invalid++
			}
		case take:
			taken[vid.Registrant] = true
			plan.chosen = append(plan.chosen, d.candidate)
		}
		plan.run.Cursor = vid.ID
		plan.run.Tally.Looked++
	}
	plan.run.PassOver = p.last
	return plan
}

// readPage reads at most limit VIDs behind the cursor, and what belongs to them.
// deleted remembers which other connectors are there no more.
func (s *Submitter) readPage(ctx context.Context, registry seeding.Registry, c seeding.Connector, cursor int64, limit int, deleted map[string]bool) (p page, err error) {
	began := s.Clock.Now()
	if p.vids, err = registry.VIDs(ctx, cursor, limit); err != nil {
		return p, err
	}
	p.last = len(p.vids) < limit
	if len(p.vids) > 0 {
		registrants := seeding.RegistrantsOf(p.vids)
		if p.records, err = registry.Registrants(ctx, registrants); err != nil {
			return p, err
		}
		tokens, err := registry.Tokens(ctx, registrants)
		if err != nil {
			return p, err
		}
		p.tokens = seeding.ByRegistrant(tokens)
	}
	to := int64(math.MaxInt64)
	if !p.last {
		to = p.vids[len(p.vids)-1].ID
	}
	rejections, err := s.Store.Rejections(ctx, c.RegistryKey(), cursor+1, to)
	if err != nil {
		return p, err
	}
	for _, r := range rejections {
		if _, known := deleted[r.Connector]; !known && r.Connector != c.ID {
			if deleted[r.Connector], err = s.isDeleted(ctx, r.Connector); err != nil {
				return p, err
			}
		}
	}
	p.sort(rejections, c.ID, deleted, began)
	holders := p.duplicateHolders()
	if len(holders) > 0 {
		held, err := registry.Tokens(ctx, holders)
		if err != nil {
			return p, err
		}
		p.holders = seeding.ByRegistrant(held)
	}
	return p, nil
}

// isDeleted tells whether a connector is no more; what it left behind must not
// keep others from removing VIDs.
func (s *Submitter) isDeleted(ctx context.Context, connector string) (bool, error) {
	_, err := s.Store.State(ctx, connector)
	if seeding.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// sort the rejections of the page's range. One that is newer than the reading of
// the page is not gone: its identifier may be newer, too.
func (p *page) sort(rejections []seeding.Rejection, connector string, deleted map[string]bool, began time.Time) {
	there := map[int64]bool{}
	for _, vid := range p.vids {
		there[vid.ID] = true
	}
	p.mine, p.conflicts = map[int64]seeding.Rejection{}, map[int64]bool{}
	for _, r := range rejections {
		if deleted[r.Connector] {
			p.orphans = append(p.orphans, r)
			continue
		}
		if r.Kind == seeding.Conflict {
			p.conflicts[r.Identifier] = true
		}
		if r.Connector != connector {
			continue
		}
		p.mine[r.Identifier] = r
		if !there[r.Identifier] && !r.Since.After(began) {
			p.gone = append(p.gone, r)
		}
	}
}

// duplicateHolders are the registrants that the page's duplicates name.
func (p page) duplicateHolders() (registrants []int64) {
	for _, vid := range p.vids {
		if r := p.mine[vid.ID]; r.Kind == seeding.Duplicate {
			registrants = append(registrants, r.Holder)
		}
	}
	return registrants
}

// readFingerprintKeys reads the keys with which the page's rejections were
// fingerprinted; those that are gone are left out.
func (s *Submitter) readFingerprintKeys(ctx context.Context, p page, keys map[string]seeding.Key) error {
	for _, r := range p.mine {
		if _, known := keys[r.FingerprintKey]; known {
			continue
		}
		key, err := s.FingerprintKeys.ByID(ctx, r.FingerprintKey)
		if seeding.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		keys[r.FingerprintKey] = key
	}
	return nil
}

// write carries out what was decided about a page. All of it can be repeated.
func (s *Submitter) write(ctx context.Context, v view, registry seeding.Registry, p page, plan pagePlan) (removed int, err error) {
	if err := s.Store.DeleteRejections(ctx, p.orphans); err != nil {
		return 0, err
	}
	if _, err := s.Store.PutRejections(ctx, plan.rejected); err != nil {
		return 0, err
	}
	kinds := map[seeding.RejectionKind]int{}
	for _, r := range plan.rejected {
		kinds[r.Kind]++
	}
	for kind, n := range kinds {
		s.Meter.Measure(seeding.MetricRejected, float64(n), string(kind))
	}
	if err := s.Store.DeleteRejections(ctx, plan.forgotten); err != nil {
		return 0, err
	}
	return s.removeVIDs(ctx, v, registry, plan.remove)
}

// removeVIDs takes the VIDs of registrants that hold a token. While the problem
// "unlink" stands one is tried per back-off; without that nothing could ever
// clear it.
func (s *Submitter) removeVIDs(ctx context.Context, v view, registry seeding.Registry, identifiers []int64) (removed int, err error) {
	if len(identifiers) == 0 {
		return 0, nil
	}
	if problem, stands := v.state.Problems[seeding.ProblemUnlink]; stands {
		if problem.Next.After(s.Clock.Now()) {
			return 0, nil
		}
		identifiers = identifiers[:1]
	}
	removal, err := seeding.RemoveVIDs(ctx, registry, s.Store, v.state, identifiers, s.Clock, s.Times)
	switch {
	case err != nil:
		return 0, err
	case removal.Failed != nil:
		return 0, removal.Failed
	case removal.Refused != nil:
		s.log(v).Warn("registry refuses to remove VIDs", "fault", removal.Refused.Error())
		v.state.Problems[seeding.ProblemUnlink] = removal.Problem // one attempt per back-off, in this step too
		return 0, nil
	}
	return len(identifiers), nil
}

// selection is what the registry yielded for one batch.
type selection struct {
	chosen         []candidate
	run            seeding.Run // moved past what was looked at
	counter        int64       // of the registry, read before anything else
	fingerprintKey string
}

// choose reads pages of VIDs until the batch is at least half full, which is
// what makes the batch size grow, or the pass is over. On the way it writes
// rejections of what MTS would not take, forgets rejections whose cause is gone,
// and removes VIDs of registrants that hold a token.
//
// The registry's counter is read first, its open batches next, then the pages.
// In any other order a batch patched and closed in between is sent twice.
func (s *Submitter) choose(ctx context.Context, v view, size int) (selection, error) {
	limited, cancel := context.WithTimeout(ctx, s.Times.PageLimit)
	defer cancel()
	c := v.connector
	state, err := s.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return selection{}, err
	}
	open, err := s.Store.OpenBatches(ctx, c.RegistryKey())
	if err != nil {
		return selection{}, err
	}
	registry, r, err := s.prepareRules(ctx, v)
	if err != nil {
		return selection{}, err
	}
	taken := map[int64]bool{}
	for _, b := range open {
		for _, m := range b.Members {
			taken[m.Registrant] = true
		}
	}
	chosen, deleted := selection{run: *v.run, counter: state.Counter, fingerprintKey: r.fingerprintKey.ID}, map[string]bool{}
	started := s.Clock.Now()
	for limit := size; ; limit = min(2*limit, maxPage) {
		p, err := s.readPage(limited, registry, c, chosen.run.Cursor, limit, deleted)
		if err == nil {
			err = s.readFingerprintKeys(limited, p, r.fingerprintKeys)
		}
		if err != nil {
			return selection{}, err
		}
		plan := r.decidePage(p, chosen.run, taken, size-len(chosen.chosen), s.Clock.Now())
		removed, err := s.write(limited, v, registry, p, plan)
		if err != nil {
			return selection{}, err
		}
		chosen.run = plan.run
		chosen.run.Tally.Removed += removed
		chosen.chosen = append(chosen.chosen, plan.chosen...)
		if chosen.run.PassOver || 2*len(chosen.chosen) >= size || s.Clock.Now().Sub(started) > s.Times.PageLimit/2 {
			break
		}
	}
	over := v.state.Standing(seeding.ProblemRegistry, seeding.ProblemSignIn, seeding.ProblemRead, seeding.ProblemTypes, seeding.ProblemConfig)
	if err := s.Store.ClearProblems(ctx, c.ID, over, s.Clock.Now()); err != nil {
		return selection{}, err
	}
	if state.OutageAttempts > 0 {
		if err := s.Store.NoteOutage(ctx, state.Key, time.Time{}, 0); err != nil {
			return selection{}, err
		}
	}
	return chosen, nil
}

// prepareRules opens the registry and reads what the decisions follow.
func (s *Submitter) prepareRules(ctx context.Context, v view) (seeding.Registry, rules, error) {
	c := v.connector
	mapper, err := s.Mappings.Compile(c.Source.Mapping)
	if err != nil {
		return nil, rules{}, seeding.MappingUnusable(err)
	}
	fingerprintKey, err := s.FingerprintKeys.Current(ctx)
	if err != nil {
		return nil, rules{}, seeding.KeysUnusable(err)
	}
	registry, err := s.Registries.Open(ctx, c)
	if err != nil {
		return nil, rules{}, seeding.RegistryUnusable(err)
	}
	return registry, rules{
		registry: c.RegistryKey(), connector: c.ID, configured: c.Version,
		mandatory: c.Source.Mandatory, removeVIDs: c.Output.RemoveVIDs, retried: v.state.Retried,
		mapper: mapper, fingerprintKey: fingerprintKey, fingerprintKeys: map[string]seeding.Key{}, times: s.Times,
	}, nil
}

// chooseFailed turns what kept a batch from being made into a problem of the
// connector. A failure of the storage is none.
func (s *Submitter) chooseFailed(ctx context.Context, v view, err error) (next, error) {
	if fault, ok := errors.AsType[*seeding.Fault](err); ok {
		return s.registryFailed(ctx, v, fault)
	}
	if u, ok := errors.AsType[*seeding.Unusable](err); ok {
		s.log(v).Warn("connector cannot be run", "problem", string(seeding.ProblemConfig))
		return s.raise(ctx, v, seeding.ProblemConfig, u.Description)
	}
	return next{}, err
}

// registryFailed raises the problem of a failed call and tells when to try again.
func (s *Submitter) registryFailed(ctx context.Context, v view, fault *seeding.Fault) (next, error) {
	source, description := seeding.RegistryProblem(fault, seeding.ProblemRead)
	s.log(v).Warn("registry call failed", "fault", fault.Error(), "problem", string(seeding.ProblemRead))
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

// raise sets a problem. The next probe is due when it says so.
func (s *Submitter) raise(ctx context.Context, v view, source seeding.Source, d seeding.Description) (next, error) {
	p := v.state.Problems[source].Raised(s.Clock.Now(), d, s.Times)
	return next{due: p.Next}, s.Store.RaiseProblem(ctx, v.state.Connector, source, p)
}
