package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// The tests of this package look at the expanded template, and above all at what
// the local emulator ignores.

type stack struct {
	template.Stack
	kinds []string // of rejections, from shared/seeding
}

var (
	at   = template.At
	text = template.Text
	list = template.List
	bare = template.Bare

	texts = template.Texts
)

func load(t *testing.T) stack {
	t.Helper()
	s, err := template.Expanded()
	if err != nil {
		t.Fatal(err)
	}
	return stack{s, slices.Sorted(maps.Values(constants(t, "RejectionKind")))}
}

// all returns the resources of a type in the order of their names. Having none
// fails the test, which would otherwise check nothing.
func (s stack) all(t *testing.T, kind string) []string {
	t.Helper()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[name].Type == kind {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("there is no %s", kind)
	}
	return names
}

// get returns the text of a property: "${Name}" for a reference,
// "${Name.Attribute}" for an attribute, "" if it is not set.
func (s stack) get(name string, path ...string) string {
	return text(at(s.Resources[name].Properties, path...))
}

// short is the short name of a function or its role: "submit".
func short(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "Role"))
}
