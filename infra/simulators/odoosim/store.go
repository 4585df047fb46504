package odoosim

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// The store: tables of immutable rows with ascending ids, and transactions
// that are checked without the lock and committed under it. The gap between
// the two is Odoo's: under REPEATABLE READ a check in Python does not see what
// others are about to commit (facts/odoo.md A6).

// row is never changed once it is stored; a change stores another.
type row struct {
	id int64
	v  []any
}

func (r *row) clone() *row { return &row{r.id, slices.Clone(r.v)} }

type table struct {
	model *model
	rows  map[int64]*row
	ids   []int64                 // ascending
	index map[int]map[any][]int64 // column, key: ascending ids
	last  atomic.Int64            // the sequence: never goes back, not even after a rollback
}

func newTable(m *model, indexed ...string) *table {
	t := &table{model: m, rows: map[int64]*row{}, index: map[int]map[any][]int64{}}
	for _, name := range indexed {
		t.index[m.column(name)] = map[any][]int64{}
	}
	return t
}

func (t *table) put(r *row) {
	old := t.rows[r.id]
	t.rows[r.id] = r
	if old == nil {
		t.ids = insert(t.ids, r.id)
	}
	for column, keys := range t.index {
		key := r.v[column]
		if old != nil {
			if old.v[column] == key {
				continue
			}
			keys[old.v[column]] = without(keys[old.v[column]], map[int64]bool{r.id: true})
		}
		keys[key] = insert(keys[key], r.id)
	}
}

// drop removes rows; a thousand cost one pass over each index, not a thousand.
func (t *table) drop(ids map[int64]bool) {
	for column, keys := range t.index {
		touched := map[any]bool{}
		for id := range ids {
			if r := t.rows[id]; r != nil {
				touched[r.v[column]] = true
			}
		}
		for key := range touched {
			if left := without(keys[key], ids); len(left) > 0 {
				keys[key] = left
			} else {
				delete(keys, key)
			}
		}
	}
	for id := range ids {
		delete(t.rows, id)
	}
	t.ids = without(t.ids, ids)
}

// having gives the ids whose indexed column holds key; ok is false without an index.
func (t *table) having(column int, key any) (ids []int64, ok bool) {
	keys, ok := t.index[column]
	return keys[key], ok
}

// ofPartner are the records that belong to a partner: the column of a one2many.
func (t *table) ofPartner(id int64) (ids []int64, ok bool) {
	return t.having(t.model.column("partner_id"), id)
}

func insert(ids []int64, id int64) []int64 {
	if n := len(ids); n == 0 || ids[n-1] < id {
		return append(ids, id)
	}
	at, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, at, id)
}

func without(ids []int64, gone map[int64]bool) []int64 {
	return slices.DeleteFunc(ids, func(id int64) bool { return gone[id] })
}

// database is one Odoo database.
type database struct {
	name   string
	mu     sync.RWMutex
	tables map[string]*table
	users  []*user // guarded by mu

	partners, regs, types, phones *table
}

func newDatabase(name string, o Options) *database {
	db := &database{name: name}
	db.partners = newTable(newPartnerModel(o.Encrypted))
	db.regs = newTable(newRegModel(o.Status), "partner_id", "id_type", "value")
	db.types = newTable(newNamedModel(typeModel, "ID Type", "id desc", field{name: "id_validation", label: "ID Validation", kind: charKind}))
	db.phones = newTable(newPhoneModel(), "partner_id")
	db.tables = map[string]*table{
		genderModel:  newTable(newGenderModel()),
		phoneModel:   db.phones,
		partnerModel: db.partners,
		regModel:     db.regs,
		typeModel:    db.types,
		companyModel: newTable(newNamedModel(companyModel, "Companies", "name")),
		userModel:    newTable(newNamedModel(userModel, "Users", "name", field{name: "login", label: "Login", kind: charKind})),
		parameterModel: newTable(newModel(parameterModel, "System Parameter", "key",
			field{name: "key", label: "Key", kind: charKind}, field{name: "value", label: "Value", kind: textKind})),
	}
	if o.MTS {
		maps.Copy(db.tables, mtsTables())
	}
	return db
}

