package realodoo_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/realodoo"
)

// These tests need packages that change, so they are no part of `make test`; the
// make target names the lines to test. Odoo 19 must start. An older one that is
// not available any more is reported, and is no failure.
const linesVariable = "MTSC_REGISTRY_LINES"

// servers are one per line of Odoo; each test runs on all of them.
var servers []*realodoo.Server

// summary is printed in the end, as Markdown.
var summary strings.Builder

func note(format string, args ...any) { fmt.Fprintf(&summary, format+"\n", args...) }

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func TestMain(m *testing.M) {
	lines := strings.Fields(os.Getenv(linesVariable))
	if len(lines) == 0 {
		fmt.Println("real registries are tested by make test-registry")
		os.Exit(0)
	}
	os.Exit(run(m, lines))
}

func run(m *testing.M, lines []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	defer func() {
		for _, s := range servers {
			s.Stop()
		}
	}()
	note("Measured on %s with %d cores, %s/%s. PostgreSQL does not wait for the disk.\n",
		began.Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	for _, line := range lines {
		began := time.Now()
		s, err := start(ctx, line)
		switch {
		case err == nil:
			servers = append(servers, s)
			note("* Odoo %s: started in %s", s.Version, time.Since(began).Round(time.Second))
			progress("Odoo %s serves at %s", s.Version, s.URL)
		case line == "19" || ctx.Err() != nil:
			progress("Odoo %s is required: %v", line, err)
			return 1
		default:
			note("* **Odoo %s NOT TESTED**: %v", line, err)
		}
	}
	stop() // an interrupt ends this process, and the servers with it
	code := m.Run()
	note("\nTook %s.", time.Since(began).Round(time.Second))
	fmt.Printf("\n%s\n", summary.String())
	return code
}

func start(ctx context.Context, line string) (*realodoo.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	odoo, err := realodoo.Fetch(ctx, line, os.Stderr)
	if err != nil {
		return nil, err
	}
	return odoo.Start(ctx)
}

// onEach runs a test on every server.
func onEach(t *testing.T, test func(t *testing.T, s *realodoo.Server)) {
	for _, s := range servers {
		t.Run("Odoo "+s.Line, func(t *testing.T) {
			progress("%s", t.Name())
			t.Cleanup(func() { empty(t, s) })
			test(t, s)
		})
	}
}

// empty removes all registrants.
func empty(t *testing.T, s *realodoo.Server) {
	t.Helper()
	if _, err := s.SQL(withoutEnd(t), "TRUNCATE g2p_reg_id", "TRUNCATE g2p_phone_number", "DELETE FROM res_partner WHERE is_registrant"); err != nil {
		t.Error(err)
	}
}

// withoutEnd is for cleaning up after a test, when its context has ended; psql
// has a time limit of its own.
func withoutEnd(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
