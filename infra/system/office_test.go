package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

// crashingSecrets is Secrets Manager with crash points.
type crashingSecrets struct {
	*secretstest.Manager
	faults *faults
}

func crashSecret[In, Out any](ctx context.Context, f *faults, point string, in *In, call func(context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error)) (out *Out, err error) {
	failed := f.around(ctx, "secrets "+point, func() error {
		out, err = call(ctx, in)
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	return out, err
}

func (c crashingSecrets) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	return crashSecret(ctx, c.faults, "CreateSecret", in, c.Manager.CreateSecret)
}

func (c crashingSecrets) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	return crashSecret(ctx, c.faults, "PutSecretValue", in, c.Manager.PutSecretValue)
}

func (c crashingSecrets) DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	return crashSecret(ctx, c.faults, "DeleteSecret", in, c.Manager.DeleteSecret)
}

// office is a person at the API, who sends a request again when it fails and
// looks first what became of it.
type office struct {
	*world
	api   http.Handler
	vault *secretstest.Manager
	id    string // of the connector
}

func newOffice(t *testing.T) *office {
	o := &office{vault: secretstest.New()}
	f := newFaults()
	passwords := secrets.Connectors(crashingSecrets{o.vault, f}, "stack/connectors/")
	o.world = newWorld(t, options{faults: f, password: passwords.RegistryPassword})
	o.api = connectors.New(connectors.Options{
		Store: o.store, Secrets: passwords, Mappings: jq.Mappings{}, Invoker: invoker{o.world}, Now: o.clock.Now, NewID: function.NewID, Log: o.logger,
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
	})
	return o
}

// send makes one request, which is one invocation of the function.
func (o *office) send(method, path string, body any, headers ...string) (status int, reply map[string]any, header http.Header) {
	o.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			o.Fatal(err)
		}
		text = string(b)
	}
	ctx := context.WithValue(o.Context(), invocationKey{}, &invocation{function: "connectors"})
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	o.api.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
			o.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return w.Code, reply, w.Header()
}

// insist sends a request until it succeeds, or done tells that it took effect
// all the same.
func (o *office) insist(done func() bool, method, path string, body any, headers ...string) map[string]any {
	o.Helper()
	for range 4 {
		status, reply, _ := o.send(method, path, body, headers...)
		if status < 300 {
			return reply
		}
		if status < 500 && status != http.StatusNotFound {
			o.Fatalf("%s %s: %d %v %v", method, path, status, reply["detail"], reply["errors"])
		}
		if done != nil && done() {
			return nil
		}
	}
	o.Fatalf("%s %s fails for ever", method, path)
	return nil
}

func (o *office) configuration(name, password string) map[string]any {
	return map[string]any{
		"name": name, "mts_url": o.mtsURL, "interval_minutes": 60,
		"registry": map[string]any{"url": o.odooURL, "database": "g2p", "username": "admin", "password": password},
	}
}

func (o *office) create() {
	o.Helper()
	found := func() bool {
		_, reply, _ := o.send(http.MethodGet, "/connectors", nil)
		for _, c := range reply["connectors"].([]any) {
			o.id, _ = c.(map[string]any)["id"].(string)
		}
		return o.id != ""
	}
	if reply := o.insist(found, http.MethodPost, "/connectors", o.configuration("first", "admin")); reply != nil {
		o.id, _ = reply["id"].(string)
	}
}

// change gives the connector another name and password.
func (o *office) change(name, password string) {
	o.Helper()
	for range 4 {
		status, now, header := o.send(http.MethodGet, "/connectors/"+o.id, nil)
		if status != http.StatusOK {
			o.Fatalf("GET: %d", status)
		}
		if now["name"] == name {
			return
		}
		if status, reply, _ := o.send(http.MethodPut, "/connectors/"+o.id, o.configuration(name, password), "If-Match", header.Get("ETag")); status >= 400 && status < 500 {
			o.Fatalf("PUT: %d %v", status, reply["detail"])
		}
	}
	o.Fatal("PUT fails for ever")
}

