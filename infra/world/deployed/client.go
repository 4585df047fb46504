package deployed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client makes requests to one server, with JSON bodies.
type Client struct {
	Name    string        // of the server, in errors
	Address string        // without a slash at the end
	Token   func() string // of the caller; nil: the server needs none
	HTTP    *http.Client  // nil: one with a limit that a busy machine keeps too
}

var limited = &http.Client{Timeout: 5 * time.Minute}

// Reply is what a server replied, whatever its status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send makes a request. A header is "Name: value".
func (c Client) Send(ctx context.Context, method, path string, body []byte, headers ...string) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.Address+path, bytes.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	client := c.HTTP
	if client == nil {
		client = limited
	}
	response, err := client.Do(request)
	if err != nil {
		return Reply{}, fmt.Errorf("%s does not answer: %w", c.Name, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Reply{}, fmt.Errorf("%s stops in the middle of an answer: %w", c.Name, err)
	}
	return Reply{response.StatusCode, response.Header, text}, nil
}

// Ask makes a request with the token of the caller. body is sent as JSON unless
// it is nil.
func (c Client) Ask(ctx context.Context, method, path string, body any, headers ...string) (Reply, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return Reply{}, err
		}
		headers = append(headers, "Content-Type: application/json")
	}
	if c.Token != nil {
		headers = append(headers, "Authorization: Bearer "+c.Token())
	}
	return c.Send(ctx, method, path, text, headers...)
}

// Call makes a request that must succeed, and reads the reply into answer unless
// that is nil. Its errors contain the API's own text about a request, but no text
// of a simulator, because that may be about registrants.
func (c Client) Call(ctx context.Context, method, path string, body, answer any) error {
	reply, err := c.Ask(ctx, method, path, body)
	switch {
	case err != nil:
		return err
	case reply.Status >= 300:
		return fmt.Errorf("%s answers %s %s with %d %s%s", c.Name, method, path, reply.Status, http.StatusText(reply.Status), reply.problem())
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(reply.Body, answer); err != nil {
		return fmt.Errorf("%s answers %s %s without the JSON that was expected: %w", c.Name, method, path, err)
	}
	return nil
}

// problem is the text of a problem (RFC 9457) behind a colon, or "".
func (r Reply) problem() string {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Pointer   string `json:"pointer"`
			Parameter string `json:"parameter"`
			Detail    string `json:"detail"`
		} `json:"errors"`
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(r.Body, &problem) != nil {
		return ""
	}
	text := ": " + problem.Detail
	for _, e := range problem.Errors {
		text += fmt.Sprintf(" %s%s %s.", e.Pointer, e.Parameter, e.Detail)
	}
	return text
}

// Pages reads all pages of a list of the API, of at most limit entries each. Each
// page has the list in its member name.
func Pages[T any](ctx context.Context, api Client, path, name string, limit int) (all []T, err error) {
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	for {
		var page map[string]json.RawMessage
		if err := api.Call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		var list []T
		if err := json.Unmarshal(page[name], &list); err != nil {
			return nil, fmt.Errorf("%s: %s is no list: %w", path, name, err)
		}
		next, more := page["next"]
		if len(list) > limit || len(list) == 0 && more {
			return nil, fmt.Errorf("%s: a page of %d entries, of at most %d", path, len(list), limit)
		}
		all = append(all, list...)
		if !more {
			return all, nil
		}
		var cursor string
		if err := json.Unmarshal(next, &cursor); err != nil || cursor == "" {
			return nil, fmt.Errorf("%s: next is %s", path, next)
		}
		query.Set("cursor", cursor)
	}
}
