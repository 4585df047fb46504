package odoosim

import (
	"fmt"
	"regexp"
	"strings"
)

// g2p.reg.id: one identifier of a registrant.

// typeAsText is the related field id_type_as_str.
func typeAsText(e *env, r *row) (any, *exception) {
	id, _ := r.v[e.db.regs.model.column("id_type")].(int64)
	if name := e.db.nameOf(typeModel, id); name != "" {
		return name, nil
	}
	return nil, nil
}

// registrantName is the display name of an identifier: its registrant's name.
// It reads the registrant with the user's own rights.
func registrantName(e *env, r *row) (any, *exception) {
	id, _ := r.v[e.db.regs.model.column("partner_id")].(int64)
	partner := e.db.partners.rows[id]
	if partner == nil {
		return "", nil
	}
	if !e.user.sees(e.db.partners.model, partner) {
		return nil, e.hidden("read", e.db.partners.model, partner)
	}
	return e.db.nameOf(partnerModel, id), nil
}

// identifierKeys are the foreign keys of an identifier.
func (t *tx) identifierKeys(m *model, r *row) *exception {
	if t.get(t.db.partners, r.v[m.column("partner_id")].(int64)) == nil {
		return stillUsed(m, "g2p_reg_id_partner_id_fkey")
	}
	if t.get(t.db.types, r.v[m.column("id_type")].(int64)) == nil {
		return stillUsed(m, "g2p_reg_id_id_type_fkey")
	}
	return nil
}

// identifierRules are the module's two checks in Python, in its order: first
// that no registrant has two identifiers of a type, then the expression of the type.
// The first only sees what is committed and what this call made, so that calls
// at the same time pass it together (facts/odoo.md A6). The second ends at the
// first empty value, and does not check what follows (facts/odoo.md A2).
func (t *tx) identifierRules(ids []int64, written map[string]bool) *exception {
	m := t.db.regs.model
	partner, idType, value := m.column("partner_id"), m.column("id_type"), m.column("value")
	if written["partner_id"] || written["id_type"] {
		for _, id := range ids {
			r := t.get(t.db.regs, id)
			others := t.identifiers(r.v[partner].(int64))
			if t.indexed {
				t.work.scan(len(others))
			} else {
				t.work.scan(len(t.db.regs.ids))
			}
			for _, other := range others {
				if other.id != id && other.v[idType] == r.v[idType] {
					return invalid("ID Type must be unique.")
				}
			}
		}
	}
	if !written["value"] {
		return nil
	}
	for _, id := range ids {
		r := t.get(t.db.regs, id)
		s, _ := r.v[value].(string)
		if s == "" {
			return nil
		}
		kind := t.get(t.db.types, r.v[idType].(int64))
		expression, _ := kind.v[t.db.types.model.column("id_validation")].(string)
		if expression == "" {
			continue
		}
		re, err := pythonMatch(expression)
		if err != nil {
			return raise("re.error", "%s", err)
		}
		if !re.MatchString(s) {
			name, _ := kind.v[t.db.types.model.column(nameField)].(string)
			return invalid("The provided %s ID '%s' is invalid.", name, s)
		}
	}
	return nil
}

// pythonMatch compiles an expression with the meaning of Python's re.match:
// anchored at the start only, `$` also before a last newline, `\d` and `\w` not
// only ASCII.
func pythonMatch(expression string) (*regexp.Regexp, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(expression); i++ {
		c := expression[i]
		switch {
		case c == '\\' && i+1 < len(expression):
			i++
			switch next := expression[i]; {
			case next == 'd':
				b.WriteString(`\p{Nd}`)
			case next == 'D':
				b.WriteString(`\P{Nd}`)
			case next == 'w' && class:
				b.WriteString(`\p{L}\p{N}_`)
			case next == 'w':
				b.WriteString(`[\p{L}\p{N}_]`)
			case next == 'Z':
				b.WriteString(`\z`)
			default:
				b.WriteString(expression[i-1 : i+1])
			}
		case c == '[' && !class:
			class = true
			b.WriteByte(c)
		case c == ']' && class:
			class = false
			b.WriteByte(c)
		case c == '$' && !class:
			b.WriteString(`(?:\n?\z)`)
		default:
			b.WriteByte(c)
		}
	}
	re, err := regexp.Compile(`\A(?:` + b.String() + `)`)
	if err != nil {
		return nil, fmt.Errorf("odoosim cannot read this expression: %w", err)
	}
	return re, nil
}

// typeRules: an identifier type's name is taken once, whatever its case.
func (t *tx) typeRules(ids []int64, written map[string]bool) *exception {
	if !written[nameField] {
		return nil
	}
	column := t.db.types.model.column(nameField)
	for _, id := range ids {
		name, _ := t.get(t.db.types, id).v[column].(string)
		for other, r := range t.db.types.rows {
			if s, _ := r.v[column].(string); other != id && strings.EqualFold(s, name) {
				return invalid("Id type already exists")
			}
		}
	}
	return nil
}
