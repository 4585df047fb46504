package seeding

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Submitter finds registrants that need a token and sends them to MTS, batch by
// batch (protocol, "Submit").
type Submitter struct {
	Store interface {
		Connectors
		Runs
		Batches
		Rejections
		RegistryStates
		Seeders
		Answers
	}
	Registries   Registries
	Seeder       Seeder
	Mappings     Mappings
	Capabilities Keyring
	Rows         Keyring
	Prints       Keyring
	Bell         Bell
	Clock        Clock
	Times        Times
	NewID        func() string // sortable by time of making, and unique
	CallbackBase string        // MTS calls back below it
	Log          *slog.Logger
}

const (
	// connectorsAtOnce bounds what one tick keeps busy.
	connectorsAtOnce = 3
	// unansweredAtOnce keeps MTS busy while we wait for an answer, and no more:
	// what is in its memory is lost when it restarts (W1).
	unansweredAtOnce = 2
	// pageMost bounds a page; beyond it pages gain little (facts/odoo.md B2).
	pageMost = 1000
)

// Tick only fans out: one asynchronous invoke per connector that is due, so
// that a slow one holds up nobody. Those that waited longest come first.
func (s *Submitter) Tick(ctx context.Context) error {
	states, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	free := connectorsAtOnce
	var due []State
	for _, state := range states {
		if state.Lease.Live(now) {
			free--
		} else if state.Wants(now) {
			due = append(due, state)
		}
	}
	slices.SortFunc(due, func(a, b State) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Connector, b.Connector))
	})
	var failed error
	for _, state := range due[:min(len(due), max(free, 0))] {
		failed = errors.Join(failed, s.Bell.RingSubmit(ctx, state.Connector))
	}
	return failed
}

// Work moves one connector on until there is nothing to do, or until the given
// time. A second call for a connector under work finds its lease taken and
// returns at once.
func (s *Submitter) Work(ctx context.Context, connector string, until time.Time) error {
	w := work{Submitter: s, owner: s.NewID(), log: s.Log.With("connector", connector)}
	for {
		// Taking the lease again renews it, and reads what a person changed.
		now := s.Clock.Now()
		state, err := s.Store.TakeRun(ctx, connector, w.owner, now, now.Add(s.stepLimit()))
		if errors.Is(err, ErrHeld) || isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		w.state = state
		due, again, err := w.step(ctx)
		if errors.Is(err, ErrConflict) {
			// Somebody moved what this step stood on. Look anew, by the tick if
			// time is short.
			due, again, err = now, true, w.Clock.Sleep(ctx, s.Times.Poll)
		}
		if err == nil && again && s.Clock.Now().Add(s.stepLimit()).Before(until) {
			continue
		}
		if err != nil {
			due = now.Add(s.Times.ProbeFirst)
		}
		leave := s.Store.LeaveRun(ctx, connector, w.state.Lease.Fence, due)
		if errors.Is(leave, ErrConflict) {
			leave = nil // the lease ran out and is somebody else's
		}
		return errors.Join(err, leave)
	}
}

// stepLimit is the longest that one step can last: a wait, a page, a POST.
func (s *Submitter) stepLimit() time.Duration {
	return s.Times.AnswerWait + s.Times.PageLimit + s.postLimit(pageMost) + 5*s.Times.Poll
}

// postLimit is the time limit of a POST. MTS needs about 16 ms per record
// (facts/mts.md 9), but may be at another POST first.
func (s *Submitter) postLimit(records int) time.Duration {
	return s.Times.PostBase + time.Duration(records)*s.Times.PostPerRecord
}

// work is one call of Work.
type work struct {
	*Submitter
	owner string
	log   *slog.Logger
	state State
}

