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

// Map evaluates every expression on the record. All of them together have one
// budget; what fails, or finds it spent, is absent.
func (m mapper) Map(record seeding.Record) seeding.Demographics {
	b := newBudget()
	in := plain(map[string]any(record))
	return seeding.Demographics{
		VID:         vid(first(m.vid, in, b)),
		Name:        joined(m.name, in, b, " "),
		Gender:      strict(first(m.gender, in, b)),
		DOB:         strict(first(m.dob, in, b)),
		PhoneNumber: loose(first(m.phoneNumber, in, b)),
		EmailID:     loose(first(m.emailID, in, b)),
		FullAddress: joined(m.fullAddress, in, b, ", "),
	}
}

// first computes all results and returns the first; nil stands for null and
// for every failure, also one behind a first result (facts/mts.md 2.3).
func first(code *gojq.Code, in any, b *budget) (result any) {
	defer func() {
		if recover() != nil { // a fault of the interpreter is a failure like any other
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

// maxText bounds a result, in bytes. A longer one is no name and no address.
const maxText = 8 << 10

var notText = seeding.Value{Present: true, NotText: true}

func text(s string) seeding.Value {
	if len(s) > maxText {
		return notText
	}
	return seeding.Value{Text: s, Present: true}
}

// strict is the rule for gender and date of birth: MTS fails the whole batch
// on any number or boolean (facts/mts.md W12).
func strict(v any) seeding.Value {
	switch v := v.(type) {
	case nil:
		return seeding.Value{}
	case string:
		return text(v)
	default:
		if emptyCollection(v) {
			return text("")
		}
		return notText
	}
}

// loose is the rule for phone number and e-mail: a number becomes its digits
// (MTS would write 2014391641351279.0, facts/mts.md W13). MTS writes true as
// "True", which is no use to anybody, so that is not text either.
func loose(v any) seeding.Value {
	if digits, is := decimal(v); is {
		return text(digits)
	}
	if v == false {
		return text("")
	}
	return strict(v)
}

// vid is the rule for the VID: as loose, but 0 counts as empty.
func vid(v any) seeding.Value {
	if falsy(v) {
		return text("")
	}
	return loose(v)
}

// joined is the rule for name and address: the parts that are not falsy, joined.
// Absent only when every part is null.
func joined(codes []*gojq.Code, in any, b *budget, separator string) seeding.Value {
	var out seeding.Value
	var parts []string
	for _, code := range codes {
		v := first(code, in, b)
		if v == nil {
			continue
		}
		out.Present = true
		if falsy(v) {
			continue
		}
		if part, is := v.(string); is {
			parts = append(parts, part)
		} else {
			out.NotText = true
		}
	}
	if out.Present && !out.NotText {
		return text(strings.Join(parts, separator))
	}
	return out
}

// falsy is what Python, in which MTS is written, takes for false, but for null.
func falsy(v any) bool {
	if v == "" || v == false || emptyCollection(v) {
		return true
	}
	digits, is := decimal(v)
	return is && digits == "0"
}

func emptyCollection(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// decimal writes a number out exactly, without exponent. Numbers of more than
// 100 digits, and those that are not finite, are none.
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

// plain makes a value of the types that gojq knows; others become null.
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
