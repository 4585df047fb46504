// Package program is what the programs around simulators share.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Serve prints `listening http://…` and serves until ctx ends; then all connections are
// closed at once, and nothing is wrong.
func Serve(ctx context.Context, server *http.Server, listener net.Listener, out io.Writer) error {
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if _, err := fmt.Fprintf(out, "listening http://%s\n", listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
