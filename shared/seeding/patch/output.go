package patch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What the connector's Output Format makes of an answer (infra/protocol.md, "Output
// Format"). It is evaluated for rows whose tokens are to be created, and for no
// others: MTS's document for a row without a token would tell the registry nothing.
// Everything else that it says is written before the token is, so that whoever holds
// the token needs nothing more, and every step can be repeated until then.

// plan is what is to be written for one row.
type plan struct {
	row     seeding.Row
	token   seeding.NewToken
	changes []seeding.Edit
}

// plansOf are plans of rows of which the token is all that is written.
func plansOf(rows []seeding.Row) []plan {
	plans := make([]plan, len(rows))
	for i, row := range rows {
		plans[i] = plan{row: row, token: seeding.NewToken{Registrant: row.Registrant, Value: row.Token}}
	}
	return plans
}

// proposal is a result that names its own registrant and the token, and is to be
// compared with the registry yet.
type proposal struct {
	row    seeding.Row
	own    seeding.OutputOwner
	update seeding.Update
	token  seeding.NewToken
	// lenient leaves out what the registry would refuse: nobody asked for each of the
	// fields.
	lenient bool
}

// wanted is what the registry must be asked before the proposals can be written.
// needed is false if that is nothing.
func wanted(proposals []proposal) (w seeding.Wanted, needed bool) {
	fields, types, values, genders := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range proposals {
		others := p.update.Others(p.own)
		u := p.update
		if named := u.Shape == seeding.ByIdentifierShape && !u.NamesOwn(p.own); named || len(others) > 0 || len(u.Fields) > 0 || len(u.Phones) > 0 {
			needed = true
			if p.own.Registrant != 0 {
				w.Registrants = append(w.Registrants, p.own.Registrant)
			}
			w.Held = w.Held || named || len(others) > 0
			w.Phones = w.Phones || len(u.Phones) > 0
		}
		for name, text := range u.Fields {
			fields[name] = true
			if name == "gender" {
				genders[text] = true
			}
		}
		for _, i := range others {
			types[i.Type], values[i.Value] = true, true
		}
	}
	slices.Sort(w.Registrants)
	w.Registrants = slices.Compact(w.Registrants)
	w.Fields, w.Types = slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(types))
	w.Values, w.Genders = slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(genders))
	return w, needed
}

// errNotSeen: the registry does not show the registrant. A later pass finds it.
var errNotSeen = errors.New("registrant is not seen")

// taken are the identifiers that proposals of one answer add, by type and value, with
// who adds them.
type taken map[[2]string]adder

// adder is a registrant, or a submission of which one is created or completed.
type adder struct {
	registrant int64
	submission string
}

// compare decides what a proposal changes. The error is an *OutputError, or
// errNotSeen.
func (p proposal) compare(d seeding.Details, adds taken, now time.Time) ([]seeding.Edit, error) {
	u := p.update
	held := func(match func(seeding.HeldIdentifier) bool) *seeding.HeldIdentifier {
		if at := slices.IndexFunc(d.Identifiers, match); at >= 0 {
			return &d.Identifiers[at]
		}
		return nil
	}
	mine := func(i seeding.HeldIdentifier) bool { return i.Registrant == p.own.Registrant }
	if u.Shape == seeding.ByIdentifierShape && !u.NamesOwn(p.own) && held(func(i seeding.HeldIdentifier) bool {
		return mine(i) && strings.TrimSpace(i.Value) == u.UpdateID && (u.UpdateType == "" || u.UpdateType == i.Type)
	}) == nil {
		return nil, &seeding.OutputError{Code: seeding.CodeOutputOther, Member: "updateId"}
	}
	var changes []seeding.Edit
	set, err := p.fields(d, now)
	if err != nil {
		return nil, err
	}
	if len(set) > 0 {
		changes = append(changes, seeding.Edit{Kind: seeding.SetRegistrant, ID: p.own.Registrant, Values: set})
	}
	for _, i := range u.Others(p.own) {
		idType, known := d.Types[i.Type]
		if !known {
			return nil, &seeding.OutputError{Code: seeding.CodeOutputValue, Member: "id_type"}
		}
		key := [2]string{i.Type, i.Value}
		me := adder{p.own.Registrant, p.own.Submission}
		if other, another := adds[key]; another && other != me || held(func(h seeding.HeldIdentifier) bool { return !mine(h) && h.Type == i.Type && h.Value == i.Value }) != nil {
			return nil, &seeding.OutputError{Code: seeding.CodeOutputOther, Member: "ids"}
		}
		adds[key] = me
		values := identifierValues(i, d.Later)
		if has := held(func(h seeding.HeldIdentifier) bool { return mine(h) && h.Type == i.Type }); has == nil {
			changes = append(changes, seeding.Edit{Kind: seeding.AddIdentifier, ID: p.own.Registrant, Type: idType, Values: values})
		} else if has.Value != i.Value || len(values) > 1 {
			changes = append(changes, seeding.Edit{Kind: seeding.SetIdentifier, ID: has.ID, Values: values})
		}
	}
	phones := slices.Clone(d.Phones[p.own.Registrant])
	for _, phone := range u.Phones {
		if slices.Contains(phones, phone.Number) {
			continue
		}
		phones = append(phones, phone.Number)
		values := map[string]string{"phone_no": phone.Number}
		if phone.Collected != "" {
			values["date_collected"] = phone.Collected
		}
		changes = append(changes, seeding.Edit{Kind: seeding.AddPhone, ID: p.own.Registrant, Values: values})
	}
	return changes, nil
}

