package seeding

import (
	"fmt"
	"strings"
)

// FieldKind is what a field of registrants is in the registry.
type FieldKind struct {
	Type     string // Odoo's: "char", "date", "many2one"
	Relation string // model that a relation leads to
}

// Sent is the record as Odoo's own connector sends it to MTS, without the VID
// (facts/mts.md 5.4): without anything that Python takes for false, with dates and
// datetimes as YYYY/MM/DD, and with what is not JSON in Odoo (relations, files) as its
// Python text. kinds are those of its fields; what has none stays as it is.
func (r Record) Sent(kinds map[string]FieldKind) Record {
	sent := make(Record, len(r)+1)
	for name, value := range r {
		if !isFalse(value) {
			sent[name] = kinds[name].sent(value)
		}
	}
	return sent
}

// isFalse reports whether Python takes a value for false.
func isFalse(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case int:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// sent is a value of the kind, as Odoo's API gives it, in the form in which Odoo's
// connector sends it (facts/odoo.md A2).
func (k FieldKind) sent(value any) any {
	switch v := value.(type) {
	case string:
		switch k.Type {
		case "date", "datetime":
			return strings.ReplaceAll(v[:min(len(v), len("2006-01-02"))], "-", "/")
		case "binary":
			return "b'" + v + "'"
		case "reference": // "model,id"
			model, id, _ := strings.Cut(v, ",")
			return model + "(" + id + ",)"
		}
	case []any:
		switch k.Type {
		case "many2one": // id and name
			return recordset(k.Relation, v[:1])
		case "one2many", "many2many":
			return recordset(k.Relation, v)
		}
	}
	return value
}

// recordset is how Python shows records: "res.company(1,)", "g2p.reg.id(3, 2)".
func recordset(model string, ids []any) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = fmt.Sprint(id)
	}
	if len(texts) == 1 {
		return model + "(" + texts[0] + ",)"
	}
	return model + "(" + strings.Join(texts, ", ") + ")"
}

// SentDirectly is a record as it goes to MTS with a direct callback: as Odoo's
// connector sends it, with its VID.
func SentDirectly(record Record, kinds map[string]FieldKind, vid string) map[string]any {
	fields := record.Sent(kinds)
	fields["vid"] = vid
	return fields
}
