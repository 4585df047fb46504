package odoosim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What Odoo's Python does with values: how it prints them, how it writes them
// as JSON, and what it makes of wrong arguments. A client that compares bytes
// or reads error texts sees here what it would see there.

// member is one key and its value; object is a dict, which keeps its order.
type (
	member struct {
		key   string
		value any
	}
	object []member
)

// appendJSON writes v as json.dumps does by default: ASCII only, ", " and ": ".
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(b, floatText(v)...)
	case json.Number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []int64:
		b = append(b, '[')
		for i, n := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = strconv.AppendInt(b, n, 10)
		}
		return append(b, ']')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(appendString(b, m.key), ": "...)
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		o := make(object, 0, len(v))
		for _, k := range keys {
			o = append(o, member{k, v[k]})
		}
		return appendJSON(b, o)
	}
	panic(fmt.Sprintf("odoosim: no JSON for %T", v))
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r > 0xFFFF:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") && !math.IsInf(f, 0) && !math.IsNaN(f) {
		s += ".0"
	}
	return s
}

// tuple is printed with round brackets.
type tuple []any

// repr is Python's repr.
func repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return reprString(v)
	case json.Number:
		return v.String()
	case float64:
		return floatText(v)
	case []any:
		return "[" + reprs(v) + "]"
	case tuple:
		if len(v) == 1 {
			return "(" + repr(v[0]) + ",)"
		}
		return "(" + reprs(v) + ")"
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		parts := make([]string, 0, len(v))
		for _, k := range keys {
			parts = append(parts, reprString(k)+": "+repr(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func reprs(list []any) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = repr(e)
	}
	return strings.Join(parts, ", ")
}

func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b := []byte{quote}
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f:
			b = fmt.Appendf(b, `\x%02x`, r)
		case !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, quote))
}

// recordset prints a model's records as Odoo names them in its errors.
func recordset(model string, ids ...int64) string {
	t := make(tuple, len(ids))
	for i, id := range ids {
		t[i] = id
	}
	return model + repr(t)
}

// text is Python's str of what JSON gave, as Odoo's to_text uses it.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return repr(v)
}

// truthy is Python's bool().
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
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

// typeName is the name of a value's Python type.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case string:
		return "str"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	case []any:
		return "list"
	}
	return "dict"
}

// signature is the parameter list of a method after self.
type signature struct {
	required []string
	optional []string
}

// bind maps positional and keyword arguments to names, with Python's own
// complaints when they do not fit.
func (s signature) bind(method string, args []any, kwargs map[string]any) (map[string]any, *oops) {
	names := slices.Concat(s.required, s.optional)
	if len(args) > len(names) {
		takes := fmt.Sprintf("%d positional argument%s", len(names)+1, plural(len(names)+1))
		if len(s.optional) > 0 {
			takes = fmt.Sprintf("from %d to %d positional arguments", len(s.required)+1, len(names)+1)
		}
		return nil, raise("builtins.TypeError", "%s() takes %s but %d were given", method, takes, len(args)+1)
	}
	bound := make(map[string]any, len(names))
	for i, a := range args {
		bound[names[i]] = a
	}
	for k, v := range kwargs {
		if !slices.Contains(names, k) {
			return nil, raise("builtins.TypeError", "%s() got an unexpected keyword argument '%s'", method, k)
		}
		if _, twice := bound[k]; twice {
			return nil, raise("builtins.TypeError", "%s() got multiple values for argument '%s'", method, k)
		}
		bound[k] = v
	}
	if err := missing(method, s.required, bound); err != nil {
		return nil, err
	}
	return bound, nil
}

// missing names the required parameters that were not given.
func missing(method string, required []string, given map[string]any) *oops {
	var absent []string
	for _, name := range required {
		if _, ok := given[name]; !ok {
			absent = append(absent, "'"+name+"'")
		}
	}
	var list string
	switch n := len(absent); n {
	case 0:
		return nil
	case 1:
		list = absent[0]
	case 2:
		list = absent[0] + " and " + absent[1]
	default:
		list = strings.Join(absent[:n-1], ", ") + ", and " + absent[n-1]
	}
	return raise("builtins.TypeError", "%s() missing %d required positional argument%s: %s",
		method, len(absent), plural(len(absent)), list)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