// identifierValues are the fields of an identifier, as far as the registry has them.
func identifierValues(i seeding.TypedValue, later bool) map[string]string {
	values := map[string]string{"value": i.Value}
	if i.Expiry != "" {
		values["expiry_date"] = i.Expiry
	}
	if later && i.Status != "" {
		values["status"] = i.Status
	}
	if later && i.Description != "" {
		values["description"] = i.Description
	}
	return values
}

// fields are those of the registrant that change. Line 15.0 refuses an unknown gender,
// what is no e-mail address and a registration in the future; later ones leave the
// first out and take the others (facts/odoo.md D).
func (p proposal) fields(d seeding.Details, now time.Time) (map[string]string, error) {
	set := map[string]string{}
	if len(p.update.Fields) == 0 {
		return set, nil
	}
	current, seen := d.Fields[p.own.Registrant]
	if !seen && p.own.Registrant != 0 {
		return nil, errNotSeen
	}
	for name, text := range p.update.Fields {
		refused := false
		switch name {
		case "gender":
			value, known := d.Genders[text]
			if !known && (d.Later || text == current[name]) { // the value that is stored, for instance
				continue
			}
			refused, text = !known, value
		case "email":
			user, host, found := strings.Cut(text, "@")
			refused = !d.Later && (!found || user == "" || host == "" || strings.ContainsAny(text, " \t\n"))
		case "registration_date":
			refused = !d.Later && text > now.UTC().Format(time.DateOnly)
		}
		switch {
		case refused && p.lenient:
			continue
		case refused:
			return nil, &seeding.OutputError{Code: seeding.CodeOutputValue, Member: name}
		}
		if current[name] != text {
			set[name] = text
		}
	}
	return set, nil
}

// outputUnusable is the error of an Output Format that gives nothing usable for
// anybody, which is no thousand rejections.
type outputUnusable struct{ code string }

func (e *outputUnusable) Error() string { return e.code }

// planned evaluates the Output Format for the rows that are to be created, and
// returns what is to be written for each. A verdict on a row for which it gives
// nothing that can be written becomes unusable, and one on a registrant who is not
// seen pending. Without an Output Format the token is all.
func (p *Patcher) planned(ctx context.Context, t *turn, a answer, reads reader, verdicts []verdict, h holdings) ([]plan, error) {
	rows := rowsOf(verdicts, create)
	if len(rows) == 0 {
		return nil, nil
	}
	if a.connector.Output.Format == "" || a.connector.IsDirect() {
		return plansOf(rows), nil // of a direct callback the Output Format is MTS's
	}
	e, err := p.evaluator(a.connector)
	if err != nil {
		return nil, err
	}
	failed := map[seeding.Subject]string{} // code texts; "" stays pending
	var proposals []proposal
	for some := range slices.Chunk(rows, e.atOnce()) {
		if !p.hasTime(t) {
			return nil, errTimeUp
		}
		found, err := e.propose(ctx, reads, some, h, failed)
		if err != nil {
			return nil, err
		}
		proposals = append(proposals, found...)
	}
	plans, err := p.compared(ctx, t, reads, proposals, failed)
	if err != nil {
		return nil, err
	}
	return plans, a.judgeResults(rows, verdicts, failed)
}

