package odootest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) pages(t *testing.T) {
	var want []seeding.Identifier
	for n := range 5 {
		registrant, identifier := s.registrant(vid(n), nil)
		want = append(want, seeding.Identifier{ID: identifier, Registrant: registrant, Value: vid(n)})
	}
	var got []seeding.Identifier
	var after int64
	for _, size := range []int{2, 2, 1} {
		if count, err := s.registry.CountVIDs(t.Context(), after); err != nil || count != len(want)-len(got) {
			t.Errorf("%d after %d of %d, %v", count, len(got), len(want), err)
		}
		page, err := s.registry.VIDs(t.Context(), after, 2)
		s.must(err)
		if len(page) != size {
			t.Fatalf("a page of %d instead of %d", len(page), size)
		}
		got = append(got, page...)
		after = page[len(page)-1].ID
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if page, err := s.registry.VIDs(t.Context(), after, 2); err != nil || len(page) != 0 {
		t.Errorf("after the last: %v, %v", page, err)
	}
	if count, err := s.registry.CountVIDs(t.Context(), after); err != nil || count != 0 {
		t.Errorf("after the last: %d, %v", count, err)
	}
}

func (s *suite) notValid(t *testing.T) {
	var all []int64
	registrant := func(more map[string]any) int64 {
		id, identifier := s.registrant(vid(1), nil)
		all = append(all, id)
		s.write("g2p.reg.id", identifier, more)
		return identifier
	}
	for _, more := range []map[string]any{{"expiry_date": day(-2)}, {"expiry_date": day(-400)}} {
		registrant(more)
	}
	counting := []int64{registrant(map[string]any{"expiry_date": day(2)}), registrant(map[string]any{"expiry_date": false})}
	var fields map[string]any
	s.must(s.do("g2p.reg.id", "fields_get", &fields, []string{"status"}))
	if _, has := fields["status"]; has {
		registrant(map[string]any{"status": "invalid"})
		counting = append(counting, registrant(map[string]any{"status": "valid"}), registrant(map[string]any{"status": false}))
	}
	slices.Sort(counting)
	if page, err := s.registry.VIDs(t.Context(), 0, 100); err != nil || !slices.Equal(ids(page), counting) {
		t.Errorf("got %v, %v; want %v", ids(page), err, counting)
	}
	if count, err := s.registry.CountVIDs(t.Context(), 0); err != nil || count != len(counting) {
		t.Errorf("%d, %v; want %d", count, err, len(counting))
	}
	if list, err := s.registry.VIDsOf(t.Context(), all); err != nil || !slices.Equal(ids(list), counting) {
		t.Errorf("of the registrants: %v, %v; want %v", ids(list), err, counting)
	}
}

func (s *suite) registrants(t *testing.T) {
	full, identifier := s.registrant(vid(1), map[string]any{"birthdate": "1990-11-02", "address": "1 Rizal St\nQuezon City"})
	bare, _ := s.registrant(vid(2), nil)
	noRegistrant, _ := s.registrant(vid(3), map[string]any{"is_registrant": false})
	notAsked, _ := s.registrant(vid(4), nil)
	got, err := s.registry.Registrants(t.Context(), []int64{full, bare, noRegistrant})
	s.must(err)
	if want := []int64{full, bare}; !slices.Equal(keys(got), want) {
		t.Fatalf("got %v, want %v, %d not being asked for", keys(got), want, notAsked)
	}
	for name, want := range map[string]any{
		"id": int(full), "given_name": "Ana", "name": "NÚÑEZ, ANA 1", "birthdate": "1990-11-02", "address": "1 Rizal St\nQuezon City",
		"reg_ids": []any{int(identifier)}, "is_group": nil,
	} {
		if fmt.Sprintf("%T %v", got[full][name], got[full][name]) != fmt.Sprintf("%T %v", want, want) {
			t.Errorf("%s: %T %v", name, got[full][name], got[full][name])
		}
	}
	if company, ok := got[full]["company_id"].([]any); ok && len(company) != 2 {
		t.Errorf("company: %v", company)
	}
	for _, name := range []string{"birthdate", "address", "is_group"} {
		if value, there := got[bare][name]; there {
			t.Errorf("%s is empty and there: %v", name, value)
		}
	}
}

func (s *suite) domains(t *testing.T) {
	third := s.create("g2p.id.type", map[string]any{"name": "THIRD " + s.connector.ID})
	plain, _ := s.registrant(vid(1), map[string]any{"given_name": "Ana"})
	withThird, _ := s.registrant(vid(2), map[string]any{"given_name": "Ben"})
	s.identifier(withThird, third, "N1", nil)
	group, _ := s.registrant(vid(3), map[string]any{"given_name": "Cor", "is_group": true})
	everybody := []int64{plain, withThird, group}
	has := func(name string) string { return fmt.Sprintf(`["reg_ids.id_type","=like",%q]`, name) }
	vidTerm, tokenTerm := has(s.connector.Registry.VIDType), has(s.connector.Registry.TokenType)
	thirdTerm := has("THIRD " + s.connector.ID)
	for _, test := range []struct {
		domain string
		want   []int64
	}{
		{`[["is_registrant","=",true]]`, everybody},
		{"[" + vidTerm + "]", everybody},
		{`[` + vidTerm + `,"!",` + tokenTerm + `]`, everybody},
		{`["&",` + vidTerm + `,"!",` + tokenTerm + `]`, everybody},
		{`["!",` + vidTerm + `]`, nil},
		{"[" + tokenTerm + "]", nil},
		{`["!",` + thirdTerm + `]`, []int64{plain, group}},
		{"[" + thirdTerm + "]", []int64{withThird}},
		{`["|",` + thirdTerm + `,["is_group","=",true]]`, []int64{withThird, group}},
		{`["|",` + vidTerm + `,["is_group","=",true]]`, everybody},
		{`["!","|",` + thirdTerm + `,["is_group","=",true]]`, []int64{plain}},
		{`["!",["is_group","=",true],["given_name","in",["Ana","Cor"]]]`, []int64{plain}},
		{`[["reg_ids.value","=","N1"]]`, []int64{withThird}},
		{fmt.Sprintf(`[["reg_ids.id_type","=like",%q]]`, strings.Replace(s.connector.Registry.VIDType, "VID", "V_D", 1)), everybody},
		{fmt.Sprintf(`["!",["reg_ids.id_type","=like",%q]]`, strings.Replace(s.connector.Registry.VIDType, "VID", "V%", 1)), nil},
	} {
		c := s.connector
		c.Source.Domain = test.domain
		got, err := s.open(c).Registrants(t.Context(), everybody)
		if err != nil || !slices.Equal(keys(got), test.want) {
			t.Errorf("%s: %v, %v; want %v", test.domain, keys(got), err, test.want)
		}
	}
}

// newOperators of domains came with Odoo 17 and 19. An Odoo that has them keeps
// their meaning; one that has not says so, and the operator is named.
func (s *suite) newOperators(t *testing.T) {
	if s.target.Odoo == 0 {
		t.Skip("which operators there are is not known")
	}
	third := s.create("g2p.id.type", map[string]any{"name": "THIRD " + s.connector.ID})
	plain, _ := s.registrant(vid(1), map[string]any{"given_name": "Ana", "email": "ana@example.org", "company_id": 1})
	withThird, _ := s.registrant(vid(2), map[string]any{"given_name": "Ben", "company_id": 1})
	s.identifier(withThird, third, "N1", nil)
	withTwo, _ := s.registrant(vid(3), map[string]any{"given_name": "Cor", "company_id": 1})
	s.identifier(withTwo, third, "N2", nil)
	everybody := []int64{plain, withThird, withTwo}
	is := fmt.Sprintf(`["id_type","=like",%q]`, "THIRD "+s.connector.ID)
	for _, test := range []struct {
		since  int
		domain string
		want   []int64
	}{
		{17, `[["reg_ids","any",[` + is + `]]]`, []int64{withThird, withTwo}},
		{17, `[["reg_ids","not any",[` + is + `]]]`, []int64{plain}},
		{17, `["!",["reg_ids","any",[` + is + `]]]`, []int64{plain}},
		{17, `["!",["reg_ids","not any",[` + is + `]]]`, []int64{withThird, withTwo}},
		// One identifier has both: that is what paths cannot say.
		{17, `[["reg_ids","any",[` + is + `,["value","=","N1"]]]]`, []int64{withThird}},
		{17, `[["reg_ids","not any",[` + is + `,["value","=","N1"]]]]`, []int64{plain, withTwo}},
		{17, fmt.Sprintf(`[["reg_ids","any",[%s,["value","=",%q]]]]`, is, vid(2)), nil},
		{17, `[["reg_ids","any",["|",["value","=","N1"],["value","=","N2"]]]]`, []int64{withThird, withTwo}},
		{17, `[["reg_ids","any",["!",` + is + `]]]`, everybody},
		{17, `[["reg_ids","any",[]]]`, everybody},
		{17, `[["reg_ids","not any",[]]]`, nil},
		{17, `[["reg_ids","any",[["id_type","any",[["name","=",` + fmt.Sprintf("%q", "THIRD "+s.connector.ID) + `]]]]]]`, []int64{withThird, withTwo}},
		{17, `[["reg_ids","any",[["partner_id","any",[["given_name","=","Cor"]]]]]]`, []int64{withTwo}},
		{17, `[["reg_ids.id_type","any",[["name","=",` + fmt.Sprintf("%q", "THIRD "+s.connector.ID) + `]]]]`, []int64{withThird, withTwo}},
		{17, `[["company_id","any",[["id","=",1]]]]`, everybody},
		{17, `[["company_id","not any",[["id","=",1]]]]`, nil},
		{17, `["!",["company_id","any",[["id","=",-1]]]]`, everybody},
		{19, `[["given_name","not =like","B%"]]`, []int64{plain, withTwo}},
		{19, `["!",["given_name","not =like","B_n"]]`, []int64{withThird}},
		{19, `[["given_name","not =ilike","b%"]]`, []int64{plain, withTwo}},
		{19, `[["email","not =like","ana@%"]]`, []int64{withThird, withTwo}},
		{19, `[["reg_ids.value","not =like","4%"]]`, []int64{withThird, withTwo}},
		{19, `[["reg_ids","not any",[["value","not =like","4%"]]]]`, []int64{plain}},
	} {
		c := s.connector
		c.Source.Domain = test.domain
		got, err := s.open(c).Registrants(t.Context(), everybody)
		if s.target.Odoo < test.since {
			s.check(test.domain, err, seeding.RefusedSchema, "NoSuchOperator")
			continue
		}
		if err != nil || !slices.Equal(keys(got), test.want) {
			t.Errorf("%s: %v, %v; want %v", test.domain, keys(got), err, test.want)
		}
	}
}

func (s *suite) replaceVID(t *testing.T) {
	a, vidOfA := s.registrant(vid(1), nil)
	b, vidOfB := s.registrant(vid(2), nil)
	c, _ := s.registrant(vid(3), nil)
	ctx := t.Context()
	token := strings.Repeat("7", 36)
	s.must(s.registry.Create(ctx, []seeding.NewToken{{Registrant: a, Value: token + "a"}, {Registrant: b, Value: token + "b"}}))

	tokens, err := s.registry.Tokens(ctx, []int64{a, b, c})
	s.must(err)
	found := map[int64]string{}
	for _, i := range tokens {
		found[i.Registrant] = i.Value
	}
	if len(tokens) != 2 || found[a] != token+"a" || found[b] != token+"b" {
		t.Errorf("tokens: %v", tokens)
	}
	vids, held, err := s.registry.Identifiers(ctx, []int64{a, b, c})
	s.must(err)
	if len(vids) != 3 || !slices.Equal(ids(held), ids(tokens)) {
		t.Errorf("held: %v and %v", vids, held)
	}
	for _, i := range slices.Concat(vids, held) { // its clock is ours, or nearly
		if age := time.Since(i.Created); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("identifier %d was entered %v ago", i.ID, age)
		}
	}
	holders, err := s.registry.TokenHolders(ctx, []string{token + "b", token + "c"})
	s.must(err)
	if len(holders) != 1 || holders[0].Registrant != b || holders[0].Value != token+"b" {
		t.Errorf("holders: %v", holders)
	}
	if usual, err := s.registry.UsualHolders(ctx, []string{token + "b", token + "c"}); err != nil || !slices.Equal(usual, holders) {
		t.Errorf("by the usual spellings: %v, %v", usual, err)
	}

	for range 2 { // what is gone already is no error
		s.must(s.registry.Remove(ctx, []int64{vidOfA, vidOfB}))
	}
	vids, held, err = s.registry.Identifiers(ctx, []int64{a, b, c})
	s.must(err)
	if len(vids) != 1 || vids[0].Registrant != c || len(held) != 2 {
		t.Errorf("afterwards: %v and %v", vids, held)
	}
	page, err := s.registry.VIDs(ctx, 0, 10)
	s.must(err)
	if len(page) != 1 || page[0].Registrant != c {
		t.Errorf("still to do: %v", page)
	}
}

