package jq

import (
	_ "embed" // of builtin.jq
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"
	"github.com/itchyny/timefmt-go"
)

type signature struct {
	name  string
	arity int
}

// function is one that a program may call. It has one of three forms.
type function struct {
	native  func(e *evaluation, in any, args []any) (any, error)
	special func(e *evaluation, args []*gojq.Query, s *scope, in item, out yield) error
	def     *gojq.FuncDef
}

// functions are all that exist: nothing else of jq can be called, and each spends
// what it costs. Names with an underscore are for builtin.jq.
var functions map[signature]function

//go:embed builtin.jq
var definitions string

func init() {
	functions = map[signature]function{
		{"empty", 0}:   {special: func(*evaluation, []*gojq.Query, *scope, item, yield) error { return nil }},
		{"error", 0}:   {special: func(_ *evaluation, _ []*gojq.Query, _ *scope, in item, _ yield) error { return &failure{in.value} }},
		{"path", 1}:    {special: (*evaluation).paths},
		{"getpath", 1}: {special: (*evaluation).getPath},
		{"range", 3}:   {special: (*evaluation).numbers},
		{"sub", 3}:     {special: (*evaluation).substitute},
		{"_match", 2}:  {native: (*evaluation).matches},
		{"test", 2}:    {native: (*evaluation).test},
		{"_split", 2}:  {native: (*evaluation).splitBy},
		{"setpath", 2}: {native: func(e *evaluation, in any, args []any) (any, error) {
			keys, ok := args[0].([]any)
			if !ok {
				return nil, fail("a path is a list")
			}
			return e.set(in, keys, args[1])
		}},
		{"delpaths", 1}: {native: func(e *evaluation, in any, args []any) (any, error) {
			paths, ok := args[0].([]any)
			if !ok {
				return nil, fail("paths are a list")
			}
			return e.deletePaths(in, paths)
		}},
	}
	// Those of the first group cost the same whatever they get, those of the second look
	// at all of their input and arguments.
	for name, f := range constant {
		functions[name] = function{native: f}
	}
	for name, f := range whole {
		functions[name] = function{native: func(e *evaluation, in any, args []any) (any, error) {
			if err := e.weigh(in); err != nil {
				return nil, err
			}
			for _, arg := range args {
				if err := e.weigh(arg); err != nil {
					return nil, err
				}
			}
			return f(e, in, args)
		}}
	}
	for name, f := range arithmetic {
		functions[signature{name, 0}] = function{native: func(_ *evaluation, in any, _ []any) (any, error) {
			x, ok := float(in)
			if !ok {
				return nil, fail("%s is not a number", kind(in))
			}
			return whatNumber(f(x)), nil
		}}
	}
	parsed, err := gojq.Parse(definitions + " .")
	if err != nil {
		panic(err)
	}
	for _, def := range parsed.FuncDefs {
		functions[signature{def.Name, len(def.Args)}] = function{def: def}
	}
}

type native = func(e *evaluation, in any, args []any) (any, error)

var arithmetic = map[string]func(float64) float64{
	"floor": math.Floor, "ceil": math.Ceil, "round": math.Round, "trunc": math.Trunc, "fabs": math.Abs, "sqrt": math.Sqrt,
	"log": math.Log, "log2": math.Log2, "log10": math.Log10, "exp": math.Exp, "exp2": math.Exp2,
}

var constant = map[signature]native{
	{"type", 0}:     func(_ *evaluation, in any, _ []any) (any, error) { return kind(in), nil },
	{"infinite", 0}: func(*evaluation, any, []any) (any, error) { return math.Inf(1), nil },
	{"nan", 0}:      func(*evaluation, any, []any) (any, error) { return math.NaN(), nil },
	{"isinfinite", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		x, ok := float(in)
		return ok && math.IsInf(x, 0), nil
	},
	{"isnan", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		x, ok := float(in)
		return ok && math.IsNaN(x), nil
	},
	{"isnormal", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		x, ok := float(in)
		return ok && !math.IsInf(x, 0) && math.Abs(x) >= 0x1p-1022, nil
	},
	{"abs", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		x, ok := float(in)
		if !ok {
			return nil, fail("%s is not a number", kind(in))
		}
		if x < 0 {
			return negate(in), nil
		}
		return in, nil
	},
	{"pow", 2}: func(_ *evaluation, _ any, args []any) (any, error) {
		x, okX := float(args[0])
		y, okY := float(args[1])
		if !okX || !okY {
			return nil, fail("pow takes numbers")
		}
		return whatNumber(math.Pow(x, y)), nil
	},
	{"length", 0}:        length,
	{"keys", 0}:          keys,
	{"keys_unsorted", 0}: keys,
	{"has", 1}: func(_ *evaluation, in any, args []any) (any, error) {
		switch in := in.(type) {
		case nil:
			return false, nil
		case []any:
			if i, ok := float(args[0]); ok {
				i = math.Trunc(i)
				return i >= 0 && i < float64(len(in)), nil
			}
		case map[string]any:
			if key, ok := args[0].(string); ok {
				_, found := in[key]
				return found, nil
			}
		}
		return nil, fail("%s has no keys of the type %s", kind(in), kind(args[0]))
	},
}

