package system_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// A whole run over a form with submissions of every kind, and what comes after it.
func TestEverySubmissionIsReconciled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{local: true, odk: true})
	e := w.central.Populate(1200, 1)
	start, first := w.now(), w.form.Entries()
	c := w.formConnector(nil)
	w.finish(20, c)
	w.checkSubmissions(c, start, first)
	w.checkSent(1)
	persons := e.Tokens - e.Duplicates
	expect(t, "registrants", len(w.now()), persons)
	rejected := w.formRejections(c)
	kinds := invariants.ByKind(slices.Collect(maps.Values(rejected)))
	expect(t, "duplicates", kinds[seeding.Duplicate], e.Duplicates)
	expect(t, "rejected", len(rejected), e.Submissions-persons)
	for id, kind := range e.Kinds {
		r, isRejected := rejected[id]
		if kind != centralsim.SharedPerson && (kind == centralsim.Plain) == isRejected || isRejected && !r.Received.Equal(receivedOf(first, id)) {
			t.Errorf("a %s submission: %s %s, received %s", kind, r.Kind, r.Code, r.Received)
		}
	}
	runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 10)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	observed := invariants.Observe(w.now(), start, invariants.SentKinds(kinds), w.mts.Counters().RecordsReceived, e.Submissions)
	for _, d := range invariants.Differences(invariants.Totals(invariants.Reported(runs[0].Totals, runs[0].Tally), observed)) {
		t.Error(d)
	}
	expect(t, "problems", len(w.problems(c)), 0)
	expect(t, "metric: tokenised", int(w.metrics.Sum(seeding.MetricTokenised)), persons)
	coverage, err := w.store.Coverage(t.Context(), c.ID)
	if err != nil || !coverage.Whole().Has(e.From) || !coverage.Whole().Has(e.To) {
		t.Errorf("looked at: %v, %v", coverage.Whole(), err)
	}

	// A second run finds nothing to do: it asks Central whether anything changed.
	posts, calls := w.mts.Counters().Posts, w.central.Counters().Requests
	w.finishNextRun(20, c)
	expect(t, "POSTs of the second run", w.mts.Counters().Posts, posts)
	if made := w.central.Counters().Requests - calls; made > 2 {
		t.Errorf("the second run made %d calls at Central", made)
	}

	// Submissions that were corrected are sent, others are not.
	corrected := 0
	for id, kind := range e.Kinds {
		if kind == centralsim.NoBirthdate {
			w.correct(id, corrected)
			corrected++
		}
	}
	sent := w.mts.Counters().RecordsReceived
	w.finishNextRun(20, c)
	w.checkSubmissions(c, start, first)
	expect(t, "sent again", w.mts.Counters().RecordsReceived-sent, corrected)
	expect(t, "registrants after the correction", len(w.now()), persons+corrected)
}

func receivedOf(entries []centralsim.Entry, id string) time.Time {
	for _, e := range entries {
		if e.ID == id {
			return e.Received
		}
	}
	return time.Time{}
}

// once does something when MTS is first asked to fetch.
func (w *world) onceFetched(f func()) {
	var done atomic.Bool
	w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && done.CompareAndSwap(false, true) {
			f()
		}
		return false
	}
}

