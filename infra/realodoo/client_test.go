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

// client calls an Odoo, real or simulated, without the connector's code.
type client struct {
	t   *testing.T
	url string
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

var plain = &http.Client{
	Timeout:       3 * time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c client) send(method, path string, body []byte, header map[string]string) reply {
	c.t.Helper()
	// Cleaning up comes after the end of the test's context.
	r, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := plain.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, text}
}

// rpc is a call of a service, in JSON.
func (c client) rpc(service, method, args string) reply {
	c.t.Helper()
	return c.send(http.MethodPost, "/jsonrpc",
		fmt.Appendf(nil, `{"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": %q, "method": %q, "args": %s}}`, service, method, args), nil)
}

// uid is the id of a user.
func (c client) uid(login, password string) (uid int64) {
	c.t.Helper()
	c.rpc("common", "login", fmt.Sprintf(`["g2p", %q, %q]`, login, password)).result(c.t, &uid)
	return uid
}

// call calls a method of a model as admin.
func (c client) call(result any, model, method string, args []any, kwargs map[string]any) {
	c.t.Helper()
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	text, err := json.Marshal([]any{"g2p", 2, "admin", model, method, args, kwargs})
	if err != nil {
		c.t.Fatal(err)
	}
	if result == nil {
		result = new(any)
	}
	c.rpc("object", "execute_kw", string(text)).result(c.t, result)
}

// result decodes a result; an error fails the test.
func (a reply) result(t *testing.T, result any) {
	t.Helper()
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(a.body, &message); err != nil || message.Result == nil {
		t.Fatalf("HTTP %d: %s", a.status, a.outcome(0))
	}
	if err := json.Unmarshal(message.Result, result); err != nil {
		t.Fatal(err)
	}
}

// outcome is the JSON of the result, or "!class|message", or the kind of page,
// with the HTTP status in front unless it is 200, and the code of an error that
// is not the ordinary one.
func (a reply) outcome(ordinary int) string {
	status := ""
	if a.status != http.StatusOK {
		status = fmt.Sprintf("HTTP %d ", a.status)
	}
	var message struct {
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
	if json.Unmarshal(a.body, &message) != nil {
		kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		return status + kind + " " + words(string(a.body))
	}
	switch {
	case message.Error != nil && message.Error.Code != ordinary:
		return fmt.Sprintf("%s!%d %s|%s", status, message.Error.Code, message.Error.Data.Name, message.Error.Data.Message)
	case message.Error != nil:
		return fmt.Sprintf("%s!%s|%s", status, message.Error.Data.Name, message.Error.Data.Message)
	case message.Result == nil:
		return status + "none"
	}
	return status + string(message.Result)
}

var tags = regexp.MustCompile(`(?s)<(script|style).*?</(script|style)>|<[^>]*>|&[a-z#0-9]+;`)

// words is the text of a page.
func words(page string) string {
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
	return text[:min(len(text), 120)]
}
