package odoo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/odoo/odootest"
	"openg2p.org/mts-connector/shared/seeding"
)

// A registry that encrypts its registrants shows placeholders in lists. Nobody
// gets them: that is a fault, and with one call for each registrant the names
// come.
func TestAnEncryptedRegistryIsReadOneByOne(t *testing.T) {
	sim := odoosim.New(odoosim.Options{Encrypted: true})
	server := simulator(t, sim)
	target := contractTarget(odootest.Target{URL: server.URL, Database: "g2p", Username: "admin", Password: "admin"})
	var ids []int64
	for n := range 3 {
		ids = append(ids, sim.AddRegistrant(odoosim.Registrant{Name: fmt.Sprintf("N%d", n), GivenName: fmt.Sprintf("Given%d", n), FamilyName: "Reyes"}))
	}
	company := sim.AddRegistrant(odoosim.Registrant{Name: "not selected"})
	read := func(oneByOne bool, ids ...int64) (map[int64]seeding.Record, error) {
		c := seeding.Connector{ID: fmt.Sprint(oneByOne), Registry: seeding.RegistryAccess{URL: server.URL, Database: "g2p", Username: "admin", VIDType: vidType, TokenType: tokenType},
			Source: seeding.RegistrySource{Domain: `[["given_name","!=",false]]`, Fields: []string{"given_name", "family_name"}, OneByOne: oneByOne}}
		r, err := target.Registries.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return r.Registrants(t.Context(), ids)
	}
	for _, some := range [][]int64{ids, ids[:1]} {
		_, err := read(false, some...)
		check(t, err, seeding.RefusedRequest, seeding.Encrypted)
		if source, d := seeding.RegistryProblem(seeding.FaultOf(err), seeding.ProblemRead); source != seeding.ProblemRead || !source.Blocks() || !strings.Contains(d.Remedy, "read_one_by_one") {
			t.Errorf("%s: %q", source, d.Remedy)
		}
	}
	got, err := read(true, append(ids, company)...)
	if err != nil || len(got) != len(ids) {
		t.Fatalf("%v, %v", got, err)
	}
	for n, id := range ids {
		if got[id]["given_name"] != fmt.Sprintf("Given%d", n) || got[id]["family_name"] != "Reyes" || got[id]["is_encrypted"] != nil {
			t.Errorf("%v", got[id])
		}
	}
	sim.SetDecryption(false)
	_, err = read(true, ids...)
	check(t, err, seeding.RefusedRequest, seeding.StillEncrypted)
}

