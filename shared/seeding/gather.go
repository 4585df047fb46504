package seeding

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"
)

// harvest is what the registry yielded for one batch.
type harvest struct {
	chosen   []candidate
	run      Run   // moved past what was looked at
	counter  int64 // of the registry, read before anything else
	printKey string
}

// candidate is a registrant that is to be sent.
type candidate struct {
	member       Member
	demographics Demographics
	print        Print
}

// gather reads pages of VIDs until the batch is at least half full, which is
// what makes the batch size grow, or the pass is over. On the way it writes
// rejections of what MTS would not take, forgets rejections whose identifier
// is gone, and removes VIDs of registrants that hold a token.
//
// The registry's counter is read first, its open batches next, then the pages.
// In any other order a batch patched and closed in between is sent twice.
func (w *work) gather(ctx context.Context, c Connector, run Run, size int) (harvest, error) {
	limited, cancel := context.WithTimeout(ctx, w.Times.PageLimit)
	defer cancel()
	state, err := w.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return harvest{}, err
	}
	open, err := w.Store.OpenBatches(ctx, c.RegistryKey())
	if err != nil {
		return harvest{}, err
	}
	mapper, err := w.Mappings.Compile(c.Source.Mapping)
	if err != nil {
		return harvest{}, &unusable{text: "The mapping cannot be used.", remedy: "Save the connector's mapping anew.", cause: err}
	}
	printKey, err := w.Prints.Current(ctx)
	if err != nil {
		return harvest{}, keysUnusable(err)
	}
	registry, err := w.Registries.Open(ctx, c)
	if err != nil {
		return harvest{}, registryUnusable(err)
	}
	p := pager{
		work: w, c: c, registry: registry, mapper: mapper, printKey: printKey, size: size,
		harvest: harvest{run: run, counter: state.Counter, printKey: printKey.ID},
		taken:   map[int64]bool{}, others: map[string]bool{},
	}
	for _, b := range open {
		for _, m := range b.Members {
			p.taken[m.Registrant] = true
		}
	}
	started := w.Clock.Now()
	for limit := size; ; limit = min(2*limit, pageMost) {
		if err := p.page(limited, limit); err != nil {
			return harvest{}, err
		}
		h := p.harvest
		if h.run.PassOver || 2*len(h.chosen) >= size || w.Clock.Now().Sub(started) > w.Times.PageLimit/2 {
			break
		}
	}
	if err := w.clear(ctx, ProblemRegistry, ProblemSignIn, ProblemRead, ProblemTypes, ProblemConfig); err != nil {
		return harvest{}, err
	}
	if state.OutageTries > 0 {
		if err := w.Store.NoteOutage(ctx, state.Key, time.Time{}, 0); err != nil {
			return harvest{}, err
		}
	}
	return p.harvest, nil
}

// pager works pages of the registry into a harvest.
type pager struct {
	*work
	c        Connector
	registry Registry
	mapper   Mapper
	printKey Key
	size     int
	harvest  harvest
	taken    map[int64]bool  // registrants in open batches, or chosen already
	others   map[string]bool // other connectors: whether they are deleted
}

