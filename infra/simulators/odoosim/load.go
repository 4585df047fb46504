package odoosim

import (
	"encoding/json"
	"strconv"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// load is Odoo's import of texts (odoo/models.py in 14, odoo/orm/models.py in 19), as
// far as the column ".id" names existing records. It is one transaction: if a record
// is refused nothing is written, and the reply is a success with the messages of all
// that are refused, whatever the reason; their rights too are only told there.
func (t *tx) load(m *model, columns, data any) (any, *exception) {
	names, rows := texts(columns), matrix(data)
	if names == nil || rows == nil {
		return nil, raise("builtins.TypeError", "fields and data are lists")
	}
	for _, name := range names {
		if name != ".id" && m.named[name] == nil {
			return nil, raise("builtins.KeyError", "%s", python.Repr(name))
		}
	}
	var ids []int64
	var messages []any
	var values []map[string]any
	refuse := func(record int, message string) {
		messages = append(messages, python.Dict{{"rows", python.Dict{{"from", record}, {"to", record}}}, {"type", "error"}, {"record", record}, {"message", message}})
	}
	for record, row := range rows {
		id, vals := int64(0), map[string]any{}
		for i, name := range names {
			if i >= len(row) {
				return nil, raise("builtins.IndexError", "list index out of range")
			}
			if name == ".id" {
				id, _ = strconv.ParseInt(row[i], 10, 64)
				continue
			}
			v, wrong := fromText(m.named[name], row[i])
			if wrong {
				refuse(record, "'"+row[i]+"' does not seem to be a valid value for field '%(field)s'")
			}
			vals[name] = v
		}
		r := t.db.tables[m.name].rows[id]
		if active := m.named["active"]; r == nil || !t.user.sees(m, r) || active != nil && t.activeTest && active.get(r) != true {
			refuse(record, "Unknown database identifier '"+strconv.FormatInt(id, 10)+"'")
			continue
		}
		ids, values = append(ids, id), append(values, vals)
	}
	var failed *exception
	for i, id := range ids {
		if len(messages) > 0 || failed != nil {
			break
		}
		failed = t.write(m, []int64{id}, values[i])
	}
	if failed != nil {
		// Odoo tries them one by one then, to know which of them are refused.
		for i, id := range ids {
			if err := newTx(t.env).write(m, []int64{id}, values[i]); err != nil {
				refuse(i, err.message)
			}
		}
		if len(messages) == 0 { // only together
			refuse(0, failed.message)
		}
	}
	if len(messages) > 0 {
		*t = *newTx(t.env)
		return python.Dict{{"ids", false}, {"messages", messages}, {"nextrow", 0}}, nil
	}
	return python.Dict{{"ids", ids}, {"messages", []any{}}, {"nextrow", 0}}, nil
}

// fromText is what a text of an import is for a field; "" empties it.
func fromText(f *field, text string) (v any, wrong bool) {
	if text == "" {
		return false, false
	}
	switch f.kind {
	case dateKind:
		_, err := time.Parse(time.DateOnly, text)
		return text, err != nil
	case selectionKind:
		for _, key := range f.selection {
			if key == text {
				return text, false
			}
		}
		return nil, true
	case intKind, floatKind, many2one:
		return json.Number(text), false
	}
	return text, false
}

func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	all := make([]string, len(list))
	for i, item := range list {
		all[i], _ = item.(string)
	}
	return all
}

func matrix(v any) [][]string {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	rows := make([][]string, len(list))
	for i, item := range list {
		rows[i] = texts(item)
	}
	return rows
}
