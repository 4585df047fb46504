package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// apiOn is the API on tables, for a viewer.
func apiOn(client dynamo.Client, tables inprocess.Tables) http.Handler {
	return connectors.New(connectors.Options{
		Store:  seedingdb.New(client, tables.Connectors, tables.Answers),
		Caller: func(*http.Request) connectors.Caller { return connectors.Caller{Role: connectors.Viewer} },
	})
}

// get makes a request of the API; it is an error unless it succeeds.
func get(handler http.Handler, path string, header ...string) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %d %.300s", path, w.Code, w.Body)
	}
	return w, nil
}

// api measures what people look at all day: the list of 50 connectors, one of them, and
// an open run with many batches behind it.
func (m *measurer) api(ctx context.Context, r *report) error {
	const listed, batches = 50, 1000
	m.say("reading %d connectors, and a run of %d batches", listed, batches)
	tables, err := inprocess.CreateTables(ctx, m.db.Client())
	if err != nil {
		return err
	}
	defer tables.Drop(ctx, m.db.Client())
	direct := seedingdb.New(m.db.Client(), tables.Connectors, tables.Answers)
	c := inprocess.Connector("bench", "http://127.0.0.1:1", "http://127.0.0.1:2", time.Now().UTC())
	if err := makeBatches(ctx, direct, c, 8); err != nil {
		return err
	}
	if err := multiply(ctx, m.db.Client(), tables.Connectors, batches); err != nil {
		return err
	}
	for range listed - 1 {
		other := inprocess.Connector("Registry of a district", "https://mts.example.org/mts", "https://registry.example.org", time.Now().UTC())
		if err := ranOnce(ctx, direct, other); err != nil {
			return err
		}
	}
	state, err := direct.State(ctx, c.ID)
	if err != nil {
		return err
	}
	one := "/connectors/" + c.ID
	for _, page := range []struct {
		measure, path, goal string
		most                float64
	}{
		{fmt.Sprintf("read units of the list of %d connectors, in one request", listed), fmt.Sprintf("/connectors?limit=%d", listed), "≤ 10", 10},
		{"read units of one connector with its open run", one, "≤ 5", 5},
		{fmt.Sprintf("read units of an open run of %d batches, 8 of them open", batches), one + "/runs/" + state.Run, "≤ 3", 3},
		{"read units of a page of runs", one + "/runs", "≤ 3", 3},
	} {
		u := newUnits(m.db)
		if _, err := get(apiOn(u, tables), page.path); err != nil {
			return err
		}
		spent := u.reads()
		r.add(page.measure, page.goal, spent.Reads <= page.most, "%g in %d reads", spent.Reads, spent.Calls)
	}
	handler := apiOn(m.db.Client(), tables)
	for _, page := range []struct{ measure, path string }{
		{"one connector", one}, {"a page of runs", one + "/runs"}, {"an open run", one + "/runs/" + state.Run},
	} {
		if err := m.besideGet(ctx, r, page.measure, tables.Connectors, c.ID, func() error { _, err := get(handler, page.path); return err }); err != nil {
			return err
		}
	}
	return nil
}

// besideGet compares a request with one bare GetItem, each in turn.
func (m *measurer) besideGet(ctx context.Context, r *report, what, table, connector string, request func() error) error {
	const times, warm = 1_000, 100
	key := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "states"}, "sk": &types.AttributeValueMemberS{Value: connector},
	}
	bare := func() error {
		_, err := m.db.Client().GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
		return err
	}
	var ours, theirs []time.Duration
	for i := range warm + times {
		for _, step := range []struct {
			do    func() error
			spent *[]time.Duration
		}{{request, &ours}, {bare, &theirs}} {
			began := time.Now()
			if err := step.do(); err != nil {
				return err
			}
			if i >= warm {
				*step.spent = append(*step.spent, time.Since(began))
			}
		}
	}
	r.compare("GET of "+what+", the handler on DynamoDB Local: p99 over that of one bare GetItem (same client, in turn, 1,000 each)", 3, ours, theirs)
	return nil
}

