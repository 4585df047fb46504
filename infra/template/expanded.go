package template

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

//go:embed expand.py
var expand string

// stack is the expanded template: what CloudFormation gets once SAM has
// processed template.yaml.
type stack struct {
	Parameters map[string]map[string]any
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]map[string]any
}

type resource struct {
	Type                string
	Condition           string
	DependsOn           any // a name or a list of names
	DeletionPolicy      string
	UpdateReplacePolicy string
	Metadata            map[string]any
	Properties          map[string]any
}

var expanded = sync.OnceValues(func() (s stack, err error) {
	root, err := Root()
	if err != nil {
		return s, err
	}
	source, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return s, err
	}
	var output, messages bytes.Buffer
	python := exec.Command(filepath.Join(root, ".cache/venv-ministack/bin/python"), "-c", expand)
	python.Stdin, python.Stdout, python.Stderr = bytes.NewReader(source), &output, &messages
	if err := python.Run(); err != nil {
		return s, fmt.Errorf("expanding template.yaml: %w (infra/tools/fetch ministack installs what it needs)\n%s", err, messages.Bytes())
	}
	return s, json.Unmarshal(output.Bytes(), &s)
})

// at returns the value under a path of names in nested maps, nil if there is none.
func at(value any, path ...string) any {
	for _, step := range path {
		m, _ := value.(map[string]any)
		value = m[step]
	}
	return value
}

// text writes a value as text: "${Name}" for a reference, "${Name.Attribute}"
// for an attribute, "" for nil, JSON for any other map or list.
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
					return "${" + strings.Join(texts(argument), ".") + "}"
				}
			}
		}
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

// list returns a list as it is and a single value as a list of one.
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

// bare returns the Name of "${Name}" and "${Name.Attribute}".
func bare(reference string) string {
	name, _, _ := strings.Cut(strings.Trim(reference, "${}"), ".")
	return name
}
