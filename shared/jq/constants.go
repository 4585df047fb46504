package jq

import "github.com/itchyny/gojq"

// maxConstant bounds the work for one constant, in units, because one that stands in
// a function may be looked at for each step of the foresight.
const maxConstant = 500

// constantOf returns the value of a query that looks at nothing.
func constantOf(q *gojq.Query) (any, bool) {
	if !isConstant(q, false) {
		return nil, false
	}
	e := &evaluation{left: maxConstant}
	v, found, err := e.firstOf(q, nil, item{})
	return v, found && err == nil
}

// isConstant reports whether a query looks at nothing; with identity it may look at
// its input as a whole.
func isConstant(q *gojq.Query, identity bool) bool {
	if len(q.FuncDefs) > 0 {
		return false
	}
	if t := q.Term; t != nil {
		switch t.Type {
		case gojq.TermTypeIdentity:
			return len(t.SuffixList) == 0 && identity
		case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
			return len(t.SuffixList) == 0
		case gojq.TermTypeString:
			return len(t.SuffixList) == 0 && t.Str.Queries == nil
		case gojq.TermTypeUnary:
			return len(t.SuffixList) == 0 && isConstant(&gojq.Query{Term: t.Unary.Term}, identity)
		case gojq.TermTypeArray:
			return len(t.SuffixList) == 0 && t.Array.Query == nil
		case gojq.TermTypeQuery:
			return len(t.SuffixList) == 0 && isConstant(t.Query, identity)
		}
		return false
	}
	switch q.Op {
	case gojq.OpAdd, gojq.OpSub, gojq.OpMul, gojq.OpDiv, gojq.OpMod, gojq.OpAlt, gojq.OpAnd, gojq.OpOr,
		gojq.OpEq, gojq.OpNe, gojq.OpLt, gojq.OpLe, gojq.OpGt, gojq.OpGe:
		return isConstant(q.Left, identity) && isConstant(q.Right, identity)
	}
	return false
}

// same returns the value that a query gives for every record, if it is certain.
func same(q *gojq.Query) (any, bool) {
	if v, ok := constantOf(q); ok || len(q.FuncDefs) > 0 {
		return v, ok
	}
	switch t := q.Term; {
	case t != nil && len(t.SuffixList) > 0:
	case t != nil && t.Type == gojq.TermTypeQuery:
		return same(t.Query)
	case t != nil && t.Type == gojq.TermTypeIf && len(t.If.Elif) == 0 && t.If.Else != nil && total(t.If.Cond):
		then, ok := same(t.If.Then)
		otherwise, okOtherwise := same(t.If.Else)
		return then, ok && okOtherwise && typeOf(then)&(tList|tObject) == 0 && compare(then, otherwise) == 0
	case q.Op == gojq.OpPipe && total(q.Left):
		return same(q.Right)
	case q.Op == gojq.OpAlt:
		if v, ok := same(q.Left); ok && truthy(v) {
			return v, true
		}
	}
	return nil, false
}

// total reports whether a query gives one value for every record: a field, or
// what is made of it by what cannot fail.
func total(q *gojq.Query) bool {
	if len(q.FuncDefs) > 0 || len(q.Patterns) > 1 || len(q.Patterns) == 1 && q.Patterns[0].Name == "" {
		return false
	}
	if isConstant(q, false) {
		_, ok := constantOf(q)
		return ok
	}
	switch t := q.Term; {
	case t != nil && len(t.SuffixList) > 0:
		return false
	case t != nil && t.Type == gojq.TermTypeQuery:
		return total(t.Query)
	case t != nil:
		return t.Type == gojq.TermTypeIdentity || t.Type == gojq.TermTypeIndex && t.Index.Name != ""
	}
	switch q.Op {
	case gojq.OpAlt, gojq.OpAnd, gojq.OpOr, gojq.OpEq, gojq.OpNe, gojq.OpLt, gojq.OpLe, gojq.OpGt, gojq.OpGe:
		return total(q.Left) && total(q.Right)
	}
	return false
}
