package seeding

import (
	"math/big"
	"reflect"
	"testing"
)

// Each kind of field of Odoo as Odoo's connector sends it (facts/mts.md 5.4), from what
// Odoo's API gives (facts/odoo.md A2); nil: it is left out.
func TestSentByKindOfField(t *testing.T) {
	const model = "res.partner"
	for _, c := range []struct {
		kind      string
		got, want any
	}{
		{"char", "Ana", "Ana"}, {"char", "", nil}, {"char", false, nil}, {"char", nil, nil}, {"char", "0", "0"},
		{"char", "1990-11-02", "1990-11-02"}, {"char", "1990-11-02 10:11:12", "1990-11-02 10:11:12"}, {"char", "res.partner,4", "res.partner,4"},
		{"text", "1 Rizal St\nQuezon City", "1 Rizal St\nQuezon City"},
		{"html", "<p>1990-11-02</p>", "<p>1990-11-02</p>"},
		{"selection", "Female", "Female"}, {"selection", false, nil},
		{"boolean", true, true}, {"boolean", false, nil},
		{"integer", 35, 35}, {"integer", 0, nil}, {"integer", -1, -1},
		{"integer", new(big.Int).Lsh(big.NewInt(1), 80), new(big.Int).Lsh(big.NewInt(1), 80)},
		{"float", 12.5, 12.5}, {"float", 0.0, nil}, {"monetary", 0, nil}, {"monetary", 3, 3},
		{"date", "1990-11-02", "1990/11/02"}, {"date", false, nil},
		{"datetime", "2026-01-05 23:11:12", "2026/01/05"},
		{"binary", "aGVsbG8=", "b'aGVsbG8='"}, {"binary", false, nil},
		{"many2one", []any{5, "Laguna"}, "res.partner(5,)"}, {"many2one", false, nil},
		{"many2one", 5, 5}, // without its name: never asked for
		{"one2many", []any{3, 2}, "res.partner(3, 2)"}, {"one2many", []any{7}, "res.partner(7,)"}, {"one2many", []any{}, nil},
		{"many2many", []any{3, 2, 1}, "res.partner(3, 2, 1)"}, {"many2many", []any{}, nil},
		{"reference", "res.company,4", "res.company(4,)"}, {"reference", false, nil},
		{"many2one_reference", 9, 9}, {"many2one_reference", 0, nil},
		{"json", map[string]any{"a": 1}, map[string]any{"a": 1}}, {"json", map[string]any{}, nil}, {"json", []any{"x"}, []any{"x"}},
		{"properties", []any{map[string]any{"name": "a"}}, []any{map[string]any{"name": "a"}}},
		{"", "1990-11-02", "1990-11-02"}, {"", []any{3, "x"}, []any{3, "x"}}, {"", []any{}, nil}, // a kind that nobody knows
	} {
		kinds := map[string]FieldKind{"f": {c.kind, model}}
		sent := Record{"id": 17, "f": c.got}.Sent(kinds)
		if value, there := sent["f"]; there != (c.want != nil) || !reflect.DeepEqual(value, c.want) || sent["id"] != 17 {
			t.Errorf("%s %#v: %#v, want %#v", c.kind, c.got, value, c.want)
		}
		direct := SentDirectly(Record{"id": 17, "f": c.got}, kinds, " 4000 ")
		if direct["vid"] != " 4000 " {
			t.Errorf("%s: the VID is %v", c.kind, direct["vid"])
		}
		if delete(direct, "vid"); !reflect.DeepEqual(Record(direct), sent) {
			t.Errorf("%s: with a direct callback %v, for an Output Format %v", c.kind, direct, sent)
		}
	}
}

func TestSentLeavesTheRecordAsItIs(t *testing.T) {
	record := Record{"id": 1, "birthdate": "1990-11-02", "email": false}
	record.Sent(map[string]FieldKind{"birthdate": {Type: "date"}})
	if !reflect.DeepEqual(record, Record{"id": 1, "birthdate": "1990-11-02", "email": false}) {
		t.Errorf("%v", record)
	}
}
