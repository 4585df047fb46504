package odoosim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The methods that clients may call on a model.

type method struct {
	signature
	of      string // the only model that has it; "" for all
	records bool   // the first argument is a list of ids
	writes  bool
	read    func(e *env, m *model, ids []int64, a map[string]any) (any, *exception)
	write   func(t *tx, m *model, ids []int64, a map[string]any) (any, *exception)
}

var methods = map[string]method{
	"search": {signature: signature{[]string{"args"}, []string{"offset", "limit", "order", "count"}},
		read: func(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
			if python.Truthy(a["count"]) {
				return countOf(e, m, a["args"])
			}
			ids, err := e.page(m, a["args"], a)
			e.work.returned += len(ids)
			return append([]int64{}, ids...), err
		}},
	"search_count": {signature: signature{[]string{"args"}, nil},
		read: func(e *env, m *model, _ []int64, a map[string]any) (any, *exception) { return countOf(e, m, a["args"]) }},
	"search_read": {signature: signature{nil, []string{"domain", "fields", "offset", "limit", "order"}},
		read: func(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
			ids, err := e.page(m, a["domain"], a)
			if err != nil || len(ids) == 0 { // even if field names are wrong
				return []any{}, err
			}
			return e.read(m, ids, a["fields"], false)
		}},
	"read": {signature: signature{nil, []string{"fields", "load"}}, records: true,
		read: func(e *env, m *model, ids []int64, a map[string]any) (any, *exception) {
			if err := e.may("read", m); err != nil {
				return nil, err
			}
			load, given := a["load"]
			return e.read(m, ids, a["fields"], given && load != "_classic_read")
		}},
	"read_group":  {signature: signature{[]string{"domain", "fields", "groupby"}, []string{"offset", "limit", "orderby", "lazy"}}, read: readGroup},
	"name_search": {signature: signature{nil, []string{"name", "args", "operator", "limit"}}, read: nameSearch},
	"fields_get":  {signature: signature{nil, []string{"allfields", "attributes"}}, read: fieldsGet},
	"check_access_rights": {signature: signature{[]string{"operation"}, []string{"raise_exception"}},
		read: func(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
			err := e.may(python.Str(a["operation"]), m)
			if raising, given := a["raise_exception"]; err != nil && given && !python.Truthy(raising) {
				return false, nil
			}
			return true, err
		}},
	// Only the rules for records: the rights to the model are another call's.
	"check_access_rule": {signature: signature{[]string{"operation"}, nil}, records: true,
		read: func(e *env, m *model, ids []int64, a map[string]any) (any, *exception) {
			operation := python.Str(a["operation"])
			for _, id := range ids {
				switch r := e.db.tables[m.name].rows[id]; {
				case r == nil && operation != "read" && operation != "unlink":
					return nil, missingRecord(m.name, e.user.id, id)
				case r != nil && !e.user.sees(m, r):
					return nil, e.hidden(operation, m, r)
				}
			}
			return nothing{}, nil
		}},
	"get_param": {signature: signature{[]string{"key"}, []string{"default"}}, of: parameterModel,
		read: func(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
			if err := e.may("read", m); err != nil {
				return nil, err
			}
			for _, r := range e.db.tables[m.name].rows {
				if r.v[m.column("key")] == a["key"] {
					return r.v[m.column("value")], nil
				}
			}
			if fallback, given := a["default"]; given {
				return fallback, nil
			}
			return false, nil
		}},
	"create": {signature: signature{[]string{"vals_list"}, nil}, writes: true,
		write: func(t *tx, m *model, _ []int64, a map[string]any) (any, *exception) {
			if vals, ok := a["vals_list"].(map[string]any); ok {
				ids, err := t.create(m, []map[string]any{vals})
				if err != nil {
					return nil, err
				}
				return ids[0], nil
			}
			list, err := dicts(a["vals_list"])
			if err != nil || len(list) == 0 {
				return []any{}, err
			}
			return results(t.create(m, list))
		}},
	"write": {signature: signature{[]string{"vals"}, nil}, records: true, writes: true,
		write: func(t *tx, m *model, ids []int64, a map[string]any) (any, *exception) {
			vals, ok := a["vals"].(map[string]any)
			if !ok && len(ids) > 0 {
				return nil, notObject()
			}
			return true, t.write(m, ids, vals)
		}},
	"load": {signature: signature{[]string{"fields", "data"}, nil}, writes: true,
		write: func(t *tx, m *model, _ []int64, a map[string]any) (any, *exception) {
			return t.load(m, a["fields"], a["data"])
		}},
	"unlink": {records: true, writes: true,
		write: func(t *tx, m *model, ids []int64, _ map[string]any) (any, *exception) { return true, t.unlink(m, ids) }},
	"mts_action_trigger": {of: connectorModel, records: true, writes: true,
		write: func(t *tx, _ *model, ids []int64, _ map[string]any) (any, *exception) {
			return nothing{}, t.trigger(ids)
		}},
	// enable_registrant stands for the methods that return nothing: its reply
	// has neither result nor error (facts/odoo.md A1.3).
	"enable_registrant": {of: partnerModel, records: true, writes: true,
		write: func(t *tx, m *model, ids []int64, _ map[string]any) (any, *exception) {
			column := t.db.partners.model.column("disabled")
			for _, id := range ids {
				if r := t.get(t.db.partners, id); r != nil && r.v[column] != nil {
					if err := t.write(m, []int64{id}, map[string]any{"disabled": nil, "disabled_reason": nil}); err != nil {
						return nil, err
					}
				}
			}
			return nothing{}, nil
		}},
}

