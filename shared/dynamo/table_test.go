package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo"
)

// newTables returns two tables and their client.
func newTables(t *testing.T) (client dynamo.Client, first, second dynamo.Table) {
	t.Helper()
	server, err := dynamolocal.Shared()
	if err != nil {
		t.Fatal(err)
	}
	names := inprocess.TablesFor(t, server.Client())
	return server.Client(), dynamo.NewTable(server.Client(), names.Connectors), dynamo.NewTable(server.Client(), names.Answers)
}

func value(it dynamo.Item) int { return dynamo.NewReader(it).Int("value") }

func with(value int) dynamo.Item { return dynamo.Item{"value": dynamo.Number(value)} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSingleWrites(t *testing.T) {
	_, table, _ := newTables(t)
	ctx, key := t.Context(), dynamo.Key{Partition: "p", Sort: "s"}
	refused := func(err error, old int, what string) {
		t.Helper()
		r, ok := errors.AsType[*dynamo.Refused](err)
		if !ok || value(r.Old[0]) != old {
			t.Errorf("%s: %v, want a refusal with the item of value %d", what, err, old)
		}
	}
	if _, err := table.Get(ctx, key); !errors.Is(err, dynamo.ErrNotFound) {
		t.Errorf("no item: %v", err)
	}
	must(t, table.Delete(ctx, dynamo.Change{Key: key}))
	refused(table.Delete(ctx, dynamo.Change{Key: key, Condition: dynamo.Exists}), 0, "delete nothing")
	for _, want := range []bool{true, false} {
		if created, err := table.Create(ctx, key, with(1)); err != nil || created != want {
			t.Errorf("create: %v %v, want %v", created, err, want)
		}
	}
	refused(table.Put(ctx, dynamo.Change{Key: key, Item: with(2), Condition: dynamo.Absent}), 1, "put over an item")
	must(t, table.Put(ctx, dynamo.Change{Key: key, Item: with(2)}))
	add := dynamo.Change{Key: key, Update: "ADD #value :one", Condition: "#value = :read", Values: dynamo.Item{":one": dynamo.Number(1), ":read": dynamo.Number(2)}}
	it, err := table.Update(ctx, add)
	must(t, err)
	if value(it) != 3 {
		t.Errorf("updated to %d", value(it))
	}
	_, err = table.Update(ctx, add)
	refused(err, 3, "update what has changed")
	it, err = table.Get(ctx, key)
	must(t, err)
	if value(it) != 3 || dynamo.SortKey(it) != "s" {
		t.Errorf("read %v", it)
	}

	for _, key := range []dynamo.Key{{}, {Partition: "p"}, {Sort: "s"}, {Partition: "p", Sort: strings.Repeat("x", 1025)}, {Partition: strings.Repeat("x", 2049), Sort: "s"}} {
		if _, err := table.Get(ctx, key); !errors.Is(err, dynamo.ErrNotFound) {
			t.Errorf("get a key that no item can have: %v", err)
		}
		add.Key = key
		_, err := table.Update(ctx, add)
		refused(err, 0, "update a key that no item can have")
	}
}

// A transaction over two tables is made as a whole or not at all. Its refusal
// has the items that its writes met.
func TestTransactionOverTwoTables(t *testing.T) {
	client, first, second := newTables(t)
	ctx, key := t.Context(), dynamo.Key{Partition: "p", Sort: "s"}
	must(t, first.Put(ctx, dynamo.Change{Key: key, Item: with(1)}))
	move := func(read int) error {
		return dynamo.Transact(ctx, client,
			second.ToPut(dynamo.Change{Key: key, Item: with(read), Condition: dynamo.Absent}),
			first.ToDelete(dynamo.Change{Key: key, Condition: "#value = :read", Values: dynamo.Item{":read": dynamo.Number(read)}}),
			first.ToUpdate(dynamo.Change{
				Key: dynamo.Key{Partition: "p", Sort: "counter"}, Update: "ADD #value :one", Values: dynamo.Item{":one": dynamo.Number(1)},
			}),
			second.ToCheck(dynamo.Change{Key: dynamo.Key{Partition: "p", Sort: "closed"}, Condition: dynamo.Absent}),
		)
	}
	refused, ok := errors.AsType[*dynamo.Refused](move(2))
	if !ok || len(refused.Old) != 4 || refused.Old[0] != nil || value(refused.Old[1]) != 1 {
		t.Fatalf("moved what had changed: %v", refused)
	}
	if _, err := second.Get(ctx, key); !errors.Is(err, dynamo.ErrNotFound) {
		t.Errorf("half of a refused transaction was made: %v", err)
	}
	must(t, move(1))
	it, err := second.Get(ctx, key)
	must(t, err)
	counter, err := first.Get(ctx, dynamo.Key{Partition: "p", Sort: "counter"})
	must(t, err)
	if _, err := first.Get(ctx, key); value(it) != 1 || value(counter) != 1 || !errors.Is(err, dynamo.ErrNotFound) {
		t.Errorf("moved to %v, counted %v, left %v", it, counter, err)
	}
}

func TestSpans(t *testing.T) {
	_, table, _ := newTables(t)
	ctx := t.Context()
	ids := []int64{1, 2, 9, 10, 11, 300}
	for _, id := range ids {
		for _, name := range []string{"a", "b"} {
			must(t, table.Put(ctx, dynamo.Change{Key: dynamo.Key{Partition: "p", Sort: dynamo.Padded(id) + "#" + name}, Item: with(int(id))}))
		}
	}
	decode := func(it dynamo.Item) (int, error) { return value(it), nil }
	twice := func(ids ...int) (list []int) {
		for _, id := range ids {
			list = append(list, id, id)
		}
		return list
	}
	for _, test := range []struct {
		name string
		span dynamo.Span
		want []int
	}{
		{"a partition", dynamo.Span{Partition: "p"}, twice(1, 2, 9, 10, 11, 300)},
		{"in small requests", dynamo.Span{Partition: "p", Limit: 5}, twice(1, 2, 9, 10, 11, 300)},
		{"backward", dynamo.Span{Partition: "p", Backward: true, Limit: 3}, twice(300, 11, 10, 9, 2, 1)},
		{"from one to another", dynamo.Span{Partition: "p", From: dynamo.Padded(9), To: dynamo.AfterAll(dynamo.Padded(10))}, twice(9, 10)},
		{"from one on", dynamo.Span{Partition: "p", From: dynamo.AfterAll(dynamo.Padded(10))}, twice(11, 300)},
		{"another partition", dynamo.Span{Partition: "q"}, nil},
		{"no partition", dynamo.Span{}, nil},
		{"the end before the beginning", dynamo.Span{Partition: "p", From: "b", To: "a"}, nil},
		{"an end longer than a key", dynamo.Span{Partition: "p", To: strings.Repeat("x", 1025)}, nil},
		{"a beginning longer than a key", dynamo.Span{Partition: "p", From: strings.Repeat("x", 1025)}, nil},
	} {
		got, err := dynamo.AllReadable(ctx, table, test.span, decode)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v %v, want %v", test.name, got, err, test.want)
		}
	}

	ofA := func(it dynamo.Item) bool { return strings.HasSuffix(dynamo.SortKey(it), "#a") }
	for _, test := range []struct {
		limit int
		want  []int
		more  bool
	}{
		{0, []int{1}, true},
		{2, []int{1, 2}, true},
		{6, []int{1, 2, 9, 10, 11, 300}, false},
		{7, []int{1, 2, 9, 10, 11, 300}, false},
	} {
		got, more, err := dynamo.Page(ctx, table, dynamo.Span{Partition: "p", Limit: 4}, test.limit, ofA, decode)
		if err != nil || !reflect.DeepEqual(got, test.want) || more != test.more {
			t.Errorf("page of %d: %v %v %v", test.limit, got, more, err)
		}
	}

	broken := errors.New("broken")
	fail := func(it dynamo.Item) (int, error) { return 0, broken }
	if _, err := dynamo.AllReadable(ctx, table, dynamo.Span{Partition: "p"}, fail); !errors.Is(err, broken) {
		t.Errorf("a decoder's error: %v", err)
	}
	visits := 0
	must(t, table.Each(ctx, dynamo.Span{Partition: "p"}, func(dynamo.Item) (bool, error) { visits++; return visits < 3, nil }))
	if visits != 3 {
		t.Errorf("visited %d after the end was asked for at 3", visits)
	}
}

func TestParallelReturnsTheFirstError(t *testing.T) {
	list := slices.Repeat([]int{1}, 100)
	if err := dynamo.Parallel(t.Context(), list, func(context.Context, int) error { return nil }); err != nil {
		t.Error(err)
	}
	err := dynamo.Parallel(t.Context(), []int{0, 1}, func(ctx context.Context, n int) error {
		if n == 0 {
			return fmt.Errorf("first of %d", n)
		}
		<-ctx.Done() // the others are cancelled
		return ctx.Err()
	})
	if err == nil || err.Error() != "first of 0" {
		t.Errorf("%v", err)
	}
}
