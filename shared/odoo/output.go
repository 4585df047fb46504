package odoo

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"openg2p.org/mts-connector/shared/seeding"
)

const (
	typeModel   = "g2p.id.type"
	genderModel = "gender.type"
	phoneModel  = "g2p.phone.number"
)

// withArchived finds archived records too: who was sent may be archived since.
var withArchived = map[string]any{"active_test": false}

// Inputs reads the fields like Registrants, without the domain, which a registrant who
// holds its token may not fit any more.
func (r *Registry) Inputs(ctx context.Context, ids []int64) (map[int64]seeding.Input, error) {
	inputs := make(map[int64]seeding.Input, len(ids))
	if len(ids) == 0 {
		return inputs, nil
	}
	kinds, err := r.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	records, err := r.records(ctx, []any{[]any{"id", "in", ids}}, ids, withArchived)
	if err != nil {
		return nil, err
	}
	for id, record := range records {
		inputs[id] = seeding.Input{Record: record, Sent: record.Sent(kinds)}
	}
	return inputs, nil
}

// Kinds asks the registry only if they are not known.
func (r *Registry) Kinds(ctx context.Context) (map[string]seeding.FieldKind, error) {
	return r.session.kindsOf(ctx, r.fields)
}

// knownKinds are the kinds of a list of fields, and whether the module is there that
// encrypts registrants.
type knownKinds struct {
	of        []string
	kinds     map[string]seeding.FieldKind
	encrypted bool
}

// kindsOf returns the kinds of fields of registrants. It asks the registry only if
// they are not known.
func (s *session) kindsOf(ctx context.Context, fields []string) (map[string]seeding.FieldKind, error) {
	s.mu.Lock()
	known := s.kinds
	s.mu.Unlock()
	if known != nil && slices.Equal(known.of, fields) {
		return known.kinds, nil
	}
	found, err := s.readKinds(ctx, fields)
	return found.kinds, err
}

func (s *session) readKinds(ctx context.Context, fields []string) (k knownKinds, err error) {
	var found map[string]struct{ Type, Relation text }
	err = s.call(ctx, request{model: partnerModel, method: "fields_get", arg: withMark(fields), kwargs: map[string]any{"attributes": []string{"type", "relation"}}}, &found)
	switch {
	case err != nil:
		return k, err
	case found == nil:
		return k, unanswered(false, "BadAnswer", nil)
	}
	k = knownKinds{of: slices.Clone(fields), kinds: make(map[string]seeding.FieldKind, len(found))}
	_, k.encrypted = found[encryptionMark]
	for name, f := range found {
		k.kinds[name] = seeding.FieldKind{Type: string(f.Type), Relation: string(f.Relation)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds = &k
	return k, nil
}

// Details takes a call for each kind of thing that is asked for.
func (r *Registry) Details(ctx context.Context, w seeding.Wanted) (seeding.Details, error) {
	var d seeding.Details
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return d, err
	}
	d.Later = schema.later
	if len(w.Types) > 0 {
		if d.Types, err = r.typesNamed(ctx, w.Types); err != nil {
			return d, err
		}
	}
	if len(w.Registrants) > 0 && len(w.Fields) > 0 {
		if d.Fields, err = r.texts(ctx, w.Registrants, w.Fields); err != nil {
			return d, err
		}
	}
	if domain := heldDomain(w, d.Types); domain != nil {
		if d.Identifiers, err = r.held(ctx, domain, len(w.Registrants)+len(w.Values)); err != nil {
			return d, err
		}
	}
	if len(w.Genders) > 0 {
		if d.Genders, err = r.genders(ctx, w.Genders); err != nil {
			return d, err
		}
	}
	if len(w.Registrants) > 0 && w.Phones {
		d.Phones, err = r.phones(ctx, w.Registrants)
	}
	return d, err
}

// typesNamed returns those types that are there exactly once.
func (r *Registry) typesNamed(ctx context.Context, names []string) (map[string]int64, error) {
	all, err := r.session.typesByName(ctx, names, 100+10*len(names))
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for name, ids := range all {
		if len(ids) == 1 && ids[0] != 0 {
			found[name] = ids[0]
		}
	}
	return found, nil
}

// texts reads fields of registrants that are texts, dates or selections.
func (r *Registry) texts(ctx context.Context, ids []int64, fields []string) (map[int64]map[string]string, error) {
	rows := rowsOf[map[string]any](len(ids), len(fields)+1, len(ids))
	err := r.session.searchRead(ctx, partnerModel, []any{[]any{"id", "in", ids}}, within(withArchived, withID(fields)), rows)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]map[string]string, len(rows.list))
	for _, row := range rows.list {
		id, ok := plain(row["id"]).(int)
		if !ok || !slices.Contains(ids, int64(id)) {
			continue
		}
		values := make(map[string]string, len(fields))
		for _, name := range fields {
			values[name], _ = row[name].(string)
		}
		found[int64(id)] = values
	}
	return found, nil
}

// heldDomain selects what identifiers are asked for; nil for none.
func heldDomain(w seeding.Wanted, types map[string]int64) []any {
	holders := []any{"partner_id", "in", w.Registrants}
	values := []any{[]any{"value", "in", w.Values}, []any{"id_type", "in", slices.Sorted(maps.Values(types))}}
	held, valued := w.Held && len(w.Registrants) > 0, len(w.Values) > 0 && len(types) > 0
	switch {
	case held && valued:
		return append([]any{"|", holders, "&"}, values...)
	case held:
		return []any{holders}
	case valued:
		return values
	}
	return nil
}

