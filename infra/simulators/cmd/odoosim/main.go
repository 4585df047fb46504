// Command odoosim serves a simulated OpenG2P registry until it gets SIGTERM or
// SIGINT. It prints what to expect of a run over its demonstration data and
// then `listening http://…` on standard output. Logins: admin/admin,
// clerk/clerkpw1, registrar/registrarpw1.
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
	"strings"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/simulators/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "odoosim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("odoosim", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	registrants := flags.Int("registrants", 0, "demonstration registrants to make")
	seed := flags.Int64("seed", 1, "of the demonstration data")
	pace := flags.Float64("pace", 0, "how slow: 0 at once, 1 like the real one")
	noIndex := flags.Bool("no-index", false, "no indexes on partner_id and value of g2p_reg_id, as shipped")
	status := flags.Bool("status", false, "a later line, whose identifiers have a status")
	rest := flags.String("rest", "", "line of g2p_registry_rest_api that is installed: 15.0 or 17.0")
	submissions := flags.Bool("submissions", false, "with the identifier type ODK SUBMISSION")
	mts := flags.Bool("mts", false, "with Odoo's own connectors: the modules mts_connector and g2p_mts")
	databases := flags.String("databases", "g2p", "database names, comma-separated")
	if err := flags.Parse(args); err != nil {
		return err
	}
	registry := odoosim.New(odoosim.Options{
		Databases: strings.Split(*databases, ","), Pace: *pace, NoIndex: *noIndex, Status: *status, REST: *rest, MTS: *mts, Submissions: *submissions,
	})
	if *registrants > 0 {
		expected, err := json.Marshal(registry.Populate(*registrants, *seed))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "expected", string(expected))
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	return program.Serve(ctx, &http.Server{Handler: registry, ReadHeaderTimeout: 10 * time.Second}, listener, out)
}