// judgeResults changes the verdicts on rows whose results cannot be written. The error
// is an *outputUnusable if that is so of all.
func (a answer) judgeResults(rows []seeding.Row, verdicts []verdict, failed map[seeding.Subject]string) error {
	for i, v := range verdicts {
		code, is := failed[v.row.Subject]
		switch {
		case !is || v.kind != create:
		case code == "":
			verdicts[i].kind = pending
		default:
			verdicts[i].kind, verdicts[i].code = unusable, code
		}
	}
	_, writeRefused := a.state.Problems[seeding.ProblemWrite]
	if code := failsAlike(rows, failed); code != "" && (writeRefused || len(rows) >= largerAnswer) {
		return &outputUnusable{code}
	}
	return nil
}

// failsAlike is the code with which all rows failed, or "".
func failsAlike(rows []seeding.Row, failed map[seeding.Subject]string) (code string) {
	for _, row := range rows {
		of, is := failed[row.Subject]
		if !is || of == "" || code != "" && of != code {
			return ""
		}
		code = of
	}
	return code
}

// compared compares proposals with what the registry has.
func (p *Patcher) compared(ctx context.Context, t *turn, reads reader, proposals []proposal, failed map[seeding.Subject]string) (plans []plan, err error) {
	adds := taken{}
	for some := range slices.Chunk(proposals, mostLooked) {
		if !p.hasTime(t) {
			return nil, errTimeUp
		}
		var details seeding.Details
		if w, needed := wanted(some); needed {
			err := reads.read(ctx, func(ctx context.Context) (err error) {
				details, err = reads.registry.Details(ctx, w)
				return err
			})
			if err != nil {
				return nil, &refusesOutput{err}
			}
		}
		for _, one := range some {
			changes, err := one.compare(details, adds, p.Clock.Now())
			if err != nil {
				failed[one.row.Subject] = seeding.OutputCode(err) // "" for who is not seen
				continue
			}
			plans = append(plans, plan{one.row, one.token, changes})
		}
	}
	return plans, nil
}

// evaluator evaluates the Output Format of a connector.
type evaluator struct {
	connector seeding.Connector
	program   seeding.OutputProgram
	reads     bool           // .input is read again
	mapper    seeding.Mapper // makes .output.vid, unless that is the VID itself
}

func (p *Patcher) evaluator(c seeding.Connector) (evaluator, error) {
	e := evaluator{connector: c}
	var err error
	if e.program, err = p.Expressions.CompileOutput(c.Output.Format); err != nil {
		return e, &outputUnusable{seeding.CodeOutputFailed}
	}
	types := map[string]seeding.Types{"id": seeding.Number, "vid": seeding.Text}
	for _, field := range c.Source.Fields {
		types[field] = seeding.AnyType
	}
	e.reads = seeding.NeedsRecord(e.program.Foresee(types))
	if vid := strings.TrimSpace(c.Source.Mapping.VID); vid != "" && vid != "vid" {
		e.reads = true
		if e.mapper, err = p.Expressions.Compile(c.Source.Mapping); err != nil {
			return e, &outputUnusable{seeding.CodeOutputFailed}
		}
	}
	return e, nil
}

// atOnce is how many records are in memory at once.
func (e evaluator) atOnce() int {
	if e.connector.Source.OneByOne {
		return 100
	}
	return 500
}