// A token is found as people entered or imported it.
func (s *suite) spellings(t *testing.T) {
	token := strings.Repeat("7", 36)
	holders := map[int64]string{}
	values := append(seeding.TokenSpellings(token), token+"  ", " "+token+" ", token+"\t", token+"\n", token+"\r\n", token+"\u200e",
		"\u202a"+token+"\u202c", token[:5]+"\u200b"+token[5:], token+"\u00ad", "\u3000"+token, token+strings.Repeat("\u200b", 30))
	for n, value := range values {
		registrant, _ := s.registrant(vid(n), nil)
		s.identifier(registrant, s.tokenType, value, nil)
		holders[registrant] = value
	}
	other, _ := s.registrant(vid(99), nil)
	s.identifier(other, s.tokenType, token+"7", nil)
	found, err := s.registry.TokenHolders(t.Context(), []string{token})
	s.must(err)
	for _, i := range found {
		if value, wanted := holders[i.Registrant]; !wanted || i.Value != value {
			t.Errorf("registrant %d holds %q, not %q", i.Registrant, i.Value, value)
		}
	}
	if len(found) != len(holders) {
		t.Errorf("%d of %d found", len(found), len(holders))
	}
	usual, err := s.registry.UsualHolders(t.Context(), []string{token})
	s.must(err)
	for _, spelling := range seeding.TokenSpellings(token) {
		if !slices.ContainsFunc(usual, func(i seeding.Identifier) bool { return i.Value == spelling }) {
			t.Errorf("%q is none of the usual holders", spelling)
		}
	}
}

