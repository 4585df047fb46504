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
	tFalsy                          = seeding.Null | seeding.False
	tRelation                       = seeding.Numbers | seeding.Pair
	tRecord                         = tObject << 1 // the record itself, and of no other type
	tDocument                       = tRecord << 1 // what an Output Format sees: an object with the record in it
	tSeen                           = tRecord | tDocument
)

// wide forgets what is known of texts and lists.
func wide(t seeding.Types) seeding.Types {
	if t&seeding.AnyText != 0 {
		t = t&^seeding.AnyText | tText
	}
	if t&seeding.AnyList != 0 {
		t = t&^seeding.AnyList | tList
	}
	return t
}

// typeOf is the type of a value that stands in a program.
func typeOf(v any) seeding.Types {
	switch v := v.(type) {
	case nil:
		return tNull
	case bool:
		if v {
			return seeding.True
		}
		return seeding.False
	case string:
		if strings.TrimSpace(v) == "" {
			return seeding.Blank
		}
		return tText
	case []any:
		if len(v) == 0 {
			return seeding.Empty
		}
		return tList
	case map[string]any:
		return tObject
	default:
		return tNumber
	}
}

// foresee is given what the program sees: the record, or a document with it.
func (p *program) foresee(fields map[string]seeding.Types, in seeding.Types) seeding.Outcome {
	f := &foresight{fields: fields, left: maxForesight}
	f.outcome.Gives = f.look(f.query(p.query, nil, in))
	_, f.outcome.Same = same(p.query)
	f.outcome.Paths = p.fieldPaths(f.outcome.Reads)
	f.outcome.Doubts = p.doubts
	return f.outcome
}

// look is what is left of the types when something looks at a whole value.
func (f *foresight) look(t seeding.Types) seeding.Types {
	if t&tSeen != 0 {
		f.outcome.ReadsAny = true
		return t&^tSeen | tObject
	}
	return t
}

// member returns the types below a name.
func (f *foresight) member(t seeding.Types, name string) (gives seeding.Types) {
	if t&tDocument != 0 {
		switch name {
		case "input":
			gives = tRecord
		case "output":
			gives = tObject
		default:
			gives = tNull
		}
		if t &^= tDocument; t == 0 {
			return gives
		}
		return gives | f.member(t, name)
	}
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
	if t = f.look(t); t&(tList|tObject) != 0 || t&tRelation != 0 && key != tNumber {
		gives = tAny
	}
	if t&seeding.AnyText != 0 {
		gives |= tText | tNull
	}
	if t&seeding.AnyList != 0 {
		gives |= elements(t) | tNull
		if key&(seeding.AnyList|tObject) != 0 { // where a list is found in it, or a part of it
			gives |= tList
		}
	}
	return gives | t&tNull
}

// elements are the types of what is in lists and objects.
func elements(t seeding.Types) (gives seeding.Types) {
	if t&(tList|tObject) != 0 {
		gives = tAny
	}
	if t&tRelation != 0 {
		gives |= tNumber
	}
	if t&seeding.Pair != 0 {
		gives |= tText
	}
	return gives
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
	if v, ok := constantOf(q); ok {
		return typeOf(v)
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
		return f.query(q.Left, s, in)&^tFalsy | f.query(q.Right, s, in)
	case gojq.OpAnd, gojq.OpOr:
		right := truth(f.query(q.Right, s, in))
		left := truth(f.query(q.Left, s, in))
		decides := seeding.False
		if q.Op == gojq.OpOr {
			decides = seeding.True
		}
		if left&^decides == 0 {
			return left
		}
		return left&decides | right
	}
	left, right := f.query(q.Left, s, in), f.query(q.Right, s, in)
	switch q.Op {
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		in = f.look(in)
		if left == 0 {
			return in // nothing is changed
		}
		return tAny // what is changed is all of it, and may become anything
	}
	if left == 0 || right == 0 {
		return 0
	}
	return operation(q.Op, f.look(left), f.look(right))
}

// truth is what values count as in a condition.
func truth(t seeding.Types) (gives seeding.Types) {
	if t&tFalsy != 0 {
		gives = seeding.False
	}
	if t&^tFalsy != 0 {
		gives |= seeding.True
	}
	return gives
}

