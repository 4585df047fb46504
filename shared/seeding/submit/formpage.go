package submit

import (
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// formPage has submissions that Central gave, the newest first. A pass looks at them part
// by part, and Central is asked again only for what is below them. What changes at
// Central after the plan of a run is seen by the next run in any case.
type formPage struct {
	run         string
	pass, began time.Time      // of the run; of the call
	in          seeding.Window // they are all that Central has in it
	refs        []seeding.SubmissionRef
}

// reaches reports whether the newest submissions of a window are among them.
func (p formPage) reaches(run seeding.Run, w seeding.Window) bool {
	return p.run == run.ID && p.pass.Equal(run.PassStarted) && p.in.From.Before(w.To) && !p.in.To.Before(w.To) && !p.in.From.Before(w.From)
}

// below are about as many as asked for that were received before a moment. They are all
// since down, so that none of a millisecond is left out.
func (p formPage) below(to time.Time, most int) (refs []seeding.SubmissionRef, down time.Time) {
	from := slices.IndexFunc(p.refs, func(s seeding.SubmissionRef) bool { return s.Received.Before(to) })
	if from < 0 {
		return nil, p.in.From
	}
	refs = p.refs[from:]
	if len(refs) <= most {
		return refs, p.in.From
	}
	oldest := millisecond(refs[most-1].Received)
	first := slices.IndexFunc(refs, func(s seeding.SubmissionRef) bool { return oldest.Has(s.Received) })
	switch {
	case !oldest.Has(refs[most].Received):
		return refs[:most], oldest.From
	case first > 0:
		return refs[:first], oldest.To
	}
	if end := slices.IndexFunc(refs, func(s seeding.SubmissionRef) bool { return s.Received.Before(oldest.From) }); end > 0 {
		return refs[:end], oldest.From
	}
	return refs, p.in.From
}
