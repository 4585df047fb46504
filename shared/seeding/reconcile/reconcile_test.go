package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// clock moves when somebody sleeps.
type clock struct {
	time.Time
	asleep func(time.Time) // what happens meanwhile
}

func (c *clock) Now() time.Time { return c.Time }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Time = c.Add(d)
	if c.asleep != nil {
		c.asleep(c.Time)
	}
	return ctx.Err()
}

// world is the store, the MTS, the invoker and the meter of one tick, in memory.
type world struct {
	clock      *clock
	registries []seeding.RegistryState
	states     map[string]seeding.State
	open       []seeding.Batch
	closed     []seeding.Batch
	rejections []seeding.Rejection
	slots      []seeding.Slot
	pace       seeding.Pace
	answers    map[string][]seeding.AnswerPart // by batch
	says       map[string]seeding.MTSStatus    // by request; no entry is silence

	looks    int      // at the registries
	mtsReads int      // of the state of an MTS
	asked    []string // requests
	invoked  []string // registries
	looked   []string // registries in which patch is to look for tokens
	measured map[seeding.Metric]float64

	whenAsked   func()           // what happens meanwhile
	fails       map[string]error // what a call of the store ends in, by name
	answersFail map[string]error // by registry
}

func newWorld() *world {
	return &world{
		clock:   &clock{Time: now},
		states:  map[string]seeding.State{"c1": {Connector: "c1", Version: 7}},
		pace:    seeding.Pace{Size: 100, Proved: 100},
		answers: map[string][]seeding.AnswerPart{}, says: map[string]seeding.MTSStatus{},
		measured: map[seeding.Metric]float64{}, fails: map[string]error{}, answersFail: map[string]error{},
	}
}

func (w *world) reconciler() *Reconciler {
	return &Reconciler{
		Store: w, MTS: mts{world: w}, Invoker: w, Meter: w,
		Clock: w.clock, Times: seeding.DefaultTimes(), Log: slog.New(slog.DiscardHandler),
		CallbackBase: "https://api.example/",
	}
}

func (w *world) RegistryStates(context.Context) ([]seeding.RegistryState, error) {
	w.looks++
	return w.registries, w.fails["RegistryStates"]
}

func (w *world) States(context.Context) ([]seeding.State, error) {
	return slices.Collect(maps.Values(w.states)), w.fails["States"]
}

func (w *world) State(_ context.Context, id string) (seeding.State, error) {
	s, there := w.states[id]
	if !there {
		return s, seeding.ErrNotFound
	}
	return s, w.fails["State"]
}

func (w *world) RaiseProblem(_ context.Context, id string, source seeding.Source, p seeding.Problem) error {
	s := w.states[id]
	s.Problems = maps.Clone(s.Problems)
	if s.Problems == nil {
		s.Problems = map[seeding.Source]seeding.Problem{}
	}
	s.Problems[source] = p
	w.states[id] = s
	return w.fails["RaiseProblem"]
}

func (w *world) OpenBatches(_ context.Context, registry string) ([]seeding.Batch, error) {
	return slices.DeleteFunc(slices.Clone(w.open), func(b seeding.Batch) bool { return b.Ref.Registry != registry }), w.fails["OpenBatches"]
}

func (w *world) Close(_ context.Context, b seeding.Batch) error {
	if w.fails["Close"] == nil {
		w.closed = append(w.closed, b)
	}
	return w.fails["Close"]
}

func (w *world) Rejections(_ context.Context, _ string, from, to int64) ([]seeding.Rejection, error) {
	return slices.DeleteFunc(slices.Clone(w.rejections), func(r seeding.Rejection) bool { return r.Submission != "" || r.Identifier < from || r.Identifier > to }), w.fails["Rejections"]
}

func (w *world) RejectionsOfSubmissions(_ context.Context, _, connector string, ids []string) ([]seeding.Rejection, error) {
	return slices.DeleteFunc(slices.Clone(w.rejections), func(r seeding.Rejection) bool {
		return r.Connector != connector || !slices.Contains(ids, r.Submission)
	}), w.fails["Rejections"]
}

