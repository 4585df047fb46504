package jq

import (
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Values are nil, bool, string, int, float64, json.Number, []any and
// map[string]any. Numbers are computed as int while they fit and then as float64;
// those of the record stay as they are written until something is computed.

// kind returns the name of a value's type.
func kind(v any) string { return gojq.TypeOf(v) }

func isNumber(v any) bool {
	switch v.(type) {
	case int, float64, json.Number:
		return true
	}
	return false
}

// number returns an int or a float64 of a number, and other values as they are.
func number(v any) any {
	if n, ok := v.(json.Number); ok {
		return literal(string(n))
	}
	return v
}

func literal(text string) any {
	if i, err := strconv.Atoi(text); err == nil {
		return i
	}
	x, _ := strconv.ParseFloat(text, 64) // infinite if it is out of range
	return x
}

// readNumber reads the number that a text is. One that a float64 cannot hold
// exactly, such as an identity number, stays as it is.
func readNumber(text string) (any, bool) {
	if len(text) > maxDigits || strings.Trim(text, "0123456789+-.eE") != "" {
		return nil, false
	}
	if i, err := strconv.Atoi(text); err == nil {
		return i, true
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, false
	}
	if strings.Trim(text, "0123456789") == "" {
		return json.Number(strings.TrimLeft(text, "0")), true
	}
	return x, true
}

// whatNumber is x as an int if it is whole.
func whatNumber(x float64) any {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return int(x)
	}
	return x
}

