package e2e_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// A whole run over registrants of every demo kind, seen through the API only. It
// leaves no personal data behind.
func TestEveryRegistrantIsReconciledAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	e := w.populate(500)
	c := w.createStarted()
	c.waitForRuns(1)
	w.checkInvariants()
	w.checkSentOnce()

	for _, d := range invariants.Differences(invariants.Counts(w.now(), e)) {
		t.Error(d)
	}
	for _, v := range invariants.Registrants(w.now(), w.before) {
		t.Error(v)
	}

	rejections := c.rejections()
	got, want := map[odoosim.Kind]int{}, maps.Clone(e.Invalid)
	maps.Copy(want, e.Refused)
	for _, r := range rejections {
		if r.Kind == "duplicate" {
			expect(t, "kind of a duplicate", e.Kinds[r.Registrant], odoosim.SharedPerson)
			expect(t, "kind of the holder of its token", e.Kinds[r.Holder], odoosim.SharedPerson)
		} else {
			got[e.Kinds[r.Registrant]]++
		}
		if r.Reason == "" || r.Attempts != 1 || r.Identifier == 0 {
			t.Errorf("rejection %+v", r)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("rejected by demo kind: %v, want %v", got, want)
	}
	expect(t, "duplicates", len(rejections)-len(want)-sum(got)+len(got), e.Duplicates)
	expect(t, "no rejection twice", len(rejections), e.Rejected())

	view := c.document()
	expect(t, "problems", len(view.Problems), 0)
	expect(t, "status", view.Status, "running")
	runs := c.runs()
	expect(t, "runs", len(runs), 1)
	expect(t, "sent", runs[0].Totals.Sent, e.Submitted)
	expect(t, "tokenised", runs[0].Totals.Tokenised, e.NewTokens)
	expect(t, "pending", runs[0].Totals.Pending, 0)
	expect(t, "invalid", runs[0].Tally.Invalid, sum(e.Invalid))
	expect(t, "removed without MTS", runs[0].Tally.Removed, e.Made[odoosim.TokenisedVID])

	observed := invariants.Observe(w.now(), w.before, deployed.ByKind(rejections), w.mts.Counters().RecordsReceived, e.Submitted)
	for _, d := range invariants.Differences(invariants.Totals(runs[0].Outcome(), observed)) {
		t.Error(d)
	}

	// A second run sends no registrant again.
	posts := len(w.recorder.all())
	c.makeDue()
	c.waitForRuns(2)
	expect(t, "POSTs of the second run", len(w.recorder.all())-posts, 0)

	expect(t, "parts of answers left", c.answerParts(), 0)
	w.checkNothingLeaked()
	everyFunctionRan(t)
}

func sum[K comparable](m map[K]int) (n int) {
	for v := range maps.Values(m) {
		n += v
	}
	return n
}

// A run that is in the middle tells how fast it is and when it should end, and its
// connector how many batches are under way and may be. MTS stops in the middle, so
// that it can be looked at for long enough.
func TestAnOpenRunTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	var identified atomic.Int64
	goOn := make(chan struct{})
	w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		if identified.Add(1) > 100 {
			select {
			case <-goOn:
			case <-ctx.Done():
			}
		}
		return mtssim.Rules(ctx, a)
	}}})
	ids := w.addRegistrants(200)
	const width = 3
	began := time.Now()
	c := w.createStarted(with("width_maximum", width))
	w.until("progress is shown", func() bool {
		runs := c.runs()
		if len(runs) == 0 || runs[0].RecordsPerSecond == 0 || runs[0].ExpectedEnd == nil {
			return false
		}
		shown := c.document()
		if shown.Width < 1 || shown.Width > width || shown.UnderWay.All > width || shown.UnderWay.Own != shown.UnderWay.All {
			t.Errorf("%+v of %d, at most %d", shown.UnderWay, shown.Width, width)
		}
		return shown.UnderWay.Own > 0 && runs[0].ExpectedEnd.After(began)
	})
	close(goOn)
	c.waitForRuns(1)
	w.checkTokenised(ids)
	run := c.runs()[0]
	expect(t, "state", run.State, "completed")
	if run.RecordsPerSecond != 0 || run.ExpectedEnd != nil {
		t.Errorf("a completed run tells progress: %+v", run)
	}
	expect(t, "batches under way", c.document().UnderWay, deployed.UnderWayDocument{})
}
