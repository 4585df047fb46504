package odoo

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// Submissions reads identifiers by their values.
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
	return identifiers(rows.list, schema.submission), err
}

// CreateRegistrants is one transaction of Odoo, with the identifiers and phone numbers
// that each registrant holds.
func (r *Registry) CreateRegistrants(ctx context.Context, list []seeding.NewRegistrant) ([]int64, error) {
	if len(list) == 0 {
		return nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	values := make([]map[string]any, len(list))
	for i, one := range list {
		values[i] = newPartner(one, schema)
	}
	var ids []int64
	err = r.session.call(ctx, request{model: partnerModel, method: "create", arg: values, writes: true}, &ids)
	if err == nil && len(ids) != len(list) {
		return nil, &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return ids, err
}

// newPartner are the values of a registrant, with what it holds in Odoo's commands.
func newPartner(one seeding.NewRegistrant, s schema) map[string]any {
	add := func(values map[string]any) []any { return []any{0, 0, values} }
	token := map[string]any{"id_type": s.token, "value": one.Token.Value}
	for name, value := range map[string]string{"expiry_date": one.Token.Expiry, "status": one.Token.Status, "description": one.Token.Description} {
		if value != "" && s.has(name) {
			token[name] = value
		}
	}
	identifiers := []any{add(token), add(map[string]any{"id_type": s.submission, "value": one.Submission})}
	for _, other := range one.Identifiers {
		values := map[string]any{"id_type": other.Type}
		for name, value := range other.Values {
			values[name] = value
		}
		identifiers = append(identifiers, add(values))
	}
	partner := map[string]any{"is_registrant": true, "is_group": false, "reg_ids": identifiers}
	for name, value := range one.Values {
		partner[name] = value
	}
	var phones []any
	for _, phone := range one.Phones {
		values := map[string]any{"phone_no": phone.Number}
		if phone.Collected != "" {
			values["date_collected"] = phone.Collected
		}
		phones = append(phones, add(values))
	}
	if phones != nil {
		partner["phone_number_ids"] = phones
	}
	return partner
}
