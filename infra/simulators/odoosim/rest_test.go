package odoosim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// restServer is a registry with a line of the REST API and one registrant, who has a
// VID.
func restServer(t *testing.T, line string) (s *odoosim.Server, address string, registrant int64) {
	t.Helper()
	s = odoosim.New(odoosim.Options{REST: line})
	registrant = s.AddRegistrant(odoosim.Registrant{Name: "Ana Cruz", GivenName: "Ana", FamilyName: "Cruz", Birthdate: "1990-11-02", Gender: "Female"})
	s.AddIdentifier(odoosim.Identifier{Registrant: registrant, Type: odoosim.VIDType, Value: vidOf})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL, registrant
}

const vidOf = "4000000000000001"

func do(t *testing.T, method, address, body string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

func held(s *odoosim.Server, registrant, idType int64) (values []string) {
	for _, i := range s.Identifiers(registrant) {
		if i.Type == idType {
			values = append(values, i.Value)
		}
	}
	return values
}

// facts/odoo.md D1.
func TestREST15(t *testing.T) {
	s, at, registrant := restServer(t, odoosim.REST15)
	const path = "/api/v1/registry/individual/updateIdentification"
	body := func(value string) string {
		return fmt.Sprintf(`{"partner_id": %d, "id_type": "MOSIP UIN TOKEN", "value": %s}`, registrant, value)
	}
	if status, text, _ := do(t, "PATCH", at+path, body(`"1"`), nil); status != 401 {
		t.Errorf("without a session: %d %s", status, text)
	}
	// As MTS signs in: a GET with a body.
	status, text, header := do(t, "GET", at+"/web/session/authenticate", `{"jsonrpc": "2.0", "params": {"db": "g2p", "login": "admin", "password": "admin"}}`, nil)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if status != 200 || cookie == "" {
		t.Fatalf("sign-in: %d %s", status, text)
	}
	signedIn := func(r *http.Request) { r.Header.Set("Cookie", cookie) }
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
		tokens             string
	}{
		{"PATCH", path, body(`"111"`), 200, `"value": "111"`, "[111]"},
		{"PATCH", path, body(`"222"`), 200, `"value": "222"`, "[222]"},
		{"PATCH", path, strings.Replace(body(`"3"`), "TOKEN", "NOTHING", 1), 400, "G2P-REQ-005", "[222]"},
		{"PATCH", path, `{"partner_id": 999999, "id_type": "MOSIP UIN TOKEN", "value": "3"}`, 400, "G2P-REQ-013", "[222]"},
		{"PATCH", path, strings.Replace(body(`"3"`), "MOSIP UIN TOKEN", "MOSIP VID", 1), 500, "", "[222]"}, // its expression refuses it
		{"PATCH", path, "", 400, "", "[222]"},
		{"PATCH", path, `["a", "list"]`, 400, "", "[222]"},
		{"PATCH", path, `{"partner_id": "x", "id_type": "MOSIP UIN TOKEN", "value": "3"}`, 400, "", "[222]"},
		{"PUT", path, body(`"3"`), 404, "", "[222]"},
		{"POST", "/api/v1/registry/individual/", `{"name": "B C", "given_name": "B", "family_name": "C", "gender": "F", "ids": [{"id_type": "NATIONAL ID", "value": "77"}]}`, 200, `"name": "B C"`, "[222]"},
		{"POST", "/api/v1/registry/individual/", `{"name": "B C", "family_name": " "}`, 400, "G2P-REQ-012", "[222]"},
		{"POST", "/api/v1/registry/individual/", `{"name": "B", "family_name": "C", "gender": "none"}`, 400, "G2P-REQ-008", "[222]"},
		{"POST", "/api/v1/registry/individual/", `{"name": "B", "family_name": "C", "registration_date": "2999-01-01"}`, 400, "G2P-REQ-011", "[222]"},
		{"PUT", "/api/v1/registry/update_individual?id_type=MOSIP%20VID", `[]`, 404, "", "[222]"}, // of the other line
	} {
		status, text, _ := do(t, c.method, at+c.path, c.body, signedIn)
		if got := fmt.Sprint(held(s, registrant, odoosim.TokenType)); status != c.status || !strings.Contains(text, c.says) || got != c.tokens {
			t.Errorf("%s %s %s: %d %s; tokens %s", c.method, c.path, c.body, status, text, got)
		}
	}
	if vids := held(s, registrant, odoosim.VIDType); len(vids) != 1 {
		t.Errorf("the VID was removed: %v", vids)
	}
	// An empty value is written, as the real one does: an Output Format must not send it.
	if status, _, _ := do(t, "PATCH", at+path, body("null"), signedIn); status != 200 || fmt.Sprint(held(s, registrant, odoosim.TokenType)) != "[]" {
		t.Errorf("%d: %q", status, held(s, registrant, odoosim.TokenType))
	}
}

