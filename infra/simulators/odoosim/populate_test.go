package odoosim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

func TestDemoVID(t *testing.T) {
	if got := odoosim.DemoVID(42, 7, odoosim.SeveralErrors); got != "0000000042000792" {
		t.Error(got)
	}
}

func TestPopulate(t *testing.T) {
	c := serve(t, odoosim.Options{Status: true})
	e := c.sim.Populate(2000, 1)
	state := c.sim.State()
	if state.Registrants != 2000 || state.VIDs != e.VIDs || state.Tokens != e.Tokens-e.NewTokens || state.Both != e.Made[odoosim.TokenisedVID] {
		t.Errorf("%+v\n%+v", state, e)
	}
	sum := 0
	for _, n := range e.Made {
		sum += n
	}
	if sum != 2000 || len(e.Kinds) != 2000 || e.Made[odoosim.Plain] < 1500 {
		t.Errorf("%+v", e)
	}
	if e.VIDsLeft != e.VIDs-e.Removed || e.Submitted+len(e.Invalid) == 0 || e.Rejected() == 0 {
		t.Errorf("%+v", e)
	}
	// The same numbers from the registry itself: who would be submitted, and with what
	// result.
	shape := regexp.MustCompile(`^\d{16}$`)
	people := map[string]int{}
	for id, identifiers := range c.sim.Snapshot() {
		for _, i := range identifiers {
			if i.Type != odoosim.VIDType {
				continue
			}
			if !shape.MatchString(i.Value) {
				t.Fatalf("VID %q", i.Value)
			}
			switch kind := e.Kinds[id]; kind {
			case odoosim.Plain, odoosim.GivenOnly, odoosim.SharedPerson:
				if i.Value[14:] >= "90" && i.Value[14:] <= "93" {
					t.Errorf("%s with behaviour %s", kind, i.Value[14:])
				}
				people[i.Value[:10]]++
			case odoosim.RefusedVID:
				if i.Value[14:] != "90" {
					t.Errorf("%s with behaviour %s", kind, i.Value[14:])
				}
			}
		}
	}
	pairs := 0
	for _, n := range people {
		pairs += n - 1
	}
	if len(people) != e.NewTokens || pairs != e.Duplicates || pairs != 10 {
		t.Errorf("%d people, %d pairs: %s", len(people), pairs, e)
	}
	// What the default domain finds is what is submitted, invalid or expired.
	c.want(`"res.partner", "search_count", [`+mtsDomain+`], {}`,
		fmt.Sprint(e.Submitted+e.Made[odoosim.NoBirthdate]+e.Made[odoosim.NoGender]+e.Made[odoosim.NoName]+e.Made[odoosim.BlankAddress]+
			e.Made[odoosim.GroupWithVID]+e.Made[odoosim.ExpiredVID]+e.Made[odoosim.InvalidVID]))
	for _, each := range []struct {
		domain string
		kinds  []odoosim.Kind
	}{
		{`["birthdate", "=", false], ["is_group", "=", false]`, []odoosim.Kind{odoosim.NoBirthdate}},
		{`["gender", "=", false], ["is_group", "=", false]`, []odoosim.Kind{odoosim.NoGender}},
		{`["given_name", "=", false], ["is_group", "=", false]`, []odoosim.Kind{odoosim.NoName}},
		{`["address", "in", [false, ""]], ["is_group", "=", false]`, []odoosim.Kind{odoosim.BlankAddress}},
		{`["is_group", "=", true]`, []odoosim.Kind{odoosim.Group, odoosim.GroupWithVID}},
		{`["active", "=", false]`, []odoosim.Kind{odoosim.ArchivedVID}},
		{`["reg_ids.expiry_date", "<", "2026-11-21"]`, []odoosim.Kind{odoosim.ExpiredVID}},
		{`["reg_ids.status", "=", "invalid"]`, []odoosim.Kind{odoosim.InvalidVID}},
	} {
		n := 0
		for _, k := range each.kinds {
			n += e.Made[k]
		}
		c.want(`"res.partner", "search_count", [[["is_registrant", "=", true], `+each.domain+`]], {}`, fmt.Sprint(n))
	}
}

