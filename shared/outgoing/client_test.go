package outgoing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"openg2p.org/mts-connector/shared/outgoing"
)

func local(t *testing.T) outgoing.Options {
	return outgoing.Options{AllowedRanges: ranges(t, "127.0.0.0/8"), Loopback: true, RetryWait: time.Millisecond}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other.URL, "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "/again"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				t.Run(method+" "+strconv.Itoa(status)+" "+target, func(t *testing.T) {
					var asked atomic.Int32
					server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						asked.Add(1)
						w.Header().Set("Location", target)
						w.WriteHeader(status)
					}))
					defer server.Close()
					req, _ := http.NewRequest(method, server.URL, strings.NewReader("body"))
					resp, err := outgoing.New(local(t)).Do(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close()
					if resp.StatusCode != status || asked.Load() != 1 || hits.Load() != 0 {
						t.Errorf("status %d, asked %d times, target reached %d times", resp.StatusCode, asked.Load(), hits.Load())
					}
				})
			}
		}
	}
}

// A redirect is a reply, whatever it leads to: a batch that got one was not taken.
func TestRedirectToNoAddressIsAReply(t *testing.T) {
	for name, locations := range map[string][]string{
		"no scheme":       {"://x"},
		"bad escape":      {"https://login.example.org/%zz"},
		"escaped host":    {"https://%2e%zz/"},
		"bad port":        {"https://login.example.org:port/"},
		"open bracket":    {"http://[::1/"},
		"several":         {"://x", "https://login.example.org/"},
		"empty":           {""},
		"none":            nil,
		"space in a host": {"https://log in/"},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Location"] = locations
					w.WriteHeader(status)
				}))
				req, _ := http.NewRequest(method, server.URL, strings.NewReader("body"))
				resp, err := outgoing.New(local(t)).Do(req)
				if err != nil {
					t.Errorf("%s, %s, %d: %v", name, method, status, err)
				} else if _ = resp.Body.Close(); resp.StatusCode != status {
					t.Errorf("%s, %s: status %d instead of %d", name, method, resp.StatusCode, status)
				}
				server.Close()
			}
		}
	}
}

// A body that breaks off says why, as a request without a reply does.
func TestBodyThatBreaksOffHasACause(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, c := range map[string]struct {
		send func(http.ResponseWriter)
		code string
	}{
		"slow": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-release
		}, "Timeout"},
		"cut off": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, "ConnectionLost"},
		"cut off between chunks": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, "ConnectionLost"},
		"not packed": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip at all")
		}, "NotHTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.send(w) }))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.code == "Timeout" {
				ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
				defer cancel()
			}
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, nil)
			resp, err := outgoing.New(local(t)).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.ReadAll(resp.Body)
			if sent, code := outcome(err); !sent || code != c.code {
				t.Errorf("sent %v, %q (%v), want %q", sent, code, err, c.code)
			}
		})
	}
}

// Some servers put a byte order mark before their JSON.
func TestByteOrderMarkIsLeftOut(t *testing.T) {
	for text, want := range map[string]string{
		"\ufeff{}": "{}", "{}": "{}", "": "", "\ufeff": "", "\ufeff\ufeff1": "\ufeff1", "x\ufeff": "x\ufeff", "\xef\xbb": "\xef\xbb", "\xef\xbb1": "\xef\xbb1",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range len(text) { // in pieces
				_, _ = w.Write([]byte{text[i]})
				_ = http.NewResponseController(w).Flush()
			}
		}))
		resp, err := outgoing.New(local(t)).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(iotest.OneByteReader(resp.Body)); err != nil || string(got) != want {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		_ = resp.Body.Close()
		server.Close()
	}
}

