package submit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A tick invokes submit for those that have waited longest, and keeps at most
// three connectors at work.
func TestWhichConnectorsATickInvokes(t *testing.T) {
	waitingFor := func(id string, since time.Duration) seeding.State {
		return seeding.State{Connector: id, Status: seeding.Running, Due: now.Add(-since)}
	}
	change := func(s seeding.State, changes ...func(*seeding.State)) seeding.State {
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	servedAt := func(d time.Duration) func(*seeding.State) { return func(s *seeding.State) { s.Served = now.Add(d) } }
	unreturned := func(n int) func(*seeding.State) { return func(s *seeding.State) { s.Unreturned = n } }
	died := func(id string) seeding.State {
		return change(waitingFor(id, time.Hour), servedAt(-time.Minute), unreturned(1))
	}
	lease := func(until time.Time) func(*seeding.State) {
		return func(s *seeding.State) { s.Lease = seeding.Lease{Owner: "somebody", Until: until} }
	}
	isStopped := func(s *seeding.State) { s.Status = seeding.Stopped }
	withRun := func(s *seeding.State) { s.Run = "run" }
	withImport := func(s *seeding.State) { s.Imports = []string{"import"} }
	type states = []seeding.State
	for name, c := range map[string]struct {
		states states
		want   []string
	}{
		"nobody":                                   {},
		"who is due now":                           {states{waitingFor("a", 0)}, []string{"a"}},
		"not who is due later":                     {states{waitingFor("a", -time.Millisecond)}, nil},
		"who waited longest comes first":           {states{waitingFor("a", 1), waitingFor("b", 3), waitingFor("c", 2)}, []string{"b", "c", "a"}},
		"who waited alike comes in its order":      {states{waitingFor("b", 1), waitingFor("c", 1), waitingFor("a", 1)}, []string{"a", "b", "c"}},
		"at most three":                            {states{waitingFor("a", 1), waitingFor("b", 2), waitingFor("c", 3), waitingFor("d", 4)}, []string{"d", "c", "b"}},
		"those at work count":                      {states{change(waitingFor("a", 9), lease(later)), waitingFor("b", 1), waitingFor("c", 2), waitingFor("d", 3)}, []string{"d", "c"}},
		"those at work count though not due":       {states{change(waitingFor("a", -9), lease(later)), waitingFor("b", 1), waitingFor("c", 2), waitingFor("d", 3)}, []string{"d", "c"}},
		"nobody while three are at work":           {states{change(waitingFor("a", 1), lease(later)), change(waitingFor("b", 1), lease(later)), change(waitingFor("c", 1), lease(later)), waitingFor("d", 9)}, nil},
		"nobody while more than three are":         {states{change(waitingFor("a", 1), lease(later)), change(waitingFor("b", 1), lease(later)), change(waitingFor("c", 1), lease(later)), change(waitingFor("d", 1), lease(later)), waitingFor("e", 9)}, nil},
		"a lease that has ended is none":           {states{change(waitingFor("a", 1), lease(now))}, []string{"a"}},
		"not who is stopped":                       {states{change(waitingFor("a", 1), isStopped)}, nil},
		"who is stopped with a run to be ended":    {states{change(change(waitingFor("a", 1), isStopped), withRun)}, []string{"a"}},
		"who is stopped with an import to be":      {states{change(change(waitingFor("a", -9), isStopped), withImport)}, []string{"a"}},
		"who has an import open, due or not":       {states{change(waitingFor("a", -9), withImport)}, []string{"a"}},
		"an import waits since it was served":      {states{change(waitingFor("a", -9), withImport, servedAt(-2)), waitingFor("b", 1), waitingFor("c", 3)}, []string{"c", "a", "b"}},
		"an import that was never served is first": {states{change(waitingFor("a", -9), withImport), waitingFor("b", 1)}, []string{"a", "b"}},
		"who was served waits since then":          {states{change(waitingFor("a", 9), servedAt(-2)), waitingFor("b", 3), waitingFor("c", 1)}, []string{"b", "a", "c"}},
		"who was just invoked is at work":          {states{change(waitingFor("a", 9), servedAt(-2), unreturned(1)), waitingFor("b", 1), waitingFor("c", 1), waitingFor("d", 1)}, []string{"b", "c"}},
		"who never began is invoked again":         {states{change(waitingFor("a", time.Hour), servedAt(-time.Minute), unreturned(1))}, []string{"a"}},
		"who died again rests":                     {states{change(waitingFor("a", time.Hour), servedAt(-time.Minute), unreturned(3))}, nil},
		"who died again comes after its rest":      {states{change(waitingFor("a", time.Hour), servedAt(-2*time.Minute), unreturned(3))}, []string{"a"}},
		"no rest is longer than five minutes":      {states{change(waitingFor("a", time.Hour), servedAt(-5*time.Minute), unreturned(99))}, []string{"a"}},
		"a clock set back makes no rest":           {states{change(waitingFor("a", time.Hour), servedAt(time.Hour), unreturned(99))}, []string{"a"}},
		"one of the doubtful comes first":          {states{died("a"), died("b"), died("c"), waitingFor("d", 1), waitingFor("e", 1), waitingFor("f", 1)}, []string{"a", "d", "e"}},
		"none while one of them is at work":        {states{change(died("a"), lease(later), unreturned(2)), died("b"), died("c"), waitingFor("d", 1), waitingFor("e", 1)}, []string{"d", "e"}},
		"all of them if nobody else waits":         {states{died("a"), died("b"), died("c"), waitingFor("d", -1)}, []string{"a", "b", "c"}},
		"not an import that is at work":            {states{change(change(waitingFor("a", -9), withImport), lease(later))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := idsOf(c.states); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// idsOf are the connectors that a tick invokes submit for.
func idsOf(states []seeding.State) (ids []string) {
	chosen, _ := chooseDue(states, now, seeding.DefaultTimes())
	for _, state := range chosen {
		ids = append(ids, state.Connector)
	}
	return ids
}

// One invocation that fails keeps nobody else from being invoked.
func TestATickInvokesEveryConnectorThatItChose(t *testing.T) {
	f := newFake()
	s := f.submitter()
	s.Store = tickStore{f}
	invoked := &invocations{fail: "a"}
	s.Invoker = invoked
	if err := s.Tick(t.Context()); !errors.Is(err, errStorage) {
		t.Errorf("%v, want the failure", err)
	}
	if !slices.Equal(invoked.connectors, []string{"a", "b"}) {
		t.Errorf("invoked %q", invoked.connectors)
	}
}

// tickStore has two connectors that are due.
type tickStore struct{ *fake }

func (tickStore) States(context.Context) ([]seeding.State, error) {
	return []seeding.State{{Connector: "a", Status: seeding.Running}, {Connector: "b", Status: seeding.Running}}, nil
}

// invocations of submit; those of one connector fail.
type invocations struct {
	fail       string
	connectors []string
}

func (i *invocations) InvokeSubmit(_ context.Context, connector string) error {
	i.connectors = append(i.connectors, connector)
	if connector == i.fail {
		return errStorage
	}
	return nil
}

// Runs take turns, a step each, until each had a turn since one of them left
// more to do at once. A turn is written as the run, with "+" when it left more.
func TestRunsTakeTurns(t *testing.T) {
	for name, c := range map[string]struct {
		open func(turn int) []string // the runs that are open before a turn, from 1
		more map[int]bool            // turns that leave more to do
		want []string
	}{
		"the only run has one turn":                     {open: always(""), want: []string{""}},
		"the only run goes on while there is more":      {open: always(""), more: map[int]bool{1: true, 2: true}, want: []string{"+", "+", ""}},
		"two runs have a turn each":                     {open: always("", "i"), want: []string{"", "i"}},
		"who has more waits for the other's turn":       {open: always("", "i"), more: map[int]bool{1: true}, want: []string{"+", "i", ""}},
		"who has more has another turn after the other": {open: always("", "i"), more: map[int]bool{2: true}, want: []string{"", "i+", "", "i"}},
		"three runs, of which the second has more":      {open: always("", "i", "j"), more: map[int]bool{2: true}, want: []string{"", "i+", "j", "", "i"}},
		"a run that ends leaves the others their order": {open: first(1, []string{"", "i", "j"}, []string{"i", "j"}), more: map[int]bool{1: true}, want: []string{"+", "i", "j"}},
		"a run that comes meanwhile is next":            {open: first(1, []string{"", "i"}, []string{"", "h", "i"}), more: map[int]bool{1: true}, want: []string{"+", "h", "i", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var turns turns
			var got []string
			for turn := 1; turn <= 9; turn++ {
				runs := c.open(turn)
				run := turns.next(runs)
				turns.add(run, c.more[turn])
				if c.more[turn] {
					run += "+"
				}
				if got = append(got, run); turns.over(runs) {
					break
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// always has the same runs open.
func always(runs ...string) func(int) []string { return func(int) []string { return runs } }

// first has some runs open for a number of turns, then others.
func first(turns int, before, after []string) func(int) []string {
	return func(turn int) []string {
		if turn <= turns {
			return before
		}
		return after
	}
}
