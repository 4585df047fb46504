package seeding

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// application is one answer on its way into the registry. Every step can be
// repeated: after a death at any point the next patcher does the same again and
// finds done what was done.
type application struct {
	*round
	c     Connector
	state State
	b     Batch
	parts []AnswerPart
	log   *slog.Logger

	key      Key
	wire     Registry
	add      Totals
	done     []Row                // held the token before we came, or have it now: tokenised
	vids     map[int64]Identifier // that the rows speak of, as they were looked up
	since    []time.Time          // when the VIDs of those counted as tokenised were entered
	unlink   []int64
	rejected []Rejection
	resolved []Member
	spoke    bool  // MOSIP spoke of a registrant, so licence and service are well
	troubled []Row // their codes speak of the system
	system   bool  // and of nothing else: a problem, which rejects nobody
}

// apply is the order of things: look, create, look again, reject, close, unlink,
// delete. The batch is closed before VIDs are removed, so that the totals count
// a row whose VID still fits, and once.
func (a *application) apply(ctx context.Context) (outcome, error) {
	rows, err := a.rows()
	if err != nil {
		return goOn, err
	}
	if a.key, err = a.Rows.ByID(ctx, a.b.RowKey); err != nil && !isNotFound(err) {
		return a.unusable(ctx, keysUnusable(err))
	}
	// With the key gone no row fits, and all stay pending.
	if a.wire, err = a.Registries.Open(ctx, a.c); err != nil {
		return a.unusable(ctx, registryUnusable(err))
	}

	sorted, err := a.look(ctx, rows)
	if err != nil {
		return a.callFailed(ctx, err, ProblemRead, false)
	}
	if a.b.counted(a.parts) {
		// All that it says was heard. Only VIDs may be left, and people may
		// have said "try again" since.
		a.add, a.rejected, a.troubled, a.spoke = Totals{}, nil, nil, false
	}
	created, err := a.create(ctx, sorted.create)
	if err != nil {
		return a.createFailed(ctx, err)
	}
	if err := a.lookAgain(ctx, created); err != nil {
		return a.callFailed(ctx, err, ProblemRead, false)
	}
	a.settleTwins(sorted.twins)
	if err := a.writeRejections(ctx); err != nil {
		return goOn, err
	}
	closed, err := a.count(ctx)
	if err != nil {
		return goOn, err
	}
	if err := a.settleProblems(ctx, len(created) > 0, closed); err != nil {
		return goOn, err
	}
	if end, err := a.removeVIDs(ctx); end != goOn || err != nil {
		return end, err
	}
	if len(a.unlink) > 0 && !a.c.Output.RemoveVIDs {
		return goOn, a.wait(ctx, ProblemUnlink) // nothing else knows what was sent
	}
	return goOn, a.Store.DeleteParts(ctx, a.parts)
}

// rows of all parts, one per registrant: a row with a token before any other.
func (a *application) rows() ([]Row, error) {
	best := map[Member]Row{}
	for _, part := range a.parts {
		rows, err := UnpackRows(part.Packed)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if before, known := best[row.Member]; !known || before.Token == "" && row.Token != "" {
				best[row.Member] = row
			}
		}
	}
	return slices.SortedFunc(maps.Values(best), func(x, y Row) int {
		return cmp.Or(cmp.Compare(x.Registrant, y.Registrant), cmp.Compare(x.Identifier, y.Identifier))
	}), nil
}

// sorting is what the look-up made of the rows that need a decision later.
type sorting struct {
	create []Row
	twins  []Row // their token also goes to another row of this answer, of a lower registrant
}

