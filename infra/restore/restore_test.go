package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
)

func TestATableIsRestored(t *testing.T) {
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	db := server.Client()
	backup, stack := inprocess.TablesFor(t, db).Connectors, inprocess.TablesFor(t, db).Connectors
	const items = 60 // several calls, and several pages: of 40 KB each
	for n := range items {
		put(t, db, backup, fmt.Sprint("backup ", n), 40_000)
	}
	put(t, db, stack, "later", 1)
	put(t, db, stack, "backup 7", 1)

	for what, tables := range map[string][2]string{"the same": {stack, stack}, "no name": {"", stack}, "nothing there": {"no-such-table", stack}} {
		if _, err := restore(t.Context(), db, tables[0], tables[1], true); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := restore(t.Context(), db, backup, stack, false); err == nil || !strings.Contains(err.Error(), "-replace") {
		t.Errorf("what the table holds would be mixed with the backup: %v", err)
	}
	// An empty backup is a mistake, and must delete nothing.
	if _, err := restore(t.Context(), db, inprocess.TablesFor(t, db).Connectors, stack, true); err == nil {
		t.Error("an empty table was taken for a backup")
	}
	if got := keys(t, db, stack); len(got) != 2 {
		t.Errorf("%v", got)
	}
	for range 2 { // again is the same
		if copied, err := restore(t.Context(), db, backup, stack, true); err != nil || copied != items {
			t.Fatalf("%d, %v", copied, err)
		}
		got := keys(t, db, stack)
		if len(got) != items || got["backup 7"] != 40_000 || got["later"] != 0 {
			t.Errorf("%v", got)
		}
	}
}

func put(t *testing.T, db *dynamodb.Client, table, key string, size int) {
	t.Helper()
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: key}, "sk": &types.AttributeValueMemberS{Value: "x"},
		"text": &types.AttributeValueMemberS{Value: strings.Repeat("x", size)},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// keys of a table, with the length of each text.
func keys(t *testing.T, db *dynamodb.Client, table string) map[string]int {
	t.Helper()
	found := map[string]int{}
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			found[item["pk"].(*types.AttributeValueMemberS).Value] = len(item["text"].(*types.AttributeValueMemberS).Value)
		}
	}
	return found
}
