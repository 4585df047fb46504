package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// changes are what the person says about single connectors: members of the API's
// configuration by the id in Odoo, which take the place of the planned ones (RFC 7396:
// null is the API's default). "*" is about all of them.
type changes map[string]map[string]any

const everyConnector = "*"

// readChanges reads the file of -changes. Its errors hold nothing of the file, which may
// have passwords.
func readChanges(text []byte) (changes, error) {
	var c changes
	if err := json.Unmarshal(text, &c); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("is not JSON at byte %d", syntax.Offset)
		}
		return nil, errors.New(`must be an object such as {"7": {"domain": []}, "*": {"remove_vids": true}}`)
	}
	for id := range c {
		if _, err := strconv.ParseInt(id, 10, 64); err != nil && id != everyConnector {
			return nil, errors.New(`must have the id of a connector of Odoo, or "*", as the name of each member`)
		}
	}
	return c, nil
}

// apply makes the changes of one connector. What is given is not missing any more.
func (c changes) apply(p plan) plan {
	p.Steps = slices.Clone(p.Steps)
	for _, patch := range []map[string]any{c[everyConnector], c[strconv.FormatInt(p.ID, 10)]} {
		merge(p.Body, patch)
		for _, here := range members("", patch) {
			p.Steps = slices.DeleteFunc(p.Steps, func(s step) bool { return within(s.Here, here) })
			p.Steps = append(p.Steps, step{Kind: given, Here: here, Why: "by -changes"})
		}
	}
	return p
}

// merge makes a merge patch.
func merge(target, patch map[string]any) {
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(target, name)
		case isObject && name != "extra_headers":
			below, _ := target[name].(map[string]any)
			if below == nil {
				below = map[string]any{}
			}
			merge(below, inner)
			target[name] = below
		default:
			target[name] = value
		}
	}
}

// members are the paths of the values of a patch.
func members(prefix string, patch map[string]any) (paths []string) {
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		path := strings.TrimPrefix(prefix+"."+name, ".")
		if inner, isObject := patch[name].(map[string]any); isObject && name != "extra_headers" {
			paths = append(paths, members(path, inner)...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// within reports whether a path is, or is below, another.
func within(path, of string) bool { return path == of || strings.HasPrefix(path, of+".") }
