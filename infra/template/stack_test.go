package template_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// The tests of this package look at what CloudFormation gets, not at what SAM
// is told, and at what the local emulator drops or does not check.

//go:embed expand.py
var expand string

type stack struct {
	Parameters map[string]map[string]any
	Resources  map[string]resource
}

type resource struct {
	Type                string
	Condition           string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Metadata            map[string]any
	Properties          map[string]any
}

var expanded = sync.OnceValues(func() (stack, error) {
	root, err := template.Root()
	if err != nil {
		return stack{}, err
	}
	source, err := os.Open(filepath.Join(root, "template.yaml"))
	if err != nil {
		return stack{}, err
	}
	defer source.Close()
	var output, complaint bytes.Buffer
	python := exec.Command(filepath.Join(root, ".cache/venv-ministack/bin/python"), "-c", expand)
	python.Stdin, python.Stdout, python.Stderr = source, &output, &complaint
	if err := python.Run(); err != nil {
		return stack{}, &expandError{err, complaint.String()}
	}
	var s stack
	return s, json.Unmarshal(output.Bytes(), &s)
})

type expandError struct {
	error
	complaint string
}

func (e *expandError) Error() string {
	return e.error.Error() + " (infra/tools/fetch ministack brings what expands the template)\n" + e.complaint
}

func load(t *testing.T) stack {
	t.Helper()
	s, err := expanded()
	if err != nil {
		t.Fatalf("expanding template.yaml: %v", err)
	}
	return s
}

// all returns the resources of a type in the order of their names; none at
// all fails the test, which would otherwise check nothing.
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
// "${Name.Attribute}" for an attribute, "" where there is none.
func (s stack) get(name string, path ...string) string {
	return text(at(s.Resources[name].Properties, path...))
}

func at(value any, path ...string) any {
	for _, step := range path {
		m, _ := value.(map[string]any)
		value = m[step]
	}
	return value
}

func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		if len(v) == 1 {
			for function, argument := range v {
				switch function {
				case "Ref":
					return "${" + text(argument) + "}"
				case "Fn::Sub":
					return text(argument)
				case "Fn::GetAtt":
					var parts []string
					for _, part := range list(argument) {
						parts = append(parts, text(part))
					}
					return "${" + strings.Join(parts, ".") + "}"
				}
			}
		}
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

// list returns a list, or the one value that stands for a list of one.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func texts(value any) []string {
	var all []string
	for _, v := range list(value) {
		all = append(all, text(v))
	}
	return all
}

// bare takes "${Name}" and "${Name.Attribute}" to Name.
func bare(reference string) string {
	name, _, _ := strings.Cut(strings.Trim(reference, "${}"), ".")
	return name
}

// short names a function, role or table as the tests do: "submit".
func short(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "Role"))
}
