package odoosim_test

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// six has the six registrants of the recording: what they hold is their name.
func six(t *testing.T) (c *client, names map[int64]string) {
	return sixOf(t, odoosim.Options{})
}

func sixOf(t *testing.T, o odoosim.Options) (c *client, names map[int64]string) {
	c = serve(t, o)
	names = map[int64]string{}
	for i, each := range []struct {
		name string
		ids  []odoosim.Identifier
	}{
		{"none", nil},
		{"vid", []odoosim.Identifier{{Type: 1, Value: "1111111111111111"}}},
		{"tok", []odoosim.Identifier{{Type: 2, Value: "t1"}}},
		{"vid+tok", []odoosim.Identifier{{Type: 1, Value: "2222222222222222"}, {Type: 2, Value: "t2"}}},
		{"vid+nat", []odoosim.Identifier{{Type: 1, Value: "3333333333333333"}, {Type: 3, Value: "n"}}},
		{"vid+emptytok", []odoosim.Identifier{{Type: 1, Value: "4444444444444444"}, {Type: 2}}},
	} {
		r := odoosim.Registrant{Name: each.name}
		if i < 2 {
			r.Email = each.name + "@example.org"
		}
		id := c.sim.AddRegistrant(r)
		names[id] = each.name
		for _, it := range each.ids {
			it.Registrant = id
			c.sim.AddIdentifier(it)
		}
	}
	return c, names
}