// A token that a registrant has from before is not made of the VID beside it: the
// connector takes such a number for none.
func TestNoHeldTokenIsMadeOfItsVID(t *testing.T) {
	for seed := range int64(20) {
		s := odoosim.New(odoosim.Options{Status: true})
		both := s.Populate(400, seed).Made[odoosim.TokenisedVID]
		for id, identifiers := range s.Snapshot() {
			held, vid := "", ""
			for _, i := range identifiers {
				switch i.Type {
				case odoosim.TokenType:
					held = i.Value
				case odoosim.VIDType:
					vid = i.Value
				}
			}
			if held == "" || vid == "" {
				continue
			}
			both--
			if strings.Contains(held, vid[:10]) {
				t.Errorf("seed %d: registrant %d holds %s and the VID %s", seed, id, held, vid)
			}
		}
		if both != 0 {
			t.Errorf("seed %d: %d registrants with both were not found", seed, both)
		}
	}
}

func TestPopulateIsTheSameForASeed(t *testing.T) {
	populate := func(n int, seed int64) (odoosim.Expectation, map[int64][]odoosim.Identifier) {
		s := odoosim.New(odoosim.Options{})
		return s.Populate(n, seed), s.Snapshot()
	}
	for _, n := range []int{1, 3, 7, 60, 250} {
		a, snapshot := populate(n, 5)
		b, again := populate(n, 5)
		if !maps.Equal(a.Kinds, b.Kinds) || fmt.Sprint(snapshot) != fmt.Sprint(again) || len(a.Kinds) != n {
			t.Errorf("%d: %s and %s", n, a, b)
		}
	}
	_, one := populate(60, 1)
	_, two := populate(60, 2)
	if fmt.Sprint(one) == fmt.Sprint(two) {
		t.Error("the seed does nothing")
	}
}

// Rows returned and rows examined, by what PostgreSQL would do
// (facts/odoo.md B3).
func TestRowsRead(t *testing.T) {
	page := `"g2p.reg.id", "search_read", [[["id_type", "=", 1], ["id", ">", 100]]], {"fields": ["partner_id"], "order": "id", "limit": 50}`
	look := `"g2p.reg.id", "search_read", [[["partner_id", "in", [7, 8, 9]], ["id_type", "in", [1, 2]]]], {"fields": ["value"]}`
	holders := `"g2p.reg.id", "search_read", [[["id_type", "=", 2], ["value", "in", ["a", "b"]]]], {"fields": ["partner_id"]}`
	create := `"g2p.reg.id", "create", [[{"partner_id": 7, "id_type": 2, "value": "a"}, {"partner_id": 8, "id_type": 2, "value": "b"}]], {}`
	for _, each := range []struct {
		name, call         string
		noIndex            bool
		returned, examined int64
	}{
		{"keyset page", page, false, 50, 100},
		{"keyset page without index", page, true, 50, 100},
		{"look-up by registrant", look, false, 3, 6},
		{"look-up by registrant without index", look, true, 3, 203},
		{"look-up by value", holders, false, 0, 0},
		{"look-up by value without index", holders, true, 0, 200},
		{"read", `"res.partner", "read", [[7, 8, 9], ["name"]], {}`, true, 3, 3},
		{"read with identifiers", `"res.partner", "read", [[7, 8, 9], ["reg_ids"]], {}`, true, 3, 203},
		{"registrants of a page", `"res.partner", "search_read", [[["is_registrant", "=", true], ["id", "in", [7, 8, 9]]]], {"fields": ["name"]}`, false, 3, 6},
		{"the seeder's domain", `"res.partner", "search", [` + mtsDomain + `], {"order": "id", "limit": 1}`, false, 1, 7 + 2*(200+3)},
		{"count", `"g2p.reg.id", "search_count", [[["id_type", "=", 1]]], {}`, true, 0, 200},
		{"create", create, false, 0, 4},
		{"create without index", create, true, 0, 400},
	} {
		c := serve(t, odoosim.Options{NoIndex: each.noIndex})
		for range 200 {
			c.sim.AddIdentifier(odoosim.Identifier{Registrant: c.sim.AddRegistrant(amina()), Type: odoosim.VIDType, Value: "1"})
		}
		if got := c.rpc(each.call); got.outcome()[0] == '!' {
			t.Fatal(got.body)
		}
		if got := c.sim.State().Total; got.Returned != each.returned || got.Examined != each.examined || got.Calls != 1 {
			t.Errorf("%s: %+v", each.name, got)
		}
	}
}

