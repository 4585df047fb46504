package submit

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// page is a part of the list of VIDs, with all that the decisions about it need.
type page struct {
	vids      []seeding.Identifier // in the order of their ids
	last      bool                 // nothing comes after it
	records   map[int64]seeding.Record
	tokens    map[int64][]seeding.Identifier // by registrant
	holders   map[int64][]seeding.Identifier // tokens of those that duplicates name
	mine      map[int64]seeding.Rejection    // of this connector, by identifier
	first     seeding.FirstHolders           // of the tokens of the page, with a direct callback
	conflicts map[int64]bool                 // identifiers with a conflict of any connector
	gone      []seeding.Rejection            // of this connector, whose identifier does not exist any more
	orphans   []seeding.Rejection            // of connectors that are away
	list      *list                          // nil if the VIDs are looked at in their order
}

// pagePlan is the result of the decisions about a page.
type pagePlan struct {
	chosen    []candidate
	rejected  []seeding.Rejection
	forgotten []seeding.Rejection
	remove    []int64 // VIDs
	run       seeding.Run
}

// decidePage decides about the VIDs of a page in their order, until the room is
// full; the last who is chosen may take more bytes than were left. It does not
// choose registrants in taken, and adds to taken those that it chooses.
func (r rules) decidePage(p page, run seeding.Run, taken map[int64]bool, room room, now time.Time) pagePlan {
	if p.list != nil {
		return r.decideList(p, run, taken, room, now)
	}
	plan := pagePlan{run: run, forgotten: p.gone}
	for _, vid := range p.vids {
		if room.full() {
			return plan
		}
		f := p.facts(vid, taken)
		d := r.decide(vid, f, now)
		f.count(d.choice, &plan.run)
		plan.run.Cursor = vid.ID
		plan.add(r, vid, f, d, now)
		if d.choice == take {
			taken[vid.Registrant] = true
			room = room.without(plan.chosen[len(plan.chosen)-1:])
		}
	}
	plan.run.PassOver = p.last
	return plan
}

// facts are what the page has of the registrant of a VID.
func (p page) facts(vid seeding.Identifier, taken map[int64]bool) facts {
	before := p.mine[vid.ID]
	return facts{
		taken: taken[vid.Registrant], record: p.records[vid.Registrant], tokens: p.tokens[vid.Registrant],
		before: before, holderTokens: p.holders[before.Holder], conflict: p.conflicts[vid.ID],
		heldBefore: p.first.Before(p.tokens[vid.Registrant]),
	}
}

// add adds what a decision about a VID asks for. The run has counted the VID, and its
// cursor is where it goes on after it.
func (plan *pagePlan) add(r rules, vid seeding.Identifier, f facts, d decision, now time.Time) {
	switch d.choice {
	case forget, remove:
		if f.before.Kind != "" {
			plan.forgotten = append(plan.forgotten, f.before)
		}
		if d.choice == remove {
			plan.remove = append(plan.remove, vid.ID)
		}
	case reject:
		plan.rejected = append(plan.rejected, r.rejection(vid, f, d, now))
	case take:
		d.candidate.cursor, d.candidate.tally = plan.run.Cursor, plan.run.Tally
		plan.chosen = append(plan.chosen, d.candidate)
	}
}

// rejection is the one that a decision to reject makes.
func (r rules) rejection(vid seeding.Identifier, f facts, d decision, now time.Time) seeding.Rejection {
	who := seeding.Member{Registrant: vid.Registrant, Identifier: vid.ID}.Subject()
	return d.cause.Reject(r.registry, r.connector, who, r.configured, f.before, now, r.times)
}