// nameOf is what a many2one to this record shows: "" for a record that is gone.
func (db *database) nameOf(modelName string, id int64) string {
	t := db.tables[modelName]
	if t == nil || t.rows[id] == nil {
		return ""
	}
	if t == db.regs { // an identifier is named after its registrant
		partner, _ := t.rows[id].v[t.model.column("partner_id")].(int64)
		return db.nameOf(partnerModel, partner)
	}
	name, _ := t.model.named[nameField].get(t.rows[id]).(string)
	return name
}

// tx is one call that writes: all of it or nothing.
type tx struct {
	*env
	changes map[*table]map[int64]*change
	ids     map[*table][]int64 // changed ids, in order
	owned   map[owner][]int64  // identifiers, or phone numbers, made here or moved to a partner
}

// owner is a partner with the table of what it owns.
type owner struct {
	tab     *table
	partner int64
}

// change is a row as this transaction read it (nil: the row is new) and as it
// leaves it (nil: the row is removed).
type change struct{ old, now *row }

func newTx(e *env) *tx {
	return &tx{env: e, changes: map[*table]map[int64]*change{}, ids: map[*table][]int64{}, owned: map[owner][]int64{}}
}

func (t *tx) get(tab *table, id int64) *row {
	if c, ok := t.changes[tab][id]; ok {
		return c.now
	}
	return tab.rows[id]
}

// set makes or changes a row; nil removes it.
func (t *tx) set(tab *table, id int64, now *row) {
	if t.changes[tab] == nil {
		t.changes[tab] = map[int64]*change{}
	}
	c := t.changes[tab][id]
	if c == nil {
		c = &change{old: tab.rows[id]}
		t.changes[tab][id] = c
		t.ids[tab] = append(t.ids[tab], id)
	}
	c.now = now
	if now != nil && (tab == t.db.regs || tab == t.db.phones) {
		if partner, ok := now.v[tab.model.column("partner_id")].(int64); ok {
			t.owned[owner{tab, partner}] = append(t.owned[owner{tab, partner}], id)
		}
	}
}

// identifiers are those of a registrant that the transaction sees.
func (t *tx) identifiers(partner int64) []*row { return t.children(t.db.regs, partner) }

// children are the rows of a one2many that the transaction sees.
func (t *tx) children(tab *table, partner int64) []*row {
	column := tab.model.column("partner_id")
	committed, _ := tab.ofPartner(partner)
	var rows []*row
	seen := map[int64]bool{}
	for _, id := range slices.Concat(committed, t.owned[owner{tab, partner}]) {
		if r := t.get(tab, id); r != nil && !seen[id] && r.v[column] == partner {
			seen[id] = true
			rows = append(rows, r)
		}
	}
	return rows
}

// commit applies the changes; the caller holds the lock. conflict means that a
// row was changed by another since this transaction saw it: PostgreSQL's 40001.
func (t *tx) commit() (err *exception, conflict bool) {
	for tab, changes := range t.changes {
		for id, c := range changes {
			if tab.rows[id] != c.old {
				return nil, true
			}
		}
	}
	if err := t.checkKeys(); err != nil {
		return err, false
	}
	for tab, ids := range t.ids {
		removed := map[int64]bool{}
		for _, id := range ids {
			switch c := t.changes[tab][id]; {
			case c.now != nil:
				tab.put(c.now)
			case c.old != nil:
				removed[id] = true
			}
		}
		if len(removed) > 0 {
			tab.drop(removed)
		}
	}
	return nil, false
}

// checkKeys is the database's foreign keys, on what is there at commit.
func (t *tx) checkKeys() *exception {
	regs := t.db.regs
	for _, key := range []struct {
		column     string
		to         *table
		constraint string
	}{
		{"partner_id", t.db.partners, "g2p_reg_id_partner_id_fkey"},
		{"id_type", t.db.types, "g2p_reg_id_id_type_fkey"},
	} {
		column := regs.model.column(key.column)
		for _, c := range t.changes[regs] {
			if c.now != nil && t.get(key.to, c.now.v[column].(int64)) == nil {
				return stillUsed(regs.model, key.constraint)
			}
		}
		for id, c := range t.changes[key.to] {
			if c.now != nil {
				continue
			}
			users, _ := regs.having(column, id)
			for _, reg := range users {
				if r := t.get(regs, reg); r != nil && r.v[column] == id {
					return stillUsed(regs.model, key.constraint)
				}
			}
		}
	}
	return nil
}
