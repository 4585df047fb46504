package system_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
)

// secretMembers are the members of a configuration that no reply holds, as the
// document says, with a value for each that occurs nowhere else.
func secretMembers(t *testing.T, contract *openapitest.Contract) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range contract.Members("POST /connectors") {
		if m.Schema["writeOnly"] == true {
			found[strings.Join(m.Path, ".")] = fmt.Sprintf("Qz%dmarkedWv%dKj", len(found), 7*len(found))
		}
	}
	if len(found) < 5 {
		t.Fatalf("only %d secret members are in the document: %v", len(found), found)
	}
	return found
}

// detective looks for secrets in all that leaves the API.
type detective struct {
	*administrator
	contract *openapitest.Contract
	secrets  map[string]string // by member

	mu      sync.Mutex
	written [][]byte
	writes  int
}

func newDetective(t *testing.T) *detective {
	contract, err := openapitest.New(connectors.Document().Text())
	if err != nil {
		t.Fatal(err)
	}
	d := &detective{administrator: newAdministrator(t), contract: contract, secrets: secretMembers(t, contract)}
	d.caller = connectors.Caller{Name: "amina", Claim: "sub", Role: connectors.Administrator}
	d.onWrite = func(values ...map[string]types.AttributeValue) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.writes++
		for _, value := range values {
			d.written = append(d.written, texts(&types.AttributeValueMemberM{Value: value})...)
		}
	}
	return d
}

// texts are all texts and bytes of an attribute, inflated where they are deflated.
func texts(v types.AttributeValue) (list [][]byte) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return [][]byte{[]byte(v.Value)}
	case *types.AttributeValueMemberB:
		list = [][]byte{v.Value}
		for form := range min(2, len(v.Value)) { // packed data have one byte before
			inflated, _ := io.ReadAll(flate.NewReader(bytes.NewReader(v.Value[form:])))
			list = append(list, inflated)
		}
	case *types.AttributeValueMemberSS:
		for _, text := range v.Value {
			list = append(list, []byte(text))
		}
	case *types.AttributeValueMemberL:
		for _, entry := range v.Value {
			list = append(list, texts(entry)...)
		}
	case *types.AttributeValueMemberM:
		for name, member := range v.Value {
			list = append(append(list, []byte(name)), texts(member)...)
		}
	}
	return list
}

// holds is the member whose secret is in a text, as it is or in a usual form.
func (d *detective) holds(text []byte) string {
	lower := bytes.ToLower(text)
	for member, secret := range d.secrets {
		forms := []string{secret, hex.EncodeToString([]byte(secret))}
		for before := range 3 { // behind any number of other bytes
			encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
			forms = append(forms, strings.TrimRight(encoded, "=")[(before*8+5)/6:len(strings.TrimRight(encoded, "="))-1])
		}
		for _, form := range forms {
			if bytes.Contains(lower, []byte(strings.ToLower(form))) {
				return member
			}
		}
	}
	return ""
}

// ask makes a request, and looks at the whole reply.
func (d *detective) ask(what, method, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	d.Helper()
	r := httptest.NewRequestWithContext(newInvocation(d.Context(), "connectors"), method, "/", bytes.NewReader(body))
	at, err := url.Parse(path)
	if err != nil {
		d.Fatal(err)
	}
	r.URL = at
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	reply := w.Body.Bytes()
	for name, values := range w.Header() {
		reply = append(append(reply, name...), strings.Join(values, " ")...)
	}
	if member := d.holds(reply); member != "" {
		d.Errorf("%s %s by %s, %s: the reply holds %s: %d %.500s", method, path, d.caller.Role, what, member, w.Code, w.Body)
	}
	if w.Code >= http.StatusInternalServerError {
		d.Errorf("%s %s, %s: %d %s", method, path, what, w.Code, w.Body)
	}
	return w
}

