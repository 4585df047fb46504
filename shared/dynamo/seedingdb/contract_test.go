package seedingdb_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb/seedingdbtest"
)

// TestContract runs on AWS's own DynamoDB Local, and on the one in memory that
// tests of whole runs use.
func TestContract(t *testing.T) {
	for name, open := range map[string]func(*testing.T) seedingdbtest.Tables{"DynamoDB Local": newTables, "memory": inMemory} {
		t.Run(name, func(t *testing.T) {
			tables := open(t)
			seedingdbtest.RunContract(t, func(*testing.T) seedingdbtest.Tables { return tables })
		})
	}
}

// inMemory makes the tables of template.yaml in memory.
func inMemory(t *testing.T) seedingdbtest.Tables {
	t.Helper()
	client, names := memoryTables(t)
	return seedingdbtest.Tables{Client: client.SDK(), Connectors: names.Connectors, Answers: names.Answers}
}

func memoryTables(t *testing.T) (*memory.Client, inprocess.Tables) {
	t.Helper()
	client := memory.New()
	return client, inprocess.TablesFor(t, client)
}

// newStore is a store in memory.
func newStore(t *testing.T) *seedingdb.Store {
	t.Helper()
	client, names := memoryTables(t)
	return seedingdb.New(client, names.Connectors, names.Answers)
}

// newTables makes the tables of template.yaml.
func newTables(t *testing.T) seedingdbtest.Tables {
	t.Helper()
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	names := inprocess.TablesFor(t, server.Client())
	return seedingdbtest.Tables{Client: server.Client(), Connectors: names.Connectors, Answers: names.Answers, Sizing: true}
}