// Whatever happens to submissions while they are under way, nothing is lost and nobody
// is there twice. Each case says what happens to a form with 40 submissions.
func TestNoSubmissionIsLostOrDoubled(t *testing.T) {
	const n = 40
	for name, c := range map[string]struct {
		change  func(*seeding.Connector)
		prepare func(w *world, ids []string)
		later   func(w *world, ids []string) // after the first run
		persons int                          // registrants at the end
		runs    int                          // of which the last one finds nothing to do; 2 without a number
	}{
		"nothing": {persons: n},
		"others come while MTS fetches": {prepare: func(w *world, _ []string) {
			w.onceFetched(func() {
				for i := range 10 {
					w.fill(100+i, time.Duration(i)*20*time.Second)
				}
			})
		}, persons: n + 10, runs: 3},
		"others come with the dates of those under way": {prepare: func(w *world, ids []string) {
			w.onceFetched(func() {
				for i, e := range w.form.Entries() {
					w.form.Submit(centralsim.Submission{At: e.Received, Answers: answersOf(vidOfPerson(100 + i))})
				}
			})
		}, persons: 2 * n, runs: 3},
		"many share a moment, more than a batch holds": {change: func(c *seeding.Connector) { c.MTS.BatchMaximum = 10 }, prepare: func(w *world, ids []string) {
			at := w.form.Entries()[n/2].Received
			for i := range 35 {
				w.form.Submit(centralsim.Submission{At: at, Answers: answersOf(vidOfPerson(100 + i))})
			}
		}, persons: n + 35},
		"one can be read long after its date": {prepare: func(w *world, ids []string) {
			w.form.Submit(centralsim.Submission{ID: "uuid:late", At: w.form.Entries()[5].Received.Add(time.Millisecond), Answers: answersOf(vidOfPerson(100)), Hidden: true})
		}, later: func(w *world, _ []string) { w.form.Show("uuid:late") }, persons: n + 1, runs: 3},
		"one can be read after its window was fetched": {prepare: func(w *world, ids []string) {
			w.form.Submit(centralsim.Submission{ID: "uuid:late", At: w.form.Entries()[5].Received.Add(time.Millisecond), Answers: answersOf(vidOfPerson(100)), Hidden: true})
			w.atFirstCallback(func() { w.form.Show("uuid:late") })
		}, persons: n + 1, runs: 3},
		"edited before MTS fetches": {prepare: func(w *world, ids []string) {
			w.onceFetched(func() { w.correct(ids[n-1], 100) })
		}, persons: n},
		"edited before the answer comes": {prepare: func(w *world, ids []string) {
			w.atFirstCallback(func() { w.correct(ids[n-1], 100) })
		}, persons: n},
		"edited when it is done": {later: func(w *world, ids []string) { w.correct(ids[3], 100) }, persons: n, runs: 3},
		"corrected after it was rejected": {prepare: func(w *world, ids []string) {
			w.form.Edit(ids[7], answersOf(centralsim.DemoVID(77, 1, 90)))
		}, later: func(w *world, ids []string) { w.correct(ids[7], 100) }, persons: n, runs: 3},
		"deleted before MTS fetches": {prepare: func(w *world, ids []string) {
			w.onceFetched(func() { w.form.Delete(ids[n-1]); w.form.Delete(ids[2]) })
		}, persons: n - 2},
		"deleted before the answer comes": {prepare: func(w *world, ids []string) {
			w.atFirstCallback(func() { w.form.Delete(ids[n-1]) })
		}, persons: n - 1},
		"all deleted before MTS fetches": {prepare: func(w *world, ids []string) {
			w.onceFetched(func() {
				for _, id := range ids {
					w.form.Delete(id)
				}
			})
		}, persons: 0},
		"deleted when it is done": {later: func(w *world, ids []string) { w.form.Delete(ids[3]) }, persons: n, runs: 3},
		"restored": {prepare: func(w *world, ids []string) { w.form.Delete(ids[3]) },
			later: func(w *world, ids []string) { w.form.Restore(ids[3]) }, persons: n, runs: 3},
		"restored when it is done": {later: func(w *world, ids []string) { w.form.Delete(ids[3]); w.form.Restore(ids[3]) }, persons: n, runs: 3},
		"deleted, and restored before the answer comes": {prepare: func(w *world, ids []string) {
			w.atFirstCallback(func() { w.form.Delete(ids[n-1]); w.form.Restore(ids[n-1]) })
		}, persons: n},
		"reviewed":            {later: func(w *world, ids []string) { w.form.Review(ids[3], "approved") }, persons: n, runs: 3},
		"a photo comes later": {later: func(w *world, ids []string) { w.form.Attach(ids[3]) }, persons: n},
		"two of one person": {prepare: func(w *world, ids []string) {
			w.form.Submit(centralsim.Submission{At: w.form.Entries()[9].Received, Answers: answersOf(centralsim.DemoVID(5_000_009, 2, 0))})
		}, persons: n},
		"somebody holds the token already": {prepare: func(w *world, _ []string) {
			id := w.registry.AddRegistrant(odoosim.Registrant{Name: "A", GivenName: "A"})
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(vidOfPerson(4))})
		}, persons: n},
		"somebody holds the id of a submission, without a token": {prepare: func(w *world, ids []string) {
			id := w.registry.AddRegistrant(odoosim.Registrant{Name: "A", GivenName: "A"})
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.SubmissionType, Value: ids[4]})
		}, persons: n},
		"MTS loses answers":          {prepare: func(w *world, _ []string) { w.mts.SetFaults(mtssim.Faults{LoseEvery: 2}) }, persons: n},
		"MTS calls back three times": {prepare: func(w *world, _ []string) { w.mts.SetFaults(mtssim.Faults{Copies: 3, Parallel: true}) }, persons: n},
		"MTS takes a POST and answers 500": {prepare: func(w *world, _ []string) { w.mts.SetFaults(mtssim.Faults{FailNext: 2}) },
			later: func(w *world, _ []string) { w.fill(100, 0) }, persons: n + 1, runs: 3}, // which ends the problem
		"MTS takes a POST and dies": {prepare: func(w *world, _ []string) {
			var once atomic.Bool
			after := func(*http.Request) {
				if once.CompareAndSwap(false, true) {
					go w.mts.Restart()
				}
			}
			w.onceFetched(func() { w.onCentral.Store(&after) })
		}, persons: n},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odk: true})
			w.setUnprovedSize(15)
			ids := w.fillMany(n)
			if c.prepare != nil {
				c.prepare(w, ids)
			}
			start, before := w.now(), w.form.Entries()
			connector := w.formConnector(c.change)
			w.finish(60, connector)
			after := w.form.Entries()
			if c.later != nil {
				c.later(w, ids)
			}
			for range max(c.runs, 2) - 1 {
				w.clock.Advance(3 * time.Minute) // what came at last is old enough
				w.finishNextRun(60, connector)
			}
			w.checkSubmissions(connector, start, before, after)
			done := 0
			for _, has := range w.now() {
				if len(has.Tokens) > 0 && len(has.Submissions) > 0 {
					done++
				}
			}
			expect(t, "registrants that came of submissions", done, c.persons)
			for source, p := range w.problems(connector) {
				t.Errorf("problem %s: %s", source, p.Text)
			}
		})
	}
}

