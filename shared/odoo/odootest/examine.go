package odootest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// examined is what a check asks of a registry, besides seeding.Registry.
type examined interface {
	seeding.Registry
	Version(ctx context.Context) (string, error)
	SignIn(ctx context.Context) (way string, err error)
	Identity(ctx context.Context) (identity string, exact bool, err error)
	Line(ctx context.Context) (string, error)
	Encrypting(ctx context.Context) (bool, error)
	FieldKinds(ctx context.Context) (map[string]string, error)
	May(ctx context.Context, right seeding.Right, record int64) (bool, error)
	LookUps(ctx context.Context, registrant int64) (seeding.LookUps, error)
	Unmet(ctx context.Context, registrant int64) ([]seeding.Unmet, error)
}

func (s *suite) examine(c seeding.Connector) examined {
	s.t.Helper()
	r, ok := s.open(c).(examined)
	if !ok {
		s.t.Fatal("the registry cannot be checked")
	}
	return r
}

// examination asks all that a check asks, and leaves nothing behind.
func (s *suite) examination(t *testing.T) {
	registrant, identifier := s.registrant(vid(1), nil)
	ctx := t.Context()
	before := s.everything()
	c := s.connector
	c.Source.Fields = []string{"name", "birthdate", "no_such", "reg_ids", "image_128"}
	r := s.examine(c)
	version, err := r.Version(ctx)
	s.must(err)
	if version < "14.0" || version > "30" {
		t.Errorf("version %q", version)
	}
	way, err := r.SignIn(ctx)
	s.must(err)
	if !slices.Contains([]string{"session", "execute_kw", "json2"}, way) {
		t.Errorf("way %q", way)
	}
	identity, exact, err := r.Identity(ctx)
	s.must(err)
	if again, _, _ := s.examine(c).Identity(ctx); len(identity) != 32 || again != identity || !exact {
		t.Errorf("identity %q, exact %t, then %q", identity, exact, again)
	}
	line, err := r.Line(ctx)
	s.must(err)
	if line != "15.0" && line != "17.0" {
		t.Errorf("line %q", line)
	}
	if encrypting, err := r.Encrypting(ctx); err != nil || encrypting {
		t.Errorf("encrypting %t, %v", encrypting, err)
	}
	fields, err := r.FieldKinds(ctx)
	s.must(err)
	if want := map[string]string{"id": "integer", "name": "char", "birthdate": "date", "reg_ids": "one2many", "image_128": "binary"}; !maps.Equal(fields, want) {
		t.Errorf("fields %v", fields)
	}
	for _, right := range []seeding.Right{seeding.CreateIdentifiers, seeding.RemoveIdentifiers} {
		for _, on := range []int64{0, identifier, 1 << 30} {
			if may, err := r.May(ctx, right, on); err != nil || !may {
				t.Errorf("%s %d: %t, %v", right, on, may, err)
			}
		}
	}
	if may, err := r.May(ctx, seeding.Right{Model: "res.partner", Operation: "write"}, registrant); err != nil || !may {
		t.Errorf("the registrant: %t, %v", may, err)
	}
	looks, err := r.LookUps(ctx, registrant)
	s.must(err)
	if looks.Identifiers < 1 {
		t.Errorf("%+v", looks)
	}
	// Which conditions a registrant does not meet, but for the two that are not asked.
	vids, tokens := s.connector.Registry.VIDType, s.connector.Registry.TokenType
	c.Source.Domain = fmt.Sprintf(`[["is_registrant","=",true],["reg_ids.id_type","=like",%q],"!",["reg_ids.id_type","=like",%q],`+
		`["given_name","=","Nobody"],"!","|",["given_name","=","Ana"],["given_name","=","Eva"],"&",["id",">",0],"!",["id","=",%d]]`, vids, tokens, registrant)
	unmet, err := s.examine(c).Unmet(ctx, registrant)
	s.must(err)
	if want := []seeding.Unmet{{Condition: 4, Path: "given_name"}, {Condition: 5}, {Condition: 7, Path: "id"}}; !slices.Equal(unmet, want) {
		t.Errorf("unmet %v", unmet)
	}
	if after := s.everything(); after != before {
		t.Errorf("%v before, %v afterwards", before, after)
	}
}

// everything counts identifiers and registrants, and finds the newest identifier.
func (s *suite) everything() (counts [3]int64) {
	s.t.Helper()
	s.must(s.do("g2p.reg.id", "search_count", &counts[0], []any{}))
	s.must(s.do("res.partner", "search_count", &counts[1], []any{}))
	var newest []int64
	s.must(s.do("g2p.reg.id", "search", &newest, []any{[]any{"partner_id", ">", 0}}))
	if len(newest) > 0 {
		counts[2] = slices.Max(newest)
	}
	return counts
}

