// Restore copies all items of one table of connectors into another: those of a
// backup, or of a stack that was taken down, into the table of a stack, whose name
// CloudFormation chose (infra/runbook.md, "Restoring a backup").
//
//	go run ./infra/restore -from mts-connector-restored -to mts-connector-ConnectorsTable-1ABC -replace
//
// Region and credentials are those of the AWS profile. Nothing else may write to
// the table meanwhile. What ended early is repeated by the same command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	from := flag.String("from", "", "table that is read")
	to := flag.String("to", "", "table that is written")
	replace := flag.Bool("replace", false, "delete what the written table holds before")
	flag.Parse()
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err == nil {
		var copied int
		copied, err = restore(ctx, dynamodb.NewFromConfig(cfg), *from, *to, *replace)
		fmt.Printf("%d items copied\n", copied)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "restore:", err)
		os.Exit(1)
	}
}

// restore copies all items, and returns how many.
func restore(ctx context.Context, db *dynamodb.Client, from, to string, replace bool) (copied int, err error) {
	if from == "" || to == "" || from == to {
		return 0, errors.New("-from and -to must name two tables")
	}
	// Before anything is deleted: is there a backup?
	first, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: &from, Limit: aws.Int32(1)})
	if err != nil {
		return 0, err
	}
	if len(first.Items) == 0 {
		return 0, fmt.Errorf("%s is empty", from)
	}
	held, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: &to, Limit: aws.Int32(1), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return 0, err
	}
	if len(held.Items) > 0 && !replace {
		return 0, fmt.Errorf("%s is not empty; -replace deletes what it holds", to)
	}
	err = each(ctx, db, to, func(items []map[string]types.AttributeValue) error {
		var deletions []types.WriteRequest
		for _, item := range items {
			deletions = append(deletions, types.WriteRequest{DeleteRequest: &types.DeleteRequest{
				Key: map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]},
			}})
		}
		return write(ctx, db, to, deletions)
	})
	if err != nil {
		return 0, err
	}
	err = each(ctx, db, from, func(items []map[string]types.AttributeValue) error {
		var puts []types.WriteRequest
		for _, item := range items {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		copied += len(puts)
		return write(ctx, db, to, puts)
	})
	return copied, err
}

// each calls do with the items of a table, page by page.
func each(ctx context.Context, db *dynamodb.Client, table string, do func([]map[string]types.AttributeValue) error) error {
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := do(page.Items); err != nil {
			return err
		}
	}
	return nil
}

// most of one call (facts/aws.md 1).
const most = 25

func write(ctx context.Context, db *dynamodb.Client, table string, requests []types.WriteRequest) error {
	for wait := 100 * time.Millisecond; len(requests) > 0; {
		n := min(most, len(requests))
		out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests[:n]}})
		if err != nil {
			return err
		}
		requests = requests[n:]
		if left := out.UnprocessedItems[table]; len(left) > 0 { // too fast for the table
			requests = append(left, requests...)
			time.Sleep(wait)
			wait = min(2*wait, 5*time.Second)
		}
	}
	return nil
}
