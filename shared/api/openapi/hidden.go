package openapi

import (
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/api"
)

// A reply names the place of a mistake by the names around it. What is within a member
// that no reply holds (writeOnly) may be the secret itself, as in
// {"password": {"hunter2": 1}}, so a place ends at that member. Only of one that is an
// object, such as the headers of a call, the names that it may have are said.

// properName is a name that somebody means as one.
var properName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// discreet is a place without the names within a secret.
func (d *Document) discreet(at []string) []string {
	hidden := d.hidden()
	for i, name := range at {
		isObject, isHidden := hidden[name]
		switch {
		case !isHidden:
		case isObject && len(at) > i+1 && properName.MatchString(at[i+1]):
			return at[:i+2]
		default:
			return at[:i+1]
		}
	}
	return at
}

// discreetErrors ends the pointers of errors where discreet does.
func (d *Document) discreetErrors(errors api.FieldErrors) {
	for i, e := range errors {
		if e.Pointer != nil {
			pointer := strings.Join(d.discreet(strings.Split(*e.Pointer, "/")), "/")
			errors[i].Pointer = &pointer
		}
	}
}

// findHidden are the names of members that no reply holds, and whether they are
// objects.
func (d *Document) findHidden() map[string]bool {
	c, err := d.read()
	if err != nil {
		return nil // no request is read then
	}
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for name, property := range properties {
				if said, _ := c.resolved(property); member(said, "writeOnly") == true {
					found[name] = found[name] || isType(said, "object")
				}
			}
			for _, below := range v {
				walk(below)
			}
		case []any:
			for _, below := range v {
				walk(below)
			}
		}
	}
	walk(c.tree)
	return found
}

// isType reports whether a schema allows a type.
func isType(schema map[string]any, name string) bool {
	list, _ := schema["type"].([]any)
	return schema["type"] == name || slices.Contains(list, any(name))
}
