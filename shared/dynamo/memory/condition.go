package memory

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// A condition is
//
//	a AND b, a OR b, NOT a, (a)
//	operand = operand, and <> < <= > >=
//	operand BETWEEN operand AND operand
//	attribute_exists(path), attribute_not_exists(path), contains(path, operand)
//
// where an operand is a path, a :value or size(path).
type condition interface {
	holds(*scope) bool
	check(*scope) error // of the values, once they are known
}

type (
	either struct{ a, b condition }
	both   struct{ a, b condition }
	not    struct{ condition }
)

func (c either) holds(s *scope) bool { return c.a.holds(s) || c.b.holds(s) }
func (c both) holds(s *scope) bool   { return c.a.holds(s) && c.b.holds(s) }
func (c not) holds(s *scope) bool    { return !c.condition.holds(s) }

func (c either) check(s *scope) error { return firstOf(c.a.check(s), c.b.check(s)) }
func (c both) check(s *scope) error   { return firstOf(c.a.check(s), c.b.check(s)) }

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type comparison struct {
	a        operand
	operator string
	b        operand
}

func (c comparison) holds(s *scope) bool {
	a, b := c.a.in(s), c.b.in(s)
	switch c.operator {
	case "=":
		return a != nil && b != nil && equal(a, b)
	case "<>":
		return a == nil || b == nil || !equal(a, b)
	}
	if a == nil || b == nil {
		return false
	}
	sign, ok := order(a, b)
	return ok && slices.Contains(map[string][]int{"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {1, 0}}[c.operator], sign)
}

func (c comparison) check(s *scope) error {
	if c.operator == "=" || c.operator == "<>" {
		return checkDistinct(s, c.a, c.b)
	}
	return firstOf(checkOrdered(s, c.a, c.b), checkDistinct(s, c.a, c.b))
}

type between struct{ v, from, to operand }

func (c between) holds(s *scope) bool {
	return comparison{c.from, "<=", c.v}.holds(s) && comparison{c.v, "<=", c.to}.holds(s)
}

func (c between) check(s *scope) error {
	if err := firstOf(checkOrdered(s, c.v, c.from, c.to), checkDistinct(s, c.v, c.from), checkDistinct(s, c.v, c.to)); err != nil {
		return err
	}
	from, ok1 := c.from.(value)
	to, ok2 := c.to.(value)
	if !ok1 || !ok2 {
		return nil
	}
	if sign, ok := order(from.in(s), to.in(s)); !ok || sign > 0 {
		return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound, of one type")
	}
	return nil
}

type exists struct{ path path }

func (c exists) holds(s *scope) bool { return c.path.in(s) != nil }
func (c exists) check(*scope) error  { return nil }

type contains struct {
	path   path
	member operand
}

func (c contains) holds(s *scope) bool {
	v := c.path.in(s)
	switch member := c.member.in(s).(type) {
	case *types.AttributeValueMemberB:
		v, ok := v.(*types.AttributeValueMemberB)
		return ok && bytes.Contains(v.Value, member.Value)
	case *types.AttributeValueMemberS:
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			return strings.Contains(v.Value, member.Value)
		case *types.AttributeValueMemberSS:
			return slices.Contains(v.Value, member.Value)
		}
	}
	return false
}

func (c contains) check(s *scope) error { return checkDistinct(s, c.path, c.member) }

// checkOrdered refuses values that have no order.
func checkOrdered(s *scope, operands ...operand) error {
	for _, o := range operands {
		v, ok := o.(value)
		if !ok {
			continue
		}
		if _, ok := order(v.in(s), v.in(s)); !ok {
			return invalid("Incorrect operand type for operator or function")
		}
	}
	return nil
}

// checkDistinct refuses to compare a path with itself.
func checkDistinct(s *scope, a, b operand) error {
	p, ok1 := a.(path)
	q, ok2 := b.(path)
	if ok1 && ok2 && slices.Equal(s.resolve(p), s.resolve(q)) {
		return invalid("The first operand must be distinct from the remaining operands for this operator or function")
	}
	return nil
}

// resolve returns a path in the names of the item.
func (s *scope) resolve(p path) (names []string) {
	for _, name := range p {
		names = append(names, s.nameOf(name))
	}
	return names
}

func parseCondition(text string) *expression {
	return parse("condition ", text, func(p *parser, e *expression) { e.condition = p.either() })
}

func (p *parser) either() condition {
	c := p.both()
	for p.accept("OR") != "" {
		p.operators++
		c = either{c, p.both()}
	}
	return c
}

func (p *parser) both() condition {
	c := p.not()
	for p.accept("AND") != "" {
		p.operators++
		c = both{c, p.not()}
	}
	return c
}

func (p *parser) not() condition {
	if p.accept("NOT") != "" {
		p.operators++
		return not{p.not()}
	}
	return p.simple()
}

func (p *parser) simple() condition {
	switch t := p.peek(0); t {
	case "(":
		return p.parentheses()
	case "attribute_exists", "attribute_not_exists":
		p.function()
		c := condition(exists{p.path()})
		p.want(")")
		if t == "attribute_not_exists" {
			c = not{c}
		}
		return c
	case "contains":
		p.function()
		c := contains{path: p.path()}
		p.want(",")
		c.member = p.operand()
		p.want(")")
		return c
	}
	a := p.sized()
	p.operators++
	if p.accept("BETWEEN") != "" {
		c := between{v: a, from: p.sized()}
		p.want("AND")
		c.to = p.sized()
		return c
	}
	operator := p.accept("=", "<>", "<=", "<", ">=", ">")
	if operator == "" {
		p.fail("Syntax error; token: %q", p.peek(0))
	}
	return comparison{a, operator, p.sized()}
}

func (p *parser) parentheses() condition {
	p.want("(")
	if inner := p.group(); inner > 0 && p.peek(inner) == ")" {
		p.fail("The expression has redundant parentheses")
	}
	c := p.either()
	p.want(")")
	return c
}

// group counts the tokens of the parentheses that begin here, themselves
// included; 0 if none begin.
func (p *parser) group() int {
	open := 0
	for i, t := range p.tokens {
		switch t {
		case "(":
			open++
		case ")":
			open--
		}
		if open == 0 && t == ")" {
			return i + 1
		}
		if open == 0 {
			return 0
		}
	}
	return 0
}

// sized is an operand, or the size of a path.
func (p *parser) sized() operand {
	if p.peek(0) != "size" {
		return p.operand()
	}
	p.function()
	o := sizeOf{p.path()}
	p.want(")")
	return o
}
