package odoo

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// Models calls methods of any model of an Odoo, signed in as registries are, for
// programs that are no connector. Its errors are those of a Registry.
type Models struct{ session *session }

// Models are all models of the registry's Odoo.
func (r *Registry) Models() *Models { return &Models{r.session} }

// Read reads fields of the records that a domain selects, archived ones included, in
// the order of their ids. More than most of them are refused.
func (m *Models) Read(ctx context.Context, model string, domain []any, fields []string, most int) ([]map[string]any, error) {
	rows := rowsOf[map[string]any](most, len(fields), most)
	err := m.session.searchRead(ctx, model, domain, map[string]any{"fields": fields, "order": "id", "context": withArchived}, rows)
	if err != nil {
		return nil, seeding.FaultOf(err)
	}
	for _, row := range rows.list {
		for name, value := range row {
			row[name] = plain(value)
		}
	}
	return rows.list, nil
}

// FieldTypes returns the types of all fields of a model that the user may read.
func (m *Models) FieldTypes(ctx context.Context, model string) (map[string]string, error) {
	var fields map[string]struct {
		Type text `json:"type"`
	}
	err := m.session.call(ctx, request{model: model, method: "fields_get", arg: []string{}, kwargs: map[string]any{"attributes": []string{"type"}}}, &fields)
	switch {
	case err != nil:
		return nil, seeding.FaultOf(err)
	case fields == nil:
		return nil, unanswered(false, "BadAnswer", nil)
	}
	types := make(map[string]string, len(fields))
	for name, f := range fields {
		types[name] = string(f.Type)
	}
	return types, nil
}

// Parameter returns a system parameter, "" if it is not set.
func (m *Models) Parameter(ctx context.Context, key string) (string, error) {
	var value text
	err := m.session.call(ctx, request{model: "ir.config_parameter", method: "get_param", arg: key}, &value)
	if err != nil {
		return "", seeding.FaultOf(err)
	}
	return string(value), nil
}

// Press calls a method that takes a record and no arguments, as a button does.
func (m *Models) Press(ctx context.Context, model, method string, record int64) error {
	err := m.session.call(ctx, request{model: model, method: method, arg: []int64{record}, writes: true}, nil)
	if err != nil {
		return seeding.FaultOf(err)
	}
	return nil
}