// step does the next thing for the connector: ends or opens its run, waits, or
// sends a batch. It returns when the connector is due again, or again if there
// may be more to do at once.
func (w *work) step(ctx context.Context) (due time.Time, again bool, err error) {
	now := w.Clock.Now()
	c, err := w.Store.Connector(ctx, w.state.Connector)
	if err != nil {
		return now, false, err
	}
	open, unanswered, err := w.openBatches(ctx, c)
	if err != nil {
		return now, false, err
	}
	run, due, again, err := w.currentRun(ctx, c, len(open))
	if err != nil || run == nil {
		return due, again, err
	}
	registry, err := w.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return now, false, err
	}
	mts, err := w.Store.MTS(ctx, c.MTSKey())
	if err != nil {
		return now, false, err
	}
	atOnce := unansweredAtOnce
	if mts.Trial(c.BatchMaximum) {
		atOnce = 1
	}
	blocked, next := w.state.Blocked()
	switch {
	case registry.OutageUntil.After(now):
		return registry.OutageUntil, false, nil
	case blocked && next.After(now):
		return next, false, nil
	case blocked && len(open) > 0, len(unanswered) >= atOnce, run.PassOver && len(open) > 0:
		changed, err := w.awaitChange(ctx, c, len(open), len(unanswered))
		return now, changed, err
	case run.PassOver:
		return w.endPass(ctx, c, *run, blocked)
	}
	return w.send(ctx, c, *run, unanswered, blocked)
}

// openBatches are those of the connector, and which of them have no answer yet.
func (w *work) openBatches(ctx context.Context, c Connector) (open, unanswered []Batch, err error) {
	all, err := w.Store.OpenBatches(ctx, c.RegistryKey())
	if err != nil {
		return nil, nil, err
	}
	for _, b := range all {
		if b.Ref.Connector != c.ID {
			continue
		}
		open = append(open, b)
		answered, err := w.Store.HasAnswer(ctx, b.Ref.Registry, b.Ref.Batch)
		if err != nil {
			return nil, nil, err
		}
		if !answered {
			unanswered = append(unanswered, b)
		}
	}
	return open, unanswered, nil
}

// currentRun returns the run to go on with. It is nil when there is none: then
// due and again are what step returns.
func (w *work) currentRun(ctx context.Context, c Connector, open int) (run *Run, due time.Time, again bool, err error) {
	now := w.Clock.Now()
	if w.state.Run == "" {
		if w.state.Status != Running {
			return nil, now.Add(c.Interval()), false, nil
		}
		fresh := Run{
			ID: w.NewID(), Connector: c.ID, Version: c.Version,
			Started: now, Passes: 1, PassStarted: now, Fence: w.state.Lease.Fence,
		}
		if err := w.Store.OpenRun(ctx, fresh); err != nil {
			return nil, now, false, err
		}
		w.log.Info("run opened", "run", fresh.ID)
		return &fresh, now, false, nil
	}
	old, err := w.Store.Run(ctx, c.ID, w.state.Run)
	if err != nil {
		return nil, now, false, err
	}
	old.Fence = w.state.Lease.Fence
	if w.state.Status == Running && old.Version == c.Version {
		return &old, now, false, nil
	}
	// Stopped, or configured anew: the run ends once its batches are closed.
	if open > 0 {
		return nil, now, false, nil
	}
	if _, err := w.complete(ctx, old); err != nil {
		return nil, now, false, err
	}
	return nil, now, w.state.Status == Running, nil
}

// awaitChange waits a while for an answer to arrive or a batch to be closed.
func (w *work) awaitChange(ctx context.Context, c Connector, open, unanswered int) (changed bool, err error) {
	return w.await(ctx, func() (bool, error) {
		nowOpen, nowUnanswered, err := w.openBatches(ctx, c)
		return len(nowOpen) != open || len(nowUnanswered) != unanswered, err
	})
}