// The answer of a submission that was edited meanwhile is about somebody else. It is
// dropped, and what it says now is sent.
func TestAnAnswerAboutAnEarlierVersionIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{odk: true})
	ids := w.fillMany(3)
	start, before := w.now(), w.form.Entries()
	w.atFirstCallback(func() { w.correct(ids[1], 100) })
	c := w.formConnector(nil)
	w.finish(30, c)
	w.checkSubmissions(c, start, before)
	if got := w.tokensOf(ids[1]); !slices.Equal(got, []string{mtssim.Token(vidOfPerson(100))}) {
		t.Errorf("it has %d tokens, and not that of the person whom it is about now", len(got))
	}
	expect(t, "records that MTS got", w.mts.Counters().RecordsReceived, 4)
}

// shown says whether a fault is shown as a problem.
type shown int

const (
	never   shown = iota // the connector gets by alone
	perhaps              // until the next attempt
	always
)

// Central fails for a while, in every way in which it can, whenever it is asked. The
// connector shows why, and when Central answers again everything is done, and nothing
// is shown.
func TestCentralFails(t *testing.T) {
	fault := func(f centralsim.Faults) [2]func(*world) {
		return [2]func(*world){func(w *world) { w.central.SetFaults(f) }, func(w *world) { w.central.SetFaults(centralsim.Faults{}) }}
	}
	for name, c := range map[string]struct {
		does  [2]func(*world) // what goes wrong, and what ends it
		shown shown           // as a problem
	}{
		"down":              {fault(centralsim.Faults{Down: true}), always},
		"a page of nginx":   {fault(centralsim.Faults{Page: 502}), always},
		"its database down": {fault(centralsim.Faults{DatabaseDown: true}), always},
		"another password": {[2]func(*world){
			func(w *world) { w.central.SetPassword(centralsim.DemoUser, "another one 77") },
			func(w *world) { w.central.SetPassword(centralsim.DemoUser, centralsim.DemoPassword) },
		}, always},
		"no right any more": {[2]func(*world){
			func(w *world) { w.central.Assign(centralsim.DemoUser, 1, centralsim.Collector) },
			func(w *world) { w.central.Assign(centralsim.DemoUser, 1, centralsim.Viewer) },
		}, always},
		"single sign-on": {[2]func(*world){
			func(w *world) { w.central.SetSingleSignOn(true); w.central.EndSessions() },
			func(w *world) { w.central.SetSingleSignOn(false) },
		}, always},
		"sessions ended":                         {[2]func(*world){func(w *world) { w.central.EndSessions() }, func(*world) {}}, never},
		"one list cut":                           {fault(centralsim.Faults{Stop: centralsim.Cut, StopNext: 1, StopAfter: 2}), perhaps},
		"one list that ends as if it were whole": {fault(centralsim.Faults{Stop: centralsim.Ended, StopNext: 1, StopAfter: 2}), perhaps},
		"slow":                                   {fault(centralsim.Faults{DelayMS: 20}), never},
		"a form that is closed":                  {[2]func(*world){func(w *world) { w.form.SetState(centralsim.Closed) }, func(*world) {}}, never},
	} {
		for when, arm := range map[string]func(w *world, f func()){
			"from the start":               func(_ *world, f func()) { f() },
			"when MTS is to fetch":         func(w *world, f func()) { w.onceFetched(f) },
			"when the answer is processed": func(w *world, f func()) { w.atFirstCallback(f) },
		} {
			t.Run(name+"/"+when, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, options{odk: true})
				w.setUnprovedSize(20)
				w.fillMany(50)
				start, before := w.now(), w.form.Entries()
				arm(w, func() { c.does[0](w) })
				connector := w.formConnector(nil)
				seen := ""
				for range 12 {
					w.tick()
					if p, isThere := w.problems(connector)[seeding.ProblemODK]; isThere {
						seen = p.Code
					}
				}
				if c.shown == always && seen == "" {
					t.Errorf("no problem is shown; there are %v", w.problems(connector))
				}
				if c.shown == never && seen != "" {
					t.Errorf("the problem %s is shown", seen)
				}
				c.does[1](w)
				w.clock.Advance(2 * time.Hour)
				w.finish(60, connector)
				w.clock.Advance(25 * time.Hour)
				w.finishNextRun(60, connector)
				w.forgetFailures()
				w.checkSubmissions(connector, start, before)
				expect(t, "registrants", len(w.now()), 50)
				for source, p := range w.problems(connector) {
					t.Errorf("problem %s: %s", source, p.Text)
				}
			})
		}
	}
}

