package mtssim

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The time limit is on each read, not on the whole.
func TestTimeLimits(t *testing.T) {
	const limit = 60 * time.Millisecond
	drip := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 4 {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(limit / 3)
		}
	}))
	defer drip.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	try := func(url string) error {
		return send(context.Background(), new(net.Dialer).DialContext, &callback{url: url, method: "POST", authType: authNone}, limit, []byte("{}"))
	}
	if err := try(drip.URL); err != nil {
		t.Errorf("slow but steady: %v", err)
	}
	start := time.Now()
	if err := try("http://" + silent.Addr().String()); err == nil || time.Since(start) < limit {
		t.Errorf("silent: %v after %v", err, time.Since(start))
	}
}
