package submit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// row is a submission that a run has looked at.
type row struct {
	seeding.SubmissionRef
	fate submissionFate
	// apart: nobody knows what Central received between this one and the one before.
	apart bool
}

// submissionFate is what a run does with a submission.
type submissionFate int

const (
	done          submissionFate = iota // a registrant holds its id, and a token
	inBatch                             // in an open batch
	staysRejected                       // its rejection is not due
	toSend
)

// known is what a run knows of the submissions of a page.
type known struct {
	open     []seeding.Batch // of the connector
	done     map[string]bool
	rejected map[string]seeding.Rejection
}

// fateOf decides about a submission. An edit is a change of its data.
func (k known) fateOf(s seeding.SubmissionRef, now time.Time, version int, retried seeding.Retried) submissionFate {
	rejection, rejected := k.rejected[s.ID]
	switch {
	case slices.ContainsFunc(k.open, func(b seeding.Batch) bool { return b.Takes(s) }):
		return inBatch
	case k.done[s.ID]:
		return done
	case rejected && !rejection.Due(now, s.Fingerprint(), version, retried):
		return staysRejected
	}
	return toSend
}

// looked are submissions of one form, the newest first, and how far the run is with them.
type looked struct {
	rows    []row
	run     seeding.Run // its cursor is below the last row
	counter int64       // of the registry, read before anything else
	apart   bool        // what is read next does not follow the last row
	reads   []string    // what MTS is given of a submission; nil for everything
}

// toSend is how many of the rows are to be sent.
func (l looked) toSend() (n int) {
	for _, r := range l.rows {
		if r.fate == toSend {
			n++
		}
	}
	return n
}

// leastPage is how many submissions a page has at least: for fewer a call is not worth it.
const leastPage = 100

// longestPage is how many it has at most: of each a moment and an id are read.
const longestPage = 2 * maxPage

// pageSize is how many submissions Central is asked for by who looks at some of them.
func pageSize(most int) int {
	if most > leastPage {
		return longestPage
	}
	return leastPage
}

// lookAtSubmissions reads pages of submissions, the newest first, until the spans of the
// run are read or the wave is nearly full, as choose does with registrants.
//
// It reads the registry's counter first, then its open batches, then Central, then the
// registry. In any other order a batch that is patched and closed in between would be
// sent twice.
func (s *Submitter) lookAtSubmissions(ctx context.Context, v view, wanted int) (looked, error) {
	limited, cancel := context.WithTimeout(ctx, s.Times.PageLimit)
	defer cancel()
	c := v.connector
	state, err := s.Store.RegistryState(ctx, c.RegistryKey())
	if err != nil {
		return looked{}, err
	}
	open, err := s.openBatches(ctx, c)
	if err != nil { // who is in a batch that nobody can read is sent again
		return looked{}, err
	}
	if _, err := s.Mappings.Compile(c.Source.Mapping); err != nil {
		return looked{}, seeding.MappingUnusable(err)
	}
	registry, err := s.Registries.Open(ctx, c)
	if err != nil {
		return looked{}, seeding.RegistryUnusable(err)
	}
	form, err := s.openForm(ctx, c)
	if err != nil {
		return looked{}, err
	}
	if err := form.CheckVID(limited, s.VIDField(c)); err != nil {
		return looked{}, ofCentral(err)
	}
	l := looked{run: *v.run, counter: state.Counter}
	if reads, known := s.Reads(c.Source.Mapping); known {
		l.reads = reads
	}
	until := s.Clock.Now().Add(s.Times.PageLimit / 2)
	for most := max(min(wanted, longestPage), leastPage); !l.run.PassOver; most = min(2*most, longestPage) {
		if err := s.readSubmissions(limited, v, form, registry, open, most, &l); err != nil {
			return looked{}, err
		}
		if left := wanted - l.toSend(); left <= 0 || 2*left <= min(wanted, longestPage) || s.Clock.Now().After(until) {
			break
		}
	}
	if err := s.readAgain(ctx, v); err != nil {
		return looked{}, err
	}
	return l, s.registryAnswers(ctx, v, state)
}

