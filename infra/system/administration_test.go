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
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
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

// administrator is a person at the API, who looks what became of a request that
// failed, and sends it again if it had no effect.
type administrator struct {
	*world
	api     http.Handler
	secrets *secretstest.Manager
	id      string            // of the connector
	caller  connectors.Caller // who the person is
}

func newAdministrator(t *testing.T) *administrator { return newAdministratorOf(t, options{}) }

func newAdministratorOf(t *testing.T, o options) *administrator {
	a := &administrator{secrets: secretstest.New(), caller: connectors.Caller{Name: "amina", Claim: "sub", Role: connectors.Administrator}}
	f := newFaults()
	passwords := secrets.Connectors(crashingSecrets{a.secrets, f}, "stack/connectors/")
	inquiries := secrets.Inquiries(crashingSecrets{a.secrets, f}, "stack/inquiries/")
	o.faults, o.password, o.odkPassword, o.callback, o.inquiries = f, passwords.RegistryPassword, passwords.ODKPassword, passwords.Callback, inquiries
	a.world = newWorld(t, o)
	contract, err := openapitest.New(connectors.Document().Text())
	if err != nil {
		t.Fatal(err)
	}
	a.api = contract.Handler(t, connectors.New(connectors.Options{
		Store: a.store, Secrets: passwords, InquirySecrets: inquiries, Mappings: jq.Mappings{}, Invoker: a.invoker, Now: a.clock.Now, NewID: function.NewID, Log: function.Log(a.log),
		Caller: func(*http.Request) connectors.Caller { return a.caller },
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
		Conditions: odoo.Conditions, FormAddress: odk.Addresses,
	}))
	return a
}

// send makes one request, which is one invocation of the function.
func (a *administrator) send(method, path string, body any, headers ...string) (status int, reply map[string]any, header http.Header) {
	a.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			a.Fatal(err)
		}
		text = string(b)
	}
	ctx := newInvocation(a.Context(), "connectors")
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.api.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
			a.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return w.Code, reply, w.Header()
}

// sendUntilDone sends a request until it succeeds, or until done reports that it
// took effect all the same.
func (a *administrator) sendUntilDone(done func() bool, method, path string, body any, headers ...string) map[string]any {
	a.Helper()
	for range 4 {
		status, reply, _ := a.send(method, path, body, headers...)
		if status < 300 {
			return reply
		}
		if status < 500 && status != http.StatusNotFound {
			a.Fatalf("%s %s: %d %v %v", method, path, status, reply["detail"], reply["errors"])
		}
		if done != nil && done() {
			return nil
		}
	}
	a.Fatalf("%s %s fails for ever", method, path)
	return nil
}

func (a *administrator) configuration(name, password string) map[string]any {
	return map[string]any{
		"name": name, "mts_url": a.mtsURL, "interval_minutes": 60,
		"registry": map[string]any{"url": a.registryURL, "database": "g2p", "username": "admin", "password": password},
	}
}

func (a *administrator) create() {
	a.Helper()
	found := func() bool {
		_, reply, _ := a.send(http.MethodGet, "/connectors", nil)
		for _, c := range reply["connectors"].([]any) {
			a.id, _ = c.(map[string]any)["id"].(string)
		}
		return a.id != ""
	}
	if reply := a.sendUntilDone(found, http.MethodPost, "/connectors", a.configuration("first", "admin")); reply != nil {
		a.id, _ = reply["id"].(string)
	}
}

// change gives the connector another name and password.
func (a *administrator) change(name, password string) {
	a.Helper()
	for range 4 {
		status, now, header := a.send(http.MethodGet, "/connectors/"+a.id, nil)
		if status != http.StatusOK {
			a.Fatalf("GET: %d", status)
		}
		if now["name"] == name {
			return
		}
		if status, reply, _ := a.send(http.MethodPut, "/connectors/"+a.id, a.configuration(name, password), "If-Match", header.Get("ETag")); status >= 400 && status < 500 {
			a.Fatalf("PUT: %d %v", status, reply["detail"])
		}
	}
	a.Fatal("PUT fails for ever")
}

