package connectors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
)

const password = "correct horse battery staple"

// service is the API on fakes. Its replies and its log are searched for the
// passwords that were sent to it.
type service struct {
	t       *testing.T
	options connectors.Options
	handler http.Handler
	store   *store
	secrets *secretStore
	asked   *secrets.InquirySecrets // what inquiries need, in manager
	manager *secretstest.Manager
	invoker *invoker
	now     time.Time
	caller  connectors.Caller
	log     bytes.Buffer
}

func newService(t *testing.T) *service {
	s := &service{t: t, store: newStore(), secrets: &secretStore{values: map[string][]string{}, fail: map[string]error{}}, invoker: &invoker{},
		now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), caller: connectors.Caller{Name: "amina", Claim: "sub", Role: connectors.Administrator}}
	serial := 0
	s.manager = secretstest.New()
	s.asked = secrets.Inquiries(s.manager, "inquiries/")
	s.options = connectors.Options{
		Store: s.store, Secrets: s.secrets, InquirySecrets: s.asked, Mappings: jq.Mappings{}, Invoker: s.invoker,
		CheckDomain: func(domain string) error {
			if strings.Contains(domain, "child_of") {
				return errors.New("child_of is not supported")
			}
			return nil
		},
		Conditions:  odoo.Conditions,
		FormAddress: odk.Addresses,
		Now:         func() time.Time { return s.now },
		Caller:      func(*http.Request) connectors.Caller { return s.caller },
		NewID:       func() string { serial++; return fmt.Sprintf("C%025d", serial) },
		Log:         slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	s.handler = contract().Handler(t, connectors.New(s.options))
	t.Cleanup(func() {
		if strings.Contains(s.log.String(), password) {
			t.Errorf("a password was logged: %s", s.log.String())
		}
	})
	return s
}

type response struct {
	*httptest.ResponseRecorder
	body map[string]any
}

func (s *service) do(method, path, body string, header ...string) response {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if text := w.Body.String(); strings.Contains(text, password) || strings.Contains(text, "hunter2") {
		s.t.Errorf("a reply holds a secret: %s", text)
	}
	a := response{ResponseRecorder: w}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	if w.Code >= 400 {
		if w.Header().Get("Content-Type") != "application/problem+json" || a.body["title"] == "" || a.body["status"] != float64(w.Code) ||
			len(fmt.Sprint(a.body["detail"])) < 10 {
			s.t.Errorf("%s %s: no problem: %v %s", method, path, w.Header(), w.Body)
		}
	}
	return a
}

func (s *service) want(status int, method, path, body string, header ...string) response {
	s.t.Helper()
	a := s.do(method, path, body, header...)
	if a.Code != status {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Code, status, a.Body)
	}
	return a
}

// fieldErrors by pointer, or by parameter with a question mark before it.
func (a response) fieldErrors() map[string]string {
	found := map[string]string{}
	list, _ := a.body["errors"].([]any)
	for _, one := range list {
		f := one.(map[string]any)
		at, ok := f["pointer"].(string)
		if !ok {
			at = fmt.Sprint("?", f["parameter"])
		}
		found[at] = fmt.Sprint(f["detail"])
	}
	return found
}

// with returns the smallest valid configuration with changes: pairs of a path
// such as "registry.url" and its value. The value nil removes the member.
func with(changes ...any) string {
	c := map[string]any{
		"name": "Registry of Laguna", "mts_url": "https://mts.example.org",
		"registry": map[string]any{"url": "https://registry.example.org", "database": "g2p", "username": "connector", "password": password},
	}
	for i := 0; i < len(changes); i += 2 {
		at := c
		path := strings.Split(changes[i].(string), ".")
		for _, name := range path[:len(path)-1] {
			deeper, ok := at[name].(map[string]any)
			if !ok {
				deeper = map[string]any{}
				at[name] = deeper
			}
			at = deeper
		}
		if changes[i+1] == nil {
			delete(at, path[len(path)-1])
		} else {
			at[path[len(path)-1]] = changes[i+1]
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

type null struct{}

func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// create returns the path of a new connector.
func (s *service) create(changes ...any) string {
	s.t.Helper()
	return s.want(201, "POST", "/connectors", with(changes...)).Header().Get("Location")
}

func idOf(path string) string { return strings.TrimPrefix(path, "/connectors/") }