// propose evaluates the Output Format for some rows, whose records it reads in one
// call, if it needs them.
func (e evaluator) propose(ctx context.Context, reads reader, rows []seeding.Row, h holdings, failed map[seeding.Subject]string) (list []proposal, err error) {
	var inputs map[int64]seeding.Input
	if e.reads {
		ids := registrantsOf(subjectSet(rows))
		err := reads.read(ctx, func(ctx context.Context) (err error) {
			inputs, err = reads.registry.Inputs(ctx, ids)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		o := seeding.OutputOwner{
			Registrant: row.Registrant, VID: seeding.CleanVID(h.vids[row.Identifier].Value), Token: row.Token,
			VIDType: e.connector.Registry.VIDType, TokenType: e.connector.Registry.TokenType,
		}
		input := seeding.Input{Sent: seeding.Record{"id": int(row.Registrant)}}
		if e.reads {
			var seen bool
			if input, seen = inputs[row.Registrant]; !seen {
				failed[row.Subject] = ""
				continue
			}
		}
		update, err := e.evaluate(input, o)
		var token seeding.NewToken
		if err == nil {
			token, err = update.Resolve(o)
		}
		if err != nil {
			failed[row.Subject] = seeding.OutputCode(err) // "" for who is not seen
			continue
		}
		list = append(list, proposal{row: row, own: o, update: update, token: token})
	}
	return list, nil
}

func (e evaluator) evaluate(input seeding.Input, o seeding.OutputOwner) (seeding.Update, error) {
	document := seeding.OutputDocument{Input: maps.Clone(input.Sent), VID: o.VID, Status: "processed", Token: o.Token}
	document.Input["vid"] = o.VID
	if e.mapper != nil {
		record := maps.Clone(input.Record)
		record["vid"] = o.VID
		document.VID = e.mapper.Map(record).VID.Text
	}
	result, err := e.program.Evaluate(document)
	if err != nil {
		return seeding.Update{}, err
	}
	return seeding.ReadUpdate(result)
}

// group is changes that can be made in one call, with the rows that they are for.
type group []rowChange

type rowChange struct {
	row    seeding.Row
	change seeding.Edit
}

// groups puts changes together that can be made in one call: of one kind, with the
// same values named. Where there would be more calls than fields, each field has a
// call of its own: so their number does not grow with the records.
func groups(plans []plan) []group {
	byKind := map[seeding.EditKind][]rowChange{}
	for _, p := range plans {
		for _, c := range p.changes {
			byKind[c.Kind] = append(byKind[c.Kind], rowChange{p.row, c})
		}
	}
	var all []group
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		list := byKind[kind]
		fields := map[string]bool{}
		for _, c := range list {
			for name := range c.change.Values {
				fields[name] = true
			}
		}
		sets := apart(list)
		if len(sets) > len(fields) && (kind == seeding.SetRegistrant || kind == seeding.SetIdentifier) {
			sets = apart(single(list))
		}
		all = append(all, sets...)
	}
	return all
}

// apart groups changes by the names of their values, in the order of these.
func apart(list []rowChange) []group {
	by := map[string]group{}
	for _, c := range list {
		names := strings.Join(slices.Sorted(maps.Keys(c.change.Values)), " ")
		by[names] = append(by[names], c)
	}
	var all []group
	for _, names := range slices.Sorted(maps.Keys(by)) {
		all = append(all, by[names])
	}
	return all
}

// single makes a change of each value.
func single(list []rowChange) (singles []rowChange) {
	for _, c := range list {
		for name, value := range c.change.Values {
			one := c.change
			one.Values = map[string]string{name: value}
			singles = append(singles, rowChange{c.row, one})
		}
	}
	slices.SortFunc(singles, func(x, y rowChange) int { return cmp.Compare(x.change.ID, y.change.ID) })
	return singles
}

// refusesOutput is the error of a call that is made for an Output Format's sake.
type refusesOutput struct{ error }

func (e *refusesOutput) Unwrap() error { return e.error }

// writeChanges writes what the plans say besides tokens. Plans of which the registry
// refuses a part are left out of those that remain.
func (p *Patcher) writeChanges(ctx context.Context, t *turn, registry seeding.Registry, state seeding.State, plans []plan) (remain []plan, refusals []verdict, err error) {
	refused := map[seeding.Subject]string{}
	for _, g := range groups(plans) {
		g = slices.DeleteFunc(g, func(c rowChange) bool { _, is := refused[c.row.Subject]; return is })
		_, bad, err := inBulk(ctx, p, t, state, g, false, func(ctx context.Context, some []rowChange) error {
			changes := make([]seeding.Edit, len(some))
			for i, c := range some {
				changes[i] = c.change
			}
			return registry.Write(ctx, changes)
		})
		if err != nil {
			return nil, nil, &refusesOutput{err}
		}
		for _, b := range bad {
			refused[b.item.row.Subject] = b.code
		}
	}
	for _, one := range plans {
		if code, is := refused[one.row.Subject]; is {
			refusals = append(refusals, verdict{row: one.row, kind: notSet, code: code})
			continue
		}
		remain = append(remain, one)
	}
	return remain, refusals, nil
}
