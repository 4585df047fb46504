package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func newServer(handler http.Handler) *httptest.Server { return httptest.NewServer(handler) }

// rpc calls a method of a model of Odoo, as admin.
func (w *world) rpc(result any, args ...any) {
	w.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw", "args": append([]any{"g2p", 2, "admin"}, args...)}})
	if err != nil {
		w.Fatal(err)
	}
	reply := w.post(w.odooURL+"/jsonrpc", body)
	var said struct {
		Result json.RawMessage `json:"result"`
		Error  any             `json:"error"`
	}
	if err := json.Unmarshal(reply, &said); err != nil || said.Error != nil {
		w.Fatalf("%v %v", err, said.Error)
	}
	if err := json.Unmarshal(said.Result, result); err != nil {
		w.Fatal(err)
	}
}

func (w *world) post(url string, body []byte) []byte {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		w.Fatalf("%s: %d %s %v", url, reply.StatusCode, text, err)
	}
	return text
}

// runOdoos does what a run of Odoo's connector does (facts/mts.md 5.4), and returns the
// tokens that MTS makes of it, by registrant. A receiver takes them in place of
// callback_url, so that the registry stays as it is.
func (w *world) runOdoos(id int64) map[int64]string {
	w.Helper()
	var found []record
	w.rpc(&found, "mts.connector", "read", []any{[]int64{id}}, map[string]any{})
	c := found[0]
	var domain any
	var fields []string
	var mapping map[string]any
	for name, value := range map[string]any{"g2p_search_domain": &domain, "g2p_selected_fields": &fields, "mapping": &mapping} {
		if err := json.Unmarshal([]byte(c.text(name)), value); err != nil {
			w.Fatal(err)
		}
	}
	var people []map[string]any
	w.rpc(&people, "res.partner", "search_read", []any{domain}, map[string]any{"fields": fields, "limit": 100})
	registrants := map[string]int64{} // by VID
	var data []map[string]any
	for _, person := range people {
		one := map[string]any{}
		for _, name := range fields {
			if value := person[name]; value != nil && value != false && value != "" && value != 0.0 {
				if name == "birthdate" {
					value = strings.ReplaceAll(value.(string), "-", "/")
				}
				one[name] = value
			}
		}
		var vids []struct {
			Value string `json:"value"`
		}
		registrant := int64(person["id"].(float64))
		w.rpc(&vids, "g2p.reg.id", "search_read", []any{[]any{[]any{"partner_id", "=", registrant}, []any{"id_type", "=", 1}}}, map[string]any{"fields": []string{"value"}})
		one["vid"] = vids[0].Value
		registrants[vids[0].Value] = registrant
		data = append(data, one)
	}
	calls := make(chan []byte, len(data))
	receiver := serve(w.T, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/sign-in" {
			calls <- body
		}
		http.SetCookie(rw, &http.Cookie{Name: "session_id", Value: "s"})
	}))
	request, err := json.Marshal(map[string]any{
		"id": "string", "version": "string", "metadata": "string", "requesttime": "2026-11-28T09:00:00.000Z",
		"request": map[string]any{
			"output": c.text("output_type"), "deliverytype": c.text("delivery_type"), "mapping": mapping, "lang": c.text("lang_code"), "outputFormat": c["output_format"],
			"callbackProperties": map[string]any{
				"url": receiver + "/take", "httpMethod": c.text("callback_httpmethod"), "timeoutSeconds": c["callback_timeout"], "callInBulk": false, "authType": c.text("callback_authtype"),
				"authOdoo": map[string]any{"authUrl": receiver + "/sign-in", "database": "g2p", "username": "mts", "password": "p"},
			},
			"authdata": data,
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.post(strings.TrimRight(c.text("mts_url"), "/")+"/authtoken/json", request)
	tokens := map[int64]string{}
	for range data { // MTS calls once for each record
		var body []byte
		select {
		case body = <-calls:
		case <-w.Context().Done():
			w.Fatal("MTS does not call")
		}
		// An update of an identifier, or a list of individuals (facts/odoo.md D).
		var update struct {
			Partner int64  `json:"partner_id"`
			Value   string `json:"value"`
		}
		var individuals []struct {
			Update string `json:"updateId"`
			IDs    []struct {
				Value string `json:"value"`
			} `json:"ids"`
		}
		switch {
		case json.Unmarshal(body, &update) == nil && update.Value != "":
			tokens[update.Partner] = update.Value
		case json.Unmarshal(body, &individuals) == nil && len(individuals) == 1 && individuals[0].IDs[0].Value != "":
			tokens[registrants[individuals[0].Update]] = individuals[0].IDs[0].Value
		}
	}
	return tokens
}

var seed = regexp.MustCompile("(?m)^\\| [0-9]+ \\| ([^|]+) \\| [^|]* \\| `([a-z_.]+)` \\|")

// seeds are the members of the API that Odoo's connector has as fields, as the README
// lists them.
func seeds(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]string{}
	for _, m := range seed.FindAllStringSubmatch(string(text), -1) {
		members[m[2]] = m[1]
	}
	if len(members) < 23 {
		t.Fatalf("the README has %d fields", len(members))
	}
	return members
}
