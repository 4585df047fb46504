package jq

import (
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

// Reads are the fields of a record that the expressions of a mapping read by their names,
// whatever the record holds, in order; known is false if they may read others.
func (Mappings) Reads(m seeding.Mapping) (names []string, known bool) {
	expressions := slices.Concat([]string{m.VID}, m.Name, []string{m.Gender, m.DOB, m.PhoneNumber, m.EmailID}, m.FullAddress)
	fields := map[string]seeding.Types{}
	for before := -1; before < len(fields); { // what a field holds may decide whether another is read
		before = len(fields)
		for _, expression := range expressions {
			p, err := compile(expression)
			if err != nil {
				return nil, false
			}
			outcome := p.foresee(fields, tRecord)
			if outcome.ReadsAny {
				return nil, false
			}
			for _, name := range outcome.Reads {
				if _, met := fields[name]; !met {
					fields[name] = tAny
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return names, true
}
