package submit

import (
	"context"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Forms are the forms of connectors of ODK.
type Forms interface {
	seeding.Forms
	// Pull is the request by which MTS fetches the submissions of a batch. reads are the
	// fields at the top of the form that MTS is to be given; nil is all of them.
	Pull(ctx context.Context, c seeding.Connector, b seeding.Batch, reads []string) (seeding.Pull, error)
}

// atCentral is a failed call of ODK Central. Others are of the registry.
type atCentral struct{ fault *seeding.Fault }

func (e *atCentral) Error() string { return "ODK Central: " + e.fault.Error() }
func (e *atCentral) Unwrap() error { return e.fault }

// ofCentral is the error of a call of ODK Central.
func ofCentral(err error) error {
	if err == nil {
		return nil
	}
	return &atCentral{seeding.FaultOf(err)}
}

// openForm opens the form of a connector of ODK.
func (s *Submitter) openForm(ctx context.Context, c seeding.Connector) (seeding.Form, error) {
	form, err := s.Forms.OpenForm(ctx, c)
	if err != nil {
		return nil, seeding.FormUnusable(err)
	}
	return form, nil
}

// start is the moment from which on submissions count.
func start(c seeding.Connector) time.Time {
	begin := time.UnixMilli(0).UTC()
	if c.ODK.Received.After(begin) {
		return c.ODK.Received.UTC().Truncate(time.Millisecond)
	}
	return begin
}

// plan decides once what a run of a connector of ODK looks at. Central is asked for its
// marks before anything else, so that what changes later is seen by the next run.
func (s *Submitter) plan(ctx context.Context, v view) (next, error) {
	now := s.Clock.Now()
	limited, cancel := context.WithTimeout(ctx, s.Times.PageLimit)
	defer cancel()
	run := *v.run
	form, err := s.openForm(ctx, v.connector)
	if err == nil {
		run.Looks, err = s.looks(limited, v, form)
	}
	if err == nil && len(run.Looks.Spans) == 0 {
		err = s.probeRegistry(limited, v)
	}
	if err == nil {
		err = s.readAgain(ctx, v)
	}
	if err != nil {
		return s.chooseFailed(ctx, v, err)
	}
	run.Expected, run.PassOver = run.Looks.Expected(), len(run.Looks.Spans) == 0
	s.log(v).Info("run planned", "run", run.ID, "spans", len(run.Looks.Spans), "expected", run.Expected)
	moved, err := s.saveRun(ctx, run)
	return next{due: now, again: true, moved: moved}, err
}

// looks are what the run is to look at.
func (s *Submitter) looks(ctx context.Context, v view, form seeding.Form) (l seeding.Looks, err error) {
	at, err := form.Now(ctx)
	if err != nil {
		return l, ofCentral(err)
	}
	l = seeding.Looks{Planned: true, Until: at.UTC().Add(-s.Times.WindowLag).Truncate(time.Millisecond)}
	from := start(v.connector)
	if v.run.Kind == seeding.Import {
		l.Spans, err = imported(ctx, form, v.run.Selection, from, l.Until)
		return l, err
	}
	stored, err := s.Store.Coverage(ctx, v.connector.ID)
	if err != nil {
		return l, err
	}
	c := stored.Since(v.connector.FormKey(), from)
	everything := seeding.Window{From: from, To: l.Until}
	if everything.Empty() {
		return l, nil
	}
	var same bool
	if l.Mark, same, err = form.Mark(ctx, everything, c.Mark); err != nil {
		return l, ofCentral(err)
	}
	if l.Spans, err = changed(ctx, form, c, everything, l.Mark, same); err != nil {
		return l, err
	}
	due, err := s.dueAgain(ctx, v, everything)
	l.Spans = seeding.JoinSpans(l.Spans, due)
	return l, err
}

// imported is the span of an import. Nobody remembers that it was looked at, so it needs
// no mark.
func imported(ctx context.Context, form seeding.Form, chosen seeding.Selection, from, until time.Time) ([]seeding.Span, error) {
	w := chosen.Window
	if w == (seeding.Window{}) {
		w = seeding.Window{From: from, To: until}
	}
	if w.To.After(until) {
		w.To = until
	}
	if w.Empty() {
		return nil, nil
	}
	n, err := form.Count(ctx, w)
	if err != nil || n == 0 {
		return nil, ofCentral(err)
	}
	return []seeding.Span{{Window: w, Count: n}}, nil
}

// changed are the spans of a coverage in which something changed, and what it does not
// cover yet. A mark that is only a count does not show a submission that came while
// another one went; so what is new is counted besides.
func changed(ctx context.Context, form seeding.Form, c seeding.Coverage, everything seeding.Window, mark string, same bool) (spans []seeding.Span, err error) {
	if same && !strings.HasPrefix(mark, seeding.CountMark) {
		return nil, nil
	}
	if !same {
		for _, stored := range c.Spans {
			now, unchanged, err := form.Mark(ctx, stored.Window, stored.Mark)
			if err != nil {
				return nil, ofCentral(err)
			}
			if !unchanged {
				spans = append(spans, seeding.Span{Window: stored.Window, Mark: now})
			}
		}
	}
	for _, w := range c.Fresh(everything.From, everything.To) {
		now := mark
		if w != everything {
			if now, _, err = form.Mark(ctx, w, ""); err != nil {
				return nil, ofCentral(err)
			}
		}
		spans = append(spans, seeding.Span{Window: w, Mark: now})
	}
	for i := range spans {
		if spans[i].Count, err = form.Count(ctx, spans[i].Window); err != nil {
			return nil, ofCentral(err)
		}
	}
	if same { // by the count: what is there is as it was, unless something is new
		spans = slices.DeleteFunc(spans, func(s seeding.Span) bool { return s.Count == 0 })
	}
	return spans, nil
}

// dueAgain are the milliseconds of submissions that were rejected and are due. All
// rejections of the connector are read for it, and so counted.
func (s *Submitter) dueAgain(ctx context.Context, v view, among seeding.Window) (due []seeding.Window, err error) {
	now, retried := s.Clock.Now(), v.retried()
	count := seeding.RejectionCount{}
	v.posts.rejected = nil
	err = s.eachRejection(ctx, v.connector, func(r seeding.Rejection) {
		count.Add(r)
		if len(v.posts.rejected) < maxRemembered {
			v.posts.rejected = append(v.posts.rejected, r)
		}
		if among.Has(r.Received) && r.Due(now, r.Fingerprint, v.connector.Version, retried) {
			due = append(due, millisecond(r.Received))
		}
	})
	v.posts.read = passRead{run: v.run.ID, started: v.run.PassStarted.UnixMilli(), count: count}
	return due, err
}

// maxRemembered is how many rejections an invocation remembers, to see which of them have
// no submission any more. A later run sees those of the others.
const maxRemembered = 20_000

// millisecond is the window of all that Central received in the same one.
func millisecond(at time.Time) seeding.Window {
	at = at.UTC().Truncate(time.Millisecond)
	return seeding.Window{From: at, To: at.Add(time.Millisecond)}
}

// probeRegistry looks whether the registry answers again, for a run that has no other
// reason to call it.
func (s *Submitter) probeRegistry(ctx context.Context, v view) error {
	if len(v.state.Raised(seeding.OfRegistry...)) == 0 {
		return nil
	}
	registry, err := s.Registries.Open(ctx, v.connector)
	if err != nil {
		return seeding.RegistryUnusable(err)
	}
	if _, err := registry.Submissions(ctx, []string{"none"}); err != nil {
		return err
	}
	state, err := s.Store.RegistryState(ctx, v.connector.RegistryKey())
	if err != nil {
		return err
	}
	return s.registryAnswers(ctx, v, state)
}

// registryAnswers ends the problems of a registry that was read.
func (s *Submitter) registryAnswers(ctx context.Context, v view, state seeding.RegistryState) error {
	if err := s.Store.ClearProblems(ctx, v.connector.ID, v.state.Raised(seeding.OfRegistry...), s.Clock.Now()); err != nil {
		return err
	}
	if state.OutageAttempts > 0 {
		return s.Store.NoteOutage(ctx, state.Key, time.Time{}, 0)
	}
	return nil
}

// readAgain ends the problem "odk" after Central was read, unless MTS cannot read it:
// that only MTS can end.
func (s *Submitter) readAgain(ctx context.Context, v view) error {
	if p, raised := v.state.Problems[seeding.ProblemODK]; raised && p.Named.Fault != seeding.NoSubmissions {
		return s.Store.ClearProblems(ctx, v.connector.ID, []seeding.Source{seeding.ProblemODK}, s.Clock.Now())
	}
	return nil
}

// centralFailed raises the problem of a failed call of ODK Central.
func (s *Submitter) centralFailed(ctx context.Context, v view, fault *seeding.Fault) (next, error) {
	s.log(v).Warn("ODK Central could not be read", "fault", fault.Error())
	return s.raise(ctx, v, seeding.ProblemODK, seeding.ODKProblem(fault))
}

// saveCoverage writes what of the form was looked at, once everything in it is done: no
// batch of the last pass left anything undecided. A run that looked at a selection only,
// or ended early, has nothing to write.
func (s *Submitter) saveCoverage(ctx context.Context, v view, pending int) error {
	c, run := v.connector, v.run
	if !c.FromODK() || run.Kind != seeding.Recurring || !run.Looks.Planned || pending > 0 {
		return nil
	}
	stored, err := s.Store.Coverage(ctx, c.ID)
	if err != nil {
		return err
	}
	before := stored.Since(c.FormKey(), start(c))
	if looked := before.Looked(run.Looks, start(c)); !looked.Same(stored) {
		return s.Store.SaveCoverage(ctx, looked)
	}
	return nil
}
