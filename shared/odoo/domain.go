package odoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Domain is a filter as Odoo reads it, in prefix notation: the operators "&" and
// "|" come before their two operands, "!" before its one, and terms without an
// operator between them are joined by "and". It is stored as the conditions that
// must all hold, each in prefix notation; none begins with "&".
type Domain struct{ conjuncts [][]any }

// DomainError says which part of a domain is wrong.
type DomainError struct {
	Term   int // position in the list, from 1; 0 for the list itself
	Code   string
	Params map[string]any // what Text names
	Text   string
}

func (e *DomainError) Error() string {
	if e.Term == 0 {
		return "domain: " + e.Text
	}
	return fmt.Sprintf("domain, term %d: %s", e.Term, e.Text)
}

// Flaw is the error as a flaw of a configuration.
func (e *DomainError) Flaw() seeding.Flaw {
	params := maps.Clone(e.Params)
	if e.Term > 0 {
		if params == nil {
			params = map[string]any{}
		}
		params["term"] = e.Term
	}
	return seeding.Flaw{Code: e.Code, Params: params, Text: e.Error()}
}

// wrongList is what is wrong with a domain as a whole, wrongTerm with one of its terms.
func wrongList(code string, params map[string]any, format string, args ...any) error {
	return &DomainError{Code: code, Params: params, Text: fmt.Sprintf(format, args...)}
}

func wrongTerm(term int, code string, params map[string]any, format string, args ...any) error {
	return &DomainError{Term: term, Code: code, Params: params, Text: fmt.Sprintf(format, args...)}
}

// Limits of a domain. Odoo and PostgreSQL handle more, up to a depth of some
// hundreds, but nobody writes it.
const (
	maxDomain = 64 << 10 // bytes
	maxTerms  = 500      // those of domains inside it included
	maxDepth  = 50       // of operators; those of the same kind side by side count once
	maxPath   = 10       // names in a path
	maxLists  = 23       // within each other: a domain in a domain takes two
)

// ParseDomain reads a domain and checks what can be checked without Odoo's
// models. The text is JSON, or Python as Odoo's screens show it. Operators are
// written as every generation of Odoo knows them. Errors are *DomainError and
// hold no values.
func ParseDomain(text string) (Domain, error) {
	if len(text) > maxDomain {
		return Domain{}, wrongList("domain_too_long", map[string]any{"most": maxDomain}, "longer than %d bytes", maxDomain)
	}
	if weigh([]byte(text)).nesting > maxLists {
		return Domain{}, wrongList("domain_nested", map[string]any{"most": maxLists}, "has more than %d lists within each other", maxLists)
	}
	list, err := readList(text)
	if err != nil {
		return Domain{}, err
	}
	return newDomain(list)
}

// readList reads JSON, and if it is none, Python.
func readList(text string) ([]any, error) {
	var list []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // numbers stay as they are written
	err := decoder.Decode(&list)
	if err == nil {
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, wrongList("domain_syntax", map[string]any{"at": decoder.InputOffset() + 1}, "there is more after the list, at byte %d", decoder.InputOffset()+1)
		}
		if list == nil {
			return nil, wrongList("domain_list", nil, "must be a list of terms")
		}
		return list, nil
	}
	if _, isJSON := errors.AsType[*json.UnmarshalTypeError](err); isJSON {
		return nil, wrongList("domain_list", nil, "must be a list of terms")
	}
	value, wrong := readPython(text)
	list, isList := value.([]any)
	switch {
	case wrong == nil && isList:
		return list, nil
	case wrong == nil:
		return nil, wrongList("domain_list", nil, "must be a list of terms")
	case wrong.named || strings.ContainsAny(text, "'("):
		return nil, wrongList("domain_syntax", map[string]any{"at": wrong.at}, "%s", wrong.Error())
	}
	return nil, notAList(err)
}

func notAList(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		return wrongList("domain_syntax", map[string]any{"at": syntax.Offset}, "not JSON at byte %d", syntax.Offset)
	}
	return wrongList("domain_syntax", nil, "not complete JSON")
}

func newDomain(list []any) (Domain, error) {
	terms := maxTerms
	ends, err := readTerms(list, &terms)
	if err != nil {
		return Domain{}, err
	}
	var d Domain
	for at := 0; at < len(list); at = ends[at] {
		d.conjuncts = appendConjuncts(d.conjuncts, list, ends, at)
	}
	return d, nil
}