// readSubmissions adds the next page of submissions, and moves the run below it.
func (s *Submitter) readSubmissions(ctx context.Context, v view, form seeding.Form, registry seeding.Registry, open []seeding.Batch, most int, l *looked) error {
	before := l.run
	w, found := below(before, v.connector)
	if !found {
		l.run.PassOver = true
		return nil
	}
	page := &v.posts.formPage
	if !page.reaches(before, w) {
		began := s.Clock.Now()
		refs, from, err := readPage(ctx, form, w, pageSize(most))
		if err != nil {
			return ofCentral(err)
		}
		*page = formPage{before.ID, before.PassStarted, began, seeding.Window{From: from, To: w.To}, refs}
	}
	list, down := page.below(w.To, most)
	k, err := s.knownOf(ctx, v, registry, open, list)
	if err != nil {
		return err
	}
	if err := s.forget(ctx, v, k, list, seeding.Window{From: down, To: w.To}, page.began); err != nil {
		return err
	}
	now, retried := s.Clock.Now(), v.retried()
	l.apart = l.apart || before.Cursor != w.To.UnixMilli()
	for _, ref := range list {
		l.rows = append(l.rows, row{ref, k.fateOf(ref, now, v.connector.Version, retried), l.apart})
		l.apart = false
	}
	l.run.Cursor = down.UnixMilli()
	if _, more := below(l.run, v.connector); !more || l.run.Cursor == 0 {
		l.run.PassOver = true
	}
	v.posts.read.goesOn(before, l.run)
	return nil
}

// below is the window that a run looks at next. An import of a window looks at what the
// connector leaves out otherwise.
func below(run seeding.Run, c seeding.Connector) (w seeding.Window, found bool) {
	w, found = run.Looks.Below(run.Cursor)
	if from := start(c); found && run.Selection.Window == (seeding.Window{}) && w.From.Before(from) {
		w.From = from
	}
	return w, found && !w.Empty()
}

// readPage reads submissions of a window down to a moment: all since then, so that none
// of a millisecond is left out.
func readPage(ctx context.Context, form seeding.Form, w seeding.Window, most int) (list []seeding.SubmissionRef, down time.Time, err error) {
	list, more, err := form.Page(ctx, w, most)
	if err != nil || !more || len(list) == 0 {
		return list, w.From, err
	}
	oldest := millisecond(list[len(list)-1].Received)
	if first := slices.IndexFunc(list, func(s seeding.SubmissionRef) bool { return oldest.Has(s.Received) }); first > 0 {
		return list[:first], oldest.To, nil // the others of this millisecond are the next page's
	}
	const mostAtOnce = 1 << 17
	for more && most < mostAtOnce {
		most *= 4
		if list, more, err = form.Page(ctx, oldest, most); err != nil {
			return nil, down, err
		}
	}
	if more {
		return nil, down, &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.CodeTooLarge}
	}
	return list, oldest.From, nil
}

// knownOf reads what is known of submissions.
func (s *Submitter) knownOf(ctx context.Context, v view, registry seeding.Registry, open []seeding.Batch, list []seeding.SubmissionRef) (known, error) {
	k := known{open: open, done: map[string]bool{}, rejected: map[string]seeding.Rejection{}}
	for some := range slices.Chunk(list, maxPage) {
		ids := make([]string, len(some))
		for i, ref := range some {
			ids[i] = ref.ID
		}
		holders, err := registry.Submissions(ctx, ids)
		if err != nil {
			return known{}, err
		}
		if len(holders) > 0 {
			tokens, err := registry.Tokens(ctx, registrantsOf(holders))
			if err != nil {
				return known{}, err
			}
			held := seeding.ByRegistrant(tokens)
			for _, h := range holders {
				k.done[h.Value] = k.done[h.Value] || len(held[h.Registrant]) > 0
			}
		}
		rejections, err := s.Store.RejectionsOfSubmissions(ctx, v.connector.RegistryKey(), v.connector.ID, ids)
		if seeding.IgnoreDamaged(err) != nil {
			return known{}, err
		}
		for _, r := range rejections {
			k.rejected[r.Submission] = r
		}
	}
	return k, nil
}

// forget deletes the rejections of submissions that are done, and of those that Central
// does not have any more in a window that was read whole.
func (s *Submitter) forget(ctx context.Context, v view, k known, list []seeding.SubmissionRef, w seeding.Window, began time.Time) error {
	var over []seeding.Rejection
	there := map[string]bool{}
	for _, ref := range list {
		there[ref.ID] = true
		if r, rejected := k.rejected[ref.ID]; rejected && k.done[ref.ID] {
			over = append(over, r)
		}
	}
	for _, r := range v.posts.rejected {
		if w.Has(r.Received) && !there[r.Submission] && !r.LastAttempt.After(began) {
			over = append(over, r)
		}
	}
	if len(over) == 0 {
		return nil
	}
	v.posts.read = passRead{} // they are counted there
	return s.Store.DeleteRejections(ctx, over)
}

