package inprocess

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/template"
)

var tableCount atomic.Int64

// Tables are names of tables.
type Tables struct{ Connectors, Answers string }

// TableMaker creates and deletes tables: *dynamodb.Client, or *memory.Client.
type TableMaker interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DeleteTable(context.Context, *dynamodb.DeleteTableInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error)
}

// CreateTables creates the template's, under names that no other call gives.
func CreateTables(ctx context.Context, client TableMaker) (Tables, error) {
	all, err := template.Tables()
	if err != nil {
		return Tables{}, err
	}
	n := tableCount.Add(1)
	t := Tables{Connectors: fmt.Sprintf("connectors-%d", n), Answers: fmt.Sprintf("answers-%d", n)}
	for resource, name := range map[string]*string{"ConnectorsTable": &t.Connectors, "AnswersTable": &t.Answers} {
		table := all[resource]
		table.TableName = name
		if _, err := client.CreateTable(ctx, table); err != nil {
			return Tables{}, err
		}
	}
	return t, nil
}

// Drop deletes the tables, also when ctx is over. What it leaves ends with the
// server.
func (t Tables) Drop(ctx context.Context, client TableMaker) {
	for _, name := range []string{t.Connectors, t.Answers} {
		_, _ = client.DeleteTable(context.WithoutCancel(ctx), &dynamodb.DeleteTableInput{TableName: &name})
	}
}

// Test is what TablesFor needs of a test.
type Test interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
	Cleanup(f func())
}

// TablesFor creates the tables for a test, and drops them at its end.
func TablesFor(t Test, client TableMaker) Tables {
	t.Helper()
	tables, err := CreateTables(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tables.Drop(t.Context(), client) })
	return tables
}
