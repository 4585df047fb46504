package openapitest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Handler is a handler whose every reply must be one of the document.
func (c *Contract) Handler(t testing.TB, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		if err := c.Reply(r, recorded.Code, recorded.Header(), recorded.Body.Bytes()); err != nil {
			t.Errorf("%v\n%.2000s", err, recorded.Body)
		}
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// Transport sends requests on and gives report what is wrong with a reply. Requests to
// paths that are not in the document are left alone, if others serve them.
type Transport struct {
	Contract *Contract
	Next     http.RoundTripper
	Report   func(error)
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Next.RoundTrip(r)
	if err != nil || t.Contract.Path(r.URL) == "" {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return response, err
	}
	if err := t.Contract.Reply(r, response.StatusCode, response.Header, body); err != nil {
		t.Report(err)
	}
	return response, nil
}
