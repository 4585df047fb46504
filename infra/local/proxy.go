package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Proxy is a reverse proxy with the one stable address of the API. The emulator
// gives the API an address only when it is deployed; this one is known before,
// so the deployment can use it as the callback address. It forwards to the API
// only, and it logs nothing, because paths name batches.
type Proxy struct {
	server *http.Server
	port   int
	host   string
	target atomic.Pointer[url.URL] // nil: not known yet
}

// StartProxy listens at a preferred address, or at a free port of the same host
// if that port is taken. It answers 503 until it has a target.
func StartProxy(ctx context.Context, address string) (*Proxy, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("reverse proxy of the API: %w", err)
	}
	at := listener.Addr().(*net.TCPAddr)
	p := &Proxy{port: at.Port, host: at.IP.String()}
	if at.IP.IsUnspecified() {
		p.host = "127.0.0.1"
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.target.Load())
			r.Out.URL.RawQuery = r.In.URL.RawQuery // unchanged, even if it is malformed
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second, // sooner than the emulator's 75 s
			DisableCompression:  true,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.target.Load() == nil {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			forward.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// SetTarget forwards all requests to this address from now on. Their paths are
// appended to the address's own path, so nothing else can be reached.
func (p *Proxy) SetTarget(address string) error {
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	p.target.Store(target)
	return nil
}

// Address is the base address of the API as this machine reaches it, without a
// slash at the end.
func (p *Proxy) Address() string { return "http://" + net.JoinHostPort(p.host, strconv.Itoa(p.port)) }

// Stop stops listening and closes every connection.
func (p *Proxy) Stop() { _ = p.server.Close() }
