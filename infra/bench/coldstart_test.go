package main

import (
	"testing"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
)

// Every function that the template has is started with all that it needs, and replies.
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
	}
}
