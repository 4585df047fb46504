package odk

import (
	"context"
	"net/http"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Examiner is a form for a check or a preview: it is opened with a password of its own,
// and without a session of before, so that what it finds is what is true now.
type Examiner struct{ *Central }

// Examine makes no call.
func Examine(client *http.Client, c seeding.Connector, password string, now func() time.Time) (*Examiner, error) {
	address, err := ParseAddress(c.ODK.BaseURL, c.ODK.ODataURL)
	if err != nil {
		return nil, err
	}
	return &Examiner{New(client, now).Open(address, c.ODK.Email, password)}, nil
}

// clocksApart is by how much clocks may differ.
const clocksApart = 5 * time.Minute

// SignIn signs in. apart is the fault of clocks that are too far from each other.
func (e *Examiner) SignIn(ctx context.Context) (apart *seeding.Fault, err error) {
	clock, err := e.Clock(ctx)
	if err != nil {
		return nil, err
	}
	return clock.Apart(clocksApart), nil
}

// Look looks at the form, and for fields by their paths, such as "person.name"; the one
// of VIDs must be a text that each submission has once, unless it is "". A form whose
// submissions cannot be read is an error.
func (e *Examiner) Look(ctx context.Context, since time.Time, vid string, paths []string) (found seeding.FormFound, err error) {
	all := seeding.Window{From: since, To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	form, err := e.Form(ctx)
	if isCode(err, NoRight) { // or the form was never published (facts/odk.md 10)
		if _, other := e.Count(ctx, all); other != nil {
			err = other
		}
	}
	if err != nil {
		return found, err
	}
	if f := form.Flaw(""); f != nil && f.Field == "" && f.Code != NoField {
		return found, f
	}
	// What the verbs allow is proved by the call that a run makes.
	found.Submissions, err = e.Count(ctx, all)
	if err != nil {
		return found, err
	}
	found.Open = form.Open
	if found.Select, err = e.selects(ctx, all); err != nil {
		return found, err
	}
	found.NoColumns = form.without(e.address.chosen())
	if vid != "" {
		found.VID = form.Flaw(seeding.FieldPath(vid))
	}
	for _, path := range paths {
		if len(form.without([]string{seeding.FieldPath(path)})) > 0 {
			found.Missing = append(found.Missing, path)
		}
	}
	return found, nil
}

// selects asks for a submission with the columns that the address chooses, as MTS does.
// wrong is what Central says of them.
func (e *Examiner) selects(ctx context.Context, w seeding.Window) (wrong *seeding.Fault, err error) {
	if e.address.Columns == "" {
		return nil, nil
	}
	_, err = e.page(ctx, e.address.own("$top=1", "$count=true", "$filter="+filterOf(w)), 1, e.limits, func(seeding.Submission) error { return nil })
	if isCode(err, NoColumn) || isCode(err, ColumnOfRepeat) {
		return seeding.FaultOf(err), nil
	}
	return nil, err
}
