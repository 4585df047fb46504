package submit

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// A POST is taken, surely not taken, or of unknown outcome: what becomes of its
// batch, of the connector's problem and of the MTS.
func TestWhatBecomesOfAPost(t *testing.T) {
	pace := seeding.Pace{Size: 2, Proved: 2}
	suspect := seeding.Pace{Size: 2, Proved: 2, Suspect: 2}
	fault := func(kind seeding.FaultKind) error { return &seeding.Fault{Kind: kind, Code: "CODE"} }
	type outcome struct {
		state     seeding.BatchState
		attempts  int           // POSTs in a row that were surely not taken
		notBefore time.Duration // of the next one; 0 for at once
		problem   int           // attempts of the problem "mts"; 0 if there is none
		pace      seeding.Pace
		figures   [2]float64 // submitted records, failed batches
	}
	for name, c := range map[string]struct {
		attempts int // before
		err      error
		want     outcome
	}{
		"it is taken": {
			want: outcome{state: seeding.Submitted, pace: pace, figures: [2]float64{2, 0}},
		},
		"nobody is there": {
			err:  fault(seeding.Unreachable),
			want: outcome{state: seeding.Failed, attempts: 1, notBefore: time.Minute, problem: 1, pace: pace, figures: [2]float64{0, 1}},
		},
		"it is refused, and its size may be to blame": {
			err:  fault(seeding.RefusedRequest),
			want: outcome{state: seeding.Failed, attempts: 1, notBefore: time.Minute, problem: 1, pace: suspect, figures: [2]float64{0, 1}},
		},
		"its outcome is unknown":                 {err: fault(seeding.Unknown), want: outcome{state: seeding.Claimed, pace: pace}},
		"its outcome is an error of no kind":     {err: errors.New("broken pipe"), want: outcome{state: seeding.Claimed, pace: pace}},
		"its outcome is that it ran out of time": {err: context.DeadlineExceeded, want: outcome{state: seeding.Claimed, pace: pace}},
		"a probe is taken": {
			attempts: 3, want: outcome{state: seeding.Submitted, pace: pace, figures: [2]float64{1, 0}},
		},
		"nobody is there for a probe": {
			attempts: 3, err: fault(seeding.Unreachable),
			want: outcome{state: seeding.Failed, attempts: 4, notBefore: 8 * time.Minute, problem: 3, pace: pace, figures: [2]float64{0, 1}},
		},
		"the outcome of a probe is unknown": {
			attempts: 3, err: fault(seeding.Unknown), want: outcome{state: seeding.Claimed, attempts: 3, problem: 2, pace: pace},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1, 2, 3)
			f.mts.Pace, f.mts.Attempts = pace, c.attempts
			if c.attempts > 0 {
				f.state.Problems[seeding.ProblemMTS] = seeding.Problem{Since: earlier, Attempts: 2, Next: now}
			}
			f.during["Submit"] = func() error { return c.err }
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			batches := slices.Concat(f.open, f.closed)
			if len(batches) != 1 || len(f.posts) != 1 {
				t.Fatalf("%d batches, %d POSTs", len(batches), len(f.posts))
			}
			got := outcome{
				state: batches[0].State, attempts: f.mts.Attempts, problem: f.state.Problems[seeding.ProblemMTS].Attempts, pace: f.mts.Pace,
				figures: [2]float64{f.measured[seeding.MetricSubmitted], f.measured[seeding.MetricBatchesFailed]},
			}
			if !f.mts.NotBefore.IsZero() {
				got.notBefore = f.mts.NotBefore.Sub(now)
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if b := batches[0]; b.State.Open() == (len(f.closed) == 1) || b.State == seeding.Failed && (b.Totals.Sent != 0 || b.Undecided() != b.Count) {
				t.Errorf("closed %d batches: %+v", len(f.closed), b)
			}
			if len(f.mts.Slots) != len(f.open) {
				t.Errorf("slots %+v, open batches %+v", f.mts.Slots, f.open)
			}
			if !f.state.Moved.Equal(now) {
				t.Error("the claim is no move")
			}
		})
	}
}