// Firewalls and the logs of servers can tell who calls, in every attempt.
func TestEveryCallNamesItsUserAgent(t *testing.T) {
	var mu sync.Mutex
	var agents []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		agents = append(agents, r.UserAgent())
		if len(agents) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	client := outgoing.New(local(t))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, _ := http.NewRequest(method, server.URL, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if want := slices.Repeat([]string{"mts-connector"}, 3); !slices.Equal(agents, want) { // the GET twice
		t.Errorf("agents %q, want %q", agents, want)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	const limit = 1000
	for _, test := range []struct {
		name   string
		size   int
		packed bool
		cut    bool
	}{
		{"empty", 0, false, false},
		{"at the limit", limit, false, false},
		{"above", limit + 1, false, true},
		{"far above", 100 * limit, false, true},
		{"compressed below, unpacked above", 100 * limit, true, true},
		{"compressed", limit, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				var out io.Writer = w
				if test.packed {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer func() { _ = z.Close() }()
					out = z
				}
				_, _ = out.Write(make([]byte, test.size))
			}))
			defer server.Close()
			options := local(t)
			options.MaxBody = limit
			resp, err := outgoing.New(options).Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			got, err := io.ReadAll(resp.Body)
			tooLarge, cut := errors.AsType[*outgoing.TooLarge](err)
			if cut != test.cut || !cut && err != nil {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if want := min(test.size, limit); len(got) != want {
				t.Errorf("%d bytes", len(got))
			}
			if cut {
				if tooLarge.Limit != limit {
					t.Errorf("limit %d", tooLarge.Limit)
				}
				if sent, code := outcome(err); !sent || code != "AnswerTooLarge" {
					t.Errorf("sent %v, %q", sent, code)
				}
				if n, err := resp.Body.Read(make([]byte, 10)); n != 0 || err == nil {
					t.Errorf("reading on gives %d bytes, %v", n, err)
				}
			}
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Long", strings.Repeat("x", 1<<20))
	}))
	defer server.Close()
	_, err := outgoing.New(local(t)).Post(server.URL, "", nil)
	if sent, _ := outcome(err); err == nil || !sent {
		t.Errorf("sent %v, %v", sent, err)
	}
}

// A request that may have taken effect is not repeated.
func TestRepetitions(t *testing.T) {
	drop := func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	for _, test := range []struct {
		name     string
		method   string
		marked   bool
		fail     func(http.ResponseWriter)
		failures int // before it works
		attempts int
		status   int // 0: an error
	}{
		{"GET, lost", "GET", false, drop, 1, 2, 200},
		{"GET, lost twice", "GET", false, drop, 2, 3, 200},
		{"GET, lost for ever", "GET", false, drop, 9, 3, 0},
		{"GET, 502", "GET", false, status(502), 1, 2, 200},
		{"GET, 503", "GET", false, status(503), 2, 3, 200},
		{"GET, 504", "GET", false, status(504), 1, 2, 200},
		{"GET, 503 for ever", "GET", false, status(503), 9, 3, 503},
		{"GET, 500", "GET", false, status(500), 1, 1, 500},
		{"GET, 429", "GET", false, status(429), 1, 1, 429},
		{"GET, 404", "GET", false, status(404), 1, 1, 404},
		{"marked POST, lost", "POST", true, drop, 1, 2, 200},
		{"marked POST, 503", "POST", true, status(503), 2, 3, 200},
		{"POST, lost", "POST", false, drop, 1, 1, 0},
		{"POST, 503", "POST", false, status(503), 1, 1, 503},
		{"PUT, lost", "PUT", false, drop, 1, 1, 0},
		{"DELETE, lost", "DELETE", false, drop, 1, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var attempts atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := int(attempts.Add(1))
				if body, _ := io.ReadAll(r.Body); string(body) != "whole body" {
					t.Errorf("attempt %d has body %q", n, body)
				}
				if _, there := r.Header["Idempotency-Key"]; there {
					t.Error("the mark was sent")
				}
				if n <= test.failures {
					test.fail(w)
				}
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			defer server.Close()
			req, _ := http.NewRequest(test.method, server.URL, strings.NewReader("whole body"))
			if test.marked {
				req.Header["Idempotency-Key"] = []string{}
			}
			resp, err := outgoing.New(local(t)).Do(req)
			got := 0
			if err == nil {
				got = resp.StatusCode
				_ = resp.Body.Close()
			} else if sent, code := outcome(err); !sent || code != "ConnectionLost" {
				t.Errorf("sent %v, %q (%v)", sent, code, err)
			}
			if got != test.status || int(attempts.Load()) != test.attempts {
				t.Errorf("status %d after %d attempts (%v)", got, attempts.Load(), err)
			}
		})
	}
}

func TestRepetitionsStayWithinTheirTime(t *testing.T) {
	var attempts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // shorter than any pause that is asked for
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	start := time.Now()
	resp, err := outgoing.New(local(t)).Do(req)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("got %v", err)
	}
	_ = resp.Body.Close()
	if attempts.Load() != 1 || time.Since(start) > 3*time.Second {
		t.Errorf("%d attempts in %s", attempts.Load(), time.Since(start))
	}
}