// look reads what the registrants hold now and who holds the tokens, and sorts
// every row. Rows that are forged, or older than what the registry holds, fall
// out here.
func (a *application) look(ctx context.Context, rows []Row) (sorting, error) {
	var s sorting
	if len(rows) == 0 {
		return s, nil
	}
	var registrants []int64
	var tokens []string
	for _, row := range rows {
		registrants = append(registrants, row.Registrant)
		if row.Token != "" {
			tokens = append(tokens, row.Token)
		}
	}
	slices.Sort(tokens)
	held, err := a.held(ctx, slices.Compact(registrants))
	if err != nil {
		return s, err
	}
	a.vids = held.vids
	holders := map[string][]int64{}
	if tokens = slices.Compact(tokens); len(tokens) > 0 {
		found, err := a.wire.Holders(ctx, tokens)
		if err != nil {
			return s, err
		}
		for _, i := range found {
			holders[i.Value] = append(holders[i.Value], i.Registrant)
		}
	}

	blame := settle(rows)
	first := map[string]int64{} // token -> lowest registrant that is to get it
	for _, row := range rows {
		fits := held.fits(a, row)
		switch {
		case row.Token != "" && held.only(row.Registrant, row.Token):
			// First, because an earlier attempt may have removed the VID that
			// the MAC needs.
			a.spoke = true
			vid, there := held.vidsOf[row.Registrant]
			switch {
			case fits:
				a.tokenised(row)
				a.unlink = append(a.unlink, row.Identifier)
				a.resolved = append(a.resolved, row.Member)
			case there && a.b.State.Open():
				// We wrote the token and did not live to look again, or its
				// reply was lost: the VID was changed since.
				a.vidChanged(row, vid)
				a.add.Conflict++
			case !there:
				a.resolved = append(a.resolved, row.Member)
			}
		case !fits: // stays pending
		case len(held.tokens[row.Registrant]) > 0:
			if row.Token != "" {
				a.reject(row, Conflict, CodeOtherToken, 0)
				a.add.Conflict++
			}
		case row.Token != "":
			a.spoke = true
			if other, taken := otherThan(holders[row.Token], row.Registrant); taken {
				a.reject(row, Duplicate, CodeHeldByOther, other)
				a.add.Duplicate++
			} else if _, twin := first[row.Token]; twin {
				s.twins = append(s.twins, row)
			} else {
				first[row.Token] = row.Registrant
				s.create = append(s.create, row)
			}
		case row.Status == RowProcessed:
			a.spoke = true
			a.reject(row, Refused, CodeEmptyToken, 0)
			a.add.Refused++
		case blame(row) == blameSystem:
			a.troubled = append(a.troubled, row)
		default:
			a.spoke = a.spoke || row.Status == RowError
			a.reject(row, Refused, row.Code, 0)
			a.add.Refused++
		}
	}
	return s, nil
}

// holdings are identifiers of registrants as the registry has them now.
type holdings struct {
	vids   map[int64]Identifier   // by identifier
	vidsOf map[int64]Identifier   // by registrant; one of them, where there are several
	tokens map[int64][]Identifier // by registrant
}

func (a *application) held(ctx context.Context, registrants []int64) (holdings, error) {
	vids, tokens, err := a.wire.Held(ctx, registrants)
	h := holdings{vids: map[int64]Identifier{}, vidsOf: map[int64]Identifier{}, tokens: byRegistrant(tokens)}
	for _, v := range vids {
		h.vids[v.ID], h.vidsOf[v.Registrant] = v, v
	}
	return h, err
}

// fits tells whether the row was made from the VID that the registrant has now.
func (h holdings) fits(a *application, row Row) bool {
	vid, there := h.vids[row.Identifier]
	return there && vid.Registrant == row.Registrant && a.key.ID != "" &&
		RowMACOf(a.key, a.b.Ref.Batch, row.Member, vid.Value, row.Print).Fits(row.MAC)
}

// only tells whether the registrant holds this token, and no other.
func (h holdings) only(registrant int64, token string) bool {
	held := h.tokens[registrant]
	return len(held) > 0 && !slices.ContainsFunc(held, func(i Identifier) bool { return i.Value != token })
}

func otherThan(registrants []int64, me int64) (int64, bool) {
	for _, r := range registrants {
		if r != me {
			return r, true
		}
	}
	return 0, false
}

// lookAgain checks what was created. Odoo has no conditional write: where the
// VID is no longer the one that was sent it is left alone, and a conflict on the
// identifier now there tells the people who must look.
func (a *application) lookAgain(ctx context.Context, created []Row) error {
	if len(created) == 0 {
		return nil
	}
	var registrants []int64
	for _, row := range created {
		registrants = append(registrants, row.Registrant)
	}
	held, err := a.held(ctx, registrants)
	if err != nil {
		return err
	}
	for _, row := range created {
		a.tokenised(row)
		a.done = append(a.done, row)
		single := len(held.tokens[row.Registrant]) == 1
		switch vid, there := held.vidsOf[row.Registrant]; {
		case single && held.fits(a, row):
			a.unlink = append(a.unlink, row.Identifier)
			a.resolved = append(a.resolved, row.Member)
		case there && single:
			a.vidChanged(row, vid)
		case there: // somebody else wrote a token at the same moment
			row.Identifier = vid.ID
			a.reject(row, Conflict, CodeOtherToken, 0)
		}
	}
	return nil
}