func float(v any) (float64, bool) {
	switch n := number(v).(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func negate(v any) any {
	if n, ok := v.(json.Number); ok {
		if positive, negative := strings.CutPrefix(string(n), "-"); negative {
			return json.Number(positive)
		}
		return json.Number("-" + string(n))
	}
	if i, ok := v.(int); ok && i != math.MinInt {
		return -i
	}
	x, _ := float(v)
	return -x
}

func addNumbers(l, r any) any {
	l, r = number(l), number(r)
	if a, ok := l.(int); ok {
		if b, ok := r.(int); ok {
			if sum := a + b; (sum > a) == (b > 0) {
				return sum
			}
		}
	}
	a, _ := float(l)
	b, _ := float(r)
	return a + b
}

func multiplyNumbers(l, r any) any {
	l, r = number(l), number(r)
	if a, ok := l.(int); ok {
		if b, ok := r.(int); ok {
			if product := a * b; a == 0 || product/a == b && (a != -1 || b != math.MinInt) {
				return product
			}
		}
	}
	a, _ := float(l)
	b, _ := float(r)
	return a * b
}

// compare orders values as jq does: null, false, true, numbers, texts, lists,
// objects. Who calls it has weighed one of them.
func compare(l, r any) int {
	if c := cmp.Compare(order(l), order(r)); c != 0 {
		return c
	}
	switch l := l.(type) {
	case string:
		return strings.Compare(l, r.(string))
	case []any:
		r := r.([]any)
		for i := range min(len(l), len(r)) {
			if c := compare(l[i], r[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(l), len(r))
	case map[string]any:
		r := r.(map[string]any)
		keys := slices.Sorted(maps.Keys(l))
		if c := slices.Compare(keys, slices.Sorted(maps.Keys(r))); c != 0 {
			return c
		}
		for _, key := range keys {
			if c := compare(l[key], r[key]); c != 0 {
				return c
			}
		}
		return 0
	case int, float64, json.Number:
		if l == r {
			return 0
		}
		a, b := number(l), number(r)
		if i, ok := a.(int); ok {
			if j, ok := b.(int); ok {
				return cmp.Compare(i, j)
			}
		}
		x, _ := float(a)
		y, _ := float(b)
		if math.IsNaN(x) {
			return -1 // also than itself
		}
		return cmp.Compare(x, y)
	}
	return 0
}

func order(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 2
		}
		return 1
	case string:
		return 4
	case []any:
		return 5
	case map[string]any:
		return 6
	default:
		return 3
	}
}

// binary computes l op r.
func (e *evaluation) binary(op gojq.Operator, l, r any) (any, error) {
	switch op {
	case gojq.OpEq, gojq.OpNe, gojq.OpLt, gojq.OpGt, gojq.OpLe, gojq.OpGe:
		return e.compared(op, l, r)
	case gojq.OpAdd, gojq.OpUpdateAdd:
		return e.add(l, r)
	case gojq.OpSub, gojq.OpUpdateSub:
		return e.subtract(l, r)
	case gojq.OpMul, gojq.OpUpdateMul:
		return e.multiply(l, r)
	case gojq.OpDiv, gojq.OpUpdateDiv:
		return e.divide(l, r)
	case gojq.OpMod, gojq.OpUpdateMod:
		return modulo(l, r)
	case gojq.OpUpdateAlt:
		if truthy(l) {
			return l, nil
		}
		return r, nil
	}
	return nil, fail("%s is not available", op)
}

func (e *evaluation) compared(op gojq.Operator, l, r any) (any, error) {
	if err := e.weigh(l); err != nil {
		return nil, err
	}
	if err := e.weigh(r); err != nil {
		return nil, err
	}
	c := compare(l, r)
	switch op {
	case gojq.OpEq:
		return c == 0, nil
	case gojq.OpNe:
		return c != 0, nil
	case gojq.OpLt:
		return c < 0, nil
	case gojq.OpGt:
		return c > 0, nil
	case gojq.OpLe:
		return c <= 0, nil
	default:
		return c >= 0, nil
	}
}

func (e *evaluation) add(l, r any) (any, error) {
	switch {
	case l == nil:
		return r, nil
	case r == nil:
		return l, nil
	case isNumber(l) && isNumber(r):
		return addNumbers(l, r), nil
	}
	switch l := l.(type) {
	case string:
		if r, ok := r.(string); ok {
			if err := e.spend(unitsOf(l) + unitsOf(r)); err != nil {
				return nil, err
			}
			return l + r, nil
		}
	case []any:
		if r, ok := r.([]any); ok {
			if err := e.spend(len(l) + len(r)); err != nil {
				return nil, err
			}
			return slices.Concat(l, r), nil
		}
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			if err := e.spend(2 * (len(l) + len(r))); err != nil {
				return nil, err
			}
			sum := maps.Clone(l)
			maps.Copy(sum, r)
			return sum, nil
		}
	}
	return nil, fail("%s and %s cannot be added", kind(l), kind(r))
}

func (e *evaluation) subtract(l, r any) (any, error) {
	if isNumber(l) && isNumber(r) {
		return addNumbers(l, negate(number(r))), nil
	}
	a, ok := l.([]any)
	b, okB := r.([]any)
	if !ok || !okB {
		return nil, fail("%s cannot be subtracted from %s", kind(r), kind(l))
	}
	if err := e.pairs(l, r); err != nil {
		return nil, err
	}
	left := []any{}
	for _, v := range a {
		if !slices.ContainsFunc(b, func(w any) bool { return compare(v, w) == 0 }) {
			left = append(left, v)
		}
	}
	return left, nil
}

// pairs spends what it costs to compare all parts of l with all parts of r.
func (e *evaluation) pairs(l, r any) error {
	a, err := e.weighed(l)
	if err != nil {
		return err
	}
	b, err := e.weighed(r)
	if err != nil {
		return err
	}
	return e.spend(a * b / 4)
}

func (e *evaluation) multiply(l, r any) (any, error) {
	if isNumber(l) && isNumber(r) {
		return multiplyNumbers(l, r), nil
	}
	if text, ok := r.(string); ok {
		l, r = text, l
	}
	switch l := l.(type) {
	case string:
		n, ok := float(r)
		if !ok {
			break
		}
		if !(n > 0) {
			return nil, nil
		}
		if units := n * float64(1+len(l)); units > maxWork*8 {
			return nil, e.spend(e.left + 1)
		}
		times := max(1, int(n))
		if err := e.spend(1 + times*len(l)/8); err != nil {
			return nil, err
		}
		return strings.Repeat(l, times), nil
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			return e.merge(l, r)
		}
	}
	return nil, fail("%s and %s cannot be multiplied", kind(l), kind(r))
}

func (e *evaluation) merge(l, r map[string]any) (any, error) {
	if err := e.spend(2 * (1 + len(l) + len(r))); err != nil {
		return nil, err
	}
	merged := maps.Clone(l)
	for key, v := range r {
		a, okA := merged[key].(map[string]any)
		b, okB := v.(map[string]any)
		if okA && okB {
			var err error
			if v, err = e.merge(a, b); err != nil {
				return nil, err
			}
		}
		merged[key] = v
	}
	return merged, nil
}

func (e *evaluation) divide(l, r any) (any, error) {
	if text, ok := l.(string); ok {
		if separator, ok := r.(string); ok {
			return e.split(text, separator)
		}
	}
	a, ok := float(l)
	b, okB := float(r)
	switch {
	case !ok || !okB:
		return nil, fail("%s cannot be divided by %s", kind(l), kind(r))
	case b == 0:
		return nil, fail("division by zero")
	}
	if i, ok := number(l).(int); ok {
		if j, ok := number(r).(int); ok && j != -1 && i%j == 0 {
			return i / j, nil
		}
	}
	return whatNumber(a / b), nil
}

