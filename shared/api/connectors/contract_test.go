package connectors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
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

// Every route is in the document, and the other way round.
func TestRoutesAreThoseOfTheDocument(t *testing.T) {
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
	for _, folder := range []string{".", "..", "../openapi", "../../seeding", "../../seeding/setup"} {
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