func (w *world) PutRejections(_ context.Context, rejections []seeding.Rejection) (int, error) {
	w.rejections = append(slices.DeleteFunc(w.rejections, func(old seeding.Rejection) bool {
		return slices.ContainsFunc(rejections, func(r seeding.Rejection) bool {
			return r.Key() == old.Key() && r.Connector == old.Connector
		})
	}), rejections...)
	return 0, w.fails["PutRejections"]
}

func (w *world) MTSState(context.Context, string) (seeding.MTSState, error) {
	w.mtsReads++
	return seeding.MTSState{Pace: w.pace, Slots: w.slots}, w.fails["MTSState"]
}

func (w *world) SavePace(_ context.Context, _ string, _, next seeding.Pace) error {
	w.pace = next
	return w.fails["SavePace"]
}

func (w *world) NextAnswer(_ context.Context, registry, after string) (seeding.BatchRef, bool, error) {
	for _, b := range slices.Sorted(maps.Keys(w.answers)) {
		if parts := w.answers[b]; b > after && parts[0].Ref.Registry == registry {
			return parts[0].Ref, true, nil
		}
	}
	return seeding.BatchRef{}, false, w.answersFail[registry]
}

func (w *world) HasAnswer(_ context.Context, _, batch string) (bool, error) {
	return len(w.answers[batch]) > 0, w.fails["HasAnswer"]
}

func (w *world) AnswerParts(_ context.Context, _, batch, _ string) ([]seeding.AnswerPart, bool, error) {
	return w.answers[batch], false, w.fails["AnswerParts"]
}

func (w *world) InvokePatch(_ context.Context, registry string) error {
	w.invoked = append(w.invoked, registry)
	return w.fails["InvokePatch"]
}

func (w *world) InvokeLook(_ context.Context, registry string) error {
	w.looked = append(w.looked, registry)
	return w.fails["InvokeLook"]
}

func (w *world) Track(_ context.Context, b seeding.Batch, next seeding.Tracking) error {
	for i := range w.open {
		if w.open[i].Ref == b.Ref && w.fails["Track"] == nil {
			w.open[i].Tracking = next
		}
	}
	return w.fails["Track"]
}

func (w *world) Measure(m seeding.Metric, value float64, _ string) { w.measured[m] += value }

// mts is the MTS of a world.
type mts struct {
	seeding.MTS
	*world
}

func (m mts) Status(_ context.Context, _, requestID string) (seeding.MTSStatus, error) {
	m.asked = append(m.asked, requestID)
	if m.whenAsked != nil {
		m.whenAsked()
	}
	status, known := m.says[requestID]
	if !known {
		return 0, &seeding.Fault{Kind: seeding.Unreachable}
	}
	return status, nil
}

// overdueBatch was claimed three minutes ago and had one: a third deadline has
// just come. It has 100 members.
func overdueBatch(id string) seeding.Batch {
	b := seeding.Batch{
		Ref:   seeding.BatchRef{Registry: "r1", Connector: "c1", Run: "run1", Batch: id},
		State: seeding.Submitted, MTS: "m1", RequestID: "request of " + id,
		Size: 100, Count: 100, Claimed: now.Add(-3 * time.Minute), Deadline: now.Add(-2 * time.Minute),
	}
	for i := range int64(100) {
		b.Members = append(b.Members, seeding.Member{Registrant: i + 1, Identifier: i + 101})
	}
	return b
}

// alone is a batch of one.
func alone(id string) seeding.Batch {
	b := overdueBatch(id)
	b.Size, b.Count, b.Members = 1, 1, b.Members[:1]
	return b
}

