package system_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
)

// inVirtualTime runs f where time passes only while everybody waits for it, so
// that a run at the pace of the real MTS takes no longer than its work, and a
// slow machine does not make MTS forget sooner. Nobody there may wait for the
// network for long, so the simulators are reached through memory.
func inVirtualTime(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if _, err := dynamolocal.Shared(); err != nil { // which outlives the test
		t.Fatal(err)
	}
	synctest.Test(t, f)
}

// memory is a network of handlers by host.
type memory map[string]http.Handler

func (m memory) serve(name string, h http.Handler) string {
	m[name+":80"] = h
	return "http://" + name + ":80"
}

// RoundTrip makes memory the transport of a client.
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, known := m[r.URL.Host]
	if !known {
		return nil, errors.New("no such host")
	}
	asked := r.Clone(r.Context())
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	w, done := httptest.NewRecorder(), make(chan error, 1)
	go func() {
		defer func() {
			switch broken := recover(); broken {
			case nil:
				done <- nil
			case http.ErrAbortHandler:
				done <- io.ErrUnexpectedEOF
			default:
				panic(broken)
			}
		}()
		handler.ServeHTTP(w, asked)
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// dial gives a connection on which one request is answered.
func (m memory) dial(_ context.Context, _, address string) (net.Conn, error) {
	handler, known := m[address]
	if !known {
		return nil, errors.New("no such host")
	}
	client, server := net.Pipe()
	go func() {
		defer func() { _ = server.Close() }()
		r, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		_ = w.Result().Write(server)
	}()
	return client, nil
}