// A form of any size: the calls at Central grow with it no faster than they must.
func TestSizesOfForms(t *testing.T) {
	for _, n := range []int{0, 1, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			if n > 1 && testing.Short() {
				t.Skip("long")
			}
			w := newWorld(t, options{odk: true})
			w.fillMany(n)
			start, before := w.now(), w.form.Entries()
			c := w.formConnector(nil)
			w.finish(200, c)
			w.checkSubmissions(c, start, before)
			w.checkSent(1)
			expect(t, "registrants", len(w.now()), n)
			t.Logf("%d calls at Central, %d POSTs", w.central.Counters().Requests, w.mts.Counters().Posts)
		})
	}
}

// Of a form with submissions of before, only those count that came since a moment.
func TestReceivedFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{odk: true})
	ids := w.fillMany(20)
	from := receivedOf(w.form.Entries(), ids[12])
	c := w.formConnector(func(c *seeding.Connector) { c.ODK.Received = from })
	w.finish(20, c)
	expect(t, "registrants", len(w.now()), 8)
	for i, id := range ids {
		expect(t, "tokens of submission "+fmt.Sprint(i), len(w.tokensOf(id)), map[bool]int{true: 1}[i >= 12])
	}
}

// A form may send any id up to 64 characters. Each leads to one registrant; if MTS never
// answers about it, it is rejected, also if no filter can name it.
func TestAnyIDOfASubmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{odk: true})
	w.withhold = func(_ *http.Request, body []byte) bool { return bytes.Contains(body, []byte("lost")) }
	start := w.now()
	ids := []string{"plain", "uuid:o'clock", "uuid:a\nb\tc", "uuid:\u0085", "a/b c#d|e%", "=1+1", strings.Repeat("é", 64), "lost", "uuid:lost\nid", "uuid:'lost'"}
	for i, id := range ids {
		w.form.Submit(centralsim.Submission{ID: id, At: w.clock.Now().Add(-time.Duration(10+i) * time.Minute), Answers: answersOf(vidOfPerson(i))})
	}
	c := w.formConnector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 1 })
	w.finish(100, c)
	rejections := w.formRejections(c)
	for _, id := range ids {
		if strings.Contains(id, "lost") {
			expect(t, fmt.Sprintf("rejection of %q", id), rejections[id].Kind, seeding.NoToken)
		} else {
			expect(t, fmt.Sprintf("tokens of %q", id), len(w.tokensOf(id)), 1)
		}
	}
	w.checkSubmissions(c, start)
}

