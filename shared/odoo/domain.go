package odoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Domain is a filter as Odoo reads it, in prefix notation: the operators "&" and
// "|" come before their two operands, "!" before its one, and terms without an
// operator between them are joined by "and". It is stored as the conditions that
// must all hold, each in prefix notation; none begins with "&".
type Domain struct{ conjuncts [][]any }

// DomainError says which part of a domain is wrong.
type DomainError struct {
	Term int // position in the list, from 1; 0 for the list itself
	Text string
}

func (e *DomainError) Error() string {
	if e.Term == 0 {
		return "domain: " + e.Text
	}
	return fmt.Sprintf("domain, term %d: %s", e.Term, e.Text)
}

const maxDomain = 64 << 10

// ParseDomain reads the JSON text of a domain and checks what can be checked
// without Odoo's models. Errors are *DomainError and hold no values.
func ParseDomain(text string) (Domain, error) {
	if len(text) > maxDomain {
		return Domain{}, &DomainError{Text: fmt.Sprintf("longer than %d bytes", maxDomain)}
	}
	var list []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // numbers stay as they are written
	if err := decoder.Decode(&list); err != nil {
		return Domain{}, &DomainError{Text: notAList(err)}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Domain{}, &DomainError{Text: fmt.Sprintf("there is more after the list, at byte %d", decoder.InputOffset()+1)}
	}
	return newDomain(list)
}

func notAList(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "must be a list of terms"
	}
	return "not complete JSON"
}

func newDomain(list []any) (Domain, error) {
	if len(list) == 0 {
		return Domain{}, &DomainError{Text: "must have at least one term"}
	}
	ends, err := readTerms(list)
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
// condition that begins there ends.
func readTerms(list []any) (ends []int, err error) {
	ends = make([]int, len(list))
	// From the last term on, so that operands are read before their operator.
	for at := len(list) - 1; at >= 0; at-- {
		switch term := list[at].(type) {
		case string:
			operands, known := arity[term]
			if !known {
				return nil, &DomainError{Term: at + 1, Text: `must be "&", "|", "!" or a list of field, operator and value`}
			}
			end := at + 1
			for n := 1; n <= operands; n++ {
				if end >= len(list) {
					return nil, &DomainError{Term: at + 1, Text: fmt.Sprintf(`%q needs %d term(s) after it and has %d`, term, operands, n-1)}
				}
				end = ends[end]
			}
			ends[at] = end
		case []any:
			if text := checkLeaf(term); text != "" {
				return nil, &DomainError{Term: at + 1, Text: text}
			}
			ends[at] = at + 1
		default:
			return nil, &DomainError{Term: at + 1, Text: "must be a list of field, operator and value"}
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

// Operators of Odoo 14; the last two came with 17.
var operators = map[string]bool{
	"=": true, "!=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true, "=?": true,
	"like": true, "not like": true, "ilike": true, "not ilike": true, "=like": true, "=ilike": true,
	"in": true, "not in": true, "child_of": true, "parent_of": true,
	"any": true, "not any": true,
}

var fieldPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)

func checkLeaf(leaf []any) string {
	if len(leaf) != 3 {
		return fmt.Sprintf("must have field, operator and value, and has %d part(s)", len(leaf))
	}
	if isConstant(leaf) {
		return ""
	}
	field, ok := leaf[0].(string)
	if !ok || !fieldPath.MatchString(field) {
		return `the field must be a name or a path of names such as "reg_ids.id_type"`
	}
	operator, ok := leaf[1].(string)
	if !ok || !operators[strings.ToLower(operator)] {
		return "Odoo has no such operator"
	}
	switch value := leaf[2].(type) {
	case map[string]any:
		return "the value must be a text, a number, true, false, null or a list"
	case []any:
		switch strings.ToLower(operator) {
		case "any", "not any":
			if _, err := readTerms(value); err != nil {
				return "its own domain is wrong: " + strings.TrimPrefix(err.Error(), "domain, ")
			}
			return ""
		}
		for _, v := range value {
			switch v.(type) {
			case []any, map[string]any:
				return "the list of values must hold texts, numbers, true, false or null"
			}
		}
	default:
		if _, ok := value.(bool); ok {
			return ""
		}
		switch strings.ToLower(operator) {
		case "in", "not in", "any", "not any":
			return "the value must be a list"
		}
	}
	return ""
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
		has := len(c) == 1 && isTypeTerm(c[0], vidType)
		hasNot := len(c) == 2 && c[0] == "!" && isTypeTerm(c[1], tokenType)
		if !has && !hasNot {
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

// isTypeTerm reports whether a term is exactly "has an identifier of this type".
// A pattern with a wildcard, or with a backslash, which LIKE takes for an escape,
// can match other types.
func isTypeTerm(term any, typeName string) bool {
	leaf, ok := term.([]any)
	return ok && len(leaf) == 3 && leaf[0] == "reg_ids.id_type" && leaf[1] == "=like" &&
		leaf[2] == typeName && typeName != "" && !strings.ContainsAny(typeName, `%_\`)
}