func (o *office) delete() {
	o.Helper()
	gone := func() bool {
		status, _, _ := o.send(http.MethodDelete, "/connectors/"+o.id, nil, "If-Match", "*")
		return status == http.StatusNotFound // which says that the password is gone, too
	}
	o.insist(gone, http.MethodDelete, "/connectors/"+o.id, nil, "If-Match", "*")
}

// day is what a person does with a connector from its beginning to its end.
func (o *office) day() {
	o.Helper()
	kinds := o.registry.Populate(90, 7).Kinds
	before := o.vids()
	o.noteHeld()
	o.create()
	o.insist(nil, http.MethodPost, "/connectors/"+o.id+"/start", nil)
	c := o.now()
	o.settle(30, c)
	tokens := o.registry.State().Tokens

	// The registry's password is changed, then the connector's.
	o.registry.SetPassword("admin", "another")
	o.change("second", "another")
	var mended []int64
	for id, kind := range kinds {
		if kind == odoosim.NoBirthdate {
			o.registry.SetRegistrant(id, map[string]any{"birthdate": "1980-01-01"})
			mended = append(mended, id)
		}
	}
	_, rejected := o.rejections(c)
	identifier := int64(0)
	for _, r := range rejected {
		identifier = max(identifier, r.Identifier)
	}
	o.insist(nil, http.MethodPost, "/connectors/"+o.id+"/rejections/retry", map[string]any{"identifiers": []int64{identifier}})
	o.insist(nil, http.MethodPost, "/connectors/"+o.id+"/rejections/retry", map[string]any{"kind": "invalid"})
	o.settle(30, o.now())
	if len(mended) == 0 {
		o.Fatal("nobody was mended")
	}
	expect(o.T, "tokens", o.registry.State().Tokens, tokens+len(mended))

	o.insist(nil, http.MethodPost, "/connectors/"+o.id+"/stop", nil)
	for len(o.failures) > 0 {
		<-o.failures
	}
	o.checkIdentifiers(before)
	o.delete()
	if status, _, _ := o.send(http.MethodGet, "/connectors/"+o.id, nil); status != http.StatusNotFound {
		o.Errorf("the deleted connector answers %d", status)
	}
	_, list, _ := o.send(http.MethodGet, "/connectors", nil)
	expect(o.T, "connectors left", len(list["connectors"].([]any)), 0)
}

// now is the connector as it is configured.
func (o *office) now() seeding.Connector {
	o.Helper()
	c, err := o.store.Connector(o.Context(), o.id)
	if err != nil {
		o.Fatal(err)
	}
	if _, err := o.vault.GetSecretValue(o.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: new("stack/connectors/" + o.id + "/registry-password"), VersionId: new(c.Secrets[seeding.RegistryPassword]),
	}); err != nil {
		o.Errorf("the password that the configuration names: %v", err)
	}
	return c
}

// What a person does survives the death of the API's function at every write.
func TestAdministrationCrashPoints(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.day()
	expect(t, "secrets left", len(o.vault.Names()), 0)

	reads := []string{"Connector", "State", "ListConnectors", "ListRuns", "Run", "RunBatches", "ListRejections"}
	var points []string
	for i, port := 0, reflect.TypeFor[connectors.Store](); i < port.NumMethod(); i++ {
		if name := port.Method(i).Name; !slices.Contains(reads, name) {
			points = append(points, "connectors: dynamodb "+name)
		}
	}
	for _, point := range slices.Sorted(maps.Keys(o.faults.seen)) {
		if strings.HasPrefix(point, "connectors: secrets ") {
			points = append(points, point)
		}
	}
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	expect(t, "calls that write secrets", len(points)-6, 3)
	for _, point := range points {
		if o.faults.seen[point] == 0 {
			t.Errorf("nobody calls %s, so no crash is tried there", point)
		}
		for _, m := range modes {
			t.Run(fmt.Sprintf("%s/%s", point, m), func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				o.faults.armed[point] = m
				o.day()
				o.faults.struck(t)
				// The one thing that nobody comes back to: a password stored for a
				// connector of which its creator died before it was written.
				left := 0
				if m.kill && (point == "connectors: secrets CreateSecret" && m.after || point == "connectors: dynamodb CreateConnector" && !m.after) {
					left = 1
				}
				expect(t, "secrets left", len(o.vault.Names()), left)
			})
		}
	}
}
