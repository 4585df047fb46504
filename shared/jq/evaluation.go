package jq

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/itchyny/gojq"
)

// evaluation runs programs on one record. It walks their syntax trees; every
// result is passed to a function, and what cannot be counted beforehand is not
// done.
type evaluation struct {
	left     int // units of work
	depth    int // of the steps that are open
	spent    bool
	patterns map[patternKey]*pattern // those of the program that are literals
}

// item is a value on its way through a program. Where paths are collected it
// knows how it was reached.
type item struct {
	value any
	path  *step // nil: no paths are collected
}

// step is the last key of a path, behind those before it.
type step struct {
	before *step
	key    any
}

var (
	origin  = &step{} // where the collecting of paths began
	nowhere = &step{} // the path of a value that is no part of it
)

// keys returns a path as jq has it.
func (s *step) keys() []any {
	keys := []any{}
	for ; s != origin; s = s.before {
		keys = append(keys, s.key)
	}
	slices.Reverse(keys)
	return keys
}

// made is a new value that was computed from in.
func (in item) made(v any) item {
	if in.path == nil {
		return item{value: v}
	}
	return item{value: v, path: nowhere}
}

// part is the value below a key of in.
func (in item) part(v, key any) item {
	if in.path == nil {
		return item{value: v}
	}
	return item{value: v, path: &step{in.path, key}}
}

// alone is the value without its path, for arguments and conditions.
func (in item) alone() item { return item{value: in.value} }

// yield takes one result.
type yield func(item) error

// failure is an error of jq, which a program can catch.
type failure struct{ value any }

func (f *failure) Error() string { return fmt.Sprint(f.value) }

func fail(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }

// leave ends what runs inside a label.
type leave struct{ label *scope }

func (*leave) Error() string { return "break" }

// scope is what a name means: a variable, a function, an argument or a label;
// behind it the names that were there before.
type scope struct {
	before *scope
	name   string
	arity  int
	value  any           // of a variable
	def    *gojq.FuncDef // of a function, which sees its own name
	body   *gojq.Query   // of an argument
	within *scope        // what the argument sees
}

