package openapitest

import (
	"maps"
	"slices"
	"strings"
)

// Member is a member of the body of a request, as its schema has it.
type Member struct {
	Path   []string // names on the way to it; an entry of a list is "0", one of an object with free names "Any"
	Schema map[string]any
}

// Is reports whether the schema allows a type.
func (m Member) Is(name string) bool {
	list, _ := m.Schema["type"].([]any)
	return m.Schema["type"] == name || slices.Contains(list, any(name))
}

// Members are those of the body of an operation, at every depth.
func (c *Contract) Members(operation string) []Member {
	method, path, _ := strings.Cut(operation, " ")
	schema := c.object("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema")
	return c.membersBelow(schema, nil)
}

// SchemaMembers are those of a schema among the components.
func (c *Contract) SchemaMembers(name string) []Member {
	return c.membersBelow(c.object("components", "schemas", name), nil)
}

// deepest is how deep members are looked for: deeper than any request is.
const deepest = 6

func (c *Contract) membersBelow(schema map[string]any, path []string) (list []Member) {
	if len(path) == deepest {
		return nil
	}
	below := func(name string, v any) {
		followed, _ := c.follow(v, "")
		if s, ok := followed.(map[string]any); ok {
			at := append(slices.Clone(path), name)
			list = append(list, Member{at, s})
			list = append(list, c.membersBelow(s, at)...)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		below(name, properties[name])
	}
	below("0", schema["items"])
	below("Any", schema["additionalProperties"])
	for _, keyword := range []string{"oneOf", "anyOf", "allOf"} {
		choices, _ := schema[keyword].([]any)
		for _, choice := range choices {
			followed, _ := c.follow(choice, "")
			s, _ := followed.(map[string]any)
			list = append(list, c.membersBelow(s, path)...)
		}
	}
	return list
}

// Parameters are the names of those of an operation that are in "path", "query" or
// "header".
func (c *Contract) Parameters(operation, in string) (names []string) {
	method, path, _ := strings.Cut(operation, " ")
	for _, at := range [][]string{{"paths", path, "parameters"}, {"paths", path, strings.ToLower(method), "parameters"}} {
		list, _ := c.at(at...)
		entries, _ := list.([]any)
		for _, entry := range entries {
			followed, _ := c.follow(entry, "")
			if said, _ := followed.(map[string]any); said["in"] == in {
				name, _ := said["name"].(string)
				names = append(names, name)
			}
		}
	}
	return names
}
