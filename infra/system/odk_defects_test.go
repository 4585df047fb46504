package system_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

// The defects of Odoo's connector (facts/mts.md 5.6) that speak of ODK, or that whole
// runs with ODK show: TestD04 and TestD07 are ODK's alone, TestODKD… are beside those
// with registrants.

// refusal is a reply of MTS with an error.
func refusal(status int, code string) func(http.ResponseWriter) {
	return func(rw http.ResponseWriter) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, `{"id":"mosip.token.seeder","errors":[{"errorCode":%q,"errorMessage":"no"}],"response":null}`, code)
	}
}

// facts/mts.md D3, D4: whatever MTS replied was a success, and the window was advanced:
// those submissions were never pulled. Here each is sent once MTS can be reached, and
// meanwhile a problem is shown.
func TestD04NoWindowIsPassedOverThatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		reply   func(http.ResponseWriter)
		problem seeding.Source
	}{
		"no submissions, although there are": {refusal(http.StatusBadRequest, "ATS-REQ-23"), seeding.ProblemODK},
		"wrong password at ODK":              {refusal(http.StatusInternalServerError, "ATS-REQ-100"), seeding.ProblemReply},
		"a refusal":                          {refusal(http.StatusBadRequest, "ATS-REQ-19"), seeding.ProblemMTS},
		"an older MTS without callbacks":     {refusal(http.StatusUnprocessableEntity, "ATS-REQ-102"), seeding.ProblemMTS},
		"no such path":                       {func(rw http.ResponseWriter) { http.Error(rw, "not found", http.StatusNotFound) }, seeding.ProblemMTS},
		"a page":                             {func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, "<html>Welcome</html>") }, seeding.ProblemReply},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odk: true})
			ids := w.fillMany(30)
			start, before := w.now(), w.form.Entries()
			failing := true
			w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && failing {
					c.reply(rw)
				}
				return r.Method == http.MethodPost && failing
			}
			connector := w.formConnector(nil)
			w.ticks(3)
			if _, isShown := w.problems(connector)[c.problem]; !isShown {
				t.Errorf("the problem %s is not shown, but %v", c.problem, w.problems(connector))
			}
			if shown := w.problems(connector)[seeding.ProblemReply]; name == "wrong password at ODK" && shown.Code != "pull_failed" {
				t.Errorf("the problem does not speak of Central: %+v", shown)
			}
			w.form.Delete(ids[4]) // so that what is there is looked at again, and not only counted
			failing = false
			w.clock.Advance(2 * time.Hour)
			w.finish(90, connector)
			w.clock.Advance(25 * time.Hour)
			w.finishNextRun(90, connector)
			w.forgetFailures()
			w.checkSubmissions(connector, start, before)
			expect(t, "registrants", len(w.now()), 29)
			expect(t, "rejections", len(w.formRejections(connector)), 0)
			expect(t, "problems", len(w.problems(connector)), 0)
		})
	}
}

// facts/mts.md D7: bounds were of Odoo's clock and the filter went by ODK's, so what came
// near a bound was skipped. Here bounds are of Central's clock, whatever the difference.
func TestD07NoSubmissionIsSkippedWhereClocksDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, 999 * time.Millisecond, -1500 * time.Millisecond} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odk: true})
			w.centralAhead.Store(int64(ahead))
			start := w.now()
			c := w.formConnector(func(c *seeding.Connector) { c.Schedule.Interval = 5 * time.Minute })
			for i := range 25 { // they come all the time, also while a run is under way
				w.fill(2*i, -ahead)
				w.tick()
				w.fill(2*i+1, -ahead-time.Millisecond)
			}
			w.clock.Advance(3 * time.Minute)
			w.finishNextRun(60, c)
			w.finishNextRun(60, c)
			w.checkSubmissions(c, start)
			w.checkSent(1)
			expect(t, "registrants", len(w.now()), 50)
		})
	}
}

// facts/mts.md D5: a POST without a reply was repeated for ever, with all of the window,
// and its time limit was that of the callback. Here MTS gets each submission once.
func TestODKD05APullWithoutAReplyMakesNobodyTwice(t *testing.T) {
	for name, faults := range map[string]mtssim.Faults{
		"taken, and answered 500":       {FailNext: 1},
		"answered after its own answer": {CallbackFirst: true},
		"answered three times":          {Copies: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odk: true})
			w.mts.SetFaults(faults)
			w.fillMany(40)
			start, before := w.now(), w.form.Entries()
			c := w.formConnector(func(c *seeding.Connector) { c.Delivery.TimeoutSeconds = 1 })
			w.finish(60, c)
			w.checkSubmissions(c, start, before)
			w.checkSent(1)
			expect(t, "registrants", len(w.now()), 40)
		})
	}
}

