package odoosim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Each case starts from registry(): 7 to 9 with VIDs 1 to 3, 10 without.
func TestWrites(t *testing.T) {
	const unique = "!odoo.exceptions.ValidationError|ID Type must be unique."
	const create = `"g2p.reg.id", "create", `
	read := func(ids string) string { return `"g2p.reg.id", "read", [` + ids + `, ["value"]], {}` }
	write7 := func(commands string) string {
		return `"res.partner", "write", [[7], {"reg_ids": ` + commands + `}], {}`
	}
	for _, each := range []struct {
		name  string
		steps []string // call, outcome, call, outcome …
	}{
		{"a dict gives an id, a list gives ids", []string{
			create + `[{"partner_id": 10, "id_type": 1, "value": "1111111111111111"}], {}`, `4`,
			create + `[[{"partner_id": 10, "id_type": 2, "value": "t"}]], {}`, `[5]`,
			create + `[[]], {}`, `[]`,
			`"res.partner", "create", [[{"name": "x", "is_registrant": true}, {"name": "y"}]], {}`, `[11, 12]`}},
		{"one bad record rolls all back", []string{
			create + `[[{"partner_id": 10, "id_type": 1, "value": "1111111111111111"}, {"partner_id": 10, "id_type": 3, "value": "n"}, {"partner_id": 9, "id_type": 1, "value": "1"}]], {}`, unique,
			`"g2p.reg.id", "search_count", [[]], {}`, `3`,
			create + `[{"partner_id": 10, "id_type": 1, "value": "1111111111111111"}], {}`, `7`}}, // the sequence does not go back
		{"twice in one list", []string{
			create + `[[{"partner_id": 10, "id_type": 2, "value": "a"}, {"partner_id": 10, "id_type": 2, "value": "b"}]], {}`, unique}},
		{"uniqueness before the expression", []string{
			create + `[[{"partner_id": 10, "id_type": 1, "value": "bad"}, {"partner_id": 7, "id_type": 1, "value": "1111111111111111"}]], {}`, unique}},
		{"the expression, of any record of the list", []string{
			create + `[[{"partner_id": 10, "id_type": 3, "value": "n"}, {"partner_id": 10, "id_type": 1, "value": "bad"}]], {}`, "!odoo.exceptions.ValidationError|The provided MOSIP VID ID 'bad' is invalid."}},
		{"an empty value switches the expression off for the rest", []string{
			create + `[[{"partner_id": 10, "id_type": 2, "value": false}, {"partner_id": 10, "id_type": 1, "value": "bad"}]], {}`, `[4, 5]`,
			read(`[4, 5]`), `[{"id": 4, "value": false}, {"id": 5, "value": "bad"}]`}},
		{"$ lets a last newline pass, \\d any digit", []string{
			create + `[{"partner_id": 10, "id_type": 1, "value": "1234567890123456\n"}], {}`, `4`,
			`"g2p.reg.id", "write", [[4], {"value": "1234567890123456\n\n"}], {}`, "!odoo.exceptions.ValidationError|The provided MOSIP VID ID '1234567890123456\n\n' is invalid.",
			`"g2p.reg.id", "write", [[4], {"value": "123456789012345٣"}], {}`, `true`}},
		{"cut at 100", []string{
			create + `[{"partner_id": 10, "id_type": 3, "value": "` + strings.Repeat("Ñ", 120) + `"}], {}`, `4`,
			read(`[4]`), `[{"id": 4, "value": "` + strings.Repeat(`\u00d1`, 100) + `"}]`}},
		{"odd values", []string{
			create + `[{"partner_id": "10", "id_type": 1, "value": 1234567890123456}], {}`, `4`,
			create + `[{"partner_id": 10, "id_type": 2, "value": null}], {}`, `5`,
			create + `[{"partner_id": 10, "id_type": 3, "value": ""}], {}`, `6`,
			read(`[4, 5, 6]`), `[{"id": 4, "value": "1234567890123456"}, {"id": 5, "value": false}, {"id": 6, "value": ""}]`,
			`"g2p.reg.id", "search", [[["value", "=", false]]], {}`, `[5]`,
			`"g2p.reg.id", "search", [[["value", "=", ""]]], {}`, `[6]`}},
		{"unlink is idempotent", []string{
			`"g2p.reg.id", "unlink", [[1, 99]], {}`, `true`,
			`"g2p.reg.id", "unlink", [[1]], {}`, `true`,
			`"g2p.reg.id", "unlink", [2], {}`, `true`,
			`"g2p.reg.id", "unlink", [[]], {}`, `true`,
			`"g2p.reg.id", "search", [[]], {}`, `[3]`,
			`"res.partner", "unlink", [[7]], {}`, `true`}},
		{"a value-only write passes a duplicate", []string{
			create + `[{"partner_id": 7, "id_type": 3, "value": "a"}], {}`, `4`,
			`"g2p.reg.id", "write", [[4], {"id_type": 1}], {}`, unique,
			`"g2p.reg.id", "write", [[4], {"id_type": 2, "expiry_date": "2030-01-01"}], {}`, `true`,
			`"g2p.reg.id", "read", [[4], ["id_type", "expiry_date"]], {}`, `[{"id": 4, "id_type": [2, "MOSIP UIN TOKEN"], "expiry_date": "2030-01-01"}]`}},
		{"commands", []string{
			write7(`[[0, 0, {"id_type": 2, "value": "one"}], [2, 1]]`), `true`,
			`"g2p.reg.id", "search_read", [[["partner_id", "=", 7]]], {"fields": ["value"]}`, `[{"id": 4, "value": "one"}]`,
			write7(`[[0, 0, {"id_type": 2, "value": "two"}]]`), unique,
			write7(`[[0, 0, {"id_type": 2, "value": "three"}], [2, 4]]`), `true`, // deletes run first
			write7(`[[2, 6], [0, 0, {"id_type": 2, "value": "four"}]]`), `true`,
			write7(`[[1, 7, {"value": "five"}]]`), `true`,
			write7(`[[2, 99], [2, 98, 0]]`), `true`,
			write7(`[[3, 7]]`), `!odoo.exceptions.ValidationError|` + noSet + `Registrant (partner_id)`,
			write7(`[[5]]`), `!odoo.exceptions.ValidationError|` + noSet + `Registrant (partner_id)`,
			`"res.partner", "read", [[7], ["reg_ids"]], {}`, `[{"id": 7, "reg_ids": [7]}]`,
			read(`[7]`), `[{"id": 7, "value": "five"}]`,
			`"res.partner", "create", [{"name": "z", "reg_ids": [[0, 0, {"id_type": 1, "value": "1111111111111111"}], [0, 0, {"id_type": 2, "value": "t"}]]}], {}`, `11`,
			`"res.partner", "read", [[11], ["reg_ids"]], {}`, `[{"id": 11, "reg_ids": [9, 8]}]`}},
		{"a client's dates and ids are ignored", []string{
			`"res.partner", "write", [[7], {"write_date": "2000-01-01 00:00:00", "id": 5, "age": "1"}], {}`, `true`,
			`"res.partner", "read", [[7], ["write_date", "age"]], {}`, `[{"id": 7, "write_date": "2026-11-21 12:00:00", "age": "36"}]`}},
		{"no status in this line", []string{
			`"g2p.reg.id", "search_read", [[]], {"fields": ["status"]}`, "!builtins.ValueError|Invalid field 'status' on model 'g2p.reg.id'"}},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := registry(t, odoosim.Options{})
			for i := 0; i < len(each.steps); i += 2 {
				c.want(each.steps[i], each.steps[i+1])
			}
		})
	}
}

