// Command bench measures speed and size, compares them with the goals and prints
// them as Markdown. A missed goal is printed as missed and is no failure; the
// exit status is 1 only if something could not be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
)

func main() {
	only := flag.Bool("throughput", false, "measure the throughput only")
	widths := flag.String("widths", "", "note the width over time at each MTS whose name contains this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, os.Stdout, os.Stderr, *only, *widths); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted") // the other errors follow from it
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// report collects what was measured.
type report struct {
	rows  []row
	notes []string
}

type row struct {
	measure, goal, measured string
	met                     bool
}

func (r *report) add(measure, goal string, met bool, measured string, a ...any) {
	r.rows = append(r.rows, row{measure, goal, fmt.Sprintf(measured, a...), met})
}

// compare adds the p99 of as many times of ours over that of a bare call.
func (r *report) compare(measure string, most float64, ours, bare []time.Duration) {
	slices.Sort(ours)
	slices.Sort(bare)
	p99, half := len(ours)*99/100-1, len(ours)/2
	ratio := float64(ours[p99]) / float64(bare[p99])
	r.add(measure, fmt.Sprintf("≤ %g", most), ratio <= most, "%.2f (%.2f ms / %.2f ms; medians %.2f ms / %.2f ms)", ratio,
		milliseconds(ours[p99]), milliseconds(bare[p99]), milliseconds(ours[half]), milliseconds(bare[half]))
}

func (r *report) note(format string, a ...any) { r.notes = append(r.notes, fmt.Sprintf(format, a...)) }

func bench(ctx context.Context, out, progress io.Writer, throughputOnly bool, widths string) error {
	began := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	var r report
	if !throughputOnly {
		if err := measureAll(ctx, &r, say, dir); err != nil {
			return err
		}
	}
	if err := throughputs(ctx, &r, say, dir, widths); err != nil {
		return err
	}
	say("done")

	fmt.Fprintf(out, "Measured on %s with %d cores, %s/%s, %s.\n\n",
		began.Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	r.print(out)
	return nil
}

// measureAll measures all but the throughput.
func measureAll(ctx context.Context, r *report, say func(string, ...any), dir string) error {
	say("starting DynamoDB Local")
	db, err := dynamolocal.Start(ctx)
	if err != nil {
		return err
	}
	defer db.Stop()
	say("building the functions")
	binaries, err := build(ctx, dir)
	if err != nil {
		return err
	}
	// First, while the machine is idle.
	say("starting each of them %d times", starts)
	if err := coldStarts(ctx, db, binaries); err != nil {
		return err
	}
	m := measurer{db: db, say: say}
	memory := func(ctx context.Context, r *report) error { return m.memory(ctx, r, binaries) }
	for _, step := range []func(context.Context, *report) error{
		m.callback, memory, m.api, m.cost, m.listed, m.preview, m.speed, m.output, m.reads, m.losses, m.reconcile, m.fullPass,
	} {
		if err := step(ctx, r); err != nil {
			return err
		}
	}
	functions(r, binaries)
	return nil
}

func (r *report) print(out io.Writer) {
	fmt.Fprintln(out, "| Measure | Goal | Measured | Result |\n|---|---|---|---|")
	for _, row := range r.rows {
		verdict := "met"
		if !row.met {
			verdict = "**missed**"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", row.measure, row.goal, row.measured, verdict)
	}
	for _, note := range r.notes {
		fmt.Fprintf(out, "\n%s\n", note)
	}
}
