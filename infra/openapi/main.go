// Openapi writes a document of the API as JSON, from the YAML that people write.
//
//	go run ./infra/openapi FROM.yaml TO.json
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: openapi FROM.yaml TO.json")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	source, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	document, err := Convert(source)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, document, 0o644)
}