// Everything in a request and its batch.
func TestABatchAndItsRequest(t *testing.T) {
	f := newFake()
	f.add(1, 2)
	f.connector.MTS.Language, f.connector.Delivery.TimeoutSeconds = "eng", 50
	f.connector.MTS.WidthMaximum = 2
	f.mts.Claims, f.mts.Delivered, f.mts.Pace = 7, 500, seeding.Pace{Size: 100, Proved: 100, PerRecord: 100 * time.Millisecond}
	f.mts.Slots = []seeding.Slot{{Batch: "another", Connector: "d", Count: 30, Claimed: now, Overdue: later, Ends: later}}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	ref := seeding.BatchRef{Registry: f.connector.RegistryKey(), Connector: "c", Run: "id2", Batch: "id3"}
	got := f.open[0]
	members := []seeding.Member{{Registrant: 1, Identifier: 11}, {Registrant: 2, Identifier: 12}}
	times := seeding.DefaultTimes()
	want := seeding.Batch{
		Ref: ref, State: seeding.Submitted, MTS: f.connector.MTSKey(), MTSURL: "http://mts", Size: 100, Count: 2,
		InLine: 32, Beside: 1, Ahead: 30, Full: true, Number: 8, Delivered: 500, Since: now,
		Claimed: now, Submitted: now,
		Overdue: now.Add(times.OverdueBase + 2*32*100*time.Millisecond), Deadline: now.Add(times.DeadlineBase + 4*32*100*time.Millisecond),
		RequestID: "request", RowKey: "row", FingerprintKey: currentKey.ID, Members: members,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("batch %+v, want %+v", got, want)
	}

	r := f.posts[0]
	granted, ok, err := seeding.OpenCapability(t.Context(), seedingtest.Keyring{seedingtest.Key("capability")}, r.Bearer, now.Add(7*24*time.Hour-time.Second))
	if err != nil || !ok || granted.Ref != ref || granted.Count != 2 {
		t.Errorf("the bearer is for %+v, %v, %v", granted, ok, err)
	}
	if _, ok, _ := seeding.OpenCapability(t.Context(), seedingtest.Keyring{seedingtest.Key("capability")}, r.Bearer, now.Add(7*24*time.Hour)); ok {
		t.Error("the bearer does not end")
	}
	if r.MTSURL != "http://mts" || r.CallbackURL != "http://callback/callback/id3" || r.Language != "eng" || r.TimeoutSeconds != 50 || r.OutputFormat != seeding.OutputFormat {
		t.Errorf("request %+v", r)
	}
	for i, record := range r.Records {
		demographics := fieldMapper{}.Map(withVID(f.records[f.vids[i].Registrant], f.vids[i].Value))
		fingerprint := seeding.FingerprintOf(currentKey, demographics)
		mac := seeding.RowMACOf(seedingtest.Key("row"), "id3", members[i], f.vids[i].Value, fingerprint)
		want := seeding.RequestRecord{VID: f.vids[i].Value, Name: demographics.Name.Text, DOB: "1990-02-03", Key: seeding.Seal(seedingtest.Key("capability"), "id3", seeding.CorrelationKey(members[i], mac, fingerprint))}
		if !reflect.DeepEqual(record, want) {
			t.Errorf("record %+v, want %+v", record, want)
		}
	}
	if len(r.Records) != 2 {
		t.Errorf("%d records", len(r.Records))
	}
}

