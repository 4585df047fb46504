package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"openg2p.org/mts-connector/shared/gateway"
)

// event reads a recorded event.
func event(t *testing.T, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func serve(t *testing.T, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	response, err := gateway.Handler(h, 1000, slog.New(slog.DiscardHandler))(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, method, path, query, host, body string
		header                                map[string]string
		subject                               string
	}{
		{name: "put-with-token", method: "PUT", path: "/connectors/ABC", query: "dry=1&dry=2", host: "api.example.org", body: `{"name":"é"}`,
			header:  map[string]string{"If-Match": `"3"`, "Content-Type": "application/json", "Accept": "application/json,text/plain", "Cookie": "a=1; b=2"},
			subject: "user-1"},
		{name: "get-bare", method: "GET", path: "/connectors", host: "api.example.org"},
		{name: "post-base64-stage", method: "POST", path: "/callback/b1", host: "api.example.org", body: "\x1f\x8b\x08",
			header: map[string]string{"Authorization": "Bearer capability"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			called := false
			serve(t, func(_ http.ResponseWriter, r *http.Request) {
				called = true
				body, err := io.ReadAll(r.Body)
				if r.Method != c.method || r.URL.Path != c.path || r.URL.RawQuery != c.query || r.Host != c.host ||
					string(body) != c.body || err != nil || r.ContentLength != int64(len(c.body)) {
					t.Errorf("%s %s ? %s %s %q %d %v", r.Method, r.URL.Path, r.URL.RawQuery, r.Host, body, r.ContentLength, err)
				}
				for name, want := range c.header {
					if got := r.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if got := gateway.Claims(r.Context())["sub"]; got != c.subject {
					t.Errorf("subject %q", got)
				}
			}, event(t, c.name))
			if !called {
				t.Error("the handler was not called")
			}
		})
	}
}

func TestPaths(t *testing.T) {
	for raw, want := range map[string]string{"/a%2Fb": "/a/b", "/a b": "/a b", "/100%": "/100%", "/": "/", "/ä": "/ä"} {
		e := event(t, "get-bare")
		e.RawPath = raw
		called := false
		serve(t, func(_ http.ResponseWriter, r *http.Request) {
			called = true
			if r.URL.Path != want {
				t.Errorf("%q became %q", raw, r.URL.Path)
			}
		}, e)
		if !called {
			t.Errorf("%q is refused", raw)
		}
	}
}

// http.ServeMux answers paths that are not clean with a redirect in HTML, and
// unknown paths and methods with plain text. None of these leaves a function.
func TestEveryErrorIsAProblemAndNoneARedirect(t *testing.T) {
	mux := http.NewServeMux()
	ok := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("POST /callback/{batch}", ok)
	mux.HandleFunc("GET /connectors", ok)
	mux.HandleFunc("GET /tree/", ok)
	mux.HandleFunc("GET /text", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Ana Cruz", http.StatusTeapot) })
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example", http.StatusFound)
	})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/connectors", 200}, {"POST", "/callback/b1", 200}, {"GET", "/tree/x", 200},
		{"GET", "//connectors", 404}, {"GET", "/connectors/", 404}, {"GET", "/connectors//", 404}, {"GET", "/connectors/../x", 404},
		{"GET", "/./connectors", 404}, {"GET", "/x/../connectors", 404}, {"GET", "/x/%2e%2e/connectors", 404}, {"GET", "/%2fconnectors", 404},
		{"POST", "/callback//b1", 404}, {"POST", "/callback/b1/", 404}, {"POST", "//callback/b1", 404}, {"POST", "/callback", 404},
		{"POST", "/callback/", 404}, {"POST", "/callback/b1/..", 404}, {"GET", "/tree", 404}, {"GET", "/tree/", 404},
		{"GET", "", 404}, {"GET", "connectors", 404}, {"GET", "*", 404}, {"GET", "//elsewhere.example/connectors", 404},
		{"GET", "/nothing", 404}, {"GET", "/", 404}, {"GET", "/callback/b1", 405}, {"DELETE", "/connectors", 405}, {"PATCH", "/callback/b1", 405},
		{"OPTIONS", "/connectors", 405},
		{"GET", "/text", 418}, {"GET", "/moved", 404},
	} {
		e := event(t, "get-bare")
		e.RawPath, e.RequestContext.HTTP.Method = c.path, c.method
		got := serve(t, mux.ServeHTTP, e)
		if got.StatusCode != c.want || got.Headers["location"] != "" {
			t.Errorf("%s %q: %d %v", c.method, c.path, got.StatusCode, got.Headers)
			continue
		}
		if c.want == 200 {
			continue
		}
		var reply struct {
			Title  string
			Status int
		}
		if err := json.Unmarshal([]byte(got.Body), &reply); err != nil || reply.Status != c.want || reply.Title == "" ||
			got.Headers["content-type"] != "application/problem+json" || strings.Contains(got.Body, "Cruz") {
			t.Errorf("%s %q: %v %s", c.method, c.path, got.Headers, got.Body)
		}
		if c.want == 405 && got.Headers["allow"] == "" {
			t.Errorf("%s %q: the methods are not listed", c.method, c.path)
		}
	}
}

