// Command soak makes many whole runs on the running stack while its functions are
// killed (SIGKILL) at random moments, and checks after each what must be true
// whatever goes wrong. Progress goes to standard error, a table in Markdown to
// standard output; the exit status is 1 if anything was violated.
package main

import (
	"cmp"
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
	runs := flag.Int("runs", 20, "number of runs with kills only")
	registrants := flag.Int("registrants", 2000, "registrants of each run")
	seed := flag.Int64("seed", 1, "seed of the first run; each further run has the next number")
	flag.Parse()
	err := soak(ctx, trials(*runs, *registrants, *seed), os.Stdout, os.Stderr)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted") // whatever error that caused
		}
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// trials are the runs of a soak: those with kills only, at MTSs of different sizes
// whose workers are killed too, and one for each thing that is also wrong, or different,
// during a whole run. During each there are imports too.
func trials(runs, registrants int, seed int64) []trial {
	// A tenth of MTS's real pace: 2,000 registrants keep it busy for 6 s.
	plain := trial{registrants: registrants, kills: 12, spacing: 800 * time.Millisecond, mts: mtssim.Options{Pace: 0.1}}
	var list []trial
	for i := range runs {
		t := plain
		t.name, t.seed = "killed", seed+int64(i)
		list = append(list, t.drawn())
	}
	for i, extra := range []trial{
		{name: "killed, without the stream", mts: plain.mts, disturb: withoutStream},
		// At this pace MTS needs longer than the expiry for 200 records, so
		// clean-up deletes the request before it is processed.
		{name: "killed, MTS forgets after 1 s", mts: mtssim.Options{Pace: 0.5, Expiry: time.Second, CleanupInterval: 250 * time.Millisecond}},
		// Batches of one size and a slow identity system keep its queue full.
		{
			name: "killed, MTS restarted with a full queue", disturb: restarts, batchMaximum: 200,
			mts: mtssim.Options{Pace: 0.1, IdentityLatency: 4 * time.Millisecond},
		},
		{name: "killed, with an Output Format", mts: plain.mts, format: individual},
		// Batches follow more slowly where only MTS's status and the registry tell of
		// them, so there are fewer registrants.
		{name: "killed, MTS calls the registry", mts: plain.mts, direct: true, registrants: min(registrants, 600)},
	} {
		t := extra
		t.seed, t.kills, t.spacing = seed+int64(runs+i), plain.kills, plain.spacing
		t.registrants = cmp.Or(extra.registrants, registrants)
		list = append(list, t)
	}
	return list
}

// soak runs the trials one after the other on one stack.
func soak(ctx context.Context, list []trial, out, progress io.Writer) error {
	began := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	say("starting the stack")
	r, err := open(ctx, say)
	if err != nil {
		return err
	}
	defer r.close()
	fmt.Fprintln(out, "| Run | Seed | MTS: replicas × workers | Registrants | Kills | of workers | Batches lost | Further runs | Seconds | Records sent per registrant | Result |\n|---|---|---|---|---|---|---|---|---|---|---|")
	violated := 0
	for _, t := range list {
		say("%s: seed %d, %d registrants, MTS %s", t.name, t.seed, t.registrants, t.size())
		result, err := r.run(ctx, t)
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", t.name, t.seed, err)
		}
		verdict := "all true"
		if len(result.violations) > 0 {
			verdict = "**violated**"
			violated++
		}
		for _, v := range result.violations {
			say("VIOLATED: %s", v)
		}
		fmt.Fprintf(out, "| %s | %d | %s | %d | %d | %d | %d | %d | %.1f | %.3f | %s |\n",
			t.name, t.seed, t.size(), t.registrants, result.kills, result.workers, result.lost, result.further, result.took.Seconds(), result.sent, verdict)
	}
	if violated > 0 {
		return fmt.Errorf("%d of %d runs violated what must be true", violated, len(list))
	}
	say("done")
	return nil
}