// refuses reports whether a registry refuses for want of a right what an Output Format
// needs it for. Nothing is left of it but a name and phone numbers of the registrant.
func (s *suite) refuses(r seeding.Registry, right seeding.Right, registrant, identifier int64) bool {
	s.t.Helper()
	ctx := s.t.Context()
	var err error
	switch right.String() {
	case "res.partner write":
		err = r.Write(ctx, []seeding.Edit{{Kind: seeding.SetRegistrant, ID: registrant, Values: map[string]string{"given_name": "Eva"}}})
	case "g2p.reg.id write":
		err = r.Write(ctx, []seeding.Edit{{Kind: seeding.SetIdentifier, ID: identifier, Values: map[string]string{"value": vid(1)}}})
	case "g2p.phone.number create":
		err = r.Write(ctx, []seeding.Edit{{Kind: seeding.AddPhone, ID: registrant, Values: map[string]string{"phone_no": "+639171234567"}}})
	case "g2p.phone.number read":
		_, err = r.Details(ctx, seeding.Wanted{Registrants: []int64{registrant}, Phones: true})
	case "gender.type read":
		_, err = r.Details(ctx, seeding.Wanted{Registrants: []int64{registrant}, Genders: []string{"Female"}})
	default:
		s.t.Fatalf("nothing tries %s", right)
	}
	if err != nil && seeding.FaultOf(err).Kind != seeding.RefusedRights {
		s.t.Errorf("%s: %v", right, err)
	}
	return err != nil
}

// examinationOfRights asks as users who lack some.
func (s *suite) examinationOfRights(t *testing.T) {
	if s.target.Clerk.Login == "" || s.target.Registrar.Login == "" {
		t.Skip("the target has no users with fewer rights")
	}
	registrant, identifier := s.registrant(vid(1), nil)
	t.Cleanup(func() { s.unlinkWhere("g2p.phone.number", []any{[]any{"partner_id", "=", registrant}}) })
	exact := map[string]bool{}
	for _, test := range []struct {
		login          string
		create, unlink bool
		others         map[string]bool // rights that an Output Format may need
	}{
		{s.target.Username, true, true, map[string]bool{"res.partner write": true, "g2p.reg.id write": true, "g2p.phone.number read": true, "g2p.phone.number create": true, "gender.type read": true}},
		{s.target.Registrar.Login, true, false, map[string]bool{"res.partner write": true, "g2p.reg.id write": true, "g2p.phone.number read": true, "g2p.phone.number create": true, "gender.type read": true}},
		{s.target.Clerk.Login, false, false, map[string]bool{"res.partner write": false, "g2p.reg.id write": false, "g2p.phone.number read": false, "g2p.phone.number create": false, "gender.type read": true}},
	} {
		c := s.connector
		c.ID, c.Registry.Username = "as-"+test.login, test.login
		r := s.examine(c)
		for right, want := range map[seeding.Right]bool{seeding.CreateIdentifiers: test.create, seeding.RemoveIdentifiers: test.unlink} {
			if may, err := r.May(t.Context(), right, identifier); err != nil || may != want {
				t.Errorf("%s, %s: %t, %v", test.login, right, may, err)
			}
		}
		for name, want := range test.others {
			model, operation, _ := strings.Cut(name, " ")
			if may, err := r.May(t.Context(), seeding.Right{Model: model, Operation: operation}, 0); err != nil || may != want {
				t.Errorf("%s, %s: %t, %v", test.login, name, may, err)
			}
			if operation == "read" && test.login == s.target.Clerk.Login {
				continue // it may not read types, which are read before
			}
			if refused := s.refuses(r, seeding.Right{Model: model, Operation: operation}, registrant, identifier); refused == want {
				t.Errorf("%s, %s: tried, and refused: %t", test.login, name, refused)
			}
		}
		identity, isExact, err := r.Identity(t.Context())
		exact[test.login] = isExact
		switch readsTypes := test.login != s.target.Clerk.Login; {
		case readsTypes && (err != nil || identity == ""):
			t.Errorf("%s: no identity, %v", test.login, err)
		case !readsTypes && (identity != "" || err != nil && seeding.FaultOf(err).Kind != seeding.RefusedRights):
			t.Errorf("%s: %q, %v", test.login, identity, err)
		}
	}
	if !exact[s.target.Username] || exact[s.target.Registrar.Login] {
		t.Errorf("exact identities: %v", exact)
	}
}
