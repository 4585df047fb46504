package jq

import (
	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// narrow returns which types of the input are possible where a condition holds,
// and where it does not.
func (f *foresight) narrow(q *gojq.Query, s *scope, in seeding.Types) (with, without seeding.Types) {
	if f.left--; f.left < 0 || len(q.FuncDefs) > 0 {
		return in, in
	}
	switch t := q.Term; {
	case t != nil && len(t.SuffixList) > 0:
	case t != nil && t.Type == gojq.TermTypeQuery:
		return f.narrow(t.Query, s, in)
	case t != nil && t.Type == gojq.TermTypeIdentity:
		return in &^ tFalsy, in & tFalsy
	case t != nil && t.Type == gojq.TermTypeFunc && len(t.Func.Args) == 0:
		switch known := s.function(t.Func.Name, 0); {
		case known != nil && known.body != nil:
			return f.narrow(known.body, known.within, in)
		case known == nil && t.Func.Name == "not":
			return in & tFalsy, in &^ tFalsy
		}
	case q.Op == gojq.OpPipe && len(q.Patterns) == 0 && isIdentity(q.Left):
		return f.narrow(q.Right, s, in)
	case q.Op == gojq.OpPipe && len(q.Patterns) == 0 && isCall(q.Left, "type", s) && isConstant(q.Right, true):
		return ofKinds(q.Right, in)
	case q.Op == gojq.OpPipe && len(q.Patterns) == 0 && isCall(q.Right, "not", s):
		with, without = f.narrow(q.Left, s, in)
		return without, with
	case q.Op == gojq.OpAnd:
		a, b := f.narrow(q.Left, s, in)
		c, d := f.narrow(q.Right, s, in)
		return a & c, b | d
	case q.Op == gojq.OpOr:
		a, b := f.narrow(q.Left, s, in)
		c, d := f.narrow(q.Right, s, in)
		return a | c, b & d
	case q.Op == gojq.OpEq, q.Op == gojq.OpNe:
		with, without = compared(q.Left, q.Right, s, in)
		if q.Op == gojq.OpNe {
			return without, with
		}
		return with, without
	}
	return in, in
}

func isIdentity(q *gojq.Query) bool {
	return q.Term != nil && q.Term.Type == gojq.TermTypeIdentity && len(q.Term.SuffixList) == 0 && len(q.FuncDefs) == 0
}

// isCall reports whether q calls a function of jq without arguments.
func isCall(q *gojq.Query, name string, s *scope) bool {
	return q.Term != nil && q.Term.Type == gojq.TermTypeFunc && len(q.Term.SuffixList) == 0 && len(q.FuncDefs) == 0 &&
		q.Term.Func.Name == name && len(q.Term.Func.Args) == 0 && s.function(name, 0) == nil
}

// compared is narrow of . == value and of type == "name".
func compared(left, right *gojq.Query, s *scope, in seeding.Types) (with, without seeding.Types) {
	v, ok := constantOf(right)
	if !ok {
		left, right = right, left
		if v, ok = constantOf(right); !ok {
			return in, in
		}
	}
	switch {
	case isCall(left, "type", s):
		name, _ := v.(string)
		of := kinds[name]
		return in & of, in &^ of
	case !isIdentity(left):
		return in, in
	}
	switch of := typeOf(v); of {
	case tNull, seeding.False, seeding.True:
		return in & of, in &^ of
	case seeding.Blank, seeding.Empty:
		if wide(in)&wide(of) == 0 {
			return 0, in
		}
		return of, in
	case tText:
		return wide(in&^seeding.Blank) & tText, in
	case tList:
		return in & (seeding.AnyList &^ seeding.Empty), in
	case tObject:
		return in & (tObject | tSeen), in
	default:
		return in & of, in
	}
}

// ofKinds is narrow of type | condition.
func ofKinds(condition *gojq.Query, in seeding.Types) (with, without seeding.Types) {
	for name, of := range kinds {
		e := &evaluation{left: maxConstant}
		v, found, err := e.firstOf(condition, nil, item{value: name})
		if !found || err != nil || truthy(v) {
			with |= in & of
		}
		if !found || err != nil || !truthy(v) {
			without |= in & of
		}
	}
	return with, without
}

// kinds are jq's names of types.
var kinds = map[string]seeding.Types{
	"null": tNull, "boolean": tBoolean, "number": tNumber, "string": seeding.AnyText, "array": seeding.AnyList, "object": tObject | tSeen,
}
