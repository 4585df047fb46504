package odootest

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	May(ctx context.Context, operation string, identifier int64) (bool, error)
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
	for _, operation := range []string{"create", "unlink"} {
		for _, on := range []int64{0, identifier, 1 << 30} {
			if may, err := r.May(ctx, operation, on); err != nil || !may {
				t.Errorf("%s %d: %t, %v", operation, on, may, err)
			}
		}
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

// examinationOfRights asks as users who lack some.
func (s *suite) examinationOfRights(t *testing.T) {
	if s.target.Clerk.Login == "" || s.target.Registrar.Login == "" {
		t.Skip("the target has no users with fewer rights")
	}
	_, identifier := s.registrant(vid(1), nil)
	exact := map[string]bool{}
	for _, test := range []struct {
		login          string
		create, unlink bool
	}{
		{s.target.Username, true, true},
		{s.target.Registrar.Login, true, false},
		{s.target.Clerk.Login, false, false},
	} {
		c := s.connector
		c.ID, c.Registry.Username = "as-"+test.login, test.login
		r := s.examine(c)
		for operation, want := range map[string]bool{"create": test.create, "unlink": test.unlink} {
			if may, err := r.May(t.Context(), operation, identifier); err != nil || may != want {
				t.Errorf("%s, %s: %t, %v", test.login, operation, may, err)
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