// readPage reads at most limit VIDs after the cursor, and what belongs to them.
// away caches which other connectors are away (isAway). If registrants are
// read one by one the page ends where it is at the time until.
func (s *Submitter) readPage(ctx context.Context, registry seeding.Registry, c seeding.Connector, cursor int64, limit int, away map[string]bool, until time.Time) (p page, err error) {
	began := s.Clock.Now()
	if p.vids, err = registry.VIDs(ctx, cursor, limit); err != nil {
		return p, err
	}
	p.last = len(p.vids) < limit
	if len(p.vids) > 0 {
		var read int
		if p.records, read, err = s.readRecords(ctx, registry, c, holdersOf(p.vids), until); err != nil {
			return p, err
		}
		p.vids, p.last = p.vids[:read], p.last && read == len(p.vids)
		tokens, err := registry.Tokens(ctx, registrantsOf(p.vids))
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
	if seeding.IgnoreDamaged(err) != nil {
		return p, err
	}
	err = s.readRejected(ctx, registry, c, &p, rejections, away, began)
	return p, err
}

// readRejected adds to a page what belongs to its rejections.
func (s *Submitter) readRejected(ctx context.Context, registry seeding.Registry, c seeding.Connector, p *page, rejections []seeding.Rejection, away map[string]bool, began time.Time) (err error) {
	for _, r := range rejections {
		if _, known := away[r.Connector]; !known && r.Connector != c.ID {
			if away[r.Connector], err = s.isAway(ctx, r.Connector, c.RegistryKey()); err != nil {
				return err
			}
		}
	}
	p.addRejections(rejections, c.ID, away, began)
	return p.readHolders(ctx, registry)
}

// readHolders reads what those hold whom the page's duplicates name.
func (p *page) readHolders(ctx context.Context, registry seeding.Registry) error {
	holders := p.duplicateHolders()
	if len(holders) == 0 {
		return nil
	}
	held, err := registry.Tokens(ctx, holders)
	if err != nil {
		return err
	}
	p.holders = seeding.ByRegistrant(held)
	return nil
}

// readFirst reads who held the tokens of the page's registrants first. With a direct
// callback nobody else looks whether two registrants got one token.
func (p *page) readFirst(ctx context.Context, registry seeding.Registry) error {
	var held []seeding.Identifier
	for _, vid := range p.vids {
		if p.records[vid.Registrant] != nil {
			held = append(held, p.tokens[vid.Registrant]...)
		}
	}
	tokens := seeding.TokensOf(held)
	if len(tokens) == 0 {
		return nil
	}
	all, err := registry.UsualHolders(ctx, tokens)
	p.first = seeding.FirstHoldersOf(all)
	return err
}

const (
	// maxOneByOne bounds a page of registrants that are read one by one, and
	// sliceOneByOne what is read of it between two looks at the clock.
	maxOneByOne   = 100
	sliceOneByOne = 16
	// leastLook is how many VIDs a page has while reading is a problem: fewer do
	// not show whether names are hidden.
	leastLook = unmarked
	// unmarked is how many registrants with one and the same name are no chance, if
	// it may be a name and no module says that it hides names. A few people in a row
	// may have one name, or be newborns without one; they must not stop the others.
	unmarked = 100
)

// pageLimit is the size of a page of which size VIDs are wanted.
func (v view) pageLimit(size int) int {
	size = min(size, maxPage)
	if len(v.state.Raised(seeding.ProblemRead)) > 0 {
		size = max(size, leastLook)
	}
	if v.connector.Source.OneByOne {
		size = min(size, maxOneByOne)
	}
	return size
}

// readRecords reads registrants, all at once or one by one. That takes until a time,
// and at least one is read; read is how many were.
func (s *Submitter) readRecords(ctx context.Context, registry seeding.Registry, c seeding.Connector, registrants []int64, until time.Time) (records map[int64]seeding.Record, read int, err error) {
	if !c.Source.OneByOne {
		records, err = registry.Registrants(ctx, distinct(registrants))
		return records, len(registrants), err
	}
	records = map[int64]seeding.Record{}
	for n := 1; read < len(registrants); n = min(2*n, sliceOneByOne) {
		if read > 0 && s.Clock.Now().After(until) {
			return records, read, nil
		}
		to := min(read+n, len(registrants))
		some, err := registry.Registrants(ctx, distinct(registrants[read:to]))
		if err != nil {
			return nil, 0, err
		}
		maps.Copy(records, some)
		read = to
	}
	return records, read, nil
}

// sameName returns the name that all registrants of a page have, who have one, and
// how many they are; 0 if there are two names, or none.
func (r rules) sameName(p page) (name string, names int) {
	seen := map[int64]bool{}
	for _, vid := range p.vids {
		record := p.records[vid.Registrant]
		if record == nil || seen[vid.Registrant] {
			continue
		}
		seen[vid.Registrant] = true
		mapped := r.mapper.Map(withVID(record, vid.Value)).Name.Text
		switch {
		case mapped == "":
			continue
		case names > 0 && mapped != name:
			return "", 0
		}
		name, names = mapped, names+1
	}
	return name, names
}

// unclear reports whether a page has too many of one name for a chance, and too few
// for a certainty, and more VIDs follow.
func (r rules) unclear(p page) bool {
	name, names := r.sameName(p)
	return !p.last && names >= seeding.Namesakes && names < unmarked && !seeding.IsPlaceholder(name)
}

// hidden is a fault if one text is in place of all names of a page. The registrants
// of a registry that hides them must not be sent: MTS would get the text.
func (r rules) hidden(p page, first, oneByOne bool) error {
	name, names := r.sameName(p)
	least := unmarked
	switch {
	case seeding.IsPlaceholder(name) && first: // of a pass: the last pages may be small
		least = seeding.LeastAlike(name)
	case seeding.IsPlaceholder(name):
		least = seeding.Namesakes
	}
	if names < least {
		return nil
	}
	code := seeding.Encrypted
	if oneByOne {
		code = seeding.StillEncrypted
	}
	return &seeding.Fault{Kind: seeding.RefusedRequest, Code: code}
}

// isAway reports whether a connector was deleted, uses another registry now, or takes
// submissions. Its rejections here are nobody's, and must not keep others from removing VIDs.
func (s *Submitter) isAway(ctx context.Context, connector, registry string) (bool, error) {
	state, err := s.Store.State(ctx, connector)
	if seeding.IsNotFound(err) {
		return true, nil
	}
	return err == nil && (state.Registry != registry || state.Subjects() != seeding.Registrants), err
}

// unseen returns why the registry shows next to no registrant of a page, of which
// some were looked at; "" if it shows some. If the registry does not say why, that
// is all that is different.
func (s *Submitter) unseen(ctx context.Context, registry seeding.Registry, p page, looked, notSelected int) seeding.Nobody {
	if !seeding.FindsNobody(looked, notSelected) {
		return ""
	}
	if p.list != nil { // it knows already
		return p.list.unseen()
	}
	absent := slices.DeleteFunc(registrantsOf(p.vids[:looked]), func(id int64) bool { return p.records[id] != nil })
	inUse, archived, err := registry.Visible(ctx, absent)
	if err != nil {
		s.Log.Warn("registrants not counted", "fault", seeding.FaultOf(err).Error())
		return seeding.UnseenCause
	}
	return seeding.UnseenOf(len(absent), len(inUse), len(archived))
}

// addRejections adds the rejections in the range of the page. One that was
// written since the page was read is not gone, because its identifier may be new.
func (p *page) addRejections(rejections []seeding.Rejection, connector string, away map[string]bool, began time.Time) {
	there := map[int64]bool{}
	for _, vid := range p.vids {
		there[vid.ID] = true
	}
	p.mine, p.conflicts = map[int64]seeding.Rejection{}, map[int64]bool{}
	for _, r := range rejections {
		if away[r.Connector] {
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
		if !there[r.Identifier] && !r.LastAttempt.After(began) {
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

// readFingerprintKeys adds the keys of the fingerprints of the page's rejections,
// as far as they still exist.
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

// write carries out the decisions about a page. It can be repeated.
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

// removeVIDs removes the VIDs of registrants that hold a token. While there is
// the problem "unlink" it removes one per back-off, which may clear the problem.
func (s *Submitter) removeVIDs(ctx context.Context, v view, registry seeding.Registry, identifiers []int64) (removed int, err error) {
	if len(identifiers) == 0 {
		return 0, nil
	}
	if problem, raised := v.state.Problems[seeding.ProblemUnlink]; raised {
		if problem.Next.After(s.Clock.Now()) {
			return 0, nil
		}
		identifiers = identifiers[:1]
	}
	removal, err := seeding.RemoveVIDs(ctx, registry, s.Store, v.state, identifiers, s.Clock, s.Times)
	if err != nil {
		return 0, err
	}
	if removal.Failed != nil {
		return 0, removal.Failed
	}
	if removal.Refused != nil {
		s.log(v).Warn("registry refuses to remove VIDs", "fault", removal.Refused.Error())
		v.state.Problems[seeding.ProblemUnlink] = removal.Problem // one attempt per back-off, in this step too
		return 0, nil                                             //nolint:nilerr // it is shown as a problem, and keeps nobody from being sent
	}
	return len(identifiers), nil
}

// registrantsOf returns every registrant that holds one of the identifiers, once.
func registrantsOf(identifiers []seeding.Identifier) []int64 { return distinct(holdersOf(identifiers)) }

// holdersOf returns the registrant of each identifier.
func holdersOf(identifiers []seeding.Identifier) []int64 {
	ids := make([]int64, len(identifiers))
	for i, identifier := range identifiers {
		ids[i] = identifier.Registrant
	}
	return ids
}

// distinct leaves out what is repeated.
func distinct(ids []int64) (list []int64) {
	seen := map[int64]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}