// vidChanged lists the VID that stands where the one that was sent should be.
func (a *application) vidChanged(row Row, vid Identifier) {
	row.Identifier = vid.ID
	a.reject(row, Conflict, CodeVIDChanged, 0)
}

// tokenised counts a row, and since when its registrant has waited.
func (a *application) tokenised(row Row) {
	a.add.Tokenised++
	if entered := a.vids[row.Identifier].Created; !entered.IsZero() {
		a.since = append(a.since, entered)
	}
}

// measure tells the meter what was counted.
func (a *application) measure(now time.Time) {
	a.add.measure(a.Meter)
	var seconds float64 // the years of a backlog, added up, are too long for a Duration
	for _, entered := range a.since {
		seconds += max(0, now.Sub(entered).Seconds()) // the registry's clock may be ahead
	}
	if n := len(a.since); n > 0 {
		a.Meter.Measure(MetricSecondsToToken, seconds/float64(n), "")
	}
}

// settleTwins: of several registrants with one token the lowest got it; the
// others are duplicates of it, if it did.
func (a *application) settleTwins(twins []Row) {
	holder := map[string]int64{}
	for _, row := range a.done {
		holder[row.Token] = row.Registrant
	}
	for _, row := range twins {
		if who, known := holder[row.Token]; known {
			a.reject(row, Duplicate, CodeHeldByOther, who)
			a.add.Duplicate++
		}
	}
}

func (a *application) reject(row Row, kind RejectionKind, code string, holder int64) {
	now := a.Clock.Now()
	a.rejected = append(a.rejected, Rejection{
		Registry: a.b.Ref.Registry, Identifier: row.Identifier, Connector: a.c.ID, Registrant: row.Registrant,
		Kind: kind, Code: code, Holder: holder, Print: row.Print, PrintKey: a.b.PrintKey,
		Configured: a.c.Version, Since: now,
	})
}

// settleTroubled decides what codes of the system mean. While others of the
// answer were answered, licence and service are well, so they speak of this
// registrant, or of trouble that passes: it is listed, tried once more at once,
// and then ever more seldom. Where nobody was answered it is the connector's
// problem, and nobody is rejected; unless only one or two come back who met it
// before while others were answered.
func (a *application) settleTroubled(standing map[int64]Rejection) {
	known := func(row Row) bool { return standing[row.Identifier].troubled() }
	own := a.spoke || len(a.troubled) < alikeLimit && !slices.ContainsFunc(a.troubled, func(row Row) bool { return !known(row) })
	_, stands := a.state.Problems[ProblemIdentity]
	// A probe is one registrant, and says nothing more of others than before.
	a.system = len(a.troubled) > 0 && !a.spoke && (stands || !own)
	if !own {
		return
	}
	for _, row := range a.troubled {
		a.reject(row, Refused, row.Code, 0)
		if known(row) {
			a.add.Refused++ // else it stays pending, and so is sent with the next pass
		}
	}
}

// writeRejections writes the new ones over what stands, and deletes those of
// registrants that have their token now.
func (a *application) writeRejections(ctx context.Context) error {
	var identifiers []int64
	for _, r := range a.rejected {
		identifiers = append(identifiers, r.Identifier)
	}
	for _, m := range a.resolved {
		identifiers = append(identifiers, m.Identifier)
	}
	for _, row := range a.troubled {
		identifiers = append(identifiers, row.Identifier)
	}
	if len(identifiers) == 0 {
		return nil
	}
	mine, err := standing(ctx, a.Store, a.b.Ref, identifiers)
	if err != nil {
		return err
	}
	a.settleTroubled(mine)
	for i := range a.rejected {
		r, before := &a.rejected[i], mine[a.rejected[i].Identifier]
		r.Attempts, r.Version = before.Attempts+1, before.Version
		r.Next = nextAttempt(r.Kind, r.Attempts, r.Since, a.Times)
		if r.troubled() {
			if !before.troubled() {
				r.Attempts = 1
			}
			r.Next = troubledAgain(r.Attempts, r.Since, a.Times)
		}
	}
	if len(a.rejected) > 0 {
		if _, err := a.Store.PutRejections(ctx, a.rejected); err != nil {
			return err
		}
	}
	var over []Rejection
	for _, m := range a.resolved {
		if r, stands := mine[m.Identifier]; stands {
			over = append(over, r)
		}
	}
	if len(over) == 0 {
		return nil
	}
	return a.Store.DeleteRejections(ctx, over)
}

