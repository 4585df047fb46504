package odoosim

import (
	"encoding/json"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// Domains as Odoo reads them: normalised, then every `!` pushed down to the
// terms, and only then turned into a test. That order is why `!` before `=`
// through a one2many means "some child differs" and before `=like` means "no
// child matches" (facts/odoo.md A3).

// truth is SQL's: a comparison with NULL is unknown, and so is its negation.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// node is a part of a domain, compiled.
type node struct {
	test  func(*row) truth
	hints []hint // what every match must satisfy: where to look for matches
	looks int    // looks into reg_ids that PostgreSQL can still make a join of
}

// hint is one term of a conjunction that an index could answer.
type hint struct {
	column int
	keys   []any // "=" and "in"
	lo, hi int64 // of ids, both included; only when keys is nil
}

// token is a term, an operator, or an invalid item that is refused later.
type token struct {
	term  []any
	other any
}

var (
	trueTerm  = []any{json.Number("1"), "=", json.Number("1")}
	falseTerm = []any{json.Number("0"), "=", json.Number("1")}
)

var termOperators = []string{"=", "!=", "<=", "<", ">", ">=", "=?", "=like", "=ilike",
	"like", "not like", "ilike", "not ilike", "in", "not in", "child_of", "parent_of", "<>"}

// newOperators came with later generations of Odoo.
var newOperators = map[string]int{"any": 17, "not any": 17, "not =like": 19, "not =ilike": 19}

// knows reports whether Odoo has an operator of terms.
func (g generation) knows(op string) bool {
	since, isNew := newOperators[op]
	return slices.Contains(termOperators, op) || isNew && int(g) >= since
}

// generation is that of Odoo; 14 is as good as anything before 17.
type generation int

// opposite has the operators that are rewritten under `!`; terms with another
// operator are negated as a whole.
var opposite = map[string]string{
	"any": "not any", "not any": "any",
	"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "!=", "!=": "=",
	"in": "not in", "like": "not like", "ilike": "not ilike",
	"not in": "in", "not like": "like", "not ilike": "ilike",
}

// opposite is the operator to which a term is rewritten under `!`; "" if it is
// negated as a whole. Odoo 19 rewrites "=like" too, and no term with a path.
func (g generation) opposite(left any, op string) string {
	path, _ := left.(string)
	switch {
	case g < 19:
		return opposite[op]
	case strings.Contains(path, "."):
		return ""
	case op == "=like", op == "=ilike":
		return "not " + op
	case op == "not =like", op == "not =ilike":
		return strings.TrimPrefix(op, "not ")
	}
	return opposite[op]
}

func negative(op string) bool {
	return op == "!=" || op == "not like" || op == "not ilike" || op == "not in"
}

// normalise makes the implied "&" explicit.
func normalise(domain []any) ([]token, *exception) {
	if len(domain) == 0 {
		return []token{{term: trueTerm}}, nil
	}
	var tokens []token
	expected := 1
	for _, item := range domain {
		if expected == 0 {
			tokens = slices.Insert(tokens, 0, token{other: "&"})
			expected = 1
		}
		if term, ok := item.([]any); ok {
			if term == nil {
				term = []any{}
			}
			tokens = append(tokens, token{term: term})
			expected--
			continue
		}
		arity := 0
		switch item {
		case "!":
			arity = 1
		case "&", "|":
			arity = 2
		}
		expected += arity - 1
		tokens = append(tokens, token{other: item})
	}
	if expected != 0 {
		return nil, raise("builtins.AssertionError", "This domain is syntactically not correct: %s", python.Repr(domain))
	}
	return tokens, nil
}

func (t token) isTerm(g generation) bool {
	if t.term == nil || len(t.term) != 3 {
		return false
	}
	op, ok := t.term[1].(string)
	if !ok || !g.knows(op) {
		return false
	}
	left, ok := t.term[0].(string)
	return ok && left != "" || t.constant() != unknown
}

// constant is yes or no for (1,'=',1) and (0,'=',1).
func (t token) constant() truth {
	for want, term := range map[truth][]any{yes: trueTerm, no: falseTerm} {
		if len(t.term) == 3 && t.term[1] == "=" && number(t.term[0]) == term[0] && number(t.term[2]) == term[2] {
			return want
		}
	}
	return unknown
}

// number turns a boolean into a number: True is 1 in Python.
func number(v any) any {
	switch v {
	case true:
		return json.Number("1")
	case false:
		return json.Number("0")
	}
	return v
}

// matchesNothing is Odoo's shortcut: the answer to such a domain is empty, even if
// its field names are wrong.
func matchesNothing(tokens []token) (bool, *exception) {
	var stack []truth
	for _, t := range slices.Backward(tokens) {
		n := len(stack)
		switch {
		case t.other == "&":
			stack = append(stack[:n-2], min(stack[n-1], stack[n-2]))
		case t.other == "|":
			stack = append(stack[:n-2], max(stack[n-1], stack[n-2]))
		case t.other == "!":
			stack[n-1] = yes - stack[n-1]
		case t.term == nil:
			stack = append(stack, unknown)
		case len(t.term) < 2:
			return false, raise("builtins.IndexError", "tuple index out of range")
		case t.constant() != unknown:
			stack = append(stack, t.constant())
		case t.term[1] == "in" || t.term[1] == "not in":
			if len(t.term) < 3 {
				return false, raise("builtins.IndexError", "tuple index out of range")
			}
			v := unknown
			if !python.Truthy(t.term[2]) {
				v = truthOf(t.term[1] == "not in")
			}
			stack = append(stack, v)
		default:
			stack = append(stack, unknown)
		}
	}
	return stack[0] == no, nil
}

// pushDown distributes the negations.
func pushDown(tokens []token, g generation) ([]token, *exception) {
	var result []token
	stack := []bool{false}
	for _, t := range tokens {
		negate := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch {
		case t.isTerm(g):
			if !negate {
				result = append(result, t)
				continue
			}
			op := t.term[1].(string)
			switch {
			case t.constant() == yes:
				result = append(result, token{term: falseTerm})
			case t.constant() == no:
				result = append(result, token{term: trueTerm})
			case g.opposite(t.term[0], op) != "":
				result = append(result, token{term: []any{t.term[0], g.opposite(t.term[0], op), t.term[2]}})
			default:
				result = append(result, token{other: "!"}, t)
			}
		case t.other == "!":
			stack = append(stack, !negate)
		case t.other == "&" || t.other == "|":
			if negate {
				t.other = map[any]any{"&": "|", "|": "&"}[t.other]
			}
			result = append(result, t)
			stack = append(stack, negate, negate)
		default:
			for _, part := range t.term {
				switch part.(type) {
				case []any, map[string]any:
					return nil, raise("builtins.TypeError", "unhashable type: '%s'", python.TypeName(part))
				}
			}
			result = append(result, t)
		}
	}
	return result, nil
}

// where compiles a domain on a model, with the records that the user may not
// see and the archived ones left out.
func (e *env) where(m *model, domain any) (node, *exception) {
	nothing := node{test: func(*row) truth { return no }, hints: []hint{{column: idColumn, keys: []any{}}}}
	if err := e.may("read", m); err != nil {
		return nothing, err
	}
	list, ok := domain.([]any)
	if !ok && python.Truthy(domain) {
		return nothing, raise("builtins.TypeError", "object of type '%s' has no len()", python.TypeName(domain))
	}
	tokens, err := normalise(list)
	if err != nil {
		return nothing, err
	}
	if none, err := matchesNothing(tokens); err != nil || none {
		return nothing, err
	}
	if e.activeTest && m.named["active"] != nil && !slices.ContainsFunc(tokens, func(t token) bool {
		return len(t.term) > 0 && t.term[0] == "active"
	}) {
		tokens = append([]token{{other: "&"}, {term: []any{"active", "=", true}}}, tokens...)
	}
	if tokens, err = pushDown(tokens, e.generation); err != nil {
		return nothing, err
	}
	n, err := e.compile(m, tokens)
	if err != nil {
		return nothing, err
	}
	if m.name == partnerModel && !e.user.everyCompany() {
		inner := n.test
		n.test = func(r *row) truth { return min(truthOf(e.user.sees(m, r)), inner(r)) }
	}
	return n, nil
}

// compile works from right to left on a stack, as Odoo does, so that of
// several errors the same one is reported.
func (e *env) compile(m *model, tokens []token) (node, *exception) {
	for _, t := range tokens {
		if t.other == "!" || t.other == "&" || t.other == "|" || t.isTerm(e.generation) {
			continue
		}
		if t.term != nil {
			return node{}, valueError("Invalid leaf %s", python.ReprTuple(t.term))
		}
		return node{}, valueError("Invalid leaf %s", python.Str(t.other))
	}
	var stack []node
	for _, t := range slices.Backward(tokens) {
		n := len(stack)
		switch t.other {
		case "!":
			inner := stack[n-1].test
			e.work.subplans += stack[n-1].looks
			stack[n-1] = node{test: func(r *row) truth { return yes - inner(r) }}
			continue
		case "&":
			a, b := stack[n-1], stack[n-2]
			stack = append(stack[:n-2], node{
				test: func(r *row) truth {
					v := a.test(r)
					if v == no {
						return no
					}
					return min(v, b.test(r))
				},
				hints: slices.Concat(a.hints, b.hints),
				looks: a.looks + b.looks,
			})
			continue
		case "|":
			a, b := stack[n-1].test, stack[n-2].test
			e.work.subplans += stack[n-1].looks + stack[n-2].looks
			stack = append(stack[:n-2], node{test: func(r *row) truth { return max(a(r), b(r)) }})
			continue
		}
		if v := t.constant(); v != unknown {
			stack = append(stack, node{test: func(*row) truth { return v }})
			continue
		}
		leaf, err := e.term(m, simplify(t.term))
		if err != nil {
			return node{}, err
		}
		stack = append(stack, leaf)
	}
	return stack[0], nil
}

// simplify is Odoo's normalize_leaf.
func simplify(term []any) []any {
	left, op, right := term[0], term[1].(string), term[2]
	if op == "<>" {
		op = "!="
	}
	if _, isBool := right.(bool); isBool {
		switch op {
		case "in":
			op = "="
		case "not in":
			op = "!="
		}
	}
	if _, isList := right.([]any); isList {
		switch op {
		case "=":
			op = "in"
		case "!=":
			op = "not in"
		}
	}
	return []any{left, op, right}
}

// term compiles one term on a model.
func (e *env) term(m *model, term []any) (node, *exception) {
	left, op, right := term[0].(string), term[1].(string), term[2]
	name, rest, path := strings.Cut(left, ".")
	f := m.named[name]
	if f == nil {
		return node{}, valueError("Invalid field %s.%s in leaf %s", m.name, name, python.ReprTuple(term))
	}
	if op == "child_of" || op == "parent_of" {
		return node{}, raise("builtins.NotImplementedError", "odoosim does not know %s", op)
	}
	if f.related != "" {
		return e.term(m, []any{f.related, op, right})
	}
	if path {
		return e.path(m, f, rest, term)
	}
	switch op {
	case "any", "not any":
		return e.any(m, f, term)
	case "not =like", "not =ilike":
		return e.unlike(m, term)
	}
	if f.unsearchable {
		return node{test: func(*row) truth { return yes }}, nil
	}
	switch f.kind {
	case one2many:
		return e.children(f, op, right)
	case many2many, binaryKind: // always empty here
		return node{test: func(*row) truth { return truthOf(negative(op) != (right == false)) }}, nil
	case many2one:
		names, isNames := right.([]any)
		isNames = isNames && len(names) > 0 && !slices.ContainsFunc(names, func(v any) bool { _, ok := v.(string); return !ok })
		if _, isName := right.(string); isName || isNames {
			return e.named(f, op, right)
		}
	}
	return e.column(f, term)
}

// path follows a relation: the rest is a domain of its own, on the other model.
func (e *env) path(m *model, f *field, rest string, term []any) (node, *exception) {
	if !e.leads(f) {
		class := strings.ToUpper(string(f.kind[:1])) + string(f.kind[1:])
		return node{}, raise("builtins.AttributeError", "'%s' object has no attribute 'auto_join'", class)
	}
	return e.related(f, []any{[]any{rest, term[1], term[2]}})
}

// leads reports whether a field leads to a model that the simulator has.
func (e *env) leads(f *field) bool {
	return (f.kind == many2one || f.kind == one2many) && e.db.tables[f.relation] != nil
}

// any is a term with a domain of its own, on the model to which the field leads.
// "not any" includes who has none (odoo/osv/expression.py of 17 and 18,
// odoo/orm/domains.py of 19).
func (e *env) any(m *model, f *field, term []any) (node, *exception) {
	if !e.leads(f) {
		if e.generation < 19 {
			return node{}, raise("builtins.KeyError", "None")
		}
		return node{}, valueError("Cannot use 'any' with non-relational fields in condition %s", python.ReprTuple(term))
	}
	domain, isList := term[2].([]any)
	if !isList {
		if e.generation < 19 {
			return node{}, raise("builtins.AssertionError", "Domains to normalize must have a 'domain' form: a list or tuple of domain components")
		}
		return node{}, raise("builtins.TypeError", "Domain() invalid argument type for domain: %s", python.Repr(term[2]))
	}
	n, err := e.related(f, domain)
	if err != nil || term[1] == "any" {
		return n, err
	}
	return e.without(n), nil
}

// unlike is "not =like" and "not =ilike" on a field: all that are not like it, the
// empty ones too.
func (e *env) unlike(m *model, term []any) (node, *exception) {
	if !python.Truthy(term[2]) {
		return e.term(m, []any{term[0], "!=", false})
	}
	if _, isText := term[2].(string); !isText {
		return node{}, raise("builtins.TypeError", "The pattern to match must be a string in condition %s", python.ReprTuple(term))
	}
	n, err := e.term(m, []any{term[0], strings.TrimPrefix(term[1].(string), "not "), term[2]})
	if err != nil {
		return node{}, err
	}
	return e.without(n), nil
}

// without is whatever another part does not select.
func (e *env) without(n node) node {
	e.work.subplans += n.looks
	return node{test: func(r *row) truth { return truthOf(n.test(r) != yes) }}
}

// related is a domain on the model to which a field leads. Of a many2one archived
// records count, too.
func (e *env) related(f *field, domain []any) (node, *exception) {
	other := e.db.tables[f.relation]
	inner := *e
	if f.kind == many2one {
		inner.activeTest = false
	}
	sub, err := inner.where(other.model, domain)
	if err != nil {
		return node{}, err
	}
	e.work.subselects = append(e.work.subselects, other)
	if f.kind == one2many {
		return node{test: someChild(other, sub.test), looks: 1}, nil
	}
	return node{test: func(r *row) truth {
		id, ok := f.get(r).(int64)
		if !ok {
			return unknown
		}
		target := other.rows[id]
		return truthOf(target != nil && sub.test(target) == yes)
	}}, nil
}

// someChild is `id IN (SELECT partner_id FROM g2p_reg_id WHERE …)`, or the same of
// phone numbers.
func someChild(other *table, test func(*row) truth) func(*row) truth {
	return func(r *row) truth {
		children, _ := other.ofPartner(r.id)
		for _, id := range children {
			if test(other.rows[id]) == yes {
				return yes
			}
		}
		return no
	}
}

// children is a term on a one2many itself.
func (e *env) children(f *field, op string, right any) (node, *exception) {
	other := e.db.tables[f.relation]
	e.work.subselects = append(e.work.subselects, other)
	if right == false {
		some := someChild(other, func(*row) truth { return yes })
		if negative(op) {
			return node{test: some, looks: 1}, nil
		}
		e.work.subplans++
		return node{test: func(r *row) truth { return yes - some(r) }}, nil
	}
	var sub node
	var err *exception
	positive := op
	if negative(op) {
		positive = opposite[op]
	}
	switch v := right.(type) {
	case string:
		name := "phone_no"
		if other == e.db.regs { // the display name of an identifier is its registrant's
			name = "partner_id"
		}
		sub, err = e.where(other.model, []any{[]any{name, positive, v}})
	case []any:
		sub, err = e.column(other.model.named["id"], []any{"id", "in", v})
	default:
		sub, err = e.column(other.model.named["id"], []any{"id", "in", []any{number(v)}})
	}
	if err != nil {
		return node{}, err
	}
	some := someChild(other, sub.test)
	if negative(op) {
		e.work.subplans++
		return node{test: func(r *row) truth { return yes - some(r) }}, nil
	}
	return node{test: some, looks: 1}, nil
}

// named is a term that gives a many2one by name: the name search of the other
// model decides, archived records included.
func (e *env) named(f *field, op string, right any) (node, *exception) {
	other := e.db.tables[f.relation]
	if other == nil {
		return node{}, raise("builtins.NotImplementedError", "odoosim has no model %s", f.relation)
	}
	_, isList := right.([]any)
	if slices.Contains([]string{"<", ">", "<=", ">="}, op) {
		op = "in"
	}
	swap := map[string]string{"not in": "!=", "in": "=", "=": "in", "!=": "not in"}
	if !isList && (op == "in" || op == "not in") || isList && (op == "=" || op == "!=") {
		op = swap[op]
	}
	domain := []any{[]any{nameField, op, right}}
	if f.relation == partnerModel && right != "" && slices.Contains([]string{"=", "like", "ilike", "=like", "=ilike"}, op) {
		domain = []any{"|", []any{"email", op, right}, []any{nameField, op, right}}
	}
	inner := *e
	inner.activeTest = false
	sub, err := inner.where(other.model, domain)
	if err != nil {
		return node{}, err
	}
	e.work.subselects = append(e.work.subselects, other)
	var keys []any
	if len(other.ids) < 100 { // few types: their ids are as good as a term on ids
		keys = []any{}
		for _, id := range other.ids {
			if sub.test(other.rows[id]) == yes {
				keys = append(keys, id)
			}
		}
	}
	n := node{test: func(r *row) truth {
		id, ok := f.get(r).(int64)
		if !ok {
			if negative(op) {
				return yes
			}
			return unknown
		}
		target := other.rows[id]
		return truthOf(target != nil && sub.test(target) == yes)
	}}
	if keys != nil {
		n.hints = []hint{{column: f.column, keys: keys}}
	}
	return n, nil
}