// Nothing of a submission but its id is stored, but for tokens in answers, and nothing
// at all is logged: neither when all goes well nor when servers fail.
func TestNoDataOfSubmissionsAreStoredOrLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{local: true, odk: true})
	var written writtenTexts
	w.onWrite = written.add
	e := w.central.Populate(300, 3)
	secrets := map[string]bool{centralsim.DemoPassword: true}
	for _, entry := range w.form.Entries() {
		for path, text := range entry.Answers {
			switch path {
			case "vid", "person/name", "person/dob", "person/phone", "person/email", "where/address":
				if len(text) > 5 {
					secrets[text] = true
				}
			}
		}
	}
	c := w.formConnector(nil)
	w.streamOff.Store(true)
	w.runSubmitter(c) // and the answers stay where they are
	atRest := w.stored()
	w.streamOff.Store(false)
	w.finish(30, c)
	for _, fail := range []func(){
		func() { w.central.SetFaults(centralsim.Faults{Down: true}) },
		func() { w.central.SetFaults(centralsim.Faults{Stop: centralsim.Ended, StopNext: -1, StopAfter: 2}) },
		func() {
			w.central.SetFaults(centralsim.Faults{})
			w.central.SetPassword(centralsim.DemoUser, "other 12345")
		},
		func() { w.registry.SetDown(true) },
	} {
		fail()
		w.form.Submit(centralsim.Submission{At: w.clock.Now().Add(-2 * time.Minute), Answers: answersOf(vidOfPerson(1))})
		w.clock.Advance(2 * time.Hour)
		w.ticks(5)
	}
	log := w.log.Tail(1 << 20)
	stored := written.text() + atRest
	for secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log has a value of a submission, of %d characters", len(secret))
		}
		if strings.Contains(stored, secret) {
			t.Errorf("a table got a value of a submission, of %d characters", len(secret))
		}
	}
	for _, entry := range w.form.Entries() {
		if token := mtssim.Token(entry.Answers["vid"]); strings.Contains(log, token) {
			t.Errorf("the log has a token")
		}
	}
	if !strings.Contains(atRest, mtssim.Token(w.form.Entries()[299].Answers["vid"])) && !strings.Contains(atRest, "uuid:") {
		t.Error("no answer was looked at")
	}
	if len(secrets) < 1000 || len(log) < 1000 || len(stored) < 10_000 || e.Tokens == 0 {
		t.Errorf("%d values were looked for in %d and %d bytes", len(secrets), len(log), len(stored))
	}
	w.forgetFailures()
}
