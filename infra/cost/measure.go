package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/bench/throughput"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

// measured is what measured.json holds.
type measured struct {
	Date string
	Idle measuredTick
	Runs []measuredRun
}

// measuredTick is one tick of submit and one of reconcile, with a connector that is
// not due.
type measuredTick struct {
	Metrics                     int     // that are written
	Reads                       float64 // units
	SubmitCalls, ReconcileCalls float64 // of DynamoDB
	Logged                      float64 // bytes, with the metrics
}

// measuredRun is one whole run.
type measuredRun struct {
	throughput.Conditions
	Maximum     int // of the width; 0 is the default
	Registrants int
	Took        time.Duration
	Consumed    throughput.Consumed
}

// registrants of a run. A million takes 25 times as much, or less, because the
// beginning and the end of a run are slower than its middle.
const registrants = 40_000

func conditions() (runs []measuredRun) {
	for _, c := range []struct{ workers, milliseconds, maximum int }{
		{2, 150, 4}, {4, 150, 4}, {2, 0, 4}, {2, 150, 0}, {4, 150, 0}, {4, 300, 0}, {16, 150, 0},
	} {
		runs = append(runs, measuredRun{
			Conditions: throughput.Conditions{Workers: c.workers, Replicas: 1, Latency: time.Duration(c.milliseconds) * time.Millisecond},
			Maximum:    c.maximum, Registrants: registrants,
		})
	}
	return runs
}

// measure writes measured.json.
func measure(ctx context.Context, file string) (err error) {
	m := measured{Date: time.Now().UTC().Format(time.DateOnly)}
	if m.Idle, err = idleTick(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cost-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	workers, err := throughput.StartWorkers(ctx, dir, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, workers.Stop()) }()
	for _, r := range conditions() {
		result, err := workers.Measure(ctx, throughput.Run{Conditions: r.Conditions, Registrants: r.Registrants, Maximum: r.Maximum, Found: true, Metered: true})
		if err != nil {
			return err
		}
		r.Took, r.Consumed = result.Whole, result.Consumed
		m.Runs = append(m.Runs, r)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// idleTick measures one of each.
func idleTick(ctx context.Context) (tick measuredTick, err error) {
	database := memory.New()
	tables, err := inprocess.CreateTables(ctx, database)
	if err != nil {
		return tick, err
	}
	var meter dynamotest.Meter
	client := dynamodb.New(database.SDK().Options(), meter.Options)
	store := seedingdb.New(client, tables.Connectors, tables.Answers)
	var logged bytes.Buffer
	invoker := inprocess.NewInvoker(inprocess.SystemClock{}, func(error) {})
	functions := inprocess.Wire(inprocess.Surroundings{
		Store: store, Inbox: seedingdb.NewInbox(client, tables.Answers), Stream: invoker.InvokePatch, MTS: mts.New(http.DefaultClient, time.Now),
		Calls: http.DefaultClient, Invoker: invoker, Meter: function.Meter{Out: &logged, Stack: "mts-connector", Now: time.Now},
		Clock: inprocess.SystemClock{}, Times: seeding.DefaultTimes(), Log: slog.New(slog.NewJSONHandler(&logged, nil)),
	})
	connector := inprocess.Connector("idle", "https://mts.example.org", "https://registry.example.org", time.Now())
	if err := store.CreateConnector(ctx, connector); err != nil {
		return tick, err
	}
	meter.Reset()
	if err := functions.Submitter.Tick(ctx); err != nil {
		return tick, err
	}
	tick.SubmitCalls = float64(meter.Total().Calls)
	if err := functions.Reconciler.Tick(ctx); err != nil {
		return tick, err
	}
	total := meter.Total()
	tick.Reads, tick.ReconcileCalls = total.Reads, float64(total.Calls)-tick.SubmitCalls
	tick.Metrics, tick.Logged = strings.Count(logged.String(), `"CloudWatchMetrics"`), float64(logged.Len())
	return tick, nil
}