// How many are sent, and when.
func TestHowManyAreSent(t *testing.T) {
	others := func(overdue time.Time) []seeding.Slot {
		return []seeding.Slot{{Batch: "another", Connector: "d", Count: 1, Claimed: earlier, Overdue: overdue, Ends: later}}
	}
	raisedUntil := func(next time.Time) seeding.Problem { return seeding.Problem{Since: earlier, Attempts: 1, Next: next} }
	for name, c := range map[string]struct {
		prepare func(*fake)
		sent    int
		due     time.Time // zero when it does not matter
	}{
		"as many as the MTS takes":       {prepare: func(f *fake) { f.mts.Pace = seeding.Pace{Size: 3} }, sent: 3},
		"no more than the connector's":   {prepare: func(f *fake) { f.connector.MTS.BatchMaximum = 4 }, sent: 4},
		"all that there are":             {prepare: func(*fake) {}, sent: 5},
		"one while there is a problem":   {prepare: func(f *fake) { f.state.Problems[seeding.ProblemAnswers] = raisedUntil(now) }, sent: 1},
		"all while unlinking is refused": {prepare: func(f *fake) { f.state.Problems[seeding.ProblemUnlink] = raisedUntil(now) }, sent: 5},
		"one to an MTS that another connector found away": {
			prepare: func(f *fake) { f.mts.Attempts, f.mts.NotBefore = 2, later }, sent: 1,
		},
		"none before the next attempt of an MTS that this connector found away": {
			prepare: func(f *fake) {
				f.state.Problems[seeding.ProblemMTS], f.mts.Attempts, f.mts.NotBefore = raisedUntil(now), 2, later
			}, due: later,
		},
		"none while the MTS is full": {
			prepare: func(f *fake) { f.mts.Slots = others(later) }, due: now,
		},
		"all once a batch is overdue": {
			prepare: func(f *fake) { f.mts.Slots = others(now) }, sent: 5,
		},
		"none when the MTS becomes full while a page is read": {
			prepare: func(f *fake) { f.during["VIDs"] = func() error { f.mts.Slots = others(later); return nil } }, due: now,
		},
		"all when a batch becomes overdue after that": {
			prepare: func(f *fake) {
				f.during["VIDs"] = func() error { f.mts.Slots = others(now.Add(5 * time.Second)); return nil }
			}, sent: 5,
		},
		"none without the password of the registry": {
			prepare: func(f *fake) { f.during["Open"] = func() error { return seeding.ErrNotFound } }, due: now.Add(time.Minute),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1, 2, 3, 4, 5)
			f.connector.MTS.BatchMaximum, f.mts.Heard = 5, now
			c.prepare(f)
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			sent := 0
			for _, r := range f.posts {
				sent += len(r.Records)
			}
			if sent != c.sent || len(f.posts) > 1 || (sent == 0) != (len(f.open) == 0) {
				t.Errorf("%d sent in %d requests, %d batches; want %d", sent, len(f.posts), len(f.open), c.sent)
			}
			if !c.due.IsZero() && !f.state.Due.Equal(c.due) {
				t.Errorf("due in %v, want %v", f.state.Due.Sub(now), c.due.Sub(now))
			}
		})
	}
}

// A POST has the more time, the more records its worker may have to process first.
func TestTheTimeLimitOfAPost(t *testing.T) {
	s := Submitter{Times: seeding.DefaultTimes()}
	base, perRecord := s.Times.PostBase, s.Times.PostPerRecord
	for _, c := range []struct {
		inLine int
		want   time.Duration
	}{
		{1, base + perRecord},
		{1000, base + 1000*perRecord},
		{1e6, postMaximum},
	} {
		if got := s.postLimit(seeding.Batch{Count: 1, InLine: c.inLine}); got != c.want {
			t.Errorf("%v with %d in line, want %v", got, c.inLine, c.want)
		}
	}
}

// An answer may be quicker than the reply to its POST, and have closed the batch.
func TestAnAnswerOvertakesTheReplyToItsPost(t *testing.T) {
	for name, err := range map[string]error{"and its batch is closed": seeding.ErrConflict, "and its batch is gone": seeding.ErrNotFound} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1)
			f.once("MarkSubmitted", err)
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if f.measured[seeding.MetricSubmitted] != 1 || f.mts.Attempts != 0 {
				t.Errorf("measured %v, MTS %+v", f.measured, f.mts)
			}
		})
	}
}

// Of a POST whose outcome is unknown the cause is shown, and nothing is held up.
func TestUnknownOutcomeOfAPostIsShown(t *testing.T) {
	f := newFake()
	f.add(1, 2)
	f.once("Submit", &seeding.Fault{Kind: seeding.Unknown, Code: "HTTP-503"})
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	want := seeding.ReplyProblem(&seeding.Fault{Code: "HTTP-503"}, false)
	got, raised := f.state.Problems[seeding.ProblemReply]
	if !raised || got.Text != want.Text || got.Remedy != want.Remedy || !got.Since.Equal(now) || !got.Next.IsZero() || len(f.state.Problems) != 1 {
		t.Errorf("%+v", f.state.Problems)
	}
	if blocked, _ := f.state.Blocked(); blocked || len(f.open) != 1 {
		t.Errorf("blocked %v, open %+v", blocked, f.open)
	}

	f = newFake()
	f.add(1)
	f.state.Problems[seeding.ProblemReply] = seeding.Problem{Since: earlier}
	if err := f.oneStep(t); err != nil || len(f.posts) != 1 || len(f.state.Problems) > 0 {
		t.Errorf("%v, %d POSTs, %+v after one that was taken", err, len(f.posts), f.state.Problems)
	}
}

