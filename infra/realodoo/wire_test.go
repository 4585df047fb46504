package realodoo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// wire speaks to an Odoo, real or simulated, with none of the connector's code.
type wire struct {
	t   *testing.T
	url string
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

var plain = &http.Client{
	Timeout:       3 * time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (w wire) send(method, path string, body []byte, header map[string]string) answer {
	w.t.Helper()
	// What is put back at the end of a test outlives the test's own context.
	r, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), method, w.url+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := plain.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, text}
}

// rpc is a call of a service, in JSON.
func (w wire) rpc(service, method, args string) answer {
	w.t.Helper()
	return w.send(http.MethodPost, "/jsonrpc",
		fmt.Appendf(nil, `{"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": %q, "method": %q, "args": %s}}`, service, method, args), nil)
}

// uid is a user's number.
func (w wire) uid(login, password string) (uid int64) {
	w.t.Helper()
	w.rpc("common", "login", fmt.Sprintf(`["g2p", %q, %q]`, login, password)).result(w.t, &uid)
	return uid
}

// call is a method of a model as admin.
func (w wire) call(result any, model, method string, args []any, kwargs map[string]any) {
	w.t.Helper()
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	text, err := json.Marshal([]any{"g2p", 2, "admin", model, method, args, kwargs})
	if err != nil {
		w.t.Fatal(err)
	}
	w.rpc("object", "execute_kw", string(text)).result(w.t, result)
}

// result decodes what must be no error.
func (a answer) result(t *testing.T, result any) {
	t.Helper()
	var reply struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(a.body, &reply); err != nil || reply.Result == nil {
		t.Fatalf("HTTP %d: %s", a.status, a.outcome(0))
	}
	if err := json.Unmarshal(reply.Result, result); err != nil {
		t.Fatal(err)
	}
}

// outcome is the result's JSON, or "!class|message", or what kind of page came,
// with the HTTP status in front unless it is 200, and the code of an error
// that is not the ordinary one.
func (a answer) outcome(ordinary int) string {
	status := ""
	if a.status != http.StatusOK {
		status = fmt.Sprintf("HTTP %d ", a.status)
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code int `json:"code"`
			Data struct {
				Name      string `json:"name"`
				Message   string `json:"message"`
				Arguments []any  `json:"arguments"`
			} `json:"data"`
		} `json:"error"`
	}
	if json.Unmarshal(a.body, &reply) != nil {
		kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		return status + kind + " " + words(string(a.body))
	}
	switch {
	case reply.Error != nil && reply.Error.Code != ordinary:
		return fmt.Sprintf("%s!%d %s|%s", status, reply.Error.Code, reply.Error.Data.Name, reply.Error.Data.Message)
	case reply.Error != nil:
		return fmt.Sprintf("%s!%s|%s", status, reply.Error.Data.Name, reply.Error.Data.Message)
	case reply.Result == nil:
		return status + "none"
	}
	return status + string(reply.Result)
}

var tags = regexp.MustCompile(`(?s)<(script|style).*?</(script|style)>|<[^>]*>|&[a-z#0-9]+;`)

// words are the text of a page.
func words(page string) string {
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
	return text[:min(len(text), 120)]
}