func operation(op gojq.Operator, l, r seeding.Types) (gives seeding.Types) {
	both := wide(l) & wide(r)
	switch op {
	case gojq.OpAdd:
		gives = both & (tNumber | tText | tList | tObject)
		if (l|r)&seeding.AnyText == seeding.Blank && both&tText != 0 {
			gives = gives&^tText | seeding.Blank
		}
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
		if wide(l)&tText != 0 && r&tNumber != 0 || l&tNumber != 0 && wide(r)&tText != 0 {
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
	if v, ok := constantOf(q); ok && t&^tFalsy == seeding.Pair && isNumber(v) {
		switch x, _ := float(v); x {
		case 0, -2:
			return tNumber | t&tNull
		case 1, -1:
			return tText | t&tNull
		}
		return tNull
	}
	if key == tNumber {
		t &^= tSeen // an object has no elements
	}
	return f.below(t, key)
}

// string is a text with values in it, which are written as they are if it has no
// format.
func (f *foresight) string(t *gojq.String, s *scope, in seeding.Types) seeding.Types {
	if t.Queries == nil {
		return typeOf(t.Str)
	}
	var pieces seeding.Types
	for _, q := range t.Queries {
		piece := f.look(f.query(q, s, in))
		if piece == 0 {
			return 0
		}
		pieces |= piece
	}
	if pieces == seeding.Blank {
		return pieces
	}
	return formatted("text", pieces&^seeding.Blank)
}

func (f *foresight) term(t *gojq.Term, n int, s *scope, in seeding.Types) seeding.Types {
	if n > 0 {
		before := f.term(t, n-1, s, in)
		switch suffix := t.SuffixList[n-1]; {
		case suffix.Optional:
			return before
		case suffix.Iter:
			return elements(f.look(before))
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
	case gojq.TermTypeTrue:
		return seeding.True
	case gojq.TermTypeFalse:
		return seeding.False
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
			return wide(f.string(t.Str, s, in))
		}
		return formatted(t.Format[1:], f.look(in))
	case gojq.TermTypeUnary:
		return f.term(t.Unary.Term, len(t.Unary.Term.SuffixList), s, in) & tNumber
	case gojq.TermTypeArray:
		if t.Array.Query == nil || f.look(f.query(t.Array.Query, s, in)) == 0 {
			return seeding.Empty
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
		if each == 0 || start == 0 {
			return start
		}
		return start | f.query(t.Reduce.Update, s, start|tAny) | tNull
	case gojq.TermTypeForeach:
		each, start := f.query(t.Foreach.Query, s, in), f.query(t.Foreach.Start, s, in)
		s = f.destructure(t.Foreach.Patterns, s, in, each)
		if each == 0 {
			return 0
		}
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
	if t&(seeding.Written|seeding.Pair) != 0 { // a part of them is something else
		t = wide(t)
	}
	return t & (tNull | seeding.AnyText | seeding.AnyList)
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
			f.look(f.key(in, m.Key, m.KeyString, m.KeyQuery, s, in))
		}
	}
	return gives
}

func (f *foresight) branches(i *gojq.If, s *scope, in seeding.Types) seeding.Types {
	gives, rest := f.branch(i.Cond, i.Then, s, in)
	for _, more := range i.Elif {
		if rest == 0 {
			return gives
		}
		var then seeding.Types
		then, rest = f.branch(more.Cond, more.Then, s, rest)
		gives |= then
	}
	switch {
	case rest == 0:
		return gives
	case i.Else == nil:
		return gives | rest
	}
	return gives | f.query(i.Else, s, rest)
}

// branch returns what is given where a condition holds, and what is left of the
// input where it does not.
func (f *foresight) branch(condition, then *gojq.Query, s *scope, in seeding.Types) (gives, rest seeding.Types) {
	holds := truth(f.query(condition, s, in))
	with, rest := f.narrow(condition, s, in)
	if holds&seeding.True != 0 && with != 0 {
		gives = f.query(then, s, with)
	}
	if holds&seeding.False == 0 {
		rest = 0
	}
	return gives, rest
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
	if needs := defined[call.Name]; needs != 0 && wide(in)&needs == 0 {
		return 0
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
		if given := f.look(f.query(arg, s, in)); given == 0 || slices.Contains(wantText, signature{call.Name, len(call.Args)}) && given&seeding.AnyText == 0 {
			return 0
		}
	}
	known := types[call.Name]
	if known.takes == 0 {
		return known.gives
	}
	if in = f.look(in); wide(in)&known.takes == 0 {
		return 0
	}
	if gives, ok := givenBy(call.Name, in); ok {
		return gives
	}
	return known.gives
}

// path is getpath of a list, of which the first element may be known.
func (f *foresight) path(q *gojq.Query, s *scope, in seeding.Types) seeding.Types {
	keys := literalList(q)
	if len(keys) == 0 {
		path := f.query(q, s, in)
		if path&(seeding.AnyList|tNull) == 0 {
			return 0
		}
		in = f.look(in)
		return in | f.below(in, path) // in itself at the empty path
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
		f.outcome.ReadsAny = f.outcome.ReadsAny || in&tSeen != 0
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
