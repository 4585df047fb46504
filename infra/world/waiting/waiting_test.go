package waiting

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// stored is a store with one connector.
type stored struct {
	state   seeding.State
	open    []seeding.Batch
	answers bool
	err     error
}

func (s stored) State(context.Context, string) (seeding.State, error) { return s.state, s.err }

func (s stored) OpenBatches(context.Context, string) ([]seeding.Batch, error) { return s.open, s.err }

func (s stored) NextAnswer(context.Context, string, string) (seeding.BatchRef, bool, error) {
	return seeding.BatchRef{}, s.answers, s.err
}

func TestUnderWay(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Minute)
	for name, c := range map[string]struct {
		store stored
		want  string
	}{
		"nothing":              {stored{state: seeding.State{Status: seeding.Running, Due: later}}, "[]"},
		"stopped":              {stored{state: seeding.State{Status: seeding.Stopped, Due: now}}, "[]"},
		"due":                  {stored{state: seeding.State{Status: seeding.Running, Due: now}}, "[a run is due]"},
		"a run":                {stored{state: seeding.State{Status: seeding.Running, Due: later, Run: "r"}}, "[a run is open]"},
		"a run of one stopped": {stored{state: seeding.State{Status: seeding.Stopped, Due: now, Run: "r"}}, "[a run is open]"},
		"an import":            {stored{state: seeding.State{Status: seeding.Running, Due: later, Imports: []string{"i"}}}, "[a run is open]"},
		"batches":              {stored{state: seeding.State{Due: later}, open: make([]seeding.Batch, 2)}, "[2 batches are open]"},
		"an answer":            {stored{state: seeding.State{Due: later}, answers: true}, "[an answer is left]"},
	} {
		list, err := UnderWay(t.Context(), c.store, "connector", "registry", now)
		if got := fmt.Sprint(list); got != c.want || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	broken := errors.New("broken")
	if _, err := UnderWay(t.Context(), stored{err: broken}, "connector", "registry", now); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