// What asking about a batch comes to, and who is asked.
func TestAskAboutABatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world, *seeding.Batch)
		silent bool // its MTS was silent in this tick before
		want   finding
		asked  int
		hushed bool // its MTS is not asked again in this tick
	}{
		{"MTS works on it", func(w *world, b *seeding.Batch) { w.says[b.RequestID] = seeding.StatusWorking }, false, working, 1, false},
		{"MTS finished it", func(w *world, b *seeding.Batch) { w.says[b.RequestID] = seeding.StatusFinished }, false, finished, 1, false},
		{"MTS failed with it", func(w *world, b *seeding.Batch) { w.says[b.RequestID] = seeding.StatusFailed }, false, failedAtMTS, 1, false},
		{"MTS does not know it", func(w *world, b *seeding.Batch) { w.says[b.RequestID] = seeding.StatusUnknown }, false, unknownToMTS, timesUnknown, false},
		{"MTS says nothing", func(*world, *seeding.Batch) {}, false, silent, 1, true},
		{"MTS said nothing about another batch: it is not asked again", func(w *world, b *seeding.Batch) {
			w.says[b.RequestID] = seeding.StatusFinished
		}, true, silent, 0, true},
		{"there is no request to ask about", func(_ *world, b *seeding.Batch) { b.RequestID = "" }, false, neverAccepted, 0, false},
		{"there is no request to ask about, and MTS was silent", func(_ *world, b *seeding.Batch) { b.RequestID = "" }, true, neverAccepted, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(), overdueBatch("b1")
			c.change(w, &b)
			known := newRound()
			known.silent["another"] = true
			if c.silent {
				known.silent[b.MTS] = true
			}
			got := w.reconciler().ask(t.Context(), b, known)
			if got != c.want || len(w.asked) != c.asked || known.silent[b.MTS] != c.hushed {
				t.Errorf("%q after %d questions, silent %v; want %q after %d, %v", got, len(w.asked), known.silent[b.MTS], c.want, c.asked, c.hushed)
			}
		})
	}
}

// Which batches a tick closes as lost, and what it does besides.
func TestOverdueBatches(t *testing.T) {
	answerOf := func(b seeding.Batch) []seeding.AnswerPart { return []seeding.AnswerPart{{Ref: b.Ref}} }
	for _, c := range []struct {
		name   string
		batch  seeding.Batch
		change func(*world, *seeding.Batch)
		asked  int
		lost   bool
		size   int // of the next batch
	}{
		{"before its deadline: nobody asks", overdueBatch("b1"), func(_ *world, b *seeding.Batch) { b.Deadline = now.Add(1) }, 0, false, 100},
		{"at its deadline, and MTS does not know it: lost, and the next is smaller", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			b.Deadline, w.says[b.RequestID] = now, seeding.StatusUnknown
		}, timesUnknown, true, 50},
		{"at its deadline, and MTS finished it: lost, and its size is forgiven once", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			b.Deadline, w.says[b.RequestID] = now, seeding.StatusFinished
		}, 1, true, 100},
		{"at its deadline, and MTS works on it and on another: it waits", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			w.slots = []seeding.Slot{{Batch: "b2", Overdue: now.Add(1)}}
			b.Deadline, w.says[b.RequestID] = now, seeding.StatusWorking
		}, 1, false, 100},
		{"at its deadline, and MTS works on nothing else: lost", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			b.Deadline, w.says[b.RequestID] = now, seeding.StatusWorking
		}, 1, true, 50},
		{"at its third deadline, and MTS works on it: lost", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			w.says[b.RequestID] = seeding.StatusWorking
		}, 1, true, 50},
		{"its answer is there: nobody asks", overdueBatch("b1"), func(w *world, b *seeding.Batch) { w.answers["b1"] = answerOf(*b) }, 0, false, 100},
		{"its answer comes while MTS is asked: not lost", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			w.says[b.RequestID] = seeding.StatusFinished
			w.whenAsked = func() { w.answers["b1"] = answerOf(*b) }
		}, 1, false, 100},
		{"somebody else closes it meanwhile: nothing more to do", overdueBatch("b1"), func(w *world, b *seeding.Batch) {
			w.says[b.RequestID], w.fails["Close"] = seeding.StatusUnknown, seeding.ErrConflict
		}, timesUnknown, false, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.change(w, &c.batch)
			w.open = []seeding.Batch{c.batch}
			if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
				t.Fatal(err)
			}
			if len(w.asked) != c.asked || (len(w.closed) == 1) != c.lost || w.measured[seeding.MetricBatchesLost] != float64(len(w.closed)) {
				t.Errorf("%d questions, %d closed, %v measured", len(w.asked), len(w.closed), w.measured)
			}
			if got := w.pace.Batch(1000); got != c.size {
				t.Errorf("the next batch has %d, want %d", got, c.size)
			}
			if len(w.rejections) > 0 {
				t.Errorf("rejects %v", w.rejections)
			}
			for _, b := range w.closed {
				if b.State != seeding.Lost || !b.Closed.Equal(now) || b.Totals != (seeding.Totals{Sent: 100}) {
					t.Errorf("closed as %s at %v with %+v", b.State, b.Closed, b.Totals)
				}
			}
		})
	}
}

