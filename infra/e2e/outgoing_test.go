package e2e_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// The local stack may reach 127.0.0.0/8. Any other IP address is refused when a
// connector is saved.
func TestAddressesOutsideTheAllowedRangesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, address := range []string{
		"http://169.254.169.254", "http://169.254.169.254/latest/meta-data", "https://169.254.169.254", "http://10.0.0.1:8069", "https://8.8.8.8",
		"http://[::ffff:169.254.169.254]", "http://[::ffff:10.0.0.1]:80", "http://[::1]:9", "http://0.0.0.0:9",
	} {
		for pointer, change := range map[string]func(map[string]any){"/mts_url": with("mts_url", address), "/registry/url": withRegistry("url", address)} {
			var problem struct {
				Errors []struct{ Pointer, Detail string } `json:"errors"`
			}
			call(t, "POST", "/connectors", w.body(change)).into(t, http.StatusUnprocessableEntity, &problem)
			if len(problem.Errors) != 1 || problem.Errors[0].Pointer != pointer {
				t.Errorf("%s as %s: %+v", address, pointer, problem.Errors)
			}
		}
	}
}

// What a name leads to is known when it is called. A connection out of range is
// refused before it is made, and the connector shows a problem.
func TestCallsStayWithinTheAllowedRanges(t *testing.T) {
	t.Parallel()
	outside := listenIPv6(t)
	byName := strings.Replace(outside.url, "[::1]", "localhost", 1) // 127.0.0.1 too, where nobody listens
	cases := map[string]struct {
		target string // "mts" or "registry"
		url    string // of it
		source seeding.Source
		code   string // in the log; empty: one of several
	}{
		"loopback of IPv6 as MTS":         {"mts", byName, seeding.ProblemMTS, ""},
		"loopback of IPv6 as registry":    {"registry", byName, seeding.ProblemRegistry, ""},
		"registry redirects to metadata":  {"registry", redirecting(t, "http://169.254.169.254/"), seeding.ProblemRead, "RedirectHost"},
		"registry redirects out of range": {"registry", redirecting(t, outside.url), seeding.ProblemRead, "RedirectHost"},
		"MTS redirects out of range":      {"mts", redirecting(t, outside.url), seeding.ProblemMTS, "HTTP-307"},
	}
	for name, g := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(3)
			change := with("mts_url", g.url)
			if g.target == "registry" {
				change = withRegistry("url", g.url)
			}
			c := w.createStarted(change)
			c.waitForProblem(g.source)
			w.until("the log names the reason", func() bool {
				lines, err := stack.Log(t.Context(), "submit")
				if err != nil {
					t.Fatal(err)
				}
				return slices.ContainsFunc(lines, func(line string) bool {
					return strings.Contains(line, c.id) && strings.Contains(line, g.code)
				})
			})
			if g.target == "registry" {
				expect(t, "POSTs to the MTS", len(w.recorder.all()), 0)
			}
			expect(t, "tokens", w.tokenised(), 0)
			c.stop()
			w.until("the run ends", func() bool { return c.state().Run == "" })
			expect(t, "rejections", len(c.rejections()), 0)
			expect(t, "connections to the address out of range", outside.connections.Load(), 0)
		})
	}
}

// A redirect to an allowed address is not followed either: a request is for the
// configured server only.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	elsewhere := serve(t, "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	w := newWorld(t, options{})
	w.addRegistrants(3)
	registry := w.createStarted(withRegistry("url", redirecting(t, elsewhere)))
	mts := w.createStarted(with("mts_url", redirecting(t, elsewhere)))
	registry.waitForProblem(seeding.ProblemRead)
	mts.waitForProblem(seeding.ProblemMTS)
	w.ticks(3)
	expect(t, "calls to the target of the redirect", calls.Load(), 0)
}

func redirecting(t *testing.T, to string) string {
	t.Helper()
	return serve(t, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}))
}

// ipv6Listener listens on this machine, at an address that is out of range.
type ipv6Listener struct {
	url         string
	connections atomic.Int64
}

func listenIPv6(t *testing.T) *ipv6Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		// Without IPv6 a connection could not be made anyway.
		t.Logf("no IPv6 here: %v", err)
		return &ipv6Listener{url: "http://[::1]:9"}
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &ipv6Listener{url: "http://" + listener.Addr().String()}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			_ = connection.Close()
		}
	}()
	return s
}
