package odoosim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// Values: from JSON to a column, from a column to the wire, and compared.

// toColumn turns what a client writes into what is stored (facts/odoo.md A2).
func (f *field) toColumn(m *model, v any) (any, *exception) {
	switch f.kind {
	case boolKind:
		return python.Truthy(v), nil
	case charKind, textKind:
		if v == nil || v == false {
			return nil, nil
		}
		s := python.Str(v)
		if f.size > 0 {
			if runes := []rune(s); len(runes) > f.size {
				s = string(runes[:f.size]) // without a word
			}
		}
		return s, nil
	case selectionKind:
		if v == nil || v == false {
			return nil, nil
		}
		for _, key := range f.selection {
			if v == key {
				return key, nil
			}
		}
		return nil, valueError("Wrong value for %s.%s: %s", m.name, f.name, python.Repr(v))
	case dateKind:
		if !python.Truthy(v) {
			return nil, nil
		}
		return dateToColumn(python.Str(v))
	case datetimeKind:
		if !python.Truthy(v) {
			return nil, nil
		}
		at, err := parseStamp(python.Str(v), time.Time{})
		if err != nil {
			return nil, valueError("time data does not match format")
		}
		return at, nil
	case many2one, intKind:
		return idToColumn(v)
	case floatKind:
		if !python.Truthy(v) {
			return 0.0, nil
		}
		n, err := strconv.ParseFloat(python.Str(v), 64)
		if err != nil {
			return nil, notFloat()
		}
		return n, nil
	}
	return nil, nil
}

func dateToColumn(s string) (any, *exception) {
	if runes := []rune(s); len(runes) > 10 {
		s = string(runes[:10])
	}
	// PostgreSQL reads it first, and knows more forms than Odoo.
	if s == "" || strings.Trim(s, "0123456789-/. ") != "" {
		return nil, raise("psycopg2.errors.InvalidDatetimeFormat", "invalid input syntax for type date: %q\n", s)
	}
	shaped := len(s) == 10 && s[4] == '-' && s[7] == '-' && strings.Trim(s[:4]+s[5:7]+s[8:], "0123456789") == ""
	if !shaped {
		return nil, valueError("time data %s does not match format '%%Y-%%m-%%d'", python.Repr(s))
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return nil, raise("psycopg2.errors.DatetimeFieldOverflow", "date/time field value out of range: %q\n", s)
	}
	return s, nil
}

// idToColumn takes an id to write: a bare number or a numeric string. The
// [id, name] pair that read returns is refused (facts/odoo.md A2).
func idToColumn(v any) (any, *exception) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if !v {
			return nil, nil
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			if n == 0 {
				return nil, nil
			}
			return n, nil
		}
	case string:
		if v == "" {
			return nil, nil
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
		return nil, notInteger(v)
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				return nil, notInteger(s)
			}
		}
	}
	return nil, raise("psycopg2.errors.DatatypeMismatch", "column is of type integer but expression is of another type\n")
}

func notFloat() *exception { return valueError("could not convert string to float") }

func notInteger(s string) *exception {
	return raise("psycopg2.errors.InvalidTextRepresentation", "invalid input syntax for type integer: %q\n", s)
}

// show is the value as read returns it: empty is false (facts/odoo.md A2).
func (f *field) show(e *env, r *row, bare bool) (any, *exception) {
	v := f.get(r)
	if f.compute != nil {
		var err *exception
		if v, err = f.compute(e, r); err != nil {
			return nil, err
		}
	}
	switch f.kind {
	case one2many:
		children, _ := e.db.tables[f.relation].ofPartner(r.id)
		ids := make([]int64, len(children)) // newest first: the model's order
		for i, id := range children {
			ids[len(children)-1-i] = id
		}
		return ids, nil
	case many2many:
		return []any{}, nil
	}
	switch v := v.(type) {
	case nil:
		switch f.kind {
		case intKind:
			return 0, nil
		case floatKind:
			return 0.0, nil
		}
		return false, nil
	case stamp:
		return v.wire(), nil
	case int64:
		if f.kind == many2one && !bare {
			return []any{v, e.db.nameOf(f.relation, v)}, nil
		}
	}
	return v, nil
}

