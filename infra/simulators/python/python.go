// Package python is what both simulators need of Python, the language of the
// services they stand for: how it turns values into text, how it writes them as
// JSON, and what it takes for true. These decide what a client receives: a number
// that becomes a text, the bytes of a callback, and the error messages that the
// registry's simulator shares with a real Odoo (infra/realodoo compares them).
// The rules are CPython's own; the tests hold what python3 printed.
//
// Values are those of a JSON text, as either simulator keeps them: nil, bool,
// string, int, float64, json.Number, []any and map[string]any. What is written
// may hold int64, []int64 and Dict, too.
package python

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type (
	// Dict keeps its order, as Python's does. The keys of a map come sorted,
	// which is one of the orders they might come in.
	Dict []Item

	// Item is a key and its value. The type has no name of its own so that a
	// Dict can be written without the names of its fields.
	Item = struct {
		Key   string
		Value any
	}
)

// Truthy is bool(v).
func Truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int:
		return v != 0
	case float64:
		return v != 0
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// TypeName is type(v).__name__.
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case string:
		return "str"
	case float64:
		return "float"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	}
	return "int"
}

// Str is str(v).
func Str(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return Repr(v)
}

// Repr is repr(v), but for unprintable characters, which stay as they are.
func Repr(v any) string { return string(reprText.append(nil, v)) }

// ReprTuple is the repr of a tuple.
func ReprTuple[T any](elements []T) string {
	b := appendJoined([]byte{'('}, elements, func(b []byte, v T) []byte { return reprText.append(b, v) })
	if len(elements) == 1 {
		b = append(b, ',')
	}
	return string(append(b, ')'))
}

// AppendJSON writes v as json.dumps does by default: ASCII only, ", " and ": ".
// Floats must be finite.
func AppendJSON(b []byte, v any) []byte { return jsonText.append(b, v) }

// notation is a way to write values: repr and JSON differ in three words and in
// what they escape.
type notation struct {
	none, no, yes string
	quote         byte
	escape        func(b []byte, r rune) []byte // what notation.text does not write itself
}

var (
	reprText = notation{"None", "False", "True", '\'', utf8.AppendRune}
	jsonText = notation{"null", "false", "true", '"', escapeJSON}
)

func (n notation) append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, n.none...)
	case bool:
		if v {
			return append(b, n.yes...)
		}
		return append(b, n.no...)
	case string:
		return n.text(b, v)
	case int:
		return appendInt(b, int64(v))
	case int64:
		return appendInt(b, v)
	case json.Number: // keeps its digits
		return append(b, v...)
	case float64:
		return append(b, float(v)...)
	case []any:
		return append(appendJoined(append(b, '['), v, n.append), ']')
	case []int64:
		return append(appendJoined(append(b, '['), v, appendInt), ']')
	case Dict:
		return append(appendJoined(append(b, '{'), v, n.item), '}')
	case map[string]any:
		d := make(Dict, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			d = append(d, Item{k, v[k]})
		}
		return n.append(b, d)
	}
	panic(fmt.Sprintf("python: %T is none of its values", v))
}

func (n notation) item(b []byte, i Item) []byte {
	return n.append(append(n.text(b, i.Key), ": "...), i.Value)
}

func appendJoined[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = one(b, v)
	}
	return b
}

func appendInt(b []byte, i int64) []byte { return strconv.AppendInt(b, i, 10) }

// float has the fewest digits that tell f apart, and always a point or an
// exponent.
func float(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, digits, _ := strings.Cut(s, "e")
	exponent, err := strconv.Atoi(digits)
	if err != nil || exponent < -4 || exponent >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(s, '.') {
		s += ".0"
	}
	return s
}

// text writes s between quotes, with the escapes that all notations share.
func (n notation) text(b []byte, s string) []byte {
	quote := n.quote
	if quote == '\'' && strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"' // saves escapes
	}
	b = append(b, quote)
	for _, r := range s {
		switch r {
		case rune(quote), '\\':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = n.escape(b, r)
		}
	}
	return append(b, quote)
}

// escapeJSON is json.dumps's way with a character: beyond ASCII come its UTF-16
// units.
func escapeJSON(b []byte, r rune) []byte {
	switch {
	case r == '\b':
		return append(b, `\b`...)
	case r == '\f':
		return append(b, `\f`...)
	case r >= ' ' && r <= '~':
		return append(b, byte(r))
	}
	const hex = "0123456789abcdef"
	for _, u := range utf16.AppendRune(nil, r) {
		b = append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	return b
}
