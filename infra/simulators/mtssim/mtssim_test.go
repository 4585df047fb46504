package mtssim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

type object = map[string]any

// start runs a simulator on a loopback port.
func start(t *testing.T, options mtssim.Options) (*mtssim.Server, string) {
	t.Helper()
	s := mtssim.New(options)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	return s, server.URL
}

// valid is a record that every default accepts.
func valid(vid string) object {
	return object{"vid": vid, "name": "Ana Lima", "gender": "Female", "dob": "1990/01/02", "fullAddress": "1 Main Road"}
}

// without copies a record and leaves keys out.
func without(record object, keys ...string) object {
	record = maps.Clone(record)
	for _, k := range keys {
		delete(record, k)
	}
	return record
}

// with copies a record and sets a key.
func with(record object, key string, value any) object {
	record = maps.Clone(record)
	record[key] = value
	return record
}

// submission is a whole envelope. Without properties it is for download.
func submission(properties object, records ...any) object {
	request := object{"output": "json", "deliverytype": "download", "authdata": records}
	if properties != nil {
		request["deliverytype"] = "callback"
		request["callbackProperties"] = properties
	}
	return object{
		"id": "string", "version": "string", "metadata": "string",
		"requesttime": "2026-01-05T09:00:00.000Z", "request": request,
	}
}

// reply is an answer of the simulator.
type reply struct {
	status int
	body   string
}

func (r reply) requestID(t *testing.T) string {
	t.Helper()
	var e struct {
		Response struct {
			ID string `json:"request_identifier"`
		} `json:"response"`
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.status != 200 || e.Response.ID == "" {
		t.Fatalf("not accepted: %d %s", r.status, r.body)
	}
	return e.Response.ID
}

// errors are the items of "errors" as "code message".
func (r reply) errors(t *testing.T) []string {
	t.Helper()
	var e struct {
		Errors []struct{ ErrorCode, ErrorMessage string } `json:"errors"`
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Fatalf("not an envelope: %s", r.body)
	}
	var out []string
	for _, e := range e.Errors {
		out = append(out, e.ErrorCode+" "+e.ErrorMessage)
	}
	return out
}

func do(t *testing.T, method, url, contentType, body string) (reply, http.Header, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return reply{}, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, string(content)}, answer.Header, err
}

func mustDo(t *testing.T, method, url, contentType, body string) (reply, http.Header) {
	t.Helper()
	r, header, err := do(t, method, url, contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	return r, header
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func post(t *testing.T, base string, v any) reply {
	t.Helper()
	r, _ := mustDo(t, "POST", base+"/authtoken/json", "application/json", encode(t, v))
	return r
}

// waitFor polls until a condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatal("still waiting for: " + what)
}

func waitForStatus(t *testing.T, s *mtssim.Server, id, want string) {
	t.Helper()
	waitFor(t, want, func() bool {
		if s.Open() > 0 {
			return false // a status may still change while its callbacks are made
		}
		got, _ := s.Status(id)
		return got == want
	})
}

// call is one request that the receiver got.
type call struct {
	method, path, body string
	header             http.Header
	length             int64
}

// receiver is a server that takes callbacks.
type receiver struct {
	url    string
	answer http.HandlerFunc // nil: 200
	mu     sync.Mutex
	calls  []call
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	r.calls = append(r.calls, call{q.Method, q.URL.RequestURI(), string(body), q.Header, q.ContentLength})
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, q)
	}
}

func (r *receiver) got() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

func (r *receiver) bodies() []string {
	var out []string
	for _, c := range r.got() {
		out = append(out, c.body)
	}
	return out
}

// deliver submits and waits until the worker is done.
func deliver(t *testing.T, properties object, format any, records ...any) (status string) {
	t.Helper()
	s, base := start(t, mtssim.Options{})
	e := submission(properties, records...)
	if format != nil {
		e["request"].(object)["outputFormat"] = format
	}
	id := post(t, base, e).requestID(t)
	waitFor(t, "the worker", func() bool { return s.Open() == 0 })
	status, _ = s.Status(id)
	return status
}

// inBubble runs a test in virtual time, without a network: f gets a function
// that makes a request and returns status 0 for a closed connection.
func inBubble(t *testing.T, options mtssim.Options, f func(t *testing.T, s *mtssim.Server, do func(method, path string, body any) reply)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := mtssim.New(options)
		defer s.Close()
		f(t, s, func(method, path string, body any) (out reply) {
			defer func() {
				r := recover()
				if abort, ok := r.(error); r != nil && (!ok || !errors.Is(abort, http.ErrAbortHandler)) {
					panic(r)
				}
			}()
			r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader([]byte(encode(t, body))))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return reply{w.Code, w.Body.String()}
		})
	})
}
