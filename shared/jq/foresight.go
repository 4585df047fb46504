package jq

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// foresight goes through a program with types in place of values, and notes
// which fields of the record it reads. What it says is never too little: where it
// cannot tell, a value may have any type and a field may be read.
type foresight struct {
	fields  map[string]seeding.Types
	outcome seeding.Outcome
	open    []*gojq.FuncDef // the functions that it is in
	left    int             // steps; functions that call each other could make any number
}

const (
	maxForesight = 20_000

	tNull, tBoolean, tNumber, tText = seeding.Null, seeding.Boolean, seeding.Number, seeding.Text
	tList, tObject, tAny            = seeding.List, seeding.Object, seeding.AnyType
	tRecord                         = tObject << 1 // the record itself, and of no other type
)

func foresee(q *gojq.Query, fields map[string]seeding.Types) seeding.Outcome {
	f := &foresight{fields: fields, left: maxForesight}
	gives := f.query(q, nil, tRecord)
	if gives&tRecord != 0 {
		gives = gives&^tRecord | tObject
		f.outcome.ReadsAny = true
	}
	f.outcome.Gives = gives
	return f.outcome
}

// look is what is left of the types when something looks at a whole value.
func (f *foresight) look(t seeding.Types) seeding.Types {
	if t&tRecord != 0 {
		f.outcome.ReadsAny = true
		return t&^tRecord | tObject
	}
	return t
}

// member returns the types below a name.
func (f *foresight) member(t seeding.Types, name string) (gives seeding.Types) {
	if t&tRecord != 0 {
		if !slices.Contains(f.outcome.Reads, name) {
			f.outcome.Reads = append(f.outcome.Reads, name)
		}
		if field, known := f.fields[name]; known {
			gives = field
		} else {
			gives = tNull
		}
	}
	if t&tObject != 0 {
		gives |= tAny
	}
	return gives | t&tNull
}

// below returns the types at a key that is not known.
func (f *foresight) below(t, key seeding.Types) (gives seeding.Types) {
	if key == 0 {
		return 0
	}
	if t = f.look(t); t&(tList|tObject) != 0 {
		gives = tAny
	}
	if t&tText != 0 {
		gives |= tText | tNull
	}
	return gives | t&tNull
}

func (f *foresight) query(q *gojq.Query, s *scope, in seeding.Types) seeding.Types {
	if f.left--; f.left < 0 {
		f.outcome.ReadsAny = true
		return tAny
	}
	for _, def := range q.FuncDefs {
		s = &scope{before: s, name: def.Name, arity: len(def.Args), def: def}
	}
	if q.Term != nil {
		return f.term(q.Term, len(q.Term.SuffixList), s, in)
	}
	switch q.Op {
	case gojq.OpPipe:
		left := f.query(q.Left, s, in)
		if left == 0 {
			return 0
		}
		if len(q.Patterns) > 0 {
			return f.query(q.Right, f.destructure(q.Patterns, s, in, left), in)
		}
		return f.query(q.Right, s, left)
	case gojq.OpComma:
		return f.query(q.Left, s, in) | f.query(q.Right, s, in)
	case gojq.OpAlt:
		return f.query(q.Left, s, in)&^tNull | f.query(q.Right, s, in)
	case gojq.OpAnd, gojq.OpOr:
		f.query(q.Right, s, in)
		if f.query(q.Left, s, in) == 0 {
			return 0
		}
		return tBoolean
	}
	left, right := f.query(q.Left, s, in), f.query(q.Right, s, in)
	switch q.Op {
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		f.look(in) // what is changed is all of it, and may become anything
		return tAny
	}
	if left == 0 || right == 0 {
		return 0
	}
	return f.operation(q.Op, f.look(left), f.look(right))
}

func (f *foresight) operation(op gojq.Operator, l, r seeding.Types) (gives seeding.Types) {
	both := l & r
	switch op {
	case gojq.OpAdd:
		gives = both & (tNumber | tText | tList | tObject)
		if l&tNull != 0 {
			gives |= r
		}
		if r&tNull != 0 {
			gives |= l
		}
	case gojq.OpSub:
		gives = both & (tNumber | tList)
	case gojq.OpMul:
		gives = both & (tNumber | tObject)
		if l&tText != 0 && r&tNumber != 0 || l&tNumber != 0 && r&tText != 0 {
			gives |= tText | tNull
		}
	case gojq.OpDiv:
		if gives = both & tNumber; both&tText != 0 {
			gives |= tList
		}
	case gojq.OpMod:
		gives = both & tNumber
	default:
		gives = tBoolean
	}
	return gives
}