// await looks until it sees what it waits for, at most for AnswerWait.
func (w *work) await(ctx context.Context, look func() (bool, error)) (bool, error) {
	for limit := w.Clock.Now().Add(w.Times.AnswerWait); w.Clock.Now().Before(limit); {
		if err := w.Clock.Sleep(ctx, w.Times.Poll); err != nil {
			return false, err
		}
		if seen, err := look(); seen || err != nil {
			return seen, err
		}
	}
	return false, nil
}

// endPass completes the run, or begins another pass when something that this
// one sent is still pending. While a problem stands passes do not count: they
// are made of probes.
func (w *work) endPass(ctx context.Context, c Connector, run Run, blocked bool) (due time.Time, again bool, err error) {
	closed, err := w.Store.ClosedBatches(ctx, run.Connector, run.ID)
	if err != nil {
		return time.Time{}, false, err
	}
	pending := false
	for _, b := range closed {
		if !b.Claimed.Before(run.PassStarted) && b.Totals.Pending() > 0 {
			pending = true
		}
	}
	now := w.Clock.Now()
	if pending && (blocked || run.Passes < MaxPasses) {
		run.Cursor, run.PassOver, run.PassStarted = 0, false, now
		if !blocked {
			run.Passes++
		}
		return now, true, w.Store.SaveRun(ctx, run)
	}
	if run, err = w.complete(ctx, run); err != nil {
		return time.Time{}, false, err
	}
	return run.Started.Add(c.Interval()), false, nil
}

func (w *work) complete(ctx context.Context, run Run) (Run, error) {
	closed, err := w.Store.ClosedBatches(ctx, run.Connector, run.ID)
	if err != nil {
		return run, err
	}
	run.Totals = Totals{}
	for _, b := range closed {
		run.Totals = run.Totals.Plus(b.Totals)
	}
	run.Completed = w.Clock.Now()
	if err := w.Store.CompleteRun(ctx, run); err != nil {
		return run, err
	}
	w.log.Info("run completed", "run", run.ID, "sent", run.Totals.Sent, "tokenised", run.Totals.Tokenised,
		"rejected", run.Totals.Rejected()+run.Tally.Invalid, "passes", run.Passes)
	return run, nil
}

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
	if mts.NotBefore.After(now) {
		return mts.NotBefore, false, nil
	}

	size := mts.Batch(c.BatchMaximum)
	if blocked {
		size = 1
	}
	harvest, err := w.gather(ctx, c, run, size)
	if err != nil {
		return w.gatherFailed(ctx, c, err)
	}
	if len(harvest.chosen) == 0 {
		return now, true, w.Store.SaveRun(ctx, harvest.run)
	}

	batch, submission, err := w.prepare(ctx, c, harvest, mts, unanswered, blocked)
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
	if err := w.Store.MarkSubmitted(ctx, batch.Ref, requestID); err != nil && !errors.Is(err, ErrConflict) && !isNotFound(err) {
		return now, false, err // a conflict: its answer was so quick that the batch is closed
	}
	log.Info("batch submitted")
	return w.Clock.Now(), true, w.clear(ctx, ProblemMTS)
}