// count closes the batch when its answer is complete or its time is over, and
// otherwise adds up. A late answer adds to the closed batch, once per part.
func (a *application) count(ctx context.Context) (closed bool, err error) {
	var fresh []string
	for _, part := range a.parts {
		if !a.b.HasPart(part.ID()) {
			fresh = append(fresh, part.ID())
		}
	}
	if !a.b.State.Open() {
		if len(fresh) == 0 {
			return false, nil
		}
		a.log.Info("late answer", "tokenised", a.add.Tokenised)
		return false, a.countParts(ctx, fresh)
	}
	now := a.Clock.Now()
	if !a.complete(fresh) && now.Before(a.b.Deadline) {
		if len(fresh) == 0 {
			return false, nil
		}
		return false, a.countParts(ctx, fresh)
	}
	b := a.b
	b.State, b.Closed = Patched, now
	b.Totals = b.Totals.Plus(a.add)
	b.Totals.Sent = b.Count
	b.Parts = append(slices.Clone(b.Parts), fresh...)
	err = a.Store.Close(ctx, b)
	if errors.Is(err, ErrConflict) {
		// Reconcile was quicker, or a part was counted meanwhile. Now it is a
		// late answer.
		if a.b, err = a.Store.Batch(ctx, b.Ref); err == nil && !a.b.State.Open() {
			err = a.countParts(ctx, fresh)
		}
		return false, err
	}
	if err != nil {
		return false, err
	}
	a.b = b
	a.measure(now)
	a.log.Info("batch patched", "sent", b.Totals.Sent, "tokenised", b.Totals.Tokenised,
		"rejected", b.Totals.Rejected(), "pending", b.Totals.Pending())
	return true, a.pace(ctx)
}

// countParts adds to a batch that is not closed now. A conflict means that the
// parts are counted.
func (a *application) countParts(ctx context.Context, fresh []string) error {
	err := a.Store.CountParts(ctx, a.b, fresh, a.add)
	if err == nil {
		a.measure(a.Clock.Now())
	}
	return ignoreConflict(err)
}

// complete tells whether all parts of one callback are there or were counted.
func (a *application) complete(fresh []string) bool {
	have := append(slices.Clone(a.b.Parts), fresh...)
	for _, part := range a.parts {
		all := true
		for k := range part.Of {
			id := AnswerPart{Content: part.Content, Part: k + 1, Of: part.Of}.ID()
			all = all && slices.Contains(have, id)
		}
		if all {
			return true
		}
	}
	return false
}

// pace lets the batch size follow: the closer moves it.
func (a *application) pace(ctx context.Context) error {
	received := a.parts[0].Received
	for _, part := range a.parts {
		if part.Received.Before(received) {
			received = part.Received
		}
	}
	return movePace(ctx, a.Store, a.b.MTS, func(p Pace) (Pace, bool) {
		return p.Answered(a.b, received, a.c.MTS.BatchMaximum)
	})
}

// removeVIDs unlinks what was sent, whatever the setting for other VIDs. What is
// refused stays in a.unlink: with the setting submit tries it again, without it
// the answer waits. So many answers that wait make one try per back-off.
func (a *application) removeVIDs(ctx context.Context) (outcome, error) {
	if len(a.unlink) == 0 {
		return goOn, nil
	}
	if !a.c.Output.RemoveVIDs && a.state.Problems[ProblemUnlink].Next.After(a.Clock.Now()) {
		return goOn, nil
	}
	err := a.wire.Remove(ctx, a.unlink)
	if err != nil {
		fault := FaultOf(err)
		switch fault.Kind {
		case RefusedRights, RefusedSchema, RefusedData, RefusedRequest:
			a.log.Warn("registry refuses to remove VIDs", "fault", fault.Error())
			_, text, remedy := registryProblem(fault, ProblemUnlink)
			return goOn, a.raise(ctx, ProblemUnlink, text, remedy)
		}
		return a.callFailed(ctx, err, ProblemUnlink, true)
	}
	a.unlink = nil
	return goOn, clearStanding(ctx, a.Store, a.state, a.Clock.Now(), ProblemUnlink)
}

// average follows a measured time per record.
func average(before, elapsed time.Duration, records int) time.Duration {
	measured := max(elapsed/time.Duration(max(records, 1)), time.Microsecond)
	if before == 0 {
		return measured
	}
	return (3*before + measured) / 4
}
