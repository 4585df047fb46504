package mtssim

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A time limit is one of silence, not of the whole exchange. Time is virtual, so
// a busy machine changes nothing.
func TestTimeLimits(t *testing.T) {
	const limit = 60 * time.Millisecond
	steady := func(server net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
			return
		}
		_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
		for range 4 {
			time.Sleep(limit / 3)
			_, _ = server.Write([]byte("x"))
		}
	}
	silent := func(server net.Conn) { _, _ = io.Copy(io.Discard, server) }

	for name, c := range map[string]struct {
		serve func(net.Conn)
		fails bool
	}{
		"slow but steady": {steady, false},
		"silent":          {silent, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(context.Context, string, string) (net.Conn, error) {
					client, server := net.Pipe()
					go func() {
						defer func() { _ = server.Close() }()
						c.serve(server)
					}()
					return client, nil
				}
				start := time.Now()
				_, err := send(t.Context(), dial, outgoing{url: "http://receiver.example", method: "POST"}, limit, []byte("{}"))
				if took := time.Since(start); (err != nil) != c.fails || took < limit {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
