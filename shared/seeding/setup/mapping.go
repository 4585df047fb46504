package setup

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkMapping: each expression can be compiled and, alone, can give a value from
// the selected fields (facts/mts.md D11). It is decided by what an expression
// reads and not by trying it on made-up records, which it may rightly refuse.
// doubtful is what can be saved nevertheless.
func (r Rules) checkMapping(p Proposal) (found, doubtful []Finding) {
	source := p.Connector.Source
	ofForm := p.Connector.FromODK()
	known := typesOf(source.Fields)
	names := newSpelling(known, r.Distance)
	for _, name := range seeding.MTSFields {
		mandatory := name == "vid" || p.readable(Mandatory) && slices.Contains(source.Mandatory, name)
		expressions := expressionsOf(source.Mapping, name)
		if !p.readable(MappingOf(name)) {
			continue
		}
		if mandatory && len(expressions) == 0 {
			found = append(found, find(MappingOf(name), "mapping_missing", "must name one expression at least, because "+name+" is mandatory"))
		}
		// Who selects other fields need not write a mapping for what is not needed.
		unused := !mandatory && slices.Equal(expressions, expressionsOf(Defaults().Source.Mapping, name))
		for i, expression := range expressions {
			at := MappingOf(name)
			if isList(name) {
				at += "/" + Field(strconv.Itoa(i))
			}
			if !p.readable(at) {
				continue
			}
			if ofForm && !isSafe(expression) {
				found = append(found, find(at, "odk_mapping", safeOnly))
				continue
			}
			known, names := known, names
			if ofForm {
				known = r.readBy(expression)
				names = newSpelling(known, r.Distance)
			}
			outcome, err := r.Mappings.Foresee(expression, known)
			switch {
			case err != nil:
				found = append(found, because(at, err, "expression_refused"))
			case !p.readable(Fields) || unused && !ofForm:
			default:
				flaw, doubt := judge(outcome, name, source.Fields, names)
				if flaw == nil && !ofForm {
					flaw, doubt = r.unusual(expression, known, name), true
				}
				if flaw == nil && !ofForm && len(outcome.Doubts) == 0 {
					flaw = r.tried(expression, outcome, known, name)
				}
				switch {
				case flaw == nil:
				case doubt:
					doubtful = append(doubtful, Finding{at, *flaw})
				default:
					found = append(found, Finding{at, *flaw})
					continue
				}
				for _, flaw := range outcome.Doubts {
					doubtful = append(doubtful, Finding{at, flaw})
				}
			}
		}
	}
	for _, name := range source.Mandatory {
		if p.readable(Mandatory) && !slices.Contains(seeding.MTSFields, name) {
			found = append(found, find(MappingOf(name), "mandatory_unknown", "is mandatory, but MTS has no such field"))
		}
	}
	return found, doubtful
}

// What a mapping of a form may be made of. MTS evaluates it, and jq there has no limits: a
// program could take the memory or the environment of MTS, or never end (facts/mts.md
// W11). Of these parts each is done in a moment, and gives no more than it is given.
var (
	mappingPart = regexp.MustCompile(`^(?:\s+|"(?:[^"\\]|\\["\\/nt])*"|[0-9]{1,4}|\.?[A-Za-z_][A-Za-z0-9_]*|//|==|!=|[|.()\[\]:])`)
	emptyIndex  = regexp.MustCompile(`\[\s*\]|\.\s*\.`)

	mappingWords = []string{"if", "then", "elif", "else", "end", "and", "or", "not", "null", "true", "false",
		"ascii_downcase", "ascii_upcase", "ltrimstr", "rtrimstr", "tostring"}
)

const safeOnly = "may have nothing but paths to fields of the form, such as person.vid, several with // between them, such as vid // .person.vid, and if … then … else … end with == and texts, ascii_downcase, ascii_upcase, ltrimstr, rtrimstr and tostring: with input_type odk MTS evaluates it, which has no limits"

