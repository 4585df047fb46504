// Command serve runs the console with data of a demo, for who makes its pages:
//
//	go run ./infra/console/serve                  at a free port of loopback
//	go run ./infra/console/serve -listen 127.0.0.1:8080 -empty -log
//
// It serves what shared/console/web/build.mjs built last. Registries and MTS are at
// https://registry.example and https://mts.example, for it alone; the database is g2p,
// user and password admin.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/local"
)

func main() {
	o := console.Options{Reuse: local.Reuse}
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address to listen on")
	flag.StringVar(&o.Label, "label", "TEST", "what the deployment is called")
	flag.DurationVar(&o.Bearer, "bearer", 5*time.Minute, "how long an access token is valid")
	flag.BoolVar(&o.Empty, "empty", false, "no connector")
	log := flag.Bool("log", false, "print what the functions log")
	flag.Parse()
	if *log {
		o.Log = os.Stderr
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	world, err := console.Start(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
	defer world.Close()
	fmt.Println("console  ", world.Address)
	<-ctx.Done()
}