func length(e *evaluation, in any, _ []any) (any, error) {
	switch in := in.(type) {
	case nil:
		return 0, nil
	case string:
		return utf8.RuneCountInString(in), e.spend(unitsOf(in))
	case []any:
		return len(in), nil
	case map[string]any:
		return len(in), nil
	case bool:
		return nil, fail("boolean has no length")
	}
	if x, _ := float(in); x < 0 {
		return negate(in), nil
	}
	return in, nil
}

func keys(e *evaluation, in any, _ []any) (any, error) {
	switch in := in.(type) {
	case []any:
		list := make([]any, len(in))
		for i := range in {
			list[i] = i
		}
		return list, e.spend(len(in))
	case map[string]any:
		list := make([]any, 0, len(in))
		for key := range in {
			list = append(list, key)
		}
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		return list, e.spend(4 * len(in))
	}
	return nil, fail("%s has no keys", kind(in))
}

// of makes a function of a text.
func of(f func(*evaluation, string) (any, error)) native {
	return func(e *evaluation, in any, _ []any) (any, error) {
		text, ok := in.(string)
		if !ok {
			return nil, fail("%s is not a text", kind(in))
		}
		return f(e, text)
	}
}

// ofTwo makes a function of a text and an argument that is a text.
func ofTwo(f func(text, arg string) any) native {
	return func(_ *evaluation, in any, args []any) (any, error) {
		text, ok := in.(string)
		arg, okArg := args[0].(string)
		if !ok || !okArg {
			return nil, fail("%s and %s are not two texts", kind(in), kind(args[0]))
		}
		return f(text, arg), nil
	}
}

// trimmed leaves what is no text as it is, as in jq 1.5.
func trimmed(f func(text, arg string) string) native {
	return func(_ *evaluation, in any, args []any) (any, error) {
		text, ok := in.(string)
		arg, okArg := args[0].(string)
		if !ok || !okArg {
			return in, nil
		}
		return f(text, arg), nil
	}
}

// ofList makes a function of a list and its keys: the argument, or the elements
// themselves. It is ordered by the keys.
func ofList(f func(sorted []keyed, e *evaluation) (any, error)) native {
	return func(e *evaluation, in any, args []any) (any, error) {
		values, ok := in.([]any)
		by := values
		if ok && len(args) > 0 {
			by, ok = args[0].([]any)
		}
		if !ok || len(by) != len(values) {
			return nil, fail("%s cannot be ordered", kind(in))
		}
		sorted := make([]keyed, len(values))
		for i := range values {
			sorted[i] = keyed{by[i], values[i]}
		}
		weight, err := e.weighed(by)
		if err == nil {
			err = e.spend(weight * bits.Len(uint(len(by))))
		}
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(sorted, func(a, b keyed) int { return compare(a.key, b.key) })
		return f(sorted, e)
	}
}

type keyed struct{ key, value any }

func sorted(items []keyed, _ *evaluation) (any, error) {
	list := make([]any, len(items))
	for i, x := range items {
		list[i] = x.value
	}
	return list, nil
}

func grouped(items []keyed, _ *evaluation) (any, error) {
	groups := []any{}
	for i, x := range items {
		if i > 0 && compare(items[i-1].key, x.key) == 0 {
			last := len(groups) - 1
			groups[last] = append(groups[last].([]any), x.value)
		} else {
			groups = append(groups, []any{x.value})
		}
	}
	return groups, nil
}

func unique(items []keyed, _ *evaluation) (any, error) {
	list := []any{}
	for i, x := range items {
		if i == 0 || compare(items[i-1].key, x.key) != 0 {
			list = append(list, x.value)
		}
	}
	return list, nil
}

