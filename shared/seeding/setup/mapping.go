package setup

import (
	"errors"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// checkMapping: every expression can be compiled, and every mandatory field can
// get a text from the selected fields (facts/mts.md D11).
func (r Rules) checkMapping(p Proposal) []Finding {
	source := p.Connector.Source
	var found []Finding
	if _, err := r.Mappings.Compile(source.Mapping); err != nil {
		for _, e := range mappingErrors(err) {
			name, _, _ := strings.Cut(e.Field, "/")
			if p.readable(MappingOf(name)) {
				found = append(found, Finding{MappingOf(e.Field), e.Text})
			}
		}
	}
	if len(found) > 0 || !p.readable(Mapping, Fields, Mandatory) {
		return found
	}
	for _, field := range append([]string{"vid"}, source.Mandatory...) {
		if !r.canGiveText(source, field) {
			found = append(found, Finding{MappingOf(field), "can give no text, though " + field +
				" is mandatory: it finds nothing in the selected fields (" + strings.Join(source.Fields, ", ") + ", and vid)"})
		}
	}
	return found
}

// mappingErrors finds all of them in an error that may join several.
func mappingErrors(err error) []*seeding.MappingError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*seeding.MappingError
		for _, one := range joined.Unwrap() {
			all = append(all, mappingErrors(one)...)
		}
		return all
	}
	if e, ok := errors.AsType[*seeding.MappingError](err); ok {
		return []*seeding.MappingError{e}
	}
	return []*seeding.MappingError{{Text: "cannot be used"}}
}

// canGiveText reports whether a field of MTS can get a text from the selected
// fields. It evaluates the field's expressions on sample records, in which the
// selected fields have values of several kinds, as a registry might send them.
func (r Rules) canGiveText(source seeding.RegistrySource, field string) bool {
	target, known := targets[field]
	if !known {
		return false
	}
	for _, expression := range target.expressions(source.Mapping) {
		alone := seeding.Mapping{VID: "id", Gender: "id", DOB: "id", PhoneNumber: "id", EmailID: "id"}
		target.set(&alone, expression)
		mapper, err := r.Mappings.Compile(alone)
		if err != nil {
			continue
		}
		for record := range samples(source.Fields, expression) {
			if v := target.value(mapper.Map(record)); v.Present && !v.NotText && v.Text != "" {
				return true
			}
			if r.Expired != nil && r.Expired() {
				return true
			}
		}
	}
	return false
}

// targets gives access to each of seeding.MTSFields: its expressions in a
// mapping, setting one expression, and its value.
var targets = map[string]struct {
	expressions func(seeding.Mapping) []string
	set         func(*seeding.Mapping, string)
	value       func(seeding.Demographics) seeding.Value
}{
	"vid": {
		func(m seeding.Mapping) []string { return []string{m.VID} },
		func(m *seeding.Mapping, expression string) { m.VID = expression },
		func(d seeding.Demographics) seeding.Value { return d.VID },
	},
	"name": {
		func(m seeding.Mapping) []string { return m.Name },
		func(m *seeding.Mapping, expression string) { m.Name = []string{expression} },
		func(d seeding.Demographics) seeding.Value { return d.Name },
	},
	"gender": {
		func(m seeding.Mapping) []string { return []string{m.Gender} },
		func(m *seeding.Mapping, expression string) { m.Gender = expression },
		func(d seeding.Demographics) seeding.Value { return d.Gender },
	},
	"dob": {
		func(m seeding.Mapping) []string { return []string{m.DOB} },
		func(m *seeding.Mapping, expression string) { m.DOB = expression },
		func(d seeding.Demographics) seeding.Value { return d.DOB },
	},
	"phoneNumber": {
		func(m seeding.Mapping) []string { return []string{m.PhoneNumber} },
		func(m *seeding.Mapping, expression string) { m.PhoneNumber = expression },
		func(d seeding.Demographics) seeding.Value { return d.PhoneNumber },
	},
	"emailId": {
		func(m seeding.Mapping) []string { return []string{m.EmailID} },
		func(m *seeding.Mapping, expression string) { m.EmailID = expression },
		func(d seeding.Demographics) seeding.Value { return d.EmailID },
	},
	"fullAddress": {
		func(m seeding.Mapping) []string { return m.FullAddress },
		func(m *seeding.Mapping, expression string) { m.FullAddress = []string{expression} },
		func(d seeding.Demographics) seeding.Value { return d.FullAddress },
	},
}
