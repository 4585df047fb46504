package mtssim_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// pipes is a network in memory: virtual time goes on while it is read from.
type pipes struct {
	accepted chan net.Conn
	closed   context.Context
	close    context.CancelFunc
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// client keeps one connection and counts how often it had to make it.
type client struct {
	transport *http.Transport
	dialled   int
}

func (c *client) do(t *testing.T, method, path, body string) (answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://mts"+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := c.transport.RoundTrip(r)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return ""
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != 200 {
		t.Errorf("%s %s: %d %s %v", method, path, got.StatusCode, content, err)
	}
	return string(content)
}

// attached runs a simulator in virtual time behind an HTTP server that it knows
// the connections of.
func attached(t *testing.T, options mtssim.Options, f func(t *testing.T, s *mtssim.Server, connect func() *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := mtssim.New(options)
		network := &pipes{accepted: make(chan net.Conn)}
		network.closed, network.close = context.WithCancel(context.Background())
		server := &http.Server{Handler: s, ReadHeaderTimeout: time.Hour}
		s.Attach(server)
		go server.Serve(network)
		defer server.Close()
		defer s.Close()
		f(t, s, func() *client {
			c := &client{}
			c.transport = &http.Transport{MaxConnsPerHost: 1, DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				network.accepted <- theirs
				c.dialled++
				return ours, nil
			}}
			t.Cleanup(c.transport.CloseIdleConnections)
			return c
		})
	})
}

func TestAConnectionStaysWithItsWorker(t *testing.T) {
	options := mtssim.Options{Workers: 4, Replicas: 2}
	attached(t, options, func(t *testing.T, s *mtssim.Server, connect func() *client) {
		kept := connect()
		for range 50 {
			kept.do(t, "GET", "/ping", "")
		}
		var handled []int
		for _, r := range s.State().Replicas {
			for _, w := range r.Workers {
				if w.Handled > 0 {
					handled = append(handled, w.Handled)
				}
			}
		}
		if len(handled) != 1 || handled[0] != 50 || kept.dialled != 1 {
			t.Errorf("handled by worker: %v, dialled %d times", handled, kept.dialled)
		}

		answers := map[string]bool{}
		for range 50 {
			answers[connect().do(t, "GET", "/ping", "")] = true
		}
		if len(answers) != 4 {
			t.Errorf("new connections are answered by %v", answers)
		}
	})
}

// A kept connection waits for its worker although another one is free.
func TestAKeptConnectionWaitsForItsWorker(t *testing.T) {
	options := mtssim.Options{Pace: 1, Workers: 2, Processors: 2}
	attached(t, options, func(t *testing.T, s *mtssim.Server, connect func() *client) {
		kept := connect()
		of := kept.do(t, "GET", "/ping", "")
		var number int
		if of == `"[0 - 1] pong"` {
			number = 1
		}
		body := encode(t, submission(nil, people(100)...))
		var posting sync.WaitGroup
		defer posting.Wait()
		for !s.State().Replicas[0].Workers[number].Blocked {
			time.Sleep(10 * time.Second)
			posting.Go(func() { connect().do(t, "POST", "/authtoken/json", body) })
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if d := took(func() { connect().do(t, "GET", "/ping", "") }); d != 0 {
			t.Errorf("a new connection waited %v", d)
		}
		if d := took(func() { kept.do(t, "GET", "/ping", "") }); d != 600*time.Millisecond {
			t.Errorf("the kept connection waited %v", d)
		}
	})
}

func TestConnectionsEndWithTheirWorker(t *testing.T) {
	for name, end := range map[string]func(*mtssim.Server){
		"killed worker":    func(s *mtssim.Server) { s.KillWorker(0, 0) },
		"removed worker":   func(s *mtssim.Server) { s.KillWorker(0, 0); s.SetSize(mtssim.Size{}) },
		"restarted":        (*mtssim.Server).Restart,
		"replaced":         (*mtssim.Server).Replace,
		"replica restarts": func(s *mtssim.Server) { s.RestartReplica(0) },
	} {
		t.Run(name, func(t *testing.T) {
			attached(t, mtssim.Options{}, func(t *testing.T, s *mtssim.Server, connect func() *client) {
				kept := connect()
				kept.do(t, "GET", "/ping", "")
				synctest.Wait()
				end(s)
				synctest.Wait()
				kept.do(t, "POST", "/authtoken/json", encode(t, submission(nil, people(1)...)))
				if kept.dialled != 2 {
					t.Errorf("dialled %d times", kept.dialled)
				}
			})
		})
	}
}

// A worker at its limit answers its last request in full and says that the
// connection ends.
func TestConnectionsEndWithTheLimit(t *testing.T) {
	attached(t, mtssim.Options{MaxRequests: 3}, func(t *testing.T, s *mtssim.Server, connect func() *client) {
		kept, other := connect(), connect()
		body := encode(t, submission(nil, people(1)...))
		other.do(t, "POST", "/authtoken/json", body)
		for range 11 {
			kept.do(t, "POST", "/authtoken/json", body)
		}
		synctest.Wait()
		other.do(t, "POST", "/authtoken/json", body)
		if c := s.Counters(); c.PostsAccepted != 13 || c.Restarts != 4 || kept.dialled != 4 || other.dialled != 2 {
			t.Errorf("%+v, dialled %d and %d times", c, kept.dialled, other.dialled)
		}
	})
}
