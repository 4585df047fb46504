package odoo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/seeding"
)

func TestRequests(t *testing.T) {
	dated := `[{"id":201,"partner_id":[7,"REYES, JOSÉ"],"id_type":[1,"MOSIP VID"],"value":"4000","create_date":"2026-11-21 16:28:37"},
		{"id":202,"partner_id":8,"id_type":[2,"MOSIP UIN TOKEN"],"value":"T8","create_date":"2026-11-22 00:00:00"},
		{"id":203,"partner_id":[9,"X"],"id_type":[1,"MOSIP VID"],"value":"4001","create_date":false},
		{"id":205,"partner_id":[9,"X"],"id_type":[1,"MOSIP VID"],"value":"4002","create_date":"lately"}]`
	rows := `[{"id":201,"partner_id":[7,"REYES, JOSÉ"],"id_type":[1,"MOSIP VID"],"value":"4000"},
		{"id":202,"partner_id":8,"id_type":[2,"MOSIP UIN TOKEN"],"value":"T8"},
		{"id":203,"partner_id":[9,"X"],"id_type":[1,"MOSIP VID"],"value":false},
		{"id":204,"partner_id":false,"id_type":[1,"MOSIP VID"],"value":"lost"}]`
	vids := []seeding.Identifier{{ID: 201, Registrant: 7, Value: "4000"}, {ID: 203, Registrant: 9}}
	tokens := []seeding.Identifier{{ID: 202, Registrant: 8, Value: "T8"}}
	fields := `"fields":["id","partner_id","id_type","value"]`
	for _, test := range []struct {
		name    string
		run     func(ctx context.Context, r seeding.Registry) (any, error)
		reply   string
		request string // model, method, args and kwargs
		want    any
	}{
		{"VIDs", func(ctx context.Context, r seeding.Registry) (any, error) { return r.VIDs(ctx, 200, 5) }, rows,
			`g2p.reg.id search_read [[["id_type","=",1],["id",">",200],"|",["expiry_date","=",false],["expiry_date",">=","2026-11-22"]]] {` + fields + `,"limit":5,"order":"id"}`, vids},
		{"how many VIDs", func(ctx context.Context, r seeding.Registry) (any, error) { return r.CountVIDs(ctx, 200) }, `4711`,
			`g2p.reg.id search_count [[["id_type","=",1],["id",">",200],"|",["expiry_date","=",false],["expiry_date",">=","2026-11-22"]]] {}`, 4711},
		{"VIDs of registrants", func(ctx context.Context, r seeding.Registry) (any, error) { return r.VIDsOf(ctx, []int64{7, 9}) }, rows,
			`g2p.reg.id search_read [[["id_type","=",1],["id",">",0],"|",["expiry_date","=",false],["expiry_date",">=","2026-11-22"],["partner_id","in",[7,9]]]] {` + fields + `,"order":"id"}`, vids},
		{"registrants", func(ctx context.Context, r seeding.Registry) (any, error) { return r.Registrants(ctx, []int64{7, 8}) },
			`[{"id":7,"given_name":"Amina","birthdate":false}]`,
			`res.partner search_read [["&",["is_registrant","=",true],["id","in",[7,8]]]] {"fields":["id","given_name","birthdate"]}`,
			map[int64]seeding.Record{7: {"id": 7, "given_name": "Amina"}}},
		{"tokens", func(ctx context.Context, r seeding.Registry) (any, error) { return r.Tokens(ctx, []int64{7, 8}) }, rows,
			`g2p.reg.id search_read [[["partner_id","in",[7,8]],["id_type","=",2]]] {` + fields + `}`, tokens},
		{"held", func(ctx context.Context, r seeding.Registry) (any, error) {
			v, k, err := r.Identifiers(ctx, []int64{7, 8, 9})
			return [][]seeding.Identifier{v, k}, err
		}, dated, `g2p.reg.id search_read [[["partner_id","in",[7,8,9]],["id_type","in",[1,2]]]] {"fields":["id","partner_id","id_type","value","create_date"]}`,
			[][]seeding.Identifier{
				{{ID: 201, Registrant: 7, Value: "4000", Created: time.Date(2026, 11, 21, 16, 28, 37, 0, time.UTC)},
					{ID: 203, Registrant: 9, Value: "4001"}, {ID: 205, Registrant: 9, Value: "4002"}},
				{{ID: 202, Registrant: 8, Value: "T8", Created: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}},
			}},
		{"holders", func(ctx context.Context, r seeding.Registry) (any, error) {
			return r.TokenHolders(ctx, []string{"T8", "T9"})
		}, rows,
			`g2p.reg.id search_read [[["value","in",[` +
				"\"T8\",\" T8\",\"T8 \",\"\u00a0T8\",\"T8\u00a0\",\"\ufeffT8\",\"T8\ufeff\",\"\u200bT8\",\"T8\u200b\"," +
				"\"T9\",\" T9\",\"T9 \",\"\u00a0T9\",\"T9\u00a0\",\"\ufeffT9\",\"T9\ufeff\",\"\u200bT9\",\"T9\u200b\"" +
				`]],["id_type","=",2]]] {` + fields + "}\n" +
				`g2p.reg.id search_read [[["value","=like","___%"],["id_type","=",2]]] {` + fields + `,"limit":2000}`, tokens},
		{"create", func(ctx context.Context, r seeding.Registry) (any, error) {
			return nil, r.Create(ctx, []seeding.NewToken{{Registrant: 7, Value: "T7"}, {Registrant: 9, Value: "T9"}})
		}, `[301,302]`, `g2p.reg.id create [[{"id_type":2,"partner_id":7,"value":"T7"},{"id_type":2,"partner_id":9,"value":"T9"}]] {}`, nil},
		{"submissions", func(ctx context.Context, r seeding.Registry) (any, error) {
			return r.Submissions(ctx, []string{"uuid:1", "uuid:2"})
		}, `[{"id":206,"partner_id":[7,"REYES, JOSÉ"],"id_type":[4,"ODK SUBMISSION"],"value":"uuid:1"},
			{"id":207,"partner_id":[8,"X"],"id_type":[4,"ODK SUBMISSION"],"value":"uuid:3"},
			{"id":208,"partner_id":[9,"X"],"id_type":[2,"MOSIP UIN TOKEN"],"value":"uuid:2"}]`,
			`g2p.reg.id search_read [[["value","in",["uuid:1","uuid:2"]],["id_type","=",4]]] {` + fields + `}`,
			[]seeding.Identifier{{ID: 206, Registrant: 7, Value: "uuid:1"}}},
		{"new registrants", func(ctx context.Context, r seeding.Registry) (any, error) {
			return r.CreateRegistrants(ctx, []seeding.NewRegistrant{
				{Submission: "uuid:1", Token: seeding.NewToken{Value: "T1"}, Values: map[string]string{"name": "Ana"}},
				{Submission: "uuid:2", Token: seeding.NewToken{Value: "T2", Expiry: "2027-01-02", Status: "valid"}, Values: map[string]string{"name": "Ben"},
					Phones:      []seeding.Phone{{Number: "+63", Collected: "2026-01-02"}},
					Identifiers: []seeding.NewIdentifier{{Type: 9, Values: map[string]string{"value": "N1"}}}},
			})
		}, `[301,302]`, `res.partner create [[{"is_group":false,"is_registrant":true,"name":"Ana","reg_ids":[[0,0,{"id_type":2,"value":"T1"}],[0,0,{"id_type":4,"value":"uuid:1"}]]},` +
			`{"is_group":false,"is_registrant":true,"name":"Ben","phone_number_ids":[[0,0,{"date_collected":"2026-01-02","phone_no":"+63"}]],` +
			`"reg_ids":[[0,0,{"expiry_date":"2027-01-02","id_type":2,"value":"T2"}],[0,0,{"id_type":4,"value":"uuid:2"}],[0,0,{"id_type":9,"value":"N1"}]]}]] {}`,
			[]int64{301, 302}},
		{"remove", func(ctx context.Context, r seeding.Registry) (any, error) {
			return nil, r.Remove(ctx, []int64{201, 203})
		}, `true`, `g2p.reg.id unlink [[201,203]] {}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return result(test.reply) }))
			c := f.connector()
			if strings.Contains(test.request, "uuid:") {
				c.Registry.SubmissionType = submissionType
			}
			got, err := test.run(t.Context(), open(t, c))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v", got, err)
			}
			calls := f.asked()
			wanted := strings.Split(test.request, "\n")
			for i, last := range calls[len(calls)-len(wanted):] {
				if sent := fmt.Sprintf("%s %s %s %s", last.Model, last.Method, last.Args, last.Kwargs); sent != wanted[i] {
					t.Errorf("sent %s\nnot  %s", sent, wanted[i])
				}
				if last.cookie != "session1" {
					t.Errorf("cookie %q", last.cookie)
				}
			}
		})
	}
}

// A registry with many longer values of the type is not read as a whole: the usual
// spellings are found all the same.
func TestHoldersAreFoundBesideManyLongerValues(t *testing.T) {
	var longer []string
	for n := range 2000 {
		longer = append(longer, fmt.Sprintf(`{"id":%d,"partner_id":[%d,"x"],"id_type":[2,"t"],"value":"former-%d"}`, 1000+n, 1000+n, n))
	}
	f := newFake(t, wellKnown(func(c call) reply {
		if strings.Contains(string(c.Args), "=like") {
			return result("[" + strings.Join(longer, ",") + "]")
		}
		return result(`[{"id":7,"partner_id":[7,"x"],"id_type":[2,"t"],"value":"T8 "}]`)
	}))
	got, err := open(t, f.connector()).TokenHolders(t.Context(), []string{"T8"})
	if err != nil || len(got) != 1 || got[0].Registrant != 7 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNothingToAsk(t *testing.T) {
	f := newFake(t, func(call) reply { return html(500) })
	r := open(t, f.connector())
	registrants, err1 := r.Registrants(t.Context(), nil)
	tokens, err2 := r.Tokens(t.Context(), nil)
	v, k, err3 := r.Identifiers(t.Context(), nil)
	holders, err4 := r.TokenHolders(t.Context(), nil)
	err := errors.Join(err1, err2, err3, err4, r.Create(t.Context(), nil), r.Remove(t.Context(), nil))
	if err != nil || len(registrants)+len(tokens)+len(v)+len(k)+len(holders) != 0 || registrants == nil {
		t.Errorf("got %v", err)
	}
	if calls := f.asked(); len(calls) != 0 || f.signIns != 0 {
		t.Errorf("%d calls", len(calls))
	}
}

func TestACountThatIsNone(t *testing.T) {
	for _, answer := range []string{"null", "false", `"many"`, "[1]", "-1", "99999999999"} {
		f := newFake(t, wellKnown(func(call) reply { return result(answer) }))
		if count, err := open(t, f.connector()).CountVIDs(t.Context(), 0); seeding.FaultOf(err).Kind != seeding.Unreachable || count != 0 {
			t.Errorf("%s: %d, %v", answer, count, err)
		}
	}
}

func TestValuesOfARecord(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	f := newFake(t, wellKnown(func(call) reply {
		return result(`[{"id":7,"name":"Ana \u00d1","empty":"","no":false,"null":null,"yes":true,"zero":0,"age":36,"income":1234.5,
			"phone":639171234567,"big":123456789012345678901234567890,"most":9223372036854775807,"least":-9223372036854775808,
			"whole":3.0,"exp":1e3,"company_id":[1,"My Company"],"reg_ids":[201,202],"tags_ids":[],"deep":{"n":[1,2.5]},"off":1e999}]`)
	}))
	c := f.connector()
	c.Source.Fields = []string{"name", "empty", "no", "null", "yes", "zero", "age", "income", "phone", "big", "most", "least",
		"whole", "exp", "company_id", "reg_ids", "tags_ids", "deep", "off"}
	got, err := open(t, c).Registrants(t.Context(), []int64{7})
	if err != nil {
		t.Fatal(err)
	}
	want := seeding.Record{
		"id": 7, "name": "Ana Ñ", "empty": "", "yes": true, "zero": 0, "age": 36, "income": 1234.5,
		"phone": 639171234567, "big": huge, "most": math.MaxInt, "least": math.MinInt, "whole": 3.0, "exp": 1000.0,
		"company_id": []any{1, "My Company"}, "reg_ids": []any{201, 202}, "tags_ids": []any{},
		"deep": map[string]any{"n": []any{1, 2.5}}, "off": math.Inf(1),
	}
	for name, value := range want {
		if !reflect.DeepEqual(got[7][name], value) {
			t.Errorf("%s: %T %v", name, got[7][name], got[7][name])
		}
	}
	if len(got[7]) != len(want) {
		t.Errorf("%v", got[7])
	}
}

func TestIdentifierTypes(t *testing.T) {
	for _, test := range []struct{ name, types, code string }{
		{"both", `[{"id":4,"name":"MOSIP VID"},{"id":5,"name":"MOSIP UIN TOKEN"}]`, ""},
		{"no VID type", `[{"id":5,"name":"MOSIP UIN TOKEN"}]`, "vid_type"},
		{"no token type", `[{"id":4,"name":"MOSIP VID"}]`, "token_type"},
		{"none", `[]`, "vid_type"},
		{"VID type twice", `[{"id":4,"name":"MOSIP VID"},{"id":5,"name":"MOSIP UIN TOKEN"},{"id":6,"name":"MOSIP VID"}]`, "vid_type"},
		{"token type twice", `[{"id":4,"name":"MOSIP VID"},{"id":5,"name":"MOSIP UIN TOKEN"},{"id":6,"name":"MOSIP UIN TOKEN"}]`, "token_type"},
		{"other case", `[{"id":4,"name":"Mosip Vid"},{"id":5,"name":"MOSIP UIN TOKEN"}]`, "vid_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, func(c call) reply {
				switch {
				case c.Model == "g2p.id.type":
					return result(test.types)
				case c.Method == "fields_get":
					return result(`{}`)
				}
				return result(`[]`)
			})
			_, err := open(t, f.connector()).VIDs(t.Context(), 0, 10)
			if test.code != "" {
				check(t, err, seeding.RefusedTypes, test.code)
				return
			}
			calls := f.asked()
			if err != nil || len(calls) != 3 || !strings.Contains(string(calls[2].Args), `["id_type","=",4]`) {
				t.Errorf("%v, %v", calls, err)
			}
		})
	}
	same := newFake(t, func(call) reply { return result(`[{"id":4,"name":"MOSIP VID"}]`) })
	c := same.connector()
	c.Registry.TokenType = vidType
	_, err := open(t, c).VIDs(t.Context(), 0, 10)
	check(t, err, seeding.RefusedTypes, "token_type")
}

func TestStatusOfIdentifiers(t *testing.T) {
	f := newFake(t, func(c call) reply {
		switch {
		case c.Model == "g2p.id.type":
			return result(`[{"id":1,"name":"MOSIP VID"},{"id":2,"name":"MOSIP UIN TOKEN"}]`)
		case c.Method == "fields_get":
			return result(`{"status":{"type":"selection"}}`)
		}
		return result(`[]`)
	})
	if _, err := open(t, f.connector()).VIDs(t.Context(), 0, 10); err != nil {
		t.Fatal(err)
	}
	calls := f.asked()
	if got := string(calls[1].Args) + string(calls[1].Kwargs); got != `[["status"]]{"attributes":["type"]}` {
		t.Errorf("asked %s", got)
	}
	if got := string(calls[2].Args); !strings.HasSuffix(got, `"|",["status","=",false],["status","=","valid"]]]`) {
		t.Errorf("asked %s", got)
	}
}

// The schema is read once, and again when a pass begins.
func TestTypesAreAskedOnce(t *testing.T) {
	f := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
	all, c := registries(), f.connector()
	for _, step := range []struct {
		after int64
		calls int
	}{{0, 3}, {200, 1}, {300, 1}, {0, 3}, {200, 1}} {
		r, err := all.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.VIDs(t.Context(), step.after, 10); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Identifiers(t.Context(), []int64{7}); err != nil {
			t.Fatal(err)
		}
		if n := len(f.asked()) - 1; n != step.calls {
			t.Errorf("a page after %d took %d calls", step.after, n)
		}
	}
	if f.signIns != 1 {
		t.Errorf("%d sign-ins", f.signIns)
	}
}

func TestCreateWhenTheTypeIsGone(t *testing.T) {
	both := `[{"id":1,"name":"MOSIP VID"},{"id":2,"name":"MOSIP UIN TOKEN"}]`
	foreignKey := refusal(200, "odoo.exceptions.ValidationError", "The operation cannot be completed: … Constraint: g2p_reg_id_id_type_fkey")
	for _, test := range []struct {
		name, types string // of the second read of the types
		kind        seeding.FaultKind
		code        string
		creates     int
	}{
		{"data is bad", both, seeding.RefusedData, "ValidationError", 1},
		{"type is gone", `[{"id":1,"name":"MOSIP VID"}]`, seeding.RefusedTypes, "token_type", 1},
		{"type is another now", `[{"id":1,"name":"MOSIP VID"},{"id":3,"name":"MOSIP UIN TOKEN"}]`, 0, "", 2},
		{"second read fails", `"?"`, seeding.RefusedData, "ValidationError", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			reads, creates := 0, 0
			f := newFake(t, func(c call) reply {
				switch {
				case c.Model == "g2p.id.type":
					if reads++; reads > 1 {
						return result(test.types)
					}
					return result(both)
				case c.Method == "fields_get":
					return result(`{}`)
				case strings.Contains(string(c.Args), `"id_type":3`):
					creates++
					return result(`[301]`)
				}
				creates++
				return foreignKey
			})
			err := open(t, f.connector()).Create(t.Context(), []seeding.NewToken{{Registrant: 7, Value: "T"}})
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				check(t, err, test.kind, test.code)
			}
			if creates != test.creates {
				t.Errorf("%d creates", creates)
			}
		})
	}
}

// A write is done only if Odoo's reply has the right form.
func TestUnexpectedRepliesToWrites(t *testing.T) {
	for _, value := range []string{`[301]`, `[301,302,303]`, `[]`, `301`, `null`, `false`, `{}`, `"x"`} {
		f := newFake(t, wellKnown(func(call) reply { return result(value) }))
		c := f.connector()
		c.Registry.SubmissionType = submissionType
		r := open(t, c)
		check(t, r.Create(t.Context(), []seeding.NewToken{{Registrant: 7, Value: "A"}, {Registrant: 8, Value: "B"}}), seeding.Unknown, "BadAnswer")
		_, err := r.CreateRegistrants(t.Context(), []seeding.NewRegistrant{{Submission: "a"}, {Submission: "b"}})
		check(t, err, seeding.Unknown, "BadAnswer")
		check(t, r.Remove(t.Context(), []int64{1}), seeding.Unknown, "BadAnswer")
	}
	for _, value := range []string{`[301,301]`, `[301,0]`, `[-1,302]`} {
		f := newFake(t, wellKnown(func(call) reply { return result(value) }))
		c := f.connector()
		c.Registry.SubmissionType = submissionType
		_, err := open(t, c).CreateRegistrants(t.Context(), []seeding.NewRegistrant{{Submission: "a"}, {Submission: "b"}})
		check(t, err, seeding.Unknown, "BadAnswer")
	}
	f := newFake(t, wellKnown(func(call) reply {
		return reply{status: 200, kind: "application/json", body: `{"jsonrpc":"2.0","id":1}`} // a method that returns None
	}))
	r := open(t, f.connector())
	check(t, r.Remove(t.Context(), []int64{1}), seeding.Unknown, "BadAnswer")
	_, err := r.Tokens(t.Context(), []int64{7})
	check(t, err, seeding.Unreachable, "BadAnswer")
}

// No domain selects registrants of submissions, so whatever a connector of ODK has for
// one does not keep its registry from being opened.
func TestOpenOfAConnectorOfODK(t *testing.T) {
	f := newFake(t, wellKnown(func(call) reply { return result(`[]`) }))
	for _, domain := range []string{"", "none", usual} {
		c := f.connector()
		c.ODK.BaseURL, c.Registry.SubmissionType, c.Source.Domain = "https://odk.example", submissionType, domain
		if _, err := open(t, c).Submissions(t.Context(), []string{"uuid:1"}); err != nil {
			t.Errorf("%q: %v", domain, err)
		}
	}
}

func TestOpen(t *testing.T) {
	secrets := errors.New("no such secret")
	good := func(context.Context, seeding.Connector) (string, error) { return "secret", nil }
	for _, test := range []struct {
		name      string
		change    func(*seeding.Connector)
		passwords func(context.Context, seeding.Connector) (string, error)
		want      string
	}{
		{"domain", func(c *seeding.Connector) { c.Source.Domain = `["!"]` }, good, `domain, term 1: "!" needs 1 term(s) after it and has 0`},
		{"address", func(c *seeding.Connector) { c.Registry.URL = "registry.example.org" }, good, "the address must be one such as https://server.example.org"},
		{"look-alike address", func(c *seeding.Connector) { c.Registry.URL = "https://reg\u0130stry.example.org" }, good, "the address has a host that is not in ASCII (U+0130)"},
		{"password", func(*seeding.Connector) {}, func(context.Context, seeding.Connector) (string, error) { return "", secrets },
			"password of the registry: no such secret"},
	} {
		c := seeding.Connector{ID: "c1", Source: seeding.RegistrySource{Domain: usual}, Registry: seeding.RegistryAccess{URL: "https://registry.example.org"}}
		test.change(&c)
		_, err := odoo.New(http.DefaultClient, test.passwords, time.Now).Open(t.Context(), c)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
