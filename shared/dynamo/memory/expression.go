package memory

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// scope is what an expression is evaluated with: an item, and the names and
// values of the request.
type scope struct {
	item   item
	names  map[string]string
	values item
}

// path is a document path as it is written: #a, or #a.#b. Only pk and sk may be
// written without #.
type path []string

// operand is a path, a :value, or a function of one. It is nil if the item has no
// such value.
type operand interface {
	in(*scope) types.AttributeValue
}

type value string

func (v value) in(s *scope) types.AttributeValue { return s.values[string(v)] }

func (p path) in(s *scope) types.AttributeValue {
	it := s.item
	for i, name := range p {
		v := it[s.nameOf(name)]
		if i == len(p)-1 {
			return v
		}
		m, ok := v.(*types.AttributeValueMemberM)
		if !ok {
			return nil
		}
		it = m.Value
	}
	return nil
}

// nameOf is the attribute for a name in an expression.
func (s *scope) nameOf(name string) string {
	if strings.HasPrefix(name, "#") {
		return s.names[name]
	}
	return name
}

type sizeOf struct{ operand }

func (o sizeOf) in(s *scope) types.AttributeValue { return length(o.operand.in(s)) }

// ifNotExists is the value of the path, or else of the other operand, which must
// have a value in any case.
type ifNotExists struct {
	path  path
	other operand
}

func (o ifNotExists) in(s *scope) types.AttributeValue {
	other := o.other.in(s)
	if v := o.path.in(s); v != nil && other != nil {
		return v
	}
	return other
}

// expression is a condition or an update that was read.
type expression struct {
	condition condition
	update    *update
	length    int      // of the text, in bytes
	used      []string // names and values
	err       error
}

// parser reads an expression, up to the first mistake.
type parser struct {
	tokens    []string
	used      []string
	operators int // and functions, as DynamoDB counts them
	err       error
}

var token = regexp.MustCompile(`^\s*(#\w+|:\w+|\w+|<>|<=|>=|[=<>(),.+-])`)

// The limits of an expression.
const (
	longestExpression = 4096
	mostOperators     = 300
	longestPath       = 32
	longestAlias      = 255     // of a #name or :value
	largestScope      = 2 << 20 // of all names and values, in bytes
	largestExpression = 1 << 20 // of its text, and a name or value wherever it is used
)

func newParser(text string) *parser {
	p := &parser{}
	if strings.TrimSpace(text) == "" {
		p.fail("The expression can not be empty")
	}
	if len(text) > longestExpression {
		p.fail("Expression size has exceeded the maximum allowed size")
	}
	for text = strings.TrimSpace(text); text != ""; {
		m := token.FindStringSubmatch(text)
		if m == nil {
			p.fail("Syntax error; near: %q", text)
			break
		}
		p.tokens, text = append(p.tokens, m[1]), text[len(m[0]):]
	}
	return p
}

// parsed keeps all expressions that were read; stores have a few dozen.
var parsed sync.Map

// parse reads the text with read, once.
func parse(kind, text string, read func(*parser, *expression)) *expression {
	if known, ok := parsed.Load(kind + text); ok {
		return known.(*expression)
	}
	p, e := newParser(text), &expression{}
	if p.err == nil {
		read(p, e)
		if len(p.tokens) > 0 {
			p.fail("Syntax error; token: %q", p.tokens[0])
		}
		if p.operators > mostOperators {
			p.fail("The expression contains more than %d operators and functions", mostOperators)
		}
	}
	e.length, e.used, e.err = len(text), p.used, p.err
	parsed.Store(kind+text, e)
	return e
}

func (p *parser) fail(format string, a ...any) {
	if p.err == nil {
		p.err = invalid("Invalid expression: "+format, a...)
	}
	p.tokens = nil
}

func (p *parser) peek(i int) string {
	if i < len(p.tokens) {
		return p.tokens[i]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek(0)
	if t == "" {
		p.fail("Syntax error; it ends too soon")
		return ""
	}
	p.tokens = p.tokens[1:]
	return t
}

// accept reads one of some tokens, keywords in upper or lower case, and returns
// it, or "".
func (p *parser) accept(wanted ...string) string {
	for _, w := range wanted {
		if strings.EqualFold(p.peek(0), w) {
			p.tokens = p.tokens[1:]
			return w
		}
	}
	return ""
}

func (p *parser) want(t string) {
	if p.accept(t) == "" {
		p.fail("Syntax error; %q is missing before %q", t, p.peek(0))
	}
}

// function reads the beginning of a function.
func (p *parser) function() {
	p.operators++
	p.next()
	p.want("(")
}

func (p *parser) path() (list path) {
	for {
		name := p.next()
		switch {
		case strings.HasPrefix(name, "#"):
			p.used = append(p.used, name)
		case name != "pk" && name != "sk":
			p.fail("this DynamoDB takes attributes as #name only, not %q", name)
			return nil
		}
		if list = append(list, name); len(list) > longestPath {
			p.fail("The document path has more than %d elements", longestPath)
			return nil
		}
		if p.accept(".") == "" {
			return list
		}
	}
}

func (p *parser) value() value {
	name := p.next()
	if !strings.HasPrefix(name, ":") {
		p.fail("Syntax error; %q is no value", name)
	}
	p.used = append(p.used, name)
	return value(name)
}

func (p *parser) operand() operand {
	if strings.HasPrefix(p.peek(0), ":") {
		return p.value()
	}
	return p.path()
}

// bind makes a scope of the names and values of a request. Its expressions must
// use all of them, and no others.
func bind(names map[string]string, values item, expressions ...*expression) (*scope, error) {
	used := map[string]bool{}
	for _, e := range expressions {
		if e.err != nil {
			return nil, e.err
		}
		for _, name := range e.used {
			used[name] = true
		}
	}
	if names != nil && len(names) == 0 || values != nil && len(values) == 0 {
		return nil, invalid("ExpressionAttributeNames or ExpressionAttributeValues must not be empty")
	}
	given := slices.Concat(slices.Collect(maps.Keys(names)), slices.Collect(maps.Keys(values)))
	for _, name := range given {
		if len(name) > longestAlias {
			return nil, invalid("ExpressionAttributeNames or ExpressionAttributeValues contains an invalid key")
		}
		if !used[name] {
			return nil, invalid("Value provided unused in expressions: %s", name)
		}
	}
	if len(given) < len(used) {
		return nil, invalid("An expression attribute name or value used in an expression is not defined")
	}
	bytes := Size(values)
	for alias, name := range names {
		if name == "" || len(name) > longestName {
			return nil, invalid("ExpressionAttributeNames contains an invalid value")
		}
		bytes += len(alias) + len(name)
	}
	if bytes > largestScope {
		return nil, invalid("Combined size of ExpressionAttributeNames and ExpressionAttributeValues exceeds max size")
	}
	copied, err := validItem(values)
	if err != nil {
		return nil, err
	}
	if depth(values) > deepestItem {
		return nil, invalid("ExpressionAttributeValues contains an invalid value: nesting levels have exceeded the limit")
	}
	s := &scope{names: maps.Clone(names), values: copied}
	for _, e := range expressions {
		bytes := e.length
		for _, name := range e.used {
			if v, ok := copied[name]; ok {
				bytes += valueSize(v)
			} else {
				bytes += len(names[name])
			}
		}
		if bytes > largestExpression {
			return nil, invalid("Invalid expression: Expression size has exceeded the maximum allowed size")
		}
		if e.condition != nil {
			if err := e.condition.check(s); err != nil {
				return nil, err
			}
		}
		if e.update != nil {
			if err := e.update.check(s); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}
