package main

import (
	"testing"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
)

// Every function that the template has is started with all that it needs, and replies.
// One that ends says so at once.
func TestEveryFunctionReplies(t *testing.T) {
	db, err := dynamolocal.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	tables, err := inprocess.CreateTables(t.Context(), db.Client())
	if err != nil {
		t.Fatal(err)
	}
	list, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if _, err := b.start(t.Context(), db.Endpoint(), tables); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
		if b.name == hello {
			continue
		}
		b.variables = nil
		if _, err := b.start(t.Context(), db.Endpoint(), tables); err == nil {
			t.Errorf("%s starts without its environment", b.name)
		}
	}
}

func TestSteps(t *testing.T) {
	if chosen, err := choose(""); err != nil || len(chosen) != len(steps) {
		t.Errorf("%d steps, %v", len(chosen), err)
	}
	if chosen, err := choose("preview,cold"); err != nil || len(chosen) != 2 || chosen[0].name != "cold" {
		t.Errorf("%v, %v", chosen, err)
	}
	if _, err := choose("previews"); err == nil {
		t.Error("a step that there is not")
	}
}
