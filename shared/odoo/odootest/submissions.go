package odootest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// ofSubmissions is the registry of a connector of ODK, with a type for the ids of
// submissions.
func (s *suite) ofSubmissions() (registry seeding.Registry, idType int64) {
	s.t.Helper()
	c := s.connector
	c.ODK.BaseURL = "https://odk.example"
	c.Registry.SubmissionType = "SUBMISSION " + s.connector.ID
	idType = s.create(typeModel, map[string]any{"name": c.Registry.SubmissionType})
	return s.open(c), idType
}

// made removes the registrants that the tested code made, after the test.
func (s *suite) made(ids []int64) {
	s.t.Cleanup(func() {
		s.unlinkWhere("g2p.reg.id", []any{[]any{"partner_id", "in", ids}})
		s.unlinkWhere("g2p.phone.number", []any{[]any{"partner_id", "in", ids}})
		s.unlinkWhere("res.partner", []any{[]any{"id", "in", ids}, []any{"active", "in", []bool{true, false}}})
	})
}

// A registrant of a submission has all that it holds from the beginning, and is found by
// the id of its submission, archived or not.
func (s *suite) submissions(t *testing.T) {
	ctx := t.Context()
	registry, idType := s.ofSubmissions()
	third := s.create(typeModel, map[string]any{"name": "THIRD " + s.connector.ID})
	const full, bare, odd = "uuid:9b0d…é", "uuid:2", "plain id_1 "
	ids, err := registry.CreateRegistrants(ctx, []seeding.NewRegistrant{
		{Submission: full, Token: seeding.NewToken{Value: "T1", Expiry: day(100), Status: "valid", Description: "seeded"},
			Values:      map[string]string{"name": "NÚÑEZ, \"ANA\"", "given_name": "Ana", "birthdate": "1990-11-02", "address": "1 Rizal St\nQuezon City", "gender": "Female", "phone": "+639171234567"},
			Phones:      []seeding.Phone{{Number: "+639171234567"}, {Number: "+639170000000", Collected: "2026-11-01"}},
			Identifiers: []seeding.NewIdentifier{{Type: third, Values: map[string]string{"value": "N1", "expiry_date": day(9)}}}},
		{Submission: bare, Token: seeding.NewToken{Value: "T2"}, Values: map[string]string{"name": "Ben"}},
		{Submission: odd, Token: seeding.NewToken{Value: "T3"}, Values: map[string]string{"name": "Cor"}},
	})
	s.must(err)
	s.made(ids)
	if len(ids) != 3 || ids[0] == ids[1] {
		t.Fatalf("made %v", ids)
	}
	found := func(asked ...string) map[string]int64 {
		list, err := registry.Submissions(ctx, asked)
		s.must(err)
		holders := map[string]int64{}
		for _, i := range list {
			holders[i.Value] = i.Registrant
		}
		return holders
	}
	want := map[string]int64{full: ids[0], bare: ids[1], odd: ids[2]}
	if got := found(full, bare, odd, "uuid:none", "UUID:2", "uuid:%", "T1"); !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	tokens, err := registry.Tokens(ctx, ids)
	s.must(err)
	held := map[int64]string{}
	for _, i := range tokens {
		held[i.Registrant] = i.Value
	}
	if !maps.Equal(held, map[int64]string{ids[0]: "T1", ids[1]: "T2", ids[2]: "T3"}) {
		t.Errorf("tokens %v", tokens)
	}
	d, err := registry.Details(ctx, seeding.Wanted{Registrants: ids[:2], Fields: []string{"name", "given_name", "birthdate", "address", "gender", "phone"}, Held: true, Phones: true})
	s.must(err)
	if !maps.Equal(d.Fields[ids[0]], map[string]string{"name": "NÚÑEZ, \"ANA\"", "given_name": "Ana", "birthdate": "1990-11-02", "address": "1 Rizal St\nQuezon City", "gender": "Female", "phone": "+639171234567"}) ||
		d.Fields[ids[1]]["name"] != "Ben" {
		t.Errorf("fields %v", d.Fields)
	}
	slices.Sort(d.Phones[ids[0]])
	if !slices.Equal(d.Phones[ids[0]], []string{"+639170000000", "+639171234567"}) || len(d.Phones[ids[1]]) > 0 {
		t.Errorf("phones %v", d.Phones)
	}
	if n := len(d.Identifiers); n != 5 {
		t.Errorf("%d identifiers: %v", n, d.Identifiers)
	}
	var partners []map[string]any
	s.must(s.do("res.partner", "search_read", &partners, []any{[]any{"id", "in", ids}}, []string{"is_registrant", "is_group"}))
	for _, p := range partners {
		if p["is_registrant"] != true || p["is_group"] != false {
			t.Errorf("registrant %v", p)
		}
	}

	s.write("res.partner", ids[1], map[string]any{"active": false})
	other, _ := s.registrant(vid(1), nil) // who was there before, completed
	s.must(registry.Write(ctx, []seeding.Edit{{Kind: seeding.AddIdentifier, ID: other, Type: idType, Values: map[string]string{"value": "uuid:4"}}}))
	s.identifier(other, third, bare, nil) // of another type
	want["uuid:4"] = other
	if got := found(full, bare, odd, "uuid:4"); !maps.Equal(got, want) {
		t.Errorf("afterwards %v, want %v", got, want)
	}
	many := make([]string, 1000)
	for n := range many {
		many[n] = fmt.Sprintf("uuid:%036d", n)
	}
	if got := found(append(many, full)...); len(got) != 1 {
		t.Errorf("among many: %v", got)
	}
	s.identifier(other, s.tokenType, "T4", nil)
	if holders, err := registry.TokenHolders(ctx, []string{"T1", "T4"}); err != nil || len(holders) != 2 {
		t.Errorf("holders %v, %v", holders, err)
	}
}