// readTerms checks every term and returns, for each position, where the
// condition that begins there ends. left is how many terms may follow.
func readTerms(list []any, left *int) (ends []int, err error) {
	if *left -= len(list); *left < 0 {
		return nil, wrongList("domain_terms", map[string]any{"most": maxTerms}, "has more than %d terms", maxTerms)
	}
	ends = make([]int, len(list))
	depths := make([]int, len(list))
	// From the last term on, so that operands are read before their operator.
	for at := len(list) - 1; at >= 0; at-- {
		switch term := list[at].(type) {
		case string:
			operands, known := arity[term]
			if !known {
				return nil, wrongTerm(at+1, "domain_term", nil, `must be "&", "|", "!" or a list of field, operator and value`)
			}
			end := at + 1
			for n := 1; n <= operands; n++ {
				if end >= len(list) {
					return nil, wrongTerm(at+1, "domain_operands", map[string]any{"operator": term, "needs": operands, "has": n - 1}, `%q needs %d term(s) after it and has %d`, term, operands, n-1)
				}
				below := depths[end]
				if term == "!" || list[end] != any(term) {
					below++
				}
				depths[at] = max(depths[at], below)
				end = ends[end]
			}
			if depths[at] > maxDepth {
				return nil, wrongTerm(at+1, "domain_nested", map[string]any{"most": maxDepth}, "more than %d operators are within each other", maxDepth)
			}
			ends[at] = end
		case []any:
			if wrong := checkLeaf(term, left); wrong != nil {
				return nil, &DomainError{Term: at + 1, Code: wrong.Code, Params: wrong.Params, Text: wrong.Text}
			}
			ends[at] = at + 1
		default:
			return nil, wrongTerm(at+1, "domain_term", nil, "must be a list of field, operator and value")
		}
	}
	return ends, nil
}

var arity = map[string]int{"&": 2, "|": 2, "!": 1}

func appendConjuncts(conjuncts [][]any, list []any, ends []int, at int) [][]any {
	if list[at] == "&" {
		conjuncts = appendConjuncts(conjuncts, list, ends, at+1)
		return appendConjuncts(conjuncts, list, ends, ends[at+1])
	}
	return append(conjuncts, list[at:ends[at]])
}

