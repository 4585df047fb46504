package main

import (
	"bytes"
	"os"
	"testing"
)

// What is embedded and served is what people wrote.
func TestGeneratedDocumentIsFresh(t *testing.T) {
	source, err := os.ReadFile("../../shared/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Convert(source, Codes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../shared/api/connectors/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("shared/api/connectors/openapi.json is not what shared/api/openapi.yaml says: go generate ./shared/api/...")
	}
}

func TestConvert(t *testing.T) {
	got, err := Convert([]byte("b: {<<: *x, d: 1}\nx-shared: &x {c: <, d: 2}\na: \"200\"\n"), nil)
	if err == nil {
		t.Errorf("an anchor behind its use: %s", got)
	}
	got, err = Convert([]byte("x-shared: {x: &x {c: <, d: 2}}\nb: {<<: *x, d: 1}\n\"200\": yes\n"), nil)
	if want := "{\n \"200\": \"yes\",\n \"b\": {\n  \"c\": \"<\",\n  \"d\": 1\n }\n}\n"; err != nil || string(got) != want {
		t.Errorf("%v: %s", err, got)
	}
	if _, err := Convert([]byte("- a\n"), nil); err == nil {
		t.Error("a list is no document")
	}
}