// ways are configurations that take all secrets together, by the way in which MTS signs
// in at a direct callback.
func (d *detective) ways() map[string]map[string]any {
	base := func(callback map[string]any) map[string]any {
		c := d.configuration("secret", d.secrets["registry.password"])
		if callback != nil {
			callback["url"], callback["http_method"], callback["in_bulk"] = d.registryURL+"/api", "PUT", true
			callback["extra_headers"] = map[string]any{"X-Key": d.secrets["callback.extra_headers"]}
			c["callback"], c["output_format"] = callback, "{partner_id: .input.id, value: .output.token}"
		}
		return c
	}
	form := base(nil)
	form["input_type"], form["odk"] = "odk", map[string]any{
		"base_url": d.registryURL, "odata_url": d.registryURL + "/v1/projects/1/forms/reg.svc", "email": "reader@example.org", "password": d.secrets["odk.password"],
	}
	return map[string]map[string]any{
		"managed": base(nil), "form": form,
		"odoo": base(map[string]any{
			"auth_type": "odoo", "auth_url": d.registryURL + "/web/session/authenticate", "auth_database": "g2p", "auth_username": "admin", "auth_password": d.secrets["callback.auth_password"],
		}),
		"oauth": base(map[string]any{
			"auth_type": "oauth", "auth_url": d.registryURL + "/token", "auth_client_id": "c", "auth_client_secret": d.secrets["callback.auth_client_secret"],
			"auth_username": "u", "auth_password": d.secrets["callback.auth_password"],
		}),
		"bearer": base(map[string]any{"auth_type": "static_bearer", "auth_token": d.secrets["callback.auth_token"]}),
	}
}

func inJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// addresses are those of an operation, for what there is.
func (d *detective) addresses(operation string, ids, runs, registrants, inquiries []string) (list []string) {
	_, at, _ := strings.Cut(operation, " ")
	list = []string{at}
	for name, values := range map[string][]string{"{id}": ids, "{run}": runs, "{registrant}": registrants, "{check}": inquiries, "{preview}": inquiries} {
		if !strings.Contains(at, name) {
			continue
		}
		var more []string
		for _, address := range list {
			for _, value := range values {
				more = append(more, strings.Replace(address, name, value, 1))
			}
		}
		list = more
	}
	return list
}

// A secret that was once sent comes back through nothing: no reply to whatever request
// of whichever role, no header, no line of the log, no attribute that is ever written.
func TestNoSecretCanBeReadBack(t *testing.T) {
	t.Parallel()
	d := newDetective(t)
	d.registry.SetPassword("admin", d.secrets["registry.password"])
	d.registry.Populate(60, 7)
	sent := map[string]bool{}
	var ids, tags []string
	ways := d.ways()
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		text := inJSON(t, ways[name])
		w := d.ask("create "+name, http.MethodPost, "/connectors", text)
		if w.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		ids, tags = append(ids, strings.TrimPrefix(w.Header().Get("Location"), "/connectors/")), append(tags, w.Header().Get("ETag"))
		for member, secret := range d.secrets {
			sent[member] = sent[member] || bytes.Contains(text, []byte(secret))
		}
	}
	for member := range d.secrets {
		if !sent[member] {
			t.Errorf("the secret %s is tried nowhere", member)
		}
	}

	// They run, and are asked about.
	for _, id := range ids {
		d.ask("start", http.MethodPost, "/connectors/"+id+"/start", nil)
	}
	d.ticks(4)
	var inquiries []string
	inquire := func(what, path string, body any) {
		w := d.ask(what, http.MethodPost, path, inJSON(t, body))
		if location := w.Header().Get("Location"); location != "" {
			inquiries = append(inquiries, location[strings.LastIndexByte(location, '/')+1:])
		}
		d.invoker.Wait()
	}
	for i, id := range ids {
		inquire("check", "/connectors/"+id+"/check", map[string]any{})
		inquire("preview", "/connectors/"+id+"/preview", map[string]any{"count": 2})
		for name, draft := range ways {
			inquire("check of a draft, "+name, "/checks", map[string]any{"connector": id, "configuration": draft})
			inquire("preview of a draft, "+name, "/previews", map[string]any{"configuration": draft})
			d.ask("validate", http.MethodPost, "/connectors/validate", inJSON(t, map[string]any{"connector": id, "configuration": draft}))
		}
		d.ask("replace", http.MethodPut, "/connectors/"+id, inJSON(t, ways["odoo"]), "If-Match", tags[i])
	}
	d.ticks(2)
	if len(inquiries) < 12 {
		t.Fatalf("only %d inquiries were begun", len(inquiries))
	}

	var runs, registrants []string
	for _, id := range ids {
		var list struct{ Runs []struct{ ID string } }
		_ = json.Unmarshal(d.ask("runs", http.MethodGet, "/connectors/"+id+"/runs", nil).Body.Bytes(), &list)
		for _, run := range list.Runs[:min(2, len(list.Runs))] {
			runs = append(runs, run.ID)
		}
	}
	for id := range d.now() {
		registrants = append(registrants, fmt.Sprint(id))
	}
	registrants = registrants[:3]
	for _, role := range []connectors.Role{connectors.NoRole, connectors.Viewer, connectors.Operator, connectors.Administrator} {
		d.caller.Role = role
		for _, operation := range d.contract.Operations() {
			method, _, _ := strings.Cut(operation, " ")
			if method != http.MethodGet {
				continue
			}
			for _, address := range d.addresses(operation, ids, runs, registrants, inquiries) {
				d.ask("read", method, address, nil)
				d.ask("read as a table", method, address, nil, "Accept", "text/csv")
				d.ask("read again", method, address, nil, "If-None-Match", `"x"`)
				d.ask("read a page", method, address+"?limit=1", nil)
			}
		}
		d.provoke(ids, tags)
	}
	d.ticks(2)
	d.forgetFailures() // MTS was told addresses where nobody takes its calls

	if len(d.written) < 1000 {
		t.Errorf("only %d attributes were looked at", len(d.written))
	}
	for _, text := range d.written {
		if member := d.holds(text); member != "" {
			t.Errorf("an attribute holds %s: %.300q", member, text)
		}
	}
	if member := d.holds([]byte(d.log.Tail(1 << 20))); member != "" {
		t.Errorf("the log holds %s", member)
	}
}

