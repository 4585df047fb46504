package odoosim

// The models: which fields they have, and of what kind. Rules are in
// write.go, partner.go and regid.go.

const (
	partnerModel = "res.partner"
	regModel     = "g2p.reg.id"
	typeModel    = "g2p.id.type"
	companyModel = "res.company"
	userModel    = "res.users"

	parameterModel = "ir.config_parameter"
	genderModel    = "gender.type"
	phoneModel     = "g2p.phone.number"
)

type kind string

const (
	charKind      kind = "char"
	textKind      kind = "text"
	boolKind      kind = "boolean"
	intKind       kind = "integer"
	floatKind     kind = "float"
	dateKind      kind = "date"
	datetimeKind  kind = "datetime"
	selectionKind kind = "selection"
	many2one      kind = "many2one"
	one2many      kind = "one2many"
	many2many     kind = "many2many"
	binaryKind    kind = "binary"
)

// Columns that are not stored in a row.
const (
	idColumn = -1 // the row's id
	noColumn = -2 // nothing is stored
)

// field describes one field. A stored value is nil (NULL), string (char, text,
// selection, date as YYYY-MM-DD), bool, int64 (integer, many2one), float64, or
// stamp (datetime).
type field struct {
	name, label  string
	kind         kind
	column       int
	alias        string // the stored field that this one shows
	size         int
	relation     string
	required     bool
	readonly     bool
	selection    []string
	related      string // a path to the value of this field
	unsearchable bool   // a term on it is ignored, as Odoo does
	compute      func(e *env, r *row) (any, *exception)
}

// stamp is microseconds since 1970 in UTC: what PostgreSQL keeps
// (facts/odoo.md A7).
type stamp int64

type model struct {
	name, label string
	fields      []*field
	named       map[string]*field
	width       int
	order       string // _order
}

func newModel(name, label, order string, fields ...field) *model {
	m := &model{name: name, label: label, order: order, named: map[string]*field{}}
	m.add(field{name: "id", label: "ID", kind: intKind, column: idColumn, readonly: true})
	for _, f := range fields {
		m.add(f)
	}
	m.add(field{name: "create_uid", label: "Created by", kind: many2one, relation: userModel, readonly: true})
	m.add(field{name: "create_date", label: "Created on", kind: datetimeKind, readonly: true})
	m.add(field{name: "write_uid", label: "Last Updated by", kind: many2one, relation: userModel, readonly: true})
	m.add(field{name: "write_date", label: "Last Updated on", kind: datetimeKind, readonly: true})
	written := m.named["write_date"].column
	m.add(field{name: "__last_update", label: "Last Modified on", kind: datetimeKind, column: noColumn, readonly: true, unsearchable: true,
		compute: func(_ *env, r *row) (any, *exception) { return r.v[written], nil }})
	return m
}

// add gives a stored field the next column.
func (m *model) add(f field) {
	switch {
	case f.column != 0:
	case f.alias != "":
		f.column = m.column(f.alias)
	case f.compute != nil, f.related != "", f.kind == one2many, f.kind == many2many, f.kind == binaryKind:
		f.column = noColumn
	default:
		f.column = m.width
		m.width++
	}
	m.fields = append(m.fields, &f)
	m.named[f.name] = &f
}

func (m *model) column(name string) int { return m.named[name].column }

// get reads a stored value.
func (f *field) get(r *row) any {
	switch f.column {
	case idColumn:
		return r.id
	case noColumn:
		return nil
	}
	return r.v[f.column]
}

// nameField is the field that a many2one shows.
const nameField = "name"