func (a *administrator) delete() {
	a.Helper()
	gone := func() bool {
		status, _, _ := a.send(http.MethodDelete, "/connectors/"+a.id, nil, "If-Match", "*")
		return status == http.StatusNotFound // which says that the password is gone, too
	}
	a.sendUntilDone(gone, http.MethodDelete, "/connectors/"+a.id, nil, "If-Match", "*")
}

// wholeLife is what a person does with a connector from its creation to its
// deletion.
func (a *administrator) wholeLife() {
	a.Helper()
	kinds := a.registry.Populate(90, 7).Kinds
	before := a.now()
	a.create()
	a.sendUntilDone(nil, http.MethodPost, "/connectors/"+a.id+"/start", nil)
	c := a.configured()
	a.finish(30, c)
	tokens := a.registry.State().Tokens
	a.preview()

	// The registry's password is changed, then the connector's.
	a.registry.SetPassword("admin", "another")
	a.change("second", "another")
	var corrected []int64
	for id, kind := range kinds {
		if kind == odoosim.NoBirthdate {
			a.registry.SetRegistrant(id, map[string]any{"birthdate": "1980-01-01"})
			corrected = append(corrected, id)
		}
	}
	_, rejected := a.rejections(c)
	identifier := int64(0)
	for _, r := range rejected {
		identifier = max(identifier, r.Identifier)
	}
	a.sendUntilDone(nil, http.MethodPost, "/connectors/"+a.id+"/rejections/retry", map[string]any{"identifiers": []int64{identifier}})
	a.sendUntilDone(nil, http.MethodPost, "/connectors/"+a.id+"/rejections/retry", map[string]any{"kind": "invalid"})
	a.finish(30, a.configured())
	if len(corrected) == 0 {
		a.Fatal("nobody was corrected")
	}
	expect(a.T, "tokens", a.registry.State().Tokens, tokens+len(corrected))

	a.importAndCancel()
	a.finish(30, a.configured())
	a.endInquiries()
	a.sendUntilDone(nil, http.MethodPost, "/connectors/"+a.id+"/stop", nil)
	a.forgetFailures()
	a.checkIdentifiers(before)
	a.delete()
	if status, _, _ := a.send(http.MethodGet, "/connectors/"+a.id, nil); status != http.StatusNotFound {
		a.Errorf("the deleted connector answers %d", status)
	}
	_, list, _ := a.send(http.MethodGet, "/connectors", nil)
	expect(a.T, "connectors left", len(list["connectors"].([]any)), 0)
}

// importAndCancel opens an import and cancels it, while somebody else works on the
// connector, so that submit does not end it before.
func (a *administrator) importAndCancel() {
	a.Helper()
	a.invoker.Wait()
	now := a.clock.Now()
	state, err := a.store.TakeRun(a.Context(), a.id, "somebody else", now, now.Add(time.Minute), time.Time{})
	if err != nil {
		a.Fatal(err)
	}
	reply := a.sendUntilDone(nil, http.MethodPost, "/connectors/"+a.id+"/imports", map[string]any{"registrants": []int64{1 << 20}}, "Idempotency-Key", "of-this-import")
	run := fmt.Sprintf("/connectors/%s/runs/%s", a.id, reply["id"])
	a.sendUntilDone(nil, http.MethodPost, run+"/cancel", nil)
	a.sendUntilDone(nil, http.MethodGet, run+"/registrants", nil)
	if err := a.store.LeaveRun(a.Context(), a.id, state.Lease.Fence, now, now, time.Time{}); err != nil {
		a.Fatal(err)
	}
}

