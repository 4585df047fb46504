package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/bench/throughput"
)

// grid is what is tried at each MTS, the promising first: then the others are
// given up sooner.
var grid = throughput.Grid{
	Widths:  []int{4, 8, 16, 12, 2, 1},
	Sizes:   []int{50, 25, 100, 10, 200, 400},
	Records: 1000,
}

// Of the runs whose throughput is measured.
const (
	seeded = 5_000 // registrants, who all get a token
	warmed = 2_000 // of them, before the rest of the run
	// chances are how often each is made. Which worker takes a POST is chance, and
	// makes a difference of several percent.
	chances = 4
)

// throughputGoal is what is expected of a connector at an MTS.
type throughputGoal struct {
	throughput.Conditions
	whole, rest float64 // of the rate with the best fixed width and size, at least; 0 is no goal
	sent        float64 // records per registrant, at most
}

func throughputGoals() (goals []throughputGoal) {
	add := func(workers, replicas int, whole, rest float64, milliseconds ...int) {
		for _, ms := range milliseconds {
			conditions := throughput.Conditions{Workers: workers, Replicas: replicas, Latency: time.Duration(ms) * time.Millisecond}
			goals = append(goals, throughputGoal{conditions, whole, rest, 1.05})
		}
	}
	add(1, 1, 0.85, 0.95, 0, 50, 300)
	add(4, 1, 0.75, 0.90, 0, 50, 150, 300)
	add(16, 4, 0.70, 0.85, 50, 300)
	return append(goals, throughputGoal{
		Conditions: throughput.Conditions{Workers: 4, Replicas: 1, Latency: 300 * time.Millisecond, CleanUp: 20 * time.Second},
		sent:       1.35,
	})
}

// throughputs compares the connector with the best fixed width and batch size,
// at every MTS of the goals. Of those whose name contains m.widths it
// notes the width over time.
func (m *measurer) throughputs(ctx context.Context, r *report) (err error) {
	atOnce := runtime.NumCPU()
	workers, err := throughput.StartWorkers(ctx, m.dir, atOnce)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, workers.Stop()) }()
	r.note("Throughput, in virtual time: the connector's rate over that of the best fixed width and batch size, of %d tried, "+
		"in a run of 5,000 from nothing and after MTS has looked up the first 2,000 of it (both until the last token; means of %d runs).",
		grid.Tries(), chances)
	for _, goal := range throughputGoals() {
		name := goal.name()
		m.say("throughput at an MTS of %s", name)
		run := throughput.Run{Conditions: goal.Conditions, Registrants: seeded, Warmed: warmed}
		best, err := throughput.Search(ctx, run, grid, atOnce, workers.Measure)
		if err != nil {
			return err
		}
		// What is the fastest of many was lucky too, so it is measured again.
		mean := func(fixed throughput.Fixed) (throughput.Result, error) {
			run.Fixed, run.Sampled = fixed, m.widths != "" && fixed == (throughput.Fixed{})
			return throughput.Mean(ctx, run, chances, atOnce, workers.Measure)
		}
		whole, err1 := mean(best.Whole.Fixed)
		rest, err2 := mean(best.Rest.Fixed)
		found, err3 := mean(throughput.Fixed{})
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		best.Whole.Took, best.Rest.Took = whole.Whole, rest.Rest
		goal.report(r, found, best)
		if m.widths != "" && strings.Contains(name, m.widths) {
			r.note("Width over time at an MTS of %s:\n\n%s", name, widthOverTime(found.Samples))
		}
	}
	return nil
}

func (g throughputGoal) name() string {
	name := "1 worker"
	if g.Workers > 1 {
		name = fmt.Sprintf("%d workers", g.Workers)
	}
	if g.Replicas > 1 {
		name += fmt.Sprintf(" in %d replicas", g.Replicas)
	}
	name += fmt.Sprintf(", identity latency %v", g.Latency)
	if g.CleanUp > 0 {
		name += fmt.Sprintf(", clean-up of %v", g.CleanUp)
	}
	return name
}

func (g throughputGoal) report(r *report, found throughput.Result, best throughput.Best) {
	ratio := func(found time.Duration, best throughput.Winner) float64 {
		return best.Took.Seconds() / found.Seconds()
	}
	rates := func(records int, found time.Duration, best throughput.Winner) string {
		rate := func(took time.Duration) float64 { return float64(records) / took.Seconds() }
		return fmt.Sprintf("%.2f (%.2f/s of %.2f/s with %d batches of %d)",
			ratio(found, best), rate(found), rate(best.Took), best.Width, best.Size)
	}
	whole, rest := ratio(found.Whole, best.Whole), ratio(found.Rest, best.Rest)
	sent := float64(found.Sent) / seeded
	goal := fmt.Sprintf("≥ %.2f; ≥ %.2f; ≤ %.2f", g.whole, g.rest, g.sent)
	if g.whole == 0 {
		goal = fmt.Sprintf("–; –; ≤ %.2f", g.sent)
	}
	r.add(fmt.Sprintf("throughput at an MTS of %s: run of 5,000; after 2,000; sent per registrant", g.name()),
		goal, whole >= g.whole && rest >= g.rest && sent <= g.sent,
		"%s; %s; %.3f", rates(seeded, found.Whole, best.Whole), rates(seeded-warmed, found.Rest, best.Rest), sent)
}

// widthOverTime is a table of the samples, in which those are left out that
// differ from the one before in the number of tokens only.
func widthOverTime(samples []throughput.Sample) string {
	var table strings.Builder
	table.WriteString("| after | batches under way | batch size | tokens |\n|---|---|---|---|")
	for i, s := range samples {
		if i == 0 || s.Open != samples[i-1].Open || s.Size != samples[i-1].Size {
			fmt.Fprintf(&table, "\n| %.0f s | %d | %d | %d |", s.At.Seconds(), s.Open, s.Size, s.Tokenised)
		}
	}
	return table.String()
}
