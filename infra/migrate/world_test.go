package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

// world is an Odoo of a line with its connectors, an MTS, the API with the functions
// behind it, and an issuer of tokens, all reached by HTTP.
type world struct {
	*testing.T
	odoo *odoosim.Server
	mts  *mtssim.Server

	odooURL, mtsURL, apiURL, issuerURL string

	store   *seedingdb.Store
	clock   inprocess.Clock
	invoker *inprocess.Invoker
	wired   inprocess.Functions

	mu         sync.Mutex
	applicants map[string][]mtssim.Applicant // what MOSIP was asked, by VID
	requests   []string                      // to the API
	// loseReplies makes the API's replies to POST /connectors get lost.
	loseReplies bool
}

// lines are the simulated Odoos of the two lines.
var lines = map[string]odoosim.Options{
	"15.0": {MTS: true, REST: odoosim.REST15, Submissions: true},
	"17.0": {MTS: true, REST: odoosim.REST17, Status: true, Odoo: 17, Submissions: true},
}

const clientSecret = "secret of the client"

func newWorld(t *testing.T, line string) *world {
	t.Helper()
	w := &world{T: t, applicants: map[string][]mtssim.Applicant{}}
	network := &inprocess.Loopback{}
	t.Cleanup(network.Close)
	w.clock = inprocess.NewSteppedClock(func() bool { return w.mts.Open() > 0 })
	w.odoo, w.mts = odoosim.New(lines[line]), mtssim.New(mtssim.Options{Identify: w.identify})
	t.Cleanup(w.mts.Close)
	w.odooURL, w.mtsURL = network.Serve("odoo", w.odoo), network.Serve("mts", w.mts)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true})
	client := memory.New()
	tables := inprocess.TablesFor(t, client)
	w.store = seedingdb.New(client, tables.Connectors, tables.Answers)
	manager := secretstest.New()
	kept, inquiries := secrets.Connectors(manager, "test/connectors/"), secrets.Inquiries(manager, "test/inquiries/")
	w.invoker = inprocess.NewInvoker(w.clock, func(err error) { t.Errorf("a function failed: %v", err) })
	w.invoker.Context = func(context.Context, string) context.Context { return t.Context() }
	t.Cleanup(w.invoker.Wait)
	times := seeding.DefaultTimes()
	times.TickLimit = time.Millisecond // a tick looks once
	log := function.Log(&inprocess.Log{})
	w.wired = inprocess.Wire(inprocess.Surroundings{
		Store: w.store, Inbox: seedingdb.NewInbox(client, tables.Answers), Stream: w.invoker.InvokePatch,
		MTS: mts.New(calls, w.clock.Now), Calls: calls, Password: kept.RegistryPassword, ODKPassword: kept.ODKPassword, CallbackSecrets: kept.Callback,
		Inquiries: inquiries, Invoker: w.invoker, Meter: inprocess.NewMetrics(), Clock: w.clock, Times: times, Log: log,
	})
	callback := network.Serve("callback", w.wired.Callback)
	w.wired.Submitter.CallbackBase, w.wired.Reconciler.CallbackBase = callback, callback
	contract, err := openapitest.New(connectors.Document().Text())
	if err != nil {
		t.Fatal(err)
	}
	api := contract.Handler(t, connectors.New(connectors.Options{
		Store: w.store, Secrets: kept, InquirySecrets: inquiries, Mappings: jq.Mappings{}, Conditions: odoo.Conditions, FormAddress: odk.Addresses,
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
		Invoker: w.invoker, Now: w.clock.Now, NewID: function.NewID, Log: log,
		Caller: func(*http.Request) connectors.Caller {
			return connectors.Caller{Name: "mover", Claim: "sub", Role: connectors.Administrator}
		},
	}))
	w.apiURL = network.Serve("api", w.guarded(api))
	w.issuerURL = network.Serve("issuer", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, secret, _ := r.BasicAuth()
		if r.PostFormValue("grant_type") != "client_credentials" || secret != strings.ReplaceAll(clientSecret, " ", "+") && r.PostFormValue("client_secret") != clientSecret {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(rw, `{"access_token": "granted", "token_type": "Bearer", "expires_in": 300}`)
	}))
	return w
}