func modulo(l, r any) (any, error) {
	a, ok := float(l)
	b, okB := float(r)
	if !ok || !okB {
		return nil, fail("%s cannot be divided by %s", kind(l), kind(r))
	}
	i, j := whole64(l, a), whole64(r, b)
	switch j {
	case 0:
		return nil, fail("division by zero")
	case -1:
		return 0, nil
	}
	return i % j, nil
}

// whole64 is a number without its fraction, as near as an int can be.
func whole64(v any, x float64) int {
	if i, ok := number(v).(int); ok {
		return i
	}
	switch {
	case x >= math.MaxInt:
		return math.MaxInt
	case x > math.MinInt:
		return int(x)
	}
	return math.MinInt
}

func (e *evaluation) split(text, separator string) (any, error) {
	if text == "" {
		return []any{}, nil
	}
	pieces := strings.Count(text, separator) + 1
	if err := e.spend(pieces + unitsOf(text)); err != nil {
		return nil, err
	}
	list := make([]any, 0, pieces)
	for _, piece := range strings.Split(text, separator) {
		list = append(list, piece)
	}
	return list, nil
}

func (e *evaluation) contains(l, r any) (any, error) {
	a, isBoolean := l.(bool)
	if kind(l) != kind(r) || isBoolean && a != r {
		return nil, fail("%s cannot contain %s", kind(l), kind(r))
	}
	if _, ok := l.(string); !ok {
		if err := e.pairs(l, r); err != nil {
			return nil, err
		}
	}
	return within(l, r), nil
}

func within(l, r any) bool {
	switch l := l.(type) {
	case string:
		r, ok := r.(string)
		return ok && strings.Contains(l, r)
	case []any:
		r, ok := r.([]any)
		return ok && !slices.ContainsFunc(r, func(b any) bool {
			return !slices.ContainsFunc(l, func(a any) bool { return within(a, b) })
		})
	case map[string]any:
		r, ok := r.(map[string]any)
		if !ok {
			return false
		}
		for key, b := range r {
			if a, found := l[key]; !found || !within(a, b) {
				return false
			}
		}
		return true
	}
	return compare(l, r) == 0
}

// indices returns where x is found in v: in characters of a text, or elements of
// a list.
func (e *evaluation) indices(v, x any) (any, error) {
	found := []any{}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		x, ok := x.(string)
		if !ok {
			return nil, fail("%s cannot be in a text", kind(x))
		}
		if x == "" {
			return found, nil
		}
		if err := e.spend(len(v)); err != nil {
			return nil, err
		}
		characters := 0
		for rest := v; ; {
			i := strings.Index(rest, x)
			if i < 0 {
				return found, nil
			}
			if err := e.spend(unitsOf(x)); err != nil {
				return nil, err
			}
			characters += utf8.RuneCountInString(rest[:i])
			found = append(found, characters)
			_, size := utf8.DecodeRuneInString(rest[i:])
			rest = rest[i+size:]
			characters++
		}
	case []any:
		part, ok := x.([]any)
		if !ok {
			part = []any{x}
		}
		if err := e.pairs(v, part); err != nil {
			return nil, err
		}
		for i := 0; len(part) > 0 && i+len(part) <= len(v); i++ {
			if compare(v[i:i+len(part)], part) == 0 {
				found = append(found, i)
			}
		}
		return found, nil
	}
	return nil, fail("%s has no elements", kind(v))
}

// at returns what is in v at a key: a name, a number, a list to be found, or
// {start, end} of a slice.
func (e *evaluation) at(v, key any) (any, error) {
	if v == nil {
		switch key.(type) {
		case nil, bool, []any:
			return nil, fail("null has no element at a key of the type %s", kind(key))
		}
		return nil, nil
	}
	switch k := key.(type) {
	case string:
		if object, ok := v.(map[string]any); ok {
			return object[k], nil
		}
	case int, float64, json.Number:
		x, _ := float(k)
		if list, ok := v.([]any); ok {
			if i := position(x, len(list)); i >= 0 && i < len(list) {
				return list[i], nil
			}
			return nil, nil
		}
		if text, ok := v.(string); ok {
			if err := e.spend(unitsOf(text)); err != nil {
				return nil, err
			}
			n := utf8.RuneCountInString(text)
			if i := position(x, n); i >= 0 && i < n {
				return characters(text, i, i+1), nil
			}
			return nil, nil
		}
	case []any:
		if _, ok := v.([]any); ok {
			return e.indices(v, k)
		}
	case map[string]any:
		return e.slice(v, k)
	}
	return nil, fail("%s has no element at a key of the type %s", kind(v), kind(key))
}