// nothing is Python's None as a result.
type nothing struct{}

func results(ids []int64, err *exception) (any, *exception) {
	if err != nil {
		return nil, err
	}
	return ids, nil
}

func notObject() *exception { return raise("builtins.AttributeError", "values are no object") }

func dicts(v any) ([]map[string]any, *exception) {
	list, ok := v.([]any)
	if !ok && python.Truthy(v) {
		return nil, notObject()
	}
	all := make([]map[string]any, len(list))
	for i, item := range list {
		if all[i], ok = item.(map[string]any); !ok {
			return nil, notObject()
		}
	}
	return all, nil
}

// browse reads the ids of a record method: a list, or one bare id.
func browse(v any) ([]int64, *exception) {
	list, ok := v.([]any)
	if !ok {
		if !python.Truthy(v) {
			return nil, nil
		}
		list = []any{v}
	}
	ids := make([]int64, len(list))
	for i, item := range list {
		id, err := idToColumn(item)
		if err != nil {
			return nil, err
		}
		ids[i], _ = id.(int64)
	}
	return ids, nil
}

func (e *env) page(m *model, domain any, a map[string]any) ([]int64, *exception) {
	q := query{domain: domain}
	var err *exception
	if q.offset, err = count(a["offset"]); err != nil {
		return nil, err
	}
	if q.limit, err = count(a["limit"]); err != nil {
		return nil, err
	}
	if python.Truthy(a["order"]) {
		q.order = python.Str(a["order"])
	}
	return e.search(m, q)
}

func countOf(e *env, m *model, domain any) (any, *exception) {
	ids, err := e.search(m, query{domain: domain, order: "id"})
	return len(ids), err
}

