// Package inquire works off what people ask about configurations: checks and
// previews (infra/protocol.md, "Inquiries"). Each is asked through the API, which
// invokes submit; a tick invokes it for those whose invocation was lost or died.
package inquire

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what this package calls of the stores; seeding.Inquiries has its
// contract.
type Store interface {
	Inquiry(ctx context.Context, id string, now time.Time) (seeding.Inquiry, error)
	OpenInquiries(ctx context.Context) ([]seeding.OpenInquiry, error)
	TakeInquiry(ctx context.Context, q seeding.Inquiry, owner string, now, until time.Time) (seeding.OpenInquiry, error)
	KeepInquiry(ctx context.Context, open seeding.OpenInquiry, until time.Time) error
	SaveLines(ctx context.Context, q seeding.Inquiry) error
	EndInquiry(ctx context.Context, q seeding.Inquiry) error
	FetchInquiry(ctx context.Context, q seeding.Inquiry, state seeding.InquiryState, now time.Time) error
}

// Answerer answers inquiries of one kind.
type Answerer interface {
	// Answer looks at the configuration that is asked about. It shows the lines of the
	// answer as they become known, and returns all of them. A preview returns its answer
	// too, as it is delivered. It ends when ctx ends, with what it knows then. secrets
	// are those that came with the draft, by the names of their fields. The error is a
	// failure of the storage.
	Answer(ctx context.Context, q seeding.Inquiry, secrets map[string]string, show func([]seeding.Line) error) (lines []seeding.Line, answer []byte, err error)
}

// Secrets keeps what an inquiry needs that must not be in a table.
type Secrets interface {
	// Given returns the secrets that came with its draft, and Key the key that seals its
	// preview; seeding.ErrNotFound if they are deleted.
	Given(ctx context.Context, inquiry string) (map[string]string, error)
	Key(ctx context.Context, inquiry string) (seeding.Key, error)
	// ForgetGiven and ForgetKey delete them for good; without any it is a success.
	ForgetGiven(ctx context.Context, inquiry string) error
	ForgetKey(ctx context.Context, inquiry string) error
}

// Invoker invokes submit for an inquiry, asynchronously.
type Invoker interface {
	InvokeInquiry(ctx context.Context, id string) error
}

// Desk works off inquiries.
type Desk struct {
	Store     Store
	Answerers map[seeding.InquiryKind]Answerer
	Secrets   Secrets
	Invoker   Invoker
	Clock     seeding.Clock
	Times     seeding.Times
	NewID     func() string
	// Every calls do at every interval until stop is called.
	Every func(interval time.Duration, do func()) (stop func())
	// Limit is how long an answer may take; zero is the usual one.
	Limit time.Duration
	Log   *slog.Logger
}

const (
	// usualLimit is how long an answer may take.
	usualLimit = 2 * time.Minute
	// invoked is after how long an inquiry that nobody began was not invoked, or its
	// invocation was lost.
	invoked = 20 * time.Second
	// beatsPerLease is how often a lease is renewed in its time.
	beatsPerLease = 4
)

func (d *Desk) limit() time.Duration { return cmp.Or(d.Limit, usualLimit) }

// Work answers an inquiry, and then others that wait, until the given time. It leaves
// them if enough others are at work: who ends goes on with what waits.
func (d *Desk) Work(ctx context.Context, id string, until time.Time) error {
	var failed error
	for tried := map[string]bool{}; ; {
		open, err := d.Store.OpenInquiries(ctx)
		if seeding.IgnoreDamaged(err) != nil {
			return errors.Join(failed, err)
		}
		now := d.Clock.Now()
		next := choose(open, id, tried, now)
		if next == "" || !now.Add(d.limit()+d.Times.RunLease).Before(until) {
			return failed
		}
		tried[next] = true
		failed = errors.Join(failed, d.work(ctx, next))
	}
}

// choose returns the inquiry to work on: the given one, or the one that waits longest;
// "" if none waits, or enough are at work.
func choose(open []seeding.OpenInquiry, id string, tried map[string]bool, now time.Time) string {
	if atWork(open, now) >= seeding.InquiriesAtWork {
		return ""
	}
	waiting := slices.DeleteFunc(slices.Clone(open), func(o seeding.OpenInquiry) bool {
		return tried[o.ID] || !waits(o, now) || o.ID != id && !overlooked(o, now)
	})
	slices.SortFunc(waiting, func(a, b seeding.OpenInquiry) int {
		first := func(o seeding.OpenInquiry) int {
			if o.ID == id {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(a), first(b)), a.Asked.Compare(b.Asked), cmp.Compare(a.ID, b.ID))
	})
	if len(waiting) == 0 {
		return ""
	}
	return waiting[0].ID
}

func atWork(open []seeding.OpenInquiry, now time.Time) (n int) {
	for _, o := range open {
		if o.Lease.Live(now) {
			n++
		}
	}
	return n
}

// waits reports whether nobody answered an inquiry and nobody is at work on it.
func waits(o seeding.OpenInquiry, now time.Time) bool {
	return o.FetchUpTo.IsZero() && !o.Lease.Live(now) && now.Before(o.Asked.Add(seeding.InquiryLife))
}

// overlooked reports whether an inquiry should have been begun by an invocation of its
// own. Before that its secrets may not be stored yet.
func overlooked(o seeding.OpenInquiry, now time.Time) bool {
	return o.Begun > 0 || now.Sub(o.Asked) >= invoked
}