// One batch that cannot be looked after keeps no other waiting, nor does one
// silent MTS hold up the tick.
func TestOverdueBatchesKeepNoOtherWaiting(t *testing.T) {
	w := newWorld()
	first, second, third, elsewhere := overdueBatch("b1"), overdueBatch("b2"), overdueBatch("b3"), overdueBatch("b4")
	elsewhere.MTS = "m2"
	w.says[elsewhere.RequestID] = seeding.StatusUnknown
	for _, b := range []*seeding.Batch{&first, &second, &third} {
		b.Deadline = now.Add(-time.Minute) // the second deadline has not come: silence waits
	}
	w.open = []seeding.Batch{first, second, third, elsewhere}
	if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
		t.Fatal(err)
	}
	if want := append([]string{first.RequestID}, slices.Repeat([]string{elsewhere.RequestID}, timesUnknown)...); !slices.Equal(w.asked, want) {
		t.Errorf("asked about %q", w.asked)
	}
	if len(w.closed) != 1 || w.closed[0].Ref != elsewhere.Ref {
		t.Errorf("closed %v", w.closed)
	}

	failure := errors.New("storage")
	w.fails["Close"], w.asked = failure, nil
	w.open = []seeding.Batch{elsewhere, elsewhere}
	if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); !errors.Is(err, failure) || len(w.asked) != 2*timesUnknown {
		t.Errorf("%d looked at, error %v", len(w.asked), err)
	}
}

// The first batch that an MTS calls done, and whose answer does not come, shows at
// once that the callback may not arrive, with the address; once for all of them.
func TestMTSThatNeverReachesUsIsShown(t *testing.T) {
	w := newWorld()
	w.pace = seeding.Pace{}
	first, second := overdueBatch("b1"), overdueBatch("b2")
	for _, b := range []*seeding.Batch{&first, &second} {
		b.Claimed, b.Deadline, b.Overdue = now.Add(-time.Minute), now.Add(time.Minute), now.Add(-time.Second)
		w.says[b.RequestID] = seeding.StatusFinished
	}
	w.open = []seeding.Batch{first, second}
	check := func(closed int) {
		t.Helper()
		if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
			t.Fatal(err)
		}
		p := w.states["c1"].Problems[seeding.ProblemCallback]
		if !strings.Contains(p.Text, "https://api.example/callback/x ") || !strings.Contains(p.Remedy, "CallbackBase") || !p.Since.Equal(now) || !p.Next.IsZero() {
			t.Errorf("shows %+v", p)
		}
		if blocked, _ := w.states["c1"].Blocked(); blocked || len(w.states["c1"].Problems) != 1 || len(w.closed) != closed {
			t.Errorf("blocked %v by %v, %d closed", blocked, w.states["c1"].Problems, len(w.closed))
		}
	}
	check(0)
	w.fails["RaiseProblem"] = errors.New("it is raised again")
	check(0)
	for i := range w.open {
		w.open[i].Deadline = now
	}
	check(2)
}

// The first loss at an MTS of which no answer ever came shows it, too, whatever MTS says
// of the batch.
func TestFirstLossAtAnUnprovedMTSDoubtsTheCallback(t *testing.T) {
	for proved, shown := range map[bool]bool{false: true, true: false} {
		w := newWorld()
		if w.pace = (seeding.Pace{}); proved {
			w.pace.Proved = 100
		}
		b := overdueBatch("b1")
		w.says[b.RequestID] = seeding.StatusUnknown
		w.open = []seeding.Batch{b}
		if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
			t.Fatal(err)
		}
		if _, is := w.states["c1"].Problems[seeding.ProblemCallback]; is != shown || len(w.closed) != 1 {
			t.Errorf("answered before %v: shown %v, %d closed", proved, is, len(w.closed))
		}
	}
}