// preview asks for a preview of a draft, with a password, until one is delivered.
func (a *administrator) preview() {
	a.Helper()
	draft := map[string]any{"connector": a.id, "configuration": a.configuration("draft", "admin"), "count": 1}
	for range 4 {
		status, _, header := a.send(http.MethodPost, "/previews", draft)
		if status != http.StatusAccepted {
			continue
		}
		a.invoker.Wait()
		for range 3 {
			status, reply, _ := a.send(http.MethodGet, header.Get("Location"), nil)
			switch {
			case status >= 500:
			case reply["state"] == "delivered_now":
				return
			case reply["state"] == "delivered": // with a reply that was lost
			default:
				a.Fatalf("preview: %d %v", status, reply["state"])
			}
		}
	}
	a.Fatal("no preview is delivered")
}

// endInquiries lets time pass until no inquiry is open.
func (a *administrator) endInquiries() {
	a.Helper()
	for range 30 {
		open, err := a.store.OpenInquiries(a.Context())
		if err != nil {
			a.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
		a.clock.Advance(time.Minute)
		if err := a.desk.Tick(newInvocation(a.Context(), "submit")); err != nil {
			a.Fatal(err)
		}
		a.invoker.Wait()
	}
	a.Fatal("inquiries stay open")
}

// configured is the connector as it is configured.
func (a *administrator) configured() seeding.Connector {
	a.Helper()
	c, err := a.store.Connector(a.Context(), a.id)
	if err != nil {
		a.Fatal(err)
	}
	if _, err := a.secrets.GetSecretValue(a.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: new("stack/connectors/" + a.id + "/registry-password"), VersionId: new(c.Secrets[seeding.RegistryPassword]),
	}); err != nil {
		a.Errorf("the password that the configuration names: %v", err)
	}
	return c
}

// What a person does survives the death of the API's function at every write.
func TestAdministrationCrashPoints(t *testing.T) {
	t.Parallel()
	a := newAdministrator(t)
	a.wholeLife()
	expect(t, "secrets left", len(a.secrets.Names()), 0)

	reads := []string{"Connector", "State", "ListStates", "ListRuns", "Run", "RunBatches", "ListBatches", "BatchesWith", "OpenBatches", "MTSState", "RegistryState",
		"ListRejections", "CountedRejections", "CountRejections", "ListChanges", "Inquiry", "Coverage",
		"OrderedImport", "ListedPart", "RejectionsAt", "Found"}
	var points []string
	for i, port := 0, reflect.TypeFor[connectors.Store](); i < port.NumMethod(); i++ {
		if name := port.Method(i).Name; !slices.Contains(reads, name) {
			points = append(points, "connectors: dynamodb "+name)
		}
	}
	writes := len(points)
	for _, point := range slices.Sorted(maps.Keys(a.faults.seen)) {
		if strings.HasPrefix(point, "connectors: secrets ") {
			points = append(points, point)
		}
	}
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	expect(t, "calls that write secrets", len(points)-writes, 3)
	for _, point := range points {
		if a.faults.seen[point] == 0 {
			t.Errorf("nobody calls %s, so no crash is tried there", point)
		}
	}
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		a := newAdministrator(t)
		a.faults.armed[point] = m
		a.wholeLife()
		a.faults.checkAllCame(t)
		// The one thing that nobody comes back to: a password stored for a
		// connector of which its creator died before it was written.
		left := 0
		if m.kill && (point == "connectors: secrets CreateSecret" && m.after || point == "connectors: dynamodb CreateConnector" && !m.after) {
			left = 1
		}
		expect(t, "secrets left", len(a.secrets.Names()), left)
	})
}

