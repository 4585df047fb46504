package patch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Answers to batches of submissions (infra/protocol.md, "Answers about submissions"). What was sent is not
// known here: MTS read the form itself. So the form is read again, once, and what a
// submission says today is used for a row only if it was not edited since MTS read it.
// The registry says which submissions are done: a registrant keeps the id of its
// submission. Nothing of a submission is kept but what is to be written.

// applySubmissions writes one answer into the registry: look, read the form, complete
// registrants, create new ones, reject, close, delete the answer. Every step can be
// repeated: who is created has token and id of the submission from the beginning, and
// who is completed gets last what shows that it is done.
func (p *Patcher) applySubmissions(ctx context.Context, t *turn, a answer) (outcome, error) {
	key, err := p.RowKeys.ByID(ctx, a.batch.RowKey)
	if err != nil && !seeding.IsNotFound(err) {
		return p.waitUnusable(ctx, a, seeding.KeysUnusable(err))
	}
	rows, whole, err := a.submissions(key)
	if err != nil {
		return proceed, err
	}
	if len(rows) == 0 && !whole || len(a.batch.Parts) >= mostCounted && !a.batch.HasParts(a.parts) {
		return proceed, p.drop(ctx, a, "no row is of a submission that was asked for as it would be now")
	}
	registry, err := p.Registries.Open(ctx, a.connector)
	if err != nil {
		return p.waitUnusable(ctx, a, seeding.RegistryUnusable(err))
	}
	form, err := p.Forms.OpenForm(ctx, a.connector)
	if err != nil {
		return p.waitUnusable(ctx, a, seeding.FormUnusable(err))
	}
	makes, err := p.individuals(a.connector)
	if err != nil {
		return p.writeFailed(ctx, t, a, err)
	}
	reads := reader{p, t, registry}
	h, err := reads.lookAtSubmissions(ctx, a.connector, rows)
	if err != nil {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	found, there, err := p.readForm(ctx, t, a, form, rows, h, makes)
	if err != nil {
		return p.formFailed(ctx, t, a, err)
	}
	verdicts := judgeSubmissions(found, h, a.connector.Output.TokenShape, a.batch.State.Open())
	plans, err := p.plannedIndividuals(ctx, t, a, reads, found, verdicts)
	if err != nil {
		return p.planFailed(ctx, t, a, err)
	}
	wrote, err := p.writeIndividuals(ctx, t, a, reads, plans)
	if failed, ofRead := errors.AsType[*readError](err); ofRead {
		return p.callFailed(ctx, t, a, failed.error, seeding.ProblemRead, false)
	}
	if err != nil {
		return p.writeFailed(ctx, t, a, err)
	}
	verdicts = dated(slices.Concat(verdicts, wrote, twinsOf(verdicts, wrote)), found)

	counted := a.batch.HasParts(a.parts)
	r := sum(verdicts, holdings{}, a.batch.FingerprintKey, counted)
	r.form = true
	if a.batch.State.Open() {
		r.gone = max(0, a.batch.Count-there)
	}
	if !counted {
		r.alike, r.unalike = commonCode(verdicts)
	}
	r, identityRefused, err := p.writeRejections(ctx, a, r)
	if err != nil {
		return proceed, err
	}
	closed, err := p.count(ctx, a, r)
	if err != nil {
		return proceed, err
	}
	if err := p.updateProblems(ctx, t, a, r, len(rowsOf(wrote, written)) > 0, closed, identityRefused); err != nil {
		return proceed, err
	}
	return proceed, p.Store.DeleteParts(ctx, a.parts)
}

// submissions returns the rows of an answer that were asked for with its batch, under
// the form and the mapping that the connector has now, one for each submission, by
// their ids. Of several one with a token counts, then the first that was read. whole
// reports that the answer has a row for every submission of its open batch.
func (a answer) submissions(key seeding.Key) (rows map[string]seeding.Row, whole bool, err error) {
	asked := func(id string) bool {
		return len(a.batch.Submissions) == 0 || slices.Contains(a.batch.Submissions, id)
	}
	mac := seeding.WindowMACOf(key, a.batch.Ref.Batch, a.connector)
	rows, all := map[string]seeding.Row{}, map[string]bool{}
	for _, part := range a.parts {
		list, err := seeding.UnpackRows(part.Packed)
		if err != nil {
			return nil, false, err
		}
		for _, row := range list {
			if row.Submission == "" || !asked(row.Submission) {
				continue
			}
			all[row.Submission] = true
			if key.ID == "" || !mac.Fits(row.MAC) {
				continue
			}
			row = withoutRubbish(row, "", a.connector.Output.TokenShape)
			if before, known := rows[row.Submission]; !known || before.Token == "" && row.Token != "" {
				rows[row.Submission] = row
			}
		}
	}
	if len(all) > a.batch.Count { // the callback stores no more rows
		return nil, false, nil
	}
	return rows, a.batch.State.Open() && len(all) == a.batch.Count, nil
}

// submission is a row with what the form says of it today.
type submission struct {
	row    seeding.Row
	ref    seeding.SubmissionRef // zero of one that is not there any more
	edited bool                  // since MTS read it
	vid    string
	to     target   // of one that creates or completes a registrant
	made   proposal // of the same
	failed error    // nothing that can be written was made of the same
}

// formError is the error of a call of ODK Central.
type formError struct {
	fault *seeding.Fault
	late  bool // the time was over that a turn had left after others
}

func (e *formError) Error() string { return e.fault.Error() }

// readForm reads the submissions of a batch from the form: all of its window, or those
// with its ids; of a batch that is closed those with rows. Of each that has a token it
// makes the individual that is to be written, unless that is there. there is how many
// submissions of the batch there are today. The order is that in which Central received
// them.
func (p *Patcher) readForm(ctx context.Context, t *turn, a answer, form seeding.Form, rows map[string]seeding.Row, h submissionHoldings, makes individuals) (found []submission, there int, err error) {
	left := p.timeLeft(t)
	seen := make(map[string]bool, len(rows))
	each := func(s seeding.Submission) error {
		if err := p.beforeReading(ctx, t); err != nil {
			return &leaseError{err}
		}
		if b := a.batch; seen[s.ID] || (len(b.Submissions) > 0 || !b.Window.Empty()) && !b.Takes(s.SubmissionRef) {
			return nil // of a closed batch any id may be asked for
		}
		seen[s.ID] = true
		there++
		row, asked := rows[s.ID]
		if !asked {
			return nil
		}
		one := submission{row: row, ref: s.SubmissionRef, edited: row.Fingerprint != s.Fingerprint()}
		if !one.edited && row.Token != "" {
			makes.complete(&one, s.Record, h, a.connector.Output.TokenShape)
		}
		found = append(found, one)
		return nil
	}
	if err := p.beforeReading(ctx, t); err != nil {
		return nil, 0, &leaseError{err}
	}
	if ids := a.batch.Named(); len(ids) > 0 || !a.batch.State.Open() || a.batch.Window.Empty() {
		if len(ids) == 0 {
			ids = slices.DeleteFunc(slices.Sorted(maps.Keys(rows)), func(id string) bool { return !seeding.Askable(id) })
		}
		err = form.ReadSome(ctx, ids, each)
	} else {
		err = form.Read(ctx, a.batch.Window, each)
	}
	if _, lease := errors.AsType[*leaseError](err); lease {
		return nil, 0, err
	}
	if err != nil {
		return nil, 0, &formError{seeding.FaultOf(err), !p.hasTime(t) && left < 3*p.Times.PatchWork/4}
	}
	for id, row := range rows {
		if !seen[id] {
			found = append(found, submission{row: row})
		}
	}
	slices.SortFunc(found, func(x, y submission) int {
		return cmp.Or(x.ref.Received.Compare(y.ref.Received), cmp.Compare(x.row.Submission, y.row.Submission))
	})
	shareNoToken(found)
	return found, there, nil
}

// shareNoToken takes tokens away that submissions with different VIDs have in common
// (withoutShared).
func shareNoToken(found []submission) {
	rows, vids := make([]seeding.Row, len(found)), map[seeding.Subject]string{}
	for i, s := range found {
		rows[i] = s.row
		vids[s.row.Subject] = s.vid
	}
	withoutShared(rows, func(row seeding.Row) string { return vids[row.Subject] })
	for i := range found {
		found[i].row = rows[i]
	}
}

// formFailed lets the answer wait for the end of the problem "odk". Central is down, or
// refuses, for its own connectors only, so the turn goes on with others.
func (p *Patcher) formFailed(ctx context.Context, t *turn, a answer, err error) (outcome, error) {
	failed, ofForm := errors.AsType[*formError](err)
	if !ofForm {
		return p.callFailed(ctx, t, a, err, seeding.ProblemRead, false)
	}
	p.log(a).Warn("the form cannot be read", "fault", failed.fault.Error())
	if failed.late { // a whole turn may be long enough
		return end, nil
	}
	if err := p.raise(ctx, a, seeding.ProblemODK, seeding.ODKProblem(failed.fault)); err != nil {
		return proceed, err
	}
	return proceed, p.postpone(ctx, a, seeding.ProblemODK)
}

// submissionHoldings are what the registry has of submissions and their tokens.
type submissionHoldings struct {
	holdings                     // tokens by registrant, and registrants by token
	registrants map[string]int64 // by the id of the submission that they keep
	keeps       map[int64]bool   // registrants that keep the id of any submission
}

// lookAtSubmissions reads who keeps the ids of rows, what tokens these hold, who holds
// the tokens of rows, and which of them keep the id of a submission.
func (r reader) lookAtSubmissions(ctx context.Context, c seeding.Connector, rows map[string]seeding.Row) (h submissionHoldings, err error) {
	h = submissionHoldings{holdings: newHoldings(nil, nil, nil), registrants: map[string]int64{}, keeps: map[int64]bool{}}
	keepers, err := inParts(ctx, r, slices.Collect(maps.Keys(rows)), r.registry.Submissions)
	if err != nil {
		return h, err
	}
	tokens, err := r.tokensOf(ctx, keepers)
	if err != nil {
		return h, err
	}
	holders, err := r.holdersOf(ctx, slices.Collect(maps.Values(rows)))
	if err != nil {
		return h, err
	}
	h.holdings = newHoldings(nil, tokens, holders)
	for _, k := range keepers {
		h.keeps[k.Registrant] = true
	}
	// Several keep an id only if somebody entered it by hand: whoever has the token
	// counts, then who was there first.
	for id, list := range byValue(keepers) {
		h.registrants[id] = slices.MinFunc(list, func(x, y int64) int {
			return cmp.Or(compareTrue(h.holdsOnly(x, rows[id].Token), h.holdsOnly(y, rows[id].Token)),
				compareTrue(len(h.tokens[x]) > 0, len(h.tokens[y]) > 0), cmp.Compare(x, y))
		})
	}
	return h, r.lookWhatHoldersKeep(ctx, c, holders, h.keeps)
}

// lookWhatHoldersKeep notes which holders of tokens keep the id of a submission.
func (r reader) lookWhatHoldersKeep(ctx context.Context, c seeding.Connector, holders []seeding.Identifier, keeps map[int64]bool) error {
	var unknown []int64
	for _, i := range holders {
		if !keeps[i.Registrant] {
			unknown = append(unknown, i.Registrant)
		}
	}
	held, err := inParts(ctx, r, unknown, func(ctx context.Context, some []int64) ([]seeding.HeldIdentifier, error) {
		d, err := r.registry.Details(ctx, seeding.Wanted{Registrants: some, Held: true})
		return d.Identifiers, err
	})
	for _, i := range held {
		if i.Type == c.Registry.SubmissionType {
			keeps[i.Registrant] = true
		}
	}
	return err
}

// tokensOf reads the tokens of the registrants of identifiers.
func (r reader) tokensOf(ctx context.Context, list []seeding.Identifier) (tokens []seeding.Identifier, err error) {
	var registrants []int64
	for _, i := range list {
		registrants = append(registrants, i.Registrant)
	}
	return inParts(ctx, r, registrants, r.registry.Tokens)
}

// byValue are the registrants that hold identifiers, by the values of these.
func byValue(list []seeding.Identifier) map[string][]int64 {
	m := map[string][]int64{}
	for _, i := range list {
		m[i.Value] = append(m[i.Value], i.Registrant)
	}
	return m
}

// compareTrue orders true before false.
func compareTrue(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

// target is whom a row with a token creates or completes.
type target struct {
	registrant int64 // 0: a new one
	holds      bool  // it holds the token, and not yet the id of the submission
}

// targetOf decides about a row with a token by what the registry holds. Only create has
// a target.
func (h submissionHoldings) targetOf(row seeding.Row) (k kind, to target, holder int64) {
	other, isHeld := h.otherHolder(row.Token, 0)
	if mine, kept := h.registrants[row.Submission]; kept {
		switch other, isHeld := h.otherHolder(row.Token, mine); {
		case h.holdsOnly(mine, row.Token):
			return held, target{}, 0
		case len(h.tokens[mine]) > 0:
			return otherToken, target{registrant: mine}, 0
		case isHeld:
			return duplicate, target{}, other
		}
		return create, target{registrant: mine}, 0
	}
	if !isHeld {
		return create, target{}, 0
	}
	free := int64(0)
	for _, r := range h.holders[row.Token] {
		switch {
		case h.keeps[r]:
			return duplicate, target{}, r
		case free == 0 || r < free:
			free = r
		}
	}
	if free == 0 {
		return duplicate, target{}, other
	}
	return create, target{registrant: free, holds: true}, 0
}

// judgeSubmissions gives a verdict for each row. The order of rows is that in which
// their submissions were received: of several with one token the first gets it.
func judgeSubmissions(found []submission, h submissionHoldings, shape seeding.TokenShape, open bool) []verdict {
	var rows []seeding.Row
	for _, s := range found {
		if s.counts() {
			rows = append(rows, s.row)
		}
	}
	blameOf := blamesOf(rows)
	wanted, completed := map[string]bool{}, map[int64]bool{}
	verdicts := make([]verdict, 0, len(found))
	for _, s := range found {
		v := verdict{row: s.row}
		if s.counts() {
			v = s.judge(h, shape, open, blameOf(s.row))
		} else if s.ref.ID == "" {
			v.kind = gone
		}
		if v.kind == create {
			to := s.to.registrant
			switch {
			case wanted[s.row.Token]:
				v.kind = twin
			case to != 0 && completed[to]: // it holds the tokens of both
				v.kind, v.holder = duplicate, to
			default:
				wanted[s.row.Token], completed[to] = true, true
			}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// counts reports whether the row says something of the submission as it is today.
func (s submission) counts() bool { return s.ref.ID != "" && !s.edited }

func (s submission) judge(h submissionHoldings, shape seeding.TokenShape, open bool, blame seeding.Blame) verdict {
	v := verdict{row: s.row}
	switch {
	case seeding.IsRubbish(s.row.Code):
		v.kind = systemic
	case s.row.Token != "":
		var to target
		v.kind, to, v.holder = h.targetOf(s.row)
		switch v.kind {
		case held:
			if !open { // whose batch was closed without it counts in the one that wrote it
				v.kind = done
			}
		case otherToken:
			if v.code = shape.HeldCode(h.tokens[to.registrant], s.vid); v.code != "" {
				v.kind = notToken
			}
		}
	case len(h.tokens[h.registrants[s.row.Submission]]) > 0: // it has its token of another answer
		v.kind = pending
	default:
		v.kind = withoutToken(s.row, blame)
	}
	return v
}

// dated gives verdicts the times at which their submissions were received.
func dated(verdicts []verdict, found []submission) []verdict {
	received := make(map[seeding.Subject]time.Time, len(found))
	for _, s := range found {
		received[s.row.Subject] = s.ref.Received
	}
	for i, v := range verdicts {
		verdicts[i].received = received[v.row.Subject]
	}
	return verdicts
}

// twinsOf: of several submissions with one token the first got it.
func twinsOf(verdicts, wrote []verdict) []verdict {
	holder := map[string]int64{}
	for _, v := range wrote {
		if v.holder != 0 {
			holder[v.row.Token] = v.holder
		}
	}
	return duplicatesOf(holder, verdicts)
}