// The state of an MTS is read once in a tick, however many of its batches are overdue.
func TestTheStateOfAnMTSIsReadOnce(t *testing.T) {
	w := newWorld()
	for i := range 20 {
		b := overdueBatch(fmt.Sprintf("b%02d", i))
		b.Deadline, w.says[b.RequestID] = now.Add(time.Minute), seeding.StatusFinished
		b.Overdue = now
		w.open = append(w.open, b)
	}
	if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil || w.mtsReads != 1 {
		t.Errorf("%d reads, %v", w.mtsReads, err)
	}
}

// An MTS that could not be asked says nothing of the size of the batch that is given
// up: the next one is as large.
func TestSilenceSaysNothingOfTheSize(t *testing.T) {
	w := newWorld()
	w.open = []seeding.Batch{overdueBatch("b1")}
	if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
		t.Fatal(err)
	}
	if len(w.closed) != 1 || w.pace.Size != 100 {
		t.Errorf("%d closed, size %d", len(w.closed), w.pace.Size)
	}
}

// Who was sent alone and lost (infra/protocol.md, "Reconcile" 4).
func TestLostAlone(t *testing.T) {
	who := seeding.Member{Registrant: 1, Identifier: 101}.Subject()
	before := func(kind seeding.RejectionKind, attempts int) []seeding.Rejection {
		return []seeding.Rejection{{Registry: "r1", Connector: "c1", Subject: who, Kind: kind, Attempts: attempts, Since: now.Add(-time.Hour), Version: 4}}
	}
	other := before(seeding.NoToken, 3)
	other[0].Connector = "c2"
	for _, c := range []struct {
		name     string
		before   []seeding.Rejection
		deleted  bool // the connector
		attempts int
		wait     time.Duration
		version  int // of the item that is written over
		noToken  int // in the totals; otherwise it is still pending
	}{
		{"for the first time: due at once, and pending", nil, false, 1, 0, 0, 0},
		{"for the second time: rejected, due after an hour", before(seeding.NoToken, 1), false, 2, time.Hour, 4, 1},
		{"for the third time: rejected, due after two", before(seeding.NoToken, 2), false, 3, 2 * time.Hour, 4, 1},
		{"after another rejection: the first time", before(seeding.Refused, 5), false, 1, 0, 4, 0},
		{"of another connector, too: the first time", other, false, 1, 0, 0, 0},
		{"of a connector that was deleted", nil, true, 1, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			configured := 7
			if c.deleted {
				delete(w.states, "c1")
				configured = 0
			}
			w.rejections = c.before
			w.open = []seeding.Batch{alone("b1")}
			w.says[w.open[0].RequestID] = seeding.StatusUnknown
			if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
				t.Fatal(err)
			}
			want := seeding.Rejection{
				Registry: "r1", Connector: "c1", Subject: who, Kind: seeding.NoToken, Code: seeding.CodeNoAnswer,
				Configured: configured, Attempts: c.attempts, Next: now.Add(c.wait), Since: now, LastAttempt: now, Version: c.version,
			}
			if c.attempts > 1 {
				want.Since = now.Add(-time.Hour)
			}
			if !slices.Contains(w.rejections, want) {
				t.Errorf("rejections %+v, want %+v", w.rejections, want)
			}
			if len(w.closed) != 1 || w.closed[0].Totals != (seeding.Totals{Sent: 1, NoToken: c.noToken}) {
				t.Errorf("closed %+v, want %d without a token", w.closed, c.noToken)
			}
			if got := w.measured[seeding.MetricRejected]; got != float64(c.noToken) {
				t.Errorf("%v measured as rejected, want %d", got, c.noToken)
			}
		})
	}
}