// The price of calls against the measurements: it may be higher, not lower by
// more than a quarter, and shows what grows with the table.
func TestPace(t *testing.T) {
	sizes := func(c *client, n int) {
		for range n {
			c.sim.AddIdentifier(odoosim.Identifier{Registrant: c.sim.AddRegistrant(odoosim.Registrant{Name: "x"}), Type: odoosim.VIDType, Value: "1"})
		}
	}
	list := func(n int) string {
		vals := make([]string, n)
		for i := range vals {
			vals[i] = fmt.Sprintf(`{"partner_id": %d, "id_type": 2, "value": "t%d"}`, 7+i, i)
		}
		return "[" + strings.Join(vals, ", ") + "]"
	}
	const rows = 5000
	for _, each := range []struct {
		name, call string
		noIndex    bool
		from, to   time.Duration
	}{
		{"a call without a session", `"res.partner", "search_count", [[["id", "=", 7]]], {}`, false, 11 * time.Millisecond, 16 * time.Millisecond},
		{"create 100", `"g2p.reg.id", "create", [` + list(100) + `], {}`, true, 75 * time.Millisecond, 130 * time.Millisecond},
		{"create 1000", `"g2p.reg.id", "create", [` + list(1000) + `], {}`, true, 700 * time.Millisecond, 1200 * time.Millisecond},
		{"page of 1000", `"res.partner", "search_read", [[["id", ">", 7]]], {"fields": ["name"], "order": "id", "limit": 1000}`, true, 45 * time.Millisecond, 80 * time.Millisecond},
	} {
		var slept time.Duration
		c := serve(t, odoosim.Options{Pace: 1, NoIndex: each.noIndex, Sleep: func(d time.Duration) { slept += d }})
		sizes(c, rows)
		if got := c.rpc(each.call).outcome(); got[0] == '!' {
			t.Fatal(got)
		}
		if slept < each.from || slept > each.to {
			t.Errorf("%s: %v, want %v to %v", each.name, slept, each.from, each.to)
		}
	}
}

// Above a size every registrant costs a look through the whole table; and a
// call that would take two minutes takes the server with it (facts/odoo.md B3,
// A6).
func TestTheCliff(t *testing.T) {
	var slept time.Duration
	c := serve(t, odoosim.Options{Pace: 1, HashRows: 100, Sleep: func(d time.Duration) { slept += d }})
	for range 200 {
		c.sim.AddIdentifier(odoosim.Identifier{Registrant: c.sim.AddRegistrant(amina()), Type: odoosim.VIDType, Value: "1"})
	}
	c.want(`"res.partner", "search_count", [`+mtsDomain+`], {}`, "200")
	if got := c.sim.State().Total.Examined; got < 200*200 {
		t.Errorf("%d rows examined", got)
	}
	c.sim.ResetTallies()
	c.want(`"res.partner", "search_count", [[["reg_ids.id_type", "=like", "MOSIP VID"]]], {}`, "200")
	if got := c.sim.State().Total.Examined; got > 1000 { // a join
		t.Errorf("%d rows examined without a negation", got)
	}
	limited := serve(t, odoosim.Options{Pace: 1, TimeLimit: time.Millisecond, Sleep: func(time.Duration) {}})
	if got := limited.rpc(`"res.partner", "search_count", [[]], {}`).outcome(); got != "closed" {
		t.Error(got)
	}
}

// Keyset pages over 200,000 registrants.
func BenchmarkPages(b *testing.B) {
	c := serve(b, odoosim.Options{})
	c.sim.Populate(200_000, 1)
	b.ResetTimer()
	after := 0
	for range b.N {
		got := c.rpc(fmt.Sprintf(`"g2p.reg.id", "search_read", [[["id_type", "=", 1], ["id", ">", %d]]], {"fields": ["partner_id", "value", "expiry_date"], "order": "id", "limit": 1000}`, after))
		var page []struct{ ID int }
		if err := json.Unmarshal([]byte(got.outcome()), &page); err != nil {
			b.Fatal(err)
		}
		after = 0
		if len(page) == 1000 {
			after = page[999].ID
		}
	}
}
