package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// report is the reconciliation report of the demo: what happened to everyone, the
// registry as a whole, and what it took.
type report struct {
	account
	open     []invariants.Figure // what should not be under way any more
	problems []string

	last      snapshot
	states    map[string]int // batches by how they were closed
	startedIn time.Duration
	took      time.Duration
}

// report collects the evidence and makes the report.
func (d *demo) report(ctx context.Context, last snapshot, took time.Duration) (*report, error) {
	rejections, err := d.connector.Rejections(ctx)
	if err != nil {
		return nil, err
	}
	account, err := d.people.account(ctx, rejections, last.run, last.mts.Counters.RecordsReceived)
	if err != nil {
		return nil, err
	}
	batches, err := d.connector.Batches(ctx, last.run.ID)
	if err != nil {
		return nil, err
	}
	r := &report{account: account, last: last, startedIn: d.startedIn, took: took, states: map[string]int{}}
	for _, b := range batches {
		r.states[b.State]++
	}
	for _, p := range last.problems {
		r.problems = append(r.problems, p.Text)
	}
	r.open = []invariants.Figure{
		{What: "open batches", Actual: last.run.OpenBatches},
		{What: "answers in the table", Actual: last.answers},
		{What: "problems of the connector", Actual: len(last.problems)},
	}
	return r, nil
}

// verdict is nil if every registrant is in the right line and the registry has
// exactly what it should; otherwise it names the differences.
func (r *report) verdict() error {
	var differs []string
	if r.misplaced > 0 {
		var where []string
		for _, l := range r.lines {
			if l.actual != l.expected {
				where = append(where, fmt.Sprintf("%s instead of %s %s", number(l.actual), number(l.expected), l.text(r.reasons)))
			}
		}
		differs = append(differs, fmt.Sprintf("%s %s are not where they should be (%s)", number(r.misplaced), r.who, strings.Join(where, "; ")))
	}
	for _, f := range slices.Concat(r.registry, r.open) {
		if f.Actual != f.Expected {
			differs = append(differs, fmt.Sprintf("%s: %s instead of %s", f.What, number(f.Actual), number(f.Expected)))
		}
	}
	if r.sum() != r.all {
		differs = append(differs, fmt.Sprintf("the report has %s %s of %s", number(r.sum()), r.who, number(r.all)))
	}
	if !r.last.finished {
		differs = append(differs, fmt.Sprintf("the run was not finished when nothing had changed for %s", patience))
	}
	if len(differs) == 0 {
		return nil
	}
	return errors.New("the reconciliation report is not as it should be: " + strings.Join(differs, "; "))
}

func (r *report) sum() (n int) {
	for _, l := range r.lines {
		n += l.actual
	}
	return n
}

// print writes counts and reasons, and no data of any registrant.
func (r *report) print(out io.Writer) {
	head := func(title, actual, expected string) { fmt.Fprintf(out, "\n%s\n%11s %11s\n", title, actual, expected) }
	wrong := "WRONG"
	row := func(actual, expected int, text string) {
		mark := "ok"
		if actual != expected {
			mark = wrong
		}
		fmt.Fprintf(out, "%11s %11s  %-7s %s\n", number(actual), number(expected), mark, text)
	}
	head("Reconciliation report: every one of the "+r.who, r.who, "expected")
	for _, l := range r.lines {
		row(l.actual, l.expected, l.text(r.reasons))
	}
	row(r.sum(), r.all, "in all, each in one line")

	head("The registry now", "actual", "expected")
	for _, f := range slices.Concat(r.registry, r.open) {
		row(f.Actual, f.Expected, f.What)
	}

	head("Totals of the batches beside the truth", "batches", "truth")
	wrong = "differs" // after faults they may be lower (protocol, "Patch" 5)
	for _, f := range r.totals {
		row(f.Actual, f.Expected, f.What)
	}
	r.printEffort(out)
	for _, p := range r.problems {
		fmt.Fprintf(out, "the connector has a problem: %s\n", p)
	}
	fmt.Fprintln(out)
}

// printEffort writes the time and the calls that it took.
func (r *report) printEffort(out io.Writer) {
	c, calls := r.last.mts.Counters, r.last.registry.Calls
	closed := make([]string, 0, len(r.states))
	for _, state := range slices.Sorted(maps.Keys(r.states)) {
		closed = append(closed, fmt.Sprintf("%s %s", number(r.states[state]), state))
	}
	fmt.Fprintf(out, "\nWhat it took\n")
	fmt.Fprintf(out, "  time      %s to build and start everything, %s from the start of the connector to the end\n",
		r.startedIn.Round(100*time.Millisecond), r.took.Round(100*time.Millisecond))
	fmt.Fprintf(out, "  batches   %s, in %d passes; at most %d were seen under way, and the width was at most %d\n",
		strings.Join(closed, ", "), r.last.run.Passes, r.last.underWay, r.last.width)
	fmt.Fprintf(out, "  records   %.1f per second, from the start of the connector to the end\n", float64(r.last.run.Totals.Sent)/max(r.took.Seconds(), 0.001))
	fmt.Fprintf(out, "  MTS       %s POSTs with %s records, %.3f for each to send; %s status requests\n",
		number(c.Posts), number(c.RecordsReceived), float64(c.RecordsReceived)/float64(max(r.toSend, 1)), number(c.StatusRequests))
	for _, text := range r.effort {
		fmt.Fprintf(out, "  %s\n", text)
	}
	fmt.Fprintf(out, "  registry  %s calls, %.1f per 1,000 tokenised, sign-in included\n",
		number(r.last.registry.Total.Calls), 1000*float64(r.last.registry.Total.Calls)/float64(max(r.last.tokenised, 1)))
	for _, method := range slices.Sorted(maps.Keys(calls)) {
		t := calls[method]
		fmt.Fprintf(out, "            %6s  %s%s\n", number(t.Calls), method, failures(t))
	}
}

func failures(t odoosim.Tally) string {
	if t.Failed == 0 {
		return ""
	}
	return fmt.Sprintf(", %s of them failed", number(t.Failed))
}
