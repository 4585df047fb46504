package patch

import (
	"context"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Registrants that submissions create or complete: what the Output Format makes of a
// submission, or without one an individual of the mapped fields. A VID never enters the
// registry.

// individuals makes them.
type individuals struct {
	connector seeding.Connector
	mapper    seeding.Mapper
	program   seeding.OutputProgram // nil without an Output Format
}

func (p *Patcher) individuals(c seeding.Connector) (m individuals, err error) {
	m.connector = c
	if m.mapper, err = p.Expressions.Compile(c.Source.Mapping); err != nil {
		return m, &outputUnusable{seeding.CodeOutputFailed}
	}
	if c.Output.Format != "" {
		if m.program, err = p.Expressions.CompileOutput(c.Output.Format); err != nil {
			return m, &outputUnusable{seeding.CodeOutputFailed}
		}
	}
	return m, nil
}

// complete gives a submission with a token its VID, and what is to be written if its
// registrant is not complete yet.
func (m individuals) complete(s *submission, record seeding.Record, h submissionHoldings, shape seeding.TokenShape) {
	mapped := m.mapper.Map(record)
	s.vid = seeding.CleanVID(mapped.VID.Text)
	if s.row = withoutRubbish(s.row, s.vid, shape); s.row.Token == "" {
		return
	}
	k, to, _ := h.targetOf(s.row)
	if k != create {
		return
	}
	s.to = to
	access := m.connector.Registry
	s.made = proposal{row: s.row, lenient: m.program == nil, own: seeding.OutputOwner{
		Registrant: to.registrant, VID: s.vid, Token: s.row.Token, Submission: s.row.Submission,
		VIDType: access.VIDType, TokenType: access.TokenType, SubmissionType: access.SubmissionType,
	}}
	if m.program == nil {
		s.made.update, s.made.token = individualOf(mapped), seeding.NewToken{Registrant: to.registrant, Value: s.row.Token}
		return
	}
	result, err := m.program.Evaluate(seeding.OutputDocument{Input: record, VID: mapped.VID.Text, Status: "processed", Token: s.row.Token})
	if err == nil {
		s.made.update, err = seeding.ReadUpdate(result)
	}
	if err == nil {
		s.made.token, err = s.made.update.Resolve(s.made.own)
	}
	s.failed = err
}

// individualOf is what the mapped fields say of a person. What is none of the registry's
// is left out: MTS, which had the same, gave a token for it.
func individualOf(d seeding.Demographics) seeding.Update {
	u := seeding.Update{Shape: seeding.IndividualShape, Fields: map[string]string{}}
	for name, value := range map[string]seeding.Value{
		"name": d.Name, "gender": d.Gender, "birthdate": d.DOB, "address": d.FullAddress, "email": d.EmailID, "phone": d.PhoneNumber,
	} {
		text := strings.TrimSpace(value.Text)
		if name == "birthdate" {
			text = seeding.DateOf(text)
		}
		if text != "" {
			u.Fields[name] = text
		}
	}
	if number := u.Fields["phone"]; number != "" {
		u.Phones = []seeding.Phone{{Number: number}}
	}
	return u
}

// readError is the error of a call that reads between calls that write.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// individualPlans are what is to be written for the submissions of an answer.
type individualPlans struct {
	create   []newcomer
	complete []completion
}

type newcomer struct {
	row        seeding.Row
	registrant seeding.NewRegistrant
}

type completion struct {
	plan
	to target
}

// plannedIndividuals compares what was made of submissions with what the registry has. A
// verdict on a submission of which nothing can be written becomes unusable, and one on a
// registrant who is not seen pending.
func (p *Patcher) plannedIndividuals(ctx context.Context, t *turn, a answer, reads reader, found []submission, verdicts []verdict) (plans individualPlans, err error) {
	rows := rowsOf(verdicts, create)
	if len(rows) == 0 {
		return plans, nil
	}
	wanted := subjectSet(rows)
	failed := map[seeding.Subject]string{} // code texts; "" stays pending
	var proposals []proposal
	targets := map[seeding.Subject]target{}
	for _, s := range found {
		switch {
		case !wanted[s.row.Subject]:
		case s.failed != nil:
			failed[s.row.Subject] = seeding.OutputCode(s.failed)
		default:
			proposals, targets[s.row.Subject] = append(proposals, s.made), s.to
		}
	}
	compared, err := p.compared(ctx, t, reads, proposals, failed)
	if err != nil {
		return plans, err
	}
	for _, one := range compared {
		if to := targets[one.row.Subject]; to.registrant != 0 {
			plans.complete = append(plans.complete, completion{one, to})
			continue
		}
		made := newRegistrant(one)
		if made.Values["name"] == "" {
			failed[one.row.Subject] = (&seeding.OutputError{Code: seeding.CodeOutputValue, Member: "name"}).CodeText()
			continue
		}
		plans.create = append(plans.create, newcomer{one.row, made})
	}
	return plans, a.judgeResults(rows, verdicts, failed)
}

// newRegistrant is a plan for nobody who is there as a registrant to be created.
func newRegistrant(one plan) seeding.NewRegistrant {
	n := seeding.NewRegistrant{Submission: one.row.Submission, Token: one.token}
	for _, c := range one.changes {
		switch c.Kind {
		case seeding.SetRegistrant:
			n.Values = c.Values
		case seeding.AddPhone:
			n.Phones = append(n.Phones, seeding.Phone{Number: c.Values["phone_no"], Collected: c.Values["date_collected"]})
		case seeding.AddIdentifier:
			n.Identifiers = append(n.Identifiers, seeding.NewIdentifier{Type: c.Type, Values: c.Values})
		case seeding.SetIdentifier: // of nobody
		}
	}
	return n
}

// writeIndividuals writes what was planned and returns the verdicts on it. The holder of
// a written one is its registrant.
func (p *Patcher) writeIndividuals(ctx context.Context, t *turn, a answer, reads reader, plans individualPlans) ([]verdict, error) {
	completed, err := p.completeRegistrants(ctx, t, a, reads, plans.complete)
	if err != nil {
		return nil, err
	}
	created, err := p.createRegistrants(ctx, t, a, reads.registry, plans.create)
	return append(completed, created...), err
}

// createRegistrants creates registrants with all that they hold. One whose creation had
// an unknown outcome is found by its submission when the answer is processed again.
func (p *Patcher) createRegistrants(ctx context.Context, t *turn, a answer, registry seeding.Registry, list []newcomer) (verdicts []verdict, err error) {
	_, bad, err := inBulk(ctx, p, t, a.state, list, true, func(ctx context.Context, some []newcomer) error {
		registrants := make([]seeding.NewRegistrant, len(some))
		for i, one := range some {
			registrants[i] = one.registrant
		}
		ids, err := registry.CreateRegistrants(ctx, registrants)
		if err != nil {
			return err
		}
		for i, id := range ids {
			verdicts = append(verdicts, verdict{row: some[i].row, kind: written, holder: id})
		}
		return nil
	})
	if err != nil {
		return nil, &refusesOutput{err}
	}
	for _, b := range bad {
		verdicts = append(verdicts, verdict{row: b.item.row, kind: notWritten, code: b.code})
	}
	return verdicts, nil
}

// completeRegistrants writes what registrants lack of a submission, and last what shows
// that it is done: the id of the submission for whoever holds the token, the token for
// whoever keeps the id.
func (p *Patcher) completeRegistrants(ctx context.Context, t *turn, a answer, reads reader, list []completion) ([]verdict, error) {
	if len(list) == 0 {
		return nil, nil
	}
	to := map[seeding.Subject]target{}
	all := make([]plan, len(list))
	for i, one := range list {
		all[i], to[one.row.Subject] = one.plan, one.to
	}
	remain, verdicts, err := p.writeChanges(ctx, t, reads.registry, a.state, all)
	if err != nil {
		return nil, err
	}
	var marks, tokens []plan
	for _, one := range remain {
		if to[one.row.Subject].holds {
			marks = append(marks, one)
		} else {
			tokens = append(tokens, one)
		}
	}
	marked, refused, err := p.markSubmissions(ctx, t, a, reads, marks, to)
	if err != nil {
		return nil, err
	}
	created, refusals, err := p.create(ctx, t, reads.registry, a.state, tokens)
	if err != nil {
		return nil, err
	}
	confirmed, err := reads.confirmTokens(ctx, created, to)
	return slices.Concat(verdicts, marked, refused, refusals, confirmed), err
}

// markSubmissions gives holders of tokens the ids of their submissions.
func (p *Patcher) markSubmissions(ctx context.Context, t *turn, a answer, reads reader, plans []plan, to map[seeding.Subject]target) (marked, refused []verdict, err error) {
	if len(plans) == 0 {
		return nil, nil, nil
	}
	name := a.connector.Registry.SubmissionType
	var details seeding.Details
	err = reads.read(ctx, func(ctx context.Context) (err error) {
		details, err = reads.registry.Details(ctx, seeding.Wanted{Types: []string{name}})
		return err
	})
	if err != nil {
		return nil, nil, &readError{err}
	}
	if details.Types[name] == 0 {
		return nil, nil, &seeding.Fault{Kind: seeding.RefusedTypes, Code: "submission_type", Field: name}
	}
	done, bad, err := inBulk(ctx, p, t, a.state, plans, false, func(ctx context.Context, some []plan) error {
		edits := make([]seeding.Edit, len(some))
		for i, one := range some {
			edits[i] = seeding.Edit{Kind: seeding.AddIdentifier, ID: to[one.row.Subject].registrant, Type: details.Types[name], Values: map[string]string{"value": one.row.Submission}}
		}
		return reads.registry.Write(ctx, edits)
	})
	if err != nil {
		return nil, nil, err
	}
	for _, one := range done {
		marked = append(marked, verdict{row: one.row, kind: written, holder: to[one.row.Subject].registrant})
	}
	for _, b := range bad {
		refused = append(refused, verdict{row: b.item.row, kind: notWritten, code: b.code})
	}
	return marked, refused, nil
}

// confirmTokens gives the verdicts on tokens that were written for registrants that were
// there before, after reading again, because Odoo has no conditional write.
func (r reader) confirmTokens(ctx context.Context, created []seeding.Row, to map[seeding.Subject]target) (verdicts []verdict, err error) {
	var list []seeding.Identifier
	for _, row := range created {
		list = append(list, seeding.Identifier{Registrant: to[row.Subject].registrant})
	}
	tokens, err := r.tokensOf(ctx, list)
	if err != nil {
		return nil, &readError{err}
	}
	held := seeding.ByRegistrant(tokens)
	for i, row := range created {
		v := verdict{row: row, kind: written, holder: list[i].Registrant}
		if len(held[list[i].Registrant]) > 1 {
			v.kind, v.holder = contested, 0
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}
