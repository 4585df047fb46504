package connectors_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odoo"
)

// FuzzRequests sends any body and any query to each operation: no panic, no 5xx, no
// reply that the document does not have, and no secret in it.
func FuzzRequests(f *testing.F) {
	operations := contract().Operations()
	for i, operation := range operations {
		f.Add(uint8(i), "", []byte(""))
		f.Add(uint8(i), "limit=1&cursor=x", []byte("{}"))
		for _, name := range slices.Sorted(maps.Keys(contract().Examples(operation))) {
			f.Add(uint8(i), "", contract().Examples(operation)[name])
		}
		for _, body := range []string{
			with(), with("domain", []any{[]any{"age", ">=", 18}}), with("interval_minutes", 1e300, "fields", []any{"id", "id", nil}),
			with("mapping.gender", "[unclosed", "registry.url", "https://reg\u0130stry.example.org", "name", "a\u200bb"),
			`{"name": "a", "name": 1e400, "registry": null, "x": {"y": [[]]}}`, `{"kind": "refused", "identifiers": [1, "2"]}`, `[`, "\ufeff{}",
		} {
			f.Add(uint8(i), "", []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, operation uint8, query string, body []byte) {
		s := newService(t)
		s.options.CheckDomain = func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		}
		s.options.Mappings = jq.Mappings{}
		handler := contract().Handler(t, connectors.New(s.options))
		path := s.create()
		method, at, _ := strings.Cut(operations[int(operation)%len(operations)], " ")
		at = strings.NewReplacer("/connectors/{id}", path, "{run}", "r1").Replace(at)
		r := httptest.NewRequest(method, "/", strings.NewReader(string(body)))
		r.URL = &url.URL{Path: at, RawQuery: query}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", "*")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s?%q: %d %s", method, at, query, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), fmt.Sprintf("%q", password)) {
			t.Errorf("a reply holds the password: %s", w.Body)
		}
	})
}
