package setup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkOutput: an Output Format is a program of jq 1.5, and for a registrant whose
// token came it gives one of the three shapes, about that registrant and with that
// token. It is tried on made-up records. What may depend on the data of a record is
// doubted and not refused.
func (r Rules) checkOutput(p Proposal) (found, doubtful []Finding) {
	c := p.Connector
	if c.Output.Format == "" || !p.readable(OutputFormat) {
		return nil, nil
	}
	program, err := r.Mappings.CompileOutput(c.Output.Format)
	if err != nil {
		return []Finding{because(OutputFormat, err, "output_refused")}, nil
	}
	doubt := func(f *seeding.Flaw) { doubtful = append(doubtful, Finding{OutputFormat, *f}) }
	known := typesOf(c.Source.Fields)
	if c.FromODK() { // what a form has is not known yet
		for _, name := range program.Foresee(nil).Reads {
			known[name] = seeding.AnyType
		}
		known["id"], known["vid"] = seeding.AnyType, seeding.AnyType
	}
	outcome := program.Foresee(known)
	if p.readable(Fields) && !c.FromODK() {
		if missing := unselected(outcome, c.Source.Fields, newSpelling(known, r.Distance)); missing != nil {
			doubt(missing)
		}
	}
	for _, one := range outcome.Doubts {
		doubt(&one)
	}
	if c.IsDirect() { // what MTS sends to another address may have any shape
		wrong, more := tryDirect(program, c)
		return wrong, append(doubtful, more...)
	}
	if !p.readable(VIDType, TokenType) {
		return nil, doubtful
	}
	tried := tryOutput(program, c)
	switch {
	case tried.shape != "":
	case seeding.NeedsRecord(outcome) && tried.mayDepend && outcome.Gives&(seeding.Object|seeding.List) != 0:
		doubt(flaw("output_unknown", "gave nothing for made-up records, so it cannot be told what it writes; whoever it gives nothing for is rejected"))
	default:
		return []Finding{{OutputFormat, *tried.wrong}}, doubtful
	}
	if tried.leastFails {
		doubt(failsForSome())
	}
	if len(tried.unread) > 0 {
		doubt(flaw("output_unread", "gives "+strings.Join(tried.unread, ", ")+", which nobody reads: "+shapesInWords(c), "members", tried.unread))
	}
	return nil, doubtful
}

// Shape is which shape a checked Output Format gives: "" without one, and where MTS
// evaluates it.
func (r Rules) Shape(c seeding.Connector) seeding.OutputShape {
	if c.Output.Format == "" || c.IsDirect() {
		return ""
	}
	program, err := r.Mappings.CompileOutput(c.Output.Format)
	if err != nil {
		return seeding.DependsShape
	}
	if shape := tryOutput(program, c).shape; shape != "" {
		return shape
	}
	return seeding.DependsShape
}

// OutputRights are the rights to the registry that writing what a checked Output Format
// gives needs, besides those that every token needs, as far as it shows with made-up
// records; known is false if it gave nothing for them.
func (r Rules) OutputRights(c seeding.Connector) (rights []seeding.Right, known bool) {
	program, err := r.Mappings.CompileOutput(c.Output.Format)
	if err != nil {
		return nil, false
	}
	tried := tryOutput(program, c)
	return tried.rights, tried.shape != ""
}

// failsForSome is a doubt about what fails for the record that is all but empty.
func failsForSome() *seeding.Flaw {
	return flaw("output_fails", `fails for a registrant with empty fields, which are null in .input; write (.input.… // "") where it works on a text. Whoever it fails for gets no token`)
}

const membersInWords = "name, given_name, family_name, addl_name, gender, birthdate, birth_place, registration_date, email, address, phone_numbers [{phone_no}], ids [{id_type, value}]"

// shapesInWords are the results that a connector can write. A submission has no
// registrant yet that one could name.
func shapesInWords(c seeding.Connector) string {
	if c.FromODK() {
		return "it must give an individual without partner_id, id and updateId: " + membersInWords
	}
	return "it must give {partner_id: .input.id, id_type: …, value: .output.token}; or an individual: " + membersInWords + "; or a list with one individual that has updateId"
}

// trial is what came of trying an Output Format.
type trial struct {
	shape      seeding.OutputShape // of the first made-up record that gave one, or ""
	unread     []string            // members of that that nobody reads
	rights     []seeding.Right     // that writing the results needs, besides those that every token needs
	wrong      *seeding.Flaw       // of the first made-up record
	mayDepend  bool                // that one was wrong may depend on the record
	leastFails bool                // it fails for the record that is all but empty, and for no other
}

