package main

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v4"
)

// Convert makes JSON of a YAML document: anchors are written out, the member
// x-shared, which only holds them, is left out, and members are in the order of
// their names.
func Convert(source []byte) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, err
	}
	delete(document, "x-shared")
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(document)
	return text.Bytes(), err
}
