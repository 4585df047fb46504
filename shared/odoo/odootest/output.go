package odootest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// What an Output Format sees of a registrant is what Odoo's own connector sends:
// whatever the domain says, archived or not (facts/mts.md 5.4).
func (s *suite) inputs(t *testing.T) {
	full, identifier := s.registrant(vid(1), map[string]any{"birthdate": "1990-11-02", "address": "1 Rizal St\nQuezon City", "income": 12.5})
	other := s.identifier(full, s.tokenType, "T1", nil) // the domain selects nobody who holds a token
	archived, _ := s.registrant(vid(2), map[string]any{"active": false})
	c := s.connector
	c.Source.Fields = []string{"name", "given_name", "birthdate", "create_date", "address", "is_group", "is_registrant", "company_id", "reg_ids", "income", "color", "comment"}
	got, err := s.open(c).Inputs(t.Context(), []int64{full, archived, 1 << 30})
	s.must(err)
	if len(got) != 2 || got[archived].Sent["given_name"] != "Ana" {
		t.Fatalf("got %v", got)
	}
	sent := got[full].Sent
	company, _ := got[full].Record["company_id"].([]any)
	want := map[string]any{
		"id": int(full), "name": got[full].Record["name"], "given_name": "Ana", "birthdate": "1990/11/02", "address": "1 Rizal St\nQuezon City", "is_registrant": true,
		"company_id": fmt.Sprintf("res.company(%v,)", company[0]), "reg_ids": fmt.Sprintf("g2p.reg.id(%d, %d)", other, identifier), "income": 12.5,
		"create_date": sent["create_date"],
	}
	if day, _ := sent["create_date"].(string); len(day) != 10 || strings.Count(day, "/") != 2 {
		t.Errorf("create_date %v", sent["create_date"])
	}
	if !maps.Equal(map[string]any(sent), want) {
		t.Errorf("sent %v\nwant %v", sent, want)
	}
	if raw := got[full].Record["birthdate"]; raw != "1990-11-02" {
		t.Errorf("as Registrants has it: %v", raw)
	}
}

