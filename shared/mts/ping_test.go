package mts_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

// An MTS is told from what is none, whatever answers in its place.
func TestPing(t *testing.T) {
	answering := func(status int, kind, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		})
	}
	only := func(path string, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(path, h)
		return mux
	}
	sim := mtssim.New(mtssim.Options{})
	t.Cleanup(sim.Close)
	for name, test := range map[string]struct {
		handler http.Handler
		kind    seeding.FaultKind
		code    string // "": there is an MTS
	}{
		"MTS":                      {sim, 0, ""},
		"a web page":               {answering(200, "text/html", "<html>pong</html>"), seeding.RefusedRequest, "BadAnswer"},
		"another server":           {answering(200, "application/json", `{"status":"UP"}`), seeding.RefusedRequest, "BadAnswer"},
		"a text":                   {answering(200, "application/json", `"ok"`), seeding.RefusedRequest, "BadAnswer"},
		"nothing there":            {answering(404, "application/json", `{"detail":"Not Found"}`), seeding.RefusedRequest, "HTTP-404"},
		"a redirect":               {answering(302, "text/html", ""), seeding.RefusedRequest, "HTTP-302"},
		"a proxy without a server": {answering(502, "text/html", ""), seeding.Unknown, "HTTP-502"},
		"a pong, and no requests":  {only("/ping", answering(200, "application/json", `"[0 - 0] pong"`)), seeding.RefusedRequest, "HTTP-404"},
	} {
		server := httptest.NewServer(test.handler)
		client := client()
		err := client.Ping(t.Context(), server.URL)
		if fault := seeding.FaultOf(err); err == nil != (test.code == "") || err != nil && (fault.Kind != test.kind || fault.Code != test.code) {
			t.Errorf("%s: %v, want %v (%s)", name, err, test.kind, test.code)
		}
		server.Close()
		if test.code != "" {
			continue
		}
		if err := client.Ping(t.Context(), server.URL); seeding.FaultOf(err).Code != "ConnectionRefused" {
			t.Errorf("a server that is down: %v", err)
		}
	}
}