func TestARedirectThatAHandlerMeansPasses(t *testing.T) {
	got := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://sso.example.org/authorize")
		w.WriteHeader(http.StatusFound)
	}, event(t, "get-bare"))
	if got.StatusCode != http.StatusFound || got.Headers["location"] != "https://sso.example.org/authorize" || got.Body != "" {
		t.Errorf("%+v", got)
	}
}

// A custom domain may lead to the API below a base path, which stays in rawPath.
func TestThePathBeginsWhereThatOfTheRouteDoes(t *testing.T) {
	for _, c := range []struct{ route, raw, want string }{
		{"GET /connectors", "/connectors", "/connectors"},
		{"GET /connectors", "/mts/connectors", "/connectors"},
		{"ANY /connectors/{proxy+}", "/mts/connectors/c1/runs", "/connectors/c1/runs"},
		{"ANY /connectors/{proxy+}", "/connectors/c1/connectors/x", "/connectors/c1/connectors/x"},
		{"ANY /connectors/{proxy+}", "/a/b/connectors/c1", "/connectors/c1"},
		{"POST /callback/{batch}", "/mts/callback/b%2F1", "/callback/b/1"},
		{"$default", "/mts/x", "/mts/x"},
		{"", "/mts/x", "/mts/x"},
	} {
		e := event(t, "get-bare")
		e.RouteKey, e.RawPath = c.route, c.raw
		path := ""
		serve(t, func(_ http.ResponseWriter, r *http.Request) { path = r.URL.Path }, e)
		if path != c.want {
			t.Errorf("%s at %s: %q, want %q", c.raw, c.route, path, c.want)
		}
	}
}

// A header of every reply is in those too that no handler wrote.
func TestAHeaderOfEveryReply(t *testing.T) {
	function := gateway.WithHeader(gateway.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("x")
		}
		w.Header().Set("Referrer-Policy", "origin")
	}), 1000, slog.New(slog.DiscardHandler)), http.Header{"Content-Security-Policy": {"default-src 'none'"}, "Referrer-Policy": {"no-referrer"}})
	for path, policy := range map[string]string{"/x": "origin", "/panic": "no-referrer", "//x": "no-referrer"} {
		e := event(t, "get-bare")
		e.RouteKey, e.RawPath = "$default", path
		got, err := function(t.Context(), e)
		if err != nil || got.Headers["content-security-policy"] != "default-src 'none'" || got.Headers["referrer-policy"] != policy {
			t.Errorf("%s: %+v %v", path, got, err)
		}
	}
}