// provoke sends requests that are wrong beside their secrets, or in them.
func (d *detective) provoke(ids, tags []string) {
	d.Helper()
	for name, way := range d.ways() {
		for what, change := range d.mistakes() {
			var body map[string]any
			if err := json.Unmarshal(inJSON(d.T, way), &body); err != nil {
				d.Fatal(err)
			}
			change(body)
			text := inJSON(d.T, body)
			d.ask(what+" of "+name, http.MethodPost, "/connectors", text)
			d.ask(what+" of "+name, http.MethodPost, "/connectors/validate", inJSON(d.T, map[string]any{"configuration": body}))
			d.ask(what+" of "+name, http.MethodPost, "/checks", inJSON(d.T, map[string]any{"configuration": body, "connector": ids[0]}))
			d.ask(what+" of "+name, http.MethodPost, "/previews", inJSON(d.T, map[string]any{"configuration": body, "connector": ids[1]}))
			d.invoker.Wait()
			for i, id := range ids[:2] {
				d.ask(what+" of "+name, http.MethodPut, "/connectors/"+id, text, "If-Match", tags[i])
				d.ask(what+" of "+name, http.MethodPut, "/connectors/"+id, text)
				d.ask(what+" of "+name, http.MethodPut, "/connectors/"+id, text, "If-Match", `"99"`)
			}
		}
		text := inJSON(d.T, way)
		for what, body := range map[string][]byte{
			"cut off": text[:len(text)-2], "twice": append(slices.Clone(text), text...), "a member twice": append([]byte(`{"name":"a",`), text[1:]...),
			"no UTF-8": append(text[:len(text)-1:len(text)-1], []byte("\xff}")...), "half a character": bytes.Replace(text, []byte(`"secret"`), []byte(`"\ud800"`), 1),
			"a secret twice": bytes.Replace(text, []byte(`"password":`), fmt.Appendf(nil, `"password":%q,"password":`, d.secrets["registry.password"]), 1),
		} {
			d.ask(what, http.MethodPost, "/connectors", body)
			d.ask(what, http.MethodPut, "/connectors/"+ids[0], body, "If-Match", tags[0])
			d.ask(what+", of another type", http.MethodPost, "/connectors", body, "Content-Type", "text/plain")
		}
	}
}

