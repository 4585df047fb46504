package api

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// comesOut tries whether a field of MTS can come out of the selected fields. It
// evaluates the field's expressions on sample records, in which the selected
// fields have a value of one kind or another, as a registry might send it. What
// cannot be told by the given time is taken on trust.
func (a *api) comesOut(s seeding.RegistrySource, field string, until time.Time) bool {
	for _, expression := range expressions(s.Mapping, field) {
		mapper, value, err := a.alone(field, expression)
		if err != nil {
			continue
		}
		for record := range sampleRecords(s.Fields, expression) {
			if v := value(mapper.Map(record)); v.Present && !v.NotText && v.Text != "" {
				return true
			}
			if time.Now().After(until) {
				return true
			}
		}
	}
	return false
}

func expressions(m seeding.Mapping, field string) []string {
	switch field {
	case "vid":
		return []string{m.VID}
	case "name":
		return m.Name
	case "gender":
		return []string{m.Gender}
	case "dob":
		return []string{m.DOB}
	case "phoneNumber":
		return []string{m.PhoneNumber}
	case "emailId":
		return []string{m.EmailID}
	default:
		return m.FullAddress
	}
}

// alone compiles one expression as the mapping of a field by the field's rules.
func (a *api) alone(field, expression string) (seeding.Mapper, func(seeding.Demographics) seeding.Value, error) {
	m := seeding.Mapping{VID: "id", Gender: "id", DOB: "id", PhoneNumber: "id", EmailID: "id"}
	var value func(seeding.Demographics) seeding.Value
	switch field {
	case "vid":
		m.VID, value = expression, func(d seeding.Demographics) seeding.Value { return d.VID }
	case "name":
		m.Name, value = []string{expression}, func(d seeding.Demographics) seeding.Value { return d.Name }
	case "gender":
		m.Gender, value = expression, func(d seeding.Demographics) seeding.Value { return d.Gender }
	case "dob":
		m.DOB, value = expression, func(d seeding.Demographics) seeding.Value { return d.DOB }
	case "phoneNumber":
		m.PhoneNumber, value = expression, func(d seeding.Demographics) seeding.Value { return d.PhoneNumber }
	case "emailId":
		m.EmailID, value = expression, func(d seeding.Demographics) seeding.Value { return d.EmailID }
	default:
		m.FullAddress, value = []string{expression}, func(d seeding.Demographics) seeding.Value { return d.FullAddress }
	}
	mapper, err := a.Mappings.Compile(m)
	return mapper, value, err
}

var (
	word    = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	literal = regexp.MustCompile(`"([^"\\]+)"`)
)

// mostSamples bounds the records that are tried for one expression.
const mostSamples = 4000

// sampleRecords yields records that hold the selected fields, and id, which is
// a number in every registry, and vid.
// Fields that the expression does not name are texts; those that it names take
// every combination of kinds, as long as there are not too many.
func sampleRecords(fields []string, expression string) func(yield func(seeding.Record) bool) {
	kinds := []any{"sample", "1990-11-02", []any{json.Number("1"), "sample"}} // a text, a date, a relation
	for _, found := range literal.FindAllStringSubmatch(expression, 10) {
		kinds = append(kinds, found[1]) // what the expression compares with
	}
	kinds = append(kinds,
		json.Number("1"), []any{json.Number("1"), json.Number("2")}, true, // a number, a list of ids, a boolean
		"1990-11-02 10:00:00", "0123456789", "male", "Male", "M", "female")
	var named []string
	for _, w := range word.FindAllString(expression, -1) {
		if w != "id" && slices.Contains(fields, w) && !slices.Contains(named, w) {
			named = append(named, w)
		}
	}
	for combinations(len(kinds), len(named)) > mostSamples && len(kinds) > 2 {
		kinds = kinds[:len(kinds)-1]
	}
	return func(yield func(seeding.Record) bool) {
		pick := make([]int, len(named))
		for range min(combinations(len(kinds), len(named)), mostSamples) {
			record := seeding.Record{}
			for _, field := range fields {
				record[field] = "sample"
			}
			record["id"] = json.Number("17")
			record["vid"] = "6104203947251938"
			for i, field := range named {
				record[field] = kinds[pick[i]]
			}
			if !yield(record) {
				return
			}
			for i := range pick { // count on, in base len(kinds)
				if pick[i]++; pick[i] < len(kinds) {
					break
				}
				pick[i] = 0
			}
		}
	}
}

func combinations(kinds, fields int) int {
	n := 1
	for range fields {
		if n *= kinds; n > mostSamples {
			return mostSamples + 1
		}
	}
	return n
}
