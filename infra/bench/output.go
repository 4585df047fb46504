package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Output Formats: the update of line 15.0, and an individual that reads its record again
// and sets a name, a gender and a phone number of everybody.
const (
	plainFormat = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`
	largeFormat = `{given_name: (.input.given_name + " (seeded)"), gender: "O", phone_numbers: [{phone_no: ("+1" + .input.vid)}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
)

// outputRounds is how often the runs are compared; the median counts.
const outputRounds = 3

// output compares runs of 1,000 with an Output Format with one without, with MTS and
// registry at their real pace. The three of a round run side by side, so that whatever
// else the machine does slows all of them.
func (m *measurer) output(ctx context.Context, r *report) error {
	formats := []string{"", plainFormat, largeFormat}
	ratios, calls := make([][]float64, len(formats)), make([]int64, len(formats))
	var alone []time.Duration
	for round := range outputRounds {
		m.say("runs of %d without an Output Format, and with two, round %d of %d", batchSize, round+1, outputRounds)
		took := make([]time.Duration, len(formats))
		runs, ctx := errgroup.WithContext(ctx)
		for i, format := range formats {
			runs.Go(func() (err error) {
				took[i], calls[i], err = m.runWith(ctx, format)
				return err
			})
		}
		if err := runs.Wait(); err != nil {
			return err
		}
		alone = append(alone, took[0])
		for i := range formats {
			ratios[i] = append(ratios[i], took[i].Seconds()/took[0].Seconds())
		}
	}
	plain, large := median(ratios[1]), median(ratios[2])
	r.add(fmt.Sprintf("run of 1,000 with an Output Format, over one without beside it, MTS and registry at their real pace, median of %d: "+
		"the token alone; an individual that sets name, gender and phone number", outputRounds),
		"≤ 1.15", plain <= 1.15 && large <= 1.15, "%.3f; %.3f (without: %.1f s; %d, %d and %d registry calls without, and with them)",
		plain, large, median(alone).Seconds(), calls[0], calls[1], calls[2])
	return nil
}

// runWith makes a run of 1,000 with an Output Format. It returns how long the run took,
// and how many calls the registry got.
func (m *measurer) runWith(ctx context.Context, format string) (took time.Duration, calls int64, err error) {
	err = m.measured(ctx, setup{pace: 1, pending: batchSize, registrants: 4 * batchSize, found: true, format: format}, func(h *harness, run time.Duration) error {
		took = run
		for method, made := range h.registry.State().Calls {
			if !isLogin(method) {
				calls += made.Calls
			}
		}
		return nil
	})
	return took, calls, err
}

// median of an odd number of values.
func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
