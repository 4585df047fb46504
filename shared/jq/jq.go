// Package jq evaluates a connector's mapping as MTS would (facts/mts.md 2.3 and
// 2.4), but safely (facts/mts.md W11): an expression sees the record and nothing
// else, and its work is counted, so that it ends in bounded time and memory, at
// the same step for the same record.
//
// gojq reads the expressions. They are evaluated here, because a single step of
// its machine has no bound (infra/decisions.md).
package jq

import (
	"errors"
	"strconv"

	"openg2p.org/mts-connector/shared/seeding"
)

// Mappings implements seeding.Mappings.
type Mappings struct{}

// Compile compiles all expressions of m. Its error joins a
// *seeding.MappingError per expression that cannot be used.
func (Mappings) Compile(m seeding.Mapping) (seeding.Mapper, error) {
	var invalid []error
	compile := func(field, text string) *program {
		p, err := compile(text)
		if err != nil {
			invalid = append(invalid, &seeding.MappingError{Field: field, Text: err.Error()})
		}
		return p
	}
	list := func(field string, texts []string) []*program {
		programs := make([]*program, len(texts))
		for i, text := range texts {
			programs[i] = compile(field+"/"+strconv.Itoa(i), text)
		}
		return programs
	}
	compiled := mapper{
		vid:         compile("vid", m.VID),
		name:        list("name", m.Name),
		gender:      compile("gender", m.Gender),
		dob:         compile("dob", m.DOB),
		phoneNumber: compile("phoneNumber", m.PhoneNumber),
		emailID:     compile("emailId", m.EmailID),
		fullAddress: list("fullAddress", m.FullAddress),
	}
	switch len(invalid) {
	case 0:
		return compiled, nil
	case 1:
		return nil, invalid[0]
	default:
		return nil, errors.Join(invalid...)
	}
}

// Foresee says what an expression can give, whatever is in the fields of a
// record, of which the types are known; other fields are null. Its error says in
// words for the user what is wrong with the expression. One of a later jq than MTS has
// is wrong: MTS itself evaluates those of forms. Compile takes it, as before.
func (Mappings) Foresee(expression string, fields map[string]seeding.Types) (seeding.Outcome, error) {
	p, err := compile(expression)
	if err == nil {
		err = p.check15(expression)
	}
	if err != nil {
		return seeding.Outcome{}, err
	}
	if p.neverEnds(fields) {
		return seeding.Outcome{}, wrong("expression_work", nil, "needs too much work, whatever a record holds: it makes something too large, or does not end")
	}
	return p.foresee(fields, tRecord), nil
}

// neverEnds reports whether the work is spent with values of several kinds. They
// are small, and work that depends on them is not counted against the program.
func (p *program) neverEnds(fields map[string]seeding.Types) bool {
	for _, v := range []any{false, "sample", []any{1, "sample"}} {
		record := map[string]any{}
		for field, types := range fields {
			switch types {
			case seeding.Number:
				record[field] = 17
			case seeding.Text:
				record[field] = "6104203947251938"
			default:
				record[field] = v
			}
		}
		e := &evaluation{left: maxWork}
		if e.first(p, record); !e.spent {
			return false
		}
	}
	return true
}