// In a list everything that the module encrypts is a placeholder, whatever the
// placeholder says, whichever fields are encrypted, and however few are marked.
func TestMarkedRegistrantsOfAListAreNotSent(t *testing.T) {
	for _, test := range []struct{ name, rows, code string }{
		{"the module's own placeholder", alike(1, `"given_name":"encrypted"`), seeding.Encrypted},
		{"another one", alike(1, `"given_name":"***"`), seeding.Encrypted},
		{"capitals", alike(2, `"given_name":"Encrypted"`), seeding.Encrypted},
		{"another language", alike(9, `"given_name":"chiffré"`), seeding.Encrypted},
		{"the address only", `[{"id":7,"given_name":"Ana","address":"***","is_encrypted":true},{"id":8,"given_name":"Ben","address":"***","is_encrypted":true}]`, seeding.Encrypted},
		{"another one for each", `[{"id":7,"given_name":"e-1","is_encrypted":true},{"id":8,"given_name":"e-2","is_encrypted":true}]`, seeding.Encrypted},
		{"one of many is encrypted", `[{"id":7,"given_name":"Ana"},{"id":8,"given_name":"***","is_encrypted":true}]`, seeding.Encrypted},
		{"none is marked", `[{"id":7,"given_name":"encrypted","is_encrypted":false},{"id":8,"given_name":"Ana"}]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, func(c call) reply {
				if c.Method == "fields_get" {
					return result(`{"is_encrypted":{"type":"boolean"}}`)
				}
				if !strings.Contains(string(c.Kwargs), `"is_encrypted"`) {
					t.Errorf("asked for %s", c.Kwargs)
				}
				return result(test.rows)
			})
			c := f.connector()
			c.Source.Fields = []string{"given_name", "address"}
			_, err := open(t, c).Registrants(t.Context(), []int64{7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			check(t, err, seeding.RefusedRequest, test.code)
		})
	}
}

// Of marked registrants that were read one by one the names say whether they are
// decrypted.
func TestPlaceholdersOfRegistrantsReadOneByOne(t *testing.T) {
	for _, test := range []struct{ name, rows, code string }{
		{"the module's own", alike(1, `"given_name":"encrypted"`), seeding.StillEncrypted},
		{"with a capital", alike(1, `"given_name":"Encrypted"`), seeding.StillEncrypted},
		{"in an address", `[{"id":7,"given_name":"Ana","address":"encrypted","is_encrypted":true}]`, seeding.StillEncrypted},
		{"another one", alike(3, `"given_name":"***"`), seeding.StillEncrypted},
		{"another one, of two registrants", alike(2, `"given_name":"***"`), ""},
		{"another word", alike(3, `"given_name":"[hidden]","family_name":"[hidden]"`), seeding.StillEncrypted},
		{"one name for ten registrants", alike(10, `"given_name":"Maria"`), seeding.StillEncrypted},
		{"one name for nine registrants", alike(9, `"given_name":"Maria"`), ""},
		{"one of many is encrypted", `[{"id":7,"given_name":"Ana"},{"id":8,"given_name":"encrypted","is_encrypted":true}]`, seeding.StillEncrypted},
		{"decrypted", `[{"id":7,"given_name":"Ana","is_encrypted":true},{"id":8,"given_name":"Ben","is_encrypted":true}]`, ""},
		{"of that name", `[{"id":7,"given_name":"encrypted","is_encrypted":false}]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var rows []map[string]any
			if err := json.Unmarshal([]byte(test.rows), &rows); err != nil {
				t.Fatal(err)
			}
			byID := map[string]string{}
			var ids []string
			for _, row := range rows {
				one, _ := json.Marshal(row)
				byID[fmt.Sprintf("[[%v]]", row["id"])] = "[" + string(one) + "]"
				ids = append(ids, fmt.Sprintf(`{"id":%v}`, row["id"]))
			}
			f := newFake(t, func(c call) reply {
				switch c.Method {
				case "fields_get":
					return result(`{"is_encrypted":{"type":"boolean"}}`)
				case "search_read":
					return result("[" + strings.Join(ids, ",") + "]")
				}
				return result(byID[string(c.Args)])
			})
			c := f.connector()
			c.Source.Fields, c.Source.OneByOne = []string{"given_name", "family_name", "address"}, true
			_, err := open(t, c).Registrants(t.Context(), []int64{7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			check(t, err, seeding.RefusedRequest, test.code)
		})
	}
}

// Who has one and the same name as given and family name, or as another
// registrant, is no placeholder.
func TestOrdinaryPeopleAreNotTakenForPlaceholders(t *testing.T) {
	for name, people := range map[string]struct {
		registrants int
		fields      string
	}{
		"given name is family name": {1, `"given_name":"Ali","family_name":"Ali"`},
		"name and display name":     {1, `"name":"Ana Cruz","display_name":"Ana Cruz"`},
		"two of one name":           {2, `"given_name":"Maria","birthdate":"1990-11-02"`},
		"a page of a small family":  {5, `"family_name":"Reyes"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, oneByOne := range []bool{false, true} {
				f := newFake(t, wellKnown(func(c call) reply {
					switch c.Method {
					case "fields_get":
						return result(`{"is_encrypted":{"type":"boolean"}}`)
					case "read": // one of them
						return result(alike(1, people.fields))
					}
					return result(strings.ReplaceAll(alike(people.registrants, people.fields), `"is_encrypted":true`, `"is_encrypted":false`))
				}))
				c := f.connector()
				c.Source.Fields, c.Source.OneByOne = []string{"name", "display_name", "given_name", "family_name", "birthdate"}, oneByOne
				if got, err := open(t, c).Registrants(t.Context(), []int64{7, 8, 9, 10, 11}); err != nil || len(got) == 0 {
					t.Errorf("one by one %t: %v, %v", oneByOne, got, err)
				}
			}
		})
	}
}

// alike are the rows of registrants with the same fields, from id 7 on.
func alike(registrants int, fields string) string {
	var rows []string
	for n := range registrants {
		rows = append(rows, fmt.Sprintf(`{"id":%d,%s,"is_encrypted":true}`, 7+n, fields))
	}
	return "[" + strings.Join(rows, ",") + "]"
}

// A registrant that is deleted, or hidden, while others are read is left out.
func TestRegistrantsThatVanishWhileTheyAreReadOneByOne(t *testing.T) {
	f := newFake(t, wellKnown(func(c call) reply {
		switch {
		case c.Method == "search_read":
			return result(`[{"id":7},{"id":8},{"id":9}]`)
		case string(c.Args) == `[[7]]`:
			return result(`[]`)
		case string(c.Args) == `[[8]]`:
			return refusal(200, "odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
		}
		return result(`[{"id":9,"given_name":"Ana"}]`)
	}))
	c := f.connector()
	c.Source.OneByOne = true
	got, err := open(t, c).Registrants(t.Context(), []int64{7, 8, 9})
	if err != nil || len(got) != 1 || got[9]["given_name"] != "Ana" {
		t.Errorf("%v, %v", got, err)
	}
}
