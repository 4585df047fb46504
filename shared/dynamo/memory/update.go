package memory

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// update is an update expression. It has each clause at most once:
//
//	SET path = operand, path = operand + operand, path = operand - operand
//	REMOVE path
//	ADD path :number, path :set
//	DELETE path :set
//
// where an operand of SET is a path, a :value or if_not_exists(path, operand).
type update struct {
	sets    []setting
	removes []path
	adds    []amount
	deletes []amount
}

// setting is one assignment of a SET: the path becomes a, or a plus sign times b.
type setting struct {
	path path
	a, b operand
	sign int64
}

// amount is one operand of an ADD or a DELETE.
type amount struct {
	path  path
	value value
}

var (
	errOperandType = invalid("An operand in the update expression has an incorrect data type")
	errMissing     = invalid("The provided expression refers to an attribute that does not exist in the item")
	errPath        = invalid("The document path provided in the update expression is invalid for update")
)

func parseUpdate(text string) *expression {
	return parse("update ", text, func(p *parser, e *expression) { e.update = p.update() })
}

func (p *parser) update() *update {
	u, seen := &update{}, map[string]bool{}
	for p.err == nil && len(p.tokens) > 0 {
		clause := p.accept("SET", "REMOVE", "ADD", "DELETE")
		if clause == "" || seen[clause] {
			p.fail("Syntax error; token: %q", p.peek(0))
			break
		}
		seen[clause] = true
		for {
			to := p.path()
			switch clause {
			case "SET":
				u.sets = append(u.sets, p.setting(to))
			case "REMOVE":
				u.removes = append(u.removes, to)
			case "ADD":
				u.adds = append(u.adds, amount{to, p.value()})
			case "DELETE":
				u.deletes = append(u.deletes, amount{to, p.value()})
			}
			if p.accept(",") == "" {
				break
			}
		}
	}
	return u
}

func (p *parser) setting(to path) setting {
	p.want("=")
	set := setting{path: to, a: p.term()}
	switch p.accept("+", "-") {
	case "+":
		p.operators++
		set.sign, set.b = 1, p.term()
	case "-":
		p.operators++
		set.sign, set.b = -1, p.term()
	}
	return set
}

func (p *parser) term() operand {
	if p.peek(0) != "if_not_exists" {
		return p.operand()
	}
	p.function()
	o := ifNotExists{path: p.path()}
	p.want(",")
	o.other = p.term()
	p.want(")")
	return o
}

func (u *update) paths() (list []path) {
	for _, set := range u.sets {
		list = append(list, set.path)
	}
	list = append(list, u.removes...)
	for _, a := range slices.Concat(u.adds, u.deletes) {
		list = append(list, a.path)
	}
	return list
}

func (u *update) check(s *scope) error {
	var before [][]string
	for _, p := range u.paths() {
		to := s.resolve(p)
		for _, other := range before {
			if n := min(len(to), len(other)); slices.Equal(to[:n], other[:n]) {
				return invalid("Invalid UpdateExpression: Two document paths overlap with each other")
			}
		}
		before = append(before, to)
	}
	for _, a := range u.adds {
		switch a.value.in(s).(type) {
		case *types.AttributeValueMemberN, *types.AttributeValueMemberSS:
		default:
			return invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD")
		}
	}
	for _, a := range u.deletes {
		if _, ok := a.value.in(s).(*types.AttributeValueMemberSS); !ok {
			return invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE")
		}
	}
	for _, set := range u.sets {
		for _, o := range []operand{set.a, set.b} {
			if err := checkTerm(s, o, set.b != nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTerm checks the operand of a SET, or a term of a sum.
func checkTerm(s *scope, o operand, summed bool) error {
	switch o := o.(type) {
	case value:
		if _, ok := o.in(s).(*types.AttributeValueMemberN); summed && !ok {
			return invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +")
		}
	case path:
		if isKeyName(s.nameOf(o[0])) {
			return invalid("this DynamoDB knows no key in a SET")
		}
	case ifNotExists:
		return firstOf(checkTerm(s, o.path, false), checkTerm(s, o.other, false), checkDistinct(s, o.path, o.other))
	}
	return nil
}

func isKeyName(name string) bool { return name == "pk" || name == "sk" }

// apply returns the item after the update. Operands read the item before it.
func (u *update) apply(s *scope, k key) (item, error) {
	for _, p := range u.paths() {
		if to := s.nameOf(p[0]); isKeyName(to) {
			return nil, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", to)
		}
	}
	after := maps.Clone(s.item)
	if after == nil {
		after = k.item()
	}
	for _, set := range u.sets {
		v := set.a.in(s)
		if v == nil {
			return nil, errMissing
		}
		if set.b != nil {
			b := set.b.in(s)
			if b == nil {
				return nil, errMissing
			}
			var err error
			if v, err = sum(v, b, set.sign); err != nil {
				return nil, err
			}
		}
		if err := place(after, s.resolve(set.path), v); err != nil {
			return nil, err
		}
	}
	for _, p := range u.removes {
		if err := place(after, s.resolve(p), nil); err != nil {
			return nil, err
		}
	}
	for _, a := range u.adds {
		v, err := plus(a.path.in(s), a.value.in(s))
		if err == nil {
			err = place(after, s.resolve(a.path), v)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, a := range u.deletes {
		v, err := minus(a.path.in(s), a.value.in(s))
		if err == nil {
			err = place(after, s.resolve(a.path), v)
		}
		if err != nil {
			return nil, err
		}
	}
	return after, nil
}

// place writes a value at a path, or removes it if the value is nil. It copies the
// maps on the way, because they are shared.
func place(it item, to []string, v types.AttributeValue) error {
	if len(to) == 1 {
		if v == nil {
			delete(it, to[0])
		} else {
			it[to[0]] = v
		}
		return nil
	}
	m, ok := it[to[0]].(*types.AttributeValueMemberM)
	if !ok {
		return errPath
	}
	inner := maps.Clone(m.Value)
	it[to[0]] = &types.AttributeValueMemberM{Value: inner}
	return place(inner, to[1:], v)
}

// plus is a value after an ADD.
func plus(was, add types.AttributeValue) (types.AttributeValue, error) {
	if was == nil {
		return add, nil
	}
	more, ok := add.(*types.AttributeValueMemberSS)
	if !ok {
		return sum(was, add, 1)
	}
	set, ok := was.(*types.AttributeValueMemberSS)
	if !ok {
		return nil, errOperandType
	}
	all := slices.Concat(set.Value, more.Value)
	slices.Sort(all)
	return &types.AttributeValueMemberSS{Value: slices.Compact(all)}, nil
}

// minus is a set after a DELETE, nil if nothing is left.
func minus(was, less types.AttributeValue) (types.AttributeValue, error) {
	if was == nil {
		return nil, nil
	}
	set, ok := was.(*types.AttributeValueMemberSS)
	if !ok {
		return nil, errOperandType
	}
	gone := less.(*types.AttributeValueMemberSS).Value
	left := slices.DeleteFunc(slices.Clone(set.Value), func(member string) bool { return slices.Contains(gone, member) })
	if len(left) == 0 {
		return nil, nil
	}
	return &types.AttributeValueMemberSS{Value: left}, nil
}