func TestStatusOfLaterLines(t *testing.T) {
	c := registry(t, odoosim.Options{Status: true})
	c.sim.AddIdentifier(odoosim.Identifier{Registrant: 10, Type: odoosim.VIDType, Value: "1", Status: "invalid"})
	c.want(`"g2p.reg.id", "search_read", [[["status", "!=", "invalid"]]], {"fields": ["status"], "order": "id", "limit": 1}`, `[{"id": 1, "status": false}]`)
	c.want(`"g2p.reg.id", "search", [[["status", "=", "invalid"]]], {}`, `[4]`)
	c.want(`"g2p.reg.id", "write", [[1], {"status": "odd"}], {}`, "!builtins.ValueError|Wrong value for g2p.reg.id.status: 'odd'")
	c.want(`"g2p.reg.id", "fields_get", [["status"]], {"attributes": ["selection"]}`, `{"status": {"selection": [["invalid", "Invalid"], ["valid", "Valid"]]}}`)
}

// What moves a registrant's write date (facts/odoo.md A7).
func TestWriteDates(t *testing.T) {
	for _, each := range []struct {
		call  string
		moves bool
	}{
		{`"res.partner", "write", [[7], {"phone": "1"}], {}`, true},
		{`"res.partner", "write", [[7], {"phone": "+639170000000"}], {}`, true},
		{`"res.partner", "write", [[7], {}], {}`, true},
		{`"res.partner", "write", [[7], {"reg_ids": [[0, 0, {"id_type": 2, "value": "t"}]]}], {}`, true},
		{`"res.partner", "write", [[7], {"reg_ids": [[1, 1, {"value": "1111111111111111"}]]}], {}`, true},
		{`"res.partner", "write", [[7], {"reg_ids": [[2, 1]]}], {}`, true},
		{`"g2p.reg.id", "create", [{"partner_id": 7, "id_type": 2, "value": "t"}], {}`, false},
		{`"g2p.reg.id", "write", [[1], {"value": "1111111111111111"}], {}`, false},
		{`"g2p.reg.id", "unlink", [[1]], {}`, false},
		{`"g2p.id.type", "write", [[1], {"name": "VID"}], {}`, false},
		{`"g2p.reg.id", "write", [[1], {"value": "bad"}], {}`, false},
	} {
		now := noon
		c := registry(t, odoosim.Options{Now: func() time.Time { return now }})
		now = now.Add(time.Minute)
		c.rpc(each.call)
		want := "2026-11-21 12:00:00"
		if each.moves {
			want = "2026-11-21 12:01:00"
		}
		if got := c.rpc(`"res.partner", "read", [[7], ["write_date"]], {}`).outcome(); got != `[{"id": 7, "write_date": "`+want+`"}]` {
			t.Errorf("%s: %s", each.call, got)
		}
	}
}

