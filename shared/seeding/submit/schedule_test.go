package submit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// behaviour is what an invocation of submit does for a connector of the model.
type behaviour string

const (
	finds     behaviour = "finds nobody"        // a run that ends after seconds
	works     behaviour = "has work"            // without end
	imports   behaviour = "imports"             // the same for an import; the recurring run is due in a day
	dies      behaviour = "dies"                // once it has the lease
	throttled behaviour = "never begins"        // Lambda drops the event
	hangs     behaviour = "hangs"               // renews the lease as long as a step may last, and never returns
	timesOut  behaviour = "runs out of time"    // each call fails at the end of a step
	diesLate  behaviour = "dies while it works" // after half a minute
)

// model is a deployment: states as the store keeps them, ticks every minute, and
// invocations that behave as they are told. It is the store, the invoker and the
// clock of a real tick.
type model struct {
	Store
	t          *testing.T
	now        time.Time
	states     map[string]*seeding.State
	behaves    map[string]behaviour
	events     []event
	waits      map[behaviour]time.Duration // the longest for an invocation that began
	atWork     int
	onBegin    func()
	mostAtWork int
}

// event is what an invocation for a connector does next.
type event struct {
	at time.Time
	of string
	do func()
}

const interval = 15 * time.Minute

func newModel(t *testing.T, connectors map[behaviour]int) *model {
	m := &model{t: t, now: now, states: map[string]*seeding.State{}, behaves: map[string]behaviour{}, waits: map[behaviour]time.Duration{}}
	for _, b := range slices.Sorted(maps.Keys(connectors)) {
		for i := range connectors[b] {
			id := fmt.Sprintf("%s %02d", b, i)
			state := &seeding.State{Connector: id, Status: seeding.Running, Due: now}
			if b == imports {
				state.Imports, state.Due = []string{"import"}, now.Add(24*time.Hour)
			}
			m.states[id], m.behaves[id] = state, b
		}
	}
	return m
}

// pass lets time pass.
func (m *model) pass(d time.Duration) {
	s := &Submitter{Store: m, Invoker: m, Clock: m, Times: seeding.DefaultTimes(), Log: slog.New(slog.DiscardHandler)}
	for end := m.now.Add(d); m.now.Before(end); {
		next := m.now.Add(time.Minute)
		if err := s.Tick(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		if m.now.After(next) {
			m.t.Fatal("a tick outlasts the minute")
		}
		_ = m.Sleep(m.t.Context(), next.Sub(m.now))
	}
	for _, id := range slices.Sorted(maps.Keys(m.states)) { // who waits now
		if state := m.states[id]; m.behaves[id] != "" && !state.Lease.Live(m.now) {
			m.waited(id, m.now.Sub(m.since(id)))
		}
	}
}

// since is since when a connector could have been served.
func (m *model) since(id string) time.Time {
	state := m.states[id]
	if m.behaves[id] == imports {
		return latest(state.Served, now)
	}
	return latest(state.Due, state.Served)
}

// latest is the later of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (m *model) waited(id string, d time.Duration) {
	m.waits[m.behaves[id]] = max(m.waits[m.behaves[id]], d)
}

func (m *model) Now() time.Time { return m.now }

// Sleep lets happen what comes meanwhile.
func (m *model) Sleep(ctx context.Context, d time.Duration) error {
	for until := m.now.Add(d); ; {
		next := -1
		for i, e := range m.events {
			if !e.at.After(until) && (next < 0 || e.at.Before(m.events[next].at)) {
				next = i
			}
		}
		if next < 0 {
			m.now = until
			return ctx.Err()
		}
		e := m.events[next]
		m.events = slices.Delete(m.events, next, next+1)
		m.now = e.at
		e.do()
	}
}

func (m *model) after(d time.Duration, of string, do func()) {
	m.events = append(m.events, event{m.now.Add(d), of, do})
}

// kill ends the invocations for a connector.
func (m *model) kill(id string) {
	m.events = slices.DeleteFunc(m.events, func(e event) bool { return e.of == id })
	m.atWork--
}

func (m *model) States(context.Context) (all []seeding.State, err error) {
	for _, id := range slices.Sorted(maps.Keys(m.states)) {
		all = append(all, *m.states[id])
	}
	return all, nil
}