// What is compared with a result, and what is written of it: by a single record as by
// several, all or nothing.
func (s *suite) individuals(t *testing.T) {
	ctx := t.Context()
	mark := s.connector.ID
	third := s.create(typeModel, map[string]any{"name": "THIRD " + mark, "id_validation": "^N"})
	s.create("gender.type", map[string]any{"code": "F " + mark, "value": "Female", "active": true})
	s.create("gender.type", map[string]any{"code": "X " + mark, "value": "Other", "active": false})
	a, vidOfA := s.registrant(vid(1), map[string]any{"birthdate": "1990-11-02"})
	b, _ := s.registrant(vid(2), nil)
	c, _ := s.registrant(vid(3), nil)
	everybody := []int64{a, b, c}
	s.t.Cleanup(func() { s.unlinkWhere("g2p.phone.number", []any{[]any{"partner_id", "in", everybody}}) })
	heldByC := s.identifier(c, third, "N3", nil)

	wanted := seeding.Wanted{
		Registrants: []int64{a, b}, Fields: []string{"birthdate", "gender", "given_name"}, Held: true, Types: []string{"THIRD " + mark, "NONE " + mark},
		Values: []string{"N1", "N3"}, Genders: []string{"F " + mark, "X " + mark, "none"}, Phones: true,
	}
	details := func() seeding.Details {
		d, err := s.registry.Details(ctx, wanted)
		s.must(err)
		return d
	}
	d := details()
	if !maps.Equal(d.Types, map[string]int64{"THIRD " + mark: third}) || !maps.Equal(d.Genders, map[string]string{"F " + mark: "Female"}) {
		t.Errorf("types %v, genders %v", d.Types, d.Genders)
	}
	if len(d.Fields) != 2 || !maps.Equal(d.Fields[a], map[string]string{"birthdate": "1990-11-02", "gender": "", "given_name": "Ana"}) {
		t.Errorf("fields %v", d.Fields)
	}
	held := map[int64]string{}
	for _, i := range d.Identifiers {
		held[i.ID] = fmt.Sprintf("%d %s %s", i.Registrant, i.Type, i.Value)
	}
	if len(held) != 3 || held[vidOfA] != fmt.Sprintf("%d %s %s", a, s.connector.Registry.VIDType, vid(1)) || held[heldByC] != fmt.Sprintf("%d THIRD %s N3", c, mark) {
		t.Errorf("held %v", held)
	}
	if len(d.Phones) != 0 {
		t.Errorf("phones %v", d.Phones)
	}

	set := func(id int64, values map[string]string) seeding.Edit {
		return seeding.Edit{Kind: seeding.SetRegistrant, ID: id, Values: values}
	}
	s.must(s.registry.Write(ctx, []seeding.Edit{set(a, map[string]string{"gender": "Female"})}))
	s.must(s.registry.Write(ctx, []seeding.Edit{
		set(a, map[string]string{"birthdate": "1991-12-03", "given_name": "Ñandú, \"A\""}), set(b, map[string]string{"birthdate": "1992-01-04", "given_name": "Two\nLines"}),
	}))
	add := func(id int64, value string) seeding.Edit {
		return seeding.Edit{Kind: seeding.AddIdentifier, ID: id, Type: third, Values: map[string]string{"value": value, "expiry_date": day(9)}}
	}
	s.must(s.registry.Write(ctx, []seeding.Edit{add(a, "N1"), add(b, "N2")}))
	phone := func(id int64, number string) seeding.Edit {
		return seeding.Edit{Kind: seeding.AddPhone, ID: id, Values: map[string]string{"phone_no": number}}
	}
	s.must(s.registry.Write(ctx, []seeding.Edit{phone(a, "+639171234567"), phone(a, "+639170000000"), phone(b, "+639171111111")}))
	d = details()
	if !maps.Equal(d.Fields[a], map[string]string{"birthdate": "1991-12-03", "gender": "Female", "given_name": "Ñandú, \"A\""}) ||
		!maps.Equal(d.Fields[b], map[string]string{"birthdate": "1992-01-04", "gender": "", "given_name": "Two\nLines"}) {
		t.Errorf("afterwards %v", d.Fields)
	}
	slices.Sort(d.Phones[a])
	if !slices.Equal(d.Phones[a], []string{"+639170000000", "+639171234567"}) || len(d.Phones[b]) != 1 {
		t.Errorf("phones %v", d.Phones)
	}
	added := map[int64]int64{}
	for _, i := range d.Identifiers {
		if i.Type == "THIRD "+mark {
			added[i.Registrant] = i.ID
		}
	}
	if len(added) != 3 {
		t.Fatalf("identifiers %v", d.Identifiers)
	}
	correct := func(id int64, value string) seeding.Edit {
		return seeding.Edit{Kind: seeding.SetIdentifier, ID: id, Values: map[string]string{"value": value}}
	}
	s.must(s.registry.Write(ctx, []seeding.Edit{correct(added[a], "N11"), correct(added[b], "N22")}))

	// All or nothing, and a refusal of one record says what it is.
	for _, test := range []struct {
		name         string
		changes      []seeding.Edit
		single, many string // codes
	}{
		{"a date that is none", []seeding.Edit{set(a, map[string]string{"birthdate": "1990-02-30"}), set(b, map[string]string{"birthdate": "1990-01-01"})}, "", "ImportRefused"},
		{"a selection that is none", []seeding.Edit{set(a, map[string]string{"gender": "Robot"}), set(b, map[string]string{"gender": "Male"})}, "ValueError", "ImportRefused"},
		{"a value that its type refuses", []seeding.Edit{correct(added[a], "bad"), correct(added[b], "N5")}, "ValidationError", "ImportRefused"},
		{"a registrant that is gone", []seeding.Edit{set(1<<30, map[string]string{"gender": "Male"}), set(b, map[string]string{"gender": "Male"})}, "MissingError", "ImportRefused"},
		{"an identifier of a type that is held", []seeding.Edit{add(a, "N9"), add(b, "N9")}, "ValidationError", "ValidationError"},
	} {
		s.check(test.name+", alone", s.registry.Write(ctx, test.changes[:1]), seeding.RefusedData, test.single)
		s.check(test.name+", of two", s.registry.Write(ctx, test.changes), seeding.RefusedData, test.many)
	}
	if now := details(); now.Fields[b]["birthdate"] != "1992-01-04" || now.Fields[b]["gender"] != "" {
		t.Errorf("something was written: %v", now.Fields[b])
	}
	if s.target.Clerk.Login != "" {
		mine := s.connector
		mine.Registry.Username = s.target.Clerk.Login
		s.check("a user without rights", s.open(mine).Write(ctx, []seeding.Edit{set(a, map[string]string{"gender": "Male"})}), seeding.RefusedRights, "AccessError")
	}
}

// A token may come with a date, and in later lines with a status and a description.
func (s *suite) tokenDetails(t *testing.T) {
	a, _ := s.registrant(vid(1), nil)
	s.must(s.registry.Create(t.Context(), []seeding.NewToken{{Registrant: a, Value: "T1", Expiry: day(100), Status: "valid", Description: "seeded"}}))
	var found []map[string]any
	var fields map[string]any
	s.must(s.do("g2p.reg.id", "fields_get", &fields, []string{"status"}))
	names := []string{"value", "expiry_date"}
	if fields["status"] != nil {
		names = append(names, "status", "description")
	}
	s.must(s.do("g2p.reg.id", "search_read", &found, []any{[]any{"partner_id", "=", a}, []any{"id_type", "=", s.tokenType}}, names))
	if len(found) != 1 || found[0]["expiry_date"] != day(100) || fields["status"] != nil && (found[0]["status"] != "valid" || found[0]["description"] != "seeded") {
		t.Errorf("found %v", found)
	}
}

const typeModel = "g2p.id.type"