// Tick invokes submit for inquiries whose invocation was lost or died, and drops the
// previews that nobody fetched.
func (d *Desk) Tick(ctx context.Context) error {
	open, failed := d.Store.OpenInquiries(ctx)
	if seeding.IgnoreDamaged(failed) != nil {
		return failed
	}
	now := d.Clock.Now()
	left := seeding.InquiriesAtWork - atWork(open, now)
	slices.SortFunc(open, func(a, b seeding.OpenInquiry) int { return a.Asked.Compare(b.Asked) })
	for _, o := range open {
		switch {
		case o.Uncollected(now):
			failed = errors.Join(failed, d.drop(ctx, o, now))
		case waits(o, now) && left > 0 && overlooked(o, now):
			left--
			failed = errors.Join(failed, d.Invoker.InvokeInquiry(ctx, o.ID))
		}
	}
	return failed
}

// drop ends a preview that nobody fetched in time.
func (d *Desk) drop(ctx context.Context, o seeding.OpenInquiry, now time.Time) error {
	if err := d.Secrets.ForgetKey(ctx, o.ID); err != nil {
		return err
	}
	q, err := d.Store.Inquiry(ctx, o.ID, o.Asked)
	if err != nil {
		return err
	}
	return seeding.IgnoreConflict(d.Store.FetchInquiry(ctx, q, seeding.InquiryDropped, now))
}

// work answers one inquiry, unless somebody else does.
func (d *Desk) work(ctx context.Context, id string) error {
	now := d.Clock.Now()
	q, err := d.Store.Inquiry(ctx, id, now)
	if seeding.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	open, err := d.Store.TakeInquiry(ctx, q, d.NewID(), now, now.Add(d.Times.RunLease))
	if errors.Is(err, seeding.ErrLeaseHeld) || seeding.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	q.Fence, q.State = open.Lease.Fence, seeding.InquiryWorking
	log := d.Log.With("inquiry", q.ID, "kind", string(q.Kind), "connector", q.Connector)
	defer d.keep(ctx, open, now)()
	if open.Begun > seeding.InquiryBegins {
		log.Warn("inquiry given up: its work ended without a result each time")
		q.Lines = append(q.Lines, workDied(open.Begun-1))
		return d.end(ctx, q, nil, seeding.InquiryDropped)
	}
	before := q.Lines
	q.Lines = nil
	if err := d.Store.SaveLines(ctx, q); err != nil {
		return seeding.IgnoreConflict(err)
	}
	lines, answer, err := d.answer(ctx, q, before)
	if err != nil {
		return seeding.IgnoreConflict(err)
	}
	q.Lines = lines
	log.Info("inquiry answered", "milliseconds", d.Clock.Now().Sub(now).Milliseconds())
	return d.end(ctx, q, answer, seeding.InquiryAnswered)
}

// answer lets the inquiry be answered within its limit of time. before are the lines
// of an invocation that died.
func (d *Desk) answer(ctx context.Context, q seeding.Inquiry, before []seeding.Line) ([]seeding.Line, []byte, error) {
	limited, cancel := context.WithTimeout(ctx, d.limit())
	defer cancel()
	var secrets map[string]string
	if q.Given {
		var err error
		secrets, err = d.Secrets.Given(ctx, q.ID)
		if seeding.IsNotFound(err) { // that invocation knew all lines, and deleted them
			return append(before, secretsGone), nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
	show := func(lines []seeding.Line) error {
		q.Lines = lines
		return d.Store.SaveLines(ctx, q)
	}
	lines, answer, err := d.Answerers[q.Kind].Answer(limited, q, secrets, show)
	if err == nil && limited.Err() != nil {
		lines, answer = append(lines, tookTooLong(d.limit())), nil
	}
	return lines, answer, err
}

// end deletes the secrets of the inquiry and writes its answer. A preview's is sealed;
// without its key there is none.
func (d *Desk) end(ctx context.Context, q seeding.Inquiry, answer []byte, state seeding.InquiryState) error {
	q.State, q.Ended = state, d.Clock.Now()
	if answer != nil {
		key, err := d.Secrets.Key(ctx, q.ID)
		if err == nil {
			q.Sealed, err = seeding.SealAnswer(key, q.ID, answer)
			q.FetchUpTo = q.Ended.Add(seeding.PreviewLife)
		}
		if err != nil {
			d.Log.Warn("preview not sealed", "inquiry", q.ID, "fault", err.Error())
			q.State, q.Lines, answer = seeding.InquiryDropped, append(q.Lines, notSealed), nil
		}
	}
	if q.Given {
		if err := d.Secrets.ForgetGiven(ctx, q.ID); err != nil {
			return err // the next begin deletes them
		}
	}
	if q.Kind == seeding.PreviewInquiry && answer == nil {
		if err := d.Secrets.ForgetKey(ctx, q.ID); err != nil {
			return err
		}
	}
	return seeding.IgnoreConflict(d.Store.EndInquiry(ctx, q)) // a conflict: somebody else has it
}

// keep renews the lease until stop is called, and not beyond what an answer may take.
func (d *Desk) keep(ctx context.Context, open seeding.OpenInquiry, began time.Time) (stop func()) {
	return d.Every(d.Times.RunLease/beatsPerLease, func() {
		now := d.Clock.Now()
		if now.After(began.Add(d.limit() + d.Times.RunLease)) {
			return
		}
		if err := d.Store.KeepInquiry(ctx, open, now.Add(d.Times.RunLease)); seeding.IgnoreConflict(err) != nil {
			d.Log.Warn("lease of an inquiry not renewed", "inquiry", open.ID, "fault", err.Error())
		}
	})
}