// destructure binds the names of patterns to types.
func (f *foresight) destructure(patterns []*gojq.Pattern, s *scope, in, t seeding.Types) *scope {
	for _, p := range patterns {
		s = f.bind(p, s, s, in, t)
	}
	return s
}

func (f *foresight) bind(p *gojq.Pattern, at, s *scope, in, t seeding.Types) *scope {
	if p.Name != "" {
		return s.bind(p.Name, t)
	}
	for _, element := range p.Array {
		s = f.bind(element, at, s, in, f.below(t, tNumber))
	}
	for _, m := range p.Object {
		below := f.key(t, m.Key, m.KeyString, m.KeyQuery, at, in)
		if strings.HasPrefix(m.Key, "$") {
			s = s.bind(m.Key, below)
		}
		if m.Val != nil {
			s = f.bind(m.Val, at, s, in, below)
		}
	}
	return s
}

// key returns the types below a key of t that stands in an index, an object or a
// pattern.
func (f *foresight) key(t seeding.Types, name string, text *gojq.String, q *gojq.Query, s *scope, in seeding.Types) seeding.Types {
	switch {
	case name != "":
		return f.member(t, strings.TrimPrefix(name, "$"))
	case text != nil && text.Queries == nil:
		return f.member(t, text.Str)
	case text != nil:
		return f.below(t, f.string(text, s, in))
	}
	if literal, ok := literalText(q); ok {
		return f.member(t, literal)
	}
	key := f.query(q, s, in)
	if key == tNumber {
		t &^= tRecord // an object has no elements
	}
	return f.below(t, key)
}

func (f *foresight) string(t *gojq.String, s *scope, in seeding.Types) seeding.Types {
	gives := tText
	for _, q := range t.Queries {
		if f.look(f.query(q, s, in)) == 0 {
			gives = 0
		}
	}
	return gives
}

func (f *foresight) term(t *gojq.Term, n int, s *scope, in seeding.Types) seeding.Types {
	if n > 0 {
		before := f.term(t, n-1, s, in)
		switch suffix := t.SuffixList[n-1]; {
		case suffix.Optional:
			return before
		case suffix.Iter:
			if f.look(before)&(tList|tObject) == 0 {
				return 0
			}
			return tAny
		default:
			return f.index(suffix.Index, before, s, in)
		}
	}
	switch t.Type {
	case gojq.TermTypeIdentity:
		return in
	case gojq.TermTypeRecurse:
		return f.look(in) | tAny
	case gojq.TermTypeNull:
		return tNull
	case gojq.TermTypeTrue, gojq.TermTypeFalse:
		return tBoolean
	case gojq.TermTypeNumber:
		return tNumber
	case gojq.TermTypeIndex:
		return f.index(t.Index, in, s, in)
	case gojq.TermTypeFunc:
		return f.call(t.Func, s, in)
	case gojq.TermTypeString:
		return f.string(t.Str, s, in)
	case gojq.TermTypeFormat:
		if t.Str != nil {
			return f.string(t.Str, s, in)
		}
		f.look(in)
		return tText
	case gojq.TermTypeUnary:
		return f.term(t.Unary.Term, len(t.Unary.Term.SuffixList), s, in) & tNumber
	case gojq.TermTypeArray:
		if t.Array.Query != nil {
			f.look(f.query(t.Array.Query, s, in))
		}
		return tList
	case gojq.TermTypeObject:
		return f.object(t.Object.KeyVals, s, in)
	case gojq.TermTypeIf:
		return f.branches(t.If, s, in)
	case gojq.TermTypeTry:
		gives := f.query(t.Try.Body, s, in)
		if t.Try.Catch != nil {
			gives |= f.query(t.Try.Catch, s, tAny)
		}
		return gives
	case gojq.TermTypeReduce:
		each, start := f.query(t.Reduce.Query, s, in), f.query(t.Reduce.Start, s, in)
		s = f.destructure(t.Reduce.Patterns, s, in, each)
		f.query(t.Reduce.Update, s, start|tAny)
		return start | tAny
	case gojq.TermTypeForeach:
		each, start := f.query(t.Foreach.Query, s, in), f.query(t.Foreach.Start, s, in)
		s = f.destructure(t.Foreach.Patterns, s, in, each)
		state := f.query(t.Foreach.Update, s, start|tAny)
		if t.Foreach.Extract != nil {
			state = f.query(t.Foreach.Extract, s, state|tAny)
		}
		return state
	case gojq.TermTypeLabel:
		return f.query(t.Label.Body, s, in)
	case gojq.TermTypeQuery:
		return f.query(t.Query, s, in)
	}
	return 0
}