func (s *suite) allOrNone(t *testing.T) {
	a, _ := s.registrant(vid(1), nil)
	b, _ := s.registrant(vid(2), nil)
	ctx := t.Context()
	s.must(s.registry.Create(ctx, []seeding.NewToken{{Registrant: b, Value: "first"}}))
	for name, tokens := range map[string][]seeding.NewToken{
		"has one already":   {{Registrant: a, Value: "A"}, {Registrant: b, Value: "second"}},
		"twice in the list": {{Registrant: a, Value: "A"}, {Registrant: a, Value: "B"}},
		"no such person":    {{Registrant: a, Value: "A"}, {Registrant: 1 << 30, Value: "C"}},
	} {
		s.check(name, s.registry.Create(ctx, tokens), seeding.RefusedData, "ValidationError")
		if held, err := s.registry.Tokens(ctx, []int64{a, b}); err != nil || len(held) != 1 || held[0].Value != "first" {
			t.Errorf("%s: %v, %v", name, held, err)
		}
	}
}

func (s *suite) refusals(t *testing.T) {
	registrant, _ := s.registrant(vid(1), nil)
	with := func(change func(*seeding.Connector)) seeding.Registry {
		c := s.connector
		change(&c)
		return s.open(c)
	}
	read := func(r seeding.Registry) error {
		_, err := r.Registrants(t.Context(), []int64{registrant})
		return err
	}
	s.check("wrong password", read(with(func(c *seeding.Connector) { c.ID = wrongPassword })), seeding.RefusedSignIn, "AccessDenied")
	s.check("unknown user", read(with(func(c *seeding.Connector) { c.Registry.Username = "nobody" })), seeding.RefusedSignIn, "")
	s.check("unknown database", read(with(func(c *seeding.Connector) { c.Registry.Database = "nodb" })), seeding.RefusedSignIn, "")
	s.check("unknown field", read(with(func(c *seeding.Connector) { c.Source.Fields = []string{"no_such"} })), seeding.RefusedSchema, "")
	s.check("unknown field in the domain", read(with(func(c *seeding.Connector) { c.Source.Domain = `[["no_such","=",1]]` })), seeding.RefusedSchema, "")
	s.check("unknown field on a path", read(with(func(c *seeding.Connector) { c.Source.Domain = `[["reg_ids.no_such","=",1]]` })), seeding.RefusedSchema, "")
	s.check("no registry there", read(with(func(c *seeding.Connector) { c.Registry.URL += "/no/such/path" })), seeding.RefusedRequest, "HTTP-404")
	s.must(read(s.registry))
}

