package jq

import (
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// mapper is a compiled mapping. It holds no state: one may serve any number of
// goroutines.
type mapper struct {
	vid, gender, dob, phoneNumber, emailID *program
	name, fullAddress                      []*program
}

// Map evaluates every expression on the record. All of them share one budget of
// work. A value is absent if its expression fails. If the work is spent, all that
// is not evaluated by then is Spent.
func (m mapper) Map(record seeding.Record) seeding.Demographics {
	e := &evaluation{left: maxWork}
	in := plain(map[string]any(record))
	return seeding.Demographics{
		VID:         e.result(vid, m.vid, in),
		Name:        e.join(m.name, in, " "),
		Gender:      e.result(textOnly, m.gender, in),
		DOB:         e.result(textOnly, m.dob, in),
		PhoneNumber: e.result(textOrNumber, m.phoneNumber, in),
		EmailID:     e.result(textOrNumber, m.emailID, in),
		FullAddress: e.join(m.fullAddress, in, ", "),
	}
}

// result evaluates a program and reads its first result by a rule.
func (e *evaluation) result(rule func(any) seeding.Value, p *program, in any) seeding.Value {
	v := e.first(p, in)
	if e.spent {
		return seeding.Value{Spent: true}
	}
	return rule(v)
}

// first computes all results and returns the first. It returns nil for null and
// for every failure, even one after the first result (facts/mts.md 2.3).
func (e *evaluation) first(p *program, in any) any {
	result, err := e.run(p, in)
	if err != nil {
		return nil
	}
	return result
}

// run computes all results and returns the first, which is null if there is none.
func (e *evaluation) run(p *program, in any) (result any, err error) {
	if e.spent {
		return nil, errSpent
	}
	defer func() {
		if recover() != nil { // a panic of a library is a failure like any other
			result, err = nil, fail("failed")
		}
	}()
	e.depth, e.patterns = 0, p.patterns
	found := false
	err = e.query(p.query, nil, item{value: in}, func(x item) error {
		if !found {
			result, found = x.value, true
		}
		return nil
	})
	return result, err
}

// Bounds of a text, in bytes: of a name or an address, and of any other field. A
// phone number, an e-mail address (254, RFC 5321) and a VID are shorter.
const (
	maxText  = 1 << 10
	maxShort = 256
)

var notText = seeding.Value{Present: true, NotText: true}

// short is the value of a text of any field but name and address.
func short(s string) seeding.Value { return text(s, maxShort) }

// text is a copy, so that it does not keep in memory what it was cut from.
func text(s string, most int) seeding.Value {
	if len(s) > most {
		return notText
	}
	return seeding.Value{Text: strings.Clone(s), Present: true}
}

// textOnly is the rule for gender and date of birth: MTS fails the whole batch
// on any number or boolean (facts/mts.md W12).
func textOnly(v any) seeding.Value {
	switch v := v.(type) {
	case nil:
		return seeding.Value{}
	case string:
		return short(v)
	default:
		if isEmptyCollection(v) {
			return short("")
		}
		return notText
	}
}

// textOrNumber is the rule for phone number and e-mail: a number becomes its
// digits (MTS would write 2014391641351279.0, facts/mts.md W13). MTS writes true
// as "True", which is no use to anybody, so true is not a text either.
func textOrNumber(v any) seeding.Value {
	if digits, ok := decimal(v); ok {
		return short(digits)
	}
	if v == false {
		return short("")
	}
	return textOnly(v)
}

// vid is the rule for the VID: that of textOrNumber, but 0 counts as empty.
func vid(v any) seeding.Value {
	if isFalsy(v) {
		return short("")
	}
	return textOrNumber(v)
}

// join is the rule for name and address: the pieces that are not falsy, joined.
// The value is absent only if every piece is null.
func (e *evaluation) join(programs []*program, in any, separator string) seeding.Value {
	var out seeding.Value
	var pieces []string
	for _, p := range programs {
		v := e.first(p, in)
		if e.spent {
			return seeding.Value{Spent: true}
		}
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
		return text(strings.Join(pieces, separator), maxText)
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
	case float64:
		literal = strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		literal = v.String()
	default:
		return "", false
	}
	// The size is checked first: as a fraction 1e999999999 would fill the memory.
	size, err := strconv.ParseFloat(literal, 64)
	if err != nil || len(literal) > maxDigits || math.IsNaN(size) || math.Abs(size) > 1e100 || size != 0 && math.Abs(size) < 1e-100 {
		return "", false
	}
	exact, ok := new(big.Rat).SetString(literal)
	if !ok {
		return "", false
	}
	digits, _ := exact.FloatPrec()
	return exact.FloatString(digits), true
}

// maxDigits bounds how a number is written. Longer ones are infinite.
const maxDigits = 120

// plain returns a value of the types that programs know; what has another type is
// null. What needs no change is not copied, because nothing is changed in place.
func plain(v any) any {
	known, _ := replaced(v)
	return known
}

// replaced returns a copy of a list or object if something in it was replaced.
func replaced(v any) (known any, changed bool) {
	switch v := v.(type) {
	case nil, bool, string, int, float64:
		return v, false
	case int64:
		return int(v), true
	case json.Number:
		if len(v) > maxDigits {
			return math.Inf(1), true
		}
		return v, false
	case *big.Int: // an identity or phone number in the registry
		return plain(json.Number(v.String())), true
	case []any:
		list := v
		for i := range v {
			if element, other := replaced(v[i]); other {
				if !changed {
					list, changed = slices.Clone(v), true
				}
				list[i] = element
			}
		}
		return list, changed
	case map[string]any:
		object := v
		for key := range v {
			if member, other := replaced(v[key]); other {
				if !changed {
					object, changed = maps.Clone(v), true
				}
				object[key] = member
			}
		}
		return object, changed
	}
	return nil, true
}
