package setup

import (
	"encoding/json"
	"iter"
	"regexp"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

var (
	word    = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	literal = regexp.MustCompile(`"([^"\\]+)"`)
)

// mostSamples bounds the records on which one expression is evaluated.
const mostSamples = 4000

// samples yields records with the selected fields, id, which is always a number,
// and vid. Fields that the expression does not name are texts. Those that it
// names take every combination of kinds of value, unless there are too many.
func samples(fields []string, expression string) iter.Seq[seeding.Record] {
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
