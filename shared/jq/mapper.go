package jq

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// mapper is a compiled mapping. It holds no state: one may serve any number of
// goroutines.
type mapper struct {
	vid, gender, dob, phoneNumber, emailID *gojq.Code
	name, fullAddress                      []*gojq.Code
}

// Map evaluates every expression on the record. All of them share one budget. A
// value is absent if its expression fails or the budget is spent.
func (m mapper) Map(record seeding.Record) seeding.Demographics {
	b := newBudget()
	in := plain(map[string]any(record))
	return seeding.Demographics{
		VID:         vid(first(m.vid, in, b)),
		Name:        join(m.name, in, b, " "),
		Gender:      textOnly(first(m.gender, in, b)),
		DOB:         textOnly(first(m.dob, in, b)),
		PhoneNumber: textOrNumber(first(m.phoneNumber, in, b)),
		EmailID:     textOrNumber(first(m.emailID, in, b)),
		FullAddress: join(m.fullAddress, in, b, ", "),
	}
}

// first computes all results and returns the first. It returns nil for null and
// for every failure, even one after the first result (facts/mts.md 2.3).
func first(code *gojq.Code, in any, b *budget) (result any) {
	defer func() {
		if recover() != nil { // a panic of the interpreter is a failure like any other
			result = nil
		}
	}()
	found := false
	for results := code.RunWithContext(b, in); ; {
		v, more := results.Next()
		if !more {
			return result
		}
		if _, failed := v.(error); failed {
			return nil
		}
		if !found {
			result, found = v, true
		}
	}
}

// maxText bounds a result, in bytes. No name or address is longer.
const maxText = 8 << 10

var notText = seeding.Value{Present: true, NotText: true}

func text(s string) seeding.Value {
	if len(s) > maxText {
		return notText
	}
	return seeding.Value{Text: s, Present: true}
}

// textOnly is the rule for gender and date of birth: MTS fails the whole batch
// on any number or boolean (facts/mts.md W12).
func textOnly(v any) seeding.Value {
	switch v := v.(type) {
	case nil:
		return seeding.Value{}
	case string:
		return text(v)
	default:
		if isEmptyCollection(v) {
			return text("")
		}
		return notText
	}
}

// textOrNumber is the rule for phone number and e-mail: a number becomes its
// digits (MTS would write 2014391641351279.0, facts/mts.md W13). MTS writes true
// as "True", which is no use to anybody, so true is not a text either.
func textOrNumber(v any) seeding.Value {
	if digits, ok := decimal(v); ok {
		return text(digits)
	}
	if v == false {
		return text("")
	}
	return textOnly(v)
}

// vid is the rule for the VID: that of textOrNumber, but 0 counts as empty.
func vid(v any) seeding.Value {
	if isFalsy(v) {
		return text("")
	}
	return textOrNumber(v)
}

// join is the rule for name and address: the pieces that are not falsy, joined.
// The value is absent only if every piece is null.
func join(codes []*gojq.Code, in any, b *budget, separator string) seeding.Value {
	var out seeding.Value
	var pieces []string
	for _, code := range codes {
		v := first(code, in, b)
		if v == nil {
			continue
		}
		out.Present = true
		if isFalsy(v) {
			continue
		}
		if piece, ok := v.(string); ok {
			pieces = append(pieces, piece)
		} else {
			out.NotText = true
		}
	}
	if out.Present && !out.NotText {
		return text(strings.Join(pieces, separator))
	}
	return out
}

// isFalsy reports whether Python, in which MTS is written, takes v for false;
// null is not counted.
func isFalsy(v any) bool {
	if v == "" || v == false || isEmptyCollection(v) {
		return true
	}
	digits, ok := decimal(v)
	return ok && digits == "0"
}

func isEmptyCollection(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// decimal writes a number exactly, without exponent. It returns false for what
// is not a number, is not finite, or has more than 100 digits.
func decimal(v any) (string, bool) {
	var literal string
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v), true
	case *big.Int:
		literal = v.String()
	case float64:
		literal = strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		literal = v.String()
	default:
		return "", false
	}
	// The size is checked first: as a fraction 1e999999999 would fill the memory.
	size, err := strconv.ParseFloat(literal, 64)
	if err != nil || len(literal) > 120 || math.IsNaN(size) || math.Abs(size) > 1e100 || size != 0 && math.Abs(size) < 1e-100 {
		return "", false
	}
	exact, ok := new(big.Rat).SetString(literal)
	if !ok {
		return "", false
	}
	digits, _ := exact.FloatPrec()
	return exact.FloatString(digits), true
}

// plain converts a value to the types that gojq knows; others become null.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int, float64, json.Number, *big.Int:
		return v
	case int64:
		return big.NewInt(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = plain(v[key])
		}
		return object
	}
	return nil
}