func (s *scope) variable(name string) *scope {
	for ; s != nil; s = s.before {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (s *scope) function(name string, arity int) *scope {
	for ; s != nil; s = s.before {
		if s.arity == arity && s.name == name && (s.def != nil || s.body != nil) {
			return s
		}
	}
	return nil
}

func (s *scope) bind(name string, value any) *scope {
	return &scope{before: s, name: name, arity: -1, value: value}
}

// query passes every result of q on in to out.
func (e *evaluation) query(q *gojq.Query, s *scope, in item, out yield) error {
	if e.depth == maxDepth {
		return e.spend(e.left + 1)
	}
	if err := e.spend(1); err != nil {
		return err
	}
	e.depth++
	err := e.step(q, s, in, out)
	e.depth--
	return err
}

func (e *evaluation) step(q *gojq.Query, s *scope, in item, out yield) error {
	for _, def := range q.FuncDefs {
		s = &scope{before: s, name: def.Name, arity: len(def.Args), def: def}
	}
	if q.Term != nil {
		return e.term(q.Term, len(q.Term.SuffixList), s, in, out)
	}
	switch q.Op {
	case gojq.OpPipe:
		if len(q.Patterns) > 0 {
			return e.query(q.Left, s, in.alone(), func(x item) error {
				return e.destructure(q.Patterns[0], s, s, in, x.value, func(s *scope) error {
					return e.query(q.Right, s, in, out)
				})
			})
		}
		return e.query(q.Left, s, in, func(x item) error { return e.query(q.Right, s, x, out) })
	case gojq.OpComma:
		if err := e.query(q.Left, s, in, out); err != nil {
			return err
		}
		return e.query(q.Right, s, in, out)
	case gojq.OpAlt:
		return e.alternative(q, s, in, out)
	case gojq.OpAnd, gojq.OpOr:
		return e.query(q.Left, s, in.alone(), func(l item) error {
			if decided := q.Op == gojq.OpOr; truthy(l.value) == decided {
				return out(in.made(decided))
			}
			return e.query(q.Right, s, in.alone(), func(r item) error { return out(in.made(truthy(r.value))) })
		})
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		return e.update(q, s, in, out)
	default:
		return e.query(q.Right, s, in.alone(), func(r item) error {
			return e.query(q.Left, s, in.alone(), func(l item) error {
				v, err := e.binary(q.Op, l.value, r.value)
				if err != nil {
					return err
				}
				return out(in.made(v))
			})
		})
	}
}

func truthy(v any) bool { return v != nil && v != false }

// guarded runs what may fail, and tells its own errors, which a program may
// catch, from those of out, which it may not.
func guarded(run func(yield) error, out yield) (own *failure, err error) {
	var outer error
	err = run(func(x item) error {
		outer = out(x)
		return outer
	})
	if outer == nil && errors.As(err, &own) {
		return own, nil
	}
	return nil, err
}

// alternative is a // b: the results of a that are neither null nor false, or
// those of b if there is none.
func (e *evaluation) alternative(q *gojq.Query, s *scope, in item, out yield) error {
	found := false
	err := e.query(q.Left, s, in, func(x item) error {
		if !truthy(x.value) {
			return nil
		}
		found = true
		return out(x)
	})
	if err != nil || found {
		return err
	}
	return e.query(q.Right, s, in, out)
}

// try is try body catch handler, or body? without a handler.
func (e *evaluation) try(body func(yield) error, handler *gojq.Query, s *scope, in item, out yield) error {
	failed, err := guarded(body, out)
	if err != nil || failed == nil || handler == nil {
		return err
	}
	return e.query(handler, s, in.made(failed.value), out)
}

// term evaluates t with its first n suffixes.
func (e *evaluation) term(t *gojq.Term, n int, s *scope, in item, out yield) error {
	if n == 0 {
		return e.plainTerm(t, s, in, out)
	}
	switch optional := t.SuffixList[n-1].Optional; {
	case optional && n > 1:
		return e.suffixed(t, n-1, true, s, in, out)
	case optional && t.Type == gojq.TermTypeIndex: // its key is not covered
		return e.index(t.Index, func(out yield) error { return out(in) }, true, s, in, out)
	case optional:
		return e.attempt(true, func(out yield) error { return e.plainTerm(t, s, in, out) }, s, in, out)
	default:
		return e.suffixed(t, n, false, s, in, out)
	}
}

// suffixed evaluates t with its first n suffixes. If it is optional, only the last of
// these may fail without an error: ".a.b?" is nothing if .a is a text, and an error if
// . is one. A second question mark covers all that stands before it.
func (e *evaluation) suffixed(t *gojq.Term, n int, optional bool, s *scope, in item, out yield) error {
	before := func(out yield) error { return e.term(t, n-1, s, in, out) }
	switch suffix := t.SuffixList[n-1]; {
	case suffix.Optional:
		return e.attempt(optional, func(out yield) error { return e.term(t, n, s, in, out) }, s, in, out)
	case suffix.Iter:
		return before(func(x item) error {
			return e.attempt(optional, func(out yield) error { return e.each(x, out) }, s, in, out)
		})
	default:
		return e.index(suffix.Index, before, optional, s, in, out)
	}
}

// attempt evaluates what may fail without an error if it is optional.
func (e *evaluation) attempt(optional bool, body func(yield) error, s *scope, in item, out yield) error {
	if optional {
		return e.try(body, nil, s, in, out)
	}
	return body(out)
}

func (e *evaluation) plainTerm(t *gojq.Term, s *scope, in item, out yield) error {
	switch t.Type {
	case gojq.TermTypeIdentity:
		return out(in)
	case gojq.TermTypeRecurse:
		return e.call(&gojq.Func{Name: "recurse"}, s, in, out)
	case gojq.TermTypeNull:
		return out(in.made(nil))
	case gojq.TermTypeTrue:
		return out(in.made(true))
	case gojq.TermTypeFalse:
		return out(in.made(false))
	case gojq.TermTypeNumber:
		return out(in.made(literal(t.Number)))
	case gojq.TermTypeIndex:
		return e.index(t.Index, func(out yield) error { return out(in) }, false, s, in, out)
	case gojq.TermTypeFunc:
		return e.call(t.Func, s, in, out)
	case gojq.TermTypeString:
		return e.text(t.Str, "text", s, in, out)
	case gojq.TermTypeFormat:
		if t.Str != nil {
			return e.text(t.Str, t.Format[1:], s, in, out)
		}
		v, err := e.format(t.Format[1:], in.value)
		if err != nil {
			return err
		}
		return out(in.made(v))
	case gojq.TermTypeUnary:
		return e.term(t.Unary.Term, len(t.Unary.Term.SuffixList), s, in.alone(), func(x item) error {
			if !isNumber(x.value) {
				return fail("%s cannot be negated", kind(x.value))
			}
			if t.Unary.Op != gojq.OpSub {
				return out(in.made(x.value))
			}
			return out(in.made(negate(x.value)))
		})
	case gojq.TermTypeArray:
		list, err := e.collect(t.Array.Query, s, in)
		if err != nil {
			return err
		}
		return out(in.made(list))
	case gojq.TermTypeObject:
		return e.object(t.Object.KeyVals, nil, s, in, out)
	case gojq.TermTypeIf:
		return e.branch(t.If.Cond, t.If.Then, t.If.Elif, t.If.Else, s, in, out)
	case gojq.TermTypeTry:
		return e.try(func(out yield) error { return e.query(t.Try.Body, s, in, out) }, t.Try.Catch, s, in, out)
	case gojq.TermTypeReduce:
		return e.reduce(t.Reduce, s, in, out)
	case gojq.TermTypeForeach:
		return e.foreach(t.Foreach, s, in, out)
	case gojq.TermTypeLabel:
		label := s.bind("*"+t.Label.Ident, nil)
		err := e.query(t.Label.Body, label, in, out)
		if l := (*leave)(nil); errors.As(err, &l) && l.label == label {
			return nil
		}
		return err
	case gojq.TermTypeBreak:
		return &leave{s.variable("*" + t.Break)}
	case gojq.TermTypeQuery:
		return e.query(t.Query, s, in, out)
	default:
		return fail("not available")
	}
}

// collect returns all results as a list.
func (e *evaluation) collect(q *gojq.Query, s *scope, in item) ([]any, error) {
	list := []any{}
	if q == nil {
		return list, nil
	}
	err := e.query(q, s, in.alone(), func(x item) error {
		list = append(list, x.value)
		return e.spend(1)
	})
	return list, err
}

func (e *evaluation) branch(condition, then *gojq.Query, more []*gojq.IfElif, otherwise *gojq.Query, s *scope, in item, out yield) error {
	return e.query(condition, s, in.alone(), func(x item) error {
		switch {
		case truthy(x.value):
			return e.query(then, s, in, out)
		case len(more) > 0:
			return e.branch(more[0].Cond, more[0].Then, more[1:], otherwise, s, in, out)
		case otherwise != nil:
			return e.query(otherwise, s, in, out)
		}
		return out(in)
	})
}

// reduce keeps the last result of each update; without one the state is null.
func (e *evaluation) reduce(r *gojq.Reduce, s *scope, in item, out yield) error {
	return e.query(r.Start, s, in, func(state item) error {
		err := e.query(r.Query, s, in.alone(), func(x item) error {
			return e.destructure(r.Patterns[0], s, s, in, x.value, func(s *scope) error {
				before := state
				state = in.made(nil)
				return e.query(r.Update, s, before, func(x item) error {
					state = x
					return nil
				})
			})
		})
		if err != nil {
			return err
		}
		return out(state)
	})
}

func (e *evaluation) foreach(f *gojq.Foreach, s *scope, in item, out yield) error {
	return e.query(f.Start, s, in, func(state item) error {
		return e.query(f.Query, s, in.alone(), func(x item) error {
			return e.destructure(f.Patterns[0], s, s, in, x.value, func(s *scope) error {
				return e.query(f.Update, s, state, func(x item) error {
					state = x
					if f.Extract == nil {
						return out(x)
					}
					return e.query(f.Extract, s, x, out)
				})
			})
		})
	})
}

// destructure binds the names of a pattern to parts of v, and goes on with what
// they make of s. Keys of the pattern are evaluated in at, on in.
func (e *evaluation) destructure(p *gojq.Pattern, at, s *scope, in item, v any, then func(*scope) error) error {
	if err := e.spend(1); err != nil {
		return err
	}
	switch {
	case p.Name != "":
		return then(s.bind(p.Name, v))
	case len(p.Array) > 0:
		if _, ok := v.([]any); !ok && v != nil {
			return fail("%s is not a list", kind(v))
		}
		return e.elements(p.Array, 0, at, s, in, v, then)
	default:
		return e.members(p.Object, at, s, in, v, then)
	}
}

func (e *evaluation) elements(patterns []*gojq.Pattern, i int, at, s *scope, in item, v any, then func(*scope) error) error {
	if i == len(patterns) {
		return then(s)
	}
	element, err := e.at(v, i)
	if err != nil {
		return err
	}
	return e.destructure(patterns[i], at, s, in, element, func(s *scope) error {
		return e.elements(patterns, i+1, at, s, in, v, then)
	})
}

func (e *evaluation) members(patterns []*gojq.PatternObject, at, s *scope, in item, v any, then func(*scope) error) error {
	if len(patterns) == 0 {
		return then(s)
	}
	p := patterns[0]
	return e.key(p.Key, p.KeyString, p.KeyQuery, at, in, func(key any) error {
		member, err := e.at(v, key)
		if err != nil {
			return err
		}
		if variable := p.Key; variable != "" && variable[0] == '$' {
			s = s.bind(variable, member)
		}
		rest := func(s *scope) error { return e.members(patterns[1:], at, s, in, v, then) }
		if p.Val == nil {
			return rest(s)
		}
		return e.destructure(p.Val, at, s, in, member, rest)
	})
}

// key passes the keys that stand in an object or a pattern; $name is short for
// name.
func (e *evaluation) key(name string, text *gojq.String, q *gojq.Query, s *scope, in item, use func(any) error) error {
	switch {
	case name != "" && name[0] == '$':
		return use(name[1:])
	case name != "":
		return use(name)
	case text != nil:
		return e.text(text, "text", s, in.alone(), func(x item) error { return use(x.value) })
	default:
		return e.query(q, s, in.alone(), func(x item) error { return use(x.value) })
	}
}

// object makes an object of the members made already and of those that follow.
func (e *evaluation) object(members []*gojq.ObjectKeyVal, made map[string]any, s *scope, in item, out yield) error {
	if err := e.spend(1 + len(made)); err != nil {
		return err
	}
	if len(members) == 0 {
		if made == nil {
			made = map[string]any{}
		}
		return out(in.made(made))
	}
	m := members[0]
	return e.key(m.Key, m.KeyString, m.KeyQuery, s, in, func(k any) error {
		key, ok := k.(string)
		if !ok {
			return fail("%s is not a key of an object", kind(k))
		}
		with := func(x item) error {
			longer := maps.Clone(made)
			if longer == nil {
				longer = map[string]any{}
			}
			longer[key] = x.value
			return e.object(members[1:], longer, s, in, out)
		}
		switch {
		case m.Val != nil:
			return e.query(m.Val, s, in.alone(), with)
		case m.Key != "" && m.Key[0] == '$':
			return with(item{value: s.variable(m.Key).value})
		}
		v, err := e.at(in.value, key)
		if err != nil {
			return err
		}
		return with(item{value: v})
	})
}

// text makes a text of its pieces; values in it are written in a format.
func (e *evaluation) text(t *gojq.String, format string, s *scope, in item, out yield) error {
	if t.Queries == nil {
		return out(in.made(t.Str))
	}
	return e.pieces(t.Queries, "", format, s, in, out)
}

// pieces puts pieces in front of what is after them; the last is the slowest.
func (e *evaluation) pieces(pieces []*gojq.Query, after, format string, s *scope, in item, out yield) error {
	last := len(pieces) - 1
	if last < 0 {
		return out(in.made(after))
	}
	literal := pieces[last].Term != nil && pieces[last].Term.Str != nil
	return e.query(pieces[last], s, in.alone(), func(x item) error {
		piece, ok := x.value.(string)
		if !literal || !ok {
			var err error
			if piece, err = e.format(format, x.value); err != nil {
				return err
			}
		}
		if err := e.spend(unitsOf(after) + unitsOf(piece)); err != nil {
			return err
		}
		return e.pieces(pieces[:last], piece+after, format, s, in, out)
	})
}

// index evaluates the keys of an index or a slice on in, and applies them to
// the values before it.
func (e *evaluation) index(i *gojq.Index, before func(yield) error, optional bool, s *scope, in item, out yield) error {
	at := func(key any) error {
		return before(func(x item) error {
			look := func(out yield) error {
				v, err := e.at(x.value, key)
				if err != nil {
					return err
				}
				if x.path == nowhere {
					return fail("what is looked into is no part of the value")
				}
				return out(x.part(v, key))
			}
			return e.attempt(optional, look, s, in, out)
		})
	}
	if !i.IsSlice {
		return e.key(i.Name, i.Str, i.Start, s, in, at)
	}
	bound := func(q *gojq.Query, use func(any) error) error {
		if q == nil {
			return use(nil)
		}
		return e.query(q, s, in.alone(), func(x item) error { return use(x.value) })
	}
	return bound(i.End, func(end any) error {
		return bound(i.Start, func(start any) error {
			return at(map[string]any{"start": start, "end": end})
		})
	})
}

// each passes the elements of a list, or the members of an object in the order
// of their keys.
func (e *evaluation) each(in item, out yield) error {
	if in.path == nowhere {
		return fail("what is looked into is no part of the value")
	}
	switch v := in.value.(type) {
	case []any:
		for i, element := range v {
			if err := e.spend(1); err != nil {
				return err
			}
			if err := out(in.part(element, i)); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := e.spend(2 * len(v)); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := out(in.part(v[key], key)); err != nil {
				return err
			}
		}
		return nil
	default:
		return fail("%s has no elements", kind(v))
	}
}

// call evaluates a variable, or a function of the program or of ours.
func (e *evaluation) call(f *gojq.Func, s *scope, in item, out yield) error {
	if f.Name[0] == '$' {
		return out(in.made(s.variable(f.Name).value))
	}
	switch known := s.function(f.Name, len(f.Args)); {
	case known == nil:
	case known.def != nil:
		return e.apply(known.def, known, f.Args, s, in, out)
	default:
		return e.query(known.body, known.within, in, out)
	}
	switch known := functions[signature{f.Name, len(f.Args)}]; {
	case known.special != nil:
		return known.special(e, f.Args, s, in, out)
	case known.native != nil:
		return e.product(f.Args, s, in, make([]any, len(f.Args)), func(args []any) error {
			v, err := known.native(e, in.value, args)
			if err != nil {
				return err
			}
			return out(in.made(v))
		})
	case known.def != nil:
		return e.apply(known.def, nil, f.Args, s, in, out)
	default:
		return fail("there is no function %s/%d", f.Name, len(f.Args))
	}
}

// product passes every combination of the results of arguments; the last
// argument is the slowest.
func (e *evaluation) product(args []*gojq.Query, s *scope, in item, values []any, use func([]any) error) error {
	last := len(args) - 1
	if last < 0 {
		return use(values)
	}
	return e.query(args[last], s, in.alone(), func(x item) error {
		values[last] = x.value
		return e.product(args[:last], s, in, values, use)
	})
}

// apply evaluates a function that is defined in jq. Its arguments see what the
// caller sees.
func (e *evaluation) apply(def *gojq.FuncDef, inner *scope, args []*gojq.Query, s *scope, in item, out yield) error {
	return e.arguments(def.Args, inner, args, s, in, func(inner *scope) error {
		return e.query(def.Body, inner, in, out)
	})
}

func (e *evaluation) arguments(names []string, inner *scope, args []*gojq.Query, s *scope, in item, then func(*scope) error) error {
	if len(names) == 0 {
		return then(inner)
	}
	if err := e.spend(1); err != nil {
		return err
	}
	name := names[0]
	if name[0] != '$' {
		inner = &scope{before: inner, name: name, body: args[0], within: s}
		return e.arguments(names[1:], inner, args[1:], s, in, then)
	}
	return e.query(args[0], s, in.alone(), func(x item) error {
		inner := (&scope{before: inner, name: name[1:], body: args[0], within: s}).bind(name, x.value)
		return e.arguments(names[1:], inner, args[1:], s, in, then)
	})
}
