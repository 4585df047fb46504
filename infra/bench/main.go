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
	"strings"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
)

func main() {
	only := flag.String("only", "", "measure only these `steps`, separated by commas: "+strings.Join(names(), ", "))
	widths := flag.String("widths", "", "note the width over time at each MTS whose name contains this `text`")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, os.Stdout, os.Stderr, chosen, *widths); err != nil {
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

// step is a part of the measures that can be made alone.
type step struct {
	name    string
	measure func(m *measurer, ctx context.Context, r *report) error
}

// steps are all of them. Cold starts come first, while the machine is idle.
var steps = []step{
	{"cold", (*measurer).coldStarts},
	{"page", (*measurer).page},
	{"callback", (*measurer).callback},
	{"memory", (*measurer).memory},
	{"reads", (*measurer).api},
	{"cost", (*measurer).cost},
	{"import", (*measurer).listed},
	{"preview", (*measurer).preview},
	{"speed", (*measurer).speed},
	{"output", (*measurer).output},
	{"rows", (*measurer).reads},
	{"losses", (*measurer).losses},
	{"odk", (*measurer).submissionsOfODK},
	{"odk memory", (*measurer).memoryOfODK},
	{"reconcile", (*measurer).reconcile},
	{"rejections", (*measurer).fullPass},
	{"throughput", (*measurer).throughputs},
}

func names() (list []string) {
	for _, s := range steps {
		list = append(list, s.name)
	}
	return list
}

// choose returns the steps that are named; all of them if none is.
func choose(only string) ([]step, error) {
	if only == "" {
		return steps, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no step %q; the steps are %s", name, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return !slices.Contains(wanted, s.name) }), nil
}

func bench(ctx context.Context, out, progress io.Writer, chosen []step, widths string) error {
	began := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	say("starting DynamoDB Local")
	db, err := dynamolocal.Start(ctx)
	if err != nil {
		return err
	}
	defer db.Stop()

	var r report
	m := measurer{db: db, say: say, dir: dir, widths: widths}
	var failed []error // what the other steps measure is printed all the same
	for _, s := range chosen {
		if err := s.measure(&m, ctx, &r); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			say("%v", failed[len(failed)-1])
		}
		if ctx.Err() != nil {
			break
		}
	}
	say("done")

	fmt.Fprintf(out, "Measured on %s with %d cores, %s/%s, %s.\n\n",
		began.Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	r.print(out)
	return errors.Join(failed...)
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
