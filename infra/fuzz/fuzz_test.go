package main

import (
	"testing"

	"openg2p.org/mts-connector/infra/local/tool"
)

// Requests that are made from the document, right ones and wrong ones, get no 5xx, no
// reply that the document does not have, and no success with what it forbids. `make
// fuzz` makes many more.
func TestRequestsMadeFromTheDocument(t *testing.T) {
	if err := tool.Fetch(t.Context(), nil, "schemathesis"); err != nil {
		t.Fatal(err)
	}
	for role := range roles {
		t.Run(role, func(t *testing.T) {
			if said, err := schemathesis(t.Context(), role, 1,
				"--max-examples", "3", "--phases", "examples,fuzzing", "--generation-deterministic"); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

// `make fuzz` finds the targets of all packages.
func TestTargetsAreFound(t *testing.T) {
	found, err := targetsBelow("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []target{{"shared/odoo", "FuzzParseDomain"}, {"shared/api/connectors", "FuzzRequests"}} {
		known := false
		for _, one := range found {
			known = known || one == want
		}
		if !known {
			t.Errorf("%v is not among %v", want, found)
		}
	}
}
