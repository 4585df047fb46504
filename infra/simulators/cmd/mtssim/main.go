// Program mtssim runs the MOSIP Token Seeder simulator. It prints its address
// as "listening http://host:port" and ends on SIGINT or SIGTERM, at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/program"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	var options mtssim.Options
	flag.Float64Var(&options.Pace, "pace", 0, "scale of its CPU time: 1 is the speed of the real one, 0 no waiting")
	flag.IntVar(&options.Workers, "workers", 1, "workers of each replica; MTS's container has 4")
	flag.IntVar(&options.Replicas, "replicas", 1, "replicas, which share nothing")
	flag.IntVar(&options.Processors, "processors", 1, "processors that the workers of a replica share")
	flag.IntVar(&options.MaxRequests, "max-requests", 0, "requests after which a worker ends and loses its queue; 0 is no limit, MTS's container has 10000")
	flag.DurationVar(&options.IdentityLatency, "identity-latency", 0, "time the identity system takes per record")
	flag.DurationVar(&options.Expiry, "expiry", 6*time.Hour, "age at which clean-up deletes a request")
	flag.DurationVar(&options.CleanupInterval, "cleanup-interval", 6*time.Hour, "how often clean-up looks")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, options); err != nil {
		fmt.Fprintln(os.Stderr, "mtssim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, options mtssim.Options) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case options.Pace < 0 || options.Expiry <= 0 || options.CleanupInterval <= 0:
		return errors.New("-pace may not be negative; -expiry and -cleanup-interval must be positive")
	case options.Workers < 1 || options.Replicas < 1 || options.Processors < 1 || options.MaxRequests < 0:
		return errors.New("-workers, -replicas and -processors must be positive; -max-requests may not be negative")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	simulator := mtssim.New(options)
	defer simulator.Close()
	server := &http.Server{Handler: simulator, ReadHeaderTimeout: time.Minute}
	simulator.Attach(server)
	return program.Serve(ctx, server, listener, os.Stdout)
}
