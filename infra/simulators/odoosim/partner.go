package odoosim

import (
	"strconv"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// res.partner: registrants, and a few partners of the system itself.

// firstRegistrant: the ids before it are Odoo's own partners.
const firstRegistrant = 7

// age is the module's computed text.
func age(today string, birthdate any) string {
	born, err1 := time.Parse(time.DateOnly, python.Str(birthdate))
	now, err2 := time.Parse(time.DateOnly, today)
	if err1 != nil || err2 != nil {
		return "No Birthdate!"
	}
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	return strconv.Itoa(years)
}

// commands executes the commands that were written to what partners hold.
func (t *tx) commands(m *model, partners []int64, vals map[string]any) *exception {
	if m.name != partnerModel {
		return nil
	}
	for _, f := range m.fields {
		list, given := vals[f.name].([]any)
		if f.kind != one2many || !given {
			continue
		}
		if err := t.command(f, partners, list); err != nil {
			return err
		}
	}
	return nil
}

// command executes the commands that were written to a one2many. Changes are made at
// once; removals are made before additions, whatever their order (facts/odoo.md A2).
func (t *tx) command(f *field, partners []int64, list []any) *exception {
	tab := t.db.tables[f.relation]
	held := tab.model
	unknown := func() *exception { return valueError("Wrong value for %s.%s", partnerModel, f.name) }
	var remove []int64
	var add []map[string]any
	// cut takes identifiers away from their registrant, which is refused, because
	// every identifier must have one.
	cut := func(keep map[int64]bool, only int64) *exception {
		for _, partner := range partners {
			for _, r := range t.children(tab, partner) {
				if !keep[r.id] && (only == 0 || only == r.id) {
					return t.write(held, []int64{r.id}, map[string]any{"partner_id": false})
				}
			}
		}
		return nil
	}
	for _, item := range list {
		command, _ := item.([]any)
		if len(command) == 0 {
			return unknown()
		}
		argument := func(i int) any {
			if i < len(command) {
				return command[i]
			}
			return nil
		}
		target, err := idToColumn(argument(1))
		if err != nil {
			return err
		}
		id, _ := target.(int64)
		values, _ := argument(2).(map[string]any)
		switch python.Str(command[0]) {
		case "0":
			for _, partner := range partners {
				made := map[string]any{"partner_id": jsonID(partner)}
				for k, v := range values {
					if k != "partner_id" {
						made[k] = v
					}
				}
				add = append(add, made)
			}
		case "1":
			err = t.write(held, []int64{id}, values)
		case "2":
			remove = append(remove, id)
		case "3":
			err = cut(nil, id)
		case "4":
			err = t.write(held, []int64{id}, map[string]any{"partner_id": jsonID(partners[len(partners)-1])})
		case "5":
			err = cut(nil, 0)
		case "6":
			keep := map[int64]bool{}
			linked, _ := argument(2).([]any)
			ids, bad := browse(linked)
			if bad != nil {
				return bad
			}
			for _, id := range ids {
				keep[id] = true
			}
			if err = cut(keep, 0); err == nil && len(ids) > 0 {
				err = t.write(held, ids, map[string]any{"partner_id": jsonID(partners[len(partners)-1])})
			}
		default:
			err = unknown()
		}
		if err != nil {
			return err
		}
	}
	if err := t.unlink(held, remove); err != nil {
		return err
	}
	if len(add) == 0 {
		return nil
	}
	_, err := t.create(held, add)
	return err
}