// A submission that was sent alone and lost is rejected with the time at which it was
// received, so that it is looked at again. Of a window nobody is: one of many may be to
// blame.
func TestSubmissionsThatWereLost(t *testing.T) {
	received := now.Add(-24 * time.Hour)
	window := seeding.Window{From: received, To: received.Add(time.Hour)}
	for _, c := range []struct {
		name        string
		submissions []string
		attempts    int // before
		want        []string
		noToken     int
	}{
		{"one, for the first time", []string{"uuid:1"}, 0, []string{"uuid:1 1"}, 0},
		{"one, for the second time", []string{"uuid:1"}, 1, []string{"uuid:1 2"}, 1},
		{"two, by their ids", []string{"uuid:1", "uuid:2"}, 0, nil, 0},
		{"a window", nil, 0, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			b := overdueBatch("b1")
			b.Members, b.Window, b.Submissions, b.Count = nil, window, c.submissions, max(1, len(c.submissions))
			w.open = []seeding.Batch{b}
			if c.attempts > 0 {
				w.rejections = []seeding.Rejection{{Registry: "r1", Connector: "c1", Subject: seeding.Subject{Submission: "uuid:1"}, Kind: seeding.NoToken, Attempts: c.attempts, Version: 4}}
			}
			w.says[b.RequestID] = seeding.StatusUnknown
			if _, err := w.reconciler().checkOverdue(t.Context(), []seeding.RegistryState{{Key: "r1"}}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range w.rejections {
				got = append(got, fmt.Sprintf("%s %d", r.Submission, r.Attempts))
				if !r.Received.Equal(received) || r.Kind != seeding.NoToken {
					t.Errorf("%+v", r)
				}
			}
			if !slices.Equal(got, c.want) || len(w.closed) != 1 || w.closed[0].Totals.NoToken != c.noToken || w.closed[0].Totals.Sent != b.Count {
				t.Errorf("rejections %q, closed %+v", got, w.closed)
			}
		})
	}
}

// Three losses in a row at size 1 say something of the MTS.
func TestLossesOfSingleRecordsAreAProblem(t *testing.T) {
	w := newWorld()
	w.pace = seeding.Pace{Size: 1}
	b := alone("b1")
	for i, want := range []int{0, 0, 1, 2} { // attempts of the problem
		if err := w.reconciler().slowDown(t.Context(), b, evidence{finding: unknownToMTS}); err != nil {
			t.Fatal(err)
		}
		problem := w.states["c1"].Problems[seeding.ProblemAnswers]
		if problem.Attempts != want || (want > 0) != (problem.Text == seeding.AnswersMissing.Text) {
			t.Errorf("after %d losses %+v, want %d attempts", i+1, problem, want)
		}
	}
	w.fails["State"] = errors.New("storage")
	if err := w.reconciler().slowDown(t.Context(), b, evidence{finding: unknownToMTS}); !errors.Is(err, w.fails["State"]) {
		t.Errorf("error %v, want %v", err, w.fails["State"])
	}
	delete(w.fails, "State")
	delete(w.states, "c1")
	if err := w.reconciler().slowDown(t.Context(), b, evidence{finding: unknownToMTS}); err != nil || len(w.states) > 0 {
		t.Errorf("a connector that was deleted: %v, %v", err, w.states)
	}
}

// MTSs that do not reply keep no other from being asked for long, and a tick ends in
// its minute, its gauges written.
func TestSilentMTSsKeepNoOtherFromBeingAsked(t *testing.T) {
	const servers = 23
	w := newWorld()
	w.registries = []seeding.RegistryState{{Key: "r1"}}
	for i := range servers {
		for n := range 3 {
			b := overdueBatch(fmt.Sprintf("b%02d.%d", i, n))
			b.MTS, b.Overdue, b.Deadline = fmt.Sprintf("m%02d", i), now.Add(-time.Minute), now.Add(24*time.Hour)
			w.open = append(w.open, b)
		}
	}
	w.whenAsked = func() { w.clock.Time = w.clock.Add(5 * time.Second) }
	last := map[string]int{} // tick in which a batch was asked about
	for tick := range 30 {
		w.clock.Time = now.Add(time.Duration(tick) * time.Minute)
		w.asked, w.measured = nil, map[seeding.Metric]float64{}
		began := w.clock.Time
		if err := w.reconciler().Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := w.clock.Sub(began); took > 30*time.Second || len(w.measured) == 0 {
			t.Fatalf("the tick took %v and measured %v", took, w.measured)
		}
		for _, request := range w.asked {
			last[request] = tick
		}
		for i := range servers {
			request := fmt.Sprintf("request of b%02d.0", i)
			if tick >= 6 && tick-last[request] > 6 {
				t.Fatalf("in tick %d nobody has asked for %d ticks: %s", tick, tick-last[request], request)
			}
		}
	}
}

