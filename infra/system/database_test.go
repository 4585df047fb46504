package system_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/memory"
)

// openDatabase creates the tables, in memory or on DynamoDB Local, and returns what
// the functions see of them.
func (w *world) openDatabase(o options) dynamo.Client {
	w.Helper()
	inMemory := memory.New()
	var tables inprocess.TableMaker = inMemory
	w.client = inMemory
	sdk := inMemory.SDK
	if o.local {
		server, err := dynamolocal.Shared()
		if err != nil {
			w.Fatal(err)
		}
		tables, w.client, sdk = server.Client(), server.Client(), server.Client
	}
	w.tables = inprocess.TablesFor(w, tables)
	switch {
	case o.busyDatabase:
		return dynamodb.New(sdk().Options(), func(o *dynamodb.Options) {
			o.HTTPClient = &busyDatabase{HTTPClient: o.HTTPClient, busy: &w.databaseBusy}
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 5 * time.Millisecond })
		})
	case o.faults != nil:
		return crashingDatabase{w.client, o.faults}
	}
	return w.client
}

// watchedDatabase is a client through which a test can do something just before a
// method of the store.
type watchedDatabase struct {
	dynamo.Client
	world *world
}

func (d watchedDatabase) notify() {
	if d.world.onStore != nil {
		d.world.onStore(storeMethod())
	}
}

func (d watchedDatabase) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	d.notify()
	return d.Client.GetItem(ctx, in, o...)
}

func (d watchedDatabase) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	d.notify()
	return d.Client.Query(ctx, in, o...)
}

// written is called with all that is about to be written.
func (d watchedDatabase) written(values ...map[string]types.AttributeValue) {
	if d.world.onWrite != nil {
		d.world.onWrite(values...)
	}
}

func (d watchedDatabase) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	d.written(in.Item)
	return d.Client.PutItem(ctx, in, o...)
}

func (d watchedDatabase) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	d.written(in.Key, in.ExpressionAttributeValues)
	return d.Client.UpdateItem(ctx, in, o...)
}

func (d watchedDatabase) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	d.written(in.Key)
	return d.Client.DeleteItem(ctx, in, o...)
}

func (d watchedDatabase) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	d.notify()
	for _, item := range in.TransactItems {
		switch {
		case item.Put != nil:
			d.written(item.Put.Item)
		case item.Update != nil:
			d.written(item.Update.Key, item.Update.ExpressionAttributeValues)
		case item.Delete != nil:
			d.written(item.Delete.Key)
		}
	}
	return d.Client.TransactWriteItems(ctx, in, o...)
}

var storeFrame = regexp.MustCompile(`shared/dynamo/seedingdb\.\(\*(?:Store|Inbox)\)\.([A-Z]\w*)`)

// storeMethod is the exported method of the store that calls.
func storeMethod() string {
	var frames [48]uintptr
	callers := runtime.CallersFrames(frames[:runtime.Callers(3, frames[:])])
	name := "?"
	for {
		frame, more := callers.Next()
		if m := storeFrame.FindStringSubmatch(frame.Function); m != nil {
			name = m[1]
		}
		if !more {
			return name
		}
	}
}

// busyDatabase is the connection to DynamoDB. While it is busy, every call is throttled
// once, which the SDK repeats; or, if it writes, every eighth is in conflict, which the
// store repeats, as another call. So nothing is refused as often as they repeat it,
// however many calls come in between.
type busyDatabase struct {
	dynamodb.HTTPClient
	busy      *atomic.Bool
	calls     atomic.Int64
	throttled sync.Map // by the SDK's number of the call
}

func (d *busyDatabase) Do(r *http.Request) (*http.Response, error) {
	if !d.busy.Load() {
		return d.HTTPClient.Do(r)
	}
	if _, again := d.throttled.LoadOrStore(r.Header.Get("Amz-Sdk-Invocation-Id"), true); again {
		return d.HTTPClient.Do(r)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	reads := operation == "GetItem" || operation == "Query"
	name, more := "ProvisionedThroughputExceededException", ""
	if n := d.calls.Add(1); !reads && n%8 == 1 {
		name = "TransactionConflictException"
		if operation == "TransactWriteItems" {
			name, more = "TransactionCanceledException", `,"CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]`
		}
	}
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#` + name + `","message":"busy"` + more + `}`
	return &http.Response{
		StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}
