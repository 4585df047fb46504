package submit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// mtsWait is what is written to the state of an MTS with the end of a lease.
type mtsWait struct {
	notBefore time.Time // of the next POST
	attempts  int       // POSTs in a row that were surely not taken
}

// send takes the POST lease, sends a batch, and gives the lease back in any case.
func (s *Submitter) send(ctx context.Context, v view) (next, error) {
	now := s.Clock.Now()
	mts, taken, err := s.takeMTS(ctx, v)
	if err != nil || !taken {
		return next{due: now}, err
	}
	v.mts = mts
	n, rest, err := s.sendBatch(ctx, v, now)
	leave := s.Store.LeaveMTS(context.WithoutCancel(ctx), mts.Key, mts.Lease.Fence, rest.notBefore, rest.attempts)
	if err == nil {
		err = seeding.IgnoreConflict(leave) // the lease ended, and somebody else has it
	}
	return n, err
}

// sendBatch chooses a batch from the registry, claims it and posts it.
func (s *Submitter) sendBatch(ctx context.Context, v view, now time.Time) (next, mtsWait, error) {
	rest := mtsWait{v.mts.NotBefore, v.mts.Attempts}
	// Only a connector that shows the problem waits. So every connector comes to
	// show it, and one that a person starts or changes makes an attempt at once.
	if _, raised := v.state.Problems[seeding.ProblemMTS]; raised && v.mts.NotBefore.After(now) {
		return next{due: v.mts.NotBefore}, rest, nil
	}
	size := v.mts.Batch(v.connector.MTS.BatchMaximum)
	if blocked, _ := v.state.Blocked(); blocked || v.mts.Attempts > 0 {
		size = 1 // a probe
	}
	chosen, err := s.choose(ctx, v, size)
	if err != nil {
		n, err := s.chooseFailed(ctx, v, err)
		return n, rest, err
	}
	if len(chosen.chosen) == 0 {
		moved, err := s.saveRun(ctx, chosen.run)
		return next{due: now, again: true, moved: moved}, rest, errors.Join(err, s.probeMTS(ctx, v))
	}
	batch, submission, err := s.prepare(ctx, v, chosen)
	if err != nil {
		n, err := s.chooseFailed(ctx, v, err)
		return n, rest, err
	}
	limit := s.postLimit(batch.Count)
	if s.Clock.Now().Add(limit).After(v.mts.Lease.Until) {
		return next{due: now, again: true}, rest, nil // the page was slow; nothing is claimed yet
	}
	claim := seeding.Claim{Batch: batch, Counter: chosen.counter, Run: chosen.run, Version: v.connector.Version, Fence: v.state.Lease.Fence}
	if err := s.Store.Claim(ctx, claim); err != nil {
		return next{}, rest, err
	}
	moved := s.Clock.Now()
	log := s.log(v).With("run", batch.Ref.Run, "batch", batch.Ref.Batch, "count", batch.Count)
	log.Info("batch claimed")
	n, rest, err := s.post(ctx, v, batch, submission, limit, log)
	n.moved = moved
	return n, rest, err
}

