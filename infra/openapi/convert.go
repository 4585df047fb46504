package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// Convert makes JSON of a YAML document: anchors are written out, the member
// x-shared, which only holds them, is left out, the further members are added, and
// members are in the order of their names.
func Convert(source []byte, further map[string]any) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, err
	}
	delete(document, "x-shared")
	for name, value := range further {
		if document[name] != nil {
			return nil, fmt.Errorf("%s is generated", name)
		}
		document[name] = value
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(document)
	return text.Bytes(), err
}
