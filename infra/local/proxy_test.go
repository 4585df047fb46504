package local_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/local"
)

func proxy(t *testing.T, address string) *local.Proxy {
	t.Helper()
	p, err := local.StartProxy(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func do(t *testing.T, method, address string, header http.Header, body []byte) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestProxyForwardsRequestsUnchanged(t *testing.T) {
	var got *http.Request
	var size int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		size, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Answer", "42")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}))
	defer target.Close()
	p := proxy(t, "127.0.0.1:0")

	if status, _ := do(t, "GET", p.Address()+"/a", nil, nil); status != http.StatusServiceUnavailable {
		t.Errorf("without a target: %d, want 503", status)
	}
	if err := p.SetTarget(target.URL + "/inner/$default"); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 8<<20)
	status, answer := do(t, "POST", p.Address()+"/callback/a%2Fb/%C3%A9?x=1;y&z=%zz", http.Header{"Authorization": {"Bearer x.y.z"}}, body)
	if status != http.StatusTeapot || answer != "short and stout" {
		t.Errorf("the answer is %d %q", status, answer)
	}
	if want := "/inner/$default/callback/a%2Fb/%C3%A9?x=1;y&z=%zz"; got.RequestURI != want {
		t.Errorf("path is %s, want %s", got.RequestURI, want)
	}
	if got.Header.Get("Authorization") != "Bearer x.y.z" || got.Method != "POST" || size != int64(len(body)) {
		t.Errorf("got %s with %d bytes, %v", got.Method, size, got.Header)
	}

	// Nothing above the path of the target can be reached.
	for _, path := range []string{"/../../up", "/%2e%2e/up", "//up"} {
		if do(t, "GET", p.Address()+path, nil, nil); !strings.HasPrefix(got.RequestURI, "/inner/$default/") {
			t.Errorf("%s reaches %s", path, got.RequestURI)
		}
	}

	target.Close()
	if status, answer := do(t, "GET", p.Address()+"/a", nil, nil); status != http.StatusBadGateway || answer != "" {
		t.Errorf("with the target stopped: %d %q, want 502 without a text", status, answer)
	}
}

func TestProxyTakesAnotherPortIfItsOwnIsTaken(t *testing.T) {
	first := proxy(t, "127.0.0.1:0")
	second := proxy(t, strings.TrimPrefix(first.Address(), "http://"))
	if first.Address() == second.Address() || !strings.HasPrefix(second.Address(), "http://127.0.0.1:") {
		t.Errorf("%s and %s", first.Address(), second.Address())
	}
}