func (s *suite) types(t *testing.T) {
	with := func(change func(*seeding.RegistryAccess)) error {
		c := s.connector
		change(&c.Registry)
		_, err := s.open(c).VIDs(t.Context(), 0, 10)
		return err
	}
	s.check("no such VID type", with(func(a *seeding.RegistryAccess) { a.VIDType += "?" }), seeding.RefusedTypes, "vid_type")
	s.check("no such token type", with(func(a *seeding.RegistryAccess) { a.TokenType += "?" }), seeding.RefusedTypes, "token_type")
	s.check("case counts", with(func(a *seeding.RegistryAccess) { a.TokenType = strings.ToLower(a.TokenType) }), seeding.RefusedTypes, "token_type")
	s.check("wildcards do not", with(func(a *seeding.RegistryAccess) { a.VIDType = strings.Replace(a.VIDType, "VID", "V_D", 1) }), seeding.RefusedTypes, "vid_type")
	s.check("one type for both", with(func(a *seeding.RegistryAccess) { a.TokenType = a.VIDType }), seeding.RefusedTypes, "token_type")
}

func (s *suite) changingTypes(t *testing.T) {
	registrant, _ := s.registrant(vid(1), nil)
	ctx := t.Context()
	_, err := s.registry.VIDs(ctx, 0, 10)
	s.must(err)

	s.write("g2p.id.type", s.vidType, map[string]any{"name": "RENAMED " + s.connector.ID})
	_, err = s.registry.VIDs(ctx, 1, 10) // the pass goes on
	s.must(err)
	_, err = s.registry.VIDs(ctx, 0, 10) // the next begins
	s.check("VID type renamed", err, seeding.RefusedTypes, "vid_type")
	s.write("g2p.id.type", s.vidType, map[string]any{"name": s.connector.Registry.VIDType})

	c := s.connector
	c.Registry.TokenType = "SHORT-LIVED " + s.connector.ID
	var shortLived int64
	s.must(s.do("g2p.id.type", "create", &shortLived, map[string]any{"name": c.Registry.TokenType}))
	r := s.open(c)
	_, err = r.Tokens(ctx, []int64{registrant})
	s.must(err)
	s.must(s.do("g2p.id.type", "unlink", nil, []int64{shortLived}))
	s.check("token type gone", r.Create(ctx, []seeding.NewToken{{Registrant: registrant, Value: "T"}}), seeding.RefusedTypes, "token_type")
}

