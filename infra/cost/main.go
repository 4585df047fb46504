// Cost writes infra/cost.md, what the connector costs at AWS: from what was
// measured (measured.json), what the template deploys, and the prices in
// infra/facts/aws.md.
//
//	go run ./infra/cost            writes the document
//	go run ./infra/cost -measure   measures first, which takes some minutes
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"openg2p.org/mts-connector/infra/template"
)

func main() {
	measuring := flag.Bool("measure", false, "measure, and store it in measured.json")
	flag.Parse()
	if err := run(context.Background(), *measuring); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, measuring bool) error {
	root, err := template.Root()
	if err != nil {
		return err
	}
	if measuring {
		if err := measure(ctx, filepath.Join(root, measurements)); err != nil {
			return err
		}
	}
	text, err := document(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, written), []byte(text), 0o644)
}

const (
	measurements = "infra/cost/measured.json"
	written      = "infra/cost.md"
)

// document is the text of infra/cost.md.
func document(root string) (string, error) {
	var m measured
	stored, err1 := os.ReadFile(filepath.Join(root, measurements))
	facts, err2 := os.ReadFile(filepath.Join(root, "infra/facts/aws.md"))
	deployed, err3 := template.Read()
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	if err := json.Unmarshal(stored, &m); err != nil {
		return "", fmt.Errorf("%s: %w", measurements, err)
	}
	prices, err := pricesIn(string(facts))
	if err != nil {
		return "", err
	}
	return write(m, deployed, prices), nil
}
