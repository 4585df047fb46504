package odoosim

import (
	"slices"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// Writing any model: what Odoo does before and after the rules of the model.

// defaults a create fills in.
func (t *tx) defaults(m *model) map[string]any {
	switch m.name {
	case partnerModel:
		return map[string]any{"active": true, "type": "contact", "lang": "en_US", "company_id": t.user.companies[len(t.user.companies)-1],
			"is_registrant": false, "is_group": false, "color": int64(0), "registration_date": t.today()}
	case phoneModel:
		return map[string]any{"date_collected": t.today()}
	case connectorModel:
		return connectorDefaults()
	}
	return nil
}

func (t *tx) create(m *model, list []map[string]any) ([]int64, *exception) {
	if err := t.may("create", m); err != nil {
		return nil, err
	}
	if len(list) > 1 && m.name == typeModel {
		first := t.db.types.last.Load()
		return nil, valueError("Expected singleton: %s", recordset(m.name, first+1, first+2))
	}
	for _, vals := range list {
		if err := knownFields(m, vals); err != nil {
			return nil, err
		}
	}
	tab := t.db.tables[m.name]
	ids := make([]int64, 0, len(list))
	for _, vals := range list {
		r := &row{id: tab.last.Add(1), v: make([]any, m.width)}
		for name, v := range t.defaults(m) {
			r.v[m.column(name)] = v
		}
		for _, name := range []string{"create", "write"} {
			r.v[m.column(name+"_uid")], r.v[m.column(name+"_date")] = t.user.id, t.began
		}
		if err := t.fill(m, r, vals); err != nil {
			return nil, err
		}
		t.set(tab, r.id, r)
		if err := t.insertable(m, r); err != nil {
			return nil, err
		}
		ids = append(ids, r.id)
		t.work.created++
		if m.name == partnerModel {
			t.work.partners++
		}
	}
	for i, vals := range list {
		if err := t.commands(m, ids[i:i+1], vals); err != nil {
			return nil, err
		}
	}
	written := map[string]bool{}
	for _, vals := range list {
		for name := range vals {
			written[name] = true
		}
	}
	return ids, t.constraints(m, ids, written)
}

// write changes records; a missing id is an error, an empty vals is not: it
// moves write_date all the same (facts/odoo.md A7).
func (t *tx) write(m *model, ids []int64, vals map[string]any) *exception {
	if len(ids) == 0 {
		return nil
	}
	if err := t.may("write", m); err != nil {
		return err
	}
	tab := t.db.tables[m.name]
	var missing []int64
	for _, id := range ids {
		switch r := t.get(tab, id); {
		case r == nil:
			missing = append(missing, id)
		case !t.user.sees(m, r):
			return t.hidden("write", m, r)
		}
	}
	if missing != nil {
		return missingRecord(m.name, t.user.id, missing...)
	}
	if err := knownFields(m, vals); err != nil {
		return err
	}
	for _, id := range ids {
		r := t.get(tab, id).clone()
		r.v[m.column("write_uid")], r.v[m.column("write_date")] = t.user.id, t.began
		if err := t.fill(m, r, vals); err != nil {
			return err
		}
		t.set(tab, id, r)
		if err := t.insertable(m, r); err != nil {
			return err
		}
		t.work.wrote++
	}
	if err := t.commands(m, ids, vals); err != nil {
		return err
	}
	written := map[string]bool{}
	for name := range vals {
		written[name] = true
	}
	return t.constraints(m, ids, written)
}

// unlink removes records. An id that does not exist is ignored (facts/odoo.md A2),
// except of a partner, which Odoo reads before it removes it.
func (t *tx) unlink(m *model, ids []int64) *exception {
	if len(ids) == 0 {
		return nil
	}
	if err := t.may("unlink", m); err != nil {
		return err
	}
	tab := t.db.tables[m.name]
	for _, id := range ids {
		r := t.get(tab, id)
		if r == nil && m.name == partnerModel {
			return missingRecord(m.name, t.user.id, id)
		}
		if r == nil {
			continue
		}
		if !t.user.sees(m, r) {
			return t.hidden("unlink", m, r)
		}
		if m.name == connectorModel && t.atWork(r) {
			return raise("odoo.exceptions.AccessError", "Due to security restrictions, you are not allowed to delete '%s' (%s) records.", m.label, m.name)
		}
		if m.name == partnerModel {
			if id < firstRegistrant {
				return stillUsed(t.db.tables[userModel].model, "res_users_partner_id_fkey")
			}
			if len(t.identifiers(id)) > 0 {
				return stillUsed(t.db.regs.model, "g2p_reg_id_partner_id_fkey")
			}
			if phones, _ := t.db.phones.having(t.db.phones.model.column("partner_id"), id); len(phones) > 0 {
				return stillUsed(t.db.phones.model, "g2p_phone_number_partner_id_fkey")
			}
		}
		if m.name == typeModel {
			used, _ := t.db.regs.having(t.db.regs.model.column("id_type"), id)
			if len(used) > 0 {
				return stillUsed(t.db.regs.model, "g2p_reg_id_id_type_fkey")
			}
		}
		t.set(tab, id, nil)
		t.work.deleted++
	}
	return nil
}

func knownFields(m *model, vals map[string]any) *exception {
	names := make([]string, 0, len(vals))
	for name := range vals {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if m.named[name] == nil {
			return valueError("Invalid field %s on model %s", python.Repr(name), python.Repr(m.name))
		}
	}
	return nil
}

// fill stores the values. What a client may not set (ids, dates and users of
// creation and change, computed fields) is ignored.
func (t *tx) fill(m *model, r *row, vals map[string]any) *exception {
	for _, f := range m.fields {
		v, given := vals[f.name]
		if !given || f.readonly || f.column < 0 {
			continue
		}
		stored, err := f.toColumn(m, v)
		if err != nil {
			return err
		}
		r.v[f.column] = stored
	}
	return nil
}

// insertable checks what the database itself refuses: NOT NULL, CHECK, foreign keys.
func (t *tx) insertable(m *model, r *row) *exception {
	for _, f := range m.fields {
		if f.required && f.get(r) == nil {
			return notSet(m, f)
		}
	}
	switch m.name {
	case partnerModel:
		if r.v[m.column("type")] == "contact" && r.v[m.column(nameField)] == nil {
			return invalid("res_partner_check_name")
		}
		if company := r.v[m.column("company_id")].(int64); t.db.tables[companyModel].rows[company] == nil {
			return stillUsed(m, "res_partner_company_id_fkey")
		}
	case regModel:
		return t.identifierKeys(m, r)
	case phoneModel:
		if t.get(t.db.partners, r.v[m.column("partner_id")].(int64)) == nil {
			return stillUsed(m, "g2p_phone_number_partner_id_fkey")
		}
	}
	return nil
}

func (t *tx) constraints(m *model, ids []int64, written map[string]bool) *exception {
	switch m.name {
	case regModel:
		return t.identifierRules(ids, written)
	case typeModel:
		return t.typeRules(ids, written)
	case connectorModel:
		return t.connectorRules(ids)
	}
	return nil
}