// mistakes are changes of a configuration, by what is wrong then.
func (d *detective) mistakes() map[string]func(map[string]any) {
	list := map[string]func(map[string]any){
		"nothing":          func(map[string]any) {},
		"a wrong field":    func(c map[string]any) { c["interval_minutes"], c["mts_url"], c["domain"] = 0, "ftp://x", "[[" },
		"an unknown field": func(c map[string]any) { c["colour"] = d.secrets["registry.password"] },
		"the secret in an address": func(c map[string]any) {
			c["mts_url"] = "https://u:" + d.secrets["registry.password"] + "@mts.example.org"
			c["registry"].(map[string]any)["url"] = "https://" + d.secrets["registry.password"] + "@registry.example.org"
			if callback, ok := c["callback"].(map[string]any); ok {
				callback["url"] = "https://u:" + d.secrets["registry.password"] + "@example.org/x"
				callback["auth_url"] = "https://u:" + d.secrets["registry.password"] + "@example.org/x"
			}
		},
		"headers that are none": func(c map[string]any) {
			if callback, ok := c["callback"].(map[string]any); ok {
				secret := d.secrets["callback.extra_headers"]
				callback["extra_headers"] = map[string]any{"X-A: " + secret: "", "X-B": secret + "\r\n", "X-C": []string{secret}, "X-D": map[string]any{secret: 1e300}, "Host": secret, "x-b": secret}
			}
		},
		"another registry": func(c map[string]any) {
			registry := c["registry"].(map[string]any)
			registry["url"] = "https://elsewhere.example.org"
			delete(registry, "password")
		},
	}
	for member, secret := range d.secrets {
		path, name := strings.Split(member, "."), secret
		if member == "callback.extra_headers" {
			name = "X-Key" // names of headers are shown
		}
		for what, wrong := range map[string]any{
			"a list": []any{secret}, "an object": map[string]any{name: secret}, "objects": map[string]any{name: map[string]any{secret: []any{secret}}},
			"a text with a line": secret + "\n", "a text with NUL": secret + "\x00", "spaces": " " + secret + " ", "unseen": secret + "\u200b", "a long text": strings.Repeat(secret, 400), "a number": 7, "null": nil, "a text": secret,
		} {
			list[what+" for "+member] = func(c map[string]any) {
				inner, ok := c[path[0]].(map[string]any)
				if !ok {
					inner = map[string]any{}
					c[path[0]] = inner
				}
				inner[path[1]] = wrong
			}
		}
	}
	return list
}

// Whatever a viewer sends changes nothing, and whatever an operator sends changes no
// configuration, and so no address: over all operations, with bodies that are right.
func TestWhoMayNotChangeChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDetective(t)
	d.registry.SetPassword("admin", d.secrets["registry.password"])
	d.registry.Populate(60, 7)
	var ids, tags []string
	ways := d.ways()
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		w := d.ask("create", http.MethodPost, "/connectors", inJSON(t, ways[name]))
		ids, tags = append(ids, strings.TrimPrefix(w.Header().Get("Location"), "/connectors/")), append(tags, w.Header().Get("ETag"))
	}
	d.ask("start", http.MethodPost, "/connectors/"+ids[1]+"/start", nil)
	d.ticks(2)
	d.forgetFailures()
	configured := func() string {
		var all []any
		for _, id := range ids {
			c, err := d.store.Connector(t.Context(), id)
			all = append(all, c, err)
		}
		list, _, err := d.store.ListStates(t.Context(), "", 100)
		// A preview has a key, which is no secret of a connector.
		secrets := slices.DeleteFunc(d.administrator.secrets.Names(), func(name string) bool { return strings.HasPrefix(name, "stack/inquiries/") })
		return string(inJSON(t, append(all, len(list), err, secrets)))
	}
	for _, role := range []connectors.Role{connectors.NoRole, connectors.Viewer, connectors.Operator} {
		d.caller.Role = role
		before, writes := configured(), d.writes
		statuses := map[int]int{}
		for _, operation := range d.contract.Operations() {
			method, _, _ := strings.Cut(operation, " ")
			bodies := slices.Collect(maps.Values(d.contract.Examples(operation)))
			if slices.Contains([]string{"POST /connectors", "PUT /connectors/{id}"}, operation) {
				bodies = append(bodies, inJSON(t, ways["bearer"]))
			}
			if slices.Contains([]string{"POST /checks", "POST /previews", "POST /connectors/validate"}, operation) {
				for _, id := range ids {
					bodies = append(bodies, inJSON(t, map[string]any{"connector": id, "configuration": ways["oauth"]}))
				}
			}
			for _, address := range d.addresses(operation, ids, []string{"r1"}, []string{"7"}, []string{"C0000000000000000000000001"}) {
				for _, body := range append(bodies, nil) {
					for _, tag := range append(tags, "*") {
						statuses[d.ask("try", method, address, body, "If-Match", tag).Code]++
					}
				}
			}
		}
		d.invoker.Wait()
		if role < connectors.Operator && d.writes != writes {
			t.Errorf("%s wrote %d times: %v", role, d.writes-writes, statuses)
		}
		if after := configured(); before != after {
			t.Errorf("%s changed a configuration:\n%s\n%s", role, before, after)
		}
		if statuses[http.StatusForbidden] < 20 {
			t.Errorf("%s was refused %d times only: %v", role, statuses[http.StatusForbidden], statuses)
		}
	}
}
