package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The table of the README is what the document says.
func TestTheReadmesTableOfFieldsIsFresh(t *testing.T) {
	document, err := os.ReadFile("../../shared/api/connectors/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	table, err := Fields(document)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want, err := Between(readme, table); err != nil || !bytes.Equal(readme, want) {
		t.Errorf("README.md has not the fields of shared/api/openapi.yaml: go generate ./shared/api/... (%v)", err)
	}
}

func TestFields(t *testing.T) {
	const document = `{"components": {"schemas": {
		"NewConnector": {"required": ["name"], "properties": {
			"name": {"description": "What\nit is called. And more.", "maxLength": 100, "x-seed": {"number": 1, "field": "Name", "seeds": ["000"], "test": "TestName"}},
			"callback": {"$ref": "#/components/schemas/Callback"},
			"mapping": {"$ref": "#/components/schemas/Mapping", "x-seed": {"number": 3, "field": "Mapping", "seeds": ["000", "001"], "test": "TestMapping"}},
			"other": {"default": 5}}},
		"Callback": {"properties": {"method": {"description": "How.", "enum": ["GET", "A|B"], "default": "GET", "x-seed": {"number": 2, "field": "HTTP Method", "seeds": ["001"], "test": "TestMethod"}}}},
		"Mapping": {"description": "Expressions.", "properties": {"dob": {"default": "birthdate"}}}}}}`
	const want = "| | Field | Seeds | Member | Default | Rule | Test |\n|---|---|---|---|---|---|---|\n" +
		"| 1 | Name | 000 | `name` | none: it must be given | What it is called. And more. At most 100 characters. | `TestName` |\n" +
		"| 2 | HTTP Method | 001 | `callback.method` | `\"GET\"` | How. One of `GET`, `A\\|B`. | `TestMethod` |\n" +
		"| 3 | Mapping | 000, 001 | `mapping` | `{\"dob\":\"birthdate\"}` | Expressions. | `TestMapping` |\n"
	got, err := Fields([]byte(document))
	if err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	text, err := Between([]byte("a\n"+fieldsBegin+"old\n"+fieldsEnd+"b\n"), "new\n")
	if err != nil || string(text) != "a\n"+fieldsBegin+"new\n"+fieldsEnd+"b\n" {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := Between([]byte("a\n"+fieldsEnd+fieldsBegin), ""); err == nil {
		t.Error("the marks are in the wrong order")
	}
}