// takeMTS takes the POST lease, for a page and a POST. held is true when
// somebody else had it for as long as we may wait.
func (w *work) takeMTS(ctx context.Context, c Connector) (mts MTS, held bool, err error) {
	take := func() (bool, error) {
		now := w.Clock.Now()
		until := now.Add(w.Times.PageLimit + w.postLimit(c.BatchMaximum))
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
func (w *work) prepare(ctx context.Context, c Connector, h harvest, mts MTS, unanswered []Batch, probe bool) (Batch, Submission, error) {
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
		Ref: ref, State: Claimed, MTS: mts.Key, MTSURL: c.MTSURL,
		Size: mts.Batch(c.BatchMaximum), InLine: inLine, PerRecord: perRecord,
		Claimed: now, Deadline: deadline(now, perRecord, inLine, w.Times),
		RowKey: rowKey.ID, PrintKey: h.printKey, Count: len(h.chosen), ProbedWith: probe,
	}
	submission := Submission{
		MTSURL: c.MTSURL, Language: c.Language,
		CallbackURL:    strings.TrimRight(w.CallbackBase, "/") + "/callback/" + ref.Batch,
		Bearer:         Capability(capability, ref, now.Add(w.Times.CapabilityLife)),
		TimeoutSeconds: c.Callback.TimeoutSeconds, OutputFormat: OutputFormat,
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
	batch.State, batch.Closed, batch.Totals = Failed, now, Totals{Sent: batch.Count}
	if err := w.Store.Close(ctx, batch); err != nil && !errors.Is(err, ErrConflict) {
		return now, false, err
	}
	if err := movePace(ctx, w.Store, c.MTSKey(), func(p Pace) (Pace, bool) { return p.Missed(batch.Size) }); err != nil {
		return now, false, err
	}
	*notBefore = now.Add(backOff(w.Times.ProbeFirst, w.Times.ProbeMax, *tries))
	*tries++
	text, remedy := mtsProblem(fault)
	return w.raise(ctx, ProblemMTS, text, remedy)
}

// gatherFailed turns what kept a batch from being made into a problem of the
// connector. A failure of the storage is none.
func (w *work) gatherFailed(ctx context.Context, c Connector, err error) (time.Time, bool, error) {
	if fault, ok := errors.AsType[*Fault](err); ok {
		return w.registryFailed(ctx, c, fault, ProblemRead)
	}
	if u, ok := errors.AsType[*unusable](err); ok {
		w.log.Warn("connector cannot be run", "problem", string(ProblemConfig))
		return w.raise(ctx, ProblemConfig, u.text, u.remedy)
	}
	return w.Clock.Now(), false, err
}

// registryFailed raises the problem of a failed call and tells when to try again.
func (w *work) registryFailed(ctx context.Context, c Connector, fault *Fault, op Source) (time.Time, bool, error) {
	now := w.Clock.Now()
	w.log.Warn("registry call failed", "fault", fault.Error(), "problem", string(op))
	source, text, remedy := registryProblem(fault, op)
	if source == ProblemRegistry {
		registry, err := w.Store.RegistryState(ctx, c.RegistryKey())
		if err != nil {
			return now, false, err
		}
		until := outage(now, registry.OutageTries, w.Times)
		if err := w.Store.NoteOutage(ctx, registry.Key, until, registry.OutageTries+1); err != nil && !errors.Is(err, ErrConflict) {
			return now, false, err
		}
	}
	return w.raise(ctx, source, text, remedy)
}

// raise sets a problem and returns when its next probe is due.
func (w *work) raise(ctx context.Context, source Source, text, remedy string) (time.Time, bool, error) {
	p := w.state.Problems[source].again(w.Clock.Now(), text, remedy, w.Times)
	return p.Next, false, w.Store.RaiseProblem(ctx, w.state.Connector, source, p)
}

// clear removes those of the problems that stand.
func (w *work) clear(ctx context.Context, sources ...Source) error {
	return clearStanding(ctx, w.Store, w.state, w.Clock.Now(), sources...)
}

func clearStanding(ctx context.Context, store Connectors, state State, now time.Time, sources ...Source) error {
	var standing []Source
	for _, source := range sources {
		if _, stands := state.Problems[source]; stands {
			standing = append(standing, source)
		}
	}
	if len(standing) == 0 {
		return nil
	}
	return store.ClearProblems(ctx, state.Connector, standing, now)
}

// movePace changes the pace of an MTS from whatever it is now.
func movePace(ctx context.Context, store Seeders, key string, move func(Pace) (Pace, bool)) error {
	for {
		mts, err := store.MTS(ctx, key)
		if err != nil {
			return err
		}
		next, moves := move(mts.Pace)
		if !moves {
			return nil
		}
		if err = store.SavePace(ctx, key, mts.Pace, next); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
