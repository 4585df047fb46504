package system_test

import (
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

// eventfulForm makes a world in which a run over a form writes all that such a run can
// write: registrants, new and completed, rejections of every kind, lost and late
// batches, problems, and what of the form is done. Each submission ends in the same way
// whatever comes between: there is no person with two of them.
func eventfulForm(t *testing.T, local bool) (w *world, c seeding.Connector, start invariants.Registry, before []centralsim.Entry) {
	w = newWorld(t, options{faults: newFaults(), local: local, odk: true})
	ids := w.fillMany(60)
	for i, behaviour := range []int{90, 91, 92, 93, 90} {
		w.form.Edit(ids[10*i], answersOf(centralsim.DemoVID(int64(7000+i), 1, behaviour)))
	}
	for i, missing := range []string{"person/name", "person/dob", "vid"} {
		answers := answersOf(vidOfPerson(8000 + i))
		delete(answers, missing)
		w.form.Edit(ids[10*i+5], answers)
	}
	hold := func(identifierType int64, value string) {
		id := w.registry.AddRegistrant(odoosim.Registrant{Name: "A", GivenName: "A"})
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: identifierType, Value: value})
	}
	hold(odoosim.TokenType, mtssim.Token(vidOfPerson(21)))
	hold(odoosim.SubmissionType, ids[22])
	start, before = w.now(), w.form.Entries()
	w.mts.SetFaults(mtssim.Faults{LoseEvery: 3, Copies: 2})
	w.registry.Inject(odoosim.Fault{Model: "res.partner", Method: "create", Times: 1, Outcome: odoosim.Denied})
	var refused atomic.Bool
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if w.mts.Counters().Posts == 9 { // enough are lost
			w.mts.SetFaults(mtssim.Faults{Copies: 2})
		}
		if r.Method != http.MethodPost || w.mts.Counters().Posts < 2 || !refused.CompareAndSwap(false, true) {
			return false
		}
		w.central.SetFaults(centralsim.Faults{FailNext: 2})
		http.NotFound(rw, r)
		return true
	}
	w.atFirstCallback(func() { w.correct(ids[58], 9000) })
	c = w.formConnector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 12 })
	return w, c, start, before
}

// finishFormAndCheck lets a world with its faults run until nothing is under way, and
// once more with everything due, and checks it. It returns how every submission ended.
func (w *world) finishFormAndCheck(c seeding.Connector, start invariants.Registry, before []centralsim.Entry) map[string]string {
	w.Helper()
	w.finish(150, c)
	w.mts.SetFaults(mtssim.Faults{})
	w.central.SetFaults(centralsim.Faults{})
	w.repeatLast()
	w.clock.Advance(25 * time.Hour)
	w.finishNextRun(150, c)
	w.forgetFailures() // functions were made to fail
	w.checkSubmissions(c, start, before)
	for source, p := range w.problems(c) {
		w.Errorf("the problem %s is still shown, and its cause is removed: %s", source, p.Text)
	}
	rejected, ends := w.formRejections(c), map[string]string{}
	for _, entry := range w.form.Entries() {
		r := rejected[entry.ID]
		ends[entry.ID] = fmt.Sprintf("%d tokens, %s %s", len(w.tokensOf(entry.ID)), r.Kind, r.Code)
	}
	return ends
}

// checkFormEnds fails the test for every submission that ended in another way.
func (w *world) checkFormEnds(want, ends map[string]string) {
	w.Helper()
	for id, end := range ends {
		if end != want[id] {
			w.Errorf("submission %s: %s; without a crash %s", id, end, want[id])
		}
	}
}

func TestCrashPointsOfSubmissions(t *testing.T) {
	t.Parallel()
	w, c, start, before := eventfulForm(t, true) // so everything below ends as it does on DynamoDB Local
	want := w.finishFormAndCheck(c, start, before)
	points := slices.Sorted(maps.Keys(w.faults.seen))
	checkTried(t, points, "SaveCoverage", "SaveRun", "PutRejections", "RaiseProblem")
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	// Whether a run reaches others depends on which of two answers is the first, and on how
	// long things take: a registrant is completed, a rejection deleted, a pace saved or not.
	certain := []string{
		"submit: dynamodb OpenRun", "submit: dynamodb SaveRun", "submit: dynamodb Claim", "submit: MTS POST", "submit: dynamodb MarkSubmitted",
		"callback: dynamodb PutPart", "patch: dynamodb TakePatch", "patch: registry create", "patch: dynamodb PutRejections", "patch: dynamodb Close",
		"submit: dynamodb SaveCoverage", "submit: dynamodb CompleteRun",
	}
	for _, point := range certain {
		if !slices.Contains(points, point) {
			t.Errorf("the run does not reach %s", point)
		}
	}
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		w, c, start, before := eventfulForm(t, false)
		w.faults.armed[point] = m
		w.checkFormEnds(want, w.finishFormAndCheck(c, start, before))
		if slices.Contains(certain, point) {
			w.faults.checkAllCame(t)
		}
	})
	eachPair(t, points, 12, 16, func(t *testing.T, _ int, arm func(*faults)) {
		w, c, start, before := eventfulForm(t, false)
		arm(w.faults)
		w.checkFormEnds(want, w.finishFormAndCheck(c, start, before))
	})
}
