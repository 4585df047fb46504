package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The marks around the table of fields in the README.
const (
	fieldsBegin = "<!-- fields: go generate ./shared/api/... -->\n"
	fieldsEnd   = "<!-- end of fields -->\n"
)

// schema is what is read of a schema of the document.
type schema struct {
	Ref         string `json:"$ref"`
	Description string
	Required    []string
	Properties  map[string]schema
	Enum        []string
	Default     any
	Minimum     *int
	Maximum     *int
	MaxLength   *int
	MaxItems    *int
	Pattern     string
	Says        map[string]struct{ Text string } `json:"x-says"`
	Seed        *seed                            `json:"x-seed"`
}

// seed says which field of the seeds a member is.
type seed struct {
	Number  int
	Field   string // as the seeds name it
	Seeds   []string
	Test    string // of its effect
	Default string // where the schema has none, because it follows from other members
}

type field struct {
	seed
	member, value, rule string
}

// Fields is the table, in Markdown, of the members of a configuration that a document
// of the API (JSON) has a seed for, in the order of their numbers.
func Fields(document []byte) (string, error) {
	var read struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(document, &read); err != nil {
		return "", err
	}
	var fields []field
	var walk func(prefix string, s schema)
	walk = func(prefix string, s schema) {
		for name, property := range s.Properties {
			if property.Ref != "" {
				referred := read.Components.Schemas[property.Ref[strings.LastIndex(property.Ref, "/")+1:]]
				referred.Seed = property.Seed
				property = referred
			}
			if property.Seed != nil {
				fields = append(fields, field{*property.Seed, prefix + name, property.value(slices.Contains(s.Required, name)), property.rule()})
			}
			walk(prefix+name+".", property)
		}
	}
	walk("", read.Components.Schemas["NewConnector"])
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.Number, b.Number) })
	var table strings.Builder
	table.WriteString("| | Field | Seeds | Member | Default | Rule | Test |\n|---|---|---|---|---|---|---|\n")
	for _, f := range fields {
		fmt.Fprintf(&table, "| %d | %s | %s | `%s` | %s | %s | `%s` |\n", f.Number, f.Field, strings.Join(f.Seeds, ", "), f.member, f.value, f.rule, f.Test)
	}
	return table.String(), nil
}

// value is the default, as JSON.
func (s schema) value(required bool) string {
	if s.Default == nil && len(s.Properties) > 0 {
		members := map[string]any{}
		for name, property := range s.Properties {
			members[name] = property.Default
		}
		s.Default = members
	}
	switch {
	case required:
		return "none: it must be given"
	case s.Seed.Default != "":
		return code(s.Seed.Default)
	case s.Default == nil:
		return "none"
	}
	text, _ := json.Marshal(s.Default) // it was read from JSON
	return code(string(text))
}

// rule is the description, and what values there may be. What may be a list or a text
// says its limit in its description.
func (s schema) rule() string {
	description := cell(strings.Join(strings.Fields(s.Description), " "))
	var allowed []string
	for _, value := range s.Enum {
		allowed = append(allowed, code(value))
	}
	switch says := s.Says["pattern"].Text; {
	case len(allowed) == 1:
		return description + " Only " + allowed[0] + "."
	case len(allowed) > 0:
		return description + " One of " + strings.Join(allowed, ", ") + "."
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%s From %d to %d.", description, *s.Minimum, *s.Maximum)
	case says != "":
		return description + " It " + cell(says) + "."
	case s.MaxItems != nil && s.MaxLength != nil:
		return description
	case s.MaxItems != nil:
		return fmt.Sprintf("%s At most %d.", description, *s.MaxItems)
	case s.MaxLength != nil:
		return fmt.Sprintf("%s At most %d characters.", description, *s.MaxLength)
	}
	return description
}

func code(text string) string { return "`" + cell(text) + "`" }

// cell is a text in a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// Between replaces what stands between the marks of a text.
func Between(text []byte, table string) ([]byte, error) {
	before, rest, begun := bytes.Cut(text, []byte(fieldsBegin))
	_, after, ended := bytes.Cut(rest, []byte(fieldsEnd))
	if !begun || !ended {
		return nil, fmt.Errorf("the marks %q and %q are missing", strings.TrimSpace(fieldsBegin), strings.TrimSpace(fieldsEnd))
	}
	return slices.Concat(before, []byte(fieldsBegin), []byte(table), []byte(fieldsEnd), after), nil
}
