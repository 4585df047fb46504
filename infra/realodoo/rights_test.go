package realodoo_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/shared/odoo/odootest"
	"openg2p.org/mts-connector/shared/seeding"
)

// connectorUser has the least rights that the connector needs: an internal user,
// who may read contacts in every Odoo, in a group with leastRights and nothing else.
var connectorUser = odootest.User{Login: "connector", Password: "connectorpw1"}

// leastRights are the rights to models besides those of an internal user.
var leastRights = []right{{"g2p.id.type", "read"}, {"g2p.reg.id", "read"}, {"g2p.reg.id", "create"}, {"g2p.reg.id", "unlink"}}

type right struct{ model, operation string }

// role is a group with rights of its own, one rule of access for each.
type role struct {
	client
	rules map[right]int64
}

// addConnectorUser makes the user with the least rights; they are taken away after
// the test.
func addConnectorUser(t *testing.T, s *realodoo.Server) role {
	t.Helper()
	r := role{client{t, s.URL}, map[right]int64{}}
	var group, user int64
	r.call(&group, "res.groups", "create", []any{map[string]any{"name": "MTS connector"}}, nil)
	for _, right := range leastRights {
		values := map[string]any{"name": "mts connector", "group_id": group, "model_id": r.idOf("ir.model", "model", right.model)}
		for _, operation := range []string{"read", "write", "create", "unlink"} {
			values["perm_"+operation] = operation == right.operation
		}
		var rule int64
		r.call(&rule, "ir.model.access", "create", []any{values}, nil)
		r.rules[right] = rule
	}
	groups := map[string]string{"19": "group_ids", "14": "groups_id"}[s.Line]
	internal := r.external("base", "group_user")
	r.call(&user, "res.users", "create", []any{map[string]any{"name": "MTS connector", "login": connectorUser.Login,
		"password": connectorUser.Password, groups: []any{[]any{6, 0, []int64{internal, group}}}}},
		map[string]any{"context": map[string]any{"no_reset_password": true}})
	rules := maps.Clone(r.rules)
	r.rules[right{"res.partner", "read"}] = r.external("base", "access_res_partner_group_user") // every internal user's
	t.Cleanup(func() {
		for _, rule := range rules {
			r.call(nil, "ir.model.access", "unlink", []any{[]int64{rule}}, nil)
		}
		r.call(nil, "res.users", "write", []any{[]int64{user}, map[string]any{"active": false, "login": fmt.Sprintf("gone-%d", user)}}, nil)
		r.call(nil, "res.groups", "write", []any{[]int64{group}, map[string]any{"name": fmt.Sprintf("gone %d", group)}}, nil)
	})
	return r
}

func (r role) idOf(model, field, value string) int64 {
	r.t.Helper()
	var ids []int64
	r.call(&ids, model, "search", []any{[]any{[]any{field, "=", value}}}, nil)
	if len(ids) != 1 {
		r.t.Fatalf("%s %s: %v", model, value, ids)
	}
	return ids[0]
}

func (r role) external(module, name string) int64 {
	r.t.Helper()
	var rows []struct {
		ID int64 `json:"res_id"`
	}
	r.call(&rows, "ir.model.data", "search_read", []any{[]any{[]any{"module", "=", module}, []any{"name", "=", name}}},
		map[string]any{"fields": []string{"res_id"}})
	if len(rows) != 1 {
		r.t.Fatalf("%s.%s: %v", module, name, rows)
	}
	return rows[0].ID
}

// set gives a right, or takes it away.
func (r role) set(right right, given bool) {
	r.t.Helper()
	r.call(nil, "ir.model.access", "write", []any{[]int64{r.rules[right]}, map[string]any{"perm_" + right.operation: given}}, nil)
}