// tryOutput tries an Output Format on made-up records.
func tryOutput(program seeding.OutputProgram, c seeding.Connector) (t trial) {
	owner := seeding.OutputOwner{
		Registrant: int64(madeUpID), VID: madeUpVID, Token: madeUpToken(c),
		VIDType: c.Registry.VIDType, TokenType: c.Registry.TokenType,
	}
	records := madeUp(c.Source)
	if c.FromODK() {
		owner.Registrant, records = 0, madeUpSubmissions(c)
	}
	for i, record := range records {
		result, err := program.Evaluate(seeding.OutputDocument{Input: record, VID: owner.VID, Status: "processed", Token: owner.Token})
		var update seeding.Update
		if err == nil {
			update, err = seeding.ReadUpdate(result)
		}
		if err == nil && c.FromODK() {
			err = ofNobody(update)
		}
		if err == nil {
			_, err = update.Resolve(owner)
		}
		if err == nil {
			if t.shape == "" {
				t.shape, t.unread = update.Shape, seeding.Unread(result)
			}
			for _, right := range update.Rights(owner) {
				if !slices.Contains(t.rights, right) {
					t.rights = append(t.rights, right)
				}
			}
			continue
		}
		if i == 0 {
			t.wrong, t.mayDepend = wrongOutput(err, c)
		}
		t.leastFails = i > 0 && t.wrong == nil && errors.Is(err, seeding.ErrOutputFailed)
	}
	return t
}

// wrongOutput says what is wrong with a result for a made-up record, and whether that
// may be otherwise for a real one.
func wrongOutput(err error, c seeding.Connector) (wrong *seeding.Flaw, depends bool) {
	e, given := errors.AsType[*seeding.OutputError](err)
	switch {
	case errors.Is(err, seeding.ErrOutputSpent):
		return flaw("output_work", "needs too much work: it makes something too large, or does not end"), false
	case errors.Is(err, errNamesRegistrant):
		return flaw("output_odk", "names a registrant, and a submission has none yet; "+shapesInWords(c)), false
	case !given:
		return flaw("output_fails", "fails for a registrant whose token came"), true
	}
	about, names := "", []any(nil)
	if e.Member != "" {
		about, names = " ("+e.Member+")", []any{"member", e.Member}
	}
	switch e.Code {
	case seeding.CodeOutputEmpty:
		return flaw("output_empty", "gives nothing (null) for a registrant whose token came; "+shapesInWords(c)), true
	case seeding.CodeOutputOther:
		return flaw("output_other_registrant", "names another registrant than the one whose token came"+about+": partner_id must be .input.id, and updateId the value of an identifier of that registrant, such as .input.vid", names...), true
	case seeding.CodeOutputToken:
		return flaw("output_without_token", fmt.Sprintf("does not give the token%s: one value must be .output.token as it is, with the id_type %q as registry.token_type has it; otherwise the registry would hold what nobody can check", about, c.Registry.TokenType),
			append(names, "token_type", c.Registry.TokenType)...), false
	case seeding.CodeOutputValue:
		return flaw("output_value", "gives a value that the registry does not take"+about, names...), true
	default:
		return flaw("output_shape", "gives what cannot be written"+about+": "+shapesInWords(c), names...), false
	}
}

// unselected says which fields an Output Format reads though they are not selected.
func unselected(o seeding.Outcome, selected []string, names *spelling) *seeding.Flaw {
	missing := names.unknown(o.Reads)
	if len(missing) == 0 {
		return nil
	}
	likely, asked := "", ""
	for _, name := range missing {
		if likely = names.nearest(name); likely != "" {
			asked = "; is " + likely + " meant?"
			break
		}
	}
	return flaw("output_unselected", "reads "+strings.Join(missing, ", ")+" of .input, which is not among the selected fields ("+strings.Join(append(slices.Clone(selected), "vid"), ", ")+"), so it is always null"+asked,
		unselectedNames(missing, selected, likely)...)
}

const (
	madeUpID  = 17
	madeUpVID = "6104203947251938"
)

func madeUpToken(c seeding.Connector) string {
	return strings.Repeat("7", c.Output.TokenShape.OrMOSIP().Shortest)
}

// madeUp are records as Odoo's connector sends them: one in which every field holds
// what one of its name usually holds, and one in which nothing is filled but the id and
// the fields of which a mandatory field of MTS is made alone: nobody is sent without them.
func madeUp(source seeding.RegistrySource) []seeding.Record {
	full, least := seeding.Record{}, seeding.Record{}
	for _, field := range source.Fields {
		full[field] = usualValue(field)
	}
	for _, mandatory := range source.Mandatory {
		if of := expressionsOf(source.Mapping, mandatory); len(of) == 1 && full[of[0]] != nil {
			least[of[0]] = full[of[0]]
		}
	}
	for _, record := range []seeding.Record{full, least} {
		maps.Copy(record, seeding.Record{"id": madeUpID, "vid": madeUpVID})
	}
	return []seeding.Record{full, least}
}

// usualValue is what a field of this name usually holds, in the form in which it is
// sent (facts/mts.md 5.4).
func usualValue(field string) any {
	words, last := wordsOf(field)
	switch {
	case strings.Contains(field, "date") || strings.Contains(field, "birth") && !strings.Contains(field, "place") || last == "dob":
		return "1990/11/02"
	case words[0] == "is" || words[0] == "has":
		return true
	case len(words) > 1 && last == "ids":
		return "res.partner(4, 9)"
	case slices.Contains(relations, field) || len(words) > 1 && last == "id":
		return "res.partner(5,)"
	case last == "gender" || last == "sex":
		return "Female"
	case strings.Contains(field, "email"):
		return "ana@example.org"
	case strings.Contains(field, "phone") || field == "mobile":
		return "+639171234567"
	case usualTypes(field)&seeding.Number != 0:
		return "2014"
	}
	return "Ana"
}
