// Command soak lets many whole runs go on the running stack while its functions
// are killed (SIGKILL) at random moments, and holds each to what must be true
// whatever goes wrong. Progress goes to standard error, a table in Markdown to
// standard output; the status is 1 if anything was violated.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := flag.Int("runs", 20, "how many runs with nothing wrong but kills")
	registrants := flag.Int("registrants", 2000, "of each run")
	seed := flag.Int64("seed", 1, "of the first run; the others count on from it")
	flag.Parse()
	err := soak(ctx, trials(*runs, *registrants, *seed), os.Stdout, os.Stderr)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted") // whatever that led to
		}
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// trials are the runs of a soak: those that are only killed in, and one for
// each of what else goes wrong for a whole run.
func trials(runs, registrants int, seed int64) []trial {
	// A tenth of MTS's real pace: 2,000 registrants keep it busy for 6 s.
	plain := trial{registrants: registrants, kills: 12, spacing: 800 * time.Millisecond, mts: mtssim.Options{Pace: 0.1}}
	var list []trial
	for i := range runs {
		t := plain
		t.name, t.seed = "killed", seed+int64(i)
		list = append(list, t)
	}
	for i, also := range []trial{
		{name: "killed, without the stream", mts: plain.mts, trouble: withoutStream},
		// At this pace MTS needs longer than that for 200 records: clean-up
		// deletes them before their turn is over.
		{name: "killed, MTS forgets after 1 s", mts: mtssim.Options{Pace: 0.5, Expiry: time.Second, CleanupInterval: 250 * time.Millisecond}},
		// Batches of one size and a slow identity system keep its queue full.
		{
			name: "killed, MTS restarted with a full queue", trouble: restarts, batchMaximum: 200,
			mts: mtssim.Options{Pace: 0.1, IdentityLatency: 4 * time.Millisecond},
		},
	} {
		t := plain
		t.name, t.seed, t.mts, t.trouble, t.batchMaximum = also.name, seed+int64(runs+i), also.mts, also.trouble, also.batchMaximum
		list = append(list, t)
	}
	return list
}

// soak makes the trials one after the other on one stack.
func soak(ctx context.Context, list []trial, out, progress io.Writer) error {
	began := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	say("starting the stack")
	s, err := open(ctx, say)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Fprintln(out, "| Run | Seed | Registrants | Kills | Batches lost | Further runs | Seconds | Records sent per registrant | Result |\n|---|---|---|---|---|---|---|---|---|")
	violated := 0
	for _, t := range list {
		say("%s: seed %d, %d registrants", t.name, t.seed, t.registrants)
		r, err := s.make(ctx, t)
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", t.name, t.seed, err)
		}
		verdict := "all true"
		if len(r.violations) > 0 {
			verdict = "**violated**"
			violated++
		}
		for _, v := range r.violations {
			say("VIOLATED: %s", v)
		}
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %d | %.1f | %.3f | %s |\n",
			t.name, t.seed, t.registrants, r.kills, r.lost, r.further, r.took.Seconds(), r.sent, verdict)
	}
	if violated > 0 {
		return fmt.Errorf("%d of %d runs violated what must be true", violated, len(list))
	}
	say("done")
	return nil
}