// held reads identifiers of any type.
func (r *Registry) held(ctx context.Context, domain []any, asked int) ([]seeding.HeldIdentifier, error) {
	type identifier struct {
		ID      int64     `json:"id"`
		Partner reference `json:"partner_id"`
		Type    named     `json:"id_type"`
		Value   text      `json:"value"`
	}
	rows := rowsOf[identifier](asked, len(identifierFields), 1000+10*asked)
	if err := r.session.searchRead(ctx, identifierModel, domain, map[string]any{"fields": identifierFields}, rows); err != nil {
		return nil, err
	}
	var list []seeding.HeldIdentifier
	for _, row := range rows.list {
		list = append(list, seeding.HeldIdentifier{
			Identifier: seeding.Identifier{ID: row.ID, Registrant: int64(row.Partner), Value: string(row.Value)}, Type: string(row.Type),
		})
	}
	return list, nil
}

// named is the name in a many2one to what is no person.
type named string

func (n *named) UnmarshalJSON(b []byte) error {
	var pair []any
	if bytes.HasPrefix(b, []byte("[")) {
		if err := json.Unmarshal(b, &pair); err != nil {
			return err
		}
	}
	*n = ""
	if len(pair) == 2 {
		name, _ := pair[1].(string)
		*n = named(name)
	}
	return nil
}

func (r *Registry) genders(ctx context.Context, codes []string) (map[string]string, error) {
	type gender struct {
		Code  text `json:"code"`
		Value text `json:"value"`
	}
	rows := rowsOf[gender](len(codes), 2, 100+10*len(codes))
	err := r.session.searchRead(ctx, genderModel, []any{[]any{"active", "=", true}, []any{"code", "in", codes}},
		map[string]any{"fields": []string{"code", "value"}}, rows)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, row := range rows.list {
		if _, before := found[string(row.Code)]; !before && row.Value != "" {
			found[string(row.Code)] = string(row.Value)
		}
	}
	return found, nil
}

func (r *Registry) phones(ctx context.Context, registrants []int64) (map[int64][]string, error) {
	type phone struct {
		Partner reference `json:"partner_id"`
		Number  text      `json:"phone_no"`
	}
	rows := rowsOf[phone](len(registrants), 2, 1000+20*len(registrants))
	err := r.session.searchRead(ctx, phoneModel, []any{[]any{"partner_id", "in", registrants}}, map[string]any{"fields": []string{"partner_id", "phone_no"}}, rows)
	if err != nil {
		return nil, err
	}
	found := map[int64][]string{}
	for _, row := range rows.list {
		found[int64(row.Partner)] = append(found[int64(row.Partner)], string(row.Number))
	}
	return found, nil
}

// Write creates in one call. It changes one record by "write", whose refusals say what
// they are, and several by "load", Odoo's import, because "write" gives all records the
// same values. An import that is refused writes nothing and only tells why in words, so
// it counts as refused for its data: what is halved until a single record is left is
// then refused by "write".
func (r *Registry) Write(ctx context.Context, changes []seeding.Edit) error {
	if len(changes) == 0 {
		return nil
	}
	kind, model := changes[0].Kind, identifierModel
	if kind == seeding.SetRegistrant {
		model = partnerModel
	}
	if kind == seeding.AddPhone {
		model = phoneModel
	}
	if kind == seeding.AddIdentifier || kind == seeding.AddPhone {
		return r.add(ctx, model, changes)
	}
	if len(changes) == 1 {
		var done bool
		err := r.session.call(ctx, request{model: model, method: "write", arg: []int64{changes[0].ID}, kwargs: map[string]any{"vals": changes[0].Values}, writes: true}, &done)
		if err == nil && !done {
			return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
		}
		return err
	}
	return r.load(ctx, model, changes)
}

func (r *Registry) add(ctx context.Context, model string, changes []seeding.Edit) error {
	list := make([]map[string]any, len(changes))
	for i, c := range changes {
		list[i] = map[string]any{"partner_id": c.ID}
		if c.Kind == seeding.AddIdentifier {
			list[i]["id_type"] = c.Type
		}
		for name, value := range c.Values {
			list[i][name] = value
		}
	}
	var ids []int64
	err := r.session.call(ctx, request{model: model, method: "create", arg: list, writes: true}, &ids)
	if err == nil && len(ids) != len(list) {
		return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return err
}

// databaseID is the column of an import that names an existing record.
const databaseID = ".id"

func (r *Registry) load(ctx context.Context, model string, changes []seeding.Edit) error {
	columns := slices.Sorted(maps.Keys(changes[0].Values))
	rows := make([][]string, len(changes))
	for i, c := range changes {
		rows[i] = []string{strconv.FormatInt(c.ID, 10)}
		for _, name := range columns {
			rows[i] = append(rows[i], c.Values[name])
		}
	}
	var result *struct {
		IDs any `json:"ids"` // false if it was refused
	}
	err := r.session.call(ctx, request{model: model, method: "load", arg: append([]string{databaseID}, columns...),
		kwargs: map[string]any{"data": rows, "context": withArchived}, writes: true}, &result)
	if err != nil {
		return err
	}
	if result == nil {
		return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	if result.IDs == false {
		return &seeding.Fault{Kind: seeding.RefusedData, Code: "ImportRefused"}
	}
	if ids, ok := result.IDs.([]any); !ok || len(ids) != len(rows) {
		return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return nil
}