func (f *foresight) index(i *gojq.Index, t seeding.Types, s *scope, in seeding.Types) seeding.Types {
	if !i.IsSlice {
		return f.key(t, i.Name, i.Str, i.Start, s, in)
	}
	for _, bound := range []*gojq.Query{i.Start, i.End} {
		if bound != nil && f.query(bound, s, in) == 0 {
			return 0
		}
	}
	return t & (tNull | tText | tList)
}

func (f *foresight) object(members []*gojq.ObjectKeyVal, s *scope, in seeding.Types) seeding.Types {
	gives := tObject
	for _, m := range members {
		if m.KeyQuery != nil && f.look(f.query(m.KeyQuery, s, in)) == 0 || m.KeyString != nil && f.string(m.KeyString, s, in) == 0 {
			gives = 0
		}
		switch {
		case m.Val != nil:
			if f.look(f.query(m.Val, s, in)) == 0 {
				gives = 0
			}
		case strings.HasPrefix(m.Key, "$"):
			f.look(f.variable(m.Key, s))
		default:
			f.key(in, m.Key, m.KeyString, m.KeyQuery, s, in)
		}
	}
	return gives
}

func (f *foresight) branches(i *gojq.If, s *scope, in seeding.Types) (gives seeding.Types) {
	if f.query(i.Cond, s, in) == 0 {
		return 0
	}
	gives = f.query(i.Then, s, in)
	for _, more := range i.Elif {
		f.query(more.Cond, s, in)
		gives |= f.query(more.Then, s, in)
	}
	if i.Else == nil {
		return gives | in
	}
	return gives | f.query(i.Else, s, in)
}

func (f *foresight) variable(name string, s *scope) seeding.Types {
	types, _ := s.variable(name).value.(seeding.Types)
	return types
}

func (f *foresight) call(call *gojq.Func, s *scope, in seeding.Types) seeding.Types {
	if call.Name[0] == '$' {
		return f.variable(call.Name, s)
	}
	switch known := s.function(call.Name, len(call.Args)); {
	case known == nil:
	case known.def != nil:
		return f.apply(known.def, known, call.Args, s, in)
	default:
		return f.query(known.body, known.within, in)
	}
	if def := functions[signature{call.Name, len(call.Args)}].def; def != nil {
		return f.apply(def, nil, call.Args, s, in)
	}
	switch call.Name {
	case "path":
		f.query(call.Args[0], s, in)
		return tList
	case "error":
		f.look(in) // which may be caught
	case "getpath":
		return f.path(call.Args[0], s, in)
	case "sub":
		f.query(call.Args[1], s, tObject)
		call = &gojq.Func{Name: "sub", Args: []*gojq.Query{call.Args[0], call.Args[2]}}
	}
	for _, arg := range call.Args {
		if given := f.look(f.query(arg, s, in)); given == 0 || slices.Contains(wantText, signature{call.Name, len(call.Args)}) && given&tText == 0 {
			return 0
		}
	}
	known := types[call.Name]
	if known.takes != 0 && f.look(in)&known.takes == 0 {
		return 0
	}
	return known.gives
}

// path is getpath of a list, of which the first element may be known.
func (f *foresight) path(q *gojq.Query, s *scope, in seeding.Types) seeding.Types {
	keys := literalList(q)
	if len(keys) == 0 {
		path := f.query(q, s, in)
		if path&(tList|tNull) == 0 {
			return 0
		}
		return f.below(in, path)
	}
	for _, key := range keys {
		in = f.key(in, "", nil, key, s, in)
	}
	return in
}

