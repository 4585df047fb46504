package odoo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// fake answers like Odoo what a test scripts, and writes down what it was asked.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	script  func(c call) reply
	calls   []call
	signIns int
	broken  func(signIn int) (reply, bool) // instead of a good sign-in
}

type call struct {
	Model, Method string
	Args, Kwargs  json.RawMessage
	cookie        string
}

// reply is what one request is answered with. The zero reply drops the
// connection.
type reply struct {
	status   int
	kind     string
	body     string
	cookie   string
	location string
}

func result(value string) reply {
	return reply{status: 200, kind: "application/json", body: `{"jsonrpc":"2.0","id":1,"result":` + value + `}`}
}

func refusal(code int, name, message string) reply {
	data, _ := json.Marshal(map[string]any{"name": name, "debug": "Traceback: " + message, "message": message,
		"arguments": []string{message}, "context": map[string]any{}})
	status := 200
	if code == 404 {
		status = 404
	}
	return reply{status: status, kind: "application/json",
		body: fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":"Odoo Server Error","data":%s}}`, code, data)}
}

func html(status int) reply {
	return reply{status: status, kind: "text/html; charset=utf-8", body: "<html>"}
}

var expired = refusal(100, "odoo.http.SessionExpiredException", "Session expired")

func newFake(t *testing.T, script func(call) reply) *fake {
	t.Helper()
	f := &fake{script: script}
	f.Server = httptest.NewServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rpc struct {
		Version string `json:"jsonrpc"`
		Params  struct {
			call
			DB, Login, Password string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&rpc); err != nil || r.Header.Get("Content-Type") != "application/json" || rpc.Version != "2.0" || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var answer reply
	switch c := rpc.Params.call; r.URL.Path {
	case "/odoo/web/session/authenticate":
		f.signIns++
		broken := false
		if f.broken != nil {
			answer, broken = f.broken(f.signIns)
		}
		switch {
		case broken:
		case rpc.Params.DB != "g2p" || rpc.Params.Login != "seeder" || rpc.Params.Password != "secret" || r.Header.Get("Cookie") != "":
			answer = refusal(200, "odoo.exceptions.AccessDenied", "Access Denied")
		default:
			answer = result(`{"uid":7,"db":"g2p"}`)
			answer.cookie = fmt.Sprintf("session%d", f.signIns)
		}
	case "/odoo/web/dataset/call_kw":
		if cookie, err := r.Cookie("session_id"); err == nil {
			c.cookie = cookie.Value
		}
		f.calls = append(f.calls, c)
		answer = f.script(c)
	default:
		answer = html(404)
	}
	if answer.status == 0 {
		panic(http.ErrAbortHandler)
	}
	if answer.cookie != "" {
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: answer.cookie, Path: "/", HttpOnly: true})
	}
	if answer.location != "" {
		w.Header().Set("Location", answer.location)
	}
	w.Header().Set("Content-Type", answer.kind)
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// asked returns what was asked since the last time, and forgets it.
func (f *fake) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// wellKnown answers what the client asks before it can do anything else: VIDs
// are of type 1, tokens of type 2, and there is no status.
func wellKnown(then func(call) reply) func(call) reply {
	return func(c call) reply {
		switch {
		case c.Model == "g2p.id.type":
			return result(`[{"id":1,"name":"MOSIP VID"},{"id":2,"name":"MOSIP UIN TOKEN"}]`)
		case c.Method == "fields_get":
			return result(`{}`)
		}
		return then(c)
	}
}

func (f *fake) connector() seeding.Connector {
	return seeding.Connector{
		ID: "c1", Version: 1, Source: seeding.RegistrySource{Domain: usual, Fields: []string{"given_name", "birthdate"}},
		Registry: seeding.RegistryAccess{URL: f.URL + "/odoo/", Database: "g2p", Username: "seeder", VIDType: vidType, TokenType: tokenType},
	}
}

var today = time.Date(2026, 11, 21, 23, 30, 0, 0, time.FixedZone("west", -5*3600)) // in UTC it is the 22nd

func registries() *odoo.Registries {
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RetryWait: time.Millisecond, MaxBody: 1 << 20})
	return odoo.New(client, func(context.Context, seeding.Connector) (string, error) { return "secret", nil }, func() time.Time { return today })
}

func open(t *testing.T, c seeding.Connector) seeding.Registry {
	t.Helper()
	r, err := registries().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func check(t *testing.T, err error, kind seeding.FaultKind, code string) {
	t.Helper()
	fault, ok := errors.AsType[*seeding.Fault](err)
	if !ok || fault.Kind != kind || fault.Code != code {
		t.Errorf("got %v, want %s (%s)", err, kind, code)
	}
	if err != nil && strings.Contains(err.Error(), private) {
		t.Errorf("text of the server in %q", err)
	}
}

// private stands for the values that Odoo puts into its messages.
const private = "4000000000000001"