// facts/mts.md D6: a one-time job pulled from its end to now, a recurring one nothing
// that was older than its start, and nothing that came while it was stopped. Here a run
// takes everything that Central has.
func TestODKD06NothingIsTooOldAndNoGapIsLeft(t *testing.T) {
	for name, kind := range map[string]seeding.JobKind{"recurring": seeding.RecurringJob, "one-time": seeding.OneTimeJob} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odk: true})
			w.fill(1, 3*365*24*time.Hour)
			w.fill(2, 2*time.Minute)
			start := w.now()
			c := w.formConnector(func(c *seeding.Connector) { c.Schedule.Kind = kind })
			w.finish(30, c)
			expect(t, "registrants of before the start", len(w.now()), 2)
			w.setStatus(seeding.Stopped, c)
			w.fill(3, 0)
			w.clock.Advance(10 * time.Minute)
			w.fill(4, 2*time.Minute)
			w.ticks(3)
			expect(t, "registrants while it is stopped", len(w.now()), 2)
			w.setStatus(seeding.Running, c)
			w.finish(30, c)
			w.checkSubmissions(c, start)
			expect(t, "registrants after the gap", len(w.now()), 4)
		})
	}
}

// facts/mts.md D16, D17: the password of ODK was a plain column and stood in the log with
// the request. Here it is in the secret store, and where somebody signs in with it.
func TestODKD16ThePasswordOfODKIsASecret(t *testing.T) {
	const password = "Central-Secret-9914"
	a := newAdministratorOf(t, options{local: true, odk: true})
	a.central.SetPassword(centralsim.DemoUser, password)
	a.fillMany(10)
	posts := a.watchPosts()
	c := a.created(a.fromODK(map[string]any{"password": password}))
	a.finish(20, a.started(c))
	expect(t, "registrants", len(a.now()), 10)
	_, reply, _ := a.send(http.MethodGet, "/connectors/"+c.ID, nil)
	_, changes, _ := a.send(http.MethodGet, "/connectors/"+c.ID+"/changes", nil)
	for name, text := range map[string]string{"a reply": fmt.Sprint(reply, changes), "the log": a.log.Tail(1 << 20), "the tables": a.stored()} {
		if strings.Contains(text, password) {
			t.Errorf("%s has the password", name)
		}
	}
	if !strings.Contains(fmt.Sprint(posts.list()), password) || len(a.secrets.Names()) < 1 {
		t.Error("nothing was looked at")
	}
}

// facts/mts.md D23: a slash at the end of an address made another address of it. Here
// all that users write for Central and the form is one address.
func TestODKD23SlashesAndServicesAreOneForm(t *testing.T) {
	for i, c := range [][2]string{{"", ".svc"}, {"/", ".svc/"}, {"/v1", ".svc/Submissions"}, {"/v1/", ".svc/Submissions/"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := newAdministratorOf(t, options{odk: true})
			a.fillMany(3)
			connector := a.created(a.fromODK(map[string]any{
				"base_url": a.centralURL + c[0], "odata_url": a.centralURL + "/v1/projects/1/forms/" + centralsim.DemoForm + c[1],
			}))
			expect(t, "stored", connector.ODK.ODataURL, a.centralURL+"/v1/projects/1/forms/"+centralsim.DemoForm+".svc/Submissions")
			a.finish(20, a.started(connector))
			expect(t, "registrants", len(a.now()), 3)
		})
	}
}

// fromODK are the changes that make a configuration one of the form, with changes of
// odk.
func (a *administrator) fromODK(changes map[string]any) map[string]any {
	odk := map[string]any{
		"base_url": a.centralURL, "odata_url": a.centralURL + "/v1/projects/1/forms/" + centralsim.DemoForm + ".svc",
		"email": centralsim.DemoUser, "password": centralsim.DemoPassword,
	}
	for member, value := range changes {
		odk[member] = value
	}
	return map[string]any{"input_type": "odk", "odk": odk, "mapping": map[string]any{
		"vid": "vid", "name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob", "fullAddress": []string{"where.address"},
	}}
}