// page reads one page of at most limit VIDs behind the cursor and decides about
// each in the order of identifiers, until the batch is full.
func (p *pager) page(ctx context.Context, limit int) error {
	run, began := &p.harvest.run, p.Clock.Now()
	vids, err := p.registry.VIDs(ctx, run.Cursor, limit)
	if err != nil {
		return err
	}
	registrants := registrantsOf(vids)
	var records map[int64]Record
	var tokens []Identifier
	if len(vids) > 0 {
		if records, err = p.registry.Registrants(ctx, registrants); err != nil {
			return err
		}
		if tokens, err = p.registry.Tokens(ctx, registrants); err != nil {
			return err
		}
	}
	from, to := run.Cursor+1, int64(math.MaxInt64)
	if len(vids) == limit {
		to = vids[len(vids)-1].ID
	}
	rejections, err := p.Store.Rejections(ctx, p.c.RegistryKey(), from, to)
	if err != nil {
		return err
	}
	d := decision{
		pager: p, records: records, tokens: byRegistrant(tokens),
		mine: map[int64]Rejection{}, conflicts: map[int64]bool{}, gone: map[int64]Rejection{},
	}
	var orphans []Rejection
	for _, r := range rejections {
		if r.Connector == p.c.ID {
			d.mine[r.Identifier] = r
			if !r.Since.After(began) { // else its identifier may be newer than the page
				d.gone[r.Identifier] = r
			}
		} else if orphan, err := p.deleted(ctx, r.Connector); err != nil {
			return err
		} else if orphan {
			orphans = append(orphans, r)
			continue
		}
		if r.Kind == Conflict {
			d.conflicts[r.Identifier] = true
		}
	}
	if len(orphans) > 0 {
		if err := p.Store.DeleteRejections(ctx, orphans); err != nil {
			return err
		}
	}
	var inTheWay []int64
	for _, vid := range vids {
		delete(d.gone, vid.ID)
		if r := d.mine[vid.ID]; r.Kind == Duplicate {
			inTheWay = append(inTheWay, r.Holder)
		}
	}
	if len(inTheWay) > 0 {
		held, err := p.registry.Tokens(ctx, inTheWay)
		if err != nil {
			return err
		}
		d.holders = byRegistrant(held)
	}
	full := false
	for _, vid := range vids {
		if full = len(p.harvest.chosen) >= p.size; full {
			break
		}
		if err := d.decide(ctx, vid); err != nil {
			return err
		}
		run.Cursor = vid.ID
		run.Tally.Looked++
	}
	if len(vids) < limit && !full {
		run.PassOver = true
	}
	return p.write(ctx, d)
}

// deleted tells whether a connector is no more; what it left behind must not
// keep others from removing VIDs.
func (p *pager) deleted(ctx context.Context, connector string) (bool, error) {
	gone, known := p.others[connector]
	if known {
		return gone, nil
	}
	_, err := p.Store.State(ctx, connector)
	if err != nil && !isNotFound(err) {
		return false, err
	}
	p.others[connector] = err != nil
	return err != nil, nil
}

// decision is what one page leads to.
type decision struct {
	*pager
	records   map[int64]Record
	tokens    map[int64][]Identifier
	holders   map[int64][]Identifier // tokens of those that stand in the way of duplicates
	mine      map[int64]Rejection    // of this connector, by identifier
	conflicts map[int64]bool         // of any connector
	gone      map[int64]Rejection    // of this connector, with no cause any more
	rejected  []Rejection
	remove    []int64
}

func (d *decision) decide(ctx context.Context, vid Identifier) error {
	if d.taken[vid.Registrant] {
		return nil
	}
	record, selected := d.records[vid.Registrant]
	if !selected {
		d.forget(vid) // no longer this connector's business
		return nil
	}
	if held := d.tokens[vid.Registrant]; len(held) > 0 {
		d.holdsToken(vid, held)
		return nil
	}
	record["vid"] = vid.Value
	x := candidate{member: Member{Registrant: vid.Registrant, Identifier: vid.ID}, demographics: d.mapper.Map(record)}
	x.print = PrintOf(d.printKey, x.demographics)
	now := d.Clock.Now()
	before, known := d.mine[vid.ID]
	if known && !d.causeGone(before) {
		today, err := d.todaysPrint(ctx, before, x.demographics)
		if err != nil {
			return err
		}
		if !before.Due(now, today, d.c.Version, d.state.Again) {
			return nil
		}
	}
	if code := x.demographics.Invalid(d.c.Source.Mandatory); code != "" {
		d.rejected = append(d.rejected, d.rejection(x.member, Invalid, code, x.print, before))
		d.harvest.run.Tally.Invalid++
		return nil
	}
	d.taken[vid.Registrant] = true
	d.harvest.chosen = append(d.harvest.chosen, x)
	return nil
}

// causeGone: a conflict is over when the registrant holds no token any more, and
// a duplicate when the one that held its token does not.
func (d *decision) causeGone(r Rejection) bool {
	switch r.Kind {
	case Conflict:
		return len(d.tokens[r.Registrant]) == 0
	case Duplicate:
		return len(d.holders[r.Holder]) == 0
	}
	return false
}

// holdsToken: such a registrant is never sent. Its VID goes right here, if the
// connector may remove VIDs, and nobody has a conflict over it.
func (d *decision) holdsToken(vid Identifier, held []Identifier) {
	before := d.mine[vid.ID]
	for _, token := range held {
		if token.Value == "" {
			// Odoo counts an empty identifier as one of its type (facts/odoo.md A3).
			if before.Code != CodeEmptyHeld {
				m := Member{Registrant: vid.Registrant, Identifier: vid.ID}
				d.rejected = append(d.rejected, d.rejection(m, Conflict, CodeEmptyHeld, Print{}, before))
			}
			return
		}
	}
	if d.conflicts[vid.ID] {
		return
	}
	d.forget(vid)
	if d.c.Output.RemoveVIDs {
		d.remove = append(d.remove, vid.ID)
	}
}

