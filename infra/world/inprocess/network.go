package inprocess

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
)

// Network serves handlers under addresses of their own.
type Network interface {
	// Serve returns the base address of a handler, without a slash at the end.
	Serve(name string, handler http.Handler) (address string)
	Close()
}

// Loopback serves handlers at free ports of loopback.
type Loopback struct{ servers []*httptest.Server }

// Serve implements Network.
func (l *Loopback) Serve(_ string, handler http.Handler) string {
	server := httptest.NewServer(handler)
	l.servers = append(l.servers, server)
	return server.URL
}

// Close implements Network.
func (l *Loopback) Close() {
	for _, server := range l.servers {
		server.Close()
	}
}

// Memory is a network in memory, for a synctest bubble, where nobody may wait for
// a real one. It holds the handlers by host and port, and is the transport of a
// client that reaches them and nothing else.
type Memory map[string]http.Handler

var errUnknownHost = errors.New("no such host")

// Serve implements Network.
func (m Memory) Serve(name string, handler http.Handler) string {
	m[name+":80"] = handler
	return "http://" + name + ":80"
}

// Close implements Network.
func (Memory) Close() {}

// RoundTrip implements http.RoundTripper.
func (m Memory) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	if r.URL.Port() == "" {
		host += ":80"
	}
	handler, known := m[host]
	if !known {
		return nil, errUnknownHost
	}
	request := r.Clone(r.Context())
	if request.Body == nil {
		request.Body = http.NoBody
	}
	reply, done := httptest.NewRecorder(), make(chan error, 1)
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
		handler.ServeHTTP(reply, request)
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return reply.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// Dial makes a connection on which one request is answered.
func (m Memory) Dial(_ context.Context, _, address string) (net.Conn, error) {
	handler, known := m[address]
	if !known {
		return nil, errUnknownHost
	}
	client, server := net.Pipe()
	go func() {
		defer func() { _ = server.Close() }()
		request, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		reply := httptest.NewRecorder()
		handler.ServeHTTP(reply, request)
		_ = reply.Result().Write(server)
	}()
	return client, nil
}
