// Package submit finds registrants that need a token and sends them to MTS,
// batch by batch (infra/protocol.md, "Submit").
package submit

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what this package calls of the stores; seeding/store.go has their
// contracts.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
	States(ctx context.Context) ([]seeding.State, error)
	State(ctx context.Context, id string) (seeding.State, error)
	TakeRun(ctx context.Context, id, owner string, now, until, moved time.Time) (seeding.State, error)
	KeepRun(ctx context.Context, id string, fence int64, until time.Time) error
	LeaveRun(ctx context.Context, id string, fence int64, served, due, moved time.Time) error
	NoteInvoked(ctx context.Context, read seeding.State, now time.Time, died seeding.Problem) error
	RaiseProblem(ctx context.Context, id string, source seeding.Source, p seeding.Problem) error
	ClearProblems(ctx context.Context, id string, sources []seeding.Source, now time.Time) error

	Run(ctx context.Context, connector, id string) (seeding.Run, error)
	OpenRun(ctx context.Context, r seeding.Run) error
	FinishJob(ctx context.Context, id string, version int, fence int64) error
	ListedPart(ctx context.Context, connector, run string, after int64) (part seeding.ListedPart, found bool, err error)
	SaveListed(ctx context.Context, connector, run string, part seeding.ListedPart, fence int64) error
	SaveRun(ctx context.Context, r seeding.Run) error
	CompleteRun(ctx context.Context, r seeding.Run, rejections *seeding.RejectionCount) error

	OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error)
	ClosedBatches(ctx context.Context, connector, run string) ([]seeding.Batch, error)
	Claim(ctx context.Context, c seeding.Claim) error
	MarkSubmitted(ctx context.Context, ref seeding.BatchRef, requestID string, now time.Time) error
	Close(ctx context.Context, b seeding.Batch) error

	Rejections(ctx context.Context, registry string, from, to int64) ([]seeding.Rejection, error)
	RejectionsAt(ctx context.Context, registry string, identifiers []int64) ([]seeding.Rejection, error)
	PutRejections(ctx context.Context, rejections []seeding.Rejection) (conflicts int, err error)
	DeleteRejections(ctx context.Context, rejections []seeding.Rejection) error
	ListRejections(ctx context.Context, registry, connector string, filter seeding.RejectionFilter, after string, limit int) (list []seeding.Rejection, next string, err error)

	RegistryState(ctx context.Context, key string) (seeding.RegistryState, error)
	NoteOutage(ctx context.Context, key string, until time.Time, attempts int) error

	MTSState(ctx context.Context, key string) (seeding.MTSState, error)
	WaitForMTS(ctx context.Context, key string, w seeding.Waiting) error
	NoteMTS(ctx context.Context, key string, notBefore time.Time, attempts int) error
	SavePace(ctx context.Context, key string, read, next seeding.Pace) error

	NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error)
	HasAnswer(ctx context.Context, registry, batch string) (bool, error)

	RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) ([]seeding.Rejection, error)
	Coverage(ctx context.Context, connector string) (seeding.Coverage, error)
	SaveCoverage(ctx context.Context, c seeding.Coverage) error
}

// Submitter does the work of connectors, step by step.
type Submitter struct {
	Store      Store
	Registries seeding.Registries
	MTS        seeding.MTS
	Forms      Forms // of connectors of ODK
	Mappings   seeding.Mappings
	// Reads are the fields of a record that a mapping reads; known is false if it may
	// read others.
	Reads func(m seeding.Mapping) (names []string, known bool)
	// VIDField is the path of the field of a form that a mapping takes VIDs from, or "".
	VIDField        func(c seeding.Connector) string
	CapabilityKeys  seeding.Keyring
	RowKeys         seeding.Keyring
	FingerprintKeys seeding.Keyring
	// CallbackSecrets reads the secrets of a direct callback, in the versions that the
	// configuration names.
	CallbackSecrets func(ctx context.Context, c seeding.Connector) (seeding.CallbackSecrets, error)
	Invoker         Invoker
	Meter           seeding.Meter
	Clock           seeding.Clock
	Times           seeding.Times
	NewID           func() string // unique, and sortable by time
	CallbackBase    string        // MTS calls back below it
	Go              func(func())  // runs a POST beside the others
	// Every calls do at every interval, beside the others, until stop is called.
	Every func(interval time.Duration, do func()) (stop func())
	Log   *slog.Logger
}

// maxPage bounds a page; larger pages gain little (facts/odoo.md B2).
const maxPage = 1000

// maxPosted bounds what the requests of one invocation take together, in bytes: of
// the wave that is chosen and of the POSTs under way. About 20,000 ordinary
// registrants are as much.
const maxPosted = 16 << 20