// isSafe reports whether a mapping of a form has only such parts. A name without a dot
// before it is a field at the beginning, where MTS puts the dot.
func isSafe(expression string) bool {
	if emptyIndex.MatchString(withoutTexts(expression)) {
		return false
	}
	for rest := expression; rest != ""; {
		part := mappingPart.FindString(rest)
		if part == "" {
			return false
		}
		first := part[0]
		isName := first == '_' || 'A' <= first && first <= 'Z' || 'a' <= first && first <= 'z'
		if isName && len(rest) < len(expression) && !slices.Contains(mappingWords, part) {
			return false
		}
		rest = rest[len(part):]
	}
	return true
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

func withoutTexts(expression string) string { return quoted.ReplaceAllString(expression, `""`) }

// readBy are the fields of a form that an expression reads. What a form has is not known
// when a configuration is saved, so each may be there and hold anything; a check asks
// ODK Central.
func (r Rules) readBy(expression string) map[string]seeding.Types {
	known := map[string]seeding.Types{}
	if outcome, err := r.Mappings.Foresee(expression, nil); err == nil {
		for _, name := range outcome.Reads {
			known[name] = seeding.AnyType
		}
	}
	return known
}

// takenBy are the types that a field of MTS takes.
func takenBy(field string) seeding.Types {
	if field == "vid" || field == "phoneNumber" || field == "emailId" {
		return seeding.Text | seeding.Number
	}
	return seeding.Text
}

// typesOf are the types of the members of a record: of what a field of Odoo may
// hold, and of the two that every record has.
func typesOf(fields []string) map[string]seeding.Types {
	known := map[string]seeding.Types{}
	for _, field := range fields {
		known[field] = seeding.AnyType
	}
	known["id"], known["vid"] = seeding.Number, seeding.Text
	return known
}

// flaw is what is wrong with an expression; names are as of find.
func flaw(code, text string, names ...any) *seeding.Flaw {
	found := find("", code, text, names...)
	return &found.Flaw
}

// judge says what is wrong with what an expression can give for a field of MTS; nil
// for nothing.
func judge(o seeding.Outcome, field string, selected []string, names *spelling) (wrong *seeding.Flaw, doubt bool) {
	missing := names.unknown(o.Reads)
	likely := ""
	for _, name := range missing {
		if near := names.nearest(name); !slices.Contains(o.Reads, near) {
			likely = near
		}
		if likely != "" {
			break
		}
	}
	takes := takenBy(field)
	switch {
	case slices.ContainsFunc(missing, func(name string) bool { return strings.TrimSpace(name) == "" }):
		return flaw("expression_no_name", "reads a field that has no name: a text in quotes at the beginning is the name of a field; name one of the selected fields ("+strings.Join(selected, ", ")+")",
			"fields", selected), false
	case len(missing) > 0:
		text := "reads " + strings.Join(missing, ", ") + ", which is not among the selected fields (" + strings.Join(append(slices.Clone(selected), "vid"), ", ") + ")"
		if likely != "" {
			text += "; is " + likely + " meant?"
		}
		return flaw("expression_unselected", text, unselectedNames(missing, selected, likely)...), likely == "" && (o.ReadsAny || len(missing) < len(o.Reads)) && o.Gives&takes != 0
	case len(o.Reads) == 0 && !o.ReadsAny:
		return flaw("expression_reads_nothing", "reads no field of the record, so it would give the same for everybody"), false
	case o.Gives&^seeding.Null == 0:
		return flaw("expression_gives_nothing", "can give no text: it gives nothing, whatever a record holds; change the condition or function that lets nothing through"), false
	case o.Gives&takes == 0 && o.Gives&seeding.Blank != 0:
		return flaw("expression_gives_blank", "can give no text but an empty one, whatever a record holds; name the field that holds the text"), false
	case o.Same:
		return flaw("expression_same", "would give the same for everybody, whatever a record holds; name the field that holds it, or a condition"), false
	case o.Gives&takes == 0:
		return flaw("expression_no_text", "can give no text: it gives "+inWords(o.Gives)+"; make a text of it, or name another field", "gives", typeNames(o.Gives)), false
	}
	return nil, false
}

// unselectedNames are what a text about fields that are not selected names.
func unselectedNames(missing, selected []string, likely string) []any {
	names := []any{"names", missing, "fields", append(slices.Clone(selected), "vid")}
	if likely != "" {
		names = append(names, "meant", likely)
	}
	return names
}

// typeNames are types as JSON Schema names them.
func typeNames(types seeding.Types) (names []string) {
	for _, t := range []struct {
		types seeding.Types
		name  string
	}{
		{seeding.Boolean, "boolean"}, {seeding.Number, "number"}, {seeding.AnyText, "string"}, {seeding.AnyList, "array"}, {seeding.Object, "object"},
	} {
		if types&t.types != 0 {
			names = append(names, t.name)
		}
	}
	return names
}

// inWords names types.
func inWords(types seeding.Types) string {
	var words []string
	for _, t := range []struct {
		types seeding.Types
		word  string
	}{
		{seeding.Boolean, "true or false"}, {seeding.Number, "a number"}, {seeding.AnyText, "a text"}, {seeding.AnyList, "a list"}, {seeding.Object, "an object"},
	} {
		if types&t.types != 0 {
			words = append(words, t.word)
		}
	}
	return strings.Join(words, " or ")
}

func isList(field string) bool { return field == "name" || field == "fullAddress" }

// expressionsOf returns the expressions of one of seeding.MTSFields.
func expressionsOf(m seeding.Mapping, field string) []string {
	switch field {
	case "vid":
		return []string{m.VID}
	case "name":
		return m.Name
	case "gender":
		return []string{m.Gender}
	case "dob":
		return []string{m.DOB}
	case "phoneNumber":
		return []string{m.PhoneNumber}
	case "emailId":
		return []string{m.EmailID}
	default:
		return m.FullAddress
	}
}