func (s *suite) rights(t *testing.T) {
	if s.target.Clerk.Login == "" || s.target.Registrar.Login == "" {
		t.Log("rights are not tested: the target names no clerk and no registrar")
		return
	}
	registrant, identifier := s.registrant(vid(1), nil)
	as := func(u User) seeding.Registry {
		c := s.connector
		c.Registry.Username = u.Login
		return s.open(c)
	}
	ctx := t.Context()
	_, err := as(s.target.Clerk).VIDs(ctx, 0, 10)
	s.check("clerk reads VIDs", err, seeding.RefusedRights, "AccessError")
	registrar := as(s.target.Registrar)
	page, err := registrar.VIDs(ctx, 0, 10)
	s.must(err)
	if len(page) != 1 {
		t.Errorf("registrar reads %v", page)
	}
	s.must(registrar.Create(ctx, []seeding.NewToken{{Registrant: registrant, Value: "T"}}))
	s.check("registrar removes", registrar.Remove(ctx, []int64{identifier}), seeding.RefusedRights, "AccessError")
}

func (s *suite) bulk(t *testing.T) {
	const count = 60
	var persons []int64
	var tokens []seeding.NewToken
	for n := range count {
		person, _ := s.registrant(vid(n), nil)
		persons = append(persons, person)
		tokens = append(tokens, seeding.NewToken{Registrant: person, Value: fmt.Sprintf("T%d", n)})
	}
	ctx := t.Context()
	page, err := s.registry.VIDs(ctx, 0, 1000)
	s.must(err)
	records, err := s.registry.Registrants(ctx, persons)
	s.must(err)
	s.must(s.registry.Create(ctx, tokens))
	held, err := s.registry.Tokens(ctx, persons)
	s.must(err)
	s.must(s.registry.Remove(ctx, ids(page)))
	left, err := s.registry.VIDs(ctx, 0, 1000)
	s.must(err)
	if len(page) != count || len(records) != count || len(held) != count || len(left) != 0 {
		t.Errorf("%d VIDs, %d registrants, %d tokens, %d VIDs left", len(page), len(records), len(held), len(left))
	}
}
