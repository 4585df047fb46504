package submit

import (
	"context"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Foresee returns what a run of the configuration would do with some VIDs now, by the
// decisions of a run. It writes nothing. draft says that the configuration is not
// stored: saved, it would make every rejection due.
func (s *Submitter) Foresee(ctx context.Context, c seeding.Connector, draft bool, registry seeding.Registry, vids []seeding.Identifier) ([]seeding.Foreseen, error) {
	r, err := s.foreseeRules(ctx, c, draft)
	if err != nil || len(vids) == 0 {
		return nil, err
	}
	p, err := s.foreseePage(ctx, c, registry, vids)
	if err != nil {
		return nil, err
	}
	if err := r.hidden(p, true, c.Source.OneByOne); err != nil {
		return nil, err
	}
	if err := s.readFingerprintKeys(ctx, p, r.fingerprintKeys); err != nil {
		return nil, err
	}
	open, err := s.Store.OpenBatches(ctx, c.RegistryKey())
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	return r.foresee(p, membersOf(open), s.Clock.Now()), nil
}

// foreseeRules are the rules of a configuration that may not be stored.
func (s *Submitter) foreseeRules(ctx context.Context, c seeding.Connector, draft bool) (rules, error) {
	r, err := s.rulesOf(ctx, c)
	if err != nil {
		return rules{}, err
	}
	state, err := s.Store.State(ctx, c.ID)
	if err != nil && !seeding.IsNotFound(err) {
		return rules{}, err
	}
	if r.retried = state.Retried; draft {
		r.configured = -1 // no rejection has this version, so each is due
	}
	return r, nil
}

// foreseePage reads what belongs to the VIDs.
func (s *Submitter) foreseePage(ctx context.Context, c seeding.Connector, registry seeding.Registry, vids []seeding.Identifier) (p page, err error) {
	p.vids = vids
	ids := registrantsOf(vids)
	if p.records, err = registry.Registrants(ctx, ids); err != nil {
		return p, err
	}
	tokens, err := registry.Tokens(ctx, ids)
	if err != nil {
		return p, err
	}
	p.tokens = seeding.ByRegistrant(tokens)
	began := s.Clock.Now()
	rejections, err := s.Store.RejectionsAt(ctx, c.RegistryKey(), numbersOf(vids))
	if seeding.IgnoreDamaged(err) != nil {
		return p, err
	}
	p.addRejections(rejections, c.ID, nil, began)
	if err = p.readHolders(ctx, registry); err == nil && c.IsDirect() {
		err = p.readFirst(ctx, registry)
	}
	return p, err
}

// foresee decides about the VIDs of a page in their order, as decidePage does.
func (r rules) foresee(p page, taken map[int64]bool, now time.Time) []seeding.Foreseen {
	list := make([]seeding.Foreseen, 0, len(p.vids))
	for _, vid := range p.vids {
		f := p.facts(vid, taken)
		d := r.decide(vid, f, now)
		one := seeding.Foreseen{Identifier: vid, Fate: fateOf(f, d.choice), Rejection: f.before}
		if f.record != nil {
			one.Record, one.Demographics = withVID(f.record, seeding.CleanVID(vid.Value)), r.demographics(vid, f)
		}
		switch d.choice {
		case take:
			taken[vid.Registrant] = true
			one.Rejection = seeding.Rejection{}
		case reject:
			one.Rejection = r.rejection(vid, f, d, now)
		}
		list = append(list, one)
	}
	return list
}

// fateOf names what a choice means for the registrant.
func fateOf(f facts, c choice) seeding.Fate {
	switch {
	case f.taken:
		return seeding.IsInBatch
	case f.record == nil:
		return seeding.NotSelectedNow
	case c == take:
		return seeding.WouldBeSent
	case c == reject:
		return seeding.WouldBeInvalid
	case f.before.Kind != "" && c == skip:
		return seeding.StaysRejected
	}
	return seeding.HoldsToken
}