// post sends a claimed batch. A POST is never repeated.
func (s *Submitter) post(ctx context.Context, v view, batch seeding.Batch, submission seeding.Request, limit time.Duration, log *slog.Logger) (next, mtsWait, error) {
	rest := mtsWait{v.mts.NotBefore, v.mts.Attempts}
	if s.Clock.Now().Add(limit).After(v.mts.Lease.Until) {
		// Claiming was slow, and the POST could outlast the lease.
		return s.notTaken(ctx, v, batch, &seeding.Fault{Kind: seeding.Unreachable, Code: "lease too short"}, log)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	requestID, err := s.MTS.Submit(limited, submission)
	cancel()
	if err != nil {
		fault := seeding.FaultOf(err)
		if fault.Kind == seeding.Unreachable || fault.Kind == seeding.RefusedRequest {
			return s.notTaken(ctx, v, batch, fault, log)
		}
		// MTS may have taken the batch. It stays claimed until its answer or its
		// deadline.
		log.Warn("outcome of the POST is unknown", "fault", fault.Error())
		return next{due: s.Clock.Now(), again: true}, rest, nil
	}
	// A conflict: the answer came first, and the batch is closed.
	err = s.Store.MarkSubmitted(ctx, batch.Ref, requestID, s.Clock.Now())
	if seeding.IgnoreConflict(err) != nil && !seeding.IsNotFound(err) {
		return next{}, mtsWait{}, err
	}
	log.Info("batch submitted")
	s.Meter.Measure(seeding.MetricSubmitted, float64(batch.Count), "")
	return next{due: s.Clock.Now(), again: true}, mtsWait{}, s.clearMTS(ctx, v)
}

func (s *Submitter) clearMTS(ctx context.Context, v view) error {
	return s.Store.ClearProblems(ctx, v.state.Connector, v.state.Raised(seeding.ProblemMTS), s.Clock.Now())
}

// probeMTS clears the problem "mts" if MTS replies again, for a connector that has
// nobody left to send as a probe.
func (s *Submitter) probeMTS(ctx context.Context, v view) error {
	if _, raised := v.state.Problems[seeding.ProblemMTS]; !raised {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, seeding.StatusLimit)
	defer cancel()
	if status, err := s.MTS.Status(limited, v.connector.MTS.URL, "none"); err != nil || status != seeding.StatusUnknown {
		return nil // the problem stays
	}
	return s.clearMTS(ctx, v)
}

// takeMTS takes the POST lease, for a page and a POST. taken is false if somebody
// else had it for all the time that we may wait.
func (s *Submitter) takeMTS(ctx context.Context, v view) (mts seeding.MTSState, taken bool, err error) {
	c := v.connector
	take := func() (bool, error) {
		now := s.Clock.Now()
		until := now.Add(s.Times.PageLimit + s.postLimit(c.MTS.BatchMaximum))
		mts, err = s.Store.TakeMTS(ctx, c.MTSKey(), v.state.Lease.Owner, now, until, now.Add(2*s.Times.AnswerWait))
		if errors.Is(err, seeding.ErrLeaseHeld) {
			return false, nil
		}
		return err == nil, err
	}
	if taken, err = take(); !taken && err == nil {
		taken, err = s.await(ctx, take)
	}
	return mts, taken, err
}

// prepare makes the batch, and the request with its capability and its records.
func (s *Submitter) prepare(ctx context.Context, v view, chosen selection) (seeding.Batch, seeding.Request, error) {
	capability, err1 := s.CapabilityKeys.Current(ctx)
	rowKey, err2 := s.RowKeys.Current(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return seeding.Batch{}, seeding.Request{}, seeding.KeysUnusable(err)
	}
	c, now := v.connector, s.Clock.Now()
	ref := seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: chosen.run.ID, Batch: s.NewID()}
	inLine := len(chosen.chosen)
	for _, b := range v.unanswered {
		inLine += b.Count
	}
	perRecord := v.mts.PerRecord
	if perRecord == 0 {
		perRecord = s.Times.RecordFirst
	}
	batch := seeding.Batch{
		Ref: ref, State: seeding.Claimed, MTS: v.mts.Key, MTSURL: c.MTS.URL,
		Size: v.mts.Batch(c.MTS.BatchMaximum), InLine: inLine,
		Claimed: now, Deadline: seeding.Deadline(now, perRecord, inLine, s.Times),
		RowKey: rowKey.ID, FingerprintKey: chosen.fingerprintKey, Count: len(chosen.chosen),
	}
	submission := seeding.Request{
		MTSURL: c.MTS.URL, Language: c.MTS.Language,
		CallbackURL:    strings.TrimRight(s.CallbackBase, "/") + "/callback/" + ref.Batch,
		Bearer:         seeding.Capability(capability, ref, now.Add(s.Times.CapabilityLife)),
		TimeoutSeconds: c.Delivery.TimeoutSeconds, OutputFormat: seeding.OutputFormat,
	}
	for _, x := range chosen.chosen {
		batch.Members = append(batch.Members, x.member)
		submission.Records = append(submission.Records, record(x, rowKey, ref.Batch))
	}
	return batch, submission, nil
}

// record is the record of a registrant for MTS.
func record(x candidate, rowKey seeding.Key, batch string) seeding.RequestRecord {
	d := x.demographics
	mac := seeding.RowMACOf(rowKey, batch, x.member, d.VID.Text, x.fingerprint)
	return seeding.RequestRecord{
		VID: d.VID.Text, Name: d.Name.Text, Gender: d.Gender.Text, DOB: d.DOB.Text,
		PhoneNumber: d.PhoneNumber.Text, EmailID: d.EmailID.Text, FullAddress: d.FullAddress.Text,
		Key: seeding.CorrelationKey(x.member, mac, x.fingerprint),
	}
}

// notTaken closes a batch that MTS surely did not take. The next pass finds its
// registrants again.
func (s *Submitter) notTaken(ctx context.Context, v view, batch seeding.Batch, fault *seeding.Fault, log *slog.Logger) (next, mtsWait, error) {
	now, before := s.Clock.Now(), mtsWait{v.mts.NotBefore, v.mts.Attempts}
	log.Warn("batch not taken by MTS", "fault", fault.Error())
	s.Meter.Measure(seeding.MetricBatchesFailed, 1, "")
	batch.State, batch.Closed, batch.Totals = seeding.Failed, now, seeding.Totals{Sent: batch.Count}
	if err := seeding.IgnoreConflict(s.Store.Close(ctx, batch)); err != nil {
		return next{}, before, err
	}
	if fault.Kind == seeding.RefusedRequest { // an unreachable MTS says nothing about the size
		refused := func(p seeding.Pace) (seeding.Pace, bool) { return p.AfterLoss(batch, false) }
		if err := seeding.MovePace(ctx, s.Store, v.connector.MTSKey(), refused); err != nil {
			return next{}, before, err
		}
	}
	after := mtsWait{now.Add(seeding.BackOff(s.Times.ProbeFirst, s.Times.ProbeMax, before.attempts)), before.attempts + 1}
	n, err := s.raise(ctx, v, seeding.ProblemMTS, seeding.MTSProblem(fault))
	return n, after, err
}

func (s *Submitter) log(v view) *slog.Logger { return s.Log.With("connector", v.state.Connector) }