// ranOnce creates a running connector with a run that is over.
func ranOnce(ctx context.Context, store *seedingdb.Store, c seeding.Connector) error {
	now := time.Now().UTC()
	if err := errors.Join(store.CreateConnector(ctx, c), store.SetStatus(ctx, c.ID, seeding.Running, now)); err != nil {
		return err
	}
	state, err := store.TakeRun(ctx, c.ID, "bench", now, now.Add(time.Minute), now)
	if err != nil {
		return err
	}
	run := seeding.Run{ID: function.NewID(), Connector: c.ID, Version: c.Version, Started: now, Passes: 1, PassStarted: now, Fence: state.Lease.Fence}
	if err := store.OpenRun(ctx, run); err != nil {
		return err
	}
	run.Completed, run.Totals = now, seeding.Totals{Sent: 1711, Tokenised: 1650, Refused: 51, Duplicate: 10}
	var rejections seeding.RejectionCount
	for i := range 61 {
		rejections.Add(seeding.Rejection{Kind: seeding.Refused, Code: "IDA-DEA-001", Since: now, Subject: seeding.Member{Registrant: int64(i + 1)}.Subject()})
	}
	rejections.At = now
	return errors.Join(store.CompleteRun(ctx, run, &rejections), store.LeaveRun(ctx, c.ID, run.Fence, now, now.Add(time.Hour), now))
}

// rejections measures the API of a connector that has very many.
func (h *harness) rejections(ctx context.Context, r *report, tables inprocess.Tables, db *dynamodb.Client) error {
	handler := apiOn(h.units, tables)
	path := "/connectors/" + h.connector.ID + "/rejections"
	before := h.units.reads()
	reply, err := get(handler, path+"/groups")
	if err != nil {
		return err
	}
	spent := h.units.reads().Reads - before.Reads
	all := strings.Contains(reply.Body.String(), fmt.Sprintf(`"total":%d`, rejectedRegistrants))
	r.add(fmt.Sprintf("read units of the groups of %d rejections", rejectedRegistrants), "≤ 2", all && spent <= 2, "%g", spent)

	// Every page takes as much as the first ones: what a page takes does not depend on
	// how many were read before. Medians, because when one looks is chance.
	const pages, rows = 10, 10_000
	handler, next := apiOn(db, tables), path
	var peaks []uint64
	for page := range 1 + pages {
		most, err := whileSampling(func() error {
			reply, err := get(handler, next, "Accept", "text/csv")
			if err != nil {
				return err
			}
			link, _, _ := strings.Cut(strings.TrimPrefix(reply.Header().Get("Link"), "<"), ">")
			if next = link; next == "" {
				return errors.New("the CSV ended too early")
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		if page > 0 { // the first one fills caches
			peaks = append(peaks, most)
		}
	}
	first, last := median(peaks[:pages/2]), median(peaks[pages/2:])
	ratio := float64(last) / float64(first)
	r.add(fmt.Sprintf("rejections as CSV, %d pages of %d: memory of live objects that a page takes at most, median of the last five over that of the first five", pages, rows),
		"≤ 1.25", ratio <= 1.25, "%.2f (%.0f MB / %.0f MB, at most %.0f MB)", ratio, float64(last)/1e6, float64(first)/1e6, float64(slices.Max(peaks))/1e6)
	return nil
}

// whileSampling returns how much more memory live objects took at most while do ran than
// before. It collects garbage before each look: this process has much else in memory,
// beside which garbage piles up by chance.
func whileSampling(do func() error) (most uint64, err error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	live := func() uint64 {
		runtime.GC()
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := live()
	defer func() { most -= min(before, most) }()
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			return most, err
		default:
			most = max(most, live())
		}
	}
}