// partsOfSubmissions are the batches of a wave of submissions.
func (s *Submitter) partsOfSubmissions(ctx context.Context, v view, wanted int, z sizes) ([]part, seeding.Run, error) {
	l, err := s.lookAtSubmissions(ctx, v, wanted)
	if err != nil {
		return nil, seeding.Run{}, err
	}
	cuts, err := cut(l.rows, z, wanted)
	if err != nil {
		return nil, seeding.Run{}, ofCentral(err)
	}
	parts := make([]part, len(cuts))
	for i, one := range cuts {
		parts[i] = part{
			batch: one.batch(), run: l.after(cuts[:i+1], v.run.Tally), counter: l.counter + int64(i), bytes: pullBytes + 2*bytesOfIDs(one),
			ask: s.askForSubmissions(v.connector, l.reads),
		}
	}
	return parts, l.after(nil, v.run.Tally), nil
}

// pullBytes is about what a request has without ids: addresses, mapping, capability.
const pullBytes = 8 << 10

// askForSubmissions makes the request of a batch of submissions.
func (s *Submitter) askForSubmissions(c seeding.Connector, reads []string) func(context.Context, *seeding.Batch, *seeding.Request) error {
	return func(ctx context.Context, b *seeding.Batch, r *seeding.Request) error {
		keys, err := s.answeredHere(ctx, b, r)
		if err != nil {
			return err
		}
		r.OutputFormat = seeding.WindowFormat(seeding.Seal(keys.capability, b.Ref.Batch, seeding.WindowKey(seeding.WindowMACOf(keys.row, b.Ref.Batch, c))))
		pull, err := s.Forms.Pull(ctx, c, *b, reads)
		if fault, atForm := asFault(err); atForm {
			return &atCentral{fault}
		}
		if err != nil {
			return seeding.FormUnusable(err)
		}
		r.Pull = &pull
		return nil
	}
}

// nothingPulled closes a batch of which MTS says that there is no submission. It says so
// also when it could not read Central (facts/odk.md 15.2); so that is asked. What is
// there stays to be sent, and the problem "odk" shows it.
func (s *Submitter) nothingPulled(ctx context.Context, v view, batch seeding.Batch, log *slog.Logger) error {
	log.Warn("MTS reads no submissions")
	s.Meter.Measure(seeding.MetricBatchesFailed, 1, "")
	batch.State, batch.Closed = seeding.Failed, s.Clock.Now() // nothing of it was sent
	if err := seeding.IgnoreConflict(s.Store.Close(ctx, batch)); err != nil {
		return err
	}
	there, err := s.stillThere(ctx, v.connector, batch)
	fault, atForm := asFault(err)
	switch {
	case atForm:
	case err != nil:
		_, err = s.chooseFailed(ctx, v, err)
		return err
	case !there: // deleted meanwhile
		return nil
	default:
		fault = &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.NoSubmissions}
	}
	_, err = s.centralFailed(ctx, v, fault)
	return err
}

// asFault finds the fault of a remote call in an error.
func asFault(err error) (*seeding.Fault, bool) { return errors.AsType[*seeding.Fault](err) }

// stillThere reports whether Central gives a submission of a batch, read as MTS reads it:
// what Central refuses then, such as a column, is its error.
func (s *Submitter) stillThere(ctx context.Context, c seeding.Connector, b seeding.Batch) (there bool, err error) {
	limited, cancel := context.WithTimeout(ctx, s.Times.PageLimit)
	defer cancel()
	form, err := s.openForm(ctx, c)
	if err != nil {
		return false, err
	}
	first := func(seeding.Submission) error { return errOneIsThere }
	if ids := b.Named(); len(ids) > 0 {
		err = form.ReadSome(limited, ids, first)
	} else {
		err = form.Read(limited, b.Window, first)
	}
	if errors.Is(err, errOneIsThere) {
		return true, nil
	}
	return false, ofCentral(err)
}

// errOneIsThere ends reading.
var errOneIsThere = errors.New("a submission is there")