func least(items []keyed, _ *evaluation) (any, error) {
	if len(items) == 0 {
		return nil, nil
	}
	return items[0].value, nil
}

func greatest(items []keyed, _ *evaluation) (any, error) {
	if len(items) == 0 {
		return nil, nil
	}
	return items[len(items)-1].value, nil
}

func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

var whole = map[signature]native{
	{"tostring", 0}: func(_ *evaluation, in any, _ []any) (any, error) { return written(in), nil },
	{"tojson", 0}:   func(_ *evaluation, in any, _ []any) (any, error) { return asJSON(in), nil },
	{"tonumber", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		if isNumber(in) {
			return in, nil
		}
		if text, ok := in.(string); ok {
			if n, ok := readNumber(text); ok {
				return n, nil
			}
		}
		return nil, fail("%s is not a number", kind(in))
	},
	{"toboolean", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		switch in {
		case true, "true":
			return true, nil
		case false, "false":
			return false, nil
		}
		return nil, fail("%s is not a boolean", kind(in))
	},
	{"utf8bytelength", 0}: of(func(_ *evaluation, text string) (any, error) { return len(text), nil }),
	{"ascii_downcase", 0}: of(func(_ *evaluation, text string) (any, error) { return strings.Map(lower, text), nil }),
	{"ascii_upcase", 0}:   of(func(_ *evaluation, text string) (any, error) { return strings.Map(upper, text), nil }),
	{"trim", 0}:           of(func(_ *evaluation, text string) (any, error) { return strings.TrimSpace(text), nil }),
	{"ltrim", 0}: of(func(_ *evaluation, text string) (any, error) {
		return strings.TrimLeft(text, " \t\n\v\f\r\u0085\u00a0"), nil
	}),
	{"rtrim", 0}: of(func(_ *evaluation, text string) (any, error) {
		return strings.TrimRight(text, " \t\n\v\f\r\u0085\u00a0"), nil
	}),
	{"startswith", 1}: ofTwo(func(text, arg string) any { return strings.HasPrefix(text, arg) }),
	{"endswith", 1}:   ofTwo(func(text, arg string) any { return strings.HasSuffix(text, arg) }),
	{"ltrimstr", 1}:   trimmed(strings.TrimPrefix),
	{"rtrimstr", 1}:   trimmed(strings.TrimSuffix),
	{"trimstr", 1}: trimmed(func(text, arg string) string {
		return strings.TrimSuffix(strings.TrimPrefix(text, arg), arg)
	}),
	{"split", 1}: func(e *evaluation, in any, args []any) (any, error) {
		text, ok := in.(string)
		separator, okSeparator := args[0].(string)
		if !ok || !okSeparator {
			return nil, fail("%s and %s are not two texts", kind(in), kind(args[0]))
		}
		return e.split(text, separator)
	},
	{"explode", 0}: of(func(e *evaluation, text string) (any, error) {
		if err := e.spend(len(text)); err != nil {
			return nil, err
		}
		list := make([]any, 0, len(text))
		for _, r := range text {
			list = append(list, int(r))
		}
		return list, nil
	}),
	{"implode", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		list, ok := in.([]any)
		if !ok {
			return nil, fail("%s is not a list", kind(in))
		}
		var text strings.Builder
		for _, v := range list {
			r, ok := float(v)
			if !ok {
				return nil, fail("%s is not a character", kind(v))
			}
			if r = math.Trunc(r); !(r >= 0 && r <= utf8.MaxRune) {
				r = utf8.RuneError
			}
			text.WriteRune(rune(r))
		}
		return text.String(), nil
	},
	{"join", 1}: func(e *evaluation, in any, args []any) (any, error) {
		list, err := e.elementsOf(in)
		if err != nil {
			return nil, err
		}
		separator, ok := args[0].(string)
		if !ok && args[0] != nil && len(list) > 1 {
			return nil, fail("%s is not a text", kind(args[0]))
		}
		if err := e.spend(len(list) * len(separator) / 8); err != nil {
			return nil, err
		}
		pieces := make([]string, len(list))
		for i, v := range list {
			switch v.(type) {
			case nil:
			case []any, map[string]any:
				return nil, fail("%s cannot be joined", kind(v))
			default:
				pieces[i] = written(v)
			}
		}
		return strings.Join(pieces, separator), nil
	},
	{"add", 0}: func(e *evaluation, in any, _ []any) (any, error) {
		list, err := e.elementsOf(in)
		if err != nil {
			return nil, err
		}
		// Each step would copy the sum, so those that grow are added at once.
		if texts, ok := all[string](list); ok {
			return strings.Join(texts, ""), nil
		}
		if lists, ok := all[[]any](list); ok {
			return slices.Concat(lists...), nil
		}
		if objects, ok := all[map[string]any](list); ok {
			sum := map[string]any{}
			for _, object := range objects {
				maps.Copy(sum, object)
			}
			return sum, nil
		}
		var sum any
		for _, v := range list {
			if sum, err = e.binary(gojq.OpAdd, sum, v); err != nil {
				return nil, err
			}
		}
		return sum, nil
	},
	{"flatten", 0}: func(e *evaluation, in any, _ []any) (any, error) { return e.flattened(in, math.Inf(1)) },
	{"flatten", 1}: func(e *evaluation, in any, args []any) (any, error) {
		depth, ok := float(args[0])
		if !ok || !(depth >= 0) {
			return nil, fail("the depth must be a number from 0")
		}
		return e.flattened(in, depth)
	},
	{"reverse", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		switch in := in.(type) {
		case nil:
			return []any{}, nil
		case []any:
			list := slices.Clone(in)
			slices.Reverse(list)
			return list, nil
		case string:
			runes := []rune(in)
			slices.Reverse(runes)
			return string(runes), nil
		}
		return nil, fail("%s cannot be reversed", kind(in))
	},
	{"contains", 1}: func(e *evaluation, in any, args []any) (any, error) { return e.contains(in, args[0]) },
	{"indices", 1}:  func(e *evaluation, in any, args []any) (any, error) { return e.indices(in, args[0]) },
	{"index", 1}: func(e *evaluation, in any, args []any) (any, error) {
		list, err := e.indices(in, args[0])
		if all, ok := list.([]any); ok && len(all) > 0 {
			return all[0], err
		}
		return nil, err
	},
	{"rindex", 1}: func(e *evaluation, in any, args []any) (any, error) {
		list, err := e.indices(in, args[0])
		if all, ok := list.([]any); ok && len(all) > 0 {
			return all[len(all)-1], err
		}
		return nil, err
	},
	{"transpose", 0}: func(e *evaluation, in any, _ []any) (any, error) {
		rows, ok := in.([]any)
		if !ok {
			return nil, fail("%s is not a list", kind(in))
		}
		width := 0
		for _, row := range rows {
			row, ok := row.([]any)
			if !ok {
				return nil, fail("its elements are no lists")
			}
			width = max(width, len(row))
		}
		if err := e.spend(width * (len(rows) + 1)); err != nil {
			return nil, err
		}
		columns := make([]any, width)
		for i := range columns {
			column := make([]any, len(rows))
			for j, row := range rows {
				if row := row.([]any); i < len(row) {
					column[j] = row[i]
				}
			}
			columns[i] = column
		}
		return columns, nil
	},
	{"toarray", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		if _, ok := in.([]any); ok {
			return in, nil
		}
		return []any{in}, nil
	},
	{"sort", 0}:       ofList(sorted),
	{"_sort_by", 1}:   ofList(sorted),
	{"_group_by", 1}:  ofList(grouped),
	{"unique", 0}:     ofList(unique),
	{"_unique_by", 1}: ofList(unique),
	{"min", 0}:        ofList(least),
	{"_min_by", 1}:    ofList(least),
	{"max", 0}:        ofList(greatest),
	{"_max_by", 1}:    ofList(greatest),
	{"format", 1}: func(e *evaluation, in any, args []any) (any, error) {
		name, _ := args[0].(string)
		return e.format(name, in)
	},
	{"fromjson", 0}: of(func(e *evaluation, text string) (any, error) {
		// Each byte of JSON makes a value at most.
		if err := e.spend(len(text)); err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			return nil, fail("the text is not JSON")
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) { // More() is false before a surplus bracket
			return nil, fail("the text is not JSON")
		}
		return plain(v), nil
	}),
	{"_captured", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		return captured(in.(map[string]any)["captures"].([]any)), nil
	},
	{"strptime", 1}: func(e *evaluation, in any, args []any) (any, error) {
		text, ok := in.(string)
		format, okFormat := args[0].(string)
		if !ok || !okFormat {
			return nil, fail("%s and %s are not two texts", kind(in), kind(args[0]))
		}
		if err := e.spend(10); err != nil {
			return nil, err
		}
		t, err := timefmt.ParseInLocation(text, format, time.UTC)
		if err != nil {
			return nil, fail("the text is not of the form %s", format)
		}
		return broken(t.UTC()), nil
	},
	{"strftime", 1}: func(e *evaluation, in any, args []any) (any, error) {
		format, ok := args[0].(string)
		if !ok {
			return nil, fail("%s is not a text", kind(args[0]))
		}
		// One directive of four bytes may be written 1,024 wide.
		if err := e.spend(10 + 32*len(format)); err != nil {
			return nil, err
		}
		t, err := moment(in)
		if err != nil {
			return nil, err
		}
		return timefmt.Format(t, format), nil
	},
	{"gmtime", 0}: func(e *evaluation, in any, _ []any) (any, error) {
		if !isNumber(in) {
			return nil, fail("%s is not a number", kind(in))
		}
		t, err := moment(in)
		if err != nil {
			return nil, err
		}
		return broken(t), e.spend(10)
	},
	{"mktime", 0}: func(_ *evaluation, in any, _ []any) (any, error) {
		if _, ok := in.([]any); !ok {
			return nil, fail("%s is not a broken down time", kind(in))
		}
		t, err := moment(in)
		if err != nil {
			return nil, err
		}
		return int(t.Unix()), nil
	},
}

