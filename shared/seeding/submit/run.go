package submit

import (
	"context"
	"errors"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// open begins a recurring run that was due at a time.
func (s *Submitter) open(ctx context.Context, v view, due, now time.Time) (*seeding.Run, error) {
	run := seeding.Run{
		ID: s.NewID(), Connector: v.connector.ID, Kind: seeding.Recurring, Version: v.connector.Version,
		Due: v.connector.Schedule.Counted(due, now), Started: now, Passes: 1, PassStarted: now, Fence: v.state.Lease.Fence,
	}
	if err := s.Store.OpenRun(ctx, run); err != nil {
		return nil, err
	}
	s.log(v).Info("run opened", "run", run.ID)
	return &run, nil
}

// passResult returns, from the closed batches of a run, whether the pass sent
// anybody, and how many of those it sent are still pending.
func passResult(run seeding.Run, closed []seeding.Batch) (sent bool, pending int) {
	for _, b := range closed {
		if !b.Claimed.Before(run.PassStarted) {
			sent, pending = true, pending+b.Undecided()
		}
	}
	return sent, pending
}

// maxPasses bounds the passes of a run. Who is pending after them waits for the
// next run.
const maxPasses = 3

// nextPass is the run in its next pass, which sends those who are pending; again
// is false if there is none. While there is a problem that blocks, passes do not
// count, because they send only probes.
func nextPass(run seeding.Run, pending int, blocked bool, now time.Time) (_ seeding.Run, again bool) {
	if pending == 0 || !blocked && run.Passes >= maxPasses {
		return run, false
	}
	if !now.After(run.Started) { // or it would be taken for the first pass
		now = run.Started.Add(time.Millisecond)
	}
	run = run.NextPass(pending, now)
	if !blocked {
		run.Passes++
	}
	return run, true
}

// expected counts the VIDs that the first pass of a run looks at, once its first
// page is read. It is 0 if the registry does not say: then nobody knows when the run
// ends, and nothing else is different.
func (s *Submitter) expected(ctx context.Context, registry seeding.Registry, run seeding.Run) int {
	behind, err := registry.CountVIDs(ctx, run.Cursor)
	if err != nil {
		s.Log.Warn("VIDs not counted", "connector", run.Connector, "run", run.ID, "fault", seeding.FaultOf(err).Error())
		return 0
	}
	return run.Tally.Looked + behind
}

// endPass completes the run, or begins another pass if somebody whom this one
// sent is still pending.
func (s *Submitter) endPass(ctx context.Context, v view) (next, error) {
	run := *v.run
	closed, err := s.Store.ClosedBatches(ctx, run.Connector, run.ID)
	if seeding.IgnoreDamaged(err) != nil {
		return next{}, err
	}
	sent, pending := passResult(run, closed)
	if err := s.clearUnawaited(ctx, v, sent); err != nil {
		return next{}, err
	}
	now := s.Clock.Now()
	blocked, _ := v.state.Blocked()
	if run, again := nextPass(run, pending, blocked, now); again {
		moved, err := s.saveRun(ctx, run)
		return next{due: now, again: true, moved: moved}, err
	}
	rejections, err := s.countRejections(ctx, v, len(closed) > 0)
	if err != nil {
		return next{}, err
	}
	if err := s.saveCoverage(ctx, v, pending); err != nil {
		return next{}, err
	}
	if run, err = s.complete(ctx, run, rejections); err != nil {
		return next{}, err
	}
	return v.after(run, now), nil
}

// after is what comes after a run that is completed. A recurring one is followed at
// once if a person changed something meanwhile; and where none follows the job is
// completed.
func (v view) after(run seeding.Run, now time.Time) next {
	switch {
	case run.Kind == seeding.Import:
		return next{due: now}
	case run.Ending == seeding.EndedByStop, run.Ending == seeding.EndedByChange:
		return next{due: now, again: v.state.Status == seeding.Running}
	}
	due, more := v.connector.Schedule.Follows(run.Due, run.Started)
	if due.Before(now) {
		due = now
	}
	return next{due: due, again: !more}
}

// saveRun stores how far the run is, and returns the time of this progress.
func (s *Submitter) saveRun(ctx context.Context, run seeding.Run) (moved time.Time, err error) {
	if err := s.Store.SaveRun(ctx, run); err != nil {
		return time.Time{}, err
	}
	return s.Clock.Now(), nil
}

// unawaitedProblems are the problems that only an answer, or the removal of a
// VID, would clear, if a whole pass under them found nobody to send, or no VID to
// remove. Nobody waits for their end. Registrants that come later are sent, and
// may raise them again.
func unawaitedProblems(problems map[seeding.Source]seeding.Problem, run seeding.Run, sent bool) []seeding.Source {
	var over []seeding.Source
	for source, p := range problems {
		switch source {
		case seeding.ProblemWrite, seeding.ProblemIdentity, seeding.ProblemAnswers, seeding.ProblemCallback, seeding.ProblemTokens,
			seeding.ProblemSetAside, seeding.ProblemAlike, seeding.ProblemPolicy, seeding.ProblemDelivery, seeding.ProblemArrival,
			seeding.ProblemODK: // that MTS cannot read it; we do
			if !sent && !p.Since.After(run.PassStarted) {
				over = append(over, source)
			}
		case seeding.ProblemUnlink: // the pass might have removed one
			if p.Next.Before(run.PassStarted) {
				over = append(over, source)
			}
		}
	}
	slices.Sort(over)
	return over
}

// rejectedFor tells the rejections of those whom a problem is about.
var rejectedFor = map[seeding.Source]func(seeding.Rejection) bool{
	seeding.ProblemAnswers:  lostAlone,
	seeding.ProblemCallback: lostAlone,
	seeding.ProblemArrival:  func(r seeding.Rejection) bool { return r.Code == seeding.CodeNotArrived },
	seeding.ProblemAlike:    func(r seeding.Rejection) bool { return r.Kind == seeding.Refused },
	seeding.ProblemTokens:   func(r seeding.Rejection) bool { return seeding.IsRubbish(r.Code) },
	seeding.ProblemPolicy: func(r seeding.Rejection) bool {
		return r.Kind == seeding.Conflict && r.Code == seeding.CodeOtherToken
	},
}

func lostAlone(r seeding.Rejection) bool {
	return r.Kind == seeding.NoToken && r.Code != seeding.CodeNotArrived
}

// clearUnawaited clears those problems, unless an answer of the connector is
// left, or a registrant that the problem is about is still rejected for it. An answer
// that cannot be read can end no problem, but is one itself. No batch may be open.
func (s *Submitter) clearUnawaited(ctx context.Context, v view, sent bool) error {
	over := unawaitedProblems(v.state.Problems, *v.run, sent)
	if len(over) == 0 || !v.run.Selection.Whole() {
		return nil
	}
	left, unreadable, err := s.answersLeft(ctx, v.connector)
	if err != nil || left {
		return err
	}
	if unreadable {
		over = slices.DeleteFunc(over, func(s seeding.Source) bool { return s == seeding.ProblemSetAside })
	}
	if slices.ContainsFunc(over, func(s seeding.Source) bool { return rejectedFor[s] != nil }) {
		about := map[seeding.Source]bool{} // those that somebody is rejected for
		err := s.eachRejection(ctx, v.connector, func(r seeding.Rejection) {
			for source, isAbout := range rejectedFor {
				about[source] = about[source] || isAbout(r)
			}
		})
		if err != nil {
			return err
		}
		over = slices.DeleteFunc(over, func(source seeding.Source) bool { return about[source] })
	}
	return s.Store.ClearProblems(ctx, v.connector.ID, over, s.Clock.Now())
}

// answersLeft reports whether an answer of the connector waits to be patched, and
// whether there is one of it that cannot be read.
func (s *Submitter) answersLeft(ctx context.Context, c seeding.Connector) (left, unreadable bool, err error) {
	for ref, err := range seeding.AnsweredBatches(ctx, s.Store, c.RegistryKey()) {
		if damaged, ok := errors.AsType[*seeding.DamagedAnswer](err); ok {
			unreadable = unreadable || damaged.Connector == c.ID
			continue
		}
		if err != nil || ref.Connector == c.ID {
			return err == nil, unreadable, err
		}
	}
	return false, unreadable, nil
}

// complete ends the run. rejections are those of the connector, if they were counted.
func (s *Submitter) complete(ctx context.Context, run seeding.Run, rejections *seeding.RejectionCount) (seeding.Run, error) {
	if run.Uncounted || run.Open() > 0 { // a version before opened it, or closed a batch of it without counting that
		closed, err := s.Store.ClosedBatches(ctx, run.Connector, run.ID)
		if seeding.IgnoreDamaged(err) != nil {
			return run, err
		}
		run = run.CountedBy(closed)
	}
	run.Completed = s.Clock.Now()
	if err := s.Store.CompleteRun(ctx, run, rejections); err != nil {
		return run, err
	}
	s.Log.Info("run completed", "connector", run.Connector, "run", run.ID, "sent", run.Totals.Sent, "tokenised", run.Totals.Tokenised,
		"rejected", run.Totals.Rejected()+run.Tally.Invalid, "passes", run.Passes)
	return run, nil
}
