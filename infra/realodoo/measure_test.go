package realodoo_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/shared/seeding"
)

// TestMeasures compares measurements with their goals. A missed goal is reported
// and is no failure, because machines differ.
func TestMeasures(t *testing.T) {
	note("\n| | Measure | Goal | Measured | Result |\n|---|---|---|---|---|")
	var sizes []string
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		m := newMeasurer(t, s)
		m.populate(5_000)
		m.patching("5,000", 500)
		empty(t, s)
		m.populate(50_000)
		m.patching("50,000", 1000)
		m.paging()
		sizes = append(sizes, m.lookingUp()...)
	})
	note("\nLook-up of tokens by value among 750,000 identifiers (250,000 of them tokens), median of 5:\n\n" +
		"| | tokens asked for | index on value | call | per token |\n|---|---|---|---|---|")
	for _, row := range sizes {
		note("%s", row)
	}
}

type measurer struct {
	*testing.T
	server   *realodoo.Server
	registry seeding.Registry
	raw      *registry
	vids     []seeding.Identifier // of everybody, by id
}

func newMeasurer(t *testing.T, s *realodoo.Server) *measurer {
	t.Helper()
	target, _ := target(s, realodoo.AdminPassword)
	r, err := target.Registries.Open(t.Context(), seeding.Connector{ID: "measures",
		Source: seeding.RegistrySource{
			Domain: `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`,
			Fields: []string{"id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"},
		},
		Registry: seeding.RegistryAccess{URL: s.URL, Database: realodoo.Database, Username: realodoo.Admin,
			VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN"}})
	m := &measurer{T: t, server: s, registry: r, raw: &registry{client: client{t, s.URL}}}
	m.must(err)
	t.Cleanup(func() {
		m.sql("DROP INDEX IF EXISTS mts_value", "DROP INDEX IF EXISTS mts_partner", "VACUUM ANALYZE g2p_reg_id", "VACUUM ANALYZE res_partner")
	})
	return m
}

func (m *measurer) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *measurer) sql(statements ...string) string {
	m.Helper()
	output, err := m.server.SQL(withoutEnd(m.T), statements...)
	m.must(err)
	return output
}

// populate makes registrants with a VID each: copies of one that Odoo made.
func (m *measurer) populate(n int) {
	m.vids = nil
	var first []int64
	m.raw.call(&first, "res.partner", "create", []any{[]any{map[string]any{"name": "MENDOZA, AMINA", "is_registrant": true,
		"given_name": "Amina", "family_name": "Mendoza", "birthdate": "1990-11-02", "gender": "Female",
		"address": "1 Rizal St\nBrgy 1\nQuezon City", "email": "amina@example.org", "phone": "+639170000000"}}}, nil)
	m.sql(fmt.Sprintf(`INSERT INTO res_partner SELECT r.* FROM res_partner p, generate_series(1, %d) n,
			LATERAL jsonb_populate_record(p, jsonb_build_object('id', p.id + n, 'name', 'MENDOZA, AMINA ' || n, 'email', n || '@example.org')) r
			WHERE p.id = %d`, n-1, first[0]),
		"SELECT setval('res_partner_id_seq', (SELECT max(id) FROM res_partner))",
		`INSERT INTO g2p_reg_id (partner_id, id_type, value, create_uid, create_date, write_uid, write_date)
			SELECT id, 1, lpad(id::text, 16, '4'), 2, now() AT TIME ZONE 'UTC', 2, now() AT TIME ZONE 'UTC' FROM res_partner WHERE is_registrant ORDER BY id`,
		"VACUUM ANALYZE g2p_reg_id", "VACUUM ANALYZE res_partner")
	for len(m.vids) < n {
		after := int64(0)
		if len(m.vids) > 0 {
			after = m.vids[len(m.vids)-1].ID
		}
		page, err := m.registry.VIDs(m.Context(), after, 10_000)
		m.must(err)
		if len(page) == 0 {
			m.Fatalf("%d registrants instead of %d", len(m.vids), n)
		}
		m.vids = append(m.vids, page...)
	}
}

// take returns registrants that were not used before.
func (m *measurer) take(n int) []seeding.Identifier {
	taken := m.vids[:n]
	m.vids = m.vids[n:]
	return taken
}

// patching writes tokens and removes VIDs as the patcher does with a batch, reads
// before and after included, and with one write for each registrant.
func (m *measurer) patching(size string, batch int) {
	const single, rounds = 100, 3
	ctx := m.Context()
	for _, indexed := range []bool{false, true} {
		if indexed {
			m.sql("CREATE INDEX mts_partner ON g2p_reg_id (partner_id)", "ANALYZE g2p_reg_id")
		}
		var bulk, bare, one []time.Duration
		for range rounds {
			vids := m.take(batch)
			people, removed, values := []int64{}, []int64{}, []string{}
			var tokens []seeding.NewToken
			for _, v := range vids {
				people, removed, values = append(people, v.Registrant), append(removed, v.ID), append(values, token(v.Registrant))
				tokens = append(tokens, seeding.NewToken{Registrant: v.Registrant, Value: token(v.Registrant)})
			}
			began := time.Now()
			_, _, err := m.registry.Identifiers(ctx, people)
			m.must(err)
			_, err = m.registry.TokenHolders(ctx, values)
			m.must(err)
			writing := time.Now()
			m.must(m.registry.Create(ctx, tokens))
			wrote := time.Since(writing)
			_, _, err = m.registry.Identifiers(ctx, people)
			m.must(err)
			removing := time.Now()
			m.must(m.registry.Remove(ctx, removed))
			wrote += time.Since(removing)
			bulk, bare = append(bulk, time.Since(began)/time.Duration(batch)), append(bare, wrote/time.Duration(batch))

			began = time.Now()
			for _, v := range m.take(single) {
				m.writeOne(v)
			}
			one = append(one, time.Since(began)/single)
		}
		goal, met := "≤ 1/12", median(bulk)*12 <= median(one)
		m.row("bulk patch per registrant of "+size+", over one `res.partner.write` each"+with(indexed), goal, met,
			"1/%.1f (%s with its reads, %s create and unlink alone = 1/%.1f; one write each %s)",
			ratio(median(one), median(bulk)), ms(median(bulk)), ms(median(bare)), ratio(median(one), median(bare)), ms(median(one)))
	}
	m.sql("DROP INDEX mts_partner")
}

func token(registrant int64) string { return fmt.Sprintf("%036d", registrant) }

func (m *measurer) writeOne(v seeding.Identifier) {
	if m.raw.cookie == "" {
		m.raw.cookie = m.raw.signIn()
	}
	body := fmt.Appendf(nil, `{"params": {"model": "res.partner", "method": "write", "kwargs": {}, "args": [[%d], {"reg_ids": [[0, 0, {"id_type": 2, "value": %q}], [2, %d]]}]}}`,
		v.Registrant, token(v.Registrant), v.ID)
	var done bool
	m.raw.send("POST", "/web/dataset/call_kw", body, map[string]string{"Cookie": m.raw.cookie}).result(m.T, &done)
}

// paging reads pages as the submitter does.
func (m *measurer) paging() {
	const size, rounds = 1000, 7
	ctx := m.Context()
	for _, indexed := range []bool{false, true} {
		if indexed {
			m.sql("CREATE INDEX mts_partner ON g2p_reg_id (partner_id)", "ANALYZE g2p_reg_id")
		}
		var plain, whole []time.Duration
		for range rounds {
			after := m.vids[0].ID - 1
			m.take(size)
			began := time.Now()
			vids, err := m.registry.VIDs(ctx, after, size)
			m.must(err)
			plain = append(plain, time.Since(began))
			var people []int64
			for _, v := range vids {
				people = append(people, v.Registrant)
			}
			records, err := m.registry.Registrants(ctx, people)
			m.must(err)
			_, err = m.registry.Tokens(ctx, people)
			m.must(err)
			whole = append(whole, time.Since(began))
			if len(records) != size {
				m.Fatalf("%d registrants of %d", len(records), size)
			}
		}
		r := ratio(median(whole), median(plain))
		m.row("page of 1,000 to submit with 50,000 registrants, over the plain identifier page"+with(indexed), "≤ 4", r <= 4,
			"%.1f (%s / %s)", r, ms(median(whole)), ms(median(plain)))
	}
	m.sql("DROP INDEX mts_partner")
}

// lookingUp finds tokens by their value.
func (m *measurer) lookingUp() (rows []string) {
	left := 750_000 - 50_000
	m.sql(fmt.Sprintf(`INSERT INTO g2p_reg_id (partner_id, id_type, value, create_uid, create_date, write_uid, write_date)
			SELECT p.id, CASE WHEN n %% 14 < 5 THEN 2 ELSE 3 END, lpad((p.id * 20 + n %% 14)::text, 36, '7'), 2, now(), 2, now()
			FROM (SELECT id, row_number() OVER (ORDER BY id) k FROM res_partner WHERE is_registrant) p, generate_series(0, 13) n
			WHERE (p.k - 1) * 14 + n < %d`, left),
		"VACUUM ANALYZE g2p_reg_id")
	for _, indexed := range []bool{false, true} {
		if indexed {
			m.sql("CREATE INDEX mts_value ON g2p_reg_id (value)", "ANALYZE g2p_reg_id")
		}
		for _, size := range []int{1, 100, 1000} {
			var took []time.Duration
			for round := range 5 {
				var values []string
				for i := range size {
					n := m.vids[(round*size+i)%len(m.vids)].Registrant
					value := fmt.Sprintf("%036d", n) // nobody holds half of them
					if i%2 == 0 {
						value = fmt.Sprintf("%s%d", "777777777777777777777777777777777777"[:36-len(fmt.Sprint(n*20+1))], n*20+1)
					}
					values = append(values, value)
				}
				began := time.Now()
				found, err := m.registry.TokenHolders(m.Context(), values)
				m.must(err)
				took = append(took, time.Since(began))
				if len(found) != (size+1)/2 {
					m.Errorf("%d tokens found of %d", len(found), (size+1)/2)
				}
			}
			rows = append(rows, fmt.Sprintf("| Odoo %s | %d | %s | %s | %.3f ms |", m.server.Line, size,
				map[bool]string{true: "yes", false: "no"}[indexed], ms(median(took)), float64(median(took).Microseconds())/1000/float64(size)))
		}
	}
	return rows
}

func (m *measurer) row(measure, goal string, met bool, measured string, a ...any) {
	result := "met"
	if !met {
		result = "**missed**"
	}
	note("| Odoo %s | %s | %s | %s | %s |", m.server.Line, measure, goal, fmt.Sprintf(measured, a...), result)
}

func with(indexed bool) string {
	if indexed {
		return ", with an index on partner_id"
	}
	return ", as shipped"
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
