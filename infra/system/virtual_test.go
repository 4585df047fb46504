package system_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
)

// handlers is a network in memory: handlers by host.
type handlers map[string]http.Handler

func (m handlers) serve(name string, h http.Handler) string {
	m[name+":80"] = h
	return "http://" + name + ":80"
}

// RoundTrip makes it the transport of a client.
func (m handlers) RoundTrip(r *http.Request) (*http.Response, error) {
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
func (m handlers) dial(_ context.Context, _, address string) (net.Conn, error) {
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