// Changes that fail one after the other, with one value or several, take from the runs
// nothing of what they use, and the change that succeeds at last takes effect.
func TestChangesThatFailKeepTheSecretsInUse(t *testing.T) {
	direct := func(members map[string]any) map[string]any {
		callback := map[string]any{"url": "https://registry.example.org/api"}
		maps.Copy(callback, members)
		return callback
	}
	odooAuth := map[string]any{"auth_type": "odoo", "auth_url": "https://registry.example.org/in", "auth_database": "g2p", "auth_username": "u"}
	for name, test := range map[string]struct {
		callback map[string]any
		set      func(registry, callback map[string]any, value string)
		read     func(a *administrator, c seeding.Connector) (string, error)
	}{
		"registry.password": {map[string]any{}, func(registry, _ map[string]any, value string) { registry["password"] = value },
			func(a *administrator, c seeding.Connector) (string, error) {
				return a.reader().RegistryPassword(a.Context(), c)
			}},
		"callback.auth_password": {direct(odooAuth), func(_, callback map[string]any, value string) { callback["auth_password"] = value },
			func(a *administrator, c seeding.Connector) (string, error) {
				all, err := a.reader().Callback(a.Context(), c)
				return all.Password, err
			}},
		"callback.auth_client_secret": {direct(map[string]any{"auth_type": "oauth", "auth_url": "https://registry.example.org/in", "auth_client_id": "u"}),
			func(_, callback map[string]any, value string) { callback["auth_client_secret"] = value },
			func(a *administrator, c seeding.Connector) (string, error) {
				all, err := a.reader().Callback(a.Context(), c)
				return all.ClientSecret, err
			}},
		"callback.auth_token": {direct(map[string]any{"auth_type": "static_bearer"}), func(_, callback map[string]any, value string) { callback["auth_token"] = value },
			func(a *administrator, c seeding.Connector) (string, error) {
				all, err := a.reader().Callback(a.Context(), c)
				return all.Token, err
			}},
		"callback.extra_headers": {direct(map[string]any{"auth_type": "none"}), func(_, callback map[string]any, value string) {
			callback["extra_headers"] = map[string]any{"X-Key": value}
		},
			func(a *administrator, c seeding.Connector) (string, error) {
				all, err := a.reader().Callback(a.Context(), c)
				return all.Headers["X-Key"], err
			}},
	} {
		for _, values := range [][]string{{"two", "two", "two"}, {"two", "three", "four"}, {"two", "one", "two"}} {
			t.Run(fmt.Sprint(name, values), func(t *testing.T) {
				t.Parallel()
				a := newAdministrator(t)
				send := func(method, path, value string, headers ...string) int {
					c := a.configuration("a", "admin")
					callback := maps.Clone(test.callback)
					registry, _ := c["registry"].(map[string]any)
					test.set(registry, callback, value)
					if len(callback) > 0 {
						c["callback"] = callback
						c["output_format"] = ".output"
					}
					status, reply, _ := a.send(method, path, c, headers...)
					if status >= 400 && status < 500 {
						t.Fatalf("%d %v", status, reply)
					}
					return status
				}
				holds := func(want string) {
					t.Helper()
					if got, err := test.read(a, a.configured()); err != nil || got != want {
						t.Errorf("the configuration names what gives %t, %v", got == want, err)
					}
				}
				send("POST", "/connectors", "one")
				_, reply, _ := a.send("GET", "/connectors", nil)
				list, _ := reply["connectors"].([]any)
				a.id, _ = list[0].(map[string]any)["id"].(string)
				holds("one")
				for _, value := range values {
					a.faults.armed["connectors: dynamodb ReplaceConnector"] = mode{kill: true}
					if status := send("PUT", "/connectors/"+a.id, value, "If-Match", "*"); status < 500 {
						t.Fatalf("the change did not fail: %d", status)
					}
					holds("one")
				}
				a.faults.checkAllCame(t)
				if status := send("PUT", "/connectors/"+a.id, "five", "If-Match", "*"); status != http.StatusOK {
					t.Fatalf("%d", status)
				}
				holds("five")
			})
		}
	}
}

// reader reads secrets as a function does that has read none yet.
func (a *administrator) reader() *secrets.ConnectorSecrets {
	return secrets.Connectors(a.secrets, "stack/connectors/")
}