// facts/odoo.md D2.
func TestREST17(t *testing.T) {
	s, at, registrant := restServer(t, odoosim.REST17)
	const path = "/api/v1/registry/update_individual?id_type=MOSIP%20VID"
	item := func(vid, ids string) string {
		return fmt.Sprintf(`{"updateId": %q, "name": null, "given_name": null, "gender": null, "birth_place": null, "ids": [%s]}`, vid, ids)
	}
	token := func(value string) string { return fmt.Sprintf(`{"id_type": "MOSIP UIN TOKEN", "value": %q}`, value) }
	basic := func(password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth("admin", password) }
	}
	if status, _, header := do(t, "PUT", at+path, "[]", nil); status != 401 || header.Get("WWW-Authenticate") != "Basic" {
		t.Errorf("without a password: %d", status)
	}
	if status, _, _ := do(t, "PUT", at+path, "[]", basic("wrong")); status != 401 {
		t.Errorf("with a wrong password: %d", status)
	}
	for _, c := range []struct {
		path, body string
		status     int
		says       string
		tokens     string
	}{
		{path, "[]", 200, "[]", "[]"},
		{path, "[" + item(vidOf, token("111")) + "]", 200, `"id": `, "[111]"},
		{path, "[" + item(vidOf, token("222")) + "]", 200, `"id": `, "[222]"},
		{path, "[" + item(vidOf, token("333")) + "," + item("4000000000000009", token("4")) + "]", 400, "G2P-REQ-010", "[222]"},
		{path, "[null]", 422, "", "[222]"},
		{path, item(vidOf, token("333")), 422, "valid list", "[222]"},
		{path, `[{"updateId": "` + vidOf + `", "ids": []}]`, 422, "name: Field required", "[222]"},
		{path, "[" + item(vidOf, `{"id_type": "MOSIP UIN TOKEN", "value": ""}`) + "]", 400, "G2P-REQ-010", "[222]"},
		{path, "[" + item(vidOf, `{"id_type": "NONE", "value": "1"}`) + "]", 400, "G2P-REQ-010", "[222]"},
		{"/api/v1/registry/update_individual", "[" + item(vidOf, token("333")) + "]", 400, "G2P-REQ-010", "[222]"},
		{"/api/v1/registry/individual/updateIdentification", "{}", 404, "", "[222]"}, // gone in this line
	} {
		status, text, _ := do(t, "PUT", at+c.path, c.body, basic("admin"))
		got := "[]"
		if tokens := held(s, registrant, odoosim.TokenType); len(tokens) > 0 {
			got = fmt.Sprint(tokens)
		}
		if status != c.status || !strings.Contains(text, c.says) || got != c.tokens {
			t.Errorf("%s %s: %d %s; tokens %s", c.path, c.body, status, text, got)
		}
	}
	status, text, _ := do(t, "POST", at+"/api/v1/registry/individual", `{"name": "B C", "given_name": "B", "ids": null, "gender": null, "birth_place": null}`, basic("admin"))
	if status != 200 {
		t.Errorf("create: %d %s", status, text)
	}
}
