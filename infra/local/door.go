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

// Door is the one stable address of the API. The emulator gives the API an
// address only when it is deployed; this one is known before, so that the
// deployment can be told it. Nothing but the API is behind it, and it logs
// nothing: paths name batches.
type Door struct {
	server *http.Server
	port   int
	host   string
	behind atomic.Pointer[url.URL]
}

// StartDoor opens a door at a preferred address, or at a free port of the same
// host if that is taken. Until Open is called it answers 503.
func StartDoor(ctx context.Context, address string) (*Door, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("front door: %w", err)
	}
	at := listener.Addr().(*net.TCPAddr)
	d := &Door{port: at.Port, host: at.IP.String()}
	if at.IP.IsUnspecified() {
		d.host = "127.0.0.1"
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(d.behind.Load())
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, even if it is wrong
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second, // sooner than the emulator's 75 s
			DisableCompression:  true,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	d.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if d.behind.Load() == nil {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			proxy.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() { _ = d.server.Serve(listener) }()
	return d, nil
}

// Open lets requests through to what is behind the door from now on. Their
// paths are put behind the path of that address, so nothing else is reached.
func (d *Door) Open(address string) error {
	behind, err := url.Parse(address)
	if err != nil {
		return err
	}
	d.behind.Store(behind)
	return nil
}

// Address is the base address of the API as this machine reaches it, without a
// slash at the end.
func (d *Door) Address() string { return "http://" + net.JoinHostPort(d.host, strconv.Itoa(d.port)) }

// Stop closes the door and every connection.
func (d *Door) Stop() { _ = d.server.Close() }