func (m *model) NoteInvoked(_ context.Context, read seeding.State, at time.Time, died seeding.Problem) error {
	state := m.states[read.Connector]
	if state.Served != read.Served || state.Lease.Fence != read.Lease.Fence {
		return seeding.ErrConflict
	}
	m.waited(read.Connector, at.Sub(m.since(read.Connector)))
	state.Served, state.Unreturned = at, state.Unreturned+1
	if died != (seeding.Problem{}) {
		state.Problems = map[seeding.Source]seeding.Problem{seeding.ProblemDied: died}
	}
	return nil
}

func (m *model) InvokeSubmit(_ context.Context, id string) error {
	if m.behaves[id] != throttled {
		m.after(time.Second, id, func() { m.begin(id) })
	}
	return nil
}

// begin is an invocation of submit.
func (m *model) begin(id string) {
	times, state := seeding.DefaultTimes(), m.states[id]
	if state.Lease.Live(m.now) {
		return
	}
	began := m.now
	if m.onBegin != nil {
		m.onBegin()
	}
	m.atWork++
	m.mostAtWork = max(m.mostAtWork, m.atWork)
	m.take(state)
	leave := func(due time.Time) {
		m.atWork--
		state.Lease.Owner, state.Due, state.Served, state.Unreturned, state.Problems = "", due, m.now, 0, nil
	}
	// keep renews the lease until it is time to end.
	var keep func(lasts time.Duration, end func())
	keep = func(lasts time.Duration, end func()) {
		if lasts <= 5*time.Second {
			m.after(lasts, id, end)
			return
		}
		m.after(5*time.Second, id, func() { m.take(state); keep(lasts-5*time.Second, end) })
	}
	died := func() { m.atWork-- }
	const step = 92500 * time.Millisecond
	switch m.behaves[id] {
	case finds:
		m.after(3*time.Second, id, func() { leave(latest(state.Due.Add(interval), m.now)) })
	case dies:
		died()
	case diesLate:
		keep(30*time.Second, died)
	case hangs:
		keep(step, died)
	case timesOut:
		keep(step, func() { m.atWork--; state.Lease.Owner, state.Due = "", m.now.Add(time.Minute) })
	case works, imports:
		due := state.Due
		var turn func()
		turn = func() {
			all, _ := m.States(m.t.Context())
			if m.now.Sub(began) > 9*time.Minute || leavesPlace(all, id, m.now, times) {
				if m.behaves[id] == works {
					due = m.now
				}
				leave(due)
				return
			}
			keep(times.Turn, turn)
		}
		keep(times.Turn, turn)
	}
}

func (m *model) take(s *seeding.State) {
	s.Lease = seeding.Lease{Owner: "x", Until: m.now.Add(seeding.DefaultTimes().RunLease), Fence: s.Lease.Fence + 1}
}

// Whatever number of connectors die, hang, time out or never begin: the others get
// their turn in time, over a day, and those get theirs, too. In time is two minutes,
// and half a minute for each connector that has work without end. The first that
// dies has to do so once before it is known.
func TestEveryConnectorGetsItsTurnWhoeverDies(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	type connectors = map[behaviour]int
	several := func(n int) connectors { return connectors{dies: n, throttled: n, hangs: n, timesOut: n, diesLate: n} }
	for _, c := range []struct{ good, bad connectors }{
		{connectors{finds: 1}, connectors{dies: 3}},
		{connectors{finds: 10}, connectors{}},
		{connectors{finds: 10}, connectors{dies: 3}},
		{connectors{finds: 10}, connectors{throttled: 3}},
		{connectors{finds: 10}, connectors{dies: 100}},
		{connectors{finds: 5, works: 3}, connectors{hangs: 3}},
		{connectors{finds: 5, works: 3}, connectors{timesOut: 3}},
		{connectors{finds: 5, works: 3}, connectors{diesLate: 3}},
		{connectors{finds: 5, works: 3}, several(8)},
		{connectors{finds: 5, works: 5, imports: 5}, connectors{}},
		{connectors{finds: 5, works: 5, imports: 5}, several(1)},
	} {
		good, bad := c.good, c.bad
		t.Run(fmt.Sprintf("%v beside %v", good, bad), func(t *testing.T) {
			t.Parallel()
			all := maps.Clone(good)
			maps.Copy(all, bad)
			m := newModel(t, all)
			for i := range 3 { // whom the version before left at work
				m.states[fmt.Sprintf("left %d", i)] = &seeding.State{Lease: seeding.Lease{Owner: "dead", Until: now.Add(3 * time.Minute)}}
			}
			m.pass(time.Hour) // until those that die have died
			m.waits = map[behaviour]time.Duration{}
			m.pass(day)
			limit := 2*time.Minute + time.Duration(good[works]+good[imports])*30*time.Second
			number := 0
			for _, n := range bad {
				number += n
			}
			for b, waited := range m.waits {
				most := limit
				if bad[b] > 0 {
					most = 6*time.Minute + time.Duration(number)*2*time.Minute
				}
				if waited > most {
					t.Errorf("one that %s waited %v, want at most %v", b, waited, most)
				}
			}
			for b := range all {
				if _, served := m.waits[b]; !served {
					t.Errorf("none that %s was ever served", b)
				}
			}
			if m.mostAtWork > places+1 { // one that is thought dead may hang
				t.Errorf("%d at work at once", m.mostAtWork)
			}
			t.Log(m.waits)
		})
	}
}

