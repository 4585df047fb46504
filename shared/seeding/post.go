package seeding

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
)

// send takes the MTS, gathers a batch from the registry, claims it and posts it.
func (w *work) send(ctx context.Context, c Connector, run Run, unanswered []Batch, blocked bool) (due time.Time, again bool, err error) {
	now := w.Clock.Now()
	mts, held, err := w.takeMTS(ctx, c)
	if err != nil || held {
		return now, false, err
	}
	notBefore, tries := mts.NotBefore, mts.Tries
	defer func() {
		leave := w.Store.LeaveMTS(context.WithoutCancel(ctx), mts.Key, mts.Lease.Fence, notBefore, tries)
		if err == nil && !errors.Is(leave, ErrConflict) {
			err = leave
		}
	}()
	// Every connector finds out for itself, so that each shows the problem, and
	// one that a person starts or changes tries at once.
	if _, stands := w.state.Problems[ProblemMTS]; stands && mts.NotBefore.After(now) {
		return mts.NotBefore, false, nil
	}

	size := mts.Batch(c.MTS.BatchMaximum)
	if blocked || mts.Tries > 0 {
		size = 1
	}
	harvest, err := w.gather(ctx, c, run, size)
	if err != nil {
		return w.gatherFailed(ctx, c, err)
	}
	if len(harvest.chosen) == 0 {
		return now, true, errors.Join(w.saveRun(ctx, harvest.run), w.seeMTS(ctx, c))
	}

	batch, submission, err := w.prepare(ctx, c, harvest, mts, unanswered)
	if err != nil {
		return w.gatherFailed(ctx, c, err)
	}
	limit := w.postLimit(len(harvest.chosen))
	if w.Clock.Now().Add(limit).After(mts.Lease.Until) {
		return now, true, nil // the page was slow; nothing is claimed yet
	}
	claim := Claim{Batch: batch, Counter: harvest.counter, Run: harvest.run, Version: c.Version, Fence: w.state.Lease.Fence}
	if err := w.Store.Claim(ctx, claim); err != nil {
		return now, false, err
	}
	w.moved = w.Clock.Now()
	log := w.log.With("run", run.ID, "batch", batch.Ref.Batch, "count", batch.Count)
	log.Info("batch claimed")
	if w.Clock.Now().Add(limit).After(mts.Lease.Until) {
		// Claiming was slow, and the POST could outlive our right to it.
		return w.notTaken(ctx, c, batch, &Fault{Kind: Unreachable, Code: "lease too short"}, &notBefore, &tries, log)
	}
	post, cancel := context.WithTimeout(ctx, limit)
	requestID, err := w.Seeder.Submit(post, submission)
	cancel()
	if err != nil {
		fault := FaultOf(err)
		if fault.Kind == Unreachable || fault.Kind == RefusedRequest {
			return w.notTaken(ctx, c, batch, fault, &notBefore, &tries, log)
		}
		// MTS may have taken it: the batch stays claimed, and its answer or its
		// deadline decides. A POST is never repeated.
		log.Warn("outcome of the POST is unknown", "fault", fault.Error())
		return w.Clock.Now(), true, nil
	}
	notBefore, tries = time.Time{}, 0
	if err := w.Store.MarkSubmitted(ctx, batch.Ref, requestID, w.Clock.Now()); err != nil && !errors.Is(err, ErrConflict) && !isNotFound(err) {
		return now, false, err // a conflict: its answer was so quick that the batch is closed
	}
	log.Info("batch submitted")
	w.Meter.Measure(MetricSubmitted, float64(batch.Count), "")
	return w.Clock.Now(), true, w.clear(ctx, ProblemMTS)
}