// The stored time has microseconds, the wire has whole seconds
// (facts/odoo.md A7).
func TestWriteDateTerms(t *testing.T) {
	c := registry(t, odoosim.Options{}) // written at 12:00:00.123456
	for _, each := range []struct {
		op, value string
		matches   string
	}{
		{"=", `"2026-11-21 12:00:00"`, "0"},
		{">", `"2026-11-21 12:00:00"`, "1"},
		{">=", `"2026-11-21 12:00:00"`, "1"},
		{"<=", `"2026-11-21 12:00:00"`, "0"},
		{"<", `"2026-11-21 12:00:01"`, "1"},
		{"=", `"2026-11-21 12:00:00.123456"`, "1"},
		{">", `"2026-11-21 12:00:00.123456"`, "0"},
		{">=", `"2026-11-21 12:00:00.123456"`, "1"},
		{">", `"2026-11-21"`, "0"},
		{"<=", `"2026-11-21"`, "1"},
		{"<", `"2026-11-21"`, "0"},
		{">=", `"2026-11-21"`, "1"},
		{">=", `"2026-11-21T12:00:00"`, "1"},
		{">=", `"2026-11-21T12:00:00Z"`, "1"},
		{">=", `"2026-11-21 12:00:00+08:00"`, "1"},
		{">=", `"2026-11-21 12:00:00.001"`, "1"},
		{">=", `"yesterday"`, "1"},
		{">=", `false`, "0"},
		{">=", `1`, "!psycopg2.errors.InvalidDatetimeFormat|invalid input syntax for type timestamp: \"1\"\n"},
	} {
		c.want(fmt.Sprintf(`"res.partner", "search_count", [[["id", "=", 7], ["write_date", "%s", %s]]], {}`, each.op, each.value), each.matches)
	}
}

// All rows of a call carry the start of its transaction, not its end.
func TestWriteDateIsTheStart(t *testing.T) {
	now := noon
	c := registry(t, odoosim.Options{Now: func() time.Time { return now }})
	c.sim.Hook(odoosim.Checked, func(string, string) { now = now.Add(time.Hour) })
	c.want(`"g2p.reg.id", "create", [[{"partner_id": 10, "id_type": 1, "value": "1111111111111111"}, {"partner_id": 10, "id_type": 2, "value": "t"}]], {}`, `[4, 5]`)
	c.want(`"g2p.reg.id", "search", [[["write_date", "=", "2026-11-21 12:00:00.123456"]]], {"order": "id"}`, `[1, 2, 3, 4, 5]`)
}
