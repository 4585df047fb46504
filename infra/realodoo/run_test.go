package realodoo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

const registrants = 1000

// A registry of every kind of registrant, worked off by the functions as they
// are deployed, with a simulated MTS. What counts is what is in the registry
// afterwards.
func TestWholeRun(t *testing.T) {
	stack, err := local.Start(t.Context(), local.Options{Name: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Stop)
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		seeder := mtssim.New(mtssim.Options{})
		mts := httptest.NewServer(seeder)
		t.Cleanup(mts.Close)
		t.Cleanup(seeder.Close)

		before, expected := populate(t, wire{t, s.URL})
		began := time.Now()
		o := operator{t, stack}
		rejected := o.workOff(s.URL, mts.URL)
		took := time.Since(began)

		after := identifiers(wire{t, s.URL})
		for id, was := range before {
			if want := should(before, id); !slices.Equal(after[id], want) {
				t.Errorf("registrant %d (%s) had %v, has %v, should have %v", id, was.kind, was.held, after[id], want)
			}
		}
		if rejected != expected.Rejected() {
			t.Errorf("%d rejections, should be %d", rejected, expected.Rejected())
		}
		note("* Odoo %s: whole run of %d registrants %s: %d tokens written, %d VIDs removed, %d rejected, %s",
			s.Line, len(before), verdict(t), expected.NewTokens, expected.Removed, rejected, took.Round(100*time.Millisecond))
	})
}

// person is a registrant as it was at the start.
type person struct {
	kind  odoosim.Kind
	held  []identifier
	first bool // of two registrants of one person the one whose VID comes first
}

type identifier struct {
	Type  int64
	Value string
}

// copied are the fields that the real registry gets.
var copied = []string{"name", "given_name", "family_name", "addl_name", "birthdate", "gender", "address", "email", "phone",
	"is_registrant", "is_group", "active", "registration_date"}

// populate makes the registrants that the demo has: the simulator makes them
// up, and they are copied through the wire of both.
func populate(t *testing.T, real wire) (map[int64]person, odoosim.Expectation) {
	sim := odoosim.New(odoosim.Options{Window: -1})
	expected := sim.Populate(registrants, 1)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	model := wire{t, server.URL}
	everybody := map[string]any{"fields": copied, "order": "id", "context": map[string]any{"active_test": false}}

	var rows []map[string]any
	model.call(&rows, "res.partner", "search_read", []any{[]any{[]any{"is_registrant", "=", true}}}, everybody)
	if len(rows) != registrants {
		t.Fatalf("the simulator has %d registrants", len(rows))
	}
	var old []int64
	for _, row := range rows {
		old = append(old, int64(row["id"].(float64)))
		delete(row, "id")
	}
	var made []int64
	for chunk := range slices.Chunk(rows, 500) {
		var ids []int64
		real.call(&ids, "res.partner", "create", []any{chunk}, nil)
		made = append(made, ids...)
	}
	people, id := map[int64]person{}, map[int64]int64{}
	for i := range made {
		people[made[i]] = person{kind: expected.Kinds[old[i]]}
		id[old[i]] = made[i]
	}

	rows = nil
	model.call(&rows, "g2p.reg.id", "search_read", []any{[]any{}},
		map[string]any{"fields": []string{"partner_id", "id_type", "value", "expiry_date"}, "order": "id"})
	numberOf := func(v any) int64 { return int64(v.([]any)[0].(float64)) }
	seen := map[string]bool{}
	for _, row := range rows {
		delete(row, "id")
		owner, idType := id[numberOf(row["partner_id"])], numberOf(row["id_type"])
		row["partner_id"], row["id_type"] = owner, idType
		p, value := people[owner], row["value"].(string)
		p.held = append(p.held, identifier{idType, value})
		if idType == odoosim.VIDType {
			p.first = !seen[value[:10]]
			seen[value[:10]] = true
		}
		people[owner] = p
	}
	for chunk := range slices.Chunk(rows, 500) {
		var ids []int64
		real.call(&ids, "g2p.reg.id", "create", []any{chunk}, nil)
	}
	return people, expected
}