func TestResponses(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		got := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"3"`)
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Origin")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("Too", "late")
			fmt.Fprint(w, "héllo")
		}, event(t, "get-bare"))
		if got.StatusCode != 201 || got.Body != "héllo" || got.IsBase64Encoded || got.Headers["etag"] != `"3"` ||
			got.Headers["vary"] != "Accept, Origin" || len(got.Cookies) != 2 || got.Headers["too"] != "" || got.Headers["set-cookie"] != "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		got := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe}) }, event(t, "get-bare"))
		if got.StatusCode != 200 || got.Body != "//4=" || !got.IsBase64Encoded {
			t.Errorf("%+v", got)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		got := serve(t, func(http.ResponseWriter, *http.Request) {}, event(t, "get-bare"))
		if got.StatusCode != 200 || got.Body != "" || got.Headers == nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	never := func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }
	for name, c := range map[string]struct {
		change func(*events.APIGatewayV2HTTPRequest)
		want   int
	}{
		"too long":          {func(e *events.APIGatewayV2HTTPRequest) { e.Body = strings.Repeat("x", 1001) }, 413},
		"too long, decoded": {func(e *events.APIGatewayV2HTTPRequest) { e.Body, e.IsBase64Encoded = strings.Repeat("AAAA", 400), true }, 413},
		"no base64":         {func(e *events.APIGatewayV2HTTPRequest) { e.Body, e.IsBase64Encoded = "{}", true }, 400},
		"no method":         {func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "G E T" }, 400},
	} {
		e := event(t, "put-with-token")
		c.change(&e)
		got := serve(t, never, e)
		var reply struct {
			Title, Detail string
			Status        int
		}
		if err := json.Unmarshal([]byte(got.Body), &reply); err != nil || got.StatusCode != c.want || reply.Status != c.want || reply.Detail == "" ||
			got.Headers["content-type"] != "application/problem+json" {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	at := event(t, "put-with-token")
	at.Body = strings.Repeat("x", 1000)
	if got := serve(t, func(http.ResponseWriter, *http.Request) {}, at); got.StatusCode != 200 {
		t.Errorf("at the limit: %d", got.StatusCode)
	}
}

func TestPanics(t *testing.T) {
	for _, value := range []any{errors.New("Ana Cruz, 1990-11-02"), "Ana Cruz", http.ErrAbortHandler, outOfRange} {
		var logged bytes.Buffer
		function := gateway.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half of ")
			if f, ok := value.(func()); ok {
				f()
			}
			panic(value)
		}), 1000, slog.New(slog.NewJSONHandler(&logged, nil)))
		got, err := function(t.Context(), event(t, "get-bare"))
		if err != nil || got.StatusCode != 500 || strings.Contains(got.Body, "half of") || strings.Contains(got.Body+logged.String(), "Cruz") {
			t.Errorf("%+v %v %s", got, err, logged.String())
		}
		if !strings.Contains(logged.String(), "gateway_test.") {
			t.Errorf("the place is not logged: %s", logged.String())
		}
	}
}

var outOfRange = func() {
	var names []string
	names[len(names)] = "Ana Cruz"
}

func TestTheHandlerKnowsRequestAndCaller(t *testing.T) {
	for _, c := range []struct {
		claims      map[string]string
		name, claim string
	}{
		{map[string]string{"sub": "user-1", "client_id": "console"}, "user-1", "sub"},
		{map[string]string{"client_id": "nightly", "azp": "other"}, "nightly", "client_id"},
		{map[string]string{"sub": "", "azp": "nightly"}, "nightly", "azp"},
		{map[string]string{"email": "somebody@example.org"}, "", ""},
		{nil, "", ""},
	} {
		e := event(t, "get-bare")
		e.RequestContext.RequestID = "JKJaXmPLvHcESHA="
		if c.claims != nil {
			e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: c.claims}}
		}
		serve(t, func(_ http.ResponseWriter, r *http.Request) {
			name, claim := gateway.Caller(r.Context())
			if name != c.name || claim != c.claim || gateway.RequestID(r.Context()) != "JKJaXmPLvHcESHA=" {
				t.Errorf("%v: %q by %q, request %q", c.claims, name, claim, gateway.RequestID(r.Context()))
			}
		}, e)
	}
	if gateway.RequestID(t.Context()) != "" {
		t.Error("there is a request without the gateway")
	}
}
