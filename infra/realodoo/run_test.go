package realodoo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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
	w := startStack(t)
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		mts := mtssim.New(mtssim.Options{})
		server := httptest.NewServer(mts)
		t.Cleanup(server.Close)
		t.Cleanup(mts.Close)

		addConnectorUser(t, s)
		before, expected := populate(t, client{t, s.URL})
		began := time.Now()
		c, rejected := process(t, w, configured(s.URL, server.URL))
		took := time.Since(began)
		checkAll(t, w, c)

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
		note("* Odoo %s: check by a user of the least rights, all lines %s", s.Line, verdict(t))
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

func startStack(t *testing.T) *deployed.World {
	t.Helper()
	w, err := deployed.Start(t.Context(), local.Options{Name: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// configured is a connector with all its defaults, whose user has the least rights.
func configured(registry, mts string) map[string]any {
	configuration := deployed.Configuration("Registry", mts, registry, realodoo.Database, connectorUser.Password)
	configuration["registry"].(map[string]any)["username"] = connectorUser.Login
	return configuration
}

// process runs a connector until its run is completed, stops it, and returns how many
// registrants are rejected.
func process(t *testing.T, w *deployed.World, configuration map[string]any) (c *deployed.Connector, rejected int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := w.API.Create(ctx, configuration)
	must(err)
	must(c.Start(ctx))
	defer ticking(t, w)()
	registry := configuration["registry"].(map[string]any)
	key := seeding.RegistryKey(registry["url"].(string), realodoo.Database)
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
	return c, len(rejections)
}

// ticking ticks the schedules until stop is called.
func ticking(t *testing.T, w *deployed.World) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	schedule := &deployed.Schedule{World: w, Every: 500 * time.Millisecond, Failed: func(err error) { t.Errorf("a tick failed: %v", err) }}
	var ticks sync.WaitGroup
	ticks.Go(func() { schedule.Run(ctx) })
	return func() {
		cancel()
		ticks.Wait()
	}
}

// checkAll asks for a check of the connector: every line is ok.
func checkAll(t *testing.T, w *deployed.World, c *deployed.Connector) {
	t.Helper()
	defer ticking(t, w)()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var q struct {
		ID, State string
		Lines     []struct{ Line, Result, Code, Text string }
	}
	if err := w.API.Call(ctx, http.MethodPost, c.Path("/check"), nil, &q); err != nil {
		t.Fatal(err)
	}
	for q.State != "answered" {
		if !waiting.Pause(ctx, 250*time.Millisecond) {
			t.Fatalf("the check does not end: %+v", q)
		}
		if err := w.API.Call(ctx, http.MethodGet, "/checks/"+q.ID, nil, &q); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, line := range q.Lines {
		names = append(names, line.Line)
		if line.Result != "ok" {
			t.Errorf("%s: %s %s: %s", line.Line, line.Result, line.Code, line.Text)
		}
	}
	want := []string{"mts", "registry", "sign_in", "version", "database", "types", "modules", "fields", "read", "selects", "create", "remove", "index_registrant", "index_value"}
	if !slices.Equal(names, want) {
		t.Errorf("lines %v", names)
	}
}

// Output Formats of each shape, processed by the functions as they are deployed. What
// they say besides the token is in the registry afterwards, once.
func TestOutputFormats(t *testing.T) {
	const ids = `ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]`
	const much = `given_name: (.input.given_name | ascii_upcase), birthdate: "1991-02-03", gender: "O", phone_numbers: [{phone_no: ("+1" + .input.vid)}], `
	w := startStack(t)
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		c := client{t, s.URL}
		var gender int64
		c.call(&gender, "gender.type", "create", []any{map[string]any{"code": "O", "value": "Other", "active": true}}, nil)
		t.Cleanup(func() { c.call(nil, "gender.type", "unlink", []any{[]int64{gender}}, nil) })
		for _, format := range []string{
			`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`,
			`{` + much + ids + `}`, `[{updateId: .input.vid, ` + much + ids + `}]`,
		} {
			empty(t, s)
			mts := mtssim.New(mtssim.Options{})
			server := httptest.NewServer(mts)
			t.Cleanup(server.Close)
			t.Cleanup(mts.Close)
			vids := addPeople(c, 30)
			configuration := deployed.Configuration("Registry", server.URL, s.URL, realodoo.Database, realodoo.AdminPassword)
			configuration["output_format"] = format
			_, rejected := process(t, w, configuration)
			if rejected != 0 {
				t.Errorf("%s: %d are rejected", format, rejected)
			}
			after, phones := identifiers(c), phoneNumbers(c)
			var people []struct {
				ID                int64
				GivenName         string `json:"given_name"`
				Birthdate, Gender any
			}
			c.call(&people, "res.partner", "search_read", []any{[]any{[]any{"is_registrant", "=", true}}},
				map[string]any{"fields": []string{"given_name", "birthdate", "gender"}})
			if len(people) != len(vids) {
				t.Errorf("%d registrants", len(people))
			}
			for _, p := range people {
				vid := vids[p.ID]
				if want := []identifier{{odoosim.TokenType, mtssim.Token(vid)}}; !slices.Equal(after[p.ID], want) {
					t.Errorf("registrant %d has %v", p.ID, after[p.ID])
				}
				name, numbers, birthdate, sex := "Ana", []string(nil), "1990-11-02", "Female"
				if strings.Contains(format, much) {
					name, numbers, birthdate, sex = "ANA", []string{"+1" + vid}, "1991-02-03", "Other"
				}
				if p.GivenName != name || p.Birthdate != birthdate || p.Gender != sex || !slices.Equal(phones[p.ID], numbers) {
					t.Errorf("registrant %d: %+v, phones %v", p.ID, p, phones[p.ID])
				}
			}
		}
		note("* Odoo %s: Output Formats of the three shapes %s", s.Line, verdict(t))
	})
}

// addPeople adds registrants with a VID, which it returns.
func addPeople(c client, n int) map[int64]string {
	var people, identifiers []any
	for range n {
		people = append(people, map[string]any{"name": "REYES, ANA", "given_name": "Ana", "family_name": "Reyes", "birthdate": "1990-11-02",
			"gender": "Female", "address": "1 Rizal St", "is_registrant": true})
	}
	var ids []int64
	c.call(&ids, "res.partner", "create", []any{people}, nil)
	vids := map[int64]string{}
	for i, id := range ids {
		vids[id] = odoosim.DemoVID(int64(7000+i), 1, odoosim.Normal)
		identifiers = append(identifiers, map[string]any{"partner_id": id, "id_type": odoosim.VIDType, "value": vids[id]})
	}
	c.call(nil, "g2p.reg.id", "create", []any{identifiers}, nil)
	return vids
}

// phoneNumbers are those of all registrants.
func phoneNumbers(c client) map[int64][]string {
	var rows []struct {
		Partner []any  `json:"partner_id"`
		Number  string `json:"phone_no"`
	}
	c.call(&rows, "g2p.phone.number", "search_read", []any{[]any{}}, map[string]any{"fields": []string{"partner_id", "phone_no"}, "order": "id"})
	held := map[int64][]string{}
	for _, row := range rows {
		owner := int64(row.Partner[0].(float64))
		held[owner] = append(held[owner], row.Number)
	}
	return held
}