// fieldsOf checks a list of field names; nil or empty asks for all of them.
func (e *env) fieldsOf(m *model, names any) ([]*field, *exception) {
	list, ok := names.([]any)
	if !ok && python.Truthy(names) {
		return nil, raise("builtins.TypeError", "fields is no list")
	}
	fields := m.fields
	if len(list) > 0 {
		fields = nil
		for _, name := range list {
			f := m.named[python.Str(name)]
			if f == nil {
				return nil, valueError("Invalid field %s on model %s", python.Repr(name), python.Repr(m.name))
			}
			if !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
	}
	for _, f := range fields {
		if other := e.db.tables[f.relation]; f.kind == one2many && other != nil {
			if err := e.may("read", other.model); err != nil {
				return nil, err
			}
		}
	}
	return fields, nil
}

// read gives the records that exist; a missing id is left out without an error.
func (e *env) read(m *model, ids []int64, names any, bare bool) (any, *exception) {
	if list, ok := names.([]any); ok && len(list) == 1 && list[0] == "id" {
		names = []any{"id"}
	}
	fields, err := e.fieldsOf(m, names)
	if err != nil {
		return nil, err
	}
	tab := e.db.tables[m.name]
	records := make([]any, 0, len(ids))
	for _, id := range ids {
		r := tab.rows[id]
		if r == nil {
			continue
		}
		if !e.user.sees(m, r) {
			return nil, e.hidden("read", m, r)
		}
		record := make(python.Dict, 1, len(fields)+1)
		record[0] = python.Item{"id", id}
		for _, f := range fields {
			if f.column == idColumn {
				continue
			}
			v, err := f.show(e, r, bare)
			if err != nil {
				return nil, err
			}
			if e.hides(m, r, f, v) {
				v = placeholder
			}
			record = append(record, python.Item{f.name, v})
		}
		records = append(records, record)
	}
	e.work.returned += len(records)
	e.work.scan(len(records))
	for _, f := range fields {
		if f.kind == one2many { // SELECT … WHERE partner_id IN (the page)
			rows := len(e.db.tables[f.relation].ids)
			if e.indexed {
				rows = len(records)
			}
			e.work.longestList = max(e.work.longestList, len(records))
			e.work.scan(rows)
		}
	}
	return records, nil
}

func fieldsGet(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
	wanted, _ := a["allfields"].([]any)
	attributes, _ := a["attributes"].([]any)
	locked := e.may("write", m) != nil && e.may("create", m) != nil
	result := python.Dict{}
	for _, f := range m.fields {
		if len(wanted) > 0 && !slices.Contains(wanted, any(f.name)) {
			continue
		}
		stored := f.column != noColumn || f.kind == one2many || f.kind == many2many
		all := python.Dict{{"type", string(f.kind)}, {"readonly", f.readonly || locked}}
		if f.relation != "" {
			all = append(all, python.Item{"relation", f.relation})
		}
		all = append(all, python.Item{"required", f.required}, python.Item{"searchable", !f.unsearchable})
		if f.kind == selectionKind {
			options := []any{}
			for _, key := range f.selection {
				label := key
				if m.name != partnerModel || f.name != "gender" {
					label = strings.ToUpper(key[:1]) + key[1:]
				}
				options = append(options, []any{key, label})
			}
			all = append(all, python.Item{"selection", options})
		}
		if f.size > 0 {
			all = append(all, python.Item{"size", f.size})
		}
		all = append(all, python.Item{"sortable", f.column != noColumn}, python.Item{"store", stored}, python.Item{"string", f.label})
		description := python.Dict{}
		for _, attribute := range all {
			if len(attributes) == 0 || slices.Contains(attributes, any(attribute.Key)) {
				description = append(description, attribute)
			}
		}
		result = append(result, python.Item{f.name, description})
	}
	return result, nil
}

func nameSearch(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
	domain, _ := a["args"].([]any)
	if name := a["name"]; python.Truthy(name) {
		operator := a["operator"]
		if operator == nil {
			operator = "ilike"
		}
		field := nameField
		if m.name == regModel {
			field = "partner_id"
		}
		domain = append([]any{[]any{field, operator, name}}, domain...)
	}
	limit := 100
	if v, given := a["limit"]; given {
		var err *exception
		if limit, err = count(v); err != nil {
			return nil, err
		}
	}
	ids, err := e.search(m, query{domain: domain, limit: limit})
	pairs := []any{}
	for _, id := range ids {
		pairs = append(pairs, []any{id, e.db.nameOf(m.name, id)})
	}
	e.work.returned += len(pairs)
	return pairs, err
}

// readGroup counts records by one field.
func readGroup(e *env, m *model, _ []int64, a map[string]any) (any, *exception) {
	by := a["groupby"]
	if list, ok := by.([]any); ok && len(list) == 1 {
		by = list[0]
	}
	name, _ := by.(string)
	f := m.named[name]
	if f == nil || f.column == noColumn || f.kind == datetimeKind || f.kind == dateKind {
		return nil, raise("builtins.NotImplementedError", "odoosim groups by one stored field that is no date")
	}
	ids, err := e.search(m, query{domain: a["domain"], order: "id"})
	if err != nil {
		return nil, err
	}
	counts := map[any]int{}
	first := map[any]*row{}
	var order []any
	for _, id := range ids {
		r := e.db.tables[m.name].rows[id]
		v := f.get(r)
		if counts[v]++; counts[v] == 1 {
			first[v] = r
			order = append(order, v)
		}
	}
	related := e.db.tables[f.relation] // whose order the groups follow
	slices.SortFunc(order, func(a, b any) int {
		switch {
		case a == nil:
			return 1
		case b == nil:
			return -1
		case related != nil && related.model.order == "id desc":
			return compare(b, a)
		}
		return compare(a, b)
	})
	key := f.name + "_count"
	if lazy, given := a["lazy"]; given && !python.Truthy(lazy) {
		key = "__count"
	}
	domain, _ := a["domain"].([]any)
	groups := []any{}
	for _, v := range order {
		shown, err := f.show(e, first[v], false)
		if err != nil {
			return nil, err
		}
		value := v
		if v == nil {
			value = false
		}
		within := append([]any{[]any{f.name, "=", value}}, domain...)
		if len(domain) > 0 {
			within = append([]any{"&"}, within...)
		}
		groups = append(groups, python.Dict{{key, counts[v]}, {f.name, shown}, {"__domain", within}})
	}
	e.work.returned += len(groups)
	return groups, nil
}

// jsonID is an id as JSON would have given it.
func jsonID(id int64) json.Number { return json.Number(strconv.FormatInt(id, 10)) }