func TestPauses(t *testing.T) {
	retryAfter := func(after string) *http.Response { return &http.Response{Header: http.Header{"Retry-After": {after}}} }
	for _, test := range []struct {
		name      string
		attempt   int
		resp      *http.Response
		low, high time.Duration
	}{
		{"first", 0, nil, 50, 101},
		{"second", 1, nil, 100, 201},
		{"capped", 20, nil, 500, 1001},
		{"asked for nothing", 0, retryAfter("0"), 0, 0},
		{"asked for too much", 0, retryAfter("86400"), 1000, 1000},
		{"asked for more than fits", 0, retryAfter("9223372036854775807"), 1000, 1000},
		{"not a number", 0, retryAfter("soon"), 50, 101},
		{"negative", 0, retryAfter("-1"), 50, 101},
	} {
		for range 20 {
			if got := outgoing.Pause(100, 1000, test.attempt, test.resp); got < test.low || got > test.high {
				t.Errorf("%s: %d", test.name, got)
			}
		}
	}
}

// Whether anything was sent decides what a failed write means.
func TestNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	_ = closed.Close()

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()

	plain := httptest.NewServer(http.NotFoundHandler())
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer plain.Close()

	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)

	for _, test := range []struct {
		name    string
		url     string
		roots   *x509.CertPool
		timeout time.Duration
		sent    bool
		code    string
	}{
		{"nobody listens", nobody, nil, time.Minute, false, "ConnectionRefused"},
		{"certificate of nobody known", secure.URL, nil, time.Minute, false, "CertificateUnknown"},
		{"certificate of another host", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), trusted, time.Minute, false, "CertificateName"},
		{"TLS 1.1", old.URL, nil, time.Minute, false, "TLSVersion"},
		{"not TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, time.Minute, false, "NotTLS"},
		{"no time", plain.URL, nil, time.Nanosecond, false, "Timeout"},
		{"not HTTP", "ftp://127.0.0.1/", nil, time.Minute, false, "ConnectionFailed"},
		{"no reply in time", silent.URL, nil, time.Second, true, "Timeout"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(test.name+" "+method, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
				defer cancel()
				options := local(t)
				options.RootCAs = test.roots
				req, _ := http.NewRequestWithContext(ctx, method, test.url, bytes.NewReader([]byte("x")))
				_, err := outgoing.New(options).Do(req)
				if sent, code := outcome(err); sent != test.sent || code != test.code {
					t.Errorf("sent %v, %q (%v)", sent, code, err)
				}
			})
		}
	}

	options := local(t)
	options.RootCAs = trusted
	resp, err := outgoing.New(options).Get(secure.URL)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("trusted: %v", err)
	}
	_ = resp.Body.Close()
}

// A slow failure is not repeated.
func TestWorthRepeating(t *testing.T) {
	lost := errors.New("connection lost")
	for _, test := range []struct {
		name string
		err  error
		took time.Duration
		want bool
	}{
		{"lost at once", lost, time.Second, true},
		{"lost after a while", lost, 9 * time.Second, true},
		{"lost after long", lost, 10 * time.Second, false},
		{"bad gateway at once", nil, time.Second, true},
		{"bad gateway after long", nil, time.Minute, false},
		{"address not allowed", &outgoing.Blocked{}, 0, false},
		{"plain http", &outgoing.PlainHTTP{}, 0, false},
		{"certificate", x509.UnknownAuthorityError{}, 0, false},
		{"not TLS", tls.RecordHeaderError{}, 0, false},
		{"no such name", &net.DNSError{IsNotFound: true}, 0, false},
		{"name servers do not answer", &net.DNSError{IsTimeout: true}, time.Second, true},
	} {
		if got := outgoing.WorthRepeating(t.Context(), test.err, test.took); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if outgoing.WorthRepeating(canceled, lost, 0) {
		t.Error("repeated without a caller")
	}
}

// A frozen Lambda would find its connections dead.
func TestConnectionsAreNotKept(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := outgoing.New(local(t))
	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if connections.Load() != 3 {
		t.Errorf("%d connections", connections.Load())
	}
}