// Answers that wait start the patcher, whatever became of the stream
// (infra/protocol.md, "Reconcile" 1).
func TestWhenPatchIsInvoked(t *testing.T) {
	waiting := func(received ...time.Duration) (parts []seeding.AnswerPart) {
		for _, ago := range received {
			parts = append(parts, seeding.AnswerPart{Ref: overdueBatch("b1").Ref, Received: now.Add(-ago)})
		}
		return parts
	}
	for _, c := range []struct {
		name     string
		registry seeding.RegistryState
		parts    []seeding.AnswerPart
		invoked  bool
		oldest   float64 // seconds
	}{
		{"no answer waits", seeding.RegistryState{}, nil, false, 0},
		{"an answer waits", seeding.RegistryState{}, waiting(time.Minute), true, 60},
		{"an answer of several parts waits", seeding.RegistryState{}, waiting(time.Second, time.Minute, 2*time.Second), true, 60},
		{"an answer waits for an outage to end", seeding.RegistryState{OutageUntil: now.Add(1)}, waiting(time.Minute), false, 60},
		{"an answer waits, and the outage is over", seeding.RegistryState{OutageUntil: now}, waiting(time.Minute), true, 60},
		{"an answer waits, and a patcher is at work", seeding.RegistryState{Patch: seeding.Lease{Owner: "x", Until: now.Add(time.Minute)}}, waiting(time.Minute), false, 60},
		{"an answer waits, and the patcher is dead", seeding.RegistryState{Patch: seeding.Lease{Owner: "x", Until: now}}, waiting(time.Minute), true, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.registry.Key = "r1"
			w.registries = []seeding.RegistryState{c.registry}
			if c.parts != nil {
				w.answers["b1"] = c.parts
			}
			if err := w.reconciler().Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			if (len(w.invoked) == 1) != c.invoked || w.measured[seeding.MetricOldestAnswer] != c.oldest {
				t.Errorf("invoked for %q, the oldest answer waits %v s", w.invoked, w.measured[seeding.MetricOldestAnswer])
			}
		})
	}
}

// An answer whose patcher died does not wait for the next tick: the tick looks again
// while the lease stays as it is.
func TestDeadPatcherIsFollowedWithinTheTick(t *testing.T) {
	for _, c := range []struct {
		name      string
		lease     time.Duration                        // that is left of the lease
		meanwhile func(lease *seeding.Lease, at int64) // after so many seconds
		followed  time.Duration                        // 0: never
		looks     int                                  // at the registries; 0: any number
	}{
		{"it died long ago", 3 * time.Second, nil, 3 * time.Second, 2},
		{"it died just now", 45 * time.Second, nil, 45 * time.Second, 5},
		{"it may be at a write", 5 * time.Minute, nil, 0, 0},
		{"it renews its lease", 20 * time.Second, func(l *seeding.Lease, at int64) {
			l.Until = now.Add(45*time.Second + time.Duration(at)*time.Second)
		}, 0, 2},
		{"it is done", 40 * time.Second, func(l *seeding.Lease, at int64) { l.Until = now.Add(time.Duration(at) * time.Second) }, 0, 2},
		{"another took over", 40 * time.Second, func(l *seeding.Lease, _ int64) { l.Owner, l.Fence = "y", l.Fence+1 }, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.registries = []seeding.RegistryState{{Key: "r1", Patch: seeding.Lease{Owner: "x", Fence: 3, Until: now.Add(c.lease)}}, {Key: "r2"}}
			w.answers["b1"] = []seeding.AnswerPart{{Ref: overdueBatch("b1").Ref, Received: now.Add(-time.Minute)}}
			w.clock.asleep = func(at time.Time) {
				if c.meanwhile != nil {
					w.registries = slices.Clone(w.registries)
					c.meanwhile(&w.registries[0].Patch, int64(at.Sub(now)/time.Second))
				}
			}
			if err := w.reconciler().Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := w.clock.Sub(now); took > 50*time.Second {
				t.Errorf("the tick took %v", took)
			}
			if c.looks > 0 && w.looks != c.looks {
				t.Errorf("%d looks at the registries", w.looks)
			}
			switch {
			case c.followed == 0 && len(w.invoked) > 0:
				t.Errorf("patch was invoked for %v", w.invoked)
			case c.followed > 0 && (len(w.invoked) != 1 || w.clock.Sub(now) != c.followed):
				t.Errorf("patch was invoked for %v after %v", w.invoked, w.clock.Sub(now))
			}
		})
	}
}

