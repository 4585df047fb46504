package mtssim

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// syntaxError is what Python's JSON parser says about a text.
type syntaxError struct {
	message           string
	line, column, pos int // column from 1, pos from 0, in characters
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.message, e.line, e.column, e.pos)
}

// errUnparsable is any other failure of Python's parser: not UTF-8, or nested
// too deeply.
var errUnparsable = errors.New("There was an error parsing the body") //nolint:staticcheck // goes on the wire

// nestingLimit stands for Python's recursion limit.
const nestingLimit = 900

// parseJSON reads a JSON text as Python does, with its error messages. Values
// are nil, bool, string, int, *big.Int, float64, []any and map[string]any.
// Stricter than Python: NaN and Infinity are no values.
func parseJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errUnparsable
	}
	p := parser{text: text}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at != len(text) {
		return nil, p.fail("Extra data", p.at)
	}
	return v, nil
}

type parser struct {
	text []byte
	at   int
}

func (p *parser) fail(message string, at int) error {
	at = min(at, len(p.text))
	before := p.text[:at]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return &syntaxError{
		message: message,
		line:    bytes.Count(before, []byte("\n")) + 1,
		column:  utf8.RuneCount(before[lineStart:]) + 1,
		pos:     utf8.RuneCount(before),
	}
}

// peek returns the byte at the position, 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (any, error) {
	if depth > nestingLimit {
		return nil, errUnparsable
	}
	switch c := p.peek(); {
	case c == '"':
		return p.string()
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case p.word("null"):
		return nil, nil
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case c == '-' || digit(c):
		return p.number()
	}
	return nil, p.fail("Expecting value", p.at)
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.text[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (any, error) {
	p.at++
	object := map[string]any{}
	p.space()
	if p.peek() == '}' {
		p.at++
		return object, nil
	}
	for {
		if p.peek() != '"' {
			return nil, p.fail("Expecting property name enclosed in double quotes", p.at)
		}
		key, err := p.string()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.peek() != ':' {
			return nil, p.fail("Expecting ':' delimiter", p.at)
		}
		p.at++
		p.space()
		if object[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.space()
		switch p.peek() {
		case '}':
			p.at++
			return object, nil
		case ',':
			p.at++
			p.space()
		default:
			return nil, p.fail("Expecting ',' delimiter", p.at)
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	p.at++
	array := []any{}
	p.space()
	if p.peek() == ']' {
		p.at++
		return array, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		p.space()
		switch p.peek() {
		case ']':
			p.at++
			return array, nil
		case ',':
			p.at++
			p.space()
		default:
			return nil, p.fail("Expecting ',' delimiter", p.at)
		}
	}
}

func (p *parser) string() (string, error) {
	begin := p.at
	p.at++
	var text []byte // only once an escape was met
	from := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			s := append(text, p.text[from:p.at]...)
			p.at++
			return string(s), nil
		case c < 0x20:
			return "", p.fail("Invalid control character at", p.at)
		case c == '\\':
			text = append(text, p.text[from:p.at]...)
			r, err := p.escape(begin)
			if err != nil {
				return "", err
			}
			text = utf8.AppendRune(text, r)
			from = p.at
		default:
			p.at++
		}
	}
	return "", p.fail("Unterminated string starting at", begin)
}

var escapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads from a backslash on. A lone surrogate becomes U+FFFD.
func (p *parser) escape(begin int) (rune, error) {
	slash := p.at
	p.at++
	if p.at >= len(p.text) {
		return 0, p.fail("Unterminated string starting at", begin)
	}
	c := p.text[p.at]
	p.at++
	if c != 'u' {
		r, ok := escapes[c]
		if !ok {
			return 0, p.fail(`Invalid \escape`, slash)
		}
		return r, nil
	}
	r, ok := p.hex()
	if !ok {
		return 0, p.fail(`Invalid \uXXXX escape`, slash+1)
	}
	if r >= 0xd800 && r < 0xdc00 && bytes.HasPrefix(p.text[p.at:], []byte(`\u`)) {
		after := p.at
		p.at += 2
		if low, ok := p.hex(); ok && low >= 0xdc00 && low < 0xe000 {
			return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), nil
		}
		p.at = after
	}
	return r, nil
}

func (p *parser) hex() (rune, bool) {
	// The closing quote must follow somewhere: Python looks before it reads.
	if p.at+4 >= len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.text[p.at:p.at+4]), 16, 32)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(n), true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) number() (any, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	switch {
	case p.peek() == '0':
		p.at++
	case digit(p.peek()):
		p.digits()
	default:
		p.at = start
		return nil, p.fail("Expecting value", start)
	}
	whole := true
	if p.peek() == '.' && p.at+1 < len(p.text) && digit(p.text[p.at+1]) {
		whole = false
		p.at++
		p.digits()
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		mark := p.at
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if digit(p.peek()) {
			whole = false
			p.digits()
		} else {
			p.at = mark
		}
	}
	text := string(p.text[start:p.at])
	if whole {
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
		n, _ := new(big.Int).SetString(text, 10)
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, p.fail("Expecting value", start) // Python would say inf
	}
	return f, nil
}

func (p *parser) digits() {
	for digit(p.peek()) {
		p.at++
	}
}
