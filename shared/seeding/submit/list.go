package submit

import (
	"context"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// list is what a page of registrants that a person listed for an import has beside
// that of VIDs.
type list struct {
	part    seeding.ListedPart
	looked  []int                    // places in the part of those that the page is about
	through int64                    // the last registrant of the part, or of the page if more of the part follow
	without map[int64]seeding.Unsent // why registrants have no record
}

// readList reads at most limit registrants of the list of an import, after the
// cursor, and what belongs to them: by their ids, not by paging all VIDs. In a later
// pass these are only those that the run has sent.
func (s *Submitter) readList(ctx context.Context, registry seeding.Registry, c seeding.Connector, run seeding.Run, limit int, away map[string]bool, until time.Time) (p page, err error) {
	part, found, err := s.Store.ListedPart(ctx, run.Connector, run.ID, run.Cursor)
	if err != nil {
		return p, err
	}
	p.list, p.last = &list{part: part, through: run.Cursor}, true
	if !found {
		return p, nil
	}
	whole := true
	for i, entry := range part.Entries {
		if entry.Registrant <= run.Cursor || !run.FirstPass() && entry.Unsent != "" {
			continue
		}
		if whole = len(p.list.looked) < limit; !whole {
			break
		}
		p.list.looked = append(p.list.looked, i)
	}
	ids := p.list.registrants()
	if len(ids) > 0 {
		began := s.Clock.Now()
		var read int
		if p.records, read, err = s.readRecords(ctx, registry, c, ids, until); err != nil {
			return p, err
		}
		p.list.looked, ids, whole = p.list.looked[:read], ids[:read], whole && read == len(ids)
		if err := s.readHeld(ctx, registry, &p, ids); err != nil {
			return p, err
		}
		rejections, err := s.Store.RejectionsAt(ctx, c.RegistryKey(), numbersOf(p.vids))
		if seeding.IgnoreDamaged(err) != nil {
			return p, err
		}
		if err := s.readRejected(ctx, registry, c, &p, rejections, away, began); err != nil {
			return p, err
		}
		p.gone = nil // only a page of all VIDs tells which are gone
		p.list.through = ids[len(ids)-1]
	}
	if whole {
		p.list.through = part.Entries[len(part.Entries)-1].Registrant
	}
	p.last = whole && part.Last
	return p, nil
}

// readHeld reads what registrants hold, and which of those without a record there are.
func (s *Submitter) readHeld(ctx context.Context, registry seeding.Registry, p *page, ids []int64) (err error) {
	if p.vids, err = registry.VIDsOf(ctx, ids); err != nil {
		return err
	}
	tokens, err := registry.Tokens(ctx, ids)
	if err != nil {
		return err
	}
	p.tokens = seeding.ByRegistrant(tokens)
	absent := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return p.records[id] != nil })
	if len(absent) == 0 {
		return nil
	}
	inUse, archived, err := registry.Visible(ctx, absent)
	p.list.without = map[int64]seeding.Unsent{}
	for _, id := range absent {
		p.list.without[id] = seeding.UnsentNotFound
	}
	for _, id := range inUse {
		p.list.without[id] = seeding.UnsentNotSelected
	}
	for _, id := range archived {
		p.list.without[id] = seeding.UnsentArchived
	}
	return err
}

// registrants are those that the page is about.
func (l list) registrants() (ids []int64) {
	for _, i := range l.looked {
		ids = append(ids, l.part.Entries[i].Registrant)
	}
	return ids
}

// unseen is why most of those are not shown whom the registry has without the domain.
func (l list) unseen() seeding.Nobody {
	archived, others := 0, 0
	for _, why := range l.without {
		switch why {
		case seeding.UnsentArchived:
			archived++
		case seeding.UnsentNotSelected:
			others++
		}
	}
	return seeding.UnseenOf(archived+others, others, archived)
}

func numbersOf(identifiers []seeding.Identifier) (ids []int64) {
	for _, i := range identifiers {
		ids = append(ids, i.ID)
	}
	return ids
}

// decideList decides about listed registrants as decidePage does about VIDs, and
// notes of each in the first pass why it is not sent. That stays: later passes are
// for those who were sent.
func (r rules) decideList(p page, run seeding.Run, taken map[int64]bool, room room, now time.Time) pagePlan {
	plan := pagePlan{run: run}
	vids := seeding.ByRegistrant(p.vids)
	for _, i := range p.list.looked {
		if room.full() {
			return plan
		}
		entry := &p.list.part.Entries[i]
		plan.run.Cursor = entry.Registrant
		d := r.decideListed(p, entry.Registrant, vids[entry.Registrant], taken, now)
		if d.choice == take || run.FirstPass() {
			entry.Identifier = d.vid.ID
		}
		if run.FirstPass() {
			entry.Unsent = d.unsent
			d.count(&plan.run)
		}
		plan.add(r, d.vid, d.facts, d.decision, now)
		if d.choice == take {
			taken[entry.Registrant] = true
			room = room.without(plan.chosen[len(plan.chosen)-1:])
		}
	}
	plan.run.Cursor, plan.run.PassOver = p.list.through, p.last
	return plan
}

// listed is the decision about a registrant that was listed.
type listed struct {
	decision
	vid    seeding.Identifier // that it is about; the zero Identifier for none
	facts  facts
	unsent seeding.Unsent
}

// decideListed decides about a registrant by its VIDs: the first that is taken, or
// else the first of all.
func (r rules) decideListed(p page, registrant int64, vids []seeding.Identifier, taken map[int64]bool, now time.Time) (first listed) {
	switch held := p.tokens[registrant]; {
	case p.records[registrant] == nil:
		first.unsent = p.list.without[registrant]
	case len(vids) == 0 && len(held) > 0:
		first.unsent = seeding.UnsentHolding
	case len(vids) == 0:
		first.unsent = seeding.UnsentNoVID
	}
	if first.unsent != "" {
		return first
	}
	for i, vid := range vids {
		f := p.facts(vid, taken)
		d := listed{r.decide(vid, f, now), vid, f, ""}
		switch {
		case d.choice == take:
			return d
		case f.taken:
			d.unsent = seeding.UnsentInBatch
		case len(f.tokens) > 0 && d.choice != reject:
			d.unsent = seeding.UnsentHolding
		default:
			d.unsent = seeding.UnsentRejected
		}
		if i == 0 {
			first = d
		}
	}
	return first
}

// count adds the registrant to the tally of its run.
func (d listed) count(run *seeding.Run) {
	t := &run.Tally
	t.Looked++
	switch d.unsent {
	case seeding.UnsentNotSelected, seeding.UnsentArchived:
		t.NotSelected++
	case seeding.UnsentNotFound:
		t.NotFound++
	case seeding.UnsentNoVID:
		t.NoVID++
	case seeding.UnsentHolding:
		t.Holding++
	case seeding.UnsentInBatch:
		t.InBatch++
	case seeding.UnsentRejected:
		if d.cause.Kind == seeding.Invalid || d.facts.invalidSince(run.PassStarted) {
			t.Invalid++
		} else {
			t.Rejected++
		}
	}
}

// saveList writes what the first pass found of a page of listed registrants.
func (s *Submitter) saveList(ctx context.Context, v view, p page) error {
	if p.list == nil || len(p.list.looked) == 0 || !v.run.FirstPass() {
		return nil
	}
	return s.Store.SaveListed(ctx, v.run.Connector, v.run.ID, p.list.part, v.state.Lease.Fence)
}