// What fails at one registry keeps no other waiting, and the gauges are taken
// nevertheless.
func TestTickGoesThroughAllRegistries(t *testing.T) {
	w := newWorld()
	failure := errors.New("storage")
	w.registries = []seeding.RegistryState{{Key: "r0"}, {Key: "r1"}, {Key: "r2"}}
	w.answersFail["r0"] = failure
	b := overdueBatch("b0")
	b.Ref.Registry, b.RequestID = "r0", ""
	w.open = []seeding.Batch{b}
	old := overdueBatch("b2").Ref
	old.Registry = "r2"
	w.answers["b1"] = []seeding.AnswerPart{{Ref: overdueBatch("b1").Ref, Received: now.Add(-time.Hour)}}
	w.answers["b2"] = []seeding.AnswerPart{{Ref: old, Received: now.Add(-time.Minute)}}
	if err := w.reconciler().Tick(t.Context()); !errors.Is(err, failure) {
		t.Errorf("the failure is lost: %v", err)
	}
	if !slices.Equal(w.invoked, []string{"r1", "r2"}) || len(w.closed) != 1 {
		t.Errorf("invoked for %q, %d batches closed", w.invoked, len(w.closed))
	}
	if oldest, taken := w.measured[seeding.MetricOldestAnswer]; !taken || oldest != 3600 {
		t.Errorf("the oldest answer waits %v s", oldest)
	}
	if _, taken := w.measured[seeding.MetricStalledConnectors]; !taken {
		t.Error("the gauges are missing")
	}
}

// A failure of the storage is told, and what must come before a write was not
// skipped for it.
func TestAStorageThatFails(t *testing.T) {
	failure := errors.New("storage")
	for call, closed := range map[string]int{
		"": 1, "States": 1, "InvokePatch": 1, "AnswerParts": 1, "SavePace": 1, "RaiseProblem": 1,
		"RegistryStates": 0, "OpenBatches": 0, "MTSState": 0, "HasAnswer": 0, "Rejections": 0, "State": 0, "PutRejections": 0, "Close": 0,
	} {
		t.Run(call, func(t *testing.T) {
			w := newWorld()
			w.registries, w.pace = []seeding.RegistryState{{Key: "r1"}}, seeding.Pace{Size: 1, Losses: 2, Proved: 1}
			w.open = []seeding.Batch{alone("b1")}
			w.says[w.open[0].RequestID] = seeding.StatusUnknown
			w.answers["b2"] = []seeding.AnswerPart{{Ref: overdueBatch("b2").Ref, Received: now.Add(-time.Minute)}}
			var want error
			if call != "" {
				want, w.fails[call] = failure, failure
			}
			if err := w.reconciler().Tick(t.Context()); !errors.Is(err, want) || call == "" && err != nil {
				t.Errorf("error %v, want %v", err, want)
			}
			if len(w.closed) != closed || w.measured[seeding.MetricBatchesLost] != float64(closed) {
				t.Errorf("%d batches closed, measured %v", len(w.closed), w.measured)
			}
			if _, taken := w.measured[seeding.MetricOldestAnswer]; taken != (call != "RegistryStates" && call != "States") {
				t.Errorf("gauges taken: %v", taken)
			}
			if _, raised := w.states["c1"].Problems[seeding.ProblemAnswers]; raised != (closed > 0 && call != "SavePace") {
				t.Errorf("the problem is raised: %v", raised)
			}
		})
	}
}
