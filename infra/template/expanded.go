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

// The expanded template is what CloudFormation gets, not what SAM is told.

//go:embed expand.py
var expand string

// stack is the expanded template.
type stack struct {
	Parameters map[string]map[string]any
	Conditions map[string]any
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

var expanded = sync.OnceValues(func() (s stack, err error) {
	root, err := Root()
	if err != nil {
		return s, err
	}
	source, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return s, err
	}
	var output, complaint bytes.Buffer
	python := exec.Command(filepath.Join(root, ".cache/venv-ministack/bin/python"), "-c", expand)
	python.Stdin, python.Stdout, python.Stderr = bytes.NewReader(source), &output, &complaint
	if err := python.Run(); err != nil {
		return s, fmt.Errorf("expanding template.yaml: %w (infra/tools/fetch ministack brings what expands it)\n%s", err, complaint.Bytes())
	}
	return s, json.Unmarshal(output.Bytes(), &s)
})

// at follows the names down; nil where there is nothing.
func at(value any, path ...string) any {
	for _, step := range path {
		m, _ := value.(map[string]any)
		value = m[step]
	}
	return value
}

// text is a value as the tests name it: "${Name}" for a reference,
// "${Name.Attribute}" for an attribute, "" for nothing, JSON for what has parts.
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