func TestDomains(t *testing.T) {
	c, names := six(t)
	const withVID, all = "vid vid+tok vid+nat vid+emptytok", "none vid tok vid+tok vid+nat vid+emptytok"
	for _, each := range [][2]string{
		// As recorded.
		{`["reg_ids.id_type", "=like", "MOSIP VID"]`, withVID},
		{`"!", ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]`, "none vid vid+nat"},
		{mtsDomain[1 : len(mtsDomain)-1], "vid vid+nat"},
		{`["reg_ids.id_type", "=like", "MOSIP VID"], ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]`, "vid+tok vid+emptytok"},
		{`["reg_ids.id_type", "not like", "MOSIP UIN TOKEN"]`, withVID},
		{`["reg_ids.id_type", "!=", 2]`, withVID},
		{`"!", ["reg_ids.id_type", "=", 2]`, withVID},
		{`"!", ["reg_ids.id_type", "in", [2]]`, withVID},
		{`"!", ["reg_ids.id_type", "like", "MOSIP UIN TOKEN"]`, withVID},
		{`"!", ["reg_ids.id_type", "ilike", "MOSIP UIN TOKEN"]`, withVID},
		{`"!", ["reg_ids.id_type", "=ilike", "mosip uin token"]`, "none vid vid+nat"},
		{`"!", ["reg_ids.id_type.name", "=like", "MOSIP UIN TOKEN"]`, "none vid vid+nat"},
		{`"!", ["reg_ids.id_type.name", "=", "MOSIP UIN TOKEN"]`, withVID},
		{`["reg_ids.id_type", "not in", [2]]`, withVID},
		{`["reg_ids.id_type", "=", "MOSIP VID"]`, withVID},
		{`["reg_ids.id_type", "=", "mosip vid"]`, ""},
		{`["reg_ids.id_type.name", "=", "MOSIP VID"]`, withVID},
		{`["reg_ids.id_type", "=like", "mosip vid"]`, ""},
		{`["reg_ids.id_type", "=ilike", "mosip vid"]`, withVID},
		{`["reg_ids.id_type", "ilike", "mosip vid"]`, withVID},
		{`["reg_ids.id_type", "like", "VID"]`, withVID},
		{`["reg_ids.id_type", "=like", "VID"]`, ""},
		{`["reg_ids.id_type", "=like", "%VID"]`, withVID},
		{`["reg_ids.id_type", "=like", "MOSIP _ID"]`, withVID},
		{`["reg_ids.id_type", "=like", "NOPE"]`, ""},
		{`"!", ["reg_ids.id_type", "=like", "NOPE"]`, all},
		{`["reg_ids", "!=", false]`, "vid tok vid+tok vid+nat vid+emptytok"},
		{`["reg_ids", "=", false]`, "none"},
		{`["reg_ids.value", "=", "1111111111111111"]`, "vid"},
		{`["reg_ids.id_type", "=", 2], ["reg_ids.value", "=", "2222222222222222"]`, "vid+tok"},
		{`"!", "&", ["reg_ids.id_type", "=", 2], ["reg_ids.value", "!=", false]`, withVID},

		// By the same rules.
		{`"|", ["name", "=", "tok"], ["name", "=", "none"]`, "none tok"},
		{`"!", "|", ["name", "=", "tok"], ["name", "=", "none"]`, withVID},
		{`"!", "!", ["name", "=", "tok"]`, "tok"},
		{`"&", ["name", "like", "vid"], "!", ["name", "like", "tok"]`, "vid vid+nat"},
		{`["id", "in", [7, 9, 99]]`, "none tok"},
		{`["id", "not in", [7, 9]], ["id", "<=", 10]`, "vid vid+tok"},
		{`["id", ">", 10], ["id", "<", 12]`, "vid+nat"},
		{`["id", "=", "8"]`, "vid"},
		{`["id", "in", []], ["no_such", "=", 1]`, ""},
		{`["id", "not in", []]`, all},
		{`["reg_ids.partner_id.name", "=", "tok"]`, "tok"},
		{`["reg_ids.partner_id", "=like", "vid+%"]`, "vid+tok vid+nat vid+emptytok"},
		{`["reg_ids.partner_id", "=like", "vid@%"]`, "vid"}, // partners are found by e-mail, too
		{`["reg_ids.value", "=", false]`, "vid+emptytok"},
		{`["reg_ids", "in", [2]]`, "tok"},
		{`["reg_ids", "not in", [2]]`, "none vid vid+tok vid+nat vid+emptytok"},
		{`["reg_ids", "=", "tok"]`, "tok"},
		{`["email", "=like", "vid@%"]`, "vid"},
		{`"!", ["email", "=like", "vid@%"]`, "none"}, // NOT of unknown is unknown
		{`["email", "not like", "vid@"]`, "none tok vid+tok vid+nat vid+emptytok"},
		{`["email", "!=", "vid@example.org"]`, "none tok vid+tok vid+nat vid+emptytok"},
		{`["email", "in", ["vid@example.org", false]]`, "vid tok vid+tok vid+nat vid+emptytok"},
		{`["email", "not in", ["vid@example.org", false]]`, "none"},
		{`["email", "=?", false], ["name", "=?", "tok"]`, "tok"},
		{`["email", "ilike", "EXAMPLE"]`, "none vid"},
		{`["is_group", "=", false], ["is_registrant", "!=", false]`, all},
		{`["company_id", "=", "My Company"], ["company_id", "=", 1]`, all},
		{`["company_id.name", "=like", "Other%"]`, ""},
		{`["name", "=like", "vid\\+t_k"]`, "vid+tok"},
		{`[1, "=", 1]`, all},
		{`"!", [1, "=", 1]`, ""},
		{`["display_name", "in", ["vid", "tok"]]`, "vid tok"},
	} {
		got := c.rpc(`"res.partner", "search", [[["is_registrant", "=", true], ` + each[0] + `]], {"order": "id"}`).outcome()
		var ids []int64
		if err := json.Unmarshal([]byte(got), &ids); err != nil {
			t.Errorf("%s: %s", each[0], got)
			continue
		}
		var found []string
		for _, id := range ids {
			found = append(found, names[id])
		}
		if strings.Join(found, " ") != each[1] {
			t.Errorf("%s:\n got %v\nwant %s", each[0], found, each[1])
		}
	}
}