// Work does steps for one connector until there is nothing to do, or until the
// given time, and waits for the POSTs that it began. Another call for the same
// connector finds its lease taken and returns at once. Open runs take turns, a
// step each. After a turn it ends if others wait for its place.
func (s *Submitter) Work(ctx context.Context, connector string, until time.Time) (err error) {
	var (
		owner  = s.NewID()
		moved  time.Time // when this call last saw a run move; zero until then
		stored time.Time // the due time that the store has
		due    time.Time // the due time that it is to get
		turns  = turns{}
		posts  posts
		looked = s.Clock.Now() // whether others wait for its place
	)
	defer func() {
		posts.wait()
		err = errors.Join(err, posts.failure())
	}()
	for {
		// Taking the lease again renews it, and reads what a person changed.
		now := s.Clock.Now()
		state, err := s.Store.TakeRun(ctx, connector, owner, now, now.Add(s.Times.RunLease), moved)
		if errors.Is(err, seeding.ErrLeaseHeld) || seeding.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if turns.count == 0 || !state.Due.Equal(stored) { // the second: somebody wants a look meanwhile
			stored, due = state.Due, state.Due
		}
		state.Due = due
		runs := state.Turns(now)
		run := turns.next(runs)
		stop := s.keep(ctx, state, now)
		next, err := s.step(ctx, state, cmp.Or(run, state.Run), &posts)
		stop()
		if err == nil {
			err = posts.failure()
		}
		if errors.Is(err, seeding.ErrConflict) {
			// Somebody changed what this step relied on. Read again, with the
			// next tick if time is short.
			next.due, next.again, err = now, true, s.Clock.Sleep(ctx, s.Times.Poll)
		}
		if err != nil {
			next.due = now.Add(s.Times.ProbeFirst)
		}
		if run == "" {
			due = next.due
		}
		if !next.moved.IsZero() {
			moved = next.moved
		}
		if err != nil || !next.goes { // else the run that waited for a slot would leave it to another, each time
			turns.add(run, next.again)
		}
		goesOn := err == nil && !turns.over(runs) && s.Clock.Now().Add(s.stepLimit()+postMaximum).Before(until)
		if goesOn && s.Clock.Now().Sub(looked) >= s.Times.Turn {
			looked = s.Clock.Now()
			var waited bool
			waited, err = s.isWaitedFor(ctx, connector)
			goesOn = err == nil && !waited
		}
		if goesOn {
			continue
		}
		// POSTs need no run lease, so the next tick may go on meanwhile.
		served := time.Time{}
		if err == nil {
			served = s.Clock.Now()
		}
		leave := s.Store.LeaveRun(ctx, connector, state.Lease.Fence, served, due, moved)
		// A conflict: the lease ended, and somebody else has it.
		return errors.Join(err, seeding.IgnoreConflict(leave))
	}
}

// turns decides whose turn it is. Runs have the names of State.Turns.
type turns struct {
	count int            // turns so far
	last  map[string]int // the number of the last turn of each run
	more  int            // the last turn that left more to do at once
}

// next is the run that has waited longest.
func (t *turns) next(runs []string) string {
	return slices.MinFunc(runs, func(a, b string) int { return cmp.Compare(t.last[a], t.last[b]) })
}

// add records a turn, and whether it left more to do at once.
func (t *turns) add(run string, more bool) {
	if t.last == nil {
		t.last = map[string]int{}
	}
	t.count++
	t.last[run] = t.count
	if more {
		t.more = t.count
	}
}

// over reports whether none of the runs has anything to do: each had a turn since
// one of them left more to do.
func (t *turns) over(runs []string) bool {
	return !slices.ContainsFunc(runs, func(run string) bool { return t.last[run] <= t.more })
}

// stepLimit is the longest that one step can last: a page, and a wait for a slot
// or for an answer. POSTs go on beside the steps.
func (s *Submitter) stepLimit() time.Duration {
	return s.Times.AnswerWait + s.Times.PageLimit + 5*s.Times.Poll
}

// postMaximum is the longest time limit of a POST.
const postMaximum = 4 * time.Minute

// postLimit is the time limit of the POST of a batch. MTS needs about 16 ms per
// record (facts/mts.md 9), but each of its workers may have to finish other POSTs
// first.
func (s *Submitter) postLimit(b seeding.Batch) time.Duration {
	return min(s.Times.PostBase+time.Duration(b.InLine)*s.Times.PostPerRecord, postMaximum)
}

// await calls look until it returns true, at most for AnswerWait.
func (s *Submitter) await(ctx context.Context, look func() (bool, error)) (bool, error) {
	for limit := s.Clock.Now().Add(s.Times.AnswerWait); s.Clock.Now().Before(limit); {
		if err := s.Clock.Sleep(ctx, s.Times.Poll); err != nil {
			return false, err
		}
		if seen, err := look(); seen || err != nil {
			return seen, err
		}
	}
	return false, nil
}