// seeMTS clears the problem of an MTS that answers again, for a connector that
// has nobody left to send as a probe.
func (w *work) seeMTS(ctx context.Context, c Connector) error {
	if _, stands := w.state.Problems[ProblemMTS]; !stands {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if status, err := w.Seeder.Status(limited, c.MTS.URL, "none"); err != nil || status != StatusUnknown {
		return nil // it stays as it is
	}
	return w.clear(ctx, ProblemMTS)
}

// takeMTS takes the POST lease, for a page and a POST. held is true when
// somebody else had it for as long as we may wait.
func (w *work) takeMTS(ctx context.Context, c Connector) (mts MTS, held bool, err error) {
	take := func() (bool, error) {
		now := w.Clock.Now()
		until := now.Add(w.Times.PageLimit + w.postLimit(c.MTS.BatchMaximum))
		mts, err = w.Store.TakeMTS(ctx, c.MTSKey(), w.owner, now, until, now.Add(2*w.Times.AnswerWait))
		if errors.Is(err, ErrHeld) {
			return false, nil
		}
		return err == nil, err
	}
	taken, err := take()
	if !taken && err == nil {
		taken, err = w.await(ctx, take)
	}
	return mts, !taken, err
}

// prepare makes the batch, and the request with its capability and its rows.
func (w *work) prepare(ctx context.Context, c Connector, h harvest, mts MTS, unanswered []Batch) (Batch, Submission, error) {
	capability, err1 := w.Capabilities.Current(ctx)
	rowKey, err2 := w.Rows.Current(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return Batch{}, Submission{}, keysUnusable(err)
	}
	now := w.Clock.Now()
	ref := BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: h.run.ID, Batch: w.NewID()}
	inLine := len(h.chosen)
	for _, b := range unanswered {
		inLine += b.Count
	}
	perRecord := mts.PerRecord
	if perRecord == 0 {
		perRecord = w.Times.RecordFirst
	}
	batch := Batch{
		Ref: ref, State: Claimed, MTS: mts.Key, MTSURL: c.MTS.URL,
		Size: mts.Batch(c.MTS.BatchMaximum), InLine: inLine,
		Claimed: now, Deadline: deadline(now, perRecord, inLine, w.Times),
		RowKey: rowKey.ID, PrintKey: h.printKey, Count: len(h.chosen),
	}
	submission := Submission{
		MTSURL: c.MTS.URL, Language: c.MTS.Language,
		CallbackURL:    strings.TrimRight(w.CallbackBase, "/") + "/callback/" + ref.Batch,
		Bearer:         Capability(capability, ref, now.Add(w.Times.CapabilityLife)),
		TimeoutSeconds: c.Delivery.TimeoutSeconds, OutputFormat: OutputFormat,
	}
	for _, x := range h.chosen {
		batch.Members = append(batch.Members, x.member)
		d := x.demographics
		mac := RowMACOf(rowKey, ref.Batch, x.member, d.VID.Text, x.print)
		submission.Records = append(submission.Records, SeedRecord{
			VID: d.VID.Text, Name: d.Name.Text, Gender: d.Gender.Text, DOB: d.DOB.Text,
			PhoneNumber: d.PhoneNumber.Text, EmailID: d.EmailID.Text, FullAddress: d.FullAddress.Text,
			Key: CorrelationKey(x.member, mac, x.print),
		})
	}
	return batch, submission, nil
}

// notTaken closes a batch that MTS surely did not take; its registrants are
// found again by the next pass.
func (w *work) notTaken(ctx context.Context, c Connector, batch Batch, fault *Fault, notBefore *time.Time, tries *int, log *slog.Logger) (time.Time, bool, error) {
	now := w.Clock.Now()
	log.Warn("batch not taken by MTS", "fault", fault.Error())
	w.Meter.Measure(MetricBatchesFailed, 1, "")
	batch.State, batch.Closed, batch.Totals = Failed, now, Totals{Sent: batch.Count}
	if err := w.Store.Close(ctx, batch); err != nil && !errors.Is(err, ErrConflict) {
		return now, false, err
	}
	if fault.Kind == RefusedRequest { // an MTS that is not there says nothing of sizes
		refused := func(p Pace) (Pace, bool) { return p.Missed(batch, false) }
		if err := movePace(ctx, w.Store, c.MTSKey(), refused); err != nil {
			return now, false, err
		}
	}
	*notBefore = now.Add(backOff(w.Times.ProbeFirst, w.Times.ProbeMax, *tries))
	*tries++
	text, remedy := mtsProblem(fault)
	return w.raise(ctx, ProblemMTS, text, remedy)
}
