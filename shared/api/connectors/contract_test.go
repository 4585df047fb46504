package connectors_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
	"openg2p.org/mts-connector/shared/odoo"
)

// contract is what every reply in these tests is held against.
var contract = sync.OnceValue(func() *openapitest.Contract {
	c, err := openapitest.New(connectors.Document().Text())
	if err != nil {
		panic(err)
	}
	return c
})

func TestDocument(t *testing.T) { contract().Document(t) }

// Every route is in the document, and the other way round (facts/mts.md D27: what was
// offered called what did not exist).
func TestD27WhatTheDocumentOffersExists(t *testing.T) {
	routes := connectors.RoutesOf(connectors.Options{})
	documented := contract().Operations()
	if !slices.Equal(routes, documented) {
		for _, route := range routes {
			if !slices.Contains(documented, route) {
				t.Errorf("the document has no %s", route)
			}
		}
		for _, operation := range documented {
			if !slices.Contains(routes, operation) {
				t.Errorf("there is no route %s", operation)
			}
		}
	}
}

// What the document shows as a request is taken, up to what it is about.
func TestExamplesOfTheDocumentAreAccepted(t *testing.T) {
	for _, operation := range contract().Operations() {
		for name, body := range contract().Examples(operation) {
			t.Run(operation+" "+name, func(t *testing.T) {
				s := newService(t)
				path := s.create("registry.database", "openg2p") // as in the document: another one asks for the password
				if strings.Contains(string(body), `"submissions"`) {
					path = s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
				}
				method, at, _ := strings.Cut(operation, " ")
				at = strings.Replace(at, "/connectors/{id}", path, 1)
				text := strings.ReplaceAll(string(body), "06h205bqruekhli30d5ove6350", idOf(path))
				if a := s.do(method, at, text, "If-Match", "*"); a.Code >= 300 {
					t.Errorf("%d %s", a.Code, a.Body)
				}
			})
		}
	}
}

// Defaults of the document are those of a connector of which nothing else is said.
func TestDefaultsOfTheDocument(t *testing.T) {
	var read struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Default any
					Ref     string `json:"$ref"`
				}
			}
		}
	}
	if err := json.Unmarshal(connectors.Document().Text(), &read); err != nil {
		t.Fatal(err)
	}
	document := newService(t).want(201, "POST", "/connectors", with()).body
	schemas := read.Components.Schemas
	compared := 0
	for schema, member := range map[string]string{"NewConnector": "", "NewRegistry": "registry", "NewCallback": "callback", "Mapping": "mapping", "TokenShape": "token_shape"} {
		shown := document
		if member != "" {
			shown = document[member].(map[string]any)
		}
		for name, property := range schemas[schema].Properties {
			if property.Default == nil {
				continue
			}
			compared++
			if fmt.Sprint(shown[name]) != fmt.Sprint(property.Default) {
				t.Errorf("%s.%s is %v, in the document %v", schema, name, shown[name], property.Default)
			}
		}
	}
	if compared < 25 {
		t.Errorf("only %d defaults were found", compared)
	}
}

func TestDocumentIsServed(t *testing.T) {
	s := newService(t)
	a := s.want(200, "GET", "/openapi.json", "")
	if a.body["openapi"] != "3.1.0" || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %v", a.body["openapi"], a.Header())
	}
	tag := a.Header().Get("ETag")
	r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
	r.Header.Set("If-None-Match", `"x", W/`+tag)
	w := httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// The document has every source of a problem that the domain has.
func TestSourcesOfProblemsAreThoseOfTheDocument(t *testing.T) {
	source, err := os.ReadFile("../../seeding/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\tProblem\w+ +Source = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, one := range found {
		if err := contract().Validate("/components/schemas/ProblemSource", one[1]); err != nil {
			t.Error(err)
		}
	}
	if len(found) < 15 {
		t.Errorf("only %d sources were found", len(found))
	}
}

// The document explains no code that nothing gives: a program would wait for it in
// vain.
func TestEveryCodeOfTheDocumentIsGiven(t *testing.T) {
	var read struct {
		Codes map[string]string `json:"x-codes"`
	}
	document := connectors.Document().Text()
	if err := json.Unmarshal(document, &read); err != nil {
		t.Fatal(err)
	}
	said := string(document) // x-says has codes too
	for _, folder := range []string{".", "..", "../openapi", "../../seeding", "../../seeding/setup", "../../jq", "../../odoo", "../../outgoing"} {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
				continue
			}
			text, err := os.ReadFile(folder + "/" + file.Name())
			if err != nil {
				t.Fatal(err)
			}
			said += string(text)
		}
	}
	for code := range read.Codes {
		if !strings.Contains(said, `"code": "`+code+`"`) && !strings.Contains(strings.ReplaceAll(said, `"`+code+`": "`, ""), `"`+code+`"`) {
			t.Errorf("nothing gives the code %q", code)
		}
	}
}