// Whenever an invocation is killed, the next begins within a minute.
func TestAKilledInvocationIsFollowedWithinAMinute(t *testing.T) {
	for second := range 120 {
		m := newModel(t, map[behaviour]int{works: 1})
		id := string(works) + " 00"
		var killed, begun time.Time
		m.after(2*time.Minute+time.Duration(second)*time.Second+time.Millisecond, "test", func() { m.kill(id); killed = m.now })
		m.onBegin = func() {
			if !killed.IsZero() && begun.IsZero() {
				begun = m.now
			}
		}
		m.pass(6 * time.Minute)
		if took := begun.Sub(killed); begun.IsZero() || took > time.Minute+time.Second { // it takes a second to begin
			t.Errorf("killed at second %d: the next began after %v", second, took)
		}
	}
}

// Five connectors that are due at once have their turn in the same minute: places
// do not stand empty until the next tick.
func TestPlacesAreUsedAgainInTheSameMinute(t *testing.T) {
	m := newModel(t, map[behaviour]int{finds: 12})
	m.pass(time.Minute)
	for id, state := range m.states {
		if state.Served.IsZero() || state.Due.Equal(now) {
			t.Errorf("%s had no turn", id)
		}
	}
	if m.mostAtWork != places {
		t.Errorf("%d at work at once", m.mostAtWork)
	}
}

