package odoo

import (
	"context"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

// Submissions finds holders by value, archived registrants among them: identifiers have
// no mark of that (facts/odoo.md A3). Whoever archived one did not mean that a second
// one be made of the same submission.
func (r *Registry) Submissions(ctx context.Context, ids []string) ([]seeding.Identifier, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	rows := lookUp(len(ids))
	err = r.identifiers(ctx, []any{[]any{"value", "in", ids}, []any{"id_type", "=", schema.submission}}, nil, rows)
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	list := identifiers(rows.list, schema.submission)
	return slices.DeleteFunc(list, func(i seeding.Identifier) bool { return !asked[i.Value] }), err
}

// CreateRegistrants is one transaction of Odoo, with what each registrant holds: so no
// registrant is ever there without the id of its submission, by which it is found again.
func (r *Registry) CreateRegistrants(ctx context.Context, list []seeding.NewRegistrant) (ids []int64, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = r.session.writeTyped(ctx, func(s schema) error {
		ids, err = r.createRegistrants(ctx, list, s)
		return err
	})
	return ids, err
}

func (r *Registry) createRegistrants(ctx context.Context, list []seeding.NewRegistrant, s schema) (ids []int64, err error) {
	values := make([]map[string]any, len(list))
	for i, one := range list {
		values[i] = newPartner(one, s)
	}
	err = r.session.call(ctx, request{model: partnerModel, method: "create", arg: values, writes: true}, &ids)
	if err == nil && !areNew(ids, len(list)) {
		return nil, &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return ids, err
}

// areNew reports whether a reply to a create has so many ids, each once.
func areNew(ids []int64, count int) bool {
	seen := make(map[int64]bool, count)
	for _, id := range ids {
		if id <= 0 || len(ids) != count {
			return false
		}
		seen[id] = true
	}
	return len(seen) == count
}

// newPartner are the values of a registrant, with what it holds in Odoo's commands
// (facts/odoo.md A2). Its name is among them: Odoo makes none of the parts of one that
// come by a call.
func newPartner(one seeding.NewRegistrant, s schema) map[string]any {
	partner := map[string]any{"is_registrant": true, "is_group": false}
	for name, value := range one.Values {
		partner[name] = value
	}
	identifiers := []any{
		added(tokenValues(one.Token, s)),
		added(map[string]any{"id_type": s.submission, "value": one.Submission}),
	}
	for _, other := range one.Identifiers {
		values := map[string]any{"id_type": other.Type}
		for name, value := range other.Values {
			values[name] = value
		}
		identifiers = append(identifiers, added(values))
	}
	partner["reg_ids"] = identifiers
	var phones []any
	for _, phone := range one.Phones {
		values := map[string]any{"phone_no": phone.Number}
		if phone.Collected != "" {
			values["date_collected"] = phone.Collected
		}
		phones = append(phones, added(values))
	}
	if phones != nil {
		partner["phone_number_ids"] = phones
	}
	return partner
}

// added is Odoo's command that makes a record of a one2many.
func added(values map[string]any) []any { return []any{0, 0, values} }