func newPartnerModel(encrypted bool) *model {
	var m *model
	m = newModel(partnerModel, "Contact", "display_name",
		field{name: "name", label: "Name", kind: charKind},
		field{name: "active", label: "Active", kind: boolKind},
		field{name: "comment", label: "Notes", kind: textKind},
		field{name: "type", label: "Address Type", kind: selectionKind, selection: []string{"contact", "invoice", "delivery", "other", "private"}},
		field{name: "parent_id", label: "Related Company", kind: many2one, relation: partnerModel, column: noColumn},
		field{name: "country_id", label: "Country", kind: many2one, relation: "res.country", column: noColumn},
		field{name: "category_id", label: "Tags", kind: many2many, relation: "res.partner.category"},
		field{name: "street", label: "Street", kind: charKind},
		field{name: "lang", label: "Language", kind: charKind},
		field{name: "tz", label: "Timezone", kind: charKind, column: noColumn},
		field{name: "email", label: "Email", kind: charKind},
		field{name: "phone", label: "Phone", kind: charKind},
		field{name: "mobile", label: "Mobile", kind: charKind},
		field{name: "color", label: "Color Index", kind: intKind},
		field{name: "image_128", label: "Image 128", kind: binaryKind},
		field{name: "address", label: "Address", kind: textKind},
		field{name: "disabled", label: "Date Disabled", kind: datetimeKind},
		field{name: "disabled_reason", label: "Reason for Disabling", kind: textKind},
		field{name: "reg_ids", label: "Registrant IDs", kind: one2many, relation: regModel},
		field{name: "phone_number_ids", label: "Phone Numbers", kind: one2many, relation: phoneModel},
		field{name: "is_registrant", label: "Registrant", kind: boolKind},
		field{name: "is_group", label: "Group", kind: boolKind},
		field{name: "company_id", label: "Company", kind: many2one, relation: companyModel, required: true},
		field{name: "registration_date", label: "Registration Date", kind: dateKind},
		field{name: "tags_ids", label: "Tags", kind: many2many, relation: "g2p.registrant.tags"},
		field{name: "income", label: "Income", kind: floatKind},
		field{name: "family_name", label: "Family Name", kind: charKind},
		field{name: "given_name", label: "Given Name", kind: charKind},
		field{name: "addl_name", label: "Additional Name", kind: charKind},
		field{name: "birth_place", label: "Birth Place", kind: charKind},
		field{name: "birthdate", label: "Date of Birth", kind: dateKind},
		field{name: "age", label: "Age", kind: charKind, readonly: true, unsearchable: true,
			compute: func(e *env, r *row) (any, *exception) { return age(e.today(), m.named["birthdate"].get(r)), nil }},
		field{name: "gender", label: "Gender", kind: selectionKind, selection: []string{"Male", "Female", "Other"}},
	)
	if encrypted {
		m.add(field{name: "is_encrypted", label: "Is Encrypted", kind: boolKind, unsearchable: true,
			compute: func(_ *env, r *row) (any, *exception) { return m.named["is_registrant"].get(r), nil }})
	}
	// Stored in Odoo, and for a person without a company always the name.
	m.add(field{name: "display_name", label: "Display Name", kind: charKind, alias: "name", readonly: true})
	m.first("id", "display_name")
	return m
}

func newRegModel(status bool) *model {
	fields := []field{
		{name: "partner_id", label: "Registrant", kind: many2one, relation: partnerModel, required: true},
		{name: "id_type", label: "ID Type", kind: many2one, relation: typeModel, required: true},
		{name: "value", label: "Value", kind: charKind, size: 100},
		{name: "expiry_date", label: "Expiry Date", kind: dateKind},
		{name: "id_type_as_str", label: "Id Type As Str", kind: charKind, related: "id_type.name", readonly: true,
			compute: typeAsText},
	}
	if status {
		fields = append(fields,
			field{name: "status", label: "Status", kind: selectionKind, selection: []string{"invalid", "valid"}},
			field{name: "description", label: "Description", kind: charKind})
	}
	m := newModel(regModel, "Registrant ID", "id desc", fields...)
	m.add(field{name: "display_name", label: "Display Name", kind: charKind, readonly: true, unsearchable: true, compute: registrantName})
	m.first("id", "display_name")
	return m
}

// newGenderModel has the genders that a registrant can have: what is stored is the
// value, what the REST API takes is the code (facts/odoo.md C, D).
func newGenderModel() *model {
	return newModel(genderModel, "Gender Type", "id",
		field{name: "code", label: "Code", kind: charKind}, field{name: "value", label: "Value", kind: charKind}, field{name: "active", label: "Active", kind: boolKind})
}

func newPhoneModel() *model {
	return newModel(phoneModel, "Phone Number", "id desc",
		field{name: "partner_id", label: "Registrant", kind: many2one, relation: partnerModel, required: true},
		field{name: "phone_no", label: "Phone Number", kind: charKind, required: true},
		field{name: "date_collected", label: "Date Collected", kind: dateKind},
		field{name: "disabled", label: "Date Disabled", kind: datetimeKind})
}

func newNamedModel(name, label, order string, more ...field) *model {
	fields := append([]field{{name: nameField, label: "Name", kind: charKind}}, more...)
	m := newModel(name, label, order, fields...)
	m.add(field{name: "display_name", label: "Display Name", kind: charKind, readonly: true, unsearchable: true,
		compute: func(_ *env, r *row) (any, *exception) { return r.v[m.column(nameField)], nil }})
	m.first("id", "display_name")
	return m
}

// first brings fields to the front: the order of a read without a field list.
func (m *model) first(names ...string) {
	var front, rest []*field
	for _, n := range names {
		front = append(front, m.named[n])
	}
	for _, f := range m.fields {
		if f.name != names[0] && f.name != names[1] {
			rest = append(rest, f)
		}
	}
	m.fields = append(front, rest...)
}