// apply is a function that is defined in jq. Of one that calls itself nothing is
// known.
func (f *foresight) apply(def *gojq.FuncDef, inner *scope, args []*gojq.Query, s *scope, in seeding.Types) seeding.Types {
	if slices.Contains(f.open, def) {
		f.outcome.ReadsAny = f.outcome.ReadsAny || in&tRecord != 0
		return in | tAny
	}
	for i, name := range def.Args {
		bare, isValue := strings.CutPrefix(name, "$")
		inner = &scope{before: inner, name: bare, body: args[i], within: s}
		if isValue {
			inner = inner.bind(name, f.query(args[i], s, in))
		}
	}
	f.open = append(f.open, def)
	gives := f.query(def.Body, inner, in)
	f.open = f.open[:len(f.open)-1]
	return gives
}

// wantText are functions that fail if an argument is no text.
var wantText = []signature{{"strptime", 1}, {"strftime", 1}, {"startswith", 1}, {"endswith", 1}, {"split", 1}}

// types are what functions take, 0 where they do not look at their input, and
// what they give.
var types = map[string]struct{ takes, gives seeding.Types }{
	"error": {}, "empty": {},
	"range": {0, tNumber}, "infinite": {0, tNumber}, "nan": {0, tNumber}, "pow": {0, tNumber},
	"sub": {tText, tText}, "_match": {tText, tList}, "test": {tText, tBoolean}, "_captured": {tObject, tObject},
	"split": {tText, tList}, "explode": {tText, tList}, "implode": {tList, tText}, "join": {tList | tObject, tText},
	"setpath": {tAny, tAny}, "delpaths": {tAny, tAny},
	"type": {tAny, tText}, "isinfinite": {tAny, tBoolean}, "isnan": {tAny, tBoolean}, "isnormal": {tAny, tBoolean},
	"abs": {tNumber, tNumber}, "length": {tAny &^ tBoolean, tNumber}, "utf8bytelength": {tText, tNumber},
	"keys": {tList | tObject, tList}, "keys_unsorted": {tList | tObject, tList}, "has": {tList | tObject, tBoolean},
	"tostring": {tAny, tText}, "tojson": {tAny, tText}, "tonumber": {tNumber | tText, tNumber}, "toboolean": {tBoolean | tText, tBoolean},
	"ascii_downcase": {tText, tText}, "ascii_upcase": {tText, tText}, "trim": {tText, tText}, "ltrim": {tText, tText}, "rtrim": {tText, tText},
	"startswith": {tText, tBoolean}, "endswith": {tText, tBoolean},
	"ltrimstr": {tAny, tAny}, "rtrimstr": {tAny, tAny}, "trimstr": {tAny, tAny},
	"add": {tList | tObject, tAny}, "flatten": {tList, tList}, "reverse": {tNull | tText | tList, tText | tList},
	"contains": {tAny, tBoolean}, "indices": {tNull | tText | tList, tNull | tList},
	"index": {tNull | tText | tList, tNull | tNumber}, "rindex": {tNull | tText | tList, tNull | tNumber},
	"transpose": {tList, tList}, "toarray": {tAny, tList},
	"sort": {tList, tList}, "_sort_by": {tList, tList}, "_group_by": {tList, tList}, "unique": {tList, tList}, "_unique_by": {tList, tList},
	"min": {tList, tAny}, "_min_by": {tList, tAny}, "max": {tList, tAny}, "_max_by": {tList, tAny},
	"format": {tAny, tText}, "fromjson": {tText, tAny},
	"strptime": {tText, tList}, "strftime": {tNumber | tList, tText}, "gmtime": {tNumber, tList}, "mktime": {tList, tNumber},
	"floor": {tNumber, tNumber}, "ceil": {tNumber, tNumber}, "round": {tNumber, tNumber}, "trunc": {tNumber, tNumber}, "fabs": {tNumber, tNumber},
	"sqrt": {tNumber, tNumber}, "log": {tNumber, tNumber}, "log2": {tNumber, tNumber}, "log10": {tNumber, tNumber}, "exp": {tNumber, tNumber}, "exp2": {tNumber, tNumber},
}
