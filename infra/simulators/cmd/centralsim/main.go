// Command centralsim serves a simulated ODK Central until it gets SIGTERM or SIGINT. It
// prints what to expect of its demonstration data and then `listening http://…` on
// standard output. Users: viewer@example.org/viewerpassword1 and
// admin@example.org/adminpassword1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "centralsim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("centralsim", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	submissions := flags.Int("submissions", 0, "demonstration submissions to make")
	seed := flags.Uint64("seed", 1, "of the demonstration data")
	release := flags.String("release", "2026.2", "release of Central to behave like")
	domain := flags.String("domain", "", "address that Central is configured with; its own by default")
	bare := flags.Bool("bare", false, "the backend without nginx before it")
	life := flags.Duration("session-life", 24*time.Hour, "how long a session lasts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *domain == "" {
		*domain = "http://" + listener.Addr().String()
	}
	central := centralsim.New(centralsim.Options{Release: *release, Domain: *domain, Bare: *bare, SessionLife: *life})
	if *submissions > 0 {
		expected, err := json.Marshal(central.Populate(*submissions, *seed))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "expected", string(expected))
	}
	return program.Serve(ctx, &http.Server{Handler: central, ReadHeaderTimeout: 10 * time.Second}, listener, out)
}
