package system_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// What a request reads does not grow with the rejections of other connectors.
func TestReadUnitsAmongManyRejectionsOfOthers(t *testing.T) {
	const others = 60_000
	ctx, now := context.Background(), time.Now().UTC()
	database := memory.New()
	tables := inprocess.TablesFor(t, database)
	c := inprocess.Connector("c", "http://127.0.0.1:1", "http://127.0.0.1:2", now)
	other := inprocess.Connector("other", "http://127.0.0.1:1", "http://127.0.0.1:2", now)
	store := seedingdb.New(database, tables.Connectors, tables.Answers)
	for _, one := range []seeding.Connector{c, other} {
		if err := store.CreateConnector(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	list := make([]seeding.Rejection, others)
	for i := range list {
		list[i] = seeding.Rejection{
			Registry: c.RegistryKey(), Connector: other.ID, Subject: seeding.Member{Registrant: int64(i) + 1, Identifier: int64(i) + 1}.Subject(),
			Kind: seeding.Refused, Code: "IDA-DEA-001:dob", Configured: 1, Attempts: 1, Since: now, Next: now, FingerprintKey: function.NewID(), Fingerprint: seeding.Fingerprint{1},
		}
	}
	if _, err := store.PutRejections(ctx, list); err != nil {
		t.Fatal(err)
	}

	var meter dynamotest.Meter
	handler := connectors.New(connectors.Options{
		Store:  seedingdb.New(dynamodb.New(database.SDK().Options(), meter.Options), tables.Connectors, tables.Answers),
		Caller: func(*http.Request) connectors.Caller { return connectors.Caller{Role: connectors.Operator} },
		Now:    func() time.Time { return now },
	})
	path := "/connectors/" + c.ID
	for _, request := range []struct {
		method, path, body string
		most               float64 // units; all together have 3,300
	}{
		{"GET", "/rejections/groups", "", 1_300},
		{"GET", "/rejections?kind=invalid", "", 3_200},
		{"GET", "/rejections", "", 2_600},
		{"GET", "/duplicates", "", 3_200},
		{"GET", "/registrants/4711", "", 3_200},
		{"POST", "/rejections/retry", `{"dry_run":true}`, 1_300},
	} {
		meter.Reset()
		r := httptest.NewRequest(request.method, path+request.path, strings.NewReader(request.body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		spent := meter.Total()
		what := fmt.Sprintf("%s %s %s: %d, %g units in %d calls", request.method, request.path, request.body, w.Code, spent.Reads, spent.Calls)
		if w.Code != http.StatusOK || spent.Reads > request.most {
			t.Errorf("%s, want 200 and at most %g: %s", what, request.most, w.Body)
		}
	}
}
