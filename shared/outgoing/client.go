package outgoing

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	dialTimeout   = 5 * time.Second
	tlsTimeout    = 10 * time.Second
	maxHeader     = 64 << 10
	maxRetries    = 2
	maxRetryWait  = 5 * time.Second // of a Retry-After too
	retryPatience = 10 * time.Second
)

// New returns the client. It is safe for concurrent use, and one per process is
// enough.
func New(o Options) *http.Client {
	if o.MaxBody <= 0 {
		o.MaxBody = 16 << 20
	}
	if o.RetryWait <= 0 {
		o.RetryWait = 250 * time.Millisecond
	}
	transport := func(plain bool) *http.Transport {
		dialer := &net.Dialer{Timeout: dialTimeout, Resolver: o.Resolver, ControlContext: o.control(plain)}
		return &http.Transport{
			Proxy:                  nil, // the guard would check the proxy's address instead
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			TLSHandshakeTimeout:    tlsTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives:      true,
		}
	}
	once := &once{options: o, plain: transport(true), secure: transport(false)}
	return &http.Client{CheckRedirect: noRedirect, Transport: &policy{
		once: once,
		repeating: &retryablehttp.RoundTripper{Client: &retryablehttp.Client{
			HTTPClient:   &http.Client{CheckRedirect: noRedirect, Transport: once},
			Logger:       nil, // the default one prints addresses
			RetryMax:     maxRetries,
			RetryWaitMin: o.RetryWait,
			RetryWaitMax: maxRetryWait,
			CheckRetry:   worthRepeating,
			Backoff:      pause,
			ErrorHandler: retryablehttp.PassthroughErrorHandler,
		}},
	}}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// policy decides which requests may be repeated.
type policy struct{ once, repeating http.RoundTripper }

func (p *policy) RoundTrip(req *http.Request) (*http.Response, error) {
	_, marked := req.Header["Idempotency-Key"]
	if marked || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return p.repeating.RoundTrip(req)
	}
	return p.once.RoundTrip(req)
}

// once makes one attempt.
type once struct {
	options       Options
	plain, secure http.RoundTripper
}

// userAgent tells operators of servers and firewalls who calls.
const userAgent = "mts-connector"

func (o *once) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := o.options.Check(req.URL.Scheme, strings.ToLower(req.URL.Hostname())); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must
		}
		return nil, &Failure{cause: err}
	}
	transport := o.plain
	if req.URL.Scheme == "https" {
		transport = o.secure
	}
	var sent atomic.Bool // there was a connection to write to, its handshakes done
	start := time.Now()
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", userAgent)
	resp, err := transport.RoundTrip(req)
	took := time.Since(start)
	if err != nil {
		return nil, &Failure{cause: err, sent: sent.Load(), took: took}
	}
	if _, err := resp.Location(); err != nil {
		resp.Header.Del("Location") // net/http would throw the reply away, as if there were none
	}
	resp.Body = newBody(ctx, resp.Body, o.options.MaxBody, took)
	return resp, nil
}

// worthRepeating is true after a failed connection, and after the reply of a
// gateway without a server, if there is time for a next attempt. It is false
// after a slow failure: the registry may still be running the query, and
// repetitions would pile up there (facts/odoo.md A6).
func worthRepeating(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if !hasTime(ctx) {
		return false, nil // the caller gets the error or the reply
	}
	if err != nil {
		failure, ok := errors.AsType[*Failure](err)
		return ok && failure.took < retryPatience && !failure.lasting(), nil
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		reply, ok := resp.Body.(*body)
		return ok && reply.took < retryPatience, nil
	}
	return false, nil
}

// hasTime reports whether the longest pause fits into the time that is left.
// Otherwise the result of this attempt would be lost without another one.
func hasTime(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Until(deadline) >= maxRetryWait)
}

// pause is the server's Retry-After, up to limit, else first, doubled with each
// attempt; half of it is random.
func pause(first, limit time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
			return min(time.Duration(min(seconds, 3600))*time.Second, limit)
		}
	}
	wait := min(first<<attempt, limit)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // spreads load, guards nothing
}
