package system_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A connector that takes registrants from the form now, and from the registry again,
// shows and keeps no rejection of the source before, and sends from the new one.
func TestNoRejectionIsLeftOfTheSourceBefore(t *testing.T) {
	t.Parallel()
	a := newAdministratorOf(t, options{odk: true})
	refused := len(a.addRefused(3))
	unborn := answersOf(vidOfPerson(1)) // lacks a date of birth, which MOSIP demands
	delete(unborn, "person/dob")
	a.form.Submit(centralsim.Submission{ID: "uuid:unborn", At: a.clock.Now().Add(-time.Hour), Answers: unborn})
	a.fill(2, 2*time.Hour)

	c := a.created(nil)
	a.finish(20, a.started(c))
	a.checkRejected(c, refused)

	c = a.switched(c, a.fromODK(nil))
	a.checkNobodyShown(c)
	a.finishNextRun(20, c)
	a.checkRejected(c, 1)
	expect(t, "submissions done", len(a.tokensOf("uuid:000002")), 1)

	c = a.switched(c, nil)
	a.checkNobodyShown(c)
	a.finishNextRun(20, c)
	a.checkRejected(c, refused)
}

// switched is the connector with another configuration, saved at the API.
func (a *administrator) switched(c seeding.Connector, changes map[string]any) seeding.Connector {
	a.Helper()
	body := a.configuration("first", "admin")
	maps.Copy(body, changes)
	if status, reply, _ := a.send(http.MethodPut, "/connectors/"+c.ID, body, "If-Match", "*"); status != http.StatusOK {
		a.Fatalf("%d %v", status, reply)
	}
	now, err := a.store.Connector(a.Context(), c.ID)
	if err != nil {
		a.Fatal(err)
	}
	return now
}

// checkNobodyShown checks that the API shows no rejection of the connector, and that a
// retry of all finds none.
func (a *administrator) checkNobodyShown(c seeding.Connector) {
	a.Helper()
	path := "/connectors/" + c.ID
	_, listed, _ := a.send(http.MethodGet, path+"/rejections", nil)
	_, groups, _ := a.send(http.MethodGet, path+"/rejections/groups", nil)
	_, retried, _ := a.send(http.MethodPost, path+"/rejections/retry", map[string]any{"dry_run": true})
	_, shown, _ := a.send(http.MethodGet, path, nil)
	figures, _ := shown["figures"].(map[string]any)
	list, _ := listed["rejections"].([]any)
	for what, got := range map[string]any{"listed": float64(len(list)), "in groups": groups["total"], "retried": retried["count"]} {
		if got != 0.0 {
			a.Errorf("%s: %v", what, got)
		}
	}
	if n, counted := figures["rejected"]; counted && n != 0.0 {
		a.Errorf("figures: %v", figures)
	}
}

// checkRejected checks how many rejections of the connector are stored, all of its
// source, and that the API shows as many.
func (a *administrator) checkRejected(c seeding.Connector, want int) {
	a.Helper()
	for of, n := range map[seeding.Subjects]int{c.Subjects(): want, c.Subjects().Others(): 0} {
		list, _, err := a.store.ListRejections(a.Context(), c.RegistryKey(), c.ID, seeding.RejectionFilter{Subjects: of}, "", 100)
		if err != nil || len(list) != n {
			a.Errorf("%d rejections of %s, want %d; %v", len(list), of, n, err)
		}
	}
	_, groups, _ := a.send(http.MethodGet, "/connectors/"+c.ID+"/rejections/groups", nil)
	if groups["total"] != float64(want) {
		a.Errorf("shown: %v, want %d", groups, want)
	}
}