// broken is a time as jq takes it apart: month and day of the year from 0.
func broken(t time.Time) []any {
	return []any{t.Year(), int(t.Month()) - 1, t.Day(), t.Hour(), t.Minute(),
		whatNumber(float64(t.Second()) + float64(t.Nanosecond())/1e9), int(t.Weekday()), t.YearDay() - 1}
}

// moment is the time of seconds since 1970, or of a broken down time.
func moment(v any) (time.Time, error) {
	// The years that time.Time can hold, which are more than anybody needs.
	const most = 1 << 55
	if seconds, ok := float(v); ok {
		if !(math.Abs(seconds) < most) {
			return time.Time{}, fail("the time is out of range")
		}
		fraction := seconds - math.Floor(seconds)
		return time.Unix(int64(math.Floor(seconds)), int64(fraction*1e9)).UTC(), nil
	}
	parts, ok := v.([]any)
	if !ok {
		return time.Time{}, fail("%s is not a time", kind(v))
	}
	var numbers [8]int // with the days of the week and of the year, which say nothing more
	if len(parts) < len(numbers) {
		return time.Time{}, fail("a broken down time is a list of eight numbers")
	}
	for i := range numbers {
		x, ok := float(parts[i])
		if !ok || !(math.Abs(x) < 1e9) {
			return time.Time{}, fail("a broken down time is a list of eight numbers")
		}
		numbers[i] = int(math.Floor(x))
	}
	return time.Date(numbers[0], time.Month(numbers[1]+1), numbers[2], numbers[3], numbers[4], numbers[5], 0, time.UTC), nil
}