// Registrants of submissions hold no VID, so its type need not be there. Those of tokens
// and of submissions must be there, and be two.
func (s *suite) submissionsWithoutVIDs(t *testing.T) {
	_, _ = s.ofSubmissions()
	with := func(vids, tokens, submissions string) error {
		c := s.connector
		c.Registry.VIDType, c.Registry.TokenType, c.Registry.SubmissionType = vids, tokens, submissions
		_, err := s.open(c).Submissions(t.Context(), []string{"uuid:1"})
		return err
	}
	access := s.connector.Registry
	name := "SUBMISSION " + s.connector.ID
	s.must(with("NONE", access.TokenType, name))
	s.check("no such token type", with(access.VIDType, "NONE", name), seeding.RefusedTypes, "token_type")
	s.check("no such type for submissions", with(access.VIDType, access.TokenType, "NONE"), seeding.RefusedTypes, "submission_type")
	s.check("one type for tokens and submissions", with(access.VIDType, access.TokenType, access.TokenType), seeding.RefusedTypes, "submission_type")
}

// One registrant that is refused refuses all, and leaves nothing.
func (s *suite) newRegistrants(t *testing.T) {
	ctx := t.Context()
	registry, idType := s.ofSubmissions()
	strict := s.create(typeModel, map[string]any{"name": "STRICT " + s.connector.ID, "id_validation": "^N"})
	good := seeding.NewRegistrant{Submission: "uuid:1", Token: seeding.NewToken{Value: "T1"}, Values: map[string]string{"name": "Ana"}}
	with := func(change func(*seeding.NewRegistrant)) seeding.NewRegistrant {
		r := seeding.NewRegistrant{Submission: "uuid:2", Token: seeding.NewToken{Value: "T2"}, Values: map[string]string{"name": "Ben"}}
		change(&r)
		return r
	}
	holds := func(idType int64, value string) []seeding.NewIdentifier {
		return []seeding.NewIdentifier{{Type: idType, Values: map[string]string{"value": value}}}
	}
	for name, bad := range map[string]seeding.NewRegistrant{
		"no name":                  with(func(r *seeding.NewRegistrant) { r.Values = map[string]string{"given_name": "Ben"} }),
		"a gender that is none":    with(func(r *seeding.NewRegistrant) { r.Values["gender"] = "Robot" }),
		"a date that is none":      with(func(r *seeding.NewRegistrant) { r.Values["birthdate"] = "1990-02-30" }),
		"a value its type refuses": with(func(r *seeding.NewRegistrant) { r.Identifiers = holds(strict, "bad") }),
		"two of one type":          with(func(r *seeding.NewRegistrant) { r.Identifiers = holds(s.tokenType, "T3") }),
		"a type that is none":      with(func(r *seeding.NewRegistrant) { r.Identifiers = holds(1<<30, "N1") }),
	} {
		for _, list := range [][]seeding.NewRegistrant{{good, bad}, {bad}} {
			ids, err := registry.CreateRegistrants(ctx, list)
			s.made(ids)
			s.check(name, err, seeding.RefusedData, "")
			if found, err := registry.Submissions(ctx, []string{"uuid:1", "uuid:2"}); err != nil || len(found) != 0 {
				t.Fatalf("%s: %v, %v", name, found, err)
			}
		}
	}
	if holders, err := registry.TokenHolders(ctx, []string{"T1", "T2"}); err != nil || len(holders) != 0 {
		t.Errorf("holders %v, %v", holders, err)
	}

	var many []seeding.NewRegistrant
	for n := range 60 {
		many = append(many, seeding.NewRegistrant{Submission: fmt.Sprintf("uuid:%d", n), Token: seeding.NewToken{Value: fmt.Sprintf("T%d", n)}, Values: map[string]string{"name": strings.Repeat("é", n+1)}})
	}
	ids, err := registry.CreateRegistrants(ctx, many)
	s.must(err)
	s.made(ids)
	d, err := registry.Details(ctx, seeding.Wanted{Registrants: ids, Fields: []string{"name"}})
	s.must(err)
	for n, id := range ids { // in the order in which they were asked for
		if d.Fields[id]["name"] != many[n].Values["name"] {
			t.Fatalf("the %dth is %q", n, d.Fields[id]["name"])
		}
	}
	if s.target.Clerk.Login != "" {
		c := s.connector
		c.Registry.SubmissionType = "SUBMISSION " + s.connector.ID
		c.Registry.Username = s.target.Clerk.Login
		_, err := s.open(c).CreateRegistrants(ctx, []seeding.NewRegistrant{good})
		s.check("a user without rights", err, seeding.RefusedRights, "AccessError")
	}

	s.unlinkWhere("g2p.reg.id", []any{[]any{"partner_id", "in", ids}})
	s.must(s.do(typeModel, "unlink", nil, []int64{idType}))
	_, err = registry.CreateRegistrants(ctx, []seeding.NewRegistrant{good})
	s.check("the type is gone", err, seeding.RefusedTypes, "submission_type")
}