// All that a run asks of a registry works with the least rights, and without any of
// them the problem says which kind of right is missing.
func TestEachRightOfTheLeastRoleIsNeeded(t *testing.T) {
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		r := addConnectorUser(t, s)
		target, _ := target(s, realodoo.AdminPassword)
		var partner int64
		r.call(&partner, "res.partner", "create", []any{map[string]any{"name": "REYES, ANA", "is_registrant": true}}, nil)
		connector := seeding.Connector{ID: "least", Source: seeding.RegistrySource{
			Domain: `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`,
			Fields: []string{"name", "given_name", "birthdate", "gender", "address", "email", "phone"}},
			Registry: seeding.RegistryAccess{URL: s.URL, Database: realodoo.Database, Username: connectorUser.Login,
				VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN"}}

		// asks asks all that a run asks, and returns the first problem.
		asks := func(t *testing.T, n int) (seeding.Source, seeding.Description) {
			t.Helper()
			if _, err := s.SQL(t.Context(), "TRUNCATE g2p_reg_id"); err != nil {
				t.Fatal(err)
			}
			r.call(nil, "g2p.reg.id", "create", []any{map[string]any{"partner_id": partner, "id_type": r.idOf("g2p.id.type", "name", "MOSIP VID"), "value": "4000000000000001"}}, nil)
			c := connector
			c.ID += fmt.Sprint(n) // signs in anew
			registry, err := target.Registries.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return firstProblem(t.Context(), registry, partner)
		}
		if source, d := asks(t, 0); source != "" {
			t.Fatalf("with all rights: %s: %s", source, d.Text)
		}
		for n, test := range []struct {
			right  right
			source seeding.Source
			says   string
		}{
			{right{"res.partner", "read"}, seeding.ProblemRead, "res.partner"},
			{right{"g2p.id.type", "read"}, seeding.ProblemRead, "g2p.id.type"},
			{right{"g2p.reg.id", "read"}, seeding.ProblemRead, "g2p.reg.id"},
			{right{"g2p.reg.id", "create"}, seeding.ProblemWrite, "g2p.reg.id"},
			{right{"g2p.reg.id", "unlink"}, seeding.ProblemUnlink, "group_g2p_admin"},
		} {
			r.set(test.right, false)
			source, d := asks(t, n+1)
			r.set(test.right, true)
			if source != test.source || !strings.Contains(d.Remedy, test.says) {
				t.Errorf("without %s of %s: problem %q: %s", test.right.operation, test.right.model, source, d.Remedy)
			}
		}
		note("* Odoo %s: each right of the least role needed and named %s", s.Line, verdict(t))
	})
}

// firstProblem asks what a run asks about one registrant, in its order.
func firstProblem(ctx context.Context, registry seeding.Registry, partner int64) (seeding.Source, seeding.Description) {
	one := []int64{partner}
	var vids []seeding.Identifier
	for _, step := range []struct {
		op seeding.Source
		do func() error
	}{
		{seeding.ProblemRead, func() (err error) { vids, err = registry.VIDs(ctx, 0, 10); return err }},
		{seeding.ProblemRead, func() error { _, err := registry.CountVIDs(ctx, 0); return err }},
		{seeding.ProblemRead, func() error {
			found, err := registry.Registrants(ctx, one)
			if err == nil && len(found) != 1 {
				err = fmt.Errorf("%d registrants", len(found))
			}
			return err
		}},
		{seeding.ProblemRead, func() error { _, err := registry.Tokens(ctx, one); return err }},
		{seeding.ProblemRead, func() error { _, _, err := registry.Identifiers(ctx, one); return err }},
		{seeding.ProblemRead, func() error { _, err := registry.TokenHolders(ctx, []string{"1"}); return err }},
		{seeding.ProblemWrite, func() error {
			return registry.Create(ctx, []seeding.NewToken{{Registrant: partner, Value: strings.Repeat("7", 36)}})
		}},
		{seeding.ProblemUnlink, func() error { return registry.Remove(ctx, []int64{vids[0].ID}) }},
	} {
		if err := step.do(); err != nil {
			return seeding.RegistryProblem(seeding.FaultOf(err), step.op)
		}
	}
	return "", seeding.Description{}
}
