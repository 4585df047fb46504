package odoo

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Odoo's screens show domains as Python: tuples, single quotes, True, False and
// None. People paste them. readPython reads such a text, in which nothing is to be
// computed. The caller bounds its length.
func readPython(text string) (any, *pythonError) {
	p := &python{text: text}
	value, err := p.value()
	if err == nil {
		if p.space(); p.at < len(text) {
			err = p.wrong("there is more after the list")
		}
	}
	return value, err
}

// pythonError says where the text cannot be read. It holds no part of the text,
// except a name that Odoo itself has.
type pythonError struct {
	at    int // byte, from 1
	text  string
	named bool // it is such a name
}

func (e *pythonError) Error() string { return fmt.Sprintf("at byte %d: %s", e.at, e.text) }

type python struct {
	text  string
	at    int
	depth int // lists that are open
}

func (p *python) wrong(text string) *pythonError { return &pythonError{at: p.at + 1, text: text} }

func (p *python) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next is the next character that is no space, 0 at the end.
func (p *python) next() byte {
	if p.space(); p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

var (
	pythonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	pythonName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
	constants    = map[string]any{"True": true, "False": false, "None": nil, "true": true, "false": false, "null": nil}
)

// evaluated are names whose values only Odoo's screens know.
var evaluated = map[string]bool{
	"uid": true, "user": true, "user_id": true, "context": true, "context_today": true, "time": true, "datetime": true, "relativedelta": true,
	"current_date": true, "today": true, "now": true, "active_id": true, "active_ids": true, "active_model": true, "id": true, "parent": true,
	"self": true, "ref": true, "company_id": true, "company_ids": true, "allowed_company_ids": true, "to_utc": true,
}

func (p *python) value() (any, *pythonError) {
	c := p.next()
	rest := p.text[p.at:]
	switch {
	case c == '[':
		list, _, err := p.list(']')
		return list, err
	case c == '(':
		list, tuple, err := p.list(')')
		if err == nil && len(list) == 1 && !tuple {
			return list[0], nil // brackets around a value
		}
		return list, err
	case c == '\'' || c == '"':
		return p.quoted()
	case (c == 'u' || c == 'U') && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"'): // Python 2
		p.at++
		return p.quoted()
	}
	if digits := pythonNumber.FindString(rest); digits != "" {
		p.at += len(digits)
		return json.Number(digits), nil
	}
	name := pythonName.FindString(rest)
	constant, known := constants[name]
	switch {
	case known:
		p.at += len(name)
		return constant, nil
	case evaluated[name]:
		err := p.wrong(strconv.Quote(name) + " has a value in Odoo's own screens only; write the value itself")
		err.named = true
		return nil, err
	case name != "":
		return nil, p.wrong("a word without quotes; write texts in quotes")
	case c == 0:
		return nil, p.wrong("the text breaks off")
	}
	return nil, p.wrong("not a list, a text in quotes, a number, True, False or None")
}

// list reads values up to the end of a list or tuple. tuple reports a comma.
func (p *python) list(end byte) (list []any, tuple bool, err *pythonError) {
	list = []any{}
	if p.depth++; p.depth > maxLists {
		return nil, false, p.wrong(fmt.Sprintf("more than %d lists are within each other", maxLists))
	}
	defer func() { p.depth-- }()
	p.at++
	for {
		if p.next() == end {
			p.at++
			return list, tuple || len(list) == 0, nil
		}
		value, err := p.value()
		if err != nil {
			return nil, false, err
		}
		list = append(list, value)
		switch p.next() {
		case ',':
			tuple = true
			p.at++
		case end:
		case 0:
			return nil, false, p.wrong("the text breaks off")
		default:
			return nil, false, p.wrong("a comma or " + strconv.Quote(string(end)) + " must follow; nothing is computed here")
		}
	}
}

var escapes = map[byte]string{'\\': `\`, '\'': `'`, '"': `"`, 'n': "\n", 't': "\t", 'r': "\r", '\n': ""}

func (p *python) quoted() (string, *pythonError) {
	quote := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == quote:
			return b.String(), nil
		case c != '\\' || p.at == len(p.text):
			b.WriteByte(c)
			continue
		}
		escaped := p.text[p.at]
		p.at++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[escaped]
		plain, known := escapes[escaped]
		switch {
		case known:
			b.WriteString(plain)
		case digits > 0:
			if p.at+digits > len(p.text) {
				return "", p.wrong("the text breaks off")
			}
			code, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
			if err != nil || !utf8.ValidRune(rune(code)) { //nolint:gosec // at most 32 bits; what does not fit is not valid
				return "", p.wrong("no character has this number")
			}
			b.WriteRune(rune(code)) //nolint:gosec // it is valid
			p.at += digits
		default: // as in Python, the backslash stays
			b.WriteByte('\\')
			b.WriteByte(escaped)
		}
	}
	return "", p.wrong("the text breaks off")
}
