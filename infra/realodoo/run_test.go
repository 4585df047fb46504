package realodoo_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/seeding"
)

const registrants = 1000

// A registry of every kind of registrant, processed by the functions as they
// are deployed, with a simulated MTS. What counts is what is in the registry
// afterwards.
func TestWholeRun(t *testing.T) {
	w, err := deployed.Start(t.Context(), local.Options{Name: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		mts := mtssim.New(mtssim.Options{})
		server := httptest.NewServer(mts)
		t.Cleanup(server.Close)
		t.Cleanup(mts.Close)

		addConnectorUser(t, s)
		before, expected := populate(t, client{t, s.URL})
		began := time.Now()
		rejected := process(t, w, s.URL, server.URL)
		took := time.Since(began)

		after := identifiers(client{t, s.URL})
		shared := map[string]int{} // persons registered twice, and how many of each have the token
		for id, was := range before {
			want := expectedHoldings(was)
			if was.kind == odoosim.SharedPerson {
				// Their batches may be answered in any order: the first gets the token.
				shared[was.number()] += 0
				if slices.Equal(after[id], want) {
					shared[was.number()]++
					continue
				}
				want = was.held
			}
			if !slices.Equal(after[id], want) {
				t.Errorf("registrant %d (%s) had %v, has %v, should have %v", id, was.kind, was.held, after[id], want)
			}
		}
		for number, tokens := range shared {
			if tokens != 1 {
				t.Errorf("of person %s %d registrants have the token", number, tokens)
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
	kind odoosim.Kind
	held []identifier
}

// vid is "" without one.
func (p person) vid() string {
	for _, i := range p.held {
		if i.Type == odoosim.VIDType {
			return i.Value
		}
	}
	return ""
}

// number is what the VIDs of one person have in common.
func (p person) number() string { return p.vid()[:10] }

type identifier struct {
	Type  int64
	Value string
}

// copied are the fields that the real registry gets.
var copied = []string{"name", "given_name", "family_name", "addl_name", "birthdate", "gender", "address", "email", "phone",
	"is_registrant", "is_group", "active", "registration_date"}

// populate makes the registrants of the demo: the simulator invents them, and they
// are copied over the APIs of both.
func populate(t *testing.T, real client) (map[int64]person, odoosim.Expectation) {
	sim := odoosim.New(odoosim.Options{Window: -1})
	expected := sim.Populate(registrants, 1)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	model := client{t, server.URL}
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
	for _, row := range rows {
		delete(row, "id")
		owner, idType := id[numberOf(row["partner_id"])], numberOf(row["id_type"])
		row["partner_id"], row["id_type"] = owner, idType
		p, value := people[owner], row["value"].(string)
		p.held = append(p.held, identifier{idType, value})
		people[owner] = p
	}
	for chunk := range slices.Chunk(rows, 500) {
		var ids []int64
		real.call(&ids, "g2p.reg.id", "create", []any{chunk}, nil)
	}
	return people, expected
}

// expectedHoldings are what a registrant should hold in the end; of two registrants
// of one person only one does.
func expectedHoldings(p person) []identifier {
	without := slices.DeleteFunc(slices.Clone(p.held), func(i identifier) bool { return i.Type == odoosim.VIDType })
	switch p.kind {
	case odoosim.SharedPerson, odoosim.Plain, odoosim.GivenOnly:
		return append(without, identifier{odoosim.TokenType, mtssim.Token(p.vid())})
	case odoosim.TokenisedVID:
		return without
	}
	return p.held
}

// identifiers are those of all registrants, oldest first.
func identifiers(c client) map[int64][]identifier {
	var rows []struct {
		Partner []any  `json:"partner_id"`
		Type    []any  `json:"id_type"`
		Value   string `json:"value"`
	}
	c.call(&rows, "g2p.reg.id", "search_read", []any{[]any{}},
		map[string]any{"fields": []string{"partner_id", "id_type", "value"}, "order": "id"})
	held := map[int64][]identifier{}
	for _, row := range rows {
		owner := int64(row.Partner[0].(float64))
		held[owner] = append(held[owner], identifier{int64(row.Type[0].(float64)), row.Value})
	}
	return held
}

// process runs a connector with all its defaults until its run is completed,
// stops it, and returns how many registrants are rejected.
func process(t *testing.T, w *deployed.World, registry, mts string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	configuration := deployed.Configuration("Registry", mts, registry, realodoo.Database, connectorUser.Password)
	configuration["registry"].(map[string]any)["username"] = connectorUser.Login
	c, err := w.API.Create(ctx, configuration)
	must(err)
	must(c.Start(ctx))
	ticking, stop := context.WithCancel(ctx)
	schedule := &deployed.Schedule{World: w, Every: 500 * time.Millisecond, Failed: func(err error) { t.Errorf("a tick failed: %v", err) }}
	var ticks sync.WaitGroup
	ticks.Go(func() { schedule.Run(ticking) })
	defer ticks.Wait()
	defer stop()
	key := seeding.RegistryKey(registry, realodoo.Database)
	for {
		underWay, err := w.UnderWay(ctx, c.ID, key)
		must(err)
		if len(underWay) == 0 {
			break
		}
		if !waiting.Pause(ctx, 250*time.Millisecond) {
			connector, err := c.Document(t.Context())
			t.Fatalf("the run does not end: %v, problems %v, %v", underWay, connector.Problems, err)
		}
	}
	must(c.Stop(ctx))
	rejections, err := c.Rejections(ctx)
	must(err)
	return len(rejections)
}