const wireTime = "2006-01-02 15:04:05"

func (s stamp) time() time.Time { return time.UnixMicro(int64(s)).UTC() }

// wire is whole seconds, truncated, without a zone.
func (s stamp) wire() string { return s.time().Format(wireTime) }

// parseStamp reads a timestamp as PostgreSQL does for a column without a time
// zone: T and Z are taken, an offset is taken and ignored (facts/odoo.md A7).
func parseStamp(s string, now time.Time) (stamp, error) {
	switch day := now.Truncate(24 * time.Hour); strings.ToLower(s) {
	case "now":
		return stamp(now.UnixMicro()), nil
	case "today":
		return stamp(day.UnixMicro()), nil
	case "yesterday":
		return stamp(day.AddDate(0, 0, -1).UnixMicro()), nil
	case "tomorrow":
		return stamp(day.AddDate(0, 0, 1).UnixMicro()), nil
	case "epoch":
		return 0, nil
	case "infinity":
		return math.MaxInt64, nil
	case "-infinity":
		return math.MinInt64, nil
	}
	t := strings.TrimSuffix(strings.Replace(s, "T", " ", 1), "Z")
	if i := strings.LastIndexAny(t, "+-"); i > 10 {
		t = t[:i]
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, t); err == nil {
			return stamp(at.UnixMicro()), nil
		}
	}
	return 0, fmt.Errorf("no timestamp")
}

// toOperand turns the right side of a term into something to compare with.
func (f *field) toOperand(e *env, op string, v any) (any, *exception) {
	if v == nil || v == false && f.kind != boolKind {
		return nil, nil
	}
	switch f.kind {
	case boolKind:
		return python.Truthy(v), nil
	case intKind, many2one:
		switch v := v.(type) {
		case json.Number:
			if n, err := v.Int64(); err == nil {
				return n, nil
			}
			n, _ := v.Float64()
			return n, nil
		case string:
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				return n, nil
			}
			return nil, notInteger(v)
		}
		return nil, raise("psycopg2.errors.UndefinedFunction", "operator does not exist: integer %s\n", op)
	case floatKind:
		n, err := strconv.ParseFloat(python.Str(v), 64)
		if err != nil {
			return nil, notFloat()
		}
		return n, nil
	case dateKind:
		s := python.Str(v)
		if at, err := parseStamp(s, e.began.time()); err == nil {
			return at.time().Format(time.DateOnly), nil
		}
		return nil, raise("psycopg2.errors.InvalidDatetimeFormat", "invalid input syntax for type date: %q\n", s)
	case datetimeKind:
		s := python.Str(v)
		if len(s) == 10 { // a bare date
			if op == ">" || op == "<=" {
				s += " 23:59:59"
			} else {
				s += " 00:00:00"
			}
		}
		at, err := parseStamp(s, e.began.time())
		if err != nil {
			return nil, raise("psycopg2.errors.InvalidDatetimeFormat", "invalid input syntax for type timestamp: %q\n", s)
		}
		return at, nil
	}
	return python.Str(v), nil
}

// compare orders two values of one column; neither is NULL.
func compare(a, b any) int {
	switch a := a.(type) {
	case string:
		b, _ := b.(string)
		return collate(a, b)
	case bool:
		b, _ := b.(bool)
		switch {
		case a == b:
			return 0
		case a:
			return 1
		}
		return -1
	case stamp:
		b, _ := b.(stamp)
		return cmp.Compare(a, b)
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
		b, _ := b.(float64)
		return cmp.Compare(float64(a), b)
	case float64:
		b, _ := b.(float64)
		return cmp.Compare(a, b)
	}
	return 0
}

// collate is roughly a language's order: case matters last.
func collate(a, b string) int {
	if c := strings.Compare(strings.ToLower(a), strings.ToLower(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// plain is a value's text in SQL, for LIKE.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case stamp:
		return v.time().Format("2006-01-02 15:04:05.999999")
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
