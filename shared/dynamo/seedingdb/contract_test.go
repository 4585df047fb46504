package seedingdb_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/inprocess"
	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb/seedingdbtest"
)

// TestContract runs on AWS's own DynamoDB Local.
func TestContract(t *testing.T) {
	tables := newTables(t)
	seedingdbtest.RunContract(t, func(*testing.T) seedingdbtest.Tables { return tables })
}

// newTables makes the tables of template.yaml.
func newTables(t *testing.T) seedingdbtest.Tables {
	t.Helper()
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	names, err := inprocess.CreateTables(t.Context(), server.Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { names.Drop(t.Context(), server.Client()) })
	return seedingdbtest.Tables{Client: server.Client(), Connectors: names.Connectors, Answers: names.Answers, Sizing: true}
}