// should is what a registrant holds in the end.
func should(people map[int64]person, id int64) []identifier {
	p := people[id]
	var without []identifier
	vid := ""
	for _, i := range p.held {
		if i.Type == odoosim.VIDType {
			vid = i.Value
			continue
		}
		without = append(without, i)
	}
	switch p.kind {
	case odoosim.SharedPerson:
		if !p.first {
			return p.held
		}
		fallthrough
	case odoosim.Plain, odoosim.GivenOnly:
		return append(without, identifier{odoosim.TokenType, mtssim.Token(vid)})
	case odoosim.TokenisedVID:
		return without
	}
	return p.held
}

// identifiers are those of everybody, in the order of their making.
func identifiers(w wire) map[int64][]identifier {
	var rows []struct {
		Partner []any  `json:"partner_id"`
		Type    []any  `json:"id_type"`
		Value   string `json:"value"`
	}
	w.call(&rows, "g2p.reg.id", "search_read", []any{[]any{}},
		map[string]any{"fields": []string{"partner_id", "id_type", "value"}, "order": "id"})
	held := map[int64][]identifier{}
	for _, row := range rows {
		owner := int64(row.Partner[0].(float64))
		held[owner] = append(held[owner], identifier{int64(row.Type[0].(float64)), row.Value})
	}
	return held
}

// operator does through the API what a user would.
type operator struct {
	*testing.T
	stack *local.Stack
}

func (o operator) call(method, path string, body, reply any) {
	o.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		o.Fatal(err)
	}
	r, err := http.NewRequestWithContext(o.Context(), method, o.stack.APIURL()+path, bytes.NewReader(text))
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+o.stack.Token())
	response, err := plain.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		o.Fatalf("%s %s: %s", method, path, response.Status)
	}
	if reply == nil {
		return
	}
	if err := json.NewDecoder(response.Body).Decode(reply); err != nil {
		o.Fatal(err)
	}
}

// workOff runs a connector with all its defaults until its run is over, stops
// it, and returns how many registrants are rejected.
func (o operator) workOff(registry, mts string) int {
	var connector struct {
		ID       string         `json:"id"`
		Problems map[string]any `json:"problems"`
	}
	o.call(http.MethodPost, "/connectors", map[string]any{
		"name": "Registry", "mts_url": mts,
		"registry": map[string]any{"url": registry, "database": realodoo.Database, "username": realodoo.Admin, "password": realodoo.AdminPassword},
	}, &connector)
	path := "/connectors/" + connector.ID
	o.call(http.MethodPost, path+"/start", nil, nil)
	stop := o.tick()
	defer stop()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(250 * time.Millisecond) {
		var page struct {
			Runs []struct {
				State       string `json:"state"`
				OpenBatches int    `json:"open_batches"`
			} `json:"runs"`
		}
		o.call(http.MethodGet, path+"/runs", nil, &page)
		if len(page.Runs) > 0 && page.Runs[0].State == "completed" && page.Runs[0].OpenBatches == 0 && o.answersLeft() == 0 {
			break
		}
		if time.Now().After(end) {
			o.call(http.MethodGet, path, nil, &connector)
			o.Fatalf("the run does not end: %v, problems %v", page, connector.Problems)
		}
	}
	stop()
	o.call(http.MethodPost, path+"/stop", nil, nil)
	rejected, cursor := 0, ""
	for {
		var page struct {
			Rejections []struct{} `json:"rejections"`
			Next       string     `json:"next"`
		}
		o.call(http.MethodGet, path+"/rejections?limit=500"+cursor, nil, &page)
		rejected += len(page.Rejections)
		if page.Next == "" {
			return rejected
		}
		cursor = "&cursor=" + page.Next
	}
}

// tick does what the schedules do, until it is stopped.
func (o operator) tick() (stop func()) {
	ctx, cancel := context.WithCancel(o.Context())
	done := make(chan error)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := o.stack.Tick(ctx); err != nil && ctx.Err() == nil {
				done <- fmt.Errorf("a tick failed: %w", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			o.Error(err)
		}
	})
}

func (o operator) answersLeft() int {
	page, err := o.stack.DynamoDB().Scan(o.Context(), &dynamodb.ScanInput{
		TableName: aws.String(o.stack.Output("AnswersTable")), Select: types.SelectCount, ConsistentRead: aws.Bool(true)})
	if err != nil {
		o.Fatal(err)
	}
	return int(page.Count)
}