func (e *evaluation) slice(v any, key map[string]any) (any, error) {
	switch v := v.(type) {
	case []any:
		from, to, err := bounds(key, len(v))
		if err != nil {
			return nil, err
		}
		return v[from:to:to], nil
	case string:
		if err := e.spend(unitsOf(v)); err != nil {
			return nil, err
		}
		from, to, err := bounds(key, utf8.RuneCountInString(v))
		if err != nil {
			return nil, err
		}
		return characters(v, from, to), nil
	}
	return nil, fail("%s cannot be sliced", kind(v))
}

// position is where an index, from the end if it is negative, is in something of a
// length: below 0 if it is before its beginning, or is no number.
func position(index float64, length int) int {
	index = math.Trunc(index)
	if index < 0 {
		index += float64(length)
	}
	if !(index >= 0) {
		return -1
	}
	return int(min(index, 1<<53))
}

// bounds are those of a slice, {start, end}, in something of a length.
func bounds(key map[string]any, length int) (from, to int, err error) {
	start, hasStart := key["start"]
	end, hasEnd := key["end"]
	if !hasStart || !hasEnd || (start != nil && !isNumber(start)) || (end != nil && !isNumber(end)) {
		return 0, 0, fail("a slice is bounded by numbers")
	}
	within := func(x float64) float64 {
		switch {
		case math.IsNaN(x):
			return 0
		case x < 0:
			x += float64(length)
		}
		return max(0, min(x, float64(length)))
	}
	to = length
	if x, ok := float(start); ok {
		from = int(within(x))
	}
	if x, ok := float(end); ok {
		to = int(math.Ceil(within(x)))
	}
	return from, max(from, to), nil
}

// characters returns those of a text from one to before another.
func characters(text string, from, to int) string {
	start, end, n := len(text), len(text), 0
	for i := range text {
		if n == from {
			start = i
		}
		if n == to {
			end = i
			break
		}
		n++
	}
	return text[min(start, end):end]
}

// elementsOf returns the elements of a list, or the members of an object in the
// order of their keys.
func (e *evaluation) elementsOf(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case map[string]any:
		if err := e.spend(2 * len(v)); err != nil {
			return nil, err
		}
		list := make([]any, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, v[key])
		}
		return list, nil
	}
	return nil, fail("%s has no elements", kind(v))
}

// written is a text as it is, and other values as JSON.
func written(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return asJSON(v)
}

func asJSON(v any) string {
	text, err := gojq.Marshal(v)
	if err != nil {
		return "" // of values of other types than ours, which there are none of
	}
	return string(text)
}

var (
	html = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", "'", "&#39;", `"`, "&quot;")
	csv  = strings.NewReplacer(`"`, `""`)
	tsv  = strings.NewReplacer("\t", `\t`, "\r", `\r`, "\n", `\n`, `\`, `\\`)
	sh   = strings.NewReplacer("'", `'\''`)
)

// formats are the names of jq's formats, without their @.
var formats = []string{"text", "json", "html", "uri", "csv", "tsv", "sh", "base32", "base64", "base64d"}

// format writes a value in one of the formats.
func (e *evaluation) format(name string, v any) (string, error) {
	if err := e.weigh(v); err != nil {
		return "", err
	}
	switch name {
	case "text":
		return written(v), nil
	case "json":
		return asJSON(v), nil
	case "html":
		return html.Replace(written(v)), nil
	case "uri":
		return strings.ReplaceAll(url.QueryEscape(written(v)), "+", "%20"), nil
	case "base32":
		return base32.StdEncoding.EncodeToString([]byte(written(v))), nil
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(written(v))), nil
	case "base64d":
		text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(written(v), "="))
		if err != nil {
			return "", fail("the text is not base64")
		}
		return string([]rune(string(text))), nil // each byte that is no UTF-8 becomes U+FFFD
	case "csv":
		return row(v, ",", func(text string) string { return `"` + csv.Replace(text) + `"` })
	case "tsv":
		return row(v, "\t", tsv.Replace)
	case "sh":
		if _, ok := v.([]any); !ok {
			v = []any{v}
		}
		return row(v, " ", func(text string) string { return "'" + sh.Replace(text) + "'" })
	}
	return "", fail("there is no format @%s", name)
}

func row(v any, separator string, quote func(string) string) (string, error) {
	list, ok := v.([]any)
	if !ok {
		return "", fail("%s is not a list", kind(v))
	}
	cells := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case nil:
			if separator == " " {
				cells[i] = "null"
			}
		case []any, map[string]any:
			return "", fail("%s cannot be in a row", kind(v))
		case string:
			cells[i] = quote(v)
		case float64:
			if cells[i] = asJSON(v); math.IsNaN(v) && separator != " " {
				cells[i] = ""
			}
		default:
			cells[i] = asJSON(v)
		}
	}
	return strings.Join(cells, separator), nil
}