// Odoo 17 brought "any" and "not any", Odoo 19 "not =like"; before, they are invalid.
func TestOperatorsOfLaterGenerations(t *testing.T) {
	const unhashable = "builtins.TypeError|unhashable type: 'list'" // of a value that is a list, before Odoo looks at the operator
	const is2 = `["id_type", "=", 2]`
	for _, each := range []struct {
		term             string
		at14, at17, at19 string
	}{
		{`["reg_ids", "any", [` + is2 + `]]`, unhashable, "9 10 12", "9 10 12"},
		{`["reg_ids", "not any", [` + is2 + `]]`, unhashable, "7 8 11", "7 8 11"},
		{`"!", ["reg_ids", "any", [` + is2 + `]]`, unhashable, "7 8 11", "7 8 11"},
		{`["reg_ids", "any", [` + is2 + `, ["value", "=", "t2"]]]`, unhashable, "10", "10"},
		{`["reg_ids", "any", []]`, unhashable, "8 9 10 11 12", "8 9 10 11 12"},
		{`["reg_ids", "any", [[0, "=", 1]]]`, unhashable, "", ""},
		{`["reg_ids", "not any", [[0, "=", 1]]]`, unhashable, "7 8 9 10 11 12", "7 8 9 10 11 12"},
		{`["reg_ids", "any", [["no_such", "=", 1]]]`, unhashable, "Invalid field g2p.reg.id.no_such", "Invalid field g2p.reg.id.no_such"},
		{`["reg_ids", "any", "x"]`, "Invalid leaf", "AssertionError", "TypeError"},
		{`["name", "any", []]`, unhashable, "KeyError", "Cannot use 'any' with non-relational fields"},
		// Under "!" a path is rewritten until 18, and negated as a whole in 19.
		{`"!", ["reg_ids.id_type", "any", [["id", "=", 2]]]`, unhashable, "8 10 11 12", "7 8 11"},
		{`["email", "not =like", "vid@%"]`, "Invalid leaf", "Invalid leaf", "7 9 10 11 12"},
		{`["email", "not =ilike", "VID@%"]`, "Invalid leaf", "Invalid leaf", "7 9 10 11 12"},
		{`["email", "not =like", false]`, "Invalid leaf", "Invalid leaf", "7 8"},
		{`["email", "not =like", 1]`, "Invalid leaf", "Invalid leaf", "TypeError"},
		{`["reg_ids.id_type", "not =like", "MOSIP UIN%"]`, "Invalid leaf", "Invalid leaf", "8 10 11 12"},
		{`"!", ["email", "=like", "vid@%"]`, "7", "7", "7 9 10 11 12"}, // NOT of unknown is unknown, until 18
	} {
		for generation, want := range map[int]string{14: each.at14, 16: each.at14, 17: each.at17, 18: each.at17, 19: each.at19} {
			c, _ := sixOf(t, odoosim.Options{Odoo: generation})
			got := c.rpc(`"res.partner", "search", [[["is_registrant", "=", true], ` + each.term + `]], {"order": "id"}`).outcome()
			if want != "" && (want[0] < '0' || want[0] > '9') {
				if !strings.Contains(got, want) {
					t.Errorf("%s in %d: %s, want %s", each.term, generation, got, want)
				}
				continue
			}
			if want = "[" + strings.ReplaceAll(want, " ", ", ") + "]"; got != want {
				t.Errorf("%s in %d: %s, want %s", each.term, generation, got, want)
			}
		}
	}
}

func TestArchived(t *testing.T) {
	c, _ := six(t)
	c.sim.SetRegistrant(8, map[string]any{"active": false})
	search := `"res.partner", "search", [` + mtsDomain + `], {"order": "id"`
	c.want(search+`}`, "[11]")
	c.want(search+`, "context": {"active_test": false}}`, "[8, 11]")
	c.want(`"res.partner", "search", [[["reg_ids.id_type", "=", 1], ["active", "in", [true, false]]]], {"order": "id"}`, "[8, 10, 11, 12]")
	// Its identifiers are not archived, and a path to it finds it.
	c.want(`"g2p.reg.id", "search", [[["partner_id.name", "=", "vid"]]], {}`, "[1]")
	c.want(`"res.partner", "read", [[8], ["name"]], {}`, `[{"id": 8, "name": "vid"}]`)
}

func TestBadOperands(t *testing.T) {
	c, _ := six(t)
	for _, each := range [][2]string{
		{`["id", "=", "abc"]`, `!psycopg2.errors.InvalidTextRepresentation|invalid input syntax for type integer: "abc"…`},
		{`["name", "in", "abc"]`, `!builtins.ValueError|Invalid domain term ('name', 'in', 'abc')`},
		{`["name", "="]`, `!builtins.ValueError|Invalid leaf ('name', '=')`},
		{`"foo"`, `!builtins.ValueError|Invalid leaf foo`},
		{`"&", ["id", "=", 1]`, `!builtins.AssertionError|This domain is syntactically not correct: ['&', ['id', '=', 1]]`},
		{`["name.first", "=", "x"]`, `!builtins.AttributeError|'Char' object has no attribute 'auto_join'`},
		{`["birthdate", "<", "x"]`, `!psycopg2.errors.InvalidDatetimeFormat|invalid input syntax for type date: "x"…`},
	} {
		c.want(`"res.partner", "search", [[`+each[0]+`]], {}`, each[1])
	}
	c.want(`"res.partner", "search", [7], {}`, "!builtins.TypeError|object of type 'int' has no len()")
}

