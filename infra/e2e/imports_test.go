package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
)

// A list of registrants is imported by a connector that is stopped; the request is
// repeated, and has its effect once. Then the connector is started for a one-time
// run, which is completed with it.
func TestAnImportAndAOneTimeJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	e := w.populate(120)
	c := w.create(with("job_type", "one_time"))
	all := slices.Sorted(maps.Keys(e.Kinds))
	var some []int64
	for _, id := range all {
		if e.Kinds[id] == odoosim.Plain && len(some) < 40 {
			some = append(some, id)
		}
	}
	some = append(some, 2_000_000_000)
	body := map[string]any{"registrants": some}
	var run deployed.RunDocument
	for range 2 {
		before := run.ID
		call(t, http.MethodPost, c.path("/imports"), body, "Idempotency-Key: "+c.id).into(t, http.StatusAccepted, &run)
		if before != "" && run.ID != before {
			t.Fatalf("the repeated request opened %s beside %s", run.ID, before)
		}
	}
	if !within(patience, func() bool {
		call(t, http.MethodGet, c.path("/runs/"+run.ID), nil).into(t, http.StatusOK, &run)
		return run.State != "open"
	}) {
		t.Fatalf("the import does not end: %+v", run)
	}
	expect(t, "tokenised", run.Totals.Tokenised, len(some)-1)
	outcomes, err := deployed.Pages[struct {
		Registrant int64  `json:"registrant"`
		Outcome    string `json:"outcome"`
	}](t.Context(), stack.API, c.path("/runs/"+run.ID+"/registrants"), "registrants", 30)
	if err != nil || len(outcomes) != len(some) {
		t.Fatalf("%d outcomes, %v", len(outcomes), err)
	}
	for _, o := range outcomes {
		want := "tokenised"
		if e.Kinds[o.Registrant] == "" {
			want = "not_found"
		}
		expect(t, fmt.Sprintf("outcome of %d", o.Registrant), o.Outcome, want)
	}
	expect(t, "status", c.document().Status, "stopped")
	call(t, http.MethodPost, c.path("/runs/"+run.ID+"/cancel"), nil).into(t, http.StatusConflict, nil)

	c.start()
	c.waitForRuns(2)
	if !within(patience, func() bool { return c.document().Status == "completed" }) {
		t.Fatalf("the job is not completed: %+v", c.document())
	}
	w.checkInvariants()
	w.checkSentOnce()
	w.checkNothingLeaked()
}
