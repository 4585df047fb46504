package odk

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

var _ seeding.Form = (*Central)(nil)

// Now is what the clock shows that stamps submissions, at the earliest.
func (c *Central) Now(ctx context.Context) (time.Time, error) {
	clock, err := c.Clock(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return clock.Now(c.session.now()), nil
}

// Mark is the Tag of a window, or its count where Central has no tags. One that is a
// count is compared with a count, so that such a Central need not begin a list.
func (c *Central) Mark(ctx context.Context, w seeding.Window, known string) (mark string, same bool, err error) {
	if strings.HasPrefix(known, seeding.CountMark) {
		if mark, err = c.countMark(ctx, w); err != nil || mark == known {
			return mark, err == nil, err
		}
	}
	mark, same, err = c.Tag(ctx, w, known)
	if err == nil && mark == "" {
		mark, err = c.countMark(ctx, w)
		same = err == nil && mark == known
	}
	return mark, same, err
}

func (c *Central) countMark(ctx context.Context, w seeding.Window) (string, error) {
	n, err := c.Count(ctx, w)
	if err != nil {
		return "", err
	}
	return seeding.CountMark + strconv.Itoa(n), nil
}

// system is what is asked for of a submission without its fields.
const system = "$select=__id,__system/submissionDate,__system/edits"

// Page returns the newest submissions of a window, in Central's own order, without their
// fields. Releases before 2022.3 cannot leave those out (facts/odk.md 16).
func (c *Central) Page(ctx context.Context, w seeding.Window, most int) (list []seeding.SubmissionRef, more bool, err error) {
	for {
		address := c.address.submissions() + "?$top=" + strconv.Itoa(most) + "&$count=true&$filter=" + filterOf(w)
		if c.session.selects() {
			address += "&" + system
		}
		list, more, err = c.refs(ctx, w, address, most)
		over, isLarge := errors.AsType[*tooLarge](err)
		switch {
		case isCode(err, "ODK-501.1") && c.session.selects():
			c.session.selectsNothing()
		case isLarge && !over.record && most > 1:
			most /= 2
		default:
			return list, more, err
		}
	}
}

// refs reads one page. Its rows must be what was asked for, because windows are cut by
// their order.
func (c *Central) refs(ctx context.Context, w seeding.Window, address string, most int) (list []seeding.SubmissionRef, more bool, err error) {
	ordered := true
	p, err := c.page(ctx, address, most, c.limits, func(s seeding.Submission) error {
		ref := s.SubmissionRef
		ref.Received = ref.Received.Truncate(time.Millisecond)
		ordered = ordered && w.Has(ref.Received) && (len(list) == 0 || !ref.Received.After(list[len(list)-1].Received))
		list = append(list, ref)
		return nil
	})
	switch {
	case err != nil:
		return nil, false, err
	case !ordered, p.count < p.rows, p.rows == 0 && p.count > 0:
		return nil, false, fault(seeding.RefusedRequest, BadAnswer)
	}
	return list, p.count > p.rows, nil
}

// selects reports whether Central can choose columns, as far as is known.
func (s *session) selects() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.noSelect
}

func (s *session) selectsNothing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noSelect = true
}
