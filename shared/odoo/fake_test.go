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

// fake sends the replies that a test scripts, in Odoo's form, and records the
// calls.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	script  func(c call) reply
	calls   []call
	signIns int
	failing func(signIn int) (reply, bool) // the reply to a sign-in that fails
}

type call struct {
	Model, Method string
	Args, Kwargs  json.RawMessage
	cookie        string
}

// reply is the reply to one request. The zero reply closes the connection.
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
	var response reply
	switch c := rpc.Params.call; r.URL.Path {
	case "/odoo/web/session/authenticate":
		f.signIns++
		fails := false
		if f.failing != nil {
			response, fails = f.failing(f.signIns)
		}
		switch {
		case fails:
		case rpc.Params.DB != "g2p" || rpc.Params.Login != "seeder" || rpc.Params.Password != "secret" || r.Header.Get("Cookie") != "":
			response = refusal(200, "odoo.exceptions.AccessDenied", "Access Denied")
		default:
			response = result(`{"uid":7,"db":"g2p"}`)
			response.cookie = fmt.Sprintf("session%d", f.signIns)
		}
	case "/odoo/web/dataset/call_kw":
		if cookie, err := r.Cookie("session_id"); err == nil {
			c.cookie = cookie.Value
		}
		f.calls = append(f.calls, c)
		response = f.script(c)
	default:
		response = html(404)
	}
	if response.status == 0 {
		panic(http.ErrAbortHandler)
	}
	if response.cookie != "" {
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: response.cookie, Path: "/", HttpOnly: true})
	}
	if response.location != "" {
		w.Header().Set("Location", response.location)
	}
	w.Header().Set("Content-Type", response.kind)
	w.WriteHeader(response.status)
	_, _ = io.WriteString(w, response.body)
}

// asked returns the calls since it was called last.
func (f *fake) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// wellKnown answers the questions with which the client begins: VIDs are of type
// 1, tokens of type 2, and identifiers have no status.
func wellKnown(then func(call) reply) func(call) reply {
	return func(c call) reply {
		switch {
		case c.Model == "g2p.id.type":
			return result(`[{"id":1,"name":"MOSIP VID"},{"id":2,"name":"MOSIP UIN TOKEN"},{"id":4,"name":"ODK SUBMISSION"}]`)
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
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond, MaxBody: 1 << 20})
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

// private is in place of the values that Odoo puts into its messages.
const private = "4000000000000001"