// forget drops this connector's rejection of a VID that it has no cause to keep.
func (d *decision) forget(vid Identifier) {
	if r, known := d.mine[vid.ID]; known {
		d.gone[vid.ID] = r
	}
}

// todaysPrint fingerprints with the key that the rejection was made with. When
// that key is gone the data counts as changed.
func (d *decision) todaysPrint(ctx context.Context, r Rejection, demographics Demographics) (Print, error) {
	key, err := d.Prints.ByID(ctx, r.PrintKey)
	switch {
	case isNotFound(err):
		return Print{}, nil
	case err != nil:
		return Print{}, err
	}
	return PrintOf(key, demographics), nil
}

func (d *decision) rejection(m Member, kind RejectionKind, code string, print Print, before Rejection) Rejection {
	now := d.Clock.Now()
	return Rejection{
		Registry: d.c.RegistryKey(), Identifier: m.Identifier, Connector: d.c.ID, Registrant: m.Registrant,
		Kind: kind, Code: code, Print: print, PrintKey: d.printKey.ID,
		Configured: d.c.Version, Attempts: before.Attempts + 1,
		Next: nextAttempt(kind, before.Attempts+1, now, d.Times), Since: now, Version: before.Version,
	}
}

// write carries out what the page decided; all of it can be repeated.
func (p *pager) write(ctx context.Context, d decision) error {
	if len(d.rejected) > 0 {
		if _, err := p.Store.PutRejections(ctx, d.rejected); err != nil {
			return err
		}
		kinds := map[RejectionKind]int{}
		for _, r := range d.rejected {
			kinds[r.Kind]++
		}
		for kind, n := range kinds {
			p.Meter.Measure(MetricRejected, float64(n), string(kind))
		}
	}
	if len(d.gone) > 0 {
		if err := p.Store.DeleteRejections(ctx, slices.Collect(maps.Values(d.gone))); err != nil {
			return err
		}
	}
	return p.removeVIDs(ctx, d.remove)
}

// removeVIDs takes the VIDs of registrants that hold a token. While the problem
// "unlink" stands one is tried per back-off; without that nothing could ever
// clear it.
func (p *pager) removeVIDs(ctx context.Context, identifiers []int64) error {
	if len(identifiers) == 0 {
		return nil
	}
	if problem, stands := p.state.Problems[ProblemUnlink]; stands {
		if problem.Next.After(p.Clock.Now()) {
			return nil
		}
		identifiers = identifiers[:1]
	}
	err := p.registry.Remove(ctx, identifiers)
	if err == nil {
		p.harvest.run.Tally.Removed += len(identifiers)
		return p.clear(ctx, ProblemUnlink)
	}
	fault, isFault := errors.AsType[*Fault](err)
	if !isFault || fault.Kind == Unknown || fault.Kind == Unreachable || fault.Kind == RefusedSignIn {
		return err
	}
	p.log.Warn("registry refuses to remove VIDs", "fault", fault.Error())
	_, text, remedy := registryProblem(fault, ProblemUnlink)
	problem := p.state.Problems[ProblemUnlink].again(p.Clock.Now(), text, remedy, p.Times)
	if p.state.Problems == nil {
		p.state.Problems = map[Source]Problem{}
	}
	p.state.Problems[ProblemUnlink] = problem // one try per back-off, in this invocation too
	return p.Store.RaiseProblem(ctx, p.state.Connector, ProblemUnlink, problem)
}

func registrantsOf(identifiers []Identifier) []int64 {
	seen := map[int64]bool{}
	var ids []int64
	for _, i := range identifiers {
		if !seen[i.Registrant] {
			seen[i.Registrant] = true
			ids = append(ids, i.Registrant)
		}
	}
	return ids
}

func byRegistrant(identifiers []Identifier) map[int64][]Identifier {
	m := map[int64][]Identifier{}
	for _, i := range identifiers {
		m[i.Registrant] = append(m[i.Registrant], i)
	}
	return m
}