// A connector that shows the problem "mts" and has nobody to send asks MTS for a
// request that does not exist.
func TestAnMTSThatAnswersAgain(t *testing.T) {
	for name, c := range map[string]struct {
		status seeding.MTSStatus
		err    error
		raised bool
	}{
		"it does not know the request": {status: seeding.StatusUnknown},
		"it says what cannot be":       {status: seeding.StatusWorking, raised: true},
		"it does not answer":           {status: seeding.StatusUnknown, err: &seeding.Fault{Kind: seeding.Unreachable}, raised: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.status = c.status
			f.state.Problems[seeding.ProblemMTS] = seeding.Problem{Since: earlier, Next: now}
			f.during["Status"] = func() error { return c.err }
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if _, raised := f.state.Problems[seeding.ProblemMTS]; raised != c.raised {
				t.Errorf("there is the problem: %v, want %v", raised, c.raised)
			}
		})
	}
}

// An MTS is not asked without a problem, or while a batch is sent to it.
func TestAnMTSThatNeedNotBeAsked(t *testing.T) {
	f := newFake()
	if err := f.oneStep(t); err != nil || len(f.called("Status")) != 0 {
		t.Errorf("%v, asked %q", err, f.called("Status"))
	}
	f = newFake()
	f.add(1)
	f.state.Problems[seeding.ProblemMTS] = seeding.Problem{Since: earlier, Next: now}
	if err := f.oneStep(t); err != nil || len(f.called("Status")) != 0 {
		t.Errorf("%v, asked %q", err, f.called("Status"))
	}
}

// Without one of the three keys nothing is sent.
func TestKeysThatCannotBeRead(t *testing.T) {
	for name, lose := range map[string]func(*Submitter){
		"of capabilities": func(s *Submitter) { s.CapabilityKeys = noKeys{} },
		"of rows":         func(s *Submitter) { s.RowKeys = noKeys{} },
		"of fingerprints": func(s *Submitter) { s.FingerprintKeys = noKeys{} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.add(1)
			s := f.submitter()
			lose(s)
			if err := s.Work(t.Context(), "c", now.Add(15*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, raised := f.state.Problems[seeding.ProblemConfig]; !raised || len(f.open)+len(f.posts) != 0 {
				t.Errorf("problems %+v, %d batches, %d POSTs", f.state.Problems, len(f.open), len(f.posts))
			}
		})
	}
}

// noKeys is a keyring that cannot be read.
type noKeys struct{}

func (noKeys) Current(context.Context) (seeding.Key, error) { return seeding.Key{}, errStorage }

func (noKeys) ByID(context.Context, string) (seeding.Key, error) { return seeding.Key{}, errStorage }

// With a direct callback a record goes along as Odoo's connector sends it, by the kinds
// of its fields, which are asked for once and only for somebody to send.
func TestADirectCallbackGetsRecordsAsOdoosConnectorSendsThem(t *testing.T) {
	for _, registrants := range [][]int64{nil, {1, 2, 3}} {
		f := newFake()
		f.add(registrants...)
		for id := range f.records {
			f.records[id]["state_id"], f.records[id]["email"] = []any{5, "Laguna"}, ""
		}
		f.connector.Delivery.Direct = &seeding.DirectDelivery{URL: "https://registry.example/api", Method: "POST"}
		s := f.submitter()
		s.CallbackSecrets = func(context.Context, seeding.Connector) (seeding.CallbackSecrets, error) {
			return seeding.CallbackSecrets{}, nil
		}
		if err := s.Work(t.Context(), "c", f.now.Add(s.stepLimit())); err != nil {
			t.Fatal(err)
		}
		if asked := len(f.called("Kinds")); asked != min(len(registrants), 1) {
			t.Errorf("%d registrants: the kinds were asked for %d times", len(registrants), asked)
		}
		sent := 0
		for _, request := range f.posts {
			for _, r := range request.Records {
				sent++
				if r.Fields["state_id"] != "res.country.state(5,)" || r.Fields["birthdate"] != "1990/02/03" || r.Fields["vid"] == "" || r.Fields["email"] != nil {
					t.Errorf("%v", r.Fields)
				}
			}
		}
		if sent != len(registrants) {
			t.Errorf("%d of %d were sent", sent, len(registrants))
		}
	}
}
