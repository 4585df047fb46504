package odoosim

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// env is the environment of one call; the caller of its methods holds the
// database's lock, at least for reading.
type env struct {
	db         *database
	user       *user
	denied     map[string]bool // "model operation": rights taken away from all users
	began      stamp           // start of the transaction
	activeTest bool
	work       *work
	indexed    bool // g2p_reg_id has indexes on partner_id and value
	hashRows   int
	encrypted  bool // registrants show placeholders
	decrypts   bool // this call shows what they stand for
	generation generation
}

func (e *env) today() string { return e.began.time().Format(time.DateOnly) }

// query is what search and search_read ask for; limit 0 is none.
type query struct {
	domain        any
	offset, limit int
	order         string
}

// search returns the ids of the page.
func (e *env) search(m *model, q query) ([]int64, *exception) {
	before, subplans := len(e.work.subselects), e.work.subplans
	n, err := e.where(m, q.domain)
	if err != nil {
		return nil, err
	}
	looks := e.work.subselects[before:]
	subplans = e.work.subplans - subplans
	keys, err := e.ordering(m, q.order)
	if err != nil {
		return nil, err
	}
	tab := e.db.tables[m.name]
	byID := len(keys) > 0 && keys[0].field.column == idColumn
	want := math.MaxInt
	if byID && q.limit > 0 {
		want = q.offset + q.limit
	}
	candidates, scan := e.candidates(tab, n.hints, byID && q.limit > 0)
	step, at := 1, 0
	if byID && keys[0].descending {
		step, at = -1, len(candidates)-1
	}
	var ids []int64
	tested := 0
	for ; at >= 0 && at < len(candidates) && len(ids) < want; at += step {
		r := tab.rows[candidates[at]]
		if r == nil {
			continue
		}
		tested++
		if n.test(r) == yes {
			ids = append(ids, r.id)
		}
	}
	e.work.scan(scan(ids, len(ids) == want, byID && keys[0].descending))
	e.work.lookInto(e, looks, subplans, tested)
	if !byID {
		e.sort(tab, ids, keys)
	}
	ids = ids[min(q.offset, len(ids)):]
	if q.limit > 0 && len(ids) > q.limit {
		ids = ids[:q.limit]
	}
	return ids, nil
}

// candidates are ids, ascending, among which every match is. scan says how
// many rows PostgreSQL would have read for the result: the primary key, and
// the two indexes if the registry has them; a full scan otherwise. Our own
// indexes are faster than that and do not count.
func (e *env) candidates(tab *table, hints []hint, walk bool) (ids []int64, scan func(found []int64, full, descending bool) int) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	var exact [][]int64
	cost := -1
	atMost := func(n int) {
		if cost < 0 || n < cost {
			cost = n
		}
	}
	for _, h := range hints {
		switch {
		case h.keys == nil:
			lo, hi = max(lo, h.lo), min(hi, h.hi)
		case h.column == idColumn:
			set := make([]int64, 0, len(h.keys))
			for _, k := range h.keys {
				if id, ok := k.(int64); ok {
					set = append(set, id)
				}
			}
			slices.Sort(set)
			exact = append(exact, set)
			atMost(len(set))
		case tab.index[h.column] != nil:
			var set []int64
			for _, k := range h.keys {
				found, _ := tab.having(h.column, k)
				set = append(set, found...)
			}
			if len(h.keys) > 1 {
				slices.Sort(set)
			}
			exact = append(exact, set)
			if e.indexed && tab.model.fieldAt(h.column).name != "id_type" {
				atMost(len(set))
			}
		}
	}
	within := func(ids []int64) []int64 {
		from, _ := slices.BinarySearch(ids, lo)
		to := len(ids)
		if hi != math.MaxInt64 {
			to, _ = slices.BinarySearch(ids, hi+1)
		}
		return ids[min(from, to):to]
	}
	ids = within(tab.ids)
	all := ids
	for _, set := range exact {
		if set = within(set); len(set) < len(ids) {
			ids = set
		}
	}
	return ids, func(found []int64, full, descending bool) int {
		if cost >= 0 {
			return min(cost, len(all))
		}
		if !walk || !full || len(found) == 0 {
			return len(all)
		}
		// A scan along the primary key that ends at the last one found.
		at, _ := slices.BinarySearch(all, found[len(found)-1])
		if descending {
			return len(all) - at
		}
		return at + 1
	}
}

func (m *model) fieldAt(column int) *field {
	for _, f := range m.fields {
		if f.column == column && f.alias == "" {
			return f
		}
	}
	return nil
}

// sortKey is one field of an order.
type sortKey struct {
	field      *field
	descending bool
}

var orderShape = regexp.MustCompile(`(?i)^(\s*([a-z0-9:_]+|"[a-z0-9:_]+")(\s+(desc|asc))?\s*(,|$))+$`)

func (e *env) ordering(m *model, order string) ([]sortKey, *exception) {
	if order == "" {
		order = m.order
	}
	if !orderShape.MatchString(order) || strings.HasSuffix(order, ",") {
		return nil, raise("odoo.exceptions.UserError", "Invalid \"order\" specified (%s). A valid \"order\" specification is "+
			"a comma-separated list of valid field names (optionally followed by asc/desc for the direction)", order)
	}
	var keys []sortKey
	for part := range strings.SplitSeq(order, ",") {
		words := strings.Fields(part)
		name := strings.Trim(words[0], `"`)
		f := m.named[name]
		if f == nil {
			return nil, valueError("Invalid field %s on model %s", python.Repr(name), python.Repr(m.name))
		}
		if f.column == noColumn {
			continue // Odoo only warns in its log
		}
		keys = append(keys, sortKey{f, len(words) > 1 && strings.EqualFold(words[1], "desc")})
	}
	return keys, nil
}

// sort orders ids. Rows that are equal in every key come in an arbitrary
// order that is not by id, as from PostgreSQL.
func (e *env) sort(tab *table, ids []int64, keys []sortKey) {
	e.work.sorted += len(ids)
	value := func(k sortKey, id int64) any {
		v := k.field.get(tab.rows[id])
		if ref, ok := v.(int64); ok && k.field.kind == many2one {
			return e.db.nameOf(k.field.relation, ref)
		}
		return v
	}
	slices.SortFunc(ids, func(a, b int64) int {
		for _, k := range keys {
			x, y := value(k, a), value(k, b)
			c := 0
			switch {
			case x == nil && y == nil:
			case x == nil: // NULLs are the greatest
				c = 1
			case y == nil:
				c = -1
			default:
				c = compare(x, y)
			}
			if k.descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return int(scramble(a)) - int(scramble(b))
	})
}

func scramble(id int64) uint32 { return uint32(uint64(id)*0x9E3779B97F4A7C15>>33) >> 1 }

// count reads a limit or an offset.
func count(v any) (int, *exception) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		if n, err := v.Int64(); err == nil && n >= 0 {
			return int(n), nil
		}
		return 0, raise("psycopg2.errors.InvalidRowCountInLimitClause", "LIMIT must not be negative\n")
	}
	if !python.Truthy(v) {
		return 0, nil
	}
	return 0, raise("builtins.TypeError", "%%d format: a number is required, not %s", python.TypeName(v))
}