// all returns the elements that are not null. ok is false if there are none, or
// some have another type.
func all[T any](list []any) (elements []T, ok bool) {
	for _, v := range list {
		element, ok := v.(T)
		if !ok && v != nil {
			return nil, false
		}
		if ok {
			elements = append(elements, element)
		}
	}
	return elements, len(elements) > 0
}

func (e *evaluation) flattened(in any, depth float64) (any, error) {
	list, err := e.elementsOf(in)
	if err != nil {
		return nil, err
	}
	flat := []any{}
	var walk func([]any, float64)
	walk = func(list []any, depth float64) {
		for _, v := range list {
			if inner, ok := v.([]any); ok && depth > 0 {
				walk(inner, depth-1)
			} else {
				flat = append(flat, v)
			}
		}
	}
	walk(list, depth)
	return flat, nil
}

// numbers is range(start; end; step), of which the start is the slowest.
func (e *evaluation) numbers(args []*gojq.Query, s *scope, in item, out yield) error {
	return e.product([]*gojq.Query{args[2], args[1], args[0]}, s, in, make([]any, 3), func(values []any) error {
		for _, v := range values {
			if !isNumber(v) {
				return fail("%s is not a number", kind(v))
			}
		}
		at, end, step := number(values[2]), values[1], values[0]
		direction := compare(step, 0)
		for direction*compare(at, end) < 0 {
			if err := e.spend(1); err != nil {
				return err
			}
			if err := out(in.made(at)); err != nil {
				return err
			}
			at = addNumbers(at, step)
		}
		return nil
	})
}
