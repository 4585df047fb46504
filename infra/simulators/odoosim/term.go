package odoosim

import (
	"math"
	"regexp"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// column compiles a term on a stored column, with SQL's NULL.
func (e *env) column(f *field, term []any) (node, *exception) {
	op, right := term[1].(string), term[2]
	if op == "=?" {
		if right == nil || right == false {
			return node{test: func(*row) truth { return yes }}, nil
		}
		op = "="
	}
	switch op {
	case "in", "not in":
		list, ok := right.([]any)
		if !ok {
			return node{}, valueError("Invalid domain term %s", python.ReprTuple(term))
		}
		return e.among(f, op == "in", list)
	case "=", "!=":
		if f.kind == boolKind && right != nil {
			want := python.Truthy(right)
			return node{test: func(r *row) truth {
				v := f.get(r) == true
				if op == "=" {
					return truthOf(v == want)
				}
				return truthOf(v != want)
			}}, nil
		}
		if right == nil || right == false {
			return node{test: func(r *row) truth { return truthOf((f.get(r) == nil) == (op == "=")) }}, nil
		}
	case "like", "ilike", "not like", "not ilike", "=like", "=ilike":
		return e.pattern(f, op, right), nil
	}
	operand, err := f.toOperand(e, op, right)
	if err != nil {
		return node{}, err
	}
	n := node{test: func(r *row) truth {
		v := f.get(r)
		switch {
		case v == nil && op == "!=" && python.Truthy(right):
			return yes
		case v == nil || operand == nil:
			return unknown
		}
		c := compare(v, operand)
		switch op {
		case "=":
			return truthOf(c == 0)
		case "!=":
			return truthOf(c != 0)
		case "<":
			return truthOf(c < 0)
		case "<=":
			return truthOf(c <= 0)
		case ">":
			return truthOf(c > 0)
		}
		return truthOf(c >= 0)
	}}
	switch id, isID := operand.(int64); {
	case op == "=" && operand != nil:
		n.hints = []hint{{column: f.column, keys: []any{operand}}}
	case f.column == idColumn && isID && op == ">":
		n.hints = []hint{{column: idColumn, lo: id + 1, hi: math.MaxInt64}}
	case f.column == idColumn && isID && op == ">=":
		n.hints = []hint{{column: idColumn, lo: id, hi: math.MaxInt64}}
	case f.column == idColumn && isID && op == "<":
		n.hints = []hint{{column: idColumn, lo: math.MinInt64, hi: id - 1}}
	case f.column == idColumn && isID && op == "<=":
		n.hints = []hint{{column: idColumn, lo: math.MinInt64, hi: id}}
	}
	return n, nil
}

// among is "in" and "not in" with a list; a false in it stands for NULL.
func (e *env) among(f *field, in bool, list []any) (node, *exception) {
	set := make(map[any]bool, len(list))
	keys := make([]any, 0, len(list))
	null := false
	for _, v := range list {
		if v == nil || v == false {
			null = true
			if f.kind != boolKind || v == nil {
				continue
			}
		}
		key, err := f.toOperand(e, "=", v)
		if err != nil {
			return node{}, err
		}
		if !set[key] {
			set[key] = true
			keys = append(keys, key)
		}
	}
	e.work.longestList = max(e.work.longestList, len(keys))
	n := node{test: func(r *row) truth {
		v := f.get(r)
		if v == nil {
			switch {
			case in == null:
				return yes
			case len(set) == 0 || !in && null:
				return no
			}
			return unknown
		}
		return truthOf(set[v] == in)
	}}
	if in && !null {
		n.hints = []hint{{column: f.column, keys: keys}}
	}
	return n, nil
}

// pattern is the LIKE family: like and ilike look for the text anywhere,
// =like and =ilike take it as the whole pattern, % and _ included.
func (e *env) pattern(f *field, op string, right any) node {
	anywhere, not := !strings.HasPrefix(op, "="), strings.HasPrefix(op, "not ")
	if !anywhere && (right == nil || right == false) {
		return node{test: func(*row) truth { return unknown }}
	}
	p := ""
	if right != nil && right != false {
		p = python.Str(right)
	}
	if anywhere {
		p = "%" + p + "%"
	}
	matches := like(p, strings.HasSuffix(op, "ilike"))
	orNull := anywhere && !python.Truthy(right) || not && python.Truthy(right)
	return node{test: func(r *row) truth {
		v := f.get(r)
		switch {
		case v == nil && orNull:
			return yes
		case v == nil:
			return unknown
		}
		return truthOf(matches(plain(v)) != not)
	}}
}

// like is SQL's LIKE: % any text, _ any character, backslash takes the next
// one as it is.
func like(pattern string, fold bool) func(string) bool {
	if fold {
		pattern = strings.ToLower(pattern)
	}
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString(`\z`)
	re := regexp.MustCompile(b.String())
	return func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		return re.MatchString(s)
	}
}
