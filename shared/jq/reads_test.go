package jq_test

import (
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// What a mapping reads of a record is all that MTS need be given of it.
func TestWhatAMappingReads(t *testing.T) {
	mapping := func(vid string, name ...string) seeding.Mapping {
		return seeding.Mapping{VID: vid, Name: name, Gender: "sex", DOB: "dob", PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"where.address", "where.city"}}
	}
	for name, c := range map[string]struct {
		mapping seeding.Mapping
		want    []string // nil if it may read others
	}{
		"fields and groups":                 {mapping("vid", "person.name"), []string{"dob", "email", "person", "phone", "sex", "vid", "where"}},
		"one field after another":           {mapping("vid // .uin", "name"), []string{"dob", "email", "name", "phone", "sex", "uin", "vid", "where"}},
		"a field that decides about others": {mapping("vid", "kind | if . == \"x\" then . else . end", "a | if type == \"string\" then . else null end"), []string{"a", "dob", "email", "kind", "phone", "sex", "vid", "where"}},
		"a field that another one reveals":  {mapping("vid as $v | if .old then .former else $v end", "name"), []string{"dob", "email", "former", "name", "old", "phone", "sex", "vid", "where"}},
		"a quoted name":                     {mapping(`"my-vid"`, "name"), []string{"dob", "email", "my-vid", "name", "phone", "sex", "where"}},
		"a name that depends on the record": {mapping(`which as $w | .[$w]`, "name"), nil},
		"the whole record":                  {mapping("vid", "name as $n | tostring"), nil},
		"what does not compile":             {mapping("vid", "name | ("), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := jq.Mappings{}.Reads(c.mapping)
			if known != (c.want != nil) || known && !slices.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q", got, known, c.want)
			}
		})
	}
}