func TestPages(t *testing.T) {
	c := serve(t, odoosim.Options{})
	for i := range 20 {
		c.sim.AddIdentifier(odoosim.Identifier{Registrant: c.sim.AddRegistrant(odoosim.Registrant{Name: fmt.Sprintf("N%d", i%2)}), Type: odoosim.VIDType, Value: "1"})
	}
	for _, each := range [][2]string{
		{`"g2p.reg.id", "search", [[["id_type", "=", 1], ["id", ">", 17]]], {"order": "id", "limit": 2}`, "[18, 19]"},
		{`"g2p.reg.id", "search", [[["id_type", "=", 1], ["id", ">", 19]]], {"order": "id", "limit": 2}`, "[20]"},
		{`"g2p.reg.id", "search", [[["id_type", "=", 1], ["id", ">", 20]]], {"order": "id", "limit": 2}`, "[]"},
		{`"g2p.reg.id", "search", [[["id_type", "=", 2]]], {"order": "id", "limit": 2}`, "[]"},
		{`"g2p.reg.id", "search", [[]], {"limit": 2}`, "[20, 19]"},
		{`"g2p.reg.id", "search", [[["id", "<", 5]]], {"order": "id desc", "limit": 2, "offset": 1}`, "[3, 2]"},
		{`"g2p.reg.id", "search", [[["id", "<", 4]]], {"limit": 0}`, "[3, 2, 1]"},
		{`"g2p.reg.id", "search", [[["id", "in", [3, 1, 2, 2]]]], {"limit": false, "order": "id asc"}`, "[1, 2, 3]"},
		{`"g2p.reg.id", "search", [[["partner_id", "in", [8, 7]], ["id_type", "in", [1, 2]]]], {}`, "[2, 1]"},
		{`"g2p.reg.id", "search", [[["id", "<", 4]]], {"order": "partner_id desc, id"}`, "[2, 1, 3]"},
		{`"g2p.reg.id", "search", [[]], {"limit": "2"}`, "!builtins.TypeError|%d format: a number is required, not str"},
		{`"g2p.reg.id", "search", [[]], {"count": true}`, "20"},
		{`"g2p.reg.id", "search_count", [[["id", ">", 5]]], {}`, "15"},
	} {
		c.want(each[0], each[1])
	}
	// Without an order partners come by name, and equal names not by id.
	var ids []int64
	got := c.rpc(`"res.partner", "search", [[["is_registrant", "=", true]]], {}`).outcome()
	if err := json.Unmarshal([]byte(got), &ids); err != nil || len(ids) != 20 {
		t.Fatal(got)
	}
	ascending := true
	for i := range 9 {
		ascending = ascending && ids[i] < ids[i+1]
	}
	if ids[0]%2 != 1 || ids[19]%2 != 0 || ascending {
		t.Error(ids)
	}
}

// Where a search looks for its matches must not change what it finds: the same
// domain under an "or" is answered without any index.
func TestIndexesChangeNothing(t *testing.T) {
	c := serve(t, odoosim.Options{})
	c.sim.Populate(300, 1)
	for i := int64(20); i < 120; i++ { // holes, and changed keys
		c.sim.DeleteIdentifier(i)
		c.sim.SetValue(2*i+100, "1111111111111111")
	}
	terms := []string{`["id_type", "=", 1]`, `["id_type", "in", [2, 3]]`, `["id_type", "=like", "MOSIP%"]`, `["id", ">", 60]`, `["id", "<=", 200]`,
		`["id", "in", [5, 130, 131, 150, 700]]`, `["partner_id", "in", [8, 40, 41, 90, 99]]`, `["value", "=", "1111111111111111"]`, `["partner_id", "=", 77]`,
		`"!", ["id_type", "=", 1]`, `["value", "!=", false]`, `["id", "=", 150]`}
	for i := range 1 << len(terms) {
		if bits.OnesCount(uint(i)) > 3 {
			continue
		}
		var chosen []string
		for k, term := range terms {
			if i&(1<<k) != 0 {
				chosen = append(chosen, term)
			}
		}
		and := strings.Repeat(`"&", `, max(0, len(chosen)-1))
		for _, page := range []string{`{"order": "id"}`, `{"limit": 7}`, `{"order": "id", "limit": 5, "offset": 3}`, `{"order": "value, id desc", "limit": 9}`} {
			with := c.rpc(`"g2p.reg.id", "search", [[` + strings.Join(chosen, ", ") + `]], ` + page).outcome()
			if len(chosen) == 0 {
				continue
			}
			without := c.rpc(`"g2p.reg.id", "search", [["|", [0, "=", 1], ` + and + strings.Join(chosen, ", ") + `]], ` + page).outcome()
			if with != without {
				t.Fatalf("%v %s\nwith    %s\nwithout %s", chosen, page, with, without)
			}
		}
	}
}
