package system_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// exchange is a request that a server of a test received.
type exchange struct {
	method, path, authorization, body string
}

// request is the member request of MTS's envelope.
func (e exchange) request(t *testing.T) map[string]any {
	t.Helper()
	var envelope struct{ Request map[string]any }
	if err := json.Unmarshal([]byte(e.body), &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Request
}

// received keeps the requests that a server received.
type received struct {
	mu  sync.Mutex
	all []exchange
}

func (r *received) add(request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	request.Body = io.NopCloser(strings.NewReader(string(body)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, exchange{request.Method, request.URL.RequestURI(), request.Header.Get("Authorization"), string(body)})
}

func (r *received) list() []exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// watchPosts keeps what MTS is sent.
func (w *world) watchPosts() *received {
	var posts received
	w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			posts.add(r)
		}
		return false
	}
	return &posts
}
