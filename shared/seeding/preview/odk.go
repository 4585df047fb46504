package preview

import (
	"context"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// SubmissionStore is what a preview of submissions calls of the stores besides.
type SubmissionStore interface {
	State(ctx context.Context, connector string) (seeding.State, error)
	RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) ([]seeding.Rejection, error)
}

// form opens the form, or returns a line that says why it cannot be.
func (p *Previewer) form(ctx context.Context, c seeding.Connector, source seeding.PasswordSource, secrets map[string]string) (seeding.Form, *seeding.Line) {
	if c.ODK.BaseURL == "" {
		line := seeding.NoODK
		return nil, &line
	}
	password, unread := secrets[seeding.ODKPassword], error(nil)
	if source == seeding.PasswordStored {
		password, unread = p.ODKPassword(ctx, c)
	}
	if line, tried := source.ODKLine(unread); !tried {
		return nil, &line
	}
	form, err := p.OpenForm(c, password)
	if err != nil {
		line := seeding.FormUnusable(err).Line("odk_form", "odk_odata_url")
		return nil, &line
	}
	return form, nil
}

// formFailure is the line of what keeps submissions from being read; nil for success and
// for other failures.
func formFailure(err error) *seeding.Line {
	if err == nil {
		return nil
	}
	fault := seeding.FaultOf(err)
	line := seeding.ODKProblem(fault).Line("odk_form", "odk_odata_url")
	if fault.Kind == seeding.RefusedSignIn {
		line = seeding.ODKSignInLine(fault)
	}
	return &line
}

// lookAtForm reads the newest submissions, and decides about them as a run does. form is
// a failure at ODK Central, err any other.
func (p *Previewer) lookAtForm(ctx context.Context, q seeding.Inquiry, c seeding.Connector, from seeding.Form, registry seeding.Registry) (a seeding.PreviewAnswer, form, err error) {
	mapper, err := p.Mappings.Compile(c.Source.Mapping)
	if err != nil {
		return a, nil, seeding.MappingUnusable(err)
	}
	if form = from.CheckVID(ctx, p.VIDField(c)); form != nil {
		return a, form, nil
	}
	everything := seeding.Window{From: c.ODK.Received, To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	refs, _, form := from.Page(ctx, everything, q.Count)
	if form != nil {
		return a, form, nil
	}
	var ids []string
	for _, ref := range refs {
		if seeding.Askable(ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	read := map[string]seeding.Submission{}
	if form = from.ReadSome(ctx, ids, func(s seeding.Submission) error { read[s.ID] = s; return nil }); form != nil {
		return a, form, nil
	}
	done, err := p.done(ctx, registry, ids)
	if err != nil {
		return a, nil, err
	}
	rejections, retried, err := p.rejected(ctx, q, c, ids)
	if err != nil {
		return a, nil, err
	}
	a.Fates = map[seeding.Fate]int{}
	var records []seeding.Record
	for _, ref := range refs {
		s, there := read[ref.ID]
		if !there {
			continue // deleted a moment ago, or with an id that cannot be asked for
		}
		f := seeding.Foreseen{Fate: seeding.WouldBeSent, Record: s.Record, Demographics: mapper.Map(s.Record)}
		f.Value = f.Demographics.VID.Text
		x, rejected := rejections[s.ID]
		switch lacks := f.Demographics.Invalid(c.Source.Mandatory); {
		case done[s.ID]:
			f.Fate = seeding.HoldsToken
		case rejected && !x.Due(p.Now(), s.Fingerprint(), c.Version, retried):
			f.Fate, f.Rejection = seeding.StaysRejected, x
		case lacks != "":
			f.Fate, f.Rejection = seeding.WouldBeInvalid, seeding.Rejection{Kind: seeding.Invalid, Code: lacks}
		case a.Output == nil:
			if a.Output, err = p.outputOf(c, f); err != nil {
				return a, nil, err
			}
		}
		a.VIDs++
		a.Fates[f.Fate]++
		shown := row(f)
		shown.Submission, shown.Received = s.ID, s.Received
		a.Rows, records = append(a.Rows, shown), append(records, s.Record)
	}
	a.Sampled = len(records)
	a.Parts, err = p.parts(c.Source.Mapping, records)
	return a, nil, err
}

// done are those of some submissions that have a registrant with a token.
func (p *Previewer) done(ctx context.Context, registry seeding.Registry, ids []string) (map[string]bool, error) {
	done := map[string]bool{}
	if len(ids) == 0 {
		return done, nil
	}
	held, err := registry.Submissions(ctx, ids)
	if err != nil || len(held) == 0 {
		return done, err
	}
	var holders []int64
	for _, i := range held {
		holders = append(holders, i.Registrant)
	}
	slices.Sort(holders)
	tokens, err := registry.Tokens(ctx, slices.Compact(holders))
	if err != nil {
		return nil, err
	}
	with := seeding.ByRegistrant(tokens)
	for _, i := range held {
		if len(with[i.Registrant]) > 0 {
			done[i.Value] = true
		}
	}
	return done, nil
}

// rejected are the rejections of some submissions; of a draft each is due.
func (p *Previewer) rejected(ctx context.Context, q seeding.Inquiry, c seeding.Connector, ids []string) (map[string]seeding.Rejection, seeding.Retried, error) {
	found := map[string]seeding.Rejection{}
	if q.Draft != nil || len(ids) == 0 {
		return found, nil, nil
	}
	state, err := p.Submissions.State(ctx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	list, err := p.Submissions.RejectionsOfSubmissions(ctx, c.RegistryKey(), c.ID, ids)
	if seeding.IgnoreDamaged(err) != nil {
		return nil, nil, err
	}
	for _, x := range list {
		found[x.Submission] = x
	}
	return found, state.Retried, nil
}

// outputOf is what an Output Format makes of a made answer about a submission.
func (p *Previewer) outputOf(c seeding.Connector, f seeding.Foreseen) (*seeding.PreviewOutput, error) {
	if c.Output.Format == "" {
		return nil, nil //nolint:nilnil // there is nothing to show
	}
	program, err := p.Outputs.CompileOutput(c.Output.Format)
	if err != nil {
		return refused(err), nil
	}
	vid, token := seeding.CleanVID(f.Value), madeToken(c.Output.TokenShape.OrMOSIP())
	result, err := program.Evaluate(seeding.OutputDocument{Input: f.Record, VID: f.Value, Status: "processed", Token: token})
	if err != nil {
		return refused(err), nil
	}
	shown := &seeding.PreviewOutput{Result: masked(result, vid, f.Value)}
	update, err := seeding.ReadUpdate(result)
	if err == nil {
		shown.Shape = string(update.Shape)
		_, err = update.Resolve(seeding.OutputOwner{VID: vid, Token: token, VIDType: c.Registry.VIDType, TokenType: c.Registry.TokenType})
	}
	if err != nil {
		w := refused(err)
		shown.Wrong, shown.Code, shown.Params = w.Wrong, w.Code, w.Params
	}
	return shown, nil
}