// identify is the identity system, which remembers what it was asked.
func (w *world) identify(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
	w.mu.Lock()
	w.applicants[a.VID] = append(w.applicants[a.VID], a)
	w.mu.Unlock()
	return mtssim.Rules(ctx, a)
}

// guarded is the API behind its gateway, which takes the issuer's tokens alone.
func (w *world) guarded(api http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.Path)
		lost := w.loseReplies && r.Method == http.MethodPost && r.URL.Path == "/connectors"
		w.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer granted":
			rw.WriteHeader(http.StatusUnauthorized)
		case lost:
			api.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			api.ServeHTTP(rw, r)
		}
	})
}

// writes are the requests to the API that may have changed something.
func (w *world) writes() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if !strings.HasPrefix(r, "GET ") && r != "POST /connectors/validate" {
			list = append(list, r)
		}
	}
	return list
}

// migrate runs the command, with the passwords of a person, and more of the environment.
func (w *world) migrate(environment map[string]string, args ...string) (printed string, err error) {
	w.Helper()
	all := map[string]string{
		"ODOO_PASSWORD": "admin", "API": w.apiURL, "TOKEN_URL": w.issuerURL + "/token", "CLIENT_ID": "mover", "CLIENT_SECRET": clientSecret,
	}
	for name, value := range environment {
		all[name] = value
	}
	var out strings.Builder
	o, err := readOptions(append([]string{"-odoo", w.odooURL, "-database", "g2p", "-user", "admin"}, args...), func(name string) string { return all[name] }, &out)
	if err == nil {
		o.pause = func(context.Context) error { w.tick(); return nil }
		err = run(w.Context(), o, &out)
	}
	for _, secret := range []string{"callback secret", "central secret", clientSecret, "granted"} {
		if strings.Contains(out.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
			w.Errorf("%q is shown:\n%s\n%v", secret, out.String(), err)
		}
	}
	return out.String(), err
}

// tick is one minute of the schedules, and all that follows from it.
func (w *world) tick() {
	for _, tick := range []func(context.Context) error{w.wired.Desk.Tick, w.wired.Submitter.Tick, w.wired.Reconciler.Tick} {
		if err := tick(w.Context()); err != nil {
			w.Errorf("a tick failed: %v", err)
		}
		w.invoker.Wait()
	}
	w.clock.Advance(time.Minute)
}

// api is the API as the administrator asks it.
func (w *world) api() deployed.Client {
	return deployed.Client{Name: "the API", Address: w.apiURL, Token: func() string { return "granted" }}
}

// connectors are all that the API has, by name.
func (w *world) connectors() map[string]map[string]any {
	w.Helper()
	all := map[string]map[string]any{}
	list, err := deployed.Pages[shown](w.Context(), w.api(), "/connectors", "connectors", 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, one := range list {
		var whole map[string]any
		if err := w.api().Call(w.Context(), http.MethodGet, "/connectors/"+one.ID, nil, &whole); err != nil {
			w.Fatal(err)
		}
		if all[one.Name] != nil {
			w.Errorf("%q is there twice", one.Name)
		}
		all[one.Name] = whole
	}
	return all
}

// addConnector puts the first recorded connector of a line into Odoo, with changes, at
// the MTS of this world.
func (w *world) addConnector(line string, more map[string]any) int64 {
	w.Helper()
	values := map[string]any{}
	for name, value := range recorded(w.T, line)[0] {
		switch v := value.(type) {
		case string:
			values[name] = v
		case int:
			values[name] = int64(v)
		case bool:
			values[name] = nil
		}
	}
	delete(values, "id")
	values["cron_id"], values["job_status"], values["mts_url"] = nil, "draft", w.mtsURL+"/"
	for name, value := range more {
		values[name] = value
	}
	return w.odoo.AddMTSConnector(values)
}

// press presses the button of a connector, as a person in Odoo does.
func (w *world) press(id int64) {
	w.Helper()
	body := fmt.Sprintf(`{"jsonrpc": "2.0", "id": 1, "params": {"service": "object", "method": "execute_kw", "args": ["g2p", 2, "admin", "mts.connector", "mts_action_trigger", [[%d]]]}}`, id)
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.odooURL+"/jsonrpc", strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	var said map[string]any
	if err := json.NewDecoder(reply.Body).Decode(&said); err != nil || said["error"] != nil {
		w.Fatalf("%v %v", err, said)
	}
}