// The run lease lasts for seconds, and is renewed while a step lasts; so a dead
// holder does not keep it for as long as a step may last.
func TestTheLeaseIsRenewedInALongStep(t *testing.T) {
	f := newFake()
	f.state.Run = "run"
	f.runs["run"] = seeding.Run{ID: "run", Connector: "c", Version: 3, Started: now, PassOver: true}
	f.open = []seeding.Batch{{Ref: seeding.BatchRef{Connector: "c", Run: "run", Batch: "b1"}, Claimed: now, Deadline: later}}
	f.during["OpenBatches"] = func() error {
		if left := f.state.Lease.Until.Sub(f.now); left <= 0 || left > seeding.DefaultTimes().RunLease {
			t.Errorf("after %v the lease lasts %v", f.now.Sub(now), left)
		}
		return nil
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if kept := len(f.called("KeepRun")); kept != 6 {
		t.Errorf("renewed %d times in half a minute", kept)
	}
}

// Who hangs in a step for longer than any may last has the lease no more.
func TestWhoHangsLosesTheLease(t *testing.T) {
	f := newFake()
	f.add(1)
	f.during["VIDs"] = func() error {
		_ = f.Sleep(t.Context(), 10*time.Minute)
		if over := f.state.Lease.Until.Sub(now); over > 2*time.Minute {
			t.Errorf("the lease lasts %v", over)
		}
		return nil
	}
	_ = f.oneStep(t)
}

// crowd is the store of a connector beside others.
type crowd struct {
	*fake
	others []seeding.State
}

func (c crowd) States(context.Context) ([]seeding.State, error) {
	return append(slices.Clone(c.others), c.state), nil
}

// Who has had a turn leaves its place if others wait and none is free.
func TestWorkLeavesItsPlaceToWhoWaits(t *testing.T) {
	atWork := func(id string, servedAgo time.Duration) seeding.State {
		return seeding.State{Connector: id, Status: seeding.Running, Lease: seeding.Lease{Owner: id, Until: later}, Served: now.Add(-servedAgo), Unreturned: 1}
	}
	waits := seeding.State{Connector: "w", Status: seeding.Running, Due: earlier}
	waitsToo, died := waits, waits
	waitsToo.Connector = "v"
	died.Unreturned, died.Served = 1, earlier
	for name, c := range map[string]struct {
		others []seeding.State
		leaves bool
	}{
		"nobody else":                             {nil, false},
		"two others at work, nobody waits":        {[]seeding.State{atWork("a", 0), atWork("b", 0)}, false},
		"one waits, and a place is free":          {[]seeding.State{atWork("a", 0), waits}, false},
		"one waits, and no place is free":         {[]seeding.State{atWork("a", 0), atWork("b", 0), waits}, true},
		"one waits, and another leaves its place": {[]seeding.State{atWork("a", time.Hour), atWork("b", 0), waits}, false},
		"two wait, and another leaves its place":  {[]seeding.State{atWork("a", time.Hour), atWork("b", 0), waits, waitsToo}, true},
		"one waits that died before":              {[]seeding.State{atWork("a", 0), atWork("b", 0), died}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1, 2, 3)
			f.mts.Pace, f.mts.Heard = manyWorkers(seeding.Pace{Size: 1, Proved: 1}), now
			f.state.Served, f.state.Unreturned = now.Add(-time.Minute), 1
			f.during["Claim"] = func() error { return f.Sleep(t.Context(), seeding.DefaultTimes().Turn) }
			f.during["MTSState"] = func() error { f.open, f.mts.Slots = nil, nil; return nil }
			s := f.submitter()
			s.Store = crowd{f, c.others}
			if err := s.Work(t.Context(), "c", now.Add(15*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if left := len(f.called("Claim")) == 1; left != c.leaves {
				t.Errorf("%d batches were claimed", len(f.called("Claim")))
			}
			if c.leaves && (f.state.Due.After(f.now) || f.state.Lease.Owner != "" || f.state.Unreturned != 0) {
				t.Errorf("it does not come again: %+v", f.state)
			}
		})
	}
}

// An invocation whose work failed does not count as one that gave the lease back:
// one that runs out of time each time must not come before all others.
func TestAFailureIsNoReturn(t *testing.T) {
	f := newFake()
	f.state.Unreturned, f.state.Served = 1, earlier
	f.once("OpenRun", errStorage)
	if err := f.work(t); err == nil {
		t.Fatal("no failure")
	}
	if f.state.Unreturned != 1 || !f.state.Served.Equal(earlier) || f.state.Lease.Owner != "" {
		t.Errorf("%+v", f.state)
	}
	if err := f.work(t); err != nil || f.state.Unreturned != 0 || !f.state.Served.Equal(f.now) {
		t.Errorf("%v, %+v", err, f.state)
	}
}

// Whatever ends the invocations of a connector, the connector itself shows it from
// the second on, until one ends well; the others show nothing.
func TestConnectorWhoseInvocationsDieShowsIt(t *testing.T) {
	died := []behaviour{dies, diesLate, hangs, timesOut, throttled}
	connectors := map[behaviour]int{finds: 3, works: 1}
	for _, b := range died {
		connectors[b] = 1
	}
	m := newModel(t, connectors)
	m.pass(2 * time.Hour)
	var since time.Time
	for id, state := range m.states {
		p, shown := state.Problems[seeding.ProblemDied]
		if shown != slices.Contains(died, m.behaves[id]) || len(state.Problems) > 1 {
			t.Errorf("%s: %+v", id, state.Problems)
		}
		if shown && (!p.Next.IsZero() || m.now.Sub(p.Since) < time.Hour || p.Attempts < 2 ||
			!strings.Contains(p.Text, fmt.Sprintf(" %d times in a row", state.Unreturned-1))) {
			t.Errorf("%s, after %d: %+v", id, state.Unreturned, p)
		}
		if m.behaves[id] == dies {
			since = p.Since
			m.behaves[id] = finds // somebody gives it more memory
		}
	}
	if since.Sub(now) > 10*time.Minute {
		t.Errorf("shown after %s", since.Sub(now))
	}
	m.pass(time.Hour)
	if state := m.states[string(dies)+" 00"]; len(state.Problems) > 0 || state.Unreturned > 0 {
		t.Errorf("it goes on to show it: %+v", state)
	}
}

// One invocation that dies, as a server of Lambda may, is no problem.
func TestOneInvocationThatDiesIsNoProblem(t *testing.T) {
	m := newModel(t, map[behaviour]int{dies: 1})
	m.pass(time.Minute)
	id := string(dies) + " 00"
	m.behaves[id] = finds
	m.pass(time.Hour)
	if len(m.states[id].Problems) > 0 {
		t.Errorf("%+v", m.states[id])
	}
	if p := (seeding.State{Unreturned: 1}).Died(now, seeding.DefaultTimes()); p != (seeding.Problem{}) {
		t.Errorf("%+v", p)
	}
}