// The document explains every code that a rule gives, and each rule has one of its own:
// no code says no more than that something is wrong.
func TestEveryCodeThatIsGivenIsExplained(t *testing.T) {
	var read struct {
		Codes map[string]string `json:"x-codes"`
	}
	if err := json.Unmarshal(connectors.Document().Text(), &read); err != nil {
		t.Fatal(err)
	}
	given := regexp.MustCompile(`(?:\b(?:find|because|add|flaw|wrong|refuse|doubt|wrongList|wrongTerm)\((?:[\w.+]+, )?(?:err, )?|Code: |code = |code, text :?= |notIn15\{[^,]+, )"([a-z][a-z0-9_]*)"`)
	found := map[string]bool{}
	for _, folder := range []string{".", "../../seeding/setup", "../../jq", "../../odoo"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "schema.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range given.FindAllStringSubmatch(string(text), -1) {
				if found[match[1]] = true; read.Codes[match[1]] == "" {
					t.Errorf("%s gives the code %q, which the document does not explain", file, match[1])
				}
			}
		}
	}
	if len(found) < 90 {
		t.Errorf("only %d codes were found", len(found))
	}
	for code, text := range read.Codes {
		if strings.Contains(text, "detail says") {
			t.Errorf("%s says nothing of its own", code)
		}
	}
}

// Programs translate by codes and parameters, also what is wrong within a domain, an
// expression or a callback.
func TestCodesOfRules(t *testing.T) {
	s := newService(t)
	s.options.CheckDomain = func(domain string) error {
		_, err := odoo.ParseDomain(domain)
		return err
	}
	s.handler = contract().Handler(t, connectors.New(s.options))
	odoo := map[string]any{"url": "https://r.example/api", "auth_type": "odoo", "auth_url": "https://r.example/in", "auth_database": "g2p", "auth_username": "mts", "auth_password": "hunter2"}
	changed := func(name string, value any) map[string]any {
		c := maps.Clone(odoo)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	for _, c := range []struct {
		member  string
		value   any
		pointer string
		want    string // code and parameters
	}{
		{"domain", `[["name","=="]]`, "/domain", "domain_parts map[has:2 term:1]"},
		{"domain", `["&",["name","=","a"]]`, "/domain", "domain_operands map[has:1 needs:2 operator:& term:1]"},
		{"domain", `[["a","=",1],["reg_ids","any",[["x","foo",1]]]]`, "/domain", "domain_operator map[term:2]"},
		{"domain", "[('a','=',", "/domain", "domain_syntax map[at:11]"},
		{"mapping.gender", "gender | foo", "/mapping/gender", "expression_unknown map[word:foo]"},
		{"mapping.gender", "gender | env", "/mapping/gender", "expression_forbidden map[word:env]"},
		{"mapping.gender", "(gender", "/mapping/gender", "expression_syntax map[after:1]"},
		{"mapping.gender", ".gender", "/mapping/gender", "expression_dot map[]"},
		{"mapping.gender", "gendre", "/mapping/gender", "expression_unselected map[fields:[id given_name family_name birthdate gender address email phone vid] meant:gender names:[gendre]]"},
		{"mapping.gender", "id", "/mapping/gender", "expression_no_text map[gives:[number]]"},
		{"output_format", "{a: 1 + 2}", "/output_format", "expression_later_jq map[at:7]"},
		{"output_format", "null", "/output_format", "output_empty map[]"},
		{"output_format", `{partner_id: 3, id_type: "MOSIP UIN TOKEN", value: .output.token}`, "/output_format", "output_other_registrant map[member:partner_id]"},
		{"callback", map[string]any{"http_method": "GET"}, "/callback/http_method", "callback_get map[]"},
		{"callback", map[string]any{"in_bulk": true}, "/callback/in_bulk", "callback_direct_only map[]"},
		{"callback", changed("auth_database", nil), "/callback/auth_database", "auth_required map[auth_type:odoo]"},
		{"callback", changed("auth_token", "hunter2"), "/callback/auth_token", "auth_other map[auth_type:odoo]"},
		{"callback", changed("url", "https://u:p@r.example/"), "/callback/url", "address map[]"},
		{"callback", changed("url", "https://r\u00e9gistre.example/"), "/callback/url", "address_not_ascii map[]"},
		{"callback", changed("extra_headers", map[string]any{"Host": "x"}), "/callback/extra_headers/Host", "header_of_call map[]"},
		{"registry.token_type", "MOSIP VID", "/registry/token_type", "same_types map[type:MOSIP VID]"},
		{"registry.password", nil, "/registry/password", "password_required map[]"},
		{"ends", "2020-01-01T00:00:00Z", "/ends", "ends_past map[]"},
	} {
		a := s.want(422, "POST", "/connectors", with(c.member, c.value))
		var got []string
		for _, e := range a.body["errors"].([]any) {
			e := e.(map[string]any)
			params, _ := e["params"].(map[string]any)
			got = append(got, fmt.Sprint(e["pointer"], " ", e["code"], " ", params))
		}
		if want := c.pointer + " " + c.want; !slices.Contains(got, want) {
			t.Errorf("%s %v: %q, want %q", c.member, c.value, got, want)
		}
	}
	// What is probably not meant.
	warned := s.want(201, "POST", "/connectors", with("fields", []string{"name", "gender", "birthdate", "address", "phone_number_ids"}, "mapping.name", []string{"name"},
		"mapping.phoneNumber", "phone_number_ids[0] | tostring"))
	if got := fmt.Sprint(warned.body["warnings"]); !strings.Contains(got, "code:expression_record_number") || !strings.Contains(got, "params:map[reads:[phone_number_ids]] pointer:/mapping/phoneNumber") {
		t.Error(got)
	}
	// Another registry asks for the password again, and that has a code of its own.
	path := s.create()
	a := s.want(422, "PUT", path, with("registry.password", nil, "registry.url", "https://other.example.org"), "If-Match", "*")
	if code := a.body["errors"].([]any)[0].(map[string]any)["code"]; code != "password_again" {
		t.Error(code)
	}
}
