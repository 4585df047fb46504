// Openapi writes what is made of the document of the API: the document as JSON, from
// the YAML that people write and the tables of codes, and the table of a configuration's fields in the README.
//
//	go run ./infra/openapi FROM.yaml TO.json
//	go run ./infra/openapi -fields FROM.json FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	arguments, do := os.Args[1:], write
	if len(arguments) > 0 && arguments[0] == "-fields" {
		arguments, do = arguments[1:], writeFields
	}
	if len(arguments) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi FROM.yaml TO.json, or openapi -fields FROM.json FOLDER")
		os.Exit(2)
	}
	if err := do(arguments[0], arguments[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	source, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	document, err := Convert(source, Codes())
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, document, 0o644)
}

// writeFields writes into the README of a folder.
func writeFields(from, folder string) error {
	to := filepath.Join(folder, "README.md")
	document, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	table, err := Fields(document)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	if text, err = Between(text, table); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return os.WriteFile(to, text, 0o644)
}
