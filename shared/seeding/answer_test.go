package seeding_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// answered are batches in the order of their ids; "broken" is an error.
type answered []string

func (a answered) NextAnswer(_ context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error) {
	for _, batch := range a {
		switch {
		case batch <= after:
		case batch == "broken":
			return ref, false, errors.New("broken")
		default:
			return seeding.BatchRef{Registry: registry, Batch: batch}, true, nil
		}
	}
	return ref, false, nil
}

func TestAnsweredBatches(t *testing.T) {
	for _, test := range []struct {
		name   string
		stored answered
		until  string // the caller leaves at this batch
		want   []string
		failed bool
	}{
		{name: "none"},
		{name: "all, each once", stored: answered{"a", "b", "c"}, want: []string{"a", "b", "c"}},
		{name: "the caller leaves", stored: answered{"a", "b", "broken"}, until: "b", want: []string{"a", "b"}},
		{name: "an error ends it", stored: answered{"a", "broken", "c"}, want: []string{"a"}, failed: true},
	} {
		var got []string
		failures := 0
		for ref, err := range seeding.AnsweredBatches(t.Context(), test.stored, "registry") {
			if err != nil {
				failures++
				continue
			}
			if ref.Registry != "registry" {
				t.Errorf("%s: of %q", test.name, ref.Registry)
			}
			if got = append(got, ref.Batch); ref.Batch == test.until {
				break
			}
		}
		if !slices.Equal(got, test.want) || (failures == 1) != test.failed || failures > 1 {
			t.Errorf("%s: %v with %d errors", test.name, got, failures)
		}
	}
}
