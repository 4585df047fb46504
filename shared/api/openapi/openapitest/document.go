package openapitest

import (
	"bytes"
	_ "embed" // of the schema of OpenAPI
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"openg2p.org/mts-connector/shared/api/openapi"
)

// official is the schema of OpenAPI 3.1 by the OpenAPI Initiative, as the PyPI package
// openapi-spec-validator 0.9.0 has it.
//
//go:embed testdata/openapi-3.1.json
var official []byte

// Document tests what must be true of a document, whatever it describes.
func (c *Contract) Document(t *testing.T) {
	t.Run("valid OpenAPI 3.1", func(t *testing.T) {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(official))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("https://spec.openapis.org/oas/3.1/schema/2022-10-07", schema); err != nil {
			t.Fatal(err)
		}
		compiled, err := compiler.Compile("https://spec.openapis.org/oas/3.1/schema/2022-10-07")
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(c.tree); err != nil {
			t.Error(err)
		}
	})
	ids := map[string]bool{}
	for path := range c.object("paths") {
		if c.object("paths", path)["x-function"] == nil {
			t.Errorf("%s: nobody serves it (x-function)", path)
		}
		for method, operation := range c.operations(path) {
			where := strings.ToUpper(method) + " " + path
			public := fmt.Sprint(operation["security"]) == "[]"
			role, _ := operation["x-role"].(string)
			if public == slices.Contains([]string{"any", "viewer", "operator", "administrator"}, role) {
				t.Errorf("%s: x-role is %q, public %t", where, role, public)
			}
			id, _ := operation["operationId"].(string)
			if id == "" || ids[id] || operation["summary"] == nil || operation["tags"] == nil {
				t.Errorf("%s: no operationId of its own, no summary, or no tags", where)
			}
			ids[id] = true
			c.body(t, where, "paths", path, method, "requestBody")
			for status := range c.object("paths", path, method, "responses") {
				c.content(t, where+" "+status, "paths", path, method, "responses", status)
			}
		}
	}
	for _, name := range []string{"x-problems", "x-codes"} {
		if len(c.object(name)) == 0 {
			t.Errorf("there is no %s", name)
		}
	}
	c.references(t, c.tree)
}

// operations of a path by method, in small letters.
func (c *Contract) operations(path string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, method := range []string{"get", "put", "post", "delete", "patch"} {
		if o := c.object("paths", path, method); o != nil {
			found[method] = o
		}
	}
	return found
}