// A part after the first may begin with a digit: it can be a property.
var fieldPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$`)

// checkLeaf returns what is wrong with a term, and writes its operator as Odoo
// does.
func checkLeaf(leaf []any, left *int) *seeding.Flaw {
	if len(leaf) != 3 {
		return seeding.NewFlaw("domain_parts", map[string]any{"has": len(leaf)}, "must have field, operator and value, and has %d part(s)", len(leaf))
	}
	operator, ok := leaf[1].(string)
	if ok {
		operator = strings.ToLower(strings.Join(strings.Fields(operator), " "))
		if spelt, known := spellings[operator]; known {
			operator = spelt
		}
		leaf[1] = operator
	}
	if isConstant(leaf) {
		return nil
	}
	field, isText := leaf[0].(string)
	if !isText || !fieldPath.MatchString(field) {
		return seeding.NewFlaw("domain_field", nil, `the field must be a name or a path of names such as "reg_ids.id_type"`)
	}
	if strings.Count(field, ".") >= maxPath {
		return seeding.NewFlaw("domain_path", map[string]any{"most": maxPath}, "the path has more than %d names", maxPath)
	}
	if instead, kept := internal[operator]; kept {
		return seeding.NewFlaw("domain_operator_kept", map[string]any{"operator": operator, "instead": instead}, "Odoo keeps the operator %q for itself and refuses it from outside; write %q", operator, instead)
	}
	if !ok || operators[operator] == 0 {
		return seeding.NewFlaw("domain_operator", nil, "Odoo has no such operator")
	}
	return checkValue(operator, leaf[2], left)
}

func checkValue(operator string, value any, left *int) *seeding.Flaw {
	if wrong := checkNumber(value); wrong != nil {
		return wrong
	}
	isAny := operator == "any" || operator == "not any"
	switch value := value.(type) {
	case map[string]any:
		return seeding.NewFlaw("domain_value", nil, "the value must be a text, a number, true, false, null or a list")
	case []any:
		if isAny {
			_, err := readTerms(value, left)
			if wrong, ok := errors.AsType[*DomainError](err); ok {
				inner := wrong.Flaw()
				return seeding.NewFlaw(inner.Code, inner.Params, "its own domain is wrong: %s", strings.TrimPrefix(strings.TrimPrefix(inner.Text, "domain, "), "domain: "))
			}
			return nil
		}
		for _, v := range value {
			switch v.(type) {
			case []any, map[string]any:
				return seeding.NewFlaw("domain_values", nil, "the list of values must hold texts, numbers, true, false or null")
			}
			if wrong := checkNumber(v); wrong != nil {
				return wrong
			}
		}
	default:
		_, isBool := value.(bool)
		switch {
		case isAny:
			return seeding.NewFlaw("domain_value_domain", nil, "the value must be a domain of its own, a list")
		case (operator == "in" || operator == "not in") && !isBool:
			return seeding.NewFlaw("domain_value_list", nil, "the value must be a list")
		}
	}
	return nil
}

// checkNumber returns why a value is a number that no field holds, or nil. A longer
// one costs Odoo and its database more than its length, and Python refuses some.
func checkNumber(value any) *seeding.Flaw {
	number, ok := value.(json.Number)
	if !ok {
		return nil
	}
	if len(number) > maxDigits {
		return seeding.NewFlaw("domain_number", map[string]any{"most": maxDigits}, "a number has more than %d digits", maxDigits)
	}
	if _, err := number.Float64(); err != nil {
		return seeding.NewFlaw("domain_number", nil, "a number is larger than any that a field holds")
	}
	return nil
}

// isConstant recognises Odoo's terms for true and false: [1,"=",1] and
// [0,"=",1].
func isConstant(leaf []any) bool {
	left, ok1 := leaf[0].(json.Number)
	right, ok2 := leaf[2].(json.Number)
	return ok1 && ok2 && leaf[1] == "=" && right == "1" && (left == "0" || left == "1")
}

// Among restricts the domain to the given registrants, in the form that call_kw
// takes. The caller knows that each of them has an identifier of vidType, and
// checks their tokens itself. So Among leaves out two conditions of the usual
// domain, for which Odoo needs half a minute on a large registry
// (facts/odoo.md B3): that there is an identifier of vidType, and that there is
// none of tokenType. All others stay as they are, because "=like" has no
// equivalent (facts/odoo.md A3).
func (d Domain) Among(ids []int64, vidType, tokenType string) []any {
	conditions := make([][]any, 0, len(d.conjuncts)+1)
	for _, c := range d.conjuncts {
		if !isKnown(c, vidType, tokenType) {
			conditions = append(conditions, c)
		}
	}
	conditions = append(conditions, []any{[]any{"id", "in", ids}})
	var domain []any
	for range len(conditions) - 1 {
		domain = append(domain, "&")
	}
	for _, c := range conditions {
		domain = append(domain, c...)
	}
	return domain
}

// isKnown recognises the two conditions that need not be asked for.
func isKnown(c []any, vidType, tokenType string) bool {
	return len(c) == 1 && isTypeTerm(c[0], vidType) || len(c) == 2 && c[0] == "!" && isTypeTerm(c[1], tokenType)
}

// pathOf is the path of the field that a condition is about, "" if it is about several.
func pathOf(condition []any) string {
	for len(condition) > 1 && condition[0] == "!" {
		condition = condition[1:]
	}
	if leaf, isLeaf := condition[0].([]any); isLeaf && len(condition) == 1 {
		path, _ := leaf[0].(string)
		return path
	}
	return ""
}

// Conditions are those of a domain that must all hold, those of "any" included; none
// if it cannot be read.
func Conditions(text string) []seeding.Condition {
	d, err := ParseDomain(text)
	if err != nil {
		return nil
	}
	return d.conditions("")
}

// conditions are those that must all hold, with this before their paths.
func (d Domain) conditions(prefix string) (all []seeding.Condition) {
	for _, c := range d.conjuncts {
		negated := false
		for ; len(c) > 1 && c[0] == "!"; c = c[1:] {
			negated = !negated
		}
		leaf, isLeaf := c[0].([]any)
		if !isLeaf {
			all = append(all, seeding.Condition{Negated: negated})
			continue
		}
		if isConstant(leaf) {
			continue
		}
		one := seeding.Condition{Negated: negated, Path: prefix + leaf[0].(string), Operator: leaf[1].(string), Value: leaf[2]}
		list, isDomain := one.Value.([]any)
		if !isDomain || one.Operator != "any" && one.Operator != "not any" {
			all = append(all, one)
			continue
		}
		inner, err := newDomain(slices.Clone(list))
		below := inner.conditions(one.Path + ".")
		one.Negated = one.Negated != (one.Operator == "not any")
		switch {
		case err == nil && !one.Negated:
			all = append(all, below...)
		case err == nil && len(below) == 1:
			below[0].Negated = !below[0].Negated
			all = append(all, below[0])
		default:
			all = append(all, seeding.Condition{Negated: one.Negated})
		}
	}
	return all
}

// walk calls f for each term, those of domains inside it included.
func (d Domain) walk(f func(path, operator string)) {
	for _, c := range d.conjuncts {
		walk(c, f)
	}
}

// newest is the operator of the domain that the fewest generations of Odoo know,
// "" if Odoo 14 knows all of them.
func (d Domain) newest() (operator string) {
	d.walk(func(_, o string) {
		if operators[o] > max(14, operators[operator]) {
			operator = o
		}
	})
	return operator
}

func walk(list []any, f func(path, operator string)) {
	for _, term := range list {
		leaf, ok := term.([]any)
		if !ok {
			continue
		}
		path, _ := leaf[0].(string)
		operator, _ := leaf[1].(string)
		f(path, operator)
		if within, ok := leaf[2].([]any); ok && strings.HasSuffix(operator, "any") {
			walk(within, f)
		}
	}
}

// isTypeTerm reports whether a term is exactly "has an identifier of this type".
// A pattern with a wildcard, or with a backslash, which LIKE takes for an escape,
// can match other types.
func isTypeTerm(term any, typeName string) bool {
	leaf, ok := term.([]any)
	return ok && len(leaf) == 3 && leaf[0] == "reg_ids.id_type" && leaf[1] == "=like" &&
		leaf[2] == typeName && typeName != "" && !strings.ContainsAny(typeName, `%_\`)
}