// Operations are those of the document, "GET /path".
func (c *Contract) Operations() (list []string) {
	for path := range c.object("paths") {
		for method := range c.operations(path) {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// Public reports whether an operation needs no token.
func (c *Contract) Public(operation string) bool {
	method, path, _ := strings.Cut(operation, " ")
	return fmt.Sprint(c.object("paths", path, strings.ToLower(method))["security"]) == "[]"
}

// Function is the one that serves an operation.
func (c *Contract) Function(operation string) string {
	_, path, _ := strings.Cut(operation, " ")
	function, _ := c.object("paths", path)["x-function"].(string)
	return function
}

// Role is the one that an operation needs, "" for a public one.
func (c *Contract) Role(operation string) string {
	method, path, _ := strings.Cut(operation, " ")
	role, _ := c.object("paths", path, strings.ToLower(method))["x-role"].(string)
	return role
}

// Examples are the bodies that the document shows for an operation, by name.
func (c *Contract) Examples(operation string) map[string][]byte {
	method, path, _ := strings.Cut(operation, " ")
	found := map[string][]byte{}
	for name, value := range c.examples("paths", path, strings.ToLower(method), "requestBody", "content", "application/json") {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // it was read from JSON
		}
		found[name] = text
	}
	return found
}

func (c *Contract) examples(names ...string) map[string]any {
	found := map[string]any{}
	if one, there := c.object(names...)["example"]; there {
		found["example"] = one
	}
	for name := range c.object(append(names, "examples")...) {
		found[name] = c.object(append(names, "examples", name)...)["value"]
	}
	return found
}

// content tests that the bodies of a reply have examples, and that they are valid.
func (c *Contract) content(t *testing.T, where string, names ...string) {
	for kind := range c.object(append(names, "content")...) {
		at := append(slices.Clone(names), "content", kind)
		examples := c.examples(at...)
		if len(examples) == 0 {
			t.Errorf("%s %s has no example", where, kind)
		}
		if c.object(append(at, "schema")...) == nil {
			t.Errorf("%s %s has no schema", where, kind)
			continue
		}
		for name, example := range examples {
			_, pointer := c.at(append(at, "schema")...)
			if err := c.Validate(pointer, example); err != nil {
				t.Errorf("%s %s, %s: %v", where, kind, name, err)
			}
			if text, err := json.Marshal(example); err == nil && kind == "application/problem+json" {
				var status struct{ Status int }
				_ = json.Unmarshal(text, &status)
				if err := c.problem(where, status.Status, text); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// body tests the body of a request.
func (c *Contract) body(t *testing.T, where string, names ...string) {
	if c.object(names...) == nil {
		return
	}
	if len(c.object(append(names, "content")...)) != 1 || c.object(append(names, "content", "application/json")...) == nil {
		t.Errorf("%s takes something else than JSON", where)
		return
	}
	c.content(t, where, names...)
	schema, pointer := c.at(append(names, "content", "application/json", "schema")...)
	c.bounded(t, where, schema, pointer, map[string]bool{})
}

// bounded tests that what a schema of a request lets pass fits into Go, and that each
// refusal has words.
func (c *Contract) bounded(t *testing.T, where string, schema any, pointer string, seen map[string]bool) {
	schema, pointer = c.follow(schema, pointer)
	s, _ := schema.(map[string]any)
	if seen[pointer] || s == nil {
		return
	}
	seen[pointer] = true
	where += " #" + pointer
	is := Member{Schema: s}.Is
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return s[name] != nil })
	}
	if is("null") {
		t.Errorf("%s: null is removed before the check", pointer)
	}
	if is("string") && !has("maxLength", "enum", "const") {
		t.Errorf("%s: a text without maxLength", where)
	}
	if (is("integer") || is("number")) && (!has("minimum", "exclusiveMinimum") || !has("maximum", "exclusiveMaximum")) {
		t.Errorf("%s: a number without minimum and maximum", where)
	}
	if is("array") {
		most, ok := s["maxItems"].(json.Number)
		if n, err := most.Int64(); !ok || err != nil || n > openapi.MostEntries {
			t.Errorf("%s: a list without maxItems of %d at most", where, openapi.MostEntries)
		}
	}
	if is("object") && !has("additionalProperties") {
		t.Errorf("%s: an object that does not say additionalProperties", where)
	}
	said, _ := s["x-says"].(map[string]any)
	for _, keyword := range []string{"not", "anyOf", "oneOf", "pattern", "contains", "propertyNames"} {
		if has(keyword) && said[keyword] == nil {
			t.Errorf("%s: %s without x-says", where, keyword)
		}
	}
	for keyword, words := range said {
		members, _ := words.(map[string]any)
		code, _ := members["code"].(string)
		if text, _ := members["text"].(string); text == "" || c.object("x-codes")[code] == nil {
			t.Errorf("%s: x-says of %s needs a text, and a code of x-codes", where, keyword)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.object(nonEmpty(pointer, "properties")...))) {
		property := c.object(nonEmpty(pointer, "properties")...)[name]
		c.bounded(t, where, property, pointer+"/properties/"+escaped.Replace(name), seen)
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		c.bounded(t, where, s[keyword], pointer+"/"+keyword, seen)
	}
	for _, keyword := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := s[keyword].([]any)
		for i, one := range list {
			c.bounded(t, where, one, fmt.Sprintf("%s/%s/%d", pointer, keyword, i), seen)
		}
	}
}

func nonEmpty(pointer, last string) (names []string) {
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		names = append(names, unescaped.Replace(name))
	}
	return append(names, last)
}

// references tests that each leads somewhere, and that no component is unused. A
// member that is null is a slip of YAML: text behind a comma that was not quoted.
func (c *Contract) references(t *testing.T, v any) {
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if reference, ok := v["$ref"].(string); ok {
				used[reference] = true
				if found, _ := c.follow(v, ""); found == nil {
					t.Errorf("%s leads nowhere", reference)
				}
			}
			for name, value := range v {
				if value == nil {
					t.Errorf("%q is null: is a text without quotes?", name)
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	walk(v)
	for kind := range c.object("components") {
		for name := range c.object("components", kind) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("the component %s/%s is not used", kind, name)
			}
		}
	}
}
